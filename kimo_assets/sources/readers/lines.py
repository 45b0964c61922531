"""MySQL and MariaDB: the server writes each row as a text, and Python turns many into CSV at once.

A driver that makes a Python value of every cell takes several times as long. Quotes are doubled in
Python, because MariaDB's REPLACE takes minutes for a long text with many of them.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sqlalchemy.engine import Connection

from kimo_assets.catalog import Field
from kimo_assets.config import NoValueConfig
from kimo_assets.errors import ReaderError
from kimo_assets.sources.readers import segments
from kimo_assets.sources.readers.cleaning import is_day, is_number, is_trimmed
from kimo_assets.sources.readers.segments import (
    NO_DATE_MARK,
    RejectedRow,
    Segment,
    as_given,
    readable,
)
from kimo_assets.sources.selection import Selection
from kimo_assets.texts import say

# The protocol's codes of column types, which both drivers report.
_DECIMAL = (0, 246)
_WHOLE = (1, 2, 3, 8, 9, 13)
_FLOATING = (4, 5)
_DAY = (10, 14)
_MOMENT = (7, 12)
_BIT = 16
_TEXT = (15, 247, 248, 249, 250, 251, 252, 253, 254)

# What a floating type without a fixed number of decimals reports.
_NOT_FIXED = 31

# Between the cells of a row: two control characters that no text of an ERP has in a row.
_BETWEEN = "\x1f\x1e"
_END_OF_LINE = '"\n"'

# Year first, as cleaning.py has it.
_ISO_DATE = "'^([0-9]{4}-[0-9][0-9]?-[0-9]|[0-9]{8}([^0-9]|$))'"


@dataclass(frozen=True)
class _ColumnType:
    """A column's type in the protocol, its length (of BIT: in bits) and its decimals."""

    code: int
    length: int
    decimals: int


def expression(connection: Connection, selection: Selection) -> str | None:
    """The expression that writes a row as the cursor would; None where only Python can.

    It is NULL for a row that is too long for the server.
    """
    # Of two rows with the same key the first counts, and a subquery would lose the query's order.
    if "order by" in " ".join(selection.statement.casefold().split()):
        return None
    # The expressions below hold the vendor's conventions for "no value", and no others.
    if selection.no_value != NoValueConfig():
        return None
    types = _types(connection, selection)
    cells = []
    for name, column in zip(selection.fields, selection.columns, strict=True):
        value = _value(selection.entity.fields[name], _quoted(column), types[column])
        if value is None:
            return None
        cells.append(f"IFNULL({value}, '')")
    texts = [column for column in selection.columns if types[column].code in _TEXT]
    # The server's texts of bytes differ from the cursor's.
    if texts and "binary" in _charsets(connection, selection, texts):
        return None
    return f"CONCAT({', CHAR(31, 30 USING utf8mb4), '.join(cells)})"


def _types(connection: Connection, selection: Selection) -> dict[str, _ColumnType]:
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(f"SELECT * FROM ({selection.statement}\n) AS kimo_source LIMIT 0")
        description: Any = cursor.description or ()
    types = {}
    for name, code, _, length, _, decimals, _ in description:
        types[name] = _ColumnType(code, length, decimals)
    return types


def _charsets(connection: Connection, selection: Selection, texts: Sequence[str]) -> Sequence[str]:
    """The character sets of text columns, without reading a row."""
    sets = ", ".join(f"CHARSET(MAX({_quoted(column)}))" for column in texts)
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(f"SELECT {sets} FROM ({selection.statement}\n) AS kimo_source WHERE 1 = 0")
        return cursor.fetchone() or ()


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"


def _value(target: Field, column: str, type_: _ColumnType) -> str | None:
    """The expression of a cell, NULL where it has no value; None where only Python can write it."""
    if type_.code in _TEXT:
        # cleaning.py rejects some spellings of numbers.
        return None if is_number(target) else _text(target, _as_text(column))
    # Plus zero takes off the leading zeros of ZEROFILL.
    number = f"({column} + 0)"
    is_small_bit = type_.code == _BIT and type_.length <= 8
    if type_.code in _WHOLE or (is_small_bit and target.type in ("int", "enum", "bool")):
        return _whole(target, number)
    if type_.code in _DECIMAL and not is_day(target):
        return _decimal(target, number, type_.decimals)
    if type_.code in _FLOATING and target.type == "dec" and type_.decimals == _NOT_FIXED:
        return column
    if type_.code in _DAY or (type_.code in _MOMENT and is_day(target)):
        return column
    return None


