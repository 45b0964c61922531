"""Preparing the settings alone, as a job: settings.json and its objects, without a look at any entity."""

import dagster as dg

from kimo_assets.defs.metadata import summary_metadata
from kimo_assets.defs.runs import DATA_POOL, RESOURCE, KimoRun
from kimo_assets.pipeline import Run
from kimo_assets.reports import StepReport
from kimo_assets.sync.settings import publish_settings
from kimo_assets.sync.store import Store

SETTINGS_JOB = "settings_sync_data_creation"
SETTINGS_OP = "prepare_settings"


@dg.op(
    name=SETTINGS_OP,
    required_resource_keys={RESOURCE},
    pool=DATA_POOL,
    out=dg.Out(dg.Nothing),
    description="Writes the console's tables that all tablets get; what did not change is not written.",
)
def prepare_settings(context: dg.OpExecutionContext) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    report = kimo.do(_publish)
    written = sum(getattr(table, "objects_written", 0) for table in report.entities.values())
    context.log.info(f"{len(report.entities)} tables, {written} of them written")
    context.add_output_metadata(summary_metadata({3: report}))


def _publish(run: Run) -> StepReport:
    store = Store(run.config.sync_store)
    return run.finished(
        3, publish_settings(run.connection, store, load=run.load, zstd_level=run.config.sync.zstd_level)
    )


@dg.job(
    name=SETTINGS_JOB,
    description="Preparazione dati di Sync delle sole impostazioni. The console's tables alone: business rules, roles, "
    "document types, metadata ... Users and rules that decide who sees what count from the next step 3.",
)
def settings_sync_data_creation() -> None:
    prepare_settings()
