"""Preparing the settings alone, as a job: settings.json and its objects, without a look at any
entity.
"""

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.defs.assets.metadata import summary_metadata
from kimo_assets.defs.assets.settings import record_settings
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.pipeline.steps import settings_step


@dg.op(
    name=menu.SETTINGS.op,
    required_resource_keys={RESOURCE},
    pool=menu.SETTINGS.pool,
    out=dg.Out(dg.Nothing),
    description=(
        "Writes the console's tables that all tablets get; what did not change is not written."
    ),
)
def prepare_settings(context: dg.OpExecutionContext) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    report = kimo.do(settings_step)
    written = sum(getattr(table, "objects_written", 0) for table in report.entities.values())
    context.log.info(f"{len(report.entities)} tables, {written} of them written")
    record_settings(context, kimo)
    context.add_output_metadata(summary_metadata({3: report}))


@dg.job(
    name=menu.SETTINGS.job,
    description=(
        f"{menu.SETTINGS.title}. The console's tables alone: business"
        " rules, roles, document types, metadata ... Users and rules that decide who sees what"
        " count from the next step 3."
    ),
)
def settings_sync_data_creation() -> None:
    prepare_settings()
