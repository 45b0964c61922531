"""Reading a selection as CSV segments that stage the same rows, whichever reader is used.

Every value leaves as a text that PostgreSQL's own input functions validate. The readers settle only
what those cannot see: the conventions for "no value" (fact sheet, section 8), numbers that arrive
as floats, and characters that no text may hold.

segments.py: what a reader yields. copy_out.py: PostgreSQL's COPY, no value touches Python.
lines.py: MySQL and MariaDB write a row as one text. cursor.py: the driver's cursor, which always
works. cleaning.py: a column of Python values as texts.
"""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from kimo_assets.sources.connection import READER
from kimo_assets.sources.readers import copy_out, cursor, lines
from kimo_assets.sources.readers.segments import RejectedRow, Segment
from kimo_assets.sources.selection import Selection

__all__ = ["RejectedRow", "Segment", "read_segments"]


def read_segments(
    engine: Engine, connection: Connection, selection: Selection
) -> Generator[Segment, None, None]:
    """Streams the selection with the fastest reader for this source. Memory holds two segments.

    The next segment is read while the caller works on the current one.
    """
    return _read_ahead(_segments(engine, connection, selection))


def _read_ahead(segments: Generator[Segment, None, None]) -> Generator[Segment, None, None]:
    # The executor waits for the read under way. Only then may the segments' cursor be closed.
    with (
        closing(segments),
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="kimo-reader") as reader,
    ):
        upcoming = reader.submit(next, segments, None)
        while (segment := upcoming.result()) is not None:
            upcoming = reader.submit(next, segments, None)
            yield segment


def _segments(
    engine: Engine, connection: Connection, selection: Selection
) -> Generator[Segment, None, None]:
    """Reads with a fast reader where it can write every column, else with the cursor."""
    by_cursor = is_read_by_cursor(engine, selection)
    match engine.dialect.name, engine.dialect.driver:
        case "postgresql", "psycopg":
            if not by_cursor and (columns := copy_out.expressions(connection, selection)):
                return copy_out.read(connection, selection, columns)
            return cursor.read(connection, copy_out.for_cursor(connection, selection))
        case (("mysql" | "mariadb"), ("pymysql" | "mysqldb")):
            if not by_cursor and (line := lines.expression(connection, selection)):
                return lines.read(connection, selection, line)
    return cursor.read(connection, selection)


def is_read_by_cursor(engine: Engine, selection: Selection) -> bool:
    """Whether every value has to pass through Python, by a transformation or by kimo.yaml."""
    return selection.needs_python or engine.get_execution_options().get(READER) == "cursor"
