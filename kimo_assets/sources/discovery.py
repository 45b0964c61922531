"""What a database offers: its tables and views, their columns, how many rows they hold; not what
they mean.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, column, func, inspect, select, table
from sqlalchemy.dialects.postgresql.base import PGInspector
from sqlalchemy.engine.reflection import Inspector, ObjectKind
from sqlalchemy.exc import SQLAlchemyError

from kimo_assets.errors import SourceError
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
    """Also those of PostgreSQL that are another database's."""
    foreign = (
        inspector.get_foreign_table_names(schema) if isinstance(inspector, PGInspector) else []
    )
    return [*inspector.get_table_names(schema), *foreign]


def view_names(inspector: Inspector, schema: str | None) -> list[str]:
    """Also those that keep their rows."""
    try:
        materialized = inspector.get_materialized_view_names(schema)
    except NotImplementedError:
        materialized = []
    return [*inspector.get_view_names(schema), *materialized]


def other_schemas(engine: Engine, source: str) -> list[str]:
    """The schemas beside the default one that may hold somebody's tables. Raises: SourceError."""
    with source_errors(source, engine):
        inspector = inspect(engine)
        names = inspector.get_schema_names()
        default = inspector.default_schema_name
    return [name for name in names if name != default and not _is_the_systems(name)]


def _is_the_systems(schema: str) -> bool:
    folded = schema.casefold()
    return folded in _SYSTEM_SCHEMAS or folded.startswith(("pg_", "db_"))


def columns_of(
    engine: Engine, source: str, tables: Iterable[Offered]
) -> dict[Offered, tuple[str, ...] | str]:
    """Each table's columns, or in one line why they cannot be seen: a view of a table that is gone.
    Raises: SourceError.
    """
    wanted = list(tables)
    found: dict[Offered, tuple[str, ...] | str] = {}
    with source_errors(source, engine):
        inspector = inspect(engine)
        for schema in {offered.schema for offered in wanted}:
            known = _columns_at_once(
                inspector, schema, [o.name for o in wanted if o.schema == schema]
            )
            found |= {o: known[o.name] for o in wanted if o.schema == schema and o.name in known}
    for offered in wanted:
        if offered not in found:
            found[offered] = _columns_alone(engine, source, offered)
    return found


def _columns_at_once(
    inspector: Inspector, schema: str | None, names: list[str]
) -> Mapping[str, tuple[str, ...]]:
    """Of many tables by one query where the database can; a broken view may leave nothing."""
    try:
        many = inspector.get_multi_columns(schema=schema, filter_names=names, kind=ObjectKind.ANY)
    except SQLAlchemyError:
        return {}
    return {
        name: tuple(found["name"] for found in columns)
        for (_, name), columns in many.items()
        if columns
    }


def _columns_alone(engine: Engine, source: str, offered: Offered) -> tuple[str, ...] | str:
    try:
        with source_errors(source, engine):
            return tuple(
                found["name"] for found in inspect(engine).get_columns(offered.name, offered.schema)
            )
    except SourceError as error:
        return " ".join(str(error).split())


def count_rows(engine: Engine, source: str, offered: Offered, timeout_s: float) -> int | None:
    """None where counting takes longer than that. Raises: SourceError."""
    statement = select(func.count()).select_from(
        table(offered.name, column("x"), schema=offered.schema)
    )
    try:
        with (
            engine.connect() as connection,
            time_limit(connection, timeout_s),
            source_errors(source, engine),
        ):
            return int(connection.execute(statement).scalar_one())
    except TimeLimitError:
        return None
