"""Who sees what: the catalogue's agent scopes, compiled to SQL and to sets of profiles, and kept up
to date by what changed.

A row's visibility depends on a few of its values only (an account, an item, an agent's code): its
atoms. For the entities that need it there is a table of who sees each row
(kimo_assets/sync/visibility/lookups.py). After a change only those rows are looked at again that changed, or
whose atoms may have.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from hashlib import blake2b
from operator import or_
from typing import Any

import orjson
from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, Entity, scopes
from kimo_assets.database.names import ARCHIVED, CHANGED, ID, KIMO, table
from kimo_assets.sync.visibility.audiences import NOBODY_NUMBER, Audiences
from kimo_assets.sync.visibility.compiler import Compiler
from kimo_assets.sync.visibility.lookups import Lookup, Lookups
from kimo_assets.sync.visibility.profiles import Profiles
from kimo_assets.sync.visibility.promotions import PromotionFilters
from kimo_assets.sync.visibility.scope_tree import Query, evaluate

# To be raised whenever the same tables and parameters give other sets than before.
_MEANING = 1

# Circles of different lengths come round together only after a long time: so many generations tell
# that there are some.
_MAX_GENERATIONS = 100


class Visibility:
    """Answers for one state of schema kimo, within one transaction.

    kept: in schema sync, for the next preparation; else everything is worked out anew in temporary
    tables, and nothing is written. load: the number of the preparation.
    """

    def __init__(
        self,
        connection: Connection,
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
        loaded: dict[str, int] = dict(
            connection.execute("SELECT entity, changed_load FROM ops.loaded").fetchall()
        )
        self.audiences = Audiences(connection, kept=kept)
        self.lookups = Lookups(connection, load, loaded, kept=kept)
        self._filling: dict[str, sql.Identifier] = {}
        self._mapped: dict[str, tuple[Query, sql.Identifier]] = {}
        self._compared: dict[str, tuple[int, sql.Identifier]] = {}
        self._compiler = Compiler(
            connection,
            catalog,
            profiles,
            rules,
            self._channel_codes,
            self.audiences,
            self.lookups,
            seen=self,
        )

    def forget(self) -> None:
        """To be called when what was done since a savepoint has been taken back."""
        self._connection.execute("DISCARD TEMP")
        self.audiences.forget()
        self.lookups.forget()
        self._filling.clear()
        self._mapped.clear()
        self._compared.clear()

    # --- questions
    # ----------------------------------------------------------------------------------------------

    def compile(self, entity: Entity) -> Query:
        """The entity's scope over its rows; what it depends on is brought up to date as needed."""
        query = self._compiler.compile(entity)
        if query.own_column and not self.lookups.fresh(entity.name):
            self.entity(entity.name)
            query = self._compiler.compile(entity)
        return query

    def mode(self, scope: scopes.ByBusinessRule) -> str:
        """The mode that the rule's value chooses."""
        return self._compiler.mode(scope)

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

    def entity(self, name: str, *, as_published: bool = False) -> Lookup:
        """(key, audience): who sees each live row of an entity, by its Id. A row that nobody sees
        may be missing.

        as_published: the caller publishes all rows now, so that a new table may say at once that
        they are.
        """
        if found := self.lookups.fresh(name):
            return found
        entity = self._catalog[name]
        query = self._compiler.compile(entity)
        definition = self._digest(entity.scope.model_dump(), query.parameters)
        state = self.lookups.state(name)
        if state is None or state.definition != definition:
            changed = self._fill(query, anew=state is None, as_published=as_published)
        else:
            changed = self._refresh(query, state.refreshed_load)
        self._filling.pop(name, None)
        return self.lookups.refreshed(name, definition, changed=changed)

    def rows(self, entity: Entity) -> tuple[sql.Composable, sql.Composable]:
        """(FROM and joins, audience) of all live rows `x` of an entity whose lookup is up to date.

        Where all audiences have just been worked out, the small tables that they follow from are
        joined again: that costs a third of joining row by row what came of it.
        """
        if entity.name in self._mapped:
            query, mapping = self._mapped[entity.name]
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

    # --- the table of who sees what
    # ---------------------------------------------------------------------------------

    def _fill(self, query: Query, *, anew: bool, as_published: bool) -> bool:
        """All rows. anew: there is no table yet; else it keeps what it knows of rows that are seen
        as before.
        """
        computed = self._settled(query, None)
        target = self.lookups.table(query.entity.name)
        parts = {
            "target": target,
            "kind": self.lookups.kind,
            "computed": computed,
            "load": sql.Literal(self._load),
            "nobody": sql.Literal(NOBODY_NUMBER),
        }
        if anew:
            self._connection.execute(
                sql.SQL(
                    "DROP TABLE IF EXISTS {target}; CREATE {kind} TABLE {target} AS SELECT key,"
                    " audience, {load}::bigint AS since, NULL::integer AS before, {published} AS"
                    " published FROM {computed} AS c WHERE audience <> {nobody}; ANALYZE {target}"
                ).format(
                    **parts,
                    published=sql.SQL("audience") if as_published else sql.Literal(NOBODY_NUMBER),
                )
            )
            return True
        merged = self.lookups.temporary()
        self._connection.execute(
            sql.SQL("""
                CREATE TEMPORARY TABLE {merged} AS
                SELECT coalesce(t.key, c.key) AS key, coalesce(c.audience, {nobody}) AS audience,
                    t.since, t.before,
                       coalesce(t.published, {nobody}) AS published, t.audience AS known
                FROM {computed} AS c FULL JOIN {target} AS t ON t.key = c.key
                WHERE t.key IS NOT NULL OR c.audience <> {nobody};
                DROP TABLE {target};
                CREATE {kind} TABLE {target} AS
                SELECT key, audience, CASE WHEN audience = known THEN since ELSE {load} END
                    AS since,
                       CASE WHEN audience = known THEN before ELSE known END AS before, published
                           FROM {merged};
                ANALYZE {target}
                """).format(**parts, merged=merged)
        )
        return self._changed_now(target)

    def _changed_now(self, target: sql.Identifier) -> bool:
        row = self._connection.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE since = {})").format(
                target, sql.Literal(self._load)
            )
        ).fetchone()
        return row is not None and bool(row[0])

    def _refresh(self, query: Query, since: int) -> bool:
        """The rows that changed after load `since`, or whose atoms may have."""
        touched = self._touched(query, since)
        if touched is None:
            return False
        compared = self.lookups.temporary()
        parts = {
            "target": self.lookups.table(query.entity.name),
            "computed": self._settled(query, touched),
            "touched": touched,
            "compared": compared,
            "load": sql.Literal(self._load),
            "nobody": sql.Literal(NOBODY_NUMBER),
        }
        self._connection.execute(
            sql.SQL("""
                CREATE TEMPORARY TABLE {compared} AS
                SELECT d.key, coalesce(c.audience, {nobody}) AS audience,
                    coalesce(t.audience, {nobody}) AS known,
                       coalesce(t.published, {nobody}) AS published, t.key IS NULL AS is_new,
                           d.changed, d.live
                FROM {touched} AS d LEFT JOIN {computed} AS c ON c.key = d.key LEFT JOIN {target}
                    AS t ON t.key = d.key;
                ANALYZE {compared}
                """).format(**parts)
        )
        self._compared[query.entity.name] = (since, compared)
        updated = self._connection.execute(
            sql.SQL(
                "UPDATE {target} AS t SET before = t.audience, audience = d.audience, since ="
                " {load} FROM {compared} AS d WHERE t.key = d.key AND NOT d.is_new AND d.audience"
                " <> d.known"
            ).format(**parts)
        )
        inserted = self._connection.execute(
            sql.SQL(
                "INSERT INTO {target} (key, audience, since, before, published) SELECT key,"
                " audience, {load}, NULL, {nobody} FROM {compared} WHERE is_new AND audience <>"
                " {nobody}"
            ).format(**parts)
        )
        return updated.rowcount + inserted.rowcount > 0

    def compared(self, name: str, since: int) -> sql.Identifier | None:
        """(key, published, audience, changed, live) of all rows of which anything may have changed
        after load `since`.

        None when that has not been found out for just this load.
        """
        found = self._compared.get(name)
        return found[1] if found and found[0] == since else None

    def _touched(self, query: Query, since: int) -> sql.Identifier | None:
        """A temporary table (key, changed, live) of the rows to look at again; None when there is
        none.
        """
        conditions = [
            sql.SQL("x.{} IN ({})").format(sql.Identifier(trigger.column), trigger.changed(since))
            for trigger in query.triggers
            if trigger.changed_load > since
        ]
        if self.lookups.loaded.get(query.entity.name, 0) > since:
            conditions.insert(
                0, sql.SQL("x.{} > {}").format(sql.Identifier(CHANGED), sql.Literal(since))
            )
        if not conditions:
            return None
        touched = self.lookups.temporary()
        parts: dict[str, sql.Composable] = {
            "rows": table(KIMO, query.entity.name),
            "id": sql.Identifier(ID),
            "changed": sql.SQL("x.{} > {}").format(sql.Identifier(CHANGED), sql.Literal(since)),
            "live": sql.SQL("x.{} IS NULL").format(sql.Identifier(ARCHIVED)),
            "where": sql.SQL(" OR ").join(conditions),
        }
        select = sql.SQL(
            "SELECT x.{id}::text AS key, {changed} AS changed, {live} AS live FROM {rows} AS x"
            " WHERE {where}"
        ).format(**parts)
        if query.own_column:
            # Whoever is seen with a row that may be seen otherwise now, and so on: all of them from
            # the beginning.
            select = sql.SQL(
                "WITH RECURSIVE reached AS (SELECT x.{id} AS key FROM {rows} AS x WHERE {where} "
                "UNION SELECT x.{id} FROM {rows} AS x JOIN reached AS r ON r.key = x.{own}) "
                "SELECT x.{id}::text AS key, {changed} AS changed, {live} AS live "
                "FROM reached AS r JOIN {rows} AS x ON x.{id} = r.key"
            ).format(**parts, own=sql.Identifier(query.own_column))
        found = self._connection.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} AS {}").format(touched, select)
        ).rowcount
        self._connection.execute(sql.SQL("ANALYZE {}").format(touched))
        return touched if found else None

    def _settled(self, query: Query, touched: sql.Identifier | None) -> sql.Composable:
        """A subquery (key, audience) of the touched live rows, or all.

        A scope that reads its own entity (a site its head office) begins with nobody and is
        repeated until it settles, so that no circle of rows lets itself be seen. Only in a circle a
        fallback may speak in one generation and be silent in the next, for ever: then the rules are
        settled without fallbacks first, and at the end nobody is forgotten again.
        """
        if query.own_column is None:
            return self._computed(query, touched)
        own = self._filling[query.entity.name]
        self._begin_with_nobody(query.entity.name, own, touched)
        if found := self._repeated(query, touched, own):
            return found
        self._begin_with_nobody(query.entity.name, own, touched)
        self._repeated(query, touched, own, fallbacks=False)
        if found := self._repeated(query, touched, own):
            return found
        self._repeated(query, touched, own, forgets=False)
        self._mapped.pop(query.entity.name, None)  # the atoms alone do not say it
        among = sql.SQL("" if touched is None else "WHERE key IN (SELECT key FROM {})").format(
            touched
        )
        return sql.SQL("(SELECT key, audience FROM {} {})").format(own, among)

    def _repeated(
        self,
        query: Query,
        touched: sql.Identifier | None,
        own: sql.Identifier,
        *,
        fallbacks: bool = True,
        forgets: bool = True,
    ) -> sql.Composable | None:
        """The rows' audiences, once nothing changes any more; None when they come round to what
        they were before.

        forgets: a row's audience becomes what is found; else that is added to it. Then, and without
        fallbacks, sets only grow, and nothing comes round.
        """
        been: set[int] = set()
        while len(been) < _MAX_GENERATIONS:
            computed = self._computed(query, touched, fallbacks=fallbacks)
            pairs = self._connection.execute(
                sql.SQL(
                    "SELECT DISTINCT o.audience, c.audience FROM {} AS o JOIN {} AS c ON c.key ="
                    " o.key WHERE o.audience <> c.audience"
                ).format(own, computed)
            ).fetchall()
            becomes = {
                (old, new): new if forgets else self._together(old, new) for old, new in pairs
            }
            if all(old == goal for (old, _), goal in becomes.items()):
                return computed
            steps = self.lookups.filled(
                [("old", "integer"), ("new", "integer"), ("goal", "integer")],
                ((old, new, goal) for (old, new), goal in becomes.items()),
            )
            self._connection.execute(
                sql.SQL(
                    "UPDATE {} AS o SET audience = s.goal FROM {} AS c JOIN {} AS s ON s.new ="
                    " c.audience WHERE o.key = c.key AND o.audience = s.old"
                ).format(own, computed, steps)
            )
            if fallbacks and forgets:
                state = self._digest_of(own)
                if state in been:
                    return None
                been.add(state)
        return None

    def _digest_of(self, own: sql.Identifier) -> int:
        row = self._connection.execute(
            sql.SQL("SELECT bit_xor(hashtextextended(key || ' ' || audience, 0)) FROM {}").format(
                own
            )
        ).fetchone()
        return row[0] if row else 0

    def _together(self, *audiences: int) -> int:
        return self.audiences.number(reduce(or_, map(self.audiences.mask, audiences)))

    def _begin_with_nobody(
        self, name: str, own: sql.Identifier, touched: sql.Identifier | None
    ) -> None:
        nobody = sql.Literal(NOBODY_NUMBER)
        self._connection.execute(sql.SQL("TRUNCATE {}").format(own))
        if touched is None:
            known = sql.SQL("SELECT {}, {} FROM {}").format(
                sql.Identifier(ID), nobody, table(KIMO, name)
            )
        else:
            known = sql.SQL(
                "SELECT t.key, t.audience FROM {0} AS t WHERE NOT EXISTS (SELECT FROM {1} AS d"
                " WHERE d.key = t.key) UNION ALL SELECT key, {2} FROM {1}"
            ).format(self.lookups.table(name), touched, nobody)
        self._connection.execute(
            sql.SQL("INSERT INTO {} (key, audience) {}; ANALYZE {}").format(own, known, own)
        )

    def _computed(
        self, query: Query, touched: sql.Identifier | None, *, fallbacks: bool = True
    ) -> sql.Composable:
        """A subquery (key, audience) of the touched live rows, or all: their atoms, and these
        mapped to sets.
        """
        if not query.atoms:
            number = self.audiences.number(self._evaluate(query, (), fallbacks=fallbacks))
            return sql.SQL("(SELECT x.{}::text AS key, {} AS audience {})").format(
                sql.Identifier(ID), sql.Literal(number), query.origin(_among(touched))
            )
        atoms = self.lookups.temporary()
        with self._nested_loops(touched is not None):
            self._connection.execute(
                sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT x.{}::text AS key, {} {}").format(
                    atoms, sql.Identifier(ID), query.expressions(), query.origin(_among(touched))
                )
            )
        names = sql.SQL(", ").join(atom.name for atom in query.atoms)
        combinations = self._connection.execute(
            sql.SQL("SELECT DISTINCT {} FROM {}").format(names, atoms)
        ).fetchall()
        mapping = self._mapping(query, combinations, fallbacks=fallbacks)
        if touched is None:
            self._mapped[query.entity.name] = (query, mapping)
        return sql.SQL(
            "(SELECT x.key, m.number AS audience FROM {} AS x JOIN {} AS m ON {})"
        ).format(atoms, mapping, _same_atoms(query))

    @contextmanager
    def _nested_loops(self, few: bool) -> Iterator[None]:
        """What belongs to a few rows PostgreSQL may fetch one by one; of whole tables it guesses
        too badly for that.
        """
        self._connection.execute(f"SET LOCAL enable_nestloop = {'on' if few else 'off'}")
        yield
        self._connection.execute("SET LOCAL enable_nestloop = off")

    def _evaluate(self, query: Query, values: tuple[int | str, ...], *, fallbacks: bool) -> int:
        return evaluate(query.node, values, self.profiles.live_mask, fallbacks=fallbacks)

    def _mapping(
        self, query: Query, combinations: Iterable[tuple[int | str, ...]], *, fallbacks: bool
    ) -> sql.Identifier:
        """A temporary table of the atoms' values and the number of their audience."""
        return self.lookups.filled(
            [*((atom.label, atom.type) for atom in query.atoms), ("number", "integer")],
            (
                (*values, self.audiences.number(self._evaluate(query, values, fallbacks=fallbacks)))
                for values in combinations
            ),
        )

    def promotions(self, scope: scopes.ViaPromotionFilter) -> Lookup:
        """(key, audience) of the promotions that have filters."""
        name = f"{scope.link}.{scope.link_column}"
        if found := self.lookups.fresh(name):
            return found
        accounts = self.entity("Account")
        definition = self._digest(scope.model_dump(), self.profiles.described())
        state = self.lookups.state(name)
        decided = max(
            accounts.changed_load, *(self.lookups.loaded.get(e, 0) for e in (scope.link, "Account"))
        )
        if state and state.definition == definition and decided <= state.refreshed_load:
            return self.lookups.refreshed(name, definition, changed=False)
        filters = PromotionFilters(
            self._connection,
            self._catalog,
            scope,
            accounts.table,
            agents=lambda code: self.profiles.mask([code]),
            audience=self.audiences.mask,
        )
        masks = filters.masks(self._channel_codes)
        columns = [("key", "text"), ("audience", "integer")]
        rows = self.lookups.filled(
            columns, ((key, self.audiences.number(mask)) for key, mask in masks.items())
        )
        select = sql.SQL("SELECT key, audience FROM {}").format(rows)
        changed = True
        if state is None:
            self.lookups.create(name, select, "audience")
        else:
            changed = self.lookups.merge(name, select, "audience")
        return self.lookups.refreshed(name, definition, changed=changed)

    def _digest(self, *parts: Any) -> str:
        about = [_MEANING, sorted(self._channel_codes), *parts]
        return blake2b(orjson.dumps(about, default=str), digest_size=16).hexdigest()

    def own(self, entity: str) -> sql.Identifier:
        """Who sees the entity's rows; while that is being found out, as far as it is known."""
        if found := self.lookups.fresh(entity):
            return found.table
        if entity not in self._filling:
            self._filling[entity] = self.lookups.filled(
                [("key", "text"), ("audience", "integer")], ()
            )
        return self._filling[entity]


def _same_atoms(query: Query) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL("m.{0} = x.{0}").format(atom.name) for atom in query.atoms)


def _among(touched: sql.Identifier | None) -> sql.Composable:
    if touched is None:
        return sql.SQL("")
    return sql.SQL("JOIN {} AS touched ON touched.key = x.{}").format(touched, sql.Identifier(ID))
