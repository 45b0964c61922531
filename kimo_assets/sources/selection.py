"""Which table and columns of a live source make an entity: the mapping, resolved and checked against what is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, inspect
from sqlalchemy.engine import Connection, CursorResult

from kimo_assets.catalog import Entity
from kimo_assets.config import EntityMapping, SystemId
from kimo_assets.errors import PermanentSourceError, nearest
from kimo_assets.sources.connection import address
from kimo_assets.sources.discovery import table_names, view_names


@dataclass(frozen=True)
class Selection:
    """A statement whose result holds `columns` in some order; fields[i] is read from columns[i].

    unmapped: columns of the source that no field takes.
    """

    entity: Entity
    source: SystemId
    statement: str
    fields: tuple[str, ...]
    columns: tuple[str, ...]
    unmapped: tuple[str, ...]

    @property
    def definition(self) -> str:
        """Text that changes whenever the same data would be read another way."""
        return "\n".join((self.source, self.statement, *self.fields, *self.columns))

    @property
    def derived_id_from(self) -> tuple[str, ...]:
        return () if "Id" in self.fields else self.entity.identity


def resolve(engine: Engine, connection: Connection, entity: Entity, mapping: EntityMapping) -> Selection:
    """The selection of an entity. Raises: PermanentSourceError naming the table or column that is not there."""
    if mapping.query:
        available = _query_columns(connection, mapping.query)
        origin = "its query"
        statement = mapping.query.strip().rstrip(";")
    else:
        schema, name = find_table(engine, mapping.table or entity.name)
        available = [found["name"] for found in inspect(engine).get_columns(name, schema)]
        origin = f"table {mapping.table or entity.name}"
        statement = ""
    pairs = _pair(entity, mapping.fields, available, origin)
    if mapping.query is None:
        statement = _table_statement(engine, schema, name, list(pairs.values()), mapping.where)
    fields = tuple(field for field in entity.fields if field in pairs)
    _require_identity(entity, fields, origin)
    return Selection(
        entity=entity,
        source=mapping.source,
        statement=statement,
        fields=fields,
        columns=tuple(pairs[field] for field in fields),
        unmapped=tuple(name for name in available if name not in pairs.values()),
    )


def _pair(entity: Entity, mapped: Mapping[str, str], available: Sequence[str], origin: str) -> dict[str, str]:
    """field -> source column, in the source's spelling. Names match ignoring case."""
    by_fold = {name.casefold(): name for name in available}
    missing = {field: name for field, name in mapped.items() if name.casefold() not in by_fold}
    if missing:
        name = next(iter(missing.values()))
        names = ", ".join(f"{column} (for {entity.name}.{field})" for field, column in missing.items())
        hint = nearest(name, available) or list(available)[:20]
        raise PermanentSourceError(
            f"{origin} has no column {names}. It has: {', '.join(hint)}. Mend entities.{entity.name}.fields."
        )
    pairs = {field: by_fold[field.casefold()] for field in entity.fields if field.casefold() in by_fold}
    return pairs | {field: by_fold[name.casefold()] for field, name in mapped.items()}


def _require_identity(entity: Entity, fields: tuple[str, ...], origin: str) -> None:
    if "Id" in fields:
        return
    if not entity.identity:
        raise PermanentSourceError(
            f"{origin} gives no Id for {entity.name}, which has no other key. Map entities.{entity.name}.fields.Id."
        )
    if not set(entity.identity) & set(fields):
        raise PermanentSourceError(
            f"{origin} gives neither an Id for {entity.name} nor any of the columns its Id is derived from: "
            f"{', '.join(entity.identity)}. Map one of them under entities.{entity.name}.fields."
        )


def _query_columns(connection: Connection, query: str) -> list[str]:
    """The names a query gives, without its rows. A comment may end it: what follows starts on a line of its own."""
    bare = query.strip().rstrip(";")
    # SQL Server takes no ORDER BY inside; there the query itself runs, and only its shape is taken.
    wrapped = bare if connection.dialect.name == "mssql" else f"SELECT * FROM ({bare}\n) kimo_source WHERE 1 = 0"
    result = run_as_is(connection, wrapped)
    try:
        return list(result.keys())
    finally:
        result.close()


def run_as_is(connection: Connection, statement: str) -> CursorResult[Any]:
    """Streams a statement exactly as written: a colon or a percent sign in it is no parameter."""
    # no_parameters keeps the driver from reading a percent sign as one.
    return connection.execution_options(stream_results=True, no_parameters=True).exec_driver_sql(statement)


def find_table(engine: Engine, wanted: str) -> tuple[str | None, str]:
    """Schema and name of a table or view, in the database's spelling."""
    inspector = inspect(engine)
    schema, _, name = wanted.rpartition(".")
    names = [*table_names(inspector, schema or None), *view_names(inspector, schema or None)]
    by_fold = {found.casefold(): found for found in names}
    if name not in names and name.casefold() not in by_fold:
        close = nearest(name, names)
        hint = f" Tables like it: {', '.join(close)}." if close else f" It has {len(names)} tables and views."
        raise PermanentSourceError(f"there is no table or view {wanted} in {address(engine)}.{hint}")
    return schema or None, name if name in names else by_fold[name.casefold()]


def _table_statement(engine: Engine, schema: str | None, name: str, names: Sequence[str], where: str | None) -> str:
    quote = engine.dialect.identifier_preparer.quote
    chosen = ", ".join(quote(found) for found in dict.fromkeys(names))
    origin = f"{quote(schema)}.{quote(name)}" if schema else quote(name)
    return f"SELECT {chosen} FROM {origin}" + (f" WHERE ({where}\n)" if where else "")
