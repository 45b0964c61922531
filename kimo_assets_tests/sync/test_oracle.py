"""Random companies, one import after another into the same database, held against the rules written down plainly.

The oracle below knows rows and agents, and nothing of SQL, atoms, buckets or digests. What it says an agent sees must
be what the agent's tablet holds after each import, whatever was imported before.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kimo_assets.catalog import load_catalog
from kimo_assets.sync.agents import Agents
from kimo_assets.sync.rules import business_rules
from kimo_assets.sync.trace import Tracer
from kimo_assets.sync.visibility import Visibility
from kimo_assets_tests.worlds import Row, World, rules

AGENTS, ACCOUNTS, ITEMS = "1234", "ABCDEF", "IJKLM"
Seen = dict[str, set[str]]
Company = dict[str, list[Row]]


# --- random companies ---------------------------------------------------------------------------------------------


def maybe(codes: str) -> st.SearchStrategy[str | None]:
    """A code, now and then none, now and then one that is not there."""
    return st.sampled_from([*codes, *codes, None, "?"])


def table(first: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Row]]:
    """Some rows with Ids of their own, now and then none at all."""
    rows = st.lists(st.fixed_dictionaries(fields), min_size=5, max_size=9)
    return st.one_of(rows, rows, rows, st.just([])).map(
        lambda found: [{"Id": f"{first}{n}", **row} for n, row in enumerate(found)]
    )


def masters(codes: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Row]]:
    """Most of the codes, each with random values."""
    row = st.fixed_dictionaries({"is there": st.sampled_from([True, True, True, False]), **fields})
    return st.tuples(*[row for _ in codes]).map(
        lambda found: [{"Id": c} | row for c, row in zip(codes, found, strict=True) if row.pop("is there")]
    )


def without_circles(accounts: list[Row]) -> list[Row]:
    """A head office comes before its sites."""
    return [row | {"HeadOfficeId": head if (head := row["HeadOfficeId"]) and head < row["Id"] else None} for row in accounts]


KINDS = ["00", "01", "04", "05", "05-Exclusive", "Channel-Exclusive", "DocType"]

COMPANIES = st.fixed_dictionaries(
    {
        "SalesAgent": masters(AGENTS),
        "Account": masters(
            ACCOUNTS, AccountTypeId=st.sampled_from([1, 2, 2]), HeadOfficeId=maybe(ACCOUNTS), CreatorId=maybe(AGENTS),
            SalesAgentId=maybe(AGENTS), CustomerGroupId=maybe("GH"),
        ).map(without_circles),
        "SalesAgentPerAccount": table("L", AccountId=maybe(ACCOUNTS), SalesAgentId=maybe(AGENTS)),
        "Contact": table("c", AccountId=maybe(ACCOUNTS)),
        "ShippingCharge": table("s", AccountId=maybe(ACCOUNTS)),
        "TrademarkPerUser": table("L", TrademarkId=st.sampled_from("TU"), SalesAgentId=maybe(AGENTS)),
        "VisibilityFilterPerItem": table("L", ItemId=maybe(ITEMS), VisibilityFilterId=st.sampled_from("VW")),
        "VisibilityFilterPerSalesAgent": table(
            "L", SalesAgentId=maybe(AGENTS), VisibilityFilterId=st.sampled_from("VW")
        ),
        "Item": masters(ITEMS, TrademarkId=maybe("TU"), ChannelsEnabled=st.sampled_from([None, None, "SFA", "B2B"])),
        "ItemUrl": table("u", ItemId=maybe(ITEMS)),
        "ItemListPrice": table("p", ItemId=maybe(ITEMS), AccountId=maybe(ACCOUNTS), SalesAgentId=maybe(AGENTS)),
        "WarehousePerSalesAgent": table("L", WarehouseId=st.sampled_from("XY"), SalesAgentId=maybe(AGENTS)),
        "ItemOfflineAvailability": table("a", ItemId=maybe(ITEMS), WarehouseId=maybe("XY")),
        "ErpDocument": masters("defgh", AccountId=maybe(ACCOUNTS), SalesAgentId=maybe(AGENTS)),
        "ErpDocumentLine": table("l", ErpDocumentId=maybe("defgh")),
        "ErpDocumentPerSalesAgent": table("L", ErpDocumentId=maybe("defgh"), SalesAgentId=maybe(AGENTS)),
        "Activity": masters("mnop", AccountId=maybe(ACCOUNTS), CreatorId=maybe(AGENTS), TrademarkId=maybe("TU")),
        "ActivityAssignee": table("L", ActivityId=maybe("mnop"), AssigneeId=maybe(AGENTS)),
        "Promotion": masters("qrst"),
        "PromotionFilter": table(
            "f", PromotionId=maybe("qrst"), EncodingType=st.sampled_from(KINDS),
            Included=st.sampled_from([1, 1, 0, None]),
            EncodingKey=st.sampled_from([*AGENTS, *ACCOUNTS, "G", "H", "SFA", "B2B"]),
        ),
        "StatisticReport": table(
            "r", EntityType=st.sampled_from(["Account", "Item", "Nothing"]),
            EntityId=st.sampled_from([*ACCOUNTS, *ITEMS]),
        ),
        "BusinessRuleFromErp": st.builds(
            lambda documents, trademarks: rules(
                ErpDocument__FilterPerUser=documents, Activity__ShouldFilterByUserTrademarks=trademarks
            ),
            st.sampled_from("0123"), st.sampled_from(["True", "False"]),
        ),
    }
)  # fmt: skip


# --- the oracle ---------------------------------------------------------------------------------------------------


class Oracle:
    """Who sees which row, by the rules as a person would say them."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.agents = {row["Id"] for row in company["SalesAgent"]}
        self.rules = {row["Key"]: row["Value"] for row in company["BusinessRuleFromErp"]}
        self.accounts: Seen = {}
        for account in company["Account"]:
            self.accounts[account["Id"]] = self.account(account)
        self.items = {item["Id"]: self.item(item) for item in company["Item"]}
        self.documents = {document["Id"]: self.document(document) for document in company["ErpDocument"]}
        self.promotions = {promotion["Id"]: self.promotion(promotion["Id"]) for promotion in company["Promotion"]}

    def sees(self) -> dict[str, Seen]:
        """entity -> Id -> agents."""
        by_entity: dict[str, Callable[[Row], set[str]]] = {
            "Contact": lambda row: self.of(self.accounts, row["AccountId"]),
            "ShippingCharge": lambda row: self.of(self.accounts, row["AccountId"], blank=True),
            "ItemUrl": lambda row: self.of(self.items, row["ItemId"]),
            "ItemListPrice": self.price,
            "ItemOfflineAvailability": self.availability,
            "ErpDocumentLine": self.line,
            "Activity": self.activity,
            "PromotionFilter": lambda row: self.of(self.promotions, row["PromotionId"]),
            "StatisticReport": self.report,
        }
        found = {entity: {row["Id"]: who(row) for row in self.company[entity]} for entity, who in by_entity.items()}
        return found | {
            "SalesAgent": dict.fromkeys(self.agents, self.agents),
            "Account": self.accounts,
            "Item": self.items,
            "ErpDocument": self.documents,
            "Promotion": self.promotions,
        }

    def of(self, seen: Seen, key: str | None, *, blank: bool = False) -> set[str]:
        if key is None:
            return self.agents if blank else set()
        return seen.get(key, set())

    def named(self, *codes: str | None) -> set[str]:
        return self.agents & set(codes)

    def linked(self, link: str, column: str, key: str) -> set[str]:
        agent = "AssigneeId" if link == "ActivityAssignee" else "SalesAgentId"
        return self.named(*(row[agent] for row in self.company[link] if row[column] == key))

    def assigned(self, link: str, column: str, key: str | None) -> set[str]:
        """Agents who have the key, and agents who have none at all; everybody where there is no key."""
        restricted = self.named(*(row["SalesAgentId"] for row in self.company[link]))
        return self.agents if key is None else self.linked(link, column, key) | (self.agents - restricted)

    def account(self, account: Row) -> set[str]:
        seen = self.linked("SalesAgentPerAccount", "AccountId", account["Id"])
        if account["AccountTypeId"] == 2:
            seen = seen | self.of(self.accounts, account["HeadOfficeId"])
        return seen or self.named(account["SalesAgentId"], account["CreatorId"])

    def item(self, item: Row) -> set[str]:
        if item["ChannelsEnabled"] not in (None, "SFA"):
            return set()
        filters = {r["VisibilityFilterId"] for r in self.company["VisibilityFilterPerItem"] if r["ItemId"] == item["Id"]}
        sharing = {
            row["SalesAgentId"]
            for row in self.company["VisibilityFilterPerSalesAgent"]
            if row["VisibilityFilterId"] in filters
        }
        return (self.agents & sharing if filters else self.agents) & self.assigned(
            "TrademarkPerUser", "TrademarkId", item["TrademarkId"]
        )

    def price(self, price: Row) -> set[str]:
        agent = self.agents if price["SalesAgentId"] is None else self.named(price["SalesAgentId"])
        account = self.of(self.accounts, price["AccountId"], blank=True)
        return self.of(self.items, price["ItemId"]) & account & agent

    def availability(self, row: Row) -> set[str]:
        house = self.assigned("WarehousePerSalesAgent", "WarehouseId", row["WarehouseId"])
        return self.of(self.items, row["ItemId"]) & house

    def document(self, document: Row) -> set[str]:
        match self.rules["ErpDocument\\FilterPerUser"]:
            case "0" | "2":
                return self.of(self.accounts, document["AccountId"])
            case "1":
                return self.named(document["SalesAgentId"])
            case _:
                return self.linked("ErpDocumentPerSalesAgent", "ErpDocumentId", document["Id"])

    def line(self, line: Row) -> set[str]:
        seen = self.of(self.documents, line["ErpDocumentId"])
        if self.rules["ErpDocument\\FilterPerUser"] == "2":
            owners = [d["SalesAgentId"] for d in self.company["ErpDocument"] if d["Id"] == line["ErpDocumentId"]]
            seen = seen & self.named(*owners)
        return seen

    def activity(self, activity: Row) -> set[str]:
        seen = self.of(self.accounts, activity["AccountId"]) | self.named(activity["CreatorId"])
        seen = seen | self.linked("ActivityAssignee", "ActivityId", activity["Id"])
        if self.rules["Activity\\ShouldFilterByUserTrademarks"] == "True":
            seen = seen & self.assigned("TrademarkPerUser", "TrademarkId", activity["TrademarkId"])
        return seen

    def report(self, report: Row) -> set[str]:
        seen = {"Account": self.accounts, "Item": self.items}.get(report["EntityType"], {})
        return self.of(seen, report["EntityId"])

    def promotion(self, key: str) -> set[str]:
        filters = [row for row in self.company["PromotionFilter"] if row["PromotionId"] == key]

        def keys(kind: str, *included: int | None) -> list[str]:
            return [f["EncodingKey"] for f in filters if f["EncodingType"] == kind and f["Included"] in included]

        channels = keys("Channel-Exclusive", 1, 0, None)
        if channels and "SFA" not in channels:
            return set()
        excluded = self.named(*keys("05", 0), *keys("05-Exclusive", 0))
        if exclusive := keys("05-Exclusive", 1, None):
            return self.named(*exclusive) - excluded
        groups, accounts, agents = keys("01", 1, None), keys("04", 1, None), keys("05", 1, None)
        if keys("00", 1, None) or not (groups or accounts or agents):
            return self.agents - excluded
        reached = [a["Id"] for a in self.company["Account"] if a["CustomerGroupId"] in groups or a["Id"] in accounts]
        return self.named(*agents).union(*(self.accounts[account] for account in reached)) - excluded


