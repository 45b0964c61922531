"""Dagster's real daemon on a company: what runs by itself runs once, and looks without anybody's
help.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from kimo_assets.defs.instance import dagster_home
from kimo_assets_tests.defs.conftest import Company
from kimo_assets_tests.support.company import url_of
from kimo_assets_tests.support.export_company import ENTITIES, ExportWorld

SENSORS = {
    "end_dead_runs",
    "tell_operators",
    "erp_finished",
    "records_waiting",
    "new_pictures",
    "kimo_yaml_changed",
    "data_are_fresh",
}
OVER = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


@dataclass
class Daemon:
    """A running daemon. log: what it has written."""

    company: Company
    log: Path

    def runs(self) -> list[tuple[str, str]]:
        """(job, status), oldest first."""
        return [(run.job_name, run.status.value) for run in reversed(self.company.runs())]

    def ticked(self) -> dict[str, set[str]]:
        """Sensor or schedule -> how its ticks ended."""
        with self.company.instance() as instance:
            return {
                state.instigator_name: {
                    tick.status.value
                    for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
                }
                for state in instance.all_instigator_state()
            }

    def wait(self, done: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
        deadline = time.monotonic() + timeout_s
        while not done():
            log = self.log.read_text(encoding="utf-8")[-3000:]
            assert time.monotonic() < deadline, (
                f"{what}: not within {timeout_s} s; {self.runs()}, {self.ticked()}\n{log}"
            )
            time.sleep(0.5)

    def wait_for_run(self, job: str) -> None:
        self.wait(
            lambda: any(run.job_name == job and run.status in OVER for run in self.company.runs()),
            job,
        )


def prepared(company: Company, **schedules: object) -> ExportWorld:
    """A company that its own processes find: by addresses, with a record for the ERP and a
    picture.
    """
    pictures = company.folder / "pictures"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(b"no picture")
    company.settings = {
        "database": {"url": url_of(company.database), "dagster_url": company.database.dagster_url},
        "images": {"source": "pictures"},
        "export": {"entities": ENTITIES},
        "schedules": schedules,
        "entities": {"Zone": {}, "Item": {}},
    }
    company.erp(ImportFromErpSemaphore=[{"Status": 1}])
    kimo = ExportWorld(company.folder, company.database, company.erp_file.url)
    company.without("Account")
    kimo.erp_tables()
    kimo.types()
    kimo.documents(1)
    return kimo


@contextmanager
def daemon(company: Company) -> Iterator[Daemon]:
    home = dagster_home(company.config, company.database)
    log = company.folder / "daemon.log"
    environment = {**os.environ, "DAGSTER_HOME": str(home), "KIMO_CONFIG": str(company.config.path)}
    command = [sys.executable, "-m", "dagster._daemon", "run", "-m", "kimo_assets.definitions"]
    with (
        log.open("w", encoding="utf-8") as written,
        subprocess.Popen(
            command,
            env=environment,
            cwd=Path(__file__).parents[2],
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Daemon(company, log)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise


def test_each_sensor_looks_and_what_waits_for_the_erp_goes_there_once(company: Company) -> None:
    kimo = prepared(company, sensors=["erp_finished", "records_waiting", "new_pictures"])
    with daemon(company) as running:
        running.wait_for_run("export_to_erp")
        running.wait(lambda: running.ticked().keys() >= SENSORS, "a tick of each sensor")
        ticked = running.ticked()
        with company.instance() as instance:
            key = dg.AssetCheckKey(dg.AssetKey("sync_payloads"), "tablets_data_are_fresh")
            assert instance.event_log_storage.get_asset_check_execution_history(key, limit=9)
    assert running.runs() == [("export_to_erp", "SUCCESS")]
    assert kimo.orders() == {"S-D1": 1}
    skipped = {name for name, ends in ticked.items() if ends - {"STARTED"} == {"SKIPPED"}}
    assert skipped == SENSORS - {"records_waiting"}
    assert ticked["records_waiting"] == {"SUCCESS"}


@pytest.mark.stress
def test_schedules_and_sensors_do_their_work_for_minutes(company: Company) -> None:
    """A schedule of each minute; the ERP that finishes; pictures that have settled. Each once, an
    import at a time.
    """
    every_minute = {"cron": "* * * * *", "entities": ["Zone"]}
    prepared(company, sensors=["erp_finished", "new_pictures"], entities=[every_minute])
    with daemon(company) as running:
        running.wait(lambda: "erp_finished" in running.ticked(), "the first look at the ERP")
        running.wait(
            lambda: "is 1" in running.log.read_text(encoding="utf-8"), "the ERP seen writing"
        )
        company.erp_file.execute("UPDATE ImportFromErpSemaphore SET Status = 0")
        for job in ("full_import_from_erp", "import_files", "import_entities"):
            running.wait_for_run(job)
        with company.instance() as instance:
            records = instance.get_run_records(dg.RunsFilter(job_name="import_entities"))
            minutes = [record.dagster_run.tags["kimo/minute"] for record in records]
    jobs = [job for job, _ in running.runs()]
    assert jobs.count("full_import_from_erp") == 1
    assert jobs.count("import_files") == 1
    assert len(set(minutes)) == len(minutes) > 0
    assert all(
        status == "SUCCESS" for job, status in running.runs() if job == "full_import_from_erp"
    )
