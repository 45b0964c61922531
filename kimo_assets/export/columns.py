"""What a column of the ERP's can hold: a value in the driver's form, or why it does not fit.

Nothing is cut or rounded. Values come as texts, whole numbers, exact decimals, flags, days and
moments. formats.py says how they are written where the column has another type. No database here:
reflection.py describes the columns.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Literal

from kimo_assets.export.formats import DoesNotFitError, Formats
from kimo_assets.texts import say
from kimo_assets.transforms.values import plain_number

ColumnType = Literal["text", "whole", "number", "float", "flag", "day", "moment", "any"]
Unit = Literal["characters", "bytes", "utf16"]
Write = Callable[[Any], Any]

# A name for encodings that lack the characters beyond U+FFFF, such as MySQL's utf8 of three bytes.
BMP = "bmp"
_LAST_OF_BMP = "\uffff"

_SQLITE_INTEGER = 2**63
_NO_LIMIT = 2**62
_MIDNIGHT = time()

# A whole number of more digits than any column has. It is not even computed.
_TOO_MANY_DIGITS = 40

# FLOAT(24) and less are binary numbers of four bytes: struct's formats, and the digits they keep.
_SINGLE_PRECISION = 24
_SINGLE, _DOUBLE = "f", "d"
_DIGITS = {_SINGLE: 7, _DOUBLE: 15}


@dataclass(frozen=True)
class ErpColumn:
    """A column as the database describes it. type: as it is written there.

    length: of a text, counted in `unit`. encoding: the codec whose characters it holds, None for
    every character. precision, scale: of a number, None for no limit. low, high: of a whole number
    or a day. digits: of a second's fraction. is_filled: the database fills it, nobody else may.
    has_default: it is filled where nobody does.
    """

    name: str
    kind: ColumnType
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
    """Makes a value the driver's for the column. It is never called with None.

    Raises, when called: DoesNotFitError.
    """
    # SQLite has no types of its own for days, moments and flags, and its numbers are binary.
    is_sqlite = column.dialect == "sqlite"
    match column.kind:
        case "text":
            return partial(_text, text_check(column), formats)
        case "whole":
            return partial(_whole, column, formats)
        case "number" | "float":
            check = partial(_number, column, formats)
            is_binary = is_sqlite or column.kind == "float"
            return partial(_binary_number, column, check) if is_binary else check
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
    """Gives a text back that fits. Raises, when called: DoesNotFitError."""
    refuses_nul = column.dialect == "postgresql"
    if column.length is None and column.encoding is None and not refuses_nul:
        return _itself
    most = column.length if column.length is not None else _NO_LIMIT

    def check(text: str) -> str:
        if len(text) > most:
            raise _too_long(column, len(text))
        if refuses_nul and "\0" in text:
            raise DoesNotFitError(say("export.column.nul"), say("export.advice.take_out"))
        # An ASCII text has one byte a character, and every encoding has them.
        if text.isascii():
            return text
        _require_characters(column, text)
        if column.unit != "characters":
            size = _size(column, text)
            if size > most:
                raise _too_long(column, size)
        return text

    return check


def _too_long(column: ErpColumn, size: int) -> DoesNotFitError:
    sentence = say(
        f"export.column.too_long.{column.unit}", size=size, type=column.type, length=column.length
    )
    return DoesNotFitError(sentence, say("export.advice.shorten"))


def _size(column: ErpColumn, text: str) -> int:
    """In the column's unit, which is not characters."""
    if column.unit == "utf16":
        # A lone surrogate would raise here, and the export would end for one record.
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    encoding = column.encoding
    if encoding is None or encoding == BMP:
        encoding = "utf-8"
    return len(text.encode(encoding, "replace"))


def _require_characters(column: ErpColumn, text: str) -> None:
    """Raises: DoesNotFitError for the first character that the column's encoding lacks."""
    lacking = _lacking_character(column.encoding, text)
    if lacking is None:
        return
    code = f"U+{ord(lacking):04X}"
    values: dict[str, Any] = {"type": column.type, "character": lacking, "code": code}
    if column.encoding == BMP:
        sentence = say("export.column.lacks_beyond_bmp", **values)
    else:
        sentence = say("export.column.lacks_character", encoding=column.encoding, **values)
    raise DoesNotFitError(sentence, say("export.advice.character"))


def _lacking_character(encoding: str | None, text: str) -> str | None:
    if encoding is None:
        return None
    if encoding == BMP:
        return next((character for character in text if character > _LAST_OF_BMP), None)
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        return text[error.start]
    return None


# --- numbers
# --------------------------------------------------------------------------------------------------


def _decimal(column: ErpColumn, formats: Formats, value: Any) -> Decimal:
    number = _as_decimal(column, formats, value)
    if not number.is_finite():
        raise DoesNotFitError(
            say("export.column.not_finite", type=column.type), say("export.advice.correct")
        )
    return number


