"""What operators are told, read from the layers' tables: of a run that has ended, and of the night.

How it is said is kimo_assets/notifications', when a run is told of is defs/notify.py's. Only the
morning report is sent from here, by the job and by the `kimo report` command.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from psycopg import Connection
from sqlalchemy.engine import URL, make_url

from kimo_assets.catalog import load_catalog, menu
from kimo_assets.catalog.lifecycle import RecordOutcome
from kimo_assets.catalog.menu import command_of, title_of
from kimo_assets.config import KimoConfig
from kimo_assets.database.locks import is_held
from kimo_assets.database.overdue_records import days_until_overdue, overdue_records
from kimo_assets.database.rules import business_rules
from kimo_assets.diagnostics.status import agents_with_payload, read_status
from kimo_assets.export.ready import waiting
from kimo_assets.export.status import status as export_status
from kimo_assets.geocoding.report import corrections
from kimo_assets.notifications.morning import (
    FailingJob,
    LoadLine,
    MorningReport,
    Stuck,
    Tablet,
    Tablets,
    WaitingRecords,
    morning_letter,
)
from kimo_assets.notifications.outbox import Sent, post, send_due, undelivered
from kimo_assets.notifications.runs import RefusedRows, RunNews, StepLine
from kimo_assets.notifications.settings import Language, NotificationSettings, notification_settings
from kimo_assets.sources.connection import without_secrets
from kimo_assets.staging.rejected import count_rejected

MAX_HOURS_RULE = "Sync\\MaxHoursWithoutSync"

_NAMED = 10

Masking = Callable[[str], str]


# --- secrets
# --------------------------------------------------------------------------------------------------


def masked(text: str, config: KimoConfig, settings: NotificationSettings) -> str:
    """Without any password or key that this company's configuration knows of."""
    urls = [source.sqlalchemy_url for source in config.sources.values()]
    keys = [
        os.environ.get(name) for name in (config.geocoding.key_variable, config.api.token_variable)
    ]
    known = [settings.smtp.password if settings.smtp else None, *keys]
    for secret in filter(None, known):
        text = text.replace(secret, "***")
    return without_secrets(text, [*urls, *_own_urls(config)])


def _own_urls(config: KimoConfig) -> Iterator[URL]:
    for url in (config.database.url, config.database.dagster_url):
        if url and url != "embedded":
            yield make_url(url)


# --- a run
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EndedRun:
    """What Dagster knows of a run. title: the menu's entry. errors: what it says of its failure, a
    sentence each.

    figures, problems, notes: what a side job recorded with its asset.
    """

    run_id: str
    job: str
    title: str
    success: bool
    started_at: datetime
    ended_at: datetime
    started_by: str | None = None
    errors: Sequence[str] = ()
    figures: Mapping[str, int] = field(default_factory=dict)
    problems: Sequence[tuple[str, str]] = ()
    problem_count: int = 0
    notes: Sequence[str] = ()


def read_run(
    connection: Connection, config: KimoConfig, settings: NotificationSettings, run: EndedRun
) -> RunNews:
    """A run with what the ledger keeps of it."""

    def told(text: str) -> str:
        return masked(text, config, settings)

    load = _load_of(connection, run.run_id)
    steps = _steps(connection, load, told) if load is not None else {}
    of_steps = any(line.status == "failed" for lines in steps.values() for line in lines)
    is_export = run.job == menu.EXPORT.job
    return RunNews(
        run_id=run.run_id,
        title=run.title,
        success=run.success,
        started_at=run.started_at,
        ended_at=run.ended_at,
        command=command_of(run.job),
        load=load,
        started_by=run.started_by,
        steps=steps,
        refused=_refused(connection, settings.language, load=load, entities=_looked_at(steps)),
        # What a step's entities failed of is told with them; Dagster's own sentence repeats it.
        failures=[] if of_steps else [("", told(error)) for error in run.errors],
        exported=_exported(connection, run.run_id) if is_export else None,
        held_back=_held_back(connection, load) if is_export and load is not None else (),
        figures=run.figures,
        problems=[(what, told(why)) for what, why in run.problems],
        problem_count=run.problem_count,
        notes=[told(note) for note in run.notes],
    )


def is_known_run(connection: Connection, run_id: str) -> bool:
    return _load_of(connection, run_id) is not None


def _load_of(connection: Connection, run_id: str) -> int | None:
    row = connection.execute(
        "SELECT max(load) FROM ops.load WHERE run_id = %s", [run_id]
    ).fetchone()
    return row[0] if row else None


