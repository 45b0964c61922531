"""Step 2: kimo becomes the snapshot, touching only the rows that differ; pending edits are held."""

from typing import Any

import pytest

from kimo_assets.catalog.lifecycle import PENDING
from kimo_assets_tests.support.company import Row, World, ids, links, run_and_kill

KINDS = ("inserted", "updated", "archived", "unchanged", "held", "refused")


def counts(world: World, entity: str, *steps: int, **options: Any) -> tuple[Any, ...]:
    """What steps 1 and 2 (or the given ones) did with the entity: its status, then the kinds that
    are not zero.
    """
    report = world.done(*(steps or (1, 2)), **options).steps[2].entities[entity]
    found = report.counts()
    return report.status, {kind: found[kind] for kind in KINDS if found[kind]}


def zone(key: str, description: str) -> Row:
    return {"Id": key, "Description": description}


def live(world: World, entity: str) -> list[str]:
    rows = world.rows(f'SELECT "Id" FROM kimo."{entity}" WHERE _archived_load IS NULL ORDER BY 1')
    return [key for (key,) in rows]


def changed_loads(world: World, entity: str) -> dict[str, int]:
    return dict(world.rows(f'SELECT "Id", _changed_load FROM kimo."{entity}"'))


# --- the difference
# -----------------------------------------------------------------------------------------------


def test_rows_are_inserted_updated_archived_and_left_alone_in_exact_numbers(world: World) -> None:
    world.erp(Zone=[zone("A", "a"), zone("B", "b"), zone("C", "c"), zone("D", "d")])
    assert counts(world, "Zone") == ("ok", {"inserted": 4})

    world.erp(
        Zone=[zone("B", "b"), zone("C", "changed"), zone("D", "d"), zone("E", "e"), zone("F", "f")]
    )
    assert counts(world, "Zone") == (
        "ok",
        {"inserted": 2, "updated": 1, "archived": 1, "unchanged": 2},
    )

    assert world.rows(
        'SELECT "Id", "Description", _archived_load IS NULL FROM kimo."Zone" ORDER BY 1'
    ) == [
        ("A", "a", False),
        ("B", "b", True),
        ("C", "changed", True),
        ("D", "d", True),
        ("E", "e", True),
        ("F", "f", True),
    ]


def test_only_rows_that_differ_carry_the_new_load(world: World) -> None:
    world.erp(Zone=[zone("A", "a"), zone("B", "b"), zone("C", "c")])
    first = world.done(1, 2).load
    world.erp(Zone=[zone("A", "a"), zone("B", "changed"), zone("D", "d")])
    second = world.done(1, 2).load
    assert changed_loads(world, "Zone") == {"A": first, "B": second, "C": second, "D": second}


def test_an_archived_row_stays_comes_back_and_counts_as_updated_then(world: World) -> None:
    world.erp(Zone=[zone("A", "a"), zone("B", "b")])
    world.done(1, 2)
    world.erp(Zone=[zone("B", "b")])
    assert counts(world, "Zone") == ("ok", {"archived": 1, "unchanged": 1})
    world.erp(Zone=[zone("B", "changed")])
    assert counts(world, "Zone") == ("ok", {"updated": 1})  # nothing is archived twice
    world.erp(Zone=[zone("A", "a"), zone("B", "changed")])
    assert counts(world, "Zone") == ("ok", {"updated": 1, "unchanged": 1})
    assert live(world, "Zone") == ["A", "B"]


def test_an_equal_snapshot_is_not_compared_and_reports_its_rows_as_unchanged(world: World) -> None:
    world.erp(Zone=[zone("A", "a"), zone("B", "b")])
    world.done(1, 2)
    assert counts(world, "Zone") == ("unchanged", {"unchanged": 2})
    assert counts(world, "Zone", 2) == ("unchanged", {"unchanged": 2})


def test_the_same_rows_in_another_order_change_nothing(world: World) -> None:
    world.erp(Zone=[zone("A", "a"), zone("B", "b")])
    first = world.done(1, 2).load
    world.erp(Zone=[zone("B", "b"), zone("A", "a")])
    assert counts(world, "Zone") == ("unchanged", {"unchanged": 2})
    assert set(changed_loads(world, "Zone").values()) == {first}


def test_a_snapshot_taken_back_is_loaded_back(world: World) -> None:
    world.erp(Zone=[zone("A", "a"), zone("B", "b")])
    world.done(1, 2)
    world.erp(Zone=[zone("A", "other")])
    world.done(1, 2)
    world.erp(Zone=[zone("A", "a"), zone("B", "b")])
    assert counts(world, "Zone") == ("ok", {"updated": 2})


def test_an_entity_that_was_never_staged_fails_and_says_what_to_do(world: World) -> None:
    world.erp(Zone=ids("A"))
    report = world.run(2)
    assert report.failures == {2: {"Zone": "Zone has never been staged: run step 1 for it first"}}


