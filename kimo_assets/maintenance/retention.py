"""What the ledger in schema ops keeps of the past goes after a while, except what anything still
rests on.

Kept whatever its age: the last result of each step with each entity, what an undo can go back to,
the loads that rows name as those that changed them, exports that are not answered, answers that
were applied. Dagster's own runs are defs/cleaning's.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg import Connection, sql

from kimo_assets.catalog.lifecycle import (
    ENDED_BATCH_STATES,
    OPEN_BATCH_STATES,
    SETTLED,
    RecordOutcome,
)
from kimo_assets.catalog.menu import CLEANING
from kimo_assets.config import KimoConfig
from kimo_assets.database.locks import exclusive
from kimo_assets.database.names import ARCHIVED, CHANGED, KIMO, table
from kimo_assets.database.server import Database
from kimo_assets.pipeline.saved_plan import forget_snapshots
from kimo_assets.progress import Progress
from kimo_assets.reports import TaskReport

# Rows to a statement, and of a table to a run: what is left is the next run's.
_BATCH = 10_000
_MOST = 500_000


@dataclass(frozen=True)
class _Old:
    """Rows of a table that are no longer needed. condition: on a row `t`, with %(cutoff)s; the
    oldest first.
    """

    name: str
    table: LiteralString
    condition: LiteralString
    order: LiteralString


_OLD_LOADS: LiteralString = (
    "(SELECT l.load FROM ops.load AS l WHERE l.started_at < %(cutoff)s AND l.finished_at IS NOT"
    " NULL)"
)

_KINDS = (
    _Old(
        "results of steps",
        "ops.step_result",
        f"""
        t.load IN {_OLD_LOADS}
        AND (t.entity, t.step, t.load) NOT IN (SELECT entity, step, max(load) FROM ops.step_result
            GROUP BY 1, 2)
        AND (t.entity, t.step, t.load) NOT IN (
            SELECT entity, step, max(load) FROM ops.step_result WHERE status <> 'failed' GROUP BY 1,
                2)
        AND NOT EXISTS (SELECT FROM ops.rejected_row AS r WHERE r.entity = t.entity
            AND r.since_load = t.load)
        AND NOT EXISTS (SELECT FROM ops.change AS c WHERE c.load = t.load)
        """,
        "load",
    ),
    _Old(
        "weights of manifests",
        "ops.agent_weight",
        f"t.load IN {_OLD_LOADS} AND t.load < (SELECT max(load) FROM ops.agent_weight)",
        "load",
    ),
    # The newest of a record says what it waits for; one that was answered with an Id waits for
    # nothing.
    _Old(
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
    ),
    _Old(
        "batches of exports",
        "ops.export_batch",
        "t.state = ANY(%(ended)s) AND t.ended_at < %(cutoff)s "
        "AND NOT EXISTS (SELECT FROM ops.export_record AS r WHERE r.batch = t.batch)",
        "batch",
    ),
    _Old(
        "rows left in the outbox",
        "integrator.outbox",
        "t.batch NOT IN (SELECT batch FROM ops.export_batch WHERE state = ANY(%(open)s))",
        "batch",
    ),
    _Old(
        "refused rows of entities that are not mapped",
        "ops.rejected_row",
        "t.entity <> ALL(%(mapped)s) AND t.at < %(cutoff)s",
        "id",
    ),
    # Last: what was deleted before needs its load no longer.
    _Old(
        "loads",
        "ops.load",
        f"t.load IN {_OLD_LOADS} AND t.load NOT IN (SELECT load FROM needed_load)",
        "load",
    ),
)

_NAMED_IN: tuple[tuple[LiteralString, LiteralString], ...] = (
    ("step_result", "load"),
    ("change", "load"),
    ("change", "undone_by"),
    ("agent_weight", "load"),
    ("staged", "load"),
    ("loaded", "load"),
    ("loaded", "changed_load"),
    ("loaded", "owner_changed_load"),
    ("rejected_row", "load"),
    ("rejected_row", "since_load"),
    ("planned_rejected_row", "since_load"),
    ("payload", "checked_load"),
    ("payload", "changed_load"),
    ("covered", "load"),
    ("bucket", "base_load"),
    ("bucket_object", "load"),
    ("lookup", "changed_load"),
    ("lookup", "refreshed_load"),
    ("profile", "since"),
    ("export_batch", "load"),
    ("export_held", "load"),
    ("export_answer", "load"),
    ("bound_id", "load"),
    ("horizon", "load"),
    ("semaphore", "load"),
    ("plan", "applied_load"),
    ("reference_check", "checked_load"),
)


def clean_ledger(
    config: KimoConfig,
    database: Database,
    listener: Progress,
    run_id: str | None = None,
    *,
    dry_run: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> TaskReport:
    """Deletes what is older than `retention: ledger_days`, in pieces; how many rows of each kind
    went, or would go.

    Raises: LockedError while an import or export is running.
    """
    started = time.monotonic()
    cutoff = now() - timedelta(days=config.retention.ledger_days)
    parameters = {
        "cutoff": cutoff,
        "mapped": list(config.entities),
        "settled": list(SETTLED),
        "acknowledged": RecordOutcome.ACKNOWLEDGED,
        "open": list(OPEN_BATCH_STATES),
        "ended": list(ENDED_BATCH_STATES),
    }
    counts: dict[str, int] = {}
    listener.task_started(CLEANING.title, len(_KINDS) + 1)
    with exclusive(database) as connection, _tried(connection, dry_run=dry_run):
        for kind in _KINDS:
            if kind.table == "ops.load":
                _find_needed_loads(connection, cutoff)
            counts[kind.name] = _delete(connection, kind, parameters)
            listener.task_advanced(1)
        counts["snapshots of a plan"] = _forget_plan(
            connection, now() - timedelta(days=config.retention.runs_days)
        )
        listener.task_advanced(1)
    notes = [
        f"{name}: only the first {_MOST:,}, the rest is the next run's"
        for name, n in counts.items()
        if n >= _MOST
    ]
    return TaskReport(
        CLEANING.title, time.monotonic() - started, counts, notes=tuple(notes), run_id=run_id
    )


@contextmanager
def _tried(connection: Connection, *, dry_run: bool) -> Iterator[None]:
    """Nothing of it stays when it is a trial."""
    if not dry_run:
        yield
        connection.execute("DROP TABLE IF EXISTS pg_temp.needed_load")
        return
    with connection.transaction() as transaction:
        yield
        raise psycopg.Rollback(transaction)


def _delete(connection: Connection, kind: _Old, parameters: dict[str, object]) -> int:
    statement = (
        f"DELETE FROM {kind.table} WHERE ctid = ANY(ARRAY(SELECT t.ctid FROM {kind.table} AS t"
        f" WHERE {kind.condition} ORDER BY t.{kind.order} LIMIT {_BATCH}))"
    )
    gone = 0
    while gone < _MOST:
        batch = connection.execute(statement.encode(), parameters).rowcount
        gone += batch
        if batch < _BATCH:
            break
    return gone


def _find_needed_loads(connection: Connection, cutoff: datetime) -> None:
    """needed_load: the loads that anything names: of Kimo's rows, those that changed or archived
    them.
    """
    connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS needed_load (load bigint PRIMARY KEY)")
    connection.execute("TRUNCATE needed_load")
    named = [sql.SQL(f"SELECT {column} FROM ops.{name}") for name, column in _NAMED_IN]
    row = connection.execute(
        "SELECT max(load) FROM ops.load WHERE started_at < %s", [cutoff]
    ).fetchone()
    last_old = row[0] if row else None
    if last_old is None:
        return
    loaded = connection.execute(
        "SELECT entity FROM ops.loaded WHERE to_regclass(format('kimo.%I', entity)) IS NOT NULL"
    )
    of_kimo = [
        sql.SQL("SELECT {0} FROM {1} WHERE {0} <= {2}").format(
            sql.Identifier(column), table(KIMO, name), sql.Literal(last_old)
        )
        for (name,) in loaded.fetchall()
        for column in (CHANGED, ARCHIVED)
    ]
    newest = sql.SQL("SELECT max(load) FROM ops.load")
    connection.execute(
        sql.SQL(
            "INSERT INTO needed_load SELECT DISTINCT load FROM ({}) AS named (load) WHERE load IS"
            " NOT NULL"
        ).format(sql.SQL(" UNION ").join([*named, *of_kimo, newest]))
    )


def _forget_plan(connection: Connection, cutoff: datetime) -> int:
    """The snapshots of a plan that nobody has applied in all this time, or that a killed plan left
    behind.
    """
    row = connection.execute(
        "SELECT (SELECT count(*) FROM ops.planned), (SELECT max(made_at) FROM ops.plan)"
    ).fetchone()
    staged, made_at = row or (0, None)
    if not staged or (made_at is not None and made_at >= cutoff):
        return 0
    forget_snapshots(connection)
    return int(staged)
