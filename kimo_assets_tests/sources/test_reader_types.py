"""Whatever type a column has and whatever field takes it: the fast reader writes what the plain
cursor writes, or leaves the column to it. Values are compared as the segments hold them, before
PostgreSQL sees any.
"""

import csv
import io
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from sqlalchemy import Engine, make_url

from kimo_assets.catalog import load_catalog
from kimo_assets.config import EntityMapping, SourceConfig
from kimo_assets.database.server import Database
from kimo_assets.sources.connection import open_source
from kimo_assets.sources.readers import copy_out, lines, read_segments
from kimo_assets.sources.readers.segments import NO_DATE_MARK, as_given
from kimo_assets.sources.selection import Selection, resolve
from kimo_assets_tests.support.company import url_of

ACCOUNT = load_catalog()["Account"]
# One of each kind of field: text, key, decimal, whole number, closed and open enum, flag, day,
# moment.
TARGETS = (
    "Name",
    "HeadOfficeId",
    "Discount1",
    "ProcurementLeadTime",
    "AccountTypeId",
    "FreeBoolean1",
    "PriceListsReferenceDate",
    "CreationDate",
)

# A column's type at the source -> its values, as SQL.
MARIADB = {
    "VARCHAR(40)": [
        "'plain'",
        "''",
        "'0'",
        "'0  '",
        "' 0'",
        "'-1'",
        "'a\"b'",
        "'è 🚚'",
        "'2026-01-31'",
        "'today'",
        "'１'",
        "'０'",
        "'20260131'",
        "'202601311'",
        "'2026-1-5 10:00'",
        "'12.50'",
        "'0x1'",
        "'line\\nbreak\\r\\n'",
        "'x\\0y'",
    ],
    "VARCHAR(40) CHARACTER SET latin1": ["'è'", "'0'", "'€'", "''"],
    "VARCHAR(40) COLLATE utf8mb4_bin": ["'È'", "'0'"],
    "CHAR(5)": ["'0'", "'A '", "''"],
    "LONGTEXT": ["'long'", "REPEAT('è', 70000)"],
    "TINYINT(1)": ["1", "0", "-1", "2"],
    "SMALLINT UNSIGNED": ["65535", "0"],
    "INT": ["-2147483648", "-1", "0", "20260131"],
    "INT(8) ZEROFILL": ["7", "0"],
    "BIGINT UNSIGNED": ["18446744073709551615", "0", "1"],
    "BIGINT": ["-9223372036854775808", "-1"],
    "YEAR": ["2026"],
    "DECIMAL(20,5)": [
        "0.00001",
        "0",
        "-1",
        "12.50000",
        "12",
        "-0.00001",
        "123456789012345.12345",
        "20260131",
    ],
    "DECIMAL(10,2) UNSIGNED ZEROFILL": ["12.5", "0"],
    "DECIMAL(65,0)": ["99999999999999999999999999999999999999999999999999999999999999999", "0"],
    "DOUBLE": [
        "0.1",
        "1e20",
        "1e-7",
        "1/3",
        "0",
        "-0e0",
        "-1",
        "1.7976931348623157e308",
        "5e-324",
        "123456789.125",
        "12",
    ],
    "FLOAT": ["0.1", "16777217", "1e10", "0", "3.4e38"],
    "DOUBLE(10,2)": ["12.5", "0"],
    "DATE": ["'2026-01-31'", "'0000-00-00'", "'2026-00-00'", "'9999-12-31'", "'0099-01-01'"],
    "DATETIME": ["'2026-01-31 00:00:00'", "'2026-01-31 23:59:59'", "'0000-00-00 00:00:00'"],
    "DATETIME(6)": ["'2026-01-31 23:59:59.000001'", "'2026-01-31 23:59:59'"],
    "TIMESTAMP(3) NULL": ["'2026-01-31 23:59:59.120'"],
    "TIME": ["'10:00:00'", "'-1:00:00'"],
    "BIT(1)": ["b'0'", "b'1'"],
    "BIT(16)": ["b'0'", "b'100000001'"],
    "ENUM('0', 'x', '2026-01-31', '')": ["'0'", "'x'", "'2026-01-31'", "''"],
    "SET('a', 'b')": ["'a,b'", "''"],
    "JSON": ['\'{"a": "è"}\'', "'0'"],
    "VARBINARY(20)": ["'plain'", "X'FF'", "''"],
    "BLOB": ["'è'"],
    "UUID": ["'123e4567-e89b-12d3-a456-426655440000'"],
}
POSTGRESQL = {
    "varchar(40)": [
        "'plain'",
        "''",
        "'0'",
        "'0  '",
        "' 0'",
        "'-1'",
        "'a\"b'",
        "'è 🚚'",
        "'2026-01-31'",
        "'today'",
        "'１'",
        "'０'",
        "'20260131'",
        "'202601311'",
        "'2026-1-5 10:00'",
        "'12.50'",
        "'0x1'",
        "E'line\\nbreak\\r\\n'",
    ],
    "char(5)": ["'0'", "'A '", "''"],
    "text": ["'\\.'", "repeat('è', 70000)"],
    "smallint": ["-1", "0", "1"],
    "integer": ["-2147483648", "0", "20260131"],
    "bigint": ["-9223372036854775808", "0"],
    "numeric": ["0.00001", "0", "0.00", "12.50", "1e30", "-1", "1e-30"],
    "double precision": ["0.1", "1e20", "1e-7", "1.0/3", "0", "'-0'", "-1", "1e22", "12"],
    "real": ["0.1", "16777217", "1e10"],
    "date": ["'2026-01-31'", "'9999-12-31'", "'0099-01-01'"],
    "timestamp": ["'2026-01-31 00:00:00'", "'2026-01-31 23:59:59.12'"],
    "timestamptz": ["'2026-01-31 23:59:59+01'"],
    "time": ["'10:00:00'", "'10:00:00.5'"],
    "interval": ["'1 day 02:00:00'"],
    "boolean": ["true", "false"],
    "bytea": ["'\\xff'", "'plain'"],
    "json": ['\'{"a": "è"}\'', "'0'"],
    "jsonb": ["'{\"a\": 1}'"],
    "integer[]": ["'{1,2}'"],
    "money": ["12.5"],
    "name": ["'plain'", "'0'"],
}
LEFT_TO_THE_CURSOR = "left to the cursor"


