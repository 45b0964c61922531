"""What may go to the ERP now, and why the rest waits. Only looks: what becomes of it is
outbox.py's.

Ready is a record in EntityStatus 6 of an entity that `export: entities:` lists. It waits while it
refers to a record that Kimo has made and the ERP does not know yet; it is held when it cannot go as
it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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

OPEN, CONFIRMED = 0, 1


# What keeps a record from being sent as it is, whatever else is sent.
_HELD = ("no reference", "double reference", "unknown type")


@dataclass(frozen=True)
class Candidate:
    """A head in EntityStatus 6. parts: rows that travel with it. why: it cannot go now; is_waiting:
    for something else.
    """

    id: str
    sync_reference: str | None
    parts: int
    why: str | None = None
    is_waiting: bool = False


@dataclass(frozen=True)
class Waiting:
    """How many records of an entity are where. ready, held, waiting: in EntityStatus 6. in_flight:
    in a batch whose end is not known yet. unacknowledged: the ERP has them and is to answer. stuck:
    not done with for longer than PendingEdits\\DaysStuck days; None where that rule is not set.
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
    """The next heads by their Id; locked until the transaction ends, as nobody shall edit what is
    being copied.

    waited_in: only those that this load has found waiting.
    """
    query = sql.SQL(
        "{fates} AND h.{id} > {after} {again} ORDER BY h.{id} LIMIT {limit} FOR UPDATE OF h"
    ).format(
        fates=_fates(catalog, name),
        id=sql.Identifier(ID),
        after=sql.Literal(after),
        limit=sql.Literal(limit),
        again=(
            sql.SQL("")
            if waited_in is None
            else _WAITED.format(entity=sql.Literal(name), load=sql.Literal(waited_in))
        ),
    )
    return [_candidate(config, row) for row in connection.execute(query)]


_WAITED = sql.SQL(
    'AND EXISTS (SELECT FROM ops.export_held AS e WHERE e.entity = {entity} AND e.id = h."Id" AND'
    " e.load = {load} AND e.is_waiting)"
)


def count_ready(connection: Connection, names: Sequence[str]) -> int:
    """How many heads are in EntityStatus 6, whatever keeps them from being sent."""
    ready = sql.Literal(EntityStatus.TO_EXPORT_TO_ERP)
    count = 0
    for name in names:
        row = connection.execute(_COUNT.format(table(KIMO, name), ready)).fetchone()
        count += row[0] if row else 0
    return count


_COUNT = sql.SQL('SELECT count(*) FROM {} WHERE "EntityStatus" = {} AND _archived_load IS NULL')


# --- why not
# --------------------------------------------------------------------------------------------------


def _candidate(config: KimoConfig, row: Sequence[Any]) -> Candidate:
    key, reference, parts, fate, document_type, document_status, refers = row
    why = _why(config, fate, reference, document_type, document_status, refers)
    return Candidate(key, reference, parts, why, is_waiting=why is not None and fate not in _HELD)


def _why(
    config: KimoConfig,
    fate: str | None,
    reference: str | None,
    document_type: str | None,
    status: int | None,
    refers: Sequence[str] | None,
) -> str | None:
    match fate:
        case None:
            return None
        case "no reference":
            return (
                "it has no SyncReference, which is all that the ERP's answer could be recognised by"
            )
        case "double reference":
            return (
                f"its SyncReference {reference} is that of another record too: the ERP's answer"
                " could mean either"
            )
        case "unknown type":
            named = (
                f"DocumentTypeId {document_type} is no"
                if document_type
                else "it has no DocumentTypeId, so no"
            )
            return f"{named} document type of the console's: `kimo settings load` loads them"
        case "not sent":
            return (
                f"documents of type {document_type} are not sent to the ERP"
                " (DocumentType.CanSendToErp)"
            )
        case "draft":
            return (
                f"it is not confirmed, and drafts of type {document_type} are not sent"
                " (ShouldExportDraftsToErp)"
            )
        case "not confirmed":
            return (
                f"its DocumentStatus is {'empty' if status is None else status}; confirmed"
                " documents are sent (1)"
            )
        case _:
            return _waits_for(config, *(refers or ()))


_STATES = {
    EntityStatus.UNDEFINED: "has no EntityStatus",
    EntityStatus.EXPORTING_TO_ERP: "is on its way to the ERP",
    EntityStatus.DELETED: "is deleted",
    EntityStatus.COMMITTING_EXPORT_TO_ERP: "is on its way to the ERP",
    EntityStatus.TO_EXPORT_TO_ERP: "is to be sent first",
    EntityStatus.EDITING: "is being edited",
    EntityStatus.UPLOADED_TO_SERVER: "was only just uploaded",
    EntityStatus.STARTED_UPLOAD_TO_SERVER: "is being uploaded",
    EntityStatus.EDITING_PENDING: "was edited again before the ERP has answered",
}


