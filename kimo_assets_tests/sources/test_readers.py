"""The same rows are staged from the same data, whichever database holds them and whichever way they
are read.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    CHAR,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    create_engine,
    make_url,
)
from sqlalchemy.types import TypeEngine

from kimo_assets.database.names import HASH
from kimo_assets.database.server import Database
from kimo_assets.progress import Progress
from kimo_assets.sources.readers import copy_out, cursor, lines
from kimo_assets_tests.support.company import RawText, World, ids, url_of


def decimals(texts: str) -> list[Decimal]:
    return [Decimal(text) for text in texts.split()]


# Account's column -> its type at the ERP, and the values of one row after another.
NASTY: dict[str, tuple[TypeEngine[Any], Sequence[Any]]] = {
    "Id": (
        CHAR(12),
        [
            "A1",
            "A2 ",
            "A 3",
            "Ünï🚚",
            "a,b",
            'a"b',
            "a'b",
            "a|b",
            "a\\b",
            "B1",
            "B2",
            "B3",
            "B4",
            "B5",
            "A1  ",
        ],
    ),
    "Name": (
        Text(),
        [
            "plain",
            "",
            " spaces around ",
            "line\nbreak",
            "windows\r\nbreak",
            "old\rbreak",
            "tab\there",
            'say "hi"',
            '"',
            '""',
            "\\.",
            "\\N",
            "NULL",
            "è 🚚 \u2028 ，",
            "again A1",
        ],
    ),
    "ContactInfo": (
        String(50),
        [None, "", ",", "\n", "\n\n", '"\n"', "a,\nb", "0", "-1", "%s", ":x", "{}", "x", "y", "z"],
    ),
    "HeadOfficeId": (CHAR(12), ["", "0", "A1", " A1", None, *["A1 "] * 10]),
    "CustomerGroupId": (Integer(), [0, 7, None, 10, -1, *[0] * 10]),
    "PaymentMethodId": (Numeric(10, 2), decimals("0 0.00 30.00 30.50 100 7.10 1 2 3 4 5 6 7 8 9")),
    "StatisticClassId": (Double(), [0.0, 12.0, 12.5, 1e20, None, *[3.0] * 10]),
    "Discount1": (
        Numeric(12, 5),
        decimals("1.10 0 -0.5 1234567.12345 0.00001 -0.00001 30 40 50 60 70 80 90 100 1"),
    ),
    "Discount2": (Double(), [0.1, 1e-7, 1 / 3, 123456789.125, None, *[0.0] * 10]),
    "ProcurementLeadTime": (Double(), [5.0, 0.0, -3.0, None, *[1.0] * 6, 2.5, 3e9, *[1.0] * 3]),
    "AccountTypeId": (Double(), [1.0, 2.0, None, 0.0, *[1.0] * 5, 9.0, *[1.0] * 5]),
    "FreeBoolean1": (Boolean(), [True, False, None, *[True] * 12]),
    "FreeBoolean2": (Integer(), [1, 0, None, *[1] * 9, 2, 0, 0]),
    "FreeText1": (Boolean(), [True, False, None, *[True] * 12]),
    "FreeText2": (Double(), [12.0, 0.1, 1 / 3, None, *[1.5] * 11]),
    "PriceListsReferenceDate": (
        Date(),
        [
            date(2026, 1, 31),
            date(1899, 12, 30),
            None,
            date(9999, 12, 31),
            *[date(2024, 2, 29)] * 11,
        ],
    ),
    "CreationDate": (
        DateTime(),
        [
            datetime(2026, 1, 31, 23, 59, 59),
            datetime(2026, 3, 29, 2, 30),
            None,
            datetime(9999, 12, 31, 23, 59, 59),
            *[datetime(1999, 12, 31)] * 11,
        ],
    ),
}
# The same numbers without a floating type, wherever another than a decimal field takes them.
WITHOUT_FLOATING_CODES = NASTY | {
    "StatisticClassId": (Numeric(30, 5), [*decimals("0 12 12.5 1e20"), None, *decimals("3 " * 10)]),
    "ProcurementLeadTime": (
        Numeric(12, 1),
        [*decimals("5 0 -3"), None, *decimals("1 1 1 1 1 1 2.5 3e9 1 1 1")],
    ),
    "AccountTypeId": (
        Numeric(9, 2),
        [*decimals("1 2"), None, *decimals("0 1 1 1 1 1 9 1 1 1 1 1")],
    ),
    "FreeText2": (
        Numeric(18, 16),
        [*decimals("12 0.1 0.3333333333333333"), None, *decimals("1.5 " * 11)],
    ),
}
# The same dates as an ERP keeps them that has no date type, with its ways to say "none".
DATES_AS_TEXT = ["2026-01-31", "1899-12-30", "-1", "9999-12-31", *["2024-02-29"] * 11]


def fill(url: str, columns: dict[str, tuple[TypeEngine[Any], Sequence[Any]]]) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    metadata = MetaData()
    charset = {"mysql_charset": "utf8mb4"}
    table = Table(
        "Account", metadata, *(Column(name, kind) for name, (kind, _) in columns.items()), **charset
    )
    metadata.drop_all(engine)
    metadata.create_all(engine)
    rows = zip(*(values for _, values in columns.values()), strict=True)
    with engine.begin() as connection:
        connection.execute(table.insert(), [dict(zip(columns, row, strict=True)) for row in rows])
    engine.dispose()


def staged(world: World, url: str, reader: str = "auto") -> list[tuple[Any, ...]]:
    """Everything that step 1 makes of the source: the rows with their hashes, and what was
    refused.
    """
    world = replace(
        world,
        settings={"sources": {"erp": {"url": url, "reader": reader}}},
        entities={"Account": {}},
    )
    world.done(1)
    columns = ", ".join(f'"{name}"' for name in NASTY)
    good = world.rows(f'SELECT {columns}, {HASH} FROM integrator."Account" ORDER BY "Id"')
    bad = world.rows(
        "SELECT rule, field, source_key, value, source_row ->> 'Name' FROM ops.rejected_row ORDER"
        " BY id"
    )
    return [*good, *bad]


@pytest.fixture
def from_sqlite(world: World) -> list[tuple[Any, ...]]:
    fill(world.erp_file.url, NASTY)
    return staged(world, world.erp_file.url)


@pytest.fixture
def postgresql(new_database: Callable[[], Database]) -> str:
    return url_of(new_database())


@pytest.fixture(params=["pymysql", "mysqldb"])
def mariadb(request: pytest.FixtureRequest) -> str:
    """A MariaDB or MySQL whose tables may be replaced, by one of the drivers."""
    driver = request.param
    url = os.environ.get("KIMO_TEST_MYSQL_URL")
    if not url:
        pytest.skip("KIMO_TEST_MYSQL_URL names no MariaDB whose table Account may be replaced")
    module = {"pymysql": "pymysql", "mysqldb": "MySQLdb"}[driver]
    pytest.importorskip(module, reason=f"the driver {module} is not installed")
    return make_url(url).set(drivername=f"mysql+{driver}").render_as_string(hide_password=False)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes which reader was at work."""
    used: list[str] = []
    for reader in (copy_out, lines, cursor):
        name, original = reader.__name__.rpartition(".")[2], reader.read
        monkeypatch.setattr(
            reader,
            "read",
            lambda *args, _name=name, _original=original: used.append(_name) or _original(*args),
        )
    return used