@pytest.fixture(params=["pymysql", "mysqldb"])
def mariadb(request: pytest.FixtureRequest) -> Iterator[Engine]:
    url = os.environ.get("KIMO_TEST_MYSQL_URL")
    if not url:
        pytest.skip("KIMO_TEST_MYSQL_URL names no MariaDB whose tables may be replaced")
    module = {"pymysql": "pymysql", "mysqldb": "MySQLdb"}[request.param]
    pytest.importorskip(module, reason=f"the driver {module} is not installed")
    address = make_url(url).set(drivername=f"mysql+{request.param}")
    yield from _engine(address.render_as_string(hide_password=False))


@pytest.fixture
def postgresql(new_database: Callable[[], Database]) -> Iterator[Engine]:
    yield from _engine(url_of(new_database()))


def _engine(url: str) -> Iterator[Engine]:
    engine = open_source("erp", SourceConfig(url=url))
    yield engine
    engine.dispose()


def test_mariadb_s_lines_hold_what_the_cursor_gives(mariadb: Engine) -> None:
    found = {kind: compared(mariadb, kind, values) for kind, values in MARIADB.items()}
    assert differences(found) == {}
    # Only what is out of the ordinary costs the way through the cursor.
    assert ways_of(found, "VARCHAR(40)") == {"Discount1", "ProcurementLeadTime", "AccountTypeId"}
    assert (
        ways_of(found, "INT")
        == ways_of(found, "BIGINT UNSIGNED")
        == ways_of(found, "DATE")
        == set()
    )
    assert ways_of(found, "DECIMAL(20,5)") == ways_of(found, "DATETIME") - {"Name"} - set(
        TARGETS
    ) | {"PriceListsReferenceDate", "CreationDate"}
    assert ways_of(found, "BLOB") == ways_of(found, "TIME") == set(TARGETS)


