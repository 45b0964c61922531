"""What a column of the ERP's can hold: a value in the driver's form, or why it does not fit.
Nothing is cut or rounded.

Values come as texts, whole numbers, exact decimals, flags, days and moments; formats.py says how
they are written where the column is not of their kind. No database here: reflection.py describes
the columns.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Literal

from kimo_assets.export.formats import Formats, Refused
from kimo_assets.transforms.values import plain_number

Sort = Literal["text", "whole", "number", "float", "flag", "day", "moment", "any"]
Unit = Literal["characters", "bytes", "utf16"]
Write = Callable[[Any], Any]

# "Encodings" that lack the characters beyond U+FFFF, emoji above all: MySQL's utf8 of three bytes.
BMP = "bmp"

_SQLITE_INTEGER = 2**63
_MIDNIGHT = time()
_WIDEN = "Mend it in Kimo, or widen the column"


@dataclass(frozen=True)
class ErpColumn:
    """A column as the database describes it. type: as it is written there.

    length: of a text, counted in `unit`. encoding: the codec whose characters it holds; None: every
    character. precision, scale: of a number, None for no limit. low, high: of a whole number or a
    day. digits: of a second's fraction. is_filled: the database fills it by itself and nobody may.
    has_default: it is filled where nobody does.
    """

    name: str
    sort: Sort
    type: str
    nullable: bool = True
    has_default: bool = False
    is_filled: bool = False
    length: int | None = None
    unit: Unit = "characters"
    encoding: str | None = None
    precision: int | None = None
    scale: int | None = None
    low: Any = None
    high: Any = None
    digits: int = 6
    dialect: str = ""

    @property
    def keeps_empty_texts(self) -> bool:
        """Oracle takes them for no value."""
        return self.dialect != "oracle"


def writer(column: ErpColumn, formats: Formats) -> Write:
    """Makes a value the driver's for the column. Raises, when called: Refused. Never called with
    None.
    """
    is_sqlite = column.dialect == "sqlite"
    match column.sort:
        case "text":
            return partial(_text, text_check(column), formats)
        case "whole":
            return partial(_whole, column, formats)
        case "number" | "float":
            check = partial(_number, column, formats)
            return (
                partial(_sqlite_number, column, check)
                if is_sqlite or column.sort == "float"
                else check
            )
        case "flag":
            return partial(_flag, column, formats, int if is_sqlite else bool)
        case "day":
            return partial(_day, column, formats, date.isoformat if is_sqlite else _itself)
        case "moment":
            return partial(_moment, column, formats, _sqlite_moment if is_sqlite else _itself)
        case "any":
            return partial(_any, formats, is_sqlite)


def _itself(value: Any) -> Any:
    return value


# --- texts
# --------------------------------------------------------------------------------------------------


def _text(check: Callable[[str], str], formats: Formats, value: Any) -> str:
    return check(value if type(value) is str else formats.as_text(value))


def text_check(column: ErpColumn) -> Callable[[str], str]:
    """Gives a text back that fits. Raises, when called: Refused."""
    limit = column.length
    refuses_nul = column.dialect == "postgresql"
    if limit is None and column.encoding is None and not refuses_nul:
        return _itself
    most = limit if limit is not None else 2**62

    def check(text: str) -> str:
        if len(text) > most:
            raise _too_long(column, len(text))
        if refuses_nul and "\0" in text:
            raise Refused(
                "it holds the character U+0000, which PostgreSQL takes in no text", "Take it out"
            )
        if text.isascii():
            return text
        _require_characters(column, text)
        if column.unit != "characters" and (size := _size(column, text)) > most:
            raise _too_long(column, size)
        return text

    return check


def _too_long(column: ErpColumn, size: int) -> Refused:
    unit = {
        "characters": "characters",
        "bytes": "bytes",
        "utf16": "units of UTF-16 (an emoji takes 2)",
    }[column.unit]
    return Refused(
        f"{size} {unit}, and {column.type} holds {column.length}",
        "Shorten it in Kimo, or widen the column",
    )


def _size(column: ErpColumn, text: str) -> int:
    if column.unit == "utf16":
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    encoding = column.encoding if column.encoding not in (None, BMP) else "utf-8"
    return len(text.encode(encoding or "utf-8", "replace"))


def _require_characters(column: ErpColumn, text: str) -> None:
    if column.encoding is None:
        return
    lacking = (
        next((char for char in text if char > "\uffff"), None) if column.encoding == BMP else None
    )
    if column.encoding != BMP:
        try:
            text.encode(column.encoding)
        except UnicodeEncodeError as error:
            lacking = text[error.start]
    if lacking is not None:
        name = "a character set without it" if column.encoding == BMP else column.encoding
        raise Refused(
            f"{column.type} cannot hold the character '{lacking}' (U+{ord(lacking):04X}): the"
            f" column is in {name}",
            "Take the character out in Kimo, or have the column hold Unicode",
        )


# --- numbers
# ------------------------------------------------------------------------------------------------


def _decimal(column: ErpColumn, formats: Formats, value: Any) -> Decimal:
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, int):
        number = Decimal(int(value))
    else:
        text = formats.as_digits(value) if isinstance(value, date) else str(value).strip()
        try:
            # Python also reads 1_000.
            number = Decimal(text.replace("_", "?"))
        except InvalidOperation:
            raise Refused(
                f"{column.type} holds numbers", "Map the field to a column of text, or transform it"
            ) from None
    if not number.is_finite():
        raise Refused(f"{column.type} holds numbers, and that is none", "Mend it in Kimo")
    return number


def _whole(column: ErpColumn, formats: Formats, value: Any) -> int:
    if isinstance(value, int):
        number = int(value)
    else:
        exact = _decimal(column, formats, value)
        if exact.adjusted() > 40:
            raise _out_of_range(column)
        number = int(exact)
        if number != exact:
            raise Refused(f"{column.type} holds whole numbers, and nothing is rounded", _WIDEN)
    if (column.low is not None and number < column.low) or (
        column.high is not None and number > column.high
    ):
        raise _out_of_range(column)
    return number


def _out_of_range(column: ErpColumn) -> Refused:
    return Refused(f"{column.type} holds {column.low} to {column.high}", _WIDEN)


def _number(column: ErpColumn, formats: Formats, value: Any) -> Decimal:
    number = _decimal(column, formats, value)
    scale = column.scale
    if scale is None:
        return number
    exponent = int(number.as_tuple().exponent)
    if -exponent > scale:
        # Zeros at the end are no decimals.
        number = Decimal(plain_number(number))
        if -int(number.as_tuple().exponent) > scale:
            raise Refused(f"{column.type} holds {scale} decimals, and nothing is rounded", _WIDEN)
    if column.precision is not None and number and number.adjusted() >= column.precision - scale:
        whole = column.precision - scale
        raise Refused(f"{column.type} holds {whole} digits before the decimal point", _WIDEN)
    return number


def _sqlite_number(column: ErpColumn, check: Write, value: Any) -> int | float:
    """SQLite's numbers and columns of FLOAT are binary: they hold a decimal as long as it reads
    back the same.
    """
    number = check(value)
    if (
        number == number.to_integral_value()
        and abs(number) < _SQLITE_INTEGER
        and column.sort != "float"
    ):
        return int(number)
    digits = len(number.as_tuple().digits)
    size = (
        "f"
        if column.precision is not None and column.sort == "float" and column.precision <= 24
        else "d"
    )
    try:
        held = struct.unpack(size, struct.pack(size, float(number)))[0]
    except OverflowError:
        raise Refused(f"{column.type} does not hold numbers as large", _WIDEN) from None
    if Decimal(format(held, f".{max(digits, 1)}g")) != number:
        raise Refused(
            f"{column.type} holds about {7 if size == 'f' else 15} digits, and nothing is rounded",
            _WIDEN,
        )
    return float(number)


# --- flags
# --------------------------------------------------------------------------------------------------

_FLAGS = {"1": True, "0": False, "true": True, "false": False}


def _flag(column: ErpColumn, formats: Formats, make: Callable[[bool], Any], value: Any) -> Any:
    if isinstance(value, bool):
        return make(value)
    flag = _FLAGS.get(formats.as_text(value).strip().casefold())
    if flag is None:
        raise Refused(
            f"{column.type} holds 0 and 1", "Map the field to another column, or transform it"
        )
    return make(flag)


# --- days and moments
# ---------------------------------------------------------------------------------------


def _day(column: ErpColumn, formats: Formats, make: Write, value: Any) -> Any:
    """The day of a moment: the column's type is what the ERP wants to know of it."""
    found = formats.read_date(value)
    if found is None:
        raise Refused(
            f"{column.type} holds days", "Map the field to another column, or transform it"
        )
    day = found.date() if isinstance(found, datetime) else found
    _require_time(column, datetime.combine(day, _MIDNIGHT))
    return make(day)


