"""A column of Python values as texts that PostgreSQL validates.

Beside it the positions of the values that PostgreSQL would wrongly accept, which are rejected here.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any

from kimo_assets.catalog import Field
from kimo_assets.config import NoValueConfig
from kimo_assets.transforms.dates import ISO_DATE
from kimo_assets.transforms.values import decode, plain_number

# The values, and the positions of the rejected ones.
_Cleaned = tuple[Sequence[Any], Sequence[int]]


def is_trimmed(target: Field) -> bool:
    """Whether trailing blanks are cut off: keys from CHAR columns are padded and match nothing."""
    return target.name == "Id" or target.is_key


def _types(values: Sequence[Any]) -> set[type]:
    return set(map(type, values))


def _replaced(values: Sequence[Any], replacements: dict[Any, Any]) -> Sequence[Any]:
    if not replacements:
        return values
    return [replacements.get(value, value) for value in values]


def _positions(values: Sequence[Any], rejected: set[Any]) -> Sequence[int]:
    if not rejected:
        return ()
    return [index for index, value in enumerate(values) if value in rejected]


def _clean_text(values: Sequence[Any], target: Field, no_value: NoValueConfig) -> _Cleaned:
    if not _types(values) <= {int, str, type(None)}:
        values = [_text(value) for value in values]
    if not is_trimmed(target):
        return values, ()
    # Keys repeat, so each distinct one is cleaned once. A column without padding or zeros is
    # passed on as it is, without a copy.
    absent = absent_in(target, no_value)
    replacements = {}
    for value in set(values):
        is_padded = type(value) is str and value[-1:] == " "
        if is_padded or (absent and str(value) in absent):
            replacements[value] = _clean_key(value, absent)
    return _replaced(values, replacements), ()


def absent_in(target: Field, no_value: NoValueConfig) -> frozenset[str]:
    """The texts that mean "no value" in a field, beside the empty one (fact sheet, section 8)."""
    if is_day(target):
        return frozenset(no_value.dates)
    if target.is_key:
        return frozenset(no_value.keys)
    return frozenset()


def _clean_key(value: Any, absent: frozenset[str]) -> Any:
    if type(value) is str:
        value = value.rstrip(" ")
    return None if str(value) in absent else value


def _text(value: Any) -> Any:
    """The value as PostgreSQL's text: 12.0 and 12.00 are the code 12, and a flag is 0 or 1."""
    if isinstance(value, (bytes, memoryview)):
        return decode(bytes(value))
    if isinstance(value, (float, Decimal)):
        return plain_number(value)
    if isinstance(value, bool):
        return int(value)
    return value


# PostgreSQL would also take 0x10 and 1_000, as programs write numbers. An ERP's are mistakes.
_PROGRAMMERS_NUMBER = re.compile(r"[_xXoObB]")


def is_number(target: Field) -> bool:
    """Whether PostgreSQL reads the field's texts as numbers."""
    return target.type in ("dec", "int", "enum") and not target.is_open_enum


def _clean_number(values: Sequence[Any], target: Field, no_value: NoValueConfig) -> _Cleaned:
    types = _types(values)
    if bool in types:
        values = [int(value) if type(value) is bool else value for value in values]
    if str not in types or not is_number(target):
        return values, ()
    texts = {value for value in set(values) if type(value) is str}
    rejected = {text for text in texts if _PROGRAMMERS_NUMBER.search(text)}
    return values, _positions(values, rejected)


def _clean_whole(values: Sequence[Any], target: Field, no_value: NoValueConfig) -> _Cleaned:
    values, rejected = _clean_number(values, target, no_value)
    if _types(values) <= {int, str, type(None)}:
        return values, rejected
    return list(map(_whole, values)), rejected


def _clean_flag(values: Sequence[Any], target: Field, no_value: NoValueConfig) -> _Cleaned:
    if _types(values) <= {int, str, type(None)}:
        return values, ()
    return list(map(_whole, values)), ()


def _whole(value: Any) -> Any:
    """1.0 and True are whole numbers to an ERP. Anything else is left for PostgreSQL to reject."""
    # Nearly all values are of these types, and their check is cheap.
    if value is None or type(value) is int or type(value) is str:
        return value
    if isinstance(value, (bool, float, Decimal)) and isfinite(value) and value == int(value):
        return int(value)
    if isinstance(value, bytes) and len(value) == 1:
        return value[0]  # MySQL's BIT(1)
    return value


def is_day(target: Field) -> bool:
    """Whether the field holds days or moments."""
    return target.type in ("date", "dt")


@lru_cache
def no_date(no_value: NoValueConfig) -> str:
    """A pattern of the texts that mean "no date", for Python and PostgreSQL alike.

    A day in kimo.yaml's list also means its midnight.
    """
    midnight = r"([T ]00:00(:00(\.0+)?)?([-+]\d\d(:?\d\d)?)?)?"
    patterns = [""]
    for text in no_value.dates:
        pattern = re.escape(text)
        if ISO_DATE.match(text):
            pattern += midnight
        patterns.append(pattern)
    return f"^({'|'.join(patterns)}) *$"


def may_be_a_day(no_value: NoValueConfig) -> bool:
    """Whether a value of a database's own date type can mean "no date"."""
    return any(map(ISO_DATE.match, no_value.dates))


def _clean_date(values: Sequence[Any], target: Field, no_value: NoValueConfig) -> _Cleaned:
    distinct = set(values)
    distinct.discard(None)
    pattern = re.compile(no_date(no_value))
    absent = {value for value in distinct if pattern.fullmatch(_as_written(value))}
    rejected = {value for value in distinct - absent if not _is_date(value)}
    values = _replaced(values, dict.fromkeys(absent))
    return values, _positions(values, rejected)


def _as_written(value: Any) -> str:
    if isinstance(value, (float, Decimal)):
        return plain_number(value)
    return str(value)


def _is_date(value: Any) -> bool:
    """PostgreSQL would also take 'today', 'infinity' or 1/2/03; only year first is a date here."""
    return isinstance(value, date) or bool(ISO_DATE.match(str(value)))


_RULE_OF_REJECTED = {
    "date": "impossible_date",
    "dt": "impossible_date",
    "enum": "unknown_enum_code",
}


def clean(
    values: Sequence[Any], target: Field, no_value: NoValueConfig
) -> tuple[Sequence[Any], Sequence[int], str]:
    """The column as it is written, the positions of rejected values, and the rule they break."""
    cleaned, rejected = _CLEANERS[target.type](values, target, no_value)
    return cleaned, rejected, _RULE_OF_REJECTED.get(target.type, "not_a_number")


_CLEANERS: dict[str, Callable[[Sequence[Any], Field, NoValueConfig], _Cleaned]] = {
    "text": _clean_text,
    "dec": _clean_number,
    "int": _clean_whole,
    "enum": _clean_whole,
    "bool": _clean_flag,
    "date": _clean_date,
    "dt": _clean_date,
}