def _as_text(value: str) -> str:
    """The value as a text that is compared byte by byte: most collations equate '0' with others."""
    return f"CONVERT({value} USING utf8mb4) COLLATE utf8mb4_bin"


def _text(target: Field, text: str) -> str:
    if is_day(target):
        return _iso_date_or_mark(text)
    if is_trimmed(target):
        text = f"RTRIM({text})"
    return _key(target, text, "'0'")


def _whole(target: Field, number: str) -> str:
    if is_day(target):
        return _iso_date_or_mark(_as_text(number))
    return _key(target, number, "0")


def _key(target: Field, value: str, zero: str) -> str:
    """In a key, zero means "no value" (fact sheet, section 8)."""
    return f"NULLIF({value}, {zero})" if target.is_key else value


def _decimal(target: Field, number: str, decimals: int) -> str:
    """12.00 is the code 12, as `cleaning` has it."""
    if target.type == "dec" or not decimals:
        return _key(target, number, "0")
    if target.type != "text":
        return f"IF({number} = FLOOR({number}), CONCAT(FLOOR({number})), CONCAT({number}))"
    code = f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {number}))"
    return _key(target, code, "'0'")


def _iso_date_or_mark(text: str) -> str:
    """A date kept as text or number, as `_clean_date` takes it; others are marked for rejection."""
    return (
        f"CASE WHEN RTRIM({text}) IN ('', '-1') THEN NULL WHEN {text} REGEXP {_ISO_DATE} THEN"
        f" {text} ELSE CONCAT('{NO_DATE_MARK}', {text}) END"
    )


def read(connection: Connection, selection: Selection, row: str) -> Generator[Segment, None, None]:
    """Streams the selection. row: the result of `expression`.

    Raises: ReaderError for a row that cannot be read this way.
    """
    driver: Any = connection.dialect.dbapi
    unbuffered = import_module(f"{driver.__name__}.cursors").SSCursor
    with closing(connection.connection.cursor(unbuffered)) as cursor:
        cursor.execute(f"SELECT {row} FROM ({selection.statement}\n) AS kimo_source")
        yield from segments.gathered(cursor.fetchmany, lambda rows: _segment(rows, selection))


def _segment(fetched: Sequence[tuple[str | None]], selection: Selection) -> Segment:
    """A batch as a segment. Raises: ReaderError for a row that cannot be split into its cells."""
    rows = [row for (row,) in fetched if row is not None]
    text = "\n".join(rows)
    if len(rows) < len(fetched):
        raise _unreadable("sources.row_too_long", selection)
    if text.count(_BETWEEN) != len(rows) * (len(selection.fields) - 1):
        raise _unreadable("sources.text_with_separator", selection)
    if "\0" not in text:
        return Segment(_csv(rows, has_quotes='"' in text), len(rows))
    writable = [row for row in rows if "\0" not in row]
    rejected = [_rejected_row(row, selection) for row in rows if "\0" in row]
    return Segment(_csv(writable, has_quotes=True), len(writable), rejected)


def _unreadable(key: str, selection: Selection) -> ReaderError:
    error = ReaderError(say(key, entity=selection.entity.name))
    error.source = selection.source
    return error


def _csv(rows: Sequence[str], *, has_quotes: bool) -> bytes:
    """The rows as CSV. Every cell is between quotes, so that none needs a look."""
    if not rows:
        return b""
    if has_quotes:
        rows = [row.replace('"', '""') for row in rows]
    return f'"{_END_OF_LINE.join(rows)}"\n'.replace(_BETWEEN, '","').encode()


def _rejected_row(row: str, selection: Selection) -> RejectedRow:
    """A row with a NUL, which PostgreSQL's texts cannot hold. An impossible date comes first."""
    cells = dict(zip(selection.fields, row.split(_BETWEEN), strict=True))
    days = [name for name in cells if is_day(selection.entity.fields[name])]
    marked = [name for name in days if cells[name].startswith(NO_DATE_MARK)]
    with_nul = [name for name, cell in cells.items() if "\0" in cell]
    given = [as_given(selection.entity.fields[name], cell) for name, cell in cells.items()]
    values = tuple(readable(cell) if cell else None for cell in given)
    if marked:
        return RejectedRow(values, marked[0], "impossible_date")
    return RejectedRow(values, with_nul[0], "invalid_characters")
