"""A mail, and its way to the mail server. Whether it arrived is a value, never an error."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Any

from kimo_assets.config.models import SmtpConfig
from kimo_assets.notifications.compose import Letter, as_html, as_text, harmless
from kimo_assets.notifications.settings import NotificationSettings
from kimo_assets.texts import say

# A server may answer each command just in time. All commands together may take so many times the
# timeout of one.
_WHOLE = 2
# RFC 5321, section 4.2.1: 4yz is for now, 5yz is for good.
_TEMPORARY = range(400, 500)
# Some servers answer with a page of help. The first sentence says it.
_ANSWER_CHARS = 200
# In ASCII on the way: not every server takes eight bits.
_POLICY = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True)
class Delivery:
    """later, never: address -> the reason why it did not get the mail, without any password.

    Another attempt may help for `later`.
    """

    sent: tuple[str, ...] = ()
    later: dict[str, str] = field(default_factory=dict)
    never: dict[str, str] = field(default_factory=dict)

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.later.values(), *self.never.values()]))


def as_message(
    letter: Letter, recipients: Sequence[str], settings: NotificationSettings, at: datetime
) -> bytes:
    """The mail as it goes out: text, and the same as HTML.

    No content of the letter can add a header.
    """
    message = EmailMessage(policy=_POLICY)
    # A line break in a title would end the header and begin another.
    message["Subject"] = harmless(letter.subject)
    message["From"] = Address(
        display_name=harmless(settings.sender_name), addr_spec=settings.sender
    )
    message["To"] = [Address(addr_spec=address) for address in recipients]
    message["Date"] = format_datetime(at)
    # With the sender's domain. By default it is this machine's name, which concerns nobody outside.
    message["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
    # Out-of-office replies are for people (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(as_text(letter))
    message.add_alternative(as_html(letter), subtype="html")
    message["Content-Language"] = settings.language
    return message.as_bytes()


def deliver(
    messages: Sequence[tuple[bytes, Sequence[str]]], sender: str, smtp: SmtpConfig
) -> list[Delivery]:
    """Hands messages to the server over one connection, each with its recipients."""
    done: list[Delivery] = []
    try:
        with _connected(smtp) as server:
            for message, recipients in messages:
                done.append(_deliver(server, message, recipients, sender, smtp))
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        # What was handed over before the connection broke is sent.
        reason = _in_words(error, smtp)
        done += [
            Delivery(later=dict.fromkeys(recipients, reason))
            for _, recipients in messages[len(done) :]
        ]
    return done


def _deliver(
    server: smtplib.SMTP, message: bytes, recipients: Sequence[str], sender: str, smtp: SmtpConfig
) -> Delivery:
    """One message. The server answers for each recipient by itself."""
    try:
        refused = server.sendmail(sender, list(recipients), message)
    except smtplib.SMTPRecipientsRefused as error:
        refused = error.recipients
    # The mails that follow cannot go either, so this ends all of them in deliver.
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPResponseException as error:
        # The server refuses the sender or the content. That may be corrected at the server, so it
        # is tried again.
        return Delivery(later=dict.fromkeys(recipients, _in_words(error, smtp)))
    later: dict[str, str] = {}
    never: dict[str, str] = {}
    for address, (code, answer) in refused.items():
        text = _answer(code, answer, smtp)
        kind = later if code in _TEMPORARY else never
        kind[address] = _say("recipient", smtp, address=address, answer=text)
    sent = tuple(address for address in recipients if address not in refused)
    return Delivery(sent, later, never)


@contextmanager
def _connected(smtp: SmtpConfig) -> Iterator[smtplib.SMTP]:
    """Encrypted and logged in as the settings say.

    The connection is closed within the allowed time, even when the server does not let go.
    """
    context = ssl.create_default_context()
    server = _not_connected(smtp, context)
    # smtplib's timeout is for each answer. A server that sends a byte now and then holds us for
    # ever.
    watch = threading.Timer(_WHOLE * smtp.timeout_s, _cut, [server])
    # A timer must not keep the process alive.
    watch.daemon = True
    watch.start()
    try:
        server.connect(smtp.host, smtp.port)
        if smtp.security == "starttls":
            server.starttls(context=context)
        # After STARTTLS, so that the password travels encrypted.
        if smtp.username:
            server.login(smtp.username, smtp.password or "")
        yield server
        # The mails are handed over. A server that hangs up without a farewell has them all the
        # same.
        with suppress(OSError, smtplib.SMTPException):
            server.quit()
    finally:
        watch.cancel()
        server.close()


def _not_connected(smtp: SmtpConfig, context: ssl.SSLContext) -> smtplib.SMTP:
    """A client without a connection.

    With a host smtplib connects at once, and no timer could cut it. Without one it does not know
    which name the certificate must have, so the host is set afterwards.
    """
    if smtp.security == "ssl":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            local_hostname=_own_name(), timeout=smtp.timeout_s, context=context
        )
    else:
        server = smtplib.SMTP(local_hostname=_own_name(), timeout=smtp.timeout_s)
    vars(server)["_host"] = smtp.host
    return server


def _cut(server: smtplib.SMTP) -> None:
    with suppress(OSError):
        # Shut down, not closed: only that wakes a thread that waits for an answer.
        if server.sock:
            server.sock.shutdown(socket.SHUT_RDWR)


def _own_name() -> str:
    """The name for the greeting, from this machine alone: DNS may take long to answer."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    # An address literal, which RFC 5321 (section 4.1.3) allows where there is no full name.
    return "[127.0.0.1]"


def _say(key: str, smtp: SmtpConfig, **values: Any) -> str:
    server = f"{smtp.host}:{smtp.port}"
    return say(f"notifications.smtp.{key}", server=server, **values)


def _in_words(error: Exception, smtp: SmtpConfig) -> str:
    """What is wrong, and what to do. The order counts: some classes derive from others."""
    match error:
        case smtplib.SMTPAuthenticationError():
            answer = _answer(error.smtp_code, error.smtp_error, smtp)
            return _say("login", smtp, user=smtp.username, answer=answer)
        case smtplib.SMTPNotSupportedError():
            return _say("not_offered", smtp, error=error)
        case ssl.SSLCertVerificationError():
            return _say("certificate", smtp, error=error.verify_message)
        case ssl.SSLError():
            return _say("tls", smtp, error=error.reason)
        case smtplib.SMTPSenderRefused():
            answer = _answer(error.smtp_code, error.smtp_error, smtp)
            return _say("sender", smtp, address=error.sender, answer=answer)
        case smtplib.SMTPResponseException():
            return _say("mail", smtp, answer=_answer(error.smtp_code, error.smtp_error, smtp))
        case smtplib.SMTPServerDisconnected():
            return _say("disconnected", smtp, error=_masked(str(error), smtp))
        case UnicodeError():
            return _say("not_ascii", smtp)
        case TimeoutError():
            return _say("timeout", smtp, seconds=smtp.timeout_s)
        case _:
            return _say("unreachable", smtp, error=_masked(str(error), smtp))


def _answer(code: int, answer: bytes | str, smtp: SmtpConfig) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return _masked(f"{code} {text}", smtp)[:_ANSWER_CHARS]


def _masked(text: str, smtp: SmtpConfig) -> str:
    """One line. Servers repeat what they were sent, the password too."""
    line = harmless(text)
    if smtp.password:
        return line.replace(smtp.password, "***")
    return line
