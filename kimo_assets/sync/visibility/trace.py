"""Why an agent does or does not see a row: the scope, link by link, by the same compiler that makes
the payloads.
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

_MAX_DEPTH = 4
_LISTED = 8


@dataclass(frozen=True)
class Link:
    """One link of the chain. passes: whether it lets the agent see the row. facts: the values that
    decided.
    """

    text: str
    passes: bool
    facts: list[str] = field(default_factory=list)
    below: list["Link"] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "passes": self.passes,
            "facts": self.facts,
            "below": [link.as_json() for link in self.below],
        }


class Tracer:
    """Traces rows of schema kimo for one profile: an agent, or a user of theirs."""

    def __init__(
        self, connection: Connection, catalog: Catalog, visibility: Visibility, profile: Profile
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._visibility = visibility
        self._agent = profile.agent
        self._warehouse = profile.warehouse
        self._bit = profile.bit
        self._live = visibility.profiles.live_mask

    def trace(self, entity: Entity, key: str, depth: int = 0) -> Link | None:
        """The chain of one live row; None when there is none."""
        row = self._row(entity.name, key)
        if row is None:
            return None
        query = self._visibility.compile(entity)
        values = self._visibility.atoms_of(query, key)
        return self._link(query.node, query, values, row, depth)

    def _row(self, entity: str, key: str) -> dict[str, Any] | None:
        found = self._connection.execute(
            sql.SQL("SELECT to_jsonb(x) FROM {} AS x WHERE {} = %s AND {} IS NULL").format(
                table(KIMO, entity), sql.Identifier(ID), sql.Identifier(ARCHIVED)
            ),
            [key],
        ).fetchone()
        return found[0] if found else None

    def _link(
        self,
        node: Node,
        query: Query,
        values: tuple[int | str, ...],
        row: Mapping[str, Any],
        depth: int,
    ) -> Link:
        passes = bool(evaluate(node, values, self._live) & self._bit)
        scope, *rules = query.scopes_of.get(id(node), [None])
        facts = [self._rule(rule) for rule in rules if isinstance(rule, scopes.ByBusinessRule)]
        if isinstance(scope, scopes.AnyOf) and isinstance(node, Union):
            below = self._any_of(node, query, values, row, depth)
            return Link("one of these has to let it through", passes, facts, below)
        if isinstance(scope, scopes.AllOf) and isinstance(node, Intersection):
            below = [self._link(rule, query, values, row, depth) for rule in node.rules]
            return Link("all of these have to let it through", passes, facts, below)
        assert scope is not None, "the compiler notes the scope of every node it is asked for"  # noqa: S101
        if isinstance(scope, scopes.AgentColumn) and scope.everyone_columns and not passes:
            passes, facts = True, [*facts, f"of this row only {', '.join(scope.everyone_columns)}"]
        below = list(self._rows_below(scope, query.entity, row, depth))
        return Link(scope_in_words(scope), passes, [*facts, *self._facts(scope, row)], below)

    def _rule(self, scope: scopes.ByBusinessRule) -> str:
        return f"business rule {scope.rule}: mode {self._visibility.mode(scope)}"

    def _any_of(
        self,
        node: Union,
        query: Query,
        values: tuple[int | str, ...],
        row: Mapping[str, Any],
        depth: int,
    ) -> list[Link]:
        below = [self._link(rule, query, values, row, depth) for rule in node.rules]
        if not any(evaluate(rule, values, self._live) & self._live for rule in node.rules):
            below += [self._link(rule, query, values, row, depth) for rule in node.fallbacks]
        if node.filters:
            filters = [self._link(rule, query, values, row, depth) for rule in node.filters]
            below.append(Link("and only if", all(link.passes for link in filters), below=filters))
        return below

    # --- the values that decide
    # -----------------------------------------------------------------------------------

    def _facts(self, scope: scopes.Scope, row: Mapping[str, Any]) -> Iterator[str]:
        for name in ("type_column", "key_column", "column"):
            if column := getattr(scope, name, None):
                value = row.get(column)
                yield f"{column} = {value}" if value is not None else f"{column} is empty"
        match scope:
            case scopes.ViaLink():
                agents = (scope.link_agent_column, self._agent)
                yield self._linked(scope.link, agents, scope.link_column, row.get(scope.column))
            case scopes.ViaSharedFilter():
                filters = (scope.filter_column, None)
                yield self._linked(scope.link, filters, scope.link_column, row.get(scope.column))
                yield self._linked(scope.agent_link, filters, "SalesAgentId", self._agent)
            case scopes.ViaTrademark():
                wanted = ("TrademarkId", row.get(scope.column))
                yield self._linked(scope.agent_link, wanted, "SalesAgentId", self._agent)
            case scopes.ViaWarehouse() if self._warehouse is not None:
                yield f"the user's own warehouse is {self._warehouse}, and no other counts"
            case scopes.ViaWarehouse():
                wanted = ("WarehouseId", row.get(scope.column))
                yield self._linked("WarehousePerSalesAgent", wanted, "SalesAgentId", self._agent)
            case scopes.ViaPromotionFilter():
                yield self._linked(
                    scope.link, ("EncodingType", None), scope.link_column, row.get(scope.column)
                )

    def _linked(self, link: str, wanted: tuple[str, Any], key_column: str, key: Any) -> str:
        """What a link table says of a key, in words. wanted: the column, and the value that would
        let the row through.
        """
        column, value = wanted
        rows = self._connection.execute(
            sql.SQL(
                "SELECT DISTINCT {0}::text FROM {1} WHERE {2} = %s AND {3} IS NULL ORDER BY 1"
            ).format(
                sql.Identifier(column),
                table(KIMO, link),
                sql.Identifier(key_column),
                sql.Identifier(ARCHIVED),
            ),
            [key],
        ).fetchall()
        names = sorted((str(name) for (name,) in rows), key=lambda name: name != str(value))
        if not names:
            return f"{link} has no row with {key_column} = {key}"
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        missing = "" if value is None or str(value) in names else f", not {value}"
        return (
            f"{link} with {key_column} = {key}: {column}"
            f" {', '.join(names[:_LISTED])}{more}{missing}"
        )

    # --- rows that it goes by
    # ---------------------------------------------------------------------------------------

    def _rows_below(
        self, scope: scopes.Scope, entity: Entity, row: Mapping[str, Any], depth: int
    ) -> Iterator[Link]:
        """The chain of the row that this one is seen with."""
        target, column = _seen_with(scope, entity, row)
        key = row.get(column) if column else None
        if target is None or key is None or target not in self._catalog.entities:
            return
        if depth >= _MAX_DEPTH:
            yield Link(f"{target} {key}: and so on", True)
            return
        found = self.trace(self._catalog[target], str(key), depth + 1)
        if found is None:
            yield Link(f"{target} {key} is not there", False)
        else:
            yield Link(f"{target} {key}", found.passes, below=[found])


def _seen_with(
    scope: scopes.Scope, entity: Entity, row: Mapping[str, Any]
) -> tuple[str | None, str | None]:
    """(entity, column with its key) of the row that a row is seen with."""
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
            typed = entity.fields[scope.key_column].references_by
            target = typed.targets.get(str(row.get(scope.type_column))) if typed else None
            wanted = "Account" if isinstance(scope, scopes.ViaEncodedAccount) else "Item"
            return (target, scope.key_column) if target == wanted else (None, None)
        case _:
            return None, None
