"""A time limit for statements on a source, told to each database in its own way."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from kimo_assets.errors import PermanentSourceError, SourceError


class TimeLimitError(PermanentSourceError):
    """A statement took longer than its limit."""


@contextmanager
def time_limit(connection: Connection, seconds: float) -> Iterator[None]:
    """Statements inside end after so many seconds. Raises: TimeLimitError, for the SourceError that
    this looks like.

    A database that knows no limit is waited for.
    """
    _set_limit(connection, seconds)
    started = time.monotonic()
    try:
        yield
    except SourceError as error:
        if time.monotonic() - started >= seconds * 0.9:
            raise TimeLimitError(f"the source took longer than {seconds:g} s") from error
        raise
    finally:
        # The connection goes back to the pool; it may be broken by now.
        with suppress(SQLAlchemyError):
            _set_limit(connection, 0)


def _set_limit(connection: Connection, seconds: float) -> None:
    """0: no limit."""
    driver: Any = connection.connection.dbapi_connection
    match connection.dialect.name:
        case "postgresql":
            connection.exec_driver_sql(f"SET statement_timeout = {int(seconds * 1000)}")
        case "mysql" | "mariadb" if getattr(connection.dialect, "is_mariadb", False):
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {seconds:f}")
        case "mysql":
            connection.exec_driver_sql(f"SET SESSION max_execution_time = {int(seconds * 1000)}")
        case "sqlite":
            deadline = time.monotonic() + seconds
            driver.set_progress_handler(
                (lambda: time.monotonic() > deadline) if seconds else None, 100_000
            )
        case "mssql" if hasattr(driver, "timeout"):
            driver.timeout = round(seconds + 0.5) if seconds else 0
        case "oracle" if hasattr(driver, "call_timeout"):
            driver.call_timeout = int(seconds * 1000)
