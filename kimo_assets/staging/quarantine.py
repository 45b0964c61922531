"""Refused rows: the rule each one broke, and the whole row kept in ops.rejected_row.

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
from kimo_assets.database.names import StagingArea
from kimo_assets.sources.readers import RefusedRow, Segment
from kimo_assets.sources.readers.copy_out import as_given
from kimo_assets.sources.selection import Selection


class Reason(NamedTuple):
    """Why a rule refuses a row, in a sentence for whoever reads English, or works at the ERP."""

    en: str
    it: str


RULES: dict[str, Reason] = {
    "text_too_long": Reason("the text is longer than the field", "il testo è più lungo del campo"),
    "not_a_number": Reason("the value is not a number", "il valore non è un numero"),
    "decimal_comma": Reason(
        "the number has a decimal comma where a point is expected",
        "il numero ha la virgola decimale invece del punto",
    ),
    "out_of_range": Reason(
        "the number is too large for the field", "il numero è troppo grande per il campo"
    ),
    "not_a_whole_number": Reason("a whole number is expected", "è richiesto un numero intero"),
    "not_a_flag": Reason("a flag is 0 or 1", "un indicatore può valere solo 0 o 1"),
    "impossible_date": Reason(
        "there is no such date, or it is not written as it should be (year-month-day, unless told"
        " otherwise)",
        "la data non esiste, o non è scritta nella forma prevista (anno-mese-giorno, salvo diversa"
        " indicazione)",
    ),
    "unknown_enum_code": Reason(
        "the code is not among those the field knows",
        "il codice non è tra quelli previsti per il campo",
    ),
    "missing_key": Reason("the row has no key", "la riga non ha una chiave"),
    "duplicate_key": Reason(
        "another row of the snapshot has the same key", "un'altra riga ha la stessa chiave"
    ),
    "invalid_characters": Reason(
        "the text holds a NUL or bytes that are no characters",
        "il testo contiene un carattere NUL o byte che non sono caratteri",
    ),
    "missing_owner": Reason(
        "the row is a part of one that is not there",
        "la riga appartiene a un'altra che non è presente",
    ),
    "transformation_failed": Reason(
        "the field's transformation makes nothing of this row",
        "la trasformazione del campo non riesce su questa riga",
    ),
    "unknown_erp_status": Reason(
        "the status has no entry among erp_statuses in kimo.yaml or ErpStatus of the settings",
        "lo stato non è tra quelli decodificati (erp_statuses, o stati ERP delle impostazioni)",
    ),
}


def reason_of(rule: str) -> Reason:
    """A rule's sentences; its name where a quarantine of another version knows one that we
    do not.
    """
    return RULES.get(rule, Reason(rule, rule))


# A text of megabytes is a value like any other.
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

# What a copy of a refused row keeps of it: all but the number it goes by.
KEPT_COLUMNS = (*_COLUMNS, "at", "since")


@dataclass(frozen=True)
class Rejection:
    """A refused row: the broken rule, the field it broke it in, and the row by source column.

    value: the source's; the one that was made where a transformation made one. detail: what was
    expected in particular.
    """

    rule: str
    field: str
    value: str | None
    row: dict[str, str | None]
    segment: int | None
    detail: str | None = None


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
    return (
        "not_a_whole_number"
        if field.type == "int" and not _is_whole(value or "")
        else "out_of_range"
    )


def _is_whole(value: str) -> bool:
    return value.strip().lstrip("+-").isdigit()


def rejections_of(
    segment: Segment, number: int, skipped: Sequence[SkippedLine], selection: Selection
) -> list[Rejection]:
    """The refused rows of one segment, whole: those the reader could not write and those COPY
    skipped.
    """
    return [_unreadable(row, number, selection) for row in segment.refused] + (
        _skipped(segment.data, number, skipped, selection) if skipped else []
    )


def _unreadable(row: RefusedRow, number: int, selection: Selection) -> Rejection:
    by_column = dict(zip(selection.columns, row.values, strict=True))
    value = _given(by_column, selection.columns_of(row.field))
    return Rejection(row.rule, row.field, value, by_column, number, row.detail)


def _given(row: Mapping[str, str | None], columns: Sequence[str]) -> str | None:
    """What the source gave for a field: one column's value, or each one's with its name."""
    return (
        row[columns[0]]
        if len(columns) == 1
        else ", ".join(f"{name}={row[name] or ''}" for name in columns) or None
    )


def source_row(selection: Selection, cells: Sequence[str | None]) -> dict[str, str | None]:
    """A row by source column, from its fields' values and its carried columns' (segments.py has
    them in this order).
    """
    taken, carried = cells[: selection.taken_as_it_is], cells[len(selection.fields) :]
    return dict(zip(selection.columns, (*taken, *carried), strict=True))


def _skipped(
    data: bytes, number: int, skipped: Sequence[SkippedLine], selection: Selection
) -> list[Rejection]:
    by_line = {line.line: line.column for line in skipped}
    reader = csv.reader(io.StringIO(data.decode("utf-8"), newline="\n"))
    targets = [
        selection.entity.fields[name] for name in selection.fields[: selection.taken_as_it_is]
    ]
    found = []
    for values in reader:
        # Both PostgreSQL and the reader count a row that spans lines by its last line.
        field = by_line.get(reader.line_num)
        if field is not None:
            # A single empty column is an empty line, in which the reader finds no value at all.
            cells = values or [""]
            cells[: len(targets)] = map(as_given, targets, cells)
            row = source_row(selection, [cell or None for cell in cells])
            value = cells[selection.fields.index(field)] or None
            rule = broken_rule(selection.entity.fields[field], value)
            found.append(Rejection(rule, field, value, row, number))
    return found


def source_key(rejection: Rejection, selection: Selection) -> str:
    """What names the row at the ERP: its Id, or the columns its Id would have been derived from."""
    names = ("Id",) if "Id" in selection.fields else selection.entity.identity
    columns = dict.fromkeys(column for name in names for column in selection.columns_of(name))
    return ", ".join(f"{column}={rejection.row.get(column) or ''}" for column in columns)


def keep_rejections(
    connection: Connection,
    area: StagingArea,
    selection: Selection,
    load: int,
    rejections: Sequence[Rejection],
) -> None:
    """Writes refused rows into the area's quarantine, in the caller's transaction."""
    if not rejections:
        return
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
    """How many rows of the entity's snapshot each rule refused."""
    rows = connection.execute(
        sql.SQL(
            "SELECT rule, count(*) FROM {} WHERE entity = %s AND step = 1 GROUP BY rule ORDER BY"
            " rule"
        ).format(area.rejected),
        [entity],
    )
    return Counter(dict(rows.fetchall()))
