"""Which of Kimo's rows a snapshot must leave alone, as conditions in SQL: their edits, or they, are
still under way.
"""

from psycopg import sql

from kimo_assets.catalog import Catalog, Entity
from kimo_assets.catalog.lifecycle import MAY_BE_ANSWERED, PENDING, EntityStatus
from kimo_assets.database.names import ARCHIVED, HASH, ID, KIMO, literals, table

# How long a record that the ERP has taken over under its own Id is kept without having come back as
# a row of the ERP's.
_DAYS_UNTIL_IT_COMES = 7


def is_held(
    catalog: Catalog, entity: Entity, *, of: str, is_gone: sql.Composable, is_answered: bool
) -> sql.Composable:
    """Whether the row `of` of kimo.<entity> is held. is_gone: whether the snapshot lacks it.

    is_answered: the ERP's answers to the entity (or to the head that it is a part of) are imported.
    """
    if entity.is_held_while_pending:
        return _of_head(entity.name, of, is_gone, is_answered=is_answered)
    head = catalog[entity.owner] if entity.owner else None
    if (
        head is None
        or not head.is_held_while_pending
        or entity.name not in catalog.sent_with(head.name)
    ):
        return sql.SQL("false")
    # Parts go and come with their head; of one that is held none changes alone.
    return sql.SQL(
        "EXISTS (SELECT FROM {heads} AS h WHERE h.{id} = {of}.{owner} AND h.{archived} IS NULL AND"
        " {held})"
    ).format(
        heads=table(KIMO, head.name),
        id=sql.Identifier(ID),
        of=sql.Identifier(of),
        owner=sql.Identifier(entity.owner_field or ""),
        archived=sql.Identifier(ARCHIVED),
        held=_of_head(head.name, "h", sql.SQL("true"), is_answered=is_answered),
    )


def awaits_answer(head: str, of: str) -> sql.Composed:
    """Whether the row `of` is at the ERP, or was refused there and not amended since: it is Kimo's
    that holds.
    """
    return sql.SQL(
        '{of}."EntityStatus" = {exported} AND EXISTS (SELECT FROM ops.export_record AS sent WHERE'
        " sent.entity = {head} AND sent.id = {of}.{id} AND sent.outcome IN {unanswered})"
    ).format(
        of=sql.Identifier(of),
        exported=sql.Literal(EntityStatus.EXPORTED_TO_ERP),
        head=sql.Literal(head),
        id=sql.Identifier(ID),
        unanswered=literals(MAY_BE_ANSWERED),
    )


def _of_head(head: str, of: str, is_gone: sql.Composable, *, is_answered: bool) -> sql.Composed:
    names: dict[str, sql.Composable] = {
        "of": sql.Identifier(of),
        "pending": literals(PENDING),
        "undefined": sql.Literal(EntityStatus.UNDEFINED),
        "at_rest": literals(
            (
                EntityStatus.UNDEFINED,
                EntityStatus.IMPORTED_FROM_ERP,
                EntityStatus.EXPORTED_TO_ERP,
            )
        ),
        "acknowledged": sql.Literal(EntityStatus.IMPORTED_BY_ERP),
        "awaits": awaits_answer(head, of),
        "gone": is_gone,
        "hash": sql.Identifier(HASH),
        "head": sql.Literal(head),
        "id": sql.Identifier(ID),
        "days": sql.Literal(_DAYS_UNTIL_IT_COMES),
    }
    answered = (
        sql.SQL("OR coalesce({awaits}, false)").format(**names) if is_answered else sql.SQL("")
    )
    # What only Kimo knows cannot be missing from a snapshot.
    return sql.SQL(
        """(coalesce({of}."EntityStatus" IN {pending}, false) {answered} OR {gone} AND {of}.{hash}
            IS NULL AND (
            coalesce({of}."EntityStatus", {undefined}) IN {at_rest}
            OR {of}."EntityStatus" = {acknowledged} AND EXISTS (
                SELECT FROM ops.export_answer AS answer WHERE answer.entity = {head}
                    AND answer.erp_id = {of}.{id}
                AND answer.at > now() - make_interval(days => {days}))))"""
    ).format(**names, answered=answered)
