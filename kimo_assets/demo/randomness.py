"""Chance under control: one generator per table, and the demo's own calendar.

Only integers and plain fractions are drawn, and money is reckoned in whole units, so that every
machine gets the same values. What is drawn is decided by the modules of each area.
"""

from datetime import date
from typing import Any
from zlib import crc32

import numpy as np

Draws = np.random.Generator

TODAY = date(2026, 1, 15)
"""The demo's today: the clock is never read."""

CHUNK = 50_000
"""Rows made at a time: keeps the large company within a few hundred megabytes."""

PRICE_UNITS = 100_000
"""A price is a whole number of hundred-thousandths of a euro until it is written."""


def draws_for(seed: int, table: str) -> Draws:
    """A generator of its own for a table, so that a change in one table leaves the others as they
    were.
    """
    return np.random.Generator(
        # Named, because numpy may change its default generator one day.
        np.random.PCG64(np.random.SeedSequence([seed, crc32(table.encode())]))
    )


def chance(draws: Draws, percent: int, size: int) -> np.ndarray:
    """True for about `percent` in a hundred."""
    return draws.integers(0, 100, size) < percent


def weighted(draws: Draws, weights: list[int], size: int) -> np.ndarray:
    """Indexes into `weights`, each as likely as its weight."""
    steps = np.cumsum(weights)
    # Not Generator.choice(), which goes by floating point.
    return np.searchsorted(steps, draws.integers(0, steps[-1], size), side="right")


def skewed(draws: Draws, count: int, size: int) -> np.ndarray:
    """Indexes below `count`, the first ones far more often: a few customers make most of the
    turnover.
    """
    fraction = draws.random(size)
    return (fraction * fraction * count).astype(np.int64)


def distinct(draws: Draws, count: int, size: int) -> np.ndarray:
    """`size` different indexes below `count`, in no order; `count` is at least twice `size`."""
    # Some come twice, so that more are drawn. Shuffling all of `count` could take gigabytes.
    indexes = np.unique(draws.integers(0, count, size + size // 2 + 16))
    while len(indexes) < size:
        indexes = np.unique(np.concatenate([indexes, draws.integers(0, count, size)]))
    return draws.permutation(indexes)[:size]


def choose(values: list[Any], indexes: np.ndarray) -> list[Any]:
    """The values at these indexes."""
    # As objects: otherwise numpy would turn None and numbers among texts into texts.
    chosen: list[Any] = np.array(values, dtype=object)[indexes].tolist()
    return chosen


def day(offset: int) -> str:
    """The ISO date so many days from the demo's today."""
    return str(np.datetime64(TODAY) + np.timedelta64(offset, "D"))


def days(offsets: np.ndarray) -> list[str]:
    """ISO dates so many days from the demo's today."""
    dates = np.datetime64(TODAY) + offsets.astype("timedelta64[D]")
    texts: list[str] = dates.astype(str).tolist()
    return texts


def slices(count: int, size: int = CHUNK) -> list[slice]:
    """`count` rows cut into chunks."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
