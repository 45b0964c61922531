"""References that point nowhere: counted and sampled per field after a load, never a reason to stop
it.
"""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, Entity, Reference
from kimo_assets.database.names import ARCHIVED, KIMO, STAGED_AREA, StagingArea, table

_SAMPLES = 5


def check_references(
    connection: Connection,
    catalog: Catalog,
    names: Sequence[str],
    load: int,
    area: StagingArea = STAGED_AREA,
) -> dict[str, dict[str, int]]:
    """Recounts the references of which either end changed in this load; returns all that dangle, of
    `names`, by field.

    A reference to an entity that is not imported is not counted: nobody promised that its rows
    would be there.
    """
    changed = {
        name
        for (name,) in connection.execute(
            "SELECT entity FROM ops.loaded WHERE changed_load = %s", [load]
        )
    }
    loaded = {name for (name,) in connection.execute("SELECT entity FROM ops.loaded")}
    mapped = _mapped_fields(connection, area)
    for name in loaded:
        for field, reference in catalog[name].hard_references.items():
            if reference.target in loaded and (name in changed or reference.target in changed):
                # What only the ERP writes and the mapping leaves out is empty in every row.
                is_empty = catalog[name].direction == "import" and field not in mapped.get(name, ())
                found = (
                    []
                    if is_empty
                    else connection.execute(_dangling(catalog[name], field, reference)).fetchall()
                )
                _record(connection, name, field, reference, found, load)
    rows = connection.execute(
        "SELECT entity, field, dangling FROM ops.reference_check WHERE dangling > 0 AND entity ="
        " ANY(%s) ORDER BY 1, 2",
        [list(names)],
    )
    dangling: dict[str, dict[str, int]] = {}
    for entity, field, count in rows:
        dangling.setdefault(entity, {})[field] = count
    return dangling


def _mapped_fields(connection: Connection, area: StagingArea) -> dict[str, list[str]]:
    rows = connection.execute(
        "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns "
        "WHERE table_schema = ANY(%s) GROUP BY table_name",
        [[STAGED_AREA.schema, area.schema]],
    )
    return dict(rows.fetchall())


def _record(
    connection: Connection,
    entity: str,
    field: str,
    reference: Reference,
    found: Sequence[Sequence[Any]],
    load: int,
) -> None:
    """found: each value that points nowhere with its number of rows."""
    connection.execute(
        """
        INSERT INTO ops.reference_check (entity, field, target, dangling, samples, checked_load)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (entity, field) DO UPDATE SET (target, dangling, samples, checked_load) =
            (excluded.target, excluded.dangling, excluded.samples, excluded.checked_load)
        """,
        [
            entity,
            field,
            reference.target,
            sum(count for _, count in found),
            [str(value) for value, _ in found[:_SAMPLES]],
            load,
        ],
    )


def _dangling(entity: Entity, field: str, reference: Reference) -> sql.Composed:
    """Each value that points nowhere with its number of rows, most frequent first."""
    keys = [
        sql.SQL("t.{} = x.{}").format(sql.Identifier(theirs), sql.Identifier(ours))
        for theirs, ours in {reference.column: field, **reference.keys}.items()
    ]
    keys += [
        sql.SQL("t.{}::text = {}").format(sql.Identifier(column), sql.Literal(value))
        for column, value in reference.const.items()
    ]
    unless = [
        sql.SQL("AND coalesce(x.{}::text, '') NOT IN ({})").format(
            sql.Identifier(column), sql.SQL(", ").join(map(sql.Literal, codes))
        )
        for column, codes in reference.unless.items()
    ]
    local = [sql.Identifier(name) for name in {field, *reference.keys.values(), *reference.unless}]
    # Distinct values first: a million rows hold a few hundred keys.
    return sql.SQL("""
        SELECT x.{field}, sum(x.rows)::bigint AS rows
        FROM (SELECT {local}, count(*) AS rows FROM {entity} WHERE {field} IS NOT NULL
            AND {archived} IS NULL
              GROUP BY {local}) AS x
        WHERE NOT EXISTS (SELECT FROM {target} AS t WHERE t.{archived} IS NULL AND {keys}) {unless}
        GROUP BY 1 ORDER BY 2 DESC, 1
        """).format(
        field=sql.Identifier(field),
        local=sql.SQL(", ").join(local),
        entity=table(KIMO, entity.name),
        archived=sql.Identifier(ARCHIVED),
        target=table(KIMO, reference.target),
        keys=sql.SQL(" AND ").join(keys),
        unless=sql.SQL(" ").join(unless),
    )
