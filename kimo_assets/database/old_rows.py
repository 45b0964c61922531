"""What a package declares of its own tables for kimo_assets/maintenance/retention.py.

Each package says in its queries.py which of its rows are old, and which of its columns name loads.
Retention puts the declarations together. It names no table itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString

# A table, and a column of it with the numbers of loads that have to stay.
LoadColumns = tuple[tuple[LiteralString, LiteralString], ...]


@dataclass(frozen=True)
class OldRows:
    """Rows of a table that are no longer needed. They go in the order of a column, oldest first.

    condition: on a row `t`. It may name %(cutoff)s, %(mapped)s (the entities of kimo.yaml), and
    the temporary tables old_load (load), needed_load (load) and needed_result (entity, load; an
    entity of NULL means all of them).
    values: of the condition's further parameters.
    """

    title: str
    table: LiteralString
    condition: LiteralString
    order: LiteralString
    values: Mapping[str, Any] = field(default_factory=dict)
