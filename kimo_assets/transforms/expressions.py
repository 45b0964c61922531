"""Expressions over a row's columns: Jinja's, in its sandbox, compiled once and evaluated for a
whole batch at a time.

What is different from a template's: numbers are exact decimals, `round` rounds halves away from
zero as invoices do, a column without a value is an empty text, and there is nothing but the row (no
globals, no chance).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.nativetypes import NativeEnvironment
from jinja2.parser import Parser
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from kimo_assets.errors import nearest
from kimo_assets.transforms.outcome import FAILED, Outcome, Refusal
from kimo_assets.transforms.values import plain_number

# `row['P.IVA']` is the column whose name is no name here.
ROW = "row"

_ROUNDING = {"common": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}


@dataclass(frozen=True)
class Expression:
    """Raises: ValueError saying what is wrong with the text."""

    text: str

    def __post_init__(self) -> None:
        _compiled(self.text)

    @property
    def columns(self) -> tuple[str, ...]:
        return _compiled(self.text)[1]

    def of(self, columns: Sequence[Sequence[Any]], rows: int, absent: frozenset[str]) -> Outcome:
        template, _, constants = _compiled(self.text)
        values: list[Any] = [None] * rows
        refused: dict[int, Refusal] = {}
        upcoming = zip(range(rows), *map(_filled, columns), strict=True)
        done = 0
        # A failure ends the template's loop; the next one goes on after the row that failed.
        while done < rows:
            try:
                for position, value in _evaluated(template, upcoming, constants):
                    done = position
                    values[position] = _result(value)
                    done += 1
            except Exception as error:  # whatever an expression can raise is about its row
                refused[done] = Refusal(FAILED, _sentence(error))
                done += 1
        return Outcome(values, refused)


def _evaluated(
    template: Template, rows: Iterator[Any], constants: Mapping[str, Decimal]
) -> Iterator[tuple[int, Any]]:
    return template.generate(rows=rows, **constants)  # type: ignore[return-value]  # native: outputs stay what they are


def _filled(values: Sequence[Any]) -> Sequence[Any]:
    """Numbers without trailing zeros: what is joined to a text must not depend on the column's
    scale.
    """
    if set(map(type, values)) <= {str, int}:
        return values
    return [
        "" if v is None else Decimal(plain_number(v)) if isinstance(v, Decimal) else v
        for v in values
    ]


def _result(value: Any) -> Any:
    match value:
        case str():
            return str(value)
        case bool() | float():
            return Decimal(repr(value)) if isinstance(value, float) else int(value)
        case int() | Decimal() | date() | None:
            return value
        case Undefined():
            return str(value)  # says what is undefined
    raise ValueError(f"gives a {type(value).__name__}, which is no value")


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    if not text or text.startswith("[<class"):  # all that a decimal has to say
        return type(error).__name__
    return (
        f"the values do not suit the expression ({text})" if isinstance(error, TypeError) else text
    )


class _Sandbox(ImmutableSandboxedEnvironment, NativeEnvironment):
    """Templates whose outputs stay what they are."""

    intercepted_binops = frozenset({"/"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Whole numbers, too, divide exactly."""
        if right == 0:
            raise ZeroDivisionError("division by zero")
        return Decimal(left) / right if isinstance(left, int) else left / right


def _round(value: Any, precision: int = 0, method: str = "common") -> Decimal:
    if isinstance(value, str):
        raise ValueError(f"'{value}' is no number to round")
    if method not in _ROUNDING:
        raise ValueError(f"round knows {', '.join(_ROUNDING)}, not {method}")
    return Decimal(value).quantize(Decimal(1).scaleb(-precision), _ROUNDING[method])


def _number(value: Any, default: Any = 0) -> Decimal:
    """Jinja's `float`, but exact."""
    try:
        return Decimal(value)
    except (ArithmeticError, TypeError, ValueError):
        return Decimal(default)


