"""What can be known of SQL Server and Oracle without a server: their drivers, their quotes, the
statements they get.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Dialect
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite

from kimo_assets.config import SourceConfig
from kimo_assets.database.server import Database
from kimo_assets.errors import PermanentSourceError
from kimo_assets.sources.connection import address, open_source
from kimo_assets.sources.selection import schema_and_name, table_statement
from kimo_assets_tests.support.company import World, url_of

ODD = ["Id", "from", "Prezzo €", "RAGSOC", "a b"]


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (mssql.dialect(), "SELECT [Id], [from], [Prezzo €], [RAGSOC], [a b] FROM dbo.[Order]"),
        (oracle.dialect(), 'SELECT "Id", "from", "Prezzo €", "RAGSOC", "a b" FROM dbo."Order"'),
        (mysql.dialect(), "SELECT `Id`, `from`, `Prezzo €`, `RAGSOC`, `a b` FROM dbo.`Order`"),
        (postgresql.dialect(), 'SELECT "Id", "from", "Prezzo €", "RAGSOC", "a b" FROM dbo."Order"'),
        (sqlite.dialect(), 'SELECT "Id", "from", "Prezzo €", "RAGSOC", "a b" FROM dbo."Order"'),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_reserved_words_mixed_case_and_blanks_are_quoted_as_the_dialect_does(
    dialect: Dialect, expected: str
) -> None:
    assert table_statement(dialect, "dbo", "Order", [*ODD, "Id"], None) == expected


@pytest.mark.parametrize(
    ("dialect", "name", "expected"),
    [
        (mssql.dialect(), "x]y", "[x]]y]"),
        (oracle.dialect(), 'x"y', '"x""y"'),
        (mysql.dialect(), "x`y", "`x``y`"),
        (postgresql.dialect(), 'x"y', '"x""y"'),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_quote_in_a_name_ends_no_name(dialect: Dialect, name: str, expected: str) -> None:
    assert (
        table_statement(dialect, None, name, [name], None) == f"SELECT {expected} FROM {expected}"
    )


def test_names_that_oracle_folds_to_capitals_stay_without_quotes() -> None:
    # SQLAlchemy gives them in small letters; between quotes they would name another table.
    assert (
        table_statement(
            oracle.dialect(), None, "ordini_righe", ["idriga", "order"], "attivo = 1 -- solo attivi"
        )
        == 'SELECT idriga, "order" FROM ordini_righe WHERE (attivo = 1 -- solo attivi\n)'
    )


@pytest.mark.parametrize(
    ("wanted", "schema", "name"),
    [
        ("CLIENTI", None, "CLIENTI"),
        ("dbo.CLIENTI", "dbo", "CLIENTI"),
        ("INTEGRATION.dbo.CLIENTI", "INTEGRATION.dbo", "CLIENTI"),
        ("[INTEGRATION].[dbo].[Clienti 2.0]", "INTEGRATION.dbo", "Clienti 2.0"),
        ("[ERP 2.0].[dbo].[CLIENTI]", "[ERP 2.0].dbo", "CLIENTI"),
        ("[Clienti]]2]", None, "Clienti]2"),
        ('"Ordini"."Righe.Vecchie"', "Ordini", "Righe.Vecchie"),
        ('"x""y"', None, 'x"y'),
        ("`erp`.`ordini righe`", "erp", "ordini righe"),
    ],
)
def test_a_table_is_named_as_people_write_it(wanted: str, schema: str | None, name: str) -> None:
    assert schema_and_name(wanted) == (schema, name)


@pytest.mark.parametrize(
    ("wanted", "origin"),
    [
        ("INTEGRATION.dbo.CLIENTI", "[INTEGRATION].dbo.[CLIENTI]"),
        ("[ERP 2.0].[dbo].[Clienti 2.0]", "[ERP 2.0].dbo.[Clienti 2.0]"),
    ],
)
def test_a_table_of_another_database_of_sql_server_keeps_all_three_names(
    wanted: str, origin: str
) -> None:
    assert (
        table_statement(mssql.dialect(), *schema_and_name(wanted), ["ID"], None)
        == f"SELECT [ID] FROM {origin}"
    )


def test_a_schema_and_a_table_with_blanks_and_dots_are_read(
    world: World, new_database: Callable[[], Database]
) -> None:
    source = new_database()
    with source.connect() as connection:
        connection.execute(
            'CREATE SCHEMA "Vendite 2.0"; '
            'CREATE TABLE "Vendite 2.0"."Order.Zones" ("select" text, "Desc" text); '
            """INSERT INTO "Vendite 2.0"."Order.Zones" VALUES ('N', 'North')"""
        )
    mapping = {
        "table": '"Vendite 2.0"."order.zones"',
        "fields": {"Id": "SELECT", "Description": "desc"},
    }
    replace(world, source_url=url_of(source), entities={"Zone": mapping}).done(1)
    assert world.rows('SELECT "Id", "Description" FROM integrator."Zone"') == [("N", "North")]


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        (
            "mssql+pyodbc://kimo:s3cret@erp01/INTEGRATION?driver=ODBC+Driver+18+for+SQL+Server",
            "pyodbc",
            "mssql",
        ),
        ("oracle+oracledb://kimo:s3cret@erp01:1521/?service_name=XE", "oracledb", "oracle"),
        ("mysql://kimo:s3cret@erp01/erp", "pymysql", "mysql"),
        ("mariadb://kimo:s3cret@erp01/erp", "pymysql", "mysql"),
    ],
)
def test_a_driver_that_is_not_installed_is_named_with_the_extra_that_brings_it(
    url: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(PermanentSourceError) as raised:
        open_source("erp", SourceConfig(url=url))
    assert f"pip install 'kimo_assets[{extra}]'" in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "module", "dialect", "shown"),
    [
        (
            "oracle://kimo:s3cret@erp01:1521/?service_name=XE",
            "oracledb",
            "oracle",
            "oracle://kimo:***@erp01:1521/",
        ),
        ("mssql://kimo:s3cret@erp01/I?driver=x", "pyodbc", "mssql", "mssql://kimo:***@erp01/I"),
        ("mysql://kimo:s3cret@erp01/erp", "pymysql", "mysql", "mysql+pymysql://kimo:***@erp01/erp"),
        (
            "mariadb://kimo:s3cret@erp01/erp",
            "pymysql",
            "mariadb",
            "mariadb+pymysql://kimo:***@erp01/erp",
        ),
    ],
)
def test_a_url_without_a_driver_takes_the_one_that_the_extra_brings(
    url: str, module: str, dialect: str, shown: str
) -> None:
    # pyodbc is installed by pip alone, but loads the system's ODBC library.
    _import_or_skip(module)
    engine = open_source("erp", SourceConfig(url=url))
    assert (engine.dialect.name, address(engine)) == (dialect, shown)


def _import_or_skip(module: str) -> Any:
    return pytest.importorskip(
        module, reason=f"the driver {module} does not load here", exc_type=ImportError
    )
