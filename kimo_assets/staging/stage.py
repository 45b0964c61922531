"""One entity of step 1, in one transaction: the new snapshot takes the old one's place whole, or not at all.

A stream that begins like yesterday's is not written again: segments are compared by digest, and rows of the equal
beginning are taken over inside the database. An equal stream writes nothing.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import blake2b

from psycopg import Connection, sql
from sqlalchemy import Engine

from kimo_assets.catalog import Entity
from kimo_assets.config import EntityMapping, GuardsConfig
from kimo_assets.database.copy import copy_rows
from kimo_assets.database.ddl import staging_table
from kimo_assets.database.names import HASH, SEGMENT, STAGING, columns, table
from kimo_assets.errors import GuardError
from kimo_assets.reports import StagedEntity
from kimo_assets.sources.connection import source_errors
from kimo_assets.sources.readers import Segment, read_segments
from kimo_assets.sources.selection import Selection, resolve
from kimo_assets.staging.quarantine import Rejection, count_rules, keep_rejections, rejections_of

OnRows = Callable[[int], None]

# Raise it when staged rows would differ for the same source: every entity is then read anew.
_STAGING_VERSION = "1"


@dataclass(frozen=True)
class Snapshot:
    """What integrator.<entity> holds now, from ops.staged."""

    definition: str
    segments: list[str]
    rows_read: int
    rows_staged: int
    rows_rejected: int
    checksum: str


def stage_entity(
    connection: Connection,
    engine: Engine,
    entity: Entity,
    mapping: EntityMapping,
    guards: GuardsConfig,
    *,
    load: int,
    allow_shrink: bool = False,
    on_rows: OnRows = lambda rows: None,
) -> StagedEntity:
    """Reads one entity whole and swaps it in.

    Raises: SourceError; then nothing has changed. GuardError; then the old rows stay, and ops.rejected_row holds what was
    refused from the snapshot that was not taken, if anything was: it may well be why that was so small.
    """
    started = time.monotonic()
    with _opened(engine, entity, mapping) as (selection, segments), connection.transaction():
        staging = _Staging(connection, selection, load)
        staging.take(segments, on_rows)
        snapshot = staging.finish()
        suspicion = None if allow_shrink else _suspicion(staging.before, snapshot, guards)
        if suspicion and snapshot.rows_rejected:
            staging.discard()
        elif suspicion:
            raise GuardError(suspicion)
        else:
            staging.keep(snapshot)
        rules = count_rules(connection, entity.name, 1)
    if suspicion:
        raise GuardError(suspicion)
    return StagedEntity(
        entity=entity.name,
        seconds=time.monotonic() - started,
        status="ok" if staging.changed else "unchanged",
        read=snapshot.rows_read,
        staged=snapshot.rows_staged,
        rejected=snapshot.rows_rejected,
        rules=dict(rules),
    )


@contextmanager
def _opened(engine: Engine, entity: Entity, mapping: EntityMapping) -> Iterator[tuple[Selection, Iterator[Segment]]]:
    """The entity's selection and its segments; what fails while these are read is told as the source's error."""
    with source_errors(mapping.source, engine):
        source = engine.connect()
    with closing(source):
        with source_errors(mapping.source, engine):
            selection = resolve(engine, source, entity, mapping)
            segments = read_segments(engine, source, selection)
        with closing(segments):
            yield selection, _read(segments, mapping, engine)


def _read(segments: Iterator[Segment], mapping: EntityMapping, engine: Engine) -> Iterator[Segment]:
    while True:
        with source_errors(mapping.source, engine):
            segment = next(segments, None)
        if segment is None:
            return
        yield segment


class _Staging:
    """The new snapshot while it grows. The table is made when the stream first differs from the last one's."""

    def __init__(self, connection: Connection, selection: Selection, load: int) -> None:
        self._connection = connection
        self._selection = selection
        self._load = load
        self._name = f"{selection.entity.name}__next"
        self._definition = _digest(f"{_STAGING_VERSION}\n{selection.definition}".encode())
        self._segments: list[str] = []
        self._rows_read = 0
        self._writing = False
        self._written_from = 0
        self.before = last_snapshot(connection, selection.entity.name)
        # None: nothing comparable was read before, so that even an empty stream is a new one.
        self._expected: list[str] | None = None
        if self.before and self.before.definition == self._definition:
            self._expected = self.before.segments

    @property
    def changed(self) -> bool:
        return self._writing

    def take(self, segments: Iterable[Segment], on_rows: OnRows) -> None:
        for number, segment in enumerate(segments):
            self._segments.append(_digest(segment.data, *(repr(row).encode() for row in segment.refused)))
            self._rows_read += segment.rows_read
            if not self._writing and (self._expected or [])[number : number + 1] != self._segments[-1:]:
                self._start_writing(number)
            if self._writing:
                self._write(segment, number)
            on_rows(segment.rows_read)
        if not self._writing and self._expected != self._segments:
            self._start_writing(len(self._segments))

    def _start_writing(self, number: int) -> None:
        """Makes the new table; the rows of the segments before `number` are yesterday's, taken over as they are."""
        self._writing = True
        self._written_from = number
        entity, mapped = self._selection.entity, self._selection.fields
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table(STAGING, self._name)))
        self._connection.execute(staging_table(entity, mapped, self._name, self._selection.derived_id_from))
        self._connection.execute(
            "DELETE FROM ops.rejected_row WHERE entity = %s AND step = 1 AND (segment IS NULL OR segment >= %s)",
            [entity.name, number],
        )
        if number:
            self._connection.execute(
                sql.SQL("INSERT INTO {new} ({columns}) SELECT {columns} FROM {old} WHERE {segment} < {number}").format(
                    new=table(STAGING, self._name),
                    old=table(STAGING, entity.name),
                    columns=columns([*mapped, SEGMENT]),
                    segment=sql.Identifier(SEGMENT),
                    number=sql.Literal(number),
                )
            )

    def _write(self, segment: Segment, number: int) -> None:
        target = table(STAGING, self._name)
        # The segment's number is the column's default while its rows arrive, so that no row has to carry it.
        self._connection.execute(
            sql.SQL("ALTER TABLE {} ALTER {} SET DEFAULT {}").format(
                target, sql.Identifier(SEGMENT), sql.Literal(number)
            )
        )
        skipped = copy_rows(self._connection, target, columns(self._selection.fields), segment.data)
        rejections = rejections_of(segment, number, skipped, self._selection)
        keep_rejections(self._connection, self._selection, self._load, rejections)

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
        return Snapshot(self._definition, self._segments, self._rows_read, staged, self._rows_read - staged, checksum)

    def _refuse_rows_without_key(self) -> None:
        if self._selection.derived_id_from:
            self._refuse("missing_key", sql.SQL('SELECT ctid FROM {} WHERE "Id" IS NULL'))

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
        target = table(STAGING, self._name)
        fields, source_columns = self._selection.fields, self._selection.columns
        removed = self._connection.execute(
            sql.SQL("DELETE FROM {} WHERE ctid IN ({}) RETURNING {}, {}").format(
                target,
                which.format(table=target, segment=sql.Identifier(SEGMENT))
                if rule == "duplicate_key"
                else which.format(target),
                sql.Identifier(SEGMENT),
                sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in fields),
            )
        )
        key = "Id" if "Id" in fields else self._selection.derived_id_from[0]
        rejections = []
        for segment, *values in removed:
            row = dict(zip(source_columns, values, strict=True))
            value = row.get(source_columns[fields.index(key)]) if key in fields else None
            rejections.append(Rejection(rule, key, value, row, segment))
        keep_rejections(self._connection, self._selection, self._load, rejections)

    def _measure(self) -> tuple[int, int, str]:
        """Rows, different keys, checksum. Keys are counted by a hash: eight bytes a row, where they would not fit."""
        row = self._connection.execute(
            sql.SQL(
                """
                SELECT count(DISTINCT hashtextextended("Id", 0)),
                       count(*), coalesce(bit_xor({hash}), 0), coalesce(sum({hash} >> 32), 0)
                FROM {table}
                """
            ).format(hash=sql.Identifier(HASH), table=table(STAGING, self._name))
        ).fetchone()
        assert row is not None, "an aggregate has a row"  # noqa: S101
        keys, *content = row
        return content[0], keys, ":".join(map(str, content))

    def keep(self, snapshot: Snapshot) -> None:
        if self._writing:
            self._swap()
        self._record(snapshot)

    def discard(self) -> None:
        """Leaves the old table, of which only the segments before the first written one still match the quarantine."""
        self._connection.execute(sql.SQL("DROP TABLE {}").format(table(STAGING, self._name)))
        self._connection.execute(
            "UPDATE ops.staged SET segments = segments[1:%s] WHERE entity = %s",
            [self._written_from, self._selection.entity.name],
        )

    def _swap(self) -> None:
        old, new = table(STAGING, self._selection.entity.name), table(STAGING, self._name)
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(old))
        self._connection.execute(
            sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, sql.Identifier(self._selection.entity.name))
        )

    def _record(self, snapshot: Snapshot) -> None:
        self._connection.execute(
            """
            INSERT INTO ops.staged (entity, load, definition, segments, rows_read, rows_staged, rows_rejected, checksum)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (entity) DO UPDATE SET (load, definition, segments, rows_read, rows_staged, rows_rejected,
                checksum, staged_at) = (excluded.load, excluded.definition, excluded.segments, excluded.rows_read,
                excluded.rows_staged, excluded.rows_rejected, excluded.checksum, now())
            """,
            [
                self._selection.entity.name,
                self._load,
                snapshot.definition,
                snapshot.segments,
                snapshot.rows_read,
                snapshot.rows_staged,
                snapshot.rows_rejected,
                snapshot.checksum,
            ],
        )


def last_snapshot(connection: Connection, entity: str) -> Snapshot | None:
    row = connection.execute(
        "SELECT definition, segments, rows_read, rows_staged, rows_rejected, checksum FROM ops.staged WHERE entity = %s",
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
