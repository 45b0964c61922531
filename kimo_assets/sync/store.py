"""The sync store: a directory or any fsspec URL. Immutable objects by SHA-256, and small files replaced atomically."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import fsspec
import orjson

from kimo_assets.errors import StoreError

FORMAT = "kimo-sync"
FORMAT_VERSION = 2
MARKER = "store.json"


def object_path(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}.csv.zst"


def manifest_path(code: str, *, user: bool = False) -> str:
    """Codes may hold any character; in a file name they are percent-encoded, dots too."""
    return f"{'users' if user else 'agents'}/{quote(code, safe='').replace('.', '%2E')}.json"


@dataclass(frozen=True)
class StoredObject:
    sha256: str
    byte_count: int
    is_new: bool


class Store:
    def __init__(self, url: str) -> None:
        self.url = url
        self._files, self._root = fsspec.core.url_to_fs(url)
        self.is_local = "file" in (self._files.protocol, *self._files.protocol)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def identity(self) -> str | None:
        """Whose store this is, as its marker says; None when it has none, or one of a version that nobody reads any more.

        Raises: StoreError when something else is in its place.
        """
        text = self.read_or_none(MARKER)
        if text is None:
            return None
        try:
            marker = orjson.loads(text)
        except orjson.JSONDecodeError:
            marker = None
        if not isinstance(marker, dict) or marker.get("format") != FORMAT:
            raise StoreError(f"{self.url} is not a sync store: its {MARKER} says something else. Name another folder.")
        return str(marker["id"]) if marker.get("version") == FORMAT_VERSION else None

    def claim(self, identity: str) -> None:
        """Marks the store as that of `identity`. Raises: StoreError when it is somebody else's, or cannot be written."""
        found = self.identity()
        if found == identity:
            return
        if found is not None:
            raise StoreError(
                f"{self.url} is the sync store of another Kimo database ({found}): preparing payloads into it would replace "
                "theirs. Name another folder or URL under `sync: store:` in kimo.yaml; if that database is gone for good, "
                f"delete {MARKER} there."
            )
        self.replace(MARKER, orjson.dumps({"format": FORMAT, "version": FORMAT_VERSION, "id": identity}))

    def read_or_none(self, name: str) -> bytes | None:
        try:
            return bytes(self._files.cat_file(self._path(name)))
        except FileNotFoundError:
            return None

    def replace(self, name: str, data: bytes) -> None:
        """The file's content changes at once: a reader sees the old or the new one, never a part."""
        if self.is_local:
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
            found = os.stat(path).st_size if self.is_local else self._files.size(path)
        except FileNotFoundError:
            return False
        return bool(found == size)

    def add_bytes(self, data: bytes, sha256: str) -> StoredObject:
        """Puts an object at the place its hash names, unless it is there already."""
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

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A file on the store's own disk when that is local, so that it can be moved into place."""
        folder = f"{self._root}/unfinished" if self.is_local else None
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
