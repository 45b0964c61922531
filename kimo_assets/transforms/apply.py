"""A transformation of a batch of rows: whole columns in, a whole column out."""

from collections.abc import Sequence
from typing import Any

from kimo_assets.transforms.notation import Step, Transformation
from kimo_assets.transforms.outcome import Outcome, Refusal, RefusedValue
from kimo_assets.transforms.values import plain


def transformed(
    transformation: Transformation, columns: Sequence[Sequence[Any]], rows: int, absent: frozenset[str]
) -> Outcome:
    """A value for each row, or why there is none.

    columns: as the driver gave them, those that `transformation.columns` names. absent: texts that mean "no value" in
    this field (fact sheet, section 8).
    """
    begun = transformation.beginning.of([plain(column) for column in columns], rows, absent)
    values, refused = begun.values, dict(begun.refused)
    for step in transformation.steps:
        done = _each(step, values, absent)
        values, refused = done.values, {**done.refused, **refused}
    return Outcome(values, refused)


def _each(step: Step, values: Sequence[Any], absent: frozenset[str]) -> Outcome:
    """The step, once for each different value: codes, days and the keys of other rows come again and again."""
    made: dict[Any, Any] = {}
    refusals: dict[Any, Refusal] = {}
    for value in set(values):
        try:
            made[value] = step(value, absent)
        except RefusedValue as error:
            made[value], refusals[value] = None, error.refusal
    results = [made[value] for value in values]
    if not refusals:
        return Outcome(results)
    return Outcome(results, {i: refusals[value] for i, value in enumerate(values) if value in refusals})
