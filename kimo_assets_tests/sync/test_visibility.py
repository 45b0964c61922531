"""For every kind of scope a small world, and exactly the Ids that each agent's tablet holds."""

from contextlib import closing
from typing import Any

import pytest

from kimo_assets.catalog import load_catalog, scopes
from kimo_assets_tests.support.company import Row, World, agents, ids, links, rules

# Accounts A and B of agents 1 and 2, C of both, D of nobody.
BASE: dict[str, list[Row]] = {
    "SalesAgent": agents("1", "2", "3"),
    "Account": ids("A", "B", "C", "D"),
    "SalesAgentPerAccount": links("AccountId", "SalesAgentId", "A 1", "B 2", "C 1", "C 2"),
}
# Items of two trademarks: agent 1 has T1, agent 2 has T2, agent 3 none, so that none restricts it.
ITEMS: dict[str, list[Row]] = {
    "Trademark": ids("T1", "T2"),
    "TrademarkPerUser": links("TrademarkId", "SalesAgentId", "T1 1", "T2 2"),
    "Item": [
        *ids("I1", TrademarkId="T1"),
        *ids("I2", TrademarkId="T2"),
        *ids("I0", TrademarkId=None),
    ],
}


def seen(world: World, entity: str, **tables: list[Row]) -> dict[str, str]:
    """What agents see of the entity after an import of the base world with these tables."""
    world.erp(**{**BASE, **tables})
    world.done(allow_shrink=True)
    return world.seen(entity)


# --- everyone, none, agent_column
# ---------------------------------------------------------------------------------


def test_what_is_for_everyone_is_seen_by_everyone(world: World) -> None:
    assert seen(world, "Trademark", Trademark=ids("T1", "T2")) == {
        "1": "T1 T2",
        "2": "T1 T2",
        "3": "T1 T2",
    }


def test_what_is_for_nobody_is_in_no_tablet(world: World) -> None:
    cases = ids("1", AccountId="A", ItemId="I")
    assert seen(world, "DiagnosticPriceTestCase", DiagnosticPriceTestCase=cases) == {
        "1": "",
        "2": "",
        "3": "",
    }


def test_a_row_that_names_an_agent_is_that_agents_only(world: World) -> None:
    rows = [
        {"Id": "x", "BudgetId": "b", "SalesAgentId": "1"},
        {"Id": "y", "BudgetId": "b", "SalesAgentId": None},
        {"Id": "z", "BudgetId": "b", "SalesAgentId": "9"},
        {"Id": "w", "BudgetId": "b", "SalesAgentId": "2"},
    ]
    assert seen(world, "BudgetPerSalesAgent", BudgetPerSalesAgent=rows) == {
        "1": "x",
        "2": "w",
        "3": "",
    }


def test_a_row_that_names_no_agent_is_for_everyone_where_the_scope_says_so(world: World) -> None:
    rows = [*ids("x", SalesAgentId="1"), *ids("y", SalesAgentId=None), *ids("z", SalesAgentId="9")]
    assert seen(world, "CatalogPriceList", CatalogPriceList=rows) == {
        "1": "x y",
        "2": "y",
        "3": "y",
    }


def test_an_agent_knows_all_of_itself_and_of_its_colleagues_code_and_name_only(
    world: World,
) -> None:
    private = [
        {
            "Id": code,
            "Description": f"Agent {code}",
            "FreeText1": f"secret {code}",
            "Phone": f"phone {code}",
        }
        for code in "123"
    ]
    seen(world, "SalesAgent", SalesAgent=private)
    for code in "123":
        rows = world.received(
            code, "SELECT Id, Description, FreeText1, Phone FROM SalesAgent ORDER BY Id"
        )
        assert rows == [
            (
                (other, f"Agent {other}", f"secret {other}", f"phone {other}")
                if other == code
                else (other, f"Agent {other}", None, None)
            )
            for other in "123"
        ]


