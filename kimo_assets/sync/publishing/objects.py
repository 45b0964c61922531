"""Rows from PostgreSQL into objects of the store: CSV, split by bucket and compressed."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import zstandard
from psycopg import Connection, sql

from kimo_assets.sources.readers.copy_out import arriving_rows
from kimo_assets.sync.store.store import PARALLEL_REQUESTS, Store, StoredObject

# After so much CSV the lines of the bigger buckets are compressed, as a zstd frame for each bucket.
_BATCH_BYTES = 16 << 20
# After so much CSV the lines of all buckets are.
_PENDING_BYTES = 80 << 20
# Short frames compress badly, so that small buckets wait for more lines.
_BIGGER_ROWS = 4_000
# An object is at most so big: a tablet fetches it again after a cut, and holds it in memory.
_OBJECT_BYTES = 8 << 20
# So much compressed data is held in memory, over all buckets, before it becomes objects.
_COMPRESSED_BYTES = 96 << 20
_COMPRESSORS = 2

Lines = Iterator[memoryview | bytearray | bytes]


@dataclass(frozen=True)
class ObjectRecord:
    """An object as manifests list it. is_new: whether it was not in the store already."""

    sha256: str
    rows: int
    bytes: int
    is_new: bool = False


@dataclass
class _Bucket:
    """lines: not compressed yet. frames: compressed, or being compressed. rows: in the frames.

    objects: the finished ones. object_rows: how many rows each of them has.
    """

    lines: list[bytes] = field(default_factory=list)
    frames: list["Future[bytes]"] = field(default_factory=list)
    rows: int = 0
    objects: list["Future[StoredObject]"] = field(default_factory=list)
    object_rows: list[int] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.lines or self.frames or self.objects)

    @property
    def compressed_bytes(self) -> int:
        """The bytes of its frames. Waits for those that are being compressed."""
        return sum(len(frame.result()) for frame in self.frames)


class ObjectWriter:
    """Objects of many buckets, filled as their rows come. whole: a bucket is always one object."""

    def __init__(self, store: Store, header: bytes, level: int, *, whole: bool = False) -> None:
        self._store = store
        self._header = header
        self._level = level
        self._of_thread = threading.local()
        self._batches = 0
        self._running: list[Future[bytes]] = []
        self._whole = whole
        self._buckets: dict[bytes, _Bucket] = {}
        self._stack = ExitStack()
        # Earlier rows are compressed while more come in: zstd does not need the interpreter.
        self._compressors = self._stack.enter_context(
            ThreadPoolExecutor(_COMPRESSORS, thread_name_prefix="zstd")
        )
        # A disk is written by one thread. To an object store many requests go side by side.
        writers = 1 if store.is_local else PARALLEL_REQUESTS
        self._writers = self._stack.enter_context(
            ThreadPoolExecutor(writers, thread_name_prefix="objects")
        )
        # Rows come faster than a slow store takes them, so the queue is bounded too.
        self._queue_slots = threading.BoundedSemaphore(2 * writers)

    def write(
        self, connection: Connection[Any], select: sql.Composable, *, only: int | None = None
    ) -> dict[int, list[ObjectRecord]]:
        """bucket -> its objects, of a query's rows.

        The first column is the bucket's number. only: the number of the single bucket, the query
        then lacks that column.
        """
        copy_out = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(select)
        with self._stack:
            with connection.cursor() as cursor, cursor.copy(copy_out) as copy:
                rows = arriving_rows(connection.pgconn, copy)
                if only is None:
                    self._split(rows)
                else:
                    self._collect_single(str(only).encode(), rows)
            for bucket in self._buckets.values():
                self._compress(bucket)
            self._finish_all()
            return {int(number): _records(bucket) for number, bucket in self._buckets.items()}

    def _split(self, rows: Lines) -> None:
        """The loop for every row of every agent: it does nothing that is not needed."""
        buckets, pending_bytes = self._buckets, 0
        for row in rows:
            number, _, line = bytes(row).partition(b",")
            bucket = buckets.get(number)
            if bucket is None:
                bucket = buckets[number] = _Bucket()
            bucket.lines.append(line)
            pending_bytes += len(line)
            if pending_bytes > _BATCH_BYTES:
                self._compress_some()
                pending_bytes = 0

    def _collect_single(self, number: bytes, rows: Lines) -> None:
        """The rows of a single bucket, whose number is not in them."""
        bucket = self._buckets[number] = _Bucket()
        lines, pending_bytes = bucket.lines, 0
        for row in rows:
            lines.append(bytes(row))
            pending_bytes += len(row)
            if pending_bytes > _BATCH_BYTES // 2:
                self._compress_some()
                lines, pending_bytes = bucket.lines, 0
        if bucket.is_empty:
            del self._buckets[number]

    def _compress_some(self) -> None:
        """Gives the rows so far to the other threads, once they have done the rows before."""
        # Otherwise lines would pile up in memory faster than they are compressed.
        wait(self._running)
        self._running = []
        self._finish_some()
        self._batches += 1
        is_much = self._batches * _BATCH_BYTES > _PENDING_BYTES
        for bucket in self._buckets.values():
            if is_much or len(bucket.lines) >= _BIGGER_ROWS:
                self._compress(bucket)
        if is_much:
            self._batches = 0

    def _finish_some(self) -> None:
        """Makes objects of the buckets that are big enough, or of all when memory gets short."""
        # The change of a bucket is one object, however big.
        if self._whole:
            return
        total_bytes = sum(bucket.compressed_bytes for bucket in self._buckets.values())
        is_much = total_bytes > _COMPRESSED_BYTES
        for bucket in self._buckets.values():
            if bucket.compressed_bytes > _OBJECT_BYTES or (is_much and bucket.frames):
                self._finish(bucket)

    def _compress(self, bucket: _Bucket) -> None:
        if not bucket.lines:
            return
        # Every object begins with the header, which is in its first frame.
        lines = bucket.lines if bucket.frames else [self._header, *bucket.lines]
        frame = self._compressors.submit(self._compressed, lines)
        bucket.frames.append(frame)
        self._running.append(frame)
        bucket.rows += len(bucket.lines)
        bucket.lines = []

    def _compressed(self, lines: list[bytes]) -> bytes:
        # Threads must not share a compressor.
        if not hasattr(self._of_thread, "compressor"):
            # By the checksum every tool for zstd notices a damaged file.
            compressor = zstandard.ZstdCompressor(level=self._level, write_checksum=True)
            self._of_thread.compressor = compressor
        frame: bytes = self._of_thread.compressor.compress(b"".join(lines))
        return frame

    def _finish_all(self) -> None:
        for bucket in self._buckets.values():
            if bucket.frames:
                self._finish(bucket)

    def _finish(self, bucket: _Bucket) -> None:
        data = b"".join(frame.result() for frame in bucket.frames)
        self._queue_slots.acquire()
        bucket.objects.append(self._writers.submit(self._stored, data))
        bucket.object_rows.append(bucket.rows)
        bucket.frames, bucket.rows = [], 0

    def _stored(self, data: bytes) -> StoredObject:
        try:
            return self._store.add_bytes(data, hashlib.sha256(data).hexdigest())
        finally:
            self._queue_slots.release()


def _records(bucket: _Bucket) -> list[ObjectRecord]:
    """Raises: the error that happened when one of them was written."""
    records = []
    for written, rows in zip(bucket.objects, bucket.object_rows, strict=True):
        stored = written.result()
        records.append(ObjectRecord(stored.sha256, rows, stored.byte_count, stored.is_new))
    return records
