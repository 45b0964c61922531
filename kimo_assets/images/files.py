"""import_files: the files that rows of the image entities name, into the public folder.

Only files that are new or changed, by size and time of change, are opened. Of these only those
with other content than before are made. What was made is kept at once, so that a killed run goes on
where it was. Originals are only ever read.
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
from kimo_assets.errors import ImagesError
from kimo_assets.images import ledger, public_folder
from kimo_assets.images.names import Meaning, Names
from kimo_assets.images.picture import Recipe
from kimo_assets.images.settings import PROMOTIONS_SOURCE_KEY, SOURCE_KEY, ImageSettings
from kimo_assets.images.source_folder import Listing, Stamp, list_folder
from kimo_assets.images.worker_pool import Outcome, Piece, make_all
from kimo_assets.progress import Progress
from kimo_assets.reports import Problem, TaskReport
from kimo_assets.texts import say

# What was made is kept after so many pictures, or so much time.
_BATCH = 32
_BATCH_S = 1.0
# A placeholder picture may be named by thousands of items.
_OWNERS_NAMED = 3


@dataclass(frozen=True)
class Named:
    """What the live rows of an entity name.

    rows: how many rows have a FilePath. written: the distinct ones.
    """

    entity: str
    rows: int
    written: list[str]


@dataclass(frozen=True)
class Inventory:
    """What rows name, and what the source folders hold.

    named: of the entities that have rows. folders: entity -> its folder. The names of an entity
    without a folder are not looked for. listings: by folder.
    """

    named: list[Named]
    folders: Mapping[str, str]
    listings: Mapping[str, Listing]

    @property
    def without_folder(self) -> list[Named]:
        """Pictures of entities for which no folder is configured."""
        return [named for named in self.named if named.entity not in self.folders]

    @property
    def notes(self) -> Iterator[str]:
        """What could not be looked at."""
        for listing in self.listings.values():
            if listing.unnameable:
                yield say(
                    "images.source.unnameable", folder=listing.folder, count=listing.unnameable
                )
            for subfolder, reason in listing.unreadable.items():
                yield say(
                    "images.source.unreadable",
                    folder=listing.folder,
                    subfolder=subfolder,
                    reason=reason,
                )


def import_files(connection: Connection, settings: ImageSettings, listener: Progress) -> TaskReport:
    """Brings the named files to the public folder.

    Raises: ImagesError when a source folder cannot be listed, or the public folder cannot be used.
    """
    started = time.monotonic()
    inventory = take_inventory(connection, settings)
    # After the listing: a source folder that is away has to end the run before it changes anything.
    _prepare(connection, settings)
    with connection.transaction():
        # The temporary tables live no longer than this transaction.
        pieces, stamps = _choose(connection, settings, inventory)
    listener.task_started(IMPORT_FILES.title, len(pieces))
    made, size = _make(connection, settings, pieces, stamps, listener)
    removed = _tidy(connection, settings)
    problems = [*_without_source(inventory), *problems_of_rows(connection)]
    counts = _totals(connection, inventory, made) | {"removed": removed, "bytes": size}
    seconds = time.monotonic() - started
    return TaskReport(IMPORT_FILES.title, seconds, counts, tuple(problems), tuple(inventory.notes))


def take_inventory(connection: Connection, settings: ImageSettings) -> Inventory:
    """Which rows name what, and which files there are.

    Raises: ImagesError when a folder that rows need cannot be listed.
    """
    named = [_named(connection, entity) for entity in IMAGE_ENTITIES]
    named = [names for names in named if names.rows]
    folders = {}
    listings: dict[str, Listing] = {}
    for names in named:
        folder = settings.sources.get(names.entity)
        if folder is None:
            continue
        folders[names.entity] = folder
        # Entities mostly share a folder, and to list a network drive takes long.
        if folder not in listings:
            listings[folder] = list_folder(folder, setting_of(settings, names.entity))
            _check_not_unmounted(connection, listings[folder])
    return Inventory(named, folders, listings)


def setting_of(settings: ImageSettings, entity: str) -> str:
    """The setting that names an entity's folder, for messages."""
    if entity in settings.config.sources:
        return say("images.setting.entity", entity=entity)
    if settings.config.source:
        return say("images.setting.general")
    if entity == "PromotionImage":
        return say(
            "images.setting.console_promotions",
            promotions_key=PROMOTIONS_SOURCE_KEY,
            key=SOURCE_KEY,
        )
    return say("images.setting.console", key=SOURCE_KEY)


