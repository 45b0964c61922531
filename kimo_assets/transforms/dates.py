"""Days and moments written in the vendor's notation, .NET's: dd/MM/yyyy, yyyyMMdd, dd/MM/yyyy
HH:mm:ss.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

from kimo_assets.transforms.outcome import RefusedValue
from kimo_assets.transforms.values import text_of


def _fraction(digits: int, moment: datetime) -> str:
    return f"{moment.microsecond:06}0"[:digits]


# .NET's specifier -> the part it gives and how that is written.
_PARTS = {
    "yyyy": ("year", "[0-9]{4}"),
    "yy": ("short_year", "[0-9]{2}"),
    "MM": ("month", "[0-9]{2}"),
    "M": ("month", "[0-9]{1,2}"),
    "dd": ("day", "[0-9]{2}"),
    "d": ("day", "[0-9]{1,2}"),
    "HH": ("hour", "[0-9]{2}"),
    "H": ("hour", "[0-9]{1,2}"),
    "hh": ("half_day_hour", "[0-9]{2}"),
    "h": ("half_day_hour", "[0-9]{1,2}"),
    "mm": ("minute", "[0-9]{2}"),
    "m": ("minute", "[0-9]{1,2}"),
    "ss": ("second", "[0-9]{2}"),
    "s": ("second", "[0-9]{1,2}"),
    "tt": ("half", "[AaPp][Mm]"),
} | {"f" * digits: ("fraction", f"[0-9]{{{digits}}}") for digits in range(1, 8)}

# The same specifiers, from a moment to what is written.
_WRITTEN: dict[str, Callable[[datetime], str]] = {
    "yyyy": lambda moment: f"{moment.year:04}",
    "yy": lambda moment: f"{moment.year % 100:02}",
    "MM": lambda moment: f"{moment.month:02}",
    "M": lambda moment: str(moment.month),
    "dd": lambda moment: f"{moment.day:02}",
    "d": lambda moment: str(moment.day),
    "HH": lambda moment: f"{moment.hour:02}",
    "H": lambda moment: str(moment.hour),
    "hh": lambda moment: f"{(moment.hour + 11) % 12 + 1:02}",
    "h": lambda moment: str((moment.hour + 11) % 12 + 1),
    "mm": lambda moment: f"{moment.minute:02}",
    "m": lambda moment: str(moment.minute),
    "ss": lambda moment: f"{moment.second:02}",
    "s": lambda moment: str(moment.second),
    "tt": lambda moment: "AM" if moment.hour < 12 else "PM",
} | {"f" * digits: partial(_fraction, digits) for digits in range(1, 8)}

_PIECES = re.compile(
    r"(?P<letters>([A-Za-z])\2*)|'(?P<quoted>[^']*)'|\\(?P<escaped>.)|(?P<other>.)", re.DOTALL
)

# .NET's own default: 49 is 2049, 50 is 1950.
_LAST_SHORT_YEAR = 49

# Only year first is a day where no format is given; PostgreSQL judges the rest of it.
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]|[0-9]{8}(?![0-9])")


@dataclass(frozen=True)
class DateFormat:
    """A format of .NET's. Raises: ValueError saying what is wrong with the notation."""

    notation: str

    def __post_init__(self) -> None:
        _pattern(self.notation)

    def read(self, text: str) -> date | None:
        """The day, or the moment where the format gives a time; None for a text that is not written
        so.
        """
        match = _pattern(self.notation).fullmatch(text)
        return _made(match.groupdict()) if match else None

    def write(self, value: date) -> str:
        """The day or moment as the format has it; a day's time is midnight."""
        moment = (
            value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        )
        return "".join(
            piece if isinstance(piece, str) else piece(moment) for piece in _writers(self.notation)
        )

    @property
    def digits(self) -> int:
        """How many digits a day has that is written without anything between them; 0 for other
        formats.
        """
        widths = [_width(piece["letters"]) for piece in _PIECES.finditer(self.notation)]
        return sum(widths) if all(widths) else 0


