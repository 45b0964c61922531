"""One entity of step 1, in one transaction: the new snapshot takes the old one's place whole, or not at all.

A stream that begins like yesterday's is not written again: segments are compared by digest, and rows of the equal
beginning are taken over inside the database. An equal stream writes nothing.
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
from kimo_assets.database.names import HASH, INTEGRATOR, SEGMENT, StagingArea, columns, given_columns, table
from kimo_assets.errors import GuardError, PermanentSourceError
from kimo_assets.reports import StagedEntity
from kimo_assets.sources.connection import connected, source_errors
from kimo_assets.sources.readers import Segment, read_segments
from kimo_assets.sources.selection import Selection, resolve
from kimo_assets.staging.quarantine import Rejection, count_rules, keep_rejections, rejections_of, source_row

OnRows = Callable[[int], None]

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
    area: StagingArea = INTEGRATOR,
    allow_shrink: bool = False,
    on_rows: OnRows = lambda rows: None,
) -> StagedEntity:
    """Reads one entity whole, from each of its sources in turn, and swaps it in. engines: by source.

    Raises: SourceError; then nothing has changed. GuardError; then the old rows stay, and the quarantine holds what was
    refused from the snapshot that was not taken, if anything was: it may well be why that was so small.
    """
    started = time.monotonic()
    with _opened(engines, entity, mappings) as parts, connection.transaction():
        staging = _Staging(connection, area, [part.selection for part in parts], load)
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
        rules = count_rules(connection, area if staging.changed else INTEGRATOR, entity.name)
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
    """The entity's selections and their segments; what fails while these are read is told as the source's error."""
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
    """Raises: PermanentSourceError when one source gives Ids and another leaves them to be derived."""
    derived = {bool(part.selection.derived_id_from) for part in parts}
    if len(derived) > 1:
        name = parts[0].selection.entity.name
        raise PermanentSourceError(
            f"one source gives an Id for {name} and another does not: map entities.{name}.fields.Id for both, or for none"
        )


def _read(segments: Iterator[Segment], mapping: EntityMapping, engine: Engine) -> Iterator[Segment]:
    while True:
        with source_errors(mapping.source, engine):
            segment = next(segments, None)
        if segment is None:
            return
        yield segment


class _Staging:
    """The new snapshot while it grows. The table is made when the stream first differs from the last one's."""

    def __init__(
        self, connection: Connection, area: StagingArea, selections: Sequence[Selection], load: int
    ) -> None:
        self._connection = connection
        self._area = area
        self._selections = selections
        self._entity = selections[0].entity
        self._fields = [name for name in self._entity.fields if any(name in s.fields for s in selections)]
        self._given = given_columns(max(len(s.carried) for s in selections))
        self._load = load
        self._name = f"{self._entity.name}__next"
        self._table = table(area.schema, self._name)
        self._definition = _digest("\n".join([_STAGING_VERSION, *(s.definition for s in selections)]).encode())
        self._segments: list[str] = []
        self._part_of_segment: list[int] = []
        self._rows_read = 0
        self._writing = False
        self._written_from = 0
        self.before = last_snapshot(connection, self._entity.name)
        # None: nothing comparable was read before, so that even an empty stream is a new one.
        self._expected: list[str] | None = None
        if self.before and self.before.definition == self._definition:
            self._expected = self.before.segments

    @property
    def changed(self) -> bool:
        return self._writing

    def take(self, parts: Iterable[_Part], on_rows: OnRows) -> None:
        number = 0
        for position, part in enumerate(parts):
            for segment in part.segments:
                self._take_one(segment, number, position)
                on_rows(segment.rows_read)
                number += 1
        if not self._writing and self._expected != self._segments:
            self._start_writing(len(self._segments))

    def _take_one(self, segment: Segment, number: int, part: int) -> None:
        refused = (repr(row).encode() for row in segment.refused)
        self._segments.append(_digest(segment.data, *refused, f"part {part}".encode()))
        self._part_of_segment.append(part)
        self._rows_read += segment.rows_read
        if not self._writing and (self._expected or [])[number : number + 1] != self._segments[-1:]:
            self._start_writing(number)
        if self._writing:
            self._write(segment, number, self._selections[part])

    def _start_writing(self, number: int) -> None:
        """Makes the new table; the rows of the segments before `number` are yesterday's, taken over as they are."""
        self._writing = True
        self._written_from = number
        derived_from = self._selections[0].derived_id_from
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self._table))
        self._connection.execute(
            staging_table(self._entity, self._fields, self._table, derived_from, len(self._given))
        )
        self._take_over_rejections(number)
        if number:
            self._connection.execute(
                sql.SQL("INSERT INTO {new} ({columns}) SELECT {columns} FROM {old} WHERE {segment} < {number}").format(
                    new=self._table,
                    old=table(INTEGRATOR.schema, self._entity.name),
                    columns=columns([*self._fields, SEGMENT]),
                    segment=sql.Identifier(SEGMENT),
                    number=sql.Literal(number),
                )
            )

    def _take_over_rejections(self, number: int) -> None:
        """Leaves in the area's quarantine what was refused from the segments before `number`, and no more."""
        kept = sql.SQL("entity = {} AND step = 1 AND segment < {}").format(
            sql.Literal(self._entity.name), sql.Literal(number)
        )
        if self._area == INTEGRATOR:
            self._connection.execute(
                sql.SQL("DELETE FROM {} WHERE entity = {} AND step = 1 AND ({}) IS NOT TRUE").format(
                    self._area.rejected, sql.Literal(self._entity.name), kept
                )
            )
        else:
            self._connection.execute(
                sql.SQL("INSERT INTO {} OVERRIDING SYSTEM VALUE SELECT * FROM {} WHERE {}").format(
                    self._area.rejected, INTEGRATOR.rejected, kept
                )
            )

    def _write(self, segment: Segment, number: int, selection: Selection) -> None:
        # The segment's number is the column's default while its rows arrive, so that no row has to carry it.
        self._connection.execute(
            sql.SQL("ALTER TABLE {} ALTER {} SET DEFAULT {}").format(
                self._table, sql.Identifier(SEGMENT), sql.Literal(number)
            )
        )
        names = columns([*selection.fields, *given_columns(len(selection.carried))])
        skipped = copy_rows(self._connection, self._table, names, segment.data)
        rejections = rejections_of(segment, number, skipped, selection)
        keep_rejections(self._connection, self._area, selection, self._load, rejections)

    def finish(self) -> Snapshot:
        """The snapshot that now stands: the new table's, or yesterday's where nothing differed."""
        if not self._writing:
            assert self.before is not None, "an unchanged stream has one before it"  # noqa: S101
            return self.before
        staged, keys, checksum = self._measure()
        if keys < staged:
            self._refuse_rows_without_key()
            self._refuse_duplicates()
            staged, _, checksum = self._measure()
        self._let_go_of_what_was_given()
        return Snapshot(self._definition, self._segments, self._rows_read, staged, self._rows_read - staged, checksum)

    def _let_go_of_what_was_given(self) -> None:
        if self._given:
            dropped = sql.SQL(", ").join(sql.SQL("DROP COLUMN {}").format(sql.Identifier(name)) for name in self._given)
            self._connection.execute(sql.SQL("ALTER TABLE {} {}").format(self._table, dropped))

    def _refuse_rows_without_key(self) -> None:
        if self._selections[0].derived_id_from:
            self._refuse("missing_key", sql.SQL('SELECT ctid FROM {table} WHERE "Id" IS NULL'))

    def _refuse_duplicates(self) -> None:
        """Of rows with one key the first of the stream stays."""
        self._refuse(
            "duplicate_key",
            sql.SQL(
                """
                SELECT ctid FROM (
                    SELECT ctid, row_number() OVER (PARTITION BY "Id" ORDER BY {segment}, ctid) AS nth
                    FROM {table} WHERE hashtextextended("Id", 0) IN (
                        SELECT hashtextextended("Id", 0) FROM {table} GROUP BY 1 HAVING count(*) > 1
                    )
                ) AS doubles WHERE nth > 1
                """
            ),
        )

    def _refuse(self, rule: str, which: sql.SQL) -> None:
        """Takes the rows out of the new table and keeps them in quarantine."""
        segment = sql.Identifier(SEGMENT)
        removed = self._connection.execute(
            sql.SQL("DELETE FROM {} WHERE ctid IN ({}) RETURNING {}, {}").format(
                self._table,
                which.format(table=self._table, segment=segment),
                segment,
                sql.SQL(", ").join(
                    sql.SQL("{}::text").format(sql.Identifier(name)) for name in (*self._fields, *self._given)
                ),
            )
        )
        found: list[list[Rejection]] = [[] for _ in self._selections]
        for number, *values in removed:
            part = self._part_of_segment[number]
            found[part].append(self._rejection(rule, self._selections[part], values, number))
        for selection, rejections in zip(self._selections, found, strict=True):
            keep_rejections(self._connection, self._area, selection, self._load, rejections)

    def _rejection(self, rule: str, selection: Selection, values: Sequence[str | None], number: int) -> Rejection:
        by_field = dict(zip([*self._fields, *self._given], values, strict=True))
        names = [*selection.fields, *given_columns(len(selection.carried))]
        row = source_row(selection, [by_field[name] for name in names])
        key = "Id" if "Id" in selection.fields else selection.derived_id_from[0]
        return Rejection(rule, key, by_field.get(key) if key in selection.fields else None, row, number)

    def _measure(self) -> tuple[int, int, str]:
        """Rows, different keys, checksum. Keys are counted by a hash: eight bytes a row, where they would not fit."""
        row = self._connection.execute(
            sql.SQL(
                """
                SELECT count(DISTINCT hashtextextended("Id", 0)),
                       count(*), coalesce(bit_xor({hash}), 0), coalesce(sum({hash} >> 32), 0)
                FROM {table}
                """
            ).format(hash=sql.Identifier(HASH), table=self._table)
        ).fetchone()
        assert row is not None, "an aggregate has a row"  # noqa: S101
        keys, *content = row
        return content[0], keys, ":".join(map(str, content))

    def keep(self, snapshot: Snapshot) -> None:
        if self._writing:
            self._swap()
        if self._writing or self._area == INTEGRATOR:
            record_snapshot(self._connection, self._area, self._entity.name, self._load, snapshot)

    def discard(self) -> None:
        """Leaves the old table, of which only the segments before the first written one still match the quarantine."""
        self._connection.execute(sql.SQL("DROP TABLE {}").format(self._table))
        self._connection.execute(
            "UPDATE ops.staged SET segments = segments[1:%s] WHERE entity = %s", [self._written_from, self._entity.name]
        )

    def _swap(self) -> None:
        old = table(self._area.schema, self._entity.name)
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(old))
        self._connection.execute(
            sql.SQL("ALTER TABLE {} RENAME TO {}").format(self._table, sql.Identifier(self._entity.name))
        )


