"""What a run that was killed has left, and what nobody knows: whether a batch has arrived at the
ERP, by evidence alone.
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
from kimo_assets.export.targets import Target
from kimo_assets.sources.connection import source_errors

_REFERENCES_AT_ONCE = 500

# Without a marker, a transaction may still end while we look for its rows: absence is believed
# after some looks.
_LOOKS = 3
_PAUSE_S = 2.0


class Verdict(Enum):
    """Whether a batch has arrived. UNKNOWN: there is no proof of either."""

    ARRIVED = "arrived"
    NOT_ARRIVED = "not arrived"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class OpenBatch:
    number: int
    entity: str
    state: BatchState
    load: int
    has_marker: bool
    is_unproved: bool


def open_batches(
    connection: Connection, source: str | None = None, number: int | None = None
) -> list[OpenBatch]:
    """The batches whose end is not known; of a source, or the one of this number."""
    rows = connection.execute(
        "SELECT batch, entity, state, load, has_marker, is_unproved FROM ops.export_batch "
        "WHERE state = ANY(%s) AND (source = %s OR %s::text IS NULL) "
        "AND (batch = %s OR %s::bigint IS NULL) ORDER BY batch",
        [list(OPEN_BATCH_STATES), source, source, number, number],
    )
    return [OpenBatch(*row) for row in rows]


def mark_unproved(connection: Connection, source: str) -> None:
    """The ERP's semaphore was free, or there is none: the rows of what was committing may have been
    taken away since.
    """
    connection.execute(
        "UPDATE ops.export_batch SET is_unproved = true WHERE state = %s AND source = %s"
        " AND NOT is_unproved",
        [BatchState.COMMITTING, source],
    )


def recover(
    outbox: Outbox, erp: Erp, *, was_ours: bool, unproved: Callable[[OpenBatch], None]
) -> dict[str, tuple[int, int]]:
    """Ends every batch that was left open: entity -> heads that have arrived, heads that are to be
    sent again.

    was_ours: the ERP's semaphore has been ours since the batches were made. unproved: told of those
    that stay open.
    """
    found: dict[str, tuple[int, int]] = {}
    for batch in open_batches(outbox.connection, outbox.source):
        arrived, again = found.get(batch.entity, (0, 0))
        match _fate(outbox, erp, batch, was_ours):
            case Verdict.ARRIVED:
                found[batch.entity] = (arrived + outbox.exported(batch.number, batch.entity), again)
            case Verdict.NOT_ARRIVED:
                found[batch.entity] = (
                    arrived,
                    again + len(outbox.take_back(batch.number, batch.entity)),
                )
            case Verdict.UNKNOWN:
                unproved(batch)
    return found


def _fate(outbox: Outbox, erp: Erp, batch: OpenBatch, was_ours: bool) -> Verdict:
    if batch.state == BatchState.EXPORTING:
        # Its commit would have come after the state's.
        return Verdict.NOT_ARRIVED
    return verdict(outbox, erp, batch.number, untouched=was_ours and not batch.is_unproved)


def verdict(outbox: Outbox, erp: Erp, number: int, *, untouched: bool) -> Verdict:
    """Whether a batch that was committing has arrived. untouched: the ERP cannot have taken its
    rows away.

    Raises: SourceError when the ERP cannot be asked.
    """
    (batch,) = open_batches(outbox.connection, number=number)
    outbox.reached("R.before_look")
    if batch.has_marker and erp.marker and not erp.marker.is_new:
        fate = Verdict.ARRIVED if erp.marker.has_arrived(number) else Verdict.NOT_ARRIVED
    else:
        fate = _by_references(outbox, erp, batch, untouched)
    outbox.reached("R.looked")
    return fate


def _by_references(outbox: Outbox, erp: Erp, batch: OpenBatch, untouched: bool) -> Verdict:
    """By the SyncReferences of its records, as far as these went nowhere else: then one found is
    all of them.
    """
    references = _only_of(outbox.connection, batch)
    target = erp.targets.get(batch.entity)
    if target is None or target.sync_column is None or not references:
        return Verdict.UNKNOWN
    for look in range(_LOOKS if untouched else 1):
        if look:
            erp.sleep(_PAUSE_S)
        if _is_any_there(erp, target, references):
            return Verdict.ARRIVED
    return Verdict.NOT_ARRIVED if untouched else Verdict.UNKNOWN


def _only_of(connection: Connection, batch: OpenBatch) -> list[str]:
    """A record that was edited after an export goes there twice: its SyncReference tells nothing of
    this batch.
    """
    rows = connection.execute(
        """
        SELECT coalesce(r.written_reference, r.sync_reference) FROM ops.export_record AS r
        WHERE r.batch = %s AND r.outcome IS NULL AND r.sync_reference IS NOT NULL AND NOT EXISTS (
            SELECT FROM ops.export_record AS o JOIN ops.export_batch AS b ON b.batch = o.batch
            WHERE o.entity = r.entity AND o.id = r.id AND o.batch <> r.batch
              AND b.state <> %s AND o.outcome IS DISTINCT FROM %s)
        ORDER BY 1
        """,
        [batch.number, BatchState.TAKEN_BACK, RecordOutcome.HELD],
    )
    return [reference for (reference,) in rows]


def _is_any_there(erp: Erp, target: Target, references: Sequence[str]) -> bool:
    column = next(c for c in target.table.columns if c.name == target.sync_column)
    with source_errors(erp.source, erp.engine), erp.engine.connect() as connection:
        for start in range(0, len(references), _REFERENCES_AT_ONCE):
            wanted = [
                _as_stored(column, value)
                for value in references[start : start + _REFERENCES_AT_ONCE]
            ]
            if connection.execute(select(column).where(column.in_(wanted)).limit(1)).first():
                return True
    return False


def _as_stored(column: Column[Any], value: str) -> Any:
    return int(value) if isinstance(column.type, (Integer, Numeric)) else value
