"""A session at a source, by dialect: its limits for locks, who holds one, how it is interrupted.

Connecting and its errors are in connection.py.
"""

from contextlib import suppress
from typing import Any

from sqlalchemy import URL, Engine

from kimo_assets.texts import say

# Seconds. A server that does not answer at all is given up after ten, one that falls silent in
# mid-stream after a minute.
_PG_TIMEOUTS = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


def connect_arguments(url: URL, lock_timeout_s: float) -> dict[str, Any]:
    """Arguments for the driver. Those of the URL take precedence."""
    match url.get_backend_name():
        case "sqlite":
            return {"timeout": lock_timeout_s}
        case "postgresql" if url.get_driver_name() in ("psycopg", "psycopg2"):
            return {name: value for name, value in _PG_TIMEOUTS.items() if name not in url.query}
        case _:
            return {}


def session_statements(dialect: str, lock_timeout_s: float) -> list[str]:
    """Run once on each new connection. SQLite's limit is an argument of connecting."""
    # A limit of 0 would mean none.
    milliseconds, seconds = max(1, round(lock_timeout_s * 1000)), max(1, round(lock_timeout_s))
    match dialect:
        case "postgresql":
            # A server's own style may write days as 31.01.2026, and readers take them as written.
            return ["SET DateStyle = 'ISO, YMD'", f"SET lock_timeout = {milliseconds}"]
        case "mysql" | "mariadb":
            return [
                f"SET SESSION lock_wait_timeout = {seconds}, SESSION innodb_lock_wait_timeout ="
                f" {seconds}"
            ]
        case "mssql":
            return [f"SET LOCK_TIMEOUT {milliseconds}"]
        case "oracle":
            # Readers never wait there. This is for a semaphore's table that is being altered.
            return [f"ALTER SESSION SET ddl_lock_timeout = {seconds}"]
        case _:
            return []


# What each database's message says, in small letters, when a statement waited too long for a lock.
_LOCKED = {
    "postgresql": "due to lock timeout",
    "mysql": "lock wait timeout exceeded",
    "mariadb": "lock wait timeout exceeded",
    "sqlite": "is locked",
    "mssql": "lock request time out",
    "oracle": "ora-00054",
}


def is_lock_timeout(dialect: str, message: str) -> bool:
    """Whether the message says that a statement waited for a lock as long as it may."""
    return dialect in _LOCKED and _LOCKED[dialect] in message.casefold()


# No other lock stops a reader. Objects below 16384 are PostgreSQL's own.
_PG_HOLDERS = """
    SELECT DISTINCT l.relation::regclass::text, a.pid, a.usename, nullif(a.application_name, ''),
        to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
    FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
    WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock'
        AND l.relation >= 16384
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND l.pid <> pg_backend_pid()
    ORDER BY 1 LIMIT 3
"""


def lock_holders(engine: Engine) -> list[str]:
    """The sessions that lock tables against readers: `Zone by session 12 (erp, psql) since ...`.

    Only PostgreSQL is asked, and a failure to ask gives none.
    """
    if engine.dialect.name != "postgresql":
        return []
    with suppress(Exception), engine.connect() as connection:
        return [_holder(*row) for row in connection.exec_driver_sql(_PG_HOLDERS)]
    return []


def _holder(table: str, pid: int, user: str | None, program: str | None, since: str | None) -> str:
    session = str(pid)
    names = [name for name in (user, program) if name]
    if names:
        session = f"{pid} ({', '.join(names)})"
    if since:
        return say("sources.lock_holder_since", table=table, session=session, since=since)
    return say("sources.lock_holder", table=table, session=session)


def interrupt(engine: Engine, driver_connection: Any) -> None:
    """Asks the statement that runs on the connection to stop. Called from another thread.

    A statement that cannot be asked ends by itself.
    """
    with suppress(Exception):
        match engine.dialect.name:
            case "sqlite":
                driver_connection.interrupt()
            case "postgresql" if hasattr(driver_connection, "cancel_safe"):
                # Its cancel() has no time limit.
                driver_connection.cancel_safe(timeout=5)
            case "mysql" | "mariadb":
                # The connection itself is busy with the statement, and takes no other one.
                with engine.connect() as other:
                    other.exec_driver_sql(f"KILL QUERY {int(driver_connection.thread_id())}")
            case _:
                driver_connection.cancel()
