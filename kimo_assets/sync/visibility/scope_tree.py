"""A compiled scope: a tree over *atoms*, and what PostgreSQL has to join to a row for their values.

An atom is an SQL expression over the row `x` that yields a small value, and a function from that
value to a set of profiles. PostgreSQL groups the rows by their atoms; the tree turns each of the
few distinct combinations into one set.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from typing import Any, LiteralString

from psycopg import sql

from kimo_assets.catalog import Entity, scopes
from kimo_assets.database.names import ARCHIVED, KIMO, table
from kimo_assets.sync.visibility.profiles import NOBODY

ToMask = Callable[[int | str], int]


@dataclass(frozen=True)
class Atom:
    """expression: over the row `x` and the joins, never NULL; type: its PostgreSQL type."""

    position: int
    expression: sql.Composable
    type: LiteralString
    to_mask: ToMask

    @property
    def label(self) -> str:
        return f"_atom{self.position}"

    @property
    def name(self) -> sql.Identifier:
        return sql.Identifier(self.label)


@dataclass(frozen=True)
class Constant:
    mask: int


@dataclass(frozen=True)
class Union:
    """The rules' profiles together; `fallbacks` speak when the rules name nobody; `filters`
    restrict the result.
    """

    rules: tuple["Node", ...]
    fallbacks: tuple["Node", ...]
    filters: tuple["Node", ...]


@dataclass(frozen=True)
class Intersection:
    rules: tuple["Node", ...]


Node = Atom | Constant | Union | Intersection


def evaluate(node: Node, values: Sequence[int | str], live: int, *, fallbacks: bool = True) -> int:
    """The set of profiles for one combination of atom values. A set that holds none of the `live`
    ones names nobody.

    fallbacks: whether they may speak.
    """
    match node:
        case Atom():
            return node.to_mask(values[node.position])
        case Constant():
            return node.mask
        case Intersection():
            return reduce(
                and_, (evaluate(rule, values, live, fallbacks=fallbacks) for rule in node.rules)
            )
        case Union():
            seen = reduce(
                or_,
                (evaluate(rule, values, live, fallbacks=fallbacks) for rule in node.rules),
                NOBODY,
            )
            if not seen & live and fallbacks:
                seen = reduce(
                    or_, (evaluate(rule, values, live) for rule in node.fallbacks), NOBODY
                )
            return reduce(and_, (evaluate(rule, values, live) for rule in node.filters), seen)


@dataclass(frozen=True)
class Trigger:
    """Rows have to be looked at again when their `column` holds a key that `changed` finds for a
    load since which to look.

    changed_load: the last load that changed any of these keys.
    """

    column: str
    changed: Callable[[int], sql.Composed]
    changed_load: int


@dataclass
class Query:
    """scopes_of: by a node's id, the scopes that it was made from: its own first, then business
    rules that have chosen it.

    parameters: whatever else than tables decides the atoms' sets. reads_itself: some atom depends
    on who sees other rows of the same entity; such rows are found in `own_column`.
    """

    entity: Entity
    node: Node = field(default_factory=lambda: Constant(NOBODY))
    atoms: list[Atom] = field(default_factory=list)
    joins: list[sql.Composable] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)
    own_column: str | None = None
    scopes_of: dict[int, list[scopes.Scope]] = field(default_factory=dict)

    def add(self, expression: sql.Composable, kind: LiteralString, to_mask: ToMask) -> Atom:
        atom = Atom(len(self.atoms), expression, kind, to_mask)
        self.atoms.append(atom)
        return atom

    def join(self, target: sql.Composable, key: str, column: str) -> sql.Identifier:
        """Joins a table by the row's column; returns the alias."""
        alias = sql.Identifier(f"j{len(self.joins)}")
        self.joins.append(
            sql.SQL("LEFT JOIN {} AS {alias} ON {alias}.{} = x.{}").format(
                target, sql.Identifier(key), sql.Identifier(column), alias=alias
            )
        )
        return alias

    def origin(self, rows: sql.Composable | None = None) -> sql.Composed:
        """FROM ... WHERE of the live rows, with the joins. rows: a further join that chooses among
        them.
        """
        return sql.SQL("FROM {} AS x {} {} WHERE x.{} IS NULL").format(
            table(KIMO, self.entity.name),
            rows or sql.SQL(""),
            sql.SQL(" ").join(self.joins),
            sql.Identifier(ARCHIVED),
        )

    def expressions(self) -> sql.Composed:
        return sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(atom.expression, atom.name) for atom in self.atoms
        )
