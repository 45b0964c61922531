"""The ERP's tables as its database describes them: where a name leads to, the columns, what they
hold.

What only the system tables tell (character sets, MySQL's storage engines, rights) is asked for
dialect by dialect; where it cannot be asked, nothing is assumed, and the ERP itself refuses what
does not fit.
"""

import codecs
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Dialect, Engine, inspect, text, types
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from kimo_assets.errors import nearest
from kimo_assets.export.columns import BMP, ErpColumn, Sort, Unit
from kimo_assets.sources.connection import address
from kimo_assets.sources.discovery import table_names, view_names
from kimo_assets.sources.selection import schema_and_name


class NoTable(Exception):
    """Why there is no table to write to: one sentence, without an end."""


@dataclass(frozen=True)
class ErpTable:
    """types: as SQLAlchemy knows them, by column; a type that it has no use for is its NullType."""

    schema: str | None
    name: str
    columns: tuple[ErpColumn, ...]
    types: Mapping[str, Any]

    def find(self, wanted: str) -> ErpColumn | None:
        """By its name, ignoring case; by its exact name where several differ in nothing else."""
        alike = [column for column in self.columns if column.name.casefold() == wanted.casefold()]
        exact = [column for column in alike if column.name == wanted]
        return exact[0] if exact else alike[0] if len(alike) == 1 else None


class Reflection:
    """One look at a database: names of tables and what is true of all of it are asked for once."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = "mysql" if engine.dialect.name == "mariadb" else engine.dialect.name
        self._inspector: Inspector = inspect(engine)
        self._names: dict[str | None, list[str]] = {}

    def table(self, wanted: str) -> ErpTable:
        """The table or view of that name. Raises: NoTable."""
        schema, name = self._find(wanted)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # of types that SQLAlchemy does not know
            found = self._inspector.get_columns(name, schema)
            key = self._inspector.get_pk_constraint(name, schema).get("constrained_columns") or []
        known = self._system_tables_say(schema, name)
        if reason := known.pop(_NO_TRANSACTIONS, None):
            raise NoTable(f"table {wanted} {reason.encoding}")
        columns = tuple(self._column(one, found, key, known.get(one["name"])) for one in found)
        kinds = {
            one["name"]: _kept_type(self.dialect, one["type"], column.sort)
            for one, column in zip(found, columns, strict=True)
        }
        return ErpTable(schema, name, columns, kinds)

    def _find(self, wanted: str) -> tuple[str | None, str]:
        schema, name = schema_and_name(wanted)
        if schema not in self._names:
            self._names[schema] = [
                *table_names(self._inspector, schema),
                *view_names(self._inspector, schema),
            ]
        names = self._names[schema]
        alike = sorted(found for found in names if found.casefold() == name.casefold())
        if name in names or len(alike) == 1:
            return schema, name if name in names else alike[0]
        if alike:
            raise NoTable(
                f"{' and '.join(alike)} differ only in capitals: write one of them as it is spelt"
            )
        close = nearest(name, names)
        hint = (
            f". Tables like it: {', '.join(close)}"
            if close
            else f". It has {len(names)} tables and views"
        )
        raise NoTable(f"there is no table or view {wanted} in {address(self.engine)}{hint}")

    def _column(
        self, one: Any, all_columns: Sequence[Any], key: Sequence[str], known: "_Known | None"
    ) -> ErpColumn:
        column = column_of_type(one["name"], one["type"], self.dialect, self.engine.dialect)
        is_rowid = (
            self.dialect == "sqlite" and key == [one["name"]] and column.type.upper() == "INTEGER"
        )
        counts = one.get("autoincrement") is True or "nextval(" in str(one.get("default") or "")
        column = replace(
            column,
            nullable=bool(one["nullable"]),
            has_default=one.get("default") is not None,
            is_filled=bool(
                column.is_filled or one.get("computed") or one.get("identity") or counts or is_rowid
            ),
        )
        if self._database_encoding and column.sort == "text":
            column = self._database_encoding(column)
        return known.applied(column) if known else column

    @cached_property
    def _database_encoding(self) -> Callable[[ErpColumn], ErpColumn] | None:
        """PostgreSQL has one encoding for all that a database holds; without one, its sizes are
        bytes.
        """
        if self.dialect != "postgresql":
            return None
        with self.engine.connect() as connection:
            name = str(connection.exec_driver_sql("SHOW server_encoding").scalar_one())
        if name == "UTF8":
            return None
        if name == "SQL_ASCII":
            return lambda column: replace(column, unit="bytes")
        codec = _codec(name.replace("WIN", "cp") if name.startswith("WIN") else name)
        return (lambda column: replace(column, encoding=codec)) if codec else None

    def _system_tables_say(self, schema: str | None, name: str) -> "dict[str, _Known]":
        with self.engine.connect() as connection:
            if self.dialect == "mysql":
                return _ask_mysql(connection, schema, name)
            with suppress(SQLAlchemyError):
                asked = {"mssql": _ask_mssql, "oracle": _ask_oracle}.get(self.dialect)
                return asked(connection, schema, name) if asked else {}
        return {}


# --- what only system tables tell
# ---------------------------------------------------------------------------

_NO_TRANSACTIONS = ""


@dataclass(frozen=True)
class _Known:
    """Beside what SQLAlchemy reflects; None: nothing more is known."""

    encoding: str | None = None
    length: int | None = None
    unit: Unit | None = None
    is_filled: bool = False

    def applied(self, column: ErpColumn) -> ErpColumn:
        if column.sort != "text":
            return replace(column, is_filled=column.is_filled or self.is_filled)
        return replace(
            column,
            encoding=self.encoding,
            length=self.length or column.length,
            unit=self.unit or column.unit,
            is_filled=column.is_filled or self.is_filled,
        )


_MYSQL_ENGINE = """
    SELECT t.ENGINE, e.TRANSACTIONS FROM information_schema.TABLES AS t
    LEFT JOIN information_schema.ENGINES AS e ON e.ENGINE = t.ENGINE
    WHERE t.TABLE_SCHEMA = coalesce(:schema, database()) AND t.TABLE_NAME = :name
