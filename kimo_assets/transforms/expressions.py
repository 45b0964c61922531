"""Expressions over a row's columns, in Jinja's sandbox. Each is compiled once and run per batch.

They differ from a template's expressions. Numbers are exact decimals. `round` rounds halves away
from zero, as invoices do. A column without a value is an empty text. Nothing but the row is there:
no globals, no random values.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from kimo_assets.texts import say
from kimo_assets.transforms.outcome import FAILED, BrokenRule, Outcome
from kimo_assets.transforms.values import plain_number

# `row['P.IVA']` reads a column whose name is no identifier.
ROW = "row"

# The names are those of Jinja's own `round`.
_ROUNDING = {"common": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}


@dataclass(frozen=True)
class Expression:
    """Jinja's expression. Raises: ValueError naming the mistake in the text."""

    text: str

    def __post_init__(self) -> None:
        _compiled(self.text)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads, in the order of their first use."""
        return _compiled(self.text)[1]

    def of(self, columns: Sequence[Sequence[Any]], rows: int, absent: frozenset[str]) -> Outcome:
        """Evaluates the expression for each row; a row on which it fails is rejected."""
        template, _, constants = _compiled(self.text)
        values: list[Any] = [None] * rows
        rejected: dict[int, BrokenRule] = {}
        upcoming = zip(range(rows), *map(_filled, columns), strict=True)
        done = 0
        # A failure ends the template's loop. The next loop goes on after the row that failed.
        while done < rows:
            try:
                for position, value in _evaluated(template, upcoming, constants):
                    done = position
                    values[position] = _result(value)
                    done += 1
            except Exception as error:  # whatever an expression can raise is about its row
                rejected[done] = BrokenRule(FAILED, _sentence(error))
                done += 1
        return Outcome(values, rejected)


def _evaluated(
    template: Template, rows: Iterator[Any], constants: Mapping[str, Decimal]
) -> Iterator[tuple[int, Any]]:
    # A native template yields values as they are, though its type says texts.
    outputs: Iterator[Any] = template.generate(rows=rows, **constants)
    return outputs


def _filled(values: Sequence[Any]) -> Sequence[Any]:
    """The column as an expression reads it: '' for no value, numbers without trailing zeros.

    A number that is joined to a text must not depend on the column's scale.
    """
    if set(map(type, values)) <= {str, int}:
        return values
    return [_fill(value) for value in values]


def _fill(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return Decimal(plain_number(value))
    return value


def _result(value: Any) -> Any:
    """The value in a plain form (values.py). Raises: for a list and the like, and for undefined."""
    match value:
        # Some of Jinja's filters give a Markup. It is a text that escapes what is joined to it.
        case str():
            return str(value)
        case bool():
            return int(value)
        case float():
            return Decimal(repr(value))
        case int() | Decimal() | date() | None:
            return value
        case Undefined():
            return str(value)  # raises Jinja's error, which names the undefined value
    raise ValueError(say("transforms.not_a_value", type=type(value).__name__))


def _sentence(error: Exception) -> str:
    """Why the expression failed on a row, in one line."""
    text = " ".join(str(error).split())
    # Errors of the decimal module have only a list of classes for a message.
    if not text or text.startswith("[<class"):
        return type(error).__name__
    if isinstance(error, TypeError):
        return say("transforms.values_do_not_suit", problem=text)
    return text


class _Sandbox(ImmutableSandboxedEnvironment, NativeEnvironment):
    """Templates whose outputs stay what they are."""

    # Jinja divides floats, and a price must not become one.
    intercepted_binops = frozenset({"/"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Divides whole numbers exactly too."""
        if right == 0:
            raise ZeroDivisionError(say("transforms.division_by_zero"))
        if isinstance(left, int):
            left = Decimal(left)
        return left / right


def _round(value: Any, precision: int = 0, method: str = "common") -> Decimal:
    """Jinja's `round`, but exact. Raises: ValueError for a text or an unknown method."""
    if isinstance(value, str):
        raise ValueError(say("transforms.not_a_number_to_round", value=value))
    if method not in _ROUNDING:
        methods = ", ".join(_ROUNDING)
        raise ValueError(say("transforms.unknown_rounding", methods=methods, method=method))
    return Decimal(value).quantize(Decimal(1).scaleb(-precision), _ROUNDING[method])


def _number(value: Any, default: Any = 0) -> Decimal:
    """Jinja's `float`, but exact."""
    try:
        return Decimal(value)
    except (ArithmeticError, TypeError, ValueError):
        # What is no number raises InvalidOperation, which is an ArithmeticError and no ValueError.
        return Decimal(default)


def _text(value: Any) -> str:
    return plain_number(value) if isinstance(value, Decimal) else str(value)


