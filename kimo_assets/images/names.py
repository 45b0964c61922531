"""Which file a FilePath means: written by Windows programs, for file systems that tell a.jpg from
A.JPG.

Nothing outside the source folder is ever meant: what says so is refused in a sentence. No I/O:
names against a listing.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from kimo_assets.images.source_folder import Listing

State = Literal["found", "missing", "unknown", "refused"]

_DRIVE = re.compile(r"[A-Za-z]:")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ALTERNATIVES = 3


@dataclass(frozen=True)
class Meaning:
    """path: from the source folder, also of a file that is not there; None when refused. unknown:
    its folder is unreadable.

    problem: why it was refused or not found; or which other files would fit as well.
    """

    state: State
    path: str | None
    problem: str | None = None


class Names:
    """The names that a listing answers to."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def meaning(self, written: str) -> Meaning:
        """Exactly the file that is named, or else the one whose name differs in case, accents'
        spelling or blanks only.
        """
        path = written.replace("\\", "/")
        if problem := _refusal(path):
            return Meaning("refused", None, problem)
        for exact in dict.fromkeys((path, _relative(path), _relative(path.strip()))):
            if exact in self._listing.files:
                return Meaning("found", exact)
        path = _relative(path.strip())
        folded = _fold(path)
        if candidates := self._folded.get(folded):
            return Meaning("found", candidates[0], _others(candidates))
        if link := self._link_out(folded):
            return Meaning(
                "refused",
                None,
                f"'{link}' is a link that leads outside the folder; put the file itself there",
            )
        return self._not_found(path, folded)

    def _not_found(self, path: str, folded: str) -> Meaning:
        for folder, why in self._listing.unreadable.items():
            if folded.startswith(f"{_fold(folder)}/"):
                return Meaning("unknown", path, f"the folder '{folder}' cannot be read: {why}")
        problem = f"there is no such file in {self._listing.place}"
        if elsewhere := self._by_file_name.get(folded.rpartition("/")[2]):
            problem += f", but there is {_listed(elsewhere)}"
        return Meaning("missing", path, problem)

    def _link_out(self, folded: str) -> str | None:
        return next(
            (
                link
                for link, fold in self._links_out.items()
                if folded == fold or folded.startswith(f"{fold}/")
            ),
            None,
        )

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
    stripped = path.strip()
    if not stripped.strip("/. "):
        return "it names no file"
    if _CONTROL.search(stripped):
        return "it holds control characters, which no file's name has"
    if _URL.match(stripped):
        return "this is a URL; pictures from URLs belong into ItemUrl"
    if _DRIVE.match(stripped) or stripped.startswith("//"):
        folder = stripped.rpartition("/")[0].replace("/", "\\")
        return (
            "this is an absolute path, outside the folder; expected one that counts from the"
            " source folder. Take the rest off in kimo.yaml: `transform: {FilePath: {replace:"
            f" {{'{folder}\\': ''}}}}}}`"
        )
    if any(_leads_up(part) for part in stripped.split("/")):
        return (
            "its '..' leads outside the folder; expected a path that counts from the source folder"
        )
    return None


def _leads_up(part: str) -> bool:
    """Windows drops blanks and dots at the end of a name: also '.. ' goes up."""
    return part.strip().startswith("..") and not part.strip(" .")


def _relative(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _fold(path: str) -> str:
    """The same for names that Windows, or a Mac, would take for one."""
    if path.isascii():
        caseless = path.lower()
    else:
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
    return (
        f"{_listed(candidates[1:])} would fit as well; '{candidates[0]}' was taken. Keep one of"
        " them"
    )


def _listed(paths: list[str]) -> str:
    more = f" and {len(paths) - _ALTERNATIVES} more" if len(paths) > _ALTERNATIVES else ""
    return ", ".join(f"'{path}'" for path in paths[:_ALTERNATIVES]) + more