def record_snapshot(
    connection: Connection, area: StagingArea, entity: str, load: int, snapshot: Snapshot
) -> None:
    connection.execute(
        sql.SQL(
            """
            INSERT INTO {} (entity, load, definition, segments, rows_read, rows_staged, rows_rejected, checksum)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (entity) DO UPDATE SET (load, definition, segments, rows_read, rows_staged, rows_rejected,
                checksum, staged_at) = (excluded.load, excluded.definition, excluded.segments, excluded.rows_read,
                excluded.rows_staged, excluded.rows_rejected, excluded.checksum, now())
            """
        ).format(area.staged),
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


def last_snapshot(connection: Connection, entity: str, area: StagingArea = INTEGRATOR) -> Snapshot | None:
    """What the area holds of the entity: None when that is nothing."""
    row = connection.execute(
        sql.SQL(
            "SELECT definition, segments, rows_read, rows_staged, rows_rejected, checksum FROM {} WHERE entity = %s"
        ).format(area.staged),
        [entity],
    ).fetchone()
    return Snapshot(*row) if row else None


def _suspicion(before: Snapshot | None, after: Snapshot, guards: GuardsConfig) -> str | None:
    """Why the snapshot is not taken: so many rows are gone that a broken ERP export is likelier than a clean-out."""
    if before is None:
        return None
    lost = before.rows_staged - after.rows_staged
    emptied = before.rows_staged > 0 and after.rows_staged == 0
    shrunk = lost >= max(1, guards.min_shrink_rows) and lost > guards.max_shrink * before.rows_staged
    if not (emptied or shrunk):
        return None
    refused = f" {after.rows_rejected} of {after.rows_read} rows read were refused." if after.rows_rejected else ""
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
