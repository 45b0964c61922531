"""Reading the quarantine back: how many rows each rule refused, and the rows with queries that find
them.

Writing it is kimo_assets/staging/quarantine.py's and step 2's; as a file for the person at the ERP:
rejected_csv.py.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg import Connection
from sqlalchemy.sql.compiler import IdentifierPreparer

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.config import KimoConfig, SystemId
from kimo_assets.database.rejection_history import times_rejected
from kimo_assets.sources.lookup import text_literal
from kimo_assets.staging.quarantine import Reason, reason_of

_SAMPLES = 3

# Enough to find a row that has no key.
_OTHER_COLUMNS = 4

# The refused rows, each with the last load that looked at its entity. New are those that no load
# before it refused.
_REFUSED = """
    (SELECT r.*, r.since_load >= coalesce(l.last_load, r.since_load) AS is_new
     FROM ops.rejected_row AS r LEFT JOIN (
        SELECT entity, step, max(load) AS last_load FROM ops.step_result WHERE status <> 'failed'
            GROUP BY entity, step
     ) AS l USING (entity, step)
     WHERE (%(entity)s::text IS NULL OR entity = %(entity)s)) AS refused
    WHERE (is_new OR NOT %(new_only)s)
"""


@dataclass(frozen=True)
class RejectedCount:
    """samples: values that the rule refused, the most frequent first. since, times: of the row
    refused for longest.
    """

    entity: str
    step: int
    rule: str
    field: str | None
    rows: int
    new: int
    since: datetime
    times: int
    samples: list[str]

    @property
    def reason(self) -> Reason:
        return reason_of(self.rule)


@dataclass(frozen=True)
class RejectedRow:
    """row: by source column as the ERP gave it (step 1), by field as staged (step 2).

    since, times: when it was first refused for this, and in how many loads; query: finds the row in
    the ERP.
    """

    entity: str
    source: str | None
    step: int
    rule: str
    field: str | None
    source_column: str | None
    source_key: str | None
    value: str | None
    since: datetime
    times: int
    query: str
    row: dict[str, Any]
    detail: str | None = None

    @property
    def reason(self) -> Reason:
        """In both languages; what a transformation had to say of the row is only known in
        English.
        """
        reason = reason_of(self.rule)
        return (
            Reason(*(f"{sentence}: {self.detail}" for sentence in reason))
            if self.detail
            else reason
        )


def count_rejected(
    connection: Connection, entity: str | None = None, *, new_only: bool = False
) -> list[RejectedCount]:
    """By entity, step, rule and field; within an entity those with new rows first."""
    loads = _loads(connection)
    rows = connection.execute(
        f"""
        SELECT entity, step, rule, field, sum(rows)::bigint, sum(new)::bigint, min(since),
            min(since_load),
               (array_agg(value ORDER BY rows DESC, value) FILTER
                   (WHERE value IS NOT NULL))[:{_SAMPLES}]
        FROM (SELECT entity, step, rule, field, left(value, 200) AS value, count(*) AS rows,
                     count(*) FILTER (WHERE is_new) AS new, min(since) AS since, min(since_load)
                         AS since_load
              FROM {_REFUSED} GROUP BY 1, 2, 3, 4, 5) AS by_value
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, sum(new) = 0, 5 DESC, 3, 4
        """,  # type: ignore[arg-type]
        {"entity": entity, "new_only": new_only},
    )
    return [
        RejectedCount(
            name,
            step,
            rule,
            field,
            count,
            new,
            since,
            times_rejected(loads.get((name, step), ()), load),
            samples or [],
        )
        for name, step, rule, field, count, new, since, load, samples in rows
    ]


def rejected_rows(
    connection: Connection,
    config: KimoConfig,
    entity: str | None = None,
    *,
    new_only: bool = False,
    limit: int | None = None,
) -> Iterator[RejectedRow]:
    """The refused rows of one entity, or of all, new ones first, then as they came; streamed."""
    loads = _loads(connection)
    finders: dict[tuple[str, str | None], _Finder] = {}
    with connection.transaction(), connection.cursor("rejected") as cursor:
        cursor.execute(
            f"""
            SELECT entity, source, step, rule, field, source_column, source_key, value, since,
                since_load, source_row,
                   detail
            FROM {_REFUSED} ORDER BY entity, step, since_load DESC, id LIMIT %(limit)s
            """,  # type: ignore[arg-type]
            {"entity": entity, "new_only": new_only, "limit": limit},
        )
        for name, source, step, rule, field, column, key, value, since, load, row, detail in cursor:
            if (name, source) not in finders:
                finders[name, source] = _Finder(load_catalog()[name], source, config)
            query = finders[name, source].query(step, row)
            times = times_rejected(loads.get((name, step), ()), load)
            yield RejectedRow(
                name,
                source,
                step,
                rule,
                field,
                column,
                key,
                value,
                since,
                times,
                query,
                row,
                detail,
            )


def row_columns(connection: Connection, config: KimoConfig, entity: str) -> list[str]:
    """The columns that an entity's refused rows hold, of each source and of step 2, in the order of
    Kimo's fields.
    """
    kinds = connection.execute(
        "SELECT DISTINCT ON (step, source) source_row FROM ops.rejected_row WHERE entity = %s ORDER"
        " BY step, source, id",
        [entity],
    )
    held = dict.fromkeys(column for (row,) in kinds for column in row)
    mappings = config.entities.get(entity, ())
    order = [
        name.casefold()
        for field in load_catalog()[entity].fields
        for name in (*(mapping.fields.get(field, field) for mapping in mappings), field)
    ]
    return sorted(
        held,
        key=lambda name: order.index(name.casefold()) if name.casefold() in order else len(order),
    )


def _loads(connection: Connection) -> dict[tuple[str, int], list[int]]:
    """The loads that looked at an entity's rows in a step, in their order."""
    rows = connection.execute(
        "SELECT entity, step, array_agg(load ORDER BY load) FROM ops.step_result WHERE status <>"
        " 'failed' GROUP BY 1, 2"
    )
    return {(entity, step): loads for entity, step, loads in rows}


