"""The check of the outbox: nothing between Kimo and the ERP needs a person's attention."""

from collections.abc import Iterator
from operator import attrgetter

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, load_catalog
from kimo_assets.catalog.lifecycle import EntityStatus
from kimo_assets.config import KimoConfig
from kimo_assets.database.names import KIMO, table
from kimo_assets.database.overdue_records import days_until_overdue, overdue_records
from kimo_assets.database.rules import business_rules
from kimo_assets.export.queries import rejected_by_erp
from kimo_assets.export.status import status
from kimo_assets.quality.finding import Check, CheckResult
from kimo_assets.reports import Finding
from kimo_assets.texts import say


def nothing_is_stuck(connection: Connection, config: KimoConfig, load: int | None) -> CheckResult:
    """All that waits for a person: what the ERP or the next export settles is not among it."""
    catalog = load_catalog()
    findings = [
        # First, because only a person can settle it, and its records go nowhere until then.
        *_batches_in_doubt(connection, config, catalog),
        *_rejected_by_the_erp(connection),
        *_edited_after_sending(connection, config, catalog),
        *_overdue(connection, catalog),
    ]
    if not findings:
        return CheckResult(say("quality.export.all_moves"))
    sentence = say("quality.export.stuck", **findings[0].details)
    more = len(findings) - 1
    if more:
        sentence += f" {say('quality.more', count=more)}"
    return CheckResult(sentence, findings)


NOTHING_IS_STUCK = Check(
    "nothing_is_stuck", "erp_outbox", nothing_is_stuck, count_key="stuck", shown=20
)


def _finding(kind: str, record: str, reason: str) -> Finding:
    details = {"what": kind, "which": record, "why": reason}
    return Finding("warning", f"{kind} {record}", reason, details)


def _batches_in_doubt(
    connection: Connection, config: KimoConfig, catalog: Catalog
) -> Iterator[Finding]:
    for batch in status(connection, config, catalog).in_doubt:
        kind = say("quality.export.batch", batch=batch.batch)
        yield _finding(kind, batch.entity, say("quality.export.batch_in_doubt"))


def _rejected_by_the_erp(connection: Connection) -> Iterator[Finding]:
    """Records whose newest export the ERP has answered with a no."""
    for record in sorted(rejected_by_erp(connection), key=attrgetter("entity", "reference")):
        reason = record.problem or say("quality.export.rejected_by_the_erp")
        yield _finding(record.entity, record.reference, reason)


def _edited_after_sending(
    connection: Connection, config: KimoConfig, catalog: Catalog
) -> Iterator[Finding]:
    """Records that only the ERP's answer could release, where its answers are not imported."""
    for head in catalog.sent_to_erp:
        # EntityStatus 10 waits for the ERP's answer (fact sheet, section 9). An import of answers
        # brings it.
        if catalog.answers.get(head) in config.entities:
            continue
        rows = connection.execute(
            sql.SQL(
                'SELECT "Id" FROM {} WHERE "EntityStatus" = {}'
                " AND _archived_load IS NULL ORDER BY 1"
            ).format(table(KIMO, head), sql.Literal(EntityStatus.EDITING_PENDING))
        )
        for (key,) in rows:
            yield _finding(head, key, say("quality.export.edited_after_sending"))


def _overdue(connection: Connection, catalog: Catalog) -> Iterator[Finding]:
    days = days_until_overdue(business_rules(connection))
    for record in overdue_records(connection, catalog, days):
        yield _finding(record.entity, record.id, record.reason)
