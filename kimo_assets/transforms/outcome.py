"""The result of a transformation: values, and the broken rule of each row without one.

The rules are those of the quarantine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# The rule of a value that its transformation cannot make. It stands in docs/mapping.md.
FAILED = "transformation_failed"


@dataclass(frozen=True)
class BrokenRule:
    """The rule that a value breaks. detail: what was expected in particular, or what failed."""

    rule: str
    detail: str | None = None


class RejectedValueError(Exception):
    """Raised by a step for a value that it cannot transform: its row is rejected."""

    def __init__(self, detail: str, rule: str = FAILED) -> None:
        super().__init__(detail)
        self.broken = BrokenRule(rule, detail)


@dataclass(frozen=True)
class Outcome:
    """values: one a row, None for a rejected row. rejected: the rows without one, by position."""

    values: Sequence[Any]
    rejected: Mapping[int, BrokenRule] = field(default_factory=dict)
