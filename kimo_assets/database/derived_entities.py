"""Tables that Kimo derives itself: synchronised, so that only rows that differ are touched."""

from psycopg import Connection, sql

from kimo_assets.catalog import Entity
from kimo_assets.database.names import ARCHIVED, CHANGED, ID, KIMO, columns, table

_ROWS = sql.Identifier("pg_temp", "derived_row")


def derived_entity_id(entity_type: sql.Composable, entity_id: sql.Composable) -> sql.Composed:
    """An Id for what is derived about a row: readable where it fits into 50 characters."""
    readable = sql.SQL("{} || '|' || {}").format(entity_type, entity_id)
    return sql.SQL(
        "CASE WHEN length({readable}) <= 50 THEN {readable} ELSE md5({readable}) END"
    ).format(readable=readable)


def synchronise(
    connection: Connection,
    entity: Entity,
    query: sql.Composable,
    load: int,
    *,
    ours: sql.Composable | None = None,
) -> int:
    """Makes kimo.<entity> hold the rows of the query, and returns how many rows were touched.

    query: selects Id and other fields by name. A field that it leaves out stays as it is, and is
    empty in a new row. ours: the condition on the table's rows (as `t`) that may be changed or
    archived, by default all. The caller is in a transaction and holds the lock, and step 3 of
    `load` is still to come.
    """
    connection.execute(sql.SQL("CREATE TEMP TABLE derived_row ON COMMIT DROP AS {}").format(query))
    empty = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(_ROWS))
    fields = [column.name for column in empty.description or () if column.name != ID]
    parts = {
        "kimo": table(KIMO, entity.name),
        "rows": _ROWS,
        "id": sql.Identifier(ID),
        "changed": sql.Identifier(CHANGED),
        "archived": sql.Identifier(ARCHIVED),
        "load": sql.Literal(load),
        "ours": ours or sql.SQL("true"),
        "fields": columns(fields),
        "old": columns(fields, of="t"),
        "new": columns(fields, of="r"),
    }
    touched = 0
    for statement in _STATEMENTS:
        touched += connection.execute(sql.SQL(statement).format(**parts)).rowcount
    connection.execute(sql.SQL("DROP TABLE {}").format(_ROWS))
    _record(connection, entity.name, load, parts["kimo"], changed=touched > 0)
    return touched


_STATEMENTS = (
    """
    UPDATE {kimo} AS t SET ({fields}) = ROW ({new}), {changed} = {load}, {archived} = NULL
    FROM {rows} AS r
    WHERE t.{id} = r.{id} AND {ours}
        AND (t.{archived} IS NOT NULL OR ROW ({old}) IS DISTINCT FROM ROW ({new}))
    """,
    """
    INSERT INTO {kimo} ({id}, {fields}, {changed})
    SELECT {id}, {fields}, {load} FROM {rows} AS r
    WHERE NOT EXISTS (SELECT FROM {kimo} AS t WHERE t.{id} = r.{id})
    """,
    """
    UPDATE {kimo} AS t SET {archived} = {load}, {changed} = {load}
    WHERE {archived} IS NULL AND {ours}
        AND NOT EXISTS (SELECT FROM {rows} AS r WHERE r.{id} = t.{id})
    """,
)


def _record(
    connection: Connection, entity: str, load: int, kimo: sql.Composable, *, changed: bool
) -> None:
    """Writes into ops.loaded, as step 2 does: step 3 and `kimo status` read it there."""
    # A table that never had a row is not listed there, so that step 3 does not publish it.
    if not changed:
        return
    connection.execute(
        sql.SQL("""
            INSERT INTO ops.loaded (entity, load, checksum, held, rows_live, changed_load)
            SELECT {entity}, {load}, '', 0, count(*), {load}
            FROM {kimo} WHERE _archived_load IS NULL
            ON CONFLICT (entity) DO UPDATE SET (load, rows_live, changed_load, loaded_at) =
                (excluded.load, excluded.rows_live, excluded.changed_load, now())
            """).format(entity=sql.Literal(entity), load=sql.Literal(load), kimo=kimo)
    )
