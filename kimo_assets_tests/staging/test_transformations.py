"""Transformations on their way through step 1: the same rows from every database, refused ones kept
as they were.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from hashlib import md5
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
    create_engine,
)
from sqlalchemy.types import TypeEngine

from kimo_assets.catalog import load_catalog
from kimo_assets.database.server import Database
from kimo_assets.sources.connection import open_source
from kimo_assets.sources.readers import copy_out, cursor, segments
from kimo_assets.sources.selection import resolve
from kimo_assets.staging.rejected import RejectedRow, rejected_rows
from kimo_assets_tests.support.company import RawText, World, ids, url_of

Columns = dict[str, tuple[TypeEngine[Any], Sequence[Any]]]


def fill(url: str, name: str, columns: Columns) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    charset = {"mysql_charset": "utf8mb4"}
    table = Table(
        name,
        MetaData(),
        *(Column(column, kind) for column, (kind, _) in columns.items()),
        **charset,
    )
    table.drop(engine, checkfirst=True)
    table.create(engine)
    with engine.begin() as connection:
        rows = zip(*(values for _, values in columns.values()), strict=True)
        connection.execute(table.insert(), [dict(zip(columns, row, strict=True)) for row in rows])
    engine.dispose()


@pytest.fixture
def postgresql(new_database: Callable[[], Database]) -> str:
    return url_of(new_database())


@pytest.fixture
def no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: Any) -> None:
        raise AssertionError("COPY cannot apply a transformation")

    monkeypatch.setattr(copy_out, "read", read)


def refused_rows(world: World, entity: str = "Account") -> list[RejectedRow]:
    with world.database.connect() as connection:
        return list(rejected_rows(connection, world.config, entity))


# --- the same from every database
# ---------------------------------------------------------------------------------

CUSTOMERS: Columns = {
    "CODICE": (Double(), [1.0, 2.0, 3.0, 4.0, 4.0, 5.5, 6.0]),
    "RAGSOC": (String(40), [" rossi ", "Bianchi & C.", "è 🚚", "d", "doppio", "e", "f"]),
    "CITTA": (CHAR(8), ["milano", "ROMA", None, "", "", "x", "y"]),
    "ZONA": (CHAR(3), ["N", "S", "X", None, "N", "N", "N"]),
    "TEL1": (String(20), ["", None, "3", "4", "4", "5", "6"]),
    "TEL2": (String(20), ["02", "", "33", "44", "44", "55", "66"]),
    "INS": (
        String(10),
        ["31/01/2026", "01/02/2026", "", "-1", "01/02/2026", "01/02/2026", "2026-02-01"],
    ),
    "SCONTO": (String(12), ["1.234,5", "10", None, "", "0", "0", "0"]),
    "FIDO": (Numeric(12, 2), list(map(Decimal, ["100.10", "0", "3", "4", "4", "5", "6"]))),
    "ATTIVO": (Boolean(), [True, False, None, True, True, True, True]),
    "CAPOGRUPPO": (Integer(), [0, 1, 2, None, 0, 0, 0]),
    "FOTO": (LargeBinary(), [b"abc", None, b"\xc3\xa8", b"", b"", b"", b""]),
}
CUSTOMER_MAPPING = {
    "table": "CLIENTI",
    "fields": {
        "Id": "CODICE",
        "Name": "RAGSOC",
        "ZoneId": "ZONA",
        "CreationDate": "INS",
        "Discount1": "SCONTO",
        "HeadOfficeId": "CAPOGRUPPO",
        "Name2": "FOTO",
    },
    "transform": {
        "Id": "QueryAsLong",
        "Name": ["trim", "upper", {"replace": {"&": "E"}}],
        "Name2": "trim",
        "HeadOfficeId": "QueryAsLong",
        "ZoneId": {"lookup": {"N": "NORD", "S": "SUD"}, "default": "ALTRO"},
        "Phone": {"coalesce": ["TEL1", "TEL2"]},
        "Notes": {"concat": ["TEL1", "TEL2"], "separator": " - "},
        "CreationDate": {"date": "dd/MM/yyyy"},
        "Discount1": {"number": "1.234,56"},
        "Discount2": {"expression": "FIDO * 1.22"},
        "CurrencyId": {"constant": "EUR"},
        "FreeText1": {
            "expression": "RAGSOC ~ ' (' ~ CITTA | trim | title ~ ')' if CITTA | trim else RAGSOC"
        },
        "FreeText2": {"expression": "FIDO ~ '/' ~ ATTIVO ~ '/' ~ CODICE"},
    },
}


def imported(world: World, url: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The staged rows, and the refused ones without what belongs to a database's own way of showing
    a value.
    """
    fill(url, "CLIENTI", CUSTOMERS)
    world = replace(world, source_url=url, entities={"Account": CUSTOMER_MAPPING})
    world.done(1, allow_shrink=True)
    fields = ["Id", "CreationDate", *CUSTOMER_MAPPING["transform"]]
    columns = ", ".join(f'"{field}"' for field in dict.fromkeys(fields))
    good = world.rows(f'SELECT {columns}, _hash FROM integrator."Account" ORDER BY "Id"')
    bad = world.rows(
        "SELECT rule, field, source_column, detail, source_row ->> 'RAGSOC' FROM ops.rejected_row"
        " ORDER BY id"
    )
    return good, bad


