"""The sensor that mails operators about runs that have ended.

No part of it is in the runs: a mail server that is down neither fails nor delays one. Dagster's run
status sensors read the same record of runs' ends, but they are called only when a run has ended. A
mail that waits for its server has to go out at other times too.
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
from kimo_assets.defs.naming import LOCATION_TAG, code_location
from kimo_assets.diagnostics.run_summary import EndedRun, is_known_run, read_run
from kimo_assets.notifications.outbox import Sent, post, send_due
from kimo_assets.notifications.runs import Failing, Notice, RunOutcome, run_letter
from kimo_assets.notifications.settings import NotificationSettings, notification_settings
from kimo_assets.notifications.throttling import JobState, decide, keep_state, read_state
from kimo_assets.reports import TaskReport
from kimo_assets.texts import say

SENSOR = "tell_operators"

# Ends of runs that one tick looks at. The next tick goes on from there.
_AT_ONCE = 50
# A mail has to stay readable. The run's page has more.
_PROBLEMS_SHOWN = 50
_ENDS: Final = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE)
_SCHEDULE_TAG, _SENSOR_TAG = "dagster/schedule_name", "dagster/sensor_name"


def build_notify_sensor(
    config: KimoConfig, database: Database | None = None
) -> dg.SensorDefinition:
    """Its cursor is the position in Dagster's log up to which runs' ends were looked at."""

    @dg.sensor(
        name=SENSOR,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=say("defs.sensor.tell_operators"),
    )
    def tell_operators(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        opened = database or open_database(config)
        with opened.connect() as connection:
            settings = notification_settings(connection, config)
            count, cursor = _Mailing(context, connection, config, settings).mail_ended_runs()
            sent = send_due(connection, settings) if settings.is_wanted else Sent()
        for problem in sent.problems:
            context.log.warning(problem)
        # Last, so that a tick that breaks before is followed by one that looks at the same runs.
        context.update_cursor(cursor)
        return dg.SkipReason(_in_words(count, sent, settings))

    return tell_operators


def _in_words(count: int, sent: Sent, settings: NotificationSettings) -> str:
    if not settings.is_wanted:
        return "; ".join(settings.problems)
    written = say("defs.mails_written", count=count)
    return "; ".join([written, sent.in_words(), *settings.problems])


# --- runs that have ended
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _End:
    """storage_id: the event's position in Dagster's log."""

    storage_id: int
    run_id: str
    success: bool
    at: datetime


@dataclass(frozen=True)
class _Mailing:
    """One tick of the sensor, over a connection to Kimo's database."""

    context: dg.SensorEvaluationContext
    connection: Connection
    config: KimoConfig
    settings: NotificationSettings

    def mail_ended_runs(self) -> tuple[int, str]:
        """How many mails were written for runs that have ended since the cursor, and the new
        cursor.
        """
        instance = self.context.instance
        if self.context.cursor is None:
            # The sensor starts now. Runs that ended before get no mail.
            return 0, str(_newest(instance))
        last, written = int(self.context.cursor), 0
        for end in _ended_since(instance, last):
            try:
                written += self._mail(end)
            except psycopg.Error:
                raise  # The database is away: the next tick begins with this run.
            except Exception as error:
                # One run that breaks its mail must not silence all runs after it.
                message = say("defs.mail_impossible", run_id=end.run_id, error=repr(error))
                self.context.log.error(message)
            last = end.storage_id
        return written, str(last)

    def _mail(self, end: _End) -> bool:
        """Keeps the state of the run's job, and writes a mail when that state is news."""
        record = self.context.instance.get_run_record_by_id(end.run_id)
        if record is None or not self._is_ours(record.dagster_run):
            return False
        run = _ended(self.context.instance, self.connection, record, end)
        outcome = read_run(self.connection, self.config, self.settings, run)
        mails_success = self._mails_success(run, outcome)
        # The job's state and its mail together. A crash between them would lose the mail.
        with self.connection.transaction():
            # The state is kept even if nobody wants mails, so that the first mail is about real
            # news.
            before, after, notice = self._next_state(end, record.dagster_run, mails_success)
            if notice is None or not self.settings.is_wanted:
                return False
            letter = run_letter(outcome, notice, self.settings, _failing(before, after))
            recipients = _recipients(self.settings, notice, mails_success)
            return post(self.connection, letter, recipients, self.settings, end.run_id)

    def _mails_success(self, run: EndedRun, outcome: RunOutcome) -> bool:
        """Whether a success of this run gets a mail.

        Imports of named entities run every few minutes by schedules. Only a person gets a mail for
        his own.
        """
        is_routine = run.job == menu.IMPORT_ENTITIES.job and run.started_by is not None
        is_chosen = run.job in self.settings.success_of
        return is_chosen and outcome.did_something and not is_routine

    def _next_state(
        self, end: _End, run: dg.DagsterRun, mails_success: bool
    ) -> tuple[JobState | None, JobState, Notice | None]:
        """The job's state before and after the run, and what its mail reports."""
        job = _job_and_trigger(run)
        before = read_state(self.connection, job)
        after, notice = decide(
            before,
            success=end.success,
            mails_success=mails_success,
            now=end.at,
            again_after=timedelta(hours=self.settings.still_failing_hours),
        )
        keep_state(self.connection, job, after)
        return before, after, notice

    def _is_ours(self, run: dg.DagsterRun) -> bool:
        """Several companies may share a Dagster instance.

        A run without the label of a code location is ours. So is one with another label, when our
        ledger knows it.
        """
        origin = self.context.code_location_origin
        location = origin.location_name if origin else code_location(self.config)
        label = run.tags.get(LOCATION_TAG)
        is_ours_by_label = label is None or label == f"__repository__@{location}"
        return is_ours_by_label or is_known_run(self.connection, run.run_id)


