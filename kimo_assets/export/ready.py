"""What may go to the ERP now, and why the rest does not. Reads only: outbox.py changes things.

Ready is a record that is to be exported, of an entity that `export: entities:` lists. It waits
while it refers to a record that Kimo has made and the ERP does not know yet. It is held when it
cannot go as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, Entity
from kimo_assets.catalog.lifecycle import (
    ANSWER_PREFIX,
    IN_FLIGHT,
    KNOWN_TO_ERP,
    PENDING,
    EntityStatus,
    RecordOutcome,
)
from kimo_assets.config import KimoConfig
from kimo_assets.database.names import ARCHIVED, HASH, ID, KIMO, literals, table
from kimo_assets.database.overdue_records import days_until_overdue
from kimo_assets.database.rules import business_rules
from kimo_assets.texts import say

# DocumentStatus (fact sheet, section 10).
OPEN, CONFIRMED = 0, 1

# Obstacles of the record itself. The others are something that it waits for.
_HELD_BY = ("no reference", "double reference", "unknown type")


@dataclass(frozen=True)
class Candidate:
    """A head that is to be exported. parts: rows that travel with it.

    reason: why it cannot go now. is_waiting: the reason is another record, or a decision in Kimo.
    """

    id: str
    sync_reference: str | None
    parts: int
    reason: str | None = None
    is_waiting: bool = False


@dataclass(frozen=True)
class Waiting:
    """How many records of an entity are where. ready, held, waiting: of those to be exported.

    in_flight: in a batch whose end is not known yet. unacknowledged: at the ERP, which is to
    answer. stuck: overdue, by the business rule PendingEdits\\DaysStuck. None without that rule.
    """

    entity: str
    ready: int = 0
    held: int = 0
    waiting: int = 0
    in_flight: int = 0
    unacknowledged: int = 0
    stuck: int | None = None


def listed_heads(config: KimoConfig, catalog: Catalog) -> list[str]:
    """The heads that `export: entities:` lists, in the order in which they are sent."""
    return [name for name in catalog.sent_to_erp if name in config.export.entities]


def refers_to_its_own(entity: Entity) -> bool:
    """Whether rows may refer to others of the same entity: sites to their head office."""
    return any(reference.target == entity.name for reference in entity.hard_references.values())


def candidates(
    connection: Connection,
    catalog: Catalog,
    config: KimoConfig,
    name: str,
    *,
    after: str = "",
    limit: int,
    waited_in: int | None = None,
) -> list[Candidate]:
    """The next heads by their Id.

    They are locked until the transaction ends, so that nobody edits what is being copied.
    waited_in: only those that this load has already put down as waiting.
    """
    again: sql.Composable = sql.SQL("")
    if waited_in is not None:
        again = _WAITED.format(entity=sql.Literal(name), load=sql.Literal(waited_in))
    # Paging goes by Id: heads that were sent no longer match, so an offset would pass others over.
    # OF h, because PostgreSQL locks no row of the side of an outer join that may be missing.
    query = sql.SQL(
        "{obstacles} AND h.{id} > {after} {again} ORDER BY h.{id} LIMIT {limit} FOR UPDATE OF h"
    ).format(
        obstacles=_obstacles(catalog, name),
        id=sql.Identifier(ID),
        after=sql.Literal(after),
        limit=sql.Literal(limit),
        again=again,
    )
    rows = map(_HeadRow._make, connection.execute(query))
    return [_candidate(config, row) for row in rows]


_WAITED = sql.SQL("""
    AND EXISTS (SELECT FROM ops.export_held AS e
                WHERE e.entity = {entity} AND e.id = h."Id" AND e.load = {load} AND e.is_waiting)
    """)


def count_ready(connection: Connection, names: Sequence[str]) -> int:
    """How many heads are to be exported, whatever keeps them from being sent."""
    ready = sql.Literal(EntityStatus.TO_EXPORT_TO_ERP)
    count = 0
    for name in names:
        row = connection.execute(_COUNT.format(table(KIMO, name), ready)).fetchone()
        count += row[0] if row else 0
    return count


_COUNT = sql.SQL('SELECT count(*) FROM {} WHERE "EntityStatus" = {} AND _archived_load IS NULL')


# --- why a record cannot go
# --------------------------------------------------------------------------------------------------


class _HeadRow(NamedTuple):
    """What _obstacles gives of a head. obstacle: None if it can go.

    waits_for: field, target, Id, EntityStatus and whether it is archived, all as texts.
    """

    id: str
    sync_reference: str | None
    parts: int
    obstacle: str | None
    document_type: str | None
    document_status: int | None
    waits_for: Sequence[str] | None


def _candidate(config: KimoConfig, row: _HeadRow) -> Candidate:
    if row.obstacle is None:
        return Candidate(row.id, row.sync_reference, row.parts)
    is_waiting = row.obstacle not in _HELD_BY
    return Candidate(row.id, row.sync_reference, row.parts, _reason(config, row), is_waiting)


def _reason(config: KimoConfig, row: _HeadRow) -> str:
    """The obstacle in a sentence, without a full stop."""
    match row.obstacle:
        case "no reference":
            return say("export.ready.no_reference")
        case "double reference":
            return say("export.ready.double_reference", reference=row.sync_reference)
        case "unknown type" if row.document_type:
            return say("export.ready.unknown_type", type=row.document_type)
        case "unknown type":
            return say("export.ready.no_type")
        case "not sent":
            return say("export.ready.type_not_sent", type=row.document_type)
        case "draft":
            return say("export.ready.draft", type=row.document_type)
        case "not confirmed" if row.document_status is None:
            return say("export.ready.no_document_status")
        case "not confirmed":
            return say("export.ready.not_confirmed", status=row.document_status)
    return _waits_for(config, *(row.waits_for or ()))


_STATES = {
    EntityStatus.UNDEFINED: "export.waits.no_status",
    EntityStatus.EXPORTING_TO_ERP: "export.waits.in_flight",
    EntityStatus.DELETED: "export.waits.deleted",
    EntityStatus.COMMITTING_EXPORT_TO_ERP: "export.waits.in_flight",
    EntityStatus.TO_EXPORT_TO_ERP: "export.waits.to_be_sent",
    EntityStatus.EDITING: "export.waits.edited",
    EntityStatus.UPLOADED_TO_SERVER: "export.waits.uploaded",
    EntityStatus.STARTED_UPLOAD_TO_SERVER: "export.waits.upload",
    EntityStatus.EDITING_PENDING: "export.waits.edited_again",
}


def _waits_for(
    config: KimoConfig, field: str, target: str, key: str, status: str, is_archived: str
) -> str:
    values: dict[str, Any] = {"target": target, "key": key, "field": field}
    if target not in config.export.entities:
        return say("export.waits.not_listed", **values)
    if is_archived == "true":
        return say("export.waits.archived", **values)
    return say(_STATES[EntityStatus(int(status))], **values)


def _obstacles(catalog: Catalog, name: str) -> sql.Composed:
    """A query of the heads to be exported. Its columns are those of _HeadRow."""
    is_document = {"DocumentTypeId", "DocumentStatus"} <= catalog[name].fields.keys()
    part_counts = [_part_count(catalog[part]) for part in catalog.sent_with(name)]
    references = [sql.SQL("NULL::text[]"), *_references(catalog, name)]
    return sql.SQL("""
        SELECT h."Id", h."SyncReference", {parts},
            CASE WHEN coalesce(trim(h."SyncReference"), '') = '' THEN 'no reference'
                 WHEN EXISTS (SELECT FROM {head} AS o WHERE o."SyncReference" = h."SyncReference"
                     AND o."Id" <> h."Id" AND o._archived_load IS NULL) THEN 'double reference'
                 {document_obstacles}
                 WHEN w.waits_for IS NOT NULL THEN 'waits' END,
            {document_columns}, w.waits_for
        FROM {head} AS h {types} LEFT JOIN LATERAL (SELECT {waits_for} AS waits_for) AS w ON true
        WHERE h."EntityStatus" = {ready} AND h._archived_load IS NULL
        """).format(
        ready=sql.Literal(EntityStatus.TO_EXPORT_TO_ERP),
        head=table(KIMO, name),
        parts=sql.SQL(" + ").join([sql.SQL("0"), *part_counts]),
        waits_for=sql.SQL("coalesce({})").format(sql.SQL(", ").join(references)),
        **_DOCUMENT if is_document else _NO_DOCUMENT,
    )


# Which documents are sent: fact sheet, section 10.
_DOCUMENT: dict[str, sql.Composable] = {
    "document_obstacles": sql.SQL("""
        WHEN t."Id" IS NULL THEN 'unknown type'
        WHEN NOT t."CanSendToErp" THEN 'not sent'
        WHEN h."DocumentStatus" = {open} AND NOT t."ShouldExportDraftsToErp" THEN 'draft'
        WHEN h."DocumentStatus" IS NULL OR h."DocumentStatus" NOT IN {sendable}
            THEN 'not confirmed'
        """).format(open=sql.Literal(OPEN), sendable=literals((OPEN, CONFIRMED))),
    "document_columns": sql.SQL('h."DocumentTypeId", h."DocumentStatus"'),
    "types": sql.SQL('LEFT JOIN kimo."DocumentType" AS t ON t."Id" = h."DocumentTypeId"'),
}
_NO_DOCUMENT: dict[str, sql.Composable] = {
    "document_obstacles": sql.SQL(""),
    "document_columns": sql.SQL("NULL, NULL"),
    "types": sql.SQL(""),
}


def _part_count(part: Entity) -> sql.Composed:
    return sql.SQL(
        '(SELECT count(*) FROM {} AS p WHERE p.{} = h."Id" AND p._archived_load IS NULL)'
    ).format(table(KIMO, part.name), _owner(part))


# --- what a head waits for
# --------------------------------------------------------------------------------------------------


def _references(catalog: Catalog, name: str) -> Iterator[sql.Composed]:
    """Subqueries: for each reference to an entity that is sent too, whom it waits for, or NULL."""
    head = catalog[name]
    yield from _own_references(catalog, head)
    if {"EntityType", "EntityId"} <= head.fields.keys():
        yield from _typed_references(catalog, head)
    for part in catalog.sent_with(name):
        yield from _references_of_part(catalog, head, catalog[part])


def _own_references(catalog: Catalog, head: Entity) -> Iterator[sql.Composed]:
    for field, target in _sent_targets(catalog, head):
        condition = sql.SQL('t."Id" = h.{}').format(sql.Identifier(field))
        if target == head.name:
            # A head office is its own: it does not wait for itself.
            condition += sql.SQL(' AND t."Id" <> h."Id"')
        yield _reference(field, target, condition)


def _typed_references(catalog: Catalog, head: Entity) -> Iterator[sql.Composed]:
    """EntityType says whose Id EntityId is: a visit may be about a customer or an opportunity."""
    for target in catalog.sent_to_erp:
        if target != head.name:
            condition = sql.SQL('h."EntityType" = {} AND t."Id" = h."EntityId"')
            yield _reference("EntityId", target, condition.format(sql.Literal(target)))


def _references_of_part(catalog: Catalog, head: Entity, part: Entity) -> Iterator[sql.Composed]:
    for field, target in _sent_targets(catalog, part):
        if target != head.name:
            condition = _OF_A_PART.format(
                part=table(KIMO, part.name), field=sql.Identifier(field), owner=_owner(part)
            )
            yield _reference(f"{part.name}.{field}", target, condition)


_OF_A_PART = sql.SQL("""
    t."Id" IN (SELECT p.{field} FROM {part} AS p
               WHERE p.{owner} = h."Id" AND p._archived_load IS NULL)
    """)


def _owner(part: Entity) -> sql.Identifier:
    return sql.Identifier(part.owner_field or "")


def _sent_targets(catalog: Catalog, entity: Entity) -> Iterator[tuple[str, str]]:
    """(field, target) of the references by Id to entities that are sent too."""
    for field, reference in entity.hard_references.items():
        is_by_id = reference.column == ID and not reference.keys
        if is_by_id and reference.target in catalog.sent_to_erp:
            yield field, reference.target


def _reference(field: str, target: str, condition: sql.Composable) -> sql.Composed:
    """A row with a hash came in a snapshot, so that the ERP knows it whatever its status is."""
    return sql.SQL(
        """(SELECT ARRAY[{field}, {name}, t."Id"::text,
                coalesce(t."EntityStatus"::integer, {undefined})::text,
                (t.{archived} IS NOT NULL)::text]
            FROM {target} AS t WHERE {condition} AND t.{hash} IS NULL
              AND coalesce(t."EntityStatus"::integer, {undefined}) NOT IN {known_to_erp} LIMIT 1)"""
    ).format(
        field=sql.Literal(field),
        name=sql.Literal(target),
        target=table(KIMO, target),
        condition=condition,
        archived=sql.Identifier(ARCHIVED),
        hash=sql.Identifier(HASH),
        undefined=sql.Literal(EntityStatus.UNDEFINED),
        known_to_erp=literals(KNOWN_TO_ERP),
    )


# --- how much there is
# --------------------------------------------------------------------------------------------------


def waiting(connection: Connection, config: KimoConfig, catalog: Catalog) -> dict[str, Waiting]:
    """How many records are where, of every entity that `export: entities:` lists.

    Held are also those that the last export could not send because of a value, or because the ERP
    refused them.
    """
    days = days_until_overdue(business_rules(connection))
    return {
        name: _waiting(connection, config, catalog, name, days)
        for name in listed_heads(config, catalog)
    }


def is_acknowledged(config: KimoConfig, name: str) -> bool:
    """Whether the ERP answers for an entity. Documents come back as the ERP's own instead."""
    return f"{ANSWER_PREFIX}{name}" in config.entities


