"""Which table and columns of a live source make an entity: the mapping, resolved and checked
against what is there.
"""

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
from kimo_assets.transforms import DateFormat, Transformation, as_dates


@dataclass(frozen=True)
class Made:
    """A field that a transformation makes from the source's columns."""

    field: str
    columns: tuple[str, ...]
    transformation: Transformation


@dataclass(frozen=True)
class Selection:
    """A statement whose result holds `columns` in some order; fields[i] is read from columns[i].

    Where there are transformations, the fields that they make come last, and so do the columns that
    they read; these do not stand beside each other. unmapped: columns of the source that no field
    takes.
    """

    entity: Entity
    source: SystemId
    statement: str
    fields: tuple[str, ...]
    columns: tuple[str, ...]
    unmapped: tuple[str, ...]
    made: tuple[Made, ...] = ()
    no_value: NoValueConfig = field(default_factory=NoValueConfig)

    @property
    def needs_python(self) -> bool:
        """Whether values have to be worked on by Python, so that only the cursor can read them."""
        return bool(self.made)

    @property
    def taken_as_it_is(self) -> int:
        """How many fields are read from the column beside them."""
        return len(self.fields) - len(self.made)

    @property
    def carried(self) -> tuple[str, ...]:
        """Columns that travel with their row until it is staged: no field shows what the source
        gave in them.
        """
        return self.columns[self.taken_as_it_is :]

    @property
    def column_of(self) -> dict[str, str]:
        """field -> the source's column that holds its values: of the fields that no transformation
        makes.
        """
        return dict(zip(self.fields, self.columns[: self.taken_as_it_is], strict=False))

    def columns_of(self, name: str) -> tuple[str, ...]:
        """The source's columns that a field comes from; none for a constant, or a field that is not
        filled.
        """
        if name in self.column_of:
            return (self.column_of[name],)
        return next((made.columns for made in self.made if made.field == name), ())

    @property
    def definition(self) -> str:
        """Text that changes whenever the same data would be read another way."""
        made = (f"{made.field} {made.columns} {made.transformation.text}" for made in self.made)
        return "\n".join(
            (self.source, self.statement, *self.fields, *self.columns, *made, repr(self.no_value))
        )

    @property
    def derived_id_from(self) -> tuple[str, ...]:
        return () if "Id" in self.fields else self.entity.identity


def resolve(
    engine: Engine, connection: Connection, entity: Entity, mapping: EntityMapping
) -> Selection:
    """The selection of an entity. Raises: PermanentSourceError naming the table or column that is
    not there.
    """
    if mapping.query:
        kinds = dict.fromkeys(_query_columns(connection, mapping.query))
        origin = "its query"
        statement = mapping.query.strip().rstrip(";")
    else:
        schema, name = find_table(engine, mapping.table or entity.name)
        kinds = {
            found["name"]: found["type"] for found in inspect(engine).get_columns(name, schema)
        }
        if (
            engine.dialect.name == "sqlite"
        ):  # whose columns hold anything, whatever they are declared as
            kinds = dict.fromkeys(kinds)
        origin = f"table {mapping.table or entity.name}"
        statement = ""
    pairs, made = _told_apart(entity, mapping, kinds, origin)
    columns = _columns(pairs, made)
    if mapping.query is None:
        statement = table_statement(
            engine.dialect, schema, name, columns or list(kinds)[:1], mapping.where
        )
    fields = (*pairs, *(one.field for one in made))
    _require_identity(entity, fields, origin)
    return Selection(
        entity=entity,
        source=mapping.source,
        statement=statement,
        fields=fields,
        columns=columns,
        unmapped=tuple(name for name in kinds if name not in columns),
        made=made,
        no_value=mapping.no_value,
    )


def _columns(pairs: Mapping[str, str], made: Sequence[Made]) -> tuple[str, ...]:
    """One beside each field that is taken as it is, then those that transformations read."""
    return (*pairs.values(), *dict.fromkeys(column for one in made for column in one.columns))


def _told_apart(
    entity: Entity, mapping: EntityMapping, kinds: Mapping[str, Any], origin: str
) -> tuple[dict[str, str], tuple[Made, ...]]:
    """field -> column of the fields taken as they are, and the fields that are made; both in the
    catalogue's order.
    """
    by_fold = {name.casefold(): name for name in kinds}
    _require_columns(entity, mapping, by_fold, origin)
    pairs: dict[str, str] = {}
    made: list[Made] = []
    for name, target in entity.fields.items():
        columns = tuple(by_fold.get(column.casefold(), "") for column in mapping.columns_of(name))
        if name in mapping.transform:
            made.append(Made(name, columns, mapping.transform[name]))
        elif columns != ("",):
            if dates := _written_dates(target, mapping.formats, kinds[columns[0]]):
                made.append(Made(name, columns, dates))
            else:
                pairs[name] = columns[0]
    return pairs, tuple(made)


