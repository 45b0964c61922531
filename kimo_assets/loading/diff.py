"""The difference between a staged snapshot and kimo.<Entity>, computed once and applied by kind."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection, Cursor, sql

from kimo_assets.catalog import Entity
from kimo_assets.catalog.lifecycle import LIFECYCLE, EntityStatus
from kimo_assets.database.names import ARCHIVED, CHANGED, HASH, ID, KIMO, OPS, columns, table
from kimo_assets.reports import LoadedEntity

# The status of a row that the snapshot has written.
_OF_SNAPSHOT = sql.Literal(EntityStatus.IMPORTED_FROM_ERP)


class Diff:
    """One entity's difference: compare() finds the rows that differ, apply() changes them.

    In between they are in pg_temp.difference (id, kind).
    has_rejected: rows of the snapshot are in quarantine, and so not to be loaded. held: a condition
    on a row `k` of Kimo's and `s` of the snapshot.
    """

    def __init__(
        self,
        connection: Connection,
        entity: Entity,
        staging: sql.Identifier,
        mapped: list[str],
        load: int,
        *,
        has_rejected: bool,
        held: sql.Composable,
    ) -> None:
        self._connection = connection
        self._entity = entity
        self._staging = staging
        self._mapped = mapped
        self._load = load
        self._has_rejected = has_rejected
        self._held = held

    def is_empty(self) -> bool:
        """Whether Kimo's table has no row at all, not even an archived one."""
        row = self._execute("SELECT EXISTS (SELECT FROM {kimo})").fetchone()
        return row is not None and not row[0]

    def insert_all(self) -> LoadedEntity:
        """The first load of an entity, into an empty table: nothing to compare."""
        return LoadedEntity(self._entity.name, inserted=self._insert_all())

    def apply(self, counts: dict[str, Any]) -> LoadedEntity:
        """Applies what compare() has found. counts: what it returned, by kind."""
        self._update()
        self._archive()
        self._insert()
        live = self._count_live()
        unchanged = live - counts["inserted"] - counts["updated"] - counts["held"]
        return LoadedEntity(self._entity.name, **counts, unchanged=unchanged)

    def _insert_all(self) -> int:
        """Into an empty table. Its index is built once, afterwards, in a third of the time."""
        constraint = sql.Identifier(f"{self._entity.name}_pkey")
        # It is empty already. But with wal_level minimal what goes into a new file is not logged.
        self._execute("TRUNCATE {kimo}")
        self._execute("ALTER TABLE {kimo} DROP CONSTRAINT {constraint}", constraint=constraint)
        inserted = self._execute(
            "INSERT INTO {kimo} ({columns}) SELECT {values} FROM {incoming} AS s",
            columns=self._insert_columns(),
            values=self._insert_values(),
        ).rowcount
        self._execute(
            "ALTER TABLE {kimo} ADD CONSTRAINT {constraint} PRIMARY KEY ({id})",
            constraint=constraint,
        )
        return inserted

    def compare(self) -> dict[str, Any]:
        """How many rows are to be inserted, updated, archived, and are held, by kind."""
        columns_of_held = [
            sql.SQL(", {}").format(sql.Identifier(name)) for name in self._columns_of_held()
        ]
        # Rows that only Kimo has are without a hash. A plain <> would be NULL for them, and pass
        # them over.
        self._execute("DROP TABLE IF EXISTS pg_temp.difference")
        self._execute(
            """
            CREATE TEMPORARY TABLE difference ON COMMIT DROP AS
            SELECT coalesce(s.{id}, k.{id}) AS id,
                   CASE WHEN k.{id} IS NULL THEN 'inserted'
                        WHEN {held} THEN 'held'
                        WHEN s.{id} IS NULL THEN 'archived'
                        ELSE 'updated' END AS kind
            FROM (SELECT {id}, {hash} FROM {incoming} AS i) AS s
            FULL JOIN (SELECT {id}, {hash}, {archived} {columns_of_held} FROM {kimo}) AS k
                ON k.{id} = s.{id}
            WHERE CASE WHEN s.{id} IS NULL THEN k.{archived} IS NULL
                       ELSE k.{archived} IS NOT NULL OR k.{hash} IS DISTINCT FROM s.{hash} END
            """,
            held=self._held,
            columns_of_held=sql.SQL("").join(columns_of_held),
        )
        # The statements that follow join it with whole tables.
        self._execute("ANALYZE difference")
        rows = self._execute("SELECT kind, count(*) FROM difference GROUP BY kind")
        counts: dict[str, int] = dict(rows.fetchall())
        return {"inserted": 0, "updated": 0, "archived": 0, "held": 0} | counts

    def _columns_of_held(self) -> list[str]:
        """The columns that the condition `held` reads."""
        names = ("EntityStatus", self._entity.owner_field)
        return [name for name in names if name and name in self._entity.fields]

    def _update(self) -> None:
        """A row that was archived and is in the snapshot again is live again."""
        assignments: list[sql.Composable] = [
            sql.SQL("{0} = s.{0}").format(sql.Identifier(name))
            for name in (*self._mapped, HASH)
            if name != ID
        ]
        # What left the mapping, else old values would stay for ever.
        assignments += [
            sql.SQL("{} = NULL").format(sql.Identifier(name)) for name in self._unmapped()
        ]
        if self._sets_status():
            assignments.append(sql.SQL('"EntityStatus" = {}').format(_OF_SNAPSHOT))
        self._execute(
            """
            UPDATE {kimo} AS k SET {assignments}, {changed} = {load}, {archived} = NULL
            FROM difference AS d JOIN {staging} AS s ON s.{id} = d.id
            WHERE d.kind = 'updated' AND k.{id} = d.id
            """,
            assignments=sql.SQL(", ").join(assignments),
        )

    def _archive(self) -> None:
        self._execute("""
            UPDATE {kimo} AS k SET {archived} = {load}, {changed} = {load}
            FROM difference AS d WHERE d.kind = 'archived' AND k.{id} = d.id
            """)

    def _insert(self) -> None:
        self._execute(
            """
            INSERT INTO {kimo} ({columns})
            SELECT {values} FROM difference AS d JOIN {staging} AS s ON s.{id} = d.id
                WHERE d.kind = 'inserted'
            """,
            columns=self._insert_columns(),
            values=self._insert_values(),
        )

    def _count_live(self) -> int:
        row = self._execute("SELECT count(*) FROM {kimo} WHERE {archived} IS NULL").fetchone()
        return row[0] if row else 0

    @property
    def incoming(self) -> sql.Composable:
        """The staged rows without those that were just rejected."""
        if not self._has_rejected:
            return self._staging
        return sql.SQL("""
            (SELECT * FROM {} AS s WHERE NOT EXISTS
                (SELECT FROM {} AS r WHERE r.entity = {} AND r.step = 2
                    AND r.source_key COLLATE "C" = s.{}))
            """).format(
            self._staging,
            table(OPS, "rejected_row"),
            sql.Literal(self._entity.name),
            sql.Identifier(ID),
        )

    def _unmapped(self) -> list[str]:
        """Fields that left the mapping. An entity that only the ERP writes loses their values."""
        if self._entity.direction != "import":
            return []
        return [
            name
            for name in self._entity.fields
            if name not in self._mapped and name not in (ID, *LIFECYCLE)
        ]

    def _sets_status(self) -> bool:
        """Whether the load sets EntityStatus, because the ERP does not give it."""
        return self._entity.is_held_while_pending and "EntityStatus" not in self._mapped

    def _insert_columns(self) -> sql.Composed:
        status = ["EntityStatus"] if self._sets_status() else []
        return columns([*self._stored(), HASH, CHANGED, *status])

    def _insert_values(self) -> sql.Composed:
        values = sql.SQL("{}, {}").format(
            columns([*self._stored(), HASH], of="s"), sql.Literal(self._load)
        )
        if self._sets_status():
            values += sql.SQL(", {}").format(_OF_SNAPSHOT)
        return values

    def _stored(self) -> list[str]:
        return self._mapped if ID in self._mapped else [*self._mapped, ID]

    def _execute(self, statement: str, **parts: sql.Composable) -> Cursor[Any]:
        """Runs a statement with the names and values that it has in braces."""
        names: dict[str, sql.Composable] = {
            "kimo": table(KIMO, self._entity.name),
            "staging": self._staging,
            "incoming": self.incoming,
            "id": sql.Identifier(ID),
            "hash": sql.Identifier(HASH),
            "changed": sql.Identifier(CHANGED),
            "archived": sql.Identifier(ARCHIVED),
            "load": sql.Literal(self._load),
        }
        return self._connection.execute(sql.SQL(statement).format(**(names | parts)))


def staged_fields(connection: Connection, entity: Entity, schema: str) -> list[str]:
    """The fields that the staged table holds, the derived Id among them."""
    rows: Sequence[tuple[str]] = connection.execute(
        """
        SELECT column_name FROM information_schema.columns
        WHERE table_schema = %s AND table_name = %s
        """,
        [schema, entity.name],
    ).fetchall()
    present = {name for (name,) in rows}
    return [name for name in entity.fields if name in present]
