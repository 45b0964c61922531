"""Step 1 refuses bad rows one by one: each is kept whole, with the rule it broke, and its
neighbours are staged.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from kimo_assets.catalog import load_catalog
from kimo_assets.database import ledger
from kimo_assets.database.server import Database
from kimo_assets.pipeline.steps import open_run
from kimo_assets.reports import StagedEntity
from kimo_assets.sources.connection import open_source
from kimo_assets.sources.readers import segments
from kimo_assets.staging.quarantine import RULES
from kimo_assets.staging.stage import stage_entity
from kimo_assets_tests.support.company import RawText, Row, World, ids, url_of

# Column of Account, a value it cannot hold, the rule that says so.
BAD_VALUES: list[tuple[str, Any, str]] = [
    ("Name", "x" * 101, "text_too_long"),
    ("Name", "è" * 101, "text_too_long"),
    ("Id", "k" * 51, "text_too_long"),
    ("Id", "", "missing_key"),
    ("Id", None, "missing_key"),
    ("Discount1", "ten", "not_a_number"),
    ("Discount1", "NaN", "not_a_number"),
    ("Discount1", "Infinity", "not_a_number"),
    ("Discount1", "1.000.000", "not_a_number"),
    ("Discount1", "1_000", "not_a_number"),
    ("ProcurementLeadTime", "0x10", "not_a_number"),
    ("Discount1", "12,5", "decimal_comma"),
    ("Discount1", "1.234,50", "decimal_comma"),
    ("ProcurementLeadTime", "12,5", "decimal_comma"),
    ("ProcurementLeadTime", "soon", "not_a_number"),
    ("ProcurementLeadTime", 3_000_000_000, "out_of_range"),
    ("ProcurementLeadTime", -3_000_000_000, "out_of_range"),
    ("ProcurementLeadTime", 2.5, "not_a_whole_number"),
    ("ProcurementLeadTime", "2.5", "not_a_whole_number"),
    ("ProcurementLeadTime", ".5", "not_a_whole_number"),
    ("Discount1", "1e200000", "out_of_range"),
    ("FreeBoolean1", 2, "not_a_flag"),
    ("FreeBoolean1", "S", "not_a_flag"),
    ("PriceListsReferenceDate", "2026-02-30", "impossible_date"),
    ("PriceListsReferenceDate", "31/12/2025", "impossible_date"),
    ("PriceListsReferenceDate", "today", "impossible_date"),
    ("PriceListsReferenceDate", "infinity", "impossible_date"),
    ("PriceListsReferenceDate", "0000-00-00", "impossible_date"),
    ("PriceListsReferenceDate", 20261399, "impossible_date"),
    ("PriceListsReferenceDate", 0, "impossible_date"),
    ("CreationDate", "2026-01-01 25:00", "impossible_date"),
    ("CreationDate", "now", "impossible_date"),
    ("AccountTypeId", 99, "unknown_enum_code"),
    ("AccountTypeId", "customer", "unknown_enum_code"),
    ("AccountTypeId", 1.5, "unknown_enum_code"),
    ("Name", "a\0b", "invalid_characters"),
    ("Name", RawText(b"Caff\xe8"), "invalid_characters"),
    ("Name", RawText(b"\xed\xa0\x80"), "invalid_characters"),
]


def neighbour(n: int) -> Row:
    """A good row whose text spans lines, more of them after each bad row than before it."""
    return {"Id": f"G{n}", "Name": f'"{n}",' + '\n"\r\n' * (n % 4), "Mail": f"good {n}"}


def shown(value: Any) -> str | None:
    """A value as the quarantine shows it: characters that no text can hold as escapes."""
    if isinstance(value, RawText):
        return (
            value.content.decode("utf-8", "surrogateescape")
            .encode("utf-8", "backslashreplace")
            .decode()
        )
    return None if value in (None, "") else str(value).replace("\0", "\\x00")


@pytest.fixture(scope="module")
def rejected(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], Database]
) -> tuple[World, StagedEntity]:
    """One snapshot with all the bad rows, each among rows of many lines; Mail tells which
    is which.
    """
    world = World(tmp_path_factory.mktemp("rejected"), new_database())
    rows: list[Row] = []
    for n, (column, value, _) in enumerate(BAD_VALUES):
        bad: Row = {
            "Id": f"B{n}",
            "Name": "first line\nsecond, line",
            "AccountTypeId": 1,
            "Mail": f"bad {n}",
        }
        rows += [neighbour(n), bad | {column: value}]
    world.erp(Account=[neighbour(99), *rows])
    report = world.done(1).steps[1].entities["Account"]
    assert isinstance(report, StagedEntity)
    return world, report


@pytest.mark.parametrize("n", range(len(BAD_VALUES)), ids=lambda n: f"{BAD_VALUES[n][2]}-{n}")
def test_a_row_with_a_bad_value_is_kept_whole(rejected: tuple[World, StagedEntity], n: int) -> None:
    world, _ = rejected
    column, value, rule = BAD_VALUES[n]
    kept = world.rows(
        "SELECT rule, field, source_column, source_key, value, source_row FROM ops.rejected_row "
        "WHERE entity = 'Account' AND step = 1 AND source_row ->> 'Mail' = %s",
        f"bad {n}",
    )
    bad = {
        "Id": f"B{n}",
        "Name": "first line\nsecond, line",
        "AccountTypeId": "1",
        "Mail": f"bad {n}",
    }
    empty = dict.fromkeys((column for column, _, _ in BAD_VALUES), None)
    whole = {**empty, **bad, column: shown(value)}
    assert kept == [(rule, column, column, f"Id={whole['Id'] or ''}", shown(value), whole)]


def test_the_neighbours_of_bad_rows_are_staged_as_they_are(
    rejected: tuple[World, StagedEntity],
) -> None:
    world, _ = rejected
    good = [neighbour(n) for n in (*range(len(BAD_VALUES)), 99)]
    assert dict(world.rows('SELECT "Id", "Name" FROM integrator."Account"')) == {
        row["Id"]: row["Name"] for row in good
    }


def test_the_report_counts_rejected_rows_by_rule(rejected: tuple[World, StagedEntity]) -> None:
    _, report = rejected
    bad, good = len(BAD_VALUES), len(BAD_VALUES) + 1
    assert (report.read, report.staged, report.rejected) == (bad + good, good, bad)
    assert report.rules == Counter(rule for _, _, rule in BAD_VALUES)


def test_a_bad_row_after_a_first_row_of_many_lines_is_the_one_that_is_rejected(
    world: World,
) -> None:
    world.erp(
        Zone=[
            {"Id": "A", "Description": "one\ntwo\nthree"},
            *ids("B"),
            {"Id": "C", "Description": "x" * 101},
        ]
    )
    world.done(1)
    assert [key for _, _, key, _ in world.rejected("Zone")] == ["Id=C"]


def test_a_carriage_return_alone_is_a_character_like_any(world: World) -> None:
    world.erp(
        Zone=[
            {"Id": "A", "Description": "one\rtwo"},
            *ids("B"),
            {"Id": "C", "Description": "x" * 101},
        ]
    )
    world.done(1)
    assert world.rows('SELECT "Description" FROM integrator."Zone" ORDER BY "Id"') == [
        ("one\rtwo",),
        (None,),
    ]
    assert [key for _, _, key, _ in world.rejected("Zone")] == ["Id=C"]


def test_every_rule_of_step_1_has_a_row_that_breaks_it() -> None:
    tested = {rule for _, _, rule in BAD_VALUES} | {"duplicate_key"}
    assert tested == set(RULES) - {"missing_owner", "unknown_erp_status", "transformation_failed"}


def test_many_bad_rows_among_rows_of_many_lines_are_each_found(world: World) -> None:
    rows = [
        {
            "Id": f"A{n}",
            "Name": "line\n" * (n % 4) + f'"{n}",',
            "Discount1": "bad" if n % 7 == 0 else n,
        }
        for n in range(1000)
    ]
    world.erp(Account=rows)
    world.done(1)
    bad = [f"A{n}" for n in range(0, 1000, 7)]
    assert [
        key for (key,) in world.rows("SELECT source_row ->> 'Id' FROM ops.rejected_row ORDER BY id")
    ] == bad
    assert world.value('SELECT count(*) FROM integrator."Account"') == 1000 - len(bad)


def test_rows_of_many_lines_from_postgresql_are_counted_the_same(
    world: World, new_database: Callable[[], Database]
) -> None:
    source = new_database()
    with source.connect() as connection:
        connection.execute(
            'CREATE TABLE public."Account" ("Id" text, "Name" text, "Discount1" text)'
        )
        connection.execute("""
            INSERT INTO public."Account" SELECT 'A' || n, repeat(E'line\n', n % 4) || E'\r"' || n
                || '",',
                CASE WHEN n % 7 = 1 THEN 'bad' ELSE n::text END FROM generate_series(1, 500) AS n
            """)
    world.entities, world.source_url = {"Account": {}}, url_of(source)
    world.done(1)
    assert world.rejected("Account") == [
        ("not_a_number", "Discount1", f"Id=A{n}", "bad") for n in range(1, 501, 7)
    ]


def test_a_row_of_a_single_empty_column_from_postgresql_is_rejected_like_any(
    world: World, new_database: Callable[[], Database]
) -> None:
    source = new_database()
    with source.connect() as connection:
        connection.execute('CREATE TABLE public."Zone" ("Id" text)')
        connection.execute("""INSERT INTO public."Zone" VALUES ('N'), (NULL), ('S')""")
    world.entities, world.source_url = {"Zone": {}}, url_of(source)
    world.done(1)
    assert world.rejected("Zone") == [("missing_key", "Id", "Id=", None)]
    assert world.rows('SELECT "Id" FROM integrator."Zone"') == [("N",), ("S",)]


def test_of_rows_with_one_key_the_first_stays(world: World) -> None:
    world.erp(
        Zone=[
            {"Id": "N", "Description": "first"},
            {"Id": "S", "Description": "south"},
            {"Id": "N", "Description": "second"},
            {"Id": "N ", "Description": "third, padded"},
        ]
    )
    report = world.done(1).steps[1].entities["Zone"]
    assert report.counts()["rules"] == {"duplicate_key": 2}
    assert world.rows('SELECT "Id", "Description" FROM integrator."Zone" ORDER BY 1') == [
        ("N", "first"),
        ("S", "south"),
    ]
    kept = world.rows(
        "SELECT source_key, value, source_row ->> 'Description' FROM ops.rejected_row ORDER BY id"
    )
    assert kept == [("Id=N", "N", "second"), ("Id=N", "N", "third, padded")]


def test_of_rows_with_one_key_in_different_segments_the_first_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 10_000)
    rows = [{"Id": f"Z{n % 4000}", "Description": str(n)} for n in range(4001)]
    world.erp(Zone=rows)
    world.done(1)
    assert world.value('SELECT count(DISTINCT _segment) FROM integrator."Zone"') > 1
    assert world.rows("SELECT source_row ->> 'Description' FROM ops.rejected_row") == [("4000",)]


def test_rows_without_any_part_of_a_derived_key_are_rejected(world: World) -> None:
    world.erp(
        SalesAgentPerAccount=[
            {"AccountId": "A", "SalesAgentId": "1"},
            {"AccountId": "", "SalesAgentId": "0"},
            {"AccountId": None, "SalesAgentId": None},
            {"AccountId": "B", "SalesAgentId": None},
        ]
    )
    report = world.done(1).steps[1].entities["SalesAgentPerAccount"]
    assert report.counts()["rules"] == {"missing_key": 2}
    assert world.rows('SELECT "AccountId" FROM integrator."SalesAgentPerAccount" ORDER BY 1') == [
        ("A",),
        ("B",),
    ]
    assert {key for _, _, key, _ in world.rejected("SalesAgentPerAccount")} == {
        "AccountId=, SalesAgentId="
    }


def test_a_lone_surrogate_that_a_driver_lets_through_is_rejected(world: World) -> None:
    world.erp(Zone=[{"Id": "S", "Description": RawText(b"\xed\xa0\x80")}, *ids("N")])
    config = world.config
    engine = open_source("erp", config.sources["erp"])

    @event.listens_for(engine, "connect")
    def lenient(connection: Any, _record: Any) -> None:
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogatepass")

    with open_run(config, world.database, title="test") as run:
        report = stage_entity(
            run.connection,
            {"erp": engine},
            load_catalog()["Zone"],
            config.entities["Zone"],
            config.guards,
            load=run.load,
        )
    engine.dispose()
    assert report.rules == {"invalid_characters": 1}
    assert world.rejected("Zone") == [("invalid_characters", "Description", "Id=S", "\\ud800")]


def test_the_quarantine_holds_the_rows_of_the_snapshot_in_place_only(world: World) -> None:
    world.erp(Zone=[{"Id": "N", "Description": "x" * 101}])
    world.done(1)
    assert len(world.rejected("Zone")) == 1
    world.erp(Zone=[{"Id": "N", "Description": "North"}])
    world.done(1)
    assert world.rejected("Zone") == []


def test_the_counts_of_rejected_rows_are_in_the_ledger(world: World) -> None:
    world.erp(Zone=[{"Id": "N", "Description": "x" * 101}, *ids("S")])
    world.done(1)
    with world.database.connect() as connection:
        (last,) = ledger.last_results(connection)
    assert (last.entity, last.status) == ("Zone", "ok")
    assert last.counts == {
        "read": 2,
        "staged": 1,
        "rejected": 1,
        "rejected_new": 1,
        "rules": {"text_too_long": 1},
    }


def test_a_snapshot_of_which_most_rows_are_rejected_is_read_to_its_end(world: World) -> None:
    """PostgreSQL has more to report than a socket holds while it is still being written to."""
    world.settings = {"limits": {"blocking_rejected": 1}}
    world.erp(
        Zone=[{"Id": f"Z{n}", "Description": "x" * 101 if n % 8 else "good"} for n in range(40_000)]
    )
    report = world.done(1).steps[1].entities["Zone"].counts()
    assert (report["staged"], report["rejected"]) == (5_000, 35_000)
