"""The three assets, partitioned by entity: erp_staging -> kimo_tables -> sync_payloads. And the
sources before them.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import dagster as dg
from pydantic import Field

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import ASSET_OF_STEP, DATA_POOL, STEP_TITLES
from kimo_assets.config import KimoConfig
from kimo_assets.defs.assets.agent_payloads import record_agent_payloads
from kimo_assets.defs.assets.metadata import failures_table, recorded_metadata, step_summary
from kimo_assets.defs.assets.settings import record_settings
from kimo_assets.defs.dagster_internals import chooses_partitions
from kimo_assets.defs.naming import GROUP, GUIDE, OWNERS, asset_key, pool_of
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.reports import StepReport, by_reason
from kimo_assets.texts import say


class GuardedConfig(dg.Config):
    """For the steps that guards may stop."""

    allow_shrink: bool = Field(
        default=False,
        description=say("defs.allow_shrink"),
    )


# SQLAlchemy's names of databases whose icons Dagster has by another name.
_KINDS = {"mssql": "sqlserver", "postgresql": "postgres"}


def source_assets(config: KimoConfig) -> list[dg.AssetSpec]:
    """The integration databases. They are the ERP's own, so no job here makes them."""
    return [
        dg.AssetSpec(
            name,
            group_name=GROUP,
            owners=OWNERS,
            kinds={_kind(source.sqlalchemy_url.get_backend_name())},
            description=say(f"defs.asset.{name}"),
            metadata={"docs": dg.MetadataValue.path("docs/mapping.md")},
        )
        for name, source in config.sources.items()
    ]


def _kind(dialect: str) -> str:
    return _KINDS.get(dialect, dialect)


def build_assets(config: KimoConfig) -> list[dg.AssetsDefinition]:
    """The three layers. Each needs the one before, and the last also what the side jobs make."""
    sources = [dg.AssetKey(name) for name in config.sources]
    before_step_3 = (ASSET_OF_STEP[2], menu.IMPORT_FILES.asset, menu.GEOCODE.asset)
    # Dagster takes no shorter window than a minute.
    fresh = timedelta(hours=max(config.limits.fresh_hours, 1 / 60))
    freshness = dg.FreshnessPolicy.time_window(fail_window=fresh)
    # A run over a range is contiguous, so this order decides what one run can name. Any other
    # choice becomes a run for each range (dagster issues 32335, 15667).
    partitions = dg.StaticPartitionsDefinition(config.entity_names)
    layer = partial(_layer, config, partitions)

    @layer(1, deps=sources, kinds={"postgres"})
    def erp_staging(context: dg.AssetExecutionContext, config: GuardedConfig) -> None:
        _materialize(context, 1, allow_shrink=config.allow_shrink)

    @layer(2, deps=[dg.AssetKey(ASSET_OF_STEP[1])], kinds={"postgres"})
    def kimo_tables(context: dg.AssetExecutionContext, config: GuardedConfig) -> None:
        _materialize(context, 2, allow_shrink=config.allow_shrink)

    @layer(
        3,
        deps=[dg.AssetKey(name) for name in before_step_3],
        kinds={"csv", "file"},
        freshness=freshness,
    )
    def sync_payloads(context: dg.AssetExecutionContext) -> None:
        _materialize(context, 3)

    return [erp_staging, kimo_tables, sync_payloads]


def _layer(
    config: KimoConfig,
    partitions: dg.StaticPartitionsDefinition,
    step: int,
    *,
    deps: Sequence[dg.AssetKey],
    kinds: set[str],
    freshness: dg.FreshnessPolicy | None = None,
) -> Callable[[Callable[..., None]], dg.AssetsDefinition]:
    """The decorator of a layer: one partition per entity, any range of them in one run."""
    name = ASSET_OF_STEP[step]
    return dg.asset(
        name=name,
        deps=deps,
        kinds=kinds,
        tags={"kimo/step": str(step)},
        description=say(f"defs.asset.{name}", title=STEP_TITLES[step]),
        partitions_def=partitions,
        # Otherwise each partition gets a run of its own: a process, a lock and a load for every
        # entity.
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={RESOURCE},
        # Lets a second run wait in the queue. The lock that counts is ours, in PostgreSQL: a pool's
        # slot can stay taken by a dead run (dagster issue 32560).
        pool=pool_of(config, DATA_POOL),
        owners=OWNERS,
        group_name=GROUP,
        metadata=GUIDE,
        freshness_policy=freshness,
    )


def _materialize(
    context: dg.AssetExecutionContext, step: int, *, allow_shrink: bool = False
) -> None:
    if not chooses_partitions(context.run.tags):
        # Dagster asks for one, and yet launches the job without.
        message = say("defs.no_partition", job=menu.IMPORT_ENTITIES.job)
        raise dg.Failure(message, allow_retries=False)
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    report = kimo.step(
        step, context.partition_keys, allow_shrink=allow_shrink, log=context.log.info
    )
    context.log.info(step_summary(report))
    metadata = recorded_metadata(kimo.open().connection, kimo.config, report)
    # Before a failure is raised: tablets get what the entities that did not fail have brought.
    if step == 3:
        record_agent_payloads(context, kimo, report)
        record_settings(context, kimo)
    # When a step succeeds, Dagster adds its own event for each partition of the range and hides
    # ours (dagster issues 29846, 33035). So metadata is all that is added here.
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
    """One Dagster failure that names each failed entity and its reason."""
    lines = "; ".join(
        f"{', '.join(names)}: {reason}"
        for reason, names in by_reason(report.failures.items()).items()
    )
    message = say(
        "defs.step_failed",
        title=STEP_TITLES[report.step],
        failed=len(report.failures),
        count=len(report.entities),
        lines=lines,
    )
    # No retry of Dagster's: it would read the same wrong data again.
    return dg.Failure(message, {"failed": failures_table(report)}, allow_retries=False)
