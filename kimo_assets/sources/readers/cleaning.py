"""A column of Python values as texts that PostgreSQL judges, and the positions of those it must not
even see.
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

_Cleaned = tuple[Sequence[Any], Sequence[int]]


def is_trimmed(target: Field) -> bool:
    """Keys from CHAR columns come padded, and would match nothing."""
    return target.name == "Id" or target.is_key


def _kinds(values: Sequence[Any]) -> set[type]:
    return set(map(type, values))


def _replaced(values: Sequence[Any], replacements: dict[Any, Any]) -> Sequence[Any]:
    return [replacements.get(value, value) for value in values] if replacements else values


def _clean_text(values: Sequence[Any], target: Field, no_value: NoValueConfig) -> _Cleaned:
    if not _kinds(values) <= {int, str, type(None)}:
        values = [_text(v) for v in values]
    if not is_trimmed(target):
        return values, ()
    # Keys repeat: judged once each, and a column without padding or zeros is passed on untouched.
    absent = absent_in(target, no_value)
    odd = [
        v
        for v in set(values)
        if (type(v) is str and v[-1:] == " ") or (absent and str(v) in absent)
    ]
    return _replaced(values, {v: _clean_key(v, absent) for v in odd}), ()


def absent_in(target: Field, no_value: NoValueConfig) -> frozenset[str]:
    """The texts that mean "no value" in a field, beside the empty one (fact sheet, section 8)."""
    if is_day(target):
        return frozenset(no_value.dates)
    return frozenset(no_value.keys) if target.is_key else frozenset()


def _clean_key(value: Any, absent: frozenset[str]) -> Any:
    trimmed = value.rstrip(" ") if type(value) is str else value
    return None if str(trimmed) in absent else trimmed


def _text(value: Any) -> Any:
    """What a text column of PostgreSQL would hold: 12.0 and 12.00 are the code 12, and a flag is 0
    or 1.
    """
    if isinstance(value, (bytes, memoryview)):
        return decode(bytes(value))
    if isinstance(value, (float, Decimal)):
        return plain_number(value)
    return int(value) if isinstance(value, bool) else value


# PostgreSQL would also take 0x10 and 1_000, as programmers write numbers; from an ERP they are
# mistakes.
_PROGRAMMERS_NUMBER = re.compile(r"[_xXoObB]")


def is_number(target: Field) -> bool:
    return target.type in ("dec", "int", "enum") and not target.is_open_enum


def _clean_number(values: Sequence[Any], target: Field, no_value: NoValueConfig) -> _Cleaned:
    kinds = _kinds(values)
    if bool in kinds:
        values = [int(v) if type(v) is bool else v for v in values]
    if str not in kinds or not is_number(target):
        return values, ()
    odd = {v for v in set(values) if type(v) is str and _PROGRAMMERS_NUMBER.search(v)}
    return values, [index for index, v in enumerate(values) if v in odd] if odd else ()


def _clean_whole(values: Sequence[Any], target: Field, no_value: NoValueConfig) -> _Cleaned:
    values, odd = _clean_number(values, target, no_value)
    if _kinds(values) <= {int, str, type(None)}:
        return values, odd
    return [v if v is None or type(v) is int or type(v) is str else _whole(v) for v in values], odd


def _clean_flag(values: Sequence[Any], target: Field, no_value: NoValueConfig) -> _Cleaned:
    return [v if v is None or type(v) is int or type(v) is str else _whole(v) for v in values], ()


def _whole(value: Any) -> Any:
    """1.0 and True are whole numbers to an ERP; anything else is left for PostgreSQL to refuse."""
    if isinstance(value, (bool, float, Decimal)) and isfinite(value) and value == int(value):
        return int(value)
    if isinstance(value, bytes) and len(value) == 1:
        return value[0]  # MySQL's BIT(1)
    return value


def is_day(target: Field) -> bool:
    return target.type in ("date", "dt")


@lru_cache
def no_date(no_value: NoValueConfig) -> str:
    """A pattern of what means "no date", in words that Python and PostgreSQL both read; a day also
    means its midnight.
    """
    midnight = r"([T ]00:00(:00(\.0+)?)?([-+]\d\d(:?\d\d)?)?)?"
    texts = [
        re.escape(text) + (midnight if ISO_DATE.match(text) else "") for text in no_value.dates
    ]
    return f"^({'|'.join(['', *texts])}) *$"


def may_be_a_day(no_value: NoValueConfig) -> bool:
    """Whether a value of a database's own date type can mean "no date"."""
    return any(map(ISO_DATE.match, no_value.dates))


def _clean_date(values: Sequence[Any], target: Field, no_value: NoValueConfig) -> _Cleaned:
    distinct = set(values)
    pattern = re.compile(no_date(no_value))
    none = {v for v in distinct if v is not None and pattern.fullmatch(_as_written(v))}
    odd = {v for v in distinct - none if v is not None and not _is_date(v)}
    values = _replaced(values, dict.fromkeys(none))
    return values, [index for index, v in enumerate(values) if v in odd] if odd else ()


def _as_written(value: Any) -> str:
    return plain_number(value) if isinstance(value, (float, Decimal)) else str(value)


def _is_date(value: Any) -> bool:
    """PostgreSQL would also take 'today', 'infinity' or 1/2/03; only year first is a date here."""
    return isinstance(value, date) or bool(ISO_DATE.match(str(value)))


_UNWRITTEN_RULE = {"date": "impossible_date", "dt": "impossible_date", "enum": "unknown_enum_code"}


def clean(
    values: Sequence[Any], target: Field, no_value: NoValueConfig
) -> tuple[Sequence[Any], Sequence[int], str]:
    """The column as it is written, the positions of the values that are not, and the rule these
    have broken.
    """
    cleaned, refused = _CLEANERS[target.type](values, target, no_value)
    return cleaned, refused, _UNWRITTEN_RULE.get(target.type, "not_a_number")


_CLEANERS: dict[str, Callable[[Sequence[Any], Field, NoValueConfig], _Cleaned]] = {
    "text": _clean_text,
    "dec": _clean_number,
    "int": _clean_whole,
    "enum": _clean_whole,
    "bool": _clean_flag,
    "date": _clean_date,
    "dt": _clean_date,
}
