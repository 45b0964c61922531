"""Connecting to an integration database, and its errors: one line each, without a password."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from kimo_assets.config import SourceConfig
from kimo_assets.errors import (
    PermanentSourceError,
    SourceError,
    TableLockedError,
    TransientSourceError,
)
from kimo_assets.sources.session import connect_arguments, is_lock_timeout, session_statements
from kimo_assets.texts import say

# Where an engine remembers how long its statements wait for a lock.
_LOCK_TIMEOUT = "kimo_lock_timeout_s"

# The engine's execution option that holds the source's `reader` of kimo.yaml.
READER = "kimo_reader"

# A URL's scheme -> the driver that we install for it, where the URL names none.
_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}

# A dialect -> the extra of this package that installs its driver.
_EXTRAS = {"mysql": "mysql", "mariadb": "mysql", "mssql": "mssql", "oracle": "oracle"}


def open_source(name: str, config: SourceConfig, *, writable: bool = False) -> Engine:
    """An engine on the source, not connected yet. Raises: PermanentSourceError without a driver.

    writable: for SQLite, whose files are otherwise opened read-only.
    """
    url = config.sqlalchemy_url
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    pool: dict[str, Any] = {}
    if _names_database(url):
        # Each reader needs a connection. How many readers there are is decided elsewhere.
        pool = {"max_overflow": -1}
        if url.get_backend_name() == "sqlite":
            url = _of_existing_file(url, writable=writable)
    try:
        engine = create_engine(
            url,
            connect_args=connect_arguments(url, config.lock_timeout_s),
            execution_options={_LOCK_TIMEOUT: config.lock_timeout_s, READER: config.reader},
            **pool,
        )
    except (NoSuchModuleError, ImportError) as error:
        raise _no_driver(name, url, error) from None
    if statements := session_statements(engine.dialect.name, config.lock_timeout_s):
        event.listen(engine, "connect", partial(_begin_session, statements))
    if engine.dialect.driver == "mysqldb":
        event.listen(engine, "connect", _dates_as_written)
    return engine


def _names_database(url: URL) -> bool:
    return url.database not in (None, "", ":memory:")


def _of_existing_file(url: URL, *, writable: bool) -> URL:
    """A SQLite URL that opens the file only where it exists.

    Never `rwc`: a wrong path must not leave an empty database behind.
    """
    # A question mark or a hash in a file's name would end the path of a URI.
    file = quote(url.database or "", safe="/:\\")
    mode = "rw" if writable else "ro"
    return url.set(database=f"file:{file}").update_query_dict({"mode": mode, "uri": "true"})


def _no_driver(name: str, url: URL, error: Exception) -> PermanentSourceError:
    extra = _EXTRAS.get(url.get_backend_name())
    key = "sources.no_driver_extra" if extra else "sources.no_driver"
    message = say(key, source=name, driver=url.drivername, error=error, extra=extra)
    return PermanentSourceError(message)


def _begin_session(statements: Sequence[str], connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    # PostgreSQL takes a SET back with the rollback by which the pool resets connections.
    connection.commit()


def _dates_as_written(connection: Any, _record: Any) -> None:
    """Keeps the impossible date 0000-00-00 a text, as pymysql does: mysqlclient makes it NULL."""
    timestamp, day, moment = 7, 10, 12  # of MySQL's protocol
    connection.converter |= {
        day: partial(_parsed_or_text, date.fromisoformat),
        timestamp: partial(_parsed_or_text, datetime.fromisoformat),
        moment: partial(_parsed_or_text, datetime.fromisoformat),
    }


def _parsed_or_text(parse: Callable[[str], date], text: str) -> date | str:
    try:
        return parse(text)
    except ValueError:
        return text


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection, returned to the pool unless it was lost.

    The caller translates errors with `source_errors`.
    """
    connection = engine.connect()
    try:
        yield connection
    except TransientSourceError:
        # The pool would hand the lost connection to the next reader.
        connection.invalidate()
        raise
    finally:
        connection.close()


