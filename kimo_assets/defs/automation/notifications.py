"""The sensor that mails operators about runs that have ended.

Nothing of it is in the runs: a mail server that is down neither fails nor delays one. The sensor
reads the same record of runs' ends as Dagster's run status sensors; those are only called when a
run has ended, and a mail that waits for its server is to go out without.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
import psycopg
from psycopg import Connection

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import title_of
from kimo_assets.config import KimoConfig
from kimo_assets.database.ledger import report_of_run
from kimo_assets.database.server import Database, open_database
from kimo_assets.defs.naming import code_location
from kimo_assets.diagnostics.run_summary import EndedRun, is_known_run, read_run
from kimo_assets.notifications.outbox import Sent, post, send_due
from kimo_assets.notifications.runs import Failing, Told, run_letter
from kimo_assets.notifications.settings import NotificationSettings, notification_settings
from kimo_assets.notifications.throttling import decide, keep_state, read_state
from kimo_assets.reports import TaskReport

SENSOR = "tell_operators"

# Ends of runs that one tick looks at; the next goes on from there.
_AT_ONCE = 50
# Problems of a side job that a mail names.
_PROBLEMS_SHOWN = 50
_ENDS: Final = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE)
_REPOSITORY, _SCHEDULE, _SENSOR = (
    ".dagster/repository",
    "dagster/schedule_name",
    "dagster/sensor_name",
)


def build_notify_sensor(
    config: KimoConfig, database: Database | None = None
) -> dg.SensorDefinition:
    @dg.sensor(
        name=SENSOR,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Tells operators by mail how runs have ended: the first failure, then the recovery, and"
            " the success of what kimo.yaml names. Sends what waits for the mail server, with"
            " pauses. docs/notifications.md."
        ),
    )
    def tell_operators(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        opened = database or open_database(config)
        with opened.connect() as connection:
            settings = notification_settings(connection, config)
            told, after = _tell(context, connection, config, settings)
            sent = send_due(connection, settings) if settings.is_wanted else Sent()
        for problem in sent.problems:
            context.log.warning(problem)
        context.update_cursor(after)
        return dg.SkipReason(_in_words(told, sent, settings))

    return tell_operators


def _in_words(told: int, sent: Sent, settings: NotificationSettings) -> str:
    if not settings.is_wanted:
        return ". ".join(settings.problems)
    return ". ".join([f"{told} to tell of", sent.in_words(), *settings.problems])


# --- runs that have ended
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _End:
    """storage_id: the event's place in Dagster's log."""

    storage_id: int
    run_id: str
    success: bool
    at: datetime


def _tell(
    context: dg.SensorEvaluationContext,
    connection: Connection,
    config: KimoConfig,
    settings: NotificationSettings,
) -> tuple[int, str]:
    """How many mails were written for runs that have ended since the cursor, and the new cursor."""
    if context.cursor is None:
        # Started now: what ended before is no news.
        return 0, str(_newest(context.instance))
    last, written = int(context.cursor), 0
    for end in _ended_since(context.instance, last):
        try:
            written += _tell_of(context, connection, config, settings, end)
        except psycopg.Error:
            raise  # the database is away: the next tick begins with this run
        except Exception as error:
            # One run that cannot be told of must not silence all that come after it.
            context.log.error(f"run {end.run_id} could not be told of: {error!r}")
        last = end.storage_id
    return written, str(last)


def _newest(instance: dg.DagsterInstance) -> int:
    records = [
        record
        for kind in _ENDS
        for record in instance.fetch_run_status_changes(kind, limit=1).records
    ]
    return max((record.storage_id for record in records), default=0)


def _ended_since(instance: dg.DagsterInstance, after: int) -> list[_End]:
    """In their order. Beyond the last of a kind that has more, nothing is known of that
    kind yet.
    """
    found: list[_End] = []
    whole: list[int] = []
    for kind in _ENDS:
        chosen = dg.RunStatusChangeRecordsFilter(kind, after_storage_id=after)
        records = instance.fetch_run_status_changes(chosen, limit=_AT_ONCE, ascending=True).records
        whole += [records[-1].storage_id] if len(records) == _AT_ONCE else []
        found += [
            _End(
                r.storage_id,
                r.run_id,
                kind is dg.DagsterEventType.RUN_SUCCESS,
                datetime.fromtimestamp(r.timestamp, UTC),
            )
            for r in records
        ]
    limit = min(whole, default=None)
    return sorted(
        (e for e in found if limit is None or e.storage_id <= limit), key=lambda end: end.storage_id
    )


def _tell_of(
    context: dg.SensorEvaluationContext,
    connection: Connection,
    config: KimoConfig,
    settings: NotificationSettings,
    end: _End,
) -> bool:
    """Keeps how this kind of run stands; writes a mail when that is news."""
    record = context.instance.get_run_record_by_id(end.run_id)
    if record is None or not _is_ours(context, config, connection, record.dagster_run):
        return False
    run = _ended(context.instance, connection, record, end)
    news = read_run(connection, config, settings, run)
    kind, by_hand = _kind(record.dagster_run)
    tells = (
        run.job in settings.success_of
        and news.did_something
        and (by_hand or run.job != menu.IMPORT_ENTITIES.job)
    )
    with connection.transaction():
        before = read_state(connection, kind)
        again = timedelta(hours=settings.still_failing_hours)
        after, told = decide(
            before, success=end.success, tells_success=tells, now=end.at, again_after=again
        )
        keep_state(connection, kind, after)
        if told is None or not settings.is_wanted:
            return False
        was_failing = before is not None and before.state == "failing"
        failing = (
            Failing(before.since, after.failures or before.failures)
            if before and was_failing
            else None
        )
        letter = run_letter(news, told, settings, failing)
        return post(connection, letter, _recipients(settings, told, tells), settings, end.run_id)


def _recipients(settings: NotificationSettings, told: Told, tells: bool) -> tuple[str, ...]:
    """Who was told of a failure is told of its end."""
    match told:
        case "succeeded":
            return settings.info
        case "recovered" if tells:
            return settings.everybody
        case _:
            return settings.errors


def _is_ours(
    context: dg.SensorEvaluationContext,
    config: KimoConfig,
    connection: Connection,
    run: dg.DagsterRun,
) -> bool:
    """Several companies may share a Dagster instance. A run without our label is ours when our
    ledger knows it.
    """
    origin = context.code_location_origin
    own = (
        f"__repository__@{origin.location_name}"
        if origin
        else f"__repository__@{code_location(config)}"
    )
    label = run.tags.get(_REPOSITORY)
    return label is None or label == own or is_known_run(connection, run.run_id)


def _kind(run: dg.DagsterRun) -> tuple[str, bool]:
    """What counts as the same: a job, by one schedule or sensor. And whether a person has started
    it.
    """
    door = run.tags.get(_SCHEDULE) or run.tags.get(_SENSOR)
    return f"{run.job_name}, {door}" if door else run.job_name, door is None


def _ended(
    instance: dg.DagsterInstance, connection: Connection, record: dg.RunRecord, end: _End
) -> EndedRun:
    run = record.dagster_run
    report = report_of_run(connection, run.run_id)
    task = report if isinstance(report, TaskReport) else TaskReport("", 0, {})
    started = (
        datetime.fromtimestamp(record.start_time, UTC)
        if record.start_time
        else record.create_timestamp
    )
    return EndedRun(
        run_id=run.run_id,
        job=run.job_name,
        title=title_of(run.job_name),
        success=end.success,
        started_at=started,
        ended_at=end.at,
        started_by=run.tags.get(_SCHEDULE) or run.tags.get(_SENSOR),
        errors=() if end.success else tuple(_errors(instance, run.run_id)),
        figures=task.counts,
        problems=[(problem.what, problem.why) for problem in task.problems[:_PROBLEMS_SHOWN]],
        problem_count=len(task.problems),
        notes=task.notes,
    )


def _errors(instance: dg.DagsterInstance, run_id: str) -> Iterator[str]:
    """Why the steps of a run have failed; of a run that has failed without a step, why the
    run has.
    """
    steps = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    for entry in steps:
        if event := entry.dagster_event:
            data = event.step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                yield _one_line(data.user_failure_data.description)
            elif data.error:
                yield _one_line((data.error.cause or data.error).message)
    if not steps:
        for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE):
            if event := entry.dagster_event:
                # A run that was marked as failed from outside has a sentence, and no error.
                error = getattr(event.event_specific_data, "error", None)
                yield _one_line(error.message if error else event.message or "")


def _one_line(text: str) -> str:
    return " ".join(text.split())
