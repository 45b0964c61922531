"""Connecting to an integration database, and saying in one line what is wrong with it, without its password."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, unquote, unquote_plus

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from kimo_assets.config import KimoConfig, SourceConfig, SystemId
from kimo_assets.errors import PermanentSourceError, SourceError, TransientSourceError

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


def open_source(name: str, config: SourceConfig) -> Engine:
    """An engine on the source; nothing is connected yet. Raises: PermanentSourceError when a driver is missing."""
    url = config.sqlalchemy_url
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        # Read-only: a wrong path must not leave an empty database behind, nor a mistake change the ERP's.
        file = quote(url.database, safe="/:\\")
        url = url.set(database=f"file:{file}").update_query_dict({"mode": "ro", "uri": "true"})
    try:
        engine = create_engine(url, pool_pre_ping=False, execution_options={READER: config.reader})
    except (NoSuchModuleError, ImportError) as error:
        extra = _EXTRAS.get(url.get_backend_name())
        how = f": pip install 'kimo_assets[{extra}]'" if extra else ""
        raise PermanentSourceError(f"source '{name}': no driver for {url.drivername} ({error}). Install it{how}.") from None
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _dates_as_iso)
    if engine.dialect.driver == "mysqldb":
        event.listen(engine, "connect", _dates_as_written)
    return engine


@contextmanager
def open_sources(config: KimoConfig, entities: Iterable[str]) -> Iterator[Mapping[str, Engine]]:
    """An engine for each source that feeds one of the entities, by the source's name; nothing is connected yet.

    Raises: PermanentSourceError when a driver is missing.
    """
    wanted: set[SystemId] = {mapping.source for name in entities for mapping in config.entities[name]}
    engines: dict[str, Engine] = {}
    try:
        for name in sorted(wanted):
            engines[name] = open_source(name, config.sources[name])
        yield engines
    finally:
        for engine in engines.values():
            engine.dispose()


def _dates_as_iso(connection, _record) -> None:  # type: ignore[no-untyped-def]
    connection.execute("SET DateStyle = 'ISO, YMD'")
    connection.commit()


# Of MySQL's protocol: TIMESTAMP, DATE, DATETIME.
_DAYS_AND_MOMENTS = (7, 10, 12)


def _dates_as_written(connection, _record) -> None:  # type: ignore[no-untyped-def]
    """mysqlclient would take the impossible date 0000-00-00 for no value; pymysql, and we, do not."""
    connection.converter.update(dict.fromkeys(_DAYS_AND_MOMENTS, str))


@contextmanager
def source_errors(name: str, engine: Engine) -> Iterator[None]:
    """Turns whatever a driver raises into a SourceError of one line; the URL's password is masked in it."""
    try:
        yield
    except SourceError:
        raise
    except SQLAlchemyError as error:
        raise _as_source_error(name, engine, error) from None
    except Exception as error:
        if isinstance(error, engine.dialect.dbapi.Error):  # type: ignore[union-attr]
            raise _as_source_error(name, engine, error) from None
        raise


def _as_source_error(name: str, engine: Engine, error: Exception) -> SourceError:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    text = " ".join(str(cause).split())
    message = f"source '{name}' ({address(engine)}): {_masked(text, engine.url)}"
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    unreachable = isinstance(cause, _operational_errors(engine)) and _is_connection_trouble(text)
    return TransientSourceError(message) if lost or unreachable else PermanentSourceError(message)


def address(engine: Engine) -> str:
    """Where the source is, without its password: that may also stand among a URL's parameters, which are left out."""
    if engine.dialect.name == "sqlite":
        return f"sqlite:///{unquote((engine.url.database or '').removeprefix('file:'))}"
    return engine.url.set(query={}).render_as_string(hide_password=True)


_SECRET = re.compile(r"(?i)\b(pwd|password)\s*=\s*(\{[^}]*\}|[^;&\s]*)")


def _masked(text: str, url: URL) -> str:
    if url.password:
        text = text.replace(str(url.password), "***")
    for _, secret in _SECRET.findall(unquote_plus(url.render_as_string(hide_password=False))):
        text = text.replace(secret, "***") if secret else text
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
    "locked",
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
