"""Rows that step 2 refuses: parts whose owner is not there, and statuses that nobody decodes. Kept
in the quarantine.
"""

from psycopg import Connection, sql

from kimo_assets.catalog import Entity
from kimo_assets.database.names import ARCHIVED, HASH, ID, KIMO, OPS, SEGMENT, table
from kimo_assets.loading.rules import LoadRules


def refuse_rows(
    connection: Connection,
    entity: Entity,
    staging: sql.Identifier,
    mapped: list[str],
    load: int,
    rules: LoadRules,
    *,
    check_owner: bool,
) -> int:
    """Quarantines the staged rows that must not be loaded, in place of those of the last load;
    returns how many.

    A row that breaks two rules is kept under the first.
    """
    connection.execute("DELETE FROM ops.rejected_row WHERE entity = %s AND step = 2", [entity.name])
    refused = 0
    if check_owner and entity.owner_reference and entity.owner_field in mapped:
        owner_field = entity.owner_field or ""
        refused += _refuse(
            connection, entity, staging, load, "missing_owner", owner_field, _without_owner(entity)
        )
    for field, codes in rules.codes(entity).items():
        if field in mapped:
            unknown = _with_unknown_status(field, codes, entity.name)
            refused += _refuse(
                connection, entity, staging, load, "unknown_erp_status", field, unknown
            )
    return refused


def _without_owner(entity: Entity) -> sql.Composed:
    """Design, section 5: parts whose owner is not there are kept in quarantine."""
    reference = entity.owner_reference
    assert reference is not None, "asked for entities that have an owner"  # noqa: S101
    return sql.SQL(
        "x.{field} IS NOT NULL AND NOT EXISTS (SELECT FROM {owner} AS o WHERE o.{key} = x.{field}"
        " AND o.{archived} IS NULL)"
    ).format(
        field=sql.Identifier(entity.owner_field or ""),
        owner=table(KIMO, reference.target),
        key=sql.Identifier(reference.column),
        archived=sql.Identifier(ARCHIVED),
    )


def _with_unknown_status(field: str, codes: list[str], entity: str) -> sql.Composed:
    """Fact sheet, section 8: where the vendor's machine stops the whole load, one row is
    refused.
    """
    return sql.SQL(
        "x.{field} IS NOT NULL AND x.{field} NOT IN ({codes}) AND NOT EXISTS (SELECT FROM"
        " ops.rejected_row AS r WHERE r.entity = {entity} AND r.step = 2 AND r.source_key COLLATE"
        ' "C" = x.{id})'
    ).format(
        field=sql.Identifier(field),
        codes=sql.SQL(", ").join(map(sql.Literal, codes)),
        entity=sql.Literal(entity),
        id=sql.Identifier(ID),
    )


def _refuse(
    connection: Connection,
    entity: Entity,
    staging: sql.Identifier,
    load: int,
    rule: str,
    field: str,
    which: sql.Composed,
) -> int:
    # Found by place first: a query that wants whole rows makes a value of each one it looks at.
    statement = sql.SQL("""
        INSERT INTO {rejected} (entity, step, load, rule, field, source_key, value, source_row)
        SELECT {entity}, 2, {load}, {rule}, {field}, {id}, {column},
            to_jsonb(s) - {hash} - {segment}
        FROM {staging} AS s WHERE s.ctid IN (SELECT x.ctid FROM {staging} AS x WHERE {which})
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
        which=which,
    )
    return connection.execute(statement).rowcount