def test_nasty_values_arrive_from_sqlite_as_they_should(
    from_sqlite: list[tuple[Any, ...]], world: World
) -> None:
    def column(name: str) -> dict[str, Any]:
        return dict(world.rows(f'SELECT "Id", "{name}" FROM integrator."Account"'))

    good = {"A1", "A2", "A 3", "Ünï🚚", "a,b", 'a"b', "a'b", "a|b", "a\\b", "B5"}
    assert set(column("Id")) == good
    assert (
        column("Name").items()
        >= {
            "A1": "plain",
            "A2": None,
            "A 3": " spaces around ",
            "Ünï🚚": "line\nbreak",
            "a,b": "windows\r\nbreak",
            'a"b': "old\rbreak",
            "B5": "è 🚚 \u2028 ，",
        }.items()
    )
    assert column("HeadOfficeId") == dict.fromkeys(good, "A1") | {
        "A1": None,
        "A2": None,
        "Ünï🚚": " A1",
        "a,b": None,
    }
    first = ("A1", "A2", "A 3", "Ünï🚚", "a,b")
    assert [column("CustomerGroupId")[key] for key in first] == [None, "7", None, "10", "-1"]
    assert [column("PaymentMethodId")[key] for key in first] == [None, None, "30", "30.5", "100"]
    assert [column("StatisticClassId")[key] for key in first] == [
        None,
        "12",
        "12.5",
        "1" + "0" * 20,
        None,
    ]
    assert [column("ProcurementLeadTime")[key] for key in first] == [5, 0, -3, None, 1]
    assert column("Discount2")["A2"] == Decimal("1E-7")
    assert [column("FreeText1")[key] for key in first[:3]] == ["1", "0", None]
    assert [column("FreeText2")[key] for key in first[:3]] == ["12", "0.1", "0.3333333333333333"]
    assert column("PriceListsReferenceDate")["A2"] == date(1899, 12, 30)
    assert {(rule, key) for rule, _, key, _ in world.rejected("Account")} == {
        ("unknown_enum_code", "Id=B1"),
        ("not_a_whole_number", "Id=B2"),
        ("out_of_range", "Id=B3"),
        ("not_a_flag", "Id=B4"),
        ("duplicate_key", "Id=A1"),
    }


