"""Who sees what: the catalogue's agent scopes, compiled to SQL and to sets of agents.

A row's visibility depends on a few of its values only (an account, an item, an agent's code). Each scope becomes a tree
over such *atoms*: an atom is an SQL expression over the row (`x`) that yields a small value, and a function from that
value to a set of agents. PostgreSQL groups the rows by their atoms; the few distinct combinations come here, where the
tree turns each into one set of agents. Rows with the same set share a bucket.

What the vendor's manual leaves open is decided so, and written in docs/sync-format.md: an `optional` rule is a fallback
for rows about which the other rules name no agent; an agent to whom no trademark (or warehouse) is linked is not
restricted by trademarks (or warehouses); a row for "type Account" without an account is for all.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from hashlib import blake2b
from operator import and_, or_

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, Entity, scopes
from kimo_assets.database.names import ARCHIVED, ID, KIMO, table
from kimo_assets.sync.agents import SEPARATOR, Agents
from kimo_assets.sync.promotions import PromotionGate

# An atom's value for a row whose key is empty. Signatures count from 0, which is "nobody".
_BLANK = -1
_NOBODY = 0
# An atom's value for a row to which nothing is linked, apart from one linked to nobody (''): no list of codes is it.
_UNLISTED = SEPARATOR
_MAX_GENERATIONS = 20

ToMask = Callable[[int | str], int]

# Atom values, the rows that have them, and the set of agents who see these rows.
Combination = tuple[tuple[int | str, ...], int, int]


@dataclass(frozen=True)
class Atom:
    """expression: over the row `x` and the joins, never NULL; type: its PostgreSQL type."""

    position: int
    expression: sql.Composable
    type: str
    to_mask: ToMask

    @property
    def name(self) -> sql.Identifier:
        return sql.Identifier(f"_atom{self.position}")


@dataclass(frozen=True)
class Constant:
    mask: int


@dataclass(frozen=True)
class Union:
    """The rules' agents together; `fallbacks` speak when the rules name nobody; `filters` restrict the result."""

    rules: tuple["Node", ...]
    fallbacks: tuple["Node", ...]
    filters: tuple["Node", ...]


@dataclass(frozen=True)
class Intersection:
    rules: tuple["Node", ...]


Node = Atom | Constant | Union | Intersection


def evaluate(node: Node, values: Sequence[int | str]) -> int:
    """The set of agents for one combination of atom values."""
    match node:
        case Atom():
            return node.to_mask(values[node.position])
        case Constant():
            return node.mask
        case Intersection():
            return reduce(and_, (evaluate(rule, values) for rule in node.rules))
        case Union():
            seen = reduce(or_, (evaluate(rule, values) for rule in node.rules), 0)
            if not seen:
                seen = reduce(or_, (evaluate(rule, values) for rule in node.fallbacks), 0)
            return reduce(and_, (evaluate(rule, values) for rule in node.filters), seen)


@dataclass
class Query:
    """A compiled scope: the tree, and what has to be joined to a row `x` for its atoms.

    scopes_of: by a node's id, the scopes that it was made from: its own first, then business rules that have chosen it.
    """

    entity: Entity
    node: Node = field(default_factory=lambda: Constant(0))
    atoms: list[Atom] = field(default_factory=list)
    joins: list[sql.Composable] = field(default_factory=list)
    reads_itself: bool = False
    scopes_of: dict[int, list[scopes.Scope]] = field(default_factory=dict)

    def add(self, expression: sql.Composable, kind: str, to_mask: ToMask) -> Atom:
        atom = Atom(len(self.atoms), expression, kind, to_mask)
        self.atoms.append(atom)
        return atom

    def origin(self) -> sql.Composed:
        """FROM ... WHERE of the live rows, with the joins."""
        return sql.SQL("FROM {} AS x {} WHERE x.{} IS NULL").format(
            table(KIMO, self.entity.name), sql.SQL(" ").join(self.joins), sql.Identifier(ARCHIVED)
        )

    def expressions(self) -> sql.Composed:
        return sql.SQL(", ").join(sql.SQL("{} AS {}").format(atom.expression, atom.name) for atom in self.atoms)


