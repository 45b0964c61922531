"""What others ask about loads, the results of their steps, and what Kimo's tables hold.

The tables: ops.load, ops.step_result, ops.run_report, ops.semaphore. ledger.py writes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from kimo_assets.database.names import ARCHIVED, KIMO, table
from kimo_assets.database.old_rows import LoadColumns, OldRows


@dataclass(frozen=True)
class LoadRecord:
    """A load. success: None while it runs, or when it was killed before it could say."""

    load: int
    title: str
    run_id: str | None
    started_at: datetime
    finished_at: datetime | None
    success: bool | None


# For the statements of others, which join them to tables of their own.
LOADS = "(SELECT load, title, started_at FROM ops.load)"
LAST_GOOD_LOADS = """
    (SELECT entity, step, max(load) AS last_load FROM ops.step_result
     WHERE status <> 'failed' GROUP BY entity, step)
"""

_LOAD_COLUMNS = "load, title, run_id, started_at, finished_at, success"


def last_load(connection: Connection[Any]) -> LoadRecord | None:
    """The newest load; None before the first one."""
    row = connection.execute(
        f"SELECT {_LOAD_COLUMNS} FROM ops.load ORDER BY load DESC LIMIT 1"
    ).fetchone()
    return LoadRecord(*row) if row else None


def load_record(connection: Connection[Any], load: int) -> LoadRecord | None:
    """A load by its number; None when it is not there, or no longer."""
    row = connection.execute(
        f"SELECT {_LOAD_COLUMNS} FROM ops.load WHERE load = %s", [load]
    ).fetchone()
    return LoadRecord(*row) if row else None


def newest_load_but(connection: Connection[Any], passed_over: int) -> int | None:
    """The newest load when that many newer ones are passed over; None when there are no more."""
    row = connection.execute(
        "SELECT load FROM ops.load ORDER BY load DESC OFFSET %s LIMIT 1", [passed_over]
    ).fetchone()
    return row[0] if row else None


def load_of_run(connection: Connection[Any], run_id: str) -> int | None:
    """The newest load of a Dagster run; None without one."""
    row = connection.execute(
        "SELECT max(load) FROM ops.load WHERE run_id = %s", [run_id]
    ).fetchone()
    return row[0] if row else None


def last_load_titled(connection: Connection[Any], title: str) -> int | None:
    """The newest load with this title."""
    row = connection.execute("SELECT max(load) FROM ops.load WHERE title = %s", [title]).fetchone()
    return row[0] if row else None


@dataclass(frozen=True)
class UnsuccessfulLoad:
    """A load that failed or has not ended. failures: entity -> the error's sentence."""

    record: LoadRecord
    failures: dict[str, str]


def unsuccessful_loads(connection: Connection[Any], since: datetime) -> list[UnsuccessfulLoad]:
    """Those that ended since then, or have not ended, the newest first."""
    rows = connection.execute(
        f"""
        SELECT {_LOAD_COLUMNS}, (
            SELECT jsonb_object_agg(entity, coalesce(error, 'failed')) FROM ops.step_result AS r
            WHERE r.load = l.load AND r.status = 'failed')
        FROM ops.load AS l
        WHERE coalesce(finished_at, started_at) > %s AND success IS NOT TRUE
        ORDER BY load DESC
        """,
        [since],
    ).fetchall()
    return [UnsuccessfulLoad(LoadRecord(*row), failures or {}) for *row, failures in rows]


def begin_trial_load(connection: Connection[Any], title: str) -> int:
    """The number that the next load will have, for a transaction that is rolled back.

    The sequence gives no number away for it, so that none is missing afterwards.
    """
    row = connection.execute(
        """
        INSERT INTO ops.load (load, title) OVERRIDING SYSTEM VALUE
        SELECT coalesce(max(load), 0) + 1, %s FROM ops.load RETURNING load
        """,
        [title],
    ).fetchone()
    assert row is not None, "RETURNING gives a row"  # noqa: S101
    return int(row[0])


# --- the results of steps
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepResult:
    """What a step did with an entity. counts: figures by name. error: a sentence."""

    step: int
    entity: str
    status: str
    seconds: float
    counts: dict[str, Any]
    error: str | None


def results_of_load(connection: Connection[Any], load: int) -> list[StepResult]:
    """By step, in the order in which the entities were done."""
    rows = connection.execute(
        """
        SELECT step, entity, status, seconds, counts, error FROM ops.step_result
        WHERE load = %s ORDER BY step, at, entity
        """,
        [load],
    )
    return [StepResult(*row) for row in rows]


