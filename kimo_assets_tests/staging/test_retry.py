"""A retry reads only the rejected rows again: what is good now is staged, and the next import is
none the wiser.
"""

import os
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from kimo_assets.catalog import load_catalog
from kimo_assets.database.server import Database
from kimo_assets.reports import RetriedEntity
from kimo_assets.sources.lookup import restricted
from kimo_assets.sources.readers import segments
from kimo_assets.sources.selection import Selection
from kimo_assets.staging import retry
from kimo_assets_tests.support.company import Row, World, ids, url_of

LONG = "x" * 101


def zone(key: Any, description: str = "good") -> Row:
    return {"Id": key, "Description": description}


def outcome(world: World, entity: str = "Zone") -> dict[str, int]:
    """What a retry did with the entity, without the zeros."""
    report = world.retry(entity)
    assert report.success, report.failures
    found = report.steps[1].entities[entity]
    assert isinstance(found, RetriedEntity)
    names = ("retried", "good", "still_refused", "gone", "without_key")
    return {name: getattr(found, name) for name in names if getattr(found, name)}


def staged(world: World, entity: str = "Zone") -> dict[str, Any]:
    return dict(world.rows(f'SELECT "Id", "Description" FROM integrator."{entity}" ORDER BY 1'))


def assert_ledger_is_true(world: World, entity: str = "Zone") -> None:
    rows = world.value(f'SELECT count(*) FROM integrator."{entity}"')
    refused = world.value(
        "SELECT count(*) FROM ops.rejected_row WHERE entity = %s AND step = 1", entity
    )
    kept = world.rows(
        "SELECT rows_read, rows_staged, rows_rejected FROM ops.staged WHERE entity = %s", entity
    )
    assert kept == [(rows + refused, rows, refused)]


def test_a_mended_row_is_staged_loaded_and_on_the_tablets(world: World) -> None:
    world.erp(SalesAgent=ids("1"), Zone=[zone("A"), zone("B", LONG), zone("C", LONG)])
    world.done()
    world.erp(
        Zone=[zone("A", "changed, but no rejected row"), zone("B", "mended"), zone("C", LONG)]
    )
    assert outcome(world) == {"retried": 2, "good": 1, "still_refused": 1}
    assert staged(world) == {"A": "good", "B": "mended"}
    assert world.rejected("Zone") == [("text_too_long", "Description", "Id=C", LONG)]
    assert world.rows('SELECT "Id" FROM kimo."Zone" ORDER BY 1') == [("A",), ("B",)]
    assert world.received("1", "SELECT Description FROM Zone ORDER BY Id") == [
        ("good",),
        ("mended",),
    ]
    assert_ledger_is_true(world)


def test_a_row_that_is_gone_from_the_erp_is_forgotten(world: World) -> None:
    world.erp(Zone=[zone("A"), zone("B", LONG)])
    world.done()
    world.erp(Zone=[zone("A")])
    assert outcome(world) == {"retried": 1, "gone": 1}
    assert world.rejected("Zone") == []
    assert_ledger_is_true(world)


def test_a_row_without_a_key_stays_rejected_and_is_said_to_have_none(world: World) -> None:
    world.erp(Zone=[zone("A"), zone(None), zone(""), zone("N\0")])
    world.done()
    world.erp(Zone=[zone("A"), zone("B"), zone("C"), zone("N")])
    assert outcome(world) == {"without_key": 3}
    assert len(world.rejected("Zone")) == 3


def test_a_retry_of_unchanged_rows_writes_nothing_and_the_next_import_reads_nothing_anew(
    world: World,
) -> None:
    world.erp(Zone=[zone("A"), zone("B", LONG), zone("A", "double")])
    world.done()
    before = (
        world.rows("SELECT * FROM ops.rejected_row ORDER BY id"),
        world.rows("SELECT * FROM ops.staged"),
    )
    assert outcome(world) == {"retried": 2, "still_refused": 2}
    assert (
        world.rows("SELECT * FROM ops.rejected_row ORDER BY id"),
        world.rows("SELECT * FROM ops.staged"),
    ) == before
    assert world.done(1).steps[1].entities["Zone"].status == "unchanged"


def test_a_double_is_good_when_the_other_row_is_gone(world: World) -> None:
    world.erp(Zone=[zone("A", "first"), zone("A", "second"), zone("B")])
    world.done()
    world.erp(Zone=[zone("A", "second"), zone("B")])
    assert outcome(world) == {"retried": 1, "good": 1}
    assert staged(world) == {"A": "second", "B": "good"}
    assert_ledger_is_true(world)