@pytest.mark.usefixtures("no_copy")
def test_sqlite_and_postgresql_give_the_same_rows(world: World, postgresql: str) -> None:
    good, bad = imported(world, world.erp_file.url)
    assert [row[:-1] for row in good] == [
        (
            "1",
            datetime(2026, 1, 31),
            "ROSSI",
            "abc",
            None,
            "NORD",
            "02",
            "02",
            Decimal("1234.5"),
            Decimal("122.1220"),
            "EUR",
            " rossi  (Milano)",
            "100.1/1/1",
        ),
        (
            "2",
            datetime(2026, 2, 1),
            "BIANCHI E C.",
            None,
            "1",
            "SUD",
            None,
            None,
            Decimal(10),
            Decimal("0.00"),
            "EUR",
            "Bianchi & C. (Roma)",
            "0/0/2",
        ),
        (
            "3",
            None,
            "È 🚚",
            "è",
            "2",
            "ALTRO",
            "3",
            "3 - 33",
            None,
            Decimal("3.66"),
            "EUR",
            "è 🚚",
            "3//3",
        ),
        (
            "4",
            None,
            "D",
            None,
            None,
            None,
            "4",
            "4 - 44",
            None,
            Decimal("4.88"),
            "EUR",
            "d",
            "4/1/4",
        ),
    ]
    assert bad == [
        ("transformation_failed", "Id", "CODICE", "expected a whole number", "e"),
        ("impossible_date", "CreationDate", "INS", "expected dd/MM/yyyy", "f"),
        ("duplicate_key", "Id", "CODICE", None, "doppio"),
    ]
    assert imported(world, postgresql) == (good, bad)


def test_mariadb_gives_the_same_rows(world: World) -> None:
    url = os.environ.get("KIMO_TEST_MYSQL_URL")
    if not url:
        pytest.skip("KIMO_TEST_MYSQL_URL names no MariaDB whose table CLIENTI may be replaced")
    pytest.importorskip("pymysql", reason="the driver pymysql is not installed")
    assert imported(world, url) == imported(world, world.erp_file.url)


# --- rejected rows
# -------------------------------------------------------------------------------------------------


def test_a_row_that_copy_rejects_is_kept_as_the_source_gave_it(world: World) -> None:
    world.erp(T=[{"A": "x" * 60, "B": "y" * 60, "C": " 7 "}, {"A": "1", "B": "2", "C": "3"}])
    world.entities = {
        "Zone": {
            "table": "T",
            "fields": {"Id": "C"},
            "transform": {"Description": {"concat": ["A", "B"], "separator": "+"}, "Id": "trim"},
        }
    }
    world.done(1)
    kept = world.rows(
        "SELECT rule, field, source_column, source_key, value, source_row, detail FROM"
        " ops.rejected_row"
    )
    long = {"A": "x" * 60, "B": "y" * 60, "C": " 7 "}
    made = f"{'x' * 60}+{'y' * 60}"
    assert kept == [("text_too_long", "Description", "A, B", "C= 7 ", made, long, None)]


