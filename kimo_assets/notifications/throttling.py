"""What is told of a run, so that nobody drowns in mails: the first failure, then silence, then the
recovery.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from psycopg import Connection

from kimo_assets.notifications.runs import Told

State = Literal["ok", "failing"]


@dataclass(frozen=True)
class JobState:
    """How runs of one kind have ended lately. failures: in a row; last_told_at: of the last mail
    about them.
    """

    state: State
    since: datetime
    failures: int = 0
    last_told_at: datetime | None = None


def decide(
    before: JobState | None,
    *,
    success: bool,
    tells_success: bool,
    now: datetime,
    again_after: timedelta,
) -> tuple[JobState, Told | None]:
    """The state after a run that has ended, and what is told of it; None: nothing.

    before: None when nothing is known of such runs. tells_success: whether a success is told that
    ends no failure.
    """
    was_failing = before is not None and before.state == "failing"
    if success:
        told: Told | None = "recovered" if was_failing else "succeeded" if tells_success else None
        after = before if before and not was_failing else JobState("ok", now)
    else:
        assert not was_failing or before is not None  # noqa: S101
        after = (
            replace(before, failures=before.failures + 1)
            if before and was_failing
            else JobState("failing", now, 1)
        )
        is_due = after.last_told_at is None or now - after.last_told_at >= again_after
        told = ("still failing" if was_failing else "failed") if is_due else None
    return (replace(after, last_told_at=now) if told else after), told


def read_state(connection: Connection, job: str) -> JobState | None:
    """Locked until the transaction ends: two daemons tell once."""
    row = connection.execute(
        "SELECT state, since, failures, last_told_at FROM ops.notification WHERE job = %s FOR"
        " UPDATE",
        [job],
    ).fetchone()
    return JobState(*row) if row else None


def keep_state(connection: Connection, job: str, state: JobState) -> None:
    connection.execute(
        """
        INSERT INTO ops.notification (job, state, since, failures, last_told_at) VALUES
            (%s, %s, %s, %s, %s)
        ON CONFLICT (job) DO UPDATE SET (state, since, failures, last_told_at) =
            (excluded.state, excluded.since, excluded.failures, excluded.last_told_at)
        """,
        [job, state.state, state.since, state.failures, state.last_told_at],
    )
