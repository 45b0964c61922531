"""What others ask about the outbox and the records in it.

The tables: ops.export_batch, ops.export_record, ops.export_held, integrator.outbox. status.py
follows a single record through them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from kimo_assets.catalog.lifecycle import (
    ENDED_BATCH_STATES,
    OPEN_BATCH_STATES,
    SETTLED,
    RecordOutcome,
)
from kimo_assets.database.old_rows import LoadColumns, OldRows


def exported_by_run(connection: Connection[Any], run_id: str) -> dict[str, tuple[int, int]]:
    """entity -> the records that a run has sent to the ERP, and their rows with those of parts."""
    # By sent_at, because the ERP's answer changes the outcome and leaves the time.
    rows = connection.execute(
        """
        SELECT b.entity, count(*), sum(1 + r.parts)::bigint
        FROM ops.export_batch AS b JOIN ops.export_record AS r USING (batch)
        WHERE b.run_id = %s AND r.sent_at IS NOT NULL GROUP BY 1 ORDER BY 1
        """,
        [run_id],
    )
    return {entity: (records, count) for entity, records, count in rows}


def held_back(connection: Connection[Any], load: int) -> list[tuple[str, str, str]]:
    """(entity, id, reason) of the records that an export could not send, the newest first."""
    return connection.execute(
        """
        SELECT entity, id, why FROM ops.export_held WHERE load = %s AND NOT is_waiting
        ORDER BY since DESC, entity, id
        """,
        [load],
    ).fetchall()


@dataclass(frozen=True)
class RejectedRecord:
    """A record that the ERP has answered with a no. problem: what it said, if anything."""

    entity: str
    id: str
    sync_reference: str | None
    answered_at: datetime | None
    problem: str | None

    @property
    def reference(self) -> str:
        """What names the record at both ends: its SyncReference. Without one, its Id."""
        return self.sync_reference or self.id


def rejected_by_erp(connection: Connection[Any]) -> list[RejectedRecord]:
    """Those whose newest export was rejected, the newest answer first."""
    # By SyncReference where there is one: a record that gets the ERP's Id goes on under another Id.
    rows = connection.execute(
        """
        SELECT entity, id, sync_reference, answered_at, problem FROM (
            SELECT DISTINCT ON (entity, coalesce(sync_reference, id)) * FROM ops.export_record
            ORDER BY entity, coalesce(sync_reference, id), batch DESC
        ) AS newest
        WHERE outcome = %s ORDER BY answered_at DESC, entity, coalesce(sync_reference, id)
        """,
        [RecordOutcome.REFUSED],
    )
    return [RejectedRecord(*row) for row in rows]


@dataclass(frozen=True)
class OutboxTotals:
    """rows: left in the outbox. open_batches: not exported, not taken back. sent: records."""

    rows: int
    open_batches: int
    sent: int


def outbox_totals(connection: Connection[Any]) -> OutboxTotals:
    """How much is in the outbox, open or sent."""
    row = connection.execute(
        """
        SELECT (SELECT count(*) FROM integrator.outbox),
            (SELECT count(*) FROM ops.export_batch WHERE state = ANY(%(open)s)),
            (SELECT count(DISTINCT (entity, id)) FROM ops.export_record WHERE outcome = %(sent)s)
        """,
        {"open": list(OPEN_BATCH_STATES), "sent": RecordOutcome.SENT},
    ).fetchone()
    assert row is not None, "a row of aggregates"  # noqa: S101
    return OutboxTotals(*row)


# --- retention
# --------------------------------------------------------------------------------------------------

# The newest of a record says what it waits for. One that was answered with an Id waits for nothing.
OLD_RECORDS = OldRows(
    "answered records of exports",
    "ops.export_record",
    """
    t.outcome = ANY(%(settled)s)
    AND coalesce(t.answered_at, t.sent_at, t.marked_at) < %(cutoff)s
    AND (t.outcome = %(acknowledged)s OR EXISTS (
        SELECT FROM ops.export_record AS n WHERE n.entity = t.entity AND n.batch > t.batch
        AND coalesce(n.sync_reference, n.id) = coalesce(t.sync_reference, t.id)))
    AND NOT EXISTS (
        SELECT FROM ops.export_record AS o WHERE o.entity = t.entity AND o.batch < t.batch
        AND coalesce(o.sync_reference, o.id) = coalesce(t.sync_reference, t.id)
        AND coalesce(o.outcome, '') <> ALL(%(settled)s))
    """,
    "batch",
    {"settled": list(SETTLED), "acknowledged": RecordOutcome.ACKNOWLEDGED},
)
OLD_BATCHES = OldRows(
    "batches of exports",
    "ops.export_batch",
    """
    t.state = ANY(%(ended)s) AND t.ended_at < %(cutoff)s
    AND NOT EXISTS (SELECT FROM ops.export_record AS r WHERE r.batch = t.batch)
    """,
    "batch",
    {"ended": list(ENDED_BATCH_STATES)},
)
OLD_OUTBOX_ROWS = OldRows(
    "rows left in the outbox",
    "integrator.outbox",
    "t.batch NOT IN (SELECT batch FROM ops.export_batch WHERE state = ANY(%(open)s))",
    "batch",
    {"open": list(OPEN_BATCH_STATES)},
)

LOAD_COLUMNS: LoadColumns = (("ops.export_batch", "load"), ("ops.export_held", "load"))
