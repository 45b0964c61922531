"""The sync store: a directory or any fsspec URL. Immutable objects by SHA-256, and small files replaced atomically."""

import contextlib
import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fsspec
import orjson
import zstandard

from kimo_assets.errors import StoreError

FORMAT = "kimo-sync"
FORMAT_VERSION = 1

_MAX_IN_MEMORY_BYTES = 1 << 20


def object_path(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}.csv.zst"


def manifest_path(agent: str) -> str:
    """Codes may hold any character; in a file name they are percent-encoded, dots too."""
    return f"agents/{quote(agent, safe='').replace('.', '%2E')}.json"


@dataclass(frozen=True)
class StoredObject:
    sha256: str
    byte_count: int
    is_new: bool


class Store:
    def __init__(self, url: str) -> None:
        self.url = url
        self._files, self._root = fsspec.core.url_to_fs(url)
        self._is_local = "file" in (self._files.protocol, *self._files.protocol)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def identity(self) -> str:
        """What tells this store from another, or from itself emptied: made with the store, then constant."""
        text = self.read_or_none("store.json")
        if text is not None:
            return str(orjson.loads(text)["id"])
        marker = {"format": FORMAT, "version": FORMAT_VERSION, "id": uuid.uuid4().hex}
        self.replace("store.json", orjson.dumps(marker))
        return str(marker["id"])

    def read_or_none(self, name: str) -> bytes | None:
        try:
            return bytes(self._files.cat_file(self._path(name)))
        except FileNotFoundError:
            return None

    def replace(self, name: str, data: bytes) -> None:
        """The file's content changes at once: a reader sees the old or the new one, never a part."""
        if self._is_local:
            with self._temporary() as file:
                file.write_bytes(data)
                self._move(file, name)
        else:
            self._files.pipe_file(self._path(name), data)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def _holds(self, sha256: str, size: int) -> bool:
        """Whether the object is there, whole as far as its size tells."""
        path = self._path(object_path(sha256))
        try:
            found = os.stat(path).st_size if self._is_local else self._files.size(path)
        except FileNotFoundError:
            return False
        return bool(found == size)

    def add_object(self, file: Path, sha256: str) -> StoredObject:
        """Moves a finished file to the place its hash names, unless it is there already."""
        size = file.stat().st_size
        if self._holds(sha256, size):
            return StoredObject(sha256, size, False)
        name = object_path(sha256)
        if self._is_local:
            self._move(file, name)
        else:
            self._files.put_file(str(file), self._path(name))
        return StoredObject(sha256, size, True)

    def add_bytes(self, data: bytes, sha256: str) -> StoredObject:
        """The same for an object that is not a file yet."""
        if self._holds(sha256, len(data)):
            return StoredObject(sha256, len(data), False)
        self.replace(object_path(sha256), data)
        return StoredObject(sha256, len(data), True)

    def read_object(self, sha256: str) -> bytes:
        """The object's compressed bytes, verified. Raises: StoreError when it is missing or not what its name says."""
        data = self.read_or_none(object_path(sha256))
        if data is None:
            raise StoreError(f"{self.url}: the object {sha256} is not there. Prepare the payloads again: step 3.")
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(
                f"{self.url}: the object {object_path(sha256)} is damaged: its content has another SHA-256. "
                "Delete that file and prepare the payloads again: step 3."
            )
        return data

    def listing(self, folder: str) -> dict[str, int]:
        """The files below a folder of the store, each with its size in bytes."""
        self._files.invalidate_cache()
        found = self._files.find(self._path(folder), detail=True)
        return {path.removeprefix(self._root).lstrip("/"): info["size"] for path, info in found.items()}

    def writer(self, level: int) -> "ObjectWriter":
        return ObjectWriter(self, level)

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A file on the store's own disk when that is local, so that it can be moved into place."""
        folder = f"{self._root}/unfinished" if self._is_local else None
        try:
            handle, name = tempfile.mkstemp(dir=folder)
        except FileNotFoundError:
            os.makedirs(folder or "", exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder)
        os.close(handle)
        try:
            yield Path(name)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)

    def _move(self, file: Path, name: str) -> None:
        target = self._path(name)
        os.chmod(file, 0o644)
        try:
            os.replace(file, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.replace(file, target)


class ObjectWriter:
    """Compresses, hashes and stores one object as it is written; nothing is visible before `finish`.

    Most objects are small: these are kept in memory, and one that is stored already never becomes a file.
    """

    def __init__(self, store: Store, level: int) -> None:
        self._store = store
        self._compressor = zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()
        self._hash = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._size = 0
        self._stack = contextlib.ExitStack()
        self._file: Path | None = None
        self._out: Any = None
        self.rows = 0

    def write(self, data: bytes, rows: int) -> None:
        self.rows += rows
        self._emit(self._compressor.compress(data))

    def _emit(self, data: bytes) -> None:
        self._hash.update(data)
        if self._out:
            self._out.write(data)
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _MAX_IN_MEMORY_BYTES:
            self._go_on_in_a_file()

    def _go_on_in_a_file(self) -> None:
        self._file = self._stack.enter_context(self._store._temporary())
        self._out = self._stack.enter_context(self._file.open("wb"))
        self._out.write(b"".join(self._pieces))
        self._pieces = []

    def finish(self) -> StoredObject:
        with self._stack:
            self._emit(self._compressor.flush())
            sha256 = self._hash.hexdigest()
            if self._file is None:
                return self._store.add_bytes(b"".join(self._pieces), sha256)
            self._out.close()
            return self._store.add_object(self._file, sha256)

    def abandon(self) -> None:
        self._stack.close()
