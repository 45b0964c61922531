"""build_defs: a configuration in, fresh Dagster definitions out.

No file, variable or database is read here.
"""

import warnings

import dagster as dg

from kimo_assets.config import KimoConfig
from kimo_assets.database.server import Database
from kimo_assets.defs.asset_checks import build_checks
from kimo_assets.defs.assets.agent_payloads import agent_payloads
from kimo_assets.defs.assets.pipeline_assets import build_assets, source_assets
from kimo_assets.defs.assets.settings import settings_asset
from kimo_assets.defs.assets.side_assets import outbox_asset, task_assets
from kimo_assets.defs.automation.notifications import build_notify_sensor
from kimo_assets.defs.automation.schedules import build_schedules
from kimo_assets.defs.automation.sensors import build_sensors
from kimo_assets.defs.jobs.cleaning import clean_up
from kimo_assets.defs.jobs.export import export_to_erp
from kimo_assets.defs.jobs.import_jobs import build_jobs
from kimo_assets.defs.jobs.media_and_geocoding import TASK_JOBS
from kimo_assets.defs.jobs.morning_report import morning_report
from kimo_assets.defs.jobs.retry import retry_rejected
from kimo_assets.defs.naming import assets_of, jobs_of, specs_of
from kimo_assets.defs.resource import RESOURCE, BeforeStep, kimo_resource
from kimo_assets.progress import Progress


def build_defs(
    config: KimoConfig,
    *,
    database: Database | None = None,
    progress: Progress | None = None,
    before_step: BeforeStep | None = None,
) -> dg.Definitions:
    """The definitions of one company. What is left out is opened by a run when it needs it.

    Without mapped entities there is nothing to run yet, only the resource.
    """
    resource = kimo_resource(config, database, progress or Progress(), before_step)
    # One process per run: the steps share the lock and the load, and COPY does its work in
    # PostgreSQL.
    if not config.entities:
        return dg.Definitions(resources={RESOURCE: resource}, executor=dg.in_process_executor)
    with warnings.catch_warnings():
        # A range of partitions in one run is what this project rests on; that it is beta is known
        # and pinned.
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = assets_of(config, build_assets(config))
    jobs = [
        *build_jobs(config),
        retry_rejected,
        *TASK_JOBS,
        export_to_erp,
        morning_report,
        clean_up,
    ]
    specs = [
        *source_assets(config),
        agent_payloads(),
        *task_assets(),
        outbox_asset(),
        settings_asset(),
    ]
    return dg.Definitions(
        assets=[*assets, *specs_of(config, specs)],
        asset_checks=assets_of(config, build_checks()),
        jobs=jobs_of(config, jobs),
        schedules=build_schedules(config, [job.name for job in jobs]),
        sensors=[*build_sensors(config, database), build_notify_sensor(config, database)],
        resources={RESOURCE: resource},
        executor=dg.in_process_executor,
    )
