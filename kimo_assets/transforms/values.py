"""A driver's values in the few forms that transformations work on, the same whichever driver gave
them.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

_AS_THEY_ARE = {str, int, Decimal, date, datetime, type(None)}


def plain(values: Sequence[Any]) -> Sequence[Any]:
    """A column as texts, whole numbers, exact decimals, days, moments and None. Flags are 0
    and 1.
    """
    return values if set(map(type, values)) <= _AS_THEY_ARE else [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    match value:
        case bool():
            return int(value)
        case float():
            return Decimal(repr(value))
        case bytes() | bytearray() | memoryview():
            return decode(bytes(value))
        case str() | int() | Decimal() | date() | None:
            return value
    return str(value)


def text_of(value: Any) -> str:
    """What a text column would hold: '' for no value, 12 for 12.00, 0 and 1 for flags."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return str(int(value))
        case float() | Decimal():
            return plain_number(value)
    return str(value)


def plain_number(value: float | Decimal) -> str:
    """Digits without an exponent or trailing zeros; nothing below zero is still nothing."""
    text = format(value if isinstance(value, Decimal) else Decimal(repr(value)), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def decode(raw: bytes) -> str:
    """Bytes that are no UTF-8 become characters that no database takes: the row is refused, not the
    read.
    """
    return raw.decode("utf-8", "surrogateescape")
