"""What a run that was killed has left: whether its open batches have arrived at the ERP.

Only evidence decides. A batch without proof either way stays in doubt, and nothing of it is sent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from psycopg import Connection
from sqlalchemy import Column, Integer, Numeric, select

from kimo_assets.catalog.lifecycle import OPEN_BATCH_STATES, BatchState, RecordOutcome
from kimo_assets.export.erp import Erp
from kimo_assets.export.outbox import Outbox
from kimo_assets.export.points import CrashPoint
from kimo_assets.export.targets import Target
from kimo_assets.sources.connection import source_errors

# Oracle takes 1,000 values in a list at most, and older SQLite 999 in a statement.
_REFERENCES_AT_ONCE = 500

# Without a marker, a transaction may still end while we look for its rows. Only when they are
# missing at several looks are they taken to be absent.
_LOOKS = 3
_PAUSE_S = 2.0


class Verdict(Enum):
    """Whether a batch has arrived. IN_DOUBT: nothing proves either."""

    ARRIVED = "arrived"
    NOT_ARRIVED = "not arrived"
    IN_DOUBT = "in doubt"


@dataclass(frozen=True)
class OpenBatch:
    """A batch whose end is not known.

    is_unproved: the ERP was free to take its rows away since, so that missing rows prove nothing.
    """

    number: int
    entity: str
    state: BatchState
    load: int
    has_marker: bool
    is_unproved: bool


def open_batches(
    connection: Connection, source: str | None = None, number: int | None = None
) -> list[OpenBatch]:
    """The open batches: all, those of a source, or the one of this number."""
    rows = connection.execute(
        """
        SELECT batch, entity, state, load, has_marker, is_unproved FROM ops.export_batch
        WHERE state = ANY(%(open)s)
          AND (source = %(source)s OR %(source)s::text IS NULL)
          AND (batch = %(number)s OR %(number)s::bigint IS NULL)
        ORDER BY batch
        """,
        {"open": list(OPEN_BATCH_STATES), "source": source, "number": number},
    )
    return [OpenBatch(*row) for row in rows]


def mark_unproved(connection: Connection, source: str) -> None:
    """Notes that the ERP was not kept off its tables since a batch was committing.

    Its semaphore was free, or it has none. So it may have taken the batch's rows away.
    """
    connection.execute(
        """
        UPDATE ops.export_batch SET is_unproved = true
        WHERE state = %s AND source = %s AND NOT is_unproved
        """,
        [BatchState.COMMITTING, source],
    )


def recover(
    outbox: Outbox, erp: Erp, *, was_ours: bool, on_doubt: Callable[[OpenBatch], None]
) -> dict[str, tuple[int, int]]:
    """Ends every open batch whose fate can be proved.

    Returns entity -> heads that have arrived, heads that are to be sent again. was_ours: the ERP's
    semaphore has been ours since the batches were made. on_doubt: called with those that stay open.
    """
    ended: dict[str, tuple[int, int]] = {}
    for batch in open_batches(outbox.connection, outbox.source):
        arrived, again = ended.get(batch.entity, (0, 0))
        match _verdict(outbox, erp, batch, was_ours):
            case Verdict.ARRIVED:
                arrived += outbox.settle(batch.number, batch.entity)
            case Verdict.NOT_ARRIVED:
                again += len(outbox.take_back(batch.number, batch.entity))
            case Verdict.IN_DOUBT:
                on_doubt(batch)
                continue
        ended[batch.entity] = (arrived, again)
    return ended


def _verdict(outbox: Outbox, erp: Erp, batch: OpenBatch, was_ours: bool) -> Verdict:
    if batch.state == BatchState.EXPORTING:
        # The ERP is asked to commit only after Kimo has noted the batch as committing.
        return Verdict.NOT_ARRIVED
    is_untouched = was_ours and not batch.is_unproved
    return find_verdict(outbox, erp, batch.number, is_untouched=is_untouched)


def find_verdict(outbox: Outbox, erp: Erp, number: int, *, is_untouched: bool) -> Verdict:
    """Whether a batch that was committing has arrived.

    is_untouched: the ERP cannot have taken its rows away. Raises: SourceError when the ERP cannot
    be asked.
    """
    (batch,) = open_batches(outbox.connection, number=number)
    outbox.reached(f"{CrashPoint.LOOK}.before")
    # A marker table that this run has made says nothing about earlier batches.
    if batch.has_marker and erp.marker and not erp.marker.is_new:
        has_arrived = erp.marker.has_arrived(number)
        verdict = Verdict.ARRIVED if has_arrived else Verdict.NOT_ARRIVED
    else:
        verdict = _find_by_references(outbox, erp, batch, is_untouched=is_untouched)
    outbox.reached(f"{CrashPoint.LOOK}.done")
    return verdict


def _find_by_references(
    outbox: Outbox, erp: Erp, batch: OpenBatch, *, is_untouched: bool
) -> Verdict:
    """By the SyncReferences of its records. A batch is one transaction: one there means all."""
    references = _references_of_this_batch_alone(outbox.connection, batch)
    target = erp.targets.get(batch.entity)
    if target is None or target.sync_column is None or not references:
        return Verdict.IN_DOUBT
    if _is_any_there(erp, target, references):
        return Verdict.ARRIVED
    if not is_untouched:
        return Verdict.IN_DOUBT
    for _ in range(_LOOKS - 1):
        erp.sleep(_PAUSE_S)
        if _is_any_there(erp, target, references):
            return Verdict.ARRIVED
    return Verdict.NOT_ARRIVED


def _references_of_this_batch_alone(connection: Connection, batch: OpenBatch) -> list[str]:
    """The SyncReferences that prove something about this batch.

    A record that was edited after an export goes to the ERP twice. Its SyncReference may be there
    by another batch, so it is left out.
    """
    rows = connection.execute(
        """
        SELECT coalesce(r.written_reference, r.sync_reference) FROM ops.export_record AS r
        WHERE r.batch = %(batch)s AND r.outcome IS NULL AND r.sync_reference IS NOT NULL
          AND NOT EXISTS (
            SELECT FROM ops.export_record AS o JOIN ops.export_batch AS b ON b.batch = o.batch
            WHERE o.entity = r.entity AND o.id = r.id AND o.batch <> r.batch
              AND b.state <> %(taken_back)s AND o.outcome IS DISTINCT FROM %(held)s)
        ORDER BY 1
        """,
        {
            "batch": batch.number,
            "taken_back": BatchState.TAKEN_BACK,
            "held": RecordOutcome.HELD,
        },
    )
    return [reference for (reference,) in rows]


def _is_any_there(erp: Erp, target: Target, references: Sequence[str]) -> bool:
    """Whether the ERP's table has a row with any of the SyncReferences. Raises: SourceError."""
    column = next(c for c in target.table.columns if c.name == target.sync_column)
    values = [_as_stored(column, reference) for reference in references]
    with source_errors(erp.source, erp.engine), erp.engine.connect() as connection:
        for start in range(0, len(values), _REFERENCES_AT_ONCE):
            some = values[start : start + _REFERENCES_AT_ONCE]
            if connection.execute(select(column).where(column.in_(some)).limit(1)).first():
                return True
    return False


def _as_stored(column: Column[Any], value: str) -> Any:
    return int(value) if isinstance(column.type, (Integer, Numeric)) else value
