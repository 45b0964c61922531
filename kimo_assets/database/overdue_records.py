"""Records that should have moved on long ago: edits that never came to the ERP, and exports that it
never answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog
from kimo_assets.catalog.lifecycle import (
    IN_FLIGHT,
    MAY_BE_ANSWERED,
    PENDING,
    EntityStatus,
    RecordOutcome,
)
from kimo_assets.database.names import ARCHIVED, ID, KIMO, literals, table

# How many days an edit may be under way; the vendor gives no default (fact sheet, section 9).
RULE = "PendingEdits\\DaysStuck"


@dataclass(frozen=True)
class StuckRecord:
    """A record that has not moved since. status: its EntityStatus; why: a sentence with
    what to do.
    """

    entity: str
    id: str
    sync_reference: str | None
    status: int
    since: datetime
    why: str


def days_stuck(rules: Mapping[str, str]) -> int | None:
    """The days after which an edit counts as stuck. rules: by folded key. None: the rule is not
    set, or no number.
    """
    value = rules.get(RULE.casefold(), "").strip()
    return int(value) if value.isdecimal() and int(value) > 0 else None


def stuck(connection: Connection, catalog: Catalog, days: int | None) -> list[StuckRecord]:
    """All heads that have been under way for more than so many days, the oldest first; none when
    days is None.

    A record of which no time is known (it has no UploadToServerTimeStamp, and no export has seen
    it) is not among them.
    """
    if days is None:
        return []
    answered = [name for (name,) in connection.execute("SELECT entity FROM ops.loaded")]
    selects = [
        _of_head(head, is_answered=catalog.answers.get(head) in answered)
        for head in catalog.sent_to_erp
    ]
    rows = connection.execute(
        sql.SQL(
            "SELECT * FROM ({}) AS found WHERE since < now() - make_interval(days => {}) ORDER BY"
            " since, entity, id"
        ).format(sql.SQL(" UNION ALL ").join(selects), sql.Literal(days))
    )
    return [
        StuckRecord(entity, key, reference, status, since, _why(status, outcome, problem))
        for entity, key, reference, status, since, outcome, problem in rows
    ]


def _of_head(head: str, *, is_answered: bool) -> sql.Composed:
    """(entity, id, sync_reference, status, since, outcome, problem). Kimo's server writes its times
    in UTC.
    """
    return sql.SQL("""
        SELECT {head} AS entity, k.{id}::text AS id, k."SyncReference"::text AS sync_reference,
            k."EntityStatus"::integer AS status,
            CASE WHEN k."EntityStatus" IN {by_export}
                THEN coalesce(r.sent_at, r.marked_at, uploaded.at)
                 ELSE coalesce(uploaded.at, r.sent_at, r.marked_at) END AS since,
            r.outcome, coalesce(h.why, r.problem) AS problem
        FROM {kimo} AS k
        LEFT JOIN LATERAL (SELECT k."UploadToServerTimeStamp" AT TIME ZONE 'UTC' AS at) AS uploaded
            ON true
        LEFT JOIN LATERAL (
            SELECT x.sent_at, x.marked_at, x.outcome, x.problem FROM ops.export_record AS x
            WHERE x.entity = {head} AND x.id = k.{id} ORDER BY x.batch DESC LIMIT 1
        ) AS r ON true
        LEFT JOIN ops.export_held AS h ON h.entity = {head} AND h.id = k.{id}
            AND k."EntityStatus" = {ready}
        WHERE k.{archived} IS NULL AND (k."EntityStatus" IN {pending}
            OR {answered} AND k."EntityStatus" = {exported} AND r.outcome IN {unanswered})
        """).format(
        head=sql.Literal(head),
        id=sql.Identifier(ID),
        kimo=table(KIMO, head),
        archived=sql.Identifier(ARCHIVED),
        by_export=literals((EntityStatus.EXPORTED_TO_ERP, *IN_FLIGHT)),
        ready=sql.Literal(EntityStatus.TO_EXPORT_TO_ERP),
        exported=sql.Literal(EntityStatus.EXPORTED_TO_ERP),
        unanswered=literals(MAY_BE_ANSWERED),
        pending=literals(PENDING),
        answered=sql.Literal(is_answered),
    )


_WHY = {
    EntityStatus.EXPORTED_TO_ERP: "the ERP has not answered: look there for its SyncReference.",
    EntityStatus.EXPORTING_TO_ERP: "its export has not ended: run `kimo export`, which looks what became of it.",
    EntityStatus.COMMITTING_EXPORT_TO_ERP: (
        "nobody knows whether it arrived at the ERP: `kimo export` looks, and says how to"
        " settle it."
    ),
    EntityStatus.TO_EXPORT_TO_ERP: "it waits for an export: run `kimo export`, which says what holds it back.",
    EntityStatus.EDITING: "somebody is editing it in Kimo, or has left it so.",
    EntityStatus.UPLOADED_TO_SERVER: "Kimo's server has it and has not released it for the export.",
    EntityStatus.STARTED_UPLOAD_TO_SERVER: "its upload from the tablet has not ended: let the tablet sync.",
    EntityStatus.EDITING_PENDING: (
        "it was edited again, and the ERP has not answered to what was sent before: look there for"
        " its SyncReference."
    ),
}


def _why(status: int, outcome: str | None, problem: str | None) -> str:
    is_at_rest = status in (EntityStatus.EXPORTED_TO_ERP, EntityStatus.TO_EXPORT_TO_ERP)
    if problem and (is_at_rest or outcome == RecordOutcome.REFUSED):
        return problem
    return _WHY[EntityStatus(status)]
