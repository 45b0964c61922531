"""A plan says what an import would do, writes nothing, and can be applied exactly as it was
seen.
"""

import json
from typing import Any

import pytest

from kimo_assets.errors import ConfigError, LockedError, PlanMovedError
from kimo_assets.pipeline.plan import Plan, make_plan
from kimo_assets.pipeline.saved_plan import id_in_file
from kimo_assets.pipeline.steps import apply_plan_step, find_plan, open_run
from kimo_assets.pipeline.workflows import run_plan, run_undo
from kimo_assets_tests.support.company import World, agents, ids, links

_ALL_TABLES = """
SELECT table_schema || '.' || table_name FROM information_schema.tables
WHERE table_schema IN ('kimo', 'integrator', 'ops', 'plan', 'history') ORDER BY 1
"""


def plan(world: World, *names: str, save: bool = False) -> Plan:
    config = world.config
    return make_plan(config, world.database, config.choose(list(names)), save=save)


def apply(world: World, made: Plan) -> Any:
    assert made.id
    return run_plan(world.config, world.database, made.id)


def everything(world: World) -> dict[str, Any]:
    """All that the database holds, but for where numbers go on."""
    tables = [name for (name,) in world.rows(_ALL_TABLES)]
    return {
        name: world.rows(f"SELECT t::text FROM {quoted(name)} AS t ORDER BY 1")
        for name in tables
        if name != "ops.load"
    }


def quoted(name: str) -> str:
    schema, _, table = name.partition(".")
    return f'{schema}."{table}"'


@pytest.fixture
def company(world: World) -> World:
    world.erp(
        SalesAgent=agents("1", "2"),
        Zone=[
            {"Id": "N", "Description": "North"},
            {"Id": "S", "Description": "South"},
            {"Id": "E", "Description": "East"},
        ],
        Carrier=ids("C"),
    )
    world.done()
    world.erp(
        Zone=[
            {"Id": "N", "Description": "North of it"},
            {"Id": "E", "Description": "East"},
            {"Id": "W", "Description": "West"},
            {"Id": "X", "Description": "x" * 101},
        ]
    )
    return world


# --- what it says
# -----------------------------------------------------------------------------------------------


def test_it_tells_what_would_be_inserted_updated_archived_and_refused(company: World) -> None:
    made = plan(company)
    loaded = made.entities["Zone"].loaded
    assert loaded
    assert (loaded.inserted, loaded.updated, loaded.archived, loaded.unchanged) == (1, 1, 1, 1)
    assert made.entities["Zone"].staged.counts() == {
        "read": 4,
        "staged": 3,
        "rejected": 1,
        "rejected_new": 1,
        "rules": {"text_too_long": 1},
    }
    assert made.has_changes
    assert not made.entities["Carrier"].has_changes


def test_it_samples_the_rows_and_counts_the_fields_that_change(company: World) -> None:
    seen = plan(company).entities["Zone"].preview
    assert seen.changed_fields == {"Description": 1}
    samples = {sample.kind: sample for sample in seen.samples}
    assert samples["updated"].id == "N"
    assert samples["updated"].changes == {"Description": ("North", "North of it")}
    assert (samples["inserted"].id, samples["inserted"].name) == ("W", "West")
    assert (samples["archived"].id, samples["archived"].name) == ("S", "South")


def test_what_it_says_is_what_the_import_then_does(company: World) -> None:
    made = plan(company)
    report = company.done(1, 2)
    for name, entity in made.entities.items():
        assert entity.loaded
        done = report.steps[2].entities[name].counts()
        assert entity.loaded.counts() == done
        assert entity.staged.counts() == report.steps[1].entities[name].counts()


def test_the_first_import_can_be_planned_too(world: World) -> None:
    world.erp(
        Zone=ids("N", "S"), Account=[{"Id": "A", "ZoneId": "N"}, {"Id": "B", "ZoneId": "gone"}]
    )
    made = plan(world)
    loaded = made.entities["Account"].loaded
    assert loaded
    assert loaded.inserted == 2
    assert loaded.dangling == {"ZoneId": 1}
    assert [sample.id for sample in made.entities["Zone"].preview.samples] == ["N", "S"]