"""
_MYSQL_COLUMNS = """
    SELECT COLUMN_NAME, CHARACTER_SET_NAME, DATA_TYPE, CHARACTER_OCTET_LENGTH, EXTRA
        FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = coalesce(:schema, database()) AND TABLE_NAME = :name
"""
# MySQL's latin1 is Windows' code page.
_MYSQL_CODECS = {"latin1": "cp1252", "utf8": BMP, "utf8mb3": BMP, "ucs2": BMP}
_MYSQL_UNICODE = ("utf8mb4", "utf16", "utf16le", "utf32", "binary")


def _ask_mysql(connection: Connection, schema: str | None, name: str) -> dict[str, _Known]:
    at = {"schema": schema, "name": name}
    known = {}
    for engine, transactions in connection.execute(text(_MYSQL_ENGINE), at):
        if engine is not None and str(transactions).upper() != "YES":
            # An export that breaks off could not take its rows back there.
            known[_NO_TRANSACTIONS] = _Known(
                f"is of the engine {engine}, which has no transactions: ALTER TABLE {name} ENGINE ="
                " InnoDB"
            )
    for column, charset, kind, octets, extra in connection.execute(text(_MYSQL_COLUMNS), at):
        charset = str(charset or "").casefold()
        codec = (
            None
            if not charset or charset in _MYSQL_UNICODE
            else _MYSQL_CODECS.get(charset) or _codec(charset)
        )
        in_bytes = str(kind).casefold().endswith("text")
        is_filled = any(word in str(extra).casefold() for word in ("auto_increment", "generated"))
        # A default that is an expression is DEFAULT_GENERATED there, which is not the column's own.
        is_filled = is_filled and "default_generated" not in str(extra).casefold()
        known[column] = _Known(
            codec,
            int(octets) if in_bytes and octets else None,
            "bytes" if in_bytes else None,
            is_filled,
        )
    return known


_MSSQL_COLUMNS = """
    SELECT COLUMN_NAME, COLLATIONPROPERTY(COLLATION_NAME, 'CodePage')
        FROM {catalog}INFORMATION_SCHEMA.COLUMNS
    WHERE TABLE_SCHEMA = coalesce(:schema, schema_name()) AND TABLE_NAME = :name AND DATA_TYPE IN
        ('char', 'varchar', 'text')
"""


def _ask_mssql(connection: Connection, schema: str | None, name: str) -> dict[str, _Known]:
    catalog, _, owner = (schema or "").rpartition(".")
    statement = _MSSQL_COLUMNS.format(catalog=f"{catalog}." if catalog else "")
    known = {}
    for column, page in connection.execute(
        text(statement), {"schema": owner or None, "name": name}
    ):
        codec = None if page in (None, 0, 65001) else _codec(f"cp{page}")
        known[column] = _Known(codec, unit="bytes")
    return known


_ORACLE_COLUMNS = """
    SELECT column_name, char_used, data_length FROM all_tab_columns
    WHERE owner = coalesce(:schema, sys_context('USERENV', 'CURRENT_SCHEMA')) AND table_name = :name
        AND char_used = 'B'
