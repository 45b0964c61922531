"""One entity of step 1, in one transaction: the new snapshot takes the old one's place whole, or
not at all.

A stream that begins like yesterday's is not written again: segments are compared by digest, and
rows of the equal beginning are taken over inside the database. An equal stream writes nothing.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from hashlib import blake2b

from psycopg import Connection, sql
from sqlalchemy import Engine

from kimo_assets.catalog import Entity
from kimo_assets.config import EntityMapping, GuardsConfig, SystemId
from kimo_assets.database.copy import copy_rows
from kimo_assets.database.ddl import staging_table
from kimo_assets.database.names import (
    HASH,
    SEGMENT,
    STAGED_AREA,
    StagingArea,
    carried_columns,
    columns,
    table,
)
from kimo_assets.database.rejection_history import (
    count_new,
    of_entity,
    remember_since,
    restore_since,
)
from kimo_assets.errors import GuardError, PermanentSourceError
from kimo_assets.reports import StagedEntity
from kimo_assets.sources.connection import connected, source_errors
from kimo_assets.sources.readers import Segment, read_segments
from kimo_assets.sources.selection import Selection, resolve
from kimo_assets.staging.quarantine import (
    KEPT_COLUMNS,
    Rejection,
    count_rules,
    keep_rejections,
    rejections_of,
    source_row,
)

OnRows = Callable[[int], None]

# Stands for segments that are no longer in the table as they were read: no segment's digest is
# equal to it.
REREAD = "to be read again"

# Raise it when staged rows would differ for the same source: every entity is then read anew.
_STAGING_VERSION = "2"


@dataclass(frozen=True)
class Snapshot:
    """A staged snapshot, as recorded beside its table."""

    definition: str
    segments: list[str]
    rows_read: int
    rows_staged: int
    rows_rejected: int
    checksum: str


def stage_entity(
    connection: Connection,
    engines: Mapping[SystemId, Engine],
    entity: Entity,
    mappings: Sequence[EntityMapping],
    guards: GuardsConfig,
    *,
    load: int,
    area: StagingArea = STAGED_AREA,
    allow_shrink: bool = False,
    on_rows: OnRows = lambda rows: None,
) -> StagedEntity:
    """Reads one entity whole, from each of its sources in turn, and swaps it in. engines: by
    source.

    Raises: SourceError; then nothing has changed. GuardError; then the old rows stay, and the
    quarantine holds what was refused from the snapshot that was not taken, if anything was: it may
    well be why that was so small.
    """
    started = time.monotonic()
    with _opened(engines, entity, mappings) as parts, connection.transaction():
        staging = Staging(connection, area, [part.selection for part in parts], load)
        staging.take(parts, on_rows)
        snapshot = staging.finish()
        suspicion = _suspicion(staging.before, snapshot, guards)
        is_stopped = suspicion is not None and not allow_shrink
        if is_stopped and snapshot.rows_rejected:
            staging.discard()
        elif is_stopped:
            raise GuardError(suspicion)
        else:
            staging.keep(snapshot)
        quarantine = area if staging.changed else STAGED_AREA
        rules = count_rules(connection, quarantine, entity.name)
        new = count_new(connection, quarantine.rejected, [entity.name], 1, load)
    if is_stopped:
        raise GuardError(suspicion)
    return StagedEntity(
        entity=entity.name,
        seconds=time.monotonic() - started,
        status="ok" if staging.changed else "unchanged",
        guard=suspicion,
        read=snapshot.rows_read,
        staged=snapshot.rows_staged,
        rejected=snapshot.rows_rejected,
        rejected_new=new.get(entity.name, 0),
        rules=dict(rules),
    )


@dataclass(frozen=True)
class _Part:
    """What one source contributes to an entity."""

    selection: Selection
    segments: Iterator[Segment]


@contextmanager
def _opened(
    engines: Mapping[SystemId, Engine], entity: Entity, mappings: Sequence[EntityMapping]
) -> Iterator[list[_Part]]:
    """The entity's selections and their segments; what fails while these are read is told as the
    source's error.
    """
    with ExitStack() as stack:
        parts = []
        for mapping in mappings:
            engine = engines[mapping.source]
            with source_errors(mapping.source, engine):
                source = stack.enter_context(connected(engine))
                selection = resolve(engine, source, entity, mapping)
                segments = stack.enter_context(closing(read_segments(engine, source, selection)))
            parts.append(_Part(selection, _read(segments, mapping, engine)))
        _require_one_identity(parts)
        yield parts


def _require_one_identity(parts: Sequence[_Part]) -> None:
    """Raises: PermanentSourceError when one source gives Ids and another leaves them to be
    derived.
    """
    derived = {bool(part.selection.derived_id_from) for part in parts}
    if len(derived) > 1:
        name = parts[0].selection.entity.name
        raise PermanentSourceError(
            f"one source gives an Id for {name} and another does not: map entities.{name}.fields.Id"
            " for both, or for none"
        )


def _read(segments: Iterator[Segment], mapping: EntityMapping, engine: Engine) -> Iterator[Segment]:
    while True:
        with source_errors(mapping.source, engine):
            segment = next(segments, None)
        if segment is None:
            return
        yield segment


class Staging:
    """The new snapshot while it grows. The table is made when the stream first differs from the
    last one's.
    """

    def __init__(
        self, connection: Connection, area: StagingArea, selections: Sequence[Selection], load: int
    ) -> None:
        self._connection = connection
        self._area = area
        self._selections = selections
        self._entity = selections[0].entity
        self.fields = [
            name for name in self._entity.fields if any(name in s.fields for s in selections)
        ]
        self._given = carried_columns(max(len(s.carried) for s in selections))
        self._load = load
        self._name = f"{self._entity.name}__next"
        self.table = table(area.schema, self._name)
        self._definition = _digest(
            "\n".join([_STAGING_VERSION, *(s.definition for s in selections)]).encode()
        )
        self._segments: list[str] = []
        self._part_of_segment: list[int] = []
        self._rows_read = 0
        self._writing = False
        self._written_from = 0
        self._has_old_rejections = False
        self.before = last_snapshot(connection, self._entity.name)
        # None: nothing comparable was read before, so that even an empty stream is a new one.
        self._expected: list[str] | None = None
        if self.before and self.before.definition == self._definition:
            self._expected = self.before.segments

    @property
    def changed(self) -> bool:
        return self._writing

    @property
    def is_comparable(self) -> bool:
        """Whether the last snapshot was read in the same way."""
        return self._expected is not None

    @property
    def segments_written(self) -> int:
        return len(self._part_of_segment)

    @property
    def part_of_segment(self) -> sql.Composed:
        """The position of the selection that a row of the new table was read by."""
        parts = sql.SQL(", ").join(map(sql.Literal, self._part_of_segment))
        return sql.SQL("(ARRAY[{}]::integer[])[{} + 1]").format(parts, sql.Identifier(SEGMENT))

    def take(self, parts: Iterable[_Part], on_rows: OnRows) -> None:
        number = 0
        for position, part in enumerate(parts):
            for segment in part.segments:
                self._take_one(segment, number, position)
                on_rows(segment.rows_read)
                number += 1
        if not self._writing and self._expected != self._segments:
            self.start_writing(len(self._segments))

    def _take_one(self, segment: Segment, number: int, part: int) -> None:
        refused = (repr(row).encode() for row in segment.refused)
        self._segments.append(_digest(segment.data, *refused, f"part {part}".encode()))
        self._rows_read += segment.rows_read
        if not self._writing and (self._expected or [])[number : number + 1] != self._segments[-1:]:
            self.start_writing(number)
        if self._writing:
            self.write(segment, number, part)
        else:
            self._part_of_segment.append(part)

    def start_writing(self, number: int) -> None:
        """Makes the new table; the rows of the segments before `number` are yesterday's, taken over
        as they are.
        """
        self._writing = True
        self._written_from = number
        self.make_table()
        self._take_over_rejections(number)
        if number:
            self._connection.execute(
                sql.SQL(
                    "INSERT INTO {new} ({columns}) SELECT {columns} FROM {old} WHERE {segment} <"
                    " {number}"
                ).format(
                    new=self.table,
                    old=table(STAGED_AREA.schema, self._entity.name),
                    columns=columns([*self.fields, SEGMENT]),
                    segment=sql.Identifier(SEGMENT),
                    number=sql.Literal(number),
                )
            )

    def make_table(self) -> None:
        """The new table, empty."""
        derived_from = self._selections[0].derived_id_from
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self.table))
        self._connection.execute(
            staging_table(self._entity, self.fields, self.table, derived_from, len(self._given))
        )

    def _take_over_rejections(self, number: int) -> None:
        """Leaves in the area's quarantine what was refused from the segments before `number`, and
        no more.
        """
        ours = of_entity(self._entity.name, 1)
        again = sql.SQL("{} AND (segment < {}) IS NOT TRUE").format(ours, sql.Literal(number))
        self._has_old_rejections = remember_since(self._connection, again)
        if self._area == STAGED_AREA:
            self._connection.execute(
                sql.SQL("DELETE FROM {} WHERE {}").format(self._area.rejected, again)
            )
        elif number:
            self._connection.execute(
                sql.SQL(
                    "INSERT INTO {} ({kept}) SELECT {kept} FROM {} WHERE {} AND segment < {} ORDER"
                    " BY id"
                ).format(
                    self._area.rejected,
                    STAGED_AREA.rejected,
                    ours,
                    sql.Literal(number),
                    kept=columns(KEPT_COLUMNS),
                )
            )

    def write(self, segment: Segment, number: int, part: int) -> None:
        """Copies the segment's rows into the new table, and those that it refuses into the
        quarantine.
        """
        self._part_of_segment.append(part)
        selection = self._selections[part]
        # The segment's number is the column's default while its rows arrive, so that no row has to
        # carry it.
        self._connection.execute(
            sql.SQL("ALTER TABLE {} ALTER {} SET DEFAULT {}").format(
                self.table, sql.Identifier(SEGMENT), sql.Literal(number)
            )
        )
        names = columns([*selection.fields, *carried_columns(len(selection.carried))])
        skipped = copy_rows(self._connection, self.table, names, segment.data)
        rejections = rejections_of(segment, number, skipped, selection)
        keep_rejections(self._connection, self._area, selection, self._load, rejections)

    def finish(self) -> Snapshot:
        """The snapshot that now stands: the new table's, or yesterday's where nothing differed."""
        if not self._writing:
            assert self.before is not None, "an unchanged stream has one before it"  # noqa: S101
            return self.before
        staged, keys, checksum = measure(self._connection, self.table)
        if keys < staged:
            self._refuse_rows_without_key()
            self._refuse_duplicates()
            staged, _, checksum = measure(self._connection, self.table)
        self._let_go_of_what_was_given()
        anew = sql.SQL("{} AND segment >= {}").format(
            of_entity(self._entity.name, 1), sql.Literal(self._written_from)
        )
        if self._has_old_rejections:
            restore_since(self._connection, self._area.rejected, anew)
        return Snapshot(
            self._definition,
            self._segments,
            self._rows_read,
            staged,
            self._rows_read - staged,
            checksum,
        )

    def _let_go_of_what_was_given(self) -> None:
        if self._given:
            dropped = sql.SQL(", ").join(
                sql.SQL("DROP COLUMN {}").format(sql.Identifier(name)) for name in self._given
            )
            self._connection.execute(sql.SQL("ALTER TABLE {} {}").format(self.table, dropped))

    def _refuse_rows_without_key(self) -> None:
        if self._selections[0].derived_id_from:
            self.refuse(
                "missing_key", sql.SQL('SELECT ctid FROM {} WHERE "Id" IS NULL').format(self.table)
            )

    def _refuse_duplicates(self) -> None:
        """Of rows with one key the first of the stream stays."""
        self.refuse(
            "duplicate_key",
            sql.SQL("""
                SELECT ctid FROM (
                    SELECT ctid, row_number() OVER (PARTITION BY "Id" ORDER BY {segment}, ctid)
                        AS nth
                    FROM {table} WHERE hashtextextended("Id", 0) IN (
                        SELECT hashtextextended("Id", 0) FROM {table} GROUP BY 1 HAVING count(*) > 1
                    )
                ) AS doubles WHERE nth > 1
                """).format(table=self.table, segment=sql.Identifier(SEGMENT)),
        )

    def refuse(self, rule: str, which: sql.Composable) -> None:
        """Takes the rows of which `which` selects the ctid out of the new table and keeps them in
        quarantine.
        """
        segment = sql.Identifier(SEGMENT)
        removed = self._connection.execute(
            sql.SQL("DELETE FROM {} WHERE ctid IN ({}) RETURNING {}, {}").format(
                self.table,
                which,
                segment,
                sql.SQL(", ").join(
                    sql.SQL("{}::text").format(sql.Identifier(name))
                    for name in (*self.fields, *self._given)
                ),
            )
        )
        found: list[list[Rejection]] = [[] for _ in self._selections]
        for number, *values in removed:
            part = self._part_of_segment[number]
            found[part].append(self._rejection(rule, self._selections[part], values, number))
        for selection, rejections in zip(self._selections, found, strict=True):
            keep_rejections(self._connection, self._area, selection, self._load, rejections)

    def _rejection(
        self, rule: str, selection: Selection, values: Sequence[str | None], number: int
    ) -> Rejection:
        by_field = dict(zip([*self.fields, *self._given], values, strict=True))
        names = [*selection.fields, *carried_columns(len(selection.carried))]
        row = source_row(selection, [by_field[name] for name in names])
        key = "Id" if "Id" in selection.fields else selection.derived_id_from[0]
        return Rejection(
            rule, key, by_field.get(key) if key in selection.fields else None, row, number
        )

    def keep(self, snapshot: Snapshot) -> None:
        if self._writing:
            self._swap()
        if self._writing or self._area == STAGED_AREA:
            record_snapshot(self._connection, self._area, self._entity.name, self._load, snapshot)

    def discard(self) -> None:
        """Leaves the old table, of which only the segments before the first written one still match
        the quarantine.
        """
        self._connection.execute(sql.SQL("DROP TABLE {}").format(self.table))
        self._connection.execute(
            "UPDATE ops.staged SET segments = segments[1:%s] || %s::text WHERE entity = %s",
            [self._written_from, REREAD, self._entity.name],
        )

    def _swap(self) -> None:
        old = table(self._area.schema, self._entity.name)
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(old))
        self._connection.execute(
            sql.SQL("ALTER TABLE {} RENAME TO {}").format(
                self.table, sql.Identifier(self._entity.name)
            )
        )


def measure(connection: Connection, snapshot: sql.Identifier) -> tuple[int, int, str]:
    """Rows, different keys, checksum. Keys are counted by a hash: eight bytes a row, where they
    would not fit.
    """
    row = connection.execute(
        sql.SQL("""
            SELECT count(DISTINCT hashtextextended("Id", 0)),
                   count(*), coalesce(bit_xor({hash}), 0), coalesce(sum({hash} >> 32), 0)
            FROM {table}
            """).format(hash=sql.Identifier(HASH), table=snapshot)
    ).fetchone()
    assert row is not None, "an aggregate has a row"  # noqa: S101
    keys, *content = row
    return content[0], keys, ":".join(map(str, content))


def record_snapshot(
    connection: Connection, area: StagingArea, entity: str, load: int, snapshot: Snapshot
) -> None:
    connection.execute(
        sql.SQL("""
            INSERT INTO {} (entity, load, definition, segments, rows_read, rows_staged,
                rows_rejected, checksum)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (entity) DO UPDATE SET
                (load, definition, segments, rows_read, rows_staged, rows_rejected,
                checksum, staged_at) = (excluded.load, excluded.definition, excluded.segments,
                    excluded.rows_read,
                excluded.rows_staged, excluded.rows_rejected, excluded.checksum, now())
            """).format(area.staged),
        [
            entity,
            load,
            snapshot.definition,
            snapshot.segments,
            snapshot.rows_read,
            snapshot.rows_staged,
            snapshot.rows_rejected,
            snapshot.checksum,
        ],
    )


def last_snapshot(
    connection: Connection, entity: str, area: StagingArea = STAGED_AREA
) -> Snapshot | None:
    """What the area holds of the entity: None when that is nothing."""
    row = connection.execute(
        sql.SQL(
            "SELECT definition, segments, rows_read, rows_staged, rows_rejected, checksum FROM {}"
            " WHERE entity = %s"
        ).format(area.staged),
        [entity],
    ).fetchone()
    return Snapshot(*row) if row else None


def _suspicion(before: Snapshot | None, after: Snapshot, guards: GuardsConfig) -> str | None:
    """Why the snapshot is not taken: so many rows are gone that a broken ERP export is likelier
    than a clean-out.
    """
    if before is None:
        return None
    lost = before.rows_staged - after.rows_staged
    emptied = before.rows_staged > 0 and after.rows_staged == 0
    shrunk = (
        lost >= max(1, guards.min_shrink_rows) and lost > guards.max_shrink * before.rows_staged
    )
    if not (emptied or shrunk):
        return None
    refused = (
        f" {after.rows_rejected} of {after.rows_read} rows read were refused."
        if after.rows_rejected
        else ""
    )
    return (
        f"the snapshot has {after.rows_staged} rows, the last one had {before.rows_staged} "
        f"({lost / before.rows_staged:.0%} gone; allowed are {guards.max_shrink:.0%}).{refused} "
        "Yesterday's data stay. If it is right so, run again with --allow-shrink."
    )


def _digest(*parts: bytes) -> str:
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
