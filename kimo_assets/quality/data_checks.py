"""The checks of rows, references, pictures, addresses and age, and the rule that stops a run.

All of them warn. One also blocks: with too many rejected rows, step 2 does not start.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from statistics import median_low
from typing import Any

from psycopg import Connection

from kimo_assets.config import KimoConfig
from kimo_assets.database.ledger import last_results
from kimo_assets.database.queries import recent_row_counts
from kimo_assets.errors import GuardError
from kimo_assets.geocoding.report import corrections, totals
from kimo_assets.images.files import problems_of_rows
from kimo_assets.images.queries import problems_of_urls
from kimo_assets.loading.queries import dangling_fields, last_loads
from kimo_assets.quality.finding import Check, CheckResult
from kimo_assets.reports import Finding, StagedEntity
from kimo_assets.staging.queries import RejectedShare, rejected_shares, snapshots_older_than
from kimo_assets.texts import say

# The sentence is one line in the UI and in a mail. The table beside it has all findings.
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
    # This limit only warns. The one that blocks is asked of each entity below.
    limit = config.limits.max_rejected
    shares = rejected_shares(connection, list(config.entities), above=limit)
    if not shares:
        return CheckResult(say("quality.rejected.none", limit=limit))
    findings = [_rejected(staged) for staged in shares]
    loaded = last_loads(connection)
    blocking = []
    for staged in shares:
        is_pending = loaded.get(staged.entity, 0) < staged.load
        # An earlier load's snapshot was judged in its own run. This run did not read it.
        is_of_this_run = load in (None, staged.load) or (staged.entity in retried and is_pending)
        if is_of_this_run and _is_too_much(config, staged.rejected, staged.read):
            blocking.append(_blocking_entity(staged.entity, staged.rejected, staged.read))
    sentence = say(
        "quality.rejected.some",
        named=_messages(findings),
        limit=limit,
        entity=findings[0].subject,
    )
    if blocking:
        # Only what stops the run is an error. Otherwise every night would end in red and teach
        # nothing.
        return CheckResult(sentence, findings, severity="error", blocking=", ".join(blocking))
    return CheckResult(sentence, findings)


NOTHING_REJECTED_ABOVE = Check(
    "nothing_rejected_above", "erp_staging", nothing_rejected_above, is_blocking=True
)


def _rejected(staged: RejectedShare) -> Finding:
    values: dict[str, Any] = {
        "entity": staged.entity,
        "rejected": staged.rejected,
        "read": staged.read,
    }
    message = say("quality.rejected.entity", **values)
    return _warning(staged.entity, message, **values, share=f"{staged.share:.1%}")


def _is_too_much(config: KimoConfig, rejected: int, read: int) -> bool:
    limits = config.limits
    # Share and count: one bad row of three is a big share, and no reason to stop a night.
    is_big_share = rejected >= limits.blocking_rejected * read
    # At least 1, or a limit of 0 would call no rejected row at all too many.
    return is_big_share and rejected >= max(limits.min_blocking_rows, 1)


def _blocking_entity(entity: str, rejected: int, read: int) -> str:
    return say(
        "quality.rejected.blocking_entity",
        entity=entity,
        rejected=rejected,
        read=read,
        share=rejected / read,
    )


def too_many_rejected(config: KimoConfig, report: StagedEntity) -> str | None:
    """Why this snapshot would stop an import before step 2, as a plan says it; None if not."""
    if not _is_too_much(config, report.rejected, report.read):
        return None
    entity = _blocking_entity(report.entity, report.rejected, report.read)
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

# The newest snapshot of an entity against the median of the five before it, of recent loads.
_SNAPSHOTS = 6
_LOADS = 200


def row_counts_are_usual(
    connection: Connection, config: KimoConfig, load: int | None
) -> CheckResult:
    """A sudden change of an entity's size may be the ERP's mistake, and no guard stops growth."""
    recent = recent_row_counts(
        connection, list(config.entities), snapshots=_SNAPSHOTS, loads=_LOADS
    )
    unusual = []
    for entity, (read, *before) in recent.items():
        if before:
            # The median, because one bad snapshot among the five must not move what is usual.
            usual = median_low(before)
            if _is_unusual(config, read, usual):
                unusual.append((entity, read, usual))
    findings = []
    for entity, read, usual in sorted(unusual, key=lambda row: (-abs(row[1] - row[2]), row[0])):
        message = say("quality.counts.entity", entity=entity, read=read, usual=usual)
        findings.append(_warning(entity, message, entity=entity, rows_read=read, usual=usual))
    if not findings:
        return CheckResult(say("quality.counts.usual"))
    return CheckResult(say("quality.counts.unusual", named=_messages(findings)), findings)


def _is_unusual(config: KimoConfig, read: int, usual: int) -> bool:
    """Far from usual both in rows and in share, as the guards of kimo.yaml have it."""
    guards = config.guards
    difference = abs(read - usual)
    # The guards' own limits, so that growth is called strange where shrinking would be stopped.
    return difference >= max(guards.min_shrink_rows, 1) and difference > guards.max_shrink * usual


ROW_COUNTS_ARE_USUAL = Check("row_counts_are_usual", "erp_staging", row_counts_are_usual)


# --- references
# --------------------------------------------------------------------------------------------------


def references_resolve(connection: Connection, config: KimoConfig, load: int | None) -> CheckResult:
    """As step 2 last counted them, of the entities that are mapped."""
    limit = config.limits.max_dangling
    findings = []
    targets = []
    # Every key with a value needs its row (fact sheet, section 8), but ERPs keep old codes. So it
    # warns.
    for field in dangling_fields(connection):
        rows = field.rows
        if field.entity not in config.entities or rows is None or field.dangling <= limit * rows:
            continue
        values: dict[str, Any] = {
            "entity": field.entity,
            "field": field.field,
            "target": field.target,
            "dangling": field.dangling,
            "rows": rows,
        }
        message = say("quality.references.field", **values)
        samples = ", ".join(field.samples[:_NAMED])
        subject = f"{field.entity}.{field.field}"
        findings.append(_warning(subject, message, **values, samples=samples))
        targets.append(field.target)
    if not findings:
        return CheckResult(say("quality.references.resolve", limit=limit))
    sentence = say("quality.references.dangle", named=_messages(findings), target=targets[0])
    return CheckResult(sentence, findings)


REFERENCES_RESOLVE = Check("references_resolve", "kimo_tables", references_resolve)


# --- pictures and addresses
# --------------------------------------------------------------------------------------------------


def every_picture_is_there(
    connection: Connection, config: KimoConfig, load: int | None
) -> CheckResult:
    """Of the names in rows and of the URLs of items, as the side jobs last found them."""
    pairs = [(problem.what, problem.why) for problem in problems_of_rows(connection)]
    pairs += problems_of_urls(connection)
    if not pairs:
        return CheckResult(say("quality.pictures.all_there"))
    findings = [
        _warning(picture, f"{picture}: {reason}", what=picture, why=reason)
        for picture, reason in pairs
    ]
    sentence = say("quality.pictures.missing", count=len(findings), named=_messages(findings))
    return CheckResult(sentence, findings)


EVERY_PICTURE_IS_THERE = Check("every_picture_is_there", "public_images", every_picture_is_there)

# Ours and Google's. A coarse position is still a position, so it is no finding.
_NOT_FOUND = ("not askable", "INVALID_REQUEST", "ZERO_RESULTS")


def addresses_are_found(
    connection: Connection, config: KimoConfig, load: int | None
) -> CheckResult:
    """Those that were never asked about are no finding: they wait for the next geocoding."""
    totals_now = totals(connection)
    addresses = totals_now.addresses
    figures = {"addresses": addresses, "waiting": totals_now.waiting}
    findings = []
    for correction in corrections(connection):
        if correction.kind in _NOT_FOUND:
            message = f"{correction.what}: {correction.why}"
            details = {"whose": correction.what, "why": correction.why}
            accounts = correction.accounts
            findings.append(_warning(correction.what, message, **details, accounts=accounts))
    if not findings:
        sentence = say("quality.addresses.all_found", addresses=addresses)
        return CheckResult(sentence, figures=figures)
    sentence = say(
        "quality.addresses.not_found",
        count=len(findings),
        addresses=addresses,
        named=_messages(findings),
    )
    return CheckResult(sentence, findings, figures)


ADDRESSES_ARE_FOUND = Check("addresses_are_found", "geopositions", addresses_are_found)


# --- age
# --------------------------------------------------------------------------------------------------


def tablets_data_are_fresh(
    connection: Connection, config: KimoConfig, load: int | None = None
) -> CheckResult:
    """By the time at which step 1 last read each entity, whatever came of the steps after it."""
    hours = config.limits.fresh_hours
    entities = config.entities.keys()
    # A new installation has nothing that could be old, and is not called fresh either.
    imported = {result.entity for result in last_results(connection) if result.step == 1}
    findings = [
        _too_old(entity, staged_at)
        for entity, staged_at in snapshots_older_than(connection, hours)
        if entity in entities
    ]
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
