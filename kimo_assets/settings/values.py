"""A value of a settings file: the text that stands there as the column's value, and back."""

import re
from typing import Any

from kimo_assets.catalog import Field
from kimo_assets.errors import nearest

_MAX_INT = 2**31 - 1
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def value_of(field: Field, text: str | None) -> Any:
    """An int, a bool, a text, an enum's code, or None. Raises: ValueError with what was expected,
    in words.
    """
    if text is None or (text == "" and field.type != "bool"):
        return False if field.type == "bool" else None
    match field.type:
        case "text":
            return _checked(field, text)
        case "bool":
            if text.casefold() not in _FLAGS:
                raise ValueError(f"expected true or false, got {text!r}")
            return _FLAGS[text.casefold()]
        case "enum":
            return _code(field, text)
        case _:
            if not re.fullmatch(r"[-+]?\d{1,12}", text) or abs(int(text)) > _MAX_INT:
                raise ValueError(f"expected a whole number, got {text!r}")
            return int(text)


def text_of(field: Field, value: Any) -> Any:
    """How a settings file says the value: an enum's name in place of its code."""
    return field.codes[str(value)] if field.type == "enum" and value is not None else value


def _checked(field: Field, text: str) -> str:
    if re.search("[\0\ud800-\udfff]", text):
        raise ValueError("the text holds a NUL or half a character, which no text may hold")
    if field.size is not None and len(text) > field.size:
        raise ValueError(f"at most {field.size} characters, got {len(text)}")
    return text


def _code(field: Field, text: str) -> int:
    codes = {name.casefold(): code for code, name in field.codes.items()} | {
        code: code for code in field.codes
    }
    if text.casefold() in codes:
        return int(codes[text.casefold()])
    names = list(field.codes.values())
    hint = nearest(text, names)
    expected = (
        f"Did you mean {' or '.join(hint)}?"
        if hint
        else f"Expected {', '.join(names[:-1])} or {names[-1]}."
    )
    raise ValueError(f"there is no {text!r} here. {expected}")
