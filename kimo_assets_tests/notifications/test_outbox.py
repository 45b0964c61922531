"""Mails wait for their server, each with those who do not have it yet."""

import pytest
from psycopg import Connection

from kimo_assets.config.models import SmtpConfig
from kimo_assets.database.server import Database
from kimo_assets.notifications.compose import Letter
from kimo_assets.notifications.outbox import Sent, post, send_due
from kimo_assets.notifications.settings import NotificationSettings
from kimo_assets_tests.notifications.conftest import settings_of
from kimo_assets_tests.support.mail_server import MailServer

pytestmark = pytest.mark.portable

LETTER = Letter("Fatto", "Import", "good", "it")
ANNA, BRUNO = "anna@firm.example", "bruno@firm.example"


@pytest.fixture
def settings(server: MailServer) -> NotificationSettings:
    return settings_of(
        SmtpConfig(host="127.0.0.1", port=server.port, security="plain", timeout_s=5)
    )


def now_due(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE ops.mail SET due_at = now() - interval '1 s'")


def waits(connection: Connection) -> list[tuple[int, list[str]]]:
    return connection.execute(
        "SELECT attempts, recipients FROM ops.mail WHERE ended_at IS NULL"
    ).fetchall()


def test_a_mail_goes_out_once(
    own_database: Database, server: MailServer, settings: NotificationSettings
) -> None:
    with own_database.connect() as connection:
        assert post(connection, LETTER, [ANNA], settings, "r1")
        assert not post(connection, LETTER, [ANNA], settings, "r1")
        assert not post(connection, LETTER, [], settings, "r2")
        assert send_due(connection, settings) == Sent(mails=1)
        assert send_due(connection, settings) == Sent()
    assert len(server.mails) == 1


def test_a_server_that_is_down_is_tried_again_with_growing_pauses_until_it_is_up(
    own_database: Database, server: MailServer, settings: NotificationSettings
) -> None:
    server.close()
    with own_database.connect() as connection:
        post(connection, LETTER, [ANNA], settings, "r1")
        pauses = []
        for _ in range(3):
            sent = send_due(connection, settings)
            assert sent.pending == 1
            assert "cannot be reached" in sent.problems[0]
            assert send_due(connection, settings) == Sent(), "nothing is due at once"
            row = connection.execute(
                "SELECT round(extract(epoch FROM due_at - now()) / 60)::int FROM ops.mail"
            ).fetchone()
            pauses.append(row[0] if row else None)
            now_due(own_database)
        assert pauses == [1, 5, 15]
        server.open()
        assert send_due(connection, settings).mails == 1
        assert waits(connection) == []
    assert len(server.mails) == 1


def test_only_who_does_not_have_it_gets_it_again(
    own_database: Database, server: MailServer, settings: NotificationSettings
) -> None:
    server.refuses = {BRUNO: "451 greylisted"}
    with own_database.connect() as connection:
        post(connection, LETTER, [ANNA, BRUNO], settings, "r1")
        assert send_due(connection, settings).pending == 1
        assert waits(connection) == [(1, [BRUNO])]
        server.refuses = {}
        now_due(own_database)
        assert send_due(connection, settings).mails == 1
    assert [to for to, _ in server.taken] == [[ANNA], [BRUNO]]
    assert len({mail["Message-ID"] for mail in server.mails}) == 1


def test_at_last_a_mail_is_given_up_and_that_is_said(
    own_database: Database, server: MailServer, settings: NotificationSettings
) -> None:
    server.close()
    with own_database.connect() as connection:
        post(connection, LETTER, [ANNA], settings, "r1")
        connection.execute("UPDATE ops.mail SET attempts = 9")
        sent = send_due(connection, settings)
        assert (sent.lost, sent.pending) == (1, 0)
        assert sent.problems[-1] == "'Fatto' is given up after 10 attempts"
        assert waits(connection) == []


def test_settings_that_cannot_be_used_keep_the_mail(own_database: Database) -> None:
    broken = settings_of(None, problems=("the environment variable X is not set",))
    with own_database.connect() as connection:
        post(connection, LETTER, [ANNA], broken, "r1")
        assert send_due(connection, broken) == Sent(
            pending=1, problems=("the environment variable X is not set",)
        )
