"""Refused rows as a file for the person at the ERP, who opens it in the Excel of an Italian
Windows.

UTF-8 with a byte order mark, without which Excel takes it for Windows-1252; semicolons, which are
the list separator where the comma is the decimal sign, so that a double click fills columns; no
`sep=` line, which would make Excel ignore the mark.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from kimo_assets.staging.rejected import RejectedRow

HEADER = ("entity", "source", "since", "reason_it", "reason_en", "column", "value", "key", "query")
# Where rows of several entities are in one file, a row is one cell of JSON.
ROW = "row"

# What a cell of Excel holds; a longer one would run over into the next lines.
_CELL_CHARS = 32_767
# Lines that Excel shows, the header among them.
EXCEL_LINES = 1_048_576

# What a spreadsheet would calculate, and run: also what looks like it in full width, or after a
# tab.
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?$")


def write_csv(file: Path, rows: Iterable[RejectedRow], columns: Sequence[str] | None) -> None:
    """Writes the rows as they come. columns: what the rows of one entity hold, a cell each."""
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out, delimiter=";")
        writer.writerow(map(cell, _header(columns)))
        for row in rows:
            content = (
                [orjson.dumps(row.row).decode()] if columns is None else map(row.row.get, columns)
            )
            writer.writerow(map(cell, [*_facts(row), *content]))


def _header(columns: Sequence[str] | None) -> list[str]:
    """A column of the ERP that is called like one of ours is told apart."""
    return [
        *HEADER,
        *(
            [ROW]
            if columns is None
            else (f"row.{name}" if name in HEADER else name for name in columns)
        ),
    ]


def _facts(row: RejectedRow) -> list[str | None]:
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
    """A value as a spreadsheet shows it: what would be a formula is a text, after an apostrophe."""
    text = "" if value is None else str(value)
    if len(text) >= _CELL_CHARS:
        text = f"{text[: _CELL_CHARS - 40]} ... ({len(text):,} characters)"
    return f"'{text}" if text.startswith(_FORMULA_STARTS) and not _NUMBER.match(text) else text
