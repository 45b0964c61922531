"""PostgreSQL: COPY out, no value touches Python."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

from psycopg import Copy, sql
from psycopg.abc import Buffer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn
from sqlalchemy.engine import Connection

from kimo_assets.catalog import Field
from kimo_assets.config import NoValueConfig
from kimo_assets.sources.readers import segments
from kimo_assets.sources.readers.cleaning import (
    is_day,
    is_number,
    is_trimmed,
    may_be_a_day,
    no_date,
)
from kimo_assets.sources.readers.segments import NO_DATE_MARK, Segment
from kimo_assets.sources.selection import Selection

# PostgreSQL's numbers (oids) of its types.
_PG_NUMERIC = (700, 701, 1700)
_PG_WHOLE = (20, 21, 23)
_PG_DATES = (1082, 1114, 1184)
_PG_TEXTS = (25, 1042, 1043)
_PG_BYTES = 17
_PG_FLAG = 16
_PG_PLAIN = (*_PG_NUMERIC, *_PG_WHOLE, *_PG_TEXTS, _PG_BYTES, _PG_FLAG)

# Year first, as cleaning.py has it.
_PG_ISO_DATE = "^([0-9]{4}-[0-9][0-9]?-[0-9]|[0-9]{8}([^0-9]|$))"


def expressions(connection: Connection, selection: Selection) -> sql.Composed | None:
    """The columns by which COPY writes what the cursor would; None where only Python can."""
    types = _types(connection, selection)
    expressions = []
    for name, column in zip(selection.fields, selection.columns, strict=True):
        target, oid = selection.entity.fields[name], types[column]
        if not _is_copied(target, oid):
            return None
        expressions.append(_copy_expression(target, column, oid, selection.no_value))
    return sql.SQL(", ").join(expressions)


def _is_copied(target: Field, oid: int) -> bool:
    """Whether COPY can write such a column for the field."""
    if is_day(target) and oid not in (*_PG_DATES, *_PG_WHOLE, *_PG_TEXTS):
        return False
    # PostgreSQL's text of bytes is their hexadecimal form.
    if oid == _PG_BYTES:
        return False
    # cleaning.py rejects some spellings of numbers.
    return not (is_number(target) and oid in _PG_TEXTS)


def _types(connection: Connection, selection: Selection) -> dict[str, int]:
    """The oid of each column's type."""
    statement: Any = selection.statement  # which is no literal, as psycopg's types want it
    query = sql.SQL("SELECT * FROM ({}\n) AS kimo_source LIMIT 0").format(sql.SQL(statement))
    driver: Any = connection.connection
    with driver.cursor() as cursor:
        cursor.execute(query)
        return {described.name: described.type_code for described in cursor.description or ()}


def for_cursor(connection: Connection, selection: Selection) -> Selection:
    """The selection with texts for columns that psycopg would turn into other objects.

    Those are JSON, arrays, and dates beyond Python's. A transformation reads a day as a day.
    """
    types = _types(connection, selection)
    plain: tuple[int, ...] = _PG_PLAIN
    if selection.transformed:
        plain = (*plain, *_PG_DATES)
    if all(types[column] in plain for column in selection.columns):
        return selection
    columns = []
    for column in dict.fromkeys(selection.columns):
        template = sql.SQL("{0}" if types[column] in plain else "format('%s', {0}) AS {0}")
        columns.append(template.format(sql.Identifier(column)))
    driver: Any = connection.connection
    chosen = sql.SQL(", ").join(columns).as_string(driver.dbapi_connection)
    statement = f"SELECT {chosen} FROM ({selection.statement}\n) AS kimo_source"
    return replace(selection, statement=statement)


def _copy_expression(target: Field, column: str, oid: int, no_value: NoValueConfig) -> sql.Composed:
    """The expression that cleaning.py's rules for the field become in SQL."""
    value: sql.Composable = sql.Identifier(column)
    if target.type in ("int", "enum", "bool", "text") and oid in _PG_NUMERIC:
        # By way of text: a float's own cast to numeric keeps fewer digits than the float has.
        value = sql.SQL("trim_scale({}::text::numeric)").format(value)
    if oid == _PG_FLAG:
        value = sql.SQL("{}::int").format(value)
    if is_day(target) and oid not in _PG_DATES:
        value = _iso_date_or_mark(sql.SQL("{}::text").format(value), no_value)
    elif is_day(target) and may_be_a_day(no_value):
        value = sql.SQL("CASE WHEN {value}::text !~ {none} THEN {value} END").format(
            value=value, none=sql.Literal(no_date(no_value))
        )
    if is_trimmed(target) and oid in _PG_TEXTS:
        value = sql.SQL("rtrim({}::text)").format(value)
    if target.is_key:
        value = sql.SQL("{}::text").format(value)
        for absent in no_value.keys:
            value = sql.SQL("nullif({}, {})").format(value, sql.Literal(absent))
    return sql.SQL("{}").format(value)


def _iso_date_or_mark(text: sql.Composable, no_value: NoValueConfig) -> sql.Composed:
    """A date kept as text or number, as `_clean_date` takes it; others are marked for rejection."""
    return sql.SQL(
        "CASE WHEN {text} ~ {none} THEN NULL WHEN {text} ~ {iso} THEN {text} ELSE {mark} ||"
        " {text} END"
    ).format(
        text=text,
        none=sql.Literal(no_date(no_value)),
        iso=sql.Literal(_PG_ISO_DATE),
        mark=sql.Literal(NO_DATE_MARK),
    )


def read(
    connection: Connection, selection: Selection, columns: sql.Composed
) -> Generator[Segment, None, None]:
    """Streams the selection by COPY. columns: the result of `expressions`."""
    source: Any = selection.statement  # which is no literal, as psycopg's types want it
    copy_out = sql.SQL("COPY (SELECT {} FROM ({}\n) AS kimo_source) TO STDOUT (FORMAT csv)")
    statement = copy_out.format(columns, sql.SQL(source))
    data, rows = bytearray(), 0
    driver: Any = connection.connection  # psycopg's, which SQLAlchemy's types do not know
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in arriving_rows(driver.pgconn, copy):
            data += row
            rows += 1
            if len(data) >= segments.SEGMENT_BYTES:
                yield Segment(bytes(data), rows)
                data, rows = bytearray(), 0
    if rows:
        yield Segment(bytes(data), rows)


def arriving_rows(pgconn: PGconn, copy: Copy) -> Iterator[Buffer]:
    """The rows of a COPY as they arrive. PostgreSQL sends a message for each.

    psycopg waits for a row, and the rows that came with it are read from libpq directly. Through
    psycopg's own loop each would cost three times as much.
    """
    while row := copy.read():
        yield row
        while (arrived := pgconn.get_copy_data(1))[0] > 0:
            yield arrived[1]
        if arrived[0] < 0:
            _require_success(pgconn)
            return


def _require_success(pgconn: PGconn) -> None:
    """Raises: psycopg.Error when an error ended the COPY, whose end libpq has already seen."""
    while result := pgconn.get_result():
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)
