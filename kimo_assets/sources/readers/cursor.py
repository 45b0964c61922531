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
from kimo_assets.sources.readers.segments import RefusedRow, Segment, readable
from kimo_assets.sources.selection import Made, Selection, run_as_is
from kimo_assets.transforms import Refusal, transformed
from kimo_assets.transforms.values import decode


def read(connection: Connection, selection: Selection) -> Generator[Segment, None, None]:
    with closing(_Batches(connection, selection.statement)) as rows_of:
        order = [rows_of.names.index(name) for name in selection.columns]
        yield from segments.gathered(rows_of.fetch, lambda rows: _segment(rows, order, selection))


class _Batches:
    """A cursor's rows, batch by batch; on SQLite a text that is not UTF-8 does not stop it."""

    def __init__(self, connection: Connection, statement: str) -> None:
        self._connection = connection
        self._statement = statement
        self._fetched = 0
        self._open()

    def _open(self) -> None:
        # Not the driver's own cursor: of one on the server SQLAlchemy has already taken the first
        # row.
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
        self._connection.connection.dbapi_connection.text_factory = decode  # type: ignore[union-attr]
        self._open()
        for _ in range(self._fetched):
            self._result.fetchone()
        return self._result.fetchmany(size)


def _segment(rows: Sequence[Sequence[Any]], order: Sequence[int], selection: Selection) -> Segment:
    by_column = list(zip(*rows, strict=True))
    given: list[Sequence[Any]] = [by_column[i] for i in order]
    columns, refused = _fields(given, selection, len(rows))
    untouched = len(columns) == len(by_column) and all(map(is_, columns, by_column))
    carried = given[selection.taken_as_it_is :]
    kept = rows if untouched and not carried else _rows(columns, carried)
    data = _render(_without(kept, refused))
    if data is None:
        refused = _unwritable(columns, selection) | refused
        kept = _rows(columns, [list(map(_readable, values)) for values in carried])
        data = _render(_without(kept, refused))
        assert data is not None, "unwritable rows were taken out"  # noqa: S101
    rejected = [
        RefusedRow(
            tuple(_readable(values[index]) for values in given), name, refusal.rule, refusal.detail
        )
        for index, (name, refusal) in sorted(refused.items())
    ]
    return Segment(data, len(rows) - len(refused), rejected)


_Refused = dict[int, tuple[str, Refusal]]


def _fields(
    given: Sequence[Sequence[Any]], selection: Selection, rows: int
) -> tuple[list[Sequence[Any]], _Refused]:
    """A column of values for each field; and by position the rows that have none for one, with that
    field and why.
    """
    columns: list[Sequence[Any]] = []
    refused: _Refused = {}
    made = {one.field: one for one in selection.made}
    by_name = dict(zip(selection.columns, given, strict=True))
    for position, name in enumerate(selection.fields):
        target = selection.entity.fields[name]
        if name in made:
            values, failures = _made(made[name], by_name, selection, rows)
            for index, refusal in failures.items():
                refused.setdefault(index, (name, refusal))
        else:
            values = given[position]
        cleaned, bad, rule = clean(values, target, selection.no_value)
        columns.append(cleaned)
        for index in bad:
            refused.setdefault(index, (name, Refusal(rule)))
    return columns, refused


def _made(
    made: Made, by_name: Mapping[str, Sequence[Any]], selection: Selection, rows: int
) -> tuple[Sequence[Any], Mapping[int, Refusal]]:
    absent = absent_in(selection.entity.fields[made.field], selection.no_value)
    outcome = transformed(
        made.transformation, [by_name[column] for column in made.columns], rows, absent
    )
    return outcome.values, outcome.refused


def _without(rows: Sequence[Sequence[Any]], refused: _Refused) -> Sequence[Sequence[Any]]:
    return [row for index, row in enumerate(rows) if index not in refused] if refused else rows


def _rows(
    columns: Sequence[Sequence[Any]], carried: Sequence[Sequence[Any]]
) -> list[tuple[Any, ...]]:
    return list(zip(*columns, *map(_without_bytes, carried), strict=True))


def _without_bytes(values: Sequence[Any]) -> Sequence[Any]:
    return list(map(_readable, values)) if {bytes, memoryview} & set(map(type, values)) else values


def _render(rows: Sequence[Sequence[Any]]) -> bytes | None:
    """The rows as CSV, or None when some text holds a NUL or is not Unicode."""
    text = _csv(rows, csv.QUOTE_MINIMAL)
    if "\0" in text:
        return None
    if "\r" in text:
        # Python before 3.13 leaves a carriage return without quotes, in which PostgreSQL sees a
        # broken line.
        text = _csv(rows, csv.QUOTE_ALL)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return None


def _csv(rows: Sequence[Sequence[Any]], quoting: Literal[0, 1]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n", quoting=quoting).writerows(rows)
    return buffer.getvalue()


def _unwritable(columns: Sequence[Sequence[Any]], selection: Selection) -> _Refused:
    found: _Refused = {}
    for name, values in zip(selection.fields, columns, strict=True):
        for index, value in enumerate(values):
            if isinstance(value, str) and not _is_writable(value):
                found.setdefault(index, (name, Refusal("invalid_characters")))
    return found


def _is_writable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _readable(value: Any) -> str | None:
    """A value as text that a database can keep: what cannot be written appears as an escape."""
    if value is None:
        return None
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).decode("utf-8", "backslashreplace")
    return readable(str(value))
