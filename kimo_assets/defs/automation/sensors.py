"""Sensors: what Dagster's daemon watches by itself, and which runs it asks for then.

Each opens what it needs for a look and closes it. What it has seen is in its cursor
(sensor_state.py), so a restart forgets nothing.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import LOCK_OF_JOB
from kimo_assets.config import KimoConfig
from kimo_assets.database.locks import abandoned, is_held
from kimo_assets.database.server import Database, open_database
from kimo_assets.defs.asset_checks import evaluation
from kimo_assets.defs.automation.run_requests import RunRequest, ask, full_import
from kimo_assets.defs.automation.sensor_state import (
    ErpWriting,
    Folders,
    LastExport,
    Records,
    YamlFiles,
)
from kimo_assets.defs.naming import of_another_company
from kimo_assets.errors import LockedError
from kimo_assets.maintenance.semaphores import give_back_left_behind
from kimo_assets.quality.data_checks import TABLETS_DATA_ARE_FRESH, tablets_data_are_fresh
from kimo_assets.texts import say

# A job of LOCK_OF_JOB holds its lock but for moments at its beginning and its end, in which it
# shows what it did.
_WITHOUT_LOCK_S = 120

Answer = dg.RunRequest | dg.SkipReason


def build_sensors(
    config: KimoConfig, database: Database | None = None
) -> list[dg.SensorDefinition]:
    """All sensors of a company, but for the one that sends mails."""
    return [
        _end_dead_runs(config, database),
        _erp_finished(config),
        _records_waiting(config, database),
        _new_pictures(config, database),
        _kimo_yaml_changed(config),
        _data_are_fresh(config, database),
    ]


def _status(config: KimoConfig, name: str) -> dg.DefaultSensorStatus:
    """A sensor that starts imports or exports is off until kimo.yaml names it.

    Anybody may switch it in the UI.
    """
    if name in config.schedules.sensors:
        return dg.DefaultSensorStatus.RUNNING
    return dg.DefaultSensorStatus.STOPPED


# --- runs that the outside world asks for
# --------------------------------------------------------------------------------------------------


def _erp_finished(config: KimoConfig) -> dg.SensorDefinition:
    """Asks for a full import after each finished export of the ERP's own."""

    @dg.sensor(
        job_name=menu.FULL_IMPORT.job,
        minimum_interval_seconds=30,
        default_status=_status(config, "erp_finished"),
        description=say("defs.sensor.erp_finished"),
    )
    def erp_finished(context: dg.SensorEvaluationContext) -> Answer:
        writing = ErpWriting.of(context.cursor)
        answer: Answer = dg.SkipReason(writing.update(config))
        if run_key := writing.finished():
            answer = ask(context.instance, config, full_import(config), run_key=run_key)
        context.update_cursor(writing.cursor)
        return answer

    return erp_finished


def _records_waiting(config: KimoConfig, database: Database | None) -> dg.SensorDefinition:
    """Asks for an export while records are ready."""

    @dg.sensor(
        job_name=menu.EXPORT.job,
        minimum_interval_seconds=60,
        default_status=_status(config, "records_waiting"),
        description=say("defs.sensor.records_waiting"),
    )
    def records_waiting(context: dg.SensorEvaluationContext) -> Answer:
        last = LastExport.of(context.instance, config)
        if reason := last.keeps_waiting(datetime.now(UTC)):
            return dg.SkipReason(reason)
        with (database or open_database(config)).connect() as connection:
            records = Records.read(connection, config)
        if not records.ready:
            return dg.SkipReason(records.in_words)
        return ask(context.instance, config, RunRequest(menu.EXPORT.job))

    return records_waiting


def _new_pictures(config: KimoConfig, database: Database | None) -> dg.SensorDefinition:
    """Asks for an import of pictures once a changed folder has settled."""

    @dg.sensor(
        job_name=menu.IMPORT_FILES.job,
        minimum_interval_seconds=60,
        default_status=_status(config, "new_pictures"),
        description=say("defs.sensor.new_pictures"),
    )
    def new_pictures(context: dg.SensorEvaluationContext) -> Answer:
        folders = Folders.of(context.cursor)
        with (database or open_database(config)).connect() as connection:
            state = folders.update(connection, config, datetime.now(UTC))
        answer: Answer = dg.SkipReason(state)
        if run_key := folders.changed():
            request = RunRequest(menu.IMPORT_FILES.job)
            answer = ask(context.instance, config, request, run_key=run_key)
        context.update_cursor(folders.cursor)
        return answer

    return new_pictures


