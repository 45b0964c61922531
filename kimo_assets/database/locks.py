"""One import or export at a time: a PostgreSQL advisory lock.

It is tied to a session, so that a killed run frees it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from psycopg import Connection
from psycopg.pq import TransactionStatus

from kimo_assets.catalog.menu import RUN_LOCK, busy_with
from kimo_assets.database.server import Database
from kimo_assets.errors import LockedError
from kimo_assets.texts import say


@contextmanager
def exclusive(database: Database, key: str = RUN_LOCK) -> Iterator[Connection]:
    """Holds the lock while the block runs. Raises: LockedError with the run that holds it."""
    with database.connect() as connection:
        taken = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [key]).fetchone()
        if taken != (True,):
            holder = _holder(connection) if key == RUN_LOCK else busy_with(key)
            raise LockedError(holder)
        try:
            yield connection
        finally:
            # In the middle of a statement nothing can be sent. The end of the session then frees
            # the lock.
            if is_usable(connection):
                connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", [key])


def is_usable(connection: Connection) -> bool:
    """Whether the connection can take a command: it is open and not in the middle of another."""
    is_busy = connection.info.transaction_status is TransactionStatus.ACTIVE
    return not connection.closed and not is_busy


def _holder(connection: Connection) -> str:
    """The run that holds the lock of imports and exports, in a sentence."""
    row = connection.execute(
        """
        SELECT load, title, to_char(started_at, 'YYYY-MM-DD HH24:MI:SS'), run_id
        FROM ops.load WHERE finished_at IS NULL ORDER BY load DESC LIMIT 1
        """
    ).fetchone()
    if row is None:
        return busy_with(RUN_LOCK)
    load, title, since, run_id = row
    if run_id:
        return say("database.run_going_on", title=title, load=load, since=since, run_id=run_id)
    return say("database.load_going_on", title=title, load=load, since=since)


def is_held(connection: Connection, key: str = RUN_LOCK) -> bool:
    """Whether an import or export is running now, or the side job of this key."""
    # It looks at the list of locks. Trying the lock could refuse a run that starts at that moment.
    # pg_locks shows the locks of all databases. A key of 64 bits stands there in halves, and
    # objsubid is 1 for it.
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


# A run ends within seconds after its load. One that goes on minutes later was killed in between.
_ENDING = "2 minutes"


def abandoned(database: Database, run_ids: Sequence[str]) -> list[str]:
    """The runs among these that were killed, so that nothing has recorded their end.

    A run without a load is not among them: it may just be starting, or move no data.
    """
    with database.connect() as connection:
        loads = connection.execute(
            """
            SELECT run_id, finished_at IS NULL, finished_at < now() - %s::interval
            FROM ops.load WHERE run_id = ANY(%s) ORDER BY load
            """,
            [_ENDING, list(run_ids)],
        ).fetchall()
    killed = [run_id for run_id, _, ended_long_ago in loads if ended_long_ago]
    still_open = [run_id for run_id, is_open, _ in loads if is_open]
    if still_open:
        # The lock is freed after the load is closed, or with the session of a killed run. So a load
        # that is still open under the lock has no run.
        with suppress(LockedError), exclusive(database) as connection:
            dead = connection.execute(
                """
                SELECT run_id FROM ops.load
                WHERE run_id = ANY(%s) AND finished_at IS NULL ORDER BY load
                """,
                [still_open],
            )
            killed += [run_id for (run_id,) in dead]
    return killed
