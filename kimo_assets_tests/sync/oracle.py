"""The oracle: who sees which row, by the catalogue's scopes as a person reads them.

It knows rows and rules, and nothing of SQL, masks, buckets, objects or earlier payloads. Rows are
dicts by Id, as an ERP or schema kimo holds them. It answers with the viewers of a row, and with a
viewer's rows and values.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kimo_assets.catalog import Catalog, load_catalog, scopes
from kimo_assets_tests.support.company import Row

Tables = Mapping[str, Mapping[str, Row]]

# Which column of Account a promotion's key is compared with (fact sheet, section 11).
ACCOUNT_COLUMNS = {
    "01": "CustomerGroupId",
    "02": "PaymentMethodId",
    "03": "StatisticClassId",
    "04": "Id",
}


@dataclass(frozen=True, order=True)
class Viewer:
    """An agent, or a user of the app who works as that agent."""

    agent: str
    user: str = ""
    warehouse: str = ""

    def __str__(self) -> str:
        return f"user {self.user} of agent {self.agent}" if self.user else f"agent {self.agent}"


Viewers = frozenset[Viewer]
NOBODY: Viewers = frozenset()


class Oracle:
    """tables: entity -> Id -> row, live rows only. All live agents and the users are viewers."""

    def __init__(
        self, tables: Tables, users: Iterable[Viewer] = (), channel_codes: Sequence[str] = ("SFA",)
    ) -> None:
        self.tables = tables
        self.catalog: Catalog = load_catalog()
        self.channel_codes = {code.casefold() for code in channel_codes}
        agents = self.rows("SalesAgent")
        self.everyone: Viewers = frozenset(
            [*map(Viewer, agents), *(user for user in users if user.agent in agents)]
        )
        self._known: dict[tuple[str, str], Viewers] = {}

    def rows(self, entity: str) -> Mapping[str, Row]:
        return self.tables.get(entity, {})

    @cached_property
    def rules(self) -> dict[str, str]:
        rules = self.rows("BusinessRuleFromErp").values()
        return {row["Key"].casefold(): plain(row["Value"] or "") for row in rules if row["Key"]}

    # --- answers
    # ----------------------------------------------------------------------------------------------

    def seers(self, entity: str, key: str | None) -> Viewers:
        """Who sees the row, all of it. A row that is not there is seen by nobody."""
        row = self.rows(entity).get(key or "")
        if row is None:
            return NOBODY
        if (entity, row["Id"]) not in self._known:
            self._known[entity, row["Id"]] = self.by_scope(self.catalog[entity].scope, entity, row)
        return self._known[entity, row["Id"]]

    def view(
        self, viewer: Viewer, entity: str, columns: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Id -> the row on the viewer's tablet. None in a column that the viewer may not see."""
        scope = self.catalog[entity].scope
        public = scope.everyone_columns if isinstance(scope, scopes.AgentColumn) else ()
        view: dict[str, dict[str, Any]] = {}
        for key, row in self.rows(entity).items():
            if viewer in self.seers(entity, key):
                view[key] = {column: row.get(column) for column in columns}
            elif public and viewer in self.everyone:
                view[key] = {
                    column: row.get(column) if column in public else None for column in columns
                }
        return view

    # --- scopes
    # ----------------------------------------------------------------------------------------------

    def by_scope(self, scope: scopes.Scope, entity: str, row: Row) -> Viewers:
        match scope:
            case scopes.Everyone():
                return self.everyone
            case scopes.Nobody():
                return NOBODY
            case scopes.AgentColumn():
                return self.named([row[scope.column]]) if row[scope.column] else self.blank(scope)
            case scopes.ViaAccount():
                holds = all(str(row[column]) in codes for column, codes in scope.when.items())
                return self.via("Account", scope, row) if holds else NOBODY
            case scopes.ViaItem():
                return self.via("Item", scope, row)
            case scopes.ByBusinessRule():
                return self.by_scope(self.mode(scope), entity, row)
            case scopes.AllOf():
                return self.everyone.intersection(
                    *(self.by_scope(rule, entity, row) for rule in scope.rules)
                )
            case scopes.AnyOf():
                return self.any_of(scope, entity, row)
            case scopes.ViaEncodedAccount():
                return self.encoded("Account", scope, entity, row)
            case scopes.ViaEncodedItem():
                return self.encoded("Item", scope, entity, row)
            case scopes.ViaEntityReference():
                target = row[scope.type_column]
                is_one = target in self.catalog.entities and target != entity
                return self.seers(target, row[scope.key_column]) if is_one else NOBODY
        return self.by_links(scope, row)

    def by_links(self, scope: scopes.Scope, row: Row) -> Viewers:
        match scope:
            case scopes.ViaParent():
                return self.via_parent(scope, row)
            case scopes.ViaLink():
                links = self.links(scope.link, scope.link_column, row[scope.column])
                return (
                    self.named(link[scope.link_agent_column] for link in links)
                    if links
                    else self.blank(scope)
                )
            case scopes.ViaSharedFilter():
                return self.shared_filter(scope, row)
            case scopes.ViaTrademark():
                if (
                    scope.enabled_by_rule
                    and self.rules.get(scope.enabled_by_rule.casefold()) != "1"
                ):
                    return self.everyone
                assigned = self.assigned(scope.agent_link, "TrademarkId", row[scope.column])
                return self.everyone & assigned if row[scope.column] else self.blank(scope)
            case scopes.ViaWarehouse():
                return self.via_warehouse(scope, row[scope.column])
            case scopes.ViaPromotionFilter():
                return self.promotion(scope, row[scope.column])
            case scopes.Channel():
                parts = {
                    part.strip().casefold()
                    for part in (row[scope.column] or "").replace(",", "|").split("|")
                } - {""}
                if not parts:
                    return self.blank(scope)
                return self.everyone if parts & self.channel_codes else NOBODY
        raise AssertionError(f"the oracle has no answer for a scope of the kind {scope.kind}")

    def blank(self, scope: Any) -> Viewers:
        return self.everyone if scope.blank == "everyone" else NOBODY

    def named(self, agents: Iterable[str | None]) -> Viewers:
        codes = set(agents)
        return frozenset(viewer for viewer in self.everyone if viewer.agent in codes)

    def via(self, target: str, scope: scopes.ViaAccount | scopes.ViaItem, row: Row) -> Viewers:
        return (
            self.blank(scope)
            if row[scope.column] is None
            else self.seers(target, row[scope.column])
        )

    def links(self, link: str, column: str, key: Any) -> list[Row]:
        return [row for row in self.rows(link).values() if key is not None and row[column] == key]

    def mode(self, scope: scopes.ByBusinessRule) -> scopes.Scope:
        modes = {plain(name): mode for name, mode in scope.modes.items()}
        return modes.get(self.rules.get(scope.rule.casefold(), ""), scope.modes[scope.default])

    def any_of(self, scope: scopes.AnyOf, entity: str, row: Row) -> Viewers:
        """The rules, or the fallbacks where they name nobody, then the filters.

        A ring of rows counts as one row.
        """
        ring = self.ring(entity, row)

        def together(optional: bool) -> Viewers:
            viewers = [
                self.by_scope(rule, entity, member)
                for member in ring
                for rule in scope.rules
                if rule.optional == optional
                and not (len(ring) > 1 and self.leads_back(rule, entity))
            ]
            return NOBODY.union(*viewers)

        seen = together(optional=False) or together(optional=True)
        return seen.intersection(*(self.by_scope(rule, entity, row) for rule in scope.filters))

    def leads_back(self, rule: scopes.Scope, entity: str) -> bool:
        return isinstance(rule, scopes.ViaAccount) and entity == "Account"

    def ring(self, entity: str, row: Row) -> list[Row]:
        """The sites in a circle of head offices through this one. The circle itself shows none."""
        path: list[Row] = []
        here: Row | None = row
        while entity == "Account" and here is not None and here not in path:
            path.append(here)
            here = (
                self.rows(entity).get(here["HeadOfficeId"] or "")
                if str(here["AccountTypeId"]) == "2"
                else None
            )
        # One that is its own head office is a ring too: of itself, twice, so that it asks itself
        # nothing.
        return [*path, row] if path and here is row else [row]

    def via_parent(self, scope: scopes.ViaParent, row: Row) -> Viewers:
        seen = self.seers(scope.parent, row[scope.column])
        if not seen or not scope.parent_agent_column:
            return seen
        return seen & self.named(
            [self.rows(scope.parent)[row[scope.column]][scope.parent_agent_column]]
        )

    def shared_filter(self, scope: scopes.ViaSharedFilter, row: Row) -> Viewers:
        filters = {
            link[scope.filter_column]
            for link in self.links(scope.link, scope.link_column, row[scope.column])
        }
        if not filters:
            return self.blank(scope)
        holders = self.rows(scope.agent_link).values()
        return self.named(
            link["SalesAgentId"]
            for link in holders
            if link[scope.filter_column] in filters - {None}
        )

    def assigned(self, link: str, column: str, key: str | None) -> Viewers:
        """The agents to whom the key is assigned, and those to whom nothing is."""
        restricted = self.named(row["SalesAgentId"] for row in self.rows(link).values())
        return self.named(row["SalesAgentId"] for row in self.links(link, column, key)) | (
            self.everyone - restricted
        )

    def via_warehouse(self, scope: scopes.ViaWarehouse, key: str | None) -> Viewers:
        """By the user's own warehouse, or by the agent's if the user has none."""
        if key is None:
            return self.blank(scope)
        by_agent = self.assigned("WarehousePerSalesAgent", "WarehouseId", key)
        own = frozenset(viewer for viewer in self.everyone if viewer.warehouse == key)
        return own | frozenset(viewer for viewer in by_agent if not viewer.warehouse)

    def encoded(
        self,
        target: str,
        scope: scopes.ViaEncodedAccount | scopes.ViaEncodedItem,
        entity: str,
        row: Row,
    ) -> Viewers:
        """A key of type Account is seen with that account. Other types and no key: everybody."""
        typed = self.catalog[entity].fields[scope.key_column].references_by
        name = typed.targets.get(str(row[scope.type_column])) if typed else None
        key = row[scope.key_column]
        return self.seers(target, key) if name == target and key is not None else self.everyone

    def promotion(self, scope: scopes.ViaPromotionFilter, key: str) -> Viewers:
        filters = self.links(scope.link, scope.link_column, key)

        def keys(kind: str, *, included: bool = True) -> list[str]:
            """Included when nothing is said."""
            return [
                row["EncodingKey"]
                for row in filters
                if row["EncodingType"] == kind
                and (row[scope.included_column] in (1, True, None)) == included
            ]

        channels = {
            (row["EncodingKey"] or "").casefold()
            for row in filters
            if row["EncodingType"] == "Channel-Exclusive"
        }
        if channels and not channels & self.channel_codes:
            return NOBODY
        excluded = self.named(
            code for kind in scope.agent_types for code in keys(kind, included=False)
        )
        if exclusive := keys("05-Exclusive"):
            return self.named(exclusive) - excluded
        restrictions = [*scope.account_types, "05"]
        if keys("00") or not any(keys(kind) for kind in restrictions):
            return self.everyone - excluded
        reached = [
            self.seers("Account", account["Id"])
            for kind in scope.account_types
            for account in self.rows("Account").values()
            if account.get(ACCOUNT_COLUMNS[kind]) in set(keys(kind)) - {None}
        ]
        return self.named(keys("05")).union(*reached) - excluded


def plain(value: str) -> str:
    """Rule values as people write them: True, yes and 1 are one."""
    folded = value.strip().casefold()
    return {"true": "1", "yes": "1", "false": "0", "no": "0"}.get(folded, folded)