def _named(connection: Connection, entity: str) -> Named:
    rows = connection.execute(
        sql.SQL(
            'SELECT "FilePath", count(*) FROM {} WHERE {} IS NULL AND "FilePath" <> {} GROUP BY 1'
        ).format(table(KIMO, entity), sql.Identifier(ARCHIVED), sql.Literal(""))
    ).fetchall()
    return Named(entity, sum(count for _, count in rows), [written for written, _ in rows])


def _check_not_unmounted(connection: Connection, listing: Listing) -> None:
    """Raises: ImagesError when a folder that had pictures is empty now.

    A drive that is not mounted is likelier than a thousand deletions.
    """
    if listing.files or listing.unreadable:
        return
    before = connection.execute(
        "SELECT count(*) FROM ops.picture WHERE starts_with(source, %s) AND status = 'ok'",
        [listing.source("")],
    ).fetchone()
    if before and before[0]:
        raise ImagesError(say("images.source.empty", folder=listing.folder, pictures=before[0]))


def _prepare(connection: Connection, settings: ImageSettings) -> None:
    try:
        public_folder.check(settings.public)
        ledger.forget_lost(connection, settings.public)
    except OSError as error:
        raise public_folder.unusable(settings.public, error) from error


def _tidy(connection: Connection, settings: ImageSettings) -> int:
    """How many public pictures were removed."""
    keep_days = settings.config.keep_unused_days
    try:
        with connection.transaction():
            # First, because remove_unused takes every path in ops.picture for used.
            ledger.forget_unnamed(connection)
        return ledger.remove_unused(connection, settings.public, keep_days)
    except OSError as error:
        raise public_folder.unusable(settings.public, error) from error


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
    source text COLLATE "C" PRIMARY KEY, folder text, size bigint, modified bigint, etag text
) ON COMMIT DROP
"""

# A missing file keeps the source that it had before: its last good picture is kept under it.
_NAMES_TAKEN = (
    """
    UPDATE name_now AS n SET source = o.source FROM ops.picture_name AS o
    WHERE n.state IN ('missing', 'unknown') AND o.entity = n.entity AND o.written = n.written
        AND o.source IS NOT NULL
    """,
    """
    DELETE FROM ops.picture_name AS o WHERE entity = ANY(%(entities)s)
        AND entity <> ALL(%(without_folder)s)
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
SELECT f.source, f.folder, f.size, f.modified, f.etag,
    CASE WHEN p.recipe = %(of_made)s AND p.path IS NOT NULL THEN p.sha256 END
FROM file_now AS f LEFT JOIN ops.picture AS p ON p.source = f.source
WHERE p.source IS NULL OR p.status = 'missing'
   OR (p.size, p.modified, p.etag) IS DISTINCT FROM (f.size, f.modified, f.etag)
   OR p.recipe IS DISTINCT FROM CASE p.status WHEN 'failed' THEN %(of_failed)s ELSE %(of_made)s END
