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
from kimo_assets.images.files import Inventory, meanings, take_inventory
from kimo_assets.images.settings import ImageSettings
from kimo_assets.texts import say

# What can be wrong with a picture that rows name, worst first.
Kind = Literal["missing", "refused", "failed", "ambiguous", "misnamed", "small"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# A name that was found has a problem only when other files fit it as well.
_KIND_OF_STATE: dict[str, Kind] = {
    "missing": "missing",
    "refused": "refused",
    "unknown": "failed",
    "found": "ambiguous",
}

# The endings that files of a format usually have.
_ENDINGS = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
    "PNG": ("png",),
    "WEBP": ("webp",),
    "GIF": ("gif",),
    "TIFF": ("tif", "tiff"),
    "BMP": ("bmp", "dib"),
}

# What Windows leaves in folders that somebody looked at.
_LITTER = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Flaw:
    """Something wrong with a picture that rows name.

    missing: there is no such file; refused: the name is of no file in the folder; failed: it could
    not be read; ambiguous: other files fit the name as well; misnamed: the content is of another
    type than the name says; small: of few pixels.

    owners: of these rows, such as items' codes. written: the FilePath.
    """

    kind: Kind
    entity: str
    owners: tuple[str, ...]
    written: str
    source: str | None
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        values = asdict(self)
        values["why"] = values.pop("reason")
        return values


@dataclass(frozen=True)
class Duplicate:
    """Files of one content, and the rows that name them, as `entity owner`."""

    sha256: str
    sources: tuple[str, ...]
    rows: tuple[str, ...]


@dataclass(frozen=True)
class AuditedPicture:
    """A picture that rows name, for the contact sheet.

    marks: the kinds of what is wrong with it, and `duplicate`.
    """

    name: str
    thumbnail_path: str | None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit:
    """What is wrong with the pictures. smaller_than: pixels of the longer side of a small one.

    unnamed: files that no row names. waiting: named files that were never imported, so that only
    their names could be checked. notes: what could not be looked at.
    """

    smaller_than: int
    flaws: list[Flaw]
    duplicates: list[Duplicate]
    unnamed: list[str]
    waiting: list[str]
    notes: list[str]
    pictures: list[AuditedPicture]

    def of(self, kind: Kind) -> list[Flaw]:
        """The flaws of one kind."""
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
        """The document of `--json`, as docs/cli.md describes it."""
        return {
            "counts": self.counts,
            "smaller_than": self.smaller_than,
            **{kind: [flaw.as_json() for flaw in self.of(kind)] for kind in KINDS},
            "duplicates": [asdict(duplicate) for duplicate in self.duplicates],
            "unnamed": self.unnamed,
            "waiting": self.waiting,
            "notes": self.notes,
        }


class _Name(NamedTuple):
    """What rows name. problem: of the name, not of the picture."""

    entity: str
    written: str
    owners: tuple[str, ...]
    state: str
    source: str | None
    problem: str | None


@dataclass(frozen=True)
class _Picture:
    """A file as the ledger has it."""

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
    """smaller_than: half of max_size_px by default.

    Raises: ImagesError when a source folder cannot be listed.
    """
    limit = smaller_than or settings.recipe.max_size_px // 2
    inventory = take_inventory(connection, settings)
    names = list(_names(connection, inventory))
    pictures = _pictures(connection)
    flaws = sorted(
        [*_of_names(names), *_of_pictures(names, pictures, limit)],
        key=lambda flaw: (KINDS.index(flaw.kind), flaw.entity, flaw.written),
    )
    duplicates = list(_duplicates(names, pictures))
    named = {name.source for name in names if name.state == "found" and name.source}
    return Audit(
        smaller_than=limit,
        flaws=flaws,
        duplicates=duplicates,
        unnamed=list(_unnamed(inventory, named)),
        waiting=sorted(named - pictures.keys()),
        notes=list(inventory.notes),
        pictures=list(_audited(names, pictures, flaws, duplicates)),
    )


