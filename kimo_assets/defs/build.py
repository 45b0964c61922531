"""build_defs: a configuration in, fresh Dagster definitions out.

No file, variable or database is read here.
"""

import warnings
from collections.abc import Callable, Mapping

import dagster as dg

from kimo_assets.config import KimoConfig
from kimo_assets.database.server import Database
from kimo_assets.defs.assets import ASSET_OF_STEP, GROUP, OWNERS, build_assets, source_assets
from kimo_assets.defs.checks import build_checks
from kimo_assets.defs.export import build_export_check, export_to_erp, outbox_asset
from kimo_assets.defs.jobs import build_jobs
from kimo_assets.defs.payloads import agent_payloads
from kimo_assets.defs.retry import retry_rejected
from kimo_assets.defs.runs import RESOURCE, KimoRun, kimo_resource
from kimo_assets.defs.sensors import build_sensors
from kimo_assets.defs.settings import settings_asset
from kimo_assets.defs.tasks import TASK_JOBS, task_assets
from kimo_assets.pipeline import Progress, Run


def build_defs(
    config: KimoConfig,
    *,
    database: Database | None = None,
    progress: Progress | None = None,
    opened: list[KimoRun] | None = None,
    before_step: Mapping[int, Callable[[Run], None]] | None = None,
) -> dg.Definitions:
    """The definitions of one company. What is left out is opened by a run when it needs it."""
    with warnings.catch_warnings():
        # A range of partitions in one run is what this project rests on; that it is beta is known and pinned.
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = build_assets(config) if config.entities else []
    payloads = agent_payloads(ASSET_OF_STEP[3], owners=OWNERS, group=GROUP)
    outbox = outbox_asset(ASSET_OF_STEP[2], owners=OWNERS, group=GROUP)
    of_tasks = task_assets(ASSET_OF_STEP[2], owners=OWNERS, group=GROUP)
    settings = settings_asset(ASSET_OF_STEP[2], owners=OWNERS, group=GROUP)
    return dg.Definitions(
        assets=[*source_assets(config), *assets, payloads, *of_tasks, outbox, settings] if config.entities else [],
        asset_checks=[*build_checks(ASSET_OF_STEP[3]), *build_export_check()] if config.entities else [],
        jobs=[*build_jobs(config), retry_rejected, *TASK_JOBS, export_to_erp] if config.entities else [],
        sensors=build_sensors(config, database) if config.entities else [],
        resources={RESOURCE: kimo_resource(config, database, progress or Progress(), opened, before_step)},
        # One process per run: the steps share the lock and the load, and COPY does its work in PostgreSQL.
        executor=dg.in_process_executor,
    )
