"""What others ask about the snapshots in schema integrator and the rejected rows.

The tables: ops.staged and ops.rejected_row. Step 2 has its own rejected rows in the latter.
`rejected.py` reads the rejected rows one by one, with the reasons in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from kimo_assets.database.old_rows import LoadColumns, OldRows


def staged_at(connection: Connection[Any]) -> dict[str, datetime]:
    """entity -> when its snapshot was read from the ERP."""
    return dict(connection.execute("SELECT entity, staged_at FROM ops.staged").fetchall())


def snapshots_older_than(connection: Connection[Any], hours: float) -> list[tuple[str, datetime]]:
    """(entity, when it was read), the oldest first."""
    return connection.execute(
        """
        SELECT entity, staged_at FROM ops.staged
        WHERE staged_at < now() - make_interval(secs => %s) ORDER BY staged_at, entity
        """,
        [hours * 3600],
    ).fetchall()


@dataclass(frozen=True)
class RejectedShare:
    """How many rows of an entity's snapshot were rejected. load: that has read it."""

    entity: str
    rejected: int
    read: int
    load: int

    @property
    def share(self) -> float:
        return self.rejected / self.read


def rejected_shares(
    connection: Connection[Any], entities: Sequence[str], *, above: float
) -> list[RejectedShare]:
    """The snapshots with a greater share of rejected rows, the greatest first."""
    rows = connection.execute(
        """
        SELECT entity, rows_rejected, rows_read, load FROM ops.staged
        WHERE entity = ANY(%s) AND rows_rejected > 0 AND rows_rejected > %s * rows_read
        ORDER BY rows_rejected::float / rows_read DESC, entity
        """,
        [list(entities), above],
    )
    return [RejectedShare(*row) for row in rows]


# --- rejected rows
# --------------------------------------------------------------------------------------------------


def rejected_counts(connection: Connection[Any]) -> dict[int, dict[str, int]]:
    """step -> entity -> its rejected rows. Both steps are there, if only empty."""
    counts: dict[int, dict[str, int]] = {1: {}, 2: {}}
    rows = connection.execute(
        "SELECT step, entity, count(*) FROM ops.rejected_row GROUP BY step, entity"
    )
    for step, entity, count in rows:
        counts[step][entity] = count
    return counts


def newly_rejected(
    connection: Connection[Any], *, load: int | None, since: datetime | None
) -> dict[tuple[str, int, str, str | None], int]:
    """(entity, step, rule, field) -> the rows first rejected by this load, or since then."""
    rows = connection.execute(
        """
        SELECT entity, step, rule, field, count(*) FROM ops.rejected_row
        WHERE since_load = %(load)s OR since > %(since)s GROUP BY 1, 2, 3, 4
        """,
        {"load": load, "since": since},
    )
    return {(entity, step, rule, field): count for entity, step, rule, field, count in rows}


@dataclass(frozen=True)
class RejectedSample:
    """A rejected row, for a table. column: the source's, and the field where its name differs."""

    rule: str
    column: str
    value: str | None
    source_key: str | None
    since: datetime
    since_load: int


def rejected_samples(
    connection: Connection[Any], entity: str, step: int, *, most: int
) -> list[RejectedSample]:
    """Some rejected rows, those that were rejected last first."""
    rows = connection.execute(
        """
        SELECT rule, concat_ws(' → ', source_column, nullif(field, source_column)), value,
            source_key, since, since_load
        FROM ops.rejected_row WHERE entity = %s AND step = %s
        ORDER BY since_load DESC, rule, id LIMIT %s
        """,
        [entity, step, most],
    )
    return [RejectedSample(*row) for row in rows]


def last_rejection(
    connection: Connection[Any], entity: str, key: str
) -> tuple[int, str, str | None] | None:
    """(step, rule, field) by which the row with this key was rejected last; None if it was not."""
    # Step 1 keeps a key with the name of its column, `CODE=12`. Step 2 keeps the Id alone.
    return connection.execute(
        """
        SELECT step, rule, field FROM ops.rejected_row
        WHERE entity = %s AND (source_key = %s OR source_key LIKE %s) ORDER BY id DESC LIMIT 1
        """,
        [entity, key, f"%={key}"],
    ).fetchone()


# --- retention
# --------------------------------------------------------------------------------------------------

OLD_REJECTED_ROWS = OldRows(
    "rejected rows of entities that are not mapped",
    "ops.rejected_row",
    "t.entity <> ALL(%(mapped)s) AND t.at < %(cutoff)s",
    "id",
)

LOAD_COLUMNS: LoadColumns = (
    ("ops.staged", "load"),
    ("ops.rejected_row", "load"),
    ("ops.rejected_row", "since_load"),
)


def fill_needed_results(connection: Connection[Any]) -> None:
    """needed_result: since when rows are rejected is told by the result of that load."""
    connection.execute(
        "INSERT INTO needed_result SELECT DISTINCT entity, since_load FROM ops.rejected_row"
    )
