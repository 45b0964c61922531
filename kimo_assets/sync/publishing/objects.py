"""Rows out of PostgreSQL into objects: CSV, split by bucket, compressed, named by their hash, put
into the store.
"""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field

import zstandard
from psycopg import Connection, sql

from kimo_assets.sources.readers.copy_out import arriving_rows
from kimo_assets.sync.store.store import PARALLEL_REQUESTS, Store, StoredObject

# After so much CSV what has come of the bigger buckets is compressed, a zstd frame of its own a
# bucket; after more, of all.
_BATCH_BYTES = 16 << 20
_PENDING_BYTES = 80 << 20
_BIGGER_ROWS = 4_000
# An object is so big at most: what a tablet has to fetch again after a cut, and holds in memory at
# a time.
_OBJECT_BYTES = 8 << 20
# So much compressed is held in memory, over all buckets, before what there is becomes objects.
_COMPRESSED_BYTES = 96 << 20
_PRESSES = 2


@dataclass(frozen=True)
class ObjectRecord:
    """An object as manifests list it. is_new: whether it was not in the store already."""

    sha256: str
    rows: int
    bytes: int
    is_new: bool = False


@dataclass
class _Bucket:
    """lines: not compressed yet. frames: compressed, or being. done: its finished objects, and
    counts: their rows.
    """

    lines: list[bytes] = field(default_factory=list)
    frames: list["Future[bytes]"] = field(default_factory=list)
    rows: int = 0
    done: list["Future[StoredObject]"] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    @property
    def compressed(self) -> int:
        """Bytes of its frames, which have to be done."""
        return sum(len(frame.result()) for frame in self.frames)


class ObjectWriter:
    """Objects of many buckets, filled as their rows come. whole: a bucket is one object, however
    big.
    """

    def __init__(self, store: Store, header: bytes, level: int, *, whole: bool = False) -> None:
        self._store = store
        self._header = header
        self._level = level
        self._mine = threading.local()
        self._batches = 0
        self._under_way: list[Future[bytes]] = []
        self._whole = whole
        self._buckets: dict[bytes, _Bucket] = {}
        self._stack = ExitStack()
        # While rows come in, those before them are compressed: zstd does not need the interpreter.
        self._presses = self._stack.enter_context(
            ThreadPoolExecutor(_PRESSES, thread_name_prefix="zstd")
        )
        # A disk is written to at once; of requests to an object store many are under way.
        workers = 1 if store.is_local else PARALLEL_REQUESTS
        self._pool = self._stack.enter_context(
            ThreadPoolExecutor(workers, thread_name_prefix="objects")
        )
        # Rows come faster than a slow store takes them: what waits for it is bounded too.
        self._room = threading.BoundedSemaphore(2 * workers)

    def write(
        self, connection: Connection, select: sql.Composable, *, only: int | None = None
    ) -> dict[int, list[ObjectRecord]]:
        """The objects per bucket of a query's rows; the first column is the bucket's number, unless
        there is one `only`.
        """
        copy_out = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(select)
        with self._stack:
            with connection.cursor() as cursor, cursor.copy(copy_out) as copy:
                rows = arriving_rows(connection.pgconn, copy)
                if only is None:
                    self._split(rows)
                else:
                    self._gather(str(only).encode(), rows)
            for bucket in self._buckets.values():
                self._compress(bucket)
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
            if pending > _BATCH_BYTES:
                self._compress_some()
                pending = 0

    def _gather(self, number: bytes, rows: Iterator[memoryview | bytearray | bytes]) -> None:
        bucket = self._buckets[number] = _Bucket()
        lines, pending = bucket.lines, 0
        for row in rows:
            lines.append(bytes(row))
            pending += len(row)
            if pending > _BATCH_BYTES // 2:
                self._compress_some()
                lines, pending = bucket.lines, 0
        if not bucket.lines and not bucket.frames and not bucket.done:
            del self._buckets[number]

    def _compress_some(self) -> None:
        """Hands what has come to the other threads, once they are done with what came before."""
        wait(self._under_way)
        self._under_way = []
        self._finish_some()
        self._batches += 1
        is_much = self._batches * _BATCH_BYTES > _PENDING_BYTES
        for bucket in self._buckets.values():
            if is_much or len(bucket.lines) >= _BIGGER_ROWS:
                self._compress(bucket)
        if is_much:
            self._batches = 0

    def _finish_some(self) -> None:
        """What is big enough becomes objects; or all, when it is too much together."""
        if self._whole:
            return
        is_much = sum(bucket.compressed for bucket in self._buckets.values()) > _COMPRESSED_BYTES
        for bucket in self._buckets.values():
            if bucket.compressed > _OBJECT_BYTES or (is_much and bucket.frames):
                self._finish(bucket)

    def _compress(self, bucket: _Bucket) -> None:
        if not bucket.lines:
            return
        lines = bucket.lines if bucket.frames else [self._header, *bucket.lines]
        frame = self._presses.submit(self._pressed, lines)
        bucket.frames.append(frame)
        self._under_way.append(frame)
        bucket.rows += len(bucket.lines)
        bucket.lines = []

    def _pressed(self, lines: list[bytes]) -> bytes:
        # A compressor is one thread's.
        if not hasattr(self._mine, "compressor"):
            self._mine.compressor = zstandard.ZstdCompressor(level=self._level, write_checksum=True)
        pressed: bytes = self._mine.compressor.compress(b"".join(lines))
        return pressed

    def _finish_all(self) -> None:
        for bucket in self._buckets.values():
            if bucket.frames:
                self._finish(bucket)

    def _finish(self, bucket: _Bucket) -> None:
        data = b"".join(frame.result() for frame in bucket.frames)
        self._room.acquire()
        bucket.done.append(self._pool.submit(self._stored, data))
        bucket.counts.append(bucket.rows)
        bucket.frames, bucket.rows = [], 0

    def _stored(self, data: bytes) -> StoredObject:
        try:
            return self._store.add_bytes(data, hashlib.sha256(data).hexdigest())
        finally:
            self._room.release()


def _records(bucket: _Bucket) -> list[ObjectRecord]:
    """Raises: what went wrong with writing any of them."""
    stored = [(done.result(), rows) for done, rows in zip(bucket.done, bucket.counts, strict=True)]
    return [
        ObjectRecord(found.sha256, rows, found.byte_count, found.is_new) for found, rows in stored
    ]
