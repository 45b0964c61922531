"""Reading the tables in which the vendor's machine keeps its mapping (fact sheet, section 7), as
text, row by row.

IntegratorMapping, IntegratorImportFilter, IntegratorSystemSetting: names of tables and columns
match ignoring case and underscores; each table, and each column but the first, may be missing. What
the rows mean is for kimo_assets.setup.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, MetaData, Table, select

from kimo_assets.errors import PermanentSourceError, nearest
from kimo_assets.sources.connection import address, source_errors
from kimo_assets.sources.discovery import Offered, other_schemas, tables_of

MAPPING, FILTER, SETTING = "IntegratorMapping", "IntegratorImportFilter", "IntegratorSystemSetting"

# Column by column: the names it goes by. The manual names no columns of IntegratorSystemSetting.
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
_NEEDED = {MAPPING: ("entity",), FILTER: ("entity",), SETTING: ("key", "value")}

VendorRow = Mapping[str, str | None]
"""A row by our names for its columns; blanks around a text are cut off, and what is left empty is None."""


@dataclass(frozen=True)
class VendorTables:
    """What is there. extra: table -> columns that are not known, whose values are not read.
    missing: tables not there.
    """

    place: str
    mapping: Sequence[VendorRow] = ()
    filters: Sequence[VendorRow] = ()
    settings: Sequence[VendorRow] = ()
    missing: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_vendor_tables(engine: Engine, source: str = "integrator") -> VendorTables:
    """Raises: SourceError; also when neither mapping nor filters are there, with the tables that
    are.
    """
    found = _find(engine, source)
    if MAPPING not in found and FILTER not in found:
        raise PermanentSourceError(_nothing(engine, source))
    rows: dict[str, list[VendorRow]] = {}
    extra: dict[str, tuple[str, ...]] = {}
    for name, offered in found.items():
        with source_errors(source, engine):
            rows[name], extra[name] = _read(engine, name, offered)
    return VendorTables(
        address(engine),
        rows.get(MAPPING, ()),
        rows.get(FILTER, ()),
        rows.get(SETTING, ()),
        tuple(name for name in _COLUMNS if name not in found),
        {name: columns for name, columns in extra.items() if columns},
    )


def _find(engine: Engine, source: str) -> dict[str, Offered]:
    """The tables by the vendor's names, in the default schema or else in the first that has any."""
    found = _among(tables_of(engine, source))
    for schema in () if found else other_schemas(engine, source):
        found = found or _among(tables_of(engine, source, schema))
    return found


def _among(tables: Sequence[Offered]) -> dict[str, Offered]:
    by_fold = {_fold(offered.name): offered for offered in tables}
    return {name: by_fold[_fold(name)] for name in _COLUMNS if _fold(name) in by_fold}


def _fold(name: str) -> str:
    return name.replace("_", "").casefold()


def _nothing(engine: Engine, source: str) -> str:
    names = [offered.name for offered in tables_of(engine, source)]
    close = nearest(MAPPING, names) or names[:20]
    has = f"It has: {', '.join(close)}." if close else "It has no tables."
    return (
        f"{address(engine)} has neither {MAPPING} nor {FILTER}: is it the vendor's KimoIntegrator"
        f" database? {has} For an integration database whose tables carry Kimo's names, `kimo init`"
        " writes the mapping."
    )


def _read(engine: Engine, name: str, offered: Offered) -> tuple[list[VendorRow], tuple[str, ...]]:
    table = Table(
        offered.name, MetaData(), schema=offered.schema, autoload_with=engine, resolve_fks=False
    )
    by_fold = {_fold(column.name): column for column in table.columns}
    chosen = {}
    for ours, known in _COLUMNS[name].items():
        column = next((by_fold[_fold(one)] for one in known if _fold(one) in by_fold), None)
        if column is not None:
            chosen[ours] = column
    if lacking := [ours for ours in _NEEDED[name] if ours not in chosen]:
        expected = " and ".join(_COLUMNS[name][ours][0] for ours in lacking)
        raise PermanentSourceError(
            f"table {offered.written} in {address(engine)} has no column {expected}. It has: "
            f"{', '.join(column.name for column in table.columns)}."
        )
    with engine.connect() as connection:
        fetched = connection.execute(select(*chosen.values())).fetchall()
    taken = {column.name for column in chosen.values()} | {"Id"}
    extra = tuple(column.name for column in table.columns if column.name not in taken)
    return [
        {ours: _text(value) for ours, value in zip(chosen, row, strict=True)} for row in fetched
    ], extra


def _text(value: Any) -> str | None:
    return None if value is None else str(value).strip() or None
