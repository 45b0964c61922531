"""Reading a selection as CSV segments that stage the same rows whichever way they were read.

Every value leaves as text that PostgreSQL's own input functions judge; here only what they cannot see is settled: the
conventions for "no value" (fact sheet, section 8), numbers that arrive as floats, and characters no text may hold.
"""

import csv
import io
import re
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from operator import is_
from typing import Any, Literal

from psycopg import sql
from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from kimo_assets.catalog import Field
from kimo_assets.sources.selection import Selection, run_as_is

SEGMENT_BYTES = 4 * 1024 * 1024
_FIRST_BATCH = 500
# Rows fetched at once. More are slower: what is made of them no longer fits in the processor's cache.
_MAX_BATCH = 5_000


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot even be handed to PostgreSQL. values: as the source gave them, readable."""

    values: tuple[str | None, ...]
    field: str
    rule: str


@dataclass(frozen=True)
class Segment:
    """A piece of the stream: CSV rows without a header, `\\n` after each, '' for no value."""

    data: bytes
    rows: int
    refused: list[RefusedRow] = field(default_factory=list)

    @property
    def rows_read(self) -> int:
        return self.rows + len(self.refused)


def read_segments(engine: Engine, connection: Connection, selection: Selection) -> Generator[Segment, None, None]:
    """Streams the selection by the fastest way that suits this source; memory holds two segments.

    The next segment is read while the caller works on this one.
    """
    return _read_ahead(_segments(engine, connection, selection))


def _read_ahead(segments: Generator[Segment, None, None]) -> Generator[Segment, None, None]:
    # The executor's end waits for the read under way; only then the segments' own cursor may be closed.
    with closing(segments), ThreadPoolExecutor(max_workers=1, thread_name_prefix="kimo-reader") as reader:
        upcoming = reader.submit(next, segments, None)
        while (segment := upcoming.result()) is not None:
            upcoming = reader.submit(next, segments, None)
            yield segment


def _segments(engine: Engine, connection: Connection, selection: Selection) -> Generator[Segment, None, None]:
    if engine.dialect.name == "postgresql" and engine.dialect.driver == "psycopg":
        expressions = _copy_expressions(connection, selection)
        if expressions is not None:
            return _read_by_copy(connection, selection, expressions)
    return _read_by_cursor(connection, selection)


# --- PostgreSQL: COPY out, no value touches Python -----------------------------------------------------------------

_PG_NUMERIC = (700, 701, 1700)
_PG_WHOLE = (20, 21, 23)
_PG_DATES = (1082, 1114, 1184)
_PG_TEXTS = (25, 1042, 1043)
_PG_BYTES = 17
_PG_FLAG = 16

# Before a text that is no date but that PostgreSQL might take for one ('today'): a word it knows no date by.
_NO_DATE_MARK = "no date: "


def _copy_expressions(connection: Connection, selection: Selection) -> sql.Composed | None:
    """What to select so that COPY writes what the cursor would; None where only Python can tell."""
    cursor: Any = connection.connection.cursor()
    query = sql.SQL("SELECT * FROM ({}\n) AS kimo_source LIMIT 0").format(sql.SQL(selection.statement))  # type: ignore[arg-type]
    cursor.execute(query)
    types = {described.name: described.type_code for described in cursor.description or ()}
    cursor.close()
    expressions = []
    for name, column in zip(selection.fields, selection.columns, strict=True):
        target, kind = selection.entity.fields[name], types[column]
        if _is_day(target) and kind not in (*_PG_DATES, *_PG_WHOLE, *_PG_TEXTS):
            return None
        if kind == _PG_BYTES:  # its text form is not its content
            return None
        if _is_number(target) and kind in _PG_TEXTS:  # odd spellings of numbers are refused there
            return None
        expressions.append(_copy_expression(target, column, kind))
    return sql.SQL(", ").join(expressions)


def _copy_expression(target: Field, column: str, kind: int) -> sql.Composed:
    value: sql.Composable = sql.Identifier(column)
    if target.type in ("int", "enum", "bool", "text") and kind in _PG_NUMERIC:
        # By way of text: a float's own cast to numeric keeps fewer digits than the float has.
        value = sql.SQL("trim_scale({}::text::numeric)").format(value)
    if kind == _PG_FLAG:
        value = sql.SQL("{}::int").format(value)
    if _is_day(target) and kind not in _PG_DATES:
        value = _iso_date_or_mark(sql.SQL("{}::text").format(value))
    if _is_trimmed(target) and kind in _PG_TEXTS:
        value = sql.SQL("rtrim({}::text)").format(value)
    if target.is_key:
        value = sql.SQL("nullif({}::text, '0')").format(value)
    return sql.SQL("{}").format(value)


def _iso_date_or_mark(text: sql.Composable) -> sql.Composed:
    """A date kept as text or number, as `_clean_date` takes it: none, year first, or marked to be refused."""
    return sql.SQL(
        "CASE WHEN rtrim({text}) IN ('', '-1') THEN NULL WHEN {text} ~ {iso} THEN {text} ELSE {mark} || {text} END"
    ).format(text=text, iso=sql.Literal(_PG_ISO_DATE), mark=sql.Literal(_NO_DATE_MARK))


def as_given(target: Field, text: str) -> str:
    """A cell of a segment as the source gave it."""
    return text.removeprefix(_NO_DATE_MARK) if _is_day(target) else text


def _read_by_copy(
    connection: Connection, selection: Selection, expressions: sql.Composed
) -> Generator[Segment, None, None]:
    statement = sql.SQL("COPY (SELECT {} FROM ({}\n) AS kimo_source) TO STDOUT (FORMAT csv)").format(
        expressions,
        sql.SQL(selection.statement),  # type: ignore[arg-type]
    )
    data, rows = bytearray(), 0
    driver: Any = connection.connection  # psycopg's, which SQLAlchemy's types do not know
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for block in copy:  # one message per row
            data += block
            rows += 1
            if len(data) >= SEGMENT_BYTES:
                yield Segment(bytes(data), rows)
                data, rows = bytearray(), 0
    if rows:
        yield Segment(bytes(data), rows)


# --- any other source: the driver's cursor, column by column ---------------------------------------------------------


def _read_by_cursor(connection: Connection, selection: Selection) -> Generator[Segment, None, None]:
    """Batches are sized by what the rows weigh: a table of long notes needs no more memory than one of prices."""
    targets = [selection.entity.fields[name] for name in selection.fields]
    size = _FIRST_BATCH
    pieces: list[Segment] = []
    with closing(_Batches(connection, selection.statement)) as rows_of:
        order = [rows_of.names.index(name) for name in selection.columns]
        while rows := rows_of.fetch(size):
            pieces.append(_segment(rows, order, targets))
            per_row = max(1, len(pieces[-1].data) // len(rows))
            size = max(1, min(_MAX_BATCH, SEGMENT_BYTES // per_row, size * 8))
            if sum(len(piece.data) for piece in pieces) >= SEGMENT_BYTES:
                yield _joined(pieces)
                pieces = []
    if pieces:
        yield _joined(pieces)


def _joined(pieces: Sequence[Segment]) -> Segment:
    return Segment(
        b"".join(piece.data for piece in pieces),
        sum(piece.rows for piece in pieces),
        [row for piece in pieces for row in piece.refused],
    )


class _Batches:
    """A cursor's rows, batch by batch; on SQLite a text that is not UTF-8 does not stop it."""

    def __init__(self, connection: Connection, statement: str) -> None:
        self._connection = connection
        self._statement = statement
        self._fetched = 0
        self._open()

    def _open(self) -> None:
        # Not the driver's own cursor: of one on the server SQLAlchemy has already taken the first row.
        self._result = run_as_is(self._connection, self._statement)
        self.names = list(self._result.keys())

    def close(self) -> None:
        self._result.close()

    def fetch(self, size: int) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]]
        try:
            rows = self._result.fetchmany(size)
        except OperationalError as error:
            if "Could not decode to UTF-8" not in str(error):
                raise
            rows = self._again(size)
        self._fetched += len(rows)
        return rows

    def _again(self, size: int) -> Sequence[Sequence[Any]]:
        """Reads on with a decoder that keeps odd bytes: slower, so only where one was met."""
        self._result.close()
        self._connection.connection.dbapi_connection.text_factory = _decode  # type: ignore[union-attr]
        self._open()
        for _ in range(self._fetched):
            self._result.fetchone()
        return self._result.fetchmany(size)


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _segment(rows: Sequence[Sequence[Any]], order: Sequence[int], targets: Sequence[Field]) -> Segment:
    by_column = list(zip(*rows, strict=True))
    given: list[Sequence[Any]] = [by_column[i] for i in order]
    columns: list[Sequence[Any]] = []
    refused: dict[int, tuple[str, str]] = {}
    for values, target in zip(given, targets, strict=True):
        clean, bad = _CLEANERS[target.type](values, target)
        columns.append(clean)
        for index in bad:
            refused.setdefault(index, (target.name, _UNWRITTEN_RULE.get(target.type, "not_a_number")))
    untouched = all(map(is_, columns, by_column)) and len(columns) == len(by_column)
    kept = rows if untouched else list(zip(*columns, strict=True))
    data = None if refused else _render(kept)
    if data is None:
        refused |= _unwritable(kept, targets, refused)
        data = _render([row for index, row in enumerate(kept) if index not in refused])
        assert data is not None, "unwritable rows were taken out"  # noqa: S101
    rejected = [
        RefusedRow(tuple(_readable(values[index]) for values in given), name, rule)
        for index, (name, rule) in sorted(refused.items())
    ]
    return Segment(data, len(kept) - len(refused), rejected)


