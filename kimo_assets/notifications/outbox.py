"""Mails that are to be sent, kept in ops.mail until the mail server has taken them.

After about a day of trying a mail is given up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import Connection

from kimo_assets.notifications.compose import Letter, harmless
from kimo_assets.notifications.mail import Delivery, as_message, deliver
from kimo_assets.notifications.settings import NotificationSettings
from kimo_assets.texts import say

# After each failed attempt, about a day in all. Greylisting asks for a few minutes.
_PAUSES_MIN = (1, 5, 15, 30, 60, 120, 240, 480, 480)
# Of one attempt: the sensor that sends has a minute.
_AT_ONCE = 20
# A mail that was sent stays to look it up, and so that no second one is sent for its run.
_KEPT_DAYS = 90


@dataclass(frozen=True)
class Sent:
    """The result of an attempt.

    mails: how many were sent. pending: how many are tried again. lost: how many are given up.
    problems: a sentence each.
    """

    mails: int = 0
    pending: int = 0
    lost: int = 0
    problems: tuple[str, ...] = ()

    def in_words(self) -> str:
        """What became of the mails, in a sentence."""
        figures = {
            "notifications.sent": self.mails,
            "notifications.pending": self.pending,
            "notifications.lost": self.lost,
        }
        parts = [say(key, count=count) for key, count in figures.items() if count]
        summary = ", ".join(parts) or say("notifications.nothing_sent")
        return "; ".join([summary, *self.problems])


def post(
    connection: Connection,
    letter: Letter,
    recipients: Sequence[str],
    settings: NotificationSettings,
    run_id: str | None,
) -> bool:
    """Queues the mail. False: this run has one already, or there are no recipients."""
    if not recipients:
        return False
    message = as_message(letter, recipients, settings, datetime.now(UTC))
    # run_id is unique, so a second daemon or a second look at the run writes no second mail.
    done = connection.execute(
        "INSERT INTO ops.mail (run_id, subject, message, recipients) VALUES (%s, %s, %s, %s) ON"
        " CONFLICT DO NOTHING",
        [run_id, harmless(letter.subject), message, list(recipients)],
    )
    return done.rowcount > 0


def send_due(connection: Connection, settings: NotificationSettings) -> Sent:
    """Tries what is due, over one connection to the mail server.

    Several processes may do it at the same time: each mail is due for one of them only.
    """
    # The rows stay locked while the server is talked to. A kill gives them back as due.
    with connection.transaction():
        due = connection.execute(
            "SELECT id, subject, message, recipients, attempts FROM ops.mail WHERE ended_at IS NULL"
            " AND due_at <= now() ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
            [_AT_ONCE],
        ).fetchall()
        if not due:
            return Sent()
        mails = [(bytes(message), recipients) for _, _, message, recipients, _ in due]
        deliveries = _deliver(mails, settings)
        results = [
            _record(connection, number, subject, attempts + 1, delivery)
            for (number, subject, _, _, attempts), delivery in zip(due, deliveries, strict=True)
        ]
        connection.execute(
            "DELETE FROM ops.mail WHERE ended_at < now() - make_interval(days => %s)", [_KEPT_DAYS]
        )
    problems = dict.fromkeys(problem for result in results for problem in result.problems)
    return Sent(
        mails=sum(result.mails for result in results),
        pending=sum(result.pending for result in results),
        lost=sum(result.lost for result in results),
        problems=tuple(problems),
    )


def _deliver(
    mails: Sequence[tuple[bytes, Sequence[str]]], settings: NotificationSettings
) -> list[Delivery]:
    # A missing password variable may be set later today, so the mails wait for it.
    if settings.smtp is None:
        reason = "; ".join(settings.problems)
        return [Delivery(later=dict.fromkeys(recipients, reason)) for _, recipients in mails]
    return deliver(mails, settings.sender, settings.smtp)


def _record(
    connection: Connection, number: int, subject: str, attempts: int, delivery: Delivery
) -> Sent:
    """Keeps the result of an attempt with its mail, and says when the next one is due."""
    problem = "; ".join(delivery.problems) or None
    # Nobody is left to be tried again. Only those who will never get it stay named.
    if not delivery.later:
        connection.execute(
            "UPDATE ops.mail SET ended_at = now(), attempts = %s, problem = %s, recipients = %s"
            " WHERE id = %s",
            [attempts, problem, list(delivery.never), number],
        )
        has_arrived = bool(delivery.sent)
        return Sent(mails=int(has_arrived), lost=int(not has_arrived), problems=delivery.problems)
    is_over = attempts > len(_PAUSES_MIN)
    due = None if is_over else datetime.now(UTC) + timedelta(minutes=_PAUSES_MIN[attempts - 1])
    connection.execute(
        "UPDATE ops.mail SET attempts = %s, problem = %s, recipients = %s, due_at = coalesce(%s,"
        " due_at), ended_at = CASE WHEN %s THEN now() END WHERE id = %s",
        # Only these get the next attempt. A recipient who has the mail does not get it twice.
        [attempts, problem, list(delivery.later), due, is_over, number],
    )
    if is_over:
        given_up = say("notifications.given_up", subject=subject, attempts=attempts)
        return Sent(lost=1, problems=(*delivery.problems, given_up))
    return Sent(pending=1, problems=delivery.problems)


def undelivered(connection: Connection, since: datetime) -> list[tuple[str, str]]:
    """(subject, reason) of the mails that wait, and of later ones that did not reach somebody."""
    return connection.execute(
        "SELECT subject, problem FROM ops.mail WHERE problem IS NOT NULL AND (ended_at IS NULL OR"
        " ended_at >= %s) ORDER BY id DESC LIMIT 20",
        [since],
    ).fetchall()