@pytest.mark.parametrize("kept", [True, False])
def test_a_field_that_leaves_the_mapping_is_emptied_unless_kimo_edits_the_entity(
    world: World, kept: bool
) -> None:
    entity, field = ("Contact", "Notes") if kept else ("Zone", "Description")
    world.erp(**{entity: [{"Id": "A", field: "text"}]})
    world.done(1, 2)
    world.erp(**{entity: [{"Id": "A"}]})
    assert counts(world, entity) == ("ok", {"updated": 1})
    assert world.value(f'SELECT "{field}" FROM kimo."{entity}"') == ("text" if kept else None)


# --- pending edits
# ------------------------------------------------------------------------------------------------


def account(key: str, name: str) -> Row:
    return {"Id": key, "Name": name}


def edit(world: World, key: str, status: int) -> None:
    world.execute(
        f"""UPDATE kimo."Account" SET "EntityStatus" = {status}, "Name" = 'edited'
            WHERE "Id" = '{key}'"""
    )


def test_imported_rows_are_imported_rows(world: World) -> None:
    world.erp(Account=[account("A", "a")])
    world.done(1, 2)
    assert world.value('SELECT "EntityStatus" FROM kimo."Account"') == 0


@pytest.mark.parametrize("status", [3, 5, 6, 7, 8, 9, 10])
def test_a_row_with_pending_edits_is_held_until_they_are_over(world: World, status: int) -> None:
    assert status in PENDING
    world.erp(Account=[account("A", "a"), account("B", "b"), account("C", "c")])
    world.done(1, 2)
    edit(world, "A", status)
    edit(world, "B", status)

    world.erp(Account=[account("A", "new a"), account("C", "new c")])
    assert counts(world, "Account") == ("ok", {"held": 2, "updated": 1})
    rows = (
        'SELECT "Id", "Name", "EntityStatus", _archived_load IS NULL FROM kimo."Account" ORDER BY 1'
    )
    assert world.rows(rows) == [
        ("A", "edited", status, True),
        ("B", "edited", status, True),
        ("C", "new c", 0, True),
    ]

    assert counts(world, "Account") == (
        "ok",
        {"held": 2, "unchanged": 1},
    )  # still, though the snapshot is equal

    world.execute(f'UPDATE kimo."Account" SET "EntityStatus" = 2 WHERE "EntityStatus" = {status}')
    assert counts(world, "Account") == ("ok", {"updated": 1, "archived": 1, "unchanged": 1})
    assert world.rows(rows) == [
        ("A", "new a", 0, True),
        ("B", "edited", 2, False),
        ("C", "new c", 0, True),
    ]


@pytest.mark.parametrize("status", [-1, 0, 1, 2, 4])
def test_a_row_without_pending_edits_is_updated_and_archived(world: World, status: int) -> None:
    world.erp(Account=[account("A", "a"), account("B", "b")])
    world.done(1, 2)
    edit(world, "A", status)
    edit(world, "B", status)
    world.erp(Account=[account("A", "new a")])
    assert counts(world, "Account") == ("ok", {"updated": 1, "archived": 1})


def test_a_pending_row_that_the_snapshot_would_not_change_is_not_called_held(world: World) -> None:
    world.erp(Account=[account("A", "a"), account("B", "b")])
    world.done(1, 2)
    edit(world, "A", 7)
    world.erp(Account=[account("A", "a"), account("B", "new b")])
    assert counts(world, "Account") == ("ok", {"updated": 1, "unchanged": 1})
    assert world.value("""SELECT "Name" FROM kimo."Account" WHERE "Id" = 'A'""") == "edited"


def test_a_row_that_only_kimo_has_is_held_from_the_first_load_on(world: World) -> None:
    world.execute(
        """INSERT INTO kimo."Account" ("Id", "Name", "EntityStatus")
            VALUES ('K', 'new customer', 8)"""
    )
    world.erp(Account=[account("A", "a")])
    assert counts(world, "Account") == ("ok", {"inserted": 1, "held": 1})
    assert live(world, "Account") == ["A", "K"]


# --- owners
# --------------------------------------------------------------------------------------------------


def test_parts_without_their_owner_are_quarantined_with_the_whole_row(world: World) -> None:
    world.erp(
        ErpDocument=ids("D1"),
        ErpDocumentLine=[
            {"Id": "L1", "ErpDocumentId": "D1", "Notes": "one"},
            {"Id": "L2", "ErpDocumentId": "D9", "Notes": "two"},
            {"Id": "L3", "ErpDocumentId": None},
        ],
    )
    assert counts(world, "ErpDocumentLine") == ("ok", {"inserted": 2, "refused": 1})
    assert live(world, "ErpDocumentLine") == ["L1", "L3"]
    assert world.rows(
        "SELECT step, rule, field, source_key, value, source_row ->> 'Notes' FROM ops.rejected_row"
    ) == [(2, "missing_owner", "ErpDocumentId", "L2", "D9", "two")]
    assert counts(world, "ErpDocumentLine") == ("unchanged", {"unchanged": 2, "refused": 1})


