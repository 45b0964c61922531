"""A transformation of a batch of rows: whole columns in, a whole column out."""

from collections.abc import Sequence
from typing import Any

from kimo_assets.transforms.notation import Step, Transformation
from kimo_assets.transforms.outcome import BrokenRule, Outcome, RejectedValueError
from kimo_assets.transforms.values import plain


def transformed(
    transformation: Transformation,
    columns: Sequence[Sequence[Any]],
    rows: int,
    absent: frozenset[str],
) -> Outcome:
    """A value for each row, or the rule that it breaks.

    columns: as the driver gave them, those that `transformation.columns` names. absent: texts that
    mean "no value" in this field (fact sheet, section 8).
    """
    inputs = transformation.input.of([plain(column) for column in columns], rows, absent)
    if not transformation.steps:
        return inputs
    outcome = _each(transformation.steps, inputs.values, absent)
    # A row that has no input is rejected for that, whatever the steps make of its None.
    return Outcome(outcome.values, {**outcome.rejected, **inputs.rejected})


def _each(steps: Sequence[Step], values: Sequence[Any], absent: frozenset[str]) -> Outcome:
    """Applies the steps once to each distinct value: codes, days and keys repeat in a column."""
    results: dict[Any, Any] = {}
    broken: dict[Any, BrokenRule] = {}
    for value in set(values):
        try:
            result = value
            for step in steps:
                result = step(result, absent)
            results[value] = result
        except RejectedValueError as error:
            results[value] = None
            broken[value] = error.broken
    column = [results[value] for value in values]
    # Nearly always: then no position has to be looked for.
    if not broken:
        return Outcome(column)
    rejected = {index: broken[value] for index, value in enumerate(values) if value in broken}
    return Outcome(column, rejected)
