"""A load can be taken back, in one transaction, and the payloads follow."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimo_assets.errors import ConfigError
from kimo_assets.pipeline.steps import open_run
from kimo_assets.pipeline.workflows import run_undo
from kimo_assets.reports import ImportReport
from kimo_assets_tests.support.company import Row, World, agents, ids, undo_and_kill

Content = dict[str, str]


def zones(content: Content) -> list[Row]:
    return [{"Id": key, "Description": text} for key, text in content.items()]


def live(world: World) -> Content:
    return dict(
        world.rows(
            'SELECT "Id", "Description" FROM kimo."Zone" WHERE _archived_load IS NULL ORDER BY 1'
        )
    )


def load(world: World, content: Content) -> int:
    """Imports this content of Zone; the load's number."""
    world.erp(Zone=zones(content))
    return world.done(1, 2, allow_shrink=True).load


def undo(world: World, to: int | None = None) -> ImportReport:
    report = run_undo(world.config, world.database, to=to)
    assert report.success, report.failures
    return report


def counts(report: ImportReport) -> dict[str, Any]:
    found = report.steps[2].entities["Zone"].counts()
    return {name: found[name] for name in ("updated", "archived", "unchanged", "held")}


@pytest.fixture
def company(world: World) -> World:
    """Two agents and a Zone that all of them see; the first load has been made."""
    world.erp(SalesAgent=agents("1", "2"), Zone=zones({"N": "North", "S": "South", "E": "East"}))
    world.done()
    return world


def test_the_last_load_is_taken_back_row_by_row(company: World) -> None:
    load(company, {"N": "Nowhere", "E": "East", "W": "West"})
    assert live(company) == {"N": "Nowhere", "E": "East", "W": "West"}
    report = undo(company)
    assert live(company) == {"N": "North", "S": "South", "E": "East"}
    assert counts(report) == {"updated": 2, "archived": 1, "unchanged": 1, "held": 0}


def test_the_payloads_follow(company: World) -> None:
    load(company, {"N": "Nowhere"})
    company.done(3)
    assert company.received("1", "SELECT Id, Description FROM Zone") == [("N", "Nowhere")]
    undo(company)
    assert company.received("1", "SELECT Id, Description FROM Zone ORDER BY 1") == [
        ("E", "East"),
        ("N", "North"),
        ("S", "South"),
    ]


def test_a_second_undo_goes_one_load_further_back(company: World) -> None:
    load(company, {"N": "second"})
    load(company, {"N": "third", "W": "West"})
    undo(company)
    assert live(company) == {"N": "second"}
    undo(company)
    assert live(company) == {"N": "North", "S": "South", "E": "East"}


def test_an_undo_can_be_taken_back_by_naming_the_load(company: World) -> None:
    bad = load(company, {"N": "right after all", "W": "West"})
    undo(company)
    undo(company, to=bad)
    assert live(company) == {"N": "right after all", "W": "West"}


def test_what_is_staged_is_loaded_again_by_the_next_import(company: World) -> None:
    """An undo mends Kimo, not the ERP."""
    load(company, {"N": "Nowhere"})
    undo(company)
    report = company.done(1, 2)
    assert report.steps[1].entities["Zone"].status == "unchanged"
    assert live(company) == {"N": "Nowhere"}


def test_rows_that_kimo_is_editing_are_left_as_they_are(world: World) -> None:
    world.erp(Account=[{"Id": "A", "Name": "old"}, {"Id": "B", "Name": "old"}])
    world.done(1, 2)
    world.erp(Account=[{"Id": "A", "Name": "new"}, {"Id": "B", "Name": "new"}])
    world.done(1, 2)
    world.execute(
        """UPDATE kimo."Account" SET "EntityStatus" = 7, "Name" = 'typed' WHERE "Id" = 'A'"""
    )
    report = run_undo(world.config, world.database)
    assert world.rows('SELECT "Id", "Name", "EntityStatus" FROM kimo."Account" ORDER BY 1') == [
        ("A", "typed", 7),
        ("B", "old", 0),
    ]
    assert report.steps[2].entities["Account"].counts()["held"] == 1


