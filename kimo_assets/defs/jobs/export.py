"""The export to the ERP as a job, and what it records in the asset of the outbox."""

from typing import Any

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.defs.asset_checks import record
from kimo_assets.defs.assets.metadata import MetadataValues, markdown_table
from kimo_assets.defs.naming import asset_key
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.pipeline.workflows import export_workflow
from kimo_assets.reports import ExportedEntity, ExportReport, HeldRecord
from kimo_assets.texts import say

_HELD_SHOWN = 50
# A reason says at its end what to do, so that it must not be cut early.
_WHY_CHARS = 400
_COLUMNS = ("ready", "sent", "held", "waiting", "recovered", "rows", "seconds")


@dg.op(
    name=menu.EXPORT.op,
    required_resource_keys={RESOURCE},
    pool=menu.EXPORT.pool,
    out=dg.Out(dg.Nothing),
    description=say("defs.op.export"),
)
def send_to_erp(context: dg.OpExecutionContext) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    (report,) = kimo.follow(export_workflow, context.log.info)
    context.log.info(in_words(report))
    metadata = export_metadata(report)
    context.log_event(
        dg.AssetMaterialization(asset_key(kimo.config, menu.EXPORT.asset), metadata=metadata)
    )
    record(context, kimo, menu.EXPORT.asset)
    context.add_output_metadata(metadata)


@dg.job(
    name=menu.EXPORT.job,
    description=say("defs.job.export", title=menu.EXPORT.title),
)
def export_to_erp() -> None:
    send_to_erp()


def in_words(report: ExportReport) -> str:
    """A report for the run's log: the figures of each entity, the notes, the first held records."""
    figures = [
        f"{name}: {_figures(entity)}"
        for name, entity in report.entities.items()
        if entity.ready or entity.recovered
    ]
    lines = ["; ".join(figures) or say("defs.nothing_ready"), *report.notes]
    # The first ones show the pattern. The asset's page has a table of them.
    lines += [f"{held.entity} {held.id}: {held.why}" for held in report.held[:3]]
    return f"{menu.EXPORT.title}: " + "\n".join(lines)


def _figures(entity: ExportedEntity) -> str:
    counts = ((kind, getattr(entity, kind)) for kind in _COLUMNS[1:-1])
    return ", ".join(f"{count:,} {kind}" for kind, count in counts if count)


def export_metadata(report: ExportReport) -> MetadataValues:
    """Every count by name, a table by entity, the held records with their reasons."""
    values: MetadataValues = {
        kind: sum(getattr(entity, kind) for entity in report.entities.values())
        for kind in _COLUMNS[:-1]
    }
    # As many columns as the asset's page has room for: what happened to none is left out.
    shown = [kind for kind in _COLUMNS[:-1] if values[kind]] or ["ready"]
    rows: list[list[Any]] = [
        [name, *(getattr(entity, kind) for kind in shown)]
        for name, entity in report.entities.items()
    ]
    values["by entity"] = dg.MetadataValue.md(markdown_table(["entity", *shown], rows))
    if report.held:
        rows = [[_named(record), record.why] for record in report.held[:_HELD_SHOWN]]
        values["held back"] = dg.MetadataValue.md(
            markdown_table(["record", "why"], rows, chars=_WHY_CHARS)
        )
    if report.notes:
        values["notes"] = dg.MetadataValue.md("\n\n".join(report.notes))
    return values | {"seconds of the run": round(report.seconds, 3)}


def _named(record: HeldRecord) -> str:
    """Entity, Id and SyncReference, each once: of a new record the last two are often equal."""
    names = filter(None, (record.entity, record.id, record.sync_reference))
    return " ".join(dict.fromkeys(names))