def test_no_object_that_an_agent_may_fetch_holds_a_colleagues_private_columns(world: World) -> None:
    from kimo_assets.sync.client.client import read_manifest
    from kimo_assets.sync.store.store import Store
    from kimo_assets_tests.sync.test_format import objects_in, text_of

    seen(
        world,
        "SalesAgent",
        SalesAgent=[{"Id": code, "FreeText1": f"secret {code}"} for code in "123"],
    )
    store = Store(str(world.store))
    for code in "123":
        listed = [
            text_of(world.store, sha256)
            for entity in read_manifest(store, code)["entities"].values()
            for sha256, _ in objects_in(entity)
        ]
        assert any(f"secret {code}" in text for text in listed)
        assert not any(
            f"secret {other}" in text for other in set("123") - {code} for text in listed
        )


# --- via_link, via_account, any_of with fallbacks
# -----------------------------------------------------------------


def test_customers_are_seen_by_the_agents_linked_to_them(world: World) -> None:
    assert seen(world, "Account") == {"1": "A C", "2": "B C", "3": ""}


def test_a_shipment_site_is_seen_with_its_head_office_and_a_customer_is_not(world: World) -> None:
    accounts = [
        *ids("A", "B"),
        *ids("SA", HeadOfficeId="A", AccountTypeId=2),
        *ids("SSA", HeadOfficeId="SA", AccountTypeId=2),
        *ids("A2", HeadOfficeId="A", AccountTypeId=1),
        *ids("SX", HeadOfficeId="X", AccountTypeId=2),
    ]
    assert seen(world, "Account", Account=accounts) == {"1": "A SA SSA", "2": "B", "3": ""}


def test_a_site_of_its_own_agent_is_seen_by_that_one_and_by_its_head_offices(world: World) -> None:
    accounts = [*ids("A", "B"), *ids("SA", HeadOfficeId="A", AccountTypeId=2)]
    agent_links = links("AccountId", "SalesAgentId", "A 1", "B 2", "SA 3")
    assert seen(world, "Account", Account=accounts, SalesAgentPerAccount=agent_links) == {
        "1": "A SA",
        "2": "B",
        "3": "SA",
    }


def test_reference_agent_and_creator_count_only_for_customers_without_any_agent(
    world: World,
) -> None:
    accounts = [
        *ids("A", "B", SalesAgentId="3", CreatorId="3"),
        *ids("P", SalesAgentId="1"),
        *ids("Q", CreatorId="2"),
        *ids("R", SalesAgentId="1", CreatorId="2"),
        *ids("S", HeadOfficeId="A", AccountTypeId=2, SalesAgentId="3"),
        *ids("T", HeadOfficeId="X", AccountTypeId=2, SalesAgentId="3"),
    ]
    assert seen(world, "Account", Account=accounts) == {"1": "A P R S", "2": "B Q R", "3": "T"}


def test_sites_of_sites_settle_whatever_their_own_agents_are(world: World) -> None:
    accounts = [
        *ids("A"),
        *ids("S1", HeadOfficeId="A", AccountTypeId=2, SalesAgentId="1"),
        *ids("S2", HeadOfficeId="S1", AccountTypeId=2, SalesAgentId="2"),
    ]
    tables = {
        "Account": accounts,
        "SalesAgentPerAccount": links("AccountId", "SalesAgentId", "A 2"),
        "Contact": [{"Id": f"c{account}", "AccountId": account} for account in ("A", "S1", "S2")],
    }
    assert seen(world, "Account", **tables) == {"1": "", "2": "A S1 S2", "3": ""}
    assert world.seen("Contact") == {"1": "", "2": "cA cS1 cS2", "3": ""}


def test_what_belongs_to_a_customer_is_seen_with_it(world: World) -> None:
    contacts = [
        {"Id": f"C{account}", "AccountId": account} for account in ("A", "B", "C", "D", "X", None)
    ]
    assert seen(world, "Contact", Contact=contacts) == {"1": "CA CC", "2": "CB CC", "3": ""}


def test_what_is_for_no_customer_in_particular_is_for_everyone_where_the_scope_says_so(
    world: World,
) -> None:
    charges = [{"Id": f"C{account}", "AccountId": account} for account in ("A", "B", "X", None)]
    assert seen(world, "ShippingCharge", ShippingCharge=charges) == {
        "1": "CA CNone",
        "2": "CB CNone",
        "3": "CNone",
    }


