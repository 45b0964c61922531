"""Who sees which row: the catalogue's agent scopes, evaluated and kept up to date.

A row's visibility depends on a few of its values only (an account, an item, an agent's code): its
atoms. Entities that need it have a table of who sees each row
(kimo_assets/sync/visibility/lookups.py). After a load only those rows are checked again that
changed, or whose atoms may have changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from hashlib import blake2b
from operator import or_
from typing import Any, LiteralString

import orjson
from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, Entity, scopes
from kimo_assets.database.names import ARCHIVED, CHANGED, ID, KIMO, table
from kimo_assets.database.queries import changed_loads
from kimo_assets.sync.visibility.audiences import NOBODY_NUMBER, Audiences
from kimo_assets.sync.visibility.compiler import Compiler
from kimo_assets.sync.visibility.lookups import Lookup, Lookups
from kimo_assets.sync.visibility.profiles import Profiles
from kimo_assets.sync.visibility.promotions import PromotionFilters
from kimo_assets.sync.visibility.scope_tree import Query, evaluate

# Part of every definition's digest. Raise it whenever the same tables and parameters give other
# sets than before: all lookups are then computed again.
_RULES_VERSION = 1

# Rows that depend on each other in circles of different lengths repeat only after a long time. So
# many generations prove that there are circles.
_MAX_GENERATIONS = 100


class Visibility:
    """Answers for one state of schema kimo, within one transaction.

    kept: in schema sync, for the next preparation. Otherwise everything is computed in temporary
    tables, and nothing is written. load: the number of the preparation.
    """

    def __init__(
        self,
        connection: Connection[Any],
        catalog: Catalog,
        profiles: Profiles,
        *,
        rules: Mapping[str, str],
        channel_codes: Sequence[str],
        load: int = 1,
        kept: bool = False,
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self.profiles = profiles
        self._channel_codes = {code.casefold() for code in channel_codes}
        self._load = load
        self.audiences = Audiences(connection, kept=kept)
        self.lookups = Lookups(connection, load, changed_loads(connection), kept=kept)
        # Audiences under computation, of entities whose scope reads the entity itself.
        self._filling: dict[str, sql.Identifier] = {}
        # The tables (atoms, audience) of entities that were computed as a whole.
        self._mapped: dict[str, tuple[Query, sql.Identifier]] = {}
        # The load since which rows were compared, and the table of the comparison.
        self._compared: dict[str, tuple[int, sql.Identifier]] = {}
        self._compiler = Compiler(
            connection,
            catalog,
            profiles,
            rules,
            self._channel_codes,
            self.audiences,
            self.lookups,
            source=self,
        )

    def forget(self) -> None:
        """To be called after a rollback to a savepoint: everything computed since is lost."""
        self._connection.execute("DISCARD TEMP")
        self.audiences.forget()
        self.lookups.forget()
        self._filling.clear()
        self._mapped.clear()
        self._compared.clear()

    # --- questions

    def compile(self, entity: Entity) -> Query:
        """The entity's scope over its rows. Lookups on which it depends are brought up to date."""
        query = self._compiler.compile(entity)
        if query.own_column and not self.lookups.fresh(entity.name):
            self.entity(entity.name)
            # Now with the finished table of audiences instead of the one under computation.
            query = self._compiler.compile(entity)
        return query

    def mode(self, scope: scopes.ByBusinessRule) -> str:
        """The mode that the rule's value chooses."""
        return self._compiler.mode(scope)

    def atoms_of(self, query: Query, key: str) -> tuple[int | str, ...]:
        """The atoms' values for one live row, which must exist."""
        if not query.atoms:
            return ()
        statement = sql.SQL("SELECT {} {} AND x.{} = {}").format(
            query.expressions(), query.origin(), sql.Identifier(ID), sql.Literal(key)
        )
        row = self._connection.execute(statement).fetchone()
        assert row is not None, "callers ask for live rows only"  # noqa: S101
        return tuple(row)

    def entity(self, name: str, *, as_published: bool = False) -> Lookup:
        """(key, audience): who sees each live row of an entity, by its Id.

        A row that nobody sees may be missing. as_published: the caller publishes all rows now, so a
        new table may say at once that they are published.
        """
        if lookup := self.lookups.fresh(name):
            return lookup
        entity = self._catalog[name]
        query = self._compiler.compile(entity)
        definition = self._digest(entity.scope.model_dump(), query.parameters)
        state = self.lookups.state(name)
        # Other rules or profiles may change every row. Otherwise only changed rows are computed.
        if state is None or state.definition != definition:
            changed = self._fill(query, is_new=state is None, as_published=as_published)
        else:
            changed = self._refresh(query, state.refreshed_load)
        self._filling.pop(name, None)
        return self.lookups.refreshed(name, definition, changed=changed)

    def rows(self, entity: Entity) -> tuple[sql.Composable, sql.Composable]:
        """(FROM and joins, audience) of all live rows `x` of an entity whose lookup is up to date.

        Right after all audiences were computed, the small tables behind them are joined again. That
        costs a third of joining the result row by row.
        """
        if entity.name in self._mapped:
            query, mapping = self._mapped[entity.name]
            # OFFSET 0 keeps PostgreSQL from pulling the atoms' expressions into the join.
            origin = sql.SQL("(SELECT x.*, {} {} OFFSET 0) AS x JOIN {} AS m ON {}").format(
                query.expressions(), query.origin(), mapping, _same_atoms(query)
            )
            return origin, sql.SQL("m.number")
        origin = sql.SQL("{} AS s JOIN {} AS x ON x.{} = s.key AND x.{} IS NULL").format(
            self.lookups.table(entity.name),
            table(KIMO, entity.name),
            sql.Identifier(ID),
            sql.Identifier(ARCHIVED),
        )
        return origin, sql.SQL("s.audience")

    # --- the table of who sees each row

    def _fill(self, query: Query, *, is_new: bool, as_published: bool) -> bool:
        """Computes all rows. Returns: whether any audience changed.

        is_new: there is no table yet. Otherwise rows seen as before keep their history.
        """
        target = self.lookups.table(query.entity.name)
        parts: dict[str, sql.Composable] = {
            "computed": self._settled(query, None),
            "target": target,
            "kind": self.lookups.kind,
            "load": sql.Literal(self._load),
            "nobody": sql.Literal(NOBODY_NUMBER),
        }
        if is_new:
            # A row that was never published has the audience nobody there.
            published = sql.SQL("audience") if as_published else parts["nobody"]
            statement = sql.SQL("""
                DROP TABLE IF EXISTS {target};
                CREATE {kind} TABLE {target} AS
                SELECT key, audience, {load}::bigint AS since, NULL::integer AS before,
                    {published} AS published
                FROM {computed} AS c WHERE audience <> {nobody};
                ANALYZE {target}
                """)
            self._connection.execute(statement.format(**parts, published=published))
            return True
        statement = sql.SQL("""
            CREATE TEMPORARY TABLE {merged} AS
            SELECT coalesce(t.key, c.key) AS key, coalesce(c.audience, {nobody}) AS audience,
                t.since, t.before, coalesce(t.published, {nobody}) AS published,
                t.audience AS previous
            FROM {computed} AS c FULL JOIN {target} AS t ON t.key = c.key
            WHERE t.key IS NOT NULL OR c.audience <> {nobody};
            DROP TABLE {target};
            CREATE {kind} TABLE {target} AS
            SELECT key, audience,
                CASE WHEN audience = previous THEN since ELSE {load} END AS since,
                CASE WHEN audience = previous THEN before ELSE previous END AS before,
                published
            FROM {merged};
            ANALYZE {target}
            """)
        self._connection.execute(statement.format(**parts, merged=self.lookups.temporary()))
        return self._changed_now(target)

    def _changed_now(self, target: sql.Identifier) -> bool:
        row = self._connection.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE since = {})").format(
                target, sql.Literal(self._load)
            )
        ).fetchone()
        return row is not None and bool(row[0])

    def _refresh(self, query: Query, since: int) -> bool:
        """Computes the rows that may have changed after load `since`. Returns: whether any did."""
        touched = self._touched(query, since)
        if touched is None:
            return False
        compared = self._compare(query, touched)
        self._compared[query.entity.name] = (since, compared)
        parts = {
            "target": self.lookups.table(query.entity.name),
            "compared": compared,
            "load": sql.Literal(self._load),
            "nobody": sql.Literal(NOBODY_NUMBER),
        }
        updated = self._connection.execute(
            sql.SQL("""
                UPDATE {target} AS t SET before = t.audience, audience = d.audience, since = {load}
                FROM {compared} AS d
                WHERE t.key = d.key AND NOT d.is_new AND d.audience <> d.previous
                """).format(**parts)
        )
        inserted = self._connection.execute(
            sql.SQL("""
                INSERT INTO {target} (key, audience, since, before, published)
                SELECT key, audience, {load}, NULL, {nobody} FROM {compared}
                WHERE is_new AND audience <> {nobody}
                """).format(**parts)
        )
        return updated.rowcount + inserted.rowcount > 0

    def _compare(self, query: Query, touched: sql.Identifier) -> sql.Identifier:
        """A temporary table of the touched rows, with their new and their previous audience."""
        compared = self.lookups.temporary()
        statement = sql.SQL("""
            CREATE TEMPORARY TABLE {compared} AS
            SELECT d.key, coalesce(c.audience, {nobody}) AS audience,
                coalesce(t.audience, {nobody}) AS previous,
                coalesce(t.published, {nobody}) AS published,
                t.key IS NULL AS is_new, d.changed, d.live
            FROM {touched} AS d
            LEFT JOIN {computed} AS c ON c.key = d.key
            LEFT JOIN {target} AS t ON t.key = d.key;
            ANALYZE {compared}
            """).format(
            compared=compared,
            touched=touched,
            computed=self._settled(query, touched),
            target=self.lookups.table(query.entity.name),
            nobody=sql.Literal(NOBODY_NUMBER),
        )
        self._connection.execute(statement)
        return compared

    def compared(self, name: str, since: int) -> sql.Identifier | None:
        """(key, published, audience, changed, live) of the rows that may have changed since.

        since: a load. None: these rows were not computed for just this load.
        """
        compared_since, compared = self._compared.get(name, (None, None))
        return compared if compared_since == since else None

    def _touched(self, query: Query, since: int) -> sql.Identifier | None:
        """A temporary table (key, changed, live) of the rows to check again. None: no rows."""
        conditions = self._conditions(query, since)
        if not conditions:
            return None
        parts: dict[str, sql.Composable] = {
            "rows": table(KIMO, query.entity.name),
            "id": sql.Identifier(ID),
            "changed": sql.SQL("x.{} > {}").format(sql.Identifier(CHANGED), sql.Literal(since)),
            "live": sql.SQL("x.{} IS NULL").format(sql.Identifier(ARCHIVED)),
            "where": sql.SQL(" OR ").join(conditions),
        }
        select = sql.SQL("""
            SELECT x.{id}::text AS key, {changed} AS changed, {live} AS live
            FROM {rows} AS x WHERE {where}
            """).format(**parts)
        if query.own_column:
            # Every row that depends on a row that may be seen by others now, and so on. All of them
            # begin again with nobody.
            select = sql.SQL("""
                WITH RECURSIVE reached AS (
                    SELECT x.{id} AS key FROM {rows} AS x WHERE {where}
                    UNION SELECT x.{id} FROM {rows} AS x JOIN reached AS r ON r.key = x.{own}
                )
                SELECT x.{id}::text AS key, {changed} AS changed, {live} AS live
                FROM reached AS r JOIN {rows} AS x ON x.{id} = r.key
                """).format(**parts, own=sql.Identifier(query.own_column))
        touched = self.lookups.temporary()
        create = sql.SQL("CREATE TEMPORARY TABLE {} AS {}").format(touched, select)
        rows = self._connection.execute(create).rowcount
        # A temporary table has no statistics by itself, and joins would be planned badly.
        self._connection.execute(sql.SQL("ANALYZE {}").format(touched))
        return touched if rows else None

    def _conditions(self, query: Query, since: int) -> list[sql.Composed]:
        """On a row `x`: that it changed after that load, or a key that it holds did."""
        conditions = []
        if self.lookups.loaded.get(query.entity.name, 0) > since:
            changed = sql.SQL("x.{} > {}").format(sql.Identifier(CHANGED), sql.Literal(since))
            conditions.append(changed)
        for trigger in query.triggers:
            if trigger.changed_load > since:
                column, keys = sql.Identifier(trigger.column), trigger.changed(since)
                conditions.append(sql.SQL("x.{} IN ({})").format(column, keys))
        return conditions

    def _settled(self, query: Query, touched: sql.Identifier | None) -> sql.Composable:
        """A subquery (key, audience) of the touched live rows, or all.

        A scope that reads its own entity (a site its head office) begins with nobody. It is
        repeated until it settles, so that no circle of rows makes itself visible. Only in a circle
        can a fallback answer in one generation and be silent in the next, for ever. Then the rules
        are settled without fallbacks first, and finally audiences only grow.
        """
        if query.own_column is None:
            return self._computed(query, touched)
        own = self._filling[query.entity.name]
        self._begin_with_nobody(query.entity.name, own, touched)
        if audiences := self._repeated(query, touched, own):
            return audiences
        self._begin_with_nobody(query.entity.name, own, touched)
        self._repeated(query, touched, own, fallbacks=False)
        if audiences := self._repeated(query, touched, own):
            return audiences
        self._repeated(query, touched, own, grows_only=True)
        # The atoms alone no longer give these audiences.
        self._mapped.pop(query.entity.name, None)
        among: sql.Composable = sql.SQL("")
        if touched is not None:
            among = sql.SQL("WHERE key IN (SELECT key FROM {})").format(touched)
        return sql.SQL("(SELECT key, audience FROM {} {})").format(own, among)

    def _repeated(
        self,
        query: Query,
        touched: sql.Identifier | None,
        own: sql.Identifier,
        *,
        fallbacks: bool = True,
        grows_only: bool = False,
    ) -> sql.Composable | None:
        """The rows' audiences, once nothing changes any more. None: they repeat themselves.

        grows_only: what is computed is added to a row's audience, otherwise it replaces it. Then,
        and without fallbacks, sets only grow, and cannot repeat themselves.
        """
        can_repeat = fallbacks and not grows_only
        digests: set[int] = set()
        while len(digests) < _MAX_GENERATIONS:
            computed = self._computed(query, touched, fallbacks=fallbacks)
            replacements = self._replacements(own, computed, grows_only=grows_only)
            if all(old == goal for old, _, goal in replacements):
                return computed
            self._replace(own, computed, replacements)
            # Sets that only grow settle by themselves, so that their digests need not be computed.
            if can_repeat:
                digest = self._digest_of(own)
                if digest in digests:
                    return None
                digests.add(digest)
        return None

    def _replacements(
        self, own: sql.Identifier, computed: sql.Composable, *, grows_only: bool
    ) -> list[tuple[int, int, int]]:
        """(old audience, computed audience, the audience that rows with both get)."""
        statement = sql.SQL("""
            SELECT DISTINCT o.audience, c.audience
            FROM {} AS o JOIN {} AS c ON c.key = o.key WHERE o.audience <> c.audience
            """).format(own, computed)
        pairs = self._connection.execute(statement).fetchall()
        if grows_only:
            return [(old, new, self._together(old, new)) for old, new in pairs]
        return [(old, new, new) for old, new in pairs]

    def _replace(
        self,
        own: sql.Identifier,
        computed: sql.Composable,
        replacements: Sequence[tuple[int, int, int]],
    ) -> None:
        """Many rows share a pair of audiences, so the pairs are joined instead of the rows sent."""
        columns: list[tuple[str, LiteralString]]
        columns = [("old", "integer"), ("new", "integer"), ("goal", "integer")]
        steps = self.lookups.filled(columns, replacements)
        statement = sql.SQL("""
            UPDATE {} AS o SET audience = s.goal
            FROM {} AS c JOIN {} AS s ON s.new = c.audience
            WHERE o.key = c.key AND o.audience = s.old
            """).format(own, computed, steps)
        self._connection.execute(statement)

    def _digest_of(self, own: sql.Identifier) -> int:
        # The same for the same rows in any order.
        statement = sql.SQL(
            "SELECT bit_xor(hashtextextended(key || ' ' || audience, 0)) FROM {}"
        ).format(own)
        row = self._connection.execute(statement).fetchone()
        return row[0] if row else 0

    def _together(self, *audiences: int) -> int:
        return self.audiences.number(reduce(or_, map(self.audiences.mask, audiences)))

    def _begin_with_nobody(
        self, name: str, own: sql.Identifier, touched: sql.Identifier | None
    ) -> None:
        """Fills the audiences computed so far: nobody for the touched rows, or for all."""
        nobody = sql.Literal(NOBODY_NUMBER)
        self._connection.execute(sql.SQL("TRUNCATE {}").format(own))
        if touched is None:
            select = sql.SQL("SELECT {}, {} FROM {}").format(
                sql.Identifier(ID), nobody, table(KIMO, name)
            )
        else:
            select = sql.SQL("""
                SELECT t.key, t.audience FROM {0} AS t
                WHERE NOT EXISTS (SELECT FROM {1} AS d WHERE d.key = t.key)
                UNION ALL SELECT key, {2} FROM {1}
                """).format(self.lookups.table(name), touched, nobody)
        self._connection.execute(
            sql.SQL("INSERT INTO {} (key, audience) {}; ANALYZE {}").format(own, select, own)
        )

    def _computed(
        self, query: Query, touched: sql.Identifier | None, *, fallbacks: bool = True
    ) -> sql.Composable:
        """A subquery (key, audience) of the touched live rows, or all, by their atoms."""
        row_id, origin = sql.Identifier(ID), query.origin(_among(touched))
        if not query.atoms:
            number = self.audiences.number(self._evaluate(query, (), fallbacks=fallbacks))
            return sql.SQL("(SELECT x.{}::text AS key, {} AS audience {})").format(
                row_id, sql.Literal(number), origin
            )
        atoms = self.lookups.temporary()
        create = sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT x.{}::text AS key, {} {}").format(
            atoms, row_id, query.expressions(), origin
        )
        with self._nested_loops(touched is not None):
            self._connection.execute(create)
        names = sql.SQL(", ").join(atom.name for atom in query.atoms)
        distinct = sql.SQL("SELECT DISTINCT {} FROM {}").format(names, atoms)
        combinations = self._connection.execute(distinct).fetchall()
        mapping = self._mapping(query, combinations, fallbacks=fallbacks)
        if touched is None:
            self._mapped[query.entity.name] = (query, mapping)
        return sql.SQL(
            "(SELECT x.key, m.number AS audience FROM {} AS x JOIN {} AS m ON {})"
        ).format(atoms, mapping, _same_atoms(query))

    @contextmanager
    def _nested_loops(self, few: bool) -> Iterator[None]:
        """Lets PostgreSQL join a few rows one by one. For whole tables it guesses too badly."""
        self._connection.execute(f"SET LOCAL enable_nestloop = {'on' if few else 'off'}")
        yield
        self._connection.execute("SET LOCAL enable_nestloop = off")

    def _evaluate(self, query: Query, values: tuple[int | str, ...], *, fallbacks: bool) -> int:
        return evaluate(query.node, values, self.profiles.live_mask, fallbacks=fallbacks)

    def _mapping(
        self, query: Query, combinations: Iterable[tuple[int | str, ...]], *, fallbacks: bool
    ) -> sql.Identifier:
        """A temporary table of the atoms' values and the number of their audience."""
        columns: list[tuple[str, LiteralString]]
        columns = [*((atom.label, atom.type) for atom in query.atoms), ("number", "integer")]
        rows = []
        for values in combinations:
            mask = self._evaluate(query, values, fallbacks=fallbacks)
            rows.append((*values, self.audiences.number(mask)))
        return self.lookups.filled(columns, rows)

    def promotions(self, scope: scopes.ViaPromotionFilter) -> Lookup:
        """(key, audience) of the promotions that have filters."""
        name = f"{scope.link}.{scope.link_column}"
        if lookup := self.lookups.fresh(name):
            return lookup
        accounts = self.entity("Account")
        definition = self._digest(scope.model_dump(), self.profiles.described())
        loaded = self.lookups.loaded
        # A promotion's rows name accounts, whose audience and whose groups may change.
        changed_load = max(
            accounts.changed_load, loaded.get(scope.link, 0), loaded.get("Account", 0)
        )
        state = self.lookups.state(name)
        if state and state.definition == definition and changed_load <= state.refreshed_load:
            return self.lookups.refreshed(name, definition, changed=False)
        select = sql.SQL("SELECT key, audience FROM {}").format(
            self._promotion_audiences(scope, accounts)
        )
        changed = True
        if state is None:
            self.lookups.create(name, select, "audience")
        else:
            changed = self.lookups.merge(name, select, "audience")
        return self.lookups.refreshed(name, definition, changed=changed)

    def _promotion_audiences(
        self, scope: scopes.ViaPromotionFilter, accounts: Lookup
    ) -> sql.Identifier:
        """A temporary table (key, audience) of the promotions that have filters."""
        filters = PromotionFilters(
            self._connection,
            self._catalog,
            scope,
            accounts.table,
            agents=lambda code: self.profiles.mask([code]),
            audience=self.audiences.mask,
        )
        masks = filters.masks(self._channel_codes)
        rows = [(key, self.audiences.number(mask)) for key, mask in masks.items()]
        return self.lookups.filled([("key", "text"), ("audience", "integer")], rows)

    def _digest(self, *parts: Any) -> str:
        definition = [_RULES_VERSION, sorted(self._channel_codes), *parts]
        return blake2b(orjson.dumps(definition, default=str), digest_size=16).hexdigest()

    def own(self, entity: str) -> sql.Identifier:
        """(key, audience) of the entity's rows. While they are computed: as far as it has come."""
        if lookup := self.lookups.fresh(entity):
            return lookup.table
        if entity not in self._filling:
            columns: list[tuple[str, LiteralString]] = [("key", "text"), ("audience", "integer")]
            self._filling[entity] = self.lookups.filled(columns, ())
        return self._filling[entity]


def _same_atoms(query: Query) -> sql.Composed:
    conditions = (sql.SQL("m.{0} = x.{0}").format(atom.name) for atom in query.atoms)
    return sql.SQL(" AND ").join(conditions)


def _among(touched: sql.Identifier | None) -> sql.Composable:
    if touched is None:
        return sql.SQL("")
    return sql.SQL("JOIN {} AS touched ON touched.key = x.{}").format(touched, sql.Identifier(ID))
