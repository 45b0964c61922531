"""Why an agent does or does not see a row: the scope, link by link.

It uses the compiler that prepares the payloads, so the two cannot disagree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, Entity, scopes
from kimo_assets.catalog.wording import scope_in_words
from kimo_assets.database.names import ARCHIVED, ID, KIMO, table
from kimo_assets.sync.visibility.profiles import Profile
from kimo_assets.sync.visibility.scope_tree import Intersection, Node, Query, Union, evaluate
from kimo_assets.sync.visibility.visibility import Visibility
from kimo_assets.texts import say

# A circle of sites and head offices would never end.
_MAX_DEPTH = 4
_MAX_VALUES = 8


@dataclass(frozen=True)
class Link:
    """One link of the chain.

    passes: whether it lets the agent see the row. facts: the values that decided.
    """

    text: str
    passes: bool
    facts: list[str] = field(default_factory=list)
    below: list["Link"] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {
            "text": self.text,
            "passes": self.passes,
            "facts": self.facts,
            "below": [link.as_json() for link in self.below],
        }


class Tracer:
    """Traces rows of schema kimo for one profile: an agent, or a user of theirs."""

    def __init__(
        self,
        connection: Connection[Any],
        catalog: Catalog,
        visibility: Visibility,
        profile: Profile,
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._visibility = visibility
        self._agent = profile.agent
        self._warehouse = profile.warehouse
        self._bit = profile.bit
        # A mask without any of these names nobody, whatever other bits it holds.
        self._live = visibility.profiles.live_mask

    def trace(self, entity: Entity, key: str, depth: int = 0) -> Link | None:
        """The chain of one live row. None: there is no such row."""
        row = self._row(entity.name, key)
        if row is None:
            return None
        query = self._visibility.compile(entity)
        values = self._visibility.atoms_of(query, key)
        return self._link(query.node, query, values, row, depth)

    def _row(self, entity: str, key: str) -> dict[str, Any] | None:
        statement = sql.SQL("SELECT to_jsonb(x) FROM {} AS x WHERE {} = %s AND {} IS NULL").format(
            table(KIMO, entity), sql.Identifier(ID), sql.Identifier(ARCHIVED)
        )
        row = self._connection.execute(statement, [key]).fetchone()
        return row[0] if row else None

    def _link(
        self,
        node: Node,
        query: Query,
        values: tuple[int | str, ...],
        row: Mapping[str, Any],
        depth: int,
    ) -> Link:
        """The chain of one node of the scope's tree."""
        passes = bool(evaluate(node, values, self._live) & self._bit)
        scope, *rules = query.scopes_of.get(id(node), [None])
        facts = [self._rule(rule) for rule in rules if isinstance(rule, scopes.ByBusinessRule)]
        if isinstance(scope, scopes.AnyOf) and isinstance(node, Union):
            below = self._any_of(node, query, values, row, depth)
            return Link(say("sync.trace_any_of"), passes, facts, below)
        if isinstance(scope, scopes.AllOf) and isinstance(node, Intersection):
            below = [self._link(rule, query, values, row, depth) for rule in node.rules]
            return Link(say("sync.trace_all_of"), passes, facts, below)
        assert scope is not None, "the compiler records every node's scope"  # noqa: S101
        if isinstance(scope, scopes.AgentColumn) and scope.everyone_columns and not passes:
            # Of other agents everybody sees some columns (docs/sync-format.md, `private`).
            passes = True
            columns = ", ".join(scope.everyone_columns)
            facts.append(say("sync.trace_only_columns", columns=columns))
        below = list(self._rows_below(scope, query.entity, row, depth))
        return Link(scope_in_words(scope), passes, [*facts, *self._facts(scope, row)], below)

    def _rule(self, scope: scopes.ByBusinessRule) -> str:
        mode = self._visibility.mode(scope)
        return say("sync.trace_business_rule", rule=scope.rule, mode=mode)

    def _any_of(
        self,
        node: Union,
        query: Query,
        values: tuple[int | str, ...],
        row: Mapping[str, Any],
        depth: int,
    ) -> list[Link]:
        """Fallbacks are in the chain only where they were asked."""
        below = [self._link(rule, query, values, row, depth) for rule in node.rules]
        if not any(evaluate(rule, values, self._live) & self._live for rule in node.rules):
            below += [self._link(rule, query, values, row, depth) for rule in node.fallbacks]
        if node.filters:
            filters = [self._link(rule, query, values, row, depth) for rule in node.filters]
            passes = all(link.passes for link in filters)
            below.append(Link(say("sync.trace_filters"), passes, below=filters))
        return below

    # --- the values that decide

    def _facts(self, scope: scopes.Scope, row: Mapping[str, Any]) -> Iterator[str]:
        """The values of the row and of link tables by which this scope decides."""
        for name in ("type_column", "key_column", "column"):
            if column := getattr(scope, name, None):
                yield _value_in_words(column, row.get(column))
        match scope:
            case scopes.ViaLink():
                agents = (scope.link_agent_column, self._agent)
                yield self._linked(scope.link, agents, scope.link_column, row.get(scope.column))
            case scopes.ViaSharedFilter():
                filters = (scope.filter_column, None)
                yield self._linked(scope.link, filters, scope.link_column, row.get(scope.column))
                yield self._linked(scope.agent_link, filters, "SalesAgentId", self._agent)
            case scopes.ViaTrademark():
                trademark = ("TrademarkId", row.get(scope.column))
                yield self._linked(scope.agent_link, trademark, "SalesAgentId", self._agent)
            case scopes.ViaWarehouse() if self._warehouse is not None:
                yield say("sync.trace_own_warehouse", warehouse=self._warehouse)
            case scopes.ViaWarehouse():
                warehouse = ("WarehouseId", row.get(scope.column))
                yield self._linked("WarehousePerSalesAgent", warehouse, "SalesAgentId", self._agent)
            case scopes.ViaPromotionFilter():
                types = ("EncodingType", None)
                yield self._linked(scope.link, types, scope.link_column, row.get(scope.column))

    def _linked(self, link: str, passing: tuple[str, Any], key_column: str, key: Any) -> str:
        """A link table's values for a key, in words.

        passing: the column, and the value that would let the row through (None: any may).
        """
        column, passing_value = passing
        values = self._linked_values(link, column, key_column, key)
        # The value that lets the row through is named before the list is cut.
        values.sort(key=lambda value: value != str(passing_value))
        if not values:
            return say("sync.trace_no_link", link=link, key_column=key_column, key=key)
        text = say(
            "sync.trace_links",
            link=link,
            key_column=key_column,
            key=key,
            column=column,
            values=", ".join(values[:_MAX_VALUES]),
        )
        if len(values) > _MAX_VALUES:
            text += say("sync.trace_more_values", more=len(values) - _MAX_VALUES)
        if passing_value is not None and str(passing_value) not in values:
            text += say("sync.trace_not_linked", value=passing_value)
        return text

    def _linked_values(self, link: str, column: str, key_column: str, key: Any) -> list[str]:
        statement = sql.SQL(
            "SELECT DISTINCT {0}::text FROM {1} WHERE {2} = %s AND {3} IS NULL ORDER BY 1"
        ).format(
            sql.Identifier(column),
            table(KIMO, link),
            sql.Identifier(key_column),
            sql.Identifier(ARCHIVED),
        )
        # An empty value is read as the text None.
        return [str(value) for (value,) in self._connection.execute(statement, [key])]

    # --- rows on which it depends

    def _rows_below(
        self, scope: scopes.Scope, entity: Entity, row: Mapping[str, Any], depth: int
    ) -> Iterator[Link]:
        """The chain of the row whose visibility this one shares."""
        target, column = _deciding_row(scope, entity, row)
        key = row.get(column) if column else None
        if target is None or key is None or target not in self._catalog.entities:
            return
        if depth >= _MAX_DEPTH:
            yield Link(say("sync.trace_too_deep", entity=target, key=key), True)
            return
        chain = self.trace(self._catalog[target], str(key), depth + 1)
        if chain is None:
            yield Link(say("sync.trace_row_missing", entity=target, key=key), False)
        else:
            yield Link(f"{target} {key}", chain.passes, below=[chain])


def _value_in_words(column: str, value: Any) -> str:
    if value is None:
        return say("sync.trace_empty", column=column)
    return f"{column} = {value}"


def _deciding_row(
    scope: scopes.Scope, entity: Entity, row: Mapping[str, Any]
) -> tuple[str | None, str | None]:
    """(entity, column with its key) of the row whose visibility a row shares."""
    match scope:
        case scopes.ViaAccount():
            return "Account", scope.column
        case scopes.ViaItem():
            return "Item", scope.column
        case scopes.ViaParent():
            return scope.parent, scope.column
        case scopes.ViaEntityReference():
            return row.get(scope.type_column), scope.key_column
        case scopes.ViaEncodedAccount() | scopes.ViaEncodedItem():
            expected = "Account" if isinstance(scope, scopes.ViaEncodedAccount) else "Item"
            typed = entity.fields[scope.key_column].references_by
            targets = typed.targets if typed else {}
            if targets.get(str(row.get(scope.type_column))) == expected:
                return expected, scope.key_column
            return None, None
        case _:
            return None, None