def _steps(connection: Connection, load: int, told: Masking) -> dict[int, list[StepLine]]:
    steps: dict[int, list[StepLine]] = {}
    rows = connection.execute(
        "SELECT step, entity, status, seconds, counts, error FROM ops.step_result WHERE load = %s"
        " ORDER BY step, at, entity",
        [load],
    )
    for step, entity, status, seconds, counts, error in rows:
        steps.setdefault(step, []).append(
            StepLine(entity, status, seconds, counts, told(error) if error else None)
        )
    return steps


def _looked_at(steps: Mapping[int, Sequence[StepLine]]) -> set[str]:
    return {line.entity for step in (1, 2) for line in steps.get(step, ())}


def _refused(
    connection: Connection,
    language: Language,
    *,
    load: int | None = None,
    entities: set[str] | None = None,
    since: datetime | None = None,
) -> list[RefusedRows]:
    """Refused rows by entity and reason. New are those of the load, or since then."""
    if entities is not None and not entities:
        return []
    fresh: dict[tuple[str, int, str, str | None], int] = {
        (entity, step, rule, name): new
        for entity, step, rule, name, new in connection.execute(
            "SELECT entity, step, rule, field, count(*) FROM ops.rejected_row "
            "WHERE since_load = %(load)s OR since > %(since)s GROUP BY 1, 2, 3, 4",
            {"load": load, "since": since},
        )
    }
    return [
        RefusedRows(
            one.entity,
            one.field or "",
            one.reason.it if language == "it" else one.reason.en,
            one.rows,
            fresh.get((one.entity, one.step, one.rule, one.field), 0),
        )
        for one in count_rejected(connection)
        if entities is None or one.entity in entities
    ]


def _exported(connection: Connection, run_id: str) -> dict[str, tuple[int, int]]:
    """entity -> records and, with their parts, rows that this run brought to the ERP."""
    rows = connection.execute(
        "SELECT b.entity, count(*), sum(1 + r.parts)::bigint FROM ops.export_batch AS b JOIN"
        " ops.export_record AS r USING (batch) WHERE b.run_id = %s AND r.sent_at IS NOT NULL GROUP"
        " BY 1 ORDER BY 1",
        [run_id],
    )
    return {entity: (records, count) for entity, records, count in rows}


def _held_back(connection: Connection, load: int) -> list[tuple[str, str, str]]:
    return connection.execute(
        "SELECT entity, id, why FROM ops.export_held WHERE load = %s AND NOT is_waiting ORDER BY"
        " since DESC, entity, id",
        [load],
    ).fetchall()


# --- the night
# --------------------------------------------------------------------------------------------------


def read_morning(
    connection: Connection,
    config: KimoConfig,
    settings: NotificationSettings,
    now: datetime | None = None,
) -> MorningReport:
    """What there is to say since the last morning report that was sent; without one, of the last
    day.
    """
    at = now or datetime.now(UTC)
    since = last_report(connection) or at - timedelta(days=1)
    found = read_status(connection, config)
    addresses = corrections(connection)
    picture_count, pictures = _pictures(connection)

    def told(text: str) -> str:
        return masked(text, config, settings)

    return MorningReport(
        at=at,
        since=since,
        fresh_hours=config.limits.fresh_hours,
        last_load=_last_load(connection),
        fresh={entity.entity: entity.fresh_until for entity in found.entities if entity.is_mapped},
        failed=list(_failed(connection, since, told)),
        failing=_failing(connection),
        refused=_refused(connection, settings.language, since=since),
        waiting=_waiting(connection, config),
        stuck=list(_stuck(connection, config)),
        tablets=_tablets(connection, config, at),
        picture_count=picture_count,
        pictures=pictures,
        address_count=len(addresses),
        addresses=[(one.what, one.why) for one in addresses[:_NAMED]],
        undelivered=[(subject, told(why)) for subject, why in undelivered(connection, since)],
    )


def last_report(connection: Connection) -> datetime | None:
    row = connection.execute(
        "SELECT max(made_at) FROM ops.mail WHERE run_id LIKE %s", [f"{menu.MORNING_REPORT.job}:%"]
    ).fetchone()
    return row[0] if row else None


