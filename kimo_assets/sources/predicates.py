"""Questions about a source's value, as SQL of its dialect: is it there, a number, a key."""

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
from kimo_assets.sources.column_types import ColumnType

_NUMBER = r"^[ \t]*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?[ \t]*$"
_WHOLE = r"^[ \t]*[+-]?[0-9]+[ \t]*$"
# Year first, each month with its days. That 2026 has no 29 February is for the import to see.
_DAYS_OF_31 = r"(0?[13578]|1[02])-(0?[1-9]|[12][0-9]|3[01])"
_DAYS_OF_30 = r"(0?[469]|11)-(0?[1-9]|[12][0-9]|30)"
_DAYS_OF_FEBRUARY = r"0?2-(0?[1-9]|[12][0-9])"
_DAY_OF_YEAR = f"({_DAYS_OF_31}|{_DAYS_OF_30}|{_DAYS_OF_FEBRUARY})"
# The same without separators, where each part has two digits: 20260131.
_CLOSED_DAY = _DAY_OF_YEAR.replace("0?", "0").replace("-(", "(")
_YEAR_FIRST = rf"^[0-9][0-9][0-9][0-9](-{_DAY_OF_YEAR}|{_CLOSED_DAY})([^0-9]|$)"
_FLAGS = ("0", "1", "true", "false", "t", "f", "yes", "no", "y", "n", "on", "off")
_INT_MAX = 2_147_483_647

Value = ColumnElement[Any]
Condition = ColumnElement[bool]


