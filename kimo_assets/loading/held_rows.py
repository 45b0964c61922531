"""Which of Kimo's rows a snapshot must leave alone, as conditions in SQL.

They are rows with edits under way, and rows that the ERP does not have yet.
"""

from psycopg import sql

from kimo_assets.catalog import Catalog, Entity
from kimo_assets.catalog.lifecycle import MAY_BE_ANSWERED, PENDING, EntityStatus
from kimo_assets.database.names import ARCHIVED, HASH, ID, KIMO, literals, table

# A record that the ERP has acknowledged is kept for so long without its row in a snapshot.
_DAYS_UNTIL_IT_COMES = 7

# Without edits under way. Such a row of Kimo's own is missing from every snapshot.
_AT_REST = (
    EntityStatus.UNDEFINED,
    EntityStatus.IMPORTED_FROM_ERP,
    EntityStatus.EXPORTED_TO_ERP,
)


def is_held(
    catalog: Catalog, entity: Entity, *, of: str, is_gone: sql.Composable, is_answered: bool
) -> sql.Composable:
    """Whether the row `of` of kimo.<entity> is held. is_gone: whether the snapshot lacks it.

    is_answered: the ERP's answers to the entity, or to the head that it is a part of, are imported.
    """
    if entity.is_held_while_pending:
        return _is_head_held(entity.name, of, is_gone, is_answered=is_answered)
    head = catalog[entity.owner] if entity.owner else None
    if head is None or not head.is_held_while_pending:
        return sql.SQL("false")
    if entity.name not in catalog.sent_with(head.name):
        return sql.SQL("false")
    # Parts travel with their head. Of a head that is held, no part changes alone.
    return sql.SQL("""
        EXISTS (SELECT FROM {heads} AS h
                WHERE h.{id} = {of}.{owner} AND h.{archived} IS NULL AND {held})
        """).format(
        heads=table(KIMO, head.name),
        id=sql.Identifier(ID),
        of=sql.Identifier(of),
        owner=sql.Identifier(entity.owner_field or ""),
        archived=sql.Identifier(ARCHIVED),
        held=_is_head_held(head.name, "h", sql.SQL("true"), is_answered=is_answered),
    )


def awaits_answer(head: str, of: str) -> sql.Composed:
    """Whether the row `of` is at the ERP without an answer, or refused and not amended since.

    Kimo's values hold until the answer comes.
    """
    return sql.SQL("""
        {of}."EntityStatus" = {exported} AND EXISTS (
            SELECT FROM ops.export_record AS sent WHERE sent.entity = {head}
                AND sent.id = {of}.{id} AND sent.outcome IN {may_be_answered})
        """).format(
        of=sql.Identifier(of),
        exported=sql.Literal(EntityStatus.EXPORTED_TO_ERP),
        head=sql.Literal(head),
        id=sql.Identifier(ID),
        may_be_answered=literals(MAY_BE_ANSWERED),
    )


def _is_head_held(
    head: str, of: str, is_gone: sql.Composable, *, is_answered: bool
) -> sql.Composed:
    """Its edits are under way, or it waits for an answer, or only Kimo has it.

    A row that only Kimo has is missing from every snapshot: that is no reason to archive it.
    """
    awaits: sql.Composable = sql.SQL("false")
    if is_answered:
        awaits = awaits_answer(head, of)
    return sql.SQL("""
        (coalesce({of}."EntityStatus" IN {pending}, false)
         OR coalesce({awaits}, false)
         OR {gone} AND {of}.{hash} IS NULL AND (
             coalesce({of}."EntityStatus", {undefined}) IN {at_rest}
             OR {of}."EntityStatus" = {acknowledged} AND EXISTS (
                 SELECT FROM ops.export_answer AS answer
                 WHERE answer.entity = {head} AND answer.erp_id = {of}.{id}
                   AND answer.at > now() - make_interval(days => {days}))))
        """).format(
        of=sql.Identifier(of),
        pending=literals(PENDING),
        awaits=awaits,
        gone=is_gone,
        hash=sql.Identifier(HASH),
        undefined=sql.Literal(EntityStatus.UNDEFINED),
        at_rest=literals(_AT_REST),
        acknowledged=sql.Literal(EntityStatus.IMPORTED_BY_ERP),
        head=sql.Literal(head),
        id=sql.Identifier(ID),
        days=sql.Literal(_DAYS_UNTIL_IT_COMES),
    )
