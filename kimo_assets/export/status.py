"""What became of what was to be sent: figures per entity, the last batches, and the life of one
record. Only looks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog
from kimo_assets.catalog.lifecycle import ARRIVED, BatchState, RecordOutcome
from kimo_assets.config import KimoConfig
from kimo_assets.database.names import ARCHIVED, KIMO, table
from kimo_assets.export.ready import Waiting, waiting
from kimo_assets.reports import HeldRecord

_NAMED = 500


@dataclass(frozen=True)
class ExportBatch:
    """A batch that went to the ERP, or was to.

    is_unsettled: nobody knows whether it has arrived: `kimo export resolve`.
    """

    batch: int
    entity: str
    state: BatchState
    records: int
    load: int
    run_id: str | None
    began_at: datetime
    ended_at: datetime | None

    @property
    def is_unsettled(self) -> bool:
        return self.state == BatchState.COMMITTING


@dataclass(frozen=True)
class ExportStatus:
    """entities: in the order in which they are sent. sent, refused: of all times, by entity. held:
    the first of them.
    """

    entities: dict[str, Waiting]
    sent: dict[str, int]
    refused: dict[str, int]
    batches: tuple[ExportBatch, ...]
    held: tuple[HeldRecord, ...]

    @property
    def unsettled(self) -> tuple[ExportBatch, ...]:
        return tuple(batch for batch in self.batches if batch.is_unsettled)


@dataclass(frozen=True)
class Delivery:
    """A record's way to the ERP with one batch. parts: how many rows travelled with it; tables:
    Kimo's, whose rows went.

    outcome: None while it is not known. After `taken back` the record went again later.
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
    """A record between the tablet and the ERP's answer. status: its EntityStatus now, in words;
    None: it is not in Kimo.

    held: why it cannot go now, or for what it waits, since held_since.
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
    """batches: how many of the last ones; the unsettled ones are always there."""
    counts = connection.execute(
        "SELECT entity, count(*) FILTER (WHERE outcome = ANY(%s)),"
        " count(*) FILTER (WHERE outcome = %s) FROM ops.export_record GROUP BY entity ORDER"
        " BY entity",
        [list(ARRIVED), RecordOutcome.REFUSED],
    ).fetchall()
    held = connection.execute(
        "SELECT entity, id, sync_reference, why FROM ops.export_held ORDER BY is_waiting, since,"
        " entity, id LIMIT %s",
        [_NAMED],
    )
    return ExportStatus(
        waiting(connection, config, catalog),
        {entity: sent for entity, sent, _ in counts},
        {entity: refused for entity, _, refused in counts},
        tuple(_batches(connection, batches)),
        tuple(HeldRecord(*row) for row in held),
    )


def _batches(connection: Connection, count: int) -> Sequence[ExportBatch]:
    rows = connection.execute(
        """
        SELECT batch, entity, state, records, load, run_id, began_at, ended_at FROM ops.export_batch
        WHERE state = %s OR batch IN
            (SELECT batch FROM ops.export_batch ORDER BY batch DESC LIMIT %s)
        ORDER BY batch DESC
        """,
        [BatchState.COMMITTING, count],
    )
    return [ExportBatch(*row) for row in rows]


def trace(connection: Connection, catalog: Catalog, sync_reference: str) -> tuple[RecordLife, ...]:
    """The lives of the records that have, or had, this SyncReference, or this Id. Empty: nobody
    knows of one.
    """
    known = {
        (entity, key) for entity, key in connection.execute(_KNOWN, {"reference": sync_reference})
    }
    for name in catalog.sent_to_erp:
        known |= {
            (name, key)
            for (key,) in connection.execute(
                _IN_KIMO.format(table(KIMO, name)), [sync_reference] * 2
            )
        }
    return tuple(
        _life(connection, entity, key, sync_reference, catalog) for entity, key in sorted(known)
    )


_KNOWN = """
    SELECT entity, id FROM ops.export_record WHERE sync_reference = %(reference)s
    UNION SELECT entity, id FROM ops.export_record WHERE id = %(reference)s
"""
_IN_KIMO = sql.SQL('SELECT "Id" FROM {} WHERE "SyncReference" = %s OR "Id" = %s')


def _life(
    connection: Connection, entity: str, key: str, reference: str, catalog: Catalog
) -> RecordLife:
    now = connection.execute(
        _NOW.format(table(KIMO, entity), sql.Identifier(ARCHIVED)), [key]
    ).fetchone()
    held = connection.execute(
        "SELECT why, since FROM ops.export_held WHERE entity = %s AND id = %s", [entity, key]
    ).fetchone()
    code, uploaded_at, is_archived, own_reference = now or (None, None, False, reference)
    why, since = held or (None, None)
    trips = tuple(_trips(connection, entity, key))
    words = (
        None
        if code is None
        else f"{code} {catalog[entity].fields['EntityStatus'].codes.get(str(code), '')}".rstrip()
    )
    return RecordLife(
        entity,
        key,
        own_reference or reference,
        uploaded_at,
        words if now else None,
        is_archived,
        why,
        since,
        trips,
    )


_NOW = sql.SQL(
    'SELECT "EntityStatus"::integer, "UploadToServerTimeStamp", {1} IS NOT NULL, "SyncReference"'
    ' FROM {0} WHERE "Id" = %s'
)


def _trips(connection: Connection, entity: str, key: str) -> Iterator[Delivery]:
    rows = connection.execute(
        """
        SELECT r.batch, b.state, b.load, b.run_id, b.source, r.parts,
               ARRAY(SELECT k FROM jsonb_object_keys(b.fields) AS k ORDER BY k <> b.entity, k),
                   r.outcome, r.problem,
               r.erp_id, r.marked_at, r.sent_at, r.answered_at
        FROM ops.export_record AS r JOIN ops.export_batch AS b USING (batch)
        WHERE r.entity = %s AND r.id = %s ORDER BY r.batch
        """,
        [entity, key],
    )
    for row in rows:
        yield replace(Delivery(*row), tables=tuple(row[6]))
