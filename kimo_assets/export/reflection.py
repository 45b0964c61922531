"""The ERP's tables as its database describes them: their names, their columns, what these hold.

What only the system tables tell (character sets, MySQL's storage engines, rights) is asked for
dialect by dialect. Where it cannot be asked nothing is assumed: the ERP itself then refuses what
does not fit.
"""

import codecs
import re
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
from kimo_assets.export.columns import BMP, ColumnType, ErpColumn, Unit
from kimo_assets.sources.connection import address
from kimo_assets.sources.discovery import table_names, view_names
from kimo_assets.sources.selection import schema_and_name
from kimo_assets.texts import say


class NoTargetError(Exception):
    """Why there is no table to write to, in one sentence without a full stop."""


@dataclass(frozen=True)
class ErpTable:
    """types: SQLAlchemy's, by column. NullType: one that SQLAlchemy does not know."""

    schema: str | None
    name: str
    columns: tuple[ErpColumn, ...]
    types: Mapping[str, Any]

    def find(self, name: str) -> ErpColumn | None:
        """By its name, ignoring case. By its exact name where several differ in nothing else."""
        alike = [column for column in self.columns if column.name.casefold() == name.casefold()]
        for column in alike:
            if column.name == name:
                return column
        return alike[0] if len(alike) == 1 else None


class Reflection:
    """Reads a database's catalogue. What holds for the whole database is asked for once."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = "mysql" if engine.dialect.name == "mariadb" else engine.dialect.name
        self._inspector: Inspector = inspect(engine)
        self._names: dict[str | None, list[str]] = {}

    def table(self, full_name: str) -> ErpTable:
        """The table or view of that name, with its schema or without.

        Raises: NoTargetError.
        """
        schema, name = self._find(full_name)
        with warnings.catch_warnings():
            # Of types that SQLAlchemy does not know.
            warnings.simplefilter("ignore", SAWarning)
            reflected = self._inspector.get_columns(name, schema)
            key = self._inspector.get_pk_constraint(name, schema).get("constrained_columns") or []
        details = self._ask_system_tables(schema, name, full_name)
        columns = []
        types_by_name = {}
        for description in reflected:
            column = self._column(description, key)
            if column.name in details:
                column = details[column.name].applied(column)
            columns.append(column)
            types_by_name[column.name] = _kept_type(self.dialect, description["type"], column.kind)
        return ErpTable(schema, name, tuple(columns), types_by_name)

    def _find(self, full_name: str) -> tuple[str | None, str]:
        """Schema and name as the database spells them. Raises: NoTargetError."""
        schema, name = schema_and_name(full_name)
        names = self._names_in(schema)
        if name in names:
            return schema, name
        alike = sorted(other for other in names if other.casefold() == name.casefold())
        if len(alike) == 1:
            return schema, alike[0]
        if alike:
            raise NoTargetError(
                say("export.target.only_case_differs", names=say("export.and").join(alike))
            )
        values: dict[str, Any] = {"table": full_name, "database": address(self.engine)}
        close = nearest(name, names)
        if close:
            sentence = say("export.target.no_table_but", names=", ".join(close), **values)
        else:
            sentence = say("export.target.no_table", count=len(names), **values)
        raise NoTargetError(sentence)

    def _names_in(self, schema: str | None) -> list[str]:
        if schema not in self._names:
            tables = table_names(self._inspector, schema)
            self._names[schema] = [*tables, *view_names(self._inspector, schema)]
        return self._names[schema]

    def _column(self, description: Any, key: Sequence[str]) -> ErpColumn:
        """A column as SQLAlchemy reflects it. key: the columns of the table's primary key."""
        name = description["name"]
        column = column_of_type(name, description["type"], self.dialect, self.engine.dialect)
        column = replace(
            column,
            nullable=bool(description["nullable"]),
            has_default=description.get("default") is not None,
            is_filled=column.is_filled or self._is_filled(description, column, key),
        )
        if self._database_encoding and column.kind == "text":
            column = self._database_encoding(column)
        return column

    def _is_filled(self, description: Any, column: ErpColumn, key: Sequence[str]) -> bool:
        if description.get("computed") or description.get("identity"):
            return True
        default = str(description.get("default") or "")
        # PostgreSQL keeps a serial column as a default that calls nextval.
        if description.get("autoincrement") is True or "nextval(" in default:
            return True
        # SQLite numbers the rows in a column that is declared exactly so.
        is_key = key == [column.name]
        return self.dialect == "sqlite" and is_key and column.type.upper() == "INTEGER"

    @cached_property
    def _database_encoding(self) -> Callable[[ErpColumn], ErpColumn] | None:
        """PostgreSQL has one encoding for a whole database. None: it is Unicode, or not known."""
        if self.dialect != "postgresql":
            return None
        with self.engine.connect() as connection:
            name = str(connection.exec_driver_sql("SHOW server_encoding").scalar_one())
        if name == "UTF8":
            return None
        if name == "SQL_ASCII":
            # Without an encoding, sizes are bytes.
            return lambda column: replace(column, unit="bytes")
        # WIN1252 is Python's cp1252.
        codec = _codec(re.sub("^WIN", "cp", name))
        if codec is None:
            return None
        return lambda column: replace(column, encoding=codec)

    def _ask_system_tables(
        self, schema: str | None, name: str, full_name: str
    ) -> "dict[str, _Details]":
        """By column. Raises: NoTargetError for a table that has no transactions."""
        with self.engine.connect() as connection:
            if self.dialect == "mysql":
                _require_transactions(connection, schema, name, full_name)
                return _ask_mysql(connection, schema, name)
            ask = {"mssql": _ask_mssql, "oracle": _ask_oracle}.get(self.dialect)
            # A user who may not read the system tables may still write the table.
            with suppress(SQLAlchemyError):
                return ask(connection, schema, name) if ask else {}
        return {}


