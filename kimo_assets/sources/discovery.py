"""What a database holds: its tables and views, their columns and row counts. Not what they mean."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, column, func, inspect, select, table
from sqlalchemy.dialects.postgresql.base import PGInspector
from sqlalchemy.engine.reflection import Inspector, ObjectKind
from sqlalchemy.exc import SQLAlchemyError

from kimo_assets.errors import SourceError, in_one_line
from kimo_assets.sources.connection import source_errors
from kimo_assets.sources.limits import TimeLimitError, time_limit

_SYSTEM_SCHEMAS = frozenset(
    (
        "information_schema",
        "pg_catalog",
        "pg_toast",
        "mysql",
        "performance_schema",
        "sys",
        "system",
        "temp",
        "guest",
    )
)


@dataclass(frozen=True)
class Offered:
    """A table or view. schema: None for the one that needs no naming."""

    schema: str | None
    name: str
    is_view: bool = False

    @property
    def written(self) -> str:
        """As `table` of kimo.yaml names it."""
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def kind(self) -> str:
        return "view" if self.is_view else "table"


def tables_of(engine: Engine, source: str, schema: str | None = None) -> list[Offered]:
    """The tables and views of a schema (None: the default one), by name. Raises: SourceError."""
    with source_errors(source, engine):
        inspector = inspect(engine)
        tables = [Offered(schema, name) for name in table_names(inspector, schema)]
        views = [Offered(schema, name, True) for name in view_names(inspector, schema)]
    return sorted([*tables, *views], key=lambda offered: offered.name.casefold())


def table_names(inspector: Inspector, schema: str | None) -> list[str]:
    """The tables, with PostgreSQL's foreign tables, whose rows are in another database."""
    names = inspector.get_table_names(schema)
    if isinstance(inspector, PGInspector):
        names = [*names, *inspector.get_foreign_table_names(schema)]
    return names


def view_names(inspector: Inspector, schema: str | None) -> list[str]:
    """The views, with the materialized ones."""
    try:
        materialized = inspector.get_materialized_view_names(schema)
    except NotImplementedError:
        # So says a dialect whose databases have none.
        materialized = []
    return [*inspector.get_view_names(schema), *materialized]


def other_schemas(engine: Engine, source: str) -> list[str]:
    """The schemas beside the default one that are not the server's own. Raises: SourceError."""
    with source_errors(source, engine):
        inspector = inspect(engine)
        names = inspector.get_schema_names()
        default = inspector.default_schema_name
    return [name for name in names if name != default and not _is_the_systems(name)]


def _is_the_systems(schema: str) -> bool:
    folded = schema.casefold()
    # SQL Server has a schema for each fixed role, such as db_owner.
    return folded in _SYSTEM_SCHEMAS or folded.startswith(("pg_", "db_"))


def columns_of(
    engine: Engine, source: str, tables: Iterable[Offered]
) -> dict[Offered, tuple[str, ...] | str]:
    """Each table's columns, or the reason in one line why they cannot be read.

    A view whose table was dropped has none, for example. Raises: SourceError.
    """
    by_schema: dict[str | None, list[Offered]] = {}
    for offered in tables:
        by_schema.setdefault(offered.schema, []).append(offered)
    columns: dict[Offered, tuple[str, ...] | str] = {}
    with source_errors(source, engine):
        inspector = inspect(engine)
        for schema, members in by_schema.items():
            names = [offered.name for offered in members]
            by_name = _columns_at_once(inspector, schema, names)
            columns |= {o: by_name[o.name] for o in members if o.name in by_name}
    for members in by_schema.values():
        for offered in members:
            if offered not in columns:
                columns[offered] = _columns_alone(engine, source, offered)
    return columns


def _columns_at_once(
    inspector: Inspector, schema: str | None, names: list[str]
) -> Mapping[str, tuple[str, ...]]:
    """The columns of many tables, by one query where the database can.

    A broken view may make the query fail, so the result may lack tables or be empty.
    """
    try:
        many = inspector.get_multi_columns(schema=schema, filter_names=names, kind=ObjectKind.ANY)
    except SQLAlchemyError:
        return {}
    columns_by_name = {}
    for (_, name), columns in many.items():
        if columns:
            columns_by_name[name] = tuple(column["name"] for column in columns)
    return columns_by_name


def _columns_alone(engine: Engine, source: str, offered: Offered) -> tuple[str, ...] | str:
    try:
        with source_errors(source, engine):
            columns = inspect(engine).get_columns(offered.name, offered.schema)
            return tuple(column["name"] for column in columns)
    except SourceError as error:
        return in_one_line(error)


def count_rows(engine: Engine, source: str, offered: Offered, timeout_s: float) -> int | None:
    """The table's rows; None where counting takes longer than the limit. Raises: SourceError."""
    rows = table(offered.name, column("x"), schema=offered.schema)
    statement = select(func.count()).select_from(rows)
    try:
        with (
            engine.connect() as connection,
            time_limit(connection, timeout_s),
            source_errors(source, engine),
        ):
            return int(connection.execute(statement).scalar_one())
    except TimeLimitError:
        return None
