"""The ERP's tables as they are, and what is written into them: only columns that exist there, each value checked first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Table

from kimo_assets.config import KimoConfig


class Unfit(Exception):
    """A value that the ERP's column cannot hold: one sentence with field, column, what it is and what fits."""


@dataclass(frozen=True)
class Target:
    """Where the rows of an entity go. fields: Kimo's fields that are needed to make a row, in the order convert takes them.

    table: with exactly the columns that are written, in the order convert gives them. sync_column: the one that holds the
    SyncReference, where there is one. ignored: fields for which the ERP has no column.
    """

    entity: str
    table: Table
    fields: tuple[str, ...]
    sync_column: str | None
    ignored: tuple[str, ...] = ()

    def convert(self, values: Sequence[str | None]) -> tuple[Any, ...]:
        """A row for the ERP from the fields as PostgreSQL writes them (::text). Raises: Unfit."""
        raise NotImplementedError


def find_targets(engine: Engine, config: KimoConfig) -> tuple[Mapping[str, Target], Mapping[str, str]]:
    """The targets of what `export: entities:` lists and of the parts that travel with it, and why an entity has none.

    A part that is not listed goes by its own name, where the ERP has such a table. Raises: SourceError.
    """
    raise NotImplementedError