def test_only_the_configured_number_of_loads_is_kept(company: World) -> None:
    company.settings = {"history": {"keep_loads": 2}}
    numbers = [load(company, {"N": f"load {n}"}) for n in range(4)]
    with pytest.raises(ConfigError, match=f"The oldest state is the one after load {numbers[1]}"):
        undo(company, to=numbers[0])
    undo(company, to=numbers[1])
    assert live(company) == {"N": "load 1"}
    assert company.value('SELECT count(DISTINCT _load) FROM history."Zone"') <= 3


def test_without_history_there_is_nothing_to_take_back(company: World) -> None:
    company.settings = {"history": {"keep_loads": 0}}
    load(company, {"N": "other"})
    with pytest.raises(ConfigError, match="no load to take back"):
        undo(company)


def test_an_unknown_load_is_refused(company: World) -> None:
    with pytest.raises(ConfigError, match="there is no load 99"):
        undo(company, to=99)


def test_an_import_that_changed_nothing_is_passed_over(company: World) -> None:
    load(company, {"N": "changed"})
    load(company, {"N": "changed"})
    undo(company)
    assert live(company) == {"N": "North", "S": "South", "E": "East"}


@pytest.mark.parametrize(
    ("at_step", "at_entity", "is_back"),
    [(2, "SalesAgent", False), (2, "Zone", False), (3, "Zone", True), (3, None, True)],
)
def test_an_undo_that_is_killed_leaves_the_old_state_or_the_new_one_whole(
    company: World, at_step: int, at_entity: str | None, is_back: bool
) -> None:
    company.erp(SalesAgent=agents("1", "2", "3"))
    load(company, {"N": "Nowhere", "W": "West"})
    company.done(3)
    undo_and_kill(company, at_step=at_step, at_entity=at_entity)
    before, after = {"N": "North", "S": "South", "E": "East"}, {"N": "Nowhere", "W": "West"}
    assert live(company) == (before if is_back else after)
    assert len(company.agents()) == (2 if is_back else 3)
    company.done(3)
    assert dict(company.received("1", "SELECT Id, Description FROM Zone")) == live(company)


_contents = st.dictionaries(st.sampled_from("ABCD"), st.sampled_from(["x", "y", "z"]), min_size=1)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.one_of(_contents, st.integers(0, 8)), min_size=2, max_size=7))
def test_any_state_can_be_gone_back_to_after_any_history(
    fresh_world: World, events: list[Content | int]
) -> None:
    """Loads and undos in any order: the state after a load is what it was when that load ended."""
    world = fresh_world
    world.settings = {"history": {"keep_loads": 1000}}
    world.erp(SalesAgent=ids("1"))
    load(world, {"A": "x"})
    states = {world.value("SELECT max(load) FROM ops.load"): live(world)}
    for event in events:
        if isinstance(event, int):
            target = sorted(states)[event % len(states)]
            undo(world, to=target)
            assert live(world) == states[target]
        else:
            load(world, event)
            assert live(world) == event
        states[world.value("SELECT max(load) FROM ops.load")] = live(world)


def test_what_an_export_has_touched_since_is_there_still(world: World) -> None:
    """An export notes its load in the rows it sends, and keeps no image of them: that load has not
    made them.
    """
    world.erp(SalesAgent=agents("1"), Account=ids("A", "B", Name="old"))
    before = world.done(1, 2).load
    with open_run(world.config, world.database, title="export") as run:
        run.connection.execute(
            'UPDATE kimo."Account" SET "EntityStatus" = 1, _changed_load = %s', [run.load]
        )
    world.erp(Account=ids("A", "B", "C", Name="new"))
    world.done(1, 2)
    undo(world, before)
    names = dict(world.rows('SELECT "Id", "Name" FROM kimo."Account" WHERE _archived_load IS NULL'))
    assert names == {"A": "old", "B": "old"}
