"""The assets beside the pipeline, in which the export and the side jobs record what they did."""

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import ASSET_OF_STEP
from kimo_assets.defs.naming import GROUP, OWNERS


def outbox_asset() -> dg.AssetSpec:
    return dg.AssetSpec(
        menu.EXPORT.asset,
        deps=[ASSET_OF_STEP[2]],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres"},
        description=(
            f"{menu.EXPORT.title}. What agents created or edited, on its way to the ERP's"
            " tables: each head with its lines, exactly once. Every export records here what was"
            " sent, held back and why. The ERP's answer comes back with the import. `kimo export"
            " status` follows a single record."
        ),
    )


def task_assets() -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            menu.IMPORT_FILES.asset,
            deps=[ASSET_OF_STEP[2]],
            group_name=GROUP,
            owners=OWNERS,
            kinds={"file"},
            description=(
                f"{menu.IMPORT_FILES.title}, {menu.DOWNLOAD_IMAGES.title}. The pictures"
                " that rows name, checked and made small, in the public folder, each with a square"
                " thumbnail. Both jobs record here what they made, and what could not be used and"
                " why. Agents get the names with the next step 3 (PublicImage)."
            ),
        ),
        dg.AssetSpec(
            menu.GEOCODE.asset,
            deps=[ASSET_OF_STEP[2]],
            group_name=GROUP,
            owners=OWNERS,
            kinds={"postgres"},
            description=(
                f"{menu.GEOCODE.title}. Where customers and ship-to sites are, as"
                " Google answers for their addresses, and how well it knows: a picture, a table by"
                " province, and the addresses to correct. Agents get the coordinates with the next"
                " step 3 (EntityGeoposition)."
            ),
        ),
    ]
