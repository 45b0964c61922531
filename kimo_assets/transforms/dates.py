"""Days and moments in the vendor's notation, which is .NET's: dd/MM/yyyy, dd/MM/yyyy HH:mm:ss."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

from kimo_assets.texts import say
from kimo_assets.transforms.outcome import RejectedValueError
from kimo_assets.transforms.values import text_of


def _fraction(digits: int, moment: datetime) -> str:
    return f"{moment.microsecond:06}0"[:digits]


def _half_day_hour(moment: datetime) -> int:
    """The hour of a clock of twelve hours: 12, 1, 2 ... 11."""
    return moment.hour % 12 or 12


# .NET's specifier -> the part of the date that it gives, and the pattern of its digits.
# [0-9], because \d would take the digits of every script.
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

# The same specifiers -> the function that writes that part of a moment.
_WRITTEN: dict[str, Callable[[datetime], str]] = {
    "yyyy": lambda moment: f"{moment.year:04}",
    "yy": lambda moment: f"{moment.year % 100:02}",
    "MM": lambda moment: f"{moment.month:02}",
    "M": lambda moment: str(moment.month),
    "dd": lambda moment: f"{moment.day:02}",
    "d": lambda moment: str(moment.day),
    "HH": lambda moment: f"{moment.hour:02}",
    "H": lambda moment: str(moment.hour),
    "hh": lambda moment: f"{_half_day_hour(moment):02}",
    "h": lambda moment: str(_half_day_hour(moment)),
    "mm": lambda moment: f"{moment.minute:02}",
    "m": lambda moment: str(moment.minute),
    "ss": lambda moment: f"{moment.second:02}",
    "s": lambda moment: str(moment.second),
    "tt": lambda moment: "AM" if moment.hour < 12 else "PM",
} | {"f" * digits: partial(_fraction, digits) for digits in range(1, 8)}

# .NET's rules: equal letters are one specifier, quotes and backslashes protect a text.
_PIECES = re.compile(
    r"(?P<letters>([A-Za-z])\2*)|'(?P<quoted>[^']*)'|\\(?P<escaped>.)|(?P<other>.)", re.DOTALL
)

# .NET's own default: 49 is 2049, 50 is 1950.
_LAST_SHORT_YEAR = 49

# Without a format only year first is a day. Whether the day exists is PostgreSQL's to judge.
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]|[0-9]{8}(?![0-9])")


@dataclass(frozen=True)
class DateFormat:
    """A format of .NET's. Raises: ValueError naming the mistake in the notation."""

    notation: str

    def __post_init__(self) -> None:
        _pattern(self.notation)

    def read(self, text: str) -> date | None:
        """The day, or the moment where the format has a time; None for a text written otherwise."""
        match = _pattern(self.notation).fullmatch(text)
        return _date_of(match.groupdict()) if match else None

    def write(self, value: date) -> str:
        """The day or moment in the format; a day's time is midnight."""
        moment = datetime(value.year, value.month, value.day)
        if isinstance(value, datetime):
            moment = value
        return "".join(writer(moment) for writer in _writers(self.notation))

    @property
    def digits(self) -> int:
        """How many digits a day has, for a format of digits alone (yyyyMMdd); 0 for others."""
        widths = [_width(piece["letters"]) for piece in _PIECES.finditer(self.notation)]
        return sum(widths) if all(widths) else 0


def _width(letters: str | None) -> int:
    """How many digits a specifier always gives; 0 when that varies, or when it gives no digits."""
    if not letters or letters not in _PARTS:
        return 0
    _, pattern = _PARTS[letters]
    has_fixed_width = re.fullmatch(r"\[0-9\]\{\d\}", pattern)
    return len(letters) if has_fixed_width else 0


def _literal(piece: re.Match[str]) -> str:
    """The text of a piece that is not a specifier, without its quotes or backslash."""
    return piece["quoted"] or piece["escaped"] or piece["other"] or ""


