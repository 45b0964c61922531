"""Connecting to an integration database, and saying in one line what is wrong with it, without its
password.
"""

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

# Where an engine remembers how long its statements wait for a lock.
_LOCK_TIMEOUT = "kimo_lock_timeout_s"

# The engine's execution option that holds the source's `reader` of kimo.yaml.
READER = "kimo_reader"


# What a URL means that names no driver.
_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}

# The extra that brings a dialect's driver.
_EXTRAS = {"mysql": "mysql", "mariadb": "mysql", "mssql": "mssql", "oracle": "oracle"}


def open_source(name: str, config: SourceConfig, *, writable: bool = False) -> Engine:
    """An engine on the source; nothing is connected yet. Raises: PermanentSourceError when a driver
    is missing.

    writable: for SQLite, whose files are otherwise opened so that nothing can change them.
    """
    url = config.sqlalchemy_url
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        # Never `rwc`: a wrong path must not leave an empty database behind.
        file = quote(url.database, safe="/:\\")
        url = url.set(database=f"file:{file}").update_query_dict(
            {"mode": "rw" if writable else "ro", "uri": "true"}
        )
    try:
        engine = create_engine(
            url,
            connect_args=connect_arguments(url, config.lock_timeout_s),
            # As many connections as there are readers: how many these are is decided elsewhere.
            **({} if url.database in (None, "", ":memory:") else {"max_overflow": -1}),
            execution_options={_LOCK_TIMEOUT: config.lock_timeout_s, READER: config.reader},
        )
    except (NoSuchModuleError, ImportError) as error:
        extra = _EXTRAS.get(url.get_backend_name())
        how = f": pip install 'kimo_assets[{extra}]'" if extra else ""
        raise PermanentSourceError(
            f"source '{name}': no driver for {url.drivername} ({error}). Install it{how}."
        ) from None
    if statements := session_statements(engine.dialect.name, config.lock_timeout_s):
        event.listen(engine, "connect", partial(_begin_session, statements))
    if engine.dialect.driver == "mysqldb":
        event.listen(engine, "connect", _dates_as_written)
    return engine


def _begin_session(statements: Sequence[str], connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    connection.commit()


def _dates_as_written(connection, _record) -> None:  # type: ignore[no-untyped-def]
    """mysqlclient would take the impossible date 0000-00-00 for no value; pymysql, and we,
    do not.
    """
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
    """A connection, given back to the pool unless it was lost. Errors are the caller's to turn, by
    `source_errors`.
    """
    connection = engine.connect()
    try:
        yield connection
    except TransientSourceError:
        connection.invalidate()
        raise
    finally:
        connection.close()


@contextmanager
def source_errors(name: str, engine: Engine) -> Iterator[None]:
    """Turns whatever a driver raises into a SourceError of one line; the URL's password is masked
    in it.
    """
    try:
        yield
    except SourceError as error:
        error.source = error.source or name
        raise
    except SQLAlchemyError as error:
        raise _as_source_error(name, engine, error) from None
    except Exception as error:
        if isinstance(error, engine.dialect.dbapi.Error):  # type: ignore[union-attr]
            raise _as_source_error(name, engine, error) from None
        raise


def _as_source_error(name: str, engine: Engine, error: Exception) -> SourceError:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    # PostgreSQL points at the place with a caret on a line of its own.
    text = " ".join(str(cause).split()).removesuffix(" ^")
    kind = _kind(engine, error, cause, text)
    if kind is TableLockedError:
        text += (
            f"; waited {engine.get_execution_options()[_LOCK_TIMEOUT]:g} s"
            f" (sources.{name}.lock_timeout_s)"
        )
    made = kind(f"source '{name}' ({address(engine)}): {without_secrets(text, [engine.url])}")
    made.source = name
    made.said_by_database = isinstance(made, PermanentSourceError)
    return made


def _kind(engine: Engine, error: Exception, cause: BaseException, text: str) -> type[SourceError]:
    if is_lock_timeout(engine.dialect.name, text):
        return TableLockedError
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    unreachable = isinstance(cause, _operational_errors(engine)) and _is_connection_trouble(text)
    return TransientSourceError if lost or unreachable else PermanentSourceError


def address(engine: Engine) -> str:
    """Where the source is, without its password: that may also stand among a URL's parameters,
    which are left out.
    """
    if engine.dialect.name == "sqlite":
        return f"sqlite:///{unquote((engine.url.database or '').removeprefix('file:'))}"
    return engine.url.set(query={}).render_as_string(hide_password=True)


_SECRET = re.compile(r"(?i)\b(pwd|password)\s*=\s*(\{[^}]*\}|[^;&\s]*)")


def without_secrets(text: str, urls: Iterable[URL]) -> str:
    """The text with the passwords of the URLs masked, and whatever is called one in a connection
    string.
    """
    for url in urls:
        found = [
            secret
            for _, secret in _SECRET.findall(
                unquote_plus(url.render_as_string(hide_password=False))
            )
        ]
        for secret in filter(None, [str(url.password or ""), *found]):
            text = text.replace(secret, "***")
    return _SECRET.sub(r"\1=***", text)


def _operational_errors(engine: Engine) -> tuple[type[Exception], ...]:
    """Errors of the driver that tell of the connection rather than of the statement."""
    driver = engine.dialect.dbapi
    return (OperationalError, InterfaceError, driver.OperationalError, driver.InterfaceError)  # type: ignore[union-attr]


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


# A server that answers so will answer so again.
_WRONG = (
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
    return not any(word in folded for word in _WRONG) and any(word in folded for word in _TROUBLE)
