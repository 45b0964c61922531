"""What can be asked of a source's value, as SQL of its own dialect: is it there, is it a number, is
it a key.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Numeric,
    String,
    and_,
    case,
    cast,
    collate,
    func,
    not_,
    or_,
    try_cast,
    types,
)

from kimo_assets.catalog import Field
from kimo_assets.config import NoValueConfig
from kimo_assets.sources.column_types import Kind

_NUMBER = r"^[ \t]*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?[ \t]*$"
_WHOLE = r"^[ \t]*[+-]?[0-9]+[ \t]*$"
# Year first, each month with its days; that 2026 has no 29 February stays the import's to find.
_DAY_OF_YEAR = r"((0?[13578]|1[02])-(0?[1-9]|[12][0-9]|3[01])|(0?[469]|11)-(0?[1-9]|[12][0-9]|30)|0?2-(0?[1-9]|[12][0-9]))"
_YEAR_FIRST = rf"^[0-9][0-9][0-9][0-9](-{_DAY_OF_YEAR}|{_DAY_OF_YEAR.replace('0?', '0').replace('-(', '(')})([^0-9]|$)"
_FLAGS = ("0", "1", "true", "false", "t", "f", "yes", "no", "y", "n", "on", "off")
_INT_MAX = 2_147_483_647

Value = ColumnElement[Any]
Condition = ColumnElement[bool]


class Expressions:
    """Expressions in the dialect of a source. no_value: what means "no value" there."""

    def __init__(self, dialect: str, no_value: NoValueConfig) -> None:
        self._dialect = dialect
        self._no_value = no_value

    # --- what a value is
    # ----------------------------------------------------------------------------------------

    def text(self, value: Value, kind: Kind) -> Value:
        if kind.sort == "text":
            return value
        return cast(value, String(4000) if self._dialect == "oracle" else String())

    def length(self, value: Value, kind: Kind) -> Value:
        """Characters, without the blanks at the end, which are cut off on the way in."""
        length: Value = func.char_length(func.rtrim(self.text(value, kind)))
        # 12.0 is the code 12 to Kimo, but not to SQLite.
        return case((func.typeof(value) != "real", length)) if self._dialect == "sqlite" else length

    def has_text(self, value: Value, kind: Kind) -> Condition:
        # To Oracle an empty text is NULL, and so is every comparison with it.
        present = value.is_not(None)
        return present if self._dialect == "oracle" else and_(present, self.text(value, kind) != "")

    def key(self, target: Field, value: Value, kind: Kind) -> Value:
        """A key as Kimo compares it, NULL for "no value"."""
        nothing = self._no_value.keys if target.is_key else ()
        if kind.sort in ("whole", "number"):
            numbers = [int(code) for code in nothing if code.isdecimal()]
            return case((value.not_in(numbers), value)) if numbers else value
        if kind.sort in ("flag", "day", "bytes"):
            return value
        spelled = func.rtrim(self.text(value, kind))
        empty = () if self._dialect == "oracle" else ("",)
        return case((spelled.not_in((*empty, *nothing)), spelled)) if empty or nothing else spelled

    def exact(self, key: Value, kind: Kind) -> Value:
        """A key to group by: what differs only in case or accents differs, also to a database that
        thinks otherwise.
        """
        if kind.sort not in ("text", "unknown"):
            return key
        match self._dialect:
            case "mysql" | "mariadb":
                return cast(key, LargeBinary)
            case "mssql":
                return collate(key, "Latin1_General_BIN2")
            case "sqlite":
                return collate(key, "BINARY")
            case _:
                return key

    # --- what a field would refuse: None where the column's type vouches for every value
    # -------------------------

    def refused(self, target: Field, value: Value, kind: Kind) -> Condition | None:
        match target.type:
            case "date" | "dt":
                return self._no_day(value, kind)
            case "bool":
                return self._no_flag(value, kind)
            case "dec":
                return self._no_number(value, kind, _NUMBER)
            case _:
                is_listed = target.codes and not target.flags
                return (
                    self._no_code(target, value, kind) if is_listed else self._no_whole(value, kind)
                )

    def _no_number(self, value: Value, kind: Kind, pattern: str) -> Condition | None:
        if kind.sort in ("whole", "number", "flag"):
            return None
        spelled = self.text(value, kind)
        # In SQLite a number is one wherever it stands.
        is_spelled = (
            func.typeof(value) == "text" if self._dialect == "sqlite" else value.is_not(None)
        )
        return and_(
            is_spelled, self.has_text(value, kind), self._is_not(spelled, pattern, Numeric(38, 10))
        )

    def _no_whole(self, value: Value, kind: Kind) -> Condition | None:
        if kind.sort == "number":
            return or_(value != func.floor(value), value > _INT_MAX, value < -_INT_MAX - 1)
        if self._dialect == "sqlite":
            odd = or_(value != cast(value, types.Integer), value > _INT_MAX, value < -_INT_MAX - 1)
            spelled = self._no_number(value, kind, _WHOLE)
            number = and_(_is_number(value), odd)
            return number if spelled is None else or_(number, spelled)
        if kind.sort == "whole":
            return (
                or_(value > _INT_MAX, value < -_INT_MAX - 1) if "BIG" in kind.name.upper() else None
            )
        return self._no_number(value, kind, _WHOLE)

    def _no_code(self, target: Field, value: Value, kind: Kind) -> Condition | None:
        codes = [int(code) for code in target.codes]
        if kind.sort in ("whole", "number"):
            return value.not_in(codes)
        if kind.sort == "flag":
            return None
        spelled = self.text(value, kind)
        named = func.ltrim(func.rtrim(spelled)).in_([str(code) for code in codes])
        refused = and_(
            self.has_text(value, kind), not_(named), self._is_not(spelled, _spellings(codes), None)
        )
        if self._dialect == "sqlite":
            number = _is_number(value)
            return or_(and_(number, value.not_in(codes)), and_(not_(number), refused))
        return refused

    def _no_flag(self, value: Value, kind: Kind) -> Condition | None:
        if kind.sort in ("whole", "number"):
            return value.not_in((0, 1))
        if kind.sort == "flag":
            return None
        spelled = func.lower(func.ltrim(func.rtrim(self.text(value, kind))))
        return and_(self.has_text(value, kind), spelled.not_in((*_FLAGS, "1.0", "0.0")))

    def _no_day(self, value: Value, kind: Kind) -> Condition | None:
        if kind.sort == "day":
            return None
        spelled = self.text(value, kind)
        none = func.rtrim(spelled).in_(self._no_value.dates)
        return and_(
            self.has_text(value, kind), not_(none), self._is_not(spelled, _YEAR_FIRST, types.Date())
        )

    def _is_not(self, spelled: Value, pattern: str, other: Any) -> Condition:
        """Whether a text does not look so; SQL Server knows no patterns, and is asked whether it
        can be made the type.
        """
        if self._dialect == "mssql":
            return spelled.is_not(None) if other is None else try_cast(spelled, other).is_(None)
        return not_(spelled.regexp_match(pattern))


def _is_number(value: Value) -> Condition:
    return func.typeof(value).in_(("integer", "real"))


def _spellings(codes: Sequence[int]) -> str:
    """A pattern of how the codes may be written: 1, 01, +1."""
    plus = "|".join(str(code) for code in codes if code >= 0)
    minus = "|".join(str(-code) for code in codes if code < 0)
    return rf"^[ \t]*([+]?0*({plus}){f'|-0*({minus})' if minus else ''})[ \t]*$"
