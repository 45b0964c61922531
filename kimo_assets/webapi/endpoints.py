"""The vendor's ten endpoints (fact sheet, section 3): each starts the job of a menu entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from kimo_assets.catalog.menu import MENU, MenuEntry, Work

PREFIX = "/server/Integration"
STATUS = "Status"


@dataclass(frozen=True)
class Endpoint:
    """An endpoint, by its entry in the menu."""

    entry: MenuEntry

    @property
    def name(self) -> str:
        return self.entry.endpoint

    @property
    def job(self) -> str:
        return self.entry.job

    @property
    def title(self) -> str:
        return self.entry.title

    @property
    def work(self) -> Work | None:
        return self.entry.work

    @property
    def is_partitioned(self) -> bool:
        """Whether one run is about the whole range of partitions, as an asset job's is."""
        return bool(self.entry.steps)

    @property
    def has_mask(self) -> bool:
        return self.entry.has_mask

    @property
    def parameters(self) -> tuple[str, ...]:
        if self.has_mask:
            return ("tables", "onlyListed")
        return ()

    def run_config(self, tables: Sequence[str], *, only_listed: bool) -> dict[str, Any]:
        """What the job is asked for. tables: of the vendor's mask."""
        if not self.has_mask:
            return {}
        return {
            "ops": {
                self.entry.op: {
                    "config": {"entities": ",".join(tables), "only_listed": only_listed}
                }
            }
        }


ENDPOINTS = {entry.endpoint: Endpoint(entry) for entry in MENU if entry.endpoint}
_BY_FOLD = {name.casefold(): endpoint for name, endpoint in ENDPOINTS.items()}


def endpoint_of(name: str) -> Endpoint | None:
    """Upper or lower case does not matter, as in the vendor's IIS."""
    return _BY_FOLD.get(name.casefold())


def nearest_endpoints(name: str) -> list[str]:
    """The endpoints whose names look like this one."""
    return [
        _BY_FOLD[fold].name
        for fold in get_close_matches(name.casefold(), _BY_FOLD, n=3, cutoff=0.6)
    ]
