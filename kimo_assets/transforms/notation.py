"""kimo.yaml's notation for a transformation, parsed into frozen values.

A transformation is one step or a list of steps. A step is a bare name (`trim`), or a mapping of its
name to what it wants (`{lookup: {N: NORD}, default: ALTRO}`). The first may be a beginning
(`constant`, `coalesce`, `concat`, `expression`); else the value begins as the field's own column.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from kimo_assets.errors import nearest
from kimo_assets.transforms import numbers, steps
from kimo_assets.transforms.dates import AsDate, DateFormat
from kimo_assets.transforms.expressions import Expression
from kimo_assets.transforms.inputs import Coalesce, Concat, Constant, Input, OwnColumn
from kimo_assets.transforms.values import text_of

Step = Callable[[Any, frozenset[str]], Any]


class NotationError(ValueError):
    """path: the keys and positions within the transformation down to what is wrong."""

    def __init__(self, message: str, path: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.path = tuple(path)


@dataclass(frozen=True)
class Transformation:
    """text: the notation in one line, which differs wherever two transformations differ."""

    beginning: Input
    steps: tuple[Step, ...]
    text: str

    def columns(self, own: str) -> tuple[str, ...]:
        """The columns it reads, once each. own: the field's own."""
        named = self.beginning.columns
        return (own,) if named is None else tuple(dict.fromkeys(named))

    @property
    def keeps_the_value(self) -> bool:
        """Whether the ERP knows the value by its own column: `QueryAsLong` only says how it is
        asked for.
        """
        return self.beginning.columns is None and set(self.steps) <= {numbers.query_as_long}

    @property
    def is_asked_as_number(self) -> bool:
        return self.beginning.columns is None and numbers.query_as_long in self.steps


@dataclass(frozen=True)
class _Kind:
    """make: the step from its argument and options. example: as it would be written; bare: there is
    no argument.
    """

    make: Callable[..., Any]
    example: str
    options: tuple[str, ...] = field(default=())
    bare: bool = False


def parse(given: Any) -> Transformation:
    """The transformation that is written. Raises: NotationError."""
    written = given if isinstance(given, list) else [given]
    if not written:
        raise NotationError("expected a step or a list of steps, e.g. trim")
    made = []
    for position, one in enumerate(written):
        try:
            made.append(_step(one, is_first=position == 0))
        except NotationError as error:
            raise NotationError(
                str(error), (str(position), *error.path) if given is written else error.path
            ) from None
    begins = made and hasattr(made[0], "of")
    beginning = made.pop(0) if begins else OwnColumn()
    return Transformation(
        beginning, tuple(made), json.dumps(given, default=str, ensure_ascii=False)
    )


def as_dates(formats: Sequence[DateFormat], *, or_iso: bool) -> Transformation:
    """Reads the field's own column by the formats that its source writes days in."""
    text = json.dumps({"dates": [form.notation for form in formats], "iso": or_iso})
    return Transformation(OwnColumn(), (AsDate(tuple(formats), or_iso),), text)


def _step(written: Any, *, is_first: bool) -> Any:
    name, argument, options = _split(written)
    kind = BEGINNINGS.get(name) or STEPS[name]
    if name in BEGINNINGS and not is_first:
        raise NotationError(f"`{name}` makes a value anew, so it can only be the first step")
    if kind.bare:
        if isinstance(written, Mapping):
            raise NotationError(f"`{name}` takes nothing: write it without a colon", (name,))
        return kind.make
    if not isinstance(written, Mapping):
        raise NotationError(f"`{name}` needs to be told more. Expected e.g. {{{kind.example}}}")
    try:
        return kind.make(argument, **options)
    except NotationError as error:
        raise NotationError(
            f"{error}. Expected e.g. {{{kind.example}}}", error.path or (name,)
        ) from None
    except ValueError as error:
        raise NotationError(str(error), (name,)) from None