def test_a_link_table_opens_nothing_else_and_a_row_that_is_not_linked_stays_hidden(
    world: World,
) -> None:
    budgets = [*ids("b1", "b2", "b3"), *ids("b4", SalesAgentId="3"), *ids("b5", SalesAgentId="1")]
    agent_links = links("BudgetId", "SalesAgentId", "b1 1", "b1 2", "b2 2", "b5 2")
    assert seen(world, "Budget", Budget=budgets, BudgetPerSalesAgent=agent_links) == {
        "1": "b1 b5",
        "2": "b1 b2 b5",
        "3": "b4",
    }


def test_a_row_that_is_not_linked_is_for_everyone_where_the_scope_says_so(world: World) -> None:
    rows = [*ids("r0", "r1", "r2"), *ids("rA", CustomerId="A"), *ids("rA2", CustomerId="A")]
    agent_links = links("ReassortmentId", "SalesAgentId", "r1 1", "r2 9", "rA2 2")
    assert seen(
        world, "Reassortment", Reassortment=rows, ReassortmentPerSalesAgent=agent_links
    ) == {
        "1": "r0 r1 rA",
        "2": "r0",
        "3": "r0",
    }


# --- items: via_shared_filter, via_trademark, channel, via_item
# ---------------------------------------------------


def test_items_are_seen_by_agents_of_their_trademark_and_by_agents_without_any(
    world: World,
) -> None:
    assert seen(world, "Item", **ITEMS) == {"1": "I0 I1", "2": "I0 I2", "3": "I0 I1 I2"}


def test_items_with_filters_are_seen_by_agents_who_share_one(world: World) -> None:
    assert seen(
        world,
        "Item",
        Item=ids("I0", "I1", "I2", "I12", "I9"),
        VisibilityFilter=ids("F1", "F2", "F9"),
        VisibilityFilterPerItem=links(
            "ItemId", "VisibilityFilterId", "I1 F1", "I2 F2", "I12 F1", "I12 F2", "I9 F9"
        ),
        VisibilityFilterPerSalesAgent=links("SalesAgentId", "VisibilityFilterId", "1 F1", "2 F2"),
    ) == {"1": "I0 I1 I12", "2": "I0 I12 I2", "3": "I0"}


def test_items_of_other_channels_are_not_for_agents(world: World) -> None:
    channels = {
        "none": None,
        "sfa": "SFA",
        "lower": "sfa",
        "b2b": "B2B",
        "both": "B2B|SFA",
        "list": "B2B, SFA",
        "x": "SFAX",
    }
    items = [{"Id": key, "ChannelsEnabled": value} for key, value in channels.items()]
    assert seen(world, "Item", Item=items)["1"] == "both list lower none sfa"


def test_the_codes_of_the_agents_channel_come_from_the_configuration(world: World) -> None:
    items = [
        {"Id": "a", "ChannelsEnabled": 1},
        {"Id": "b", "ChannelsEnabled": 2},
        {"Id": "c", "ChannelsEnabled": 3},
    ]
    world.settings = {"sync": {"channel_codes": ["1", "3"]}}
    assert seen(world, "Item", Item=items)["1"] == "a c"
    world.settings = {"sync": {"channel_codes": ["2"]}}
    assert seen(world, "Item", Item=items)["1"] == "b"


def test_what_belongs_to_an_item_is_seen_with_it(world: World) -> None:
    texts = [{"Id": f"t{item}", "ItemId": item, "LanguageId": "it"} for item in ("I0", "I1", "I2")]
    lost = [{"Id": "lost", "ItemId": None, "LanguageId": "it"}]
    assert seen(world, "ItemTranslation", ItemTranslation=[*texts, *lost], **ITEMS) == {
        "1": "tI0 tI1",
        "2": "tI0 tI2",
        "3": "tI0 tI1 tI2",
    }


