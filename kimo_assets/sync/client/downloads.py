"""The objects of a sync, downloaded into a folder beside the client's file.

The folder stays until the sync succeeds, so an interrupted sync continues with what it has. Only an
object whose SHA-256 was verified is stored under its hash.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

import fsspec

from kimo_assets.errors import StoreError, reason
from kimo_assets.sync.store.documents import ListedObject
from kimo_assets.sync.store.store import Store, object_path
from kimo_assets.texts import say

# Small objects take mostly waiting for the first byte, so several go side by side.
_PARALLEL_DOWNLOADS = 6

# phase ("fetch" or "write"), bytes done, bytes in all
OnProgress = Callable[[str, int, int], None]


class Downloads:
    """The download folder. downloaded, downloaded_bytes: what this sync fetched."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._url = store.url
        self._files, self._root = fsspec.core.url_to_fs(store.url)
        self._folder = folder
        self.downloaded = 0
        self.downloaded_bytes = 0

    def path(self, sha256: str) -> Path:
        """Where an object of this hash is kept while it is downloaded."""
        return self._folder / sha256

    def fetch(self, objects: Iterable[ListedObject], on_progress: OnProgress) -> None:
        """Downloads the objects that the folder lacks. The whole ones stay after a failure.

        Raises: StoreError for the first object that is missing or damaged.
        """
        # By hash: buckets of the same content list the same object, which is fetched once.
        sizes = {listed.sha256: listed.bytes for listed in objects}
        missing = {sha256: size for sha256, size in sizes.items() if not self._is_stored(sha256)}
        if not missing:
            return
        total_bytes = sum(missing.values())
        done_bytes = 0
        # It is there already after a sync that was cut.
        self._folder.mkdir(exist_ok=True)
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
            running = {pool.submit(self._fetch, sha256): size for sha256, size in missing.items()}
            try:
                for finished in as_completed(running):
                    self.downloaded_bytes += finished.result()
                    self.downloaded += 1
                    done_bytes += running[finished]
                    on_progress("fetch", done_bytes, total_bytes)
            finally:
                # After a failure the objects that still wait would only cost time.
                pool.shutdown(cancel_futures=True)

    def remove(self) -> None:
        """Deletes what was downloaded, after the file has it."""
        # A sync that had nothing to fetch made no folder.
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder)

    def _is_stored(self, sha256: str) -> bool:
        try:
            # Read again: a power cut may have taken what was written last.
            return _sha256(self.path(sha256)) == sha256
        except FileNotFoundError:
            return False

    def _fetch(self, sha256: str) -> int:
        """Downloads and verifies one object. Returns: its bytes."""
        # Another name until it is verified: a cut must not leave half an object under its hash.
        unverified = self._folder / f"{sha256}.unverified"
        stored_path = object_path(sha256)
        try:
            self._files.get_file(f"{self._root}/{stored_path}", str(unverified))
        except FileNotFoundError:
            message = say("sync.object_missing", url=self._url, sha256=sha256)
            raise StoreError(message) from None
        except Exception as error:  # each kind of store has exceptions of its own
            raise StoreError(
                say(
                    "sync.object_not_fetched",
                    url=self._url,
                    sha256=sha256,
                    folder=self._folder,
                    reason=reason(error),
                )
            ) from error
        if _sha256(unverified) != sha256:
            unverified.unlink()
            raise StoreError(say("sync.object_damaged", url=self._url, path=stored_path))
        return unverified.rename(self.path(sha256)).stat().st_size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
