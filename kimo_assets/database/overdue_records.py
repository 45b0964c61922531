"""Overdue records: edits that never came to the ERP, and exports that it never answered."""

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
from kimo_assets.texts import say

# How many days an edit may be under way. The vendor gives no default (fact sheet, section 9).
RULE = "PendingEdits\\DaysStuck"


@dataclass(frozen=True)
class OverdueRecord:
    """A record that has not moved since.

    status: its EntityStatus. reason: a sentence that also says what to do.
    """

    entity: str
    id: str
    sync_reference: str | None
    status: int
    since: datetime
    reason: str


def days_until_overdue(rules: Mapping[str, str]) -> int | None:
    """The days after which an edit is overdue, None when the rule is not set to a number.

    rules: by folded key.
    """
    value = rules.get(RULE.casefold(), "").strip()
    return int(value) if value.isdecimal() and int(value) > 0 else None


def overdue_records(
    connection: Connection, catalog: Catalog, days: int | None
) -> list[OverdueRecord]:
    """All heads that have been under way for more than so many days, the oldest first.

    None are overdue when days is None. A record without a time is not among them: it has no
    UploadToServerTimeStamp, and no export has seen it.
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
            "SELECT * FROM ({}) AS under_way WHERE since < now() - make_interval(days => {})"
            " ORDER BY since, entity, id"
        ).format(sql.SQL(" UNION ALL ").join(selects), sql.Literal(days))
    )
    return [
        OverdueRecord(entity, key, reference, status, since, _reason(status, outcome, problem))
        for entity, key, reference, status, since, outcome, problem in rows
    ]


def _of_head(head: str, *, is_answered: bool) -> sql.Composed:
    """(entity, id, sync_reference, status, since, outcome, problem) of the head's records.

    Kimo's server writes its times in UTC.
    """
    return sql.SQL("""
        SELECT {head} AS entity, k.{id}::text AS id, k."SyncReference"::text AS sync_reference,
            k."EntityStatus"::integer AS status,
            CASE WHEN k."EntityStatus" IN {by_export}
                THEN coalesce(r.sent_at, r.marked_at, uploaded.at)
                ELSE coalesce(uploaded.at, r.sent_at, r.marked_at)
            END AS since,
            r.outcome, coalesce(h.why, r.problem) AS problem
        FROM {kimo} AS k
        LEFT JOIN LATERAL (
            SELECT k."UploadToServerTimeStamp" AT TIME ZONE 'UTC' AS at
        ) AS uploaded ON true
        LEFT JOIN LATERAL (
            SELECT x.sent_at, x.marked_at, x.outcome, x.problem FROM ops.export_record AS x
            WHERE x.entity = {head} AND x.id = k.{id} ORDER BY x.batch DESC LIMIT 1
        ) AS r ON true
        LEFT JOIN ops.export_held AS h
            ON h.entity = {head} AND h.id = k.{id} AND k."EntityStatus" = {ready}
        WHERE k.{archived} IS NULL AND (
            k."EntityStatus" IN {pending}
            OR {answered} AND k."EntityStatus" = {exported} AND r.outcome IN {unanswered}
        )
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


def _reason(status: int, outcome: str | None, problem: str | None) -> str:
    """What the export or the ERP noted of the record, else what its status means."""
    is_at_rest = status in (EntityStatus.EXPORTED_TO_ERP, EntityStatus.TO_EXPORT_TO_ERP)
    is_noted = is_at_rest or outcome == RecordOutcome.REFUSED
    if problem and is_noted:
        return problem
    return say(f"database.overdue.{int(status)}")