def test_of_doubles_that_are_both_there_still_the_first_stays_whatever_order_they_are_found_in(
    world: World,
) -> None:
    world.erp(T=[zone("A", "first"), zone("A", "second"), zone("A", "third")])
    world.entities = {"Zone": {"query": "SELECT * FROM T"}}
    world.done()
    # The other way round, where only a few rows are wanted.
    world.erp_file.execute(
        "CREATE TABLE S AS SELECT * FROM T ORDER BY Description DESC; DROP TABLE T; ALTER TABLE S"
        " RENAME TO T"
    )
    assert outcome(world) == {"retried": 2, "still_refused": 2}
    assert staged(world) == {"A": "first"}


def test_a_double_that_was_taken_out_is_told_as_gone(world: World) -> None:
    world.erp(Zone=[zone("A", "first"), zone("A", "second")])
    world.done()
    world.erp(Zone=[zone("A", "first")])
    assert outcome(world) == {"retried": 1, "gone": 1}
    assert staged(world) == {"A": "first"}


def test_a_mended_row_that_meets_another_of_its_key_is_rejected_as_its_double(world: World) -> None:
    world.erp(Zone=[zone("A"), zone("B", LONG)])
    world.done()
    world.erp(Zone=[zone("A"), zone("B", "one"), zone("B", "two")])
    assert outcome(world) == {"retried": 1, "still_refused": 1}
    assert staged(world) == {"A": "good", "B": "one"}
    assert [rule for rule, *_ in world.rejected("Zone")] == ["duplicate_key"]


