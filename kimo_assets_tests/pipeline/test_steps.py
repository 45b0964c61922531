"""The order of things: the lock, load numbers, the choice of entities, reports and the ledger."""

from typing import Any

import pytest

from kimo_assets.errors import LockedError, UnknownEntityError
from kimo_assets.pipeline.steps import open_run
from kimo_assets.progress import Progress
from kimo_assets.reports import EntityReport
from kimo_assets_tests.support.company import World, agents, ids, links, run_and_kill

pytestmark = pytest.mark.portable


@pytest.fixture
def company(world: World) -> World:
    """An ERP of four entities, not imported yet."""
    world.erp(
        SalesAgent=agents("1"),
        Account=ids("A"),
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1"),
        Zone=ids("N"),
    )
    return world


# --- one at a time
# --------------------------------------------------------------------------------------------------


def test_a_second_run_is_refused_with_the_first_ones_title(company: World) -> None:
    with (
        open_run(
            company.config, company.database, title="the nightly import", run_id="abc123"
        ) as first,
        pytest.raises(
            LockedError,
            match=rf"'the nightly import' \(load {first.load}, run abc123\) is running since",
        ),
    ):
        company.run()
    assert company.rows("SELECT title, success FROM ops.load") == [("the nightly import", True)]


def test_the_lock_is_free_after_a_run_that_raised(company: World) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        open_run(company.config, company.database, title="broken"),
    ):
        _ = 1 / 0
    assert company.rows("SELECT title, success FROM ops.load") == [("broken", False)]
    company.done()


def test_the_lock_is_free_after_a_run_that_was_killed(company: World) -> None:
    company.done()
    run_and_kill(company, 1, 2, 3, at_step=1, at_entity="Zone")
    company.done()
    assert company.rows("SELECT title, success FROM ops.load ORDER BY load") == [
        ("import", True),
        ("the killed run", False),
        ("import", True),
    ]


# --- loads and their ledger
# ------------------------------------------------------------------------------------------


def test_every_run_has_a_number_of_its_own_that_only_grows(company: World) -> None:
    loads = [company.done().load, company.done(1).load, company.done(3).load]
    assert loads == sorted(set(loads))


def test_the_ledger_holds_the_report_of_every_entity_and_step(company: World) -> None:
    report = company.done(run_id="abc123", title="nightly")
    rows = company.rows(
        "SELECT step, entity, status, counts, error FROM ops.step_result WHERE load = %s",
        report.load,
    )
    assert {
        (step, entity): (status, counts, error) for step, entity, status, counts, error in rows
    } == {
        (number, name): (found.status, found.counts(), None)
        for number, step in report.steps.items()
        for name, found in step.entities.items()
    }
    assert company.rows("SELECT run_id, title, success FROM ops.load") == [
        ("abc123", "nightly", True)
    ]


def test_the_report_as_json_is_that_of_the_design(company: World) -> None:
    found = company.done(run_id="abc123").as_json()
    assert (found["run_id"], found["success"], list(found["steps"])) == (
        "abc123",
        True,
        ["1", "2", "3"],
    )
    assert set(found["steps"]["1"]["Zone"]) >= {
        "read",
        "staged",
        "rejected",
        "seconds",
        "status",
        "error",
    }
    assert set(found["steps"]["2"]["Zone"]) >= {
        "inserted",
        "updated",
        "archived",
        "unchanged",
        "held",
        "seconds",
    }
    assert set(found["steps"]["3"]["Zone"]) >= {
        "rows",
        "objects_written",
        "bytes_written",
        "agents",
        "seconds",
    }


def test_a_run_with_a_failed_entity_names_it_keeps_the_others_and_stops_before_the_next_step(
    company: World,
) -> None:
    company.entities = {"SalesAgent": {}, "Zone": {"table": "nowhere"}}
    report = company.run()
    assert not report.success
    assert set(report.failures) == {1}
    assert set(report.failures[1]) == {"Zone"}
    assert company.rows("SELECT entity, status FROM ops.step_result ORDER BY 1") == [
        ("SalesAgent", "ok"),
        ("Zone", "failed"),
    ]
    assert company.value("SELECT success FROM ops.load") is False


# --- which entities
# --------------------------------------------------------------------------------------------------


def test_a_named_entity_brings_its_linked_ones_unless_only_the_listed_are_wanted(
    company: World,
) -> None:
    assert set(company.done(1, entities=["account"]).steps[1].entities) == {
        "Account",
        "SalesAgent",
        "SalesAgentPerAccount",
        "Zone",
    }
    assert set(company.done(1, entities=["Account"], only_listed=True).steps[1].entities) == {
        "Account"
    }
    assert set(company.done(1, entities=[" zone "], only_listed=True).steps[1].entities) == {"Zone"}


def test_an_unknown_entity_is_refused_before_anything_starts(company: World) -> None:
    with pytest.raises(UnknownEntityError, match=r"'Zonne' is not an entity .* Did you mean Zone"):
        company.run(entities=["Zonne"])
    assert company.rows("SELECT * FROM ops.load") == []


def test_an_entity_comes_after_those_it_depends_on(company: World) -> None:
    for step in company.done().steps.values():
        order = list(step.entities)
        assert (
            order.index("SalesAgent") < order.index("Account") < order.index("SalesAgentPerAccount")
        )


def test_a_run_of_one_entity_leaves_the_payloads_of_the_others_alone(company: World) -> None:
    company.done()
    company.erp(Zone=[{"Id": "N", "Description": "new"}], Account=ids("A", Name="new"))
    company.done(entities=["Zone"], only_listed=True)
    assert company.received("1", "SELECT Description FROM Zone") == [("new",)]
    company.erp(Account=ids("A", Name="newer"))
    company.done()
    assert company.received("1", "SELECT Name FROM Account") == [("newer",)]


# --- what is told
# --------------------------------------------------------------------------------------------------


class Listener(Progress):
    def __init__(self) -> None:
        self.told: list[Any] = []

    def step_started(self, step: int, entities: Any) -> None:
        self.told.append(("step", step, list(entities)))

    def entity_started(self, step: int, entity: str) -> None:
        self.told.append(("entity", step, entity))

    def rows_read(self, entity: str, rows: int) -> None:
        self.told.append(("rows", entity, rows))

    def entity_done(self, step: int, report: EntityReport) -> None:
        self.told.append(("done", step, report.entity))

    def manifests_started(self, agents: int) -> None:
        self.told.append(("manifests", agents))

    def manifest_done(self) -> None:
        self.told.append("manifest")


def test_progress_is_told_of_every_step_entity_row_and_manifest(world: World) -> None:
    world.erp(SalesAgent=agents("1", "2"))
    listener = Listener()
    world.done(progress=listener)
    assert listener.told == [
        ("step", 1, ["SalesAgent"]),
        ("entity", 1, "SalesAgent"),
        ("rows", "SalesAgent", 2),
        ("done", 1, "SalesAgent"),
        ("step", 2, ["SalesAgent"]),
        ("entity", 2, "SalesAgent"),
        ("done", 2, "SalesAgent"),
        ("step", 3, ["SalesAgent"]),
        ("entity", 3, "SalesAgent"),
        ("done", 3, "SalesAgent"),
        ("manifests", 2),
        "manifest",
        "manifest",
    ]