def _split(written: Any) -> tuple[str, Any, dict[str, Any]]:
    """A step's name, argument and options."""
    if isinstance(written, str):
        _require_known(written)
        return written, None, {}
    if not isinstance(written, Mapping) or not written:
        raise NotationError(f"expected a step, e.g. trim or {{{STEPS['lookup'].example}}}")
    names = [key for key in written if key in BEGINNINGS or key in STEPS]
    if len(names) > 1:
        raise NotationError(
            f"{' and '.join(names)} are two steps: write them as a list, one `- ` each"
        )
    _require_known(names[0] if names else next(iter(written)))
    name = names[0]
    allowed = (BEGINNINGS.get(name) or STEPS[name]).options
    for option in written:
        if option != name and option not in allowed:
            close = nearest(option, allowed) or nearest(option, [*BEGINNINGS, *STEPS])
            hint = f" Did you mean `{close[0]}`?" if close else ""
            raise NotationError(f"`{name}` has no `{option}`.{hint}", (option,))
    return name, written[name], {key: value for key, value in written.items() if key != name}


def _require_known(name: str) -> None:
    known = [*BEGINNINGS, *STEPS]
    if name not in known:
        close = nearest(name, known)
        hint = (
            f"Did you mean `{'` or `'.join(close)}`?"
            if close
            else f"There are: {', '.join(known)}."
        )
        raise NotationError(f"there is no transformation `{name}`. {hint}", ())


# --- what each step wants
# -------------------------------------------------------------------------------------------


def _scalar(value: Any, what: str = "a value") -> Any:
    if value is None or not isinstance(value, (str, int, float, date)):
        raise NotationError(f"expected {what}")
    return value


def _columns(given: Any) -> tuple[str, ...]:
    if (
        not isinstance(given, list)
        or not given
        or not all(isinstance(name, str) and name for name in given)
    ):
        raise NotationError("expected a list of columns")
    return tuple(given)


def _table(given: Any, option: str) -> dict[str, str]:
    if not isinstance(given, Mapping) or not given:
        raise NotationError("expected pairs")
    for key, value in given.items():
        if isinstance(value, (list, Mapping)):
            raise NotationError(f"expected a value for {key}", (option, str(key)))
    return {str(key): text_of(value) for key, value in given.items()}


def _constant(given: Any) -> Constant:
    return Constant(_scalar(given))


def _coalesce(given: Any) -> Coalesce:
    return Coalesce(_columns(given))


def _concat(given: Any, separator: Any = "") -> Concat:
    return Concat(_columns(given), text_of(_scalar(separator)))


def _expression(given: Any) -> Expression:
    return Expression(str(_scalar(given, "an expression")))


def _lookup(given: Any, **options: Any) -> steps.Lookup:
    table = _table(given, "lookup")
    if "default" not in options:
        return steps.Lookup(table)
    default = options["default"]
    return steps.Lookup(table, True, "" if default is None else text_of(_scalar(default)))


def _prefix(given: Any) -> steps.RemovePrefix:
    prefix = text_of(_scalar(given, "a text"))
    if not prefix:
        raise NotationError("expected a text")
    return steps.RemovePrefix(prefix)


def _replace(given: Any) -> steps.Replace:
    table = _table(given, "replace")
    if "" in table:
        raise NotationError("an empty text cannot be replaced")
    return steps.Replace(table)


def _date(given: Any) -> AsDate:
    return AsDate((DateFormat(str(_scalar(given, "a format"))),))


def _number(given: Any) -> numbers.AsNumber:
    return numbers.AsNumber(str(_scalar(given, "an example")))


BEGINNINGS: Mapping[str, _Kind] = {
    "constant": _Kind(_constant, "constant: EUR"),
    "coalesce": _Kind(_coalesce, "coalesce: [TEL1, TEL2]"),
    "concat": _Kind(_concat, 'concat: [NOTE1, NOTE2], separator: " - "', ("separator",)),
    "expression": _Kind(_expression, "expression: \"NAME ~ ' ' ~ CITY\""),
}

STEPS: Mapping[str, _Kind] = {
    "StringToHash": _Kind(steps.string_to_hash, "", bare=True),
    "QueryAsLong": _Kind(numbers.query_as_long, "", bare=True),
    "RemovePrefix": _Kind(_prefix, "RemovePrefix: Account_"),
    "StringToInteger": _Kind(numbers.string_to_integer, "", bare=True),
    "trim": _Kind(steps.trim, "", bare=True),
    "upper": _Kind(steps.upper, "", bare=True),
    "lower": _Kind(steps.lower, "", bare=True),
    "replace": _Kind(_replace, 'replace: {"&": "e"}'),
    "lookup": _Kind(_lookup, "lookup: {N: NORD, S: SUD}, default: ALTRO", ("default",)),
    "date": _Kind(_date, "date: dd/MM/yyyy"),
    "number": _Kind(_number, 'number: "1.234,56"'),
}