def test_a_price_is_seen_where_its_item_its_customer_and_its_agent_all_are(world: World) -> None:
    prices = [
        {"Id": "all", "ItemId": "I0"},
        {"Id": "i1", "ItemId": "I1"},
        {"Id": "i1A", "ItemId": "I1", "AccountId": "A"},
        {"Id": "i1B", "ItemId": "I1", "AccountId": "B"},
        {"Id": "i0C", "ItemId": "I0", "AccountId": "C"},
        {"Id": "i0C2", "ItemId": "I0", "AccountId": "C", "SalesAgentId": "2"},
        {"Id": "i0s3", "ItemId": "I0", "SalesAgentId": "3"},
        {"Id": "no item", "ItemId": None},
    ]
    assert seen(world, "ItemListPrice", ItemListPrice=prices, **ITEMS) == {
        "1": "all i0C i1 i1A",
        "2": "all i0C i0C2",
        "3": "all i0s3 i1",
    }


# --- via_parent, by_business_rule
# ---------------------------------------------------------------------------------


DOCUMENTS: dict[str, list[Row]] = {
    "ErpDocument": [
        *ids("dA1", AccountId="A", SalesAgentId="1"),
        *ids("dA2", AccountId="A", SalesAgentId="2"),
        *ids("dB", AccountId="B", SalesAgentId=None),
        *ids("dC3", AccountId="C", SalesAgentId="3"),
    ],
    "ErpDocumentLine": [
        {"Id": f"l{document}", "ErpDocumentId": document}
        for document in ("dA1", "dA2", "dB", "dC3")
    ],
    "ErpDocumentPerSalesAgent": links("ErpDocumentId", "SalesAgentId", "dB 1", "dB 3", "dA1 2"),
}


@pytest.mark.parametrize(
    ("mode", "documents", "lines"),
    [
        (
            "0",
            {"1": "dA1 dA2 dC3", "2": "dB dC3", "3": ""},
            {"1": "ldA1 ldA2 ldC3", "2": "ldB ldC3", "3": ""},
        ),
        ("1", {"1": "dA1", "2": "dA2", "3": "dC3"}, {"1": "ldA1", "2": "ldA2", "3": "ldC3"}),
        (None, {"1": "dA1", "2": "dA2", "3": "dC3"}, {"1": "ldA1", "2": "ldA2", "3": "ldC3"}),
        ("nonsense", {"1": "dA1", "2": "dA2", "3": "dC3"}, {"1": "ldA1", "2": "ldA2", "3": "ldC3"}),
        # Headers by customer, lines by the header's owner, and never without their header.
        ("2", {"1": "dA1 dA2 dC3", "2": "dB dC3", "3": ""}, {"1": "ldA1", "2": "", "3": ""}),
        ("3", {"1": "dB", "2": "dA1", "3": "dB"}, {"1": "ldB", "2": "ldA1", "3": "ldB"}),
    ],
)
def test_documents_and_their_lines_are_seen_by_the_rules_mode(
    world: World, mode: str | None, documents: dict[str, str], lines: dict[str, str]
) -> None:
    set_by_erp = rules(ErpDocument__FilterPerUser=mode) if mode is not None else []
    assert seen(world, "ErpDocument", BusinessRuleFromErp=set_by_erp, **DOCUMENTS) == documents
    assert world.seen("ErpDocumentLine") == lines


@pytest.mark.parametrize(
    ("value", "restricted"),
    [(None, False), ("False", False), ("0", False), ("True", True), ("1", True)],
)
def test_images_are_for_everyone_or_only_for_the_items_seen_by_the_rule(
    world: World, value: str | None, restricted: bool
) -> None:
    images = [
        {"Id": f"p{item}", "ItemId": item, "FilePath": "p.png"} for item in ("I0", "I1", "I2")
    ]
    set_by_erp = rules(itemimage__shouldfilterbyactiveitems=value) if value else []
    images_seen = seen(
        world, "ItemImage", ItemImage=images, BusinessRuleFromErp=set_by_erp, **ITEMS
    )
    everything = "pI0 pI1 pI2"
    some = {"1": "pI0 pI1", "2": "pI0 pI2", "3": everything}
    assert images_seen == (some if restricted else dict.fromkeys("123", everything))


