"""Transformations: how a field's value is made from the source's columns, as kimo.yaml's
`transform` says.

Pure functions on whole columns; no file, no database, no catalogue. notation.py: what is written,
parsed into frozen values. beginnings.py: what a value may begin with. steps.py: what may be done to
it. dates.py, numbers.py: how days and numbers are written. expressions.py: Jinja's sandbox.
values.py: a driver's values in forms that are the same from every driver. apply.py: a batch of
rows.
"""

from kimo_assets.transforms.apply import transformed
from kimo_assets.transforms.dates import DateFormat
from kimo_assets.transforms.notation import (
    BEGINNINGS,
    STEPS,
    NotationError,
    Transformation,
    as_dates,
    parse,
)
from kimo_assets.transforms.outcome import Outcome, Refusal

__all__ = [
    "BEGINNINGS",
    "STEPS",
    "DateFormat",
    "NotationError",
    "Outcome",
    "Refusal",
    "Transformation",
    "as_dates",
    "parse",
    "transformed",
]
