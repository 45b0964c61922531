"""Letters to send, and a server that takes them."""

import datetime
import ssl
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kimo_assets.config.models import SmtpConfig
from kimo_assets.notifications.settings import NotificationSettings
from kimo_assets_tests.mail_server import MailServer, mail_server


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, signed by itself: key and certificate in a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def settings_of(smtp: SmtpConfig | None, **own: object) -> NotificationSettings:
    """Anna is told of success, Bruno of failure."""
    given = {
        "smtp": smtp, "is_wanted": True, "sender": "kimo@firm.example", "sender_name": "Kimo",
        "info": ("anna@firm.example",), "errors": ("bruno@firm.example",), "success_of": ("full_import_from_erp",),
        "still_failing_hours": 24.0, "language": "it", "timezone": ZoneInfo("Europe/Rome"),
        "base_url": "http://ui.example:3000", "problems": (),
    }  # fmt: skip
    return NotificationSettings(**(given | own))  # type: ignore[arg-type]
