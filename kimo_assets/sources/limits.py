"""A time limit for statements on a source, set in each database's own way."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from kimo_assets.errors import PermanentSourceError, SourceError
from kimo_assets.texts import say

# SQLite calls its progress handler after so many steps of its virtual machine.
_SQLITE_STEPS = 100_000


class TimeLimitError(PermanentSourceError):
    """A statement took longer than its limit."""


@contextmanager
def time_limit(connection: Connection, seconds: float) -> Iterator[None]:
    """Ends the statements inside after so many seconds. Raises: TimeLimitError.

    A database that knows no limit is waited for.
    """
    _set_limit(connection, seconds)
    started = time.monotonic()
    try:
        yield
    except SourceError as error:
        # Each driver words the end of a limit differently, so the time decides.
        # A little less than the limit will do: the server counts by a clock of its own.
        if time.monotonic() - started >= seconds * 0.9:
            raise TimeLimitError(say("sources.time_limit", seconds=seconds)) from error
        raise
    finally:
        # The connection goes back to the pool; it may be broken by now.
        with suppress(SQLAlchemyError):
            _set_limit(connection, 0)


def _set_limit(connection: Connection, seconds: float) -> None:
    """Sets the limit of the session, in the unit of its database. 0: no limit."""
    driver: Any = connection.connection.dbapi_connection
    match connection.dialect.name:
        case "postgresql":
            connection.exec_driver_sql(f"SET statement_timeout = {int(seconds * 1000)}")
        # MariaDB is also reached by the scheme mysql, and does not know max_execution_time.
        case "mysql" | "mariadb" if getattr(connection.dialect, "is_mariadb", False):
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {seconds:f}")
        case "mysql":
            connection.exec_driver_sql(f"SET SESSION max_execution_time = {int(seconds * 1000)}")
        case "sqlite":
            _set_sqlite_limit(driver, seconds)
        case "mssql" if hasattr(driver, "timeout"):
            # Whole seconds, rounded up: 0 would mean no limit.
            driver.timeout = round(seconds + 0.5) if seconds else 0
        case "oracle" if hasattr(driver, "call_timeout"):
            driver.call_timeout = int(seconds * 1000)


def _set_sqlite_limit(driver: Any, seconds: float) -> None:
    if not seconds:
        driver.set_progress_handler(None, _SQLITE_STEPS)
        return
    deadline = time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > deadline, _SQLITE_STEPS)
