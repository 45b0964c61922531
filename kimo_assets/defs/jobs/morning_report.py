"""The morning report as a job: what happened since the last one, by mail."""

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.diagnostics.morning_report import read_morning
from kimo_assets.pipeline.tasks import send_morning_report
from kimo_assets.texts import say


@dg.op(
    name=menu.MORNING_REPORT.op,
    # No pool: the report has to come on time, also while an import goes on.
    required_resource_keys={RESOURCE},
    out=dg.Out(dg.Nothing),
    description=say("defs.op.morning_report"),
)
def report_the_night(context: dg.OpExecutionContext) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    with kimo.database().connect() as connection:
        sent = send_morning_report(connection, kimo.config, context.run_id, read_morning)
    line = sent.in_words()
    context.log.info(line)
    context.add_output_metadata({"sent": line})


@dg.job(
    name=menu.MORNING_REPORT.job,
    description=say("defs.job.morning_report", title=menu.MORNING_REPORT.title),
)
def morning_report() -> None:
    report_the_night()
