"""The table and columns of a live source that fill an entity: the mapping, checked against it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Date, DateTime, Dialect, Engine, inspect
from sqlalchemy.engine import Connection, CursorResult

from kimo_assets.catalog import Entity, Field
from kimo_assets.config import EntityMapping, FormatsConfig, NoValueConfig, SystemId
from kimo_assets.errors import PermanentSourceError, nearest
from kimo_assets.sources.connection import address
from kimo_assets.sources.discovery import table_names, view_names
from kimo_assets.texts import say
from kimo_assets.transforms import DateFormat, Transformation, as_dates

# Names of columns that a message lists where none is near.
_NAMES_SHOWN = 20


@dataclass(frozen=True)
class TransformedField:
    """A field that a transformation makes from the source's columns."""

    field: str
    columns: tuple[str, ...]
    transformation: Transformation


@dataclass(frozen=True)
class Selection:
    """A statement whose result has `columns` in some order; fields[i] is read from columns[i].

    Fields that transformations make come last, and so do the columns that these read. Those two
    do not correspond by position. unmapped: columns of the source that no field takes.
    """

    entity: Entity
    source: SystemId
    statement: str
    fields: tuple[str, ...]
    columns: tuple[str, ...]
    unmapped: tuple[str, ...]
    transformed: tuple[TransformedField, ...] = ()
    no_value: NoValueConfig = field(default_factory=NoValueConfig)

    @property
    def needs_python(self) -> bool:
        """Whether Python has to transform values, so that only the cursor can read them."""
        return bool(self.transformed)

    @property
    def taken_as_it_is(self) -> int:
        """How many fields are read from the column beside them."""
        return len(self.fields) - len(self.transformed)

    @property
    def carried(self) -> tuple[str, ...]:
        """Columns that travel with their row to staging, because no field shows their values."""
        return self.columns[self.taken_as_it_is :]

    @property
    def column_of(self) -> dict[str, str]:
        """field -> the source's column, for the fields that no transformation makes."""
        return dict(zip(self.fields, self.columns[: self.taken_as_it_is], strict=False))

    def columns_of(self, name: str) -> tuple[str, ...]:
        """The source's columns that fill a field; none for a constant or a field not filled."""
        if name in self.column_of:
            return (self.column_of[name],)
        return next((made.columns for made in self.transformed if made.field == name), ())

    @property
    def definition(self) -> str:
        """Text that changes whenever the same data would be read another way."""
        made = (
            f"{made.field} {made.columns} {made.transformation.text}" for made in self.transformed
        )
        return "\n".join(
            (self.source, self.statement, *self.fields, *self.columns, *made, repr(self.no_value))
        )

    @property
    def derived_id_from(self) -> tuple[str, ...]:
        """The fields that the Id is derived from; none where the source gives an Id."""
        return () if "Id" in self.fields else self.entity.identity


def resolve(
    engine: Engine, connection: Connection, entity: Entity, mapping: EntityMapping
) -> Selection:
    """The selection of an entity. Raises: PermanentSourceError for a missing table or column."""
    schema, name = None, ""
    types: dict[str, Any]
    if mapping.query:
        types = dict.fromkeys(_query_columns(connection, mapping.query))
        origin = say("sources.its_query")
    else:
        schema, name = find_table(engine, mapping.table or entity.name)
        types = _table_columns(engine, schema, name)
        origin = say("sources.table", table=mapping.table or entity.name)
    pairs, transformed = _fields(entity, mapping, types, origin)
    columns = _columns(pairs, transformed)
    if mapping.query:
        statement = mapping.query.strip().rstrip(";")
    else:
        # An entity of constants alone still needs a column, for its rows.
        chosen = columns or list(types)[:1]
        statement = table_statement(engine.dialect, schema, name, chosen, mapping.where)
    fields = (*pairs, *(made.field for made in transformed))
    _require_identity(entity, fields, origin)
    return Selection(
        entity=entity,
        source=mapping.source,
        statement=statement,
        fields=fields,
        columns=columns,
        unmapped=tuple(name for name in types if name not in columns),
        transformed=transformed,
        no_value=mapping.no_value,
    )


def _table_columns(engine: Engine, schema: str | None, name: str) -> dict[str, Any]:
    """Column -> its type; None for each on SQLite, whose columns hold anything."""
    columns = inspect(engine).get_columns(name, schema)
    if engine.dialect.name == "sqlite":
        return {column["name"]: None for column in columns}
    return {column["name"]: column["type"] for column in columns}


def _columns(pairs: Mapping[str, str], transformed: Sequence[TransformedField]) -> tuple[str, ...]:
    """A column for each field that is taken as it is, then those that transformations read."""
    read = [column for made in transformed for column in made.columns]
    return (*pairs.values(), *dict.fromkeys(read))


def _fields(
    entity: Entity, mapping: EntityMapping, types: Mapping[str, Any], origin: str
) -> tuple[dict[str, str], tuple[TransformedField, ...]]:
    """field -> column for the fields taken as they are, and the fields that transformations make.

    Both in the catalogue's order.
    """
    by_fold = {name.casefold(): name for name in types}
    _require_columns(entity, mapping, by_fold, origin)
    pairs: dict[str, str] = {}
    transformed: list[TransformedField] = []
    for name, target in entity.fields.items():
        columns = tuple(by_fold.get(column.casefold(), "") for column in mapping.columns_of(name))
        if name in mapping.transform:
            transformed.append(TransformedField(name, columns, mapping.transform[name]))
            continue
        if columns == ("",):
            continue
        dates = _written_dates(target, mapping.formats, types[columns[0]])
        if dates:
            transformed.append(TransformedField(name, columns, dates))
        else:
            pairs[name] = columns[0]
    return pairs, tuple(transformed)