def test_parts_whose_owner_is_only_in_the_new_snapshot_are_not_refused(world: World) -> None:
    world.erp(Item=ids("I"), ItemUom=links("ItemId", "SalesUomId", "I PZ"))
    world.done()
    world.erp(Item=ids("I", "J"), ItemUom=links("ItemId", "SalesUomId", "I PZ", "J PZ", "K PZ"))
    loaded = plan(world).entities["ItemUom"].loaded
    assert loaded
    assert (loaded.inserted, loaded.refused) == (1, 1)


def test_held_rows_are_told(world: World) -> None:
    world.erp(Account=[{"Id": "A", "Name": "old"}])
    world.done()
    world.execute('UPDATE kimo."Account" SET "EntityStatus" = 7')
    world.erp(Account=[{"Id": "A", "Name": "new"}])
    made = plan(world).entities["Account"]
    assert made.loaded
    assert made.loaded.held == 1
    assert made.preview.samples[0].changes == {"Name": ("old", "new")}


def test_a_guard_that_would_stop_the_import_is_told_together_with_what_is_behind_it(
    world: World,
) -> None:
    world.erp(Zone=ids(*map(str, range(100))))
    world.done()
    world.erp(Zone=ids(*map(str, range(40))))
    made = plan(world)
    first, second = made.entities["Zone"].guards
    assert "the snapshot has 40 rows, the last one had 100" in first
    assert "60 of 100 rows would be archived" in second
    assert made.entities["Zone"].loaded
    assert made.entities["Zone"].loaded.archived == 60


def test_an_entity_that_cannot_be_read_is_told_and_the_others_are_planned(company: World) -> None:
    company.entities = {"Zone": {}, "Carrier": {"table": "nowhere"}, "SalesAgent": {}}
    made = plan(company)
    assert "nowhere" in made.failures["Carrier"]
    assert made.entities["Zone"].has_changes


def test_named_entities_pull_their_linked_ones_along(world: World) -> None:
    world.erp(Zone=ids("N"), Account=ids("A"), Carrier=ids("C"))
    assert set(plan(world, "Zone").entities) == {"Zone"}
    assert set(plan(world, "Account").entities) >= {"Account", "Zone"}


# --- it writes nothing
# --------------------------------------------------------------------------------------------


def test_it_writes_nothing(company: World) -> None:
    before = everything(company)
    plan(company)
    assert everything(company) == before