def _render(rows: Sequence[Sequence[Any]]) -> bytes | None:
    """The rows as CSV, or None when some text holds a NUL or is not Unicode."""
    text = _csv(rows, csv.QUOTE_MINIMAL)
    if "\0" in text:
        return None
    if "\r" in text:
        # Python before 3.13 leaves a carriage return without quotes, in which PostgreSQL sees a broken line.
        text = _csv(rows, csv.QUOTE_ALL)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return None


def _csv(rows: Sequence[Sequence[Any]], quoting: Literal[0, 1]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n", quoting=quoting).writerows(rows)
    return buffer.getvalue()


def _unwritable(
    rows: Sequence[Sequence[Any]], targets: Sequence[Field], already: dict[int, tuple[str, str]]
) -> dict[int, tuple[str, str]]:
    found: dict[int, tuple[str, str]] = {}
    for index, row in enumerate(rows):
        if index in already:
            continue
        for value, target in zip(row, targets, strict=True):
            if isinstance(value, str) and not _is_writable(value):
                found[index] = (target.name, "invalid_characters")
                break
    return found


def _is_writable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _readable(value: Any) -> str | None:
    """A value as text that a database can keep: what cannot be written appears as an escape."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value).encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


_Cleaned = tuple[Sequence[Any], Sequence[int]]


def _is_trimmed(target: Field) -> bool:
    """Keys from CHAR columns come padded, and would match nothing."""
    return target.name == "Id" or target.is_key


def _kinds(values: Sequence[Any]) -> set[type]:
    return set(map(type, values))


def _replaced(values: Sequence[Any], replacements: dict[Any, Any]) -> Sequence[Any]:
    return [replacements.get(value, value) for value in values] if replacements else values


def _clean_text(values: Sequence[Any], target: Field) -> _Cleaned:
    if not _kinds(values) <= {int, str, type(None)}:
        values = [_text(v) for v in values]
    if not _is_trimmed(target):
        return values, ()
    # Keys repeat: judged once each, and a column without padding or zeros is passed on untouched.
    odd = [v for v in set(values) if v == 0 or v == "0" or (type(v) is str and v[-1:] == " ")]
    return _replaced(values, {v: _clean_key(v, target) for v in odd}), ()


def _clean_key(value: Any, target: Field) -> Any:
    trimmed = value.rstrip(" ") if type(value) is str else value
    return None if target.is_key and (trimmed == "0" or trimmed == 0) else trimmed


def _text(value: Any) -> Any:
    """What a text column of PostgreSQL would hold: 12.0 and 12.00 are the code 12, and a flag is 0 or 1."""
    if isinstance(value, (bytes, memoryview)):
        return _decode(bytes(value))
    if isinstance(value, (float, Decimal)):
        return _plain_number(value)
    return int(value) if isinstance(value, bool) else value


def _plain_number(value: float | Decimal) -> str:
    """Digits without an exponent or trailing zeros."""
    text = format(value if isinstance(value, Decimal) else Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_UNWRITTEN_RULE = {"date": "impossible_date", "dt": "impossible_date", "enum": "unknown_enum_code"}

# PostgreSQL would also take 0x10 and 1_000, as programmers write numbers; from an ERP they are mistakes.
_PROGRAMMERS_NUMBER = re.compile(r"[_xXoObB]")


def _is_number(target: Field) -> bool:
    return target.type in ("dec", "int", "enum") and not target.is_open_enum


def _clean_number(values: Sequence[Any], target: Field) -> _Cleaned:
    if str not in _kinds(values) or not _is_number(target):
        return values, ()
    odd = {v for v in set(values) if type(v) is str and _PROGRAMMERS_NUMBER.search(v)}
    return values, [index for index, v in enumerate(values) if v in odd] if odd else ()


def _clean_whole(values: Sequence[Any], target: Field) -> _Cleaned:
    values, odd = _clean_number(values, target)
    if _kinds(values) <= {int, str, type(None)}:
        return values, odd
    return [v if v is None or type(v) is int or type(v) is str else _whole(v) for v in values], odd


def _clean_flag(values: Sequence[Any], target: Field) -> _Cleaned:
    return [v if v is None or type(v) is int or type(v) is str else _whole(v) for v in values], ()


def _whole(value: Any) -> Any:
    """1.0 and True are whole numbers to an ERP; anything else is left for PostgreSQL to refuse."""
    if isinstance(value, (bool, float, Decimal)) and isfinite(value) and value % 1 == 0:
        return int(value)
    if isinstance(value, bytes) and len(value) == 1:
        return value[0]  # MySQL's BIT(1)
    return value


# PostgreSQL would also take 'today', 'infinity' or 1/2/03; only year first is a date here.
_ISO_DATE = re.compile(r"\d{4}-\d\d?-\d\d?|\d{8}(?!\d)")
_PG_ISO_DATE = "^([0-9]{4}-[0-9][0-9]?-[0-9]|[0-9]{8}([^0-9]|$))"
_NO_DATE = (-1, "-1", "")


def _is_day(target: Field) -> bool:
    return target.type in ("date", "dt")


def _clean_date(values: Sequence[Any], target: Field) -> _Cleaned:
    distinct = set(values)
    none = {v for v in distinct if (v.rstrip(" ") if type(v) is str else v) in _NO_DATE}
    odd = {v for v in distinct - none if v is not None and not _is_date(v)}
    values = _replaced(values, dict.fromkeys(none))
    return values, [index for index, v in enumerate(values) if v in odd] if odd else ()


def _is_date(value: Any) -> bool:
    return isinstance(value, (date, datetime)) or bool(_ISO_DATE.match(str(value)))


_CLEANERS: dict[str, Callable[[Sequence[Any], Field], _Cleaned]] = {
    "text": _clean_text,
    "dec": _clean_number,
    "int": _clean_whole,
    "enum": _clean_whole,
    "bool": _clean_flag,
    "date": _clean_date,
    "dt": _clean_date,
}
