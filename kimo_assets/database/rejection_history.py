"""Since when a row is refused: kept while each load refuses it again, whichever step does.

Before a step deletes an entity's refused rows, `remember_since` notes them; when it has written
them anew, `restore_since` gives those that are the same their old date back. Which rows are
refused, and why, is the steps' business.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from psycopg import Connection, sql

from kimo_assets.database.names import INTEGRATOR

# The same row: refused by the same rule for the same value under the same key. Rows without a key
# are told apart by all they hold. A hash, because it is equal for two NULLs, and a comparison that
# joins fast is not.
_SAME = sql.SQL(
    "hash_record_extended(ROW(r.source, r.rule, r.field, r.source_key, r.value, "
    "CASE WHEN r.rule = 'missing_key' THEN r.source_row END), 0)"
)


def of_entity(entity: str, step: int) -> sql.Composed:
    """The condition that chooses an entity's refused rows of a step."""
    return sql.SQL("entity = {} AND step = {}").format(sql.Literal(entity), sql.Literal(step))


def remember_since(connection: Connection, which: sql.Composable) -> bool:
    """Notes since when each of the chosen rows of ops.rejected_row is refused, until the
    transaction ends.

    Returns whether there was one.
    """
    found = connection.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(INTEGRATOR.rejected, which)
    ).fetchone()
    if found != (True,):
        return False
    connection.execute("DROP TABLE IF EXISTS pg_temp.refused_before")
    connection.execute(
        sql.SQL("""
            CREATE TEMPORARY TABLE refused_before ON COMMIT DROP AS
            SELECT same, row_number() OVER (PARTITION BY same ORDER BY since, id) AS nth, since,
                since_load
            FROM (SELECT {same} AS same, id, since, since_load FROM {rejected} AS r WHERE {which})
                AS refused
            """).format(same=_SAME, rejected=INTEGRATOR.rejected, which=which)
    )
    return True


def restore_since(connection: Connection, rejected: sql.Identifier, which: sql.Composable) -> None:
    """Gives the chosen rows of `rejected` the dates that were noted for the same ones; the others
    are new.

    Of several rows that are the same, as many are old as were noted.
    """
    connection.execute(
        sql.SQL("""
            UPDATE {rejected} AS now SET since = before.since, since_load = before.since_load
            FROM (
                SELECT id, same, row_number() OVER (PARTITION BY same ORDER BY id) AS nth
                FROM (SELECT {same} AS same, id FROM {rejected} AS r WHERE {which}) AS refused
            ) AS again JOIN pg_temp.refused_before AS before USING (same, nth)
            WHERE now.id = again.id
            """).format(same=_SAME, rejected=rejected, which=which)
    )


@contextmanager
def since_kept(connection: Connection, entity: str, step: int) -> Iterator[None]:
    """For a block that deletes all refused rows of an entity's step and writes them anew."""
    which = of_entity(entity, step)
    has_old = remember_since(connection, which)
    yield
    if has_old:
        restore_since(connection, INTEGRATOR.rejected, which)
    connection.execute(
        sql.SQL("UPDATE {} SET since_load = load WHERE since_load IS NULL AND {}").format(
            INTEGRATOR.rejected, which
        )
    )


def count_new(
    connection: Connection, rejected: sql.Identifier, names: Sequence[str], step: int, load: int
) -> dict[str, int]:
    """How many rows of each entity this load refused that were not refused before; nothing for
    those without any.
    """
    rows = connection.execute(
        sql.SQL(
            "SELECT entity, count(*) FROM {} WHERE entity = ANY(%s) AND step = %s AND since_load ="
            " %s GROUP BY entity"
        ).format(rejected),
        [list(names), step, load],
    )
    return dict(rows.fetchall())


def loads_of_step(connection: Connection, entity: str, step: int) -> list[int]:
    """The loads in which the step was done for the entity, in their order: in each it looked at the
    entity's rows.
    """
    rows = connection.execute(
        "SELECT load FROM ops.step_result WHERE entity = %s AND step = %s AND status <> 'failed'"
        " ORDER BY load",
        [entity, step],
    )
    return [load for (load,) in rows]


def times_refused(loads: Sequence[int], since_load: int) -> int:
    """In how many of the loads a row was refused that is refused since one of them. 1: it
    is new.
    """
    return max(1, len(loads) - bisect_left(loads, since_load))


def since_in_words(since: datetime, times: int) -> str:
    """`new`, or since when and how often."""
    return "new" if times == 1 else f"{since.astimezone():%Y-%m-%d} ({times:,} loads)"
