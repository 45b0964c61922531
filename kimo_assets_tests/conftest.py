"""Fixtures that all tests share: one embedded PostgreSQL a session, opened as the program opens it."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from kimo_assets.catalog import load_catalog
from kimo_assets.config import KimoConfig, load_config
from kimo_assets.database.ddl import ensure_schema
from kimo_assets.database.server import Database, open_database


@pytest.fixture(scope="session")
def session_config(tmp_path_factory: pytest.TempPathFactory) -> KimoConfig:
    file = tmp_path_factory.mktemp("company") / "kimo.yaml"
    file.write_text("sources: {erp: {url: sqlite:///erp.sqlite}}\n", encoding="utf-8")
    return load_config(file)


@pytest.fixture(scope="session")
def database(session_config: KimoConfig) -> Database:
    """A real server with the whole schema. Shared by all tests: who leaves rows behind takes new_database."""
    return open_database(session_config)


@pytest.fixture(scope="session")
def new_database(database: Database) -> Iterator[Callable[[], Database]]:
    """Makes databases of one's own on the session's server, with the whole schema and no rows."""
    made: list[str] = []

    def make() -> Database:
        name = f"own_{len(made)}"
        with database.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'").format(
                    sql.Identifier(name)
                )
            )
        made.append(name)
        own = Database(make_conninfo(database.dsn, dbname=name), database.dagster_url)
        with own.connect() as connection:
            ensure_schema(connection, load_catalog())
        return own

    yield make
    with database.connect() as connection:
        for name in made:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    """To the shared database, in autocommit mode."""
    with database.connect() as connection:
        yield connection
