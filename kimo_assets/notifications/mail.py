"""A mail, and its way to the mail server: what became of it is a value, never an error."""

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

from kimo_assets.config.models import SmtpConfig
from kimo_assets.notifications.compose import Letter, as_html, as_text, harmless
from kimo_assets.notifications.settings import NotificationSettings

# A server that answers each command just in time is left after so many times the patience for one
# answer.
_WHOLE = 2
_TEMPORARY = range(400, 500)
_SAID_CHARS = 200
# In ASCII on the way: not every server takes eight bits.
_POLICY = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True)
class Delivery:
    """later, never: address -> why it did not get the mail; `later` may help. Sentences hold no
    password.
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
    """The mail as it goes out: text, and the same as HTML. Nothing of the letter can add a
    header.
    """
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = harmless(letter.subject)
    message["From"] = Address(
        display_name=harmless(settings.sender_name), addr_spec=settings.sender
    )
    message["To"] = [Address(addr_spec=address) for address in recipients]
    message["Date"] = format_datetime(at)
    message["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
    # Holiday notes and the like are not to answer to a program.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(as_text(letter))
    message.add_alternative(as_html(letter), subtype="html")
    message["Content-Language"] = settings.language
    return message.as_bytes()


def deliver(
    messages: Sequence[tuple[bytes, Sequence[str]]], sender: str, smtp: SmtpConfig
) -> list[Delivery]:
    """Hands messages to the server over one connection: each with those who are to get it."""
    done: list[Delivery] = []
    try:
        with _connected(smtp) as server:
            for message, recipients in messages:
                done.append(_deliver(server, message, recipients, sender, smtp))
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        # What was handed over before it broke stays so.
        why = _in_words(error, smtp)
        done += [
            Delivery(later=dict.fromkeys(recipients, why))
            for _, recipients in messages[len(done) :]
        ]
    return done


def _deliver(
    server: smtplib.SMTP, message: bytes, recipients: Sequence[str], sender: str, smtp: SmtpConfig
) -> Delivery:
    try:
        refused = server.sendmail(sender, list(recipients), message)
    except smtplib.SMTPRecipientsRefused as error:
        refused = error.recipients
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPResponseException as error:
        # Of the mail as a whole: of its sender or its content. It may be mended at the server, so
        # it is tried again.
        return Delivery(later=dict.fromkeys(recipients, _in_words(error, smtp)))
    later: dict[str, str] = {}
    never: dict[str, str] = {}
    for address, (code, said) in refused.items():
        why = f"{_place(smtp)} does not take mail for {address}: {_said(code, said, smtp)}"
        (later if code in _TEMPORARY else never)[address] = why
    return Delivery(
        tuple(address for address in recipients if address not in refused), later, never
    )


@contextmanager
def _connected(smtp: SmtpConfig) -> Iterator[smtplib.SMTP]:
    """Encrypted and logged in as the settings say; closed within the time that is allowed, whatever
    the server does.
    """
    context = ssl.create_default_context()
    server = _not_connected(smtp, context)
    watch = threading.Timer(_WHOLE * smtp.timeout_s, _cut, [server])
    watch.daemon = True
    watch.start()
    try:
        server.connect(smtp.host, smtp.port)
        if smtp.security == "starttls":
            server.starttls(context=context)
        if smtp.username:
            server.login(smtp.username, smtp.password or "")
        yield server
        with suppress(OSError, smtplib.SMTPException):
            server.quit()
    finally:
        watch.cancel()
        server.close()


def _not_connected(smtp: SmtpConfig, context: ssl.SSLContext) -> smtplib.SMTP:
    """Given a host, smtplib would connect before anybody could watch it; without, it forgets whose
    certificate to expect.
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
        if server.sock:
            server.sock.shutdown(socket.SHUT_RDWR)


def _own_name() -> str:
    """What we call ourselves. Not asked of the network, which may take its time to answer."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def _place(smtp: SmtpConfig) -> str:
    return f"the mail server {smtp.host}:{smtp.port}"


def _in_words(error: Exception, smtp: SmtpConfig) -> str:
    """What is wrong, and what to do."""
    place = _place(smtp)
    match error:
        case smtplib.SMTPAuthenticationError():
            said = _said(error.smtp_code, error.smtp_error, smtp)
            return (
                f"{place} refuses the user '{smtp.username}' or the password: {said}. Look at"
                " `notifications: smtp:`"
            )
        case smtplib.SMTPNotSupportedError():
            return (
                f"{place} does not offer what is asked of it ({error}). Look at `security` and"
                " `username`"
            )
        case ssl.SSLCertVerificationError():
            return f"{place} shows a certificate that is not trusted here: {error.verify_message}"
        case ssl.SSLError():
            return (
                f"{place} does not speak TLS as asked ({error.reason}). Look at `port` and"
                " `security`"
            )
        case smtplib.SMTPSenderRefused():
            return (
                f"{place} does not take mail from {error.sender}:"
                f" {_said(error.smtp_code, error.smtp_error, smtp)}"
            )
        case smtplib.SMTPResponseException():
            return (
                f"{place} does not take the mail: {_said(error.smtp_code, error.smtp_error, smtp)}"
            )
        case smtplib.SMTPServerDisconnected():
            return f"{place} hung up, or did not answer in time ({_masked(str(error), smtp)})"
        case UnicodeError():
            return (
                f"{place} cannot be given its name, user or password: one holds letters that are"
                " not plain ASCII"
            )
        case TimeoutError():
            return f"{place} does not answer within {smtp.timeout_s:g} s"
        case _:
            return f"{place} cannot be reached: {_masked(str(error), smtp)}"


def _said(code: int, said: bytes | str, smtp: SmtpConfig) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return _masked(f"{code} {text}", smtp)[:_SAID_CHARS]


def _masked(text: str, smtp: SmtpConfig) -> str:
    """One line. Servers repeat what they were told, the password too."""
    line = harmless(text)
    return line.replace(smtp.password, "***") if smtp.password else line