def _written_dates(target: Field, formats: FormatsConfig, kind: Any) -> Transformation | None:
    """How the source writes a day that it keeps as text or number; None where it is a day already,
    or year first.

    A day may also be written as the source's moments are, and the other way round.
    """
    if (
        target.type not in ("date", "dt")
        or isinstance(kind, (Date, DateTime))
        or formats == FormatsConfig()
    ):
        return None
    first, second = (
        (formats.date, formats.datetime)
        if target.type == "date"
        else (formats.datetime, formats.date)
    )
    return as_dates([DateFormat(form) for form in (first, second) if form], or_iso=first is None)


def _require_columns(
    entity: Entity, mapping: EntityMapping, by_fold: Mapping[str, str], origin: str
) -> None:
    """Raises: PermanentSourceError naming the columns that kimo.yaml names, or a transformation
    needs, in vain.
    """
    named = [name for name in entity.fields if name in mapping.fields or name in mapping.transform]
    missing = [
        (column, name)
        for name in named
        for column in mapping.columns_of(name)
        if column.casefold() not in by_fold
    ]
    if missing:
        names = ", ".join(f"{column} (for {entity.name}.{name})" for column, name in missing)
        available = list(by_fold.values())
        hint = nearest(missing[0][0], available) or available[:20]
        key = "transform" if missing[0][1] in mapping.transform else "fields"
        raise PermanentSourceError(
            f"{origin} has no column {names}. It has: {', '.join(hint)}. Mend"
            f" entities.{entity.name}.{key}."
        )


def _require_identity(entity: Entity, fields: tuple[str, ...], origin: str) -> None:
    if "Id" in fields:
        return
    if not entity.identity:
        raise PermanentSourceError(
            f"{origin} gives no Id for {entity.name}, which has no other key. Map"
            f" entities.{entity.name}.fields.Id."
        )
    if not set(entity.identity) & set(fields):
        raise PermanentSourceError(
            f"{origin} gives neither an Id for {entity.name} nor any of the columns its Id is"
            f" derived from: {', '.join(entity.identity)}. Map one of them under"
            f" entities.{entity.name}.fields."
        )


def _query_columns(connection: Connection, query: str) -> list[str]:
    """The names a query gives, without its rows. A comment may end it: what follows starts on a
    line of its own.
    """
    bare = query.strip().rstrip(";")
    # SQL Server takes no ORDER BY inside; there the query itself runs, and only its shape is taken.
    wrapped = (
        bare
        if connection.dialect.name == "mssql"
        else f"SELECT * FROM ({bare}\n) kimo_source WHERE 1 = 0"
    )
    result = run_as_is(connection, wrapped)
    try:
        return list(result.keys())
    finally:
        result.close()


def run_as_is(connection: Connection, statement: str) -> CursorResult[Any]:
    """Streams a statement exactly as written: a colon or a percent sign in it is no parameter."""
    # no_parameters keeps the driver from reading a percent sign as one.
    return connection.execution_options(stream_results=True, no_parameters=True).exec_driver_sql(
        statement
    )


_NAME_PART = re.compile(r"""\[(?:[^]]|]])*]|"(?:[^"]|"")*"|`(?:[^`]|``)*`|[^.]+""")


def schema_and_name(wanted: str) -> tuple[str | None, str]:
    """A table's name as people write it: `CLIENTI`, `dbo.CLIENTI`, `[INTEGRATION].[dbo].[Clienti
    2.0]`.

    Returns the schema, after its database where that is named too, and the name; without quotes but
    where a dot needs them.
    """
    *before, name = [_bare(part) for part in _NAME_PART.findall(wanted)] or [wanted]
    quoted = [f"[{part}]" if "." in part and len(before) > 1 else part for part in before]
    return ".".join(quoted) or None, name


def _bare(part: str) -> str:
    closing = {"[": "]", '"': '"', "`": "`"}.get(part[0])
    return part[1:-1].replace(closing * 2, closing) if closing else part


def find_table(engine: Engine, wanted: str) -> tuple[str | None, str]:
    """Schema and name of a table or view, in the database's spelling."""
    inspector = inspect(engine)
    schema, name = schema_and_name(wanted)
    names = [*table_names(inspector, schema), *view_names(inspector, schema)]
    by_fold = {found.casefold(): found for found in names}
    if name not in names and name.casefold() not in by_fold:
        close = nearest(name, names)
        hint = (
            f" Tables like it: {', '.join(close)}."
            if close
            else f" It has {len(names)} tables and views."
        )
        raise PermanentSourceError(
            f"there is no table or view {wanted} in {address(engine)}.{hint}"
        )
    return schema, name if name in names else by_fold[name.casefold()]


def table_statement(
    dialect: Dialect, schema: str | None, name: str, columns: Sequence[str], where: str | None
) -> str:
    """The columns of a table, each once, in the dialect's quotes. where: as written, a comment at
    its end included.
    """
    preparer = dialect.identifier_preparer
    chosen = ", ".join(preparer.quote(found) for found in dict.fromkeys(columns))
    origin = (
        f"{preparer.quote_schema(schema)}.{preparer.quote(name)}"
        if schema
        else preparer.quote(name)
    )
    return f"SELECT {chosen} FROM {origin}" + (f" WHERE ({where}\n)" if where else "")
