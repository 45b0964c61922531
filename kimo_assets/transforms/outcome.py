"""What comes of a transformation: values, and why some rows have none. The rules are the
quarantine's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FAILED = "transformation_failed"


@dataclass(frozen=True)
class Refusal:
    """The rule a value has broken, and what in particular was expected or went wrong."""

    rule: str
    detail: str | None = None


class RefusedValue(Exception):
    """Raised by a step for a value of which it can make nothing."""

    def __init__(self, detail: str, rule: str = FAILED) -> None:
        super().__init__(detail)
        self.refusal = Refusal(rule, detail)


@dataclass(frozen=True)
class Outcome:
    """values: one a row. refused: the rows without one, by position; their place in `values` holds
    None.
    """

    values: Sequence[Any]
    refused: Mapping[int, Refusal] = field(default_factory=dict)
