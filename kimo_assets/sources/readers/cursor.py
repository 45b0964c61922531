"""Any source: the driver's cursor, column by column."""

import csv
import io
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from operator import is_
from typing import Any, Literal

from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from kimo_assets.sources.readers import segments
from kimo_assets.sources.readers.cleaning import absent_in, clean
from kimo_assets.sources.readers.segments import RejectedRow, Segment, readable
from kimo_assets.sources.selection import Selection, TransformedField, run_as_is
from kimo_assets.transforms import BrokenRule, Outcome, transformed
from kimo_assets.transforms.values import decode


def read(connection: Connection, selection: Selection) -> Generator[Segment, None, None]:
    """Streams the selection by the driver's cursor."""
    with closing(_Batches(connection, selection.statement)) as batches:
        order = [batches.names.index(name) for name in selection.columns]
        yield from segments.gathered(batches.fetch, lambda rows: _segment(rows, order, selection))


class _Batches:
    """A cursor's rows in batches. On SQLite a text that is not UTF-8 does not stop it."""

    def __init__(self, connection: Connection, statement: str) -> None:
        self._connection = connection
        self._statement = statement
        self._fetched = 0
        self._open()

    def _open(self) -> None:
        # Not the driver's own cursor: SQLAlchemy has already fetched rows from one on the server.
        self._result = run_as_is(self._connection, self._statement)
        self.names = list(self._result.keys())

    def close(self) -> None:
        self._result.close()

    def fetch(self, size: int) -> Sequence[Sequence[Any]]:
        """At most so many rows, none at the end."""
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
        """Reads on with a decoder that keeps odd bytes. It is slower, so only after such a text."""
        self._result.close()
        sqlite: Any = self._connection.connection.dbapi_connection
        sqlite.text_factory = decode
        self._open()
        for _ in range(self._fetched):
            self._result.fetchone()
        return self._result.fetchmany(size)


def _segment(rows: Sequence[Sequence[Any]], order: Sequence[int], selection: Selection) -> Segment:
    """A batch as a segment. order: the position of each of the selection's columns in a row."""
    by_column = list(zip(*rows, strict=True))
    given: list[Sequence[Any]] = [by_column[i] for i in order]
    columns, rejected = _fields(given, selection, len(rows))
    carried = given[selection.taken_as_it_is :]
    # Most batches need no cleaning. Then the driver's own rows are written, without a copy.
    is_untouched = len(columns) == len(by_column) and all(map(is_, columns, by_column))
    cleaned = rows if is_untouched and not carried else _rows(columns, carried)
    data = _render(_without(cleaned, rejected))
    if data is None:
        # Only now the texts are searched for what cannot be written, because it is rare.
        rejected = _unwritable(columns, selection) | rejected
        cleaned = _rows(columns, [list(map(_readable, values)) for values in carried])
        data = _render(_without(cleaned, rejected))
        assert data is not None, "unwritable rows were taken out"  # noqa: S101
    return Segment(data, len(rows) - len(rejected), _rejected_rows(rejected, given))


# The position of a row -> the field that rejects it, and the rule.
_Rejected = dict[int, tuple[str, BrokenRule]]


def _rejected_rows(rejected: _Rejected, given: Sequence[Sequence[Any]]) -> list[RejectedRow]:
    rows = []
    for index, (name, broken) in sorted(rejected.items()):
        values = tuple(_readable(column[index]) for column in given)
        rows.append(RejectedRow(values, name, broken.rule, broken.detail))
    return rows


def _fields(
    given: Sequence[Sequence[Any]], selection: Selection, rows: int
) -> tuple[list[Sequence[Any]], _Rejected]:
    """A column of values for each field, and the rows that a field rejects."""
    columns: list[Sequence[Any]] = []
    rejected: _Rejected = {}
    transformed_fields = {made.field: made for made in selection.transformed}
    by_name = dict(zip(selection.columns, given, strict=True))
    for position, name in enumerate(selection.fields):
        target = selection.entity.fields[name]
        if name in transformed_fields:
            outcome = _transformed(transformed_fields[name], by_name, selection, rows)
            values = outcome.values
            for index, broken in outcome.rejected.items():
                rejected.setdefault(index, (name, broken))
        else:
            values = given[position]
        cleaned, positions, rule = clean(values, target, selection.no_value)
        columns.append(cleaned)
        for index in positions:
            rejected.setdefault(index, (name, BrokenRule(rule)))
    return columns, rejected


def _transformed(
    made: TransformedField, by_name: Mapping[str, Sequence[Any]], selection: Selection, rows: int
) -> Outcome:
    absent = absent_in(selection.entity.fields[made.field], selection.no_value)
    columns = [by_name[column] for column in made.columns]
    return transformed(made.transformation, columns, rows, absent)


def _without(rows: Sequence[Sequence[Any]], rejected: _Rejected) -> Sequence[Sequence[Any]]:
    if not rejected:
        return rows
    return [row for index, row in enumerate(rows) if index not in rejected]


def _rows(
    columns: Sequence[Sequence[Any]], carried: Sequence[Sequence[Any]]
) -> list[tuple[Any, ...]]:
    return list(zip(*columns, *map(_without_bytes, carried), strict=True))


def _without_bytes(values: Sequence[Any]) -> Sequence[Any]:
    has_bytes = {bytes, memoryview} & set(map(type, values))
    return list(map(_readable, values)) if has_bytes else values


def _render(rows: Sequence[Sequence[Any]]) -> bytes | None:
    """The rows as CSV, or None when some text holds a NUL or is not Unicode."""
    text = _csv(rows, csv.QUOTE_MINIMAL)
    if "\0" in text:
        return None
    if "\r" in text:
        # Python before 3.13 leaves a carriage return without quotes: a broken line to PostgreSQL.
        text = _csv(rows, csv.QUOTE_ALL)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return None


def _csv(rows: Sequence[Sequence[Any]], quoting: Literal[0, 1]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n", quoting=quoting).writerows(rows)
    return buffer.getvalue()


def _unwritable(columns: Sequence[Sequence[Any]], selection: Selection) -> _Rejected:
    rejected: _Rejected = {}
    for name, values in zip(selection.fields, columns, strict=True):
        for index, value in enumerate(values):
            if isinstance(value, str) and not _is_writable(value):
                rejected.setdefault(index, (name, BrokenRule("invalid_characters")))
    return rejected


def _is_writable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _readable(value: Any) -> str | None:
    """The value as a text that a database can store, with escapes for what it cannot."""
    if value is None:
        return None
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).decode("utf-8", "backslashreplace")
    return readable(str(value))
