"""import_files: the files that rows of the image entities name, into the public folder.

Only files that are new or changed, by size and time of change, are opened; and of these only those
whose content is another are made. What was made is kept at once, so that a killed run goes on where
it was. Originals are only ever read.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

from psycopg import Connection, sql

from kimo_assets.catalog import load_catalog
from kimo_assets.catalog.menu import IMPORT_FILES
from kimo_assets.config.models import IMAGE_ENTITIES
from kimo_assets.database.names import ARCHIVED, KIMO, table
from kimo_assets.errors import ImagesError, in_one_line
from kimo_assets.images import ledger, public_folder
from kimo_assets.images.names import Meaning, Names
from kimo_assets.images.picture import Recipe
from kimo_assets.images.settings import ImageSettings
from kimo_assets.images.source_folder import Listing, Stamp, list_folder
from kimo_assets.images.worker_pool import Outcome, Piece, make_all
from kimo_assets.progress import Progress
from kimo_assets.reports import Problem, TaskReport

# What was made is kept after so many pictures, or so much time.
_BATCH = 32
_BATCH_S = 1.0
_OWNERS_NAMED = 3


@dataclass(frozen=True)
class Named:
    """What the live rows of an entity name. rows: how many rows have a FilePath; written: the
    distinct ones.
    """

    entity: str
    rows: int
    written: list[str]


@dataclass(frozen=True)
class Found:
    """named: of the entities that have rows; those of no place are not looked for. listings: by
    place.
    """

    named: list[Named]
    places: Mapping[str, str]
    listings: Mapping[str, Listing]

    @property
    def without_place(self) -> list[Named]:
        return [named for named in self.named if named.entity not in self.places]

    @property
    def notes(self) -> Iterator[str]:
        """What nobody could look at."""
        for listing in self.listings.values():
            if listing.unnameable:
                yield (
                    f"{listing.place}: {listing.unnameable:,} files have names that are not UTF-8,"
                    " so no row can name them; rename them."
                )
            for folder, why in listing.unreadable.items():
                yield (
                    f"{listing.place}: the folder '{folder}' cannot be read ({why}); its pictures"
                    " stay as they were."
                )


def import_files(connection: Connection, settings: ImageSettings, listener: Progress) -> TaskReport:
    """Raises: ImagesError when a source folder cannot be listed, or the public folder cannot be
    used.
    """
    started = time.monotonic()
    found = look(connection, settings)
    try:
        public_folder.check(settings.public)
        ledger.forget_lost(connection, settings.public)
    except OSError as error:
        raise _unusable(settings, error) from error
    with connection.transaction():
        pieces, stamps = _choose(connection, settings, found)
    listener.task_started(IMPORT_FILES.title, len(pieces))
    made, size = _work(connection, settings, pieces, stamps, listener)
    try:
        with connection.transaction():
            ledger.forget_unnamed(connection)
        removed = ledger.remove_unused(
            connection, settings.public, settings.config.keep_unused_days
        )
    except OSError as error:
        raise _unusable(settings, error) from error
    problems = [*_without_source(found), *problems_of_rows(connection)]
    counts = _totals(connection, found, made) | {"removed": removed, "bytes": size}
    seconds = time.monotonic() - started
    return TaskReport(IMPORT_FILES.title, seconds, counts, tuple(problems), tuple(found.notes))


def look(connection: Connection, settings: ImageSettings) -> Found:
    """Who names what, and what is there. Raises: ImagesError when a folder that rows need cannot be
    listed.
    """
    named = [of for entity in IMAGE_ENTITIES if (of := _named(connection, entity)).rows]
    places = {
        of.entity: settings.sources[of.entity] for of in named if of.entity in settings.sources
    }
    listings = {}
    for entity, place in places.items():
        if place not in listings:
            listings[place] = list_folder(place, setting_of(settings, entity))
            _check_not_unmounted(connection, listings[place])
    return Found(named, places, listings)


def setting_of(settings: ImageSettings, entity: str) -> str:
    """Where an entity's folder is said, for messages."""
    if entity in settings.config.sources:
        return f"`images: sources: {entity}:` in kimo.yaml"
    if settings.config.source:
        return "`images: source:` in kimo.yaml"
    console = "PromotionsImages\\SourceDirectory or " if entity == "PromotionImage" else ""
    return (
        f"the server setting {console}ItemsImages\\SourceDirectory (or `images: source:` in"
        " kimo.yaml)"
    )


