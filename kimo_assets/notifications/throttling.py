"""Which mails a job gets, so that nobody drowns in them: one for the first failure, then silence,
then one for the recovery.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from psycopg import Connection

from kimo_assets.notifications.runs import Notice

State = Literal["ok", "failing"]


@dataclass(frozen=True)
class JobState:
    """How runs of a job have ended lately.

    failures: in a row. last_mail_at: of the last mail about them.
    """

    state: State
    since: datetime
    failures: int = 0
    last_mail_at: datetime | None = None


def decide(
    before: JobState | None,
    *,
    success: bool,
    mails_success: bool,
    now: datetime,
    again_after: timedelta,
) -> tuple[JobState, Notice | None]:
    """The state after a run that has ended, and what its mail reports. None: there is no mail.

    before: None for a job without any run so far. mails_success: whether a success that ends no
    failure gets a mail.
    """
    failing = before if before and before.state == "failing" else None
    notice: Notice | None
    if success:
        after, notice = _after_success(before, failing, mails_success, now)
    else:
        after, notice = _after_failure(failing, now, again_after)
    if notice:
        after = replace(after, last_mail_at=now)
    return after, notice


def _after_success(
    before: JobState | None, failing: JobState | None, mails_success: bool, now: datetime
) -> tuple[JobState, Notice | None]:
    if failing:
        return JobState("ok", now), "recovered"
    # The state stays, so that `since` says since when all is well.
    return before or JobState("ok", now), "succeeded" if mails_success else None


def _after_failure(
    failing: JobState | None, now: datetime, again_after: timedelta
) -> tuple[JobState, Notice | None]:
    if failing is None:
        return JobState("failing", now, 1), "failed"
    after = replace(failing, failures=failing.failures + 1)
    last = after.last_mail_at
    # A job that fails every quarter of an hour would otherwise send a hundred mails a day.
    is_due = last is None or now - last >= again_after
    return after, "still failing" if is_due else None


def read_state(connection: Connection, job: str) -> JobState | None:
    """Locked until the transaction ends, so that two daemons send one mail."""
    row = connection.execute(
        "SELECT state, since, failures, last_told_at FROM ops.notification WHERE job = %s FOR"
        " UPDATE",
        [job],
    ).fetchone()
    return JobState(*row) if row else None


def keep_state(connection: Connection, job: str, state: JobState) -> None:
    """Keeps how a job stands, for its next run."""
    connection.execute(
        """
        INSERT INTO ops.notification (job, state, since, failures, last_told_at) VALUES
            (%s, %s, %s, %s, %s)
        ON CONFLICT (job) DO UPDATE SET (state, since, failures, last_told_at) =
            (excluded.state, excluded.since, excluded.failures, excluded.last_told_at)
        """,
        [job, state.state, state.since, state.failures, state.last_mail_at],
    )
