"""The oracle itself, and a second one for some entities, written without the catalogue's scopes.

Random companies are imported one after another into the same database. After each import the second
oracle, the agents' tablets and `kimo why` must agree. Histories of events: test_histories.py.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from typing import Any, get_args

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kimo_assets.catalog import load_catalog, scopes
from kimo_assets.database.rules import business_rules
from kimo_assets.sync.visibility.profiles import Profiles
from kimo_assets.sync.visibility.trace import Tracer
from kimo_assets.sync.visibility.visibility import Visibility
from kimo_assets_tests.support.company import Row, World, agents, ids, links, rules
from kimo_assets_tests.sync.company import RULES, TABLES, random_company
from kimo_assets_tests.sync.oracle import Oracle, Viewer, plain

AGENTS, ACCOUNTS, ITEMS = "1234", "ABCDEF", "IJKLM"
Seen = dict[str, set[str]]
Company = dict[str, list[Row]]


# --- random companies
# ---------------------------------------------------------------------------------------------


def maybe(codes: str) -> st.SearchStrategy[str | None]:
    """A code, now and then none, now and then one that is not there."""
    return st.sampled_from([*codes, *codes, None, "?"])


def table(first: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Row]]:
    """Some rows with Ids of their own, now and then none at all."""
    rows = st.lists(st.fixed_dictionaries(fields), min_size=5, max_size=9)
    return st.one_of(rows, rows, rows, st.just([])).map(
        lambda rows: [{"Id": f"{first}{n}", **row} for n, row in enumerate(rows)]
    )


def masters(codes: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Row]]:
    """Most of the codes, each with random values."""
    row = st.fixed_dictionaries({"is there": st.sampled_from([True, True, True, False]), **fields})
    return st.tuples(*[row for _ in codes]).map(
        lambda rows: [
            {"Id": c} | row for c, row in zip(codes, rows, strict=True) if row.pop("is there")
        ]
    )


def without_circles(accounts: list[Row]) -> list[Row]:
    """A head office comes before its sites."""
    return [
        row | {"HeadOfficeId": head if (head := row["HeadOfficeId"]) and head < row["Id"] else None}
        for row in accounts
    ]


KINDS = ["00", "01", "04", "05", "05-Exclusive", "Channel-Exclusive", "DocType"]

COMPANIES = st.fixed_dictionaries(
    {
        "SalesAgent": masters(AGENTS),
        "Account": (
            masters(
                ACCOUNTS,
                AccountTypeId=st.sampled_from([1, 2, 2]),
                HeadOfficeId=maybe(ACCOUNTS),
                CreatorId=maybe(AGENTS),
                SalesAgentId=maybe(AGENTS),
                CustomerGroupId=maybe("GH"),
            ).map(without_circles)
        ),
        "SalesAgentPerAccount": table("L", AccountId=maybe(ACCOUNTS), SalesAgentId=maybe(AGENTS)),
        "Contact": table("c", AccountId=maybe(ACCOUNTS)),
        "ShippingCharge": table("s", AccountId=maybe(ACCOUNTS)),
        "TrademarkPerUser": table(
            "L", TrademarkId=st.sampled_from("TU"), SalesAgentId=maybe(AGENTS)
        ),
        "VisibilityFilterPerItem": table(
            "L", ItemId=maybe(ITEMS), VisibilityFilterId=st.sampled_from("VW")
        ),
        "VisibilityFilterPerSalesAgent": table(
            "L", SalesAgentId=maybe(AGENTS), VisibilityFilterId=st.sampled_from("VW")
        ),
        "Item": masters(
            ITEMS,
            TrademarkId=maybe("TU"),
            ChannelsEnabled=st.sampled_from([None, None, "SFA", "B2B"]),
        ),
        "ItemUrl": table("u", ItemId=maybe(ITEMS)),
        "ItemListPrice": table(
            "p", ItemId=maybe(ITEMS), AccountId=maybe(ACCOUNTS), SalesAgentId=maybe(AGENTS)
        ),
        "WarehousePerSalesAgent": table(
            "L", WarehouseId=st.sampled_from("XY"), SalesAgentId=maybe(AGENTS)
        ),
        "ItemOfflineAvailability": table("a", ItemId=maybe(ITEMS), WarehouseId=maybe("XY")),
        "ErpDocument": masters("defgh", AccountId=maybe(ACCOUNTS), SalesAgentId=maybe(AGENTS)),
        "ErpDocumentLine": table("l", ErpDocumentId=maybe("defgh")),
        "ErpDocumentPerSalesAgent": table(
            "L", ErpDocumentId=maybe("defgh"), SalesAgentId=maybe(AGENTS)
        ),
        "Activity": masters(
            "mnop", AccountId=maybe(ACCOUNTS), CreatorId=maybe(AGENTS), TrademarkId=maybe("TU")
        ),
        "ActivityAssignee": table("L", ActivityId=maybe("mnop"), AssigneeId=maybe(AGENTS)),
        "Promotion": masters("qrst"),
        "PromotionFilter": table(
            "f",
            PromotionId=maybe("qrst"),
            EncodingType=st.sampled_from(KINDS),
            Included=st.sampled_from([1, 1, 0, None]),
            EncodingKey=st.sampled_from([*AGENTS, *ACCOUNTS, "G", "H", "SFA", "B2B"]),
        ),
        "StatisticReport": table(
            "r",
            EntityType=st.sampled_from(["Account", "Item", "Nothing"]),
            EntityId=st.sampled_from([*ACCOUNTS, *ITEMS]),
        ),
        "BusinessRuleFromErp": st.builds(
            lambda documents, trademarks: rules(
                ErpDocument__FilterPerUser=documents,
                Activity__ShouldFilterByUserTrademarks=trademarks,
            ),
            st.sampled_from("0123"),
            st.sampled_from(["True", "False"]),
        ),
    }
)


# --- the oracle by hand
# -------------------------------------------------------------------------------------------


class ByHand:
    """Who sees which row, by the rules as a person would say them, entity by entity."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.agents = {row["Id"] for row in company["SalesAgent"]}
        self.rules = {row["Key"]: row["Value"] for row in company["BusinessRuleFromErp"]}
        self.accounts: Seen = {}
        for account in company["Account"]:
            self.accounts[account["Id"]] = self.account(account)
        self.items = {item["Id"]: self.item(item) for item in company["Item"]}
        self.documents = {
            document["Id"]: self.document(document) for document in company["ErpDocument"]
        }
        self.promotions = {
            promotion["Id"]: self.promotion(promotion["Id"]) for promotion in company["Promotion"]
        }

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
        agents_of = {
            entity: {row["Id"]: who(row) for row in self.company[entity]}
            for entity, who in by_entity.items()
        }
        return agents_of | {
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
        """Agents who have the key, and agents who have none at all. Without a key everybody."""
        restricted = self.named(*(row["SalesAgentId"] for row in self.company[link]))
        return (
            self.agents
            if key is None
            else self.linked(link, column, key) | (self.agents - restricted)
        )

    def account(self, account: Row) -> set[str]:
        seen = self.linked("SalesAgentPerAccount", "AccountId", account["Id"])
        if account["AccountTypeId"] == 2:
            seen = seen | self.of(self.accounts, account["HeadOfficeId"])
        return seen or self.named(account["SalesAgentId"], account["CreatorId"])

    def item(self, item: Row) -> set[str]:
        if item["ChannelsEnabled"] not in (None, "SFA"):
            return set()
        filters = {
            r["VisibilityFilterId"]
            for r in self.company["VisibilityFilterPerItem"]
            if r["ItemId"] == item["Id"]
        }
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
            owners = [
                d["SalesAgentId"]
                for d in self.company["ErpDocument"]
                if d["Id"] == line["ErpDocumentId"]
            ]
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
            return [
                f["EncodingKey"]
                for f in filters
                if f["EncodingType"] == kind and f["Included"] in included
            ]

        channels = keys("Channel-Exclusive", 1, 0, None)
        if channels and "SFA" not in channels:
            return set()
        excluded = self.named(*keys("05", 0), *keys("05-Exclusive", 0))
        if exclusive := keys("05-Exclusive", 1, None):
            return self.named(*exclusive) - excluded
        groups, accounts, agents = keys("01", 1, None), keys("04", 1, None), keys("05", 1, None)
        if keys("00", 1, None) or not (groups or accounts or agents):
            return self.agents - excluded
        reached = [
            a["Id"]
            for a in self.company["Account"]
            if a["CustomerGroupId"] in groups or a["Id"] in accounts
        ]
        return (
            self.named(*agents).union(*(self.accounts[account] for account in reached)) - excluded
        )


# --- the comparison
# -----------------------------------------------------------------------------------------------


def received(world: World, entities: dict[str, Seen]) -> Iterator[tuple[str, str, set[str]]]:
    for agent in world.agents():
        with closing(world.sync(agent)) as file:
            for entity in entities:
                yield agent, entity, {key for (key,) in file.execute(f'SELECT Id FROM "{entity}"')}


def traced(world: World, entities: dict[str, Seen]) -> Iterator[tuple[str, str, set[str]]]:
    """What `kimo why` says of every row."""
    with world.database.connect() as connection, connection.transaction(force_rollback=True):
        profiles, catalog = Profiles.read(connection), load_catalog()
        visibility = Visibility(
            connection,
            catalog,
            profiles,
            rules=business_rules(connection),
            channel_codes=world.config.sync.channel_codes,
        )
        for agent, profile in profiles.agents.items():
            tracer = Tracer(connection, catalog, visibility, profile)
            for entity, rows in entities.items():
                chains = {key: tracer.trace(catalog[entity], key) for key in rows}
                yield (
                    agent,
                    entity,
                    {key for key, chain in chains.items() if chain and chain.passes},
                )


def test_every_tablet_holds_what_the_oracle_says_after_any_sequence_of_imports(
    world: World,
) -> None:
    number = count()
    rows_seen = 0

    # Each example is an import after the others: to shrink one alone would be another story.
    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(company=COMPANIES)
    def check(company: Company) -> None:
        nonlocal rows_seen
        this = next(number)
        world.erp(**company)
        world.done(allow_shrink=True)
        expected = ByHand(company).sees()
        for agent, entity, rows in received(world, expected):
            right = {key for key, who in expected[entity].items() if agent in who}
            assert rows == right, f"import {this}, agent {agent}, {entity}"
            rows_seen += len(rows)
        if this % 4 == 0:  # every row costs some queries for every agent
            for agent, entity, rows in traced(world, expected):
                right = {key for key, who in expected[entity].items() if agent in who}
                assert rows == right, f"import {this}, why {agent} {entity}"

    check()
    assert next(number) >= 15
    assert rows_seen > 500


# --- the oracle of every scope
# ------------------------------------------------------------------------------------


def complete(company: Company) -> dict[str, dict[str, Row]]:
    """The rows by Id, with all the fields that the catalogue gives them."""
    catalog = load_catalog()
    return {
        name: {row["Id"]: dict.fromkeys(catalog[name].fields) | row for row in rows if "Id" in row}
        for name, rows in company.items()
    }


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(company=COMPANIES)
def test_two_oracles_that_were_written_apart_agree(company: Company) -> None:
    named = [row | {"Id": row["Key"]} for row in company["BusinessRuleFromErp"]]
    oracle = Oracle(complete(company | {"BusinessRuleFromErp": named}))
    for entity, rows in ByHand(company).sees().items():
        if entity != "SalesAgent":  # of which everybody sees a part
            seen = {key: {viewer.agent for viewer in oracle.seers(entity, key)} for key in rows}
            assert seen == rows, entity


def test_the_random_companies_have_an_entity_for_every_kind_of_scope() -> None:
    """A new kind is to be added to the oracle, and an entity of it to company.py."""
    catalog = load_catalog()
    of_the_vocabulary = {
        get_args(kind.model_fields["kind"].annotation)[0]
        for kind in get_args(get_args(scopes.Scope)[0])
    }
    of_all = set().union(
        *(
            features(entity.scope)
            for entity in catalog.entities.values()
            if entity.direction != "export"
        )
    )
    of_ours = set().union(*(features(catalog[name].scope) for name in TABLES))
    assert {kind for kind, _ in of_all} == of_the_vocabulary
    assert of_all - of_ours == set()


def features(scope: scopes.Scope) -> set[tuple[str, str]]:
    """Each kind in a scope with each of its members that says something."""
    settings_of_scope = {name for name in type(scope).model_fields if getattr(scope, name)} - {
        "kind",
        "basis",
    }
    inner = [
        *getattr(scope, "rules", ()),
        *getattr(scope, "filters", ()),
        *getattr(scope, "modes", {}).values(),
    ]
    return {(scope.kind, ""), *((scope.kind, name) for name in settings_of_scope)}.union(
        *map(features, inner)
    )


def test_the_random_companies_set_every_business_rule_to_each_of_its_modes() -> None:
    all_modes: dict[str, set[str]] = {}

    def visit(scope: scopes.Scope) -> None:
        if isinstance(scope, scopes.ByBusinessRule):
            all_modes.setdefault(scope.rule.casefold(), set()).update(map(plain, scope.modes))
        if isinstance(scope, scopes.ViaTrademark) and scope.enabled_by_rule:
            all_modes.setdefault(scope.enabled_by_rule.casefold(), set()).update("01")
        for inner in (
            *getattr(scope, "rules", ()),
            *getattr(scope, "filters", ()),
            *getattr(scope, "modes", {}).values(),
        ):
            visit(inner)

    for entity in load_catalog().entities.values():
        visit(entity.scope)
    set_to = {
        key.casefold(): {plain(value) for value in values if value} for key, values in RULES.items()
    }
    assert all_modes.keys() == set_to.keys()
    assert {key: modes - set_to[key] for key, modes in all_modes.items()} == {
        key: set() for key in all_modes
    }


def test_of_every_entity_the_random_companies_have_rows_that_are_seen_and_rows_that_are_not() -> (
    None
):
    seen, unseen = set(), set()
    for seed in range(40):
        oracle = Oracle(
            complete({name: list(rows.values()) for name, rows in random_company(seed).items()})
        )
        for name in TABLES:
            for key in oracle.rows(name):
                seen |= {name} if oracle.seers(name, key) else set()
                unseen |= {name} if oracle.everyone - oracle.seers(name, key) else set()
    kinds = {name: load_catalog()[name].scope.kind for name in TABLES}
    assert TABLES.keys() - seen == {name for name, kind in kinds.items() if kind == "none"}
    assert TABLES.keys() - unseen == {name for name, kind in kinds.items() if kind == "everyone"}


def accounts_seen(accounts: list[Row], *linked: str) -> dict[str, str]:
    """account -> its agents. links: as "A 1"."""
    company = {
        "SalesAgent": agents("1", "2", "3"),
        "Account": [{"AccountTypeId": 2, **row} for row in accounts],
        "SalesAgentPerAccount": [
            {"Id": link, **row}
            for link in linked
            for row in links("AccountId", "SalesAgentId", link)
        ],
    }
    oracle = Oracle(complete(company))
    return {
        key: "".join(sorted(v.agent for v in oracle.seers("Account", key)))
        for key in oracle.rows("Account")
    }


def test_head_offices_in_a_circle_are_seen_by_whom_one_of_them_is_linked_to() -> None:
    circle = [
        {"Id": "A", "HeadOfficeId": "B"},
        {"Id": "B", "HeadOfficeId": "A"},
        {"Id": "C", "HeadOfficeId": "C"},
    ]
    assert accounts_seen(circle) == {"A": "", "B": "", "C": ""}
    assert accounts_seen(circle, "A 1", "C 2") == {"A": "1", "B": "1", "C": "2"}
    outside = {"Id": "S", "HeadOfficeId": "A"}
    assert accounts_seen([*circle, outside], "B 1", "S 3") == {
        "A": "1",
        "B": "1",
        "C": "",
        "S": "13",
    }


def test_a_circle_of_head_offices_speaks_as_one_also_where_nobody_is_linked() -> None:
    circle = [
        {"Id": "A", "HeadOfficeId": "B", "CreatorId": "1"},
        {"Id": "B", "HeadOfficeId": "A", "SalesAgentId": "2"},
    ]
    assert accounts_seen(circle) == {"A": "12", "B": "12"}
    assert accounts_seen(circle, "A 3") == {"A": "3", "B": "3"}


def test_a_user_with_a_warehouse_sees_its_availabilities_and_one_without_those_of_the_agent() -> (
    None
):
    company = {
        "SalesAgent": agents("1", "2"),
        "Item": ids("I"),
        "WarehousePerSalesAgent": [{"Id": "L", "WarehouseId": "P", "SalesAgentId": "1"}],
        "ItemOfflineAvailability": [
            {"Id": house, "ItemId": "I", "WarehouseId": house} for house in "PQ"
        ],
        "BusinessRuleFromErp": [],
    }
    users = [
        Viewer("1", "own", "Q"),
        Viewer("1", "none"),
        Viewer("2", "own", "P"),
        Viewer("9", "gone"),
    ]
    oracle = Oracle(complete(company), users)
    seen = {
        str(v): "".join(oracle.view(v, "ItemOfflineAvailability", ["Id"]))
        for v in [*users, Viewer("1"), Viewer("2")]
    }
    assert seen == {
        "user own of agent 1": "Q",
        "user none of agent 1": "P",
        "user own of agent 2": "P",
        "user gone of agent 9": "",
        "agent 1": "P",
        "agent 2": "PQ",
    }
