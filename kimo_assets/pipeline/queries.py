"""What others ask about the plan that is kept.

The tables: ops.plan, ops.planned, ops.planned_rejected_row. saved_plan.py writes them.
"""

from datetime import datetime
from typing import Any

from psycopg import Connection

from kimo_assets.database.old_rows import LoadColumns

LOAD_COLUMNS: LoadColumns = (
    ("ops.plan", "applied_load"),
    ("ops.planned_rejected_row", "since_load"),
)


def kept_snapshots(connection: Connection[Any]) -> tuple[int, datetime | None]:
    """How many snapshots schema plan keeps, and when their plan was saved.

    There is no time when a killed plan has left them.
    """
    row = connection.execute(
        "SELECT (SELECT count(*) FROM ops.planned), (SELECT max(made_at) FROM ops.plan)"
    ).fetchone()
    assert row is not None, "a row of aggregates"  # noqa: S101
    return row[0], row[1]
