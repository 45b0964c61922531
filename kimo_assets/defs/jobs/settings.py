"""Preparing the settings alone, as a job: settings.json and its objects, and no entity."""

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.defs.assets.metadata import summary_metadata
from kimo_assets.defs.assets.settings import record_settings
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.pipeline.steps import settings_step
from kimo_assets.texts import say


@dg.op(
    name=menu.SETTINGS.op,
    required_resource_keys={RESOURCE},
    pool=menu.SETTINGS.pool,
    out=dg.Out(dg.Nothing),
    description=say("defs.op.settings"),
)
def prepare_settings(context: dg.OpExecutionContext) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    report = kimo.do(settings_step)
    written = sum(getattr(table, "objects_written", 0) for table in report.entities.values())
    context.log.info(say("defs.settings_written", count=len(report.entities), written=written))
    record_settings(context, kimo)
    context.add_output_metadata(summary_metadata({3: report}))


@dg.job(
    name=menu.SETTINGS.job,
    description=say("defs.job.settings", title=menu.SETTINGS.title),
)
def settings_sync_data_creation() -> None:
    prepare_settings()
