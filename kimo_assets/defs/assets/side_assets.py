"""The assets beside the pipeline, in which the export and the side jobs record what they did."""

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import ASSET_OF_STEP
from kimo_assets.defs.naming import GROUP, OWNERS
from kimo_assets.texts import say


def outbox_asset() -> dg.AssetSpec:
    """The asset of what is on its way to the ERP. Every export records it."""
    # A spec has no body, so that the UI offers no Materialize: the work is done by a job.
    return dg.AssetSpec(
        menu.EXPORT.asset,
        deps=[ASSET_OF_STEP[2]],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres"},
        description=say("defs.asset.erp_outbox", title=menu.EXPORT.title),
    )


def task_assets() -> list[dg.AssetSpec]:
    """The public pictures and the coordinates."""
    return [
        dg.AssetSpec(
            menu.IMPORT_FILES.asset,
            deps=[ASSET_OF_STEP[2]],
            group_name=GROUP,
            owners=OWNERS,
            kinds={"file"},
            description=say(
                "defs.asset.public_images",
                files=menu.IMPORT_FILES.title,
                download=menu.DOWNLOAD_IMAGES.title,
            ),
        ),
        dg.AssetSpec(
            menu.GEOCODE.asset,
            deps=[ASSET_OF_STEP[2]],
            group_name=GROUP,
            owners=OWNERS,
            kinds={"postgres"},
            description=say("defs.asset.geopositions", title=menu.GEOCODE.title),
        ),
    ]