@contextmanager
def source_errors(name: str, engine: Engine) -> Iterator[None]:
    """Translates a driver's errors to SourceErrors of one line, with the password masked."""
    try:
        yield
    except SourceError as error:
        error.source = error.source or name
        raise
    except SQLAlchemyError as error:
        raise _as_source_error(name, engine, error) from None
    except Exception as error:
        # Readers also use the driver itself, whose errors SQLAlchemy does not wrap.
        if isinstance(error, _driver_of(engine).Error):
            raise _as_source_error(name, engine, error) from None
        raise


def _driver_of(engine: Engine) -> Any:
    """The driver's module (PEP 249)."""
    return engine.dialect.dbapi


def _as_source_error(name: str, engine: Engine, error: Exception) -> SourceError:
    """The error in one line, in the class that tells whether trying again may help."""
    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig:
        cause = error.orig
    # PostgreSQL points at the position with a caret on a line of its own.
    text = " ".join(str(cause).split()).removesuffix(" ^")
    error_class = _class_of(engine, error, cause, text)
    if error_class is TableLockedError:
        waited_s = engine.get_execution_options()[_LOCK_TIMEOUT]
        text = say("sources.lock_waited", error=text, seconds=waited_s, source=name)
    masked = without_secrets(text, [engine.url])
    message = say("sources.error", source=name, address=address(engine), error=masked)
    source_error = error_class(message)
    source_error.source = name
    source_error.said_by_database = error_class is PermanentSourceError
    return source_error


def _class_of(
    engine: Engine, error: Exception, cause: BaseException, text: str
) -> type[SourceError]:
    # First, because the word timeout would also stand for a lost connection.
    if is_lock_timeout(engine.dialect.name, text):
        return TableLockedError
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return TransientSourceError
    if isinstance(cause, _operational_errors(engine)) and _is_connection_trouble(text):
        return TransientSourceError
    return PermanentSourceError


def address(engine: Engine) -> str:
    """The source's address without its parameters, because one may be a password too."""
    if engine.dialect.name == "sqlite":
        return f"sqlite:///{unquote((engine.url.database or '').removeprefix('file:'))}"
    return engine.url.set(query={}).render_as_string(hide_password=True)


_SECRET = re.compile(r"(?i)\b(pwd|password)\s*=\s*(\{[^}]*\}|[^;&\s]*)")


def without_secrets(text: str, urls: Iterable[URL]) -> str:
    """The text with the URLs' passwords masked, and `pwd=...` of any connection string."""
    for url in urls:
        # ODBC's connection string stands encoded in a parameter: odbc_connect=DRIVER%3D...
        decoded = unquote_plus(url.render_as_string(hide_password=False))
        secrets = [str(url.password or ""), *(secret for _, secret in _SECRET.findall(decoded))]
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
    return _SECRET.sub(r"\1=***", text)


def _operational_errors(engine: Engine) -> tuple[type[Exception], ...]:
    """The classes of errors that may be about the connection rather than the statement."""
    driver = _driver_of(engine)
    return (OperationalError, InterfaceError, driver.OperationalError, driver.InterfaceError)


# Words of messages about a connection. Trying again may help.
_TROUBLE = (
    "connect",
    "timeout",
    "timed out",
    "refused",
    "gone away",
    "lost",
    "closed",
    "starting up",
)

# Words of messages that a server repeats until somebody changes something.
_PERMANENT = (
    "password",
    "authentication",
    "access denied",
    "login failed",
    "logon denied",
    "does not exist",
    "unknown database",
)


def _is_connection_trouble(text: str) -> bool:
    folded = text.casefold()
    # First: psycopg words a wrong password as a connection that failed.
    if any(word in folded for word in _PERMANENT):
        return False
    return any(word in folded for word in _TROUBLE)
