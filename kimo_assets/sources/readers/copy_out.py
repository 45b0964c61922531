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
    """What to select so that COPY writes what the cursor would; None where only Python can tell."""
    types = _types(connection, selection)
    expressions = []
    for name, column in zip(selection.fields, selection.columns, strict=True):
        target, kind = selection.entity.fields[name], types[column]
        if is_day(target) and kind not in (*_PG_DATES, *_PG_WHOLE, *_PG_TEXTS):
            return None
        if kind == _PG_BYTES:  # its text form is not its content
            return None
        if is_number(target) and kind in _PG_TEXTS:  # odd spellings of numbers are refused there
            return None
        expressions.append(_copy_expression(target, column, kind, selection.no_value))
    return sql.SQL(", ").join(expressions)


def _types(connection: Connection, selection: Selection) -> dict[str, int]:
    """The columns' types, by PostgreSQL's numbers of them."""
    query = sql.SQL("SELECT * FROM ({}\n) AS kimo_source LIMIT 0").format(
        sql.SQL(selection.statement)
    )  # type: ignore[arg-type]
    driver: Any = connection.connection
    with driver.cursor() as cursor:
        cursor.execute(query)
        return {described.name: described.type_code for described in cursor.description or ()}


def for_cursor(connection: Connection, selection: Selection) -> Selection:
    """The selection for the driver's cursor: texts, where it would make objects of JSON, arrays,
    dates beyond Python's.
    """
    types = _types(connection, selection)
    plain = (
        *_PG_PLAIN,
        *(_PG_DATES if selection.made else ()),
    )  # transformations take days for what they are
    if all(types[column] in plain for column in selection.columns):
        return selection
    columns = sql.SQL(", ").join(
        sql.SQL("{0}" if types[column] in plain else "format('%s', {0}) AS {0}").format(
            sql.Identifier(column)
        )
        for column in dict.fromkeys(selection.columns)
    )
    driver: Any = connection.connection
    chosen = columns.as_string(driver.dbapi_connection)
    return replace(
        selection, statement=f"SELECT {chosen} FROM ({selection.statement}\n) AS kimo_source"
    )


def _copy_expression(
    target: Field, column: str, kind: int, no_value: NoValueConfig
) -> sql.Composed:
    value: sql.Composable = sql.Identifier(column)
    if target.type in ("int", "enum", "bool", "text") and kind in _PG_NUMERIC:
        # By way of text: a float's own cast to numeric keeps fewer digits than the float has.
        value = sql.SQL("trim_scale({}::text::numeric)").format(value)
    if kind == _PG_FLAG:
        value = sql.SQL("{}::int").format(value)
    if is_day(target) and kind not in _PG_DATES:
        value = _iso_date_or_mark(sql.SQL("{}::text").format(value), no_value)
    elif is_day(target) and may_be_a_day(no_value):
        value = sql.SQL("CASE WHEN {value}::text !~ {none} THEN {value} END").format(
            value=value, none=sql.Literal(no_date(no_value))
        )
    if is_trimmed(target) and kind in _PG_TEXTS:
        value = sql.SQL("rtrim({}::text)").format(value)
    if target.is_key:
        value = sql.SQL("{}::text").format(value)
        for absent in no_value.keys:
            value = sql.SQL("nullif({}, {})").format(value, sql.Literal(absent))
    return sql.SQL("{}").format(value)


def _iso_date_or_mark(text: sql.Composable, no_value: NoValueConfig) -> sql.Composed:
    """A date kept as text or number, as `_clean_date` takes it: none, year first, or marked to be
    refused.
    """
    return sql.SQL(
        "CASE WHEN {text} ~ {none} THEN NULL WHEN {text} ~ {iso} THEN {text} ELSE {mark} ||"
        " {text} END"
    ).format(
        text=text,
        none=sql.Literal(no_date(no_value)),
        iso=sql.Literal(_PG_ISO_DATE),
        mark=sql.Literal(NO_DATE_MARK),
    )


def as_given(target: Field, text: str) -> str:
    """A cell of a segment as the source gave it."""
    return text.removeprefix(NO_DATE_MARK) if is_day(target) else text


def read(
    connection: Connection, selection: Selection, columns: sql.Composed
) -> Generator[Segment, None, None]:
    statement = sql.SQL(
        "COPY (SELECT {} FROM ({}\n) AS kimo_source) TO STDOUT (FORMAT csv)"
    ).format(
        columns,
        sql.SQL(selection.statement),  # type: ignore[arg-type]
    )
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
    """PostgreSQL sends a message per row: psycopg waits for one, and those that came with it are
    taken from libpq.

    Through psycopg's own loop each would cost three times as much.
    """
    while row := copy.read():
        yield row
        while (arrived := pgconn.get_copy_data(1))[0] > 0:
            yield arrived[1]
        if arrived[0] < 0:
            _require_success(pgconn)
            return


def _require_success(pgconn: PGconn) -> None:
    """Raises: psycopg.Error when the COPY whose end libpq has seen was ended by one."""
    while result := pgconn.get_result():
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)
