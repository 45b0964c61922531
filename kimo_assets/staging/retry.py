"""Rejected rows of one entity, read again by their key: the good ones join the staged snapshot.

This goes in batches of keys. All rows that the ERP holds under them are read like any others, and
take the place of the rejected and the staged rows under the same keys. Rows without a key that
could be looked up stay rejected until the next import.
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, LiteralString

from psycopg import Connection, Cursor, sql
from sqlalchemy import Connection as SourceConnection
from sqlalchemy import Engine

from kimo_assets.catalog import Entity
from kimo_assets.catalog.model import Field
from kimo_assets.config import EntityMapping, SystemId
from kimo_assets.database.names import HASH, ID, SEGMENT, STAGED_AREA, StagingArea, columns, table
from kimo_assets.database.rejection_history import (
    count_new,
    of_entity,
    remember_since,
    restore_since,
)
from kimo_assets.errors import PermanentSourceError
from kimo_assets.reports import RetriedEntity
from kimo_assets.sources.connection import source_errors
from kimo_assets.sources.lookup import Key, restricted
from kimo_assets.sources.readers import Segment, read_segments
from kimo_assets.sources.selection import Selection, resolve
from kimo_assets.staging.quarantine import KEPT_COLUMNS, count_rules
from kimo_assets.staging.stage import REREAD, OnRows, Snapshot, Staging, last_snapshot, measure
from kimo_assets.texts import say

# Keys that one statement looks up.
_BATCH = 200
# From so many batches on, an index on the staged rows' Id costs less than reading all of them each
# time.
_INDEX_FROM = 4

# Where a batch is staged and quarantined before it is merged. Nothing is recorded there.
_AREA = StagingArea(
    schema="pg_temp",
    staged=sql.Identifier("pg_temp", "unused"),
    rejected=sql.Identifier("pg_temp", "reread_rejected_row"),
)
# The rejected rows that are looked up: their keys, and whether the ERP has them.
_REQUESTED = sql.Identifier("pg_temp", "requested_row")


def retry_entity(
    connection: Connection,
    engines: Mapping[SystemId, Engine],
    entity: Entity,
    mappings: Sequence[EntityMapping],
    *,
    load: int,
    on_rows: OnRows = lambda rows: None,
) -> RetriedEntity:
    """Reads the entity's rejected rows of step 1 again, in one transaction.

    engines: by source. Raises: SourceError, also when the mapping is no longer that of the
    snapshot. Then nothing has changed.
    """
    started = time.monotonic()
    with _opened(engines, entity, mappings) as origins, connection.transaction():
        retry = _Retry(connection, entity, mappings, origins, load)
        counts = retry.run(on_rows)
        snapshot = retry.record()
        rules = count_rules(connection, STAGED_AREA, entity.name)
        new = count_new(connection, STAGED_AREA.rejected, [entity.name], 1, load)
    return RetriedEntity(
        entity=entity.name,
        seconds=time.monotonic() - started,
        status="ok" if retry.changed else "unchanged",
        read=snapshot.rows_read,
        staged=snapshot.rows_staged,
        rejected=snapshot.rows_rejected,
        rejected_new=new.get(entity.name, 0),
        rules=dict(rules),
        retried=counts.retried,
        good=counts.good,
        still_refused=counts.still_rejected,
        gone=counts.gone,
        without_key=counts.without_key,
    )


@dataclass(frozen=True)
class _Origin:
    """One source of the entity, connected."""

    engine: Engine
    connection: SourceConnection
    mapping: EntityMapping
    selection: Selection

    @property
    def source(self) -> str:
        return self.mapping.source

    def read(
        self, exactly: Sequence[Key], as_text: Sequence[Key]
    ) -> Generator[Segment, None, None]:
        """The rows under these keys."""
        with source_errors(self.mapping.source, self.engine):
            selection = restricted(self.engine.dialect, self.selection, exactly, as_text)
            # None: this source holds none of the keys' columns.
            if selection is not None:
                with closing(read_segments(self.engine, self.connection, selection)) as segments:
                    yield from segments


@contextmanager
def _opened(
    engines: Mapping[SystemId, Engine], entity: Entity, mappings: Sequence[EntityMapping]
) -> Iterator[list[_Origin]]:
    """The entity's sources, connected, in their order."""
    with ExitStack() as stack:
        origins = []
        for mapping in mappings:
            engine = engines[mapping.source]
            with source_errors(mapping.source, engine):
                source = stack.enter_context(closing(engine.connect()))
                selection = resolve(engine, source, entity, mapping)
            origins.append(_Origin(engine, source, mapping, selection))
        yield origins


