"""One import or export at a time: a PostgreSQL advisory lock, tied to a session, so that a killed
run frees it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from psycopg import Connection
from psycopg.pq import TransactionStatus

from kimo_assets.catalog.menu import RUN_LOCK, busy_with
from kimo_assets.database.server import Database
from kimo_assets.errors import LockedError


@contextmanager
def exclusive(database: Database, key: str = RUN_LOCK) -> Iterator[Connection]:
    """Holds the lock while the block runs. Raises: LockedError with the name of the run that holds
    it.
    """
    with database.connect() as connection:
        taken = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [key]).fetchone()
        if taken != (True,):
            holder = _holder(connection) if key == RUN_LOCK else busy_with(key)
            raise LockedError(holder)
        try:
            yield connection
        finally:
            if is_usable(connection):
                connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", [key])


def is_usable(connection: Connection) -> bool:
    """Whether the connection can take a command: it is open, and not in the middle of
    another one.
    """
    return (
        not connection.closed and connection.info.transaction_status is not TransactionStatus.ACTIVE
    )


def _holder(connection: Connection) -> str:
    row = connection.execute(
        "SELECT load, title, to_char(started_at, 'YYYY-MM-DD HH24:MI:SS'), run_id FROM ops.load "
        "WHERE finished_at IS NULL ORDER BY load DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return busy_with(RUN_LOCK)
    load, title, since, run_id = row
    run = f", run {run_id}" if run_id else ""
    return f"'{title}' (load {load}{run}) is running since {since} UTC; wait until it has ended"


def is_held(connection: Connection, key: str = RUN_LOCK) -> bool:
    """Whether an import or export is running now, or the side job of this key. Only looks: it makes
    nobody be refused.
    """
    row = connection.execute(
        """
        SELECT EXISTS (
            SELECT FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND objsubid = 1
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND (classid::bigint << 32 | objid::bigint) = hashtext(%s)
        )
        """,
        [key],
    ).fetchone()
    return row is not None and bool(row[0])


# A run ends within seconds of its load; one that says otherwise minutes later was killed in
# between.
_ENDING = "2 minutes"


def abandoned(database: Database, run_ids: Sequence[str]) -> list[str]:
    """Of the runs that are said to be going on, those that are over: killed, without a word to
    anybody.

    A run without a load is left alone: it may just be starting, or be one that moves no data.
    """
    with database.connect() as connection:
        loads = connection.execute(
            "SELECT run_id, finished_at IS NULL, finished_at < now() - %s::interval FROM ops.load "
            "WHERE run_id = ANY(%s) ORDER BY load",
            [_ENDING, list(run_ids)],
        ).fetchall()
    over = [run_id for run_id, _, long_ago in loads if long_ago]
    if still_open := [run_id for run_id, is_open, _ in loads if is_open]:
        # The lock is given back after the load is closed, or with the session of a killed run.
        with suppress(LockedError), exclusive(database) as connection:
            dead = connection.execute(
                "SELECT run_id FROM ops.load WHERE run_id = ANY(%s) AND finished_at IS NULL ORDER"
                " BY load",
                [still_open],
            )
            over += [run_id for (run_id,) in dead]
    return over
