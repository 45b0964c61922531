"""Expressions: a row's columns as variables, exact numbers, nothing else in reach, a failing row
alone in its failure.
"""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimo_assets.transforms import Outcome, parse, transformed


def evaluated(text: str, rows: list[dict[str, Any]]) -> Outcome:
    transformation = parse({"expression": text})
    columns = [[row[name] for row in rows] for name in transformation.columns("")]
    return transformed(transformation, columns, len(rows), frozenset())


def value(text: str, **row: Any) -> Any:
    result = evaluated(text, [row])
    assert not result.rejected
    return result.values[0]


def failure(text: str, **row: Any) -> str | None:
    result = evaluated(text, [row])
    assert (result.values, result.rejected[0].rule) == ([None], "transformation_failed")
    return result.rejected[0].detail


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("A ~ ' (' ~ B | title ~ ')' if B else A", {"A": "Rossi", "B": "monza"}, "Rossi (Monza)"),
        ("A ~ ' (' ~ B | title ~ ')' if B else A", {"A": "Rossi", "B": None}, "Rossi"),
        ("A[:3]", {"A": "abcdef"}, "abc"),
        ("A.split('/')[1]", {"A": "x/y"}, "y"),
        ("a ~ A", {"a": "x"}, "xx"),  # one column, whichever way it is spelled
        (
            "loop ~ self",
            {"loop": "a", "self": "b"},
            "ab",
        ),  # columns may be called like the language's own words
        (
            "rows ~ position ~ constant_0 ~ column_0 ~ 1.5",
            dict.fromkeys(["rows", "position", "constant_0", "column_0"], "x"),
            "xxxx1.5",
        ),
        ("row['P.IVA'] ~ row", {"P.IVA": "1", "row": "2"}, "12"),
        ("None", {}, None),
        ("true", {}, 1),
        ("5", {}, 5),
        ("'a' ~ 'b'", {}, "ab"),
        ("A == 0.1", {"A": 0.1}, 1),
        ("A == 0.1", {"A": Decimal("0.100")}, 1),
        ("A * 1.22", {"A": 10.10}, Decimal("12.3220")),
        ("A * 1.22", {"A": Decimal("10.10")}, Decimal("12.3220")),
        ("A / B", {"A": 1, "B": 8}, Decimal("0.125")),
        ("A ~ ''", {"A": 12.50}, "12.5"),
        ("A ~ ''", {"A": Decimal("12.50")}, "12.5"),
        ("A ~ ''", {"A": Decimal("12.00")}, "12"),
        ("A ~ ''", {"A": True}, "1"),
        ("(A * 1.0) | round(2)", {"A": Decimal("2.345")}, Decimal("2.35")),
        ("A | round", {"A": Decimal("2.5")}, Decimal("3")),
        ("A | round(1, 'floor')", {"A": Decimal("2.59")}, Decimal("2.5")),
        ("A | float * 2", {"A": "1.1"}, Decimal("2.2")),
        ("A | replace(',', '.') | float", {"A": "1,5"}, Decimal("1.5")),
        ("A | int", {"A": "12"}, 12),
        ("A | default('none', true)", {"A": None}, "none"),
    ],
)
def test_an_expression_gives_a_value(text: str, row: dict[str, Any], expected: Any) -> None:
    found = value(text, **row)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("text", "row", "detail"),
    [
        ("A / B", {"A": 1, "B": 0}, "division by zero"),
        ("A.nothing", {"A": "x"}, "'str object' has no attribute 'nothing'"),
        ("A[5]", {"A": "x"}, "str object has no element 5"),
        (
            "A * 1.5",
            {"A": None},
            (
                "the values do not suit the expression (can't multiply sequence by non-int of type"
                " 'decimal.Decimal')"
            ),
        ),
        ("A | round", {"A": ""}, "'' is no number to round"),
        ("A | round", {"A": float("inf")}, "InvalidOperation"),
        ("[A]", {"A": "x"}, "gives a list, which is no value"),
        ("A | round(1, 'up')", {"A": 1}, "round knows common, ceil, floor, not up"),
    ],
)
def test_an_expression_that_fails_says_why(text: str, row: dict[str, Any], detail: str) -> None:
    assert failure(text, **row) == detail


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=60))
def test_a_row_fails_alone_and_the_others_keep_their_places(divisors: list[int]) -> None:
    result = evaluated("100 / B", [{"B": divisor} for divisor in divisors])
    assert result.values == [Decimal(100) / divisor if divisor else None for divisor in divisors]
    assert set(result.rejected) == {i for i, divisor in enumerate(divisors) if divisor == 0}


@pytest.mark.parametrize(
    "text", ["range(3) | list", "lipsum()", "dict(a=1)", "cycler('a')", "namespace()"]
)
def test_there_are_no_functions_but_the_values_own(text: str) -> None:
    assert parse({"expression": text}).columns("") == (
        text.partition("(")[0],
    )  # a column, like any name


@pytest.mark.parametrize(
    "text", ["A | attr('__class__')", "A['__class__']", "'{0.__class__}'.format(A)"]
)
def test_nothing_behind_a_value_is_in_reach(text: str) -> None:
    detail = failure(text, A="x")
    assert detail is not None
    assert "unsafe" in detail or "has no attribute" in detail


def test_chance_is_no_part_of_an_expression() -> None:
    with pytest.raises(ValueError, match="there is no filter 'random'"):
        parse({"expression": "A | random"})
