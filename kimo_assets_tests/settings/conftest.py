"""A company with two agents and two warehouses, and settings files for it."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from kimo_assets.pipeline.steps import open_run
from kimo_assets.settings import LoadedSettings, load_settings, read_settings
from kimo_assets_tests.support.company import World, agents, ids

FULL = """
    BusinessRule:
      ErpDocument\\FilterPerUser: 0
      Sync\\Motto: ''
    Role:
      AGENTE: {Name: Agente, RoleTypeId: SalesAgent, CanSeeAccounts: true}
      CAPO: {Name: Capoarea, RoleTypeId: 0}
    NumbersRegistry: {T: {Prefix: T}}
    Layout: {L: {Definition: "riga 1\\nriga 2 \\u00e8"}}
    User:
      anna: {UserName: anna, Name: "D'Anna", UserTypeId: SalesAgent, SalesAgentId: A1,
        WarehouseId: W1, Language: IT}
      anna2: {UserName: anna2, UserTypeId: SalesAgent, SalesAgentId: A1, WarehouseId: W2,
        NumbersRegistryId: T, LayoutId: L}
      007: {UserName: "null", UserTypeId: Admin, Email: a@b.example}
    UserRole:
      anna: [AGENTE, CAPO]
      anna2: [AGENTE]
      007: [CAPO]
    DocumentType: {ORD: {Code: 1, DocumentFamilyId: SalesOrders, CanSendToErp: 1,
      NumbersRegistryId: T, SortPriority: 0}}
    ConsoleFreeLookup:
      Item: {1: {'': {A: Alta, B: }, X: {A: Altra}}}
    ErpStatus: {Account1: {A: Attivo, B: Bloccato}}
    EntityMetadata: {P: {Entity: Account, Origin: 1, RoleId: CAPO, SalesAgentId: A2}}
    FieldMetadata: {P: {Name: {MaxLength: 50, IsEditable: TRUE}}}
    DefaultValue: {Account: {CurrencyId: EUR},
      Document: {PaymentMethodId: '${Account.PaymentMethodId}'}}
"""


@pytest.fixture
def company(world: World) -> World:
    world.erp(SalesAgent=agents("A1", "A2"), Warehouse=ids("W1", "W2"))
    world.done(1, 2)
    return world


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        file = tmp_path / "settings.yaml"
        file.write_text(dedent(text), encoding="utf-8")
        return file

    return write


@pytest.fixture
def load(company: World, written: Callable[[str], Path]) -> Callable[[str], LoadedSettings]:
    """Loads a file of this text as the command does."""

    def load(text: str) -> LoadedSettings:
        settings = read_settings(written(text))
        with open_run(company.config, company.database, title="settings") as run:
            return load_settings(run.connection, settings)

    return load
