"""A value of Kimo's as the ERP expects it: days, flags, no value, and changes to texts on the way.

Values are read from PostgreSQL's texts into Python's. What a column can hold is columns.py's.
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
from kimo_assets.texts import say
from kimo_assets.transforms import DateFormat
from kimo_assets.transforms.values import text_of

# The pair stands first, or a line break of Windows would become two blanks.
_BREAKS = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
_DAY_DIGITS, _MOMENT_DIGITS = DateFormat("yyyyMMdd"), DateFormat("yyyyMMddHHmmss")


class DoesNotFitError(Exception):
    """A value that the ERP's column cannot hold. fits: what it can hold. advice: what to do."""

    def __init__(self, fits: str, advice: str) -> None:
        super().__init__(fits)
        self.fits = fits
        self.advice = advice


@dataclass(frozen=True)
class Formats:
    """How days, moments and flags are written where the ERP keeps them as text or number.

    day, moment: None writes year first. zero_one: flags in texts as 0 and 1. Otherwise as False and
    True, which is how .NET writes them.
    """

    day: DateFormat | None = None
    moment: DateFormat | None = None
    zero_one: bool = False

    @classmethod
    def of(cls, config: KimoConfig) -> "Formats":
        """The export's own formats. Where it has none, those of its source."""
        own = config.export.formats
        source = config.sources[config.export.source].formats
        day, moment = own.date or source.date, own.datetime or source.datetime
        return cls(
            DateFormat(day) if day else None,
            DateFormat(moment) if moment else None,
            own.boolean == "zero_one",
        )

    def as_text(self, value: Any) -> str:
        """A value for a column of texts."""
        if isinstance(value, bool):
            return str(int(value)) if self.zero_one else str(value)
        # A moment is a date to Python as well, so it has to be asked for first.
        if isinstance(value, datetime):
            return self.moment.write(value) if self.moment else value.isoformat(" ")
        if isinstance(value, date):
            return self.day.write(value) if self.day else value.isoformat()
        return text_of(value)

    def as_digits(self, value: date) -> str:
        """A day for a column of numbers. Without a format: year first, nothing between."""
        if isinstance(value, datetime):
            return (self.moment or _MOMENT_DIGITS).write(value)
        return (self.day or _DAY_DIGITS).write(value)

    def read_date(self, value: Any) -> date | None:
        """The day or moment that a value stands for. None: it stands for neither."""
        if isinstance(value, date):
            return value
        text = text_of(value).strip()
        # fromisoformat of a day does not take a time, that of a moment takes a day as midnight.
        is_day = len(text) <= len("2024-01-31")
        try:
            return date.fromisoformat(text) if is_day else datetime.fromisoformat(text)
        except ValueError:
            return self._read_by_formats(text)

    def _read_by_formats(self, text: str) -> date | None:
        for date_format in (self.day, self.moment):
            value = date_format.read(text) if date_format else None
            if value:
                return value
        return None


# --- from PostgreSQL
# ----------------------------------------------------------------------------------------


def reader(field: Field) -> Callable[[str], Any]:
    """From PostgreSQL's text of a field to a value. Raises, when called: DoesNotFitError."""
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


def _no_date() -> DoesNotFitError:
    """PostgreSQL has dates that Python has not: before Christ, beyond 9999, infinity."""
    return DoesNotFitError(say("export.value.no_date"), say("export.advice.correct_date"))


# --- on the way
# ---------------------------------------------------------------------------------------------


def null_of(field: Field, formats: ExportFormats) -> str | None:
    """What is written for no value, by the field's type. None: NULL."""
    value: str | None = getattr(formats, null_setting(field))
    return value


def null_setting(field: Field) -> str:
    """The key of `export: formats:` that says what is written for no value."""
    match field.type:
        case "date" | "dt":
            return "null_date"
        case "bool":
            return "null_boolean"
        case "dec" | "int":
            return "null_number"
        # The vendor's codes are numbers. An open enum, whose codes it does not list, is kept as
        # text.
        case "enum" if not field.is_open_enum:
            return "null_number"
    return "null_text"


def after(separator: str, value: Any) -> Any:
    """The part of an id after the separator. The whole id where there is none.

    Raises: DoesNotFitError when nothing stands after it.
    """
    _, has_separator, part = text_of(value).partition(separator)
    if not has_separator:
        return value
    if not part:
        raise DoesNotFitError(
            say("export.value.nothing_after", separator=separator), say("export.advice.split")
        )
    return part


def upper(value: Any) -> Any:
    """In capitals. What is no text stays as it is."""
    return value.upper() if type(value) is str else value


def single_line(value: Any) -> Any:
    """Line breaks as one blank each."""
    return _BREAKS.sub(" ", value) if type(value) is str else value
