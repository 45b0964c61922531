"""What is wrong with the pictures: from the ledger, the rows and a listing of the folders.

Decodes nothing, changes nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Literal, NamedTuple, get_args

from psycopg import Connection, sql
from psycopg.rows import class_row

from kimo_assets.catalog import load_catalog
from kimo_assets.database.names import ARCHIVED, KIMO, table
from kimo_assets.images import ledger
from kimo_assets.images.files import Found, look, meanings
from kimo_assets.images.settings import ImageSettings

# What can be wrong with a picture that rows name, worst first.
Kind = Literal["missing", "refused", "failed", "ambiguous", "misnamed", "small"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_KIND_OF_STATE: dict[str, Kind] = {
    "missing": "missing",
    "refused": "refused",
    "unknown": "failed",
    "found": "ambiguous",
}

_ENDINGS = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
    "PNG": ("png",),
    "WEBP": ("webp",),
    "GIF": ("gif",),
    "TIFF": ("tif", "tiff"),
    "BMP": ("bmp", "dib"),
}

# What Windows and Macs leave in folders that somebody looked at.
_LITTER = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Flaw:
    """Something wrong with a picture that rows name. owners: of these rows, such as items' codes.
    written: the FilePath.

    missing: there is no such file; refused: the name is of no file in the folder; failed: it could
    not be read; ambiguous: other files fit the name as well; misnamed: the content is of another
    type than the name says; small: of few pixels.
    """

    kind: Kind
    entity: str
    owners: tuple[str, ...]
    written: str
    source: str | None
    why: str


@dataclass(frozen=True)
class Duplicate:
    """Files of one content, and the rows that name them, as `entity owner`."""

    sha256: str
    sources: tuple[str, ...]
    rows: tuple[str, ...]


@dataclass(frozen=True)
class AuditedPicture:
    """A picture that rows name, for the contact sheet. marks: what is wrong with it, in a word
    each.
    """

    name: str
    thumbnail_path: str | None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit:
    """smaller_than: of how many pixels the longer side of a small picture is at most. unnamed:
    files that no row names.

    waiting: named files that were never imported, of which nothing more is known. notes: what could
    not be looked at.
    """

    smaller_than: int
    flaws: list[Flaw]
    duplicates: list[Duplicate]
    unnamed: list[str]
    waiting: list[str]
    notes: list[str]
    pictures: list[AuditedPicture]

    def of(self, kind: Kind) -> list[Flaw]:
        return [flaw for flaw in self.flaws if flaw.kind == kind]

    @property
    def counts(self) -> dict[str, int]:
        return {
            "pictures": len(self.pictures),
            **{kind: len(self.of(kind)) for kind in KINDS},
            "duplicates": len(self.duplicates),
            "unnamed": len(self.unnamed),
            "waiting": len(self.waiting),
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "counts": self.counts,
            "smaller_than": self.smaller_than,
            **{kind: [asdict(flaw) for flaw in self.of(kind)] for kind in KINDS},
            "duplicates": [asdict(duplicate) for duplicate in self.duplicates],
            "unnamed": self.unnamed,
            "waiting": self.waiting,
            "notes": self.notes,
        }


class _Name(NamedTuple):
    """What a row names. problem: of the name, not of the picture."""

    entity: str
    written: str
    owners: tuple[str, ...]
    state: str
    source: str | None
    problem: str | None


@dataclass(frozen=True)
class _Picture:
    """What the ledger says of a file."""

    source: str
    status: str
    problem: str | None
    kind: str | None
    source_width: int | None
    source_height: int | None
    sha256: str | None
    thumbnail_path: str | None


def audit(
    connection: Connection, settings: ImageSettings, smaller_than: int | None = None
) -> Audit:
    """smaller_than: half of max_size_px, unless it is said. Raises: ImagesError when a source
    folder cannot be listed.
    """
    limit = smaller_than or settings.recipe.max_size_px // 2
    found = look(connection, settings)
    names = list(_names(connection, found))
    known = _known(connection)
    flaws = sorted(
        [*_of_names(names), *_of_pictures(names, known, limit)],
        key=lambda flaw: (KINDS.index(flaw.kind), flaw.entity, flaw.written),
    )
    duplicates = list(_duplicates(names, known))
    there = {name.source for name in names if name.state == "found" and name.source}
    return Audit(
        smaller_than=limit,
        flaws=flaws,
        duplicates=duplicates,
        unnamed=list(_unnamed(found, there)),
        waiting=sorted(there - known.keys()),
        notes=list(found.notes),
        pictures=list(_audited(names, known, flaws, duplicates)),
    )


def _names(connection: Connection, found: Found) -> Iterator[_Name]:
    owners = {of.entity: _owners(connection, of.entity) for of in found.named}
    for entity, written, listing, meaning in meanings(found):
        source = None if meaning.path is None else listing.source(meaning.path)
        yield _Name(
            entity, written, owners[entity].get(written, ()), meaning.state, source, meaning.problem
        )


def _owners(connection: Connection, entity: str) -> dict[str, tuple[str, ...]]:
    owner = sql.Identifier(load_catalog()[entity].owner_field or "Id")
    statement = sql.SQL(
        'SELECT "FilePath", array_agg(DISTINCT {}) FROM {} WHERE {} IS NULL GROUP BY 1'
    ).format(owner, table(KIMO, entity), sql.Identifier(ARCHIVED))
    return {
        path: tuple(owner or "?" for owner in owners)
        for path, owners in connection.execute(statement)
    }


def _known(connection: Connection) -> dict[str, _Picture]:
    with connection.cursor(row_factory=class_row(_Picture)) as cursor:
        cursor.execute(
            "SELECT source, status, problem, kind, source_width, source_height, sha256,"
            " thumbnail_path FROM ops.picture"
        )
        return {picture.source: picture for picture in cursor}


def _of_names(names: list[_Name]) -> Iterator[Flaw]:
    for name in names:
        if name.problem:
            yield _flaw(_KIND_OF_STATE[name.state], name, name.problem)


def _of_pictures(names: list[_Name], known: Mapping[str, _Picture], limit: int) -> Iterator[Flaw]:
    for name in names:
        picture = known.get(name.source or "")
        if picture is None or name.state != "found":
            continue
        if picture.status == ledger.FAILED:
            yield _flaw("failed", name, picture.problem or "it could not be read")
        elif picture.kind:
            yield from _looked_at(name, picture, picture.kind, limit)


def _looked_at(name: _Name, picture: _Picture, kind: str, limit: int) -> Iterator[Flaw]:
    ending = PurePosixPath(picture.source).suffix.lower().removeprefix(".")
    if ending not in _ENDINGS[kind]:
        yield _flaw(
            "misnamed",
            name,
            f"it is a {kind}, but its name {f'ends in .{ending}' if ending else 'has no ending'}",
        )
    width, height = picture.source_width or 0, picture.source_height or 0
    if max(width, height) < limit:
        yield _flaw(
            "small", name, f"{width} x {height} pixels; its longer side should have {limit:,}"
        )


def _flaw(kind: Kind, name: _Name, why: str) -> Flaw:
    return Flaw(kind, name.entity, name.owners, name.written, name.source, why)


def _duplicates(names: list[_Name], known: Mapping[str, _Picture]) -> Iterator[Duplicate]:
    rows: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if name.state == "found" and name.source:
            rows[name.source] += [f"{name.entity} {owner}" for owner in name.owners]
    sources: dict[str, list[str]] = defaultdict(list)
    for source in sorted(rows):
        if (picture := known.get(source)) and picture.sha256:
            sources[picture.sha256].append(source)
    for sha256, alike in sources.items():
        if len(alike) > 1:
            yield Duplicate(
                sha256, tuple(alike), tuple(row for source in alike for row in rows[source])
            )


def _unnamed(found: Found, named: set[str]) -> Iterator[str]:
    for listing in found.listings.values():
        for path in sorted(listing.files):
            file = path.rpartition("/")[2].lower()
            if (
                listing.source(path) not in named
                and not file.startswith(".")
                and file not in _LITTER
            ):
                yield listing.source(path)


def _audited(
    names: list[_Name],
    known: Mapping[str, _Picture],
    flaws: list[Flaw],
    duplicates: list[Duplicate],
) -> Iterator[AuditedPicture]:
    """Each file once, however many rows name it; a name without a file as well."""
    marks: dict[str, list[str]] = defaultdict(list)
    for flaw in flaws:
        marks[flaw.source or flaw.written].append(flaw.kind)
    for source in (source for duplicate in duplicates for source in duplicate.sources):
        marks[source].append("duplicate")
    shown: dict[str, str] = {}
    for name in names:
        shown.setdefault(name.source or name.written, name.written)
    for place, written in sorted(shown.items()):
        picture = known.get(place)
        yield AuditedPicture(
            written, picture.thumbnail_path if picture else None, tuple(dict.fromkeys(marks[place]))
        )
