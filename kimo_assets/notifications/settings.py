"""Who gets mails, and by which mail server: kimo.yaml first, then the console's server settings
(fact sheet, section 6).

A wrong setting raises nothing. It becomes a sentence among the problems.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from psycopg import Connection
from pydantic import ValidationError

from kimo_assets.config import KimoConfig
from kimo_assets.config.models import SmtpConfig
from kimo_assets.notifications.recipients import as_address, read_addresses
from kimo_assets.texts import say

Language = Literal["it", "en"]

# Fact sheet, section 6: usual with SSL.
_SSL_PORT = 465
_SENDER_NAME = "Kimo"
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class NotificationSettings:
    """Who gets which mails, and how they are sent.

    smtp: None where no mail can be sent. is_wanted: whether somebody asked for mails at all.
    problems: what is wrong, a sentence each. base_url: of the UI, without a slash at its end.
    """

    smtp: SmtpConfig | None
    is_wanted: bool
    sender: str
    sender_name: str
    info: tuple[str, ...]
    errors: tuple[str, ...]
    success_of: tuple[str, ...]
    still_failing_hours: float
    language: Language
    timezone: ZoneInfo
    base_url: str | None
    problems: tuple[str, ...] = ()

    @property
    def everybody(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.info, *self.errors)))

    def link(self, run_id: str | None) -> str | None:
        """The run's page. None: the address of the UI is not known."""
        if self.base_url and run_id:
            return f"{self.base_url}/runs/{run_id}"
        return None


def notification_settings(connection: Connection, config: KimoConfig) -> NotificationSettings:
    """The settings of kimo.yaml, completed by those of the console."""
    # Keys are compared without case, because people have typed them in the vendor's console.
    rows = connection.execute('SELECT "Key", "Value" FROM kimo."ServerSetting"').fetchall()
    console = _Console({key.casefold(): value for key, value in rows if value})
    own = config.notifications
    # As a whole from one place: a password must not reach the other place's server.
    smtp = own.smtp or console.smtp()
    problems = console.problems
    sender = own.sender or console.value("NotificationCenter\\SenderAddress")
    address = _sender(sender, smtp, problems)
    info = _recipients(
        own.info_recipients, "info_recipients", console, "NotificationCenter\\InfoRecipients"
    )
    errors = _recipients(
        own.error_recipients, "error_recipients", console, "NotificationCenter\\ErrorRecipients"
    )
    # Otherwise the problems say already why there is none.
    if smtp is None and not problems:
        problems.append(say("notifications.no_server"))
    sender_name = own.sender_name or console.value("NotificationCenter\\SenderName")
    base_url = own.ui_url or console.value("Web\\BaseUrl")
    return NotificationSettings(
        smtp=smtp,
        # Also where the settings are wrong: a person who has named a server waits for mails.
        is_wanted=smtp is not None or bool(console.value("MailServer\\SmtpServer")),
        sender=address,
        sender_name=sender_name or _SENDER_NAME,
        info=info,
        errors=errors,
        success_of=own.success_of,
        still_failing_hours=own.still_failing_hours,
        language=own.language,
        # Of the company, not of this machine: servers often run in UTC.
        timezone=ZoneInfo(config.schedules.timezone),
        base_url=base_url.rstrip("/") if base_url else None,
        problems=tuple(dict.fromkeys(problems)),
    )


def _recipients(
    own: tuple[str, ...], key: str, console: "_Console", setting: str
) -> tuple[str, ...]:
    """The addresses of kimo.yaml, or else of the console. Wrong ones become problems."""
    if own:
        origin = say("notifications.own_key", key=key)
        good, wrong = read_addresses(own, origin)
    else:
        origin = say("notifications.server_setting", key=setting)
        good, wrong = read_addresses([console.value(setting) or ""], origin)
    console.problems += wrong
    return good


def _sender(text: str | None, smtp: SmtpConfig | None, problems: list[str]) -> str:
    """The sender's address. Without one it is the user at the mail server, or one of ours."""
    if text:
        if address := as_address(text):
            return address
        problems.append(say("notifications.no_sender_address", text=text[:100]))
    # Many servers let a user send only under the own address.
    if smtp and smtp.username and (address := as_address(smtp.username)):
        return address
    if smtp and as_address(f"kimo@{smtp.host}"):
        return f"kimo@{smtp.host}"
    return "kimo@localhost"


class _Console:
    """The console's values, by folded key. problems: what is wrong with the values read so far."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.problems: list[str] = []

    def value(self, key: str) -> str | None:
        """With each ${VARIABLE} from the environment. None: there is no value, or no variable."""
        text = self._values.get(key.casefold(), "").strip()
        # Read when mails are sent, so that a variable that is set later helps.
        missing = [name for name in _VARIABLE.findall(text) if name not in os.environ]
        if missing:
            origin = say("notifications.server_setting", key=key)
            self.problems += [
                say("notifications.variable_not_set", origin=origin, name=name) for name in missing
            ]
            return None
        return _VARIABLE.sub(lambda match: os.environ[match[1]], text) or None

    def smtp(self) -> SmtpConfig | None:
        """The console's mail server. None: it has none, or its settings are wrong."""
        host = self.value("MailServer\\SmtpServer")
        if host is None:
            return None
        try:
            return self._checked(SmtpConfig.model_validate({"host": host, **dict(self._server())}))
        except ValidationError as error:
            # Without the input, which may be the password.
            first = error.errors(include_input=False)[0]
            key, problem = first["loc"][0], first["msg"]
            self.problems.append(say("notifications.wrong_server", key=key, problem=problem))
            return None

    def _checked(self, smtp: SmtpConfig) -> SmtpConfig | None:
        """A server that asks for a password is not tried without it."""
        # Some servers lock a user out after a few logins without the right password.
        has_password_setting = bool(self._values.get("mailserver\\password"))
        if has_password_setting and smtp.username and smtp.password is None:
            return None
        return smtp

    def _server(self) -> Iterable[tuple[str, str]]:
        port = self.value("MailServer\\Port")
        names = {
            "username": self.value("MailServer\\Username"),
            "password": self.value("MailServer\\Password"),
        }
        yield from self._named({"port": port, **names})
        yield "security", self._security(port)

    @staticmethod
    def _named(values: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
        return ((name, value) for name, value in values.items() if value)

    def _security(self, port: str | None) -> str:
        """plain, ssl or starttls.

        The setting is really spelled EnablSsl. It is 1 for encryption: from the first byte at port
        465, by STARTTLS at any other. Where it is not set, the port decides.
        """
        at_ssl_port = port == str(_SSL_PORT)
        setting = self.value("MailServer\\EnablSsl")
        is_encrypted = at_ssl_port if setting is None else setting.casefold() in ("1", "true")
        if not is_encrypted:
            return "plain"
        return "ssl" if at_ssl_port else "starttls"