def test_a_row_whose_transformation_fails_is_kept_with_why_and_its_neighbours_are_staged(
    world: World,
) -> None:
    world.erp(T=[{"Id": n, "PREZZO": 100, "PEZZI": n % 3} for n in range(7)])
    world.entities = {
        "Zone": {"table": "T", "transform": {"Description": {"expression": "PREZZO / PEZZI"}}}
    }
    report = world.done(1).steps[1].entities["Zone"]
    assert report.counts()["rules"] == {"transformation_failed": 3}
    kept = world.rows(
        "SELECT source_column, source_key, value, source_row, detail FROM ops.rejected_row ORDER"
        " BY id"
    )
    assert kept == [
        (
            "PREZZO, PEZZI",
            f"Id={n}",
            "PREZZO=100, PEZZI=0",
            {"Id": str(n), "PREZZO": "100", "PEZZI": "0"},
            "division by zero",
        )
        for n in (0, 3, 6)
    ]
    assert world.rows('SELECT "Id", "Description" FROM integrator."Zone" ORDER BY 1') == [
        ("1", "100"),
        ("2", "50"),
        ("4", "100"),
        ("5", "50"),
    ]


def test_of_rows_whose_made_keys_are_equal_the_first_stays_and_the_others_are_kept_as_they_were(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 20_000)
    rows = [{"A": f"z{n}", "B": "Long " * 5} for n in range(3000)]
    world.erp(T=[*rows, {"A": "Z7", "B": "SECOND"}, {"A": " z7", "B": None}])
    world.entities = {
        "Zone": {
            "table": "T",
            "fields": {"Id": "A", "Description": "B"},
            "transform": {"Id": ["trim", "upper"], "Description": "lower"},
        }
    }
    world.done(1)
    assert world.value('SELECT count(DISTINCT _segment) FROM integrator."Zone"') > 1
    assert (
        world.value('SELECT "Description" FROM integrator."Zone" WHERE "Id" = \'Z7\'')
        == "long " * 5
    )
    kept = world.rows(
        "SELECT rule, source_key, value, source_row FROM ops.rejected_row ORDER BY id"
    )
    assert kept == [
        ("duplicate_key", "A=Z7", "Z7", {"A": "Z7", "B": "SECOND"}),
        ("duplicate_key", "A= z7", "Z7", {"A": " z7", "B": None}),
    ]


def test_a_row_without_any_part_of_a_derived_key_is_kept_as_it_was(world: World) -> None:
    world.erp(T=[{"A": " ", "B": "-"}, {"A": "a", "B": "1"}])
    world.entities = {
        "SalesAgentPerAccount": {
            "table": "T",
            "transform": {
                "AccountId": {"expression": "A | trim"},
                "SalesAgentId": {"expression": "B if B != '-' else ''"},
            },
        }
    }
    world.done(1)
    assert world.rows("SELECT rule, source_key, source_row FROM ops.rejected_row") == [
        ("missing_key", "A= , B=-", {"A": " ", "B": "-"})
    ]
    assert world.rows('SELECT "Id" FROM integrator."SalesAgentPerAccount"') == [("a|1",)]


def test_what_the_source_gave_leaves_with_the_complete_snapshot(world: World) -> None:
    world.erp(T=[{"A": "n"}])
    world.entities = {"Zone": {"table": "T", "fields": {"Id": "A"}, "transform": {"Id": "upper"}}}
    world.done(1)
    columns = world.rows(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = 'integrator' AND table_name <> 'outbox' ORDER BY 1"
    )
    assert [name for (name,) in columns] == ["Id", "_hash", "_segment"]


def test_characters_that_no_text_can_hold_matter_only_where_they_would_be_staged(
    world: World,
) -> None:
    nul, latin = "a\0b", RawText(b"Caff\xe8")
    world.erp(
        T=[
            {"Id": "1", "A": nul},
            {"Id": "2", "A": latin},
            {"Id": "3", "A": "ok"},
            {"Id": "4", "A": "x" * 200},
        ]
    )
    world.entities = {
        "Zone": {"table": "T", "transform": {"Description": {"expression": "A | length"}}}
    }
    world.done(1)
    assert world.rows('SELECT "Id", "Description" FROM integrator."Zone" ORDER BY 1') == [
        ("1", "3"),
        ("2", "5"),
        ("3", "2"),
        ("4", "200"),
    ]
    world.entities = {
        "Zone": {"table": "T", "fields": {"Description": "A"}, "transform": {"Description": "trim"}}
    }
    world.done(1)
    assert world.rows(
        "SELECT rule, source_column, source_key, value FROM ops.rejected_row ORDER BY id"
    ) == [
        ("invalid_characters", "A", "Id=1", "a\\x00b"),
        ("invalid_characters", "A", "Id=2", "Caff\\udce8"),
        ("text_too_long", "A", "Id=4", "x" * 200),
    ]


