"""A small company with a Dagster instance of its own, as `kimo` would make it for kimo.yaml."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
import pytest

from kimo_assets.database.server import Database
from kimo_assets.defs.in_process import launch_import
from kimo_assets.defs.instance import dagster_home
from kimo_assets.reports import ImportReport
from kimo_assets_tests.support.company import Row, World

ASSETS = ("erp_staging", "kimo_tables", "sync_payloads")

# Five areas of the catalogue, what is linked to what, and two rows that are refused.
ERP: dict[str, list[Row]] = {
    "Language": [{"Id": "it", "Description": "Italiano"}],
    "SalesAgent": [{"Id": "AG1", "Description": "Anna"}, {"Id": "AG2", "Description": "Bruno"}],
    "Zone": [{"Id": "N", "Description": "Nord"}, {"Id": "S", "Description": "Sud" * 40}],
    "Account": [
        {"Id": "C1", "Name": "Bar Uno", "ZoneId": "N", "VatNumber": "1|2"},
        {"Id": "C2", "Name": "Caffè Due", "ZoneId": "X", "VatNumber": ""},
    ],
    "SalesAgentPerAccount": [
        {"AccountId": "C1", "SalesAgentId": "AG1"},
        {"AccountId": "C2", "SalesAgentId": "AG2"},
    ],
    "Item": [{"Id": "I1", "Description": "Acqua"}, {"Id": "I2", "Description": "Birra"}],
    "ItemTranslation": [
        {"ItemId": "I1", "LanguageId": "it", "Description": "Acqua"},
        {"ItemId": "I9", "LanguageId": "it", "Description": "Di nessuno"},
    ],
    "PriceList": [{"Id": "P", "Description": "Listino", "Priority": 1}],
}


@dataclass
class Company(World):
    """A world whose imports are Dagster runs."""

    def launch(self, **options: Any) -> ImportReport:
        return launch_import(self.config, self.database, **options)

    def instance(self) -> dg.DagsterInstance:
        """To be used as a context."""
        return dg.DagsterInstance.from_config(str(dagster_home(self.config, self.database)))

    def materialized(self) -> dict[str, set[str]]:
        """asset -> the partitions that Dagster shows as materialized."""
        with self.instance() as instance:
            return {
                asset: instance.get_materialized_partitions(dg.AssetKey(asset)) for asset in ASSETS
            }

    def metadata(self, asset: str, partition: str) -> dict[str, Any]:
        """What the partition's page shows: the last materialization's metadata, as plain values."""
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[partition])
        with self.instance() as instance:
            record = instance.fetch_materializations(wanted, limit=1).records[0]
        assert record.asset_materialization is not None
        return {name: value.value for name, value in record.asset_materialization.metadata.items()}

    def runs(self) -> Sequence[dg.DagsterRun]:
        """Newest first."""
        with self.instance() as instance:
            return instance.get_runs()


@pytest.fixture(scope="session")
def new_company(
    new_database: Callable[[], Database],
    new_dagster_url: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], Company]:
    """Makes companies: their ERP filled, nothing imported yet."""

    def make() -> Company:
        own = replace(new_database(), dagster_url=new_dagster_url())
        company = Company(tmp_path_factory.mktemp("company"), own)
        company.erp(**ERP)
        return company

    return make


@pytest.fixture
def company(new_company: Callable[[], Company]) -> Company:
    """A company of this test alone."""
    return new_company()
