"""What has changed for an agent between two states of the agent's SQLite file, however it was
brought there.

The measure of a download: the CSV of exactly the rows that changed, through zstd 3 as one stream.
New and changed rows whole, of removed ones the key.
"""

import csv
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

from benchmarks.published import Manifest, fields_of


@dataclass
class Difference:
    """rows: changed, new and removed ones by entity; byte_count: compressed."""

    rows: dict[str, int] = field(default_factory=dict)
    byte_count: int = 0


class _Compressed:
    """A text file for csv.writer that only counts its compressed bytes."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=3).compressobj()
        self.size = 0

    def write(self, text: str) -> None:
        self.size += len(self._compressor.compress(text.encode()))

    def finish(self) -> int:
        return self.size + len(self._compressor.flush())


def difference(manifest: Manifest, before: Path, after: Path) -> Difference:
    """manifest: of the state after, for the entities' columns."""
    found = Difference()
    compressed = _Compressed()
    writer = csv.writer(compressed, lineterminator="\n")
    with closing(sqlite3.connect(after)) as file:
        file.execute("ATTACH ? AS old", [str(before)])
        for name, described in manifest["entities"].items():
            count = 0
            for row in _changed_rows(file, name, described["key"], list(fields_of(described))):
                writer.writerow(row)
                count += 1
            if count:
                found.rows[name] = count
    found.byte_count = compressed.finish() if found.rows else 0
    return found


def _changed_rows(
    file: sqlite3.Connection, name: str, key: str, fields: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    known = {schema: _columns(file, schema, name) for schema in ("main", "old")}
    selected = ", ".join(f"new.{_quoted(column)}" for column in fields)
    if known["main"] and not known["old"]:
        yield from file.execute(f"SELECT {selected} FROM main.{_quoted(name)} AS new")
    elif known["main"]:
        differs = " OR ".join(
            (
                f"new.{_quoted(column)} IS NOT old.{_quoted(column)}"
                if column in known["old"]
                else "true"
            )
            for column in fields
        )
        for pair, columns, where in (
            (("main", "old"), selected, f"old.{_quoted(key)} IS NULL OR {differs}"),
            (("old", "main"), f"new.{_quoted(key)}", f"old.{_quoted(key)} IS NULL"),
        ):
            yield from file.execute(
                f"SELECT {columns} FROM {pair[0]}.{_quoted(name)} AS new "
                f"LEFT JOIN {pair[1]}.{_quoted(name)} AS old USING ({_quoted(key)}) WHERE {where}"
            )


def _columns(file: sqlite3.Connection, schema: str, name: str) -> set[str]:
    return {row[1] for row in file.execute(f"PRAGMA {schema}.table_info({_quoted(name)})")}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def tables(
    file: sqlite3.Connection, manifest: Manifest
) -> Iterable[tuple[str, dict[str, str], str]]:
    """The agent's entities that are in the file: name, columns with their types, and a query of
    their rows.
    """
    for name, described in manifest["entities"].items():
        if _columns(file, "main", name):
            fields = fields_of(described)
            yield (
                name,
                fields,
                f"SELECT {', '.join(map(_quoted, fields))} FROM main.{_quoted(name)}",
            )
