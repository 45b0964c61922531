"""Which file a FilePath means: a name by Windows programs, on a case-sensitive file system.

Nothing outside the source folder is ever meant: a name that leads there is refused in a sentence.
No I/O: names against a listing.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from kimo_assets.images.source_folder import Listing
from kimo_assets.texts import say

State = Literal["found", "missing", "unknown", "refused"]

# "C:a.jpg", without a slash, is also a path of its own in Windows.
_DRIVE = re.compile(r"[A-Za-z]:")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ALTERNATIVES = 3


@dataclass(frozen=True)
class Meaning:
    """What a FilePath means in a folder.

    state: "unknown" when its folder is unreadable. path: from the source folder, also of a file
    that is not there. None when refused. problem: why it was refused or not found, or which other
    files would fit as well.
    """

    state: State
    path: str | None
    problem: str | None = None


class Names:
    """The names that a listing answers to."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def meaning(self, written: str) -> Meaning:
        """Exactly the file that is named, or else the one with almost the same name.

        Such a name differs in case, accents' spelling or blanks only.
        """
        slashed = written.replace("\\", "/")
        if problem := _refusal(slashed):
            return Meaning("refused", None, problem)
        path = _relative(slashed.strip())
        # As it stands first: file systems other than Windows' have names with blanks at the ends.
        for exact in dict.fromkeys((slashed, _relative(slashed), path)):
            if exact in self._listing.files:
                return Meaning("found", exact)
        folded = _fold(path)
        if candidates := self._folded.get(folded):
            return Meaning("found", candidates[0], _others(candidates))
        if link := self._link_out(folded):
            return Meaning("refused", None, say("images.name.link_out", link=link))
        return self._not_found(path, folded)

    def _not_found(self, path: str, folded: str) -> Meaning:
        """A file that the listing does not hold: missing, or in a folder that is unreadable."""
        for folder, reason in self._listing.unreadable.items():
            if folded.startswith(f"{_fold(folder)}/"):
                problem = say("images.name.folder_unreadable", folder=folder, reason=reason)
                return Meaning("unknown", path, problem)
        folder = self._listing.folder
        problem = say("images.name.missing", folder=folder)
        if elsewhere := self._by_file_name.get(folded.rpartition("/")[2]):
            problem = say("images.name.missing_but", folder=folder, files=_listed(elsewhere))
        return Meaning("missing", path, problem)

    def _link_out(self, folded: str) -> str | None:
        """The link out of the folder that the name is, or lies below."""
        for link, fold in self._links_out.items():
            if folded == fold or folded.startswith(f"{fold}/"):
                return link
        return None

    # Made at the first name that is not there exactly, which many folders never have.
    @cached_property
    def _folded(self) -> dict[str, list[str]]:
        return _grouped((_fold(path), path) for path in self._listing.files)

    @cached_property
    def _by_file_name(self) -> dict[str, list[str]]:
        return _grouped((_fold(path).rpartition("/")[2], path) for path in self._listing.files)

    @cached_property
    def _links_out(self) -> dict[str, str]:
        return {path: _fold(path) for path in sorted(self._listing.links_out)}


def _refusal(path: str) -> str | None:
    """Why a name is of no file in the folder. None when it may be."""
    stripped = path.strip()
    if not stripped.strip("/. "):
        return say("images.name.no_file")
    if _CONTROL.search(stripped):
        return say("images.name.control_characters")
    if _URL.match(stripped):
        return say("images.name.url")
    if _DRIVE.match(stripped) or stripped.startswith("//"):
        folder = stripped.rpartition("/")[0].replace("/", "\\")
        return say("images.name.absolute", folder=folder)
    if any(_leads_up(part) for part in stripped.split("/")):
        return say("images.name.leads_up")
    return None


def _leads_up(part: str) -> bool:
    """Windows drops blanks and dots at the end of a name: also '.. ' goes up."""
    return part.strip().startswith("..") and not part.strip(" .")


def _relative(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _fold(path: str) -> str:
    """The same for names that Windows, or a Mac, would take for one."""
    # ASCII has no accents to normalise.
    if path.isascii():
        caseless = path.lower()
    else:
        # Unicode's canonical caseless match. Folding may undo the first normalisation.
        caseless = unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
    return "/".join(part.strip().rstrip(". ") for part in caseless.split("/"))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for fold, path in sorted(pairs):
        grouped.setdefault(fold, []).append(path)
    return grouped


def _others(candidates: list[str]) -> str | None:
    if len(candidates) == 1:
        return None
    return say("images.name.others_fit", files=_listed(candidates[1:]), taken=candidates[0])


def _listed(paths: list[str]) -> str:
    names = ", ".join(f"'{path}'" for path in paths[:_ALTERNATIVES])
    more = len(paths) - _ALTERNATIVES
    if more <= 0:
        return names
    return say("images.and_more", names=names, count=more)
