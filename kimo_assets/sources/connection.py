"""Connecting to an integration database, and saying in one line what is wrong with it, without its password."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from kimo_assets.config import SourceConfig
from kimo_assets.errors import PermanentSourceError, SourceError, TransientSourceError


def open_source(name: str, config: SourceConfig) -> Engine:
    """An engine on the source; nothing is connected yet. Raises: PermanentSourceError when a driver is missing."""
    url = config.sqlalchemy_url
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        # Read-only: a wrong path must not leave an empty database behind, nor a mistake change the ERP's.
        url = url.set(database=f"file:{url.database}").update_query_dict({"mode": "ro", "uri": "true"})
    try:
        engine = create_engine(url, pool_pre_ping=False)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise PermanentSourceError(
            f"source '{name}': no driver for {url.drivername} ({error}). Install it."
        ) from None
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _dates_as_iso)
    return engine


def _dates_as_iso(connection, _record) -> None:  # type: ignore[no-untyped-def]
    connection.execute("SET DateStyle = 'ISO, YMD'")
    connection.commit()


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
    password = engine.url.password
    if password:
        text = text.replace(str(password), "***")
    message = f"source '{name}' ({engine.url.render_as_string(hide_password=True)}): {text}"
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    unreachable = isinstance(error, (OperationalError, InterfaceError)) and _is_connection_trouble(text)
    return TransientSourceError(message) if lost or unreachable else PermanentSourceError(message)


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


def _is_connection_trouble(text: str) -> bool:
    folded = text.casefold()
    wrong_credentials = "password" in folded or "authentication" in folded or "access denied" in folded
    return not wrong_credentials and any(word in folded for word in _TROUBLE)
