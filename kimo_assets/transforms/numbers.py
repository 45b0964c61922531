"""Numbers as a country writes them, described by an example: 1.234,56."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kimo_assets.texts import say
from kimo_assets.transforms.outcome import RejectedValueError
from kimo_assets.transforms.values import text_of

# Swiss programs write an apostrophe between thousands, straight or curly.
_EXAMPLE = re.compile(r"1(?P<group>[.,' \u00a0\u202f\u2019]?)234(?P<point>[.,])56")

# Blanks between thousands. Programs write the two others so that no line breaks there.
_BLANKS = " \u00a0\u202f"

# What matches no text: a number without thousands groups.
_NEVER = "(?!)"


@dataclass(frozen=True)
class AsNumber:
    """Reads numbers written like the example.

    Raises: ValueError when the example is not 1234.56 in some writing.
    """

    example: str

    def __post_init__(self) -> None:
        _pattern(self.example)

    def __call__(self, value: Any, absent: frozenset[str]) -> Any:
        """The number in plain digits, by the separators of the step."""
        text = text_of(value).strip()
        # A column of numbers needs no reading.
        if not isinstance(value, str) or not text:
            return value
        match = _pattern(self.example).fullmatch(text)
        if not match:
            message = say("transforms.rejected.number", example=self.example)
            raise RejectedValueError(message, "not_a_number")
        sign = match["sign"].strip("+")
        # In PostgreSQL's writing: no separator, a point before the decimals.
        whole = re.sub("[^0-9]", "", match["whole"]) or "0"
        decimals = match["decimals"] or "0"
        return f"{sign}{whole}.{decimals}"


@lru_cache
def _pattern(example: str) -> re.Pattern[str]:
    """The pattern of numbers like the example. Groups: sign, whole (with separators), decimals."""
    match = _EXAMPLE.fullmatch(example)
    if not match or match["group"] == match["point"]:
        raise ValueError(say("transforms.not_a_number_example", example=example))
    group = _group_pattern(match["group"])
    whole = f"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+"
    decimals = f"(?:{re.escape(match['point'])}(?P<decimals>[0-9]*))?"
    return re.compile(rf"(?P<sign>[-+]?)(?P<whole>{whole}){decimals}")


def _group_pattern(group: str) -> str:
    """The pattern of the thousands separator: one blank in the example stands for any blank."""
    if not group:
        return _NEVER
    if group in _BLANKS:
        group = _BLANKS
    return f"[{re.escape(group)}]"


# Drivers give ids of NUMERIC columns as 12.0 or 12.00, and people write leading zeros.
_WHOLE = re.compile(r"(?P<sign>[-+]?)0*(?P<digits>[0-9]+)(?:\.0*)?")


# No database holds a number with more.
_MOST_DIGITS = 65


def string_to_integer(value: Any, absent: frozenset[str]) -> int | None:
    """A whole number for a column of numbers: '0012' is 12."""
    text = query_as_long(value, absent)
    if len(text) > _MOST_DIGITS:
        raise RejectedValueError(say("transforms.rejected.whole_number"))
    return int(text) if text else None


def query_as_long(value: Any, absent: frozenset[str]) -> str:
    """A whole-number id in its plain form: 12.0, '0012' and 12 are the same id."""
    text = text_of(value).strip()
    if not text:
        return ""
    match = _WHOLE.fullmatch(text)
    if not match:
        raise RejectedValueError(say("transforms.rejected.whole_number"))
    digits = match["digits"]
    if match["sign"] == "-" and digits != "0":
        return f"-{digits}"
    return digits
