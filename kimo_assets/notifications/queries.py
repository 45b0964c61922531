"""What others ask about mails, failing jobs and tablets.

The tables: ops.mail, ops.notification, and ops.tablet_sync, which Kimo's server is to write.
"""

from datetime import datetime
from typing import Any

from psycopg import Connection

from kimo_assets.notifications.morning import Tablet


def last_mail_of(connection: Connection[Any], kind: str) -> datetime | None:
    """When the last mail was written whose key begins with this kind and a colon."""
    row = connection.execute(
        "SELECT max(made_at) FROM ops.mail WHERE run_id LIKE %s", [f"{kind}:%"]
    ).fetchone()
    return row[0] if row else None


def failing_jobs(connection: Connection[Any]) -> list[tuple[str, datetime, int]]:
    """(job, since when, failed runs in a row) of the jobs whose last run failed."""
    return connection.execute(
        "SELECT job, since, failures FROM ops.notification WHERE state = 'failing' ORDER BY since"
    ).fetchall()


def tablets(connection: Connection[Any]) -> list[Tablet]:
    """The tablets that have ever synced, the one that synced longest ago first."""
    rows = connection.execute(
        """
        SELECT user_name, agent, device, last_sync_at FROM ops.tablet_sync
        ORDER BY last_sync_at, user_name, device
        """
    )
    return [Tablet(*row) for row in rows]
