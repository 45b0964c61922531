"""The three assets, partitioned by entity: erp_staging -> kimo_tables -> sync_payloads."""

from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from kimo_assets.config import KimoConfig
from kimo_assets.defs.company import asset_key, pool_of
from kimo_assets.defs.metadata import failures_table, recorded_metadata, step_summary
from kimo_assets.defs.payloads import record_agent_payloads
from kimo_assets.defs.runs import DATA_POOL, RESOURCE, KimoRun
from kimo_assets.defs.tasks import GEOPOSITIONS, PUBLIC_IMAGES
from kimo_assets.reports import STEP_TITLES, StepReport, by_reason

ASSET_OF_STEP = {1: "erp_staging", 2: "kimo_tables", 3: "sync_payloads"}
OWNERS = ["team:integrazione"]
GROUP = "kimo"


class GuardedConfig(dg.Config):
    """Of the steps that guards may stop."""

    allow_shrink: bool = Field(
        default=False,
        description="Go on even if far fewer rows are there than the last time, or an agent loses most of his.",
    )


def build_assets(config: KimoConfig) -> list[dg.AssetsDefinition]:
    partitions = dg.StaticPartitionsDefinition(config.entity_names)
    common: dict[str, Any] = {
        "partitions_def": partitions,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "required_resource_keys": {RESOURCE},
        "pool": pool_of(config, DATA_POOL),
        "owners": OWNERS,
        # One group: of several, the UI shows closed boxes instead of the assets.
        "group_name": GROUP,
    }

    @dg.asset(
        kinds={"postgres"},
        description=f"{STEP_TITLES[1]}. Each mapped entity, whole, from the ERP into schema `integrator`: "
        "every value cast and checked, refused rows kept in `ops.rejected_row` with their reason, the new "
        "snapshot swapped in at once.",
        **common,
    )
    def erp_staging(context: dg.AssetExecutionContext, config: GuardedConfig) -> None:
        _materialize(context, 1, allow_shrink=config.allow_shrink)

    @dg.asset(
        deps=[erp_staging],
        kinds={"postgres"},
        description=f"{STEP_TITLES[2]}. Kimo's tables become the snapshot in one transaction: inserted, "
        "updated, archived, unchanged; rows with pending edits are held; references that point nowhere are "
        "counted.",
        **common,
    )
    def kimo_tables(context: dg.AssetExecutionContext, config: GuardedConfig) -> None:
        _materialize(context, 2, allow_shrink=config.allow_shrink)

    # Dagster takes no shorter window than a minute.
    fresh = timedelta(hours=max(config.limits.fresh_hours, 1 / 60))

    @dg.asset(
        deps=[kimo_tables, PUBLIC_IMAGES, GEOPOSITIONS],
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=fresh),
        kinds={"csv", "file"},
        description=f"{STEP_TITLES[3]}. For every agent exactly the visible rows: objects shared by the "
        "agents who see the same, and a manifest per agent, replaced at once. What did not change "
        "costs nothing.",
        **common,
    )
    def sync_payloads(context: dg.AssetExecutionContext) -> None:
        _materialize(context, 3)

    return [erp_staging, kimo_tables, sync_payloads]


def _materialize(context: dg.AssetExecutionContext, step: int, *, allow_shrink: bool = False) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    report = kimo.step(step, context.partition_keys, allow_shrink=allow_shrink, log=context.log.info)
    context.log.info(step_summary(report))
    metadata = recorded_metadata(kimo.open().connection, kimo.config, report)
    if step == 3:
        record_agent_payloads(context, kimo, report)
    if not report.failures:
        for name, values in metadata.items():
            context.add_asset_metadata(values, partition_key=name)
        return
    # Of a step that fails, exactly the partitions logged before are recorded.
    asset = asset_key(kimo.config, ASSET_OF_STEP[step])
    for name, values in metadata.items():
        context.log_event(dg.AssetMaterialization(asset, partition=name, metadata=values))
    raise failure(report)


def failure(report: StepReport) -> dg.Failure:
    """One Dagster failure that names each failed entity and why."""
    lines = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason(report.failures.items()).items())
    return dg.Failure(
        description=f"{STEP_TITLES[report.step]}: {len(report.failures)} of {len(report.entities)} entities "
        f"failed, the others are done and kept. {lines}",
        metadata={"failed": failures_table(report)},
        allow_retries=False,
    )
