"""What the rows of a selection are like, measured in the source itself: counts, lengths, an
example. No row is fetched.

Which values would be refused on their way in, whether keys are there and unique, how many rows use
a reference or a status. It is an estimate of what staging decides: of what it cannot tell cheaply
it says nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, case, column, func, or_, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.sql.selectable import FromClause

from kimo_assets.catalog import Field
from kimo_assets.config import EntityMapping
from kimo_assets.sources.column_types import UNKNOWN, Kind, kinds_of, unique_keys
from kimo_assets.sources.predicates import Expressions
from kimo_assets.sources.selection import Selection


@dataclass(frozen=True)
class Questions:
    """What to ask beyond the values themselves. references: fields whose use is counted. statuses:
    field -> the values that are known.
    """

    references: Sequence[str] = ()
    statuses: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Misfit:
    """Values of a column that its field does not take. rows: None where the type alone says so, of
    every value. longest: of texts that are too long, in characters.
    """

    field: str
    column: str
    rule: str
    rows: int | None
    example: str | None = None
    longest: int | None = None
    type: str = ""


@dataclass(frozen=True)
class Measured:
    """duplicates: rows that repeat an earlier one's key; None when it was not looked at. wider:
    columns whose type admits longer texts than the field, all of whose texts fit now, with the
    longest.
    """

    rows: int
    misfits: tuple[Misfit, ...] = ()
    wider: tuple[Misfit, ...] = ()
    without_key: int = 0
    duplicates: int | None = None
    duplicate_example: str = ""
    used: Mapping[str, int] = field(default_factory=dict)
    unknown_statuses: tuple[Misfit, ...] = ()


def measure(
    engine: Engine,
    connection: Connection,
    selection: Selection,
    mapping: EntityMapping,
    questions: Questions,
) -> Measured:
    """Two queries: one for all counts, one for duplicate keys unless the source itself keeps them
    unique.
    """
    probe = _Probe(
        connection, selection, kinds_of(engine, connection, selection, mapping), questions
    )
    found = probe.counted()
    if not probe.key_fields:
        return found
    parts = {selection.column_of[name].casefold() for name in probe.key_fields}
    if any(key <= parts for key in unique_keys(engine, selection.entity, mapping)):
        return _with_duplicates(found, 0, "")
    return _with_duplicates(found, *probe.duplicates())


def _with_duplicates(found: Measured, rows: int, example: str) -> Measured:
    return Measured(**{**vars(found), "duplicates": rows, "duplicate_example": example})


@dataclass(frozen=True)
class _Check:
    """Rows that would be refused by a rule; `length` is measured over all rows."""

    field: str
    column: str
    rule: str
    refused: ColumnElement[bool]
    shown: ColumnElement[Any]
    length: ColumnElement[int] | None = None


class _Probe:
    """The questions about one selection, in its source's dialect."""

    def __init__(
        self,
        connection: Connection,
        selection: Selection,
        kinds: Mapping[str, Kind],
        questions: Questions,
    ) -> None:
        self._connection = connection
        self._sql = Expressions(connection.dialect.name, selection.no_value)
        self._selection = selection
        self._kinds = kinds
        self._questions = questions
        self._from = source_of(selection)
        self._column = selection.column_of

    @property
    def key_fields(self) -> tuple[str, ...]:
        """The mapped fields that tell rows apart; none where steps make one of their values."""
        names = ("Id",) if "Id" in self._column else self._selection.derived_id_from
        is_made = any(made.field in names for made in self._selection.made)
        return () if is_made else tuple(name for name in names if name in self._column)

    # --- the first query
    # ----------------------------------------------------------------------------------------

    def counted(self) -> Measured:
        checks = list(self._checks())
        statuses = list(self._status_checks())
        used = {
            name: self._has_reference(name)
            for name in self._questions.references
            if name in self._column
        }
        keys = self._keys()
        asked: dict[str, ColumnElement[Any]] = {"all_rows": func.count()}
        for number, check in enumerate([*checks, *statuses]):
            asked[f"refused_{number}"] = _rows_where(check.refused)
            asked[f"example_{number}"] = func.min(case((check.refused, check.shown)))
            if check.length is not None:
                asked[f"length_{number}"] = func.max(check.length)
        asked |= {f"used_{name}": _rows_where(condition) for name, condition in used.items()}
        if keys:
            asked["without_key"] = _rows_where(and_(*(key.is_(None) for key in keys)))
        query = select(*(value.label(name) for name, value in asked.items())).select_from(
            self._from
        )
        row = self._connection.execute(query).one()._mapping
        found = [_misfit(check, number, row) for number, check in enumerate([*checks, *statuses])]
        return Measured(
            rows=row["all_rows"],
            misfits=(*self._impossible(), *(one for one in found[: len(checks)] if one.rows)),
            wider=tuple(self._wider(found[: len(checks)])),
            without_key=int(row["without_key"] or 0) if keys else 0,
            used={name: int(row[f"used_{name}"] or 0) for name in used},
            unknown_statuses=tuple(one for one in found[len(checks) :] if one.rows),
        )

    def _fields(self) -> Iterator[tuple[Field, ColumnElement[Any], Kind]]:
        for name, source in self._column.items():
            yield self._selection.entity.fields[name], self._from.c[source], self._kind(source)

    def _kind(self, source: str) -> Kind:
        return self._kinds.get(source, UNKNOWN)

    def _impossible(self) -> Iterator[Misfit]:
        """What no value of the column's type can be."""
        for target, value, kind in self._fields():
            if (target.type, kind.sort) in _IMPOSSIBLE and not target.is_open_enum:
                yield Misfit(target.name, value.name, _RULES[target.type], None, type=kind.name)

    def _wider(self, found: Sequence[Misfit]) -> Iterator[Misfit]:
        return (
            one
            for one in found
            if one.rule == "text_too_long" and not one.rows and self._kind(one.column).length
        )

    def _checks(self) -> Iterator[_Check]:
        for target, value, kind in self._fields():
            if (target.type, kind.sort) in _IMPOSSIBLE or kind.sort == "bytes":
                continue
            if target.type == "text" or target.is_open_enum:
                yield from self._length_check(target, value, kind)
            elif (refused := self._sql.refused(target, value, kind)) is not None:
                yield _Check(
                    target.name,
                    value.name,
                    _RULES[target.type],
                    refused,
                    self._sql.text(value, kind),
                )

    def _length_check(
        self, target: Field, value: ColumnElement[Any], kind: Kind
    ) -> Iterator[_Check]:
        size = 50 if target.is_open_enum else target.size
        fits_by_type = kind.length is not None and size is not None and kind.length <= size
        if size is None or fits_by_type or kind.sort in ("number", "flag", "day"):
            return
        length = self._sql.length(value, kind)
        yield _Check(
            target.name,
            value.name,
            "text_too_long",
            length > size,
            self._sql.text(value, kind),
            length,
        )

    def _has_reference(self, name: str) -> ColumnElement[bool]:
        source = self._column[name]
        target = self._selection.entity.fields[name]
        return self._sql.key(target, self._from.c[source], self._kind(source)).is_not(None)

    def _keys(self) -> list[ColumnElement[Any]]:
        fields = self._selection.entity.fields
        columns = [(name, self._column[name]) for name in self.key_fields]
        return [
            self._sql.key(fields[name], self._from.c[one], self._kind(one)) for name, one in columns
        ]

    def _status_checks(self) -> Iterator[_Check]:
        for name, known in self._questions.statuses.items():
            source = self._column.get(name)
            if source is None:
                continue
            key = func.rtrim(self._sql.text(self._from.c[source], self._kind(source)))
            has_value = self._sql.has_text(self._from.c[source], self._kind(source))
            refused = and_(has_value, key.not_in(known)) if known else has_value
            yield _Check(name, source, "unknown_status", refused, key)

    # --- the second query
    # ---------------------------------------------------------------------------------------

    def duplicates(self) -> tuple[int, str]:
        """How many rows repeat an earlier one's key, and such a key."""
        row = self._connection.execute(self._duplicates_query()).first()
        if row is None:
            return 0, ""
        *key, _, extra = row
        return int(extra), "|".join(_shown(value) for value in key)

    def _duplicates_query(self) -> Select[Any]:
        names = [f"k{number}" for number in range(len(self.key_fields))]
        kinds = [self._kind(self._column[name]) for name in self.key_fields]
        exact = map(self._sql.exact, self._keys(), kinds)
        keyed = select(*(key.label(name) for name, key in zip(names, exact, strict=True)))
        rows = keyed.select_from(self._from).subquery("kimo_keys")
        parts = [rows.c[name] for name in names]
        present = or_(*(part.is_not(None) for part in parts))
        counted = (
            select(*parts, func.count().label("n"))
            .where(present)
            .group_by(*parts)
            .having(func.count() > 1)
        )
        doubles = counted.subquery("kimo_doubles")
        extra = func.sum(doubles.c.n - 1).over()
        return select(
            *(doubles.c[name] for name in names), doubles.c.n, extra.label("extra")
        ).limit(1)


