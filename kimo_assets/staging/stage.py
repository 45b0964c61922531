"""One entity of step 1, in one transaction: the new snapshot replaces the old one whole, or not.

A stream that begins like yesterday's is not written again. Segments are compared by digest, and the
rows of the equal beginning are copied inside the database. An equal stream writes nothing.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

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
from kimo_assets.texts import say

OnRows = Callable[[int], None]

# Stands in place of segments that are no longer in the table as they were read. No digest equals
# it.
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


def stage_entity(  # noqa: PLR0913
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
    """Reads one entity whole, from each of its sources in turn, and swaps it in.

    engines: by source. Raises: SourceError, or GuardError when the snapshot lost too many rows.
    Both leave the old rows in place.
    """
    started = time.monotonic()
    with _opened(engines, entity, mappings) as parts, connection.transaction():
        staging = Staging(connection, area, [part.selection for part in parts], load)
        staging.take(parts, on_rows)
        snapshot = staging.finish()
        suspicion = _suspicion(staging.before, snapshot, guards)
        is_stopped = suspicion is not None and not allow_shrink
        # The rejected rows of a snapshot that is not taken are kept: they may well be the reason
        # why it is so small.
        if is_stopped and snapshot.rows_rejected:
            staging.discard()
        elif is_stopped:
            raise GuardError(suspicion)
        else:
            staging.keep(snapshot)
        # An unchanged snapshot of a plan has written nothing into the plan's area.
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
    """The entity's selections with their segments. Reading these raises SourceError."""
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
        raise PermanentSourceError(say("staging.id_from_one_source_only", entity=name))


def _read(segments: Iterator[Segment], mapping: EntityMapping, engine: Engine) -> Iterator[Segment]:
    """The segments. The driver's errors become SourceErrors, those of the caller's body do not."""
    while True:
        with source_errors(mapping.source, engine):
            segment = next(segments, None)
        if segment is None:
            return
        yield segment