AVAILABILITIES: dict[str, list[Row]] = {
    "Warehouse": ids("W1", "W2"),
    "WarehousePerSalesAgent": links("WarehouseId", "SalesAgentId", "W1 1", "W2 2"),
    "ItemOfflineAvailability": [
        {"Id": f"{item}{house}", "ItemId": item, "WarehouseId": house or None}
        for item in ("I0", "I1")
        for house in ("W1", "W2", "")
    ],
}


@pytest.mark.parametrize("entity", ["ItemOfflineAvailability", "ItemLotOfflineAvailability"])
def test_availabilities_are_seen_by_agents_of_the_warehouse_and_by_agents_without_any(
    world: World, entity: str
) -> None:
    tables = {**AVAILABILITIES, entity: AVAILABILITIES["ItemOfflineAvailability"], **ITEMS}
    assert seen(world, entity, **tables) == {
        "1": "I0 I0W1 I1 I1W1",
        "2": "I0 I0W2",
        "3": "I0 I0W1 I0W2 I1 I1W1 I1W2",
    }
    assert seen(
        world, entity, BusinessRuleFromErp=rules(ItemAvailability__FilterMode="1"), **tables
    ) == {
        "1": "I0 I0W1 I0W2 I1 I1W1 I1W2",
        "2": "I0 I0W1 I0W2",
        "3": "I0 I0W1 I0W2 I1 I1W1 I1W2",
    }


def test_lines_are_seen_with_their_parent_and_with_their_customer(world: World) -> None:
    assert seen(
        world,
        "BudgetLine",
        Budget=[*ids("b1", SalesAgentId="1"), *ids("b2", SalesAgentId="2")],
        BudgetLine=[
            {"Id": f"{budget}{account}", "BudgetId": budget, "AccountId": account or None}
            for budget in ("b1", "b2")
            for account in ("A", "B", "C", "")
        ],
    ) == {"1": "b1 b1A b1C", "2": "b2 b2B b2C", "3": ""}


# --- any_of with filters, all_of
# ----------------------------------------------------------------------------------


ACTIVITIES: dict[str, list[Row]] = {
    "Activity": [
        *ids("aA", AccountId="A", TrademarkId="T2"),
        *ids("aB", AccountId="B", TrademarkId=None),
        *ids("own", CreatorId="3", TrademarkId="T1"),
        *ids("assigned", TrademarkId="T2"),
        *ids("lost"),
    ],
    "ActivityAssignee": links("ActivityId", "AssigneeId", "assigned 1", "assigned 2", "assigned 3"),
    **ITEMS,
}


def test_activities_are_seen_by_customer_creator_and_assignees(world: World) -> None:
    assert seen(world, "Activity", **ACTIVITIES) == {
        "1": "aA assigned",
        "2": "aB assigned",
        "3": "assigned own",
    }
    assert world.seen("ActivityAssignee") == dict.fromkeys(
        "123", "assigned|1 assigned|2 assigned|3"
    )


def test_activities_are_also_filtered_by_trademark_when_the_rule_says_so(world: World) -> None:
    rule = rules(Activity__ShouldFilterByUserTrademarks="True")
    assert seen(world, "Activity", BusinessRuleFromErp=rule, **ACTIVITIES) == {
        "1": "",
        "2": "aB assigned",
        "3": "assigned own",
    }


def test_a_trademark_of_a_customer_may_be_for_one_of_its_agents(world: World) -> None:
    rows = [
        {"Id": "any", "AccountId": "C", "TrademarkId": "T"},
        {"Id": "mine", "AccountId": "C", "TrademarkId": "T", "SalesAgentId": "1"},
        {"Id": "other", "AccountId": "A", "TrademarkId": "T", "SalesAgentId": "2"},
    ]
    assert seen(world, "TrademarkPerAccount", TrademarkPerAccount=rows) == {
        "1": "any mine",
        "2": "any",
        "3": "",
    }


# --- keys with a type: via_encoded_account, via_encoded_item, via_entity_reference
# --------------------------------