def _moment(column: ErpColumn, formats: Formats, make: Write, value: Any) -> Any:
    """As exactly as the column is: some databases would round a fraction up into the next
    second.
    """
    found = formats.read_date(value)
    if found is None:
        raise Refused(
            f"{column.type} holds moments", "Map the field to another column, or transform it"
        )
    moment = found if isinstance(found, datetime) else datetime.combine(found, _MIDNIGHT)
    if moment.microsecond and column.digits < 6:
        step = 10 ** (6 - column.digits)
        moment = moment.replace(microsecond=moment.microsecond // step * step)
    _require_time(column, moment)
    return make(moment)


def _require_time(column: ErpColumn, moment: datetime) -> None:
    if (column.low is not None and moment < column.low) or (
        column.high is not None and moment > column.high
    ):
        raise Refused(
            f"{column.type} holds {column.low.date()} to {column.high.date()}",
            "Mend the date in Kimo",
        )


def _sqlite_moment(moment: datetime) -> str:
    return moment.isoformat(" ")


# --- columns without a type
# ---------------------------------------------------------------------------------


def _any(formats: Formats, is_sqlite: bool, value: Any) -> Any:
    """What the database is to make of it is its own affair: numbers to SQLite, whose columns may
    have no type; else text.
    """
    if isinstance(value, bool):  # 1 is a flag of any type that has some
        return int(value) if is_sqlite else str(int(value))
    if is_sqlite and isinstance(value, int):
        return value
    if is_sqlite and isinstance(value, Decimal):
        return _sqlite_number(ErpColumn("", "any", "SQLite"), _itself, value)
    return value if type(value) is str else formats.as_text(value)
