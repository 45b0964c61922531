"""Writing the ERP's integration database: one SQLite file, built aside and put in place when it is
whole.

Which rows go in is decided by the modules of each area.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from kimo_assets.demo.erp_tables import TABLES

Chunk = Mapping[str, object]
"""Some rows of a table: column -> a list, an array, or one value for all of them."""


class ErpWriter:
    """Fills the tables of a new ERP, counting rows."""

    def __init__(
        self, connection: sqlite3.Connection, on_progress: Callable[[str, int], None] | None
    ):
        self._connection = connection
        self._on_progress = on_progress
        self.rows: dict[str, int] = {}

    def create_tables(self) -> None:
        for table in TABLES.values():
            self._connection.execute(table.ddl)

    def create_indexes(self) -> None:
        for table in TABLES.values():
            if table.indexed:
                self._connection.execute(
                    f'CREATE INDEX "{table.name}_{table.indexed}" ON "{table.name}"'
                    f' ("{table.indexed}")'
                )

    def fill(self, table: str, *chunks: Chunk) -> None:
        """Write a whole table."""
        self.fill_together((table,), ((chunk,) for chunk in chunks))

    def fill_from(self, table: str, chunks: Iterable[Chunk]) -> None:
        """Write a whole table out of chunks made one at a time."""
        self.fill_together((table,), ((chunk,) for chunk in chunks))

    def fill_together(self, tables: tuple[str, ...], groups: Iterable[tuple[Chunk, ...]]) -> None:
        """Write tables whose rows are made together: one chunk of each at a time."""
        for group in groups:
            for table, chunk in zip(tables, group, strict=True):
                self._insert(table, chunk)
        for table in tables:
            self._tell(table)

    def fill_rows(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Write a whole small table, its values in the order of its columns."""
        columns = [column.name for column in TABLES[table].columns]
        self.fill(
            table,
            {
                name: list(values)
                for name, values in zip(columns, zip(*rows, strict=True), strict=True)
            },
        )

    def _insert(self, table: str, chunk: Chunk) -> None:
        columns = [column.name for column in TABLES[table].columns]
        # A single value stands for all rows, so that only a list tells how many there are.
        size = next(
            len(values) for values in chunk.values() if isinstance(values, list | np.ndarray)
        )
        # By name: the order of a chunk does not matter, and a column that is missing is an error.
        values = [_repeated(chunk[name], size) for name in columns]
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(
            f'INSERT INTO "{table}" VALUES ({marks})', zip(*values, strict=True)
        )
        self.rows[table] = self.rows.get(table, 0) + size

    def _tell(self, table: str) -> None:
        if self._on_progress is not None:
            self._on_progress(table, self.rows.get(table, 0))


def _repeated(values: object, size: int) -> Iterable[Any]:
    if isinstance(values, np.ndarray):
        # sqlite3 would store numbers of numpy as bytes.
        listed: list[Any] = values.tolist()
        return listed
    return values if isinstance(values, list) else repeat(values, size)


@contextmanager
def new_erp(
    path: Path, on_progress: Callable[[str, int], None] | None
) -> Iterator[tuple[ErpWriter, sqlite3.Connection]]:
    """A writer for a new database, which takes its place at `path` only if all went well."""
    unfinished = path.with_suffix(".unfinished")
    # A run that was killed has left it.
    unfinished.unlink(missing_ok=True)
    connection = sqlite3.connect(unfinished, isolation_level=None)
    try:
        # Without a safety net, because a file that is not whole is thrown away.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        writer = ErpWriter(connection, on_progress)
        writer.create_tables()
        yield writer, connection
        # After the rows: an index that grows with every row costs more than one that is made at
        # once.
        writer.create_indexes()
        connection.execute("COMMIT")
    finally:
        connection.close()
    os.replace(unfinished, path)