@dataclass(frozen=True)
class _Counts:
    """What became of the rejected rows: retried = good + still_rejected + gone."""

    retried: int = 0
    good: int = 0
    still_rejected: int = 0
    without_key: int = 0

    @property
    def gone(self) -> int:
        return self.retried - self.good - self.still_rejected


class _Retry:
    """The retry of one entity, inside the caller's transaction."""

    def __init__(
        self,
        connection: Connection,
        entity: Entity,
        mappings: Sequence[EntityMapping],
        origins: Sequence[_Origin],
        load: int,
    ) -> None:
        self._connection = connection
        self._entity = entity
        self._origins = origins
        self._load = load
        self._before = self._comparable_snapshot()
        self._staged = table(STAGED_AREA.schema, entity.name)
        self._key_fields = _key_fields(entity, mappings, [origin.selection for origin in origins])
        # What the retry writes belongs to no segment: it has the number after the last one.
        self._number = len(self._before.segments)
        # The segments before this one are staged as they were read.
        self._intact = self._number
        self.changed = False

    def _comparable_snapshot(self) -> Snapshot:
        """What is staged. Raises: PermanentSourceError when the mapping has changed since."""
        before = last_snapshot(self._connection, self._entity.name)
        if before is None or not self._staging().is_comparable:
            message = say("staging.mapping_has_changed", entity=self._entity.name)
            raise PermanentSourceError(message)
        return before

    def _staging(self) -> Staging:
        selections = [origin.selection for origin in self._origins]
        return Staging(self._connection, _AREA, selections, self._load)

    def run(self, on_rows: OnRows) -> _Counts:
        """Reads and merges all batches."""
        (all_rows,) = self._row("SELECT count(*) FROM {rejected} WHERE {ours}")
        rows, batches = self._choose()
        if batches >= _INDEX_FROM:
            self._execute('CREATE INDEX retried_id ON {staged} ("Id")')
        good = still_rejected = 0
        for batch in range(batches):
            staging = self._read(batch, on_rows)
            good_now, rejected_again = self._settle(batch, staging)
            good += good_now
            still_rejected += rejected_again
        if batches >= _INDEX_FROM:
            index = sql.Identifier(STAGED_AREA.schema, "retried_id")
            self._execute("DROP INDEX {index}", index=index)
        return _Counts(rows, good, still_rejected, without_key=all_rows - rows)

    # --- which rows ---

    def _choose(self) -> tuple[int, int]:
        """Notes the rejected rows that have a key, in batches of keys.

        Returns how many rows and how many batches there are.
        """
        if not self._key_fields:
            return 0, 0
        self._execute("DROP TABLE IF EXISTS {requested}")
        # A key with invalid characters cannot be sent to the source.
        self._execute(
            """
            CREATE TEMPORARY TABLE requested_row ON COMMIT DROP AS
            SELECT id, source, key, parts, false AS is_found,
                (dense_rank() OVER (ORDER BY key) - 1) / {size} AS batch
            FROM (
                SELECT id, source, {key} AS key, {parts} AS parts FROM {rejected}
                WHERE {ours} AND NOT (rule = 'invalid_characters' AND field = ANY({key_fields}))
            ) AS rejected WHERE num_nonnulls(VARIADIC parts) > 0
            """,
            size=sql.Literal(_BATCH),
            key=self._key_of_rejected(),
            parts=self._by_source(_key_parts),
            key_fields=sql.Literal([field.name for field in self._key_fields]),
        )
        self._execute("CREATE INDEX ON {requested} (batch)")
        self._execute("ANALYZE {requested}")
        rows, batches = self._row("SELECT count(*), coalesce(max(batch) + 1, 0) FROM {requested}")
        return rows, batches

    def _key_of_rejected(self) -> sql.Composed:
        return self._by_source(_key_text)

    def _by_source(
        self, written: Callable[[Sequence[Field], Sequence[sql.Composable]], sql.Composable]
    ) -> sql.Composed:
        """An expression over the key of a rejected row, which is kept by its source's columns."""
        cases = []
        for origin in self._origins:
            column_of = origin.selection.column_of
            cells = [
                sql.SQL("(source_row ->> {})").format(sql.Literal(column_of.get(field.name)))
                for field in self._key_fields
            ]
            cases.append(
                sql.SQL("WHEN {} THEN {}").format(
                    sql.Literal(origin.source), written(self._key_fields, cells)
                )
            )
        return sql.SQL("CASE source {} END").format(sql.SQL(" ").join(cases))

    def _key_of_staged(self) -> sql.Composed:
        cells = [
            sql.SQL("{}::text").format(sql.Identifier(field.name)) for field in self._key_fields
        ]
        return _key_text(self._key_fields, cells)

    # --- reading them ---

    def _read(self, batch: int, on_rows: OnRows) -> Staging:
        """Stages all rows that the sources hold under the batch's keys."""
        self._execute("DROP TABLE IF EXISTS {reread}")
        self._execute(
            """
            CREATE TEMPORARY TABLE reread_rejected_row (LIKE {rejected} INCLUDING ALL)
            ON COMMIT DROP
            """
        )
        staging = self._staging()
        staging.make_table()
        for position in range(len(self._origins)):
            self._read_by_column(position, batch, staging, on_rows)
        for position in range(len(self._origins)):
            self._read_as_text(position, batch, staging, on_rows)
        return staging

    def _read_by_column(self, position: int, batch: int, staging: Staging, on_rows: OnRows) -> None:
        """Looks the source's own keys up as its columns write them, those of others as text."""
        origin = self._origins[position]
        condition = sql.SQL("batch = {}").format(sql.Literal(batch))
        own, others = self._keys(origin.source, condition)
        segments = origin.read(exactly=own, as_text=others)
        self._stage(segments, position, batch, condition, staging, on_rows)

    def _read_as_text(self, position: int, batch: int, staging: Staging, on_rows: OnRows) -> None:
        """Looks up as text the source's own keys that were not found by its columns."""
        origin = self._origins[position]
        condition = sql.SQL("batch = {} AND source = {} AND NOT is_found").format(
            sql.Literal(batch), sql.Literal(origin.source)
        )
        own, _ = self._keys(origin.source, condition)
        segments = origin.read(exactly=[], as_text=own)
        self._stage(segments, position, batch, condition, staging, on_rows)

    def _stage(
        self,
        segments: Generator[Segment, None, None],
        position: int,
        batch: int,
        condition: sql.Composable,
        staging: Staging,
        on_rows: OnRows,
    ) -> None:
        """Stages the segments of one source, without rows of keys that the condition excludes."""
        first = staging.segments_written
        with closing(segments):
            for segment in segments:
                staging.write(segment, staging.segments_written, position)
                on_rows(segment.rows_read)
        if staging.segments_written > first:
            source = self._origins[position].source
            self._keep_requested(staging, first, source, batch, condition)

    def _keys(self, source: str, condition: sql.Composable) -> tuple[list[Key], list[Key]]:
        """The keys of rows that the source itself gave, and of those that another one gave."""
        own: list[Key] = []
        others: list[Key] = []
        names = [field.name for field in self._key_fields]
        rows = self._execute(
            "SELECT DISTINCT source, parts FROM {requested} WHERE {condition}", condition=condition
        )
        for origin, values in rows:
            parts = zip(names, values, strict=True)
            key = {name: value for name, value in parts if value is not None}
            if origin == source:
                own.append(key)
            else:
                others.append(key)
        return own, others

    def _keep_requested(
        self, staging: Staging, first: int, source: str, batch: int, condition: sql.Composable
    ) -> None:
        """Leaves out rows of other keys, and notes which keys were found."""
        # The ERP may take `a` and `A` for one key, and a part of a key finds more than one row.
        for statement in _KEEP_REQUESTED:
            self._execute(
                statement,
                next=staging.table,
                first=sql.Literal(first),
                condition=condition,
                batch=sql.Literal(batch),
                staged_key=self._key_of_staged(),
                rejected_key=self._key_of_rejected(),
                source=sql.Literal(source),
            )

    # --- what became of them ---

    def _settle(self, batch: int, staging: Staging) -> tuple[int, int]:
        """Merges a batch: (rejected rows that are good now, those that are rejected again)."""
        self._reject_duplicates(staging)
        # Staged already and unchanged: it is the row whose double was rejected.
        self._execute(
            """
            DELETE FROM {next} AS n USING {staged} AS s
            WHERE s.{id} = n.{id} AND s.{hash} = n.{hash}
            """,
            next=staging.table,
        )
        counts = self._count(batch, staging)
        self._merge_staged(staging)
        self._merge_rejected(batch)
        return counts

    def _reject_duplicates(self, staging: Staging) -> None:
        """Of rows with one key that of the first source stays.

        Of rows of one source the one that is staged stays, else the first that was read.
        """
        if not staging.segments_written:
            return
        rows = sql.SQL("""
            SELECT ctid FROM (
                SELECT n.ctid, row_number() OVER (
                    PARTITION BY n.{id}
                    ORDER BY n.part, (n.{hash} = s.{hash}) IS NOT TRUE, n.{segment}, n.ctid
                ) AS nth
                FROM (SELECT ctid, {id}, {hash}, {segment}, {part} AS part FROM {next}) AS n
                LEFT JOIN {staged} AS s ON s.{id} = n.{id}
            ) AS doubles WHERE nth > 1
            """).format(**self._names, next=staging.table, part=staging.part_of_segment)
        staging.reject("duplicate_key", rows)

    def _count(self, batch: int, staging: Staging) -> tuple[int, int]:
        """How many of the batch's rejected rows are good now, and how many are rejected again."""
        # By key: the ERP may have more rows under it than were rejected, or fewer.
        good, rejected_again = self._row(
            """
            SELECT
                coalesce(sum(least(good, before - least(again, before))), 0)::bigint,
                coalesce(sum(least(again, before)), 0)::bigint
            FROM (
                SELECT
                    count(*) FILTER (WHERE state = 'requested') AS before,
                    count(*) FILTER (WHERE state = 'good') AS good,
                    count(*) FILTER (WHERE state = 'rejected') AS again
                FROM (
                    SELECT 'requested' AS state, key FROM {requested} WHERE batch = {batch}
                    UNION ALL SELECT 'good', {staged_key} FROM {next}
                    UNION ALL SELECT 'rejected', {rejected_key} FROM {reread}
                ) AS rows GROUP BY key
            ) AS keys
            """,
            batch=sql.Literal(batch),
            next=staging.table,
            staged_key=self._key_of_staged(),
            rejected_key=self._key_of_rejected(),
        )
        return good, rejected_again

    def _merge_staged(self, staging: Staging) -> None:
        """The batch's good rows take the place of staged rows with the same Id."""
        segment, removed = self._row(
            """
            WITH old AS (
                DELETE FROM {staged} AS s USING {next} AS n WHERE s.{id} = n.{id}
                RETURNING s.{segment}
            )
            SELECT min({segment}), count(*) FROM old
            """,
            next=staging.table,
        )
        added = self._execute(
            """
            INSERT INTO {staged} ({fields}, {segment})
            SELECT {fields}, {number} FROM {next} ORDER BY {segment}, ctid
            """,
            next=staging.table,
            fields=columns(staging.fields),
        ).rowcount
        self._touch(segment, removed + added)

    def _merge_rejected(self, batch: int) -> None:
        """The batch's rows that are rejected again take the place of the old ones.

        Rows that are rejected as before stay as they are.
        """
        self._leave_equal_rejections(batch)
        condition = _requested(batch)
        if remember_since(self._connection, condition):
            restore_since(self._connection, _AREA.rejected, sql.SQL("true"))
        segment, removed = self._row(
            """
            WITH old AS (DELETE FROM {rejected} WHERE {condition} RETURNING segment)
            SELECT min(segment), count(*) FROM old
            """,
            condition=condition,
        )
        self._execute("UPDATE {reread} SET segment = {number}")
        added = self._execute(
            "INSERT INTO {rejected} ({kept}) SELECT {kept} FROM {reread} ORDER BY id",
            kept=columns(KEPT_COLUMNS),
        ).rowcount
        self._touch(segment, removed + added)

    def _leave_equal_rejections(self, batch: int) -> None:
        """Takes out of the batch, old and new, the rows that are rejected exactly as before."""
        self._execute(
            """
            WITH old AS (SELECT id, {nth} FROM {rejected} AS r WHERE {condition}),
                again AS (SELECT id, {nth} FROM {reread} AS r),
                same AS (
                    SELECT old.id AS old_id, again.id AS id FROM old JOIN again USING (same, nth)
                ),
                _ AS (DELETE FROM {reread} AS r USING same WHERE r.id = same.id)
            DELETE FROM {requested} AS q USING same WHERE q.id = same.old_id
            """,
            condition=_requested(batch),
            nth=_NTH_OF_SAME,
        )

    def _touch(self, segment: int | None, rows: int) -> None:
        """Notes that so many rows changed, from this segment on. None: in the retry's own."""
        if rows:
            self.changed = True
        if segment is not None:
            self._intact = min(self._intact, segment)

    def record(self) -> Snapshot:
        """Records what is staged now. The next import reads on after the intact segments."""
        if not self.changed:
            return self._before
        staged, _, checksum = measure(self._connection, self._staged)
        (rejected,) = self._row("SELECT count(*) FROM {rejected} WHERE {ours}")
        segments = [*self._before.segments[: self._intact], REREAD]
        after = replace(
            self._before,
            segments=segments,
            rows_read=staged + rejected,
            rows_staged=staged,
            rows_rejected=rejected,
            checksum=checksum,
        )
        self._connection.execute(
            """
            UPDATE ops.staged
            SET (segments, rows_read, rows_staged, rows_rejected, checksum) = (%s, %s, %s, %s, %s)
            WHERE entity = %s
            """,
            [segments, after.rows_read, staged, rejected, checksum, self._entity.name],
        )
        return after

    # --- SQL ---

    @property
    def _names(self) -> dict[str, sql.Composable]:
        """What all statements may name in braces."""
        return {
            "staged": self._staged,
            "rejected": STAGED_AREA.rejected,
            "ours": of_entity(self._entity.name, 1),
            "reread": _AREA.rejected,
            "requested": _REQUESTED,
            "number": sql.Literal(self._number),
            "id": sql.Identifier(ID),
            "hash": sql.Identifier(HASH),
            "segment": sql.Identifier(SEGMENT),
        }

    def _execute(self, statement: LiteralString, **parts: sql.Composable) -> Cursor[Any]:
        return self._connection.execute(sql.SQL(statement).format(**(self._names | parts)))

    def _row(self, statement: LiteralString, **parts: sql.Composable) -> Any:
        return self._execute(statement, **parts).fetchone()


