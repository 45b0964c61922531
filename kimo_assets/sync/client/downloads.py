"""The objects of a sync, fetched into a folder beside the client's file and kept until it is
through.

A sync that was cut goes on with those that it has. Only what is verified has its hash for a name.
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

_AT_ONCE = 6

# what ("fetch" or "write"), bytes done, bytes in all
OnProgress = Callable[[str, int, int], None]


class Parts:
    def __init__(self, store: Store, folder: Path) -> None:
        self._url = store.url
        self._files, self._root = fsspec.core.url_to_fs(store.url)
        self._folder = folder
        self.downloaded = 0
        self.downloaded_bytes = 0

    def path(self, sha256: str) -> Path:
        return self._folder / sha256

    def fetch(self, objects: Iterable[ListedObject], on_progress: OnProgress) -> None:
        """Raises: StoreError for the first object that is missing or damaged; those that are whole
        stay here.
        """
        wanted = {listed.sha256: listed.bytes for listed in objects}
        missing = {sha256: size for sha256, size in wanted.items() if not self._is_here(sha256)}
        total, done = sum(missing.values()), 0
        if not missing:
            return
        self._folder.mkdir(exist_ok=True)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            running = {pool.submit(self._fetch, sha256): size for sha256, size in missing.items()}
            try:
                for finished in as_completed(running):
                    self.downloaded_bytes += finished.result()
                    self.downloaded += 1
                    done += running[finished]
                    on_progress("fetch", done, total)
            finally:
                pool.shutdown(cancel_futures=True)

    def remove(self) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder)

    def _is_here(self, sha256: str) -> bool:
        try:
            return _sha256(self.path(sha256)) == sha256
        except FileNotFoundError:
            return False

    def _fetch(self, sha256: str) -> int:
        """Returns: the object's bytes."""
        unverified = self._folder / f"{sha256}.unverified"
        try:
            self._files.get_file(f"{self._root}/{object_path(sha256)}", str(unverified))
        except FileNotFoundError:
            raise StoreError(
                f"{self._url}: the object {sha256} is not there. Prepare the payloads again:"
                " step 3."
            ) from None
        except Exception as error:  # each kind of store has exceptions of its own
            raise StoreError(
                f"{self._url}: the object {sha256} could not be fetched into {self._folder}:"
                f" {reason(error)}. Sync again: what was fetched is kept."
            ) from error
        if _sha256(unverified) != sha256:
            unverified.unlink()
            raise StoreError(
                f"{self._url}: the object {object_path(sha256)} is damaged: its content has another"
                " SHA-256. Delete that file and prepare the payloads again: step 3."
            )
        return unverified.rename(self.path(sha256)).stat().st_size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
