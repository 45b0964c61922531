"""Random small companies: for each table its Ids, and for each column the values that it may hold.

The same lists serve a whole company from a seed, and the single edits that a history is made of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from kimo_assets_tests.support.company import Row

AGENTS, ACCOUNTS, ITEMS = "1234", "ABCDEF", "IJKLM"
# Accounts that may be each other's head offices.
RINGED = "XYZ"
ABSENT = "?"
WORDS = ["plain", 'with "quotes", commas\nand lines', "è 🚚 ", "0", None]
FLAGS = [0, 1, None]
RULES = {
    "ErpDocument\\FilterPerUser": ["0", "1", "2", "3", " 2 ", "9", None],
    "ItemAvailability\\FilterMode": ["0", "1", "", None],
    "ItemImage\\ShouldFilterByActiveItems": ["True", "1", "yes", "false", None],
    "activity\\shouldFilterByUserTrademarks": ["True", "0", None],
}


def maybe(codes: str) -> list[str | None]:
    """A code, now and then none, now and then one that is not there."""
    return [*codes, *codes, None, ABSENT]


@dataclass(frozen=True)
class Table:
    """settle: makes a random row a possible one. is_there: the share of its Ids in a company."""

    ids: Sequence[str]
    columns: dict[str, list[Any]]
    settle: Callable[[Row], Row] = lambda row: row
    is_there: float = 0.75

    def random(self, random: Random) -> dict[str, Row]:
        # Now and then a table is empty, and with it all that hangs on it.
        chosen = (
            [key for key in self.ids if random.random() < self.is_there]
            if random.random() < 0.93
            else []
        )
        return {
            key: self.row(
                key, {name: random.choice(values) for name, values in self.columns.items()}
            )
            for key in chosen
        }

    def rows(self, key: str) -> st.SearchStrategy[Row]:
        values = st.fixed_dictionaries(
            {name: st.sampled_from(strategies) for name, strategies in self.columns.items()}
        )
        return values.map(lambda row: self.row(key, row))

    def row(self, key: str, values: Row) -> Row:
        return self.settle({"Id": key, **values})


def table(first: str, count: int, /, **columns: list[Any]) -> Table:
    """Ids of a letter and a number."""
    return Table([f"{first}{n}" for n in range(count)], columns)


def _head_offices(row: Row) -> Row:
    """Customers' heads come before them, but for those in a ring."""
    if row["Id"] in RINGED:
        return row | {"HeadOfficeId": RINGED[ord(row["HeadOfficeId"] or "A") % len(RINGED)]}
    head = row["HeadOfficeId"]
    return row | {"HeadOfficeId": head if head and (head < row["Id"] or head in RINGED) else None}


def _rule(row: Row) -> Row:
    """Every rule has one row."""
    key = row["Id"]
    return {"Id": key, "Key": key, "Value": row[key]}


