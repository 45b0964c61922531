"""MySQL and MariaDB: the server writes each row as one text, and Python makes lines of CSV of many
rows at once.

A driver that makes a value of every cell takes several times as long. Quotes are doubled here:
REPLACE of MariaDB takes minutes for a long text with many of them.
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
from kimo_assets.sources.readers.copy_out import as_given
from kimo_assets.sources.readers.segments import NO_DATE_MARK, RefusedRow, Segment, readable
from kimo_assets.sources.selection import Selection

# The protocol's codes of column types, which both drivers tell.
_DECIMAL = (0, 246)
_WHOLE = (1, 2, 3, 8, 9, 13)
_FLOATING = (4, 5)
_DAY = (10, 14)
_MOMENT = (7, 12)
_BIT = 16
_TEXT = (15, 247, 248, 249, 250, 251, 252, 253, 254)

# The decimals of a floating type that has no fixed number of them.
_NOT_FIXED = 31

# Between the cells of a row: two control characters, which no text of an ERP holds one after the
# other.
_BETWEEN = "\x1f\x1e"
_END_OF_LINE = '"\n"'

# Year first, as cleaning.py has it.
_ISO_DATE = "'^([0-9]{4}-[0-9][0-9]?-[0-9]|[0-9]{8}([^0-9]|$))'"


@dataclass(frozen=True)
class _Kind:
    """A column's type in the protocol, its length (of BIT: in bits) and its decimals."""

    code: int
    length: int
    decimals: int


def expression(connection: Connection, selection: Selection) -> str | None:
    """What writes a row as the cursor would, NULL when it is too long for the server; None where
    only Python can tell.
    """
    if "order by" in " ".join(selection.statement.casefold().split()):
        return None  # which of two rows with one key is the first, the query says, and a subquery forgets it
    if selection.no_value != NoValueConfig():
        return None  # the vendor's conventions are all that is written below
    kinds = _kinds(connection, selection)
    cells = []
    for name, column in zip(selection.fields, selection.columns, strict=True):
        value = _value(selection.entity.fields[name], _quoted(column), kinds[column])
        if value is None:
            return None
        cells.append(f"IFNULL({value}, '')")
    texts = [column for column in selection.columns if kinds[column].code in _TEXT]
    if texts and "binary" in _charsets(connection, selection, texts):
        return None  # bytes: the server would make other texts of them than the cursor
    return f"CONCAT({', CHAR(31, 30 USING utf8mb4), '.join(cells)})"


def _kinds(connection: Connection, selection: Selection) -> dict[str, _Kind]:
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(f"SELECT * FROM ({selection.statement}\n) AS kimo_source LIMIT 0")
        described: Any = cursor.description or ()
        return {
            name: _Kind(code, length, decimals)
            for name, code, _, length, _, decimals, _ in described
        }


def _charsets(connection: Connection, selection: Selection, texts: Sequence[str]) -> Sequence[str]:
    """The character sets of text columns, known without a row."""
    asked = ", ".join(f"CHARSET(MAX({_quoted(column)}))" for column in texts)
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(f"SELECT {asked} FROM ({selection.statement}\n) AS kimo_source WHERE 1 = 0")
        return cursor.fetchone() or ()


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"


def _value(target: Field, column: str, kind: _Kind) -> str | None:
    """The expression of a cell, NULL where it has no value; None where only Python can tell."""
    if kind.code in _TEXT:
        return None if is_number(target) else _text(target, _as_text(column))
    if kind.code in _WHOLE or (
        kind.code == _BIT and kind.length <= 8 and target.type in ("int", "enum", "bool")
    ):
        return _whole(target, f"({column} + 0)")  # without the leading zeros of ZEROFILL
    if kind.code in _DECIMAL and not is_day(target):
        return _decimal(target, f"({column} + 0)", kind.decimals)
    if kind.code in _FLOATING and target.type == "dec" and kind.decimals == _NOT_FIXED:
        return column
    if kind.code in _DAY or (kind.code in _MOMENT and is_day(target)):
        return column
    return None


