"""Reading a selection as CSV segments that stage the same rows whichever way they were read.

Every value leaves as text that PostgreSQL's own input functions judge; here only what they cannot see is settled: the
conventions for "no value" (fact sheet, section 8), numbers that arrive as floats, and characters no text may hold.

segments.py: what a reader yields. copy_out.py: PostgreSQL's COPY, no value touches Python. cursor.py: the driver's cursor,
which always works. cleaning.py: what is made of a column of Python values.
"""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from kimo_assets.sources.readers import copy_out, cursor
from kimo_assets.sources.readers.segments import RefusedRow, Segment
from kimo_assets.sources.selection import Selection

__all__ = ["RefusedRow", "Segment", "read_segments"]


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
    if not selection.needs_python and engine.dialect.name == "postgresql" and engine.dialect.driver == "psycopg":
        expressions = copy_out.expressions(connection, selection)
        if expressions is not None:
            return copy_out.read(connection, selection, expressions)
    return cursor.read(connection, selection)
