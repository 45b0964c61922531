"""Real mails over real connections: what is taken, what is tried again, what is told."""

import smtplib
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kimo_assets.config.models import SmtpConfig
from kimo_assets.notifications.compose import Letter, Paragraph, Section
from kimo_assets.notifications.mail import Delivery, as_message, deliver
from kimo_assets_tests.notifications.conftest import settings_of
from kimo_assets_tests.support.mail_server import (
    PASSWORD,
    USER,
    MailServer,
    hanging,
    html_of,
    mail_server,
    text_of,
)

# The server warns of passwords without TLS, which is what some tests are about.
pytestmark = [
    pytest.mark.portable,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS"),
]

AT = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
ANNA, BRUNO = "anna@firm.example", "bruno@firm.example"


def letter(subject: str = "Completato", text: str = "Tutto è a posto.") -> Letter:
    return Letter(subject, "Import", "good", "it", sections=(Section("Passo", (Paragraph(text),)),))


def send(
    port: int, *to: str, of: Letter | None = None, host: str = "127.0.0.1", **smtp: object
) -> Delivery:
    config = SmtpConfig.model_validate(
        {"host": host, "port": port, "security": "plain", "timeout_s": 5, **smtp}
    )
    recipients = to or (ANNA,)
    message = as_message(
        of or letter(), recipients, settings_of(config, sender_name="Kimo, la città"), AT
    )
    (delivery,) = deliver([(message, recipients)], "kimo@firm.example", config)
    return delivery


def test_a_mail_arrives_with_both_parts_and_its_headers(server: MailServer) -> None:
    assert send(server.port, ANNA, BRUNO) == Delivery((ANNA, BRUNO))
    ((recipients, mail),) = server.taken
    assert recipients == [ANNA, BRUNO]
    assert mail["To"] == f"{ANNA}, {BRUNO}"
    assert mail["From"].addresses[0].display_name == "Kimo, la città"
    assert mail["From"].addresses[0].addr_spec == "kimo@firm.example"
    assert mail["Date"].datetime == AT
    assert mail["Message-ID"].endswith("@firm.example>")
    assert (mail["Auto-Submitted"], mail["Content-Language"]) == ("auto-generated", "it")
    assert "Tutto è a posto." in text_of(mail)
    assert "Tutto è a posto." in html_of(mail)


def test_on_its_way_a_mail_is_plain_ascii() -> None:
    message = as_message(letter("È fatto"), [ANNA], settings_of(None), AT)
    assert message.isascii()
    assert all(len(line) < 998 for line in message.splitlines())


def test_nothing_of_a_subject_becomes_a_header(server: MailServer) -> None:
    send(server.port, of=letter("Bar\r\nBcc: all@firm.example\r\n\r\nX\u2028Y\u202e\x00Z"))
    assert server.last()["Subject"] == "Bar Bcc: all@firm.example X Y Z"
    assert server.last()["Bcc"] is None
    assert server.taken[0][0] == [ANNA]


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_encrypted_and_logged_in(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    user = {"username": USER, "password": PASSWORD, "host": "localhost"}
    with mail_server(tls, asks_for_password=True) as server:
        done = send(server.port, security=security, **user)
        if security == "starttls":
            assert done == Delivery((ANNA,))
            assert server.encrypted == [True]
        else:  # this server speaks plainly first: said in a sentence, and tried again
            assert "does not speak TLS as asked" in done.problems[0]


def test_a_certificate_that_nobody_trusts_is_refused_and_the_password_stays_here(
    tls: ssl.SSLContext,
) -> None:
    with mail_server(tls, asks_for_password=True) as server:
        done = send(
            server.port, security="starttls", host="localhost", username=USER, password=PASSWORD
        )
        assert "a certificate that is not trusted here" in done.later[ANNA]
        assert server.taken == []


def test_a_wrong_password_is_told_without_it() -> None:
    with mail_server(asks_for_password=True) as server:
        done = send(server.port, username=USER, password="pl4nted-but-wrong")
    assert f"refuses the user '{USER}' or the password: 535" in done.later[ANNA]
    assert "pl4nted" not in str(done)


def test_a_password_of_other_letters_is_a_sentence() -> None:
    with mail_server(asks_for_password=True) as server:
        done = send(server.port, username=USER, password="pl4nted ü")
    assert "letters that are not plain ASCII" in done.later[ANNA]


def test_starttls_of_a_server_without_is_a_sentence(server: MailServer) -> None:
    done = send(server.port, security="starttls")
    assert "does not offer what is asked of it" in done.later[ANNA]


def test_a_server_that_is_down(server: MailServer) -> None:
    server.close()
    assert "cannot be reached: [Errno 111] Connection refused" in send(server.port).later[ANNA]


def test_a_name_that_is_no_servers() -> None:
    assert "cannot be reached" in send(25, host="nowhere.invalid").later[ANNA]


@pytest.mark.parametrize("greeting", [b"", b"220 hello\r\n", b"220-still\r\n"])
def test_a_server_that_hangs_is_left(greeting: bytes) -> None:
    began = time.monotonic()
    with hanging(greeting) as port:
        done = send(port, timeout_s=0.3)
    assert "did not answer in time" in done.later[ANNA] or "within 0.3 s" in done.later[ANNA]
    assert time.monotonic() - began < 5


def test_greylisting_is_waited_for_and_a_wrong_recipient_is_not(server: MailServer) -> None:
    server.refuses = {
        ANNA: "450 4.2.0 Greylisted, come back",
        BRUNO: "550 5.1.1 Nobody of that name",
    }
    done = send(server.port, ANNA, BRUNO, "carla@firm.example")
    assert done.sent == ("carla@firm.example",)
    assert "for anna@firm.example: 450 4.2.0 Greylisted" in done.later[ANNA]
    assert "for bruno@firm.example: 550 5.1.1 Nobody" in done.never[BRUNO]
    assert server.taken[0][0] == ["carla@firm.example"]


def test_nobody_is_taken(server: MailServer) -> None:
    server.refuses = {ANNA: "450 later"}
    assert send(server.port).later.keys() == {ANNA}
    server.refuses = {ANNA: "550 never"}
    assert send(server.port).never.keys() == {ANNA}


def test_a_mail_that_is_not_taken_does_not_keep_the_next_one(server: MailServer) -> None:
    server.answers = ["552 5.3.4 too big"]
    config = SmtpConfig(host="127.0.0.1", port=server.port, security="plain")
    message = as_message(letter(), [ANNA], settings_of(config), AT)
    first, second = deliver([(message, [ANNA]), (message, [ANNA])], "kimo@firm.example", config)
    assert "does not take the mail: 552 5.3.4 too big" in first.later[ANNA]
    assert second.sent == (ANNA,)


def test_a_server_that_repeats_the_password_is_not_repeated(server: MailServer) -> None:
    server.refuses = {ANNA: f"550 your password {PASSWORD} is known"}
    done = send(server.port, password=PASSWORD)
    assert "your password *** is known" in done.never[ANNA]


def test_the_server_of_the_tests_does_ask_for_its_password() -> None:
    with (
        mail_server(asks_for_password=True) as server,
        smtplib.SMTP("127.0.0.1", server.port, timeout=5) as client,
    ):
        client.ehlo()
        assert client.mail("a@b.example")[0] == 530
