"""Rejected rows as a file for the person at the ERP, who opens it in an Italian Excel.

It is UTF-8 with a byte order mark, without which Excel takes it for Windows-1252. Semicolons stand
between the columns: they are the list separator where the comma is the decimal sign, so that a
double click fills columns. There is no `sep=` line, because with it Excel ignores the mark.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from kimo_assets.staging.rejected import RejectedRow
from kimo_assets.texts import say

HEADER = ("entity", "source", "since", "reason_it", "reason_en", "column", "value", "key", "query")
# Where rows of several entities are in one file, a row is one cell of JSON.
ROW = "row"

# The limit of a cell in Excel. A longer one would run over into the next lines.
_CELL_CHARS = 32_767
# The lines that Excel shows, the header among them.
EXCEL_LINES = 1_048_576

# Texts that a spreadsheet would take for a formula, and run: also those in full width or after a
# tab.
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?$")


def write_csv(file: Path, rows: Iterable[RejectedRow], columns: Sequence[str] | None) -> None:
    """Writes the rows as they come. columns: of one entity's rows, each gets a cell."""
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out, delimiter=";")
        writer.writerow(map(cell, _header(columns)))
        for row in rows:
            writer.writerow(map(cell, [*_facts(row), *_content(row, columns)]))


def _header(columns: Sequence[str] | None) -> list[str]:
    """The names of the columns: ours, then the ERP's. The ERP's that equals ours gets a prefix."""
    if columns is None:
        return [*HEADER, ROW]
    return [*HEADER, *(f"row.{name}" if name in HEADER else name for name in columns)]


def _content(row: RejectedRow, columns: Sequence[str] | None) -> list[Any]:
    """The row as the ERP gave it: a cell for each column, or one cell of JSON."""
    if columns is None:
        return [orjson.dumps(row.row).decode()]
    return [row.row.get(name) for name in columns]


def _facts(row: RejectedRow) -> list[str | None]:
    """What we know of the row, in the order of HEADER. Times are those of this machine."""
    since = f"{row.since.astimezone():%Y-%m-%d %H:%M}"
    column = row.source_column or row.field
    return [
        row.entity,
        row.source,
        since,
        row.reason.it,
        row.reason.en,
        column,
        row.value,
        row.source_key,
        row.query,
    ]


def cell(value: Any) -> str:
    """A value as a spreadsheet shows it. An apostrophe makes a text of what would be a formula."""
    text = "" if value is None else str(value)
    # One character is left for the apostrophe.
    if len(text) >= _CELL_CHARS:
        text = say("staging.cut_cell", text=text[: _CELL_CHARS - 40], count=len(text))
    # A negative amount begins like a formula, and has to stay a number.
    if text.startswith(_FORMULA_STARTS) and not _NUMBER.match(text):
        return f"'{text}"
    return text
