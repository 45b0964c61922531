"""Refused rows of one entity, read again by their key: the good ones join the snapshot that is in
place.

In batches of keys: all rows that the ERP holds under them are read like any, and take the place of
what was refused, and staged, under the same keys. Rows without a key that could be looked up stay
refused until the next import.
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

# Keys that one statement looks up.
_BATCH = 200
# From so many batches on, an index on the staged rows' Id costs less than looking through all of
# them each time.
_INDEX_FROM = 4

# Where a batch is staged and quarantined before it is merged.
_AREA = StagingArea(
    "pg_temp", sql.Identifier("pg_temp", "unused"), sql.Identifier("pg_temp", "reread_rejected_row")
)
_WANTED = sql.Identifier("pg_temp", "wanted_row")


def retry_entity(
    connection: Connection,
    engines: Mapping[SystemId, Engine],
    entity: Entity,
    mappings: Sequence[EntityMapping],
    *,
    load: int,
    on_rows: OnRows = lambda rows: None,
) -> RetriedEntity:
    """Reads the entity's refused rows of step 1 again, in one transaction. engines: by source.

    Raises: SourceError, also when the mapping is no longer that of the snapshot; then nothing has
    changed.
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
        still_refused=counts.still_refused,
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
            wanted = restricted(self.engine.dialect, self.selection, exactly, as_text)
            if wanted is not None:
                with closing(read_segments(self.engine, self.connection, wanted)) as segments:
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
                origins.append(
                    _Origin(engine, source, mapping, resolve(engine, source, entity, mapping))
                )
        yield origins


