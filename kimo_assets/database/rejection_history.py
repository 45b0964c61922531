"""Since when a row is rejected: the date is kept as long as each load rejects the row again.

Before a step deletes the rejected rows of an entity, `remember_since` notes them. When the step has
written them anew, `restore_since` gives equal rows their old date back. Which rows are rejected,
and for what reason, is the business of the steps.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from psycopg import Connection, sql

from kimo_assets.database.names import STAGED_AREA
from kimo_assets.texts import say

# Equal for the same row: rejected by the same rule for the same value under the same key. Rows
# without a key differ by all they hold. It is a hash because two NULLs are equal in it, which they
# are not in a comparison that joins fast.
_SAME = sql.SQL(
    "hash_record_extended(ROW(r.source, r.rule, r.field, r.source_key, r.value, "
    "CASE WHEN r.rule = 'missing_key' THEN r.source_row END), 0)"
)


def of_entity(entity: str, step: int) -> sql.Composed:
    """The condition that selects an entity's rejected rows of a step."""
    return sql.SQL("entity = {} AND step = {}").format(sql.Literal(entity), sql.Literal(step))


def remember_since(connection: Connection, condition: sql.Composable) -> bool:
    """Notes since when the selected rows of ops.rejected_row are rejected.

    Returns whether there are any. The notes last until the transaction ends.
    """
    has_rows = connection.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(STAGED_AREA.rejected, condition)
    ).fetchone()
    if has_rows != (True,):
        return False
    connection.execute("DROP TABLE IF EXISTS pg_temp.rejected_before")
    connection.execute(
        sql.SQL("""
            CREATE TEMPORARY TABLE rejected_before ON COMMIT DROP AS
            SELECT same, row_number() OVER (PARTITION BY same ORDER BY since, id) AS nth,
                since, since_load
            FROM (
                SELECT {same} AS same, id, since, since_load
                FROM {rejected} AS r WHERE {condition}
            ) AS selected
            """).format(same=_SAME, rejected=STAGED_AREA.rejected, condition=condition)
    )
    return True


def restore_since(
    connection: Connection, rejected: sql.Identifier, condition: sql.Composable
) -> None:
    """Gives the selected rows of `rejected` the dates noted for equal rows. The others are new.

    Of several equal rows, as many are old as were noted.
    """
    connection.execute(
        sql.SQL("""
            UPDATE {rejected} AS now SET since = before.since, since_load = before.since_load
            FROM (
                SELECT id, same, row_number() OVER (PARTITION BY same ORDER BY id) AS nth
                FROM (SELECT {same} AS same, id FROM {rejected} AS r WHERE {condition}) AS selected
            ) AS again
            JOIN pg_temp.rejected_before AS before USING (same, nth)
            WHERE now.id = again.id
            """).format(same=_SAME, rejected=rejected, condition=condition)
    )


@contextmanager
def since_kept(connection: Connection, entity: str, step: int) -> Iterator[None]:
    """For a block that deletes all rejected rows of an entity's step and writes them anew."""
    condition = of_entity(entity, step)
    has_old = remember_since(connection, condition)
    yield
    if has_old:
        restore_since(connection, STAGED_AREA.rejected, condition)
    # Rows that no earlier load rejected are new with the load that wrote them.
    connection.execute(
        sql.SQL("UPDATE {} SET since_load = load WHERE since_load IS NULL AND {}").format(
            STAGED_AREA.rejected, condition
        )
    )


def count_new(
    connection: Connection, rejected: sql.Identifier, names: Sequence[str], step: int, load: int
) -> dict[str, int]:
    """Entity -> how many rows this load was the first to reject, of those that have any."""
    rows = connection.execute(
        sql.SQL("""
            SELECT entity, count(*) FROM {}
            WHERE entity = ANY(%s) AND step = %s AND since_load = %s GROUP BY entity
            """).format(rejected),
        [list(names), step, load],
    )
    return dict(rows.fetchall())


def loads_of_step(connection: Connection, entity: str, step: int) -> list[int]:
    """The loads in which the step looked at the entity's rows, in their order."""
    rows = connection.execute(
        """
        SELECT load FROM ops.step_result
        WHERE entity = %s AND step = %s AND status <> 'failed' ORDER BY load
        """,
        [entity, step],
    )
    return [load for (load,) in rows]


def times_rejected(loads: Sequence[int], since_load: int) -> int:
    """In how many of the loads a row was rejected, the first of them since_load. 1: it is new."""
    return max(1, len(loads) - bisect_left(loads, since_load))


def since_in_words(since: datetime, times: int) -> str:
    """`new`, or since when and how often."""
    if times == 1:
        return say("database.rejected_new")
    day = f"{since.astimezone():%Y-%m-%d}"
    return say("database.rejected_since", day=day, count=times)