@pytest.mark.parametrize(("reader", "way"), [("auto", "copy_out"), ("cursor", "cursor")])
def test_postgresql_stages_what_sqlite_stages(
    from_sqlite: list[tuple[Any, ...]],
    world: World,
    postgresql: str,
    ways: list[str],
    reader: str,
    way: str,
) -> None:
    fill(postgresql, NASTY)
    assert staged(world, postgresql, reader) == from_sqlite
    assert ways == [way]


@pytest.mark.parametrize(("reader", "way"), [("auto", "lines"), ("cursor", "cursor")])
@pytest.mark.parametrize("dates", [NASTY["PriceListsReferenceDate"], (String(10), DATES_AS_TEXT)])
def test_mariadb_stages_what_sqlite_stages(
    from_sqlite: list[tuple[Any, ...]],
    world: World,
    mariadb: str,
    ways: list[str],
    reader: str,
    way: str,
    dates: tuple[TypeEngine[Any], Sequence[Any]],
) -> None:
    fill(mariadb, WITHOUT_FLOATING_CODES | {"PriceListsReferenceDate": dates})
    assert staged(world, mariadb, reader) == from_sqlite
    assert ways == [way]


def test_mariadb_with_codes_kept_as_floating_numbers_is_read_by_the_cursor(
    from_sqlite: list[tuple[Any, ...]], world: World, mariadb: str, ways: list[str]
) -> None:
    fill(mariadb, NASTY)
    assert staged(world, mariadb) == from_sqlite
    assert ways == ["cursor"]


def test_postgresql_by_copy_with_dates_kept_as_text_stages_what_sqlite_stages(
    from_sqlite: list[tuple[Any, ...]], world: World, postgresql: str, ways: list[str]
) -> None:
    fill(postgresql, NASTY | {"PriceListsReferenceDate": (String(10), DATES_AS_TEXT)})
    assert staged(world, postgresql) == from_sqlite
    assert ways == ["copy_out"]


@pytest.mark.parametrize("kind", [String(20), CHAR(20)])
def test_a_text_that_is_no_date_is_refused_alike_whichever_way_it_is_read(
    kind: TypeEngine[Any], world: World, postgresql: str, ways: list[str]
) -> None:
    texts = [
        "today",
        "1/2/03",
        "infinity",
        "2020.01.01",
        "no date: x",
        "2026-02-30",
        "20260131",
        "-1",
        "",
        "2026-1-5x",
    ]
    columns: dict[str, tuple[TypeEngine[Any], Sequence[Any]]] = {
        "Id": (String(5), [f"A{n}" for n in range(len(texts))]),
        "CreationDate": (kind, texts),
    }

    def outcome(url: str) -> tuple[Any, ...]:
        fill(url, columns)
        odd = replace(world, source_url=url, entities={"Account": {}})
        odd.done(1, allow_shrink=True)
        refused = odd.rows(
            "SELECT rule, source_key, rtrim(value), source_row ->> 'Id' FROM ops.rejected_row ORDER"
            " BY 2"
        )
        return odd.rows('SELECT "Id", "CreationDate" FROM integrator."Account" ORDER BY 1'), refused

    good, refused = outcome(world.erp_file.url)
    assert [key for key, _ in good] == ["A6", "A7", "A8"]
    assert {rule for rule, *_ in refused} == {"impossible_date"}
    assert outcome(postgresql) == (good, refused)
    assert ways == ["cursor", "copy_out"]


def test_postgresql_by_cursor_with_a_binary_column_stages_what_sqlite_stages(
    from_sqlite: list[tuple[Any, ...]], world: World, postgresql: str, ways: list[str]
) -> None:
    _, texts = NASTY["ContactInfo"]
    encoded = [text if text is None else text.encode() for text in texts]
    fill(postgresql, NASTY | {"ContactInfo": (LargeBinary(), encoded)})
    assert staged(world, postgresql) == from_sqlite
    assert ways == ["cursor"]