# Of the rows read from the first new segment on: out with those of other keys, then a mark at the
# keys that were found.
_KEEP_REQUESTED: tuple[LiteralString, ...] = (
    """
    DELETE FROM {next} WHERE {segment} >= {first}
        AND {staged_key} NOT IN (SELECT key FROM {requested} WHERE {condition})
    """,
    """
    DELETE FROM {reread} WHERE segment >= {first}
        AND {rejected_key} NOT IN (SELECT key FROM {requested} WHERE {condition})
    """,
    """
    UPDATE {requested} SET is_found = true
    WHERE batch = {batch} AND source = {source} AND key IN (
        SELECT {staged_key} FROM {next} WHERE {segment} >= {first}
        UNION ALL SELECT {rejected_key} FROM {reread} WHERE segment >= {first}
    )
    """,
)


def _requested(batch: int) -> sql.Composed:
    """The condition that selects the rejected rows of a batch."""
    return sql.SQL("id IN (SELECT id FROM {} WHERE batch = {})").format(
        _REQUESTED, sql.Literal(batch)
    )


# Numbers the rows that are the same and rejected for the same reason.
_SAME_ROW = sql.SQL(
    "hash_record_extended(ROW(r.source, r.rule, r.field, r.source_key, r.value, r.source_row), 0)"
)
_NTH_OF_SAME = sql.SQL(
    "{0} AS same, row_number() OVER (PARTITION BY {0} ORDER BY id) AS nth"
).format(_SAME_ROW)


