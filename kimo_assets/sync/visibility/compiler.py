"""The catalogue's agent scopes, compiled to SQL over a row and to sets of profiles.

The result is a tree of kimo_assets/sync/visibility/scope_tree.py. The vendor's manual leaves three
questions open. Our answers are also in docs/sync-format.md:

* An `optional` rule is a fallback, for rows about which the other rules name no agent.
* An agent without any linked trademark (or warehouse) is not restricted by trademarks (or
  warehouses).
* A row for "type Account" without an account is for everybody.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce
from operator import or_
from typing import Any, Protocol

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, Entity, scopes
from kimo_assets.database.names import ARCHIVED, CHANGED, ID, KIMO, table
from kimo_assets.sync.visibility.audiences import NOBODY_NUMBER, Audiences
from kimo_assets.sync.visibility.lookups import Lookup, Lookups
from kimo_assets.sync.visibility.profiles import (
    EVERYONE,
    NOBODY,
    SEPARATOR,
    Profiles,
    changed_agents,
)
from kimo_assets.sync.visibility.scope_tree import (
    Constant,
    Intersection,
    Node,
    Query,
    ToMask,
    Trigger,
    Union,
)

# An atom's value for a row whose key is empty. Audiences count from 0, which is nobody.
_BLANK = -1
# An atom's value for a row to which nothing is linked. A row that is linked to nobody has ''. No
# list of codes is a single separator.
_UNLISTED = SEPARATOR
# Between a warehouse and the agents linked to it.
_WAREHOUSE_END = "\x1e"


class VisibilitySource(Protocol):
    """Who sees the rows on which other rows depend."""

    def entity(self, name: str) -> Lookup:
        """(key, audience) of the entity's rows, up to date."""

    def promotions(self, scope: scopes.ViaPromotionFilter) -> Lookup:
        """(key, audience) of the promotions that have filters."""

    def own(self, entity: str) -> sql.Identifier:
        """(key, audience) of other rows of the entity being compiled, as computed so far."""


