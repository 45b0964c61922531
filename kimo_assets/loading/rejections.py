"""Rows that step 2 rejects and quarantines.

They are parts whose owner is not there, and rows with a status that nobody decodes.
"""

from psycopg import Connection, sql

from kimo_assets.catalog import Entity
from kimo_assets.database.names import ARCHIVED, HASH, ID, KIMO, OPS, SEGMENT, literals, table
from kimo_assets.loading.rules import LoadRules


def reject_rows(
    connection: Connection,
    entity: Entity,
    staging: sql.Identifier,
    mapped: list[str],
    load: int,
    rules: LoadRules,
    *,
    check_owner: bool,
) -> int:
    """Quarantines the staged rows that must not be loaded, in place of those of the last load.

    A row that breaks two rules is kept under the first. Returns how many rows are rejected.
    """
    connection.execute("DELETE FROM ops.rejected_row WHERE entity = %s AND step = 2", [entity.name])
    rejected = 0
    owner_field = entity.owner_field or ""
    if check_owner and entity.owner_reference and owner_field in mapped:
        condition = _without_owner(entity)
        rejected += _reject(
            connection, entity, staging, load, "missing_owner", owner_field, condition
        )
    for field, codes in rules.codes(entity).items():
        if field in mapped:
            condition = _with_unknown_status(field, codes, entity.name)
            rejected += _reject(
                connection, entity, staging, load, "unknown_erp_status", field, condition
            )
    return rejected


def _without_owner(entity: Entity) -> sql.Composed:
    """Parts whose owner is not there (design, section 5)."""
    reference = entity.owner_reference
    assert reference is not None, "asked for entities that have an owner"  # noqa: S101
    return sql.SQL("""
        x.{field} IS NOT NULL AND NOT EXISTS
            (SELECT FROM {owner} AS o WHERE o.{key} = x.{field} AND o.{archived} IS NULL)
        """).format(
        field=sql.Identifier(entity.owner_field or ""),
        owner=table(KIMO, reference.target),
        key=sql.Identifier(reference.column),
        archived=sql.Identifier(ARCHIVED),
    )


def _with_unknown_status(field: str, codes: list[str], entity: str) -> sql.Composed:
    """Rows whose status has no description (fact sheet, section 8).

    The vendor's machine stops the whole load for one. Here the row alone is rejected.
    """
    return sql.SQL("""
        x.{field} IS NOT NULL AND x.{field} NOT IN {codes} AND NOT EXISTS
            (SELECT FROM ops.rejected_row AS r WHERE r.entity = {entity} AND r.step = 2
                AND r.source_key COLLATE "C" = x.{id})
        """).format(
        field=sql.Identifier(field),
        codes=literals(codes),
        entity=sql.Literal(entity),
        id=sql.Identifier(ID),
    )


def _reject(
    connection: Connection,
    entity: Entity,
    staging: sql.Identifier,
    load: int,
    rule: str,
    field: str,
    condition: sql.Composed,
) -> int:
    """condition: on a row `x` of the staged table. Returns how many rows it is true of."""
    # The rows' places are found first: a query that selects whole rows assembles each row that it
    # looks at.
    statement = sql.SQL("""
        INSERT INTO {rejected} (entity, step, load, rule, field, source_key, value, source_row)
        SELECT {entity}, 2, {load}, {rule}, {field}, {id}, {column},
            to_jsonb(s) - {hash} - {segment}
        FROM {staging} AS s WHERE s.ctid IN
            (SELECT x.ctid FROM {staging} AS x WHERE {condition})
        """).format(
        rejected=table(OPS, "rejected_row"),
        entity=sql.Literal(entity.name),
        load=sql.Literal(load),
        rule=sql.Literal(rule),
        field=sql.Literal(field),
        id=sql.Identifier(ID),
        column=sql.Identifier(field),
        hash=sql.Literal(HASH),
        segment=sql.Literal(SEGMENT),
        staging=staging,
        condition=condition,
    )
    return connection.execute(statement).rowcount
