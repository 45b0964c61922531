"""Integration databases on real servers, by one description for all of them, and the command in a
folder of its own.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Column, Engine, MetaData, Table, create_engine, make_url, text

from kimo_assets.cli import main
from kimo_assets.config import SourceConfig
from kimo_assets.database.server import Database
from kimo_assets.sources.connection import open_source
from kimo_assets_tests.support.company import Row, url_of
from kimo_assets_tests.support.editor import mistakes

_numbers = count()

_BARE = """
DO $$ DECLARE one text; BEGIN
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR one IN SELECT quote_ident(fdwname) FROM pg_foreign_data_wrapper LOOP
        EXECUTE 'DROP FOREIGN DATA WRAPPER ' || one || ' CASCADE';
    END LOOP;
    FOR one IN SELECT quote_ident(nspname) FROM pg_namespace
        WHERE nspname !~ '^(pg_|information_schema$)' LOOP
        EXECUTE 'DROP SCHEMA ' || one || ' CASCADE';
    END LOOP;
    CREATE SCHEMA public;
END $$
"""


@dataclass
class Integration:
    """An integration database to fill: tables by SQLAlchemy's own types, so that one description
    suits every dialect.
    """

    url: str

    def engine(self) -> Engine:
        url = make_url(self.url)
        return create_engine(
            url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url
        )

    def table(
        self,
        name: str,
        columns: Mapping[str, Any],
        rows: Sequence[Row] = (),
        schema: str | None = None,
    ) -> None:
        made = Table(
            name,
            MetaData(),
            *(Column(column, kind) for column, kind in columns.items()),
            schema=schema,
        )
        engine = self.engine()
        with engine.begin() as connection:
            made.create(connection)
            if rows:
                connection.execute(made.insert(), list(rows))
        engine.dispose()

    def execute(self, *statements: str) -> None:
        engine = self.engine()
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def source(self) -> Engine:
        """As the program opens it."""
        return open_source("erp", SourceConfig(url=self.url))


@pytest.fixture
def sqlite(tmp_path: Path) -> Integration:
    return Integration(f"sqlite:///{tmp_path / 'integration.sqlite'}")


@pytest.fixture(scope="session")
def reused_integration(new_database: Callable[[], Database]) -> Integration:
    return Integration(url_of(new_database()))


@pytest.fixture
def postgresql(reused_integration: Integration) -> Integration:
    """A database with nothing in it but schema public."""
    reused_integration.execute(_BARE)
    return reused_integration


@pytest.fixture
def mariadb() -> Iterator[Integration]:
    given = os.environ.get("KIMO_TEST_MYSQL_URL")
    if not given:
        pytest.skip("KIMO_TEST_MYSQL_URL names no MariaDB on which a database may be made")
    name = f"kimo_setup_{os.getpid()}_{next(_numbers)}"
    server = Integration(given)
    server.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield Integration(make_url(given).set(database=name).render_as_string(hide_password=False))
    server.execute(f"DROP DATABASE {name}")


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def integration(request: pytest.FixtureRequest) -> Integration:
    """On each of the dialects in turn."""
    found: Integration = request.getfixturevalue(request.param)
    return found


@dataclass
class Command:
    """The command in a folder of its own, with a Kimo database of its own."""

    folder: Path
    kimo_database: str

    @property
    def file(self) -> Path:
        return self.folder / "kimo.yaml"

    @property
    def text(self) -> str:
        return self.file.read_text(encoding="utf-8")

    def run(self, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["--config", str(self.file), *arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        if code == 0 and arguments[0] in ("init", "mapping") and self.file.exists():
            # Whatever stands in a database's names, an editor marks no mistake in the file.
            assert mistakes(self.text) == []
        return result

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def imported(self) -> Any:
        """The report of `kimo import`, into this test's database."""
        self.file.write_text(f"{self.text}\n{self.kimo_database}\n", encoding="utf-8")
        return self.json("import")


@pytest.fixture
def command(tmp_path: Path, own_database: Database, database: Database) -> Command:
    name = conninfo_to_dict(own_database.dsn)["dbname"]
    url = re.sub(r"/kimo(?=\?|$)", f"/{name}", database.dsn)
    return Command(tmp_path, f"database: {{url: '{url}', dagster_url: '{database.dagster_url}'}}")
