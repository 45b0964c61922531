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

_PROBLEMS_SHOWN = 50
_WHY_CHARS = 400
_ON_SHEET = 48

Task = Callable[[KimoConfig, Database, Progress, str], TaskReport]


Shown = Callable[[Connection, KimoConfig, TaskReport], MetadataValues]


def _record(context: dg.OpExecutionContext, asset: str, task: Task, shown: Shown) -> None:
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
        metadata |= shown(connection, kimo.config, report)
    context.log_event(dg.AssetMaterialization(asset_key(kimo.config, asset), metadata=metadata))
    record(context, kimo, asset)


def _pictures(connection: Connection, config: KimoConfig, report: TaskReport) -> MetadataValues:
    """A contact sheet, when there is something new to see: every event of a run is kept."""
    if not report.counts.get("made"):
        return {}
    settings = image_settings(connection, config)
    audited = audit(connection, settings)
    return {
        **{f"audit: {kind}": count for kind, count in audited.counts.items()},
        "contact sheet": picture(
            "contact sheet", contact_sheet(settings.public, audited.pictures, _ON_SHEET), "png"
        ),
    }


def _positions(connection: Connection, config: KimoConfig, report: TaskReport) -> MetadataValues:
    """Where the customers are, and the provinces, when there is something new to see."""
    if not report.counts.get("answered"):
        return {}
    found = [of.as_json() for of in provinces(connection)]
    table = (
        markdown_table([*found[0]], [[*of.values()] for of in found]) if found else "no customers"
    )
    return {
        "positions": picture(
            "where the customers are", positions_svg(read_positions(connection)).encode(), "svg+xml"
        ),
        "by province": dg.MetadataValue.md(table),
    }


def in_words(report: TaskReport) -> str:
    """A report for the run's log: its figures, its notes, and how much is in the table of
    problems.
    """
    figures = ", ".join(f"{name} {count:,}" for name, count in report.counts.items() if count)
    lines = [f"{report.title}: {figures or 'nothing to do'}", *report.notes]
    if report.problems:
        first = report.problems[0]
        lines.append(
            f"{len(report.problems)} could not be done; all are in the asset's metadata."
            f" {first.what}: {first.why}"
        )
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


def _op(entry: MenuEntry, task: Task, shown: Shown, description: str) -> dg.OpDefinition:
    @dg.op(
        name=entry.op,
        required_resource_keys={RESOURCE},
        pool=entry.pool,
        out=dg.Out(dg.Nothing),
        description=description,
    )
    def run(context: dg.OpExecutionContext) -> None:
        _record(context, entry.asset, task, shown)

    return run


def _job(entry: MenuEntry, op: dg.OpDefinition, description: str) -> dg.JobDefinition:
    @dg.job(name=entry.job, description=f"{entry.title}. {description}")
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
            "Files that are new or changed become public pictures; those that no row names any more"
            " leave after some days.",
        ),
        "The picture files that items, manufacturers, trademarks and promotions name, from `images:"
        " source:` of kimo.yaml into the public folder. Goes on past what it cannot use; may run"
        " beside an import.",
    ),
    _job(
        menu.DOWNLOAD_IMAGES,
        _op(
            menu.DOWNLOAD_IMAGES,
            tasks.download_images,
            _pictures,
            "Asks every picture's server whether it has changed; what has is fetched, checked and"
            " made public.",
        ),
        "The pictures at the addresses of ItemUrl with UrlTypeId 1. What has not changed costs one"
        " small answer. Goes on past what it cannot use; may run beside an import.",
    ),
    _job(
        menu.GEOCODE,
        _op(
            menu.GEOCODE,
            tasks.geocode_addresses,
            _positions,
            "Asks Google for each distinct address that is new, changed or answered too long ago,"
            " within the day's budget.",
        ),
        "Customers and ship-to sites get coordinates. Each answer is kept at once; a run that is"
        " stopped goes on where it was. Needs a key of Google's in the environment; without one it"
        " says so.",
    ),
]