@dataclass(frozen=True)
class Dependencies:
    """What decides who sees an entity's rows, beside these rows: `rows` of link tables, and who `sees` other entities."""

    rows: frozenset[str]
    sees: frozenset[str]


def _targets(scope: scopes.Scope) -> Iterator[tuple[str, bool]]:
    """(entity, whether it matters who sees its rows rather than what they are)."""
    match scope:
        case scopes.ViaAccount() | scopes.ViaEncodedAccount():
            yield "Account", True
        case scopes.ViaItem() | scopes.ViaEncodedItem():
            yield "Item", True
        case scopes.ViaParent():
            yield scope.parent, True
            if scope.parent_agent_column:
                yield scope.parent, False
        case scopes.ViaLink():
            yield scope.link, False
        case scopes.ViaSharedFilter():
            yield from ((scope.link, False), (scope.agent_link, False))
        case scopes.ViaTrademark():
            yield scope.agent_link, False
        case scopes.ViaWarehouse():
            yield "WarehousePerSalesAgent", False
        case scopes.ViaPromotionFilter():
            # By customer group, payment method or class: the accounts' own values matter too.
            yield from ((scope.link, False), ("Account", False), ("Account", True))
        case scopes.ByBusinessRule():
            for mode in scope.modes.values():
                yield from _targets(mode)
        case scopes.AllOf():
            for rule in scope.rules:
                yield from _targets(rule)
        case scopes.AnyOf():
            for rule in (*scope.rules, *scope.filters):
                yield from _targets(rule)


