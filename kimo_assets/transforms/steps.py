"""What may be done to a value, one step after another.

A step takes a value and the texts that mean "no value" in its field. No value stays no value. A
step that cannot transform a value raises RejectedValueError, and the row is rejected.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from kimo_assets.texts import say
from kimo_assets.transforms.outcome import RejectedValueError
from kimo_assets.transforms.values import text_of

# A message lists so many codes, because a lookup may have hundreds.
_SHOWN_CODES = 10


def trim(value: Any, absent: frozenset[str]) -> str:
    """The text without blanks around it."""
    return text_of(value).strip()


def upper(value: Any, absent: frozenset[str]) -> str:
    """The text in capitals."""
    return text_of(value).upper()


def lower(value: Any, absent: frozenset[str]) -> str:
    """The text in small letters."""
    return text_of(value).lower()


def string_to_hash(value: Any, absent: frozenset[str]) -> str:
    """32 characters for an id of any length: the MD5 of the text, as for derived Ids.

    The vendor does not name its algorithm (fact sheet, section 7).
    """
    # A CHAR column pads its texts with blanks.
    text = text_of(value).rstrip(" ")
    if not text or text in absent:
        return ""
    # A machine in FIPS mode gives MD5 only for what is no security. Bytes that were no UTF-8 have
    # become surrogates, and cannot be encoded.
    try:
        return md5(text.encode(), usedforsecurity=False).hexdigest()
    except UnicodeEncodeError:
        raise RejectedValueError(say("transforms.rejected.bytes"), "invalid_characters") from None


@dataclass(frozen=True)
class RemovePrefix:
    """The text behind the prefix, or the whole text where it starts otherwise."""

    prefix: str

    def __call__(self, value: Any, absent: frozenset[str]) -> str:
        """The text without the prefix."""
        return text_of(value).removeprefix(self.prefix)


@dataclass(frozen=True)
class Replace:
    """Replaces each text by another, in the given order."""

    table: Mapping[str, str]

    def __call__(self, value: Any, absent: frozenset[str]) -> str:
        """The text with each part replaced, in the order of the table."""
        text = text_of(value)
        for old, new in self.table.items():
            text = text.replace(old, new)
        return text


@dataclass(frozen=True)
class Lookup:
    """Translates a code. default: for codes that are not listed, where `has_default`."""

    table: Mapping[str, str]
    has_default: bool = False
    default: str = ""

    def __call__(self, value: Any, absent: frozenset[str]) -> str:
        """What the table has for the text."""
        # A CHAR column pads its texts with blanks.
        text = text_of(value).rstrip(" ")
        if text in self.table:
            return self.table[text]
        if not text or text in absent:
            return ""
        if self.has_default:
            return self.default
        codes = list(self.table)[:_SHOWN_CODES]
        if len(self.table) > _SHOWN_CODES:
            codes.append("...")
        raise RejectedValueError(say("transforms.rejected.code", codes=", ".join(codes)))
