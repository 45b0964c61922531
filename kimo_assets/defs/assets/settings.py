"""The asset settings: the console's tables as the tablets have them, recorded after each step."""

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import ASSET_OF_STEP
from kimo_assets.defs.assets.metadata import MetadataValues, markdown_table
from kimo_assets.defs.naming import GROUP, OWNERS, asset_key
from kimo_assets.defs.resource import KimoRun
from kimo_assets.sync.publishing.settings import SETTINGS_FILE, published_settings
from kimo_assets.sync.store.store import Store
from kimo_assets.texts import say


def settings_asset() -> dg.AssetSpec:
    """The asset of what the tablets have of the console's tables."""
    return dg.AssetSpec(
        menu.SETTINGS.asset,
        deps=[ASSET_OF_STEP[2]],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"json"},
        description=say("defs.asset.settings", title=menu.SETTINGS.title),
        metadata={"docs": dg.MetadataValue.path("docs/settings.md")},
    )


def record_settings(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, kimo: KimoRun
) -> None:
    """One materialization of the settings, as the store has them after the step."""
    published = published_settings(Store(kimo.config.sync_store))
    if published:
        metadata = _shown(published, kimo.config.sync_store)
        context.log_event(
            dg.AssetMaterialization(asset_key(kimo.config, menu.SETTINGS.asset), metadata=metadata)
        )


def _shown(published: dict[str, tuple[int, int]], store: str) -> MetadataValues:
    rows = [[name, count, size] for name, (count, size) in published.items() if count]
    table = say("defs.no_rows")
    if rows:
        table = markdown_table(["table", "rows", "bytes"], rows)
    return {
        "rows": sum(count for count, _ in published.values()),
        "bytes": sum(size for _, size in published.values()),
        "tables": len(rows),
        "by table": dg.MetadataValue.md(table),
        "file": dg.MetadataValue.path(f"{store}/{SETTINGS_FILE}"),
    }
