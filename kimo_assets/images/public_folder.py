"""The public folder: files named after their content, never half-written.

So clients can cache them for ever.
"""

import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kimo_assets.errors import ImagesError, in_one_line
from kimo_assets.images.picture import Rendition
from kimo_assets.texts import say

PICTURES, THUMBNAILS = "images", "thumbnails"
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png"}
# 128 bits of SHA-256: no two pictures ever share a name by chance.
_NAME_CHARS = 32
_OURS = re.compile(r"[0-9a-f]{32}\.(jpg|png)")

# Files that are being written; what a killed process left of them goes after this time.
_UNFINISHED = ".unfinished"
_SWEPT_AFTER_S = 3600.0


@dataclass(frozen=True)
class PublicPicture:
    """What is public of a picture. Paths count from the public folder, with forward slashes."""

    path: str
    thumbnail_path: str
    width: int
    height: int
    bytes: int
    media_type: str


def publish(public: Path, rendition: Rendition) -> PublicPicture:
    """Writes both files, unless they are there. Raises: OSError.

    The name is made of both: another size of thumbnails gives other names, because a client that
    has the old ones in its cache never asks again.
    """
    content = hashlib.sha256(rendition.data)
    content.update(rendition.thumbnail)
    name = content.hexdigest()[:_NAME_CHARS]
    # 256 folders, as some file systems and tools are slow with very many files in one.
    file = f"{name[:2]}/{name}.{_ENDINGS[rendition.media_type]}"
    path, thumbnail_path = f"{PICTURES}/{file}", f"{THUMBNAILS}/{file}"
    # The picture last: a picture that is there also has its thumbnail.
    _write(public, thumbnail_path, rendition.thumbnail)
    _write(public, path, rendition.data)
    return PublicPicture(
        path,
        thumbnail_path,
        rendition.width,
        rendition.height,
        len(rendition.data),
        rendition.media_type,
    )


def unusable(public: Path, error: OSError) -> ImagesError:
    """The error of a job that cannot do without the folder."""
    reason = error.strerror or in_one_line(error)
    if error.filename:
        reason = f"{reason} ({error.filename})"
    return ImagesError(say("images.public.unusable", folder=public, reason=reason))


def check(public: Path) -> None:
    """Raises: OSError when nothing can be written there."""
    for kind in (PICTURES, THUMBNAILS):
        _write(public, f"{kind}/.writable", b"")
        _remove_file(public, f"{kind}/.writable")


def listing(public: Path) -> dict[str, int]:
    """path -> bytes of the pictures and thumbnails there. Raises: OSError.

    Files of other names are somebody else's.
    """
    sizes = {}
    for path, entry in _files(public):
        if _OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
            sizes[path] = entry.stat(follow_symlinks=False).st_size
    return sizes


def remove(public: Path, paths: Iterable[str]) -> None:
    """Removes pictures, and their thumbnails, that may be gone already. Raises: OSError."""
    for path in paths:
        _remove_file(public, path)
        _remove_file(public, thumbnail_of(path))


def thumbnail_of(path: str) -> str:
    """The path of the thumbnail that belongs to a picture."""
    return f"{THUMBNAILS}/{path.removeprefix(PICTURES + '/')}"


def sweep(public: Path) -> None:
    """Removes what killed processes left half-written. Raises: OSError."""
    long_ago = time.time() - _SWEPT_AFTER_S
    for path, entry in list(_files(public)):
        if not entry.name.endswith(_UNFINISHED):
            continue
        if entry.stat(follow_symlinks=False).st_mtime < long_ago:
            _remove_file(public, path)


def _files(public: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    for kind in (PICTURES, THUMBNAILS):
        for folder in _entries(public / kind):
            if folder.is_dir(follow_symlinks=False):
                for entry in _entries(Path(folder.path)):
                    yield f"{kind}/{folder.name}/{entry.name}", entry


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _write(public: Path, path: str, data: bytes) -> None:
    file = public / path
    _make_folder(public, file.parent)
    if _is_there(file, len(data)):
        return
    # Beside its target, because a rename is atomic within one file system only.
    # Made by open, not by tempfile, so that the server may read it as far as the umask says.
    unfinished = file.with_name(f".{file.stem}.{secrets.token_hex(8)}{_UNFINISHED}")
    try:
        with open(unfinished, "xb") as target:
            target.write(data)
        # No fsync for each file: forget_lost finds what a power cut leaves unfinished.
        os.replace(unfinished, file)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def _is_there(file: Path, size: int) -> bool:
    """Whole as far as its size tells: a power cut may leave a name without content."""
    try:
        status = file.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


def _make_folder(public: Path, folder: Path) -> None:
    _check_inside(public, folder)
    folder.mkdir(parents=True, exist_ok=True)


def _remove_file(public: Path, path: str) -> None:
    file = public / path
    _check_inside(public, file.parent)
    with suppress(FileNotFoundError):
        file.unlink()


def _check_inside(public: Path, folder: Path) -> None:
    """Raises: OSError when a link leads out: somebody else's files are never touched."""
    if not folder.resolve().is_relative_to(public.resolve()):
        raise OSError(errno.EPERM, say("images.public.link_out"), str(folder))
