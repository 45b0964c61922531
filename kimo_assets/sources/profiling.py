"""A profile of a selection's rows, measured in the source itself. No row is fetched.

It counts the values that would be rejected on their way in, keys that are missing or repeat, and
the rows that use a reference or a status. It estimates what staging decides. What it cannot see
cheaply it leaves out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, case, column, func, or_, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.sql.selectable import FromClause

from kimo_assets.catalog import Field
from kimo_assets.config import EntityMapping
from kimo_assets.sources.column_types import UNKNOWN, ColumnType, column_types, unique_keys
from kimo_assets.sources.predicates import Expressions
from kimo_assets.sources.selection import Selection

_SHOWN_CHARS = 40


@dataclass(frozen=True)
class Questions:
    """What to measure beside the values. references: fields whose use is counted.

    statuses: field -> the values that are mapped.
    """

    references: Sequence[str] = ()
    statuses: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Misfit:
    """Values of a column that its field rejects. longest: of texts too long, in characters.

    rows: None where the column's type alone rules out every value.
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
    """The profile. duplicates: rows that repeat an earlier row's key; None: not measured.

    wider: columns whose type allows longer texts than the field, though all texts fit now.
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
    """The profile, by one query for all counts and one for duplicate keys.

    The second is not needed where the source itself keeps the keys unique.
    """
    types = column_types(engine, connection, selection, mapping)
    probe = _Probe(connection, selection, types, questions)
    measured = probe.counted()
    if not probe.key_fields:
        return measured
    parts = {selection.column_of[name].casefold() for name in probe.key_fields}
    if any(key <= parts for key in unique_keys(engine, selection.entity, mapping)):
        return replace(measured, duplicates=0)
    rows, example = probe.duplicates()
    return replace(measured, duplicates=rows, duplicate_example=example)


@dataclass(frozen=True)
class _Check:
    """Rows that a rule would reject. length: measured over all rows."""

    field: str
    column: str
    rule: str
    rejected: ColumnElement[bool]
    shown: ColumnElement[Any]
    length: ColumnElement[int] | None = None


class _Probe:
    """The questions about a selection, in its source's dialect. types: by column."""

    def __init__(
        self,
        connection: Connection,
        selection: Selection,
        types: Mapping[str, ColumnType],
        questions: Questions,
    ) -> None:
        self._connection = connection
        self._sql = Expressions(connection.dialect.name, selection.no_value)
        self._selection = selection
        self._types = types
        self._questions = questions
        # Each expression is of a column of this subquery.
        self._from = source_of(selection)
        self._column = selection.column_of

    @property
    def key_fields(self) -> tuple[str, ...]:
        """The mapped fields that identify a row; none where a transformation fills one of them."""
        names = ("Id",) if "Id" in self._column else self._selection.derived_id_from
        if any(made.field in names for made in self._selection.transformed):
            return ()
        return tuple(name for name in names if name in self._column)

    # --- the first query
    # ----------------------------------------------------------------------------------------

    def counted(self) -> Measured:
        """All counts. They are the columns of one query, so that the rows are read once."""
        value_checks = list(self._checks())
        checks = [*value_checks, *self._status_checks()]
        references = [name for name in self._questions.references if name in self._column]
        row = self._connection.execute(self._counts_query(checks, references)).one()._mapping
        results = [_misfit(check, number, row) for number, check in enumerate(checks)]
        of_values, of_statuses = results[: len(value_checks)], results[len(value_checks) :]
        return Measured(
            rows=row["all_rows"],
            misfits=(*self._impossible(), *(misfit for misfit in of_values if misfit.rows)),
            wider=tuple(self._wider(of_values)),
            without_key=int(row.get("without_key") or 0),
            used={name: int(row[f"used_{name}"] or 0) for name in references},
            unknown_statuses=tuple(misfit for misfit in of_statuses if misfit.rows),
        )

    def _counts_query(self, checks: Sequence[_Check], references: Sequence[str]) -> Select[Any]:
        """The query of all counts. The columns of a check end with its position in `checks`."""
        counts: dict[str, ColumnElement[Any]] = {"all_rows": func.count()}
        for number, check in enumerate(checks):
            counts[f"refused_{number}"] = _rows_where(check.rejected)
            counts[f"example_{number}"] = func.min(case((check.rejected, check.shown)))
            if check.length is not None:
                counts[f"length_{number}"] = func.max(check.length)
        for name in references:
            counts[f"used_{name}"] = _rows_where(self._has_reference(name))
        if keys := self._keys():
            counts["without_key"] = _rows_where(and_(*(key.is_(None) for key in keys)))
        labelled = [value.label(name) for name, value in counts.items()]
        return select(*labelled).select_from(self._from)

    def _fields(self) -> Iterator[tuple[Field, ColumnElement[Any], ColumnType]]:
        for name, source in self._column.items():
            yield self._selection.entity.fields[name], self._from.c[source], self._type(source)

    def _type(self, source: str) -> ColumnType:
        return self._types.get(source, UNKNOWN)

    def _impossible(self) -> Iterator[Misfit]:
        """Columns whose type alone rules out every value, e.g. a day for a number."""
        for target, value, type_ in self._fields():
            if (target.type, type_.family) in _IMPOSSIBLE and not target.is_open_enum:
                yield Misfit(target.name, value.name, _RULES[target.type], None, type=type_.name)

    def _wider(self, misfits: Sequence[Misfit]) -> Iterator[Misfit]:
        for misfit in misfits:
            all_fit = misfit.rule == "text_too_long" and not misfit.rows
            if all_fit and self._type(misfit.column).length:
                yield misfit

    def _checks(self) -> Iterator[_Check]:
        """A check for each column whose type does not vouch for all its values."""
        for target, value, type_ in self._fields():
            if (target.type, type_.family) in _IMPOSSIBLE or type_.family == "bytes":
                continue
            if target.type == "text" or target.is_open_enum:
                yield from self._length_check(target, value, type_)
                continue
            rejected = self._sql.rejected(target, value, type_)
            if rejected is not None:
                shown = self._sql.text(value, type_)
                yield _Check(target.name, value.name, _RULES[target.type], rejected, shown)

    def _length_check(
        self, target: Field, value: ColumnElement[Any], type_: ColumnType
    ) -> Iterator[_Check]:
        """The check of a text's length, where the field has a limit and the column a longer one."""
        size = _OPEN_ENUM_SIZE if target.is_open_enum else target.size
        if size is None or type_.family in ("number", "flag", "day"):
            return
        if type_.length is not None and type_.length <= size:
            return
        length = self._sql.length(value, type_)
        shown = self._sql.text(value, type_)
        yield _Check(target.name, value.name, "text_too_long", length > size, shown, length)

    def _has_reference(self, name: str) -> ColumnElement[bool]:
        source = self._column[name]
        target = self._selection.entity.fields[name]
        return self._sql.key(target, self._from.c[source], self._type(source)).is_not(None)

    def _keys(self) -> list[ColumnElement[Any]]:
        fields = self._selection.entity.fields
        keys = []
        for name in self.key_fields:
            source = self._column[name]
            keys.append(self._sql.key(fields[name], self._from.c[source], self._type(source)))
        return keys

    def _status_checks(self) -> Iterator[_Check]:
        for name, mapped in self._questions.statuses.items():
            source = self._column.get(name)
            if source is None:
                continue
            key = func.rtrim(self._sql.text(self._from.c[source], self._type(source)))
            rejected = self._sql.has_text(self._from.c[source], self._type(source))
            if mapped:
                rejected = and_(rejected, key.not_in(mapped))
            yield _Check(name, source, "unknown_status", rejected, key)

    # --- the second query
    # ---------------------------------------------------------------------------------------

    def duplicates(self) -> tuple[int, str]:
        """How many rows repeat an earlier row's key, and an example of such a key."""
        row = self._connection.execute(self._duplicates_query()).first()
        if row is None:
            return 0, ""
        *key, _, extra = row
        return int(extra), "|".join(_shown(value) for value in key)

    def _duplicates_query(self) -> Select[Any]:
        """One repeated key, its rows, and in each row the repetitions of all keys together."""
        types = [self._type(self._column[name]) for name in self.key_fields]
        exact = list(map(self._sql.exact, self._keys(), types))
        names = [f"k{number}" for number in range(len(exact))]
        keyed = select(*(key.label(name) for name, key in zip(names, exact, strict=True)))
        rows = keyed.select_from(self._from).subquery("kimo_keys")
        parts = [rows.c[name] for name in names]
        # A row without any part of a key is counted as one without a key, not as a duplicate.
        present = or_(*(part.is_not(None) for part in parts))
        counted = (
            select(*parts, func.count().label("n"))
            .where(present)
            .group_by(*parts)
            .having(func.count() > 1)
        )
        doubles = counted.subquery("kimo_doubles")
        # A window gives the total beside the example, so that the rows are grouped only once.
        extra = func.sum(doubles.c.n - 1).over()
        keys = [doubles.c[name] for name in names]
        return select(*keys, doubles.c.n, extra.label("extra")).limit(1)


# An open enumeration is stored as a text of this length.
_OPEN_ENUM_SIZE = 50

# A field's type and a column's, where no value of the column fits the field.
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
    """The selection's statement as a subquery, in which nothing is a parameter."""
    names = dict.fromkeys(selection.columns)
    # The statement may end in a comment, which the line's end closes.
    statement = text(selection.statement.replace(":", r"\:") + "\n")
    return statement.columns(*(column(name) for name in names)).subquery("kimo_source")


def _rows_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _misfit(check: _Check, number: int, row: Mapping[Any, Any]) -> Misfit:
    """The result of a check: the columns of the row that end with its number."""
    rows = int(row[f"refused_{number}"] or 0)
    example = _shown(row[f"example_{number}"]) if rows else None
    longest = row.get(f"length_{number}")
    if longest is not None:
        longest = int(longest)
    return Misfit(check.field, check.column, check.rule, rows, example, longest)


def _shown(value: Any) -> str:
    """A value in one short line."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    line = re.sub(r"\s+", " ", str(value))
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…"