@dataclass(frozen=True)
class _Counts:
    """What became of the refused rows; retried = good + still_refused + gone."""

    retried: int = 0
    good: int = 0
    still_refused: int = 0
    without_key: int = 0

    @property
    def gone(self) -> int:
        return self.retried - self.good - self.still_refused


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
        # What the retry writes is of no segment: it has the number after the last one's.
        self._number = len(self._before.segments)
        self._intact = self._number
        self.changed = False

    def _comparable_snapshot(self) -> Snapshot:
        before = last_snapshot(self._connection, self._entity.name)
        if before is None or not self._staging().is_comparable:
            raise PermanentSourceError(
                f"{self._entity.name} is mapped in another way than when it was last imported: its"
                " refused rows cannot be read again one by one. Import it."
            )
        return before

    def _staging(self) -> Staging:
        return Staging(
            self._connection, _AREA, [origin.selection for origin in self._origins], self._load
        )

    def run(self, on_rows: OnRows) -> _Counts:
        (all_rows,) = self._row("SELECT count(*) FROM {rejected} WHERE {ours}")
        rows, batches = self._choose()
        if batches >= _INDEX_FROM:
            self._execute('CREATE INDEX retried_id ON {staged} ("Id")')
        good = still_refused = 0
        for batch in range(batches):
            staging = self._read(batch, on_rows)
            mended, refused = self._settle(batch, staging)
            good, still_refused = good + mended, still_refused + refused
        if batches >= _INDEX_FROM:
            self._execute(
                "DROP INDEX {index}", index=sql.Identifier(STAGED_AREA.schema, "retried_id")
            )
        return _Counts(rows, good, still_refused, without_key=all_rows - rows)

    # --- which rows
    # ----------------------------------------------------------------------------------------------

    def _choose(self) -> tuple[int, int]:
        """Notes the refused rows that have a key, numbered in batches of keys. Returns their number
        and the batches'.
        """
        if not self._key_fields:
            return 0, 0
        self._execute("DROP TABLE IF EXISTS {wanted}")
        self._execute(
            """
            CREATE TEMPORARY TABLE wanted_row ON COMMIT DROP AS
            SELECT id, source, key, parts, false AS found,
                (dense_rank() OVER (ORDER BY key) - 1) / {size} AS batch
            FROM (
                SELECT id, source, {key} AS key, {parts} AS parts FROM {rejected}
                WHERE {ours} AND NOT (rule = 'invalid_characters' AND field = ANY({key_fields}))
            ) AS refused WHERE num_nonnulls(VARIADIC parts) > 0
            """,
            size=sql.Literal(_BATCH),
            key=self._key_of_refused(),
            parts=self._parts_of_refused(),
            key_fields=sql.Literal([field.name for field in self._key_fields]),
        )
        self._execute("CREATE INDEX ON {wanted} (batch)")
        self._execute("ANALYZE {wanted}")
        return self._row("SELECT count(*), coalesce(max(batch) + 1, 0) FROM {wanted}")

    def _key_of_refused(self) -> sql.Composed:
        return self._by_source(_key_text)

    def _parts_of_refused(self) -> sql.Composed:
        return self._by_source(
            lambda fields, cells: sql.SQL("ARRAY[{}]").format(
                sql.SQL(", ").join(map(_value, fields, cells))
            )
        )

    def _by_source(
        self, written: Callable[[Sequence[Field], Sequence[sql.Composable]], sql.Composable]
    ) -> sql.Composed:
        """An expression over the key of a refused row, which is kept by the columns of its
        source.
        """
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

    # --- reading them
    # ----------------------------------------------------------------------------------------------

    def _read(self, batch: int, on_rows: OnRows) -> Staging:
        """All rows under the batch's keys. What a comparison with the column does not find is
        looked for as text.
        """
        self._execute("DROP TABLE IF EXISTS {reread}")
        self._execute(
            "CREATE TEMPORARY TABLE reread_rejected_row (LIKE {rejected} INCLUDING ALL) ON COMMIT"
            " DROP"
        )
        staging = self._staging()
        staging.make_table()
        for again in (False, True):
            for position in range(len(self._origins)):
                self._read_from(position, batch, staging, on_rows, again=again)
        return staging

    def _read_from(
        self, position: int, batch: int, staging: Staging, on_rows: OnRows, *, again: bool
    ) -> None:
        origin = self._origins[position]
        still = (
            sql.SQL("source = {} AND NOT found").format(sql.Literal(origin.source))
            if again
            else sql.SQL("true")
        )
        wanted = sql.SQL("batch = {} AND {}").format(sql.Literal(batch), still)
        own, others = self._keys(origin.source, wanted)
        first = staging.segments_written
        with closing(origin.read([] if again else own, own if again else others)) as segments:
            for segment in segments:
                staging.write(segment, staging.segments_written, position)
                on_rows(segment.rows_read)
        if staging.segments_written > first:
            self._keep_wanted(staging, first, origin.source, batch, wanted)

    def _keys(self, source: str, wanted: sql.Composable) -> tuple[list[Key], list[Key]]:
        """The keys of rows that the source itself gave, and of those that another one gave."""
        own: list[Key] = []
        others: list[Key] = []
        names = [field.name for field in self._key_fields]
        for origin, values in self._execute(
            "SELECT DISTINCT source, parts FROM {wanted} WHERE {which}", which=wanted
        ):
            key = {
                name: value for name, value in zip(names, values, strict=True) if value is not None
            }
            (own if origin == source else others).append(key)
        return own, others

    def _keep_wanted(
        self, staging: Staging, first: int, source: str, batch: int, wanted: sql.Composable
    ) -> None:
        """Leaves out rows of other keys: the ERP may take `a` and `A` for one, and part of a key
        finds more than one.
        """
        parts = {
            "next": staging.table,
            "first": sql.Literal(first),
            "which": wanted,
            "batch": sql.Literal(batch),
            "staged_key": self._key_of_staged(),
            "refused_key": self._key_of_refused(),
            "source": sql.Literal(source),
        }
        for statement in (
            (
                "DELETE FROM {next} WHERE {segment} >= {first} AND {staged_key} NOT IN (SELECT key"
                " FROM {wanted} WHERE {which})"
            ),
            (
                "DELETE FROM {reread} WHERE segment >= {first} AND {refused_key} NOT IN "
                "(SELECT key FROM {wanted} WHERE {which})"
            ),
            (
                "UPDATE {wanted} SET found = true WHERE batch = {batch} AND source = {source} AND"
                " key IN (SELECT {staged_key} FROM {next} WHERE {segment} >= {first} UNION ALL"
                " SELECT {refused_key} FROM {reread} WHERE segment >= {first})"
            ),
        ):
            self._execute(statement, **parts)

    # --- what became of them
    # ----------------------------------------------------------------------------------------

    def _settle(self, batch: int, staging: Staging) -> tuple[int, int]:
        """Merges a batch: (refused rows that are good now, those that are still refused)."""
        self._refuse_duplicates(staging)
        # Staged already and unchanged: the row whose double was refused.
        self._execute(
            "DELETE FROM {next} AS n USING {staged} AS s WHERE s.{id} = n.{id} AND s.{hash} ="
            " n.{hash}",
            next=staging.table,
        )
        counts = self._count(batch, staging)
        self._merge_staged(staging)
        self._merge_refused(batch)
        return counts

    def _refuse_duplicates(self, staging: Staging) -> None:
        """Of rows with one key the first source's stays; of one source's, the one that is staged,
        else the first read.
        """
        which = sql.SQL("""
            SELECT ctid FROM (
                SELECT n.ctid, row_number() OVER (
                    PARTITION BY n.{id}
                    ORDER BY n.part, (n.{hash} = s.{hash}) IS NOT TRUE, n.{segment}, n.ctid
                ) AS nth
                FROM (SELECT ctid, {id}, {hash}, {segment}, {part} AS part FROM {next}) AS n
                LEFT JOIN {staged} AS s ON s.{id} = n.{id}
            ) AS doubles WHERE nth > 1
            """).format(**self._names, next=staging.table, part=staging.part_of_segment)
        if staging.segments_written:
            staging.refuse("duplicate_key", which)

    def _count(self, batch: int, staging: Staging) -> tuple[int, int]:
        return self._row(
            """
            SELECT coalesce(sum(least(good, before - least(still, before))), 0)::bigint,
                   coalesce(sum(least(still, before)), 0)::bigint
            FROM (
                SELECT count(*) FILTER (WHERE what = 'wanted') AS before, count(*) FILTER
                    (WHERE what = 'good') AS good,
                       count(*) FILTER (WHERE what = 'refused') AS still
                FROM (
                    SELECT 'wanted' AS what, key FROM {wanted} WHERE batch = {batch}
                    UNION ALL SELECT 'good', {staged_key} FROM {next}
                    UNION ALL SELECT 'refused', {refused_key} FROM {reread}
                ) AS rows GROUP BY key
            ) AS keys
            """,
            batch=sql.Literal(batch),
            next=staging.table,
            staged_key=self._key_of_staged(),
            refused_key=self._key_of_refused(),
        )

    def _merge_staged(self, staging: Staging) -> None:
        replaced = self._row(
            "WITH old AS (DELETE FROM {staged} AS s USING {next} AS n WHERE s.{id} = n.{id}"
            " RETURNING s.{segment}) SELECT min({segment}), count(*) FROM old",
            next=staging.table,
        )
        added = self._execute(
            "INSERT INTO {staged} ({fields}, {segment}) SELECT {fields}, {number} FROM {next} ORDER"
            " BY {segment}, ctid",
            next=staging.table,
            fields=columns(staging.fields),
        ).rowcount
        self._touch(replaced[0], replaced[1] + added)

    def _merge_refused(self, batch: int) -> None:
        """Rows that are refused as before stay where they are; of the others the new ones take the
        old ones' place.
        """
        which = sql.SQL("id IN (SELECT id FROM {} WHERE batch = {})").format(
            _WANTED, sql.Literal(batch)
        )
        self._execute(
            """
            WITH old AS (SELECT id, {nth} FROM {rejected} AS r WHERE {which}),
                 again AS (SELECT id, {nth} FROM {reread} AS r),
                 same AS (SELECT old.id AS old_id, again.id AS id FROM old JOIN again USING
                     (same, nth)),
                 _ AS (DELETE FROM {reread} AS r USING same WHERE r.id = same.id)
            DELETE FROM {wanted} AS w USING same WHERE w.id = same.old_id
            """,
            which=which,
            nth=sql.SQL(
                "{0} AS same, row_number() OVER (PARTITION BY {0} ORDER BY id) AS nth"
            ).format(_SAME_ROW),
        )
        if remember_since(self._connection, which):
            restore_since(self._connection, _AREA.rejected, sql.SQL("true"))
        removed = self._row(
            "WITH old AS (DELETE FROM {rejected} WHERE {which} RETURNING segment) SELECT"
            " min(segment), count(*) FROM old",
            which=which,
        )
        self._execute("UPDATE {reread} SET segment = {number}")
        added = self._execute(
            "INSERT INTO {rejected} ({kept}) SELECT {kept} FROM {reread} ORDER BY id",
            kept=columns(KEPT_COLUMNS),
        ).rowcount
        self._touch(removed[0], removed[1] + added)

    def _touch(self, segment: int | None, rows: int) -> None:
        """Rows of this segment (or of the retry's own) are no longer as they were read."""
        self.changed = self.changed or rows > 0
        self._intact = min(self._intact, self._number if segment is None else segment)

    def record(self) -> Snapshot:
        """What is staged now, with the segments of which nothing was touched: the next import reads
        on from there.
        """
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
            "UPDATE ops.staged SET (segments, rows_read, rows_staged, rows_rejected, checksum) ="
            " (%s, %s, %s, %s, %s) WHERE entity = %s",
            [segments, after.rows_read, staged, rejected, checksum, self._entity.name],
        )
        return after

    # --- SQL
    # ----------------------------------------------------------------------------------------------

    @property
    def _names(self) -> dict[str, sql.Composable]:
        return {
            "staged": self._staged,
            "rejected": STAGED_AREA.rejected,
            "ours": of_entity(self._entity.name, 1),
            "reread": _AREA.rejected,
            "wanted": _WANTED,
            "number": sql.Literal(self._number),
            "id": sql.Identifier(ID),
            "hash": sql.Identifier(HASH),
            "segment": sql.Identifier(SEGMENT),
        }

    def _execute(self, statement: LiteralString, **parts: sql.Composable) -> Cursor[Any]:
        return self._connection.execute(sql.SQL(statement).format(**(self._names | parts)))

    def _row(self, statement: LiteralString, **parts: sql.Composable) -> Any:
        return self._execute(statement, **parts).fetchone()


