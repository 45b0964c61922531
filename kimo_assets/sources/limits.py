"""A time limit for a statement on a source, told to each database in its own way."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Connection

from kimo_assets.errors import PermanentSourceError, SourceError


class TimeLimitError(PermanentSourceError):
    """A statement took longer than its limit."""


@contextmanager
def time_limit(connection: Connection, seconds: float) -> Iterator[None]:
    """Statements inside end after so many seconds. Raises: TimeLimitError, for the SourceError that this looks like.

    A database that knows no limit is waited for. The connection may not be used afterwards: the limit stays on it.
    """
    _set_limit(connection, seconds)
    started = time.monotonic()
    try:
        yield
    except SourceError as error:
        if time.monotonic() - started >= seconds * 0.9:
            raise TimeLimitError(f"the source took longer than {seconds:g} s") from error
        raise


def _set_limit(connection: Connection, seconds: float) -> None:
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
            driver.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
        case "mssql" if hasattr(driver, "timeout"):
            driver.timeout = max(1, round(seconds))
        case "oracle" if hasattr(driver, "call_timeout"):
            driver.call_timeout = int(seconds * 1000)
