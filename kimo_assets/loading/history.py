"""Undo: the rows as they were before each load, and the way back to the state after an earlier one.

A load keeps an image of every row that it is about to change, as it was. A row that a load has
inserted needs none: its _changed_load says so. So the state of a row after load T is its oldest
image of a load after T. Without an image it is the row itself. If that state was made by a load
after T, the row was not there.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor, sql

from kimo_assets.catalog import Catalog, Entity
from kimo_assets.catalog.lifecycle import LIFECYCLE
from kimo_assets.database.names import ARCHIVED, CHANGED, HASH, ID, KIMO, columns, table
from kimo_assets.database.queries import LOADS, last_load
from kimo_assets.errors import ConfigError
from kimo_assets.loading.held_rows import is_held
from kimo_assets.reports import LoadedEntity
from kimo_assets.texts import say

_HISTORY = "history"
_LOAD = "_load"


@dataclass(frozen=True)
class UndoableLoad:
    """A load that changed something. undone_by: the load that has undone it already."""

    load: int
    title: str
    started_at: datetime
    entities: int
    inserted: int
    updated: int
    archived: int
    undone_by: int | None


# --- what every load does
# ------------------------------------------------------------------------------------


def remember(connection: Connection, entity: Entity, load: int) -> None:
    """Keeps the rows that pg_temp.difference says will be updated or archived, as they are now.

    Rows that this load has changed already are kept as they were before that.
    """
    changing = sql.SQL("(SELECT id FROM difference WHERE kind IN ('updated', 'archived'))")
    keep(connection, entity, load, changing)


def keep(connection: Connection, entity: Entity, load: int, ids: sql.Composable) -> None:
    """Keeps rows as they are now, before the load changes them. ids: a subquery (id)."""
    names = _stored(entity)
    parts: dict[str, sql.Composable] = {
        "history": table(_HISTORY, entity.name),
        "kimo": table(KIMO, entity.name),
        "load_column": sql.Identifier(_LOAD),
        "load": sql.Literal(load),
        "names": columns(names),
        "values": columns(names, of="k"),
        "ids": ids,
        "id": sql.Identifier(ID),
        "changed": sql.Identifier(CHANGED),
    }
    # LIKE alone copies no key: a row has an image for every load that changed it.
    connection.execute(
        sql.SQL(
            "CREATE TABLE IF NOT EXISTS {history} (LIKE {kimo}, {load_column} bigint NOT NULL)"
        ).format(**parts)
    )
    connection.execute(
        sql.SQL("""
            INSERT INTO {history} ({names}, {load_column})
            SELECT {values}, {load} FROM {kimo} AS k JOIN {ids} AS d ON k.{id} = d.id
            WHERE k.{changed} <> {load}
            """).format(**parts)
    )


def record(connection: Connection, entity: str, load: int, report: LoadedEntity) -> None:
    """Notes in the ledger that the load changed the entity, if it did."""
    if report.inserted + report.updated + report.archived:
        # Answers and the snapshot may both change an entity in one load.
        connection.execute(
            """
            INSERT INTO ops.change AS c (load, entity, inserted, updated, archived)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (load, entity) DO UPDATE SET (inserted, updated, archived) =
                (c.inserted + excluded.inserted, c.updated + excluded.updated,
                 c.archived + excluded.archived)
            """,
            [load, entity, report.inserted, report.updated, report.archived],
        )


def prune(connection: Connection, keep_loads: int) -> None:
    """Gives up what is older than the last `keep_loads` loads that changed something.

    0 gives up everything.
    """
    row = connection.execute(
        """
        SELECT load FROM (SELECT DISTINCT load FROM ops.change) AS loads
        ORDER BY load DESC OFFSET %s LIMIT 1
        """,
        [keep_loads],
    ).fetchone()
    if row is None:
        return
    give_up(connection, row[0])


def give_up(connection: Connection, horizon: int, reason: str | None = None) -> None:
    """From now on no state before the one after load `horizon` can be restored.

    reason: a sentence. None: because of its age.
    """
    old = connection.execute(
        "DELETE FROM ops.change WHERE load <= %s RETURNING entity", [horizon]
    ).fetchall()
    for entity in sorted({name for (name,) in old}):
        if _has_history(connection, entity):
            statement = sql.SQL("DELETE FROM {} WHERE {} <= %s").format(
                table(_HISTORY, entity), sql.Identifier(_LOAD)
            )
            connection.execute(statement, [horizon])
    # A later horizon that is there already stays.
    connection.execute("DELETE FROM ops.horizon WHERE load <= %s", [horizon])
    connection.execute(
        """
        INSERT INTO ops.horizon (load, why)
        SELECT %s, %s WHERE NOT EXISTS (SELECT FROM ops.horizon)
        """,
        [horizon, reason],
    )


# --- what can be undone
# ----------------------------------------------------------------------------------------


def undoable_loads(connection: Connection) -> list[UndoableLoad]:
    """The loads that can be undone, the newest first."""
    rows = connection.execute(f"""
        SELECT load, title, started_at, count(*), sum(inserted)::bigint, sum(updated)::bigint,
               sum(archived)::bigint, max(undone_by)
        FROM ops.change JOIN {LOADS} AS l USING (load)
        GROUP BY load, title, started_at ORDER BY load DESC
        """)
    return [UndoableLoad(*row) for row in rows]


def target_of_undo(connection: Connection) -> int:
    """The state that undoing the last load leads to: the one after the load before it.

    Loads that were undone, and those that did it, are passed over: a second undo goes one load
    further back. Raises: ConfigError when there is nothing to undo.
    """
    loads = undoable_loads(connection)
    undoing = {load.undone_by for load in loads}
    for load in loads:
        if load.undone_by is None and load.load not in undoing:
            return load.load - 1
    _, reason = _horizon(connection)
    raise ConfigError(
        say("loading.undo.nothing", reason=reason or say("loading.undo.nothing_kept"))
    )


def check_target(connection: Connection, target: int) -> None:
    """Raises: ConfigError when the state after load `target` is not kept any more, or never was."""
    horizon, reason = _horizon(connection)
    if target < horizon:
        reason = reason or say("loading.undo.age")
        raise ConfigError(
            say("loading.undo.not_kept", target=target, oldest=horizon, reason=reason)
        )
    newest = last_load(connection)
    last = newest.load if newest else 0
    if target > last:
        raise ConfigError(say("loading.undo.no_load", target=target, last=last))


def _horizon(connection: Connection) -> tuple[int, str | None]:
    """The newest load that cannot be undone (0: none), and the reason. None: its age."""
    row = connection.execute(
        "SELECT load, why FROM ops.horizon ORDER BY load DESC LIMIT 1"
    ).fetchone()
    return row or (0, None)


# --- undoing
# --------------------------------------------------------------------------------------------------


def changed_entities(connection: Connection, catalog: Catalog, since: int) -> list[str]:
    """The entities that loads after `since` have changed, in dependency order."""
    rows = connection.execute("SELECT DISTINCT entity FROM ops.change WHERE load > %s", [since])
    return catalog.in_load_order(name for (name,) in rows)


def undo_entity(
    connection: Connection, catalog: Catalog, entity: Entity, load: int, target: int
) -> LoadedEntity:
    """Brings kimo.<Entity> back to the state after load `target`.

    That is a load of its own, which can be undone as well. Rows that were not there then are
    archived. Rows with pending edits in Kimo stay as they are, and count as held.
    """
    undo = _Undo(connection, catalog, entity, load, target)
    counts = undo.compare()
    remember(connection, entity, load)
    undo.apply()
    unchanged = undo.count_live() - counts["updated"] - counts["held"]
    report = LoadedEntity(entity.name, **counts, unchanged=unchanged)
    record(connection, entity.name, load, report)
    return report


def mark_undone(connection: Connection, load: int, target: int) -> None:
    """Notes that `load` has undone the loads after `target`."""
    connection.execute(
        """
        UPDATE ops.change SET undone_by = %s
        WHERE load > %s AND load < %s AND undone_by IS NULL
        """,
        [load, target, load],
    )


class _Undo:
    """Of one entity. compare() finds the rows that change, apply() changes them."""

    def __init__(
        self, connection: Connection, catalog: Catalog, entity: Entity, load: int, target: int
    ) -> None:
        self._connection = connection
        answers = [catalog.answers.get(name or "") for name in (entity.name, entity.owner)]
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM ops.loaded WHERE entity = ANY(%s))", [answers]
        ).fetchone()
        is_answered = bool(row and row[0])
        # An undo compares with no snapshot, so no row can be missing from one.
        self._held = is_held(
            catalog, entity, of="k", is_gone=sql.SQL("false"), is_answered=is_answered
        )
        self._entity = entity
        self._load = load
        self._target = target

    def compare(self) -> dict[str, Any]:
        """How many rows are to be updated, archived, and are held, by kind.

        pg_temp.image: the images to go back to. pg_temp.difference: (id, kind) of every row that
        changes.
        """
        self._connection.execute(
            "DROP TABLE IF EXISTS pg_temp.image; DROP TABLE IF EXISTS pg_temp.difference"
        )
        if _has_history(self._connection, self._entity.name):
            # The oldest image after the target is the state right after the target.
            self._execute("""
                CREATE TEMPORARY TABLE image ON COMMIT DROP AS
                SELECT DISTINCT ON ({id}) * FROM {history} WHERE {load_column} > {target}
                ORDER BY {id}, {load_column}
                """)
        else:
            self._execute("""
                CREATE TEMPORARY TABLE image ON COMMIT DROP AS SELECT * FROM {kimo} LIMIT 0
                """)
        self._execute(_DIFFERENCE)
        rows = self._execute("SELECT kind, count(*) FROM difference GROUP BY kind").fetchall()
        return {"updated": 0, "archived": 0, "held": 0, **dict(rows)}

    def apply(self) -> None:
        # No import has set the columns of the life cycle, so undoing one leaves them.
        restored = [
            name for name in (*self._entity.fields, HASH, ARCHIVED) if name not in (ID, *LIFECYCLE)
        ]
        assignments = [sql.SQL("{0} = i.{0}").format(sql.Identifier(name)) for name in restored]
        self._execute(
            """
            UPDATE {kimo} AS k SET {assignments}, {changed} = {load}
            FROM difference AS d JOIN image AS i ON i.{id} = d.id
            WHERE d.kind = 'updated' AND k.{id} = d.id
            """,
            assignments=sql.SQL(", ").join(assignments),
        )
        self._execute("""
            UPDATE {kimo} AS k SET {archived} = {load}, {changed} = {load}
            FROM difference AS d WHERE d.kind = 'archived' AND k.{id} = d.id
            """)
        self._forget_snapshot()

    def _forget_snapshot(self) -> None:
        """No snapshot is what is loaded now: the next load compares, whatever is staged."""
        self._connection.execute(
            """
            UPDATE ops.loaded SET (load, checksum, rows_live, changed_load, loaded_at) =
                (%s, %s, %s, %s, now()) WHERE entity = %s
            """,
            [
                self._load,
                f"undone by load {self._load}",
                self.count_live(),
                self._load,
                self._entity.name,
            ],
        )

    def count_live(self) -> int:
        row = self._execute("SELECT count(*) FROM {kimo} WHERE {archived} IS NULL").fetchone()
        return row[0] if row else 0

    def _execute(self, statement: str, **parts: sql.Composable) -> Cursor[Any]:
        """Runs a statement with the names and values that it has in braces."""
        names: dict[str, sql.Composable] = {
            "kimo": table(KIMO, self._entity.name),
            "history": table(_HISTORY, self._entity.name),
            "id": sql.Identifier(ID),
            "hash": sql.Identifier(HASH),
            "changed": sql.Identifier(CHANGED),
            "archived": sql.Identifier(ARCHIVED),
            "load_column": sql.Identifier(_LOAD),
            "load": sql.Literal(self._load),
            "target": sql.Literal(self._target),
            "held": self._held,
            # A row that another load has changed was there before: an export, for example, makes
            # no rows and keeps no images.
            "loads": (
                sql.SQL("SELECT load FROM ops.change WHERE entity = {}").format(
                    sql.Literal(self._entity.name)
                )
            ),
        }
        return self._connection.execute(sql.SQL(statement).format(**(names | parts)))


_DIFFERENCE = """
    CREATE TEMPORARY TABLE difference ON COMMIT DROP AS
    SELECT id, CASE WHEN is_held THEN 'held' WHEN was_there THEN 'updated'
                    ELSE 'archived' END AS kind
    FROM (
        SELECT k.{id} AS id, {held} AS is_held,
               coalesce(i.{changed}, k.{changed}) <= {target}
                   OR coalesce(i.{changed}, k.{changed}) NOT IN ({loads}) AS was_there,
               k.{archived} AS archived,
               i.{archived} AS archived_then,
               i.{id} IS NOT NULL AS has_image,
               k.{hash} IS NOT DISTINCT FROM i.{hash} AS is_equal
        FROM {kimo} AS k LEFT JOIN image AS i ON i.{id} = k.{id}
    ) AS rows
    WHERE CASE WHEN NOT was_there THEN archived IS NULL
               ELSE has_image
                   AND NOT (is_equal AND (archived IS NULL) = (archived_then IS NULL)) END
"""


def _has_history(connection: Connection, entity: str) -> bool:
    row = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", [f'{_HISTORY}."{entity}"']
    ).fetchone()
    return row is not None and bool(row[0])


def _stored(entity: Entity) -> list[str]:
    return [*entity.fields, HASH, CHANGED, ARCHIVED]