def test_a_part_is_loaded_when_its_owner_appears_and_archived_when_it_goes(world: World) -> None:
    lines = [{"Id": f"L{n}", "ErpDocumentId": f"D{n}"} for n in (1, 2)]
    world.erp(ErpDocument=ids("D1"), ErpDocumentLine=lines)
    world.done(1, 2)

    world.erp(ErpDocument=ids("D1", "D2"))
    report = world.done(1, 2)
    assert report.steps[1].entities["ErpDocumentLine"].status == "unchanged"
    found = report.steps[2].entities["ErpDocumentLine"].counts()
    assert (found["inserted"], found["unchanged"], found["refused"]) == (1, 1, 0)
    assert world.rejected("ErpDocumentLine") == []

    world.erp(ErpDocument=ids("D2"))
    assert counts(world, "ErpDocumentLine") == ("ok", {"archived": 1, "unchanged": 1, "refused": 1})
    assert live(world, "ErpDocumentLine") == ["L2"]

    world.erp(ErpDocument=ids("D1", "D2"))
    assert counts(world, "ErpDocumentLine") == ("ok", {"updated": 1, "unchanged": 1})


def test_parts_are_not_refused_while_their_owner_is_not_imported_at_all(world: World) -> None:
    world.erp(ErpDocumentLine=[{"Id": "L1", "ErpDocumentId": "D1"}])
    assert counts(world, "ErpDocumentLine") == ("ok", {"inserted": 1})
    world.erp(ErpDocument=ids("D2"))
    assert counts(world, "ErpDocumentLine") == ("ok", {"archived": 1, "refused": 1})


def test_an_owner_of_an_owner_that_goes_takes_all_with_it(world: World) -> None:
    world.erp(
        SalesAgent=ids("1"),
        Account=ids("A", "B"),
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1", "B 1"),
    )
    world.done(1, 2)
    world.erp(Account=ids("B"))
    assert counts(world, "SalesAgentPerAccount") == (
        "ok",
        {"archived": 1, "unchanged": 1, "refused": 1},
    )


# --- failures
# --------------------------------------------------------------------------------------------------


def test_an_entity_that_fails_is_taken_back_alone_and_named(world: World) -> None:
    world.erp(Carrier=ids("C"), Zone=[zone("A", "a")], Warehouse=ids("W"))
    world.done(1)
    world.execute('DROP TABLE integrator."Zone"')
    world.execute(
        """CREATE TABLE integrator."Zone" AS SELECT 'A' AS "Id", repeat('x', 200) AS "Description",
            1 AS _hash"""
    )
    report = world.run(2)
    assert set(report.failures[2]) == {"Zone"}
    assert "character varying(100)" in report.failures[2]["Zone"]
    assert live(world, "Carrier") == ["C"]
    assert live(world, "Warehouse") == ["W"]
    assert world.value('SELECT count(*) FROM kimo."Zone"') == 0
    assert world.rows("SELECT entity FROM ops.loaded ORDER BY 1") == [("Carrier",), ("Warehouse",)]
    assert world.value("SELECT success FROM ops.load ORDER BY load DESC LIMIT 1") is False


def test_a_failed_step_stops_the_next_one(world: World) -> None:
    world.erp(Carrier=ids("C"), Zone=ids("A"))
    world.entities = {"Carrier": {}, "Zone": {"table": "nowhere"}}
    report = world.run()
    assert set(report.steps) == {1}
    assert world.value('SELECT count(*) FROM kimo."Carrier"') == 0


def test_a_load_killed_on_its_way_leaves_kimo_as_it_was_and_the_next_one_works(
    world: World,
) -> None:
    world.erp(Carrier=[{"Id": "C", "Description": "old"}], Zone=[zone("A", "old")])
    world.done(1, 2)
    world.erp(
        Carrier=[{"Id": "C", "Description": "new"}], Zone=[zone("A", "new"), zone("B", "new")]
    )
    *_, last = world.done(1).steps[1].entities
    run_and_kill(world, 2, at_step=2, at_entity=last)

    state = (
        'SELECT "Description" FROM kimo."Carrier" UNION ALL SELECT "Description" FROM kimo."Zone"'
    )
    assert world.rows(state) == [("old",), ("old",)]
    assert world.value("SELECT success FROM ops.load ORDER BY load DESC LIMIT 1") is None

    report = world.done(2)
    assert world.rows(state) == [("new",), ("new",), ("new",)]
    killed = world.rows(
        "SELECT success FROM ops.load WHERE title = 'the killed run' AND finished_at IS NOT NULL"
    )
    assert killed == [(False,)]
    assert report.steps[2].entities["Zone"].counts()["inserted"] == 1
