"""Reading the quarantine back: how many rows each rule refused, and the rows with queries that find them.

Writing it is kimo_assets/staging/quarantine.py's and step 2's.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg import Connection
from sqlalchemy.sql.compiler import IdentifierPreparer

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.config import KimoConfig, SystemId
from kimo_assets.staging.quarantine import RULES

_SAMPLES = 3

# Enough to find a row that has no key.
_OTHER_COLUMNS = 4


@dataclass(frozen=True)
class RejectedCount:
    """samples: values that the rule refused, the most frequent first."""

    entity: str
    step: int
    rule: str
    field: str | None
    rows: int
    samples: list[str]

    @property
    def sentence(self) -> str:
        return RULES.get(self.rule, self.rule)


@dataclass(frozen=True)
class RejectedRow:
    """row: by source column as the ERP gave it (step 1), by field as staged (step 2).

    query: finds the row in the ERP.
    """

    entity: str
    step: int
    rule: str
    field: str | None
    source_column: str | None
    source_key: str | None
    value: str | None
    query: str
    row: dict[str, Any]
    detail: str | None = None

    @property
    def sentence(self) -> str:
        sentence = RULES.get(self.rule, self.rule)
        return f"{sentence}: {self.detail}" if self.detail else sentence


def count_rejected(connection: Connection) -> list[RejectedCount]:
    rows = connection.execute(
        """
        SELECT entity, step, rule, field, sum(rows)::bigint,
               (array_agg(value ORDER BY rows DESC, value) FILTER (WHERE value IS NOT NULL))[:%s]
        FROM (SELECT entity, step, rule, field, left(value, 200) AS value, count(*) AS rows
              FROM ops.rejected_row GROUP BY 1, 2, 3, 4, 5) AS by_value
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 5 DESC, 3, 4
        """,
        [_SAMPLES],
    )
    return [
        RejectedCount(entity, step, rule, field, count, samples or [])
        for entity, step, rule, field, count, samples in rows
    ]


def rejected_rows(
    connection: Connection, config: KimoConfig, entity: str | None = None, *, limit: int | None = None
) -> Iterator[RejectedRow]:
    """The refused rows of one entity, or of all, as they came; streamed."""
    finders: dict[tuple[str, str | None], _Finder] = {}
    with connection.transaction(), connection.cursor("rejected") as cursor:
        cursor.execute(
            """
            SELECT entity, source, step, rule, field, source_column, source_key, value, source_row, detail
            FROM ops.rejected_row
            WHERE %(entity)s::text IS NULL OR entity = %(entity)s ORDER BY entity, step, id LIMIT %(limit)s
            """,
            {"entity": entity, "limit": limit},
        )
        for name, source, step, rule, field, column, key, value, row, detail in cursor:
            if (name, source) not in finders:
                finders[name, source] = _Finder(load_catalog()[name], source, config)
            query = finders[name, source].query(step, row)
            yield RejectedRow(name, step, rule, field, column, key, value, query, row, detail)


class _Finder:
    """Writes the query that finds a refused row in the ERP, in the ERP's dialect."""

    def __init__(self, entity: Entity, source: str | None, config: KimoConfig) -> None:
        """source: the one the rows came from; None for rows of step 2, which may have come from any."""
        self._entity = entity
        mappings = config.entities.get(entity.name, ())
        self._mapping = next((m for m in mappings if source in (m.source, None)), None)
        self._quote = _quoting(config, self._mapping.source) if self._mapping else str

    def query(self, step: int, row: Mapping[str, Any]) -> str:
        if self._mapping is None:
            return f"{self._entity.name} is no longer mapped"
        conditions = " AND ".join(
            f"{self._quote(column)} = {_literal(value)}" for column, value in self._keys(step, row)
        )
        where = f" WHERE {conditions}" if conditions else ""
        if self._mapping.query:
            return f"SELECT * FROM (the query of entities.{self._entity.name} in kimo.yaml) q{where}"
        return f"SELECT * FROM {self._table()}{where}"

    def _keys(self, step: int, row: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """(column of the ERP, value) of what tells the row from others: its key, or what else it holds."""
        candidates: list[tuple[str, ...]] = [("Id",), self._entity.identity]
        if step != 1 and self._may_derive_id():
            candidates.reverse()
        for fields in candidates:
            if keys := self._given(fields, step, row):
                return keys
        if step == 1:
            filled = [(name, value) for name, value in row.items() if value]
        else:
            filled = [(column, row[name]) for name in row if row[name] for column in self._columns(name, step)]
        return filled[:_OTHER_COLUMNS]

    def _given(self, fields: Sequence[str], step: int, row: Mapping[str, Any]) -> list[tuple[str, Any]]:
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
        """The ERP's columns that hold what the row does: what a transformation made (step 2), none of them holds."""
        if self._mapping is None:
            return (field,)
        transformation = self._mapping.transform.get(field)
        is_elsewhere = step != 1 and transformation is not None and not transformation.keeps_the_value
        return () if is_elsewhere else self._mapping.columns_of(field)

    def _asked(self, field: str, value: Any) -> Any:
        """`QueryAsLong`: the ERP keeps a number, with which a text is not to be compared."""
        transformation = self._mapping.transform.get(field) if self._mapping else None
        is_number = transformation is not None and transformation.is_asked_as_number and _NUMBER.match(str(value))
        return Decimal(value) if is_number else value

    def _may_derive_id(self) -> bool:
        """Step 2 sees an Id on every row, also one the ERP does not know."""
        mapped = (*self._mapping.fields, *self._mapping.transform) if self._mapping else ("Id",)
        return "Id" not in mapped and bool(self._entity.identity)

    def _table(self) -> str:
        name = (self._mapping.table if self._mapping else None) or self._entity.name
        return ".".join(self._quote(part) for part in name.split("."))


_NUMBER = re.compile(r"-?\d+(\.\d+)?$")


def _literal(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$#]*$")


def _quoting(config: KimoConfig, source: SystemId) -> Callable[[str], str]:
    """Quotes names as the source wants them: mixed case only where the database would fold it."""
    dialect = config.sources[source].sqlalchemy_url.get_dialect()()
    preparer: IdentifierPreparer = dialect.identifier_preparer
    folds = dialect.name in ("postgresql", "oracle")

    def quote(name: str) -> str:
        reserved = name.casefold() in preparer.reserved_words
        if _PLAIN_NAME.match(name) and not reserved and (not folds or name == name.lower()):
            return name
        return preparer.quote_identifier(name)

    return quote
