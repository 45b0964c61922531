"""Tables that Kimo makes itself: brought to what they should hold, touching only the rows that
differ.
"""

from psycopg import Connection, sql

from kimo_assets.catalog import Entity
from kimo_assets.database.names import ARCHIVED, CHANGED, ID, KIMO, columns, table

_WANTED = sql.Identifier("pg_temp", "made_wanted")


def made_id(entity_type: sql.Composable, entity_id: sql.Composable) -> sql.Composed:
    """An Id of at most 50 characters for what is made about a row: readable where it fits."""
    return sql.SQL(
        "CASE WHEN length({0} || '|' || {1}) <= 50 THEN {0} || '|' || {1} ELSE md5({0} || '|' ||"
        " {1}) END"
    ).format(entity_type, entity_id)


def synchronise(
    connection: Connection,
    entity: Entity,
    wanted: sql.Composable,
    load: int,
    *,
    ours: sql.Composable | None = None,
) -> int:
    """Makes kimo.<entity> hold the rows of the query `wanted`, and returns how many were touched.
    In a transaction.

    wanted: selects Id and other fields by name; a field that it leaves out stays as it is, empty in
    a new row. ours: which rows of the table (as `t`) may be changed or archived; all, unless it is
    said. The caller holds the lock, and step 3 of `load` is still to come.
    """
    connection.execute(sql.SQL("CREATE TEMP TABLE made_wanted ON COMMIT DROP AS {}").format(wanted))
    described = (
        connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(_WANTED)).description or ()
    )
    fields = [column.name for column in described if column.name != ID]
    parts = {
        "kimo": table(KIMO, entity.name),
        "wanted": _WANTED,
        "id": sql.Identifier(ID),
        "changed": sql.Identifier(CHANGED),
        "archived": sql.Identifier(ARCHIVED),
        "load": sql.Literal(load),
        "ours": ours or sql.SQL("true"),
        "fields": columns(fields),
        "old": columns(fields, of="t"),
        "new": columns(fields, of="w"),
    }
    touched = sum(
        connection.execute(sql.SQL(statement).format(**parts)).rowcount for statement in _STATEMENTS
    )
    connection.execute(sql.SQL("DROP TABLE {}").format(_WANTED))
    _record(connection, entity.name, load, parts["kimo"], changed=touched > 0)
    return touched


_STATEMENTS = (
    """
    UPDATE {kimo} AS t SET ({fields}) = ROW ({new}), {changed} = {load}, {archived} = NULL
        FROM {wanted} AS w
    WHERE t.{id} = w.{id} AND {ours} AND (t.{archived} IS NOT NULL OR ROW ({old}) IS DISTINCT
        FROM ROW ({new}))
    """,
    """
    INSERT INTO {kimo} ({id}, {fields}, {changed}) SELECT {id}, {fields}, {load} FROM {wanted} AS w
    WHERE NOT EXISTS (SELECT FROM {kimo} AS t WHERE t.{id} = w.{id})
    """,
    """
    UPDATE {kimo} AS t SET {archived} = {load}, {changed} = {load} WHERE {archived} IS NULL
        AND {ours}
      AND NOT EXISTS (SELECT FROM {wanted} AS w WHERE w.{id} = t.{id})
    """,
)


def _record(
    connection: Connection, entity: str, load: int, kimo: sql.Composable, *, changed: bool
) -> None:
    """In ops.loaded, as step 2 does: step 3 and `kimo status` go by it. What never had a row is not
    there for them.
    """
    if not changed:
        return
    connection.execute(
        sql.SQL("""
            INSERT INTO ops.loaded (entity, load, checksum, held, rows_live, changed_load)
            SELECT {entity}, {load}, '', 0, count(*), {load} FROM {kimo} WHERE _archived_load
                IS NULL
            ON CONFLICT (entity) DO UPDATE SET (load, rows_live, changed_load, loaded_at) =
                (excluded.load, excluded.rows_live, excluded.changed_load, now())
            """).format(entity=sql.Literal(entity), load=sql.Literal(load), kimo=kimo)
    )