def test_a_source_of_which_every_row_is_rejected_is_read_in_pieces_as_well(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 20_000)
    # Otherwise the blocking check stops the run: this is about the reading.
    world.settings = {"limits": {"min_blocking_rows": 10_000}}
    world.erp(T=[{"A": f"z{n}", "B": "x" * 30} for n in range(3000)])
    world.entities = {
        "Zone": {
            "table": "T",
            "fields": {"Id": "A"},
            "transform": {"Description": {"expression": "B / 0"}},
        }
    }
    world.done(1)
    refused = world.rows(
        "SELECT count(*), count(DISTINCT source_key), count(DISTINCT segment) > 3 FROM"
        " ops.rejected_row"
    )
    assert refused == [(3000, 3000, True)]


def test_a_key_that_becomes_empty_is_a_missing_key(world: World) -> None:
    world.erp(T=[{"A": "  "}, {"A": "n"}])
    world.entities = {"Zone": {"table": "T", "fields": {"Id": "A"}, "transform": {"Id": "trim"}}}
    world.done(1)
    assert world.rejected("Zone") == [("missing_key", "A", "A=  ", None)]


# --- the query that finds a rejected row
# ----------------------------------------------------------------------------


def test_the_query_compares_a_number_with_a_number_and_the_columns_a_key_was_made_of(
    world: World,
) -> None:
    world.erp(
        T=[{"COD": 12.0, "D": "x" * 101}, {"COD": 7, "D": "x" * 101}, {"COD": "A'1", "D": "y"}],
        U=[{"A": "a", "B": "b'", "D": "x" * 101}],
    )
    world.entities = {
        "Zone": {
            "table": "T",
            "fields": {"Id": "COD", "Description": "D"},
            "transform": {"Id": "QueryAsLong"},
        },
        "Carrier": {
            "table": "U",
            "fields": {"Description": "D"},
            "transform": {"Id": [{"expression": "A ~ '|' ~ B"}, "StringToHash"]},
        },
    }
    world.done(1)
    queries = {row.query for row in refused_rows(world, "Zone")}
    assert queries == {
        "SELECT * FROM T WHERE COD = 12.0",
        "SELECT * FROM T WHERE COD = 7",
        "SELECT * FROM T WHERE COD = 'A''1'",
    }
    assert [row.query for row in refused_rows(world, "Carrier")] == [
        "SELECT * FROM U WHERE A = 'a' AND B = 'b'''"
    ]
    for query in queries:
        assert len(world_rows(world, query)) == 1


def world_rows(world: World, query: str) -> list[Any]:
    engine = create_engine(world.erp_file.url)
    with engine.connect() as connection:
        found = list(connection.exec_driver_sql(query))
    engine.dispose()
    return found


def test_the_query_for_a_row_rejected_by_step_2_asks_for_nothing_the_erp_does_not_hold(
    world: World,
) -> None:
    world.erp(
        Item=ids("I"),
        T=[{"KEY": "k1", "ART": " none ", "LANG": "it"}],
        Language=ids("it"),
    )
    world.entities = {
        "Item": {},
        "Language": {},
        "ItemTranslation": {
            "table": "T",
            "fields": {"Id": "KEY", "ItemId": "ART", "LanguageId": "LANG"},
            "transform": {"Id": "StringToHash", "ItemId": "trim"},
        },
    }
    world.run(1, 2)
    (row,) = refused_rows(world, "ItemTranslation")
    assert (row.step, row.rule) == (2, "missing_owner")
    assert row.query == "SELECT * FROM T WHERE LANG = 'it'"


def test_what_was_expected_is_told_with_the_rejected_row(world: World) -> None:
    world.erp(T=[{"Id": "A", "D": "2026-01-31"}])
    world.entities = {
        "Account": {
            "table": "T",
            "fields": {"CreationDate": "D"},
            "transform": {"CreationDate": {"date": "dd/MM/yyyy"}},
        }
    }
    world.done(1)
    (row,) = refused_rows(world)
    assert row.reason.en.endswith(": expected dd/MM/yyyy")