class _Finder:
    """Writes the query that finds a refused row in the ERP, in the ERP's dialect."""

    def __init__(self, entity: Entity, source: str | None, config: KimoConfig) -> None:
        """source: the one the rows came from; None for rows of step 2, which may have come from
        any.
        """
        self._entity = entity
        mappings = config.entities.get(entity.name, ())
        self._mapping = next((m for m in mappings if source in (m.source, None)), None)
        self._quote, self._literal = (
            _writers(config, self._mapping.source) if self._mapping else (str, str)
        )

    def query(self, step: int, row: Mapping[str, Any]) -> str:
        if self._mapping is None:
            return f"{self._entity.name} is no longer mapped"
        conditions = " AND ".join(
            f"{self._quote(column)} = {self._written(value)}"
            for column, value in self._keys(step, row)
        )
        where = f" WHERE {conditions}" if conditions else ""
        if self._mapping.query:
            # A comment may end it: what follows starts on a line of its own.
            return f"SELECT * FROM (\n{self._mapping.query.strip().rstrip(';')}\n) q{where}"
        return f"SELECT * FROM {self._table()}{where}"

    def _written(self, value: Any) -> str:
        return str(value) if isinstance(value, Decimal) else self._literal(str(value))

    def _keys(self, step: int, row: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """(column of the ERP, value) of what tells the row from others: its key, or what else it
        holds.
        """
        candidates: list[tuple[str, ...]] = [("Id",), self._entity.identity]
        if step != 1 and self._may_derive_id():
            candidates.reverse()
        for fields in candidates:
            if keys := self._given(fields, step, row):
                return keys
        if step == 1:
            filled = [(name, value) for name, value in row.items() if value]
        else:
            filled = [
                (column, row[name])
                for name in row
                if row[name]
                for column in self._columns(name, step)
            ]
        return filled[:_OTHER_COLUMNS]

    def _given(
        self, fields: Sequence[str], step: int, row: Mapping[str, Any]
    ) -> list[tuple[str, Any]]:
        """Step 1 keeps rows by the ERP's columns, step 2 by Kimo's fields."""
        by_fold = {name.casefold(): name for name in row}
        found = []
        for field in fields:
            for column in self._columns(field, step):
                key = by_fold.get((column if step == 1 else field).casefold())
                if key is not None and row[key] not in (None, ""):
                    found.append((key if step == 1 else column, self._asked(field, row[key])))
        return found

    def _columns(self, field: str, step: int) -> tuple[str, ...]:
        """The ERP's columns that hold what the row does: what a transformation made (step 2), none
        of them holds.
        """
        if self._mapping is None:
            return (field,)
        transformation = self._mapping.transform.get(field)
        is_elsewhere = (
            step != 1 and transformation is not None and not transformation.keeps_the_value
        )
        return () if is_elsewhere else self._mapping.columns_of(field)

    def _asked(self, field: str, value: Any) -> Any:
        """`QueryAsLong`: the ERP keeps a number, with which a text is not to be compared."""
        transformation = self._mapping.transform.get(field) if self._mapping else None
        is_number = (
            transformation is not None
            and transformation.is_asked_as_number
            and _NUMBER.match(str(value))
        )
        return Decimal(value) if is_number else value

    def _may_derive_id(self) -> bool:
        """Step 2 sees an Id on every row, also one the ERP does not know."""
        mapped = (*self._mapping.fields, *self._mapping.transform) if self._mapping else ("Id",)
        return "Id" not in mapped and bool(self._entity.identity)

    def _table(self) -> str:
        name = (self._mapping.table if self._mapping else None) or self._entity.name
        return ".".join(self._quote(part) for part in name.split("."))


_NUMBER = re.compile(r"-?\d+(\.\d+)?$")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$#]*$")


def _writers(
    config: KimoConfig, source: SystemId
) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """What writes names and texts as the source wants them; names are quoted only where the
    database would fold them.
    """
    dialect = config.sources[source].sqlalchemy_url.get_dialect()()
    preparer: IdentifierPreparer = dialect.identifier_preparer
    folds = dialect.name in ("postgresql", "oracle")

    def quote(name: str) -> str:
        reserved = name.casefold() in preparer.reserved_words
        if _PLAIN_NAME.match(name) and not reserved and (not folds or name == name.lower()):
            return name
        return preparer.quote_identifier(name)

    return quote, text_literal(dialect)