def _last_load(connection: Connection) -> LoadLine | None:
    row = connection.execute(
        "SELECT load, title, started_at, success, finished_at IS NULL FROM ops.load ORDER BY load"
        " DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    load, title, at, success, is_open = row
    return LoadLine(load, title, at, success, is_running=is_open and is_held(connection))


def _failed(connection: Connection, since: datetime, told: Masking) -> Iterator[LoadLine]:
    """The newest first; a load that is going on has not failed."""
    going_on = is_held(connection)
    rows = connection.execute(
        "SELECT load, title, started_at, success, (SELECT jsonb_object_agg(entity, coalesce(error,"
        " 'failed')) FROM ops.step_result AS r WHERE r.load = l.load AND r.status = 'failed') FROM"
        " ops.load AS l WHERE coalesce(finished_at, started_at) > %s AND success IS NOT TRUE ORDER"
        " BY load DESC",
        [since],
    ).fetchall()
    for load, title, at, success, failures in rows:
        if success is not None or not going_on:
            why = {entity: told(error) for entity, error in (failures or {}).items()}
            yield LoadLine(load, title, at, success, failures=why)


def _failing(connection: Connection) -> list[FailingJob]:
    rows = connection.execute(
        "SELECT job, since, failures FROM ops.notification WHERE state = 'failing' ORDER BY since"
    ).fetchall()
    return [FailingJob(_in_menu(job), since, failures) for job, since, failures in rows]


def _in_menu(kind: str) -> str:
    """What fails, by the menu's entry, and by which schedule or sensor."""
    job, door = kind.partition(", ")[::2]
    return ", ".join(filter(None, (title_of(job), door)))


def _waiting(connection: Connection, config: KimoConfig) -> list[WaitingRecords]:
    return [
        WaitingRecords(
            one.entity, one.ready, one.held, one.waiting, one.in_flight, one.unacknowledged
        )
        for one in waiting(connection, config, load_catalog()).values()
    ]


def _stuck(connection: Connection, config: KimoConfig) -> Iterator[Stuck]:
    catalog = load_catalog()
    for batch in export_status(connection, config, catalog).unsettled:
        yield Stuck(
            batch.entity,
            f"batch {batch.batch}",
            batch.began_at,
            "nobody knows whether it has arrived",
        )
    refused = connection.execute(
        "SELECT entity, id, answered_at, problem FROM (SELECT DISTINCT ON (entity, id) * FROM"
        " ops.export_record ORDER BY entity, id, batch DESC) AS last WHERE outcome = %s"
        " ORDER BY answered_at DESC",
        [RecordOutcome.REFUSED],
    )
    for entity, key, at, why in refused:
        yield Stuck(entity, key, at, why or "the ERP has refused it")
    for record in overdue_records(
        connection, catalog, days_until_overdue(business_rules(connection))
    ):
        yield Stuck(record.entity, record.id, record.since, record.reason)


def _tablets(connection: Connection, config: KimoConfig, now: datetime) -> Tablets:
    """By the vendor's rule, where it is set to a number; by `limits: max_hours_without_sync:` where
    it is not.
    """
    said = business_rules(connection).get(MAX_HOURS_RULE.casefold(), "").strip()
    hours = float(said) if said.isdecimal() and int(said) else config.limits.max_hours_without_sync
    tablets = [
        Tablet(*row)
        for row in connection.execute(
            "SELECT user_name, agent, device, last_sync_at FROM ops.tablet_sync ORDER BY"
            " last_sync_at, user_name, device"
        )
    ]
    known = {tablet.agent for tablet in tablets}
    return Tablets(
        hours,
        is_known=bool(tablets),
        late=[tablet for tablet in tablets if now - tablet.last_sync_at > timedelta(hours=hours)],
        agents_unknown=[agent for agent in agents_with_payload(connection) if agent not in known],
    )


def _pictures(connection: Connection) -> tuple[int, list[tuple[str, str]]]:
    """How many names of pictures come to nothing, and the first of them with why."""
    rows = connection.execute(
        "SELECT n.entity || ' ' || n.written, coalesce(p.problem, n.problem, p.status), count(*)"
        " OVER () FROM ops.picture_name AS n LEFT JOIN ops.picture AS p USING (source) WHERE"
        " n.source IS NULL OR p.status IN ('failed', 'missing') ORDER BY 1 LIMIT %s",
        [_NAMED],
    ).fetchall()
    return (rows[0][2] if rows else 0), [(what, why or "") for what, why, _ in rows]


# --- sending it
# --------------------------------------------------------------------------------------------------


def send_morning_report(connection: Connection, config: KimoConfig, key: str) -> Sent:
    """Writes the report's mail and tries to send it; what waited before goes with it. key: under
    which it is sent once.
    """
    settings = notification_settings(connection, config)
    if not settings.is_wanted or not settings.everybody:
        return Sent(
            problems=settings.problems
            or ("nobody is named in `notifications:` of kimo.yaml to get it",)
        )
    letter = morning_letter(read_morning(connection, config, settings), settings)
    post(connection, letter, settings.everybody, settings, f"{menu.MORNING_REPORT.job}:{key}")
    sent = send_due(connection, settings)
    return replace(sent, problems=tuple(dict.fromkeys((*sent.problems, *settings.problems))))
