"""The types of a source's columns: text, number, day. SQLite's declarations bind it to none."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Engine, inspect, types
from sqlalchemy.engine import Connection

from kimo_assets.catalog import Entity
from kimo_assets.config import EntityMapping
from kimo_assets.sources.selection import Selection, find_table, run_as_is

TypeFamily = Literal["text", "whole", "number", "flag", "day", "bytes", "unknown"]


@dataclass(frozen=True)
class ColumnType:
    """name: as the database writes the type. length: of a text, in characters; None: no limit."""

    family: TypeFamily
    name: str = ""
    length: int | None = None


UNKNOWN = ColumnType("unknown")

# The first that fits counts: a flag of some dialects is a whole number too.
_BY_TYPE: tuple[tuple[type[Any], TypeFamily], ...] = (
    (types.Boolean, "flag"),
    (types.Integer, "whole"),
    (types.Numeric, "number"),
    (types.DateTime, "day"),
    (types.Date, "day"),
    (types.LargeBinary, "bytes"),
    # BINARY and VARBINARY are no LargeBinary to SQLAlchemy.
    (types._Binary, "bytes"),
    (types.Uuid, "unknown"),
    (types.Enum, "text"),
    (types.String, "text"),
)
# The same for drivers that describe a query's columns by Python types (SQL Server's, Oracle's).
_BY_PYTHON: tuple[tuple[type[Any], TypeFamily], ...] = (
    (bool, "flag"),
    (int, "whole"),
    (float, "number"),
    (Decimal, "number"),
    (datetime, "day"),
    (date, "day"),
    (str, "text"),
    (bytes, "bytes"),
    (bytearray, "bytes"),
)
# The same for drivers that describe them by codes: PostgreSQL's oids, MySQL's field types.
_BY_CODE: dict[str, dict[TypeFamily, tuple[int, ...]]] = {
    "postgresql": {
        "flag": (16,),
        "whole": (20, 21, 23),
        "number": (700, 701, 1700),
        "day": (1082, 1114, 1184),
        "text": (25, 1042, 1043),
        "bytes": (17,),
    },
    # MySQL has no type for flags: BOOLEAN is a TINYINT.
    "mysql": {
        "whole": (1, 2, 3, 8, 9),
        "number": (0, 4, 5, 246),
        "day": (7, 10, 12),
        "text": (15, 252, 253, 254),
        "bytes": (16,),
    },
}
_BY_CODE["mariadb"] = _BY_CODE["mysql"]


def column_types(
    engine: Engine, connection: Connection, selection: Selection, mapping: EntityMapping
) -> Mapping[str, ColumnType]:
    """The type of each column of the selection; none on SQLite, whose columns hold anything."""
    if engine.dialect.name == "sqlite":
        return {}
    if mapping.query:
        return _of_query(connection, selection)
    schema, name = find_table(engine, mapping.table or selection.entity.name)
    columns = inspect(engine).get_columns(name, schema)
    return {column["name"]: _of_declaration(column["type"], engine) for column in columns}


def _of_declaration(declared: Any, engine: Engine) -> ColumnType:
    families = (family for type_, family in _BY_TYPE if isinstance(declared, type_))
    family: TypeFamily = next(families, "unknown")
    try:
        name = declared.compile(engine.dialect)
    except Exception:  # a type that SQLAlchemy can read and not write
        name = type(declared).__name__
    length = None
    if family == "text":
        length = getattr(declared, "length", None)
    return ColumnType(family, name, length)


def _of_query(connection: Connection, selection: Selection) -> dict[str, ColumnType]:
    """The types as the driver describes the query's columns, without reading a row."""
    query = f"SELECT * FROM ({selection.statement}\n) kimo_source WHERE 1 = 0"
    result = run_as_is(connection, query)
    try:
        description = result.cursor.description if result.cursor else None
        codes = _BY_CODE.get(connection.dialect.name, {})
        columns = description or ()
        return {column[0]: ColumnType(_family(column[1], codes)) for column in columns}
    finally:
        result.close()


def _family(code: Any, codes: Mapping[TypeFamily, tuple[int, ...]]) -> TypeFamily:
    families: Any = (family for family, members in codes.items() if code in members)
    if isinstance(code, type):
        families = (family for type_, family in _BY_PYTHON if issubclass(code, type_))
    family: TypeFamily = next(families, "unknown")
    return family


def unique_keys(engine: Engine, entity: Entity, mapping: EntityMapping) -> list[frozenset[str]]:
    """Sets of columns, in small letters, whose values the source itself keeps unique."""
    if mapping.query:
        return []
    schema, name = find_table(engine, mapping.table or entity.name)
    inspector = inspect(engine)
    keys = [inspector.get_pk_constraint(name, schema).get("constrained_columns") or []]
    keys += _unique_columns(inspector, name, schema)
    return [frozenset(column.casefold() for column in key) for key in keys if key]


def _unique_columns(inspector: Any, name: str, schema: str | None) -> list[list[str]]:
    """The unique constraints of one column.

    Of several columns only a primary key will do: a unique constraint lets rows be equal where a
    part of it is NULL.
    """
    try:
        constraints = inspector.get_unique_constraints(name, schema)
    except NotImplementedError:
        # So says a dialect that cannot list them. Primary keys remain.
        return []
    keys = [constraint["column_names"] for constraint in constraints]
    return [key for key in keys if len(key) == 1]
