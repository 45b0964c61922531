"""The menu's side jobs as jobs of one op each, which record what they did in an asset each."""

from collections.abc import Callable

import dagster as dg
from psycopg import Connection

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import MenuEntry
from kimo_assets.config import KimoConfig
from kimo_assets.database.server import Database
from kimo_assets.defs.asset_checks import record
from kimo_assets.defs.assets.metadata import MetadataValues, markdown_table, picture
from kimo_assets.defs.naming import asset_key
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.geocoding.plot import positions_svg, read_positions
from kimo_assets.geocoding.report import provinces
from kimo_assets.images.audit import audit
from kimo_assets.images.contact_sheet import contact_sheet
from kimo_assets.images.settings import image_settings
from kimo_assets.pipeline import tasks
from kimo_assets.progress import LoggedProgress, Progress
from kimo_assets.reports import TaskReport
from kimo_assets.texts import say

_PROBLEMS_SHOWN = 50
_WHY_CHARS = 400
_ON_SHEET = 48

Task = Callable[[KimoConfig, Database, Progress, str], TaskReport]
# What the asset's page shows beside the figures.
Pictures = Callable[[Connection, KimoConfig, TaskReport], MetadataValues]


def _record(context: dg.OpExecutionContext, asset: str, task: Task, pictures: Pictures) -> None:
    """Does the task, and records its report in the run, in the asset and in its checks."""
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    report = kimo.task(
        lambda config, database, progress, run_id: task(
            config, database, LoggedProgress(progress, context.log.info), run_id
        )
    )
    context.log.info(in_words(report))
    metadata = task_metadata(report)
    context.add_output_metadata(metadata)
    with kimo.database().connect() as connection:
        # Only for the asset: with the run's own metadata every picture would be kept twice.
        metadata |= pictures(connection, kimo.config, report)
    context.log_event(dg.AssetMaterialization(asset_key(kimo.config, asset), metadata=metadata))
    record(context, kimo, asset)


def _pictures(connection: Connection, config: KimoConfig, report: TaskReport) -> MetadataValues:
    """A contact sheet, when there is something new to see: every event of a run is kept."""
    if not report.counts.get("made"):
        return {}
    settings = image_settings(connection, config)
    audited = audit(connection, settings)
    sheet = contact_sheet(settings.public, audited.pictures, _ON_SHEET)
    return {
        **{f"audit: {kind}": count for kind, count in audited.counts.items()},
        "contact sheet": picture(say("defs.contact_sheet"), sheet, "png"),
    }


def _positions(connection: Connection, config: KimoConfig, report: TaskReport) -> MetadataValues:
    """Where the customers are, and the provinces, when there is something new to see."""
    if not report.counts.get("answered"):
        return {}
    rows = [province.as_json() for province in provinces(connection)]
    table = say("defs.no_customers")
    if rows:
        table = markdown_table([*rows[0]], [[*row.values()] for row in rows])
    plot = positions_svg(read_positions(connection)).encode()
    return {
        "positions": picture(say("defs.positions"), plot, "svg+xml"),
        "by province": dg.MetadataValue.md(table),
    }


def in_words(report: TaskReport) -> str:
    """A report for the run's log: its figures, its notes, and the first of its problems."""
    figures = ", ".join(f"{name} {count:,}" for name, count in report.counts.items() if count)
    lines = [f"{report.title}: {figures or say('defs.nothing_to_do')}", *report.notes]
    if report.problems:
        first, count = report.problems[0], len(report.problems)
        lines.append(say("defs.task_problems", count=count, subject=first.what, reason=first.why))
    return "\n".join(lines)


def task_metadata(report: TaskReport) -> MetadataValues:
    """Every count by name, also when it is zero: a plot needs all its points."""
    values: MetadataValues = {
        **report.counts,
        "problems": len(report.problems),
        "seconds": round(report.seconds, 3),
    }
    if report.problems:
        rows = [[problem.what, problem.why] for problem in report.problems[:_PROBLEMS_SHOWN]]
        values["what could not be done"] = dg.MetadataValue.md(
            markdown_table(["what", "why"], rows, chars=_WHY_CHARS)
        )
    if report.notes:
        values["notes"] = dg.MetadataValue.md("\n\n".join(report.notes))
    return values


def _op(entry: MenuEntry, task: Task, pictures: Pictures, description: str) -> dg.OpDefinition:
    """The only op of a side job. Its pool is the entry's: it may run beside an import."""

    @dg.op(
        name=entry.op,
        required_resource_keys={RESOURCE},
        pool=entry.pool,
        out=dg.Out(dg.Nothing),
        description=description,
    )
    def run(context: dg.OpExecutionContext) -> None:
        _record(context, entry.asset, task, pictures)

    return run


def _job(entry: MenuEntry, op: dg.OpDefinition, description: str) -> dg.JobDefinition:
    @dg.job(name=entry.job, description=description)
    def job() -> None:
        op()

    return job


TASK_JOBS = [
    _job(
        menu.IMPORT_FILES,
        _op(
            menu.IMPORT_FILES,
            tasks.import_files,
            _pictures,
            say("defs.op.import_files"),
        ),
        say("defs.job.import_files", title=menu.IMPORT_FILES.title),
    ),
    _job(
        menu.DOWNLOAD_IMAGES,
        _op(
            menu.DOWNLOAD_IMAGES,
            tasks.download_images,
            _pictures,
            say("defs.op.download_images"),
        ),
        say("defs.job.download_images", title=menu.DOWNLOAD_IMAGES.title),
    ),
    _job(
        menu.GEOCODE,
        _op(
            menu.GEOCODE,
            tasks.geocode_addresses,
            _positions,
            say("defs.op.geocode"),
        ),
        say("defs.job.geocode", title=menu.GEOCODE.title),
    ),
]