TABLES: dict[str, Table] = {
    "SalesAgent": Table(AGENTS, {"Description": WORDS, "FreeText1": WORDS, "Phone": WORDS}),
    "Account": Table(
        ACCOUNTS + RINGED,
        {
            "Name": WORDS,
            "AccountTypeId": [1, 2, 2],
            "HeadOfficeId": maybe(ACCOUNTS + RINGED),
            "CreatorId": maybe(AGENTS),
            "SalesAgentId": maybe(AGENTS),
            "CustomerGroupId": maybe("GH"),
            "PaymentMethodId": maybe("GH"),
            "StatisticClassId": maybe("GH"),
            "Discount1": ["10.50", "-0.125", "0", None],
            "FreeBoolean1": FLAGS,
            "CreationDate": ["2026-01-31 10:30:00", None],
            "PriceListsReferenceDate": ["2026-01-31", "1999-12-31", None],
            "ProcurementLeadTime": [3, -1, None],
        },
        _head_offices,
    ),
    "SalesAgentPerAccount": table(
        "L", 10, AccountId=maybe(ACCOUNTS + RINGED), SalesAgentId=maybe(AGENTS)
    ),
    "Contact": table("c", 6, AccountId=maybe(ACCOUNTS), Notes=WORDS),
    "ReceivableInstallment": table("i", 5, CustomerId=maybe(ACCOUNTS + RINGED), Notes=WORDS),
    "ShippingCharge": table("s", 5, AccountId=maybe(ACCOUNTS), FixedValue=["1.10", "2"]),
    "TrademarkPerAccount": table(
        "t", 5, AccountId=maybe(ACCOUNTS), SalesAgentId=maybe(AGENTS), TrademarkId=["T", "U"]
    ),
    "TrademarkPerUser": table("L", 4, TrademarkId=["T", "U"], SalesAgentId=maybe(AGENTS)),
    "CatalogPriceList": table("p", 5, SalesAgentId=maybe(AGENTS), Priority=[1, 2]),
    "Zone": table("z", 5, Description=WORDS),
    "DiagnosticPriceTestCase": table("d", 2, AccountId=["A"], ItemId=["I"]),
    "VisibilityFilterPerItem": table("L", 5, ItemId=maybe(ITEMS), VisibilityFilterId=["V", "W"]),
    "VisibilityFilterPerSalesAgent": table(
        "L", 5, SalesAgentId=maybe(AGENTS), VisibilityFilterId=["V", "W"]
    ),
    "Item": Table(
        ITEMS,
        {
            "Description": WORDS,
            "TrademarkId": maybe("TU"),
            "ChannelsEnabled": [None, None, None, "SFA", "sfa", "B2B", "B2B|SFA", "B2B, Web", " "],
        },
    ),
    "ItemUrl": table("u", 5, ItemId=maybe(ITEMS), Caption=WORDS),
    "ItemImage": table("m", 5, ItemId=maybe(ITEMS), Caption=WORDS),
    "ItemListPrice": table(
        "p",
        7,
        ItemId=maybe(ITEMS),
        AccountId=maybe(ACCOUNTS),
        SalesAgentId=maybe(AGENTS),
        UnitPrice=["9.90", "12.5"],
    ),
    "SirioSalesCondition": table("y", 5, ItemId=maybe(ITEMS), AccountId=maybe(ACCOUNTS)),
    "WarehousePerSalesAgent": table("L", 4, WarehouseId=["P", "Q"], SalesAgentId=maybe(AGENTS)),
    "ItemOfflineAvailability": table(
        "a", 6, ItemId=maybe(ITEMS), WarehouseId=maybe("PQ"), WarehouseAvailability=["5", "0.5"]
    ),
    "ErpDocument": table(
        "o", 6, AccountId=maybe(ACCOUNTS), SalesAgentId=maybe(AGENTS), Amount=["100.00", "7"]
    ),
    "ErpDocumentLine": table(
        "l", 7, ErpDocumentId=["o0", "o1", "o2", "o3", "o4", "o5", None, ABSENT], FreeText1=WORDS
    ),
    "ErpDocumentPerSalesAgent": table(
        "L", 6, ErpDocumentId=["o0", "o1", "o2", "o3"], SalesAgentId=maybe(AGENTS)
    ),
    "Activity": table(
        "v",
        6,
        AccountId=maybe(ACCOUNTS),
        CreatorId=maybe(AGENTS),
        TrademarkId=maybe("TU"),
        Subject=WORDS,
    ),
    "ActivityAssignee": table(
        "L", 6, ActivityId=["v0", "v1", "v2", "v3", ABSENT], AssigneeId=maybe(AGENTS)
    ),
    "Promotion": table("q", 5, Description=WORDS),
    "PromotionFilter": table(
        "f",
        8,
        PromotionId=["q0", "q1", "q2", "q3", None],
        Included=[1, 1, 0, None],
        EncodingType=[
            "00",
            "01",
            "02",
            "03",
            "04",
            "04",
            "05",
            "05-Exclusive",
            "Channel-Exclusive",
            "DocType",
        ],
        EncodingKey=[*AGENTS, *ACCOUNTS, "G", "H", "SFA", "B2B", None],
    ),
    "PromotionLine": table("n", 4, PromotionId=["q0", "q1", "q2", "q3", "q4", None]),
    "Reassortment": table(
        "r",
        5,
        CustomerId=maybe(ACCOUNTS),
        AccountEncodingType=[0, 1, None],
        AccountEncodingKey=maybe(ACCOUNTS),
        Notes=WORDS,
    ),
    "ReassortmentPerSalesAgent": table(
        "L", 3, ReassortmentId=["r0", "r1", "r2"], SalesAgentId=maybe(AGENTS)
    ),
    "SalesControlLine": table(
        "k",
        6,
        AccountEncodingType=[0, 0, 1, 2, None],
        AccountEncodingKey=maybe(ACCOUNTS),
        SalesAgentId=maybe(AGENTS),
        ItemEncodingType=[0, 0, 1, None],
        ItemEncodingKey=maybe(ITEMS),
        Value=["1", "2.5"],
    ),
    "Budget": table("b", 5, SalesAgentId=maybe(AGENTS), Description=WORDS),
    "BudgetPerSalesAgent": table("L", 4, BudgetId=["b0", "b1", "b2"], SalesAgentId=maybe(AGENTS)),
    "BudgetLine": table(
        "h",
        5,
        BudgetId=["b0", "b1", "b2", "b3", None],
        AccountId=maybe(ACCOUNTS),
        Quantity=["1", "2"],
    ),
    "EntitySyncReferenceForAccount": table(
        "e", 4, UserId=maybe(AGENTS), EntityId=[*ACCOUNTS], SyncReference=["x", "y"]
    ),
    "StatisticReport": table(
        "R",
        6,
        EntityType=[
            "Account",
            "Item",
            "Promotion",
            "SalesAgent",
            "Contact",
            "Nothing",
            "StatisticReport",
            None,
        ],
        EntityId=[*ACCOUNTS, *ITEMS, *AGENTS, "q0", "c0", "c1", None],
        Content=WORDS,
    ),
    "BusinessRuleFromErp": Table(list(RULES), dict(RULES), _rule),
}

