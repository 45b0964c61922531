"""The words of mails in the company's language, and how figures and times are written in it.

The words themselves are in kimo_assets/texts/notifications.py. Menu entries are the vendor's, in
Italian.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from kimo_assets.notifications.settings import Language, NotificationSettings
from kimo_assets.texts import say

_MOMENT: dict[Language, str] = {"it": "%d/%m/%Y %H:%M", "en": "%Y-%m-%d %H:%M"}
_DAY: dict[Language, str] = {"it": "%d/%m/%Y", "en": "%Y-%m-%d"}
# By hand, because a locale is set for the whole process and may not be installed.
_ITALIAN_SEPARATORS = str.maketrans(",.", ".,")


@dataclass(frozen=True)
class Words:
    """Words of one language, and times of one time zone."""

    language: Language
    timezone: ZoneInfo

    @classmethod
    def of(cls, settings: NotificationSettings) -> "Words":
        return cls(settings.language, settings.timezone)

    def __call__(self, key: str, **values: object) -> str:
        """A sentence in the language of the mail."""
        return say(key, language=self.language, **values)

    def columns(self, *names: str) -> Sequence[str]:
        """Heads of columns."""
        return [self(f"notifications.column.{name}") for name in names]

    def number(self, value: float | None) -> str:
        """For a table: as a count, and a dash for nothing."""
        # Zeros would hide the figures that matter.
        return self.count(value) if value else "-"

    def count(self, value: float) -> str:
        """1,234 or 1.234."""
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
        if self.language == "it":
            return text.translate(_ITALIAN_SEPARATORS)
        return text

    def moment(self, value: datetime | None) -> str:
        """A date and time in the company's time zone."""
        if value is None:
            return self("notifications.never")
        return value.astimezone(self.timezone).strftime(_MOMENT[self.language])

    def day(self, value: datetime) -> str:
        """A date in the company's time zone."""
        return value.astimezone(self.timezone).strftime(_DAY[self.language])

    def duration(self, seconds: float) -> str:
        """E.g. 2 h 05 min, 3 min 20 s, 4 s."""
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours} h {minutes:02} min"
        if minutes:
            return f"{minutes} min {rest:02} s"
        return f"{rest} s"
