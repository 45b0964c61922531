"""One entity of step 2: kimo.<Entity> becomes the snapshot, touching only the rows that differ.

The caller opens the one transaction of a load, and calls in dependency order, so that owners are there before their parts.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Connection, sql

from kimo_assets.catalog import Entity
from kimo_assets.catalog.model import PENDING_STATUSES
from kimo_assets.database.names import ARCHIVED, CHANGED, HASH, ID, KIMO, OPS, STAGING, columns, table
from kimo_assets.database.rejections import since_kept
from kimo_assets.errors import ContractError
from kimo_assets.reports import LoadedEntity

# How much of a table has to change before the planner's picture of it is refreshed.
_ANALYZE_SHARE = 0.1
# A fifth of PostgreSQL's usual sample: the picture serves joins over whole tables, and drawing it was a fifth of a load.
_STATISTICS_TARGET = 20


@dataclass(frozen=True)
class LoadedState:
    """What the last load left in kimo.<entity>, from ops.loaded."""

    checksum: str
    held: int
    rows_live: int
    changed_load: int
    owner_changed_load: int | None


def load_entity(connection: Connection, entity: Entity, load: int) -> LoadedEntity:
    """Applies the staged snapshot of one entity, inside the caller's transaction.

    An entity whose snapshot, owner and pending edits are as at the last load is not compared at all.
    """
    started = time.monotonic()
    staged = staged_checksum(connection, entity.name)
    if staged is None:
        raise ContractError(f"{entity.name} has never been staged: run step 1 for it first")
    before = loaded_state(connection, entity.name)
    owner_changed = _owner_changed_load(connection, entity)
    if (
        before
        and before.checksum == staged
        and not before.held
        and before.owner_changed_load == owner_changed
    ):
        return LoadedEntity(
            entity.name, time.monotonic() - started, "unchanged", unchanged=before.rows_live,
            refused=_refused_before(connection, entity),
        )  # fmt: skip
    diff = _Diff(connection, entity, load, check_owner=owner_changed is not None)
    report = diff.apply(first=before is None)
    changed = report.inserted + report.updated + report.archived > 0
    live = report.inserted + report.updated + report.unchanged + report.held
    changed_load = load if changed or before is None else before.changed_load
    _record(connection, entity, load, LoadedState(staged, report.held, live, changed_load, owner_changed))
    if report.inserted + report.updated > _ANALYZE_SHARE * live:
        connection.execute(sql.SQL("SET LOCAL default_statistics_target = {}").format(_STATISTICS_TARGET))
        connection.execute(sql.SQL("ANALYZE {}").format(table(KIMO, entity.name)))
    return replace(report, seconds=time.monotonic() - started)


def staged_checksum(connection: Connection, entity: str) -> str | None:
    """What identifies the staged snapshot: how it was read and what it holds. None when there is none."""
    row = connection.execute(
        "SELECT definition || '/' || checksum FROM ops.staged WHERE entity = %s", [entity]
    ).fetchone()
    return row[0] if row else None


def loaded_state(connection: Connection, entity: str) -> LoadedState | None:
    row = connection.execute(
        "SELECT checksum, held, rows_live, changed_load, owner_changed_load FROM ops.loaded WHERE entity = %s",
        [entity],
    ).fetchone()
    return LoadedState(*row) if row else None


def _owner_changed_load(connection: Connection, entity: Entity) -> int | None:
    """The load that last changed the owner's rows; None when there is no owner, or it is not imported."""
    state = loaded_state(connection, entity.owner) if entity.owner else None
    return state.changed_load if state else None


def _refused_before(connection: Connection, entity: Entity) -> int:
    row = connection.execute(
        "SELECT count(*) FROM ops.rejected_row WHERE entity = %s AND step = 2", [entity.name]
    ).fetchone()
    return row[0] if row else 0


