"""A driver's values in the few forms that transformations work on, the same for every driver."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

# Exact types, because a bool is an int too.
_PLAIN_TYPES = {str, int, Decimal, date, datetime, type(None)}


def plain(values: Sequence[Any]) -> Sequence[Any]:
    """A column of texts, whole numbers, exact decimals, days, moments and None; flags as 0 and 1.

    A column that is plain already is returned itself, without a copy.
    """
    if set(map(type, values)) <= _PLAIN_TYPES:
        return values
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    match value:
        case bool():
            return int(value)
        case float():
            # The shortest decimal that is this float: 0.1, not 0.1000000000000000055.
            return Decimal(repr(value))
        case bytes() | bytearray() | memoryview():
            return decode(bytes(value))
        case str() | int() | Decimal() | date() | None:
            return value
    return str(value)


def text_of(value: Any) -> str:
    """The text that a text column would hold: '' for no value, 12 for 12.00, 0 and 1 for flags."""
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
    """Digits without an exponent or trailing zeros; minus zero is 0."""
    if not isinstance(value, Decimal):
        # By way of its repr, so that 0.1 stays 0.1.
        value = Decimal(repr(value))
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def decode(raw: bytes) -> str:
    """The text of UTF-8 bytes. Other bytes become characters that no database takes.

    So the row is rejected, and the read goes on.
    """
    return raw.decode("utf-8", "surrogateescape")
