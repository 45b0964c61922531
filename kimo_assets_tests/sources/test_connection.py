"""What is wrong with a source is said in one line, without its password, and whether trying again
may help.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import text

from kimo_assets.config import SourceConfig
from kimo_assets.database.server import Database
from kimo_assets.errors import PermanentSourceError, TransientSourceError
from kimo_assets.sources.connection import open_source, source_errors
from kimo_assets.sources.session import interrupt, is_lock_timeout, session_statements
from kimo_assets_tests.support.company import World, ids, url_of

SECRET = "s3cret/ü"
ENCODED = "s3cret%2F%C3%BC"


def message_of(url: str, statement: str = "SELECT 1") -> Exception:
    """What a statement on the source ends with."""
    engine = open_source("erp", SourceConfig(url=url))
    try:
        with (
            pytest.raises((PermanentSourceError, TransientSourceError)) as raised,
            source_errors("erp", engine),
            engine.connect() as connection,
        ):
            connection.execute(text(statement))
    finally:
        engine.dispose()
    return raised.value


@pytest.fixture
def guarded(new_database: Callable[[], Database]) -> str:
    """The URL of a database with a user who may not enter it; the password is in the URL."""
    base = url_of(new_database())
    return base.replace("postgres@", f"nobody_known:{ENCODED}@")


def test_a_refused_login_is_permanent_and_its_password_is_not_shown(guarded: str) -> None:
    error = message_of(guarded)
    assert isinstance(error, PermanentSourceError)
    assert "nobody_known" in str(error)
    assert "***" in str(error)
    assert SECRET not in str(error)
    assert ENCODED not in str(error)


def test_a_password_among_a_urls_parameters_is_not_shown_either(guarded: str) -> None:
    error = message_of(guarded.replace(f":{ENCODED}@", "@") + f"&password={ENCODED}")
    assert "nobody_known" in str(error)
    assert SECRET not in str(error)
    assert ENCODED not in str(error)


def test_a_password_in_a_missing_tables_message_is_not_shown(
    world: World, new_database: Callable[[], Database]
) -> None:
    world.source_url = (
        url_of(new_database()).replace("postgres@", f"postgres:{ENCODED}@") + "&password=also"
    )
    world.entities = {"Zone": {}}
    message = world.run(1).failures[1]["Zone"]
    assert "there is no table or view Zone" in message
    assert not any(secret in message for secret in (SECRET, ENCODED, "also"))


def test_a_server_that_does_not_answer_is_transient() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = message_of(f"postgresql://kimo:{ENCODED}@127.0.0.1:{port}/erp?connect_timeout=2")
    assert isinstance(error, TransientSourceError)
    assert SECRET not in str(error)


@pytest.mark.parametrize("said_by", ["the driver", "sqlalchemy"])
def test_a_cut_connection_is_transient_whoever_says_so(
    new_database: Callable[[], Database], said_by: str
) -> None:
    engine = open_source("erp", SourceConfig(url=url_of(new_database())))
    cut = "SELECT pg_terminate_backend(pg_backend_pid())"

    def read() -> None:
        with source_errors("erp", engine), engine.connect() as connection:
            if said_by == "sqlalchemy":
                connection.execute(text(cut))
            else:
                connection.connection.cursor().execute(cut)

    with pytest.raises(TransientSourceError, match="terminating connection"):
        read()
    engine.dispose()


def test_a_statement_the_database_does_not_take_is_permanent(
    new_database: Callable[[], Database],
) -> None:
    error = message_of(url_of(new_database()), "SELECT no_such_column")
    assert isinstance(error, PermanentSourceError)
    assert "\n" not in str(error)


def test_a_missing_driver_is_permanent_and_named() -> None:
    with pytest.raises(PermanentSourceError, match="source 'crm': no driver for nosuch"):
        open_source("crm", SourceConfig(url="nosuch://kimo@host/erp"))


def test_a_wrong_sqlite_path_makes_no_empty_file(world: World) -> None:
    missing = world.folder / "missing.sqlite"
    error = message_of(f"sqlite:///{missing}")
    assert "unable to open database file" in str(error)
    assert str(missing) in str(error)
    assert not missing.exists()


def test_a_source_is_never_written_to(world: World) -> None:
    world.erp(Zone=ids("N"))
    assert "readonly" in str(message_of(world.erp_file.url, "DELETE FROM Zone"))


def test_an_unreachable_source_fails_each_of_its_entities_and_the_run_goes_on(world: World) -> None:
    world.source_url = "sqlite:////nowhere/erp.sqlite"
    world.entities = {"Zone": {}, "Carrier": {}}
    report = world.run()
    assert set(report.failures[1]) == {"Zone", "Carrier"}
    assert set(report.steps) == {1}


def test_an_error_of_kimos_own_database_is_not_called_the_sources(
    fresh_world: World, new_database: Callable[[], Database]
) -> None:
    source = new_database()
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        connection.execute('CREATE TABLE public."Zone" AS SELECT \'N\' AS "Id"')
    world = fresh_world
    world.source_url, world.entities = url_of(source), {"Zone": {}}
    world.execute("ALTER TABLE ops.rejected_row RENAME TO elsewhere")
    message = world.run(1).failures[1]["Zone"]
    assert "rejected_row" in message
    assert "source 'erp'" not in message


ENDLESS = {
    "sqlite": (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    ),
    "postgresql": "SELECT pg_sleep(600)",
    "mariadb": "SELECT SLEEP(600) FROM (SELECT 1 UNION SELECT 2) AS t",
}


@pytest.mark.parametrize("dialect", list(ENDLESS))
def test_a_statement_can_be_interrupted_from_another_thread(
    dialect: str, world: World, new_database: Callable[[], Database]
) -> None:
    world.erp()
    urls = {"sqlite": world.erp_file.url, "postgresql": url_of(new_database())}
    url = urls.get(dialect) or os.environ.get("KIMO_TEST_MYSQL_URL")
    if url is None:
        pytest.skip("KIMO_TEST_MYSQL_URL names no MariaDB")
    engine = open_source("erp", SourceConfig(url=url))
    began = time.monotonic()
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        timer = threading.Timer(0.5, interrupt, args=(engine, driver))
        timer.start()
        with suppress(Exception):  # MariaDB ends a sleep without one
            connection.exec_driver_sql(ENDLESS[dialect]).fetchall()
        timer.join()
        connection.invalidate()
    engine.dispose()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("dialect", "statements"),
    [
        ("postgresql", ["SET DateStyle = 'ISO, YMD'", "SET lock_timeout = 1500"]),
        ("mysql", ["SET SESSION lock_wait_timeout = 2, SESSION innodb_lock_wait_timeout = 2"]),
        ("mariadb", ["SET SESSION lock_wait_timeout = 2, SESSION innodb_lock_wait_timeout = 2"]),
        ("mssql", ["SET LOCK_TIMEOUT 1500"]),
        ("oracle", ["ALTER SESSION SET ddl_lock_timeout = 2"]),
        ("sqlite", []),
    ],
)
def test_how_long_a_session_waits_for_a_lock_is_set_in_each_dialects_words(
    dialect: str, statements: list[str]
) -> None:
    assert session_statements(dialect, 1.5) == statements


@pytest.mark.parametrize(
    ("dialect", "message"),
    [
        (
            "mssql",
            "[42000] [Microsoft][ODBC Driver 18] Lock request time out period exceeded. (1222)",
        ),
        ("oracle", "ORA-00054: resource busy and acquire with NOWAIT specified or timeout expired"),
        ("mysql", "(1205, 'Lock wait timeout exceeded; try restarting transaction')"),
    ],
)
def test_a_lock_that_was_not_to_be_had_is_known_by_what_the_server_says(
    dialect: str, message: str
) -> None:
    assert is_lock_timeout(dialect, message)
    assert not is_lock_timeout(dialect, "Invalid object name 'Zone'")
