"""One sequencer: the order of steps broken in one place is broken behind every door."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kimo_assets.defs.in_process import launch_import, launch_retry
from kimo_assets.errors import GuardError
from kimo_assets.pipeline import workflows
from kimo_assets.pipeline.plan import make_plan
from kimo_assets.pipeline.workflows import run_import, run_plan
from kimo_assets.reports import ImportReport, StepReport
from kimo_assets.selftest import child
from kimo_assets_tests.support.company import World, agents, ids

# Sixty rows whose description is too long, of eighty: enough for the blocking check.
TOO_LONG = [{"Id": f"Z{number}", "Description": "x" * 200} for number in range(60)]
GOOD = [{"Id": f"G{number}", "Description": "good"} for number in range(20)]


@pytest.fixture
def company(world: World) -> World:
    world.erp(SalesAgent=agents("1"), Zone=[{"Id": "N", "Description": "North"}], Carrier=ids("C"))
    return world


def from_function(world: World) -> ImportReport:
    return run_import(world.config, world.database)


def from_op_job(world: World) -> ImportReport:
    return launch_import(world.config, world.database, entities=["Zone", "Carrier", "SalesAgent"])


def from_saved_plan(world: World) -> ImportReport:
    names = world.config.entity_names
    plan = make_plan(world.config, world.database, names, save=True)
    return run_plan(world.config, world.database, plan.id or "")


def from_plan_in_op_job(world: World) -> ImportReport:
    names = world.config.entity_names
    plan = make_plan(world.config, world.database, names, save=True)
    return launch_import(world.config, world.database, plan=plan.id or "")


def from_selftest(world: World) -> ImportReport:
    """As the process that `kimo selftest --crash` kills does it, to its end."""
    reports: list[ImportReport] = []

    def noted(*arguments: Any, **options: Any) -> ImportReport:
        reports.append(run_import(*arguments, **options))
        return reports[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "refuse_foreign", lambda database: None)
        patch.setattr(child, "run_import", noted)
        child.work("import", Path(world.config.path), world.database, child.Points(0))
    return reports[0]


DOORS = [from_function, from_op_job, from_saved_plan, from_plan_in_op_job, from_selftest]


@pytest.mark.parametrize("door", DOORS)
def test_the_order_of_steps_stands_in_one_place(
    company: World, door: Callable[[World], ImportReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_order = workflows._steps_in_order

    def without_step_2(
        run: Any, steps: Any, do: Callable[[int], StepReport], **options: Any
    ) -> Iterator[StepReport]:
        return whole_order(run, [step for step in steps if step != 2], do, **options)

    monkeypatch.setattr(workflows, "_steps_in_order", without_step_2)
    report = door(company)
    assert list(report.steps) == [1, 3]
    assert company.rows('SELECT "Id" FROM kimo."Zone"') == []


@pytest.mark.parametrize("door", [from_function, from_op_job])
def test_too_many_rejected_rows_stop_an_import_before_step_2(
    company: World, door: Callable[[World], ImportReport]
) -> None:
    company.erp(Zone=TOO_LONG + GOOD)
    with pytest.raises(GuardError, match="Zone"):
        door(company)
    assert company.rows('SELECT "Id" FROM kimo."Zone"') == []


def test_a_retry_does_not_lead_around_the_blocking_check(company: World) -> None:
    company.erp(Zone=TOO_LONG + GOOD)
    with pytest.raises(GuardError):
        run_import(company.config, company.database)
    with pytest.raises(GuardError, match="Zone"):
        company.retry()
    with pytest.raises(GuardError, match="Zone"):
        launch_retry(company.config, company.database)
    assert company.rows('SELECT "Id" FROM kimo."Zone"') == []

    mended = [{"Id": row["Id"], "Description": "short"} for row in TOO_LONG]
    company.erp(Zone=mended + GOOD)
    assert launch_retry(company.config, company.database).success
    assert len(company.rows('SELECT "Id" FROM kimo."Zone"')) == 80


def test_a_plan_says_that_too_many_rows_would_be_rejected_and_applying_it_lifts_that(
    company: World,
) -> None:
    company.erp(Zone=TOO_LONG + GOOD)
    plan = make_plan(company.config, company.database, company.config.entity_names, save=True)
    assert len(plan.guards["Zone"]) == 1
    assert "60 of 80" in plan.guards["Zone"][0]
    assert run_plan(company.config, company.database, plan.id or "").success
    assert len(company.rows('SELECT "Id" FROM kimo."Zone"')) == 20


def test_an_undo_is_not_stopped_by_rejected_rows(company: World) -> None:
    company.done()
    company.erp(Zone=TOO_LONG + GOOD)
    run_import(company.config, company.database, allow_shrink=True)
    workflows.run_undo(company.config, company.database)
    assert company.rows('SELECT "Id" FROM kimo."Zone" WHERE _archived_load IS NULL') == [("N",)]


def test_reports_are_the_same_from_a_function_and_from_the_ledger(company: World) -> None:
    company.erp(Zone=[*GOOD, {"Id": "L", "Description": "x" * 200}])
    plain = from_function(company).as_json()["steps"]
    again = run_import(company.config, company.database).as_json()["steps"]
    from_ledger = launch_import(
        company.config, company.database, entities=["Zone"], only_listed=True
    )
    without_seconds = [
        {name: {**entity, "seconds": 0} for name, entity in steps.items()}
        for steps in (again["1"], from_ledger.as_json()["steps"]["1"])
    ]
    assert plain["1"]["Zone"]["rejected"] == 1
    assert without_seconds[0]["Zone"] == without_seconds[1]["Zone"]