def test_it_writes_nothing_either_when_it_fails_in_the_middle(
    company: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(company)
    monkeypatch.setattr("kimo_assets.pipeline.plan.preview", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        plan(company)
    assert everything(company) == before


def test_the_next_import_is_the_same_as_without_a_plan(company: World) -> None:
    last = company.value("SELECT max(load) FROM ops.load")
    plan(company)
    report = company.done()
    assert report.load == last + 1
    assert report.steps[1].entities["Zone"].counts()["staged"] == 3
    assert company.received("1", "SELECT Id FROM Zone ORDER BY 1") == [("E",), ("N",), ("W",)]


def test_it_is_refused_while_an_import_runs(company: World) -> None:
    with (
        open_run(company.config, company.database, title="Import completo"),
        pytest.raises(LockedError, match="completo"),
    ):
        plan(company)


# --- applying a saved one
# -------------------------------------------------------------------------------------------


def test_a_saved_plan_is_applied_as_it_was_seen_whatever_the_erp_says_by_then(
    company: World,
) -> None:
    made = plan(company, save=True)
    company.erp(Zone=ids("other"))
    report = apply(company, made)
    assert report.success
    assert company.rows('SELECT "Id" FROM kimo."Zone" WHERE _archived_load IS NULL ORDER BY 1') == [
        ("E",),
        ("N",),
        ("W",),
    ]
    assert company.received("1", "SELECT Id, Description FROM Zone ORDER BY 1")[1] == (
        "N",
        "North of it",
    )
    assert company.rejected("Zone") == [("text_too_long", "Description", "Id=X", "x" * 101)]
    assert report.steps[2].entities["Zone"].counts()["archived"] == 1
    assert report.steps[1].entities["Zone"].counts()["rejected_new"] == 1
    assert company.rows("SELECT load, since_load FROM ops.rejected_row") == [
        (report.load, report.load)
    ]


def test_its_guards_are_lifted_for_that_plan_only(world: World) -> None:
    world.erp(SalesAgent=ids("1"), Zone=ids(*map(str, range(100))))
    world.done()
    world.erp(Zone=ids("0"))
    made = plan(world, save=True)
    assert made.guards
    assert apply(world, made).success
    assert world.value('SELECT count(*) FROM kimo."Zone" WHERE _archived_load IS NULL') == 1
    world.erp(Zone=[])
    assert "Zone" in world.run(1).failures[1]


def test_an_import_after_it_goes_on_from_there(company: World) -> None:
    apply(company, plan(company, save=True))
    report = company.done()
    assert report.steps[1].entities["Zone"].status == "unchanged"
    assert report.steps[2].entities["Zone"].status == "unchanged"


def test_it_is_not_applied_when_something_else_changed_kimos_tables_meanwhile(
    company: World,
) -> None:
    made = plan(company, save=True)
    company.erp(Carrier=ids("C", "D"))
    load = company.done(entities=["Carrier"], only_listed=True, title="Import Carrier").load
    with pytest.raises(
        PlanMovedError, match=rf"Carrier was changed by load {load} \(Import Carrier, .* UTC\)"
    ):
        apply(company, made)
    assert company.rows('SELECT "Description" FROM kimo."Zone" WHERE "Id" = \'N\'') == [("North",)]


def test_it_is_not_applied_when_what_was_unchanged_has_been_read_anew(company: World) -> None:
    made = plan(company, save=True)
    company.erp(Carrier=ids("C", "D"))
    company.done(1, entities=["Carrier"])
    with pytest.raises(PlanMovedError, match="Carrier was read from the ERP again"):
        apply(company, made)


def test_it_is_applied_once(company: World) -> None:
    made = plan(company, save=True)
    load = apply(company, made).load
    with pytest.raises(PlanMovedError, match=f"applied already, by load {load}"):
        apply(company, made)


def test_a_newer_plan_takes_its_place(company: World) -> None:
    made = plan(company, save=True)
    plan(company)
    with pytest.raises(PlanMovedError, match="no longer kept"):
        apply(company, made)


def test_a_plan_that_lacks_entities_is_not_saved(company: World) -> None:
    company.entities = {"Zone": {}, "Carrier": {"table": "nowhere"}}
    with pytest.raises(ConfigError, match="Carrier: there is no table or view nowhere"):
        plan(company, save=True)


def test_an_apply_that_was_cut_off_can_be_repeated(company: World) -> None:
    made = plan(company, save=True)
    assert made.id
    with open_run(company.config, company.database, title="cut off") as run:
        apply_plan_step(run, 1, find_plan(run, made.id), made.id)
    assert apply(company, made).success
    assert (
        company.value('SELECT "Description" FROM kimo."Zone" WHERE "Id" = \'N\'') == "North of it"
    )


def test_what_an_applied_plan_did_can_be_undone(company: World) -> None:
    apply(company, plan(company, save=True))
    run_undo(company.config, company.database)
    assert company.rows('SELECT "Id" FROM kimo."Zone" WHERE _archived_load IS NULL ORDER BY 1') == [
        ("E",),
        ("N",),
        ("S",),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is no plan: not JSON"),
        ("[]", "is no saved plan"),
        (json.dumps({"format": "kimo-plan", "id": None}), "is no saved plan"),
        (json.dumps({"format": "kimo-plan", "id": "a", "version": 9}), "a plan of version 9"),
    ],
)
def test_a_file_that_is_no_saved_plan_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        id_in_file(text.encode(), "p.json")