def _as_decimal(column: ErpColumn, formats: Formats, value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(int(value))
    text = formats.as_digits(value) if isinstance(value, date) else str(value).strip()
    try:
        # Python would read 1_000 as a number.
        return Decimal(text.replace("_", "?"))
    except InvalidOperation:
        raise DoesNotFitError(
            say("export.column.numbers", type=column.type), say("export.advice.text_column")
        ) from None


def _whole(column: ErpColumn, formats: Formats, value: Any) -> int:
    number = _as_whole(column, formats, value)
    is_too_low = column.low is not None and number < column.low
    is_too_high = column.high is not None and number > column.high
    if is_too_low or is_too_high:
        raise _out_of_range(column)
    return number


def _as_whole(column: ErpColumn, formats: Formats, value: Any) -> int:
    # A flag is an int to Python. As True it would reach psycopg's COPY as t, which is no number.
    if isinstance(value, int):
        return int(value)
    exact = _decimal(column, formats, value)
    if exact.adjusted() > _TOO_MANY_DIGITS:
        raise _out_of_range(column)
    number = int(exact)
    if number != exact:
        raise _number_does_not_fit(say("export.column.whole_numbers", type=column.type))
    return number


def _out_of_range(column: ErpColumn) -> DoesNotFitError:
    return _number_does_not_fit(
        say("export.column.range", type=column.type, low=column.low, high=column.high)
    )


def _number_does_not_fit(sentence: str) -> DoesNotFitError:
    return DoesNotFitError(sentence, say("export.advice.widen"))


def _number(column: ErpColumn, formats: Formats, value: Any) -> Decimal:
    number = _decimal(column, formats, value)
    scale = column.scale
    if scale is None:
        return number
    if _decimals(number) > scale:
        # Zeros at the end are no decimals.
        number = Decimal(plain_number(number))
        if _decimals(number) > scale:
            raise _number_does_not_fit(say("export.column.decimals", type=column.type, scale=scale))
    # The exponent of a zero says nothing of its size: 0E+5 would count as six digits.
    if column.precision is not None and number:
        whole_digits = column.precision - scale
        if number.adjusted() >= whole_digits:
            raise _number_does_not_fit(
                say("export.column.whole_digits", type=column.type, digits=whole_digits)
            )
    return number


def _decimals(number: Decimal) -> int:
    return -int(number.as_tuple().exponent)


def _binary_number(column: ErpColumn, check: Write, value: Any) -> int | float:
    """A number for a column of FLOAT, or for SQLite, whose numbers are binary.

    They hold a decimal as long as it reads back the same.
    """
    number = check(value)
    is_whole = number == number.to_integral_value()
    # SQLite keeps whole numbers exactly, up to 64 bits.
    if is_whole and column.kind != "float" and abs(number) < _SQLITE_INTEGER:
        return int(number)
    size = _binary_size(column)
    try:
        stored = struct.unpack(size, struct.pack(size, float(number)))[0]
    except OverflowError:
        raise _number_does_not_fit(say("export.column.too_large", type=column.type)) from None
    digits = len(number.as_tuple().digits)
    if Decimal(format(stored, f".{max(digits, 1)}g")) != number:
        raise _number_does_not_fit(
            say("export.column.digits", type=column.type, digits=_DIGITS[size])
        )
    return float(number)


def _binary_size(column: ErpColumn) -> str:
    is_single = column.precision is not None and column.precision <= _SINGLE_PRECISION
    return _SINGLE if column.kind == "float" and is_single else _DOUBLE


# --- flags
# --------------------------------------------------------------------------------------------------

_FLAGS = {"1": True, "0": False, "true": True, "false": False}


def _flag(column: ErpColumn, formats: Formats, make: Callable[[bool], Any], value: Any) -> Any:
    if isinstance(value, bool):
        return make(value)
    flag = _FLAGS.get(formats.as_text(value).strip().casefold())
    if flag is None:
        raise _other_type(say("export.column.flags", type=column.type))
    return make(flag)


def _other_type(sentence: str) -> DoesNotFitError:
    return DoesNotFitError(sentence, say("export.advice.other_column"))


# --- days and moments
# --------------------------------------------------------------------------------------------------


def _day(column: ErpColumn, formats: Formats, make: Write, value: Any) -> Any:
    """Of a moment, its day: with the column's type the ERP has decided to keep no more of it."""
    day = formats.read_date(value)
    if day is None:
        raise _other_type(say("export.column.days", type=column.type))
    if isinstance(day, datetime):
        day = day.date()
    _require_range(column, datetime.combine(day, _MIDNIGHT))
    return make(day)


def _moment(column: ErpColumn, formats: Formats, make: Write, value: Any) -> Any:
    """As exactly as the column is. Some databases would round a fraction into the next second."""
    moment = formats.read_date(value)
    if moment is None:
        raise _other_type(say("export.column.moments", type=column.type))
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, _MIDNIGHT)
    if moment.microsecond and column.digits < 6:
        step = 10 ** (6 - column.digits)
        moment = moment.replace(microsecond=moment.microsecond // step * step)
    _require_range(column, moment)
    return make(moment)


def _require_range(column: ErpColumn, moment: datetime) -> None:
    """Raises: DoesNotFitError for a moment that the database does not have."""
    is_too_early = column.low is not None and moment < column.low
    is_too_late = column.high is not None and moment > column.high
    if is_too_early or is_too_late:
        raise DoesNotFitError(
            say(
                "export.column.range",
                type=column.type,
                low=column.low.date(),
                high=column.high.date(),
            ),
            say("export.advice.correct_date"),
        )


def _sqlite_moment(moment: datetime) -> str:
    return moment.isoformat(" ")


# --- columns without a type
# --------------------------------------------------------------------------------------------------


def _any(formats: Formats, is_sqlite: bool, value: Any) -> Any:
    """SQLite's columns may have no type: they take numbers. Other databases read a text."""
    if isinstance(value, bool):
        # 1 is true for every type that has flags.
        return int(value) if is_sqlite else str(int(value))
    if is_sqlite and isinstance(value, int):
        return value
    if is_sqlite and isinstance(value, Decimal):
        return _binary_number(ErpColumn("", "any", "SQLite"), _itself, value)
    return value if type(value) is str else formats.as_text(value)
