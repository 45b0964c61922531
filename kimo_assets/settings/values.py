"""A value of a settings file: the text that stands there as the column's value, and back."""

import re
from collections.abc import Iterable
from typing import Any

from kimo_assets.catalog import Field
from kimo_assets.errors import nearest
from kimo_assets.texts import say

# PostgreSQL's integer, the type of these columns.
_MAX_INT = 2**31 - 1
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def value_of(field: Field, text: str | None) -> Any:
    """An int, a bool, a text, an enum's code, or None.

    Raises: ValueError with a sentence about what was expected.
    """
    # A flag of the console is on or off. There is no third state.
    if text is None and field.type == "bool":
        return False
    if text is None or (text == "" and field.type != "bool"):
        return None
    match field.type:
        case "text":
            return _checked(field, text)
        case "bool":
            if text.casefold() not in _FLAGS:
                raise ValueError(say("settings.expected_flag", value=repr(text)))
            return _FLAGS[text.casefold()]
        case "enum":
            return _code(field, text)
        case _:
            # Few digits, because Python refuses to read a number of thousands of them.
            if not re.fullmatch(r"[-+]?\d{1,12}", text) or abs(int(text)) > _MAX_INT:
                raise ValueError(say("settings.expected_number", value=repr(text)))
            return int(text)


def text_of(field: Field, value: Any) -> Any:
    """How a settings file says the value: an enum's name in place of its code."""
    if field.type == "enum" and value is not None:
        return field.codes[str(value)]
    return value


def _checked(field: Field, text: str) -> str:
    if re.search("[\0\ud800-\udfff]", text):
        raise ValueError(say("settings.not_a_text"))
    if field.size is not None and len(text) > field.size:
        raise ValueError(say("settings.too_long", size=field.size, length=len(text)))
    return text


def _code(field: Field, text: str) -> int:
    """An enum's code, given by its name or by itself."""
    codes = {name.casefold(): code for code, name in field.codes.items()}
    codes |= {code: code for code in field.codes}
    if text.casefold() in codes:
        return int(codes[text.casefold()])
    names = list(field.codes.values())
    *others, last = names
    hint = did_you_mean(text, names) or say(
        "settings.expected_one_of", names=", ".join(others), last=last
    )
    raise ValueError(say("settings.no_such_value", value=repr(text), hint=hint))


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A question that names the candidates most like the name; empty without any."""
    close = nearest(name, candidates)
    if not close:
        return ""
    return say("settings.did_you_mean", names=say("errors.or").join(close))
