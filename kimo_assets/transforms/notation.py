"""kimo.yaml's notation for a transformation, parsed into frozen values.

A transformation is a step or a list of steps. A step is a bare name (`trim`), or a mapping of its
name to its argument (`{lookup: {N: NORD}, default: ALTRO}`). The first may be an input
(`constant`, `coalesce`, `concat`, `expression`). Without one the field's own column is the input.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from kimo_assets.errors import nearest
from kimo_assets.texts import say
from kimo_assets.transforms import numbers, steps
from kimo_assets.transforms.dates import AsDate, DateFormat
from kimo_assets.transforms.expressions import Expression
from kimo_assets.transforms.inputs import Coalesce, Concat, Constant, Input, OwnColumn
from kimo_assets.transforms.values import text_of

Step = Callable[[Any, frozenset[str]], Any]


class NotationError(ValueError):
    """A mistake in the notation. path: the keys and positions that lead to it."""

    def __init__(self, message: str, path: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.path = tuple(path)


@dataclass(frozen=True)
class Transformation:
    """An input and the steps after it. text: the notation in a line, different for each one."""

    input: Input
    steps: tuple[Step, ...]
    text: str

    def columns(self, own: str) -> tuple[str, ...]:
        """The columns it reads, once each. own: the field's own."""
        named = self.input.columns
        if named is None:
            return (own,)
        return tuple(dict.fromkeys(named))

    @property
    def keeps_the_value(self) -> bool:
        """Whether the ERP's own column holds the value: `QueryAsLong` only changes the query."""
        return self.input.columns is None and set(self.steps) <= {numbers.query_as_long}

    @property
    def is_asked_as_number(self) -> bool:
        """Whether a query compares the field's own column with a number, not with a text."""
        return self.input.columns is None and numbers.query_as_long in self.steps


@dataclass(frozen=True)
class _Word:
    """A word of the notation. make: the step from its argument and options. bare: no argument."""

    make: Callable[..., Any]
    example: str
    options: tuple[str, ...] = field(default=())
    bare: bool = False


def parse(given: Any) -> Transformation:
    """The transformation of kimo.yaml's value. Raises: NotationError."""
    items = given if isinstance(given, list) else [given]
    if not items:
        raise NotationError(say("transforms.expected_steps"))
    parts = []
    # Only a list has positions in kimo.yaml, so a single step adds none to the path.
    for position, item in enumerate(items):
        try:
            parts.append(_step(item, is_first=position == 0))
        except NotationError as error:
            path = error.path
            if isinstance(given, list):
                path = (str(position), *path)
            raise NotationError(str(error), path) from None
    source: Input = OwnColumn()
    # Steps are plain callables, inputs have `of`.
    if hasattr(parts[0], "of"):
        source = parts.pop(0)
    # YAML makes a date of 2024-01-31, and JSON has none.
    text = json.dumps(given, default=str, ensure_ascii=False)
    return Transformation(source, tuple(parts), text)


def as_dates(formats: Sequence[DateFormat], *, or_iso: bool) -> Transformation:
    """The transformation of the field's own column by the date formats of its source."""
    text = json.dumps({"dates": [form.notation for form in formats], "iso": or_iso})
    return Transformation(OwnColumn(), (AsDate(tuple(formats), or_iso),), text)


def _step(written: Any, *, is_first: bool) -> Any:
    """The input or step that is written. Raises: NotationError, with an example."""
    name, argument, options = _split(written)
    word = _WORDS[name]
    if name in INPUTS and not is_first:
        raise NotationError(say("transforms.only_first", name=name))
    if word.bare:
        if isinstance(written, Mapping):
            raise NotationError(say("transforms.takes_no_argument", name=name), (name,))
        return word.make
    example = f"{{{word.example}}}"
    if not isinstance(written, Mapping):
        raise NotationError(say("transforms.needs_argument", name=name, example=example))
    try:
        return word.make(argument, **options)
    except NotationError as error:
        message = say("transforms.expected_like", problem=error, example=example)
        raise NotationError(message, error.path or (name,)) from None
    except ValueError as error:
        raise NotationError(str(error), (name,)) from None


def _split(written: Any) -> tuple[str, Any, dict[str, Any]]:
    """A step's name, argument and options."""
    if isinstance(written, str):
        _require_word(written)
        return written, None, {}
    if not isinstance(written, Mapping) or not written:
        example = f"{{{STEPS['lookup'].example}}}"
        raise NotationError(say("transforms.expected_step", example=example))
    names = [key for key in written if key in _WORDS]
    if len(names) > 1:
        pair = say("transforms.and").join(names)
        raise NotationError(say("transforms.two_steps", names=pair))
    if not names:
        _require_word(next(iter(written)))
    name = names[0]
    options = {key: value for key, value in written.items() if key != name}
    for option in options:
        _require_option(name, option)
    return name, written[name], options


