"""The ledger in schema ops: loads, and what each step did with each entity."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg import Connection

from kimo_assets.errors import ContractError
from kimo_assets.reports import (
    EntityReport,
    RunReport,
    StepReport,
    entity_report,
    report_from_record,
    report_record,
)
from kimo_assets.texts import say


def begin_load(connection: Connection, title: str, run_id: str | None) -> int:
    """A new load's number. Loads that a killed run left open are closed as failed."""
    # The caller holds the lock, which proves that no run is at work on them.
    connection.execute(
        "UPDATE ops.load SET finished_at = now(), success = false WHERE finished_at IS NULL"
    )
    row = connection.execute(
        "INSERT INTO ops.load (title, run_id) VALUES (%s, %s) RETURNING load", [title, run_id]
    ).fetchone()
    assert row is not None, "RETURNING gives a row"  # noqa: S101
    return int(row[0])


def end_load(connection: Connection, load: int, *, success: bool) -> None:
    """Closes a load. success: no entity of any step has failed."""
    connection.execute(
        "UPDATE ops.load SET finished_at = now(), success = %s WHERE load = %s", [success, load]
    )


def record_result(connection: Connection[Any], load: int, step: int, report: EntityReport) -> None:
    """Keeps what a step did with an entity. A second report of the same step replaces the first."""
    connection.execute(
        """
        INSERT INTO ops.step_result
            (load, step, entity, status, seconds, counts, error, kind, guard, cause, notes)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (load, step, entity) DO UPDATE SET
            (status, seconds, counts, error, kind, guard, cause, notes, at) =
            (excluded.status, excluded.seconds, excluded.counts, excluded.error, excluded.kind,
             excluded.guard, excluded.cause, excluded.notes, now())
        """,
        [
            load,
            step,
            report.entity,
            report.status,
            report.seconds,
            orjson.dumps(report.counts()).decode(),
            report.error,
            type(report).__name__,
            report.guard,
            report.cause,
            list(getattr(report, "notes", ())) or None,
        ],
    )


def steps_of_run(connection: Connection[Any], run_id: str) -> tuple[int, dict[int, StepReport]]:
    """The load of a run, and what each of its steps did. Raises: ContractError without a load."""
    row = connection.execute(
        "SELECT max(load) FROM ops.load WHERE run_id = %s", [run_id]
    ).fetchone()
    if row is None or row[0] is None:
        raise ContractError(say("database.run_without_load", run_id=run_id))
    rows = connection.execute(
        """
        SELECT step, entity, status, seconds, counts, error, kind, guard, cause, notes
        FROM ops.step_result WHERE load = %s ORDER BY step, at, entity
        """,
        [row[0]],
    )
    steps: dict[int, StepReport] = {}
    for step, entity, status, seconds, counts, error, kind, guard, cause, notes in rows:
        values = {
            "entity": entity,
            "status": status,
            "seconds": seconds,
            "error": error,
            "guard": guard,
            "cause": cause,
            "notes": notes,
            **counts,
        }
        entities = steps.setdefault(step, StepReport(step, {})).entities
        entities[entity] = entity_report(kind, values)
    return row[0], steps


def record_report(connection: Connection[Any], run_id: str, report: RunReport) -> None:
    """Keeps the report of a run that does other work than steps over entities."""
    kind, values = report_record(report)
    connection.execute(
        """
        INSERT INTO ops.run_report (run_id, kind, report) VALUES (%s, %s, %s)
        ON CONFLICT (run_id) DO UPDATE SET
            (kind, report, at) = (excluded.kind, excluded.report, now())
        """,
        [run_id, kind, orjson.dumps(values).decode()],
    )


def report_of_run(connection: Connection[Any], run_id: str) -> RunReport | None:
    """The report that a side job, an export or the settings left, or None."""
    row = connection.execute(
        "SELECT kind, report FROM ops.run_report WHERE run_id = %s", [run_id]
    ).fetchone()
    return report_from_record(*row) if row else None


@dataclass(frozen=True)
class LastResult:
    """The last that a step did with an entity."""

    step: int
    entity: str
    load: int
    status: str
    at: datetime
    counts: dict[str, Any]
    error: str | None


def last_results(connection: Connection) -> list[LastResult]:
    """The last result of each step with each entity."""
    rows = connection.execute("""
        SELECT DISTINCT ON (step, entity) step, entity, load, status, at, counts, error
        FROM ops.step_result ORDER BY step, entity, load DESC
        """)
    return [LastResult(*row) for row in rows]
