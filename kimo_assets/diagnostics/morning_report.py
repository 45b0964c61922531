"""What operators learn in the morning, read from the layers' tables. Sending it is pipeline/'s."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from kimo_assets.catalog import load_catalog
from kimo_assets.catalog.menu import MORNING_REPORT, title_of
from kimo_assets.config import KimoConfig
from kimo_assets.database import queries as loads
from kimo_assets.database.locks import is_held
from kimo_assets.database.overdue_records import days_until_overdue, overdue_records
from kimo_assets.database.rules import business_rules
from kimo_assets.diagnostics.run_summary import rejected_by_reason
from kimo_assets.diagnostics.secrets import Masking, masking
from kimo_assets.diagnostics.status import read_status
from kimo_assets.export.queries import rejected_by_erp
from kimo_assets.export.ready import waiting
from kimo_assets.export.status import status as export_status
from kimo_assets.geocoding.report import corrections
from kimo_assets.images.queries import names_without_picture
from kimo_assets.notifications import queries as notifications
from kimo_assets.notifications.morning import (
    FailingJob,
    LoadLine,
    MorningReport,
    Stuck,
    Tablets,
    WaitingRecords,
)
from kimo_assets.notifications.outbox import undelivered
from kimo_assets.notifications.settings import Language, NotificationSettings
from kimo_assets.sync.queries import agents_with_payload
from kimo_assets.texts import say

# Fact sheet, section 11. The vendor gives no default.
MAX_HOURS_RULE = "Sync\\MaxHoursWithoutSync"

# The list that people work through is in a command of its own. Here it is a reminder.
_NAMED = 10


def read_morning(
    connection: Connection[Any],
    config: KimoConfig,
    settings: NotificationSettings,
    now: datetime | None = None,
) -> MorningReport:
    """What happened since the last morning report that was sent. Without one: in the last day."""
    at = now or datetime.now(UTC)
    # Not "yesterday": after a weekend without reports Monday's covers all of it.
    since = last_report(connection) or at - timedelta(days=1)
    # Sentences of databases quote the address with its password, and a mail leaves the house.
    masked = masking(config, settings)
    entities = read_status(connection, config).entities
    addresses = corrections(connection)
    picture_count, pictures = names_without_picture(connection, most=_NAMED)
    return MorningReport(
        at=at,
        since=since,
        fresh_hours=config.limits.fresh_hours,
        last_load=_last_load(connection),
        fresh={entity.entity: entity.fresh_until for entity in entities if entity.is_mapped},
        failed=list(_failed(connection, since, masked)),
        failing=_failing(connection),
        refused=rejected_by_reason(connection, settings.language, since=since),
        waiting=_waiting(connection, config),
        stuck=list(_stuck(connection, config, settings.language)),
        tablets=_tablets(connection, config, at),
        picture_count=picture_count,
        pictures=pictures,
        address_count=len(addresses),
        addresses=[(address.what, address.why) for address in addresses[:_NAMED]],
        undelivered=[
            (subject, masked(reason)) for subject, reason in undelivered(connection, since)
        ],
    )


def last_report(connection: Connection[Any]) -> datetime | None:
    """When the last morning report was written; None before the first."""
    return notifications.last_mail_of(connection, MORNING_REPORT.job)


def _last_load(connection: Connection[Any]) -> LoadLine | None:
    load = loads.last_load(connection)
    if load is None:
        return None
    # A killed run leaves its load open for ever. Only the lock tells it from one that works.
    is_running = load.finished_at is None and is_held(connection)
    return LoadLine(load.load, load.title, load.started_at, load.success, is_running=is_running)


def _failed(connection: Connection[Any], since: datetime, masked: Masking) -> Iterator[LoadLine]:
    """The newest first. The load of a run that is going on has not failed."""
    # Asked before the loads are read, so that a run that ends meanwhile is not called killed.
    is_running = is_held(connection)
    for unsuccessful in loads.unsuccessful_loads(connection, since):
        load = unsuccessful.record
        if load.success is None and is_running:
            continue
        failures = {entity: masked(error) for entity, error in unsuccessful.failures.items()}
        yield LoadLine(load.load, load.title, load.started_at, load.success, failures=failures)


def _failing(connection: Connection[Any]) -> list[FailingJob]:
    return [
        FailingJob(_in_menu(kind), since, failures)
        for kind, since, failures in notifications.failing_jobs(connection)
    ]


def _in_menu(kind: str) -> str:
    """A job by its entry in the menu, with the schedule or sensor that starts it, if any."""
    job, _, trigger = kind.partition(", ")
    title = title_of(job)
    if trigger:
        return f"{title}, {trigger}"
    return title


def _waiting(connection: Connection[Any], config: KimoConfig) -> list[WaitingRecords]:
    """The figures of `kimo export status`."""
    return [
        WaitingRecords(
            entity.entity,
            entity.ready,
            entity.held,
            entity.waiting,
            entity.in_flight,
            entity.unacknowledged,
        )
        for entity in waiting(connection, config, load_catalog()).values()
    ]


def _stuck(connection: Connection[Any], config: KimoConfig, language: Language) -> Iterator[Stuck]:
    """Batches in doubt, then rejected records, then those that are overdue."""
    catalog = load_catalog()
    # First those that only a person can settle, with a look into the ERP's tables.
    for batch in export_status(connection, config, catalog).in_doubt:
        name = say("diagnostics.batch", language=language, batch=batch.batch)
        reason = say("diagnostics.batch_in_doubt", language=language)
        yield Stuck(batch.entity, name, batch.began_at, reason)
    for record in rejected_by_erp(connection):
        reason = record.problem or say("diagnostics.rejected_by_the_erp", language=language)
        yield Stuck(record.entity, record.id, record.answered_at, reason)
    days = days_until_overdue(business_rules(connection))
    for overdue in overdue_records(connection, catalog, days):
        yield Stuck(overdue.entity, overdue.id, overdue.since, overdue.reason)


def _tablets(connection: Connection[Any], config: KimoConfig, now: datetime) -> Tablets:
    tablets = notifications.tablets(connection)
    hours = _hours_without_sync(connection, config)
    agents = {tablet.agent for tablet in tablets}
    return Tablets(
        hours,
        # Kimo's server writes these rows. Without any, late and never are not to be told apart.
        is_known=bool(tablets),
        late=[tablet for tablet in tablets if now - tablet.last_sync_at > timedelta(hours=hours)],
        # An agent without a payload has nothing to sync.
        agents_unknown=[agent for agent in agents_with_payload(connection) if agent not in agents],
    )


def _hours_without_sync(connection: Connection[Any], config: KimoConfig) -> float:
    """By the vendor's rule where it is set to a number, else by `limits` of kimo.yaml."""
    rule = business_rules(connection).get(MAX_HOURS_RULE.casefold(), "").strip()
    # The value is a text that a person has typed into the console.
    if rule.isdecimal() and int(rule) > 0:
        return float(rule)
    return config.limits.max_hours_without_sync