def test_the_dates_of_mariadb_that_do_not_exist_are_refused_or_none_as_kimo_yaml_says(
    world: World, mariadb: str, ways: list[str]
) -> None:
    fill(
        mariadb,
        {
            "Id": (String(5), ["A", "B"]),
            "CreationDate": (DateTime(), [datetime(2026, 1, 31, 10), None]),
        },
    )
    engine = create_engine(mariadb)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET SESSION sql_mode = ''")
        connection.exec_driver_sql("UPDATE Account SET CreationDate = 0 WHERE Id = 'B'")
    engine.dispose()
    zero = replace(world, source_url=mariadb, entities={"Account": {}})
    zero.done(1)
    (*broken, value), *others = zero.rejected("Account")
    assert (broken, others) == (["impossible_date", "CreationDate", "Id=B"], [])
    # MariaDB writes a moment with or without its fraction, whichever way it has planned the query.
    assert value in ("0000-00-00 00:00:00", "0000-00-00 00:00:00.000000")
    none = {"sources": {"erp": {"url": mariadb, "no_value": {"dates": ["-1", "0000-00-00"]}}}}
    replace(world, settings=none, entities={"Account": {}}).done(1)
    assert world.rows('SELECT "Id", "CreationDate" FROM integrator."Account" ORDER BY 1') == [
        ("A", datetime(2026, 1, 31, 10)),
        ("B", None),
    ]
    assert ways == ["lines", "cursor"]


def test_a_query_whose_order_decides_between_duplicates_keeps_it_on_mariadb(
    world: World, mariadb: str, ways: list[str]
) -> None:
    fill(mariadb, {"Id": (String(5), ["A", "A", "B"]), "Discount1": (Integer(), [1, 2, 3])})
    query = "SELECT Id, Discount1 FROM Account\nORDER  BY Discount1 DESC"
    replace(world, source_url=mariadb, entities={"Account": {"query": query}}).done(1)
    assert world.rows('SELECT "Id", "Discount1" FROM integrator."Account" ORDER BY 1') == [
        ("A", 2),
        ("B", 3),
    ]
    assert ways == ["cursor"]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (
            "REPEAT('x', @@max_allowed_packet * 0.6)",
            "REPEAT('y', @@max_allowed_packet * 0.6)",
            "max_allowed_packet",
        ),
        ("'x'", "CONCAT('a', CHAR(31, 30), 'b')", "control characters"),
    ],
)
def test_an_entity_that_mariadb_cannot_write_as_text_is_read_by_the_cursor_and_that_is_logged(
    world: World, mariadb: str, ways: list[str], first: str, second: str, reason: str
) -> None:
    texts = ("FreeText1", "FreeText2")
    fill(mariadb, {"Id": (String(5), ["A"]), **{name: (Text(2**24), ["x"]) for name in texts}})
    engine = create_engine(mariadb)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE Account SET FreeText1 = {first}, FreeText2 = {second}")
        lengths = connection.exec_driver_sql(
            "SELECT LENGTH(FreeText1), LENGTH(FreeText2) FROM Account"
        ).fetchall()
    engine.dispose()
    told = Told()
    replace(world, source_url=mariadb, entities={"Account": {}}).done(1, progress=told)
    (line,) = [line for line in told.lines if "plain cursor" in line]
    assert reason in line
    assert ways == ["lines", "cursor"]
    assert (
        world.rows('SELECT length("FreeText1"), length("FreeText2") FROM integrator."Account"')
        == lengths
    )


class Told(Progress):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, line: str) -> None:
        self.lines.append(line)


def test_a_long_text_of_nothing_but_quotes_is_read_in_a_moment_from_mariadb(
    world: World, mariadb: str, ways: list[str]
) -> None:
    fill(mariadb, {"Id": (String(5), ["A"]), "FreeText1": (Text(2**24), ['"' * 3_000_000])})
    replace(world, source_url=mariadb, entities={"Account": {}}).done(1)
    assert world.rows('SELECT length("FreeText1") FROM integrator."Account"') == [(3_000_000,)]
    assert ways == ["lines"]


@pytest.mark.parametrize("rows", [100, 20_000])
def test_a_view_that_fails_in_the_middle_is_told_as_the_source_s_error(
    rows: int, world: World, postgresql: str, ways: list[str]
) -> None:
    """Whether the error comes with the last rows or long after them, nothing is staged."""
    engine = create_engine(postgresql.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE VIEW zone AS SELECT 'Z' || n AS id, 1 / (n - {rows}) AS description FROM"
            f" generate_series(1, {rows}) n"
        )
    engine.dispose()
    failed = replace(world, source_url=postgresql, entities={"Zone": {}}).run(1)
    assert "division by zero" in failed.failures[1]["Zone"]
    assert world.value("SELECT to_regclass('integrator.\"Zone\"')") is None
    assert ways == ["copy_out"]


