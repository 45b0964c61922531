"""What may be done to a value, one step after another. A step takes one value and what means "no
value" in that field.

No value stays none. A step that can make nothing of a value raises RefusedValue, which refuses the
row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from kimo_assets.transforms.outcome import RefusedValue
from kimo_assets.transforms.values import text_of

_SHOWN_CODES = 10


def trim(value: Any, absent: frozenset[str]) -> str:
    return text_of(value).strip()


def upper(value: Any, absent: frozenset[str]) -> str:
    return text_of(value).upper()


def lower(value: Any, absent: frozenset[str]) -> str:
    return text_of(value).lower()


def string_to_hash(value: Any, absent: frozenset[str]) -> str:
    """32 characters for an id of any length: the MD5 of the text, as Ids that are derived have it.

    The vendor does not name its algorithm (fact sheet, section 7). Trailing blanks are a CHAR
    column's.
    """
    text = text_of(value).rstrip(" ")
    if not text or text in absent:
        return ""
    try:
        return md5(text.encode(), usedforsecurity=False).hexdigest()
    except UnicodeEncodeError:
        raise RefusedValue("bytes that are no characters", "invalid_characters") from None


@dataclass(frozen=True)
class RemovePrefix:
    """The text behind the prefix; all of it where it begins otherwise."""

    prefix: str

    def __call__(self, value: Any, absent: frozenset[str]) -> str:
        return text_of(value).removeprefix(self.prefix)


@dataclass(frozen=True)
class Replace:
    """Each text by another, in the order given."""

    table: Mapping[str, str]

    def __call__(self, value: Any, absent: frozenset[str]) -> str:
        text = text_of(value)
        for old, new in self.table.items():
            text = text.replace(old, new)
        return text


@dataclass(frozen=True)
class Lookup:
    """A code's other value. default: of codes that are not listed, where there is one
    (`has_default`).
    """

    table: Mapping[str, str]
    has_default: bool = False
    default: str = ""

    def __call__(self, value: Any, absent: frozenset[str]) -> str:
        text = text_of(value).rstrip(" ")
        if text in self.table:
            return self.table[text]
        if not text or text in absent:
            return ""
        if self.has_default:
            return self.default
        more = ", ..." if len(self.table) > _SHOWN_CODES else ""
        raise RefusedValue(f"expected one of {', '.join(list(self.table)[:_SHOWN_CODES])}{more}")
