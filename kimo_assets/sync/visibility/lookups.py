"""Lookups: tables in schema sync with the values that scopes need for a key.

They stay from one preparation to the next. `SalesAgentPerAccount.AccountId.SalesAgentId` holds the
agents linked to each account, `Account` holds who sees each account. Every value has the load that
last changed it: so dependent tables know which of their rows to check again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import Connection, sql

from kimo_assets.database.names import ARCHIVED, KIMO, table
from kimo_assets.sync.visibility.profiles import SEPARATOR, changed_agents

SYNC = "sync"
_TEMPORARY = "pg_temp"


@dataclass(frozen=True)
class Lookup:
    """A table with a key, a value (`linked` or `audience`) and `since`.

    changed_load: the last load that changed a value.
    """

    table: sql.Identifier
    changed_load: int


@dataclass(frozen=True)
class State:
    """A lookup in the ledger.

    definition: a digest of everything beside tables that decides its values.
    """

    definition: str
    refreshed_load: int
    changed_load: int


class Lookups:
    """All lookups of one preparation, or of one connection's questions.

    kept: in schema sync and the ledger, otherwise in temporary tables. loaded: entity -> the last
    load that changed any of its rows.
    """

    def __init__(
        self, connection: Connection[Any], load: int, loaded: Mapping[str, int], *, kept: bool
    ) -> None:
        self._connection = connection
        self._load = load
        self._kept = kept
        self.loaded = loaded
        self._count = 0
        self.forget()
        self._were_kept = frozenset(self._states)

    def forget(self) -> None:
        """Reads the ledger again, as after a rollback. A table that is lost counts as unknown."""
        rows = self._connection.execute(
            "SELECT name, definition, refreshed_load, changed_load FROM ops.lookup "
            "WHERE to_regclass(format('sync.%I', name)) IS NOT NULL"
        )
        self._states: dict[str, State] = {}
        if self._kept:
            self._states = {name: State(*values) for name, *values in rows}
        self._fresh: dict[str, Lookup] = {}

    def table(self, name: str) -> sql.Identifier:
        """The table of a lookup, kept or temporary."""
        return sql.Identifier(SYNC if self._kept else _TEMPORARY, name)

    def state(self, name: str) -> State | None:
        """When a lookup was last refreshed and changed; None before the first time."""
        return self._states.get(name)

    def was_kept(self, name: str) -> bool:
        """Whether the table existed before this preparation, and so knows what is published."""
        return name in self._were_kept

    def fresh(self, name: str) -> Lookup | None:
        """The lookup, if it has been brought up to date in this preparation."""
        return self._fresh.get(name)

    def refreshed(self, name: str, definition: str, *, changed: bool) -> Lookup:
        """Records that the table is up to date."""
        previous = self._states.get(name)
        changed_load = self._load if changed or previous is None else previous.changed_load
        self._states[name] = State(definition, self._load, changed_load)
        if self._kept:
            self._connection.execute(
                """
                INSERT INTO ops.lookup (name, definition, refreshed_load, changed_load)
                VALUES (%s, %s, %s, %s)
                ON CONFLICT (name) DO UPDATE
                SET (definition, refreshed_load, changed_load)
                    = (excluded.definition, excluded.refreshed_load, excluded.changed_load)
                """,
                [name, definition, self._load, changed_load],
            )
        self._fresh[name] = Lookup(self.table(name), changed_load)
        return self._fresh[name]

    def linked(self, link: str, key: str, value: str, *, agents_changed_load: int = 0) -> Lookup:
        """(key, linked): the live rows' values per key as one text. NULL: the key has none now.

        agents_changed_load: where the values are agents, the last load since which one of them
        means other profiles. The values with such an agent count as changed.
        """
        name = f"{link}.{key}.{value}"
        # Several entities ask for the same links in one preparation.
        if lookup := self._fresh.get(name):
            return lookup
        state = self._states.get(name)
        select = _select_linked(link, key, value)
        changed = False
        if state is None:
            self.create(name, select, "linked")
        elif self.loaded.get(link, 0) > state.refreshed_load:
            changed = self.merge(name, select, "linked")
        if state and agents_changed_load > state.refreshed_load:
            marked = self._mark_changed_agents(name, link, key, value, state.refreshed_load)
            changed = changed or marked
        return self.refreshed(name, "", changed=changed)

    def _mark_changed_agents(self, name: str, link: str, key: str, value: str, since: int) -> bool:
        """Whether any value has an agent who means other profiles than at that load."""
        statement = sql.SQL("""
            UPDATE {target} SET since = {load}
            WHERE key IN (SELECT {key} FROM {link} WHERE {agent} IN ({changed_agents}))
            """).format(
            target=self.table(name),
            load=sql.Literal(self._load),
            key=sql.Identifier(key),
            link=table(KIMO, link),
            agent=sql.Identifier(value),
            changed_agents=changed_agents(since),
        )
        return self._connection.execute(statement).rowcount > 0

    def create(self, name: str, select: sql.Composable, value: str) -> None:
        """A lookup's table from a query (key, value)."""
        self._connection.execute(
            sql.SQL("""
                DROP TABLE IF EXISTS {target};
                CREATE {kind} TABLE {target} AS
                SELECT key COLLATE "C" AS key, {value}, {load}::bigint AS since
                FROM ({select}) AS s;
                ANALYZE {target}
                """).format(
                target=self.table(name),
                kind=self.kind,
                value=sql.Identifier(value),
                load=sql.Literal(self._load),
                select=select,
            )
        )

    def merge(self, name: str, select: sql.Composable, value: str) -> bool:
        """Updates the table to a query (key, value). Returns: whether anything changed.

        A key that the query lacks loses its value.
        """
        parts = {
            "difference": self.temporary(),
            "target": self.table(name),
            "value": sql.Identifier(value),
            "load": sql.Literal(self._load),
        }
        self._connection.execute(
            sql.SQL("""
                CREATE TEMPORARY TABLE {difference} AS
                SELECT coalesce(s.key, t.key) AS key, s.{value}, t.key IS NULL AS is_new
                FROM ({select}) AS s FULL JOIN {target} AS t ON t.key = s.key
                WHERE s.{value} IS DISTINCT FROM t.{value}
                """).format(**parts, select=select)
        )
        updated = self._connection.execute(
            sql.SQL("""
                UPDATE {target} AS t SET {value} = d.{value}, since = {load}
                FROM {difference} AS d WHERE t.key = d.key AND NOT d.is_new
                """).format(**parts)
        )
        inserted = self._connection.execute(
            sql.SQL("""
                INSERT INTO {target} (key, {value}, since)
                SELECT key, {value}, {load} FROM {difference} WHERE is_new
                """).format(**parts)
        )
        return updated.rowcount + inserted.rowcount > 0

    @property
    def kind(self) -> sql.SQL:
        """TEMPORARY, where nothing is kept."""
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
    # Ordered, so that the same values make the same text and nothing counts as changed.
    return sql.SQL("""
        SELECT {key}::text AS key,
            coalesce(
                string_agg(DISTINCT {value}::text, {separator} ORDER BY {value}::text), ''
            ) AS linked
        FROM {link} WHERE {archived} IS NULL AND {key} IS NOT NULL
        GROUP BY {key}
        """).format(
        key=sql.Identifier(key),
        value=sql.Identifier(value),
        separator=sql.Literal(SEPARATOR),
        link=table(KIMO, link),
        archived=sql.Identifier(ARCHIVED),
    )
