"""The vendor's ten endpoints (fact sheet, section 3), and the job of the menu entry that each
starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any

from kimo_assets.reports import title_of

PREFIX = "/server/Integration"
STATUS = "Status"


class Work(Enum):
    """What a job works on. Only jobs of one kind ever wait for each other."""

    DATA = "data"
    PICTURES = "pictures"
    POSITIONS = "positions"


@dataclass(frozen=True)
class Endpoint:
    """is_partitioned: an asset job, whose one run is about the whole range of partitions. mask_op:
    takes the mask.
    """

    name: str
    job: str
    work: Work = Work.DATA
    is_partitioned: bool = False
    mask_op: str | None = None

    @property
    def title(self) -> str:
        return title_of(self.job)

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("tables", "onlyListed") if self.mask_op else ()

    def run_config(self, tables: Sequence[str], *, only_listed: bool) -> dict[str, Any]:
        if self.mask_op is None:
            return {}
        return {
            "ops": {
                self.mask_op: {"config": {"entities": ",".join(tables), "only_listed": only_listed}}
            }
        }


ENDPOINTS = {
    endpoint.name: endpoint
    for endpoint in (
        Endpoint("FullImportFromErp", "full_import_from_erp", is_partitioned=True),
        Endpoint("ImportFromErp", "import_entities", mask_op="import_named_entities"),
        Endpoint("LoadFromIntegrator", "step_2_load_from_integrator", is_partitioned=True),
        Endpoint("ImportFiles", "import_files", Work.PICTURES),
        Endpoint("DownloadItemsImages", "download_items_images", Work.PICTURES),
        Endpoint("GeocodeAddresses", "geocode_addresses", Work.POSITIONS),
        Endpoint("SyncDataCreation", "step_3_sync_data_creation", is_partitioned=True),
        Endpoint("SettingsSyncDataCreation", "settings_sync_data_creation"),
        Endpoint(
            "LoadFromIntegratorAndPrepareSyncData",
            "step_2_3_load_and_sync_data_creation",
            is_partitioned=True,
        ),
        Endpoint("ExportToErp", "export_to_erp"),
    )
}

# Jobs that make an endpoint's request be discarded while they run, by what they work on; who
# started them does not matter.
WORK_OF_JOB = {endpoint.job: endpoint.work for endpoint in ENDPOINTS.values()} | {
    "step_1_import_from_erp": Work.DATA,
    "undo_load": Work.DATA,
    "retry_rejected": Work.DATA,
    "__ASSET_JOB": Work.DATA,  # Materialize
}
_BY_FOLD = {name.casefold(): endpoint for name, endpoint in ENDPOINTS.items()}


def endpoint_of(name: str) -> Endpoint | None:
    """Upper or lower case does not matter, as it does not to IIS."""
    return _BY_FOLD.get(name.casefold())


def nearest_endpoints(name: str) -> list[str]:
    return [
        _BY_FOLD[fold].name
        for fold in get_close_matches(name.casefold(), _BY_FOLD, n=3, cutoff=0.6)
    ]