class Expressions:
    """Expressions in the dialect of a source. no_value: the texts that mean "no value" there."""

    def __init__(self, dialect: str, no_value: NoValueConfig) -> None:
        self._dialect = dialect
        self._no_value = no_value

    # --- values
    # ----------------------------------------------------------------------------------------

    def text(self, value: Value, type_: ColumnType) -> Value:
        """The value as text. Oracle's VARCHAR2 needs a length, at most 4,000."""
        if type_.family == "text":
            return value
        text_type = String(4000) if self._dialect == "oracle" else String()
        return cast(value, text_type)

    def length(self, value: Value, type_: ColumnType) -> Value:
        """Characters, without the trailing blanks, which are cut off on the way in."""
        length: Value = func.char_length(func.rtrim(self.text(value, type_)))
        # 12.0 is the code 12 to Kimo, but not to SQLite.
        if self._dialect == "sqlite":
            return case((func.typeof(value) != "real", length))
        return length

    def has_text(self, value: Value, type_: ColumnType) -> Condition:
        """Whether there is a value, and not an empty text."""
        present = value.is_not(None)
        # To Oracle an empty text is NULL, and so is every comparison with it.
        if self._dialect == "oracle":
            return present
        return and_(present, self.text(value, type_) != "")

    def key(self, target: Field, value: Value, type_: ColumnType) -> Value:
        """A key as Kimo compares it, NULL for "no value"."""
        nothing = self._no_value.keys if target.is_key else ()
        if type_.family in ("whole", "number"):
            numbers = [int(code) for code in nothing if code.isdecimal()]
            if not numbers:
                return value
            return case((value.not_in(numbers), value))
        if type_.family in ("flag", "day", "bytes"):
            return value
        spelled = func.rtrim(self.text(value, type_))
        # To Oracle an empty text is NULL already.
        if self._dialect != "oracle":
            nothing = ("", *nothing)
        if not nothing:
            return spelled
        return case((spelled.not_in(nothing), spelled))

    def exact(self, key: Value, type_: ColumnType) -> Value:
        """A key to group by: case and accents tell texts apart, whatever the collation."""
        if type_.family not in ("text", "unknown"):
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

    # --- values that a field rejects
    # ----------------------------------------------------------------------------------------

    def rejected(self, target: Field, value: Value, type_: ColumnType) -> Condition | None:
        """Whether the field rejects the value; None where the column's type rules that out."""
        is_listed = target.codes and not target.flags
        match target.type:
            case "date" | "dt":
                return self._no_day(value, type_)
            case "bool":
                return self._no_flag(value, type_)
            case "dec":
                return self._no_number(value, type_, _NUMBER)
            case _ if is_listed:
                return self._no_code(target, value, type_)
            case _:
                return self._no_whole(value, type_)

    def _no_number(self, value: Value, type_: ColumnType, pattern: str) -> Condition | None:
        if type_.family in ("whole", "number", "flag"):
            return None
        spelled = self.text(value, type_)
        is_spelled: Condition = value.is_not(None)
        # SQLite stores each value with a type of its own, so a number needs no check.
        if self._dialect == "sqlite":
            is_spelled = func.typeof(value) == "text"
        looks_otherwise = self._is_not(spelled, pattern, Numeric(38, 10))
        return and_(is_spelled, self.has_text(value, type_), looks_otherwise)

    def _no_whole(self, value: Value, type_: ColumnType) -> Condition | None:
        """Not a whole number that PostgreSQL's `integer` holds."""
        too_large, too_small = value > _INT_MAX, value < -_INT_MAX - 1
        if type_.family == "number":
            return or_(value != func.floor(value), too_large, too_small)
        if self._dialect == "sqlite":
            odd = or_(value != cast(value, types.Integer), too_large, too_small)
            spelled = self._no_number(value, type_, _WHOLE)
            number = and_(_is_number(value), odd)
            return number if spelled is None else or_(number, spelled)
        if type_.family == "whole":
            # Only BIGINT holds more than PostgreSQL's `integer`.
            has_more = "BIG" in type_.name.upper()
            return or_(too_large, too_small) if has_more else None
        return self._no_number(value, type_, _WHOLE)

    def _no_code(self, target: Field, value: Value, type_: ColumnType) -> Condition | None:
        """Not one of the codes, in any spelling that PostgreSQL reads as one."""
        codes = [int(code) for code in target.codes]
        if type_.family in ("whole", "number"):
            return value.not_in(codes)
        if type_.family == "flag":
            return None
        spelled = self.text(value, type_)
        is_code = func.ltrim(func.rtrim(spelled)).in_([str(code) for code in codes])
        looks_otherwise = self._is_not(spelled, _spellings(codes), None)
        rejected = and_(self.has_text(value, type_), not_(is_code), looks_otherwise)
        if self._dialect == "sqlite":
            number = _is_number(value)
            return or_(and_(number, value.not_in(codes)), and_(not_(number), rejected))
        return rejected

    def _no_flag(self, value: Value, type_: ColumnType) -> Condition | None:
        if type_.family in ("whole", "number"):
            return value.not_in((0, 1))
        if type_.family == "flag":
            return None
        spelled = func.lower(func.ltrim(func.rtrim(self.text(value, type_))))
        return and_(self.has_text(value, type_), spelled.not_in((*_FLAGS, "1.0", "0.0")))

    def _no_day(self, value: Value, type_: ColumnType) -> Condition | None:
        if type_.family == "day":
            return None
        spelled = self.text(value, type_)
        is_absent = func.rtrim(spelled).in_(self._no_value.dates)
        looks_otherwise = self._is_not(spelled, _YEAR_FIRST, types.Date())
        return and_(self.has_text(value, type_), not_(is_absent), looks_otherwise)

    def _is_not(self, spelled: Value, pattern: str, other: Any) -> Condition:
        """Whether a text does not match the pattern.

        SQL Server has no patterns. There it is whether the text cannot be cast to the other type.
        """
        if self._dialect == "mssql":
            return spelled.is_not(None) if other is None else try_cast(spelled, other).is_(None)
        return not_(spelled.regexp_match(pattern))


def _is_number(value: Value) -> Condition:
    return func.typeof(value).in_(("integer", "real"))


def _spellings(codes: Sequence[int]) -> str:
    """A pattern of the ways to write the codes: 1, 01, +1."""
    plus = "|".join(str(code) for code in codes if code >= 0)
    minus = "|".join(str(-code) for code in codes if code < 0)
    pattern = f"[+]?0*({plus})"
    if minus:
        pattern += f"|-0*({minus})"
    return rf"^[ \t]*({pattern})[ \t]*$"