def test_a_retry_of_many_keys_goes_in_batches(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_BATCH", 3)
    world.erp(Zone=[zone(f"Z{n:02}", LONG if n % 2 else "good") for n in range(40)])
    world.done()
    world.erp(Zone=[zone(f"Z{n:02}", LONG if n % 4 == 1 else "good") for n in range(40)])
    assert outcome(world) == {"retried": 20, "good": 10, "still_refused": 10}
    assert len(staged(world)) == 30
    assert (
        world.rows(
            "SELECT indexname FROM pg_indexes WHERE schemaname = 'integrator' AND tablename <>"
            " 'outbox'"
        )
        == []
    )
    assert_ledger_is_true(world)


def test_only_the_rejected_rows_are_read(world: World) -> None:
    world.erp(T=[zone("A"), zone("B", LONG)])
    world.entities = {"Zone": {"table": "V"}}
    world.erp_file.execute("CREATE VIEW V AS SELECT * FROM T")
    world.done()
    # A view that breaks at the first row that nobody asked for.
    world.erp_file.execute(
        "UPDATE T SET Description = 'mended' WHERE Id = 'B'; DROP VIEW V; CREATE VIEW V AS SELECT"
        " Id, iif(Id = 'A', json('broken'), Description) AS Description FROM T"
    )
    assert outcome(world) == {"retried": 1, "good": 1}


@pytest.mark.parametrize(
    "key",
    ["O'Neil", 'say "hi"', "50%", "%s:x", "back\\slash", "è€😀", "a;b--c", " lead", "new\nline"],
)
def test_keys_of_any_characters_are_found_again(world: World, key: str) -> None:
    world.erp(Zone=[zone(key, LONG)])
    world.done()
    world.erp(Zone=[zone(key, "mended")])
    assert outcome(world) == {"retried": 1, "good": 1}
    assert staged(world) == {key: "mended"}


@pytest.mark.parametrize("key", [5, "5", 5.0, "5  ", "007", -3, 10**17])
def test_keys_are_found_again_however_the_erp_holds_them(world: World, key: Any) -> None:
    world.erp(Zone=[zone(key, LONG)])
    world.done()
    world.erp(Zone=[zone(key, "mended")])
    assert outcome(world) == {"retried": 1, "good": 1}


def test_a_table_with_a_condition_and_a_query_are_looked_up_alike(world: World) -> None:
    world.erp(T=[zone("A", LONG) | {"ACTIVE": 1}, zone("B", LONG) | {"ACTIVE": 1}])
    world.entities = {"Zone": {"table": "T", "where": "ACTIVE = 1 -- 100% :sure"}}
    world.done()
    world.erp(T=[zone("A", "mended") | {"ACTIVE": 1}, zone("B", "mended") | {"ACTIVE": 0}])
    assert outcome(world) == {"retried": 2, "good": 1, "gone": 1}

    world.entities = {
        "Zone": {"query": "SELECT Id, Description FROM T WHERE ACTIVE = 0 -- 100% :sure"}
    }
    world.erp(T=[zone("B", LONG) | {"ACTIVE": 0}])
    world.done(allow_shrink=True)
    world.erp(T=[zone("B", "mended") | {"ACTIVE": 0}])
    assert outcome(world) == {"retried": 1, "good": 1}


def price(item: str, value: Any, start: Any = None, account: str | None = None) -> Row:
    return {
        "ItemId": item,
        "PriceListId": "P",
        "StartDate": start,
        "AccountId": account,
        "FreeDecimal1": value,
    }


def prices(world: World) -> list[str]:
    return [
        value
        for (value,) in world.rows(
            'SELECT "FreeDecimal1"::text FROM integrator."ItemListPrice" ORDER BY 1'
        )
    ]


def test_rows_whose_id_is_derived_are_looked_up_by_its_parts(world: World) -> None:
    good = [price("I", 2, "2026-01-01"), price("J", 9)]
    world.erp(ItemListPrice=[price("I", "1,5"), *good, price("I", "3,5", "2026-02-01")])
    world.done()
    world.erp(ItemListPrice=[price("I", "1.5"), *good, price("I", "3,5", "2026-02-01")])
    assert outcome(world, "ItemListPrice") == {"retried": 2, "good": 1, "still_refused": 1}
    assert prices(world) == ["1.5", "2", "9"]
    assert_ledger_is_true(world, "ItemListPrice")


def test_keys_that_share_a_part_are_not_taken_for_doubles(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_BATCH", 1)
    world.erp(
        ItemListPrice=[
            price("I", "n.d."),
            price("I", "n.d.", account="A"),
            price("I", 3, account="B"),
        ]
    )
    world.done()
    world.erp(ItemListPrice=[price("I", 1), price("I", 2, account="A"), price("I", 4, account="B")])
    assert outcome(world, "ItemListPrice") == {"retried": 2, "good": 2}
    assert prices(world) == ["1", "2", "3"]


def test_a_mapping_that_has_changed_is_to_be_imported_first(world: World) -> None:
    world.erp(Zone=[zone("A", LONG) | {"Other": "o"}])
    world.done()
    world.entities = {"Zone": {"fields": {"SalesAgentId": "Other"}}}
    report = world.retry()
    assert "mapped in another way" in report.failures[1]["Zone"]
    assert set(report.steps) == {1}
    assert len(world.rejected("Zone")) == 1


def test_an_erp_that_is_down_fails_the_entity_and_keeps_what_was_rejected(world: World) -> None:
    world.erp(Zone=[zone("A", LONG)], Carrier=[zone("C", LONG)])
    world.entities = {"Zone": {}, "Carrier": {}}
    world.done()
    world.erp_file.file.write_bytes(b"no database")
    report = world.retry()
    assert set(report.failures[1]) == {"Zone", "Carrier"}
    assert len(world.rejected("Zone")) == 1


def test_parts_are_loaded_when_a_retry_brings_their_owner(world: World) -> None:
    world.erp(
        ErpDocument=[{"Id": "D1", "Notes": "ok"}, {"Id": "D2", "DocumentDate": "2026-02-30"}],
        ErpDocumentLine=[{"Id": "L1", "ErpDocumentId": "D1"}, {"Id": "L2", "ErpDocumentId": "D2"}],
    )
    world.done()
    assert [rule for rule, *_ in world.rejected("ErpDocumentLine")] == ["missing_owner"]
    world.erp(ErpDocument=[{"Id": "D1", "Notes": "ok"}, {"Id": "D2", "DocumentDate": "2026-02-28"}])
    report = world.retry("ErpDocument")
    assert report.steps[2].entities["ErpDocumentLine"].counts()["retried"] == 1
    assert world.rejected("ErpDocumentLine") == []
    assert world.rows('SELECT "Id" FROM kimo."ErpDocumentLine" ORDER BY 1') == [("L1",), ("L2",)]


def test_where_nothing_is_rejected_a_retry_does_nothing(world: World) -> None:
    world.erp(Zone=[zone("A")])
    world.done()
    assert world.retry().steps == {}


# --- sources of other kinds
# ---------------------------------------------------------------------------------------


def assert_retried_alike(world: World, execute: Callable[[str], object], quote: str) -> None:
    """A table of awkward keys in a database server: refused, mended, retried."""
    keys = ["O''Neil", "50%", "%s:x", "è€", "a;b--c", "007", "a", "A", "padded   "]
    execute(
        f"CREATE TABLE {quote}Zone{quote} ({quote}Id{quote} varchar(60), {quote}Description{quote}"
        " varchar(200))"
    )
    for key in keys:
        execute(
            f"INSERT INTO {quote}Zone{quote} VALUES ('{key}', '{LONG if key != 'A' else 'good'}')"
        )
    world.entities = {"Zone": {}}
    world.done()
    assert len(world.rejected("Zone")) == len(keys) - 1
    execute(f"UPDATE {quote}Zone{quote} SET {quote}Description{quote} = 'mended'")
    assert outcome(world) == {"retried": len(keys) - 1, "good": len(keys) - 1}
    found = staged(world)
    assert set(found) == {key.replace("''", "'").rstrip() for key in keys}
    # A database that takes `a` and `A` for one gives both; only the refused one is taken.
    assert found["A"] == "good"
    assert_ledger_is_true(world)


def test_rows_of_postgresql_are_looked_up_in_it(
    world: World, new_database: Callable[[], Database]
) -> None:
    source = new_database()
    world.source_url = url_of(source)
    with source.connect() as connection:
        assert_retried_alike(world, connection.execute, '"')


def test_rows_of_mariadb_are_looked_up_in_it(world: World) -> None:
    url = os.environ.get("KIMO_TEST_MYSQL_URL")
    if not url:
        pytest.skip("KIMO_TEST_MYSQL_URL names no MariaDB whose table Zone may be replaced")
    pytest.importorskip("pymysql", reason="the driver pymysql is not installed")
    world.source_url = url
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS Zone")

    def execute(statement: str) -> None:
        with engine.begin() as connection:
            connection.execution_options(no_parameters=True).exec_driver_sql(statement)

    assert_retried_alike(world, execute, "`")
    execute("UPDATE Zone SET Id = 'back\\\\slash', Description = repeat('x', 101) WHERE Id = '50%'")
    world.done()
    execute("UPDATE Zone SET Description = 'mended'")
    assert outcome(world) == {"retried": 1, "good": 1}
    assert "back\\slash" in staged(world)
    execute("DROP TABLE Zone")
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "condition"),
    [
        (
            "mssql+pyodbc://erp",
            "[CODE] IN ('O''Neil 5%', N'è') OR rtrim(CAST([CODE] AS NVARCHAR(1000))) IN ('x')",
        ),
        (
            "mysql+pymysql://erp",
            "`CODE` IN ('O''Neil 5%', 'è') OR rtrim(CAST(`CODE` AS CHAR(1000))) IN ('x')",
        ),
        (
            "oracle+oracledb://erp",
            """"CODE" IN ('O''Neil 5%', 'è') """
            """OR rtrim(CAST("CODE" AS VARCHAR2(1000 CHAR))) IN ('x')""",
        ),
    ],
)
def test_a_lookup_is_written_in_the_dialect_of_its_source(url: str, condition: str) -> None:
    selection = Selection(load_catalog()["Zone"], "erp", "SELECT 1 -- all", ("Id",), ("CODE",), ())
    dialect = make_url(url).get_dialect()()
    wanted = restricted(dialect, selection, [{"Id": "O'Neil 5%"}, {"Id": "è"}], [{"Id": "x"}])
    assert wanted is not None
    assert wanted.statement == f"SELECT * FROM (SELECT 1 -- all\n) kimo_wanted WHERE {condition}"