def _waits_for(
    config: KimoConfig, field: str, target: str, key: str, status: str, is_archived: str
) -> str:
    state = "is archived" if is_archived == "true" else _STATES[EntityStatus(int(status))]
    if target not in config.export.entities:
        state = f"is not sent: `export: entities:` of kimo.yaml does not list {target}"
    return f"waits for the {target} {key} ({field}), which is new to the ERP and {state}"


def _fates(catalog: Catalog, name: str) -> sql.Composed:
    """id, SyncReference, number of parts, fate (None: can go), DocumentTypeId, DocumentStatus, whom
    it waits for.
    """
    is_document = {"DocumentTypeId", "DocumentStatus"} <= catalog[name].fields.keys()
    return sql.SQL("""
        SELECT h."Id", h."SyncReference", {parts},
            CASE WHEN coalesce(trim(h."SyncReference"), '') = '' THEN 'no reference'
                 WHEN EXISTS (SELECT FROM {head} AS o WHERE o."SyncReference" = h."SyncReference"
                     AND o."Id" <> h."Id"
                              AND o._archived_load IS NULL) THEN 'double reference'
                 {documents}
                 WHEN w.refers IS NOT NULL THEN 'waits' END,
            {document_type}, w.refers
        FROM {head} AS h {types} LEFT JOIN LATERAL (SELECT {refers} AS refers) AS w ON true
        WHERE h."EntityStatus" = {ready} AND h._archived_load IS NULL
        """).format(
        ready=sql.Literal(EntityStatus.TO_EXPORT_TO_ERP),
        head=table(KIMO, name),
        parts=sql.SQL(" + ").join(
            [sql.SQL("0"), *(_part_count(catalog[part]) for part in catalog.sent_with(name))]
        ),
        refers=sql.SQL("coalesce({})").format(
            sql.SQL(", ").join([sql.SQL("NULL::text[]"), *_references(catalog, name)])
        ),
        documents=_DOCUMENTS if is_document else sql.SQL(""),
        document_type=sql.SQL(
            'h."DocumentTypeId", h."DocumentStatus"' if is_document else "NULL, NULL"
        ),
        types=_TYPES if is_document else sql.SQL(""),
    )


_TYPES = sql.SQL('LEFT JOIN kimo."DocumentType" AS t ON t."Id" = h."DocumentTypeId"')
_DOCUMENTS = sql.SQL("""WHEN t."Id" IS NULL THEN 'unknown type'
       WHEN NOT t."CanSendToErp" THEN 'not sent'
       WHEN h."DocumentStatus" = 0 AND NOT t."ShouldExportDraftsToErp" THEN 'draft'
       WHEN coalesce(h."DocumentStatus", -1) NOT IN (0, 1) THEN 'not confirmed'""")


def _part_count(part: Entity) -> sql.Composed:
    return sql.SQL(
        '(SELECT count(*) FROM {} AS p WHERE p.{} = h."Id" AND p._archived_load IS NULL)'
    ).format(table(KIMO, part.name), _owner(part))


def _references(catalog: Catalog, name: str) -> Iterator[sql.Composed]:
    """For each reference of the head's, and of its parts', to what is sent as well: whom it waits
    for, or NULL.
    """
    head = catalog[name]
    for field, target in _sent_targets(catalog, head):
        itself = sql.SQL(' AND t."Id" <> h."Id"' if target == name else "")
        yield _reference(
            field, target, sql.SQL('t."Id" = h.{}{}').format(sql.Identifier(field), itself)
        )
    if {"EntityType", "EntityId"} <= head.fields.keys():
        for target in (known for known in catalog.sent_to_erp if known != name):
            about = sql.SQL('h."EntityType" = {} AND t."Id" = h."EntityId"').format(
                sql.Literal(target)
            )
            yield _reference("EntityId", target, about)
    for part in (catalog[part] for part in catalog.sent_with(name)):
        for field, target in _sent_targets(catalog, part):
            if target != name:
                parts = {
                    "part": table(KIMO, part.name),
                    "field": sql.Identifier(field),
                    "owner": _owner(part),
                }
                yield _reference(f"{part.name}.{field}", target, _OF_A_PART.format(**parts))


_OF_A_PART = sql.SQL(
    't."Id" IN (SELECT p.{field} FROM {part} AS p WHERE p.{owner} = h."Id" AND p._archived_load IS'
    " NULL)"
)


def _owner(part: Entity) -> sql.Identifier:
    return sql.Identifier(part.owner_field or "")


