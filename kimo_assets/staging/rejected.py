"""The quarantine read back: how many rows each rule rejected, and the rows with their queries.

quarantine.py and step 2 write it. rejected_csv.py makes a file of it for the person at the ERP.
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
from kimo_assets.database.queries import LAST_GOOD_LOADS, good_loads
from kimo_assets.database.rejection_history import times_rejected
from kimo_assets.sources.lookup import text_literal
from kimo_assets.staging.quarantine import Reason, reason_of
from kimo_assets.texts import say
from kimo_assets.transforms import Transformation

_SAMPLES = 3

# Enough to find a row that has no key.
_OTHER_COLUMNS = 4

# The rejected rows. New are those that no load before the last one of their entity has rejected.
_REJECTED = f"""
    (
        SELECT r.*, r.since_load >= coalesce(l.last_load, r.since_load) AS is_new
        FROM ops.rejected_row AS r
        LEFT JOIN {LAST_GOOD_LOADS} AS l USING (entity, step)
        WHERE (%(entity)s::text IS NULL OR entity = %(entity)s)
    ) AS rejected
    WHERE (is_new OR NOT %(new_only)s)
"""


@dataclass(frozen=True)
class RejectedCount:
    """The rows of one entity that one rule rejected for one field.

    samples: values that the rule rejected, the most frequent first. since, times: of the row that
    has been rejected for longest.
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
    """A rejected row, and what the person at the ERP needs to find and correct it.

    row: by source column as the ERP gave it (step 1), by field as staged (step 2). since, times:
    when it was first rejected for this, and in how many loads. query: finds the row in the ERP.
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
        """In both languages. The detail, which a transformation gave, is in one only."""
        reason = reason_of(self.rule)
        if not self.detail:
            return reason
        return Reason(
            say("staging.reason_with_detail", language="en", reason=reason.en, detail=self.detail),
            say("staging.reason_with_detail", language="it", reason=reason.it, detail=self.detail),
        )


def count_rejected(
    connection: Connection, entity: str | None = None, *, new_only: bool = False
) -> list[RejectedCount]:
    """By entity, step, rule and field. Within an entity those with new rows come first."""
    loads = good_loads(connection)
    rows = connection.execute(
        f"""
        SELECT entity, step, rule, field, sum(rows)::bigint, sum(new)::bigint,
            min(since), min(since_load),
            (
                array_agg(value ORDER BY rows DESC, value) FILTER (WHERE value IS NOT NULL)
            )[:{_SAMPLES}]
        FROM (
            SELECT entity, step, rule, field, left(value, 200) AS value, count(*) AS rows,
                count(*) FILTER (WHERE is_new) AS new, min(since) AS since,
                min(since_load) AS since_load
            FROM {_REJECTED} GROUP BY 1, 2, 3, 4, 5
        ) AS by_value
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, sum(new) = 0, 5 DESC, 3, 4
        """,
        {"entity": entity, "new_only": new_only},
    )
    counts = []
    for name, step, rule, field, count, new, since, load, samples in rows:
        times = times_rejected(loads.get((name, step), ()), load)
        counts.append(
            RejectedCount(name, step, rule, field, count, new, since, times, samples or [])
        )
    return counts


def rejected_rows(
    connection: Connection,
    config: KimoConfig,
    entity: str | None = None,
    *,
    new_only: bool = False,
    limit: int | None = None,
) -> Iterator[RejectedRow]:
    """The rejected rows of one entity, or of all, as a stream: new ones first, then as read."""
    loads = good_loads(connection)
    finders: dict[tuple[str, str | None], _Finder] = {}
    with connection.transaction(), connection.cursor("rejected") as cursor:
        cursor.execute(
            f"""
            SELECT entity, source, step, rule, field, source_column, source_key, value, since,
                since_load, source_row, detail
            FROM {_REJECTED} ORDER BY entity, step, since_load DESC, id LIMIT %(limit)s
            """,
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
    """The columns that an entity's rejected rows hold, in the order of Kimo's fields.

    Rows of step 1 hold the columns of their source, rows of step 2 the fields.
    """
    # Rows of one source and step all hold the same columns: the first tells them.
    first_rows = connection.execute(
        """
        SELECT DISTINCT ON (step, source) source_row FROM ops.rejected_row
        WHERE entity = %s ORDER BY step, source, id
        """,
        [entity],
    )
    names = dict.fromkeys(column for (row,) in first_rows for column in row)
    positions = _positions(config, entity)
    return sorted(names, key=lambda name: positions.get(name.casefold(), len(positions)))


def _positions(config: KimoConfig, entity: str) -> dict[str, int]:
    """Folded name of a field, or of a column that it is read from -> where the field stands."""
    mappings = config.entities.get(entity, ())
    positions: dict[str, int] = {}
    for field in load_catalog()[entity].fields:
        for name in (*(mapping.fields.get(field, field) for mapping in mappings), field):
            positions.setdefault(name.casefold(), len(positions))
    return positions


class _Finder:
    """Writes the query that finds a rejected row in the ERP, in the ERP's dialect."""

    def __init__(self, entity: Entity, source: str | None, config: KimoConfig) -> None:
        """source: of the rows. None for rows of step 2, which may have come from any."""
        self._entity = entity
        mappings = config.entities.get(entity.name, ())
        self._mapping = next((m for m in mappings if source in (m.source, None)), None)
        self._quote: Callable[[str], str] = str
        self._literal: Callable[[str], str] = str
        if self._mapping:
            self._quote, self._literal = _writers(config, self._mapping.source)

    def query(self, step: int, row: Mapping[str, Any]) -> str:
        """The query, or a sentence when the entity is no longer mapped."""
        if self._mapping is None:
            return say("staging.not_mapped", entity=self._entity.name)
        conditions = [
            f"{self._quote(column)} = {self._written(value)}"
            for column, value in self._keys(step, row)
        ]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        if self._mapping.query:
            # A comment may end it, so the rest starts on a line of its own.
            return f"SELECT * FROM (\n{self._mapping.query.strip().rstrip(';')}\n) q{where}"
        return f"SELECT * FROM {self._table()}{where}"

    def _written(self, value: Any) -> str:
        return str(value) if isinstance(value, Decimal) else self._literal(str(value))

    def _keys(self, step: int, row: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """(column of the ERP, value) of the row's key or, without one, of other columns."""
        candidates: list[tuple[str, ...]] = [("Id",), self._entity.identity]
        if step != 1 and self._may_derive_id():
            candidates.reverse()
        for fields in candidates:
            keys = self._values(fields, step, row)
            if keys:
                return keys
        return self._other_values(step, row)[:_OTHER_COLUMNS]

    def _other_values(self, step: int, row: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """(column of the ERP, value) of all that the row holds."""
        filled = [(name, value) for name, value in row.items() if value]
        if step == 1:
            return filled
        return [(column, value) for name, value in filled for column in self._columns(name, step)]

    def _values(
        self, fields: Sequence[str], step: int, row: Mapping[str, Any]
    ) -> list[tuple[str, Any]]:
        """(column of the ERP, value) of these fields, without those that are empty."""
        # Step 1 keeps rows by the ERP's columns, step 2 by Kimo's fields.
        by_fold = {name.casefold(): name for name in row}
        values = []
        for field in fields:
            for column in self._columns(field, step):
                key = by_fold.get((column if step == 1 else field).casefold())
                if key is not None and row[key] not in (None, ""):
                    name = key if step == 1 else column
                    values.append((name, self._lookup_value(field, row[key])))
        return values

    def _columns(self, field: str, step: int) -> tuple[str, ...]:
        """The ERP's columns that hold the same value as the row."""
        if self._mapping is None:
            return (field,)
        transformation = self._transformation(field)
        # Rows of step 2 hold the value that the transformation has made. The ERP does not.
        if step != 1 and transformation and not transformation.keeps_the_value:
            return ()
        return self._mapping.columns_of(field)

    def _transformation(self, field: str) -> Transformation | None:
        return self._mapping.transform.get(field) if self._mapping else None

    def _lookup_value(self, field: str, value: Any) -> Any:
        """The value as the ERP compares it."""
        transformation = self._transformation(field)
        # `QueryAsLong`: the ERP's column is a number, which cannot be compared with a text.
        is_number = transformation is not None and transformation.is_asked_as_number
        if is_number and _NUMBER.match(str(value)):
            return Decimal(value)
        return value

    def _may_derive_id(self) -> bool:
        """Whether the Id is derived, so that the ERP does not know it."""
        if self._mapping is None:
            return False
        mapped = (*self._mapping.fields, *self._mapping.transform)
        return "Id" not in mapped and bool(self._entity.identity)

    def _table(self) -> str:
        name = self._entity.name
        if self._mapping and self._mapping.table:
            name = self._mapping.table
        return ".".join(self._quote(part) for part in name.split("."))


_NUMBER = re.compile(r"-?\d+(\.\d+)?$")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$#]*$")


def _writers(
    config: KimoConfig, source: SystemId
) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """Two functions that write a name and a text in the source's dialect."""
    dialect = config.sources[source].sqlalchemy_url.get_dialect()()
    preparer: IdentifierPreparer = dialect.identifier_preparer
    folds = dialect.name in ("postgresql", "oracle")

    def quote(name: str) -> str:
        # A person reads the query: a name is quoted only where the database needs it.
        is_reserved = name.casefold() in preparer.reserved_words
        is_folded = folds and name != name.lower()
        if _PLAIN_NAME.match(name) and not is_reserved and not is_folded:
            return name
        return preparer.quote_identifier(name)

    return quote, text_literal(dialect)