# A field's type and a column's, no value of which is one.
_IMPOSSIBLE = {
    ("dec", "day"),
    ("int", "day"),
    ("enum", "day"),
    ("bool", "day"),
    ("date", "flag"),
    ("dt", "flag"),
}
_RULES = {
    "dec": "not_a_number",
    "int": "not_a_whole_number",
    "enum": "unknown_enum_code",
    "bool": "not_a_flag",
    "date": "impossible_date",
    "dt": "impossible_date",
}


def source_of(selection: Selection) -> FromClause:
    """The selection's statement as something to select from; nothing in it is a parameter."""
    names = dict.fromkeys(selection.columns)
    statement = text(selection.statement.replace(":", r"\:") + "\n")
    return statement.columns(*(column(name) for name in names)).subquery("kimo_source")


def _rows_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _misfit(check: _Check, number: int, row: Mapping[Any, Any]) -> Misfit:
    rows = int(row[f"refused_{number}"] or 0)
    longest = row.get(f"length_{number}")
    example = _shown(row[f"example_{number}"]) if rows else None
    return Misfit(
        check.field,
        check.column,
        check.rule,
        rows,
        example,
        None if longest is None else int(longest),
    )


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    said = re.sub(r"\s+", " ", "" if value is None else str(value))
    return said if len(said) <= 40 else f"{said[:39]}…"