def loads_of_step(connection: Connection[Any], step: int) -> list[int]:
    """The loads that did this step for any entity, ascending."""
    rows = connection.execute(
        "SELECT DISTINCT load FROM ops.step_result WHERE step = %s ORDER BY load", [step]
    )
    return [load for (load,) in rows]


def good_loads(connection: Connection[Any]) -> dict[tuple[str, int], list[int]]:
    """(entity, step) -> the loads in which the step did not fail for it, ascending."""
    rows = connection.execute(
        """
        SELECT entity, step, array_agg(load ORDER BY load) FROM ops.step_result
        WHERE status <> 'failed' GROUP BY 1, 2
        """
    )
    return {(entity, step): loads for entity, step, loads in rows}


def recent_row_counts(
    connection: Connection[Any], entities: Sequence[str], *, snapshots: int, loads: int
) -> dict[str, list[int]]:
    """entity -> the rows that step 1 read in its last good snapshots, the newest first.

    loads: how far back to look.
    """
    rows = connection.execute(
        """
        WITH recent AS (SELECT load FROM ops.load ORDER BY load DESC LIMIT %(loads)s),
        counted AS (
            SELECT entity, (counts->>'read')::bigint AS read,
                row_number() OVER (PARTITION BY entity ORDER BY load DESC) AS n
            FROM ops.step_result JOIN recent USING (load)
            WHERE step = 1 AND status IN ('ok', 'unchanged') AND entity = ANY(%(entities)s)
                AND counts->>'read' IS NOT NULL
        )
        SELECT entity, array_agg(read ORDER BY n) FROM counted WHERE n <= %(snapshots)s
        GROUP BY entity
        """,
        {"entities": list(entities), "snapshots": snapshots, "loads": loads},
    )
    return dict(rows.fetchall())


# --- the state of schema kimo
# --------------------------------------------------------------------------------------------------


def changed_loads(connection: Connection[Any]) -> dict[str, int]:
    """entity -> the last load that changed any of its rows in Kimo. Of what was ever loaded."""
    rows = connection.execute("SELECT entity, changed_load FROM ops.loaded")
    return dict(rows.fetchall())


def note_changed_rows(connection: Connection[Any], entity: str, load: int) -> None:
    """Notes that a load has changed rows of an entity past step 2. Step 3 and the status go by it.

    An entity that no import has ever loaded has no state to change.
    """
    statement = sql.SQL(
        "UPDATE ops.loaded SET changed_load = %s, rows_live ="
        " (SELECT count(*) FROM {} WHERE {} IS NULL) WHERE entity = %s"
    )
    rows = statement.format(table(KIMO, entity), sql.Identifier(ARCHIVED))
    connection.execute(rows, [load, entity])


# --- retention
# --------------------------------------------------------------------------------------------------


def fill_old_loads(connection: Connection[Any], cutoff: datetime) -> None:
    """old_load: the loads that ended, and began before then."""
    connection.execute(
        """
        INSERT INTO old_load SELECT load FROM ops.load
        WHERE started_at < %s AND finished_at IS NOT NULL
        """,
        [cutoff],
    )


def newest_load_before(connection: Connection[Any], moment: datetime) -> int | None:
    """The newest load that had started by then."""
    row = connection.execute(
        "SELECT max(load) FROM ops.load WHERE started_at < %s", [moment]
    ).fetchone()
    return row[0] if row else None


# The last result of a step with an entity stays, and its last good one.
OLD_STEP_RESULTS = OldRows(
    "results of steps",
    "ops.step_result",
    """
    t.load IN (SELECT load FROM old_load)
    AND (t.entity, t.step, t.load) NOT IN (
        SELECT entity, step, max(load) FROM ops.step_result GROUP BY 1, 2)
    AND (t.entity, t.step, t.load) NOT IN (
        SELECT entity, step, max(load) FROM ops.step_result WHERE status <> 'failed' GROUP BY 1, 2)
    AND NOT EXISTS (
        SELECT FROM needed_result AS n
        WHERE n.load = t.load AND (n.entity IS NULL OR n.entity = t.entity))
    """,
    "load",
)

OLD_RUN_REPORTS = OldRows("reports of runs", "ops.run_report", "t.at < %(cutoff)s", "at")

# The newest stays: the next one counts from it.
OLD_LOADS = OldRows(
    "loads",
    "ops.load",
    """
    t.load IN (SELECT load FROM old_load) AND t.load NOT IN (SELECT load FROM needed_load)
    AND t.load < (SELECT max(load) FROM ops.load)
    """,
    "load",
)

LOAD_COLUMNS: LoadColumns = (("ops.step_result", "load"), ("ops.semaphore", "load"))