# --- the state of the system itself
# --------------------------------------------------------------------------------------------------


def _kimo_yaml_changed(config: KimoConfig) -> dg.SensorDefinition:
    """Asks for no run. It has the webserver reload a changed kimo.yaml."""

    @dg.sensor(
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=say("defs.sensor.kimo_yaml_changed"),
    )
    def kimo_yaml_changed(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        files = YamlFiles.of(context.cursor, config.path)
        origin = context.code_location_origin
        state = files.update(origin.location_name if origin else None)
        context.update_cursor(files.cursor)
        return dg.SkipReason(state)

    return kimo_yaml_changed


def _data_are_fresh(config: KimoConfig, database: Database | None) -> dg.SensorDefinition:
    """Records an evaluation of the check only where its result has changed."""

    @dg.sensor(
        # The age of data is counted in hours, so a look every ten minutes is enough.
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=say("defs.sensor.data_are_fresh"),
    )
    def data_are_fresh(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        with (database or open_database(config)).connect() as connection:
            result = tablets_data_are_fresh(connection, config)
        # The same result at every look would only make Dagster's log longer.
        verdict = json.dumps([result.passed, result.subjects])
        if verdict == context.cursor:
            return dg.SensorResult(skip_reason=dg.SkipReason(result.sentence))
        event = evaluation(config, TABLETS_DATA_ARE_FRESH, result)
        return dg.SensorResult(asset_events=[event], cursor=verdict)

    return data_are_fresh


def _end_dead_runs(config: KimoConfig, database: Database | None) -> dg.SensorDefinition:
    @dg.sensor(
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=say("defs.sensor.end_dead_runs"),
    )
    def end_dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        # A crashed run stays STARTED for ever: the default launcher has no health check.
        started = context.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        # Another company's runs hold locks of another database.
        own_runs = [run for run in started if of_another_company(config, run) is None]
        if not own_runs:
            return dg.SkipReason(say("defs.no_run"))
        opened = database or open_database(config)
        without_load = _WithoutLoad.of(context.cursor)
        dead = {
            *abandoned(opened, [run.run_id for run in own_runs]),
            *without_load.dead(opened, own_runs, datetime.now(UTC)),
        }
        context.update_cursor(without_load.cursor)
        # Before the runs are reported as failed. Afterwards no look would find them dead any more.
        given_back = _give_back_semaphores(config, opened) if dead else []
        message = " ".join([say("defs.killed"), *given_back])
        for run in own_runs:
            if run.run_id in dead:
                context.instance.report_run_failed(run, message)
        return dg.SkipReason(say("defs.dead_runs", dead=len(dead), runs=len(own_runs)))

    return end_dead_runs


class _WithoutLoad:
    """Runs of jobs without a load, that go on for Dagster while nobody holds their lock.

    since: run id -> the first of the looks in a row that saw it so.
    """

    def __init__(self, since: dict[str, str]) -> None:
        self._since = since

    @classmethod
    def of(cls, cursor: str | None) -> "_WithoutLoad":
        return cls(json.loads(cursor) if cursor else {})

    @property
    def cursor(self) -> str:
        return json.dumps(self._since)

    def dead(self, database: Database, runs: Sequence[dg.DagsterRun], now: datetime) -> list[str]:
        """The ids of those whose lock has been free for too long."""
        lock_of_run = {
            run.run_id: LOCK_OF_JOB[run.job_name] for run in runs if run.job_name in LOCK_OF_JOB
        }
        if not lock_of_run:
            self._since = {}
            return []
        with database.connect() as connection:
            is_taken = {lock: is_held(connection, lock) for lock in set(lock_of_run.values())}
        idle = [run_id for run_id, lock in lock_of_run.items() if not is_taken[lock]]
        # One look that finds the lock taken begins the count anew.
        self._since = {run_id: self._since.get(run_id, now.isoformat()) for run_id in idle}
        return [
            run_id
            for run_id, since in self._since.items()
            if _seconds(now, since) > _WITHOUT_LOCK_S
        ]


def _seconds(now: datetime, since: str) -> float:
    return (now - datetime.fromisoformat(since)).total_seconds()


def _give_back_semaphores(config: KimoConfig, database: Database) -> list[str]:
    """The ERP waits for a semaphore that a dead run holds. Returns a sentence per semaphore.

    A run that has begun meanwhile has taken the semaphores over, so nothing is done.
    """
    with suppress(LockedError):
        return [f"{sentence}." for sentence in give_back_left_behind(config, database)]
    return []