def _newest(instance: dg.DagsterInstance) -> int:
    records = [
        record
        for kind in _ENDS
        for record in instance.fetch_run_status_changes(kind, limit=1).records
    ]
    return max((record.storage_id for record in records), default=0)


def _ended_since(instance: dg.DagsterInstance, after: int) -> list[_End]:
    """In the order of their ends.

    Successes and failures are read apart. Where one of them fills a whole page, the rest of its
    kind is unknown, so ends of the other kind beyond that page have to wait.
    """
    ends: list[_End] = []
    limits: list[int] = []
    for kind in _ENDS:
        newer = dg.RunStatusChangeRecordsFilter(kind, after_storage_id=after)
        records = instance.fetch_run_status_changes(newer, limit=_AT_ONCE, ascending=True).records
        if len(records) == _AT_ONCE:
            limits.append(records[-1].storage_id)
        success = kind is dg.DagsterEventType.RUN_SUCCESS
        for record in records:
            at = datetime.fromtimestamp(record.timestamp, UTC)
            ends.append(_End(record.storage_id, record.run_id, success, at))
    limit = min(limits, default=None)
    complete = [end for end in ends if limit is None or end.storage_id <= limit]
    return sorted(complete, key=lambda end: end.storage_id)


def _failing(before: JobState | None, after: JobState) -> Failing | None:
    """The failures that went before this run, and with it where it failed too."""
    if before is None or before.state != "failing":
        return None
    return Failing(before.since, after.failures or before.failures)


def _recipients(
    settings: NotificationSettings, notice: Notice, mails_success: bool
) -> tuple[str, ...]:
    """Those who got a mail about a failure get one about its end."""
    match notice:
        case "succeeded":
            return settings.info
        case "recovered" if mails_success:
            return settings.everybody
        case _:
            return settings.errors


def _trigger(run: dg.DagsterRun) -> str | None:
    """The schedule or sensor that has started the run. None: a person has."""
    return run.tags.get(_SCHEDULE_TAG) or run.tags.get(_SENSOR_TAG)


def _job_and_trigger(run: dg.DagsterRun) -> str:
    """Runs of a job by one schedule or sensor count as one series of successes and failures."""
    trigger = _trigger(run)
    return f"{run.job_name}, {trigger}" if trigger else run.job_name


def _ended(
    instance: dg.DagsterInstance, connection: Connection, record: dg.RunRecord, end: _End
) -> EndedRun:
    """What Dagster and the ledger know of the run."""
    run = record.dagster_run
    report = report_of_run(connection, run.run_id)
    task = report if isinstance(report, TaskReport) else TaskReport("", 0, {})
    # A run that failed before it began has no start of its own.
    started = record.create_timestamp
    if record.start_time:
        started = datetime.fromtimestamp(record.start_time, UTC)
    return EndedRun(
        run_id=run.run_id,
        job=run.job_name,
        title=title_of(run.job_name),
        success=end.success,
        started_at=started,
        ended_at=end.at,
        started_by=_trigger(run),
        errors=() if end.success else tuple(_errors(instance, run.run_id)),
        figures=task.counts,
        problems=[(problem.what, problem.why) for problem in task.problems[:_PROBLEMS_SHOWN]],
        problem_count=len(task.problems),
        notes=task.notes,
    )


def _errors(instance: dg.DagsterInstance, run_id: str) -> Iterator[str]:
    """Why the steps of a run have failed. Without a failed step it is why the run has."""
    steps = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    for entry in steps:
        if event := entry.dagster_event:
            yield from _error_of_step(event)
    if steps:
        return
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE):
        if event := entry.dagster_event:
            # A run that was marked as failed from outside has a message, and no error.
            error = getattr(event.event_specific_data, "error", None)
            yield _one_line(error.message if error else event.message or "")


def _error_of_step(event: dg.DagsterEvent) -> Iterator[str]:
    """A dg.Failure of ours has a description. Another exception has its own message."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        yield _one_line(data.user_failure_data.description)
    elif data.error:
        # Dagster wraps the exception of a step in one of its own.
        error = data.error.cause or data.error
        yield _one_line(error.message)


def _one_line(text: str) -> str:
    return " ".join(text.split())