class Compiler:
    """Compiles scopes for one state of schema kimo.

    rules: business rules by casefolded key. channel_codes: casefolded, of the agents' app.
    """

    def __init__(  # noqa: PLR0913
        self,
        connection: Connection[Any],
        catalog: Catalog,
        profiles: Profiles,
        rules: Mapping[str, str],
        channel_codes: set[str],
        audiences: Audiences,
        lookups: Lookups,
        source: VisibilitySource,
    ) -> None:
        # Visibility is the source and has the compiler: scopes of an entity lead to other entities.
        self._connection = connection
        self._catalog = catalog
        self.profiles = profiles
        self._rules = rules
        self._channel_codes = channel_codes
        self.audiences = audiences
        self.lookups = lookups
        self._source = source

    def compile(self, entity: Entity) -> Query:
        """The scope of an entity as a query over its atoms."""
        query = Query(entity)
        query.node = self._node(entity.scope, query)
        return query

    def _node(self, scope: scopes.Scope, query: Query) -> Node:
        node = self._compile(scope, query)
        query.scopes_of.setdefault(id(node), []).append(scope)
        return node

    def _compile(self, scope: scopes.Scope, query: Query) -> Node:  # noqa: C901 (a table of cases)
        """One case for each kind of scope in the catalogue (kimo_assets/catalog/scopes.py)."""
        match scope:
            case scopes.Everyone():
                return Constant(EVERYONE)
            case scopes.Nobody():
                return Constant(NOBODY)
            case scopes.AgentColumn():
                return self._agent_column(scope, query)
            case scopes.ViaAccount():
                return self._via_row(
                    "Account", scope.column, scope.blank is not None, query, when=scope.when
                )
            case scopes.ViaItem():
                return self._via_row("Item", scope.column, scope.blank is not None, query)
            case scopes.ViaParent():
                return self._via_parent(scope, query)
            case scopes.ViaEncodedAccount():
                return self._via_encoded("Account", scope.type_column, scope.key_column, query)
            case scopes.ViaEncodedItem():
                return self._via_encoded("Item", scope.type_column, scope.key_column, query)
            case scopes.ViaLink():
                return self._via_link(scope, query)
            case scopes.ViaSharedFilter():
                return self._via_shared_filter(scope, query)
            case scopes.ViaTrademark():
                return self._via_trademark(scope, query)
            case scopes.ViaWarehouse():
                return self._via_warehouse(scope, query)
            case scopes.ViaPromotionFilter():
                return self._via_promotion_filter(scope, query)
            case scopes.Channel():
                return self._channel(scope, query)
            case scopes.ViaEntityReference():
                return self._via_entity_reference(scope, query)
            case scopes.ByBusinessRule():
                # Part of the definition: with another mode all rows are computed again.
                query.parameters.append([scope.rule, self.mode(scope)])
                return self._node(scope.modes[self.mode(scope)], query)
            case scopes.AllOf():
                return Intersection(self._nodes(scope.rules, query))
            case scopes.AnyOf():
                return self._any_of(scope, query)

    def _nodes(self, rules: Iterable[scopes.Scope], query: Query) -> tuple[Node, ...]:
        return tuple(self._node(rule, query) for rule in rules)

    def _any_of(self, scope: scopes.AnyOf, query: Query) -> Node:
        rules = [rule for rule in scope.rules if not rule.optional]
        fallbacks = [rule for rule in scope.rules if rule.optional]
        if fallbacks:
            # Whether a rule names anybody depends on which profiles exist.
            query.parameters.append(self.profiles.described())
        return Union(
            self._nodes(rules, query),
            self._nodes(fallbacks, query),
            self._nodes(scope.filters, query),
        )

    def mode(self, scope: scopes.ByBusinessRule) -> str:
        """The mode that the rule's value chooses, or the default for a value of no mode."""
        value = self._rules.get(scope.rule.casefold(), scope.default)
        modes = {_normalized(mode): mode for mode in scope.modes}
        return modes.get(_normalized(value), scope.default)

    def _is_on(self, rule: str) -> bool:
        return _normalized(self._rules.get(rule.casefold(), "")) == "1"

    def _agent_column(self, scope: scopes.AgentColumn, query: Query) -> Node:
        blank = _everyone_if(scope.blank is not None)
        query.triggers.append(Trigger(scope.column, changed_agents, self.profiles.changed_load))
        expression = sql.SQL("coalesce(x.{}, '')").format(sql.Identifier(scope.column))

        def to_mask(code: int | str) -> int:
            return self.profiles.mask([str(code)]) if code else blank

        return query.add_atom(expression, "text", to_mask)

    def _via_row(
        self,
        target: str,
        column: str,
        blank_everyone: bool,
        query: Query,
        *,
        when: Mapping[str, Sequence[str]] | None = None,
    ) -> Node:
        """The profiles that see the row to which the column points.

        when: column -> the codes with which the row counts. With any other nobody sees it.
        """
        alias = self._join(target, column, query)
        value = sql.SQL("CASE WHEN x.{} IS NULL THEN {} ELSE coalesce({}.audience, {}) END").format(
            sql.Identifier(column), sql.Literal(_BLANK), alias, sql.Literal(NOBODY_NUMBER)
        )
        for condition, codes in (when or {}).items():
            value = sql.SQL("CASE WHEN x.{}::text IN ({}) THEN {} ELSE {} END").format(
                sql.Identifier(condition),
                sql.SQL(", ").join(map(sql.Literal, codes)),
                value,
                sql.Literal(NOBODY_NUMBER),
            )
        return query.add_atom(value, "integer", self._audience_mask(blank_everyone))

    def _via_encoded(self, target: str, type_column: str, key_column: str, query: Query) -> Node:
        """Like _via_row, where the type column has a code of the target. Other rows: everybody."""
        typed = query.entity.fields[key_column].references_by
        targets = typed.targets if typed else {}
        codes = [code for code, name in targets.items() if name == target]
        if not codes:
            return Constant(EVERYONE)
        value = sql.SQL("""
            CASE WHEN x.{key} IS NULL OR coalesce(x.{type}::text, '') NOT IN ({codes})
            THEN {blank} ELSE coalesce({alias}.audience, {nobody}) END
            """).format(
            key=sql.Identifier(key_column),
            type=sql.Identifier(type_column),
            codes=sql.SQL(", ").join(map(sql.Literal, codes)),
            blank=sql.Literal(_BLANK),
            alias=self._join(target, key_column, query),
            nobody=sql.Literal(NOBODY_NUMBER),
        )
        return query.add_atom(value, "integer", self._audience_mask(blank_everyone=True))

    def _via_parent(self, scope: scopes.ViaParent, query: Query) -> Node:
        """The profiles that see the parent, or among them its owner only."""
        parent = self._via_row(scope.parent, scope.column, False, query)
        owner_column = scope.parent_agent_column
        if not owner_column:
            return parent
        parents = table(KIMO, scope.parent)
        alias = query.join(parents, ID, scope.column)
        # A head that gets another owner takes its lines along, though they have not changed.
        changed = partial(_changed_rows, parents, ID, CHANGED)
        loaded = self.lookups.loaded.get(scope.parent, 0)
        query.triggers.append(Trigger(scope.column, changed, loaded))
        owned = partial(_rows_of_changed_agents, parents, owner_column)
        query.triggers.append(Trigger(scope.column, owned, self.profiles.changed_load))
        expression = sql.SQL("coalesce({}.{}, '')").format(alias, sql.Identifier(owner_column))
        owner = query.add_atom(expression, "text", lambda code: self.profiles.mask([str(code)]))
        # A line is of no use without its head: the owner sees it only together with the head.
        return Intersection((parent, owner))

    def _via_link(self, scope: scopes.ViaLink, query: Query) -> Node:
        lookup = self._agents_by(scope.link, scope.link_column, scope.link_agent_column)
        return self._via_lookup(lookup, scope, query, self.profiles.mask_of_text)

    def _via_shared_filter(self, scope: scopes.ViaSharedFilter, query: Query) -> Node:
        """By the sets of filters that rows have. They are few, rows times agents are many."""
        mask_of = self._masks_of_filters(scope)
        query.parameters.append(sorted((name, str(mask)) for name, mask in mask_of.items()))
        lookup = self.lookups.linked(scope.link, scope.link_column, scope.filter_column)

        def to_mask(text: str) -> int:
            return reduce(or_, (mask_of.get(name, NOBODY) for name in text.split(SEPARATOR)))

        return self._via_lookup(lookup, scope, query, to_mask)

    def _masks_of_filters(self, scope: scopes.ViaSharedFilter) -> dict[str, int]:
        """filter -> the profiles of the agents that have it."""
        links = self._connection.execute(
            sql.SQL('SELECT DISTINCT {}::text, "SalesAgentId" FROM {} WHERE {} IS NULL').format(
                sql.Identifier(scope.filter_column),
                table(KIMO, scope.agent_link),
                sql.Identifier(ARCHIVED),
            )
        )
        mask_of: dict[str, int] = {}
        for name, agent in links:
            mask_of[name] = mask_of.get(name, NOBODY) | self.profiles.mask([agent])
        return mask_of

    def _via_lookup(
        self,
        lookup: Lookup,
        scope: scopes.ViaLink | scopes.ViaSharedFilter,
        query: Query,
        linked_mask: Callable[[str], int],
    ) -> Node:
        """The profiles by the values that are linked to the row's key. Without any: `blank`."""
        alias = self._join_lookup(lookup, scope.column, query)
        value = sql.SQL("coalesce({}.linked, {})").format(alias, sql.Literal(_UNLISTED))
        unlisted = _everyone_if(scope.blank is not None)

        def to_mask(text: int | str) -> int:
            return unlisted if text == _UNLISTED else linked_mask(str(text))

        return query.add_atom(value, "text", to_mask)

    def _via_trademark(self, scope: scopes.ViaTrademark, query: Query) -> Node:
        """The agents to whom the row's trademark is linked, and those without any trademark."""
        if scope.enabled_by_rule:
            # Part of the definition: when the rule is switched, all rows are computed again.
            query.parameters.append([scope.enabled_by_rule, self._is_on(scope.enabled_by_rule)])
            if not self._is_on(scope.enabled_by_rule):
                return Constant(EVERYONE)
        linked = self._linked_agents(scope.agent_link, "TrademarkId", scope.column, query)
        # The complement, so that an agent who comes later is not restricted either.
        unrestricted = ~self._assigned(scope.agent_link, query)
        value = sql.SQL("CASE WHEN x.{} IS NULL THEN {} ELSE {} END").format(
            sql.Identifier(scope.column), sql.Literal(_UNLISTED), linked
        )
        blank = _everyone_if(scope.blank is not None)

        def to_mask(text: int | str) -> int:
            if text == _UNLISTED:
                return blank
            return self.profiles.mask_of_text(str(text)) | unrestricted

        return query.add_atom(value, "text", to_mask)

    def _via_warehouse(self, scope: scopes.ViaWarehouse, query: Query) -> Node:
        """A user's own warehouse counts alone, otherwise the agent's warehouses.

        An agent without any is not restricted.
        """
        link = "WarehousePerSalesAgent"
        linked = self._linked_agents(link, "WarehouseId", scope.column, query)
        own = self.profiles.with_own_warehouse
        query.parameters.append(
            [profile for profile in self.profiles.described() if profile[2] is not None]
        )
        unrestricted = ~(self._assigned(link, query) | own)
        value = sql.SQL(
            "CASE WHEN x.{column} IS NULL THEN {none} ELSE x.{column} || {end} || {linked} END"
        ).format(
            column=sql.Identifier(scope.column),
            none=sql.Literal(_UNLISTED),
            end=sql.Literal(_WAREHOUSE_END),
            linked=linked,
        )
        blank = _everyone_if(scope.blank is not None)

        def to_mask(text: int | str) -> int:
            if text == _UNLISTED:
                return blank
            warehouse, _, agents = str(text).partition(_WAREHOUSE_END)
            by_agent = self.profiles.mask_of_text(agents) & ~own
            return by_agent | unrestricted | self.profiles.of_warehouse(warehouse)

        return query.add_atom(value, "text", to_mask)

    def _linked_agents(
        self, link: str, link_column: str, column: str, query: Query
    ) -> sql.Composed:
        """An expression: the agents that the link table has for the value of the row's column."""
        lookup = self._agents_by(link, link_column, "SalesAgentId")
        alias = self._join_lookup(lookup, column, query)
        return sql.SQL("coalesce({}.linked, '')").format(alias)

    def _agents_by(self, link: str, key: str, agent: str) -> Lookup:
        return self.lookups.linked(link, key, agent, agents_changed_load=self.profiles.changed_load)

    def _assigned(self, link: str, query: Query) -> int:
        """All profiles whose agent has any row in the link table."""
        rows = self._connection.execute(
            sql.SQL('SELECT DISTINCT "SalesAgentId" FROM {} WHERE {} IS NULL').format(
                table(KIMO, link), sql.Identifier(ARCHIVED)
            )
        )
        mask = self.profiles.mask(code for (code,) in rows)
        # A link that comes or goes restricts or frees an agent, also for rows that did not change.
        query.parameters.append(str(mask))
        return mask

    def _channel(self, scope: scopes.Channel, query: Query) -> Node:
        """All or nobody: the channels are the app's, the same for every agent."""
        blank = _everyone_if(scope.blank is not None)

        def to_mask(value: int | str) -> int:
            # The manual lists neither codes nor a separator (fact sheet, section 11). Its other
            # lists have bars, and ERPs like commas.
            pieces = str(value).replace(",", "|").split("|")
            codes = {piece.strip().casefold() for piece in pieces} - {""}
            if not codes:
                return blank
            return _everyone_if(not codes.isdisjoint(self._channel_codes))

        expression = sql.SQL("coalesce(x.{}::text, '')").format(sql.Identifier(scope.column))
        return query.add_atom(expression, "text", to_mask)

    def _via_entity_reference(self, scope: scopes.ViaEntityReference, query: Query) -> Node:
        """The type column holds an entity's name. A name of no entity hides the row."""
        cases: list[sql.Composable] = []
        for name in self._referenced_entities(query.entity, scope):
            query.parameters.append(name)
            alias = self._join(name, scope.key_column, query)
            cases.append(
                sql.SQL("WHEN {} THEN coalesce({}.audience, {})").format(
                    sql.Literal(name), alias, sql.Literal(NOBODY_NUMBER)
                )
            )
        if not cases:
            return Constant(NOBODY)
        value = sql.SQL("CASE x.{} {} ELSE {} END").format(
            sql.Identifier(scope.type_column), sql.SQL(" ").join(cases), sql.Literal(NOBODY_NUMBER)
        )
        return query.add_atom(value, "integer", self._audience_mask(blank_everyone=False))

    def _referenced_entities(self, entity: Entity, scope: scopes.ViaEntityReference) -> list[str]:
        names = self._connection.execute(
            sql.SQL(
                "SELECT DISTINCT {0} FROM {1} WHERE {0} IS NOT NULL AND {2} IS NULL ORDER BY 1"
            ).format(
                sql.Identifier(scope.type_column),
                table(KIMO, entity.name),
                sql.Identifier(ARCHIVED),
            )
        )
        # A row that names its own entity would wait for the table that is being made.
        return [name for (name,) in names if name in self._catalog.entities and name != entity.name]

    def _via_promotion_filter(self, scope: scopes.ViaPromotionFilter, query: Query) -> Node:
        alias = self._join_lookup(self._source.promotions(scope), scope.column, query)
        value = sql.SQL("coalesce({}.audience, {})").format(alias, sql.Literal(_BLANK))
        return query.add_atom(value, "integer", self._audience_mask(blank_everyone=True))

    def _join(self, target: str, column: str, query: Query) -> sql.Identifier:
        """Joins the audiences of `target` by the row's column. Returns: the alias."""
        if target == query.entity.name:
            query.own_column = column
            return query.join(self._source.own(target), "key", column)
        return self._join_lookup(self._source.entity(target), column, query)

    def _join_lookup(self, lookup: Lookup, column: str, query: Query) -> sql.Identifier:
        changed = partial(_changed_rows, lookup.table, "key", "since")
        query.triggers.append(Trigger(column, changed, lookup.changed_load))
        return query.join(lookup.table, "key", column)

    def _audience_mask(self, blank_everyone: bool) -> ToMask:
        blank = _everyone_if(blank_everyone)

        def to_mask(number: int | str) -> int:
            return blank if number == _BLANK else self.audiences.mask(int(number))

        return to_mask


def _everyone_if(condition: bool) -> int:
    return EVERYONE if condition else NOBODY


def _changed_rows(target: sql.Identifier, key: str, load: str, since: int) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {} WHERE {} > {}").format(
        sql.Identifier(key), target, sql.Identifier(load), sql.Literal(since)
    )


def _rows_of_changed_agents(target: sql.Identifier, agent: str, since: int) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {} WHERE {} IN ({})").format(
        sql.Identifier(ID), target, sql.Identifier(agent), changed_agents(since)
    )


def _normalized(value: str) -> str:
    """A rule's value, for comparisons. People write True, true and 1 for the same."""
    folded = value.strip().casefold()
    return {"true": "1", "false": "0", "yes": "1", "no": "0"}.get(folded, folded)