class Visibility:
    """Answers for one state of schema kimo. Its temporary tables live as long as the connection's session."""

    def __init__(
        self,
        connection: Connection,
        catalog: Catalog,
        agents: Agents,
        *,
        rules: dict[str, str],
        channel_codes: Sequence[str],
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self.agents = agents
        self._rules = rules
        self._channel_codes = {code.casefold() for code in channel_codes}
        self._masks: list[int] = [0]
        self._signature_of: dict[int, int] = {0: _NOBODY}
        self._tables: dict[str, sql.Identifier] = {}
        self._count = 0

    # --- questions --------------------------------------------------------------------------------------------------

    def dependencies(self, entity: Entity) -> Dependencies:
        targets = set(_targets(entity.scope))
        if isinstance(entity.scope, scopes.ViaEntityReference):
            targets |= {(name, True) for name in self._referenced_entities(entity, entity.scope)}
        others = {(name, sees) for name, sees in targets if name != entity.name}
        return Dependencies(
            rows=frozenset(name for name, sees in others if not sees),
            sees=frozenset(name for name, sees in others if sees),
        )

    def combinations(self, query: Query) -> list[Combination]:
        """Every combination that occurs among the live rows."""
        if not query.atoms:
            row = self._connection.execute(sql.SQL("SELECT count(*) {}").format(query.origin())).fetchone()
            rows = row[0] if row else 0
            return [((), rows, evaluate(query.node, ()))] if rows else []
        positions = sql.SQL(", ").join(sql.Literal(atom.position + 1) for atom in query.atoms)
        found = self._connection.execute(
            sql.SQL("SELECT {}, count(*) {} GROUP BY {}").format(query.expressions(), query.origin(), positions)
        )
        return [(tuple(values), rows, evaluate(query.node, values)) for *values, rows in found]

    def compile(self, entity: Entity) -> Query:
        """The entity's scope over its rows; what it depends on is computed as needed."""
        query = Query(entity)
        query.node = self._node(entity.scope, query)
        return query

    def atoms_of(self, query: Query, key: str) -> tuple[int | str, ...]:
        """The atoms' values for one live row. The row must be there."""
        if not query.atoms:
            return ()
        row = self._connection.execute(
            sql.SQL("SELECT {} {} AND x.{} = {}").format(
                query.expressions(), query.origin(), sql.Identifier(ID), sql.Literal(key)
            )
        ).fetchone()
        assert row is not None, "asked for rows that are there"  # noqa: S101
        return tuple(row)

    def keys(self, entity_name: str) -> sql.Identifier:
        """A temporary table (key, signature): who sees each live row of an entity, by its Id."""
        if entity_name not in self._tables:
            self._tables[entity_name] = self._new_table()
            self._fill(self._catalog[entity_name])
        return self._tables[entity_name]

    def digest(self, entity_name: str) -> str:
        """Changes exactly when the visibility of some row of the entity does."""
        lines = sorted(
            f"{self.agents.text(self._masks[signature])}:{count}:{keys}"
            for signature, count, keys in self._content(self.keys(entity_name))
        )
        return blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()

    # --- scopes to nodes ----------------------------------------------------------------------------------------------

    def _node(self, scope: scopes.Scope, query: Query) -> Node:
        node = self._compiled(scope, query)
        query.scopes_of.setdefault(id(node), []).append(scope)
        return node

    def _compiled(self, scope: scopes.Scope, query: Query) -> Node:
        match scope:
            case scopes.Everyone():
                return Constant(self.agents.everyone)
            case scopes.Nobody():
                return Constant(0)
            case scopes.AgentColumn():
                return self._agent_column(scope, query)
            case scopes.ViaAccount():
                return self._via_account(scope, query)
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
                return self._via_assignment(
                    "WarehousePerSalesAgent", "WarehouseId", scope.column, scope.blank is not None, query
                )
            case scopes.ViaPromotionFilter():
                return self._via_promotion_filter(scope, query)
            case scopes.Channel():
                return self._channel(scope, query)
            case scopes.ViaEntityReference():
                return self._via_entity_reference(scope, query)
            case scopes.ByBusinessRule():
                return self._node(scope.modes[self.mode(scope)], query)
            case scopes.AllOf():
                return Intersection(tuple(self._node(rule, query) for rule in scope.rules))
            case scopes.AnyOf():
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
        blank = self.agents.everyone if scope.blank else 0
        expression = sql.SQL("coalesce(x.{}, '')").format(sql.Identifier(scope.column))
        return query.add(expression, "text", lambda code: self.agents.mask([str(code)]) if code else blank)

    def _via_account(self, scope: scopes.ViaAccount, query: Query) -> Node:
        return self._via_row("Account", scope.column, scope.blank is not None, query, when=scope.when)

    def _via_row(
        self,
        target: str,
        column: str,
        blank_everyone: bool,
        query: Query,
        *,
        when: dict[str, tuple[str, ...]] | None = None,
    ) -> Node:
        """The agents who see the row that the column points to; `when` fails: nobody."""
        signature = self._join(target, column, query)
        value = sql.SQL("CASE WHEN x.{} IS NULL THEN {} ELSE coalesce({}.signature, {}) END").format(
            sql.Identifier(column), sql.Literal(_BLANK), signature, sql.Literal(_NOBODY)
        )
        for condition, codes in (when or {}).items():
            value = sql.SQL("CASE WHEN x.{}::text IN ({}) THEN {} ELSE {} END").format(
                sql.Identifier(condition),
                sql.SQL(", ").join(map(sql.Literal, codes)),
                value,
                sql.Literal(_NOBODY),
            )
        return query.add(value, "integer", self._signature_mask(blank_everyone))

    def _via_encoded(self, target: str, type_column: str, key_column: str, query: Query) -> Node:
        typed = query.entity.fields[key_column].references_by
        codes = [code for code, name in (typed.targets if typed else {}).items() if name == target]
        if not codes:
            return Constant(self.agents.everyone)
        signature = self._join(target, key_column, query)
        value = sql.SQL(
            "CASE WHEN x.{key} IS NULL OR coalesce(x.{type}::text, '') NOT IN ({codes}) THEN {blank} "
            "ELSE coalesce({signature}.signature, {nobody}) END"
        ).format(
            key=sql.Identifier(key_column),
            type=sql.Identifier(type_column),
            codes=sql.SQL(", ").join(map(sql.Literal, codes)),
            blank=sql.Literal(_BLANK),
            signature=signature,
            nobody=sql.Literal(_NOBODY),
        )
        return query.add(value, "integer", self._signature_mask(blank_everyone=True))

    def _via_parent(self, scope: scopes.ViaParent, query: Query) -> Node:
        parent = self._via_row(scope.parent, scope.column, False, query)
        if not scope.parent_agent_column:
            return parent
        alias = self._alias(query)
        query.joins.append(
            sql.SQL("LEFT JOIN {} AS {} ON {}.{} = x.{}").format(
                table(KIMO, scope.parent), alias, alias, sql.Identifier(ID), sql.Identifier(scope.column)
            )
        )
        owner = sql.SQL("coalesce({}.{}, '')").format(alias, sql.Identifier(scope.parent_agent_column))
        # Without its head a line is of no use: the owner sees it only together with that.
        return Intersection((parent, query.add(owner, "text", lambda code: self.agents.mask([str(code)]))))

    def _via_link(self, scope: scopes.ViaLink, query: Query) -> Node:
        agents = self._linked(scope.link, scope.link_column, scope.link_agent_column)
        return self._listed(agents, scope, query, self.agents.mask_of_text)

    def _via_shared_filter(self, scope: scopes.ViaSharedFilter, query: Query) -> Node:
        """By the sets of filters that rows have: these are few, where rows times agents are many."""
        links = self._connection.execute(
            sql.SQL('SELECT {}::text, "SalesAgentId" FROM {} WHERE {} IS NULL').format(
                sql.Identifier(scope.filter_column), table(KIMO, scope.agent_link), sql.Identifier(ARCHIVED)
            )
        )
        mask_of: dict[str, int] = {}
        for name, agent in links:
            mask_of[name] = mask_of.get(name, 0) | self.agents.mask([agent])
        filters = self._linked(scope.link, scope.link_column, scope.filter_column)

        def to_mask(text: str) -> int:
            return reduce(or_, (mask_of.get(name, 0) for name in text.split(SEPARATOR)))

        return self._listed(filters, scope, query, to_mask)

    def _listed(
        self,
        lists: sql.Identifier,
        scope: scopes.ViaLink | scopes.ViaSharedFilter,
        query: Query,
        to_mask: Callable[[str], int],
    ) -> Node:
        """The agents by what is linked to the row's key; a key to which nothing is: everyone or nobody."""
        alias = self._alias(query)
        query.joins.append(
            sql.SQL("LEFT JOIN {} AS {alias} ON {alias}.key = x.{}").format(
                lists, sql.Identifier(scope.column), alias=alias
            )
        )
        value = sql.SQL("CASE WHEN {0}.key IS NULL THEN {1} ELSE coalesce({0}.linked, '') END").format(
            alias, sql.Literal(_UNLISTED)
        )
        unlisted = self.agents.everyone if scope.blank is not None else 0
        return query.add(value, "text", lambda text: unlisted if text == _UNLISTED else to_mask(str(text)))

    def _via_trademark(self, scope: scopes.ViaTrademark, query: Query) -> Node:
        if scope.enabled_by_rule and not self._is_on(scope.enabled_by_rule):
            return Constant(self.agents.everyone)
        return self._via_assignment(scope.agent_link, "TrademarkId", scope.column, scope.blank is not None, query)

    def _via_assignment(self, link: str, link_column: str, column: str, blank_everyone: bool, query: Query) -> Node:
        """Agents by what is assigned to them; an agent to whom nothing is assigned is not restricted."""
        agents = self._linked(link, link_column, "SalesAgentId")
        assigned = self._connection.execute(
            sql.SQL('SELECT DISTINCT "SalesAgentId" FROM {} WHERE {} IS NULL').format(
                table(KIMO, link), sql.Identifier(ARCHIVED)
            )
        )
        unrestricted = self.agents.everyone & ~self.agents.mask(code for (code,) in assigned)
        alias = self._alias(query)
        query.joins.append(
            sql.SQL("LEFT JOIN {} AS {alias} ON {alias}.key = x.{}").format(agents, sql.Identifier(column), alias=alias)
        )
        value = sql.SQL("CASE WHEN x.{} IS NULL THEN {} ELSE coalesce({}.linked, '') END").format(
            sql.Identifier(column), sql.Literal(_UNLISTED), alias
        )
        blank = self.agents.everyone if blank_everyone else 0
        return query.add(
            value,
            "text",
            lambda text: blank if text == _UNLISTED else self.agents.mask_of_text(str(text)) | unrestricted,
        )

    def _channel(self, scope: scopes.Channel, query: Query) -> Node:
        blank = self.agents.everyone if scope.blank else 0

        def to_mask(value: int | str) -> int:
            codes = {part.strip().casefold() for part in str(value).replace(",", "|").split("|")} - {""}
            return blank if not codes else self.agents.everyone if codes & self._channel_codes else 0

        return query.add(sql.SQL("coalesce(x.{}::text, '')").format(sql.Identifier(scope.column)), "text", to_mask)

    def _via_entity_reference(self, scope: scopes.ViaEntityReference, query: Query) -> Node:
        """The type column holds an entity's name; a name that is none hides the row."""
        cases: list[sql.Composable] = []
        for name in self._referenced_entities(query.entity, scope):
            signature = self._join(name, scope.key_column, query)
            cases.append(
                sql.SQL("WHEN {} THEN coalesce({}.signature, {})").format(
                    sql.Literal(name), signature, sql.Literal(_NOBODY)
                )
            )
        if not cases:
            return Constant(0)
        value = sql.SQL("CASE x.{} {} ELSE {} END").format(
            sql.Identifier(scope.type_column), sql.SQL(" ").join(cases), sql.Literal(_NOBODY)
        )
        return query.add(value, "integer", self._signature_mask(blank_everyone=False))

    def _referenced_entities(self, entity: Entity, scope: scopes.ViaEntityReference) -> list[str]:
        names = self._connection.execute(
            sql.SQL("SELECT DISTINCT {0} FROM {1} WHERE {0} IS NOT NULL AND {2} IS NULL ORDER BY 1").format(
                sql.Identifier(scope.type_column), table(KIMO, entity.name), sql.Identifier(ARCHIVED)
            )
        )
        return [name for (name,) in names if name in self._catalog.entities and name != entity.name]

    # --- promotions ---------------------------------------------------------------------------------------------------

    def _via_promotion_filter(self, scope: scopes.ViaPromotionFilter, query: Query) -> Node:
        seen = self._promotion_masks(scope)
        target = self._new_table()
        self._create_keys(target, ((key, self._signature(mask)) for key, mask in seen.items()))
        alias = self._alias(query)
        query.joins.append(
            sql.SQL("LEFT JOIN {} AS {alias} ON {alias}.key = x.{}").format(
                target, sql.Identifier(scope.column), alias=alias
            )
        )
        value = sql.SQL("coalesce({}.signature, {})").format(alias, sql.Literal(_BLANK))
        return query.add(value, "integer", self._signature_mask(blank_everyone=True))

    def _promotion_masks(self, scope: scopes.ViaPromotionFilter) -> dict[str, int]:
        """Fact sheet, section 11: who is named by a promotion's filters, directly or through a customer."""
        gates: dict[str, PromotionGate] = {}
        for promotion, kind, key, included, mask in self._promotion_filters(scope):
            gates.setdefault(promotion, PromotionGate()).add(scope, kind, key, included, mask, self._channel_codes)
        return {promotion: gate.mask(self.agents.everyone) for promotion, gate in gates.items()}

    def _promotion_filters(self, scope: scopes.ViaPromotionFilter) -> Iterator[tuple[str, str, str, bool, int]]:
        """Each filter row with the agents it reaches: the named agent, or those who see one of its customers."""
        included = sql.SQL("coalesce(f.{}, true)").format(sql.Identifier(scope.included_column))
        base = sql.SQL(
            'SELECT DISTINCT f.{promotion}, f."EncodingType", coalesce(f."EncodingKey", \'\'), {included}'
        ).format(promotion=sql.Identifier(scope.link_column), included=included)
        origin = sql.SQL("FROM {} AS f").format(table(KIMO, scope.link))
        live = sql.SQL("f.{} IS NULL").format(sql.Identifier(ARCHIVED))
        direct = sql.SQL("{} {} WHERE {}").format(base, origin, live)
        for promotion, kind, key, is_included in self._connection.execute(direct):
            mask = self.agents.mask([key]) if kind in scope.agent_types else 0
            if kind not in scope.account_types:
                yield promotion, kind or "", key, is_included, mask
        for kind, column in self._account_columns(scope).items():
            reached = sql.SQL(
                '{}, v.signature {} LEFT JOIN {} AS a ON a.{} = f."EncodingKey" AND a.{} IS NULL '
                'LEFT JOIN {} AS v ON v.key = a."Id" WHERE {} AND f."EncodingType" = {}'
            ).format(
                base,
                origin,
                table(KIMO, "Account"),
                sql.Identifier(column),
                sql.Identifier(ARCHIVED),
                self.keys("Account"),
                live,
                sql.Literal(kind),
            )
            for promotion, _, key, is_included, signature in self._connection.execute(reached):
                yield promotion, kind, key, is_included, self._masks[signature or _NOBODY]

    def _account_columns(self, scope: scopes.ViaPromotionFilter) -> dict[str, str]:
        """Encoding type -> the column of Account that its key is compared with."""
        typed = self._catalog[scope.link].fields["EncodingKey"].references_by
        account = self._catalog["Account"]
        columns: dict[str, str] = {}
        for kind in scope.account_types:
            target = typed.targets[kind] if typed else ""
            by_target = (name for name, found in account.hard_references.items() if found.target == target)
            columns[kind] = ID if target == "Account" else next(by_target)
        return columns

    # --- temporary tables ---------------------------------------------------------------------------------------------

    def _fill(self, entity: Entity) -> None:
        """Who sees each row. A scope that reads its own entity (a site its head office) is repeated until it settles."""
        target = self._tables[entity.name]
        self._create_keys(target, ())
        for _ in range(_MAX_GENERATIONS):
            query = self.compile(entity)
            before = self._content(target)
            self._refill(target, query)
            if not query.reads_itself or self._content(target) == before:
                return

    def _refill(self, target: sql.Identifier, query: Query) -> None:
        buckets = self.map_combinations(
            query, ((values, self._signature(mask)) for values, _, mask in self.combinations(query))
        )
        fresh = self._new_table()
        self._connection.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT x.{}::text AS key, {} AS signature {}").format(
                fresh, sql.Identifier(ID), buckets.value, buckets.origin
            )
        )
        self._connection.execute(sql.SQL("TRUNCATE {}").format(target))
        self._connection.execute(sql.SQL("INSERT INTO {} SELECT key, signature FROM {}").format(target, fresh))
        self._connection.execute(sql.SQL("DROP TABLE {}").format(fresh))
        self._connection.execute(sql.SQL("ANALYZE {}").format(target))

    def _content(self, target: sql.Identifier) -> list[tuple[int, int, int]]:
        """Who sees how many rows, and which."""
        rows = self._connection.execute(
            sql.SQL(
                "SELECT signature, count(*), bit_xor(hashtextextended(key, 0)) FROM {} GROUP BY 1 ORDER BY 1"
            ).format(target)
        )
        return rows.fetchall()

    def map_combinations(self, query: Query, numbers: Iterable[tuple[tuple[int | str, ...], int]]) -> "Mapped":
        """Numbers for combinations, as SQL over the entity's rows: a row stands once for each number it has."""
        if not query.atoms:
            # Without atoms there is one combination, and so at most one number.
            return Mapped(sql.Literal(next((number for _, number in numbers), 0)), query.origin())
        mapping = self._new_table()
        definitions = [sql.SQL("{} {}").format(atom.name, sql.SQL(atom.type)) for atom in query.atoms]
        self._connection.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} ({}, number integer)").format(mapping, sql.SQL(", ").join(definitions))
        )
        with (
            self._connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY {} FROM STDIN").format(mapping)) as copy,
        ):
            for values, number in numbers:
                copy.write_row((*values, number))
        self._connection.execute(sql.SQL("ANALYZE {}").format(mapping))
        # OFFSET 0 keeps the atoms computed below the join: as plain columns they can all be hashed on at once.
        origin = sql.SQL("FROM (SELECT x.*, {} {} OFFSET 0) AS x JOIN {} AS m ON {}").format(
            query.expressions(),
            query.origin(),
            mapping,
            sql.SQL(" AND ").join(sql.SQL("m.{0} = x.{0}").format(atom.name) for atom in query.atoms),
        )
        return Mapped(sql.SQL("m.number"), origin)

    def _create_keys(self, target: sql.Identifier, rows: Iterable[tuple[str, int]]) -> None:
        self._connection.execute(
            sql.SQL('CREATE TEMPORARY TABLE {} (key text COLLATE "C", signature integer)').format(target)
        )
        with (
            self._connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY {} FROM STDIN").format(target)) as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def _linked(self, link: str, key: str, value: str) -> sql.Identifier:
        """A temporary table (key, linked): the live rows' values per key, as one text."""
        target = self._new_table()
        select = _select_linked(link, key, value)
        self._connection.execute(sql.SQL("CREATE TEMPORARY TABLE {} AS {}").format(target, select))
        self._connection.execute(sql.SQL("ANALYZE {}").format(target))
        return target

    def _join(self, target: str, column: str, query: Query) -> sql.Identifier:
        """Joins who sees `target` by the row's column; returns the alias."""
        query.reads_itself = query.reads_itself or target == query.entity.name
        alias = self._alias(query)
        query.joins.append(
            sql.SQL("LEFT JOIN {} AS {alias} ON {alias}.key = x.{}").format(
                self.keys(target), sql.Identifier(column), alias=alias
            )
        )
        return alias

    def _alias(self, query: Query) -> sql.Identifier:
        return sql.Identifier(f"j{len(query.joins)}")

    def _new_table(self) -> sql.Identifier:
        self._count += 1
        return sql.Identifier("pg_temp", f"visibility_{self._count}")

    def _signature(self, mask: int) -> int:
        if mask not in self._signature_of:
            self._signature_of[mask] = len(self._masks)
            self._masks.append(mask)
        return self._signature_of[mask]

    def _signature_mask(self, blank_everyone: bool) -> ToMask:
        blank = self.agents.everyone if blank_everyone else 0
        return lambda signature: blank if signature == _BLANK else self._masks[int(signature)]


@dataclass(frozen=True)
class Mapped:
    """value: a number per row `x`; origin: the FROM and WHERE it needs."""

    value: sql.Composable
    origin: sql.Composable


def _select_linked(link: str, key: str, value: str) -> sql.Composed:
    return sql.SQL(
        "SELECT {key} AS key, string_agg(DISTINCT {value}::text, {separator} ORDER BY {value}::text) AS linked "
        "FROM {link} WHERE {archived} IS NULL AND {key} IS NOT NULL GROUP BY {key}"
    ).format(
        key=sql.Identifier(key),
        value=sql.Identifier(value),
        separator=sql.Literal(SEPARATOR),
        link=table(KIMO, link),
        archived=sql.Identifier(ARCHIVED),
    )


def _plain(value: str) -> str:
    """Rule values as people write them: True, true and 1 are one."""
    folded = value.strip().casefold()
    return {"true": "1", "false": "0", "yes": "1", "no": "0"}.get(folded, folded)