def _written_dates(target: Field, formats: FormatsConfig, type_: Any) -> Transformation | None:
    """The transformation that reads a day which the source keeps as text or number.

    None where the column holds days already, or texts with the year first. A day may also be
    written in the format of the source's moments, and the other way round.
    """
    if target.type not in ("date", "dt") or formats == FormatsConfig():
        return None
    if isinstance(type_, (Date, DateTime)):
        return None
    own, other = formats.date, formats.datetime
    if target.type == "dt":
        own, other = other, own
    return as_dates([DateFormat(form) for form in (own, other) if form], or_iso=own is None)


def _require_columns(
    entity: Entity, mapping: EntityMapping, by_fold: Mapping[str, str], origin: str
) -> None:
    """Raises: PermanentSourceError with the mapping's columns that the source does not have."""
    named = [name for name in entity.fields if name in mapping.fields or name in mapping.transform]
    missing = [
        (column, name)
        for name in named
        for column in mapping.columns_of(name)
        if column.casefold() not in by_fold
    ]
    if not missing:
        return
    first_column, first_field = missing[0]
    available = list(by_fold.values())
    shown = nearest(first_column, available) or available[:_NAMES_SHOWN]
    columns = [
        say("sources.column_for_field", column=column, entity=entity.name, field=name)
        for column, name in missing
    ]
    message = say(
        "sources.no_column",
        origin=origin,
        columns=", ".join(columns),
        available=", ".join(shown),
        entity=entity.name,
        key="transform" if first_field in mapping.transform else "fields",
    )
    raise PermanentSourceError(message)


def _require_identity(entity: Entity, fields: tuple[str, ...], origin: str) -> None:
    """Raises: PermanentSourceError where the fields hold no key that could identify a row."""
    if "Id" in fields:
        return
    if not entity.identity:
        message = say("sources.no_id", origin=origin, entity=entity.name)
        raise PermanentSourceError(message)
    if not set(entity.identity) & set(fields):
        names = ", ".join(entity.identity)
        message = say("sources.no_identity", origin=origin, entity=entity.name, fields=names)
        raise PermanentSourceError(message)


def _query_columns(connection: Connection, query: str) -> list[str]:
    """The names of a query's columns, without reading its rows."""
    statement = query.strip().rstrip(";")
    # SQL Server takes no ORDER BY in a subquery. There the query itself runs, unfetched.
    if connection.dialect.name != "mssql":
        # A comment may end the query, so the bracket is on a line of its own.
        statement = f"SELECT * FROM ({statement}\n) kimo_source WHERE 1 = 0"
    result = run_as_is(connection, statement)
    try:
        return list(result.keys())
    finally:
        result.close()


def run_as_is(connection: Connection, statement: str) -> CursorResult[Any]:
    """Streams a statement exactly as written: a colon or a percent sign in it is no parameter."""
    # no_parameters keeps the driver from reading a percent sign as a parameter.
    # Without stream_results, psycopg and pymysql fetch all rows into memory first.
    streaming = connection.execution_options(stream_results=True, no_parameters=True)
    return streaming.exec_driver_sql(statement)


_NAME_PART = re.compile(r"""\[(?:[^]]|]])*]|"(?:[^"]|"")*"|`(?:[^`]|``)*`|[^.]+""")


def schema_and_name(written: str) -> tuple[str | None, str]:
    """Schema and name of a table as people write it: `dbo.CLIENTI`, `[ERP].[dbo].[Clienti 2.0]`.

    The schema comes after its database where that is named too. Quotes are taken off, except where
    a part of the schema has a dot.
    """
    *before, name = [_bare(part) for part in _NAME_PART.findall(written)] or [written]
    # SQLAlchemy splits a database from its schema at the dots outside brackets.
    if len(before) > 1:
        before = [f"[{part}]" if "." in part else part for part in before]
    return ".".join(before) or None, name


def _bare(part: str) -> str:
    """The part of a name without its quotes; a doubled quote inside stands for itself."""
    closing = {"[": "]", '"': '"', "`": "`"}.get(part[0])
    if closing is None:
        return part
    return part[1:-1].replace(closing * 2, closing)


def find_table(engine: Engine, written: str) -> tuple[str | None, str]:
    """Schema and name of a table or view, in the database's spelling.

    Raises: PermanentSourceError with the tables of a similar name.
    """
    inspector = inspect(engine)
    schema, name = schema_and_name(written)
    names = [*table_names(inspector, schema), *view_names(inspector, schema)]
    # The exact spelling first: PostgreSQL may hold both Item and ITEM.
    if name in names:
        return schema, name
    by_fold = {name.casefold(): name for name in names}
    if name.casefold() in by_fold:
        return schema, by_fold[name.casefold()]
    close = nearest(name, names)
    if close:
        hint = say("sources.tables_like_it", tables=", ".join(close))
    else:
        hint = say("sources.count_of_tables", count=len(names))
    message = say("sources.no_table", table=written, address=address(engine), hint=hint)
    raise PermanentSourceError(message)


def table_statement(
    dialect: Dialect, schema: str | None, name: str, columns: Sequence[str], where: str | None
) -> str:
    """The statement that selects each column once, in the dialect's quotes. where: as written."""
    preparer = dialect.identifier_preparer
    chosen = ", ".join(preparer.quote(column) for column in dict.fromkeys(columns))
    origin = preparer.quote(name)
    if schema:
        origin = f"{preparer.quote_schema(schema)}.{origin}"
    statement = f"SELECT {chosen} FROM {origin}"
    if where:
        # A comment may end the condition, so the bracket is on a line of its own.
        statement += f" WHERE ({where}\n)"
    return statement