# --- two sources
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def two(world: World, new_database: Callable[[], Database]) -> tuple[World, Database]:
    """An ERP, and a CRM in PostgreSQL whose ids are numbers; both feed Zone."""
    source = new_database()
    with source.connect() as connection:
        connection.execute('CREATE TABLE public."LEADS" (code integer, descr text)')
    world.settings = {
        "sources": {"erp": {"url": world.erp_file.url}, "crm": {"url": url_of(source)}}
    }
    crm = {"source": "crm", "table": "LEADS", "fields": {"Id": "code", "Description": "descr"}}
    world.entities = {"Zone": [{}, crm]}
    return world, source


def crm(source: Database, *rows: tuple[int, str]) -> None:
    with source.connect() as connection:
        connection.execute('TRUNCATE public."LEADS"')
        for row in rows:
            connection.execute('INSERT INTO public."LEADS" VALUES (%s, %s)', row)


def test_a_row_is_looked_up_in_every_source_of_its_entity(two: tuple[World, Database]) -> None:
    world, source = two
    world.erp(Zone=[zone("1", "erp"), zone("X", LONG), zone("2", "erp")])
    crm(source, (1, "crm"), (2, "crm"), (3, LONG))
    world.done()
    assert len(world.rejected("Zone")) == 4

    world.erp(Zone=[zone("X", "mended"), zone("2", "erp")])
    crm(source, (1, "crm"), (2, "crm"), (3, "mended"))
    assert outcome(world) == {"retried": 4, "good": 3, "still_refused": 1}
    assert staged(world) == {"1": "crm", "2": "erp", "3": "mended", "X": "mended"}
    assert world.rejected("Zone") == [("duplicate_key", "code", "code=2", "2")]
    assert_ledger_is_true(world)


