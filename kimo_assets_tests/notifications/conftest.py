"""Letters to send, and a server that takes them."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from kimo_assets.config.models import SmtpConfig
from kimo_assets.notifications.settings import NotificationSettings
from kimo_assets_tests.support.certificates import self_signed
from kimo_assets_tests.support.mail_server import MailServer, mail_server


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed("localhost", tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def settings_of(smtp: SmtpConfig | None, **own: object) -> NotificationSettings:
    """Anna is told of success, Bruno of failure."""
    given = {
        "smtp": smtp,
        "is_wanted": True,
        "sender": "kimo@firm.example",
        "sender_name": "Kimo",
        "info": ("anna@firm.example",),
        "errors": ("bruno@firm.example",),
        "success_of": ("full_import_from_erp",),
        "still_failing_hours": 24.0,
        "language": "it",
        "timezone": ZoneInfo("Europe/Rome"),
        "base_url": "http://ui.example:3000",
        "problems": (),
    }
    return NotificationSettings(**(given | own))  # type: ignore[arg-type]