@lru_cache(maxsize=1)
def _environment() -> _Sandbox:
    environment = _Sandbox(undefined=StrictUndefined, autoescape=False)
    # range() and the like would let one row take all memory.
    environment.globals.clear()
    environment.filters |= {"round": _round, "float": _number, "string": _text}
    # The same row has to give the same value every night.
    del environment.filters["random"]
    return environment


class _Names(NodeTransformer):
    """Renames columns and decimal numbers: their own names may be words of the language."""

    def __init__(self) -> None:
        self.columns: dict[str, str] = {}
        self.constants: dict[str, Decimal] = {}

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        """`row['P.IVA']` is a column."""
        is_of_row = isinstance(node.node, nodes.Name) and node.node.name == ROW
        if is_of_row and isinstance(node.arg, nodes.Const):
            return self._column(str(node.arg.value), node)
        return self.generic_visit(node)

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        """Each name is a column's."""
        return self._column(node.name, node)

    def visit_Const(self, node: nodes.Const) -> nodes.Node:
        """A decimal number becomes an exact constant."""
        if not isinstance(node.value, float):
            return node
        name = f"constant_{len(self.constants)}"
        self.constants[name] = Decimal(repr(node.value))
        return nodes.Name(name, "load", lineno=node.lineno)

    def _column(self, column: str, node: nodes.Node) -> nodes.Name:
        """The variable of a column; names that differ only in case are the same column."""
        by_fold = {name.casefold(): name for name in self.columns}
        name = by_fold.get(column.casefold(), column)
        variable = self.columns.setdefault(name, f"column_{len(self.columns)}")
        return nodes.Name(variable, "load", lineno=node.lineno)


# Compiling costs milliseconds, and each batch of a column asks for the same expression.
@lru_cache(maxsize=1000)
def _compiled(text: str) -> tuple[Template, tuple[str, ...], dict[str, Decimal]]:
    """The template, the columns of a row, and the constants by name.

    The template yields (position, value) for each of `rows`.
    """
    environment = _environment()
    try:
        tree = _parsed(environment, text)
        names = _Names()
        value = names.visit(tree)
        template = environment.from_string(_loop(environment, value, list(names.columns.values())))
    except TemplateSyntaxError as error:
        message = say("transforms.expression_unreadable", problem=error.message)
        raise ValueError(message) from None
    return template, tuple(names.columns), names.constants


def _parsed(environment: _Sandbox, text: str) -> nodes.Expr:
    parser = Parser(environment, text, state="variable")
    tree = parser.parse_expression()
    if not parser.stream.eos:
        token = parser.stream.current.value
        raise TemplateSyntaxError(say("transforms.token_unexpected", token=token), 1)
    # Jinja sets it only on whole templates.
    tree.set_environment(environment)
    _check_words(environment, nodes.Output([tree]))
    return tree


def _check_words(environment: _Sandbox, tree: nodes.Node) -> None:
    """Raises: TemplateSyntaxError for a filter or test that does not exist, or a hidden attribute.

    Jinja looks for those in a condition's branches only when a row gets there.
    """
    for node in tree.find_all(nodes.Filter):
        if node.name not in environment.filters:
            hint = _hint(node.name, environment.filters)
            message = say("transforms.unknown_filter", name=node.name, hint=hint)
            raise TemplateSyntaxError(message, 1)
    for test in tree.find_all(nodes.Test):
        if test.name not in environment.tests:
            hint = _hint(test.name, environment.tests)
            message = say("transforms.unknown_test", name=test.name, hint=hint)
            raise TemplateSyntaxError(message, 1)
    for attribute in tree.find_all(nodes.Getattr):
        if attribute.attr.startswith("_"):
            message = say("transforms.attribute_forbidden", name=attribute.attr)
            raise TemplateSyntaxError(message, 1)


def _hint(name: str, candidates: Iterable[str]) -> str:
    close = nearest(name, candidates)
    if close:
        return say("errors.did_you_mean", names=say("errors.or").join(close))
    return say("transforms.there_are", names=", ".join(sorted(candidates)))


def _loop(environment: _Sandbox, value: nodes.Expr, variables: Sequence[str]) -> nodes.Template:
    """The template `{% for position, columns in rows %}{{ (position, value) }}{% endfor %}`."""
    names = ("position", *variables)
    target = nodes.Tuple([nodes.Name(name, "store") for name in names], "store")
    # In a tuple with the position the value keeps its type, even where Jinja folds constants.
    pair = nodes.Tuple([nodes.Name("position", "load"), value], "load")
    body = nodes.For(target, nodes.Name("rows", "load"), [nodes.Output([pair])], [], None, False)
    template = nodes.Template([body], lineno=1)
    template.set_lineno(1)
    template.set_environment(environment)
    return template
