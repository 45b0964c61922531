"""A value of Kimo's as the ERP wants it: how days, flags and no value are written, and what is done
to texts on the way.

Values are read from PostgreSQL's texts into plain ones; what a column can hold of them is
columns.py's.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kimo_assets.catalog import Field
from kimo_assets.config import KimoConfig
from kimo_assets.config.models import ExportFormats
from kimo_assets.transforms import DateFormat
from kimo_assets.transforms.values import text_of

_BREAKS = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
_DAY_DIGITS, _MOMENT_DIGITS = DateFormat("yyyyMMdd"), DateFormat("yyyyMMddHHmmss")


class Refused(Exception):
    """A value that the ERP's column cannot hold. fits: what it can hold; advice: what to do."""

    def __init__(self, fits: str, advice: str) -> None:
        super().__init__(fits)
        self.fits = fits
        self.advice = advice


@dataclass(frozen=True)
class Formats:
    """How days, moments and flags are written where the ERP keeps them as text or number.

    day, moment: None writes year first. zero_one: flags as 0 and 1 in texts, else False and True,
    as .NET writes them.
    """

    day: DateFormat | None = None
    moment: DateFormat | None = None
    zero_one: bool = False

    @classmethod
    def of(cls, config: KimoConfig) -> "Formats":
        """The export's own formats, where silent those of its source."""
        own = config.export.formats
        source = config.sources[config.export.source].formats
        day, moment = own.date or source.date, own.datetime or source.datetime
        return cls(
            DateFormat(day) if day else None,
            DateFormat(moment) if moment else None,
            own.boolean == "zero_one",
        )

    def as_text(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(int(value)) if self.zero_one else str(value)
        if isinstance(value, datetime):
            return self.moment.write(value) if self.moment else value.isoformat(" ")
        if isinstance(value, date):
            return self.day.write(value) if self.day else value.isoformat()
        return text_of(value)

    def as_digits(self, value: date) -> str:
        """For a column of numbers: without a format of its own, year first without anything
        between.
        """
        if isinstance(value, datetime):
            return (self.moment or _MOMENT_DIGITS).write(value)
        return (self.day or _DAY_DIGITS).write(value)

    def read_date(self, value: Any) -> date | None:
        """The day or moment that a value is; None when it is none."""
        if isinstance(value, date):
            return value
        text = text_of(value).strip()
        try:
            return (
                date.fromisoformat(text)
                if len(text) <= len("2024-01-31")
                else datetime.fromisoformat(text)
            )
        except ValueError:
            read = (form.read(text) for form in (self.day, self.moment) if form)
            return next(filter(None, read), None)


# --- from PostgreSQL
# ----------------------------------------------------------------------------------------


def reader(field: Field) -> Callable[[str], Any]:
    """From PostgreSQL's text of a column of the catalogue to a value. Raises, when called:
    Refused.
    """
    match field.type:
        case "dec":
            return Decimal
        case "int":
            return int
        case "enum":
            return str if field.is_open_enum else int
        case "bool":
            return _read_flag
        case "date":
            return _read_day
        case "dt":
            return _read_moment
    return str


def _read_flag(text: str) -> bool:
    return text in ("true", "t")


def _read_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _no_date() from None


def _read_moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _no_date() from None


def _no_date() -> Refused:
    return Refused("a date between the years 1 and 9999 is expected", "Mend the date in Kimo")


# --- on the way
# ---------------------------------------------------------------------------------------------


def null_of(field: Field, formats: ExportFormats) -> str | None:
    """What is written for no value, by the field's type; None: NULL."""
    match field.type:
        case "date" | "dt":
            return formats.null_date
        case "bool":
            return formats.null_boolean
        case "dec" | "int":
            return formats.null_number
        case "enum" if not field.is_open_enum:
            return formats.null_number
    return formats.null_text


def null_setting(field: Field) -> str:
    """The key of `export: formats:` that says it."""
    match field.type:
        case "date" | "dt":
            return "null_date"
        case "bool":
            return "null_boolean"
        case "dec" | "int":
            return "null_number"
        case "enum" if not field.is_open_enum:
            return "null_number"
    return "null_text"


def after(separator: str, value: Any) -> Any:
    """The part of an id that stands behind the separator; all of it where there is none."""
    text = text_of(value)
    _, found, part = text.partition(separator)
    if found and not part:
        raise Refused(
            f"nothing stands behind its '{separator}'",
            "Mend the id, or the split in `export: formats:`",
        )
    return part if found else value


def upper(value: Any) -> Any:
    return value.upper() if type(value) is str else value


def single_line(value: Any) -> Any:
    """Line breaks as one blank each."""
    return _BREAKS.sub(" ", value) if type(value) is str else value
