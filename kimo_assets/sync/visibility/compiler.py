"""The catalogue's agent scopes, compiled to SQL over a row and to sets of profiles
(kimo_assets/sync/visibility/scope_tree.py).

What the vendor's manual leaves open is decided so, and written in docs/sync-format.md: an
`optional` rule is a fallback for rows about which the other rules name no agent; an agent to whom
no trademark (or warehouse) is linked is not restricted by trademarks (or warehouses); a row for
"type Account" without an account is for all.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from operator import or_
from typing import Protocol

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
# An atom's value for a row to which nothing is linked, apart from one linked to nobody (''): no
# list of codes is it.
_UNLISTED = SEPARATOR
# Between a warehouse and the agents linked to it.
_OF = "\x1e"


class VisibilitySource(Protocol):
    """Who sees the rows that other rows are seen with."""

    def entity(self, name: str) -> Lookup:
        """(key, audience) of the entity's rows, up to date."""

    def promotions(self, scope: scopes.ViaPromotionFilter) -> Lookup:
        """(key, audience) of the promotions that have filters."""

    def own(self, entity: str) -> sql.Identifier:
        """(key, audience) of the other rows of the entity that is being compiled, as far as they
        are known.
        """


class Compiler:
    """rules: business rules by folded key. channel_codes: folded, of the agents' app."""

    def __init__(
        self,
        connection: Connection,
        catalog: Catalog,
        profiles: Profiles,
        rules: Mapping[str, str],
        channel_codes: set[str],
        audiences: Audiences,
        lookups: Lookups,
        seen: VisibilitySource,
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self.profiles = profiles
        self._rules = rules
        self._channel_codes = channel_codes
        self.audiences = audiences
        self.lookups = lookups
        self._entities = seen

    def compile(self, entity: Entity) -> Query:
        query = Query(entity)
        query.node = self._node(entity.scope, query)
        return query

    def _node(self, scope: scopes.Scope, query: Query) -> Node:
        node = self._compiled(scope, query)
        query.scopes_of.setdefault(id(node), []).append(scope)
        return node

    def _compiled(self, scope: scopes.Scope, query: Query) -> Node:
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
                query.parameters.append([scope.rule, self.mode(scope)])
                return self._node(scope.modes[self.mode(scope)], query)
            case scopes.AllOf():
                return Intersection(tuple(self._node(rule, query) for rule in scope.rules))
            case scopes.AnyOf():
                if any(rule.optional for rule in scope.rules):
                    # Whether a rule names anybody depends on who there is.
                    query.parameters.append(self.profiles.described())
                return Union(
                    tuple(self._node(rule, query) for rule in scope.rules if not rule.optional),
                    tuple(self._node(rule, query) for rule in scope.rules if rule.optional),
                    tuple(self._node(rule, query) for rule in scope.filters),
                )

    def mode(self, scope: scopes.ByBusinessRule) -> str:
        value = self._rules.get(scope.rule.casefold(), scope.default)
        by_fold = {_plain(mode): mode for mode in scope.modes}
        return by_fold.get(_plain(value), scope.default)

    def _is_on(self, rule: str) -> bool:
        return _plain(self._rules.get(rule.casefold(), "")) == "1"

    def _agent_column(self, scope: scopes.AgentColumn, query: Query) -> Node:
        blank = EVERYONE if scope.blank else NOBODY
        query.triggers.append(Trigger(scope.column, changed_agents, self.profiles.changed_load))
        expression = sql.SQL("coalesce(x.{}, '')").format(sql.Identifier(scope.column))
        return query.add(
            expression, "text", lambda code: self.profiles.mask([str(code)]) if code else blank
        )

    def _via_row(
        self,
        target: str,
        column: str,
        blank_everyone: bool,
        query: Query,
        *,
        when: Mapping[str, Sequence[str]] | None = None,
    ) -> Node:
        """The profiles who see the row that the column points to; `when` fails: nobody."""
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
        return query.add(value, "integer", self._audience_mask(blank_everyone))

    def _via_encoded(self, target: str, type_column: str, key_column: str, query: Query) -> Node:
        typed = query.entity.fields[key_column].references_by
        codes = [code for code, name in (typed.targets if typed else {}).items() if name == target]
        if not codes:
            return Constant(EVERYONE)
        value = sql.SQL(
            "CASE WHEN x.{key} IS NULL OR coalesce(x.{type}::text, '') NOT IN ({codes}) THEN"
            " {blank} ELSE coalesce({alias}.audience, {nobody}) END"
        ).format(
            key=sql.Identifier(key_column),
            type=sql.Identifier(type_column),
            codes=sql.SQL(", ").join(map(sql.Literal, codes)),
            blank=sql.Literal(_BLANK),
            alias=self._join(target, key_column, query),
            nobody=sql.Literal(NOBODY_NUMBER),
        )
        return query.add(value, "integer", self._audience_mask(blank_everyone=True))

    def _via_parent(self, scope: scopes.ViaParent, query: Query) -> Node:
        parent = self._via_row(scope.parent, scope.column, False, query)
        if not scope.parent_agent_column:
            return parent
        alias = query.join(table(KIMO, scope.parent), ID, scope.column)
        changed = partial(_changed_rows, table(KIMO, scope.parent), ID, CHANGED)
        query.triggers.append(
            Trigger(scope.column, changed, self.lookups.loaded.get(scope.parent, 0))
        )
        owned = partial(
            _rows_of_changed_agents, table(KIMO, scope.parent), scope.parent_agent_column
        )
        query.triggers.append(Trigger(scope.column, owned, self.profiles.changed_load))
        owner = sql.SQL("coalesce({}.{}, '')").format(
            alias, sql.Identifier(scope.parent_agent_column)
        )
        # Without its head a line is of no use: the owner sees it only together with that.
        return Intersection(
            (parent, query.add(owner, "text", lambda code: self.profiles.mask([str(code)])))
        )

    def _via_link(self, scope: scopes.ViaLink, query: Query) -> Node:
        lookup = self._agents_by(scope.link, scope.link_column, scope.link_agent_column)
        return self._listed(lookup, scope, query, self.profiles.mask_of_text)

    def _via_shared_filter(self, scope: scopes.ViaSharedFilter, query: Query) -> Node:
        """By the sets of filters that rows have: these are few, where rows times agents are
        many.
        """
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
        query.parameters.append(sorted((name, str(mask)) for name, mask in mask_of.items()))
        lookup = self.lookups.linked(scope.link, scope.link_column, scope.filter_column)

        def to_mask(text: str) -> int:
            return reduce(or_, (mask_of.get(name, NOBODY) for name in text.split(SEPARATOR)))

        return self._listed(lookup, scope, query, to_mask)

    def _listed(
        self,
        lookup: Lookup,
        scope: scopes.ViaLink | scopes.ViaSharedFilter,
        query: Query,
        to_mask: Callable[[str], int],
    ) -> Node:
        """The profiles by what is linked to the row's key; a key to which nothing is: everyone or
        nobody.
        """
        alias = self._joined(lookup, scope.column, query)
        value = sql.SQL("coalesce({}.linked, {})").format(alias, sql.Literal(_UNLISTED))
        unlisted = EVERYONE if scope.blank is not None else NOBODY
        return query.add(
            value, "text", lambda text: unlisted if text == _UNLISTED else to_mask(str(text))
        )

    def _via_trademark(self, scope: scopes.ViaTrademark, query: Query) -> Node:
        if scope.enabled_by_rule:
            query.parameters.append([scope.enabled_by_rule, self._is_on(scope.enabled_by_rule)])
            if not self._is_on(scope.enabled_by_rule):
                return Constant(EVERYONE)
        linked = self._linked_agents(scope.agent_link, "TrademarkId", scope.column, query)
        unrestricted = ~self._assigned(scope.agent_link, query)
        value = sql.SQL("CASE WHEN x.{} IS NULL THEN {} ELSE {} END").format(
            sql.Identifier(scope.column), sql.Literal(_UNLISTED), linked
        )
        blank = EVERYONE if scope.blank is not None else NOBODY
        return query.add(
            value,
            "text",
            lambda text: (
                blank if text == _UNLISTED else self.profiles.mask_of_text(str(text)) | unrestricted
            ),
        )

    def _via_warehouse(self, scope: scopes.ViaWarehouse, query: Query) -> Node:
        """A user's own warehouse counts alone; without one those of the agent; an agent without any
        is not restricted.
        """
        link = "WarehousePerSalesAgent"
        linked = self._linked_agents(link, "WarehouseId", scope.column, query)
        own = self.profiles.with_own_warehouse
        query.parameters.append(
            [profile for profile in self.profiles.described() if profile[2] is not None]
        )
        unrestricted = ~(self._assigned(link, query) | own)
        value = sql.SQL(
            "CASE WHEN x.{column} IS NULL THEN {none} ELSE x.{column} || {of} || {linked} END"
        ).format(
            column=sql.Identifier(scope.column),
            none=sql.Literal(_UNLISTED),
            of=sql.Literal(_OF),
            linked=linked,
        )
        blank = EVERYONE if scope.blank is not None else NOBODY

        def to_mask(text: int | str) -> int:
            if text == _UNLISTED:
                return blank
            warehouse, _, agents = str(text).partition(_OF)
            by_agent = self.profiles.mask_of_text(agents) & ~own
            return by_agent | unrestricted | self.profiles.of_warehouse(warehouse)

        return query.add(value, "text", to_mask)

    def _linked_agents(
        self, link: str, link_column: str, column: str, query: Query
    ) -> sql.Composed:
        """The agents whom the link gives what the row's column names, as an expression."""
        alias = self._joined(self._agents_by(link, link_column, "SalesAgentId"), column, query)
        return sql.SQL("coalesce({}.linked, '')").format(alias)

    def _agents_by(self, link: str, key: str, agent: str) -> Lookup:
        return self.lookups.linked(link, key, agent, agents_changed_load=self.profiles.changed_load)

    def _assigned(self, link: str, query: Query) -> int:
        """All profiles to whose agent the link gives anything."""
        rows = self._connection.execute(
            sql.SQL('SELECT DISTINCT "SalesAgentId" FROM {} WHERE {} IS NULL').format(
                table(KIMO, link), sql.Identifier(ARCHIVED)
            )
        )
        mask = self.profiles.mask(code for (code,) in rows)
        query.parameters.append(str(mask))
        return mask

    def _channel(self, scope: scopes.Channel, query: Query) -> Node:
        blank = EVERYONE if scope.blank else NOBODY

        def to_mask(value: int | str) -> int:
            codes = {
                part.strip().casefold() for part in str(value).replace(",", "|").split("|")
            } - {""}
            return blank if not codes else EVERYONE if codes & self._channel_codes else NOBODY

        return query.add(
            sql.SQL("coalesce(x.{}::text, '')").format(sql.Identifier(scope.column)),
            "text",
            to_mask,
        )

    def _via_entity_reference(self, scope: scopes.ViaEntityReference, query: Query) -> Node:
        """The type column holds an entity's name; a name that is none hides the row."""
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
        return query.add(value, "integer", self._audience_mask(blank_everyone=False))

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
        return [name for (name,) in names if name in self._catalog.entities and name != entity.name]

    def _via_promotion_filter(self, scope: scopes.ViaPromotionFilter, query: Query) -> Node:
        alias = self._joined(self._entities.promotions(scope), scope.column, query)
        value = sql.SQL("coalesce({}.audience, {})").format(alias, sql.Literal(_BLANK))
        return query.add(value, "integer", self._audience_mask(blank_everyone=True))

    def _join(self, target: str, column: str, query: Query) -> sql.Identifier:
        """Joins who sees `target` by the row's column; returns the alias."""
        if target == query.entity.name:
            query.own_column = column
            return query.join(self._entities.own(target), "key", column)
        return self._joined(self._entities.entity(target), column, query)

    def _joined(self, lookup: Lookup, column: str, query: Query) -> sql.Identifier:
        changed = partial(_changed_rows, lookup.table, "key", "since")
        query.triggers.append(Trigger(column, changed, lookup.changed_load))
        return query.join(lookup.table, "key", column)

    def _audience_mask(self, blank_everyone: bool) -> ToMask:
        blank = EVERYONE if blank_everyone else NOBODY
        return lambda number: blank if number == _BLANK else self.audiences.mask(int(number))


def _changed_rows(target: sql.Identifier, key: str, load: str, since: int) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {} WHERE {} > {}").format(
        sql.Identifier(key), target, sql.Identifier(load), sql.Literal(since)
    )


def _rows_of_changed_agents(target: sql.Identifier, agent: str, since: int) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {} WHERE {} IN ({})").format(
        sql.Identifier(ID), target, sql.Identifier(agent), changed_agents(since)
    )


def _plain(value: str) -> str:
    """Rule values as people write them: True, true and 1 are one."""
    folded = value.strip().casefold()
    return {"true": "1", "false": "0", "yes": "1", "no": "0"}.get(folded, folded)
