"""Rejected rows: the rule each one broke, and the whole row kept in ops.rejected_row.

The rules' names are a contract: operators filter by them, reports count them.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from psycopg import Connection, sql

from kimo_assets.catalog import Field
from kimo_assets.database.copy import SkippedLine
from kimo_assets.database.names import StagingArea, columns
from kimo_assets.sources.readers import RejectedRow, Segment
from kimo_assets.sources.readers.segments import as_given
from kimo_assets.sources.selection import Selection
from kimo_assets.texts import say


class Reason(NamedTuple):
    """Why a rule rejects a row, in a sentence. The file for the person at the ERP has both."""

    en: str
    it: str


def _reason(rule: str) -> Reason:
    key = f"staging.rule.{rule}"
    return Reason(en=say(key, language="en"), it=say(key, language="it"))


_RULES = (
    "text_too_long",
    "not_a_number",
    "decimal_comma",
    "out_of_range",
    "not_a_whole_number",
    "not_a_flag",
    "impossible_date",
    "unknown_enum_code",
    "missing_key",
    "duplicate_key",
    "invalid_characters",
    "missing_owner",
    "transformation_failed",
    "unknown_erp_status",
)
RULES = {rule: _reason(rule) for rule in _RULES}


def reason_of(rule: str) -> Reason:
    """A rule's sentences. A rule of another version, which ours may not have, stands for itself."""
    return RULES.get(rule, Reason(rule, rule))


# The reader of segments takes cells of any size: a text may have megabytes.
# Python takes the limit as a C long, which has 32 bits on Windows.
csv.field_size_limit(2**31 - 1)

_COMMA_NUMBER = re.compile(r"\s*[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+\s*$")
_NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$")

_COLUMNS = (
    "entity",
    "source",
    "step",
    "load",
    "since_load",
    "rule",
    "field",
    "source_column",
    "source_key",
    "value",
    "source_row",
    "segment",
    "detail",
)

# What a copy of a rejected row keeps of it: all but its id.
KEPT_COLUMNS = (*_COLUMNS, "at", "since")


@dataclass(frozen=True)
class Rejection:
    """A rejected row: the broken rule, the field that broke it, and the row by source column.

    value: the source's, or the transformation's where there is one. detail: what was expected in
    this case.
    """

    rule: str
    field: str
    value: str | None
    row: dict[str, str | None]
    segment: int | None
    detail: str | None = None


def broken_rule(field: Field, value: str | None) -> str:
    """The rule that a value broke which PostgreSQL rejected for this field."""
    text = value or ""
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
    if _COMMA_NUMBER.match(text):
        return "decimal_comma"
    if not _NUMBER.match(text):
        return "not_a_number"
    if field.type == "int" and not _is_whole(text):
        return "not_a_whole_number"
    return "out_of_range"


def _is_whole(value: str) -> bool:
    return value.strip().lstrip("+-").isdigit()


def rejections_of(
    segment: Segment, number: int, skipped: Sequence[SkippedLine], selection: Selection
) -> list[Rejection]:
    """The rejected rows of a segment: those the reader could not write, and those COPY skipped."""
    rejections = [_unreadable(row, number, selection) for row in segment.rejected]
    # The segment is only read again where COPY has skipped lines of it.
    if skipped:
        rejections += _skipped(segment.data, number, skipped, selection)
    return rejections


def _unreadable(row: RejectedRow, number: int, selection: Selection) -> Rejection:
    by_column = dict(zip(selection.columns, row.values, strict=True))
    value = _source_value(by_column, selection.columns_of(row.field))
    return Rejection(row.rule, row.field, value, by_column, number, row.detail)


def _source_value(row: Mapping[str, str | None], names: Sequence[str]) -> str | None:
    """The source's value for a field. With several columns it has their names too."""
    if len(names) == 1:
        return row[names[0]]
    return ", ".join(f"{name}={row[name] or ''}" for name in names) or None


def source_row(selection: Selection, cells: Sequence[str | None]) -> dict[str, str | None]:
    """A row by source column. cells: of its fields, then of its carried columns, as in segments."""
    taken = cells[: selection.taken_as_it_is]
    carried = cells[len(selection.fields) :]
    return dict(zip(selection.columns, (*taken, *carried), strict=True))


def _skipped(
    data: bytes, number: int, skipped: Sequence[SkippedLine], selection: Selection
) -> list[Rejection]:
    """The rows of the lines that COPY skipped, read from the segment once more."""
    by_line = {line.line: line.column for line in skipped}
    # COPY was told that lines end with a line feed. A carriage return in a text must not count here
    # either, or the numbers of the lines would drift apart.
    reader = csv.reader(io.StringIO(data.decode("utf-8"), newline="\n"))
    rejections = []
    for values in reader:
        # Both PostgreSQL and the reader count a row that spans lines by its last line.
        field = by_line.get(reader.line_num)
        if field is not None:
            # A single empty column is an empty line, in which the reader finds no value at all.
            rejections.append(_rejection(values or [""], field, number, selection))
    return rejections


def _rejection(values: Sequence[str], name: str, number: int, selection: Selection) -> Rejection:
    """The rejection of one skipped row. name: the field whose value PostgreSQL rejected."""
    fields = selection.entity.fields
    targets = [fields[field] for field in selection.fields[: selection.taken_as_it_is]]
    cells = [*values]
    cells[: len(targets)] = map(as_given, targets, cells)
    row = source_row(selection, [cell or None for cell in cells])
    value = cells[selection.fields.index(name)] or None
    return Rejection(broken_rule(fields[name], value), name, value, row, number)


def source_key(rejection: Rejection, selection: Selection) -> str:
    """The row's key at the ERP: its Id, or the columns that its Id would have been derived from."""
    names = ("Id",) if "Id" in selection.fields else selection.entity.identity
    key = dict.fromkeys(column for name in names for column in selection.columns_of(name))
    return ", ".join(f"{column}={rejection.row.get(column) or ''}" for column in key)


def keep_rejections(
    connection: Connection,
    area: StagingArea,
    selection: Selection,
    load: int,
    rejections: Sequence[Rejection],
) -> None:
    """Writes rejected rows into the area's quarantine, in the caller's transaction."""
    if not rejections:
        return
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(area.rejected, columns(_COLUMNS))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for rejection in rejections:
            copy.write_row(
                (
                    selection.entity.name,
                    selection.source,
                    1,
                    load,
                    load,
                    rejection.rule,
                    rejection.field,
                    ", ".join(selection.columns_of(rejection.field)) or None,
                    source_key(rejection, selection),
                    rejection.value,
                    orjson.dumps(rejection.row).decode(),
                    rejection.segment,
                    rejection.detail,
                )
            )


def count_rules(connection: Connection, area: StagingArea, entity: str) -> Counter[str]:
    """How many rows of the entity's snapshot each rule rejected."""
    rows = connection.execute(
        sql.SQL("""
            SELECT rule, count(*) FROM {}
            WHERE entity = %s AND step = 1 GROUP BY rule ORDER BY rule
            """).format(area.rejected),
        [entity],
    )
    return Counter(dict(rows.fetchall()))