def _sent_targets(catalog: Catalog, entity: Entity) -> Iterator[tuple[str, str]]:
    for field, reference in entity.hard_references.items():
        if (
            reference.target in catalog.sent_to_erp
            and reference.column == ID
            and not reference.keys
        ):
            yield field, reference.target


def _reference(field: str, target: str, condition: sql.Composable) -> sql.Composed:
    return sql.SQL(
        """(SELECT ARRAY[{field}, {name}, t."Id"::text,
            coalesce(t."EntityStatus"::integer, {undefined})::text,
                         (t.{archived} IS NOT NULL)::text]
            FROM {target} AS t WHERE {condition} AND t.{hash} IS NULL
              AND coalesce(t."EntityStatus"::integer, {undefined}) NOT IN {known} LIMIT 1)"""
    ).format(
        field=sql.Literal(field),
        name=sql.Literal(target),
        target=table(KIMO, target),
        condition=condition,
        archived=sql.Identifier(ARCHIVED),
        hash=sql.Identifier(HASH),
        undefined=sql.Literal(EntityStatus.UNDEFINED),
        known=literals(KNOWN_TO_ERP),
    )


# --- how much there is
# ------------------------------------------------------------------------------------------------


def waiting(connection: Connection, config: KimoConfig, catalog: Catalog) -> dict[str, Waiting]:
    """What is where, of every entity that `export: entities:` lists.

    held also counts what the last export could not send for what it holds, or for the ERP's
    refusal.
    """
    days = days_until_overdue(business_rules(connection))
    return {
        name: _waiting(connection, config, catalog, name, days)
        for name in listed_heads(config, catalog)
    }


def is_acknowledged(config: KimoConfig, name: str) -> bool:
    """Whether the ERP answers for an entity: documents come back by themselves, as the
    ERP's own.
    """
    return f"{ANSWER_PREFIX}{name}" in config.entities


def _waiting(
    connection: Connection, config: KimoConfig, catalog: Catalog, name: str, days: int | None
) -> Waiting:
    fates: Mapping[str, int] = dict(
        connection.execute(
            _FATES.format(fates=_fates(catalog, name), entity=sql.Literal(name))
        ).fetchall()
    )
    answers = is_acknowledged(config, name)
    row = connection.execute(
        _PENDING.format(
            head=table(KIMO, name),
            pending=literals(PENDING),
            in_flight=literals(IN_FLIGHT),
            exported=sql.Literal(EntityStatus.EXPORTED_TO_ERP),
            by_export=literals((EntityStatus.EXPORTED_TO_ERP, *IN_FLIGHT)),
            sent=sql.Literal(RecordOutcome.SENT),
        ),
        {"entity": name, "answers": answers, "days": days},
    ).fetchone()
    in_flight, unacknowledged, stuck = row or (0, 0, 0)
    return Waiting(
        name,
        fates.get("ready", 0),
        fates.get("held", 0),
        sum(count for fate, count in fates.items() if fate not in ("ready", "held")),
        in_flight,
        unacknowledged,
        None if days is None else stuck,
    )


_FATES = sql.SQL("""
    SELECT CASE WHEN f.fate IN ('no reference', 'double reference', 'unknown type') OR e.id IS
        NOT NULL THEN 'held'
                ELSE coalesce(f.fate, 'ready') END, count(*)
    FROM ({fates} OFFSET 0) AS f (id, reference, parts, fate, type, status, refers)
    LEFT JOIN ops.export_held AS e ON e.entity = {entity} AND e.id = f.id AND NOT e.is_waiting
    GROUP BY 1
    """)

_PENDING = sql.SQL("""
    SELECT count(*) FILTER (WHERE status IN {in_flight}), count(*) FILTER (WHERE status = {exported}),
           count(*) FILTER (WHERE since < now() - make_interval(secs => coalesce(%(days)s,
               0) * 86400))
    FROM (
        SELECT h."EntityStatus"::integer AS status,
            CASE WHEN h."EntityStatus" = {exported} THEN r.sent_at
                 WHEN h."EntityStatus" IN {in_flight} THEN r.marked_at
                 ELSE coalesce(h."UploadToServerTimeStamp", e.since) END AS since
        FROM {head} AS h LEFT JOIN ops.export_held AS e ON e.entity = %(entity)s AND e.id = h."Id"
        LEFT JOIN LATERAL (SELECT sent_at, marked_at, outcome FROM ops.export_record AS r
            WHERE r.entity = %(entity)s
                           AND r.id = h."Id" AND h."EntityStatus" IN {by_export}
                           ORDER BY r.entity DESC, r.id DESC, r.batch DESC LIMIT 1) AS r ON true
        WHERE h._archived_load IS NULL
          AND (h."EntityStatus" IN {pending} OR h."EntityStatus" = {exported} AND %(answers)s
              AND r.outcome = {sent})
    ) AS pending
    """)