# --- the live source
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (
            {"Description": {"expression": "NOMEE ~ ZONA"}},
            "no column NOMEE (for Zone.Description). It has: NOME. Correct",
        ),
        (
            {"Description": {"coalesce": ["NOME", "ALTRO"]}},
            "no column ALTRO (for Zone.Description). It has: ",
        ),
        ({"Description": "trim"}, "no column Description (for Zone.Description)"),
        ({"Description": {"expression": "row['P.IVA']"}}, "no column P.IVA (for Zone.Description)"),
    ],
)
@pytest.mark.parametrize("by", ["table", "query"])
def test_a_column_that_is_not_there_fails_the_entity_and_is_named(
    world: World, by: str, transform: dict[str, Any], message: str
) -> None:
    world.erp(T=[{"Id": "N", "NOME": "Nord", "ZONA": "1"}])
    origin = {"table": "T"} if by == "table" else {"query": "SELECT * FROM T"}
    world.entities = {"Zone": {**origin, "transform": transform}}
    failure = world.run(1).failures[1]["Zone"]
    assert message in failure
    assert "entities.Zone.transform" in failure


def test_columns_match_whatever_their_case_and_may_have_any_name(world: World) -> None:
    world.erp(T=[{"ID": "N", "Nome": "Nord", "P.IVA": "12", "loop": "x", "default": "y"}])
    world.entities = {
        "Zone": {
            "table": "T",
            "transform": {
                "Description": {"expression": "NOME ~ row['p.iva'] ~ loop ~ row['DEFAULT']"}
            },
        }
    }
    world.done(1)
    assert world.rows('SELECT "Description" FROM integrator."Zone"') == [("Nord12xy",)]


def test_columns_that_transformations_read_count_as_taken(world: World) -> None:
    world.erp(T=[{"Id": "N", "A": "a", "B": "b", "C": "c", "Unused": "u"}])
    world.entities = {
        "Zone": {
            "table": "T",
            "fields": {"SalesAgentId": "C"},
            "transform": {"Description": {"concat": ["A", "B"]}, "SalesAgentId": "trim"},
        }
    }
    engine = open_source("erp", world.config.sources["erp"])
    with engine.connect() as connection:
        found = resolve(
            engine, connection, load_catalog()["Zone"], world.config.entities["Zone"][0]
        )
    engine.dispose()
    assert found.unmapped == ("Unused",)
    assert set(found.fields) == {"Id", "Description", "SalesAgentId"}
    assert found.column_of == {"Id": "Id"}


def test_a_query_gives_the_columns_to_transformations_as_well(world: World) -> None:
    world.erp(T=[{"A": "a", "B": "b"}])
    world.entities = {
        "Zone": {
            "query": "SELECT A AS K, B, A || B AS AB FROM T",
            "transform": {"Id": {"coalesce": ["K"]}, "Description": {"expression": "AB ~ B"}},
        }
    }
    world.done(1)
    assert world.rows('SELECT "Id", "Description" FROM integrator."Zone"') == [("a", "abb")]


def test_a_field_that_is_taken_as_it_is_may_feed_a_transformation_too(world: World) -> None:
    world.erp(Zone=[{"Id": "N ", "Description": "Nord", "SalesAgentId": "0"}])
    world.entities = {
        "Zone": {
            "transform": {
                "Description": {"expression": "Description ~ '/' ~ Id ~ '/' ~ SalesAgentId"}
            }
        }
    }
    world.done(1)
    assert world.rows('SELECT "Id", "Description", "SalesAgentId" FROM integrator."Zone"') == [
        ("N", "Nord/N /0", None)
    ]


# --- an equal stream
# ----------------------------------------------------------------------------------------------


def test_another_transformation_of_the_same_data_is_a_change_and_the_same_one_is_none(
    world: World,
) -> None:
    def status(transform: Any) -> str:
        world.entities = {"Zone": {"transform": {"Description": transform}}}
        return world.done(1).steps[1].entities["Zone"].status

    world.erp(Zone=[{"Id": "N", "Description": "NORD"}])
    assert status("trim") == "ok"
    assert status("trim") == "unchanged"
    assert status("upper") == "ok"  # it makes the same of these rows
    assert status(["upper", "trim"]) == "ok"
    assert status(["upper", "trim"]) == "unchanged"
    assert status({"lookup": {"NORD": "NORD"}}) == "ok"
    assert status({"lookup": {"NORD": "NORD"}, "default": "X"}) == "ok"