def _width(letters: str | None) -> int:
    part = _PARTS.get(letters or "", ("", ""))[1]
    return len(letters or "") if re.fullmatch(r"\[0-9\]\{\d\}", part) else 0


@lru_cache
def _writers(notation: str) -> tuple[str | Callable[[datetime], str], ...]:
    """The format's pieces: texts as they are, and what makes a moment's parts."""
    pieces: list[str | Callable[[datetime], str]] = []
    for piece in _PIECES.finditer(notation):
        letters = piece["letters"]
        pieces.append(
            _WRITTEN[letters]
            if letters
            else piece["quoted"] or piece["escaped"] or piece["other"] or ""
        )
    return tuple(pieces)


@lru_cache
def _pattern(notation: str) -> re.Pattern[str]:
    parts: list[str] = []
    pattern = ""
    for piece in _PIECES.finditer(notation):
        if (letters := piece["letters"]) is None:
            pattern += re.escape(piece["quoted"] or piece["escaped"] or piece["other"] or "")
        elif letters not in _PARTS:
            raise ValueError(
                f"'{letters}' is no part of a date here. Known: {', '.join(_PARTS)}; quote other"
                " letters"
            )
        else:
            name, digits = _PARTS[letters]
            parts.append(name)
            pattern += f"(?P<{name}>{digits})"
    if len(set(parts)) < len(parts) or {"year", "short_year"} <= set(parts):
        raise ValueError(f"'{notation}' says a part of the date twice")
    if not {"month", "day"} <= set(parts) or not {"year", "short_year"} & set(parts):
        raise ValueError(
            f"'{notation}' does not say year, month and day. Expected e.g. dd/MM/yyyy (MM month, mm"
            " minute)"
        )
    return re.compile(pattern)


def _made(parts: dict[str, str]) -> date | None:
    year = int(parts["year"]) if "year" in parts else _full_year(int(parts["short_year"]))
    hour = int(parts.get("hour", 0)) if "half_day_hour" not in parts else _hour(parts)
    try:
        if not {"hour", "half_day_hour", "minute", "second", "fraction"} & set(parts):
            return date(year, int(parts["month"]), int(parts["day"]))
        fraction = int(parts.get("fraction", "0").ljust(6, "0")[:6])
        clock = (hour, int(parts.get("minute", 0)), int(parts.get("second", 0)), fraction)
        return datetime(year, int(parts["month"]), int(parts["day"]), *clock)
    except ValueError:
        return None


def _full_year(short: int) -> int:
    return short + (2000 if short <= _LAST_SHORT_YEAR else 1900)


def _hour(parts: dict[str, str]) -> int:
    """Of a clock of twelve hours; 12 am is midnight. An hour beyond is left to be refused."""
    hour = int(parts["half_day_hour"])
    if not 1 <= hour <= 12:
        return 24
    return hour % 12 + (12 if parts.get("half", "am").casefold() == "pm" else 0)


@dataclass(frozen=True)
class AsDate:
    """Reads days by the formats, in their order. or_iso: a text that is written year first is taken
    as well.
    """

    formats: tuple[DateFormat, ...]
    or_iso: bool = False

    def __call__(self, value: Any, absent: frozenset[str]) -> Any:
        text = text_of(value).strip(" ")
        if isinstance(value, date) or not text or text in absent:
            return None if text in absent else value
        for form in self.formats:
            # A number has lost the zeros it began with.
            digits = text.zfill(form.digits) if isinstance(value, (int, Decimal)) else text
            if (found := form.read(digits)) is not None:
                return found
        if self.or_iso and ISO_DATE.match(text):
            return text
        expected = [form.notation for form in self.formats] + ["year-month-day"] * self.or_iso
        raise RefusedValue(f"expected {' or '.join(expected)}", "impossible_date")
