"""Mails that are to be sent: kept in ops.mail until the mail server has taken them, or for as long
as trying makes sense.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import Connection

from kimo_assets.notifications.compose import Letter, harmless
from kimo_assets.notifications.mail import Delivery, as_message, deliver
from kimo_assets.notifications.settings import NotificationSettings

# After each failed attempt; about a day in all. Greylisting asks for a few minutes.
_PAUSES_MIN = (1, 5, 15, 30, 60, 120, 240, 480, 480)
# Of one attempt: the sensor that sends has a minute.
_AT_ONCE = 20
# What was sent stays a while, to look up; a run is told of once for as long as it is known.
_KEPT_DAYS = 90


@dataclass(frozen=True)
class Sent:
    """What came of an attempt. pending: mails that are tried again; lost: given up. problems: a
    sentence each.
    """

    mails: int = 0
    pending: int = 0
    lost: int = 0
    problems: tuple[str, ...] = ()

    def in_words(self) -> str:
        figures = {"sent": self.mails, "to be tried again": self.pending, "given up": self.lost}
        shown = [
            f"{count} {'mail' if count == 1 else 'mails'} {what}"
            for what, count in figures.items()
            if count
        ]
        return ". ".join([", ".join(shown) or "no mail sent", *self.problems])


def post(
    connection: Connection,
    letter: Letter,
    recipients: Sequence[str],
    settings: NotificationSettings,
    run_id: str | None,
) -> bool:
    """Writes the mail down to be sent. False: this run has one already, or nobody is to get it."""
    if not recipients:
        return False
    message = as_message(letter, recipients, settings, datetime.now(UTC))
    done = connection.execute(
        "INSERT INTO ops.mail (run_id, subject, message, recipients) VALUES (%s, %s, %s, %s) ON"
        " CONFLICT DO NOTHING",
        [run_id, harmless(letter.subject), message, list(recipients)],
    )
    return done.rowcount > 0


def send_due(connection: Connection, settings: NotificationSettings) -> Sent:
    """Tries what is due, over one connection to the mail server. One at a time does: others find
    nothing due.
    """
    with connection.transaction():
        due = connection.execute(
            "SELECT id, subject, message, recipients, attempts FROM ops.mail WHERE ended_at IS NULL"
            " AND due_at <= now() ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
            [_AT_ONCE],
        ).fetchall()
        if not due:
            return Sent()
        deliveries = _deliver(
            [(bytes(message), recipients) for _, _, message, recipients, _ in due], settings
        )
        done = [
            _note(connection, number, subject, attempts + 1, delivery)
            for (number, subject, _, _, attempts), delivery in zip(due, deliveries, strict=True)
        ]
        connection.execute(
            "DELETE FROM ops.mail WHERE ended_at < now() - make_interval(days => %s)", [_KEPT_DAYS]
        )
    return Sent(
        sum(one.mails for one in done),
        sum(one.pending for one in done),
        sum(one.lost for one in done),
        tuple(dict.fromkeys(problem for one in done for problem in one.problems)),
    )


def _deliver(
    mails: Sequence[tuple[bytes, Sequence[str]]], settings: NotificationSettings
) -> list[Delivery]:
    if settings.smtp is None:
        why = "; ".join(settings.problems)
        return [Delivery(later=dict.fromkeys(recipients, why)) for _, recipients in mails]
    return deliver(mails, settings.sender, settings.smtp)


def _note(
    connection: Connection, number: int, subject: str, attempts: int, delivery: Delivery
) -> Sent:
    """What became of a mail, kept with it."""
    problem = "; ".join(delivery.problems) or None
    if not delivery.later:
        connection.execute(
            "UPDATE ops.mail SET ended_at = now(), attempts = %s, problem = %s, recipients = %s"
            " WHERE id = %s",
            [attempts, problem, list(delivery.never), number],
        )
        return Sent(
            mails=1 if delivery.sent else 0,
            lost=0 if delivery.sent else 1,
            problems=delivery.problems,
        )
    is_over = attempts > len(_PAUSES_MIN)
    due = None if is_over else datetime.now(UTC) + timedelta(minutes=_PAUSES_MIN[attempts - 1])
    connection.execute(
        "UPDATE ops.mail SET attempts = %s, problem = %s, recipients = %s, due_at = coalesce(%s,"
        " due_at), ended_at = CASE WHEN %s THEN now() END WHERE id = %s",
        [attempts, problem, list(delivery.later), due, is_over, number],
    )
    if is_over:
        given_up = f"'{subject}' is given up after {attempts} attempts"
        return Sent(lost=1, problems=(*delivery.problems, given_up))
    return Sent(pending=1, problems=delivery.problems)


def undelivered(connection: Connection, since: datetime) -> list[tuple[str, str]]:
    """(subject, why) of the mails that wait, and of those since then that did not reach
    somebody.
    """
    return connection.execute(
        "SELECT subject, problem FROM ops.mail WHERE problem IS NOT NULL AND (ended_at IS NULL OR"
        " ended_at >= %s) ORDER BY id DESC LIMIT 20",
        [since],
    ).fetchall()
