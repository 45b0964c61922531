"""What a value may start from: a column, several columns, a constant or an expression."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kimo_assets.transforms.outcome import Outcome
from kimo_assets.transforms.values import text_of


class Input(Protocol):
    """Makes the value that the steps of a transformation then work on."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns it reads, as kimo.yaml spells them; None: the field's own."""

    def of(self, columns: Sequence[Sequence[Any]], rows: int, absent: frozenset[str]) -> Outcome:
        """A value for each of `rows` rows. columns: those it reads, as plain values (values.py)."""


@dataclass(frozen=True)
class OwnColumn:
    """The column of the field itself, where the transformation names no other input."""

    columns: None = None

    def of(self, columns: Sequence[Sequence[Any]], rows: int, absent: frozenset[str]) -> Outcome:
        """The column as it is."""
        return Outcome(columns[0])


@dataclass(frozen=True)
class Constant:
    """The same value for each row."""

    value: Any
    columns: tuple[str, ...] = ()

    def of(self, columns: Sequence[Sequence[Any]], rows: int, absent: frozenset[str]) -> Outcome:
        """The same value for every row."""
        return Outcome([self.value] * rows)


@dataclass(frozen=True)
class Coalesce:
    """The first column that has a value."""

    columns: tuple[str, ...]

    def of(self, columns: Sequence[Sequence[Any]], rows: int, absent: frozenset[str]) -> Outcome:
        """The first of the columns that has a value."""
        # A column of blanks has no value, as in a CHAR column that was never filled.
        nothing = absent | {""}

        def first(*values: Any) -> Any:
            return next((value for value in values if text_of(value).strip() not in nothing), None)

        return Outcome(list(map(first, *columns)))


@dataclass(frozen=True)
class Concat:
    """The columns' texts, without those that are empty."""

    columns: tuple[str, ...]
    separator: str = ""

    def of(self, columns: Sequence[Sequence[Any]], rows: int, absent: frozenset[str]) -> Outcome:
        """The values of the columns joined."""

        def joined(*values: Any) -> str:
            return self.separator.join(filter(None, map(text_of, values)))

        return Outcome(list(map(joined, *columns)))
