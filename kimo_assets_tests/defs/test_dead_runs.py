"""A killed run is told from one that works, so that it does not keep the queue for ever."""

import dagster as dg
import pytest

from kimo_assets.database.locks import exclusive
from kimo_assets.database.semaphore_ledger import SemaphoreLedger
from kimo_assets.defs.automation.sensors import build_sensors
from kimo_assets.defs.build import build_defs
from kimo_assets_tests.defs.conftest import Company

STARTED, FAILED = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE


@pytest.fixture
def run_id(company: Company) -> str:
    """A run that Dagster believes to be going on."""
    with company.instance() as instance:
        job = build_defs(company.config).resolve_job_def("import_entities")
        return instance.create_run_for_job(job, status=STARTED).run_id


def look(company: Company) -> dg.DagsterRunStatus:
    """Lets the sensor look once; how the run stands afterwards."""
    with company.instance() as instance:
        sensor = build_sensors(company.config, company.database)[0]
        with dg.build_sensor_context(instance=instance) as context:
            sensor(context)
        return instance.get_runs()[0].status


def load_of(company: Company, run_id: str, *, finished: str = "NULL") -> None:
    company.execute(
        f"INSERT INTO ops.load (title, run_id, finished_at) VALUES ('x', '{run_id}', {finished})"
    )


def test_a_run_whose_load_is_open_while_nobody_holds_the_lock_was_killed(
    company: Company, run_id: str
) -> None:
    load_of(company, run_id)
    assert look(company) == FAILED
    with company.instance() as instance:
        (event,) = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert "the process of this run is gone" in event.message
    assert company.launch(entities=["Zone"]).success


def test_a_run_that_holds_the_lock_is_left_alone(company: Company, run_id: str) -> None:
    with exclusive(company.database):
        load_of(company, run_id)
        assert look(company) == STARTED


def test_a_run_that_has_no_load_yet_is_left_alone(company: Company, run_id: str) -> None:
    load_of(company, "another run")
    assert look(company) == STARTED


def test_a_run_whose_load_was_closed_long_ago_was_killed(company: Company, run_id: str) -> None:
    """The next import closes the loads that a killed one left open."""
    load_of(company, run_id, finished="now() - interval '3 minutes'")
    assert look(company) == FAILED


def test_a_run_that_is_just_ending_is_left_alone(company: Company, run_id: str) -> None:
    load_of(company, run_id, finished="now()")
    assert look(company) == STARTED


def test_the_semaphore_of_a_dead_run_is_given_back_with_it(company: Company, run_id: str) -> None:
    company.erp(ImportFromErpSemaphore=[{"Status": 2}])
    load_of(company, run_id)
    SemaphoreLedger(company.database.connect, 1, run_id).claim("erp", "ImportFromErpSemaphore", 2)
    with exclusive(company.database):
        assert look(company) == STARTED
    assert company.erp_file.read("SELECT Status FROM ImportFromErpSemaphore") == [(2,)]
    assert look(company) == FAILED
    assert company.erp_file.read("SELECT Status FROM ImportFromErpSemaphore") == [(0,)]
    assert SemaphoreLedger(company.database.connect).owners() == []
    with company.instance() as instance:
        (event,) = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert (
        "ImportFromErpSemaphore of source 'erp' was left behind by load 1 and is given back."
        in event.message
    )


def test_a_semaphore_that_a_dead_run_cannot_give_back_does_not_keep_it_alive(
    company: Company, run_id: str
) -> None:
    company.erp(ImportFromErpSemaphore=[{"Status": 2}])
    load_of(company, run_id)
    SemaphoreLedger(company.database.connect, 1, run_id).claim("erp", "ImportFromErpSemaphore", 2)
    company.entities, company.settings = {"Zone": {}}, {"import": {"semaphore_wait_s": 0}}
    company.erp_file.file.rename(company.folder / "aside")
    assert look(company) == FAILED
    (company.folder / "aside").rename(company.erp_file.file)
    assert company.launch(entities=["Zone"]).success
    assert company.erp_file.read("SELECT Status FROM ImportFromErpSemaphore") == [(0,)]


def test_with_no_run_going_on_the_database_is_not_even_opened(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nobody asked for a connection")

    monkeypatch.setattr("kimo_assets.defs.automation.sensors.abandoned", refuse)
    monkeypatch.setattr("kimo_assets.defs.automation.sensors.open_database", refuse)
    with company.instance() as instance, dg.build_sensor_context(instance=instance) as context:
        sensor = build_sensors(company.config)[0]
        answer = sensor(context)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "no run is going on"