ORDER BY f.source
"""


def _choose(
    connection: Connection, settings: ImageSettings, inventory: Inventory
) -> tuple[list[Piece], dict[str, Stamp]]:
    """Brings names and missing files up to date; returns what is to be made. In a transaction."""
    connection.execute(_NAME_NOW)
    connection.execute(_FILE_NOW)
    files = _copy_names(connection, inventory)
    _copy_files(connection, files)
    # Autovacuum does not analyze temporary tables: the planner would take them for small.
    connection.execute("ANALYZE name_now, file_now")
    entities = {
        "entities": list(IMAGE_ENTITIES),
        "without_folder": [named.entity for named in inventory.without_folder],
    }
    for statement in _NAMES_TAKEN:
        connection.execute(statement, entities if "%(" in statement else None)
    recipe = settings.recipe
    rows = connection.execute(
        _PIECES, {"of_made": recipe.of_made, "of_failed": recipe.of_failed}
    ).fetchall()
    pieces = []
    stamps = {}
    for source, folder, size, modified, etag, made_sha256 in rows:
        pieces.append(Piece(source, folder, size, made_sha256))
        stamps[source] = Stamp(size, modified, etag)
    return pieces, stamps


def _copy_names(connection: Connection, inventory: Inventory) -> dict[str, tuple[str, Stamp]]:
    """Returns the files that are named: source -> folder, stamp."""
    files: dict[str, tuple[str, Stamp]] = {}
    with connection.cursor() as cursor, cursor.copy("COPY name_now FROM STDIN") as copy:
        for entity, written, listing, meaning in meanings(inventory):
            source = None
            if meaning.path is not None:
                source = listing.source(meaning.path)
            copy.write_row((entity, written, meaning.state, source, meaning.problem))
            if meaning.state == "found" and source and meaning.path:
                files[source] = (listing.folder, listing.files[meaning.path])
    return files


def meanings(inventory: Inventory) -> Iterator[tuple[str, str, Listing, Meaning]]:
    """entity, FilePath, the listing it counts from, and what it means there."""
    names = {folder: Names(listing) for folder, listing in inventory.listings.items()}
    for named in inventory.named:
        folder = inventory.folders.get(named.entity)
        if folder is None:
            continue
        listing = inventory.listings[folder]
        for written in named.written:
            yield named.entity, written, listing, names[folder].meaning(written)


def _copy_files(connection: Connection, files: Mapping[str, tuple[str, Stamp]]) -> None:
    with connection.cursor() as cursor, cursor.copy("COPY file_now FROM STDIN") as copy:
        for source, (folder, stamp) in files.items():
            copy.write_row((source, folder, stamp.size, stamp.modified, stamp.etag))


# --- doing it
# --------------------------------------------------------------------------------------------------


def _make(
    connection: Connection,
    settings: ImageSettings,
    pieces: list[Piece],
    stamps: Mapping[str, Stamp],
    listener: Progress,
) -> tuple[int, int]:
    """How many pictures were made, and of how many bytes."""
    recipe = settings.recipe
    sizes: list[int] = []
    # Closed whatever happens here, so that no process goes on for nobody.
    with closing(make_all(pieces, recipe, settings.public, settings.config.processes)) as outcomes:
        for batch in _batches(outcomes):
            records = [_record(outcome, stamps[outcome.piece.source], recipe) for outcome in batch]
            with connection.transaction():
                ledger.keep(connection, [record for record in records if _is_same(record)])
                ledger.save(connection, [record for record in records if not _is_same(record)])
            sizes += [record.public.bytes for record in records if record.public]
            listener.task_advanced(len(batch))
    return len(sizes), sum(sizes)


def _batches(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    """Small enough that a killed run loses little, large enough that the database keeps up."""
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


# --- the report
# -------------------------------------------------------------------------------------------------


_TOTALS = """
SELECT count(*) FILTER (WHERE p.status = 'ok'), count(*) FILTER (WHERE p.status = 'failed'),
    count(*) FILTER (WHERE p.status = 'missing'), (
        SELECT count(*) FROM ops.picture_name WHERE entity = ANY(%(entities)s) AND source IS NULL)
FROM ops.picture AS p
WHERE EXISTS (SELECT FROM ops.picture_name AS n WHERE n.source = p.source
    AND n.entity = ANY(%(entities)s))
"""


def _totals(connection: Connection, inventory: Inventory, made: int) -> dict[str, int]:
    """rows: with a FilePath; files: in the folders.

    The others are of what rows name, as it is now: failed in this run or in an earlier one, and
    refused for what the name says.
    """
    totals = connection.execute(_TOTALS, {"entities": list(IMAGE_ENTITIES)}).fetchone()
    good, failed, missing, refused = totals or (0, 0, 0, 0)
    return {
        "rows": sum(named.rows for named in inventory.named),
        "files": sum(len(listing.files) for listing in inventory.listings.values()),
        "made": made,
        "unchanged": good - made,
        "failed": failed,
        "missing": missing,
        "refused": refused,
    }


def problems_of_rows(connection: Connection) -> list[Problem]:
    """The refused names, the missing files and those that failed, entity by entity."""
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
    for written, owners, reason in rows:
        yield Problem(f"{entity} {_owners(owners)}: {written}", reason)


def _owners(owners: list[str | None]) -> str:
    distinct = list(dict.fromkeys(owner or "?" for owner in owners))
    names = ", ".join(distinct[:_OWNERS_NAMED])
    more = len(distinct) - _OWNERS_NAMED
    if more <= 0:
        return names
    return say("images.and_more", names=names, count=more)


def _without_source(inventory: Inventory) -> Iterator[Problem]:
    for named in inventory.without_folder:
        subject = say("images.source.rows", entity=named.entity, count=named.rows)
        yield Problem(subject, say("images.source.no_folder"))
