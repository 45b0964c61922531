"""kimo.yaml, then the console's server settings."""

from typing import Any

import pytest

from kimo_assets.notifications.settings import NotificationSettings, notification_settings
from kimo_assets_tests.support.company import World

pytestmark = pytest.mark.portable

CONSOLE = {
    "MailServer\\SmtpServer": "smtp.firm.it",
    "MailServer\\Port": "465",
    "MailServer\\EnablSsl": "1",
    "MailServer\\Username": "kimo",
    "MailServer\\Password": "${SMTP_PASSWORD}",
    "NotificationCenter\\SenderAddress": "kimo@firm.it",
    "NotificationCenter\\SenderName": "Kimo della ditta",
    "NotificationCenter\\InfoRecipients": "anna@firm.it;bruno@firm.it|carla",
    "NotificationCenter\\ErrorRecipients": "edp@firm.it",
    "Web\\BaseUrl": "https://kimo.firm.it/",
}


def settings(world: World, console: dict[str, str], **own: Any) -> NotificationSettings:
    world.erp(Zone=[])
    world.settings = {"notifications": own}
    with world.database.connect() as connection:
        for key, value in console.items():
            connection.execute(
                'INSERT INTO kimo."ServerSetting" ("Key", "Value") VALUES (%s, %s)', [key, value]
            )
        return notification_settings(connection, world.config)


def test_where_kimo_yaml_is_silent_the_console_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "secret")
    found = settings(world, CONSOLE)
    assert found.smtp is not None
    assert (found.smtp.host, found.smtp.port, found.smtp.security) == ("smtp.firm.it", 465, "ssl")
    assert (found.smtp.username, found.smtp.password) == ("kimo", "secret")
    assert (found.sender, found.sender_name) == ("kimo@firm.it", "Kimo della ditta")
    assert found.info == ("anna@firm.it", "bruno@firm.it")
    assert found.errors == ("edp@firm.it",)
    assert found.everybody == ("anna@firm.it", "bruno@firm.it", "edp@firm.it")
    assert found.link("r1") == "https://kimo.firm.it/runs/r1"
    (problem,) = found.problems
    assert "NotificationCenter\\InfoRecipients: 'carla' is no mail address" in problem


def test_kimo_yaml_prevails(world: World) -> None:
    own = {
        "smtp": {"host": "other.it"},
        "info_recipients": ["z@firm.it"],
        "sender_name": "X",
        "ui_url": "http://ui:3000",
    }
    found = settings(world, CONSOLE, **own)
    assert found.smtp is not None
    assert (found.smtp.host, found.smtp.port, found.smtp.security) == ("other.it", 25, "starttls")
    assert (found.info, found.sender_name, found.link("r")) == (
        ("z@firm.it",),
        "X",
        "http://ui:3000/runs/r",
    )
    assert found.problems == ()


@pytest.mark.parametrize(
    ("port", "ssl", "security"),
    [
        ("465", "1", "ssl"),
        ("587", "1", "starttls"),
        ("25", "0", "plain"),
        ("", "", "plain"),
        ("465", "", "ssl"),
    ],
)
def test_the_vendors_switch_and_port_say_how_it_is_encrypted(
    world: World, port: str, ssl: str, security: str
) -> None:
    found = settings(
        world,
        {"MailServer\\SmtpServer": "s.it", "MailServer\\Port": port, "MailServer\\EnablSsl": ssl},
    )
    assert found.smtp is not None
    assert found.smtp.security == security


def test_a_variable_that_is_not_set_is_told_and_nothing_is_tried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMTP_PASSWORD", raising=False)
    found = settings(world, CONSOLE)
    assert found.smtp is None
    assert found.is_wanted
    assert (
        "the server setting MailServer\\Password: the environment variable SMTP_PASSWORD is not set"
        in found.problems
    )


def test_a_port_that_is_none_is_told(world: World) -> None:
    found = settings(world, {"MailServer\\SmtpServer": "s.it", "MailServer\\Port": "fünf"})
    assert found.smtp is None
    assert found.is_wanted
    assert "port" in found.problems[0]


def test_without_a_mail_server_nobody_is_told_and_it_says_where_to_name_one(world: World) -> None:
    found = settings(world, {})
    assert not found.is_wanted
    assert "`notifications: smtp:`" in found.problems[0]