def _names(connection: Connection, inventory: Inventory) -> Iterator[_Name]:
    owners = {named.entity: _owners(connection, named.entity) for named in inventory.named}
    for entity, written, listing, meaning in meanings(inventory):
        source = None
        if meaning.path is not None:
            source = listing.source(meaning.path)
        of_rows = owners[entity].get(written, ())
        yield _Name(entity, written, of_rows, meaning.state, source, meaning.problem)


def _owners(connection: Connection, entity: str) -> dict[str, tuple[str, ...]]:
    """FilePath -> the owners of the live rows that name it."""
    owner = sql.Identifier(load_catalog()[entity].owner_field or "Id")
    statement = sql.SQL(
        'SELECT "FilePath", array_agg(DISTINCT {}) FROM {} WHERE {} IS NULL GROUP BY 1'
    ).format(owner, table(KIMO, entity), sql.Identifier(ARCHIVED))
    return {
        path: tuple(owner or "?" for owner in owners)
        for path, owners in connection.execute(statement)
    }


def _pictures(connection: Connection) -> dict[str, _Picture]:
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


def _of_pictures(
    names: list[_Name], pictures: Mapping[str, _Picture], limit: int
) -> Iterator[Flaw]:
    for name in names:
        picture = pictures.get(name.source or "")
        # The ledger keeps the last picture of a missing file. It would be listed a second time.
        if picture is None or name.state != "found":
            continue
        if picture.status == ledger.FAILED:
            yield _flaw("failed", name, picture.problem or say("images.audit.unreadable"))
        elif picture.kind:
            yield from _of_content(name, picture, picture.kind, limit)


def _of_content(name: _Name, picture: _Picture, kind: str, limit: int) -> Iterator[Flaw]:
    """What its content shows of a picture that could be read. kind: its format."""
    ending = PurePosixPath(picture.source).suffix.lower().removeprefix(".")
    if not ending:
        yield _flaw("misnamed", name, say("images.audit.no_ending", kind=kind))
    elif ending not in _ENDINGS[kind]:
        yield _flaw("misnamed", name, say("images.audit.misnamed", kind=kind, ending=ending))
    width, height = picture.source_width or 0, picture.source_height or 0
    if max(width, height) < limit:
        reason = say("images.audit.small", width=width, height=height, limit=limit)
        yield _flaw("small", name, reason)


def _flaw(kind: Kind, name: _Name, reason: str) -> Flaw:
    return Flaw(kind, name.entity, name.owners, name.written, name.source, reason)


def _duplicates(names: list[_Name], pictures: Mapping[str, _Picture]) -> Iterator[Duplicate]:
    """Files of equal bytes that rows name, by the hash in the ledger."""
    rows: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if name.state == "found" and name.source:
            rows[name.source] += [f"{name.entity} {owner}" for owner in name.owners]
    sources: dict[str, list[str]] = defaultdict(list)
    for source in sorted(rows):
        picture = pictures.get(source)
        if picture and picture.sha256:
            sources[picture.sha256].append(source)
    for sha256, alike in sources.items():
        if len(alike) > 1:
            of_rows = tuple(row for source in alike for row in rows[source])
            yield Duplicate(sha256, tuple(alike), of_rows)


def _unnamed(inventory: Inventory, named: set[str]) -> Iterator[str]:
    for listing in inventory.listings.values():
        for path in sorted(listing.files):
            if listing.source(path) not in named and not _is_litter(path):
                yield listing.source(path)


def _is_litter(path: str) -> bool:
    file = path.rpartition("/")[2].lower()
    return file.startswith(".") or file in _LITTER


def _audited(
    names: list[_Name],
    pictures: Mapping[str, _Picture],
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
    for source, written in sorted(shown.items()):
        thumbnail_path = None
        if picture := pictures.get(source):
            thumbnail_path = picture.thumbnail_path
        yield AuditedPicture(written, thumbnail_path, tuple(dict.fromkeys(marks[source])))
