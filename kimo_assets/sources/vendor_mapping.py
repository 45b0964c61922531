"""Reading the vendor's tables of mappings (fact sheet, section 7), row by row, as text.

The tables are IntegratorMapping, IntegratorImportFilter and IntegratorSystemSetting. Names of
tables and columns match ignoring case and underscores. Each table, and each column but the first,
may be missing. What the rows mean is for kimo_assets.setup.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Engine, MetaData, Table, select

from kimo_assets.errors import PermanentSourceError, nearest
from kimo_assets.sources.connection import address, source_errors
from kimo_assets.sources.discovery import Offered, other_schemas, tables_of
from kimo_assets.texts import say

MAPPING, FILTER, SETTING = "IntegratorMapping", "IntegratorImportFilter", "IntegratorSystemSetting"

# Our name of a column -> its possible names there. The manual does not name the columns of
# IntegratorSystemSetting, so many are tried.
_COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    MAPPING: {
        "entity": ("KimoEntity",),
        "field": ("KimoField",),
        "import_name": ("ErpImportName",),
        "export_name": ("ErpExportName",),
        "system": ("SystemId",),
        "import_steps": ("ImportTransformations", "ImportTransformation"),
        "export_steps": ("ExportTransformations", "ExportTransformation"),
    },
    FILTER: {
        "entity": ("KimoEntity",),
        "where": ("AdditionalFilter",),
        "query": ("CustomQuery",),
        "system": ("SystemId",),
    },
    SETTING: {
        "key": ("Key", "SettingKey", "SettingName", "SettingId", "Name", "Id"),
        "value": ("Value", "SettingValue"),
        "section": ("Section", "SettingSection", "Category", "SettingGroup"),
        "system": ("SystemId",),
    },
}
_REQUIRED = {MAPPING: ("entity",), FILTER: ("entity",), SETTING: ("key", "value")}

VendorRow = Mapping[str, str | None]
"""A row by our names of its columns. Texts are trimmed, and an empty text is None."""


@dataclass(frozen=True)
class VendorTables:
    """The rows of the three tables, and the address of their database.

    extra: table -> columns that are unknown here, so they are not read. missing: tables not there.
    """

    address: str
    mapping: Sequence[VendorRow] = ()
    filters: Sequence[VendorRow] = ()
    settings: Sequence[VendorRow] = ()
    missing: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_vendor_tables(engine: Engine, source: str = "integrator") -> VendorTables:
    """The vendor's tables. Raises: SourceError, also when neither mapping nor filters are there."""
    tables = _find(engine, source)
    if MAPPING not in tables and FILTER not in tables:
        raise PermanentSourceError(_no_tables(engine, source))
    rows: dict[str, list[VendorRow]] = {}
    extra: dict[str, tuple[str, ...]] = {}
    for name, offered in tables.items():
        with source_errors(source, engine):
            rows[name], extra[name] = _read(engine, name, offered)
    return VendorTables(
        address(engine),
        rows.get(MAPPING, ()),
        rows.get(FILTER, ()),
        rows.get(SETTING, ()),
        tuple(name for name in _COLUMNS if name not in tables),
        {name: columns for name, columns in extra.items() if columns},
    )


def _find(engine: Engine, source: str) -> dict[str, Offered]:
    """The tables by the vendor's names, of the default schema or else of the first with any."""
    tables = _among(tables_of(engine, source))
    if tables:
        return tables
    for schema in other_schemas(engine, source):
        # The vendor's tables stand together, so the first schema with any has all.
        tables = _among(tables_of(engine, source, schema))
        if tables:
            return tables
    return {}


def _among(tables: Sequence[Offered]) -> dict[str, Offered]:
    by_fold = {_fold(offered.name): offered for offered in tables}
    return {name: by_fold[_fold(name)] for name in _COLUMNS if _fold(name) in by_fold}


def _fold(name: str) -> str:
    return name.replace("_", "").casefold()


def _no_tables(engine: Engine, source: str) -> str:
    names = [offered.name for offered in tables_of(engine, source)]
    # The nearest names show a typing mistake, any names show a wrong database.
    shown = nearest(MAPPING, names) or names[:20]
    key = "sources.no_vendor_tables" if shown else "sources.no_vendor_tables_in_empty"
    return say(
        key, address=address(engine), mapping=MAPPING, filter=FILTER, tables=", ".join(shown)
    )


def _read(engine: Engine, name: str, offered: Offered) -> tuple[list[VendorRow], tuple[str, ...]]:
    """The rows of a table, and its columns that are unknown here."""
    table = Table(
        offered.name, MetaData(), schema=offered.schema, autoload_with=engine, resolve_fks=False
    )
    chosen = _chosen_columns(name, table)
    if missing := [key for key in _REQUIRED[name] if key not in chosen]:
        raise PermanentSourceError(
            say(
                "sources.no_vendor_column",
                table=offered.written,
                address=address(engine),
                columns=say("sources.and").join(_COLUMNS[name][key][0] for key in missing),
                available=", ".join(column.name for column in table.columns),
            )
        )
    with engine.connect() as connection:
        fetched = connection.execute(select(*chosen.values())).fetchall()
    rows: list[VendorRow] = [dict(zip(chosen, map(_text, row), strict=True)) for row in fetched]
    # Every table of the vendor's has an Id, which means nothing.
    read = {column.name for column in chosen.values()} | {"Id"}
    extra = tuple(column.name for column in table.columns if column.name not in read)
    return rows, extra


def _chosen_columns(name: str, table: Table) -> dict[str, Column[Any]]:
    """Our name of a column -> the first column of the table with one of its possible names."""
    by_fold = {_fold(column.name): column for column in table.columns}
    chosen: dict[str, Column[Any]] = {}
    for key, names in _COLUMNS[name].items():
        columns = [by_fold[_fold(name)] for name in names if _fold(name) in by_fold]
        if columns:
            chosen[key] = columns[0]
    return chosen


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).strip() or None