# --- the comparison -----------------------------------------------------------------------------------------------


def received(world: World, entities: dict[str, Seen]) -> Iterator[tuple[str, str, set[str]]]:
    for agent in world.agents():
        with closing(world.sync(agent)) as file:
            for entity in entities:
                yield agent, entity, {key for (key,) in file.execute(f'SELECT Id FROM "{entity}"')}


def traced(world: World, entities: dict[str, Seen]) -> Iterator[tuple[str, str, set[str]]]:
    """What `kimo why` says of every row."""
    with world.database.connect() as connection, connection.transaction(force_rollback=True):
        agents, catalog = Agents.read(connection), load_catalog()
        visibility = Visibility(
            connection, catalog, agents, rules=business_rules(connection), channel_codes=world.config.sync.channel_codes
        )
        for agent in agents.codes:
            tracer = Tracer(connection, catalog, visibility, agent)
            for entity, rows in entities.items():
                chains = {key: tracer.trace(catalog[entity], key) for key in rows}
                yield agent, entity, {key for key, chain in chains.items() if chain and chain.passes}


def test_every_tablet_holds_what_the_oracle_says_after_any_sequence_of_imports(world: World) -> None:
    number = count()
    rows_seen = 0

    # Each example is an import after the others: to shrink one alone would be another story.
    @settings(
        max_examples=20, deadline=None, derandomize=True, phases=[Phase.generate], database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(company=COMPANIES)
    def check(company: Company) -> None:
        nonlocal rows_seen
        this = next(number)
        world.erp(**company)
        world.done(allow_shrink=True)
        expected = Oracle(company).sees()
        for agent, entity, found in received(world, expected):
            right = {key for key, who in expected[entity].items() if agent in who}
            assert found == right, f"import {this}, agent {agent}, {entity}"
            rows_seen += len(found)
        if this % 4 == 0:  # every row costs some queries for every agent
            for agent, entity, found in traced(world, expected):
                right = {key for key, who in expected[entity].items() if agent in who}
                assert found == right, f"import {this}, why {agent} {entity}"

    check()
    assert next(number) >= 15
    assert rows_seen > 500