def test_a_sqlite_column_may_hold_values_of_every_type(world: World) -> None:
    given = [1, 1.0, 1.5, "1", " 1", b"1", "0", 0, -0.0, "x", RawText(b"\xff"), None]
    world.erp(
        Account=[
            {"Id": f"A{n:02}", "Name": value, "HeadOfficeId": value}
            for n, value in enumerate(given)
        ]
    )
    world.done(1)
    assert world.rows('SELECT "Name", "HeadOfficeId" FROM integrator."Account" ORDER BY "Id"') == [
        ("1", "1"),
        ("1", "1"),
        ("1.5", "1.5"),
        ("1", "1"),
        (" 1", " 1"),
        ("1", "1"),
        ("0", None),
        ("0", None),
        ("0", None),
        ("x", "x"),
        (None, None),
    ]
    assert world.rejected("Account") == [
        ("invalid_characters", "HeadOfficeId", "Id=A10", "\\udcff")
    ]


def test_rows_arrive_once_each_when_a_text_that_is_not_utf_8_stands_in_a_later_batch(
    world: World,
) -> None:
    rows = [
        {"Id": f"Z{n}", "Description": RawText(b"\xff") if n in (700, 2900) else str(n)}
        for n in range(3000)
    ]
    world.erp(Zone=rows)
    report = world.done(1).steps[1].entities["Zone"].counts()
    assert (report["read"], report["staged"], report["rules"]) == (
        3000,
        2998,
        {"invalid_characters": 2},
    )
    assert world.value('SELECT count(DISTINCT "Id") FROM integrator."Zone"') == 2998
    assert {key for _, _, key, _ in world.rejected("Zone")} == {"Id=Z700", "Id=Z2900"}


@pytest.mark.parametrize(
    ("column", "none"),
    [
        ("Name", ""),
        ("HeadOfficeId", ""),
        ("HeadOfficeId", "0"),
        ("HeadOfficeId", 0),
        ("HeadOfficeId", 0.0),
        ("HeadOfficeId", "0   "),
        ("Discount1", ""),
        ("ProcurementLeadTime", ""),
        ("AccountTypeId", ""),
        ("FreeBoolean1", ""),
        ("PriceListsReferenceDate", ""),
        ("PriceListsReferenceDate", -1),
        ("PriceListsReferenceDate", "-1"),
        ("PriceListsReferenceDate", -1.0),
        ("CreationDate", ""),
        ("CreationDate", -1),
        ("CreationDate", "-1"),
    ],
)
def test_the_ways_to_say_no_value_are_all_no_value(world: World, column: str, none: Any) -> None:
    world.erp(Account=[{"Id": "A", column: none}])
    world.done(1)
    assert world.rows(f'SELECT "{column}" FROM integrator."Account"') == [(None,)]


def test_zero_and_minus_one_are_values_where_no_convention_says_otherwise(world: World) -> None:
    world.erp(
        Account=[
            {"Id": "0", "Name": "0", "Discount1": 0, "ProcurementLeadTime": -1, "FreeBoolean1": 0}
        ]
    )
    world.done(1)
    assert world.rows(
        'SELECT "Id", "Name", "Discount1", "ProcurementLeadTime", "FreeBoolean1" FROM'
        ' integrator."Account"'
    ) == [("0", "0", 0, -1, False)]


@pytest.mark.parametrize(
    "given", ["2026-1-5", "20260105", "2026-01-05 00:00:00", "2026-01-05T00:00:00.000"]
)
def test_dates_are_year_first_with_or_without_a_time(world: World, given: str) -> None:
    world.erp(Account=[{"Id": "A", "PriceListsReferenceDate": given, "CreationDate": given}])
    world.done(1)
    assert world.rows(
        'SELECT "PriceListsReferenceDate", "CreationDate" FROM integrator."Account"'
    ) == [(date(2026, 1, 5), datetime(2026, 1, 5))]


def test_a_path_may_hold_characters_that_mean_something_in_a_url(
    world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "50% #1 ü"
    folder.mkdir()
    odd = World(folder, world.database)
    odd.erp(Zone=ids("N"))
    odd.done(1)
    assert odd.rows('SELECT "Id" FROM integrator."Zone"') == [("N",)]


@pytest.mark.stress
def test_a_large_source_needs_no_more_memory_than_a_small_one(world: World) -> None:
    import tracemalloc

    def peak(rows: int) -> int:
        world.erp(Zone=[{"Id": f"Z{n}", "Description": "x" * 90} for n in range(rows)])
        tracemalloc.start()
        world.done(1, allow_shrink=True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1_000)
    assert peak(260_000) < 1.2 * peak(130_000)