def _text(value: Any) -> str:
    return plain_number(value) if isinstance(value, Decimal) else str(value)


@lru_cache(maxsize=1)
def _environment() -> _Sandbox:
    environment = _Sandbox(undefined=StrictUndefined, autoescape=False)
    environment.globals.clear()
    environment.filters |= {"round": _round, "float": _number, "string": _text}
    # The same row has to give the same value every night.
    del environment.filters["random"]
    return environment


class _Names(NodeTransformer):
    """Gives columns and decimal numbers names of our own: theirs may be the language's words."""

    def __init__(self) -> None:
        self.columns: dict[str, str] = {}
        self.constants: dict[str, Decimal] = {}

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        if (
            isinstance(node.node, nodes.Name)
            and node.node.name == ROW
            and isinstance(node.arg, nodes.Const)
        ):
            return self._column(str(node.arg.value), node)
        return self.generic_visit(node)

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        return self._column(node.name, node)

    def visit_Const(self, node: nodes.Const) -> nodes.Node:
        if not isinstance(node.value, float):
            return node
        name = f"constant_{len(self.constants)}"
        self.constants[name] = Decimal(repr(node.value))
        return nodes.Name(name, "load", lineno=node.lineno)

    def _column(self, column: str, node: nodes.Node) -> nodes.Name:
        known = {name.casefold(): variable for name, variable in self.columns.items()}
        variable = known.get(column.casefold(), f"column_{len(self.columns)}")
        self.columns.setdefault(
            next((n for n in self.columns if n.casefold() == column.casefold()), column), variable
        )
        return nodes.Name(variable, "load", lineno=node.lineno)


@lru_cache(maxsize=1000)
def _compiled(text: str) -> tuple[Template, tuple[str, ...], dict[str, Decimal]]:
    """The template that yields (position, value) for each of `rows`, the columns a row holds, the
    numbers it needs.
    """
    environment = _environment()
    try:
        tree = _parsed(environment, text)
        names = _Names()
        value = names.visit(tree)
        template = environment.from_string(_loop(environment, value, list(names.columns.values())))
    except TemplateSyntaxError as error:
        raise ValueError(f"the expression cannot be read: {error.message}") from None
    return template, tuple(names.columns), names.constants


def _parsed(environment: _Sandbox, text: str) -> nodes.Expr:
    parser = Parser(environment, text, state="variable")
    tree = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError(f"'{parser.stream.current.value}' is not expected there", 1)
    tree.set_environment(environment)
    _check_words(environment, nodes.Output([tree]))
    return tree


def _check_words(environment: _Sandbox, tree: nodes.Node) -> None:
    """Jinja looks for filters and tests in a condition's branches only when a row gets there."""
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        kind, known = (
            ("filter", environment.filters)
            if isinstance(node, nodes.Filter)
            else ("test", environment.tests)
        )
        if node.name not in known:
            close = nearest(node.name, known)
            hint = (
                f" Did you mean {' or '.join(close)}?"
                if close
                else f" There are: {', '.join(sorted(known))}."
            )
            raise TemplateSyntaxError(f"there is no {kind} '{node.name}'.{hint}", 1)
    for attribute in tree.find_all(nodes.Getattr):
        if attribute.attr.startswith("_"):
            raise TemplateSyntaxError(f"'{attribute.attr}' is out of reach", 1)


def _loop(environment: _Sandbox, value: nodes.Expr, variables: Sequence[str]) -> nodes.Template:
    target = nodes.Tuple([nodes.Name(name, "store") for name in ("position", *variables)], "store")
    # In a tuple with the position the value stays what it is, also where the language could work it
    # out beforehand.
    pair = nodes.Tuple([nodes.Name("position", "load"), value], "load")
    body = nodes.For(target, nodes.Name("rows", "load"), [nodes.Output([pair])], [], None, False)
    template = nodes.Template([body], lineno=1)
    template.set_lineno(1)
    template.set_environment(environment)
    return template
