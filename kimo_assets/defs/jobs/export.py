"""The export to the ERP: its job, the asset of what is in the outbox, the check that nothing is
stuck, and the sensor.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, load_catalog
from kimo_assets.catalog.lifecycle import EntityStatus, RecordOutcome
from kimo_assets.config import KimoConfig
from kimo_assets.database.names import KIMO, table
from kimo_assets.database.overdue_records import days_stuck, stuck
from kimo_assets.database.rules import business_rules
from kimo_assets.defs.assets.metadata import MetadataValues, markdown_table
from kimo_assets.defs.naming import asset_key
from kimo_assets.defs.resource import DATA_POOL, RESOURCE, KimoRun
from kimo_assets.export.status import status
from kimo_assets.pipeline.steps import run_export
from kimo_assets.reports import ExportReport, menu_title

ERP_OUTBOX = "erp_outbox"
EXPORT_JOB = "export_to_erp"
EXPORT_OP = "send_to_erp"

_HELD_SHOWN = 50
_WHY_CHARS = 400
_COLUMNS = ("ready", "sent", "held", "waiting", "recovered", "rows", "seconds")


def outbox_asset(upstream: str, *, owners: Sequence[str], group: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        ERP_OUTBOX,
        deps=[upstream],
        group_name=group,
        owners=owners,
        kinds={"postgres"},
        description=(
            f"{menu_title(EXPORT_JOB)}. What agents created or edited, on its way to the ERP's"
            " tables: each head with its lines, exactly once. Every export records here what was"
            " sent, held back and why. The ERP's answer comes back with the import. `kimo export"
            " status` follows a single record."
        ),
    )


@dg.op(
    name=EXPORT_OP,
    required_resource_keys={RESOURCE},
    pool=DATA_POOL,
    out=dg.Out(dg.Nothing),
    description=(
        "Sends everything that is ready, entity by entity, in batches; what a run that was killed"
        " has left is settled first. What the ERP cannot take is held back with its reason."
    ),
)
def send_to_erp(context: dg.OpExecutionContext) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    report = kimo.do(run_export, context.log.info)
    kimo.export_report = report
    context.log.info(in_words(report))
    metadata = export_metadata(report)
    context.log_event(
        dg.AssetMaterialization(asset_key(kimo.config, ERP_OUTBOX), metadata=metadata)
    )
    _record_check(context, kimo)
    context.add_output_metadata(metadata)


@dg.job(
    name=EXPORT_JOB,
    description=(
        f"{menu_title(EXPORT_JOB)}. From Kimo's tables into the outbox, and from there appended to"
        " the ERP's tables: orders, new and edited customers, visits, payments, as `export:"
        " entities:` of kimo.yaml lists them."
    ),
)
def export_to_erp() -> None:
    send_to_erp()


_EDITED_ON_ITS_WAY = (
    "edited in Kimo after it was sent, and no answer of the ERP's will release it: the ERP has the"
    " version of before. Amend it there by hand, then have it set to 1 in Kimo"
)

NOTHING_IS_STUCK = "nothing_is_stuck"
_STUCK_SHOWN = 20


def build_export_check() -> list[dg.AssetChecksDefinition]:
    @dg.asset_check(
        asset=ERP_OUTBOX,
        name=NOTHING_IS_STUCK,
        required_resource_keys={RESOURCE},
        description=(
            "No batch of which nobody knows whether it has arrived, no record that the ERP has"
            " refused, and none that has been under way for longer than the business rule"
            " PendingEdits\\DaysStuck says. What to do: `kimo export status` says it of each; `kimo"
            " export resolve` settles a batch."
        ),
    )
    def nothing_is_stuck(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        found = _stuck(getattr(context.resources, RESOURCE))
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.WARN,
            description=_first(found),
            metadata=_table(found),
        )

    return [nothing_is_stuck]


def _record_check(context: dg.OpExecutionContext, kimo: KimoRun) -> None:
    """The same check from the op that has exported."""
    found = _stuck(kimo)
    evaluation = dg.AssetCheckEvaluation(
        asset_key=asset_key(kimo.config, ERP_OUTBOX),
        check_name=NOTHING_IS_STUCK,
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=_first(found),
        metadata=_table(found),
    )
    context.log_event(evaluation)  # type: ignore[arg-type]  # it takes evaluations too, its annotation lacks them


Found = list[tuple[str, str, str]]


def _stuck(kimo: KimoRun) -> Found:
    """(what, which, why) of all that somebody should look at."""
    catalog = load_catalog()
    with kimo.database().connect() as connection:
        return list(_found(connection, kimo.config, catalog))


def _found(
    connection: Connection, config: KimoConfig, catalog: Catalog
) -> Iterator[tuple[str, str, str]]:
    for batch in status(connection, config, catalog).unsettled:
        yield (
            f"batch {batch.batch}",
            batch.entity,
            "nobody knows whether it has arrived: kimo export status",
        )
    refused = connection.execute(
        "SELECT DISTINCT ON (entity, sync_reference) entity, sync_reference, problem, outcome FROM"
        " ops.export_record ORDER BY entity, sync_reference, batch DESC"
    )
    yield from (
        (entity, key or "", why or "refused")
        for entity, key, why, outcome in refused
        if outcome == RecordOutcome.REFUSED
    )
    for head in catalog.sent_to_erp:
        if catalog.answers.get(head) not in config.entities:
            edited = connection.execute(
                sql.SQL(
                    'SELECT "Id" FROM {} WHERE "EntityStatus" = {} AND _archived_load IS NULL ORDER'
                    " BY 1"
                ).format(table(KIMO, head), sql.Literal(EntityStatus.EDITING_PENDING))
            )
            yield from ((head, key, _EDITED_ON_ITS_WAY) for (key,) in edited)
    for record in stuck(connection, catalog, days_stuck(business_rules(connection))):
        yield record.entity, record.id, record.why


def _first(found: Found) -> str:
    if not found:
        return "Nothing is stuck between Kimo and the ERP."
    what, which, why = found[0]
    more = f" And {len(found) - 1} more." if len(found) > 1 else ""
    return f"{what} {which}: {why}.{more}"


def _table(found: Found) -> MetadataValues:
    if not found:
        return {"stuck": 0}
    return {
        "stuck": len(found),
        "what": dg.MetadataValue.md(markdown_table(["what", "which", "why"], found[:_STUCK_SHOWN])),
    }


def in_words(report: ExportReport) -> str:
    figures = [
        f"{name}: "
        + ", ".join(f"{getattr(e, kind):,} {kind}" for kind in _COLUMNS[1:-1] if getattr(e, kind))
        for name, e in report.entities.items()
        if e.ready or e.recovered
    ]
    lines = ["; ".join(figures) or "nothing was ready", *report.notes]
    lines += [f"{held.entity} {held.id}: {held.why}" for held in report.held[:3]]
    return f"{menu_title(EXPORT_JOB)}: " + "\n".join(lines)


def export_metadata(report: ExportReport) -> MetadataValues:
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
        held = [
            [" ".join(dict.fromkeys(filter(None, (h.entity, h.id, h.sync_reference)))), h.why]
            for h in report.held
        ]
        values["held back"] = dg.MetadataValue.md(
            markdown_table(["record", "why"], held[:_HELD_SHOWN], chars=_WHY_CHARS)
        )
    if report.notes:
        values["notes"] = dg.MetadataValue.md("\n\n".join(report.notes))
    return values | {"seconds of the run": round(report.seconds, 3)}
