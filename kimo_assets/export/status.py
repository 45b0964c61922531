"""What became of what was to be sent: figures per entity, the last batches, the life of a record.

Reads only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog
from kimo_assets.catalog.lifecycle import ARRIVED, BatchState, RecordOutcome
from kimo_assets.config import KimoConfig
from kimo_assets.database.names import ARCHIVED, KIMO, table
from kimo_assets.export.ready import Waiting, waiting
from kimo_assets.reports import HeldRecord

# Held records that a status names. ops.export_held has all of them.
_NAMED = 500


@dataclass(frozen=True)
class ExportBatch:
    """A batch that went to the ERP, or was to."""

    batch: int
    entity: str
    state: BatchState
    records: int
    load: int
    run_id: str | None
    began_at: datetime
    ended_at: datetime | None

    @property
    def is_in_doubt(self) -> bool:
        """Whether nothing proves that it arrived or not: `kimo export resolve` settles it."""
        return self.state == BatchState.COMMITTING


@dataclass(frozen=True)
class ExportStatus:
    """entities: in the order in which they are sent. sent, refused: counts of all times, by entity.

    held: the first of them.
    """

    entities: dict[str, Waiting]
    sent: dict[str, int]
    refused: dict[str, int]
    batches: tuple[ExportBatch, ...]
    held: tuple[HeldRecord, ...]

    @property
    def in_doubt(self) -> tuple[ExportBatch, ...]:
        """Those that somebody has to settle."""
        return tuple(batch for batch in self.batches if batch.is_in_doubt)


@dataclass(frozen=True)
class Delivery:
    """A record's way to the ERP with one batch.

    parts: how many rows travelled with it. tables: Kimo's, whose rows went. outcome: None while it
    is not known. A record that was taken back went again later.
    """

    batch: int
    state: BatchState
    load: int
    run_id: str | None
    source: str
    parts: int
    tables: tuple[str, ...]
    outcome: RecordOutcome | None
    problem: str | None
    erp_id: str | None
    marked_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None


@dataclass(frozen=True)
class RecordLife:
    """A record between the tablet and the ERP's answer.

    status: its EntityStatus now, as code and name. None: it is not in Kimo. held: why it cannot go
    now, or for what it waits, since held_since. trips: its deliveries, the oldest first.
    """

    entity: str
    id: str
    sync_reference: str
    uploaded_at: datetime | None
    status: str | None
    is_archived: bool
    held: str | None
    held_since: datetime | None
    trips: tuple[Delivery, ...]


def status(
    connection: Connection, config: KimoConfig, catalog: Catalog, *, batches: int = 20
) -> ExportStatus:
    """batches: how many of the last ones. Those in doubt are always there."""
    counts = connection.execute(
        """
        SELECT entity, count(*) FILTER (WHERE outcome = ANY(%s)),
               count(*) FILTER (WHERE outcome = %s)
        FROM ops.export_record GROUP BY entity ORDER BY entity
        """,
        [list(ARRIVED), RecordOutcome.REFUSED],
    ).fetchall()
    held = connection.execute(
        """
        SELECT entity, id, sync_reference, why FROM ops.export_held
        ORDER BY is_waiting, since, entity, id LIMIT %s
        """,
        [_NAMED],
    )
    return ExportStatus(
        waiting(connection, config, catalog),
        {entity: sent for entity, sent, _ in counts},
        {entity: refused for entity, _, refused in counts},
        _last_batches(connection, batches),
        tuple(HeldRecord(*row) for row in held),
    )


def _last_batches(connection: Connection, count: int) -> tuple[ExportBatch, ...]:
    rows = connection.execute(
        """
        SELECT batch, entity, state, records, load, run_id, began_at, ended_at FROM ops.export_batch
        WHERE state = %s OR batch IN
            (SELECT batch FROM ops.export_batch ORDER BY batch DESC LIMIT %s)
        ORDER BY batch DESC
        """,
        [BatchState.COMMITTING, count],
    )
    return tuple(ExportBatch(*row) for row in rows)


# --- one record
# --------------------------------------------------------------------------------------------------


def trace(connection: Connection, catalog: Catalog, sync_reference: str) -> tuple[RecordLife, ...]:
    """The lives of the records that have, or had, this SyncReference, or this Id.

    Empty when there is no such record, neither in Kimo nor in the ledger.
    """
    records = set(connection.execute(_IN_LEDGER, {"reference": sync_reference}).fetchall())
    # A record that was never sent is in Kimo's table alone.
    for name in catalog.sent_to_erp:
        rows = connection.execute(_IN_KIMO.format(table(KIMO, name)), [sync_reference] * 2)
        records |= {(name, key) for (key,) in rows}
    return tuple(
        _life(connection, entity, key, sync_reference, catalog) for entity, key in sorted(records)
    )


_IN_LEDGER = """
    SELECT entity, id FROM ops.export_record WHERE sync_reference = %(reference)s
    UNION SELECT entity, id FROM ops.export_record WHERE id = %(reference)s
"""
_IN_KIMO = sql.SQL('SELECT "Id" FROM {} WHERE "SyncReference" = %s OR "Id" = %s')


def _life(
    connection: Connection, entity: str, key: str, reference: str, catalog: Catalog
) -> RecordLife:
    statement = _NOW.format(table(KIMO, entity), sql.Identifier(ARCHIVED))
    row = connection.execute(statement, [key]).fetchone()
    code, uploaded_at, is_archived, own_reference = row or (None, None, False, reference)
    held = connection.execute(
        "SELECT why, since FROM ops.export_held WHERE entity = %s AND id = %s", [entity, key]
    ).fetchone()
    reason, since = held or (None, None)
    return RecordLife(
        entity,
        key,
        # A row that gave its Id away has none any more.
        own_reference or reference,
        uploaded_at,
        _code_and_name(catalog, entity, code),
        is_archived,
        reason,
        since,
        tuple(_deliveries(connection, entity, key)),
    )


def _code_and_name(catalog: Catalog, entity: str, code: int | None) -> str | None:
    if code is None:
        return None
    name = catalog[entity].fields["EntityStatus"].codes.get(str(code), "")
    return f"{code} {name}".rstrip()


_NOW = sql.SQL(
    'SELECT "EntityStatus"::integer, "UploadToServerTimeStamp", {1} IS NOT NULL, "SyncReference"'
    ' FROM {0} WHERE "Id" = %s'
)


def _deliveries(connection: Connection, entity: str, key: str) -> Iterator[Delivery]:
    """The oldest first. The batch's fields name the tables, the head's own first."""
    rows = connection.execute(
        """
        SELECT r.batch, b.state, b.load, b.run_id, b.source, r.parts,
               ARRAY(SELECT k FROM jsonb_object_keys(b.fields) AS k ORDER BY k <> b.entity, k),
               r.outcome, r.problem, r.erp_id, r.marked_at, r.sent_at, r.answered_at
        FROM ops.export_record AS r JOIN ops.export_batch AS b USING (batch)
        WHERE r.entity = %s AND r.id = %s ORDER BY r.batch
        """,
        [entity, key],
    )
    for row in rows:
        delivery = Delivery(*row)
        yield replace(delivery, tables=tuple(delivery.tables))