def _waiting(
    connection: Connection, config: KimoConfig, catalog: Catalog, name: str, days: int | None
) -> Waiting:
    to_export = _count_to_export(connection, catalog, name)
    # Orders are not answered: what was sent of them is done with.
    row = connection.execute(
        _PENDING.format(
            head=table(KIMO, name),
            pending=literals(PENDING),
            in_flight=literals(IN_FLIGHT),
            exported=sql.Literal(EntityStatus.EXPORTED_TO_ERP),
            by_export=literals((EntityStatus.EXPORTED_TO_ERP, *IN_FLIGHT)),
            sent=sql.Literal(RecordOutcome.SENT),
        ),
        {"entity": name, "answers": is_acknowledged(config, name), "days": days},
    ).fetchone()
    in_flight, unacknowledged, overdue = row or (0, 0, 0)
    return Waiting(
        name,
        to_export.pop("ready", 0),
        to_export.pop("held", 0),
        # Whatever else keeps them.
        sum(to_export.values()),
        in_flight,
        unacknowledged,
        None if days is None else overdue,
    )


def _count_to_export(connection: Connection, catalog: Catalog, name: str) -> dict[str, int]:
    """Records that are to be exported, by `ready`, `held` or the obstacle that they wait for."""
    statement = _COUNT_BY_OBSTACLE.format(
        obstacles=_obstacles(catalog, name),
        entity=sql.Literal(name),
        held_by=literals(_HELD_BY),
    )
    counts: Mapping[str, int] = dict(connection.execute(statement).fetchall())
    return dict(counts)


