"""A source folder: which files are there, and the bytes of one. A folder of this machine, or any
fsspec URL. Reads only.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec

from kimo_assets.errors import ImagesError, in_one_line, reason

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
    """Paths count from the place, with forward slashes. links_out: links to somewhere else, which
    nobody follows.

    unreadable: folders that could not be listed, and why. unnameable: how many files' names are no
    text.
    """

    place: str
    files: dict[str, Stamp] = field(default_factory=dict)
    links_out: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    unnameable: int = 0

    def source(self, path: str) -> str:
        """What the ledger calls a file."""
        return f"{self.place.rstrip('/')}/{path}"


def is_url(place: str) -> bool:
    return "://" in place


def list_folder(place: str, setting: str) -> Listing:
    """All files below the place. setting: what names it, for the message. Raises: ImagesError when
    it cannot be listed.
    """
    try:
        return _list_url(place) if is_url(place) else _list_local(place)
    except Exception as error:  # each kind of store has exceptions of its own
        why = _why(error)
        raise ImagesError(
            f"The pictures' folder {place} cannot be listed: {why}. Nothing was changed. Mend the"
            f" folder or its rights, or {setting}, and start again."
        ) from error


def read_url(source: str, limit: int) -> bytes:
    """At most one byte more than the limit. Raises: whatever the kind of store raises."""
    files, path = fsspec.core.url_to_fs(source)
    with files.open(path, "rb") as file:
        return bytes(file.read(limit + 1))


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return reason(error)


# --- a folder of this machine
# -----------------------------------------------------------------------------------


def _list_local(place: str) -> Listing:
    root = Path(place).resolve(strict=True)
    listing = Listing(Path(place).as_posix())
    folders: list[_Folder] = [("", root, (root,))]
    while folders:
        prefix, folder, above = folders.pop()
        try:
            entries = _entries(folder)
        except OSError as error:
            if not prefix:
                raise
            listing.unreadable[prefix.rstrip("/")] = error.strerror or in_one_line(error)
            continue
        for entry in entries:
            path = prefix + entry.name
            if not _is_text(path):
                listing.unnameable += 1
            elif entry.is_symlink():
                folders += _linked(listing, root, path, Path(entry.path), above)
            elif entry.is_dir():
                folders.append((f"{path}/", Path(entry.path), (*above, Path(entry.path))))
            elif entry.is_file():
                with suppress(FileNotFoundError):  # it went while we looked
                    listing.files[path] = _stamp(entry.stat())
    return listing


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _linked(
    listing: Listing, root: Path, path: str, link: Path, above: tuple[Path, ...]
) -> Iterator[_Folder]:
    """Takes a link to a file into the listing; a link to a folder that is not one of those above is
    yielded.
    """
    target = Path(os.path.realpath(link))
    if not target.is_relative_to(root):
        listing.links_out.add(path)
    elif target.is_file():
        listing.files[path] = _stamp(target.stat())
    elif target.is_dir() and target not in above:
        yield f"{path}/", target, (*above, target)


def _stamp(found: os.stat_result) -> Stamp:
    return Stamp(found.st_size, found.st_mtime_ns)


def _is_text(path: str) -> bool:
    """Names of other encodings come with surrogates, which no database takes; no row could name
    them.
    """
    return path.isascii() or not any("\ud800" <= character <= "\udfff" for character in path)


# --- a URL
# --------------------------------------------------------------------------------------------------


def _list_url(place: str) -> Listing:
    files, root = fsspec.core.url_to_fs(place)
    files.invalidate_cache(root)
    found: dict[str, dict[str, Any]] = files.find(root, detail=True)
    if not found and not files.isdir(root):
        raise FileNotFoundError(2, "there is no such folder", place)
    prefix = f"{root.rstrip('/')}/"
    stamps = {
        path.removeprefix(prefix): _stamp_of(info)
        for path, info in found.items()
        if path.startswith(prefix)
    }
    return Listing(place, stamps)


def _stamp_of(info: dict[str, Any]) -> Stamp:
    changed = next((info[name] for name in _TIMES if info.get(name)), None)
    etag = next((info[name] for name in _MARKS if info.get(name)), None)
    return Stamp(
        int(info.get("size") or 0), _nanoseconds(changed), None if etag is None else str(etag)
    )


def _nanoseconds(changed: Any) -> int | None:
    if isinstance(changed, datetime):
        return round(changed.timestamp() * 1_000_000) * 1000
    return round(changed * _NANO) if isinstance(changed, (int, float)) else None
