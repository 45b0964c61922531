"""Which table is which entity, and which column which field, by name."""

import pytest

from kimo_assets.catalog import load_catalog
from kimo_assets.setup.matching import Tier, certain, match_columns, match_tables
from kimo_assets.sources.discovery import Offered


def chosen(*names: str) -> dict[str, str]:
    """entity -> the table taken for certain."""
    found = {
        entity: certain(matches)
        for entity, matches in match_tables([Offered(None, n) for n in names]).items()
    }
    return {entity: match.offered.name for entity, match in found.items() if match}


@pytest.mark.parametrize(
    ("table", "entity"),
    [
        ("Account", "Account"),
        ("ACCOUNT", "Account"),
        ("sales_agent_per_account", "SalesAgentPerAccount"),
        ("KIMO_ITEM", "Item"),
        ("KIMOITEM", "Item"),
        ("KimoItem", "Item"),
        ("V_ITEM_LIST_PRICE", "ItemListPrice"),
        ("vwItemListPrice", "ItemListPrice"),
        ("ITEM_LIST_PRICE_VIEW", "ItemListPrice"),
        ("KIMO_ERP_DOCUMENT", "ErpDocument"),
        ("tbl Zone", "Zone"),
    ],
)
def test_a_table_carries_an_entitys_name_ignoring_case_underscores_and_words_that_say_nothing(
    table: str, entity: str
) -> None:
    assert chosen(table, "CLIENTI") == {entity: table}


@pytest.mark.parametrize(
    "table", ["ACCOUNT_OLD", "Account_2023", "ACCOUNT_BAK", "MY_ACCOUNT", "Accounts", "TABITEMS"]
)
def test_a_name_that_is_only_alike_is_not_taken(table: str) -> None:
    assert chosen(table) == {}


def test_a_prefix_that_many_tables_share_says_nothing_either() -> None:
    assert chosen("ACME_ITEM", "ACME_ZONE") == {}
    assert chosen("ACME_ITEM", "ACME_ZONE", "ACME_ACCOUNT") == {
        "Item": "ACME_ITEM",
        "Zone": "ACME_ZONE",
        "Account": "ACME_ACCOUNT",
    }


def test_backups_of_many_tables_are_still_backups() -> None:
    assert chosen("ITEM_OLD", "ZONE_OLD", "ACCOUNT_OLD", "CURRENCY_OLD") == {}


@pytest.mark.parametrize(
    "tables",
    [
        ("KIMO_ACCOUNT", "ACCOUNT", "Account"),
        ("Account", "ACCOUNT_OLD"),
        ("V_ACCOUNT", "ACC_OUNT", "Account"),
    ],
)
def test_an_exact_name_wins(tables: tuple[str, ...]) -> None:
    assert chosen(*tables) == {"Account": "Account"}


def test_of_two_that_are_equally_sure_none_is_taken() -> None:
    assert chosen("KIMO_ACCOUNT", "V_ACCOUNT") == {}
    assert chosen("ACCOUNT", "account") == {}


def test_a_plural_is_a_guess_at_its_singular() -> None:
    found = match_tables([Offered(None, "ItemGroups")])
    assert [(match.entity, match.tier) for matches in found.values() for match in matches] == [
        ("ItemGroup", Tier.GUESS)
    ]


def test_every_entitys_own_name_is_its_own_and_no_others() -> None:
    names = list(load_catalog().entities)
    assert chosen(*names) == {name: name for name in names}
    prefixed = [f"KIMO_{name.upper()}" for name in names]
    assert chosen(*prefixed) == dict(zip(names, prefixed, strict=True))


def test_columns_match_by_case_first_and_by_underscores_second() -> None:
    available = ["ID", "ADDRESS_CITY", "Name", "NAME_", "CODFIS", "VAT_NUMBER"]
    found = match_columns(load_catalog()["Account"], available)
    assert found.fields["Id"] == "ID"
    assert found.fields["Name"] == "Name"
    assert dict(found.renamed) == {"AddressCity": "ADDRESS_CITY", "VatNumber": "VAT_NUMBER"}
    assert found.unused == ("NAME_", "CODFIS")


def test_two_columns_that_may_be_one_field_are_left_to_the_reader() -> None:
    found = match_columns(load_catalog()["Account"], ["Id", "ADDRESS_CITY", "AddressCity_"])
    assert found.unclear == {"AddressCity": ("ADDRESS_CITY", "AddressCity_")}
    assert "AddressCity" not in found.fields
