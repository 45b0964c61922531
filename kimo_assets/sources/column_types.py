"""What a source says its columns are: texts, numbers, days. SQLite says nothing that binds it."""

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

Sort = Literal["text", "whole", "number", "flag", "day", "bytes", "unknown"]


@dataclass(frozen=True)
class Kind:
    """length: the most characters a text may have, None for no limit. name: as the database writes
    the type.
    """

    sort: Sort
    name: str = ""
    length: int | None = None


UNKNOWN = Kind("unknown")

# The first that fits: a flag of some dialects is a whole number too.
_BY_TYPE: tuple[tuple[type[Any], Sort], ...] = (
    (types.Boolean, "flag"),
    (types.Integer, "whole"),
    (types.Numeric, "number"),
    (types.DateTime, "day"),
    (types.Date, "day"),
    (types.LargeBinary, "bytes"),
    (types._Binary, "bytes"),
    (types.Uuid, "unknown"),
    (types.Enum, "text"),
    (types.String, "text"),
)
_BY_PYTHON: tuple[tuple[type[Any], Sort], ...] = (
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
# A query's columns as the drivers describe them: PostgreSQL's oids, MySQL's field types.
_BY_CODE: dict[str, dict[Sort, tuple[int, ...]]] = {
    "postgresql": {
        "flag": (16,),
        "whole": (20, 21, 23),
        "number": (700, 701, 1700),
        "day": (1082, 1114, 1184),
        "text": (25, 1042, 1043),
        "bytes": (17,),
    },
    "mysql": {
        "whole": (1, 2, 3, 8, 9),
        "number": (0, 4, 5, 246),
        "day": (7, 10, 12),
        "text": (15, 252, 253, 254),
        "bytes": (16,),
    },
}


def kinds_of(
    engine: Engine, connection: Connection, selection: Selection, mapping: EntityMapping
) -> Mapping[str, Kind]:
    """The kind of each column of the selection, as far as the database binds itself to one."""
    if engine.dialect.name == "sqlite":
        return {}
    if mapping.query:
        return _of_query(connection, selection)
    schema, name = find_table(engine, mapping.table or selection.entity.name)
    return {
        found["name"]: _of_type(found["type"], engine)
        for found in inspect(engine).get_columns(name, schema)
    }


def _of_type(declared: Any, engine: Engine) -> Kind:
    sort = next((sort for kind, sort in _BY_TYPE if isinstance(declared, kind)), None)
    try:
        name = declared.compile(engine.dialect)
    except Exception:  # a type that SQLAlchemy can read and not write
        name = type(declared).__name__
    return Kind(
        sort or "unknown", name, getattr(declared, "length", None) if sort == "text" else None
    )


def _of_query(connection: Connection, selection: Selection) -> dict[str, Kind]:
    result = run_as_is(
        connection, f"SELECT * FROM ({selection.statement}\n) kimo_source WHERE 1 = 0"
    )
    try:
        described = result.cursor.description if result.cursor else ()
        codes = _BY_CODE.get(
            "mysql" if connection.dialect.name == "mariadb" else connection.dialect.name, {}
        )
        return {column[0]: Kind(_sort(column[1], codes)) for column in described or ()}
    finally:
        result.close()


def _sort(code: Any, codes: Mapping[Sort, tuple[int, ...]]) -> Sort:
    if isinstance(code, type):
        return next((sort for python, sort in _BY_PYTHON if issubclass(code, python)), "unknown")
    return next((sort for sort, known in codes.items() if code in known), "unknown")


def unique_keys(engine: Engine, entity: Entity, mapping: EntityMapping) -> list[frozenset[str]]:
    """Sets of columns, in small letters, whose values the source itself keeps unique."""
    if mapping.query:
        return []
    schema, name = find_table(engine, mapping.table or entity.name)
    inspector = inspect(engine)
    keys = [inspector.get_pk_constraint(name, schema).get("constrained_columns") or []]
    # Of several columns only a primary key: a unique constraint lets rows be equal where a part is
    # NULL.
    keys += [found["column_names"] for found in _unique_constraints(inspector, name, schema)]
    return [frozenset(column.casefold() for column in key) for key in keys if key]


def _unique_constraints(inspector: Any, name: str, schema: str | None) -> list[Any]:
    try:
        return [
            found
            for found in inspector.get_unique_constraints(name, schema)
            if len(found["column_names"]) == 1
        ]
    except NotImplementedError:
        return []