def test_of_two_sources_the_first_prevails_in_a_retry_too(two: tuple[World, Database]) -> None:
    world, source = two
    world.erp(Zone=[zone("1", LONG)])
    crm(source, (1, "crm"))
    world.done()
    assert staged(world) == {"1": "crm"}
    world.erp(Zone=[zone("1", "erp, mended")])
    world.retry()
    assert staged(world) == {"1": "erp, mended"}
    assert [(rule, key) for rule, _, key, _ in world.rejected("Zone")] == [
        ("duplicate_key", "code=1")
    ]


# --- the next import
# ------------------------------------------------------------------------------------------------


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream travels row by row."""
    monkeypatch.setattr(segments, "_FIRST_BATCH", 1)
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1)


ROWS = [zone("A"), zone("B"), zone("C", LONG), zone("D"), zone("E", LONG), zone("F"), zone("G")]


@pytest.mark.parametrize("mended", ["C", "E", "CE"])
@pytest.mark.parametrize("then", ["as before", "mended", "without the end"])
def test_the_next_import_stages_what_the_erp_holds_then(
    world: World, new_database: Callable[[], Database], pieces: None, mended: str, then: str
) -> None:
    good = [row | {"Description": "mended"} if row["Id"] in mended else row for row in ROWS]
    world.erp(Zone=ROWS)
    world.done(1)
    assert world.value("SELECT cardinality(segments) FROM ops.staged") == len(ROWS)
    world.erp(Zone=good)
    assert outcome(world)["good"] == len(mended)

    world.erp(Zone={"as before": ROWS, "mended": good, "without the end": good[:2]}[then])
    world.done(1, allow_shrink=True)
    anew = World(world.folder, new_database())
    anew.done(1)
    for query in (
        'SELECT "Id", "Description", _segment FROM integrator."Zone" ORDER BY 1',
        "SELECT segments, rows_read, rows_staged, rows_rejected, checksum FROM ops.staged",
        "SELECT rule, source_key, segment FROM ops.rejected_row ORDER BY 2",
    ):
        assert world.rows(query) == anew.rows(query)


def test_after_a_retry_the_import_reads_on_from_the_first_piece_that_was_touched(
    world: World, pieces: None
) -> None:
    world.erp(Zone=ROWS)
    world.done(1)
    world.erp(Zone=[row | {"Description": "mended"} if row["Id"] == "E" else row for row in ROWS])
    assert outcome(world)["good"] == 1
    kept = world.rows("SELECT id FROM ops.rejected_row")
    *intact, last = world.value("SELECT segments FROM ops.staged")
    assert (len(intact), last) == (4, "to be read again")
    world.done(1)
    assert world.value("SELECT segments FROM ops.staged")[:4] == intact
    assert world.rows("SELECT id FROM ops.rejected_row") == kept


def test_a_snapshot_that_a_guard_stopped_is_read_again_also_when_the_erp_then_ends_early(
    world: World, pieces: None
) -> None:
    world.settings = {"guards": {"min_shrink_rows": 3}}
    world.erp(Zone=[zone(key) for key in "ABCDEFGH"])
    world.done(1)
    world.erp(Zone=[zone("A"), zone("B"), zone("C", LONG)])
    assert "Yesterday's data stay" in world.run(1).failures[1]["Zone"]
    world.erp(Zone=[zone("A"), zone("B")])
    world.done(1, allow_shrink=True)
    assert set(staged(world)) == {"A", "B"}