# The entities that have a column of words that nothing depends on, and which one.
WORDY = {
    name: next(column for column, values in fields.columns.items() if values is WORDS)
    for name, fields in TABLES.items()
    if any(values is WORDS for values in fields.columns.values())
}

Company = dict[str, dict[str, Row]]


def random_company(seed: int) -> Company:
    random = Random(seed)
    return {name: table.random(random) for name, table in TABLES.items()}


@dataclass(frozen=True)
class Edit:
    """A row gets other values, or is removed."""

    entity: str
    key: str
    row: Row | None

    def __str__(self) -> str:
        return f"{self.entity} {self.key} -> {self.row}"


# Where one row decides about many.
LINKS = [
    "SalesAgent",
    "Account",
    "SalesAgentPerAccount",
    "TrademarkPerUser",
    "VisibilityFilterPerItem",
    "BusinessRuleFromErp",
    "VisibilityFilterPerSalesAgent",
    "Item",
    "WarehousePerSalesAgent",
    "PromotionFilter",
    "ActivityAssignee",
]


# What most edits are about, so that changes of the same few tables pile up.
HOT = ["Account", "SalesAgentPerAccount", "Contact", "Item", "Zone", "Activity"]


def random_edits(seed: int, count: int) -> tuple[Edit, ...]:
    """Edits of the hot tables: other values mostly, now and then a row is gone."""
    random = Random(seed)
    edits: list[Edit] = []
    for _ in range(count):
        name = random.choice(HOT)
        key = random.choice(list(TABLES[name].ids))
        row = TABLES[name].row(
            key, {column: random.choice(values) for column, values in TABLES[name].columns.items()}
        )
        edits.append(Edit(name, key, row if random.random() < 0.8 else None))
    return tuple(edits)


def edits() -> st.SearchStrategy[Edit]:
    def rows(target: tuple[str, str]) -> st.SearchStrategy[Edit]:
        entity, key = target
        rows = TABLES[entity].rows(key)
        return st.builds(
            Edit, st.just(entity), st.just(key), st.one_of(rows, rows, rows, st.none())
        )

    def places(entity: str) -> st.SearchStrategy[tuple[str, str]]:
        return st.tuples(st.just(entity), st.sampled_from(list(TABLES[entity].ids)))

    return (
        st.one_of(st.sampled_from(HOT), st.sampled_from(LINKS), st.sampled_from(list(TABLES)))
        .flatmap(places)
        .flatmap(rows)
    )
