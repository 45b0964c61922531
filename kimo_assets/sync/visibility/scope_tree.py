"""A compiled scope: a tree over *atoms*, and the joins that give a row its atoms' values.

An atom is an SQL expression over the row `x` that yields a small value, and a function from that
value to a set of profiles. PostgreSQL groups the rows by their atoms. The tree turns each of the
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
    """expression: over the row `x` and the joins, never NULL. type: its PostgreSQL type."""

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
    """The rules' profiles together.

    fallbacks: asked only where the rules name nobody. filters: restrict the result.
    """

    rules: tuple["Node", ...]
    fallbacks: tuple["Node", ...]
    filters: tuple["Node", ...]


@dataclass(frozen=True)
class Intersection:
    rules: tuple["Node", ...]


Node = Atom | Constant | Union | Intersection


def evaluate(node: Node, values: Sequence[int | str], live: int, *, fallbacks: bool = True) -> int:
    """The set of profiles for one combination of atom values.

    live: the profiles in use. A set without any of them names nobody. fallbacks: whether they are
    asked.
    """
    match node:
        case Atom():
            return node.to_mask(values[node.position])
        case Constant():
            return node.mask
        case Intersection():
            masks = (evaluate(rule, values, live, fallbacks=fallbacks) for rule in node.rules)
            return reduce(and_, masks)
        case Union():
            masks = (evaluate(rule, values, live, fallbacks=fallbacks) for rule in node.rules)
            mask = reduce(or_, masks, NOBODY)
            # A cofinite mask holds bits of profiles that do not exist. Only the live ones count.
            if not mask & live and fallbacks:
                fallback_masks = (evaluate(rule, values, live) for rule in node.fallbacks)
                mask = reduce(or_, fallback_masks, NOBODY)
            filter_masks = (evaluate(rule, values, live) for rule in node.filters)
            return reduce(and_, filter_masks, mask)


@dataclass(frozen=True)
class Trigger:
    """Says which rows may be seen by others now: those whose `column` holds a changed key.

    changed: a load -> a query of the keys that changed after it. changed_load: the last load that
    changed any of these keys.
    """

    column: str
    changed: Callable[[int], sql.Composed]
    changed_load: int


@dataclass
class Query:
    """An entity's compiled scope.

    parameters: everything beside tables that decides the atoms' sets. own_column: for a scope that
    depends on who sees other rows of the same entity, the column with their key. scopes_of: a
    node's id -> the scopes that it comes from: its own, then the business rules that chose it.
    """

    entity: Entity
    node: Node = field(default_factory=lambda: Constant(NOBODY))
    atoms: list[Atom] = field(default_factory=list)
    joins: list[sql.Composable] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)
    own_column: str | None = None
    scopes_of: dict[int, list[scopes.Scope]] = field(default_factory=dict)

    def add_atom(self, expression: sql.Composable, kind: LiteralString, to_mask: ToMask) -> Atom:
        """One more value of the row that decides who sees it."""
        atom = Atom(len(self.atoms), expression, kind, to_mask)
        self.atoms.append(atom)
        return atom

    def join(self, target: sql.Composable, key: str, column: str) -> sql.Identifier:
        """Joins a table by the row's column. Returns: the alias."""
        alias = sql.Identifier(f"j{len(self.joins)}")
        # Left: a row that points nowhere is seen by nobody, but it has to be in the result.
        join = sql.SQL("LEFT JOIN {} AS {alias} ON {alias}.{} = x.{}").format(
            target, sql.Identifier(key), sql.Identifier(column), alias=alias
        )
        self.joins.append(join)
        return alias

    def origin(self, rows: sql.Composable | None = None) -> sql.Composed:
        """FROM ... WHERE of the live rows, with the joins. rows: a join that chooses among them."""
        return sql.SQL("FROM {} AS x {} {} WHERE x.{} IS NULL").format(
            table(KIMO, self.entity.name),
            rows or sql.SQL(""),
            sql.SQL(" ").join(self.joins),
            sql.Identifier(ARCHIVED),
        )

    def expressions(self) -> sql.Composed:
        """The atoms as columns of a SELECT."""
        named = (sql.SQL("{} AS {}").format(atom.expression, atom.name) for atom in self.atoms)
        return sql.SQL(", ").join(named)
