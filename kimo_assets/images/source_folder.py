"""A source folder: which files it holds, and the bytes of a file. Reads only.

It is a folder of this machine, or any fsspec URL.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec

from kimo_assets.errors import ImagesError, in_one_line, reason
from kimo_assets.texts import say

# A folder, what leads to it in the listing, and the folders that it lies in.
_Folder = tuple[str, Path, tuple[Path, ...]]

_NANO = 1_000_000_000

# What stores call the time of the last change, and a mark of the content.
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")
_MARKS = ("ETag", "etag", "md5Hash", "content_md5")


@dataclass(frozen=True)
class Stamp:
    """What a file is recognised by without reading it. modified: in nanoseconds since 1970."""

    size: int
    modified: int | None = None
    etag: str | None = None


@dataclass
class Listing:
    """The files of a folder. Paths count from it, with forward slashes.

    links_out: links to somewhere else, which are not followed. unreadable: folders that could not
    be listed, and why. unnameable: how many files' names are no text.
    """

    folder: str
    files: dict[str, Stamp] = field(default_factory=dict)
    links_out: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    unnameable: int = 0

    def source(self, path: str) -> str:
        """What the ledger calls a file."""
        return f"{self.folder.rstrip('/')}/{path}"


def is_url(folder: str) -> bool:
    """Whether the folder is given by an fsspec URL."""
    return "://" in folder


def list_folder(folder: str, setting: str) -> Listing:
    """All files below the folder. setting: what names it, for the message.

    Raises: ImagesError when it cannot be listed.
    """
    try:
        if is_url(folder):
            return _list_url(folder)
        return _list_local(folder)
    except Exception as error:  # each kind of store has exceptions of its own
        raise ImagesError(
            say("images.source.not_listed", folder=folder, reason=_short(error), setting=setting)
        ) from error


def read_url(source: str, limit: int) -> bytes:
    """At most one byte more than the limit. Raises: errors of the kind of store."""
    files, path = fsspec.core.url_to_fs(source)
    # The byte more tells a file that outgrew the limit after it was listed.
    with files.open(path, "rb") as file:
        return bytes(file.read(limit + 1))


def _short(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return reason(error)


# --- a folder of this machine
# -----------------------------------------------------------------------------------


def _list_local(folder: str) -> Listing:
    """Walks without recursion. A folder below that cannot be read is noted, and passed by."""
    root = Path(folder).resolve(strict=True)
    listing = Listing(Path(folder).as_posix())
    folders: list[_Folder] = [("", root, (root,))]
    while folders:
        prefix, current, above = folders.pop()
        try:
            entries = _entries(current)
        except OSError as error:
            # The folder itself: what could not be read must never count as empty.
            if not prefix:
                raise
            listing.unreadable[prefix.rstrip("/")] = error.strerror or in_one_line(error)
            continue
        for entry in entries:
            folders += _taken(listing, root, prefix + entry.name, entry, above)
    return listing


def _taken(
    listing: Listing, root: Path, path: str, entry: os.DirEntry[str], above: tuple[Path, ...]
) -> Iterator[_Folder]:
    """Takes a file into the listing. A folder is yielded, to be walked."""
    if not _is_text(path):
        listing.unnameable += 1
    elif entry.is_symlink():
        yield from _linked(listing, root, path, Path(entry.path), above)
    elif entry.is_dir():
        yield f"{path}/", Path(entry.path), (*above, Path(entry.path))
    elif entry.is_file():
        with suppress(FileNotFoundError):  # it went while we looked
            listing.files[path] = _stamp(entry.stat())


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _linked(
    listing: Listing, root: Path, path: str, link: Path, above: tuple[Path, ...]
) -> Iterator[_Folder]:
    """Takes a link to a file into the listing. A link to a folder is yielded.

    Except to one of the folders above, which would be a circle.
    """
    target = Path(os.path.realpath(link))
    if not target.is_relative_to(root):
        listing.links_out.add(path)
    elif target.is_file():
        listing.files[path] = _stamp(target.stat())
    elif target.is_dir() and target not in above:
        yield f"{path}/", target, (*above, target)


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns)


def _is_text(path: str) -> bool:
    """Names of other encodings come with surrogates, which no database takes.

    So no row could name them.
    """
    return path.isascii() or not any("\ud800" <= character <= "\udfff" for character in path)


# --- a URL
# --------------------------------------------------------------------------------------------------


def _list_url(folder: str) -> Listing:
    """Stores give no error for a folder that is not there, so an empty answer is checked."""
    files, root = fsspec.core.url_to_fs(folder)
    # fsspec keeps listings for as long as the process lives, which for a daemon is weeks.
    files.invalidate_cache(root)
    infos: dict[str, dict[str, Any]] = files.find(root, detail=True)
    if not infos and not files.isdir(root):
        raise FileNotFoundError(errno.ENOENT, say("images.source.no_such_folder"), folder)
    prefix = f"{root.rstrip('/')}/"
    stamps = {}
    for path, info in infos.items():
        if path.startswith(prefix):
            stamps[path.removeprefix(prefix)] = _stamp_of(info)
    return Listing(folder, stamps)


def _stamp_of(info: dict[str, Any]) -> Stamp:
    size = int(info.get("size") or 0)
    changed = next((info[name] for name in _TIMES if info.get(name)), None)
    etag = next((str(info[name]) for name in _MARKS if info.get(name)), None)
    return Stamp(size, _nanoseconds(changed), etag)


def _nanoseconds(changed: Any) -> int | None:
    if isinstance(changed, datetime):
        # In microseconds first: a float has no room for nanoseconds since 1970.
        return round(changed.timestamp() * 1_000_000) * 1000
    if isinstance(changed, (int, float)):
        return round(changed * _NANO)
    return None