# OFFSET 0 keeps the planner from pulling the obstacles' subqueries up into the join.
_COUNT_BY_OBSTACLE = sql.SQL("""
    SELECT CASE WHEN f.obstacle IN {held_by} OR e.id IS NOT NULL THEN 'held'
                ELSE coalesce(f.obstacle, 'ready') END, count(*)
    FROM ({obstacles} OFFSET 0) AS f (id, reference, parts, obstacle, type, status, waits_for)
    LEFT JOIN ops.export_held AS e ON e.entity = {entity} AND e.id = f.id AND NOT e.is_waiting
    GROUP BY 1
    """)

_PENDING = sql.SQL("""
    SELECT count(*) FILTER (WHERE status IN {in_flight}),
           count(*) FILTER (WHERE status = {exported}),
           count(*) FILTER
               (WHERE since < now() - make_interval(secs => coalesce(%(days)s, 0) * 86400))
    FROM (
        SELECT h."EntityStatus"::integer AS status,
            CASE WHEN h."EntityStatus" = {exported} THEN r.sent_at
                 WHEN h."EntityStatus" IN {in_flight} THEN r.marked_at
                 ELSE coalesce(h."UploadToServerTimeStamp", e.since) END AS since
        FROM {head} AS h
        LEFT JOIN ops.export_held AS e ON e.entity = %(entity)s AND e.id = h."Id"
        LEFT JOIN LATERAL (
            SELECT sent_at, marked_at, outcome FROM ops.export_record AS r
            WHERE r.entity = %(entity)s AND r.id = h."Id" AND h."EntityStatus" IN {by_export}
            ORDER BY r.entity DESC, r.id DESC, r.batch DESC LIMIT 1) AS r ON true
        WHERE h._archived_load IS NULL
          AND (h."EntityStatus" IN {pending}
               OR h."EntityStatus" = {exported} AND %(answers)s AND r.outcome = {sent})
    ) AS pending
    """)
