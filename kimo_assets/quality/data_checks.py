"""The checks of rows, references, pictures, addresses and age, and the rule that stops a run.

All of them warn. One also blocks: with too many rejected rows, step 2 does not start.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from psycopg import Connection

from kimo_assets.config import KimoConfig
from kimo_assets.database.ledger import last_results
from kimo_assets.errors import GuardError
from kimo_assets.geocoding.report import corrections, totals
from kimo_assets.images.files import problems_of_rows
from kimo_assets.quality.finding import Check, CheckResult
from kimo_assets.reports import Finding, StagedEntity
from kimo_assets.texts import say

_NAMED = 3


def _warning(subject: str, message: str, **details: Any) -> Finding:
    return Finding("warning", subject, message, details)


def _named(messages: Iterable[str]) -> str:
    """The first of them, and how many more there are."""
    every = list(messages)
    named = "; ".join(every[:_NAMED])
    if len(every) <= _NAMED:
        return named
    return say("quality.and_more", named=named, count=len(every) - _NAMED)


def _messages(findings: Iterable[Finding]) -> str:
    return _named(finding.message for finding in findings)


# --- rejected rows, and the rule that blocks
# --------------------------------------------------------------------------------------------------


def nothing_rejected_above(
    connection: Connection,
    config: KimoConfig,
    load: int | None,
    retried: Collection[str] = (),
) -> CheckResult:
    """Blocks by what this load has staged. By itself (load None) it tells of any load's snapshot.

    retried: entities that block also with the snapshot of an earlier load, as long as step 2 has
    not taken it: a retry must not lead around the rule.
    """
    limits = config.limits
    rows = connection.execute(
        """
        SELECT entity, rows_rejected, rows_read, staged.load,
            loaded.load IS NULL OR loaded.load < staged.load
        FROM ops.staged AS staged LEFT JOIN ops.loaded AS loaded USING (entity)
        WHERE entity = ANY(%s) AND rows_rejected > 0 AND rows_rejected > %s * rows_read
        ORDER BY rows_rejected::float / rows_read DESC, entity
        """,
        [list(config.entities), limits.max_rejected],
    ).fetchall()
    if not rows:
        return CheckResult(say("quality.rejected.none", limit=limits.max_rejected))
    findings = []
    blocking = []
    for entity, rejected, read, staged_load, is_pending in rows:
        share = rejected / read
        values = {"entity": entity, "rejected": rejected, "read": read}
        message = say("quality.rejected.entity", **values)
        findings.append(_warning(entity, message, **values, share=f"{share:.1%}"))
        is_of_this_run = load in (None, staged_load) or (entity in retried and is_pending)
        if is_of_this_run and _is_too_much(config, rejected, read):
            blocking.append(say("quality.rejected.blocking_entity", **values, share=share))
    sentence = say(
        "quality.rejected.some",
        named=_messages(findings),
        limit=limits.max_rejected,
        entity=findings[0].subject,
    )
    if blocking:
        return CheckResult(sentence, findings, severity="error", blocking=", ".join(blocking))
    return CheckResult(sentence, findings)


NOTHING_REJECTED_ABOVE = Check(
    "nothing_rejected_above", "erp_staging", nothing_rejected_above, is_blocking=True
)


def _is_too_much(config: KimoConfig, rejected: int, read: int) -> bool:
    limits = config.limits
    is_big_share = rejected >= limits.blocking_rejected * read
    return is_big_share and rejected >= max(limits.min_blocking_rows, 1)


def too_many_rejected(config: KimoConfig, report: StagedEntity) -> str | None:
    """Why this snapshot would stop an import before step 2, as a plan says it; None if not."""
    if not _is_too_much(config, report.rejected, report.read):
        return None
    entity = say(
        "quality.rejected.blocking_entity",
        entity=report.entity,
        rejected=report.rejected,
        read=report.read,
        share=report.rejected / report.read,
    )
    limit = config.limits.blocking_rejected
    return say("quality.rejected.stopped", entities=entity, limit=limit)


def stop_if_blocked(
    connection: Connection,
    config: KimoConfig,
    load: int,
    *,
    allowed: bool,
    retried: Collection[str] = (),
) -> None:
    """The rule between step 1 and step 2.

    allowed: the operator has seen the rejected rows and wants the rest loaded. retried: the
    entities whose rejected rows were read again.
    Raises: GuardError when this load has staged an entity with too many rejected rows.
    """
    if not allowed:
        raise_if_blocked(nothing_rejected_above(connection, config, load, retried), config)


def raise_if_blocked(result: CheckResult, config: KimoConfig) -> None:
    """Raises: GuardError when the result says that the next step must not start."""
    if result.blocking:
        limit = config.limits.blocking_rejected
        raise GuardError(say("quality.rejected.stopped", entities=result.blocking, limit=limit))


# --- row counts
# --------------------------------------------------------------------------------------------------

# The newest snapshot of each entity against the median of the five before it.
_UNUSUAL_COUNTS = """
    WITH recent AS (SELECT load FROM ops.load ORDER BY load DESC LIMIT 200), counted AS (
        SELECT entity, (counts->>'read')::bigint AS read, row_number() OVER
            (PARTITION BY entity ORDER BY load DESC) AS n
        FROM ops.step_result JOIN recent USING (load)
        WHERE step = 1 AND status IN ('ok', 'unchanged') AND entity = ANY(%(entities)s)
            AND counts->>'read' IS NOT NULL
    ), compared AS (
        SELECT entity, max(read) FILTER (WHERE n = 1) AS read,
            percentile_disc(0.5) WITHIN GROUP (ORDER BY read) FILTER (WHERE n BETWEEN 2 AND 6)
                AS usual
        FROM counted GROUP BY entity
    )
    SELECT entity, read, usual FROM compared
    WHERE usual IS NOT NULL AND abs(read - usual) >= greatest(%(rows)s, 1)
        AND abs(read - usual) > %(share)s * usual
    ORDER BY abs(read - usual) DESC, entity
