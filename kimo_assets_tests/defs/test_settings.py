"""Preparing the settings alone is a run like any other, and looks at no entity."""

from kimo_assets.defs.in_process import launch_settings
from kimo_assets_tests.defs.conftest import Company


def test_settings_alone_are_a_run_that_leaves_the_payloads_as_they_were(company: Company) -> None:
    company.launch()
    company.execute("INSERT INTO kimo.\"Layout\" VALUES ('L', 'Uno', NULL)")
    before = {file: file.stat().st_mtime_ns for file in company.store.rglob("*.json")}
    report = launch_settings(company.config, company.database)
    assert report.success
    assert {
        name
        for name, table in report.steps[3].entities.items()
        if table.counts()["objects_written"]
    } == {"Layout"}
    after = {file: file.stat().st_mtime_ns for file in company.store.rglob("*.json")}
    assert {file.name for file in after if after[file] != before.get(file)} == {"settings.json"}
    run = company.runs()[0]
    assert (run.job_name, run.is_success) == ("settings_sync_data_creation", True)
