"""Nobody drowns in mails."""

from datetime import UTC, datetime, timedelta

import pytest

from kimo_assets.notifications.runs import Notice
from kimo_assets.notifications.throttling import JobState, decide

pytestmark = pytest.mark.portable

BEGAN = datetime(2026, 11, 24, tzinfo=UTC)


def notices_of(
    ends: str, *, every: timedelta = timedelta(minutes=15), tells: bool = False
) -> list[Notice | None]:
    """What the mails report of runs that end so: + is a success, - a failure."""
    state: JobState | None = None
    notices = []
    for number, end in enumerate(ends):
        state, notice = decide(
            state,
            success=end == "+",
            mails_success=tells,
            now=BEGAN + number * every,
            again_after=timedelta(days=1),
        )
        notices.append(notice)
    return notices


def test_the_first_failure_then_silence_then_the_recovery() -> None:
    assert notices_of("+" + "-" * 10 + "++") == [None, "failed", *[None] * 9, "recovered", None]


def test_what_goes_on_failing_is_told_once_a_day() -> None:
    notices = notices_of("-" * 24, every=timedelta(hours=6))
    assert [number for number, notice in enumerate(notices) if notice] == [0, 4, 8, 12, 16, 20]
    assert set(notices[1:]) == {None, "still failing"}


def test_success_is_told_of_what_is_named() -> None:
    assert notices_of("++", tells=True) == ["succeeded", "succeeded"]
    assert notices_of("-+", tells=True) == ["failed", "recovered"]


def test_a_job_that_fails_again_after_its_recovery_is_told_again() -> None:
    assert notices_of("-+-+") == ["failed", "recovered", "failed", "recovered"]


def test_failures_are_counted_until_the_recovery() -> None:
    state = None
    for number in range(3):
        state, _ = decide(
            state, success=False, mails_success=False, now=BEGAN, again_after=timedelta(days=1)
        )
        assert (state.failures, state.since) == (number + 1, BEGAN)
    state, _ = decide(
        state, success=True, mails_success=False, now=BEGAN, again_after=timedelta(days=1)
    )
    assert (state.state, state.failures) == ("ok", 0)
