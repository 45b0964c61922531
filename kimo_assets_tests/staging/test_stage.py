"""Step 1 as a whole: a snapshot is taken complete or not at all, and an equal one writes
nothing.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from kimo_assets.database.server import Database
from kimo_assets.progress import Progress
from kimo_assets.sources.readers import segments
from kimo_assets_tests.support.company import Row, World, ids, links, url_of


def zones(count: int) -> list[Row]:
    return [{"Id": f"Z{n:05}", "Description": f"zone {n}"} for n in range(count)]


def staged(world: World, entity: str = "Zone") -> int:
    return int(world.value(f'SELECT count(*) FROM integrator."{entity}"'))


def failure(world: World, entity: str = "Zone", **options: Any) -> str:
    """Why step 1 failed for the entity."""
    report = world.run(1, **options)
    assert not report.success
    return report.failures[1][entity]


# --- a source that lacks something
# --------------------------------------------------------------------------------


def test_a_missing_table_fails_its_entity_names_those_like_it_and_lets_the_others_go_on(
    world: World,
) -> None:
    world.erp(Zones=ids("N"), Carrier=ids("C"))
    world.entities = {"Zone": {"table": "Zonez"}, "Carrier": {}}
    report = world.run(1)
    assert set(report.failures[1]) == {"Zone"}
    assert "Zonez" in report.failures[1]["Zone"]
    assert "Tables like it: Zones" in report.failures[1]["Zone"]
    assert staged(world, "Carrier") == 1


def test_a_missing_column_fails_its_entity_names_those_like_it_and_lets_the_others_go_on(
    world: World,
) -> None:
    world.erp(Zone=[{"CODE": "N", "DESCRIPTIO": "North"}], Carrier=ids("C"))
    world.entities = {
        "Zone": {"fields": {"Id": "CODE", "Description": "DESCRIPTION"}},
        "Carrier": {},
    }
    report = world.run(1)
    assert set(report.failures[1]) == {"Zone"}
    assert "no column DESCRIPTION (for Zone.Description)" in report.failures[1]["Zone"]
    assert "DESCRIPTIO." in report.failures[1]["Zone"]
    assert staged(world, "Carrier") == 1


def test_a_table_without_a_key_fails_and_says_what_would_be_one(world: World) -> None:
    world.erp(SalesAgentPerAccount=[{"ACC": "A"}])
    message = failure(world, "SalesAgentPerAccount")
    assert "AccountId, SalesAgentId" in message


def test_names_are_matched_whatever_their_case(world: World) -> None:
    world.erp(zONE=[{"ID": "N", "descriptION": "North"}])
    world.entities = {"Zone": {}}
    world.done(1)
    assert world.rows('SELECT "Id", "Description" FROM integrator."Zone"') == [("N", "North")]


def test_a_query_and_a_condition_may_hold_percent_signs_colons_and_comments(world: World) -> None:
    world.erp(T=[{"Id": "50%", "Description": "a:b"}, {"Id": "5", "Description": "%s"}])
    world.entities = {
        "Zone": {"table": "T", "where": "\"Id\" LIKE '5_%' AND Description <> ':x' -- %(no)s :no"}
    }
    world.done(1)
    assert world.rows('SELECT "Id" FROM integrator."Zone"') == [("50%",)]
    world.entities = {
        "Zone": {"query": "SELECT Id, Description || ':%%s' AS Description FROM T -- 100% :sure"}
    }
    world.done(1)
    assert world.rows('SELECT "Description" FROM integrator."Zone" ORDER BY 1') == [
        ("%s:%%s",),
        ("a:b:%%s",),
    ]


def test_a_query_on_postgresql_may_hold_percent_signs_colons_and_comments(
    world: World, new_database: Callable[[], Database]
) -> None:
    world.source_url = url_of(new_database())
    world.entities = {
        "Zone": {
            "query": (
                "SELECT 'N' AS \"Id\", '{}%s%%:x' AS \"Description\" WHERE 'a' LIKE 'a%'; -- :sure"
                " 100%"
            )
        }
    }
    assert "syntax error" in failure(
        world
    )  # a semicolon before a comment stays, and the database says so
    world.entities = {
        "Zone": {
            "query": (
                "SELECT 'N' AS \"Id\", '{}%s%%:x' AS \"Description\" WHERE 'a' LIKE 'a%' -- :sure"
                " 100%"
            )
        }
    }
    world.done(1)
    assert world.rows('SELECT "Description" FROM integrator."Zone"') == [("{}%s%%:x",)]


# --- the guard
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "taken"),
    [
        (200, 140, True),  # 30 % gone: allowed
        (200, 139, False),  # a row more
        (100, 51, True),  # half of it gone, but fewer than 50 rows
        (100, 50, False),  # 50 rows
        (1000, 701, True),  # 299 rows, below 30 %
        (1, 0, False),  # emptied
        (0, 0, True),
        (10, 1, True),
    ],
)
def test_a_snapshot_that_lost_too_much_is_not_taken(
    world: World, before: int, after: int, taken: bool
) -> None:
    world.erp(Zone=zones(before))
    world.done(1)
    world.erp(Zone=zones(after))
    report = world.run(1)
    assert report.success == taken
    assert staged(world) == (after if taken else before)


def test_the_guard_says_what_was_lost_and_how_to_go_on_and_a_run_without_it_takes_the_snapshot(
    world: World,
) -> None:
    world.erp(Zone=zones(200))
    world.done(1)
    world.erp(Zone=zones(20))
    message = failure(world)
    assert "20 rows, the last one had 200 (90% are gone, 30% are allowed)" in message
    assert "--allow-shrink" in message
    world.done(1, allow_shrink=True)
    assert staged(world) == 20


def test_rows_that_are_rejected_count_as_lost_and_the_message_says_so(world: World) -> None:
    world.erp(Zone=zones(200))
    world.done(1)
    world.erp(Zone=[row | {"Description": "x" * 101} for row in zones(200)])
    assert "200 of 200 rows read were rejected" in failure(world)
    assert staged(world) == 200
    assert {rule for rule, *_ in world.rejected("Zone")} == {"text_too_long"}
    assert len(world.rejected("Zone")) == 200


def test_the_rows_rejected_from_a_snapshot_that_was_not_taken_leave_with_the_next_good_one(
    world: World,
) -> None:
    wrong = {"Id": "LONG", "Description": "x" * 101}
    good = [*zones(3), wrong, *(row | {"Id": f"B{n}"} for n, row in enumerate(zones(200)))]
    world.erp(Zone=good)
    world.done(1)
    world.erp(Zone=[row | {"Description": "x" * 101} for row in good])
    failure(world)
    world.erp(Zone=good)
    world.done(1)
    assert [key for _, _, key, _ in world.rejected("Zone")] == ["Id=LONG"]
    assert staged(world) == 203


def test_the_guards_bounds_come_from_the_configuration(world: World) -> None:
    world.settings = {"guards": {"max_shrink": 0.9, "min_shrink_rows": 1}}
    world.erp(Zone=zones(100))
    world.done(1)
    world.erp(Zone=zones(10))
    world.done(1)
    world.erp(Zone=zones(0))
    assert "Yesterday's data stay" in failure(world)


def test_a_guarded_entity_keeps_its_rejected_rows_of_yesterday(world: World) -> None:
    world.erp(Zone=[*zones(100), {"Id": "BAD", "Description": "x" * 101}])
    world.done(1)
    kept = world.rejected("Zone")
    world.erp(Zone=zones(1))
    failure(world)
    assert world.rejected("Zone") == kept


# --- a source that dies on the way
# --------------------------------------------------------------------------------


def test_a_view_that_raises_half_way_leaves_yesterdays_rows(world: World) -> None:
    world.erp(T=zones(5000))
    world.entities = {"Zone": {"table": "V"}}
    world.erp_file.execute("CREATE VIEW V AS SELECT Id, Description FROM T")
    world.done(1)
    world.erp_file.execute("""
        DROP VIEW V;
        CREATE VIEW V AS SELECT Id, 'new ' || Description AS Description,
            CASE WHEN Id = 'Z04000' THEN json('bad') END AS Oops FROM T;
        """)
    world.entities = {"Zone": {"table": "V", "fields": {"SalesAgentId": "Oops"}}}
    message = failure(world)
    assert message.startswith("source 'erp' (sqlite:///")
    assert "malformed JSON" in message
    assert staged(world) == 5000
    assert (
        world.value('SELECT count(*) FROM integrator."Zone" WHERE "Description" LIKE \'new%\'') == 0
    )
    assert world.value("SELECT to_regclass('integrator.\"Zone__next\"')") is None


def test_a_damaged_file_leaves_yesterdays_rows(world: World) -> None:
    world.erp(Zone=zones(5000))
    world.done(1)
    content = bytearray(world.erp_file.file.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8192] = b"\xff" * 8192
    world.erp_file.file.write_bytes(content)
    assert "malformed" in failure(world)
    assert staged(world) == 5000


class Cutter(Progress):
    """Terminates every other connection to a database as soon as the first rows of an entity were
    read.
    """

    def __init__(self, source: Database) -> None:
        self._source = source
        self._done = threading.Event()

    def rows_read(self, entity: str, rows: int) -> None:
        if not self._done.is_set():
            self._done.set()
            with self._source.connect() as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.mark.parametrize("how", ["copy", "cursor"])
def test_a_connection_that_is_cut_half_way_leaves_yesterdays_rows(
    world: World, new_database: Callable[[], Database], how: str
) -> None:
    source = new_database()
    with source.connect() as connection:
        kind = "bytea" if how == "cursor" else "text"
        connection.execute(f"""
            CREATE TABLE public."Zone" AS SELECT 'Z' || n AS "Id", repeat('x', 90)::{kind}
                AS "Description"
            FROM generate_series(1, 250000) AS n
            """)
    world.source_url, world.entities = (
        url_of(source),
        {"Zone": {"where": 'length("Id") < 4'}, "Carrier": {}},
    )
    assert set(world.run(1).failures[1]) == {"Carrier"}
    world.entities = {"Zone": {}}
    world.settings = {"sources": {"erp": {"url": url_of(source), "connect_attempts": 1}}}
    message = failure(world, progress=Cutter(source))
    assert message.startswith("source 'erp' (postgresql+psycopg://")
    assert staged(world) == 99
    # With attempts left, it is read again from its start.
    world.settings = {}
    report = world.done(1, progress=Cutter(source)).steps[1].entities["Zone"]
    assert (report.counts()["read"], staged(world)) == (250000, 250000)


# --- an equal stream
# ----------------------------------------------------------------------------------------------


def relfilenode(world: World) -> Any:
    return world.value("SELECT pg_relation_filenode('integrator.\"Zone\"')")


def test_an_equal_snapshot_writes_nothing(world: World) -> None:
    world.erp(Zone=zones(3000), Carrier=ids("C"))
    first = world.done(1)
    before = relfilenode(world)
    second = world.done(1)
    assert {name: report.status for name, report in second.steps[1].entities.items()} == {
        "Zone": "unchanged",
        "Carrier": "unchanged",
    }
    assert relfilenode(world) == before
    assert second.steps[1].entities["Zone"].counts() == first.steps[1].entities["Zone"].counts()


def test_an_equal_snapshot_still_reports_its_rejected_rows(world: World) -> None:
    world.erp(Zone=[*zones(3), {"Id": "BAD", "Description": "x" * 101}, *zones(1)])
    world.done(1)
    kept = world.rejected("Zone")
    report = world.done(1).steps[1].entities["Zone"]
    assert report.status == "unchanged"
    assert report.counts()["rules"] == {"text_too_long": 1, "duplicate_key": 1}
    assert world.rejected("Zone") == kept


def test_an_equal_beginning_is_taken_over_with_its_rejected_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 10_000)
    bad = {"Id": "BAD", "Description": "x" * 101}
    double = {"Id": "Z00000", "Description": "again"}
    beginning = [*zones(400), bad, double, *zones(6000)[400:]]
    world.erp(Zone=[*beginning, {"Id": "END", "Description": "x" * 102}])
    world.done(1)
    kept = world.rows("SELECT id, load, rule, source_key FROM ops.rejected_row ORDER BY id")
    first_load = kept[0][1]

    world.erp(Zone=[*beginning, {"Id": "END", "Description": "good now"}, double])
    report = world.done(1).steps[1].entities["Zone"]

    assert report.status == "ok"
    assert report.counts() == {
        "read": 6004,
        "staged": 6001,
        "rejected": 3,
        "rejected_new": 1,
        "rules": {"text_too_long": 1, "duplicate_key": 2},
    }
    now = world.rows("SELECT id, load, rule, source_key FROM ops.rejected_row ORDER BY id")
    assert now[:2] == [row for row in kept if row[3] != "Id=END"]
    assert [(rule, key) for _, _, rule, key in now[2:]] == [("duplicate_key", "Id=Z00000")]
    assert now[2][1] > first_load
    assert world.value('SELECT count(DISTINCT _segment) FROM integrator."Zone"') > 1
    assert world.rows(
        'SELECT "Id", "Description" FROM integrator."Zone" WHERE "Id" IN (\'END\', \'Z00000\')'
    ) == [
        ("Z00000", "zone 0"),
        ("END", "good now"),
    ]


def test_a_taken_over_beginning_gives_the_same_rows_as_reading_all_anew(
    world: World, new_database: Callable[[], Database]
) -> None:
    world.erp(Zone=zones(6000))
    world.done(1)
    world.erp(Zone=[*zones(5990), *ids("NEW")])
    world.done(1)
    anew = World(world.folder, new_database())
    anew.done(1)
    content = 'SELECT "Id", "Description", _hash, _segment FROM integrator."Zone" ORDER BY 1'
    assert world.rows(content) == anew.rows(content)
    same = "SELECT definition, segments, rows_read, rows_staged, checksum FROM ops.staged"
    assert world.rows(same) == anew.rows(same)


def test_an_equal_beginning_from_postgresql_is_taken_over(
    world: World, new_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 10_000)
    source = new_database()
    with source.connect() as connection:
        connection.execute(
            "CREATE TABLE public.\"Zone\" AS SELECT 'Z' || n AS \"Id\", repeat('x', 98 + n % 4) AS"
            ' "Description" FROM generate_series(1, 1000) AS n'
        )
        world.source_url, world.entities = (
            url_of(source),
            {"Zone": {"query": 'SELECT * FROM "Zone" ORDER BY ctid'}},
        )
        world.done(1)
        rejected = len(world.rejected("Zone"))
        connection.execute("INSERT INTO public.\"Zone\" VALUES ('END', 'end')")
    report = world.done(1).steps[1].entities["Zone"]
    assert rejected == 250
    assert (report.counts()["read"], report.counts()["rejected"], report.status) == (
        1001,
        250,
        "ok",
    )
    assert len(world.rejected("Zone")) == 250
    assert staged(world) == 751


def test_a_shorter_stream_that_begins_the_same_is_a_change(world: World) -> None:
    world.erp(Zone=zones(600))
    world.done(1)
    world.erp(Zone=zones(500))
    assert world.done(1).steps[1].entities["Zone"].status == "ok"
    assert staged(world) == 500


def test_another_mapping_of_the_same_data_is_a_change_also_of_an_empty_table(world: World) -> None:
    world.erp(Zone=[], T=[])
    world.erp_file.execute("DROP TABLE Zone; CREATE TABLE Zone (Id, Description, SalesAgentId)")
    world.entities = {"Zone": {"query": "SELECT Id, Description FROM Zone"}}
    world.done(1)
    world.entities = {"Zone": {}}
    world.done(1)
    columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'integrator'"
    assert ("SalesAgentId",) in world.rows(columns)


# --- derived Ids
# --------------------------------------------------------------------------------------------------


def link_ids(world: World, rows: list[Row]) -> dict[tuple[Any, Any], str]:
    world.erp(SalesAgentPerAccount=rows)
    world.done(1, allow_shrink=True)
    found = world.rows(
        'SELECT "AccountId", "SalesAgentId", "Id" FROM integrator."SalesAgentPerAccount"'
    )
    return {(account, agent): key for account, agent, key in found}


def test_derived_ids_are_readable_where_they_fit_and_never_longer_than_an_id(world: World) -> None:
    long = "x" * 30
    found = link_ids(world, links("AccountId", "SalesAgentId", "A 1", (long, long)))
    assert found["A", "1"] == "A|1"
    assert len(found[long, long]) == 32


def test_derived_ids_stay_the_same_from_load_to_load(world: World) -> None:
    rows = links("AccountId", "SalesAgentId", "A 1", "B 2", ("x" * 50, "y" * 50))
    assert link_ids(world, rows) == link_ids(world, list(reversed(rows)))


def test_derived_ids_of_different_keys_differ_whatever_characters_the_keys_hold(
    world: World,
) -> None:
    parts = [
        "a",
        "b",
        "|",
        "\\",
        "a|",
        "|b",
        "a\\",
        "\\|",
        "\\\\",
        "a|b",
        "a\\|b",
        "||",
        None,
        "a\\\\|",
        "1",
        "1|",
    ]
    keys = [(one, other) for one in parts for other in parts if one or other]
    found = link_ids(world, links("AccountId", "SalesAgentId", *keys))
    assert set(found) == set(keys)
    assert len(set(found.values())) == len(keys)


def test_derived_ids_do_not_depend_on_which_empty_columns_are_mapped(world: World) -> None:
    def price_ids(rows: list[Row]) -> list[Any]:
        world.erp(ItemListPrice=rows)
        world.done(1)
        return world.rows('SELECT "ItemId", "Id" FROM integrator."ItemListPrice" ORDER BY 1')

    few = price_ids([{"ItemId": "I", "PriceListId": "P"}, {"ItemId": "J", "PriceListId": "P"}])
    more = price_ids(
        [
            {
                "ItemId": item,
                "PriceListId": "P",
                "StartDate": -1,
                "StartQuantityRange": "",
                "AccountId": 0,
                "CurrencyId": "",
            }
            for item in "IJ"
        ]
    )
    assert few == more


def test_derived_ids_tell_dates_and_numbers_apart_and_not_how_they_are_written(
    world: World,
) -> None:
    world.erp(
        ItemListPrice=[
            {
                "ItemId": "I",
                "PriceListId": "P",
                "StartDate": "2026-01-01",
                "StartQuantityRange": "1.50",
            },
            {
                "ItemId": "I",
                "PriceListId": "P",
                "StartDate": "2026-01-02",
                "StartQuantityRange": "1.50",
            },
            {
                "ItemId": "I",
                "PriceListId": "P",
                "StartDate": "2026-01-01",
                "StartQuantityRange": "2",
            },
            {
                "ItemId": "I",
                "PriceListId": "P",
                "StartDate": "20260101",
                "StartQuantityRange": "1.5",
            },
        ]
    )
    report = world.done(1).steps[1].entities["ItemListPrice"].counts()
    assert (report["staged"], report["rules"]) == (3, {"duplicate_key": 1})
