"""Numbers as a country writes them, told by an example: 1.234,56."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kimo_assets.transforms.outcome import RefusedValue
from kimo_assets.transforms.values import text_of

_EXAMPLE = re.compile(r"1(?P<group>[.,' \u00a0\u202f\u2019]?)234(?P<point>[.,])56")

# Blanks that a machine puts between thousands so that no line breaks there.
_BLANKS = " \u00a0\u202f"


@dataclass(frozen=True)
class AsNumber:
    """Reads numbers written like the example. Raises: ValueError when the example is not 1234.56 in
    some writing.
    """

    example: str

    def __post_init__(self) -> None:
        _pattern(self.example)

    def __call__(self, value: Any, absent: frozenset[str]) -> Any:
        text = text_of(value).strip()
        if not isinstance(value, str) or not text:
            return value
        match = _pattern(self.example).fullmatch(text)
        if not match:
            raise RefusedValue(f"expected a number written like {self.example}", "not_a_number")
        whole = re.sub("[^0-9]", "", match["whole"])
        return f"{match['sign'].strip('+')}{whole or 0}.{match['decimals'] or 0}"


@lru_cache
def _pattern(example: str) -> re.Pattern[str]:
    found = _EXAMPLE.fullmatch(example)
    if not found or found["group"] == found["point"]:
        raise ValueError(
            f"'{example}' is no example of a number. Expected 1234.56 as it is written there, e.g."
            " 1.234,56"
        )
    group = (
        f"[{re.escape(_BLANKS if found['group'] in _BLANKS else found['group'])}]"
        if found["group"]
        else "(?!)"
    )
    whole = f"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+"
    return re.compile(
        rf"(?P<sign>[-+]?)(?P<whole>{whole})(?:{re.escape(found['point'])}(?P<decimals>[0-9]*))?"
    )


_WHOLE = re.compile(r"(?P<sign>[-+]?)0*(?P<digits>[0-9]+)(?:\.0*)?")


# More no database holds.
_MOST_DIGITS = 65


def string_to_integer(value: Any, absent: frozenset[str]) -> int | None:
    """A whole number for a column of numbers: '0012' is 12."""
    text = query_as_long(value, absent)
    if len(text) > _MOST_DIGITS:
        raise RefusedValue("expected a whole number")
    return int(text) if text else None


def query_as_long(value: Any, absent: frozenset[str]) -> str:
    """An id that is a whole number at the source, in its plain form: 12.0, '0012' and 12 are one
    id.
    """
    text = text_of(value).strip()
    if not text:
        return ""
    match = _WHOLE.fullmatch(text)
    if not match:
        raise RefusedValue("expected a whole number")
    return ("-" if match["sign"] == "-" and match["digits"] != "0" else "") + match["digits"]
