"""Any source: the driver's cursor, column by column."""

import csv
import io
from collections.abc import Generator, Sequence
from contextlib import closing
from operator import is_
from typing import Any, Literal

from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from kimo_assets.catalog import Field
from kimo_assets.sources.readers import segments
from kimo_assets.sources.readers.cleaning import clean, decode
from kimo_assets.sources.readers.segments import RefusedRow, Segment, readable
from kimo_assets.sources.selection import Selection, run_as_is


def read(connection: Connection, selection: Selection) -> Generator[Segment, None, None]:
    targets = [selection.entity.fields[name] for name in selection.fields]
    with closing(_Batches(connection, selection.statement)) as rows_of:
        order = [rows_of.names.index(name) for name in selection.columns]
        yield from segments.gathered(rows_of.fetch, lambda rows: _segment(rows, order, targets))


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
        self._connection.connection.dbapi_connection.text_factory = decode  # type: ignore[union-attr]
        self._open()
        for _ in range(self._fetched):
            self._result.fetchone()
        return self._result.fetchmany(size)


def _segment(rows: Sequence[Sequence[Any]], order: Sequence[int], targets: Sequence[Field]) -> Segment:
    by_column = list(zip(*rows, strict=True))
    given: list[Sequence[Any]] = [by_column[i] for i in order]
    columns: list[Sequence[Any]] = []
    refused: dict[int, tuple[str, str]] = {}
    for values, target in zip(given, targets, strict=True):
        cleaned, bad, rule = clean(values, target)
        columns.append(cleaned)
        for index in bad:
            refused.setdefault(index, (target.name, rule))
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
    return readable(str(value))