# --- what only system tables tell
# ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Details:
    """Of a column, beside what SQLAlchemy reflects. None: nothing more is known."""

    encoding: str | None = None
    length: int | None = None
    unit: Unit | None = None
    is_filled: bool = False

    def applied(self, column: ErpColumn) -> ErpColumn:
        column = replace(column, is_filled=column.is_filled or self.is_filled)
        if column.kind != "text":
            return column
        return replace(
            column,
            encoding=self.encoding,
            length=self.length or column.length,
            unit=self.unit or column.unit,
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


def _require_transactions(
    connection: Connection, schema: str | None, name: str, full_name: str
) -> None:
    """An export that breaks off could not take its rows back without them."""
    parameters = {"schema": schema, "name": name}
    for engine, transactions in connection.execute(text(_MYSQL_ENGINE), parameters):
        # Views have no engine.
        if engine is not None and str(transactions).upper() != "YES":
            raise NoTargetError(
                say("export.target.no_transactions", table=full_name, engine=engine, name=name)
            )


def _ask_mysql(connection: Connection, schema: str | None, name: str) -> dict[str, _Details]:
    parameters = {"schema": schema, "name": name}
    details = {}
    for row in connection.execute(text(_MYSQL_COLUMNS), parameters):
        column, charset, data_type, octets, extra = row
        encoding = _mysql_codec(str(charset or "").casefold())
        is_filled = _is_filled_by_mysql(str(extra).casefold())
        # The sizes of TEXT and its kin are bytes.
        if octets and str(data_type).casefold().endswith("text"):
            details[column] = _Details(encoding, int(octets), "bytes", is_filled)
        else:
            details[column] = _Details(encoding, is_filled=is_filled)
    return details


def _mysql_codec(charset: str) -> str | None:
    if not charset or charset in _MYSQL_UNICODE:
        return None
    return _MYSQL_CODECS.get(charset) or _codec(charset)


def _is_filled_by_mysql(extra: str) -> bool:
    # A default that is an expression is called DEFAULT_GENERATED. It may be written over.
    if "default_generated" in extra:
        return False
    return "auto_increment" in extra or "generated" in extra


_MSSQL_COLUMNS = """
    SELECT COLUMN_NAME, COLLATIONPROPERTY(COLLATION_NAME, 'CodePage')
    FROM {catalog}INFORMATION_SCHEMA.COLUMNS
    WHERE TABLE_SCHEMA = coalesce(:schema, schema_name()) AND TABLE_NAME = :name
      AND DATA_TYPE IN ('char', 'varchar', 'text')
"""


# The code page of UTF-8; and what SQL Server says where there is none.
_MSSQL_UNICODE = (None, 0, 65001)


def _ask_mssql(connection: Connection, schema: str | None, name: str) -> dict[str, _Details]:
    # A schema may be written with its database: sales.dbo.
    catalog, _, owner = (schema or "").rpartition(".")
    statement = _MSSQL_COLUMNS.format(catalog=f"{catalog}." if catalog else "")
    parameters = {"schema": owner or None, "name": name}
    details = {}
    for column, page in connection.execute(text(statement), parameters):
        codec = None if page in _MSSQL_UNICODE else _codec(f"cp{page}")
        details[column] = _Details(codec, unit="bytes")
    return details


_ORACLE_COLUMNS = """
    SELECT column_name, char_used, data_length FROM all_tab_columns
    WHERE owner = coalesce(:schema, sys_context('USERENV', 'CURRENT_SCHEMA'))
      AND table_name = :name AND char_used = 'B'
"""


def _ask_oracle(connection: Connection, schema: str | None, name: str) -> dict[str, _Details]:
    # Oracle has unquoted names in capitals, SQLAlchemy in small letters.
    to_oracle, from_oracle = connection.dialect.denormalize_name, connection.dialect.normalize_name
    parameters = {"schema": to_oracle(schema) if schema else None, "name": to_oracle(name)}
    details = {}
    for column, _, length in connection.execute(text(_ORACLE_COLUMNS), parameters):
        details[from_oracle(column)] = _Details(None, int(length), "bytes")
    return details


def _codec(name: str) -> str | None:
    """Python's name of an encoding. None: it has none, so nothing is checked."""
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
    name: str, sql_type: Any, dialect: str, compiling: Dialect, **more: Any
) -> ErpColumn:
    """What the type alone says of a column. more: what is known beside it."""
    column = ErpColumn(name, "any", _as_written(sql_type, compiling), dialect=dialect)
    return replace(_of_type(column, sql_type, dialect), **more)


