"""Sensors: what Dagster's daemon looks after by itself."""

from contextlib import suppress

import dagster as dg

from kimo_assets.config import KimoConfig
from kimo_assets.database.locks import abandoned
from kimo_assets.database.server import Database, open_database
from kimo_assets.errors import LockedError
from kimo_assets.semaphores import give_back_left_behind

_KILLED = (
    "Ended by the sensor end_dead_runs: the process of this run is gone, it was killed or its machine stopped. What it "
    "had finished is kept, the rest is as before. Run it again."
)


def build_sensors(config: KimoConfig, database: Database | None = None) -> list[dg.SensorDefinition]:
    @dg.sensor(
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks runs as failed whose process was killed: Dagster would show them as started for ever, and "
        "let every later run wait for them.",
    )
    def end_dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        going_on = context.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        if not going_on:
            return dg.SkipReason("no run is going on")
        opened = database or open_database(config)
        dead = set(abandoned(opened, [run.run_id for run in going_on]))
        said = _give_back(config, opened) if dead else []
        for run in going_on:
            if run.run_id in dead:
                context.instance.report_run_failed(run, " ".join([_KILLED, *said]))
        return dg.SkipReason(f"{len(dead)} of {len(going_on)} runs that are going on were dead")

    return [end_dead_runs]


def _give_back(config: KimoConfig, database: Database) -> list[str]:
    """The ERP waits for a semaphore that a dead run holds; a run that has begun meanwhile has taken it over."""
    with suppress(LockedError):
        return [f"{sentence}." for sentence in give_back_left_behind(config, database)]
    return []
