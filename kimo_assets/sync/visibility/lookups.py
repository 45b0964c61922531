"""Lookups: tables in schema sync, of what scopes ask about a key, kept from one preparation to the
next.

`SalesAgentPerAccount.AccountId.SalesAgentId` holds the agents linked to each account, `Account` who
sees each account. Beside every value stands the load that last changed it, so that what depends on
it knows which rows to look at again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import Connection, sql

from kimo_assets.database.names import ARCHIVED, KIMO, table
from kimo_assets.sync.visibility.profiles import SEPARATOR, changed_agents

SYNC = "sync"
_TEMPORARY = "pg_temp"


@dataclass(frozen=True)
class Lookup:
    """A table with a key, a value (`linked` or `audience`) and `since`. changed_load: the last load
    that changed a value.
    """

    table: sql.Identifier
    changed_load: int


@dataclass(frozen=True)
class State:
    """What the ledger says of a lookup. definition: a digest of all that its values follow from,
    beside tables.
    """

    definition: str
    refreshed_load: int
    changed_load: int


class Lookups:
    """kept: in schema sync and the ledger; else in temporary tables, made anew for one connection's
    questions.

    loaded: entity -> the last load that changed any of its rows.
    """

    def __init__(
        self, connection: Connection, load: int, loaded: Mapping[str, int], *, kept: bool
    ) -> None:
        self._connection = connection
        self._load = load
        self._kept = kept
        self.loaded = loaded
        self._count = 0
        self.forget()
        self._were_kept = frozenset(self._states)

    def forget(self) -> None:
        """Reads the ledger again, as after a transaction that was taken back. A table that is lost
        has to be made anew.
        """
        rows = self._connection.execute(
            "SELECT name, definition, refreshed_load, changed_load FROM ops.lookup "
            "WHERE to_regclass(format('sync.%I', name)) IS NOT NULL"
        )
        self._states = {name: State(*values) for name, *values in rows} if self._kept else {}
        self._fresh: dict[str, Lookup] = {}

    def table(self, name: str) -> sql.Identifier:
        return sql.Identifier(SYNC if self._kept else _TEMPORARY, name)

    def state(self, name: str) -> State | None:
        return self._states.get(name)

    def was_kept(self, name: str) -> bool:
        """Whether the table was there before this preparation, and so knows what is published."""
        return name in self._were_kept

    def fresh(self, name: str) -> Lookup | None:
        """The lookup, if it has been brought up to date in this preparation."""
        return self._fresh.get(name)

    def refreshed(self, name: str, definition: str, *, changed: bool) -> Lookup:
        """Notes that the table is up to date."""
        before = self._states.get(name)
        changed_load = self._load if changed or before is None else before.changed_load
        self._states[name] = State(definition, self._load, changed_load)
        if self._kept:
            self._connection.execute(
                """
                INSERT INTO ops.lookup (name, definition, refreshed_load, changed_load) VALUES
                    (%s, %s, %s, %s)
                ON CONFLICT (name) DO UPDATE SET (definition, refreshed_load, changed_load) =
                    (excluded.definition, excluded.refreshed_load, excluded.changed_load)
                """,
                [name, definition, self._load, changed_load],
            )
        self._fresh[name] = Lookup(self.table(name), changed_load)
        return self._fresh[name]

    def linked(self, link: str, key: str, value: str, *, agents_changed_load: int = 0) -> Lookup:
        """(key, linked): the live rows' values per key as one text; NULL for a key that has none
        any more.

        agents_changed_load: where the values are agents, the last load by which any of them means
        other profiles: these count as changed.
        """
        name = f"{link}.{key}.{value}"
        if found := self._fresh.get(name):
            return found
        state = self._states.get(name)
        changed = False
        if state is None:
            self.create(name, _select_linked(link, key, value), "linked")
        elif self.loaded.get(link, 0) > state.refreshed_load:
            changed = self.merge(name, _select_linked(link, key, value), "linked")
        if state and agents_changed_load > state.refreshed_load:
            changed = (
                self._mark_changed_agents(name, link, key, value, state.refreshed_load) or changed
            )
        return self.refreshed(name, "", changed=changed)

    def _mark_changed_agents(self, name: str, link: str, key: str, value: str, since: int) -> bool:
        marked = self._connection.execute(
            sql.SQL(
                "UPDATE {} SET since = {} WHERE key IN (SELECT {} FROM {} WHERE {} IN ({}))"
            ).format(
                self.table(name),
                sql.Literal(self._load),
                sql.Identifier(key),
                table(KIMO, link),
                sql.Identifier(value),
                changed_agents(since),
            )
        )
        return marked.rowcount > 0

    def create(self, name: str, select: sql.Composable, value: str) -> None:
        """A lookup's table from a query (key, value)."""
        self._connection.execute(
            sql.SQL(
                "DROP TABLE IF EXISTS {target}; CREATE {kind} TABLE {target} AS SELECT key COLLATE"
                ' "C" AS key, {value}, {load}::bigint AS since FROM ({select}) AS s; ANALYZE'
                " {target}"
            ).format(
                target=self.table(name),
                kind=self.kind,
                value=sql.Identifier(value),
                load=sql.Literal(self._load),
                select=select,
            )
        )

    def merge(self, name: str, select: sql.Composable, value: str) -> bool:
        """Whether anything changed in bringing the table to a query (key, value); a key that it
        lacks loses its value.
        """
        difference = self.temporary()
        parts = {
            "difference": difference,
            "target": self.table(name),
            "value": sql.Identifier(value),
            "load": sql.Literal(self._load),
        }
        self._connection.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {difference} AS SELECT coalesce(s.key, t.key) AS key,"
                " s.{value}, t.key IS NULL AS is_new FROM ({select}) AS s FULL JOIN {target} AS t"
                " ON t.key = s.key WHERE s.{value} IS DISTINCT FROM t.{value}"
            ).format(**parts, select=select)
        )
        updated = self._connection.execute(
            sql.SQL(
                "UPDATE {target} AS t SET {value} = d.{value}, since = {load} FROM {difference} AS"
                " d WHERE t.key = d.key AND NOT d.is_new"
            ).format(**parts)
        )
        inserted = self._connection.execute(
            sql.SQL(
                "INSERT INTO {target} (key, {value}, since) SELECT key, {value}, {load} FROM"
                " {difference} WHERE is_new"
            ).format(**parts)
        )
        return updated.rowcount + inserted.rowcount > 0

    @property
    def kind(self) -> sql.SQL:
        return sql.SQL("" if self._kept else "TEMPORARY")

    def filled(
        self,
        columns: Sequence[tuple[str, LiteralString]],
        rows: Iterable[Sequence[int | str | bool]],
    ) -> sql.Identifier:
        """A temporary table of these rows. columns: name and type."""
        target = self.temporary()
        definitions = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns
        )
        self._connection.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} ({})").format(target, definitions)
        )
        with (
            self._connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY {} FROM STDIN").format(target)) as copy,
        ):
            for row in rows:
                copy.write_row(row)
        self._connection.execute(sql.SQL("ANALYZE {}").format(target))
        return target

    def temporary(self) -> sql.Identifier:
        """A name for one more temporary table."""
        self._count += 1
        return sql.Identifier(_TEMPORARY, f"step_{self._count}")


def _select_linked(link: str, key: str, value: str) -> sql.Composed:
    return sql.SQL(
        "SELECT {key}::text AS key, coalesce(string_agg(DISTINCT {value}::text, {separator} ORDER"
        " BY {value}::text), '') AS linked FROM {link} WHERE {archived} IS NULL AND {key} IS NOT"
        " NULL GROUP BY {key}"
    ).format(
        key=sql.Identifier(key),
        value=sql.Identifier(value),
        separator=sql.Literal(SEPARATOR),
        link=table(KIMO, link),
        archived=sql.Identifier(ARCHIVED),
    )