def test_a_key_of_type_account_is_seen_with_the_account_and_other_types_by_everyone(
    world: World,
) -> None:
    rows = [
        {"Id": f"{kind}{key}", "AccountEncodingType": kind, "AccountEncodingKey": key}
        for kind, key in ((0, "A"), (0, "B"), (0, "X"), (1, "A"), (1, "X"), (0, None), (None, "A"))
    ]
    everyone = "0None 1A 1X NoneA"
    assert seen(world, "PointsPerSaleBalance", PointsPerSaleBalance=rows) == {
        "1": f"0A {everyone}",
        "2": f"0B {everyone}",
        "3": everyone,
    }


def test_keys_of_type_item_and_account_both_restrict(world: World) -> None:
    of_b = {"AccountEncodingType": 0, "AccountEncodingKey": "B"}
    rows = [
        {"Id": "I1", "ItemEncodingType": 0, "ItemEncodingKey": "I1"},
        {"Id": "I1B", "ItemEncodingType": 0, "ItemEncodingKey": "I1", **of_b},
        {"Id": "I2B", "ItemEncodingType": 0, "ItemEncodingKey": "I2", **of_b},
        {"Id": "group", "ItemEncodingType": 1, "ItemEncodingKey": "I1"},
        {"Id": "I1of2", "ItemEncodingType": 0, "ItemEncodingKey": "I1", "SalesAgentId": "2"},
        {"Id": "I1of3", "ItemEncodingType": 0, "ItemEncodingKey": "I1", "SalesAgentId": "3"},
    ]
    assert seen(world, "SalesControlLine", SalesControlLine=rows, **ITEMS) == {
        "1": "I1 group",
        "2": "I2B group",
        "3": "I1 I1of3 group",
    }


def test_a_report_is_seen_with_the_row_it_is_about_whatever_entity_that_is_of(world: World) -> None:
    reports = [
        {"Id": f"{kind}-{key}", "StatisticReportTypeId": "t", "EntityType": kind, "EntityId": key}
        for kind, key in (
            ("Account", "A"),
            ("Account", "X"),
            ("Item", "I2"),
            ("Trademark", "T1"),
            ("SalesAgent", "3"),
            ("NoEntity", "A"),
            ("StatisticReport", "A"),
            (None, "A"),
        )
    ]
    assert seen(world, "StatisticReport", StatisticReport=reports, **ITEMS) == {
        "1": "Account-A Trademark-T1",
        "2": "Item-I2 Trademark-T1",
        "3": "Item-I2 SalesAgent-3 Trademark-T1",
    }


# --- promotions
# --------------------------------------------------------------------------------------------------


def gate(kind: str, key: str = "", included: Any = 1) -> Row:
    return {"EncodingType": kind, "EncodingKey": key, "Included": included}


PROMOTIONS: list[tuple[str, list[Row], str]] = [
    ("no filter at all", [], "1 2 3"),
    ("generic", [gate("00")], "1 2 3"),
    ("customer group of A", [gate("01", "G")], "1"),
    ("payment method of B", [gate("02", "P")], "2"),
    ("statistic class of C", [gate("03", "S")], "1 2"),
    ("customer A", [gate("04", "A")], "1"),
    ("customer that nobody sees", [gate("04", "D")], ""),
    ("customer that is not there", [gate("04", "X")], ""),
    ("agent 3, enough by itself", [gate("05", "3")], "3"),
    ("agent 3 and customer B", [gate("05", "3"), gate("04", "B")], "2 3"),
    ("generic beside a customer", [gate("00"), gate("04", "A")], "1 2 3"),
    ("exclusive to agent 2", [gate("05-Exclusive", "2")], "2"),
    (
        "exclusive beside generic and a customer",
        [gate("05-Exclusive", "2"), gate("00"), gate("04", "A")],
        "2",
    ),
    ("exclusive to two", [gate("05-Exclusive", "2"), gate("05-Exclusive", "3")], "2 3"),
    ("all but agent 1", [gate("05", "1", 0)], "2 3"),
    ("generic but not agent 1", [gate("00"), gate("05", "1", 0)], "2 3"),
    ("customer C but not agent 1", [gate("04", "C"), gate("05", "1", 0)], "2"),
    ("an excluded customer shuts no agent out", [gate("04", "A", 0)], "1 2 3"),
    ("customer C without customer A", [gate("04", "C"), gate("04", "A", 0)], "1 2"),
    ("our channel only", [gate("Channel-Exclusive", "SFA")], "1 2 3"),
    ("another channel only", [gate("Channel-Exclusive", "B2B"), gate("05", "1")], ""),
    (
        "two channels",
        [gate("Channel-Exclusive", "B2B"), gate("Channel-Exclusive", "sfa"), gate("04", "A")],
        "1",
    ),
    ("a document type restricts no agent", [gate("DocType", "ORD")], "1 2 3"),
    ("included when nothing is said", [gate("04", "A", None)], "1"),
]