def _key_fields(
    entity: Entity, mappings: Sequence[EntityMapping], selections: Sequence[Selection]
) -> list[Field]:
    """The fields of the key by which rows can be looked up."""
    names = (ID,) if ID in selections[0].fields else entity.identity
    mapped = {name for selection in selections for name in selection.fields}
    transformed = {name for mapping in mappings for name in mapping.transform}
    fields = [entity.fields[name] for name in names if name in mapped - transformed]
    # Numbers with decimals, dates and flags are not written alike in all databases.
    return [field for field in fields if field.type in ("text", "int", "enum")]


def _value(field: Field, cell: sql.Composable) -> sql.Composed:
    """A part of a key as it is looked up, NULL when it is no value."""
    value = sql.SQL("nullif(rtrim({}), '')").format(cell)
    if field.is_key:
        return sql.SQL("nullif({}, '0')").format(value)
    return value


def _key_parts(fields: Sequence[Field], cells: Sequence[sql.Composable]) -> sql.Composed:
    """A key as an array of its parts."""
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(map(_value, fields, cells)))


def _key_text(fields: Sequence[Field], cells: Sequence[sql.Composable]) -> sql.Composed:
    """A key as one text that is equal for equal keys, however the ERP writes their numbers."""
    parts = []
    for field, cell in zip(fields, cells, strict=True):
        pattern, kept = _TEXT_FORM if field.type == "text" else _NUMBER_FORM
        parts.append(
            sql.SQL("coalesce(regexp_replace({}, {}, {}), '')").format(
                _value(field, cell), sql.Literal(pattern), sql.Literal(kept)
            )
        )
    return sql.SQL("concat_ws(chr(31), {})").format(sql.SQL(", ").join(parts))


# Forms in which a part of a key may be written, and what is kept of them. Decimals that are zeros
# go, and in a number the zeros before it too.
_TEXT_FORM = (r"^(-?\d+)\.0+$", r"\1")
_NUMBER_FORM = (r"^\s*\+?(-?)0*(\d+)(?:\.0+)?$", r"\1\2")