def test_an_equal_beginning_is_taken_over_and_later_duplicates_of_it_are_kept_as_they_were(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 20_000)
    rows = [{"A": f"z{n}", "B": f"zone {n} " * 5} for n in range(3000)]
    wrong = {"A": "long", "B": "x" * 101}
    world.entities = {
        "Zone": {
            "table": "T",
            "fields": {"Id": "A", "Description": "B"},
            "transform": {"Id": "upper", "Description": "upper"},
        }
    }
    world.erp(T=[*rows[:100], wrong, *rows[100:]])
    world.done(1)
    filled = world.value('SELECT count(*) FROM integrator."Zone" WHERE _segment = 0')
    world.erp(T=[*rows[:100], wrong, *rows[100:], {"A": "Z5", "B": "Again"}])
    report = world.done(1).steps[1].entities["Zone"]
    assert (report.status, report.counts()["rules"]) == (
        "ok",
        {"text_too_long": 1, "duplicate_key": 1},
    )
    assert world.value('SELECT count(*) FROM integrator."Zone" WHERE _segment = 0') == filled
    assert world.rows("SELECT source_row FROM ops.rejected_row ORDER BY id") == [
        (wrong,),
        ({"A": "Z5", "B": "Again"},),
    ]
    assert world.done(1).steps[1].entities["Zone"].status == "unchanged"


def test_a_rejected_row_that_changed_only_before_its_transformation_is_kept_as_it_is_now(
    world: World,
) -> None:
    world.entities = {
        "Zone": {"table": "T", "fields": {"Id": "A"}, "transform": {"Id": ["trim", "upper"]}}
    }
    world.erp(T=[{"A": "k" * 51}, {"A": "n"}])
    world.done(1)
    world.erp(T=[{"A": " " + "k" * 51}, {"A": "n"}])
    world.done(1)
    assert world.rows("SELECT source_row ->> 'A' FROM ops.rejected_row") == [(" " + "k" * 51,)]


# --- StringToHash
# --------------------------------------------------------------------------------------------------


def test_a_hashed_key_is_pointed_to_by_the_same_hash_and_no_value_points_nowhere(
    world: World,
) -> None:
    long = "K" * 80
    world.erp(
        T=[{"COD": long, "AGE": "1"}, {"COD": "0", "AGE": "1"}],
        U=[{"Id": "A", "ZONA": f"{long}  "}, {"Id": "B", "ZONA": "0"}, {"Id": "C", "ZONA": None}],
    )
    world.entities = {
        "Zone": {"table": "T", "fields": {"Id": "COD"}, "transform": {"Id": "StringToHash"}},
        "Account": {
            "table": "U",
            "fields": {"ZoneId": "ZONA"},
            "transform": {"ZoneId": "StringToHash"},
        },
    }
    world.done(1)
    hashed = md5(long.encode()).hexdigest()
    assert world.rows('SELECT "Id" FROM integrator."Zone" ORDER BY 1') == sorted(
        [(hashed,), (md5(b"0").hexdigest(),)]
    )
    assert world.rows('SELECT "Id", "ZoneId" FROM integrator."Account" ORDER BY 1') == [
        ("A", hashed),
        ("B", None),
        ("C", None),
    ]


# --- DataFormat: how a source writes days, and what means "no value"
# ------------------------------------------------

ITALIAN = {"formats": {"date": "dd/MM/yyyy", "datetime": "dd/MM/yyyy HH:mm:ss"}}


def with_source(world: World, url: str, entity: Any = None, **settings: Any) -> World:
    source = {"erp": {"url": url, **settings}}
    return replace(world, settings={"sources": source}, entities={"Account": entity or {}})