def test_promotions_are_seen_by_whom_their_filters_reach(world: World) -> None:
    filters = [
        {"Id": f"{n}-{m}", "PromotionId": f"P{n}", **row}
        for n, (_, rows, _) in enumerate(PROMOTIONS)
        for m, row in enumerate(rows)
    ]
    promotions = seen(
        world,
        "Promotion",
        CustomerGroup=ids("G"),
        PaymentMethod=ids("P"),
        StatisticClass=ids("S"),
        Account=[
            *ids("A", CustomerGroupId="G"),
            *ids("B", PaymentMethodId="P"),
            *ids("C", StatisticClassId="S"),
            *ids("D"),
        ],
        Promotion=[{"Id": f"P{n}"} for n in range(len(PROMOTIONS))],
        PromotionFilter=filters,
    )
    by_promotion = {
        name: " ".join(agent for agent in "123" if f"P{n}" in promotions[agent].split())
        for n, (name, _, _) in enumerate(PROMOTIONS)
    }
    assert by_promotion == {name: expected for name, _, expected in PROMOTIONS}
    # What belongs to a promotion is seen with it.
    for agent, own in world.seen("PromotionFilter").items():
        assert {key.split("-")[0] for key in own.split()} == {
            f"{n}"
            for n, (_, rows, _) in enumerate(PROMOTIONS)
            if rows and f"P{n}" in promotions[agent].split()
        }


# --- all the kinds
# ------------------------------------------------------------------------------------------------


def test_the_worlds_above_meet_every_kind_of_scope_and_every_business_rule_of_the_catalogue() -> (
    None
):
    """A new kind, or a new rule, is to be added here together with a world of its own."""
    kinds: set[str] = set()
    rules_found: set[str] = set()

    def visit(scope: scopes.Scope) -> None:
        kinds.add(scope.kind)
        for name in ("rule", "enabled_by_rule"):
            if rule := getattr(scope, name, None):
                rules_found.add(rule)
        for inner in (*getattr(scope, "rules", ()), *getattr(scope, "filters", ())):
            visit(inner)
        for inner in getattr(scope, "modes", {}).values():
            visit(inner)

    for entity in load_catalog().entities.values():
        visit(entity.scope)
    assert kinds == {
        "everyone",
        "none",
        "agent_column",
        "via_account",
        "via_item",
        "via_parent",
        "via_warehouse",
        "via_trademark",
        "via_link",
        "via_shared_filter",
        "via_encoded_account",
        "via_encoded_item",
        "via_promotion_filter",
        "channel",
        "via_entity_reference",
        "by_business_rule",
        "any_of",
        "all_of",
    }
    assert rules_found == {
        "ErpDocument\\FilterPerUser",
        "ItemImage\\ShouldFilterByActiveItems",
        "ItemAvailability\\FilterMode",
        "Activity\\ShouldFilterByUserTrademarks",
    }


def test_every_scope_of_the_catalogue_can_be_computed(fresh_world: World) -> None:
    """All 171 entities at once, nearly empty: each is published, and an agent can fetch it."""
    world = fresh_world
    importable = [e.name for e in load_catalog().entities.values() if e.direction != "export"]
    world.erp(**{name: [] for name in importable} | {"SalesAgent": agents("1")})
    world.settings = {"guards": {"max_shrink": 1}}
    report = world.done()
    assert set(report.steps[3].entities) == set(importable)
    with closing(world.sync("1")) as file:
        names = {
            name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    assert set(importable) <= names