def _as_text(value: str) -> str:
    """Compared byte by byte: most collations take other digits for '0' as well."""
    return f"CONVERT({value} USING utf8mb4) COLLATE utf8mb4_bin"


def _text(target: Field, text: str) -> str:
    if is_day(target):
        return _iso_date_or_mark(text)
    trimmed = f"RTRIM({text})" if is_trimmed(target) else text
    return f"NULLIF({trimmed}, '0')" if target.is_key else trimmed


def _whole(target: Field, number: str) -> str:
    if is_day(target):
        return _iso_date_or_mark(_as_text(number))
    return f"NULLIF({number}, 0)" if target.is_key else number


def _decimal(target: Field, number: str, decimals: int) -> str:
    """12.00 is the code 12, as `cleaning` has it."""
    if target.type == "dec" or not decimals:
        return f"NULLIF({number}, 0)" if target.is_key else number
    if target.type != "text":
        return f"IF({number} = FLOOR({number}), CONCAT(FLOOR({number})), CONCAT({number}))"
    code = f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {number}))"
    return f"NULLIF({code}, '0')" if target.is_key else code


def _iso_date_or_mark(text: str) -> str:
    """A date kept as text or number, as `_clean_date` takes it: none, year first, or marked to be
    refused.
    """
    return (
        f"CASE WHEN RTRIM({text}) IN ('', '-1') THEN NULL WHEN {text} REGEXP {_ISO_DATE} THEN"
        f" {text} ELSE CONCAT('{NO_DATE_MARK}', {text}) END"
    )


def read(connection: Connection, selection: Selection, row: str) -> Generator[Segment, None, None]:
    """row: the expression that writes a row. Raises: ReaderError for one that cannot be read so."""
    driver: Any = connection.dialect.dbapi
    unbuffered = import_module(f"{driver.__name__}.cursors").SSCursor
    with closing(connection.connection.cursor(unbuffered)) as cursor:
        cursor.execute(f"SELECT {row} FROM ({selection.statement}\n) AS kimo_source")
        yield from segments.gathered(cursor.fetchmany, lambda rows: _segment(rows, selection))


def _segment(fetched: Sequence[tuple[str | None]], selection: Selection) -> Segment:
    rows = [row for (row,) in fetched if row is not None]
    text = "\n".join(rows)
    if len(rows) < len(fetched):
        raise _unreadable("a row is longer than the server's max_allowed_packet", selection)
    if text.count(_BETWEEN) != len(rows) * (len(selection.fields) - 1):
        raise _unreadable("a text holds the control characters 1F and 1E", selection)
    if "\0" not in text:
        return Segment(_csv(rows, has_quotes='"' in text), len(rows))
    good = [row for row in rows if "\0" not in row]
    refused = [_refused(row, selection) for row in rows if "\0" in row]
    return Segment(_csv(good, has_quotes=True), len(good), refused)


def _unreadable(why: str, selection: Selection) -> ReaderError:
    error = ReaderError(f"{selection.entity.name} cannot be read line by line, {why}")
    error.source = selection.source
    return error


def _csv(rows: Sequence[str], *, has_quotes: bool) -> bytes:
    """Every cell between quotes, so that one rule suits all."""
    if not rows:
        return b""
    escaped = [row.replace('"', '""') for row in rows] if has_quotes else rows
    return f'"{_END_OF_LINE.join(escaped)}"\n'.replace(_BETWEEN, '","').encode()


def _refused(row: str, selection: Selection) -> RefusedRow:
    """A row with a NUL, which no text of PostgreSQL may hold: refused for that, or for a date that
    is none.
    """
    cells = dict(zip(selection.fields, row.split(_BETWEEN), strict=True))
    days = [name for name in cells if is_day(selection.entity.fields[name])]
    marked = [name for name in days if cells[name].startswith(NO_DATE_MARK)]
    odd = [name for name, cell in cells.items() if "\0" in cell]
    given = [as_given(selection.entity.fields[name], cell) for name, cell in cells.items()]
    values = tuple(readable(cell) if cell else None for cell in given)
    return RefusedRow(
        values, *((marked[0], "impossible_date") if marked else (odd[0], "invalid_characters"))
    )