@lru_cache
def _writers(notation: str) -> tuple[Callable[[datetime], str], ...]:
    """One function for each piece of the format: a part of the moment, or a fixed text."""
    writers: list[Callable[[datetime], str]] = []
    for piece in _PIECES.finditer(notation):
        if piece["letters"]:
            writers.append(_WRITTEN[piece["letters"]])
        else:
            writers.append(partial(_fixed, _literal(piece)))
    return tuple(writers)


def _fixed(text: str, _moment: datetime) -> str:
    return text


@lru_cache
def _pattern(notation: str) -> re.Pattern[str]:
    """The pattern of days in the format, with a group for each part of the date."""
    parts: list[str] = []
    pattern = ""
    for piece in _PIECES.finditer(notation):
        letters = piece["letters"]
        if letters is None:
            pattern += re.escape(_literal(piece))
            continue
        if letters not in _PARTS:
            allowed = ", ".join(_PARTS)
            raise ValueError(say("transforms.unknown_date_part", letters=letters, parts=allowed))
        name, digits = _PARTS[letters]
        parts.append(name)
        pattern += f"(?P<{name}>{digits})"
    _check_parts(notation, parts)
    return re.compile(pattern)


def _check_parts(notation: str, parts: list[str]) -> None:
    """Raises: ValueError where a part of the date is missing or given twice."""
    has_two_years = {"year", "short_year"} <= set(parts)
    if len(set(parts)) < len(parts) or has_two_years:
        raise ValueError(say("transforms.date_part_twice", notation=notation))
    has_year = {"year", "short_year"} & set(parts)
    if not has_year or not {"month", "day"} <= set(parts):
        raise ValueError(say("transforms.date_part_missing", notation=notation))


_PARTS_OF_TIME = frozenset({"hour", "half_day_hour", "minute", "second", "fraction"})


def _date_of(parts: dict[str, str]) -> date | None:
    """The day or moment of the parts; None for one that does not exist, like 31 February."""
    year = _year(parts)
    month, day = int(parts["month"]), int(parts["day"])
    try:
        if not _PARTS_OF_TIME & set(parts):
            return date(year, month, day)
        minute, second = int(parts.get("minute", 0)), int(parts.get("second", 0))
        # .NET writes up to seven digits, Python keeps six.
        microsecond = int(parts.get("fraction", "0").ljust(6, "0")[:6])
        return datetime(year, month, day, _hour(parts), minute, second, microsecond)
    except ValueError:
        return None


def _year(parts: dict[str, str]) -> int:
    if "year" in parts:
        return int(parts["year"])
    short = int(parts["short_year"])
    century = 2000 if short <= _LAST_SHORT_YEAR else 1900
    return century + short


def _hour(parts: dict[str, str]) -> int:
    """The hour of the day; 12 am is midnight. Raises: ValueError beyond a clock of twelve hours."""
    if "half_day_hour" not in parts:
        return int(parts.get("hour", 0))
    hour = int(parts["half_day_hour"])
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    is_afternoon = parts.get("half", "am").casefold() == "pm"
    return hour % 12 + 12 * is_afternoon


@dataclass(frozen=True)
class AsDate:
    """Reads days by the formats, in their order. or_iso: takes texts with the year first too."""

    formats: tuple[DateFormat, ...]
    or_iso: bool = False

    def __call__(self, value: Any, absent: frozenset[str]) -> Any:
        """The day in ISO's form, by the formats of the step."""
        # CHAR columns pad their texts with blanks.
        text = text_of(value).strip(" ")
        if text in absent:
            return None
        if isinstance(value, date) or not text:
            return value
        for form in self.formats:
            # A number has lost the zeros that it began with.
            digits = text.zfill(form.digits) if isinstance(value, (int, Decimal)) else text
            day = form.read(digits)
            if day is not None:
                return day
        if self.or_iso and ISO_DATE.match(text):
            return text
        raise RejectedValueError(self._message(), "impossible_date")

    def _message(self) -> str:
        expected = [form.notation for form in self.formats]
        if self.or_iso:
            expected.append(say("transforms.year_month_day"))
        return say("transforms.rejected.date", formats=say("errors.or").join(expected))