def _require_option(name: str, option: str) -> None:
    allowed = _WORDS[name].options
    if option in allowed:
        return
    close = nearest(option, allowed) or nearest(option, _WORDS)
    hint = ""
    if close:
        hint = say("errors.did_you_mean", names=f"`{close[0]}`")
    raise NotationError(
        say("transforms.unknown_option", name=name, option=option, hint=hint), (option,)
    )


def _require_word(name: str) -> None:
    if name in _WORDS:
        return
    close = nearest(name, _WORDS)
    if close:
        names = say("errors.or").join(f"`{word}`" for word in close)
        hint = say("errors.did_you_mean", names=names)
    else:
        hint = say("transforms.there_are", names=", ".join(_WORDS))
    raise NotationError(say("transforms.unknown_step", name=name, hint=hint))


# --- the arguments of each step
# -------------------------------------------------------------------------------------------


def _scalar(value: Any, expected: str = "value") -> Any:
    """The value itself. expected: the end of the sentence's key. Raises: for lists and mappings."""
    if value is None or not isinstance(value, (str, int, float, date)):
        raise NotationError(say(f"transforms.expected.{expected}"))
    return value


def _columns(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not given:
        raise NotationError(say("transforms.expected_columns"))
    if not all(isinstance(name, str) and name for name in given):
        raise NotationError(say("transforms.expected_columns"))
    return tuple(given)


def _table(given: Any, option: str) -> dict[str, str]:
    """Pairs of texts. Raises: NotationError with the path down to a value that is none."""
    if not isinstance(given, Mapping) or not given:
        raise NotationError(say("transforms.expected_pairs"))
    for key, value in given.items():
        if isinstance(value, (list, Mapping)):
            message = say("transforms.expected_value_for", key=key)
            raise NotationError(message, (option, str(key)))
    return {str(key): text_of(value) for key, value in given.items()}


def _constant(given: Any) -> Constant:
    return Constant(_scalar(given))


def _coalesce(given: Any) -> Coalesce:
    return Coalesce(_columns(given))


def _concat(given: Any, separator: Any = "") -> Concat:
    return Concat(_columns(given), text_of(_scalar(separator)))


def _expression(given: Any) -> Expression:
    return Expression(str(_scalar(given, "expression")))


def _lookup(given: Any, **options: Any) -> steps.Lookup:
    table = _table(given, "lookup")
    if "default" not in options:
        return steps.Lookup(table)
    # `default:` without a value means: no value for codes that are not listed.
    default = options["default"]
    text = ""
    if default is not None:
        text = text_of(_scalar(default))
    return steps.Lookup(table, True, text)


def _prefix(given: Any) -> steps.RemovePrefix:
    prefix = text_of(_scalar(given, "text"))
    if not prefix:
        raise NotationError(say("transforms.expected.text"))
    return steps.RemovePrefix(prefix)


def _replace(given: Any) -> steps.Replace:
    table = _table(given, "replace")
    if "" in table:
        raise NotationError(say("transforms.replaces_empty"))
    return steps.Replace(table)


def _date(given: Any) -> AsDate:
    return AsDate((DateFormat(str(_scalar(given, "format"))),))


def _number(given: Any) -> numbers.AsNumber:
    return numbers.AsNumber(str(_scalar(given, "example")))


INPUTS: Mapping[str, _Word] = {
    "constant": _Word(_constant, "constant: EUR"),
    "coalesce": _Word(_coalesce, "coalesce: [TEL1, TEL2]"),
    "concat": _Word(_concat, 'concat: [NOTE1, NOTE2], separator: " - "', ("separator",)),
    "expression": _Word(_expression, "expression: \"NAME ~ ' ' ~ CITY\""),
}

STEPS: Mapping[str, _Word] = {
    "StringToHash": _Word(steps.string_to_hash, "", bare=True),
    "QueryAsLong": _Word(numbers.query_as_long, "", bare=True),
    "RemovePrefix": _Word(_prefix, "RemovePrefix: Account_"),
    "StringToInteger": _Word(numbers.string_to_integer, "", bare=True),
    "trim": _Word(steps.trim, "", bare=True),
    "upper": _Word(steps.upper, "", bare=True),
    "lower": _Word(steps.lower, "", bare=True),
    "replace": _Word(_replace, 'replace: {"&": "e"}'),
    "lookup": _Word(_lookup, "lookup: {N: NORD, S: SUD}, default: ALTRO", ("default",)),
    "date": _Word(_date, "date: dd/MM/yyyy"),
    "number": _Word(_number, 'number: "1.234,56"'),
}

_WORDS: Mapping[str, _Word] = {**INPUTS, **STEPS}
