"""Who is told and by which mail server: kimo.yaml first, then the console's server settings (fact
sheet, section 6).

Nothing here ends anything: what is wrong becomes a sentence for whoever sends.
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

Language = Literal["it", "en"]

_SSL_PORT = 465
_SENDER_NAME = "Kimo"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_NO_SERVER = (
    "nobody is told by mail: there is no mail server. Say `notifications: smtp:` in kimo.yaml, or"
    " MailServer\\SmtpServer in the console's server settings"
)


@dataclass(frozen=True)
class NotificationSettings:
    """smtp None: mails are not wanted, or cannot be sent as things are (`is_wanted`); problems say
    why, a sentence each.

    base_url: what links to a run begin with, without a slash at its end.
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
        """Where the UI shows a run; None when nobody said where the UI is."""
        return f"{self.base_url}/runs/{run_id}" if self.base_url and run_id else None


def notification_settings(connection: Connection, config: KimoConfig) -> NotificationSettings:
    """As they hold now."""
    rows = connection.execute('SELECT "Key", "Value" FROM kimo."ServerSetting"').fetchall()
    console = _Console({key.casefold(): value for key, value in rows if value})
    own = config.notifications
    smtp = own.smtp or console.smtp()
    problems = console.problems
    sender = _sender(
        own.sender or console.value("NotificationCenter\\SenderAddress"), smtp, problems
    )
    info = _recipients(
        own.info_recipients, "info_recipients", console, "NotificationCenter\\InfoRecipients"
    )
    errors = _recipients(
        own.error_recipients, "error_recipients", console, "NotificationCenter\\ErrorRecipients"
    )
    if smtp is None and not problems:
        problems.append(_NO_SERVER)
    base_url = own.ui_url or console.value("Web\\BaseUrl")
    return NotificationSettings(
        smtp=smtp,
        is_wanted=smtp is not None or bool(console.value("MailServer\\SmtpServer")),
        sender=sender,
        sender_name=own.sender_name
        or console.value("NotificationCenter\\SenderName")
        or _SENDER_NAME,
        info=info,
        errors=errors,
        success_of=own.success_of,
        still_failing_hours=own.still_failing_hours,
        language=own.language,
        timezone=ZoneInfo(config.schedules.timezone),
        base_url=base_url.rstrip("/") if base_url else None,
        problems=tuple(dict.fromkeys(problems)),
    )


def _recipients(
    own: tuple[str, ...], key: str, console: "_Console", setting: str
) -> tuple[str, ...]:
    where = f"notifications: {key}: of kimo.yaml" if own else f"the server setting {setting}"
    good, wrong = read_addresses(own or filter(None, [console.value(setting)]), where)
    console.problems += wrong
    return good


def _sender(text: str | None, smtp: SmtpConfig | None, problems: list[str]) -> str:
    """The sender's address; where there is none, the user at the mail server, or one that nobody
    can answer to.
    """
    if text:
        if address := as_address(text):
            return address
        problems.append(
            f"the sender '{text[:100]}' is no mail address; expected one such as kimo@firm.it"
        )
    if smtp and smtp.username and (address := as_address(smtp.username)):
        return address
    return f"kimo@{smtp.host}" if smtp and as_address(f"kimo@{smtp.host}") else "kimo@localhost"


class _Console:
    """The console's values, by folded key. problems: what is wrong with those that were
    asked for.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.problems: list[str] = []

    def value(self, key: str) -> str | None:
        """With ${VARIABLE} taken from the environment; None where it is not set, or a variable is
        not.
        """
        text = self._values.get(key.casefold(), "").strip()
        missing = [name for name in _VARIABLE.findall(text) if name not in os.environ]
        self.problems += [
            f"the server setting {key}: the environment variable {name} is not set"
            for name in missing
        ]
        return None if missing else _VARIABLE.sub(lambda found: os.environ[found[1]], text) or None

    def smtp(self) -> SmtpConfig | None:
        host = self.value("MailServer\\SmtpServer")
        if host is None:
            return None
        try:
            return self._checked(SmtpConfig.model_validate({"host": host, **dict(self._server())}))
        except ValidationError as error:
            wrong = error.errors(include_input=False)[0]
            self.problems.append(
                f"the mail server in the console's server settings: {wrong['loc'][0]}:"
                f" {wrong['msg']}"
            )
            return None

    def _checked(self, smtp: SmtpConfig) -> SmtpConfig | None:
        """Without its password a server that asks for one is not even tried."""
        return (
            None
            if self._values.get("mailserver\\password") and smtp.username and smtp.password is None
            else smtp
        )

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
        """EnablSsl, spelled so: 1 at port 465 means encrypted from the first byte, at any other
        STARTTLS.

        Where it is not set, the port decides: at 465 a server understands nothing else.
        """
        at_ssl_port = port == str(_SSL_PORT)
        wanted = self.value("MailServer\\EnablSsl") or ("1" if at_ssl_port else "0")
        if wanted.casefold() not in ("1", "true"):
            return "plain"
        return "ssl" if at_ssl_port else "starttls"
