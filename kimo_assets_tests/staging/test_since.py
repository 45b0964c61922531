"""Rows that are wrong every night keep the date of their first one, whatever happens around
them.
"""

from typing import Any

import pytest

from kimo_assets.pipeline.plan import make_plan
from kimo_assets.sources.readers import segments
from kimo_assets_tests.support.company import Row, World, ids

LONG = "x" * 101


def zone(key: Any, description: str = LONG) -> Row:
    return {"Id": key, "Description": description}


def since(world: World, table: str = "ops.rejected_row") -> list[tuple[str, int]]:
    """(key, the load since which it is refused) of all rejected rows, which share one date
    per load.
    """
    rows = world.rows(f"SELECT source_key, since_load, since FROM {table} ORDER BY 1, 2, id")
    assert len({(load, at) for _, load, at in rows}) == len({load for _, load, _ in rows})
    return [(key.removeprefix("Id="), load) for key, load, _ in rows]


def test_a_row_that_is_rejected_again_keeps_its_date_and_its_report_calls_only_the_others_new(
    world: World,
) -> None:
    world.erp(Zone=[zone("A"), zone("B")])
    assert world.done(1).steps[1].entities["Zone"].counts()["rejected_new"] == 2
    world.erp(Zone=[zone("first", "good"), zone("B"), zone("C")])
    report = world.done(1).steps[1].entities["Zone"].counts()
    assert (report["rejected"], report["rejected_new"]) == (2, 1)
    assert since(world) == [("B", 1), ("C", 2)]


def test_an_equal_import_has_no_new_rows(world: World) -> None:
    world.erp(Zone=[zone("A")])
    world.done(1)
    assert world.done(1).steps[1].entities["Zone"].counts()["rejected_new"] == 0
    assert since(world) == [("A", 1)]


def test_a_row_that_was_good_in_between_is_new_when_it_is_rejected_again(world: World) -> None:
    for description in (LONG, "good", LONG):
        world.erp(Zone=[zone("A", description), zone("B", "good")])
        world.done(1)
    assert since(world) == [("A", 3)]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (zone("A", "y" * 102), 2),  # another value
        (zone("A", "a\0b"), 2),  # another rule
        (zone("A") | {"SalesAgentId": "other columns"}, 1),
    ],
)
def test_the_same_row_is_one_that_breaks_the_same_rule_with_the_same_value(
    world: World, row: Row, expected: int
) -> None:
    world.erp(Zone=[zone("A") | {"SalesAgentId": "1"}])
    world.done(1)
    world.erp(Zone=[row | {"SalesAgentId": row.get("SalesAgentId", "1")}])
    world.done(1)
    assert since(world) == [("A", expected)]


def test_of_doubles_as_many_are_old_as_there_were(world: World) -> None:
    world.erp(Zone=[zone("A", "1"), zone("A", "2")])
    world.done(1)
    world.erp(Zone=[zone("A", "1"), zone("A", "2"), zone("A", "3")])
    world.done(1)
    assert since(world) == [("A", 1), ("A", 2)]


def test_rows_without_a_key_are_told_apart_by_what_they_hold(world: World) -> None:
    world.erp(Zone=[zone(None, "old"), zone(None, "older")])
    world.done(1)
    world.erp(Zone=[zone(None, "new"), zone(None, "old")])
    world.done(1)
    kept = world.rows(
        "SELECT source_row ->> 'Description', since_load FROM ops.rejected_row ORDER BY 1"
    )
    assert kept == [("new", 2), ("old", 1)]


def test_dates_are_kept_through_a_stream_of_which_only_the_end_is_read_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "_FIRST_BATCH", 1)
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1)
    world.erp(Zone=[zone("A"), zone("B"), zone("C", "good"), zone("D")])
    world.done(1)
    world.erp(Zone=[zone("A"), zone("B"), zone("C", "changed"), zone("D"), zone("E")])
    world.done(1)
    assert since(world) == [("A", 1), ("B", 1), ("D", 1), ("E", 2)]


def test_dates_are_kept_by_a_snapshot_that_a_guard_stopped(world: World) -> None:
    good = [zone(f"Z{n}", "good") for n in range(100)]
    world.erp(Zone=[zone("A"), *good])
    world.done(1)
    world.erp(Zone=[zone("A"), zone("B"), *good[:20]])
    assert not world.run(1).success
    assert since(world) == [("A", 1), ("B", 2)]


def test_parts_without_an_owner_keep_their_date_too(world: World) -> None:
    world.erp(ErpDocument=ids("D1"), ErpDocumentLine=[{"Id": "L1", "ErpDocumentId": "D9"}])
    assert world.done(1, 2).steps[2].entities["ErpDocumentLine"].counts()["refused_new"] == 1
    world.erp(
        ErpDocument=ids("D1", "D2"),
        ErpDocumentLine=[
            {"Id": "L1", "ErpDocumentId": "D9", "Notes": "changed"},
            {"Id": "L2", "ErpDocumentId": "D8"},
        ],
    )
    report = world.done(1, 2).steps[2].entities["ErpDocumentLine"].counts()
    assert (report["refused"], report["refused_new"]) == (2, 1)
    assert since(world) == [("L1", 1), ("L2", 2)]


def test_a_retry_keeps_the_date_of_what_is_still_rejected_for_the_same(world: World) -> None:
    world.erp(Zone=[zone("A") | {"SalesAgentId": "1"}, zone("B"), zone("C")])
    world.done()
    world.erp(Zone=[zone("A") | {"SalesAgentId": "2"}, zone("B", "y" * 102), zone("C", "good")])
    report = world.retry().steps[1].entities["Zone"].counts()
    assert (report["rejected"], report["rejected_new"]) == (2, 1)
    assert since(world) == [("A", 1), ("B", 2)]
    world.done()
    assert since(world) == [("A", 1), ("B", 2)]


def test_a_plan_knows_since_when_and_leaves_the_quarantine_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "_FIRST_BATCH", 1)
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 1)
    world.erp(Zone=[zone("A"), zone("Z", "good"), zone("B")])
    world.done(1)
    before = world.rows("SELECT * FROM ops.rejected_row ORDER BY id")
    world.erp(Zone=[zone("A"), zone("Z", "changed"), zone("B"), zone("C")])
    config = world.config
    make_plan(config, world.database, ["Zone"], save=True)
    assert since(world, "ops.planned_rejected_row") == [
        ("A", 1),
        ("B", 1),
        ("C", 0),
    ]  # of no load yet
    assert world.rows("SELECT * FROM ops.rejected_row ORDER BY id") == before
