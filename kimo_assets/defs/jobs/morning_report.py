"""The morning report as a job: what happened since the last one, by mail."""

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.diagnostics.morning_report import read_morning
from kimo_assets.pipeline.tasks import send_morning_report


@dg.op(
    name=menu.MORNING_REPORT.op,
    required_resource_keys={RESOURCE},
    out=dg.Out(dg.Nothing),
    description=(
        "Reads what happened since the last report and mails it. A mail that its server does not"
        " take now is kept, and the sensor tell_operators sends it."
    ),
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
    description=(
        f"{menu.MORNING_REPORT.title}. How fresh the data are, what failed or was refused since the"
        " last one, what waits for the ERP or is stuck, whose tablet is out of date, which pictures"
        " and addresses to correct: by mail."
    ),
)
def morning_report() -> None:
    report_the_night()
