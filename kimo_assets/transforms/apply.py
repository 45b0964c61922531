"""A transformation of a batch of rows: whole columns in, a whole column out."""

from collections.abc import Sequence
from typing import Any

from kimo_assets.transforms.notation import Step, Transformation
from kimo_assets.transforms.outcome import Outcome, Refusal, RefusedValue
from kimo_assets.transforms.values import plain


def transformed(
    transformation: Transformation,
    columns: Sequence[Sequence[Any]],
    rows: int,
    absent: frozenset[str],
) -> Outcome:
    """A value for each row, or why there is none.

    columns: as the driver gave them, those that `transformation.columns` names. absent: texts that
    mean "no value" in this field (fact sheet, section 8).
    """
    begun = transformation.beginning.of([plain(column) for column in columns], rows, absent)
    if not transformation.steps:
        return begun
    done = _each(transformation.steps, begun.values, absent)
    return Outcome(done.values, {**done.refused, **begun.refused})


def _each(steps: Sequence[Step], values: Sequence[Any], absent: frozenset[str]) -> Outcome:
    """The steps, once for each different value: codes, days and the keys of other rows come again
    and again.
    """
    made: dict[Any, Any] = {}
    refusals: dict[Any, Refusal] = {}
    for value in set(values):
        try:
            result = value
            for step in steps:
                result = step(result, absent)
            made[value] = result
        except RefusedValue as error:
            made[value], refusals[value] = None, error.refusal
    results = [made[value] for value in values]
    if not refusals:
        return Outcome(results)
    return Outcome(
        results, {i: refusals[value] for i, value in enumerate(values) if value in refusals}
    )