"""


def _ask_oracle(connection: Connection, schema: str | None, name: str) -> dict[str, _Known]:
    denormalize = connection.dialect.denormalize_name
    at = {"schema": denormalize(schema) if schema else None, "name": denormalize(name)}
    rows = connection.execute(text(_ORACLE_COLUMNS), at)
    normalize = connection.dialect.normalize_name
    return {normalize(column): _Known(None, int(length), "bytes") for column, _, length in rows}


def _codec(name: str) -> str | None:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


# --- types
# --------------------------------------------------------------------------------------------------

_WHOLE_BITS: tuple[tuple[type[Any], int], ...] = (
    (mysql.TINYINT, 8),
    (mysql.MEDIUMINT, 24),
    (types.SmallInteger, 16),
    (types.BigInteger, 64),
)


def column_of_type(
    name: str, kind: Any, dialect: str, compiling: Dialect, **more: Any
) -> ErpColumn:
    """What the type alone says of a column. more: what is known beside it."""
    return replace(_of_type(name, kind, dialect, compiling), **more)


def _of_type(name: str, kind: Any, dialect: str, compiling: Dialect) -> ErpColumn:
    try:
        written = str(kind.compile(compiling))
    except Exception:  # a type that SQLAlchemy can read and not write
        written = type(kind).__name__
    untyped = isinstance(kind, types.NullType)
    column = ErpColumn(
        name, "any", "a column without a type" if untyped else written, dialect=dialect
    )
    match kind:
        case types.Boolean():
            return replace(column, sort="flag")
        case mssql.MONEY() | mssql.SMALLMONEY():
            return replace(
                column,
                sort="number",
                precision=10 if isinstance(kind, mssql.SMALLMONEY) else 19,
                scale=4,
            )
        case types.Float():
            single = isinstance(kind, (mysql.FLOAT, types.REAL)) and dialect not in (
                "sqlite",
                "oracle",
            )
            return replace(
                column, sort="float", precision=24 if single or _is_single(kind, dialect) else 53
            )
        case types.Numeric():
            precision, scale = _limits(kind, dialect)
            return replace(column, sort="number", precision=precision, scale=scale)
        case types.Integer():
            low, high = _range(kind, dialect)
            return replace(column, sort="whole", low=low, high=high)
        case mysql.BIT():
            return replace(column, sort="whole", low=0, high=2 ** int(kind.length or 1) - 1)
        case types.DateTime():
            return _moment_column(column, kind, dialect)
        case types.Date():
            return replace(
                column,
                sort="day",
                low=datetime(1000, 1, 1) if dialect == "mysql" else None,
                high=datetime.max,
            )
        case mssql.TIMESTAMP():  # a row's version
            return replace(column, is_filled=True)
        case mssql.XML() | types.Enum() | mysql.SET():
            return column
        case types.String():
            unit = _unit(kind, dialect)
            return replace(column, sort="text", length=kind.length, unit=unit)
    return column


def _is_single(kind: types.Float[Any], dialect: str) -> bool:
    """FLOAT(24) and less take four bytes, apart from Oracle's."""
    return (
        dialect in ("postgresql", "mssql") and kind.precision is not None and kind.precision <= 24
    )


def _limits(kind: Any, dialect: str) -> tuple[int | None, int | None]:
    precision, scale = kind.precision, kind.scale
    if precision is None:
        return None, scale if dialect == "oracle" else None
    return int(precision), int(scale or 0)


def _range(kind: Any, dialect: str) -> tuple[int, int]:
    if isinstance(kind, mssql.TINYINT):
        return 0, 255
    if dialect == "oracle":
        return -(10**38) + 1, 10**38 - 1
    # SQLite's INTEGER is as long as it needs to be.
    default = 64 if dialect == "sqlite" else 32
    bits = next((bits for found, bits in _WHOLE_BITS if isinstance(kind, found)), default)
    if getattr(kind, "unsigned", False):
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def _moment_column(column: ErpColumn, kind: Any, dialect: str) -> ErpColumn:
    column = replace(column, sort="moment")
    match kind:
        case mssql.SMALLDATETIME():
            return replace(
                column, low=datetime(1900, 1, 1), high=datetime(2079, 6, 6, 23, 59), digits=0
            )
        case mssql.DATETIME2() | mssql.DATETIMEOFFSET():
            return replace(column, digits=_given(kind.precision, 6))
        case _ if dialect == "mssql":
            return replace(column, low=datetime(1753, 1, 1), high=datetime.max, digits=3)
        case mysql.TIMESTAMP():
            low, high = datetime(1970, 1, 2), datetime(2038, 1, 18)
            return replace(column, low=low, high=high, digits=_given(kind.fsp, 0))
        case mysql.DATETIME():
            return replace(
                column, low=datetime(1000, 1, 1), high=datetime.max, digits=_given(kind.fsp, 0)
            )
        case postgresql.TIMESTAMP():
            return replace(column, digits=_given(kind.precision, 6))
        case oracle.DATE():
            return replace(column, digits=0)
    return column


def _given(digits: int | None, default: int) -> int:
    return min(default if digits is None else int(digits), 6)


def _unit(kind: Any, dialect: str) -> Unit:
    if dialect == "mssql":
        return (
            "utf16"
            if isinstance(kind, (types.Unicode, types.UnicodeText, types.NVARCHAR, types.NCHAR))
            else "bytes"
        )
    return "characters"


def _kept_type(dialect: str, kind: Any, sort: Sort) -> Any:
    """The column's type as far as the driver needs to be told: values are the driver's own
    already.
    """
    return types.NullType() if dialect == "sqlite" or sort == "any" else kind
