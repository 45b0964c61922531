"""Refused rows: the rule each one broke, and the whole row kept in ops.rejected_row.

The rules' names are a contract: operators filter by them, reports count them.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from psycopg import Connection, sql

from kimo_assets.catalog import Field
from kimo_assets.database.copy import SkippedLine
from kimo_assets.database.names import StagingArea
from kimo_assets.sources.readers import RefusedRow, Segment
from kimo_assets.sources.readers.copy_out import as_given
from kimo_assets.sources.selection import Selection

RULES: dict[str, str] = {
    "text_too_long": "the text is longer than the field",
    "not_a_number": "the value is not a number",
    "decimal_comma": "the number has a decimal comma where a point is expected",
    "out_of_range": "the number is too large for the field",
    "not_a_whole_number": "a whole number is expected",
    "not_a_flag": "a flag is 0 or 1",
    "impossible_date": "there is no such date, or it is not written year-month-day",
    "unknown_enum_code": "the code is not among those the field knows",
    "missing_key": "the row has no key",
    "duplicate_key": "another row of the snapshot has the same key",
    "invalid_characters": "the text holds a NUL or bytes that are no characters",
    "missing_owner": "the row is a part of one that is not there",
    "unknown_erp_status": "the status has no entry among erp_statuses in kimo.yaml",
}

# A text of megabytes is a value like any other.
csv.field_size_limit(2**31 - 1)

_COMMA_NUMBER = re.compile(r"\s*[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+\s*$")
_NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$")

_COLUMNS = (
    "entity", "source", "step", "load", "rule", "field", "source_column", "source_key", "value", "source_row", "segment",
)  # fmt: skip


@dataclass(frozen=True)
class Rejection:
    """A refused row: the broken rule, the field it broke it in, and the row by source column."""

    rule: str
    field: str
    value: str | None
    row: dict[str, str | None]
    segment: int | None


def broken_rule(field: Field, value: str | None) -> str:
    """The rule that a value PostgreSQL refused for this field has broken."""
    if field.name == "Id" and not value:
        return "missing_key"
    match field.type:
        case "text":
            return "text_too_long"
        case "date" | "dt":
            return "impossible_date"
        case "bool":
            return "not_a_flag"
        case "enum":
            return "unknown_enum_code"
    if _COMMA_NUMBER.match(value or ""):
        return "decimal_comma"
    if not _NUMBER.match(value or ""):
        return "not_a_number"
    return "not_a_whole_number" if field.type == "int" and not _is_whole(value or "") else "out_of_range"


def _is_whole(value: str) -> bool:
    return value.strip().lstrip("+-").isdigit()


def rejections_of(
    segment: Segment, number: int, skipped: Sequence[SkippedLine], selection: Selection
) -> list[Rejection]:
    """The refused rows of one segment, whole: those the reader could not write and those COPY skipped."""
    return [_unreadable(row, number, selection) for row in segment.refused] + (
        _skipped(segment.data, number, skipped, selection) if skipped else []
    )


def _unreadable(row: RefusedRow, number: int, selection: Selection) -> Rejection:
    value = row.values[selection.fields.index(row.field)]
    return Rejection(row.rule, row.field, value, dict(zip(selection.columns, row.values, strict=True)), number)


def _skipped(data: bytes, number: int, skipped: Sequence[SkippedLine], selection: Selection) -> list[Rejection]:
    by_line = {line.line: line.column for line in skipped}
    reader = csv.reader(io.StringIO(data.decode("utf-8"), newline="\n"))
    targets = [selection.entity.fields[name] for name in selection.fields]
    found = []
    for values in reader:
        # Both PostgreSQL and the reader count a row that spans lines by its last line.
        field = by_line.get(reader.line_num)
        if field is not None:
            # A single empty column is an empty line, in which the reader finds no value at all.
            cells = zip(selection.columns, targets, values or [""], strict=True)
            row = {column: as_given(target, value) or None for column, target, value in cells}
            value = row[selection.columns[selection.fields.index(field)]]
            rule = broken_rule(selection.entity.fields[field], value)
            found.append(Rejection(rule, field, value, row, number))
    return found


def source_key(rejection: Rejection, selection: Selection) -> str:
    """What names the row at the ERP: its Id, or the columns its Id would have been derived from."""
    names = ("Id",) if "Id" in selection.fields else selection.entity.identity
    by_field = dict(zip(selection.fields, selection.columns, strict=True))
    parts = [f"{by_field[name]}={rejection.row.get(by_field[name]) or ''}" for name in names if name in by_field]
    return ", ".join(parts)


def keep_rejections(
    connection: Connection, area: StagingArea, selection: Selection, load: int, rejections: Sequence[Rejection]
) -> None:
    """Writes refused rows into the area's quarantine, in the caller's transaction."""
    if not rejections:
        return
    by_field = dict(zip(selection.fields, selection.columns, strict=True))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        area.rejected, sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for rejection in rejections:
            copy.write_row(
                (
                    selection.entity.name,
                    selection.source,
                    1,
                    load,
                    rejection.rule,
                    rejection.field,
                    by_field.get(rejection.field),
                    source_key(rejection, selection),
                    rejection.value,
                    orjson.dumps(rejection.row).decode(),
                    rejection.segment,
                )
            )


def count_rules(connection: Connection, area: StagingArea, entity: str) -> Counter[str]:
    """How many rows of the entity's snapshot each rule refused."""
    rows = connection.execute(
        sql.SQL(
            "SELECT rule, count(*) FROM {} WHERE entity = %s AND step = 1 GROUP BY rule ORDER BY rule"
        ).format(area.rejected),
        [entity],
    )
    return Counter(dict(rows.fetchall()))
