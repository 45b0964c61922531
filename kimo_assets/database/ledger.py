"""The ledger in schema ops: loads and what each step did with each entity, written and read
back.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg import Connection

from kimo_assets.reports import EntityReport


def begin_load(connection: Connection, title: str, run_id: str | None) -> int:
    """A new load's number. Loads that a killed run left open are closed as failed: the lock proves
    nobody runs them.
    """
    connection.execute(
        "UPDATE ops.load SET finished_at = now(), success = false WHERE finished_at IS NULL"
    )
    row = connection.execute(
        "INSERT INTO ops.load (title, run_id) VALUES (%s, %s) RETURNING load", [title, run_id]
    ).fetchone()
    assert row is not None, "RETURNING gives a row"  # noqa: S101
    return int(row[0])


def end_load(connection: Connection, load: int, *, success: bool) -> None:
    connection.execute(
        "UPDATE ops.load SET finished_at = now(), success = %s WHERE load = %s", [success, load]
    )


def record_result(connection: Connection, load: int, step: int, report: EntityReport) -> None:
    connection.execute(
        """
        INSERT INTO ops.step_result (load, step, entity, status, seconds, counts, error) VALUES
            (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (load, step, entity) DO UPDATE SET (status, seconds, counts, error, at) =
            (excluded.status, excluded.seconds, excluded.counts, excluded.error, now())
        """,
        [
            load,
            step,
            report.entity,
            report.status,
            report.seconds,
            orjson.dumps(report.counts()).decode(),
            report.error,
        ],
    )


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
    rows = connection.execute("""
        SELECT DISTINCT ON (step, entity) step, entity, load, status, at, counts, error
        FROM ops.step_result ORDER BY step, entity, load DESC
        """)
    return [LastResult(*row) for row in rows]