def _named(connection: Connection, entity: str) -> Named:
    rows = connection.execute(
        sql.SQL(
            'SELECT "FilePath", count(*) FROM {} WHERE {} IS NULL AND "FilePath" <> {} GROUP BY 1'
        ).format(table(KIMO, entity), sql.Identifier(ARCHIVED), sql.Literal(""))
    ).fetchall()
    return Named(entity, sum(count for _, count in rows), [written for written, _ in rows])


def _check_not_unmounted(connection: Connection, listing: Listing) -> None:
    """A folder that had pictures and is empty now is likelier a drive that is not mounted than a
    thousand deletions.
    """
    if listing.files or listing.unreadable:
        return
    before = connection.execute(
        "SELECT count(*) FROM ops.picture WHERE starts_with(source, %s) AND status = 'ok'",
        [listing.source("")],
    ).fetchone()
    if before and before[0]:
        raise ImagesError(
            f"The pictures' folder {listing.place} is empty, although pictures came from it before"
            f" ({before[0]:,}). Nothing was changed. Is its drive mounted? If it is meant to be"
            " empty, put any file there."
        )


def _unusable(settings: ImageSettings, error: OSError) -> ImagesError:
    return ImagesError(
        f"The public folder {settings.public} cannot be used:"
        f" {error.strerror or in_one_line(error)}{f' ({error.filename})' if error.filename else ''}."
        " Mend it or its rights, or name another one under `images: public:` in kimo.yaml."
    )


# --- what there is to do
# ------------------------------------------------------------------------------------------

# state: as names.State.
_NAME_NOW = """
CREATE TEMP TABLE name_now (
    entity text, written text COLLATE "C", state text, source text COLLATE "C", problem text
) ON COMMIT DROP
"""
_FILE_NOW = """
CREATE TEMP TABLE file_now (
    source text COLLATE "C" PRIMARY KEY, place text, size bigint, modified bigint, etag text
) ON COMMIT DROP
"""

# What a file was found under before stays its place while it is missing: its last good picture is
# kept there.
_NAMES_TAKEN = (
    """
    UPDATE name_now AS n SET source = o.source FROM ops.picture_name AS o
    WHERE n.state IN ('missing', 'unknown') AND o.entity = n.entity AND o.written = n.written
        AND o.source IS NOT NULL
    """,
    """
    DELETE FROM ops.picture_name AS o WHERE entity = ANY(%(entities)s)
        AND entity <> ALL(%(without_place)s)
      AND NOT EXISTS (SELECT FROM name_now AS n WHERE n.entity = o.entity AND n.written = o.written)
    """,
    """
    INSERT INTO ops.picture_name AS o (entity, written, source, problem)
    SELECT entity, written, source, CASE WHEN state <> 'missing' THEN problem END FROM name_now AS n
    WHERE NOT EXISTS (SELECT FROM ops.picture_name AS o WHERE o.entity = n.entity
        AND o.written = n.written
        AND o.source IS NOT DISTINCT FROM n.source
        AND o.problem IS NOT DISTINCT FROM CASE WHEN n.state <> 'missing' THEN n.problem END)
    ON CONFLICT (entity, written) DO UPDATE SET source = EXCLUDED.source, problem = EXCLUDED.problem
    """,
    """
    INSERT INTO ops.picture AS p (source, status, problem)
    SELECT DISTINCT ON (source) source, 'missing', problem FROM name_now AS n
    WHERE state = 'missing' AND NOT EXISTS (SELECT FROM file_now AS f WHERE f.source = n.source)
    ORDER BY source, problem
    ON CONFLICT (source) DO UPDATE SET status = 'missing', problem = EXCLUDED.problem,
        checked_at = now()
    WHERE (p.status, p.problem) IS DISTINCT FROM ('missing', EXCLUDED.problem)
    """,
)

