"""The job retry_rejected: a run like any other, which records what it touched and is refused while
another goes on.
"""

from collections.abc import Callable
from datetime import date

import dagster as dg
import pytest

from kimo_assets.database.locks import exclusive
from kimo_assets.defs.build import build_defs
from kimo_assets.defs.in_process import launch_retry
from kimo_assets.errors import LockedError, UnknownEntityError
from kimo_assets_tests.defs.conftest import ERP, Company

GOOD_ZONES = [{"Id": "N", "Description": "Nord"}, {"Id": "S", "Description": "Sud"}]


@pytest.fixture(scope="module")
def retried(new_company: Callable[[], Company]) -> Company:
    """Imported, one rejected row mended, retried."""
    company = new_company()
    company.launch()
    company.erp(Zone=GOOD_ZONES)
    report = launch_retry(company.config, company.database)
    assert report.success
    return company


def test_a_retry_is_a_dagster_run_and_a_load_of_its_own(retried: Company) -> None:
    run = retried.runs()[0]
    assert (run.job_name, run.status) == ("retry_rejected", dg.DagsterRunStatus.SUCCESS)
    assert retried.rows(
        "SELECT load, run_id, title, success FROM ops.load ORDER BY load DESC LIMIT 1"
    ) == [(2, run.run_id, "Riprova delle righe scartate", True)]


def test_the_partitions_it_touched_show_what_became_of_their_rows(retried: Company) -> None:
    zone = retried.metadata("erp_staging", "Zone")
    figures = (
        "status",
        "staged",
        "rejected",
        "retried",
        "good",
        "still_refused",
        "gone",
        "without_key",
    )
    assert [zone[name] for name in figures] == ["ok", 2, 0, 1, 1, 0, 0, 0]
    assert "rejected rows" not in zone
    assert retried.metadata("kimo_tables", "Zone")["inserted"] == 1
    assert retried.metadata("sync_payloads", "Zone")["rows"] == 2


def test_a_row_that_is_still_refused_shows_since_when(retried: Company) -> None:
    translation = retried.metadata("kimo_tables", "ItemTranslation")
    today = retried.value("SELECT since FROM ops.rejected_row").astimezone().date()
    assert isinstance(today, date)
    assert "| missing_owner | ItemId | I9 | " in translation["rejected rows"]
    assert f" | {today} (2 loads) |" in translation["rejected rows"]


def test_entities_that_had_no_refused_row_are_not_read(retried: Company) -> None:
    with retried.instance() as instance:
        events = instance.all_logs(
            retried.runs()[0].run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        )
    keys = [event.get_dagster_event().step_materialization_data.materialization for event in events]
    touched = {
        asset: {m.partition for m in keys if m.asset_key.path == [asset]}
        for asset in ("erp_staging", "kimo_tables")
    }
    assert touched == {"erp_staging": {"Zone"}, "kimo_tables": {"Zone", "ItemTranslation"}}


def test_a_retry_from_the_launchpad_names_an_unknown_entity(retried: Company) -> None:
    job = build_defs(retried.config, database=retried.database).resolve_job_def("retry_rejected")
    config = {"ops": {"retry_rejected_rows": {"config": {"entities": "Zonne"}}}}
    with retried.instance() as instance:
        result = job.execute_in_process(instance=instance, run_config=config, raise_on_error=False)
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert "Did you mean Zone" in str(failed.step_failure_data.user_failure_data.description)


def test_an_unknown_name_or_a_lock_that_is_held_leaves_no_run_behind(retried: Company) -> None:
    before = len(retried.runs())
    with pytest.raises(UnknownEntityError, match="Did you mean Zone"):
        launch_retry(retried.config, retried.database, entities=["Zonne"])
    with exclusive(retried.database), pytest.raises(LockedError):
        launch_retry(retried.config, retried.database)
    assert len(retried.runs()) == before


def test_a_source_that_fails_fails_the_run_and_names_the_entity(
    new_company: Callable[[], Company],
) -> None:
    company = new_company()
    company.entities = {name: {} for name in ERP}
    company.launch()
    company.without("Zone")
    report = launch_retry(company.config, company.database)
    assert not report.success
    assert "there is no table or view Zone" in report.failures[1]["Zone"]
    assert list(report.steps) == [1]
    assert company.runs()[0].status == dg.DagsterRunStatus.FAILURE
