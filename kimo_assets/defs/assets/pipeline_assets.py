"""The three assets, partitioned by entity: erp_staging -> kimo_tables -> sync_payloads; and the
sources before them.
"""

from datetime import timedelta
from typing import Any

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


class GuardedConfig(dg.Config):
    """Of the steps that guards may stop."""

    allow_shrink: bool = Field(
        default=False,
        description=(
            "Go on even if far fewer rows are there than the last time, or an agent loses most of"
            " his."
        ),
    )


_SOURCE_TITLES = {
    "erp": "Database di integrazione dell'ERP",
    "crm": "Database di integrazione del CRM",
}
# SQLAlchemy's names of databases that Dagster has a picture of by another one.
_KINDS = {"mssql": "sqlserver", "postgresql": "postgres"}


def source_assets(config: KimoConfig) -> list[dg.AssetSpec]:
    """The integration databases: the ERP's own, nobody makes them here."""
    return [
        dg.AssetSpec(
            name,
            group_name=GROUP,
            owners=OWNERS,
            kinds={_kind(source.sqlalchemy_url.get_backend_name())},
            description=(
                f"{_SOURCE_TITLES[name]}. What Step 1 reads: its tables or views, as `entities` of"
                " kimo.yaml maps them. Kimo writes nothing there but its semaphore and what it"
                " exports (`erp_outbox`). `kimo check` holds the mapping against it."
            ),
            metadata={"docs": dg.MetadataValue.path("docs/mapping.md")},
        )
        for name, source in config.sources.items()
    ]


def _kind(dialect: str) -> str:
    return _KINDS.get(dialect, dialect)


def build_assets(config: KimoConfig) -> list[dg.AssetsDefinition]:
    partitions = dg.StaticPartitionsDefinition(config.entity_names)
    common: dict[str, Any] = {
        "partitions_def": partitions,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "required_resource_keys": {RESOURCE},
        "pool": pool_of(config, DATA_POOL),
        "owners": OWNERS,
        "group_name": GROUP,
        "metadata": GUIDE,
    }

    @dg.asset(
        deps=list(config.sources),
        kinds={"postgres"},
        tags={"kimo/step": "1"},
        description=(
            f"{STEP_TITLES[1]}. Each mapped entity, whole, from the ERP into schema `integrator`:"
            " every value cast and checked, refused rows kept in the quarantine with their"
            " reason, the new snapshot swapped in at once."
        ),
        **common,
    )
    def erp_staging(context: dg.AssetExecutionContext, config: GuardedConfig) -> None:
        _materialize(context, 1, allow_shrink=config.allow_shrink)

    @dg.asset(
        deps=[erp_staging],
        kinds={"postgres"},
        tags={"kimo/step": "2"},
        description=(
            f"{STEP_TITLES[2]}. Kimo's tables become the snapshot in one transaction: inserted,"
            " updated, archived, unchanged; rows with pending edits are held; references that"
            " point nowhere are counted."
        ),
        **common,
    )
    def kimo_tables(context: dg.AssetExecutionContext, config: GuardedConfig) -> None:
        _materialize(context, 2, allow_shrink=config.allow_shrink)

    # Dagster takes no shorter window than a minute.
    fresh = timedelta(hours=max(config.limits.fresh_hours, 1 / 60))

    @dg.asset(
        deps=[kimo_tables, menu.IMPORT_FILES.asset, menu.GEOCODE.asset],
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=fresh),
        kinds={"csv", "file"},
        tags={"kimo/step": "3"},
        description=(
            f"{STEP_TITLES[3]}. For every agent exactly the visible rows: objects shared by the"
            " agents who see the same, and a manifest per agent, replaced at once. What did not"
            " change costs nothing."
        ),
        **common,
    )
    def sync_payloads(context: dg.AssetExecutionContext) -> None:
        _materialize(context, 3)

    return [erp_staging, kimo_tables, sync_payloads]


def _materialize(
    context: dg.AssetExecutionContext, step: int, *, allow_shrink: bool = False
) -> None:
    if not chooses_partitions(context.run.tags):
        raise dg.Failure(_NO_CHOICE, allow_retries=False)
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    report = kimo.step(
        step, context.partition_keys, allow_shrink=allow_shrink, log=context.log.info
    )
    context.log.info(step_summary(report))
    metadata = recorded_metadata(kimo.open().connection, kimo.config, report)
    if step == 3:
        record_agent_payloads(context, kimo, report)
        record_settings(context, kimo)
    if not report.failures:
        for name, values in metadata.items():
            context.add_asset_metadata(values, partition_key=name)
        return
    # Of a step that fails, exactly the partitions logged before are recorded.
    asset = asset_key(kimo.config, ASSET_OF_STEP[step])
    for name, values in metadata.items():
        context.log_event(dg.AssetMaterialization(asset, partition=name, metadata=values))
    raise failure(report)


# Against Dagster's own question, a job of partitions can be launched without one.
_NO_CHOICE = (
    "No partition was chosen, so nothing was done. For all entities: Lineage, `Materialize all`,"
    f" `All`; or the job `{menu.IMPORT_ENTITIES.job}` with `entities` left empty."
)


def failure(report: StepReport) -> dg.Failure:
    """One Dagster failure that names each failed entity and why."""
    lines = "; ".join(
        f"{', '.join(names)}: {reason}"
        for reason, names in by_reason(report.failures.items()).items()
    )
    return dg.Failure(
        description=(
            f"{STEP_TITLES[report.step]}: {len(report.failures)} of {len(report.entities)} entities"
            f" failed, the others are done and kept. {lines}"
        ),
        metadata={"failed": failures_table(report)},
        allow_retries=False,
    )
