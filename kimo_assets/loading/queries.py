"""What others ask about Kimo's tables as step 2 left them: live rows, dangling references, changes.

The tables: ops.loaded, ops.reference_check, ops.change, ops.horizon, ops.export_answer,
ops.bound_id.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from kimo_assets.database.old_rows import LoadColumns


def live_rows(connection: Connection[Any]) -> dict[str, int]:
    """entity -> its rows in schema kimo that are not archived, for each that was ever loaded."""
    return dict(connection.execute("SELECT entity, rows_live FROM ops.loaded").fetchall())


def last_loads(connection: Connection[Any]) -> dict[str, int]:
    """entity -> the load whose step 2 took its snapshot last."""
    return dict(connection.execute("SELECT entity, load FROM ops.loaded").fetchall())


def loaded_tables(connection: Connection[Any]) -> list[str]:
    """The entities that were ever loaded and whose table is there."""
    rows = connection.execute(
        "SELECT entity FROM ops.loaded WHERE to_regclass(format('kimo.%I', entity)) IS NOT NULL"
    )
    return [entity for (entity,) in rows]


def loaded_among(connection: Connection[Any], entities: Iterable[str]) -> list[str]:
    """Those of the entities that were loaded before."""
    rows = connection.execute(
        "SELECT entity FROM ops.loaded WHERE entity = ANY(%s)", [list(entities)]
    )
    return [entity for (entity,) in rows]


@dataclass(frozen=True)
class DanglingField:
    """A field some of whose references point to no row of target.

    rows: live ones of the entity, None when it was never loaded. samples: keys that do not exist.
    """

    entity: str
    field: str
    target: str
    dangling: int
    rows: int | None
    samples: list[str]


def dangling_fields(connection: Connection[Any]) -> list[DanglingField]:
    """As last counted, those with the most dangling references first."""
    rows = connection.execute(
        """
        SELECT entity, field, target, dangling, rows_live, samples
        FROM ops.reference_check LEFT JOIN ops.loaded USING (entity)
        WHERE dangling > 0 ORDER BY dangling DESC, entity, field
        """
    )
    return [DanglingField(*row) for row in rows]


# --- retention
# --------------------------------------------------------------------------------------------------

LOAD_COLUMNS: LoadColumns = (
    ("ops.change", "load"),
    ("ops.change", "undone_by"),
    ("ops.loaded", "load"),
    ("ops.loaded", "changed_load"),
    ("ops.loaded", "owner_changed_load"),
    ("ops.export_answer", "load"),
    ("ops.bound_id", "load"),
    ("ops.horizon", "load"),
    ("ops.reference_check", "checked_load"),
)


def fill_needed_results(connection: Connection[Any]) -> None:
    """needed_result: all results of the loads that an undo can go back to."""
    connection.execute("INSERT INTO needed_result SELECT DISTINCT NULL, load FROM ops.change")
