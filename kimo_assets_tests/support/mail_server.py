"""Mail servers on loopback: one that takes mails, as strict as it is told to be, and some that
misbehave.
"""

import email
import email.policy
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session

USER, PASSWORD = "kimo", "pl4nted-at-the-mail-server"


class MailServer:
    """Keeps what it takes. refuses: address -> its answer to that recipient; answer: to the mail as
    a whole, once each.
    """

    def __init__(
        self, certificate: ssl.SSLContext | None = None, *, asks_for_password: bool = False
    ) -> None:
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.refuses: dict[str, str] = {}
        self.answers: list[str] = []
        self.encrypted: list[bool] = []
        self._options: dict[str, Any] = {
            "tls_context": certificate,
            "require_starttls": certificate is not None,
        }
        if asks_for_password:
            self._options |= {
                "authenticator": self._knows,
                "auth_required": True,
                "auth_require_tls": certificate is not None,
            }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._controller: Controller | None = None

    def open(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **self._options)
        self._controller.start()

    def close(self) -> None:
        if self._controller:
            self._controller.stop()
            self._controller = None

    @property
    def mails(self) -> list[EmailMessage]:
        return [mail for _, mail in self.taken]

    def last(self) -> EmailMessage:
        return self.mails[-1]

    @staticmethod
    def _knows(
        server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        return AuthResult(
            success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()), handled=False
        )

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.taken.append((list(envelope.rcpt_tos), mail))
        self.encrypted.append(session.ssl is not None)
        return "250 taken"


@contextmanager
def mail_server(
    certificate: ssl.SSLContext | None = None, *, asks_for_password: bool = False
) -> Iterator[MailServer]:
    server = MailServer(certificate, asks_for_password=asks_for_password)
    server.open()
    try:
        yield server
    finally:
        server.close()


def text_of(mail: EmailMessage) -> str:
    return part_of(mail, "plain")


def html_of(mail: EmailMessage) -> str:
    return part_of(mail, "html")


def part_of(mail: EmailMessage, kind: str) -> str:
    """The mail has both parts, in the order that mail programs expect."""
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


@contextmanager
def hanging(greeting: bytes = b"") -> Iterator[int]:
    """The port of a server that takes connections, says so much, and nothing more."""
    taken: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                taken.append(client)
                client.sendall(greeting)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for one in (listener, *taken):
            one.close()
        thread.join()
