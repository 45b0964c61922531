"""Undoing a load and applying a plan are runs like any other: with events, assets and a sentence
when refused.
"""

import pytest

from kimo_assets.defs.build import build_defs
from kimo_assets.defs.in_process import launch_import, launch_undo
from kimo_assets.errors import PlanMovedError
from kimo_assets.pipeline.plan import make_plan
from kimo_assets_tests.defs.conftest import Company


def change(company: Company) -> None:
    company.erp(Zone=[{"Id": "N", "Description": "Nuovo"}])


def test_an_undo_is_a_run_that_records_what_it_changed(company: Company) -> None:
    company.launch()
    change(company)
    company.launch()
    report = launch_undo(company.config, company.database)
    assert report.success
    assert company.value('SELECT "Description" FROM kimo."Zone" WHERE "Id" = \'N\'') == "Nord"
    run = company.runs()[0]
    assert (run.job_name, run.run_id, run.is_success) == ("undo_load", report.run_id, True)
    assert company.metadata("kimo_tables", "Zone")["updated"] == 1
    assert company.metadata("sync_payloads", "Zone")["status"] == "ok"


def test_a_plan_is_a_run_that_shows_what_an_import_would_do_and_changes_nothing(
    company: Company,
) -> None:
    company.launch()
    change(company)
    config = company.config
    defs = build_defs(config, database=company.database)
    with company.instance() as instance:
        result = defs.resolve_job_def("plan_import").execute_in_process(
            instance=instance,
            run_config={"ops": {"plan": {"config": {"entities": "Zone", "save": True}}}},
        )
        (output,) = [
            event.step_output_data for event in result.all_events if event.is_successful_output
        ]
    shown = {name: value.value for name, value in output.metadata.items()}
    assert shown["has_changes"] is True
    assert "| Zone | 0 | 1 | 0 | 0 | 0 | 0 |" in shown["what an import would do"]
    assert "| Zone | changed | N Nuovo | Description: Nord → Nuovo |" in shown["rows"]
    assert company.value('SELECT "Description" FROM kimo."Zone" WHERE "Id" = \'N\'') == "Nord"
    assert launch_import(config, company.database, plan=shown["plan"]).success
    assert company.value('SELECT "Description" FROM kimo."Zone" WHERE "Id" = \'N\'') == "Nuovo"


def test_a_plan_is_applied_by_the_masks_job(company: Company) -> None:
    company.launch()
    change(company)
    config = company.config
    made = make_plan(config, company.database, config.choose(["Zone"], only_listed=True), save=True)
    assert made.id
    report = launch_import(config, company.database, plan=made.id)
    assert report.success
    assert set(report.steps[2].entities) == {"Zone"}
    assert company.runs()[0].job_name == "import_entities"
    assert company.metadata("kimo_tables", "Zone")["updated"] == 1


def test_a_plan_that_moved_is_a_failed_run_with_the_sentence(company: Company) -> None:
    company.launch()
    change(company)
    config = company.config
    made = make_plan(config, company.database, config.entity_names, save=True)
    assert made.id
    company.launch()
    with pytest.raises(PlanMovedError, match="Zone was changed by load"):
        launch_import(config, company.database, plan=made.id)
    assert not company.runs()[0].is_success


def test_what_a_guard_of_step_2_stops_can_be_allowed_for_the_whole_run(company: Company) -> None:
    company.erp(Zone=[{"Id": f"OLD{n}", "Description": str(n)} for n in range(100)])
    company.launch()
    company.erp(Zone=[{"Id": f"NEW{n}", "Description": str(n)} for n in range(100)])
    stopped = company.launch()
    assert "100 of 100 rows would be archived" in stopped.failures[2]["Zone"]
    assert company.launch(allow_shrink=True).success
    assert company.value('SELECT min("Id") FROM kimo."Zone" WHERE _archived_load IS NULL') == "NEW0"
