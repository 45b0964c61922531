"""A column of Python values as texts that PostgreSQL judges, and the positions of those it must not even see."""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any

from kimo_assets.catalog import Field

_Cleaned = tuple[Sequence[Any], Sequence[int]]


def is_trimmed(target: Field) -> bool:
    """Keys from CHAR columns come padded, and would match nothing."""
    return target.name == "Id" or target.is_key


def _kinds(values: Sequence[Any]) -> set[type]:
    return set(map(type, values))


def _replaced(values: Sequence[Any], replacements: dict[Any, Any]) -> Sequence[Any]:
    return [replacements.get(value, value) for value in values] if replacements else values


def _clean_text(values: Sequence[Any], target: Field) -> _Cleaned:
    if not _kinds(values) <= {int, str, type(None)}:
        values = [_text(v) for v in values]
    if not is_trimmed(target):
        return values, ()
    # Keys repeat: judged once each, and a column without padding or zeros is passed on untouched.
    odd = [v for v in set(values) if v == 0 or v == "0" or (type(v) is str and v[-1:] == " ")]
    return _replaced(values, {v: _clean_key(v, target) for v in odd}), ()


def _clean_key(value: Any, target: Field) -> Any:
    trimmed = value.rstrip(" ") if type(value) is str else value
    return None if target.is_key and (trimmed == "0" or trimmed == 0) else trimmed


def _text(value: Any) -> Any:
    """What a text column of PostgreSQL would hold: 12.0 and 12.00 are the code 12, and a flag is 0 or 1."""
    if isinstance(value, (bytes, memoryview)):
        return decode(bytes(value))
    if isinstance(value, (float, Decimal)):
        return _plain_number(value)
    return int(value) if isinstance(value, bool) else value


def _plain_number(value: float | Decimal) -> str:
    """Digits without an exponent or trailing zeros."""
    text = format(value if isinstance(value, Decimal) else Decimal(repr(value)), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


# PostgreSQL would also take 0x10 and 1_000, as programmers write numbers; from an ERP they are mistakes.
_PROGRAMMERS_NUMBER = re.compile(r"[_xXoObB]")


def is_number(target: Field) -> bool:
    return target.type in ("dec", "int", "enum") and not target.is_open_enum


def _clean_number(values: Sequence[Any], target: Field) -> _Cleaned:
    kinds = _kinds(values)
    if bool in kinds:
        values = [int(v) if type(v) is bool else v for v in values]
    if str not in kinds or not is_number(target):
        return values, ()
    odd = {v for v in set(values) if type(v) is str and _PROGRAMMERS_NUMBER.search(v)}
    return values, [index for index, v in enumerate(values) if v in odd] if odd else ()


def _clean_whole(values: Sequence[Any], target: Field) -> _Cleaned:
    values, odd = _clean_number(values, target)
    if _kinds(values) <= {int, str, type(None)}:
        return values, odd
    return [v if v is None or type(v) is int or type(v) is str else _whole(v) for v in values], odd


def _clean_flag(values: Sequence[Any], target: Field) -> _Cleaned:
    return [v if v is None or type(v) is int or type(v) is str else _whole(v) for v in values], ()


def _whole(value: Any) -> Any:
    """1.0 and True are whole numbers to an ERP; anything else is left for PostgreSQL to refuse."""
    if isinstance(value, (bool, float, Decimal)) and isfinite(value) and value == int(value):
        return int(value)
    if isinstance(value, bytes) and len(value) == 1:
        return value[0]  # MySQL's BIT(1)
    return value


# PostgreSQL would also take 'today', 'infinity' or 1/2/03; only year first is a date here.
_ISO_DATE = re.compile(r"\d{4}-\d\d?-\d\d?|\d{8}(?!\d)")
_NO_DATE = (-1, "-1", "")


def is_day(target: Field) -> bool:
    return target.type in ("date", "dt")


def _clean_date(values: Sequence[Any], target: Field) -> _Cleaned:
    distinct = set(values)
    none = {v for v in distinct if (v.rstrip(" ") if type(v) is str else v) in _NO_DATE}
    odd = {v for v in distinct - none if v is not None and not _is_date(v)}
    values = _replaced(values, dict.fromkeys(none))
    return values, [index for index, v in enumerate(values) if v in odd] if odd else ()


def _is_date(value: Any) -> bool:
    return isinstance(value, (date, datetime)) or bool(_ISO_DATE.match(str(value)))


def decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


_UNWRITTEN_RULE = {"date": "impossible_date", "dt": "impossible_date", "enum": "unknown_enum_code"}


def clean(values: Sequence[Any], target: Field) -> tuple[Sequence[Any], Sequence[int], str]:
    """The column as it is written, the positions of the values that are not, and the rule these have broken."""
    cleaned, refused = _CLEANERS[target.type](values, target)
    return cleaned, refused, _UNWRITTEN_RULE.get(target.type, "not_a_number")


_CLEANERS: dict[str, Callable[[Sequence[Any], Field], _Cleaned]] = {
    "text": _clean_text,
    "dec": _clean_number,
    "int": _clean_whole,
    "enum": _clean_whole,
    "bool": _clean_flag,
    "date": _clean_date,
    "dt": _clean_date,
}