@pytest.mark.parametrize("way", ["sqlite", "postgresql"])
def test_a_sources_formats_read_its_texts(world: World, postgresql: str, way: str) -> None:
    url = world.erp_file.url if way == "sqlite" else postgresql
    days = ["31/01/2026", "31/01/2026 10:30:00", "", "-1", None, "2026-01-31", "30/02/2026"]
    fill(
        url,
        "Account",
        {
            "Id": (String(3), list("ABCDEFG")),
            "PriceListsReferenceDate": (String(20), days),
            "CreationDate": (CHAR(20), days),
        },
    )
    world = with_source(world, url, **ITALIAN)
    world.done(1)
    assert world.rows(
        'SELECT "Id", "PriceListsReferenceDate", "CreationDate" FROM integrator."Account" ORDER'
        " BY 1"
    ) == [
        ("A", date(2026, 1, 31), datetime(2026, 1, 31)),
        ("B", date(2026, 1, 31), datetime(2026, 1, 31, 10, 30)),
        ("C", None, None),
        ("D", None, None),
        ("E", None, None),
    ]
    kept = world.rows(
        "SELECT rule, source_key, value, detail, source_row FROM ops.rejected_row ORDER BY id"
    )
    expected = "expected dd/MM/yyyy HH:mm:ss or dd/MM/yyyy"
    assert [(rule, key, value.rstrip(" "), detail) for rule, key, value, detail, _ in kept] == [
        ("impossible_date", "Id=F", "2026-01-31", expected),
        ("impossible_date", "Id=G", "30/02/2026", expected),
    ]
    assert kept[1][4]["PriceListsReferenceDate"] == "30/02/2026"


def test_days_of_a_databases_own_type_need_no_format_and_stay_with_copy(
    world: World, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursor, "read", None)  # who asked the cursor would find nothing to call
    fill(
        postgresql,
        "Account",
        {"Id": (String(3), ["A"]), "CreationDate": (DateTime(), [datetime(2026, 1, 31, 5)])},
    )
    world = with_source(world, postgresql, **ITALIAN)
    world.done(1)
    assert world.rows('SELECT "CreationDate" FROM integrator."Account"') == [
        (datetime(2026, 1, 31, 5),)
    ]


def test_a_format_for_days_leaves_moments_year_first_and_also_reads_them(world: World) -> None:
    world.erp(
        Account=[
            {"Id": "A", "CreationDate": "31/01/2026"},
            {"Id": "B", "CreationDate": "2026-01-31 10:00"},
        ]
    )
    world = with_source(world, world.erp_file.url, formats={"date": "dd/MM/yyyy"})
    world.done(1)
    assert world.rows('SELECT "CreationDate" FROM integrator."Account" ORDER BY "Id"') == [
        (datetime(2026, 1, 31),),
        (datetime(2026, 1, 31, 10),),
    ]


def test_days_kept_as_numbers_are_read_by_the_format(world: World) -> None:
    world.erp(
        Account=[
            {"Id": key, "CreationDate": day}
            for key, day in zip("ABC", (1022026, 31012026.0, -1), strict=True)
        ]
    )
    world = with_source(
        world, world.erp_file.url, formats={"date": "ddMMyyyy", "datetime": "ddMMyyyy"}
    )
    world.done(1)
    assert world.rows('SELECT "CreationDate" FROM integrator."Account" ORDER BY "Id"') == [
        (datetime(2026, 2, 1),),
        (datetime(2026, 1, 31),),
        (None,),
    ]


def test_a_transformation_of_a_day_is_all_that_reads_it(world: World) -> None:
    world.erp(Account=[{"Id": "A", "ANNO": 2026, "MESE": 3, "CreationDate": "x"}])
    entity = {"transform": {"CreationDate": {"expression": "'%04d-%02d-01' % (ANNO, MESE)"}}}
    world = with_source(world, world.erp_file.url, entity, **ITALIAN)
    world.done(1)
    assert world.rows('SELECT "CreationDate" FROM integrator."Account"') == [
        (datetime(2026, 3, 1),)
    ]


def test_another_format_of_the_same_data_is_a_change(world: World) -> None:
    world.erp(Account=[{"Id": "A", "CreationDate": "01/02/2026"}])
    with_source(world, world.erp_file.url, formats={"datetime": "dd/MM/yyyy"}).done(1)
    assert world.value('SELECT "CreationDate" FROM integrator."Account"') == datetime(2026, 2, 1)
    with_source(world, world.erp_file.url, formats={"datetime": "MM/dd/yyyy"}).done(1)
    assert world.value('SELECT "CreationDate" FROM integrator."Account"') == datetime(2026, 1, 2)