"""


def row_counts_are_usual(
    connection: Connection, config: KimoConfig, load: int | None
) -> CheckResult:
    guards = config.guards
    limits = {
        "entities": list(config.entities),
        "rows": guards.min_shrink_rows,
        "share": guards.max_shrink,
    }
    findings = []
    for entity, read, usual in connection.execute(_UNUSUAL_COUNTS, limits).fetchall():
        message = say("quality.counts.entity", entity=entity, read=read, usual=usual)
        findings.append(_warning(entity, message, entity=entity, rows_read=read, usual=usual))
    if not findings:
        return CheckResult(say("quality.counts.usual"))
    return CheckResult(say("quality.counts.unusual", named=_messages(findings)), findings)


ROW_COUNTS_ARE_USUAL = Check("row_counts_are_usual", "erp_staging", row_counts_are_usual)


# --- references
# --------------------------------------------------------------------------------------------------


def references_resolve(connection: Connection, config: KimoConfig, load: int | None) -> CheckResult:
    limit = config.limits.max_dangling
    rows = connection.execute(
        """
        SELECT entity, field, target, dangling, rows_live, array_to_string(samples[:3], ', ')
        FROM ops.reference_check JOIN ops.loaded USING (entity)
        WHERE entity = ANY(%s) AND dangling > 0 AND dangling > %s * rows_live
        ORDER BY dangling DESC, entity, field
        """,
        [list(config.entities), limit],
    ).fetchall()
    if not rows:
        return CheckResult(say("quality.references.resolve", limit=limit))
    findings = []
    for entity, field, target, dangling, rows_live, samples in rows:
        values = {
            "entity": entity,
            "field": field,
            "target": target,
            "dangling": dangling,
            "rows": rows_live,
        }
        message = say("quality.references.field", **values)
        findings.append(_warning(f"{entity}.{field}", message, **values, samples=samples))
    first_target = rows[0][2]
    sentence = say("quality.references.dangle", named=_messages(findings), target=first_target)
    return CheckResult(sentence, findings)


REFERENCES_RESOLVE = Check("references_resolve", "kimo_tables", references_resolve)


# --- pictures and addresses
# --------------------------------------------------------------------------------------------------


def every_picture_is_there(
    connection: Connection, config: KimoConfig, load: int | None
) -> CheckResult:
    pairs = [(problem.what, problem.why) for problem in problems_of_rows(connection)]
    pairs += connection.execute(
        """
        SELECT DISTINCT n.written, coalesce(n.problem, p.problem) AS problem
        FROM ops.picture_name AS n
        LEFT JOIN ops.picture AS p ON p.source = n.source AND p.status <> 'ok'
        WHERE n.entity = 'ItemUrl' AND coalesce(n.problem, p.problem) IS NOT NULL
        ORDER BY 1, 2
        """
    ).fetchall()
    if not pairs:
        return CheckResult(say("quality.pictures.all_there"))
    findings = [
        _warning(picture, f"{picture}: {reason}", what=picture, why=reason)
        for picture, reason in pairs
    ]
    sentence = say("quality.pictures.missing", count=len(findings), named=_messages(findings))
    return CheckResult(sentence, findings)


EVERY_PICTURE_IS_THERE = Check("every_picture_is_there", "public_images", every_picture_is_there)

_NOT_FOUND = ("not askable", "INVALID_REQUEST", "ZERO_RESULTS")


def addresses_are_found(
    connection: Connection, config: KimoConfig, load: int | None
) -> CheckResult:
    known = totals(connection)
    figures = {"addresses": known.addresses, "waiting": known.waiting}
    findings = []
    for correction in corrections(connection):
        if correction.kind in _NOT_FOUND:
            message = f"{correction.what}: {correction.why}"
            details = {"whose": correction.what, "why": correction.why}
            accounts = correction.accounts
            findings.append(_warning(correction.what, message, **details, accounts=accounts))
    if not findings:
        sentence = say("quality.addresses.all_found", addresses=known.addresses)
        return CheckResult(sentence, figures=figures)
    sentence = say(
        "quality.addresses.not_found",
        count=len(findings),
        addresses=known.addresses,
        named=_messages(findings),
    )
    return CheckResult(sentence, findings, figures)


ADDRESSES_ARE_FOUND = Check("addresses_are_found", "geopositions", addresses_are_found)


# --- age
# --------------------------------------------------------------------------------------------------


def tablets_data_are_fresh(
    connection: Connection, config: KimoConfig, load: int | None = None
) -> CheckResult:
    hours = config.limits.fresh_hours
    entities = config.entities.keys()
    imported = {result.entity for result in last_results(connection) if result.step == 1}
    rows = connection.execute(
        """
        SELECT entity, staged_at FROM ops.staged
        WHERE staged_at < now() - make_interval(secs => %s) ORDER BY staged_at, entity
        """,
        [hours * 3600],
    ).fetchall()
    findings = [_too_old(entity, staged_at) for entity, staged_at in rows if entity in entities]
    if imported.isdisjoint(entities):
        return CheckResult(say("quality.fresh.nothing_imported"), findings)
    if not findings:
        return CheckResult(say("quality.fresh.all", hours=hours))
    sentence = say(
        "quality.fresh.old",
        old=len(findings),
        entities=len(entities),
        hours=hours,
        named=_messages(findings),
    )
    return CheckResult(sentence, findings)


def _too_old(entity: str, staged_at: datetime) -> Finding:
    minute = f"{staged_at:%Y-%m-%d %H:%M}"
    message = say("quality.fresh.entity", entity=entity, at=minute)
    return _warning(entity, message, entity=entity, staged_at=minute)


TABLETS_DATA_ARE_FRESH = Check("tablets_data_are_fresh", "sync_payloads", tablets_data_are_fresh)

CHECKS = (
    NOTHING_REJECTED_ABOVE,
    ROW_COUNTS_ARE_USUAL,
    REFERENCES_RESOLVE,
    EVERY_PICTURE_IS_THERE,
    ADDRESSES_ARE_FOUND,
    TABLETS_DATA_ARE_FRESH,
)