# The same row, refused for the same.
_SAME_ROW = sql.SQL(
    "hash_record_extended(ROW(r.source, r.rule, r.field, r.source_key, r.value, r.source_row), 0)"
)


def _key_fields(
    entity: Entity, mappings: Sequence[EntityMapping], selections: Sequence[Selection]
) -> list[Field]:
    """The fields by which rows can be looked up: those of the key that are written alike
    everywhere, and not made by us.
    """
    names = (ID,) if ID in selections[0].fields else entity.identity
    made = {field for mapping in mappings for field in mapping.transform}
    fields = [
        entity.fields[name]
        for name in names
        if any(name in selection.fields for selection in selections)
    ]
    return [
        field
        for field in fields
        if field.type in ("text", "int", "enum") and field.name not in made
    ]


def _value(field: Field, cell: sql.Composable) -> sql.Composed:
    """A part of a key as it is looked up; NULL when it is no value."""
    value = sql.SQL("nullif(rtrim({}), '')").format(cell)
    return sql.SQL("nullif({}, '0')").format(value) if field.is_key else value


def _key_text(fields: Sequence[Field], cells: Sequence[sql.Composable]) -> sql.Composed:
    """A key as one text that is equal for equal keys, however the ERP writes their numbers."""
    parts = []
    for field, cell in zip(fields, cells, strict=True):
        pattern, kept = _WRITTEN["text" if field.type == "text" else "number"]
        parts.append(
            sql.SQL("coalesce(regexp_replace({}, {}, {}), '')").format(
                _value(field, cell), sql.Literal(pattern), sql.Literal(kept)
            )
        )
    return sql.SQL("concat_ws(chr(31), {})").format(sql.SQL(", ").join(parts))


# Forms in which a part of a key may be written, and what is kept of them: decimals that are zeros,
# zeros before it.
_WRITTEN = {
    "text": (r"^(-?\d+)\.0+$", r"\1"),
    "number": (r"^\s*\+?(-?)0*(\d+)(?:\.0+)?$", r"\1\2"),
}
