"""A company small enough to read: its ERP in SQLite, its kimo.yaml, and the command that is run on
it.
"""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import conninfo_to_dict

from kimo_assets.cli import main
from kimo_assets.database.server import Database

ERP = """
CREATE TABLE AGENTI (CODAGE TEXT, NOME TEXT, ZONA TEXT);
INSERT INTO AGENTI VALUES ('A1', 'Anna', 'N'), ('A2', 'Bruno', 'S');
CREATE TABLE CLIENTI (CODCLI TEXT, RAGSOC TEXT, CODAGE TEXT, TIPO INTEGER, CODVAL TEXT);
INSERT INTO CLIENTI SELECT 'C' || value, 'Bar ' || value, iif(value % 2, 'A1', 'A2'), 1, 'EUR'
FROM generate_series(1, 8);
INSERT INTO CLIENTI VALUES ('X1', '[red]Bar[/red]' || char(27) || '[2J', 'A1', '[bold]9[/bold]',
    'EUR');
INSERT INTO CLIENTI VALUES ('X''2', 'Trattoria', 'A1', 7, 'EUR');
INSERT INTO CLIENTI VALUES ('C1', 'Doppio', 'A1', 1, 'EUR');
"""

MAPPING = """
entities:
  SalesAgent: {table: AGENTI, fields: {Id: CODAGE, Description: NOME}}
  Account:
    table: CLIENTI
    fields: {Id: CODCLI, Name: RAGSOC, SalesAgentId: CODAGE, AccountTypeId: TIPO,
        CurrencyId: CODVAL}
  SalesAgentPerAccount:
    query: SELECT DISTINCT CODCLI AS AccountId, CODAGE AS SalesAgentId FROM CLIENTI
        WHERE CODCLI LIKE 'C%'
"""


@dataclass
class Company:
    """One company on a database of its own."""

    directory: Path
    database: Database

    @property
    def config(self) -> Path:
        return self.directory / "kimo.yaml"

    @property
    def erp(self) -> Path:
        return self.directory / "erp.sqlite"

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Does something in the ERP."""
        with closing(sqlite3.connect(self.erp)) as erp, erp:
            return erp.execute(statement).fetchall()

    def kimo(self, *arguments: str) -> Result:
        """Runs the command in this process; what it raises unforeseen is a test's failure."""
        result = CliRunner().invoke(main, ["--config", str(self.config), *arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self.kimo(*arguments, "--json").stdout)


NewCompany = Callable[[], Company]


@pytest.fixture(scope="session")
def new_company(
    database: Database,
    new_database: Callable[[], Database],
    tmp_path_factory: pytest.TempPathFactory,
) -> NewCompany:
    def make() -> Company:
        own = new_database()
        name = conninfo_to_dict(own.dsn)["dbname"]
        url = re.sub(r"/kimo(?=\?|$)", f"/{name}", database.dsn)
        company = Company(tmp_path_factory.mktemp("company"), own)
        with closing(sqlite3.connect(company.erp)) as erp:
            erp.executescript(_without_series(ERP))
        company.config.write_text(
            "sources: {erp: {url: sqlite:///erp.sqlite}}\n"
            "guards: {min_shrink_rows: 3}\n"
            f"database: {{url: '{url}', dagster_url: '{database.dagster_url}'}}\n{MAPPING}",
            encoding="utf-8",
        )
        return company

    return make


def _without_series(script: str) -> str:
    """SQLite's Python has no generate_series."""
    values = " UNION ALL ".join(f"SELECT {n} AS value" for n in range(1, 9))
    return script.replace("generate_series(1, 8)", f"({values})")


@pytest.fixture(scope="session")
def imported(new_company: NewCompany) -> Company:
    """Imported once. Tests that change the ERP or import again make a company of their own."""
    company = new_company()
    result = company.kimo("import")
    assert result.exit_code == 0, result.output
    return company
