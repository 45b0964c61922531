"""One import or export at a time: a PostgreSQL advisory lock, tied to a session, so that a killed run frees it."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Connection

from kimo_assets.database.server import Database
from kimo_assets.errors import LockedError

_KEY = "kimo_assets: import or export"


@contextmanager
def exclusive(database: Database) -> Iterator[Connection]:
    """Holds the lock while the block runs. Raises: LockedError with the name of the run that holds it."""
    with database.connect() as connection:
        taken = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [_KEY]).fetchone()
        if taken != (True,):
            raise LockedError(_holder(connection))
        try:
            yield connection
        finally:
            if not connection.closed and not connection.broken:
                connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", [_KEY])


def _holder(connection: Connection) -> str:
    row = connection.execute(
        "SELECT load, title, to_char(started_at, 'YYYY-MM-DD HH24:MI:SS'), run_id FROM ops.load "
        "WHERE finished_at IS NULL ORDER BY load DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return "another import or export is running; wait until it has ended"
    load, title, since, run_id = row
    run = f", run {run_id}" if run_id else ""
    return f"'{title}' (load {load}{run}) is running since {since} UTC; wait until it has ended"


def is_held(connection: Connection) -> bool:
    """Whether an import or export is running now. Only looks: nobody is ever refused because of it."""
    row = connection.execute(
        """
        SELECT EXISTS (
            SELECT FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND objsubid = 1
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND (classid::bigint << 32 | objid::bigint) = hashtext(%s)
        )
        """,
        [_KEY],
    ).fetchone()
    return row is not None and bool(row[0])
