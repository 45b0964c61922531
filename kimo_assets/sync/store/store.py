"""The sync store: a directory or any fsspec URL. Immutable objects by SHA-256, and small files
replaced atomically.
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

FORMAT = "kimo-sync"
FORMAT_VERSION = 2
MARKER = "store.json"
MANIFEST_SUFFIX = ".json.zst"

# So many requests to an object store are under way at a time.
AT_ONCE = 16

_MEND = (
    ". Mend what `sync: store:` in kimo.yaml names, its place or its rights, and run step 3 again: "
    "tablets keep what they have."
)


def object_path(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}.csv.zst"


def manifest_path(code: str, *, user: bool = False) -> str:
    """Codes may hold any character; in a file name they are percent-encoded, dots too."""
    return f"{'users' if user else 'agents'}/{quote(code, safe='').replace('.', '%2E')}{MANIFEST_SUFFIX}"


def pack(text: bytes) -> bytes:
    """A manifest as it lies in the store: most of it are names of objects, and still it shrinks to
    a third.
    """
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(text)


def unpack(data: bytes) -> bytes:
    """Raises: ValueError when these are not the bytes of a whole manifest."""
    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise ValueError(f"it is not a zstd frame: {error}") from None


@dataclass(frozen=True)
class StoredObject:
    sha256: str
    byte_count: int
    is_new: bool


class Store:
    """Every method raises StoreError, saying which store and why, when it cannot do its work."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise StoreError(f"The sync store {url} cannot be opened: {error}") from None
        self.is_local = "file" in (self._files.protocol, *self._files.protocol)

    @contextlib.contextmanager
    def _asked(self, doing: str, hint: str = "") -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each kind of store has exceptions of its own
            raise StoreError(
                f"The sync store {self.url} cannot be {doing}: {reason(error)}{hint}"
            ) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def identity(self) -> str | None:
        """Whose store this is, as its marker says; None when it has none, or one of a version that
        nobody reads any more.

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
            raise StoreError(
                f"{self.url} is not a sync store: its {MARKER} says something else. Name another"
                " folder."
            )
        return str(marker["id"]) if marker.get("version") == FORMAT_VERSION else None

    def claim(self, identity: str) -> None:
        """Marks the store as that of `identity`. Raises: StoreError when it is somebody else's, or
        cannot be written.
        """
        found = self.identity()
        if found == identity:
            return
        if found is not None:
            raise StoreError(
                f"{self.url} is the sync store of another Kimo database ({found}): preparing"
                " payloads into it would replace theirs. Name another folder or URL under `sync:"
                f" store:` in kimo.yaml; if that database is gone for good, delete {MARKER} there."
            )
        self.replace(
            MARKER, orjson.dumps({"format": FORMAT, "version": FORMAT_VERSION, "id": identity})
        )

    def read_or_none(self, name: str) -> bytes | None:
        with (
            self._asked("read"),
            contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError),
        ):
            return bytes(self._files.cat_file(self._path(name)))
        return None

    def replace(self, name: str, data: bytes) -> None:
        """The file's content changes at once: a reader sees the old or the new one, never a
        part.
        """
        with self._asked("written", _MEND):
            if self.is_local:
                with self._temporary() as file:
                    file.write_bytes(data)
                    self._move(file, name)
            else:
                self._files.pipe_file(self._path(name), data)

    def replace_all(
        self, files: Iterable[tuple[str, bytes]], on_file: Callable[[], None] = lambda: None
    ) -> None:
        """The same of many: of requests to an object store some are under way at a time."""
        if self.is_local:
            for name, data in files:
                self.replace(name, data)
                on_file()
            return
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="files") as pool:
            for done in [pool.submit(self.replace, name, data) for name, data in files]:
                done.result()
                on_file()

    def remove(self, name: str) -> None:
        with self._asked("written", _MEND), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def _holds(self, sha256: str, size: int) -> bool:
        """Whether the object is there, whole as far as its size tells."""
        path = self._path(object_path(sha256))
        with self._asked("read"), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return bool(
                size == (os.stat(path).st_size if self.is_local else self._files.size(path))
            )
        return False

    def add_bytes(self, data: bytes, sha256: str) -> StoredObject:
        """Puts an object at the place its hash names, unless it is there already."""
        if self._holds(sha256, len(data)):
            return StoredObject(sha256, len(data), False)
        self.replace(object_path(sha256), data)
        return StoredObject(sha256, len(data), True)

    def read_object(self, sha256: str) -> bytes:
        """The object's compressed bytes, verified. Raises: StoreError when it is missing or not
        what its name says.
        """
        data = self.read_or_none(object_path(sha256))
        if data is None:
            raise StoreError(
                f"{self.url}: the object {sha256} is not there. Prepare the payloads again: step 3."
            )
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(
                f"{self.url}: the object {object_path(sha256)} is damaged: its content has another"
                " SHA-256. Delete that file and prepare the payloads again: step 3."
            )
        return data

    def listing(self, folder: str) -> dict[str, int]:
        """The files below a folder of the store, each with its size in bytes."""
        with self._asked("read"):
            self._files.invalidate_cache()
            found = self._files.find(self._path(folder), detail=True)
        return {
            path.removeprefix(self._root).lstrip("/"): info["size"] for path, info in found.items()
        }

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
