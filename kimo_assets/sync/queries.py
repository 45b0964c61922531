"""Questions of other packages about the payloads and who sees them.

The tables: ops.payload, covered, bucket, bucket_object, placement, manifest_file, profile,
audience, lookup, agent_weight, settings_object, unlisted_object, and schema sync.
"""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from kimo_assets.database.old_rows import LoadColumns, OldRows
from kimo_assets.sync.visibility.lookups import SYNC


def agents_with_payload(connection: Connection[Any]) -> list[str]:
    """The codes of the agents who get data."""
    # A profile with a warehouse is a user's and not the agent's own.
    rows = connection.execute(
        "SELECT agent FROM ops.profile WHERE warehouse IS NULL AND retired IS NULL ORDER BY 1"
    )
    return [agent for (agent,) in rows]


@dataclass(frozen=True)
class PayloadTotals:
    """What is published now. bytes: of the objects in use, each counted once."""

    agents: int
    objects: int
    bytes: int


def payload_totals(connection: Connection[Any]) -> PayloadTotals:
    """How many agents get data, and how much is published."""
    row = connection.execute("""
        SELECT (SELECT count(*) FROM ops.manifest_file WHERE path LIKE 'agents/%'), count(*),
            coalesce(sum(bytes), 0)::bigint
        FROM (SELECT DISTINCT sha256, bytes FROM ops.bucket_object) AS objects
        """).fetchone()
    assert row is not None, "an aggregate has a row"  # noqa: S101
    return PayloadTotals(*row)


def published_entities(connection: Connection[Any]) -> list[str]:
    """The entities that were published at least once."""
    return [name for (name,) in connection.execute("SELECT entity FROM ops.payload")]


def published_columns(connection: Connection[Any], entity: str) -> list[str]:
    """The columns of an entity that tablets get. None of them if it was never published."""
    row = connection.execute(
        "SELECT description -> 'columns' FROM ops.payload WHERE entity = %s", [entity]
    ).fetchone()
    return row[0] if row else []


# --- who saw a row before


@dataclass(frozen=True)
class EarlierAudience:
    """Who saw a row until a load. mask: a bit for each profile, by position."""

    until_load: int
    mask: int

    def includes(self, position: int) -> bool:
        """Whether the agent at this position saw the row."""
        return bool(self.mask >> position & 1)


def earlier_audience(connection: Connection[Any], entity: str, key: str) -> EarlierAudience | None:
    """Who saw the row before its audience last changed. None: it never did.

    Of an entity that everybody sees as a whole nothing is kept.
    """
    target = sql.Identifier(SYNC, entity)
    # There is no such table where everybody sees the entity as a whole.
    name = target.as_string(connection)
    if connection.execute("SELECT to_regclass(%s)", [name]).fetchone() == (None,):
        return None
    row = connection.execute(
        sql.SQL(
            "SELECT s.since, a.mask FROM {} AS s LEFT JOIN ops.audience AS a ON a.number = s.before"
            " WHERE s.key = %s AND s.before IS NOT NULL"
        ).format(target),
        [key],
    ).fetchone()
    if row is None:
        return None
    until_load, mask = row
    return EarlierAudience(until_load, int(mask or "0", 16))


def position_of_profile(
    connection: Connection[Any], agent: str, warehouse: str | None
) -> int | None:
    """The bit in masks that step 3 has given to an agent, or to a user with an own warehouse."""
    row = connection.execute(
        """
        SELECT position FROM ops.profile
        WHERE agent = %s AND warehouse IS NOT DISTINCT FROM %s AND retired IS NULL
        """,
        [agent, warehouse],
    ).fetchone()
    return row[0] if row else None


# --- retention

OLD_WEIGHTS = OldRows(
    "weights of manifests",
    "ops.agent_weight",
    """
    t.load IN (SELECT load FROM old_load) AND t.load < (SELECT max(load) FROM ops.agent_weight)
    """,
    "load",
)

LOAD_COLUMNS: LoadColumns = (
    ("ops.agent_weight", "load"),
    ("ops.payload", "checked_load"),
    ("ops.payload", "changed_load"),
    ("ops.covered", "load"),
    ("ops.bucket", "base_load"),
    ("ops.bucket_object", "load"),
    ("ops.lookup", "changed_load"),
    ("ops.lookup", "refreshed_load"),
    ("ops.profile", "since"),
)