def test_postgresql_s_copy_holds_what_the_cursor_gives(postgresql: Engine) -> None:
    found = {kind: compared(postgresql, kind, values) for kind, values in POSTGRESQL.items()}
    assert differences(found) == {}


Outcome = dict[str, Any]


def compared(engine: Engine, kind: str, values: list[str]) -> Outcome:
    """target -> None where both readers agree, LEFT_TO_THE_CURSOR, or what each of them gave."""
    fill(engine, kind, values)
    return {target: _compared(engine, target) for target in TARGETS}


def _compared(engine: Engine, target: str) -> Any:
    mapping = EntityMapping(table="nasty", fields={"Id": "id", target: "v"})
    with closing(engine.connect()) as connection:
        selection = resolve(engine, connection, ACCOUNT, mapping)
        express = copy_out.expressions if engine.dialect.name == "postgresql" else lines.expression
        if express(connection, selection) is None:
            return LEFT_TO_THE_CURSOR
    fast, plain = (
        rows(engine, mapping),
        rows(engine.execution_options(kimo_reader="cursor"), mapping),
    )
    odd = [
        (one, other)
        for one, other in zip(fast, plain, strict=True)
        if not alike(one, other, target)
    ]
    return odd or None


def fill(engine: Engine, kind: str, values: list[str]) -> None:
    with engine.begin() as connection:
        if engine.dialect.name != "postgresql":
            connection.exec_driver_sql("SET SESSION sql_mode = ''")
        connection.exec_driver_sql("DROP TABLE IF EXISTS nasty")
        connection.exec_driver_sql(f"CREATE TABLE nasty (id varchar(9), v {kind})")
        for number, value in enumerate(["NULL", *values]):
            connection.exec_driver_sql(f"INSERT INTO nasty VALUES ('A{number}', {value})")


def rows(engine: Engine, mapping: EntityMapping) -> list[tuple[Any, ...]]:
    """Id, value and the rule that the reader itself saw broken, row by row."""
    with closing(engine.connect()) as connection:
        selection = resolve(engine, connection, ACCOUNT, mapping)
        found = []
        for segment in read_segments(engine, connection, selection):
            found += [
                _row(selection, cells)
                for cells in csv.reader(io.StringIO(segment.data.decode(), newline="\n"))
            ]
            found += [(*row.values, row.rule) for row in segment.rejected]
    return sorted(found)


def _row(selection: Selection, cells: list[str]) -> tuple[Any, ...]:
    targets = [selection.entity.fields[name] for name in selection.fields]
    marked = any(cell.startswith(NO_DATE_MARK) for cell in cells)
    values = [as_given(target, cell) for target, cell in zip(targets, cells, strict=True)]
    return (*values, "impossible_date") if marked else tuple(values)


def alike(one: tuple[Any, ...], other: tuple[Any, ...], target: str) -> bool:
    return one == other or (one[0], meant(one[1], target), *one[2:]) == (
        other[0],
        meant(other[1], target),
        *other[2:],
    )


def meant(text: str | None, target: str) -> Any:
    """What counts of a value: not how a decimal or a moment is spelled, nor anything that is
    refused anyway.
    """
    kind = ACCOUNT.fields[target].type
    trimmed = (text or "").rstrip(" ")
    try:
        if kind == "dec" or (kind in ("int", "enum", "bool") and not trimmed.lstrip("-").isdigit()):
            return Decimal(trimmed)
        return datetime.fromisoformat(trimmed) if kind in ("date", "dt") else text
    except (InvalidOperation, ValueError):
        return trimmed


def differences(found: dict[str, Outcome]) -> dict[tuple[str, str], Any]:
    return {
        (kind, target): odd
        for kind, outcome in found.items()
        for target, odd in outcome.items()
        if odd not in (None, LEFT_TO_THE_CURSOR)
    }


def ways_of(found: dict[str, Outcome], kind: str) -> set[str]:
    """The fields for which a column of this type is left to the cursor."""
    return {target for target, outcome in found[kind].items() if outcome == LEFT_TO_THE_CURSOR}
