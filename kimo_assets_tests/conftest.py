"""Fixtures that all tests share: one embedded PostgreSQL a session, opened as the program
opens it.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import create_engine, make_url

from kimo_assets.catalog import load_catalog
from kimo_assets.config import KimoConfig, load_config
from kimo_assets.database.ddl import ensure_schema
from kimo_assets.database.server import Database, open_database
from kimo_assets_tests.support.company import World
from kimo_assets_tests.support.integrations import (  # noqa: F401 (fixtures)
    command,
    integration,
    mariadb,
    postgresql,
    reused_integration,
    sqlite,
)

MYSQL_VARIABLE = "KIMO_TEST_MYSQL_URL"
_TEMPLATE = "kimo_template"

# What a terminal, a shell or a CI service may set, and programs then act upon: width and colours,
# a company of the user's own, another PostgreSQL, a proxy.
_OF_THE_SHELL = (
    "COLUMNS",
    "LINES",
    "FORCE_COLOR",
    "NO_COLOR",
    "CLICOLOR_FORCE",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "KIMO_CONFIG",
    "DAGSTER_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
)

# Ends other sessions (a killed run's may still be there), and removes all rows and all that staging
# and loads have made.
EMPTY_AGAIN = """
DO $$ DECLARE used text; BEGIN
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    DROP SCHEMA plan, history, sync CASCADE;
    SELECT string_agg(c.oid::regclass::text, ', ') INTO used FROM pg_class AS c
        WHERE c.relkind IN ('r', 'v') AND c.relnamespace = 'integrator'::regnamespace
            AND c.relname <> 'outbox';
    IF used IS NOT NULL THEN EXECUTE 'DROP TABLE ' || used || ' CASCADE'; END IF;
    TRUNCATE integrator.outbox;
    CREATE SCHEMA plan;
    CREATE SCHEMA history;
    CREATE SCHEMA sync;
    SELECT string_agg(c.oid::regclass::text, ', ') INTO used FROM pg_class AS c
        WHERE c.relkind = 'r' AND c.relnamespace IN ('kimo'::regnamespace, 'ops'::regnamespace)
          AND pg_relation_size(c.oid) > 0 AND c.relname NOT IN
              ('schema_version', 'installation', 'migration');
    EXECUTE coalesce('TRUNCATE ' || used || ' RESTART IDENTITY CASCADE', 'SELECT');
END $$
"""


@pytest.fixture(scope="session", autouse=True)
def _a_plain_shell() -> Iterator[None]:
    """The tests print into a pipe of no width, whatever shell or CI service they are started
    from.
    """
    of_postgresql = [name for name in os.environ if name.startswith("PG")]
    with pytest.MonkeyPatch.context() as environment:
        for name in (*_OF_THE_SHELL, *of_postgresql):
            environment.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _mariadb_of_this_process() -> Iterator[None]:
    """The server that KIMO_TEST_MYSQL_URL names gets a database for each process that tests: their
    tables have one name.
    """
    given = os.environ.get(MYSQL_VARIABLE)
    if not given:
        yield
        return
    name = f"kimo_tests_{os.getpid()}"
    engine = create_engine(given)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    os.environ[MYSQL_VARIABLE] = (
        make_url(given).set(database=name).render_as_string(hide_password=False)
    )
    yield
    os.environ[MYSQL_VARIABLE] = given
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    engine.dispose()


@pytest.fixture(scope="session")
def server_folder() -> Path:
    """A folder outside pytest's, which every starting pytest shuts to all but its own user.

    As root, the server runs as somebody else and would lose its files. Removed at exit, after the
    server.
    """
    folder = Path(tempfile.mkdtemp(prefix="kimo-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@pytest.fixture(scope="session")
def session_config(server_folder: Path) -> KimoConfig:
    file = server_folder / "kimo.yaml"
    file.write_text("sources: {erp: {url: sqlite:///erp.sqlite}}\n", encoding="utf-8")
    return load_config(file)


@pytest.fixture(scope="session")
def database(session_config: KimoConfig) -> Database:
    """A real server with the whole schema. Shared by all tests: who leaves rows behind takes
    new_database.
    """
    return open_database(session_config)


@pytest.fixture(scope="session")
def _copy_of_template(database: Database) -> Callable[[], Database]:
    """Copies of one empty Kimo database, made in a tenth of a second; no test minds losing them in
    a power cut.
    """
    with database.connect() as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(
            f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
        )
    with _named(database, _TEMPLATE).connect() as connection:
        ensure_schema(connection, load_catalog())
    numbers = count()

    def make() -> Database:
        name = f"own_{next(numbers)}"
        with database.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy")
        return _named(database, name)

    return make


@pytest.fixture(scope="session")
def new_database(
    database: Database, _copy_of_template: Callable[[], Database]
) -> Iterator[Callable[[], Database]]:
    """Makes databases of one's own on the session's server, with the whole schema and no rows."""
    made: list[Database] = []

    def make() -> Database:
        made.append(_copy_of_template())
        return made[-1]

    yield make
    for own in made:
        _drop(database, own)


@pytest.fixture(scope="session")
def _reused_database(new_database: Callable[[], Database]) -> Database:
    return new_database()


@pytest.fixture
def own_database(_reused_database: Database) -> Iterator[Database]:
    """A Kimo database of this test alone, without rows. Who changes its schema takes new_database
    instead.
    """
    yield _reused_database
    with _reused_database.connect() as connection:
        connection.execute(EMPTY_AGAIN)


@pytest.fixture
def world(tmp_path: Path, own_database: Database) -> World:
    """A company of this test alone: an ERP to fill, a Kimo database, a sync store."""
    return World(tmp_path, own_database)


@pytest.fixture
def fresh_world(tmp_path: Path, new_database: Callable[[], Database]) -> World:
    """As `world`, on a database that no other test has used or will use."""
    return World(tmp_path, new_database())


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    """To the shared database, in autocommit mode."""
    with database.connect() as connection:
        yield connection


def _named(database: Database, name: str) -> Database:
    return Database(make_conninfo(database.dsn, dbname=name), database.dagster_url)


def _drop(database: Database, own: Database) -> None:
    name = psycopg.conninfo.conninfo_to_dict(own.dsn)["dbname"]
    with database.connect() as connection:
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(str(name)))
        )


@pytest.fixture(scope="session")
def new_dagster_url(database: Database, server_folder: Path) -> Callable[[], str]:
    """Addresses of fresh Dagster databases: copies of one, whose tables Dagster takes seconds to
    make.
    """
    template = _dagster_url(database, "dagster_template")
    with database.connect() as connection:
        connection.execute(
            "CREATE DATABASE dagster_template TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
        )
    storage = {"postgres": {"postgres_url": template}}
    with dg.instance_for_test(overrides={"storage": storage}, temp_dir=str(server_folder)):
        pass  # Dagster makes its tables when it first connects
    numbers = count()

    def make() -> str:
        name = f"dagster_{next(numbers)}"
        with database.connect() as connection:
            connection.execute(
                f"CREATE DATABASE {name} TEMPLATE dagster_template STRATEGY file_copy"
            )
        return _dagster_url(database, name)

    return make


def _dagster_url(database: Database, name: str) -> str:
    return make_url(database.dagster_url).set(database=name).render_as_string(hide_password=False)