class _Diff:
    """The difference between integrator.<Entity> and kimo.<Entity>, computed once and applied by kind."""

    def __init__(self, connection: Connection, entity: Entity, load: int, *, check_owner: bool) -> None:
        self._connection = connection
        self._entity = entity
        self._load = load
        self._check_owner = check_owner
        self._mapped = _staged_fields(connection, entity)
        self._refused = 0

    def apply(self, *, first: bool) -> LoadedEntity:
        """The counts by kind. `first`: kimo.<Entity> was never loaded, so in general there is nothing to compare with."""
        with since_kept(self._connection, self._entity.name, step=2):
            self._refused = self._refuse_orphans()
        if first and self._is_empty():
            return LoadedEntity(self._entity.name, inserted=self._insert_all(), refused=self._refused)
        found = self._compare()
        self._update()
        self._archive()
        self._insert()
        live = self._count_live()
        unchanged = live - found["inserted"] - found["updated"] - found["held"]
        return LoadedEntity(self._entity.name, **found, unchanged=unchanged, refused=self._refused)

    def _is_empty(self) -> bool:
        row = self._execute("SELECT EXISTS (SELECT FROM {kimo})").fetchone()
        return row is not None and not row[0]

    def _insert_all(self) -> int:
        """Into an empty table: its index is built once, afterwards, in a third of the time.

        Truncated although it is empty: with wal_level minimal, what comes into a new file is not logged.
        """
        constraint = sql.Identifier(f"{self._entity.name}_pkey")
        self._execute("TRUNCATE {kimo}")
        self._execute("ALTER TABLE {kimo} DROP CONSTRAINT {constraint}", constraint=constraint)
        inserted = self._execute(
            "INSERT INTO {kimo} ({columns}) SELECT {values} FROM {incoming} AS s",
            columns=self._insert_columns(),
            values=self._insert_values(),
        ).rowcount
        self._execute(
            "ALTER TABLE {kimo} ADD CONSTRAINT {constraint} PRIMARY KEY ({id})", constraint=constraint
        )
        return inserted

    def _compare(self) -> dict[str, Any]:
        self._execute("DROP TABLE IF EXISTS pg_temp.difference")
        self._execute(
            """
            CREATE TEMPORARY TABLE difference ON COMMIT DROP AS
            SELECT coalesce(s.{id}, k.{id}) AS id,
                   CASE WHEN k.{id} IS NULL THEN 'inserted' WHEN {pending} THEN 'held'
                        WHEN s.{id} IS NULL THEN 'archived' ELSE 'updated' END AS kind
            FROM (SELECT {id}, {hash} FROM {incoming} AS i) AS s
            FULL JOIN (SELECT {id}, {hash}, {archived}, {status} AS status FROM {kimo}) AS k ON k.{id} = s.{id}
            WHERE CASE WHEN s.{id} IS NULL THEN k.{archived} IS NULL
                       ELSE k.{archived} IS NOT NULL OR k.{hash} IS DISTINCT FROM s.{hash} END
            """,
            pending=sql.SQL("k.status IN ({})").format(
                sql.SQL(", ").join(map(sql.Literal, PENDING_STATUSES))
            ),
            status=sql.Identifier("EntityStatus")
            if self._entity.is_held_while_pending
            else sql.SQL("NULL::integer"),
        )
        self._execute("ANALYZE difference")
        rows = self._execute("SELECT kind, count(*) FROM difference GROUP BY kind")
        return {"inserted": 0, "updated": 0, "archived": 0, "held": 0} | dict(rows.fetchall())

    def _update(self) -> None:
        assignments: list[sql.Composable] = [
            sql.SQL("{0} = s.{0}").format(sql.Identifier(name))
            for name in (*self._mapped, HASH)
            if name != ID
        ]
        assignments += [sql.SQL("{} = NULL").format(sql.Identifier(name)) for name in self._unmapped()]
        if self._sets_status():
            assignments.append(sql.SQL('"EntityStatus" = 0'))
        self._execute(
            """
            UPDATE {kimo} AS k SET {assignments}, {changed} = {load}, {archived} = NULL
            FROM difference AS d JOIN {staging} AS s ON s.{id} = d.id
            WHERE d.kind = 'updated' AND k.{id} = d.id
            """,
            assignments=sql.SQL(", ").join(assignments),
        )

    def _archive(self) -> None:
        self._execute(
            """
            UPDATE {kimo} AS k SET {archived} = {load}, {changed} = {load}
            FROM difference AS d WHERE d.kind = 'archived' AND k.{id} = d.id
            """
        )

    def _insert(self) -> None:
        self._execute(
            """
            INSERT INTO {kimo} ({columns})
            SELECT {values} FROM difference AS d JOIN {staging} AS s ON s.{id} = d.id WHERE d.kind = 'inserted'
            """,
            columns=self._insert_columns(),
            values=self._insert_values(),
        )

    def _count_live(self) -> int:
        row = self._execute("SELECT count(*) FROM {kimo} WHERE {archived} IS NULL").fetchone()
        return row[0] if row else 0

    def _refuse_orphans(self) -> int:
        """Parts whose owner is not there are kept in quarantine, not loaded (design, section 5)."""
        entity, reference = self._entity, self._entity.owner_reference
        self._connection.execute("DELETE FROM ops.rejected_row WHERE entity = %s AND step = 2", [entity.name])
        if not self._check_owner or reference is None or entity.owner_field not in self._mapped:
            return 0
        # Found by place first: a query that wants whole rows makes a value of each one it looks at.
        return self._execute(
            """
            INSERT INTO {rejected} (entity, step, load, rule, field, source_key, value, source_row)
            SELECT {entity}, 2, {load}, 'missing_owner', {field}, {id}, {owner_field}, to_jsonb(s) - {hash_name} - '_segment'
            FROM {staging} AS s WHERE s.ctid IN (
                SELECT x.ctid FROM {staging} AS x WHERE x.{owner_field} IS NOT NULL AND NOT EXISTS (
                    SELECT FROM {owner} AS o WHERE o.{key} = x.{owner_field} AND o.{archived} IS NULL
                )
            )
            """,
            rejected=table(OPS, "rejected_row"),
            entity=sql.Literal(entity.name),
            field=sql.Literal(entity.owner_field),
            owner_field=sql.Identifier(entity.owner_field or ""),
            hash_name=sql.Literal(HASH),
            owner=table(KIMO, reference.target),
            key=sql.Identifier(reference.column),
        ).rowcount

    def _incoming(self) -> sql.Composable:
        """The staged rows without those that were just refused."""
        staging = table(STAGING, self._entity.name)
        if not self._refused:
            return staging
        return sql.SQL(
            "(SELECT * FROM {} AS s WHERE NOT EXISTS (SELECT FROM {} AS r "
            'WHERE r.entity = {} AND r.step = 2 AND r.source_key COLLATE "C" = s.{}))'
        ).format(staging, table(OPS, "rejected_row"), sql.Literal(self._entity.name), sql.Identifier(ID))

    def _unmapped(self) -> list[str]:
        """Fields that an entity which only the ERP writes loses when they leave the mapping."""
        if self._entity.direction != "import":
            return []
        return [name for name in self._entity.fields if name not in self._mapped and name != ID]

    def _sets_status(self) -> bool:
        return self._entity.is_held_while_pending and "EntityStatus" not in self._mapped

    def _insert_columns(self) -> sql.Composed:
        status = ["EntityStatus"] if self._sets_status() else []
        return columns([*self._stored(), HASH, CHANGED, *status])

    def _insert_values(self) -> sql.Composed:
        status = sql.SQL(", 0") if self._sets_status() else sql.SQL("")
        return sql.SQL("{}, {}{}").format(
            columns([*self._stored(), HASH], of="s"), sql.Literal(self._load), status
        )

    def _stored(self) -> list[str]:
        return self._mapped if ID in self._mapped else [*self._mapped, ID]

    def _execute(self, statement: str, **parts: sql.Composable):  # type: ignore[no-untyped-def]
        names: dict[str, sql.Composable] = {
            "kimo": table(KIMO, self._entity.name),
            "staging": table(STAGING, self._entity.name),
            "incoming": self._incoming(),
            "id": sql.Identifier(ID),
            "hash": sql.Identifier(HASH),
            "changed": sql.Identifier(CHANGED),
            "archived": sql.Identifier(ARCHIVED),
            "load": sql.Literal(self._load),
        }
        return self._connection.execute(sql.SQL(statement).format(**(names | parts)))  # type: ignore[arg-type]


def _staged_fields(connection: Connection, entity: Entity) -> list[str]:
    """The fields that integrator.<Entity> holds, the derived Id among them."""
    rows: Sequence[tuple[str]] = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
        [STAGING, entity.name],
    ).fetchall()
    present = {name for (name,) in rows}
    return [name for name in entity.fields if name in present]


def _record(connection: Connection, entity: Entity, load: int, state: LoadedState) -> None:
    connection.execute(
        """
        INSERT INTO ops.loaded (entity, load, checksum, held, rows_live, changed_load, owner_changed_load)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (entity) DO UPDATE SET (load, checksum, held, rows_live, changed_load, owner_changed_load,
            loaded_at) = (excluded.load, excluded.checksum, excluded.held, excluded.rows_live, excluded.changed_load,
            excluded.owner_changed_load, now())
        """,
        [
            entity.name,
            load,
            state.checksum,
            state.held,
            state.rows_live,
            state.changed_load,
            state.owner_changed_load,
        ],
    )
