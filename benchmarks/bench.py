"""What a scenario is given, and what it yields."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import companies

Result = dict[str, Any]
Say = Callable[[str], None]

# The part of the rows that a day changes.
CHANGED_SHARE = 0.02


@dataclass(frozen=True)
class Bench:
    """folder: for companies and servers; loaders_python: an interpreter that has dlt, if not this
    one.

    agents: how many are synced, and written by the peers of step 3; 0 for all. pictures: how many
    large ones are imported.
    """

    folder: Path
    repetitions: dict[str, int]
    loaders_python: str | None
    agents: int
    say: Say
    pictures: int = 2000

    def pristine(self, scale: str) -> Path:
        return companies.company(self.folder / "companies", scale)

    def times(self, scale: str) -> range:
        return range(self.repetitions.get(scale, 3))