def _as_written(sql_type: Any, compiling: Dialect) -> str:
    if isinstance(sql_type, types.NullType):
        return say("export.column.without_type")
    try:
        return str(sql_type.compile(compiling))
    except Exception:
        # SQLAlchemy reads some types that it cannot write, and a third-party dialect may raise
        # anything for them. The text is only shown: what fits is decided by the type itself.
        return type(sql_type).__name__


_NUMBERS = (types.Numeric, types.Float, types.Integer, mssql.MONEY, mssql.SMALLMONEY, mysql.BIT)


def _of_type(column: ErpColumn, sql_type: Any, dialect: str) -> ErpColumn:
    if isinstance(sql_type, _NUMBERS):
        return _number_column(column, sql_type, dialect)
    match sql_type:
        case types.Boolean():
            return replace(column, kind="flag")
        case types.DateTime():
            return _moment_column(column, sql_type, dialect)
        case types.Date():
            # MySQL may store an earlier day, but does not promise that it works.
            first_day = datetime(1000, 1, 1) if dialect == "mysql" else None
            return replace(column, kind="day", low=first_day, high=datetime.max)
        case mssql.TIMESTAMP():
            # A row's version, which SQL Server counts.
            return replace(column, is_filled=True)
        case mssql.XML() | types.Enum() | mysql.SET():
            # Their values are checked by the database alone.
            return column
        case types.String():
            unit = _unit(sql_type, dialect)
            return replace(column, kind="text", length=sql_type.length, unit=unit)
    return column


def _number_column(column: ErpColumn, sql_type: Any, dialect: str) -> ErpColumn:
    """The range of a number, and how many digits the type keeps."""
    match sql_type:
        case mssql.SMALLMONEY():
            return replace(column, kind="number", precision=10, scale=4)
        case mssql.MONEY():
            return replace(column, kind="number", precision=19, scale=4)
        case types.Float():
            bits = _SINGLE if _is_single(sql_type, dialect) else _DOUBLE
            return replace(column, kind="float", precision=bits)
        case types.Numeric():
            precision, scale = _limits(sql_type, dialect)
            return replace(column, kind="number", precision=precision, scale=scale)
        case mysql.BIT():
            return replace(column, kind="whole", low=0, high=2 ** int(sql_type.length or 1) - 1)
    low, high = _range(sql_type, dialect)
    return replace(column, kind="whole", low=low, high=high)