# of_made is the recipe of a picture that is good, of_failed that of one that was refused.
_PIECES = """
SELECT f.source, f.place, f.size, f.modified, f.etag,
    CASE WHEN p.recipe = %(of_made)s AND p.path IS NOT NULL THEN p.sha256 END
FROM file_now AS f LEFT JOIN ops.picture AS p ON p.source = f.source
WHERE p.source IS NULL OR p.status = 'missing'
   OR (p.size, p.modified, p.etag) IS DISTINCT FROM (f.size, f.modified, f.etag)
   OR p.recipe IS DISTINCT FROM CASE p.status WHEN 'failed' THEN %(of_failed)s ELSE %(of_made)s END
ORDER BY f.source
"""


def _choose(
    connection: Connection, settings: ImageSettings, found: Found
) -> tuple[list[Piece], dict[str, Stamp]]:
    """Brings names and missing files up to date; returns what is to be made. In a transaction."""
    connection.execute(_NAME_NOW)
    connection.execute(_FILE_NOW)
    files = _copy_names(connection, found)
    _copy_files(connection, files)
    connection.execute("ANALYZE name_now, file_now")
    entities = {
        "entities": list(IMAGE_ENTITIES),
        "without_place": [of.entity for of in found.without_place],
    }
    for statement in _NAMES_TAKEN:
        connection.execute(statement, entities if "%(" in statement else None)
    recipe = settings.recipe
    rows = connection.execute(
        _PIECES, {"of_made": recipe.of_made, "of_failed": recipe.of_failed}
    ).fetchall()
    pieces = [Piece(source, place, size, known) for source, place, size, _, _, known in rows]
    return pieces, {
        source: Stamp(size, modified, etag) for source, _, size, modified, etag, _ in rows
    }


def _copy_names(connection: Connection, found: Found) -> dict[str, tuple[str, Stamp]]:
    """Returns the files that are named: source -> place, stamp."""
    files: dict[str, tuple[str, Stamp]] = {}
    with connection.cursor() as cursor, cursor.copy("COPY name_now FROM STDIN") as copy:
        for entity, written, listing, meaning in meanings(found):
            source = None if meaning.path is None else listing.source(meaning.path)
            copy.write_row((entity, written, meaning.state, source, meaning.problem))
            if meaning.state == "found" and source and meaning.path:
                files[source] = (listing.place, listing.files[meaning.path])
    return files


def meanings(found: Found) -> Iterator[tuple[str, str, Listing, Meaning]]:
    """entity, FilePath, the listing it counts from, and what it means there."""
    names = {place: Names(listing) for place, listing in found.listings.items()}
    for of in found.named:
        if place := found.places.get(of.entity):
            for written in of.written:
                yield of.entity, written, found.listings[place], names[place].meaning(written)


def _copy_files(connection: Connection, files: Mapping[str, tuple[str, Stamp]]) -> None:
    with connection.cursor() as cursor, cursor.copy("COPY file_now FROM STDIN") as copy:
        for source, (place, stamp) in files.items():
            copy.write_row((source, place, stamp.size, stamp.modified, stamp.etag))


# --- doing it
# --------------------------------------------------------------------------------------------------


def _work(
    connection: Connection,
    settings: ImageSettings,
    pieces: list[Piece],
    stamps: Mapping[str, Stamp],
    listener: Progress,
) -> tuple[int, int]:
    """How many pictures were made, and of how many bytes."""
    made: list[int] = []
    # Closed whatever happens here, so that no process goes on for nobody.
    with closing(
        make_all(pieces, settings.recipe, settings.public, settings.config.processes)
    ) as outcomes:
        for batch in _batches(outcomes):
            records = [
                _record(outcome, stamps[outcome.piece.source], settings.recipe) for outcome in batch
            ]
            with connection.transaction():
                ledger.keep(connection, [record for record in records if _is_same(record)])
                ledger.save(connection, [record for record in records if not _is_same(record)])
            made += [record.public.bytes for record in records if record.public]
            listener.task_advanced(len(batch))
    return len(made), sum(made)


