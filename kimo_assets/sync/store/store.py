"""The sync store: a directory or any fsspec URL.

It holds immutable objects, named by their SHA-256, and small files that are replaced atomically.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import fsspec
import orjson
import zstandard

from kimo_assets.errors import StoreError, reason
from kimo_assets.texts import say

# What these say is in every store that exists: docs/sync-format.md, "Files".
FORMAT = "kimo-sync"
FORMAT_VERSION = 2
MARKER = "store.json"
MANIFEST_SUFFIX = ".json.zst"

# Requests to an object store under way at the same time.
PARALLEL_REQUESTS = 16


def object_path(sha256: str) -> str:
    """The path of an object below the store."""
    # In 256 folders, because many tools get slow with all objects in a single one.
    return f"objects/{sha256[:2]}/{sha256}.csv.zst"


def manifest_path(code: str, *, user: bool = False) -> str:
    """The file of an agent's manifest, or of a user's, below the store.

    A code may hold any character. In a file's name they are percent-encoded, dots too: "." and ".."
    are codes as well.
    """
    folder = "users" if user else "agents"
    name = quote(code, safe="").replace(".", "%2E")
    return f"{folder}/{name}{MANIFEST_SUFFIX}"


def pack(text: bytes) -> bytes:
    """A manifest as it is stored. Most of it is object names, and yet it shrinks to a third."""
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(text)


def unpack(data: bytes) -> bytes:
    """Raises: ValueError when these are not the bytes of a whole manifest."""
    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise ValueError(say("sync.not_a_zstd_frame", error=error)) from None


@dataclass(frozen=True)
class StoredObject:
    sha256: str
    byte_count: int
    is_new: bool


class Store:
    """Reads and writes the store. Every method raises StoreError when it cannot do its work."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise StoreError(say("sync.store_not_opened", url=url, error=error)) from None
        # fsspec gives one name of the protocol, or several.
        self.is_local = "file" in (self._files.protocol, *self._files.protocol)

    @contextlib.contextmanager
    def _errors_explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each kind of store has exceptions of its own
            raise StoreError(say(key, url=self.url, reason=reason(error))) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def identity(self) -> str | None:
        """The id of the Kimo database that the store belongs to, by its marker.

        None: it has no marker, or the marker of an earlier version, which nobody reads any more.
        Raises: StoreError when the folder holds something else.
        """
        text = self.read_or_none(MARKER)
        if text is None:
            return None
        try:
            marker = orjson.loads(text)
        except orjson.JSONDecodeError:
            marker = None
        if not isinstance(marker, dict) or marker.get("format") != FORMAT:
            raise StoreError(say("sync.not_a_store", url=self.url, marker=MARKER))
        if marker.get("version") != FORMAT_VERSION:
            return None
        return str(marker["id"])

    def claim(self, identity: str) -> None:
        """Marks the store as that of `identity`.

        Raises: StoreError when it belongs to another database, or cannot be written.
        """
        owner = self.identity()
        if owner == identity:
            return
        # Two databases would remove each other's objects as unlisted.
        if owner is not None:
            raise StoreError(
                say("sync.store_of_other_database", url=self.url, owner=owner, marker=MARKER)
            )
        marker = {"format": FORMAT, "version": FORMAT_VERSION, "id": identity}
        self.replace(MARKER, orjson.dumps(marker))

    def read_or_none(self, name: str) -> bytes | None:
        """The content of a file; None when there is none. Raises: StoreError."""
        with (
            self._errors_explained("sync.store_not_read"),
            contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError),
        ):
            return bytes(self._files.cat_file(self._path(name)))
        return None

    def replace(self, name: str, data: bytes) -> None:
        """Replaces a file at once: a reader sees the old content or the new, never a part."""
        with self._errors_explained("sync.store_not_written"):
            if self.is_local:
                with self._temporary() as file:
                    file.write_bytes(data)
                    self._move(file, name)
            else:
                # An object store replaces a file at once by itself.
                self._files.pipe_file(self._path(name), data)

    def replace_all(
        self, files: Iterable[tuple[str, bytes]], on_file: Callable[[], None] = lambda: None
    ) -> None:
        """Replaces many files. Requests to an object store go side by side, each costs a wait."""
        if self.is_local:
            for name, data in files:
                self.replace(name, data)
                on_file()
            return
        with ThreadPoolExecutor(PARALLEL_REQUESTS, thread_name_prefix="files") as pool:
            for running in [pool.submit(self.replace, name, data) for name, data in files]:
                running.result()
                on_file()

    def remove(self, name: str) -> None:
        """Deletes a file, if it is there. Raises: StoreError."""
        with (
            self._errors_explained("sync.store_not_written"),
            contextlib.suppress(FileNotFoundError),
        ):
            self._files.rm_file(self._path(name))

    def _has_object(self, sha256: str, size: int) -> bool:
        """Whether the object is there, with its size. Its content is not read."""
        path = self._path(object_path(sha256))
        with (
            self._errors_explained("sync.store_not_read"),
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
        ):
            if self.is_local:
                return os.stat(path).st_size == size
            return bool(self._files.size(path) == size)
        return False

    def add_bytes(self, data: bytes, sha256: str) -> StoredObject:
        """Stores an object under its hash, unless it is there already."""
        size = len(data)
        # An object is named by its content, so one that is there is the same.
        if self._has_object(sha256, size):
            return StoredObject(sha256, size, is_new=False)
        self.replace(object_path(sha256), data)
        return StoredObject(sha256, size, is_new=True)

    def read_object(self, sha256: str) -> bytes:
        """The object's compressed bytes, verified.

        Raises: StoreError when it is missing, or its content has another SHA-256.
        """
        path = object_path(sha256)
        data = self.read_or_none(path)
        if data is None:
            raise StoreError(say("sync.object_missing", url=self.url, sha256=sha256))
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(say("sync.object_damaged", url=self.url, path=path))
        return data

    def listing(self, folder: str) -> dict[str, int]:
        """file, below the store -> its size in bytes, of all files below a folder of the store."""
        with self._errors_explained("sync.store_not_read"):
            # fsspec remembers listings, and other processes write into the store too.
            self._files.invalidate_cache()
            files = self._files.find(self._path(folder), detail=True)
        return {
            path.removeprefix(self._root).lstrip("/"): info["size"] for path, info in files.items()
        }

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A file on the store's own disk when that is local, so that it can be moved into place."""
        folder = f"{self._root}/unfinished" if self.is_local else None
        try:
            # The folder is missing only before the first file.
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
        # mkstemp makes files that a web server of another user could not read.
        os.chmod(file, 0o644)
        try:
            os.replace(file, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.replace(file, target)
