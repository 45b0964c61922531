"""References that point nowhere: counted and sampled by field after a load. They never stop it."""

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, Entity, Reference
from kimo_assets.database.names import ARCHIVED, KIMO, STAGED_AREA, StagingArea, literals, table
from kimo_assets.database.queries import changed_loads

_SAMPLES = 5


def check_references(
    connection: Connection,
    catalog: Catalog,
    names: Sequence[str],
    load: int,
    area: StagingArea = STAGED_AREA,
) -> dict[str, dict[str, int]]:
    """Recounts the references of which either end changed in this load.

    Returns all that dangle, of `names`, by field. A reference to an entity that is not imported is
    not counted: its rows are not expected to be there.
    """
    changed = changed_loads(connection)
    mapped = _mapped_fields(connection, area)
    for name in changed:
        entity = catalog[name]
        for field, reference in entity.hard_references.items():
            ends = (changed[name], changed.get(reference.target))
            if reference.target in changed and load in ends:
                is_mapped = field in mapped.get(name, ())
                _recount(connection, entity, field, reference, load, is_mapped=is_mapped)
    return _dangling_by_field(connection, names)


def _dangling_by_field(connection: Connection, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Entity -> field -> how many rows point nowhere, as last counted."""
    rows = connection.execute(
        """
        SELECT entity, field, dangling FROM ops.reference_check
        WHERE dangling > 0 AND entity = ANY(%s) ORDER BY 1, 2
        """,
        [list(names)],
    )
    dangling: dict[str, dict[str, int]] = {}
    for entity, field, count in rows:
        dangling.setdefault(entity, {})[field] = count
    return dangling


def _mapped_fields(connection: Connection, area: StagingArea) -> dict[str, list[str]]:
    """The columns that the staged tables have: by them the mapping shows in the database."""
    rows = connection.execute(
        """
        SELECT table_name, array_agg(column_name::text) FROM information_schema.columns
        WHERE table_schema = ANY(%s) GROUP BY table_name
        """,
        [[STAGED_AREA.schema, area.schema]],
    )
    return dict(rows.fetchall())


def _recount(
    connection: Connection,
    entity: Entity,
    field: str,
    reference: Reference,
    load: int,
    *,
    is_mapped: bool,
) -> None:
    """Counts the values of one field that point nowhere, and keeps samples of them."""
    rows: list[tuple[Any, int]] = []
    # What only the ERP writes is empty in every row when the mapping leaves it out.
    if is_mapped or entity.direction != "import":
        rows = connection.execute(_dangling(entity, field, reference)).fetchall()
    connection.execute(
        """
        INSERT INTO ops.reference_check (entity, field, target, dangling, samples, checked_load)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (entity, field) DO UPDATE SET (target, dangling, samples, checked_load) =
            (excluded.target, excluded.dangling, excluded.samples, excluded.checked_load)
        """,
        [
            entity.name,
            field,
            reference.target,
            sum(count for _, count in rows),
            [str(value) for value, _ in rows[:_SAMPLES]],
            load,
        ],
    )


def _dangling(entity: Entity, field: str, reference: Reference) -> sql.Composed:
    """Each value that points nowhere with its number of rows, the most frequent first."""
    own_columns = dict.fromkeys((field, *reference.keys.values(), *reference.unless))
    # Distinct values first: a million rows hold a few hundred keys.
    return sql.SQL("""
        SELECT x.{field}, sum(x.rows)::bigint AS rows
        FROM (SELECT {own_columns}, count(*) AS rows FROM {entity}
              WHERE {field} IS NOT NULL AND {archived} IS NULL GROUP BY {own_columns}) AS x
        WHERE NOT EXISTS (SELECT FROM {target} AS t WHERE t.{archived} IS NULL AND {keys}) {unless}
        GROUP BY 1 ORDER BY 2 DESC, 1
        """).format(
        field=sql.Identifier(field),
        own_columns=sql.SQL(", ").join(map(sql.Identifier, own_columns)),
        entity=table(KIMO, entity.name),
        archived=sql.Identifier(ARCHIVED),
        target=table(KIMO, reference.target),
        keys=sql.SQL(" AND ").join(_key_conditions(field, reference)),
        unless=sql.SQL(" ").join(_unless_conditions(reference)),
    )


def _key_conditions(field: str, reference: Reference) -> Iterator[sql.Composed]:
    """A row `t` of the target is what `x` refers to."""
    for target_column, column in {reference.column: field, **reference.keys}.items():
        yield sql.SQL("t.{} = x.{}").format(sql.Identifier(target_column), sql.Identifier(column))
    for target_column, value in reference.const.items():
        yield sql.SQL("t.{}::text = {}").format(sql.Identifier(target_column), sql.Literal(value))


def _unless_conditions(reference: Reference) -> Iterator[sql.Composed]:
    """With these codes the field of `x` holds something else."""
    for column, codes in reference.unless.items():
        condition = sql.SQL("AND coalesce(x.{}::text, '') NOT IN {}")
        yield condition.format(sql.Identifier(column), literals(codes))
