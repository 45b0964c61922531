"""Preparing the settings alone, as a job: settings.json and its objects, without a look at any
entity.
"""

from collections.abc import Sequence

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.defs.assets.metadata import MetadataValues, markdown_table, summary_metadata
from kimo_assets.defs.naming import asset_key
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.pipeline.steps import settings_step
from kimo_assets.sync.publishing.settings import SETTINGS_FILE, published_settings
from kimo_assets.sync.store.store import Store


def settings_asset(upstream: str, *, owners: Sequence[str], group: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        menu.SETTINGS.asset,
        deps=[upstream],
        group_name=group,
        owners=owners,
        kinds={"json"},
        description=(
            f"{menu.SETTINGS.title}. The console's tables as all tablets get them: business"
            " rules (those that the ERP sends prevail), roles, document types, metadata ... The"
            " job of that name and every step 3 record here what the tablets have now. `kimo"
            " settings load` brings a changed settings.yaml in."
        ),
        metadata={"docs": dg.MetadataValue.path("docs/settings.md")},
    )


def record_settings(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, kimo: KimoRun
) -> None:
    """One materialization of the settings: what is in the store after whoever has just prepared
    them.
    """
    published = published_settings(Store(kimo.config.sync_store))
    if published:
        metadata = _shown(published, kimo.config.sync_store)
        context.log_event(
            dg.AssetMaterialization(asset_key(kimo.config, menu.SETTINGS.asset), metadata=metadata)
        )


def _shown(published: dict[str, tuple[int, int]], store: str) -> MetadataValues:
    rows = [[name, count, size] for name, (count, size) in published.items() if count]
    return {
        "rows": sum(count for count, _ in published.values()),
        "bytes": sum(size for _, size in published.values()),
        "tables": len(rows),
        "by table": dg.MetadataValue.md(
            markdown_table(["table", "rows", "bytes"], rows) if rows else "no rows"
        ),
        "file": dg.MetadataValue.path(f"{store}/{SETTINGS_FILE}"),
    }


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
