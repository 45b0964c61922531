"""Transformations: how a field's value is made from the source's columns, by kimo.yaml's
`transform`.

Pure functions on whole columns; no file, no database, no catalogue. notation.py: parses what is
written into frozen values. inputs.py: what a value may start from. steps.py: what may be done to
it. dates.py, numbers.py: how days and numbers are written. expressions.py: Jinja's sandbox.
values.py: a driver's values in forms that are the same for every driver. apply.py: a batch of rows.
"""

from kimo_assets.transforms.apply import transformed
from kimo_assets.transforms.dates import DateFormat
from kimo_assets.transforms.notation import (
    INPUTS,
    STEPS,
    NotationError,
    Transformation,
    as_dates,
    parse,
)
from kimo_assets.transforms.outcome import BrokenRule, Outcome

__all__ = [
    "INPUTS",
    "STEPS",
    "BrokenRule",
    "DateFormat",
    "NotationError",
    "Outcome",
    "Transformation",
    "as_dates",
    "parse",
    "transformed",
]
