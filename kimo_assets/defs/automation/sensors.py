"""Sensors: what Dagster's daemon looks after by itself. What each finds is watching.py's; here is
what it asks for.

Each opens what it needs for a look and closes it; what it has seen it keeps in its cursor: a
restart forgets nothing.
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

_KILLED = (
    "Ended by the sensor end_dead_runs: the process of this run is gone, it was killed or its"
    " machine stopped. What it had finished is kept, the rest is as before. Run it again."
)

# A job of LOCK_OF_JOB holds its lock but for moments at its beginning and its end, in which it
# shows what it did.
_WITHOUT_LOCK_S = 120

Answer = dg.RunRequest | dg.SkipReason


def build_sensors(
    config: KimoConfig, database: Database | None = None
) -> list[dg.SensorDefinition]:
    return [
        _end_dead_runs(config, database),
        _erp_finished(config),
        _records_waiting(config, database),
        _new_pictures(config, database),
        _kimo_yaml_changed(config),
        _data_are_fresh(config, database),
    ]


def _status(config: KimoConfig, name: str) -> dg.DefaultSensorStatus:
    """What starts imports and exports does so only when kimo.yaml says it; anybody may switch it in
    the UI.
    """
    return (
        dg.DefaultSensorStatus.RUNNING
        if name in config.schedules.sensors
        else dg.DefaultSensorStatus.STOPPED
    )


# --- what was asked for by the world
# ----------------------------------------------------------------------------------


def _erp_finished(config: KimoConfig) -> dg.SensorDefinition:
    @dg.sensor(
        job_name=menu.FULL_IMPORT.job,
        minimum_interval_seconds=30,
        default_status=_status(config, "erp_finished"),
        description=(
            "The ERP has finished its own export: ImportFromErpSemaphore goes from 1 to 0, in all"
            " sources. Starts the full import. It only sees what is so at its looks: an export of"
            " less than half a minute may pass between two."
        ),
    )
    def erp_finished(context: dg.SensorEvaluationContext) -> Answer:
        writing = ErpWriting.of(context.cursor)
        said = writing.look(config)
        answer: Answer = dg.SkipReason(said)
        if run_key := writing.finished():
            answer = ask(context.instance, config, full_import(config), run_key=run_key)
        context.update_cursor(writing.cursor)
        return answer

    return erp_finished


def _records_waiting(config: KimoConfig, database: Database | None) -> dg.SensorDefinition:
    @dg.sensor(
        job_name=menu.EXPORT.job,
        minimum_interval_seconds=60,
        default_status=_status(config, "records_waiting"),
        description=(
            "What agents made or edited is ready for the ERP. Starts the export. What was held back"
            " goes again with the next export; after an export that failed it waits a quarter of an"
            " hour."
        ),
    )
    def records_waiting(context: dg.SensorEvaluationContext) -> Answer:
        if said := LastExport.of(context.instance, config).keeps_waiting(datetime.now(UTC)):
            return dg.SkipReason(said)
        with (database or open_database(config)).connect() as connection:
            records = Records.read(connection, config)
        if not records.ready:
            return dg.SkipReason(records.in_words)
        return ask(context.instance, config, RunRequest(menu.EXPORT.job))

    return records_waiting


def _new_pictures(config: KimoConfig, database: Database | None) -> dg.SensorDefinition:
    @dg.sensor(
        job_name=menu.IMPORT_FILES.job,
        minimum_interval_seconds=60,
        default_status=_status(config, "new_pictures"),
        description=(
            "Picture files are new, changed or gone in the source folders. Starts their import,"
            " once two looks in a row have seen the same: files that are still being copied are"
            " left alone. Folders by URL: a quarter of an hour."
        ),
    )
    def new_pictures(context: dg.SensorEvaluationContext) -> Answer:
        folders = Folders.of(context.cursor)
        with (database or open_database(config)).connect() as connection:
            said = folders.look(connection, config, datetime.now(UTC))
        answer: Answer = dg.SkipReason(said)
        if run_key := folders.changed():
            answer = ask(
                context.instance, config, RunRequest(menu.IMPORT_FILES.job), run_key=run_key
            )
        context.update_cursor(folders.cursor)
        return answer

    return new_pictures


# --- what looks after the system itself
# -------------------------------------------------------------------------------


def _kimo_yaml_changed(config: KimoConfig) -> dg.SensorDefinition:
    @dg.sensor(
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "kimo.yaml, or the mapping beside it, has changed: it is checked, and what is wrong"
            " with it stands here, until it is mended. What is right is taken over: the UI reloads"
            " it at once, the daemon within a minute."
        ),
    )
    def kimo_yaml_changed(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        files = YamlFiles.of(context.cursor, config.path)
        origin = context.code_location_origin
        said = files.look(origin.location_name if origin else None)
        context.update_cursor(files.cursor)
        return dg.SkipReason(said)

    return kimo_yaml_changed


def _data_are_fresh(config: KimoConfig, database: Database | None) -> dg.SensorDefinition:
    @dg.sensor(
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Records in the check tablets_data_are_fresh of sync_payloads when the tablets' data"
            " become too old, and when they are fresh again: also while nothing runs."
        ),
    )
    def data_are_fresh(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        with (database or open_database(config)).connect() as connection:
            result = tablets_data_are_fresh(connection, config)
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
        description=(
            "Marks runs as failed whose process was killed: Dagster would show them as started for"
            " ever, and let every later run wait for them."
        ),
    )
    def end_dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        started = context.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        # Another company's runs hold locks of another database.
        going_on = [run for run in started if of_another_company(config, run) is None]
        if not going_on:
            return dg.SkipReason("no run is going on")
        opened = database or open_database(config)
        lockless = _Lockless.of(context.cursor)
        dead = {
            *abandoned(opened, [run.run_id for run in going_on]),
            *lockless.dead(opened, going_on, datetime.now(UTC)),
        }
        context.update_cursor(lockless.cursor)
        said = _give_back(config, opened) if dead else []
        for run in going_on:
            if run.run_id in dead:
                context.instance.report_run_failed(run, " ".join([_KILLED, *said]))
        return dg.SkipReason(f"{len(dead)} of {len(going_on)} runs that are going on were dead")

    return end_dead_runs


class _Lockless:
    """Jobs without a load that are said to be going on while nobody holds their lock, and since
    when every look saw it.
    """

    def __init__(self, since: dict[str, str]) -> None:
        self._since = since

    @classmethod
    def of(cls, cursor: str | None) -> "_Lockless":
        return cls(json.loads(cursor) if cursor else {})

    @property
    def cursor(self) -> str:
        return json.dumps(self._since)

    def dead(
        self, database: Database, going_on: Sequence[dg.DagsterRun], now: datetime
    ) -> list[str]:
        without_load = [run for run in going_on if run.job_name in LOCK_OF_JOB]
        if not without_load:
            self._since = {}
            return []
        with database.connect() as connection:
            held = {
                key: is_held(connection, key)
                for key in {LOCK_OF_JOB[run.job_name] for run in without_load}
            }
        ids = [run.run_id for run in without_load if not held[LOCK_OF_JOB[run.job_name]]]
        self._since = {run_id: self._since.get(run_id, now.isoformat()) for run_id in ids}
        return [
            run_id
            for run_id, since in self._since.items()
            if _seconds(now, since) > _WITHOUT_LOCK_S
        ]


def _seconds(now: datetime, since: str) -> float:
    return (now - datetime.fromisoformat(since)).total_seconds()


def _give_back(config: KimoConfig, database: Database) -> list[str]:
    """The ERP waits for a semaphore that a dead run holds; a run that has begun meanwhile has taken
    it over.
    """
    with suppress(LockedError):
        return [f"{sentence}." for sentence in give_back_left_behind(config, database)]
    return []