def _batches(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    batch: list[Outcome] = []
    since = time.monotonic()
    for outcome in outcomes:
        batch.append(outcome)
        if len(batch) >= _BATCH or time.monotonic() - since > _BATCH_S:
            yield batch
            batch, since = [], time.monotonic()
    if batch:
        yield batch


def _is_same(record: ledger.Record) -> bool:
    return record.status == ledger.OK and record.public is None


def _record(outcome: Outcome, stamp: Stamp, recipe: Recipe) -> ledger.Record:
    """A problem of the circumstances leaves no stamp: the file is read again next time."""
    source = outcome.piece.source
    if outcome.problem and not outcome.lasting:
        return ledger.Record(source, ledger.FAILED, problem=outcome.problem)
    record = ledger.Record(
        source, ledger.OK, stamp.size, stamp.modified, stamp.etag, sha256=outcome.sha256
    )
    if outcome.problem:
        return replace(
            record, status=ledger.FAILED, recipe=recipe.of_failed, problem=outcome.problem
        )
    return replace(record, recipe=recipe.of_made, original=outcome.original, public=outcome.public)


# --- what to tell
# -------------------------------------------------------------------------------------------------


_TOTALS = """
SELECT count(*) FILTER (WHERE p.status = 'ok'), count(*) FILTER (WHERE p.status = 'failed'),
    count(*) FILTER (WHERE p.status = 'missing'), (
        SELECT count(*) FROM ops.picture_name WHERE entity = ANY(%(entities)s) AND source IS NULL)
FROM ops.picture AS p
WHERE EXISTS (SELECT FROM ops.picture_name AS n WHERE n.source = p.source
    AND n.entity = ANY(%(entities)s))
"""


def _totals(connection: Connection, found: Found, made: int) -> dict[str, int]:
    """rows: with a FilePath; files: in the folders. The others are of what rows name, as it is now:
    failed in this run or in an earlier one, and refused for what the name says.
    """
    totals = connection.execute(_TOTALS, {"entities": list(IMAGE_ENTITIES)}).fetchone() or (
        0,
        0,
        0,
        0,
    )
    good, failed, missing, refused = totals
    return {
        "rows": sum(of.rows for of in found.named),
        "files": sum(len(listing.files) for listing in found.listings.values()),
        "made": made,
        "unchanged": good - made,
        "failed": failed,
        "missing": missing,
        "refused": refused,
    }


def problems_of_rows(connection: Connection) -> list[Problem]:
    """What is wrong with what rows name, entity by entity: the refused names, the missing files and
    those that failed.
    """
    return [problem for entity in IMAGE_ENTITIES for problem in _problems(connection, entity)]


_PROBLEMS = """
SELECT r."FilePath", array_agg(r.{owner} ORDER BY r.{owner}), min(coalesce(n.problem, p.problem))
FROM ops.picture_name AS n JOIN {rows} AS r ON r."FilePath" = n.written AND r.{archived} IS NULL
LEFT JOIN ops.picture AS p ON p.source = n.source AND p.status <> 'ok'
WHERE n.entity = {entity} AND coalesce(n.problem, p.problem) IS NOT NULL
GROUP BY 1 ORDER BY 1
"""


def _problems(connection: Connection, entity: str) -> Iterator[Problem]:
    parts = {
        "owner": sql.Identifier(load_catalog()[entity].owner_field or "Id"),
        "rows": table(KIMO, entity),
        "archived": sql.Identifier(ARCHIVED),
        "entity": sql.Literal(entity),
    }
    rows = connection.execute(sql.SQL(_PROBLEMS).format(**parts)).fetchall()
    for written, owners, why in rows:
        yield Problem(f"{entity} {_owners(owners)}: {written}", why)


def _owners(owners: list[str | None]) -> str:
    named = list(dict.fromkeys(owner or "?" for owner in owners))
    more = f" and {len(named) - _OWNERS_NAMED} more" if len(named) > _OWNERS_NAMED else ""
    return ", ".join(named[:_OWNERS_NAMED]) + more


def _without_source(found: Found) -> Iterator[Problem]:
    for of in found.without_place:
        yield Problem(
            f"{of.entity}: {of.rows:,} row{'' if of.rows == 1 else 's'}",
            "no folder is named for their files; name it under `images: source:` in kimo.yaml",
        )