NAVISION: Columns = {
    "Id": (String(3), list("ABCDEFG")),
    "HeadOfficeId": (String(8), ["0", "", "NESSUNO", "N/A", "A", "NESSUNO ", None]),
    "CustomerGroupId": (Integer(), [0, 1, 2, 99, -1, None, 0]),
    "PriceListsReferenceDate": (
        Date(),
        [date(1753, 1, 1), date(2026, 1, 31), None, *[date(2026, 1, 1)] * 4],
    ),
    "CreationDate": (
        DateTime(),
        [
            datetime(1753, 1, 1),
            datetime(1753, 1, 1, 5),
            datetime(2026, 1, 31),
            None,
            *[datetime(2026, 1, 1)] * 3,
        ],
    ),
    "Written": (
        String(24),
        [
            "1753-01-01",
            "1753-01-01 00:00:00",
            "1753-01-01T00:00:00.000",
            "-1",
            "",
            "0",
            "2026-01-05",
        ],
    ),
}
NO_VALUE = {"no_value": {"keys": ["NESSUNO", "N/A", 99], "dates": [date(1753, 1, 1), 0]}}


@pytest.mark.parametrize("way", ["sqlite", "postgresql by copy", "postgresql by cursor"])
def test_a_sources_own_ways_to_say_no_value_replace_the_vendors(
    world: World, postgresql: str, way: str
) -> None:
    url = world.erp_file.url if way == "sqlite" else postgresql
    fill(url, "Account", NAVISION)
    entity = {"transform": {"Notes": {"constant": "x"}}} if way == "postgresql by cursor" else {}
    entity |= {"fields": {"LastModifiedTimeStamp": "Written"}}
    world = with_source(world, url, entity, **NO_VALUE)
    world.done(1)
    columns = (
        '"Id", "HeadOfficeId", "CustomerGroupId", "PriceListsReferenceDate", "CreationDate",'
        ' "LastModifiedTimeStamp"'
    )
    assert world.rows(f'SELECT {columns} FROM integrator."Account" ORDER BY 1') == [
        ("A", "0", "0", None, None, None),
        ("B", None, "1", date(2026, 1, 31), datetime(1753, 1, 1, 5), None),
        ("C", None, "2", None, datetime(2026, 1, 31), None),
        ("E", "A", "-1", date(2026, 1, 1), datetime(2026, 1, 1), None),
        ("F", None, None, date(2026, 1, 1), datetime(2026, 1, 1), None),
        ("G", None, "0", date(2026, 1, 1), datetime(2026, 1, 1), datetime(2026, 1, 5)),
    ]
    assert world.rejected("Account") == [("impossible_date", "Written", "Id=D", "-1")]


def test_no_date_is_no_date_also_when_it_is_written_in_the_sources_format(world: World) -> None:
    world.erp(
        Account=[
            {"Id": "A", "CreationDate": "01/01/1753"},
            {"Id": "B", "CreationDate": "00/00/0000"},
        ]
    )
    no_value = {"dates": ["1753-01-01", "00/00/0000"]}
    world = with_source(
        world, world.erp_file.url, formats={"datetime": "dd/MM/yyyy"}, no_value=no_value
    )
    world.done(1)
    assert world.rows('SELECT "CreationDate" FROM integrator."Account"') == [(None,), (None,)]


def test_without_any_convention_only_the_empty_text_and_null_are_no_value(world: World) -> None:
    world.erp(
        Account=[
            {"Id": "A", "HeadOfficeId": "0", "CreationDate": ""},
            {"Id": "B", "HeadOfficeId": "", "CreationDate": None},
        ]
    )
    world = with_source(world, world.erp_file.url, no_value={"keys": [], "dates": []})
    world.done(1)
    assert world.rows(
        'SELECT "HeadOfficeId", "CreationDate" FROM integrator."Account" ORDER BY "Id"'
    ) == [("0", None), (None, None)]


@pytest.mark.stress
def test_a_large_source_with_transformations_needs_no_more_memory_than_a_small_one(
    world: World, tmp_path: Path
) -> None:
    import tracemalloc

    def peak(rows: int) -> int:
        world.erp(T=[{"A": f"z{n}", "B": "x" * 2000} for n in range(rows)])
        tracemalloc.start()
        world.done(1, allow_shrink=True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    world.entities = {
        "Zone": {
            "table": "T",
            "fields": {"Id": "A"},
            "transform": {"Id": "upper", "Description": {"expression": "B[:5]"}},
        }
    }
    peak(1_000)
    assert peak(40_000) < 1.2 * peak(20_000)
