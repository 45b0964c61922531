"""Rows out of PostgreSQL into objects: CSV, split by bucket, compressed, named by their hash, put into the store."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import zstandard
from psycopg import Connection, sql

from kimo_assets.sources.readers.copy_out import arriving_rows
from kimo_assets.sync.store import Store, StoredObject

# So much CSV waits in memory, over all buckets, until it is compressed; each time a zstd frame of its own a bucket.
_PENDING_BYTES = 96 << 20
# An object is so big at most: what a tablet has to fetch again after a cut, and holds in memory at a time.
_OBJECT_BYTES = 8 << 20
# So much compressed is held in memory, over all buckets, before what there is becomes objects.
_COMPRESSED_BYTES = 96 << 20
_UPLOADS = 16


@dataclass(frozen=True)
class ObjectRecord:
    """An object as manifests list it. is_new: whether it was not in the store already."""

    sha256: str
    rows: int
    bytes: int
    is_new: bool = False


@dataclass
class _Bucket:
    lines: list[bytes] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    compressed: int = 0
    rows: int = 0
    done: list["Future[StoredObject]"] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)


class ObjectWriter:
    """Objects of many buckets, filled as their rows come. whole: a bucket is one object, however big."""

    def __init__(self, store: Store, header: bytes, level: int, *, whole: bool = False) -> None:
        self._store = store
        self._header = header
        self._compressor = zstandard.ZstdCompressor(level=level, write_checksum=True)
        self._whole = whole
        self._buckets: dict[bytes, _Bucket] = {}
        self._compressed = 0
        self._stack = ExitStack()
        # A disk is written to at once; of requests to an object store many are under way.
        workers = 1 if store.is_local else _UPLOADS
        self._pool = self._stack.enter_context(ThreadPoolExecutor(workers, thread_name_prefix="objects"))

    def write(
        self, connection: Connection, select: sql.Composable, *, only: int | None = None
    ) -> dict[int, list[ObjectRecord]]:
        """The objects per bucket of a query's rows; the first column is the bucket's number, unless there is one `only`."""
        copy_out = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(select)
        with self._stack:
            with connection.cursor() as cursor, cursor.copy(copy_out) as copy:
                rows = arriving_rows(connection.pgconn, copy)
                if only is None:
                    self._split(rows)
                else:
                    self._gather(str(only).encode(), rows)
            self._compress_all()
            self._finish_all()
            return {int(number): _records(bucket) for number, bucket in self._buckets.items()}

    def _split(self, rows: Iterator[memoryview | bytearray | bytes]) -> None:
        """The loop that every row of every agent goes through: nothing in it that is not needed."""
        buckets, pending = self._buckets, 0
        for row in rows:
            number, _, line = bytes(row).partition(b",")
            bucket = buckets.get(number)
            if bucket is None:
                bucket = buckets[number] = _Bucket()
            bucket.lines.append(line)
            pending += len(line)
            if pending > _PENDING_BYTES:
                self._compress_all()
                pending = 0

    def _gather(self, number: bytes, rows: Iterator[memoryview | bytearray | bytes]) -> None:
        bucket = self._buckets[number] = _Bucket()
        lines, pending = bucket.lines, 0
        for row in rows:
            lines.append(bytes(row))
            pending += len(row)
            if pending > _PENDING_BYTES // 8:
                self._compress(bucket)
                lines, pending = bucket.lines, 0
        if not bucket.lines and not bucket.frames and not bucket.done:
            del self._buckets[number]

    def _compress_all(self) -> None:
        for bucket in self._buckets.values():
            if bucket.lines:
                self._compress(bucket)
        if self._compressed > _COMPRESSED_BYTES and not self._whole:
            self._finish_all()

    def _compress(self, bucket: _Bucket) -> None:
        start = [] if bucket.frames else [self._header]
        frame = self._compressor.compress(b"".join([*start, *bucket.lines]))
        bucket.frames.append(frame)
        bucket.compressed += len(frame)
        bucket.rows += len(bucket.lines)
        bucket.lines = []
        self._compressed += len(frame)
        if bucket.compressed > _OBJECT_BYTES and not self._whole:
            self._finish(bucket)

    def _finish_all(self) -> None:
        for bucket in self._buckets.values():
            if bucket.frames:
                self._finish(bucket)

    def _finish(self, bucket: _Bucket) -> None:
        data = b"".join(bucket.frames)
        sha256 = hashlib.sha256(data).hexdigest()
        bucket.done.append(self._pool.submit(self._store.add_bytes, data, sha256))
        bucket.counts.append(bucket.rows)
        self._compressed -= bucket.compressed
        bucket.frames, bucket.compressed, bucket.rows = [], 0, 0


def _records(bucket: _Bucket) -> list[ObjectRecord]:
    """Raises: what went wrong with writing any of them."""
    stored = [(done.result(), rows) for done, rows in zip(bucket.done, bucket.counts, strict=True)]
    return [ObjectRecord(found.sha256, rows, found.byte_count, found.is_new) for found, rows in stored]