class Staging:
    """The new snapshot while it grows.

    Its table is created when the stream first differs from the last one.
    """

    def __init__(
        self, connection: Connection, area: StagingArea, selections: Sequence[Selection], load: int
    ) -> None:
        self._connection = connection
        self._area = area
        self._selections = selections
        self._entity = selections[0].entity
        mapped = {name for selection in selections for name in selection.fields}
        self.fields = [name for name in self._entity.fields if name in mapped]
        self._carried = carried_columns(max(len(selection.carried) for selection in selections))
        self._load = load
        self._name = f"{self._entity.name}__next"
        self.table = table(area.schema, self._name)
        definitions = [selection.definition for selection in selections]
        self._definition = _digest("\n".join([_STAGING_VERSION, *definitions]).encode())
        self._segments: list[str] = []
        self._part_of_segment: list[int] = []
        self._rows_read = 0
        self._writing = False
        self._written_from = 0
        self._has_old_rejections = False
        self.before = last_snapshot(connection, self._entity.name)
        # The digests of the last stream. None: nothing comparable was read before, so that even an
        # empty stream is a new one.
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
        """SQL for the position of the selection that a row of the new table was read by."""
        parts = sql.SQL(", ").join(map(sql.Literal, self._part_of_segment))
        return sql.SQL("(ARRAY[{}]::integer[])[{} + 1]").format(parts, sql.Identifier(SEGMENT))

    def take(self, parts: Iterable[_Part], on_rows: OnRows) -> None:
        """Takes the whole stream: the segments of all parts, numbered through."""
        number = 0
        for position, part in enumerate(parts):
            for segment in part.segments:
                self._take_segment(segment, number, position)
                on_rows(segment.rows_read)
                number += 1
        # The last stream may have been longer than this one.
        if not self._writing and self._expected != self._segments:
            self.start_writing(len(self._segments))

    def _take_segment(self, segment: Segment, number: int, part: int) -> None:
        """Counts a segment that is expected, and writes one that is not, and all after it."""
        rejected = [repr(row).encode() for row in segment.rejected]
        # The part counts as well. Rows that come from another source now, unchanged, belong in the
        # quarantine under that source's name and columns.
        digest = _digest(segment.data, *rejected, f"part {part}".encode())
        self._segments.append(digest)
        self._rows_read += segment.rows_read
        if not self._writing and not self._is_expected(digest, number):
            self.start_writing(number)
        if self._writing:
            self.write(segment, number, part)
        else:
            self._part_of_segment.append(part)

    def _is_expected(self, digest: str, number: int) -> bool:
        """Whether the last stream had the same segment at this place."""
        expected = self._expected or []
        return number < len(expected) and expected[number] == digest

    def start_writing(self, number: int) -> None:
        """Creates the new table. Yesterday's rows of the segments before `number` are copied."""
        self._writing = True
        self._written_from = number
        self.make_table()
        self._take_over_rejections(number)
        if number:
            self._connection.execute(
                sql.SQL("""
                    INSERT INTO {new} ({columns})
                    SELECT {columns} FROM {old} WHERE {segment} < {number}
                    """).format(
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
            staging_table(self._entity, self.fields, self.table, derived_from, len(self._carried))
        )

    def _take_over_rejections(self, number: int) -> None:
        """Leaves in the area's quarantine the rejected rows of the segments before `number`."""
        ours = of_entity(self._entity.name, 1)
        to_be_read = sql.SQL("{} AND (segment < {}) IS NOT TRUE").format(ours, sql.Literal(number))
        self._has_old_rejections = remember_since(self._connection, to_be_read)
        if self._area == STAGED_AREA:
            self._connection.execute(
                sql.SQL("DELETE FROM {} WHERE {}").format(self._area.rejected, to_be_read)
            )
        elif number:
            self._connection.execute(
                sql.SQL("""
                    INSERT INTO {planned} ({kept})
                    SELECT {kept} FROM {staged} WHERE {ours} AND segment < {number} ORDER BY id
                    """).format(
                    planned=self._area.rejected,
                    staged=STAGED_AREA.rejected,
                    ours=ours,
                    number=sql.Literal(number),
                    kept=columns(KEPT_COLUMNS),
                )
            )

    def write(self, segment: Segment, number: int, part: int) -> None:
        """Copies the segment's rows into the new table, and rejected ones into the quarantine."""
        self._part_of_segment.append(part)
        selection = self._selections[part]
        # The number is the column's default while the rows arrive, so that no row has to carry it.
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
        """The snapshot that now stands: the new one, or yesterday's where nothing differed."""
        if not self._writing:
            assert self.before is not None, "an unchanged stream has one before it"  # noqa: S101
            return self.before
        staged, keys, checksum = measure(self._connection, self.table)
        # count(DISTINCT) passes over NULL, so rows without a key make this difference too. Two keys
        # with one hash only cost a look that finds nothing.
        if keys < staged:
            self._reject_rows_without_key()
            self._reject_duplicates()
            staged, _, checksum = measure(self._connection, self.table)
        self._drop_carried_columns()
        if self._has_old_rejections:
            written = sql.SQL("{} AND segment >= {}").format(
                of_entity(self._entity.name, 1), sql.Literal(self._written_from)
            )
            restore_since(self._connection, self._area.rejected, written)
        return Snapshot(
            definition=self._definition,
            segments=self._segments,
            rows_read=self._rows_read,
            rows_staged=staged,
            rows_rejected=self._rows_read - staged,
            checksum=checksum,
        )

    def _drop_carried_columns(self) -> None:
        if self._carried:
            dropped = sql.SQL(", ").join(
                sql.SQL("DROP COLUMN {}").format(sql.Identifier(name)) for name in self._carried
            )
            self._connection.execute(sql.SQL("ALTER TABLE {} {}").format(self.table, dropped))

    def _reject_rows_without_key(self) -> None:
        # A mapped Id is never NULL: COPY has rejected such rows.
        if self._selections[0].derived_id_from:
            rows = sql.SQL('SELECT ctid FROM {} WHERE "Id" IS NULL').format(self.table)
            self.reject("missing_key", rows)

    def _reject_duplicates(self) -> None:
        """Of rows with one key the first of the stream stays."""
        # The inner query finds the few keys by their hashes. Numbering all rows would sort them.
        rows = sql.SQL("""
            SELECT ctid FROM (
                SELECT ctid,
                    row_number() OVER (PARTITION BY "Id" ORDER BY {segment}, ctid) AS nth
                FROM {table} WHERE hashtextextended("Id", 0) IN (
                    SELECT hashtextextended("Id", 0) FROM {table} GROUP BY 1 HAVING count(*) > 1
                )
            ) AS doubles WHERE nth > 1
            """).format(table=self.table, segment=sql.Identifier(SEGMENT))
        self.reject("duplicate_key", rows)

    def reject(self, rule: str, rows: sql.Composable) -> None:
        """Moves rows of the new table into the quarantine. rows: a query for their ctids."""
        texts = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in self._columns]
        removed = self._connection.execute(
            sql.SQL("DELETE FROM {} WHERE ctid IN ({}) RETURNING {}, {}").format(
                self.table, rows, sql.Identifier(SEGMENT), sql.SQL(", ").join(texts)
            )
        )
        by_part: list[list[Rejection]] = [[] for _ in self._selections]
        for number, *values in removed:
            part = self._part_of_segment[number]
            by_part[part].append(self._rejection(rule, self._selections[part], values, number))
        for selection, rejections in zip(self._selections, by_part, strict=True):
            keep_rejections(self._connection, self._area, selection, self._load, rejections)

    @property
    def _columns(self) -> list[str]:
        return [*self.fields, *self._carried]

    def _rejection(
        self, rule: str, selection: Selection, values: Sequence[str | None], number: int
    ) -> Rejection:
        """The rejection of a row for its key. values: as text, in the order of _columns."""
        by_column = dict(zip(self._columns, values, strict=True))
        names = [*selection.fields, *carried_columns(len(selection.carried))]
        row = source_row(selection, [by_column[name] for name in names])
        key = "Id" if "Id" in selection.fields else selection.derived_id_from[0]
        # The first part of a derived Id need not be mapped.
        value = by_column.get(key) if key in selection.fields else None
        return Rejection(rule, key, value, row, number)

    def keep(self, snapshot: Snapshot) -> None:
        """Puts the new table in place, and records what the area holds now."""
        if self._writing:
            self._swap()
        if self._writing or self._area == STAGED_AREA:
            record_snapshot(self._connection, self._area, self._entity.name, self._load, snapshot)

    def discard(self) -> None:
        """Leaves the old table. The quarantine is the new snapshot's from the first written segment
        on, so that the next import has to read on from there.
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
    """Rows, different keys, checksum."""
    # Two equal hashes cancel each other out in an XOR, so the checksum has a sum beside it.
    # Keys are counted by a hash of eight bytes, because the keys themselves would not fit in the
    # memory for a sort.
    row = connection.execute(
        sql.SQL("""
            SELECT count(DISTINCT hashtextextended("Id", 0)), count(*),
                coalesce(bit_xor({hash}), 0), coalesce(sum({hash} >> 32), 0)
            FROM {table}
            """).format(hash=sql.Identifier(HASH), table=snapshot)
    ).fetchone()
    assert row is not None, "an aggregate has a row"  # noqa: S101
    keys, rows, *hashes = row
    return rows, keys, ":".join(map(str, [rows, *hashes]))


def record_snapshot(
    connection: Connection, area: StagingArea, entity: str, load: int, snapshot: Snapshot
) -> None:
    """Notes what the area holds of the entity from this load on."""
    connection.execute(
        sql.SQL("""
            INSERT INTO {} (
                entity, load, definition, segments, rows_read, rows_staged, rows_rejected, checksum
            )
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (entity) DO UPDATE SET
                load = excluded.load,
                definition = excluded.definition,
                segments = excluded.segments,
                rows_read = excluded.rows_read,
                rows_staged = excluded.rows_staged,
                rows_rejected = excluded.rows_rejected,
                checksum = excluded.checksum,
                staged_at = now()
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
    """What the area holds of the entity, None for nothing."""
    row = connection.execute(
        sql.SQL("""
            SELECT definition, segments, rows_read, rows_staged, rows_rejected, checksum
            FROM {} WHERE entity = %s
            """).format(area.staged),
        [entity],
    ).fetchone()
    return Snapshot(*row) if row else None


def _suspicion(before: Snapshot | None, after: Snapshot, guards: GuardsConfig) -> str | None:
    """Why the snapshot is not to be taken, None if it is."""
    # When so many rows are gone, a broken export of the ERP is likelier than a clean-out.
    if before is None:
        return None
    lost = before.rows_staged - after.rows_staged
    # An export of the ERP's that broke off may leave an empty table. However few rows there were,
    # what could not be read is never taken for nothing (design, section 4).
    is_emptied = before.rows_staged > 0 and after.rows_staged == 0
    is_above_share = lost > guards.max_shrink * before.rows_staged
    is_shrunk = is_above_share and lost >= max(1, guards.min_shrink_rows)
    if not (is_emptied or is_shrunk):
        return None
    figures: dict[str, Any] = {
        "rows": after.rows_staged,
        "before": before.rows_staged,
        "lost": lost / before.rows_staged,
        "allowed": guards.max_shrink,
    }
    if not after.rows_rejected:
        return say("staging.shrunk", **figures)
    return say(
        "staging.shrunk_with_rejections",
        **figures,
        rejected=after.rows_rejected,
        read=after.rows_read,
    )


def _digest(*parts: bytes) -> str:
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