# Bits of a binary number's mantissa.
_SINGLE, _DOUBLE = 24, 53


def _is_single(sql_type: types.Float[Any], dialect: str) -> bool:
    """Whether a number takes four bytes: REAL, MySQL's FLOAT, and FLOAT(24) or less."""
    if isinstance(sql_type, (mysql.FLOAT, types.REAL)):
        # SQLite and Oracle keep eight bytes whatever the name says.
        return dialect not in ("sqlite", "oracle")
    has_bits = dialect in ("postgresql", "mssql") and sql_type.precision is not None
    return has_bits and (sql_type.precision or 0) <= _SINGLE


def _limits(sql_type: Any, dialect: str) -> tuple[int | None, int | None]:
    """Precision and scale of a decimal number."""
    if sql_type.precision is None:
        # NUMBER(*, 2) is Oracle's.
        return None, sql_type.scale if dialect == "oracle" else None
    return int(sql_type.precision), int(sql_type.scale or 0)


def _range(sql_type: Any, dialect: str) -> tuple[int, int]:
    """The lowest and the highest whole number."""
    if isinstance(sql_type, mssql.TINYINT):
        return 0, 255
    if dialect == "oracle":
        # INTEGER is NUMBER(38) there.
        return -(10**38) + 1, 10**38 - 1
    # SQLite's INTEGER is as long as it needs to be.
    default = 64 if dialect == "sqlite" else 32
    bits = next((bits for of_type, bits in _WHOLE_BITS if isinstance(sql_type, of_type)), default)
    if getattr(sql_type, "unsigned", False):
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def _moment_column(column: ErpColumn, sql_type: Any, dialect: str) -> ErpColumn:
    """The range of a moment, and how many digits of a second's fraction the type keeps."""
    column = replace(column, kind="moment")
    match sql_type:
        case mssql.SMALLDATETIME():
            low, high = datetime(1900, 1, 1), datetime(2079, 6, 6, 23, 59)
            return replace(column, low=low, high=high, digits=0)
        case mssql.DATETIME2() | mssql.DATETIMEOFFSET():
            return replace(column, digits=_digits(sql_type.precision, 6))
        # DATETIME keeps steps of 1/300 of a second, and no day before 1753.
        case _ if dialect == "mssql":
            return replace(column, low=datetime(1753, 1, 1), high=datetime.max, digits=3)
        case mysql.TIMESTAMP():
            # A day within its range at both ends, because it is stored in UTC.
            low, high = datetime(1970, 1, 2), datetime(2038, 1, 18)
            return replace(column, low=low, high=high, digits=_digits(sql_type.fsp, 0))
        case mysql.DATETIME():
            low, high = datetime(1000, 1, 1), datetime.max
            return replace(column, low=low, high=high, digits=_digits(sql_type.fsp, 0))
        case postgresql.TIMESTAMP():
            return replace(column, digits=_digits(sql_type.precision, 6))
        case oracle.DATE():
            return replace(column, digits=0)
    return column


def _digits(declared: int | None, default: int) -> int:
    """Python's moments have microseconds, so never more than 6."""
    return min(default if declared is None else int(declared), 6)


_NATIONAL = (types.Unicode, types.UnicodeText, types.NVARCHAR, types.NCHAR)


def _unit(sql_type: Any, dialect: str) -> Unit:
    """SQL Server counts bytes in VARCHAR, and units of UTF-16 in NVARCHAR."""
    if dialect != "mssql":
        return "characters"
    return "utf16" if isinstance(sql_type, _NATIONAL) else "bytes"


def _kept_type(dialect: str, sql_type: Any, kind: ColumnType) -> Any:
    """The type as far as the driver needs it. Values are the driver's own already."""
    return types.NullType() if dialect == "sqlite" or kind == "any" else sql_type
