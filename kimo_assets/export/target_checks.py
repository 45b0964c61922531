"""What is to be said of the ERP's tables before anything is sent: for `kimo check`. Looks only,
writes nothing.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Engine, Table, text
from sqlalchemy.exc import SQLAlchemyError

from kimo_assets.catalog import Entity, Field, load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.config.models import ExportMapping
from kimo_assets.export.columns import ErpColumn, writer
from kimo_assets.export.formats import Formats, Refused
from kimo_assets.export.targets import ColumnWriter, Target, exported, find_targets
from kimo_assets.reports import Finding

_DAY, _MOMENT = date(2026, 12, 31), datetime(2026, 12, 31, 23, 59, 59)


def look(engine: Engine, config: KimoConfig) -> Iterator[Finding]:
    """Entity by entity, in the order in which they are sent. Raises: SourceError."""
    targets, reasons = find_targets(engine, config)
    for name, mapping in exported(config.export).items():
        if name in targets:
            yield from _of_target(engine, config, targets[name], mapping)
        elif name in config.export.entities:
            yield Finding(
                "error", name, f"{reasons[name]}. Nothing of it is sent", {"rule": "no_table"}
            )
        else:
            said = f"{reasons[name]}. It is not listed, so its rows stay here"
            yield Finding(
                "warning",
                name,
                f"{said}: add export.entities.{name} with its table",
                {"rule": "no_table_of_part"},
            )


def _of_target(
    engine: Engine, config: KimoConfig, target: Target, mapping: ExportMapping
) -> Iterator[Finding]:
    entity = load_catalog()[target.entity]
    yield _in_words(target, entity)
    yield from _unfilled(target)
    yield from _unwritable(target, entity, mapping, config)
    yield from _narrow(target, entity, mapping)
    for note in target.notes:
        yield Finding("warning", target.entity, note, {"rule": "null_value"})
    if target.sync_column is None and entity.is_sent_to_erp:
        message = (
            "no column takes SyncReference: the ERP has nothing to answer by, nor can be looked up"
            " there what arrived"
        )
        yield Finding("warning", target.entity, message, {"rule": "no_sync_reference"})
    answers = load_catalog().answers.get(target.entity)
    if answers and answers not in config.entities:
        message = (
            f"{answers} is not mapped: the ERP's answers never arrive, so new records keep Kimo's"
            " Ids. Map it"
        )
        yield Finding("warning", target.entity, message, {"rule": "no_answers"})
    if _may_insert(engine, target.table) is False:
        message = f"this user may not insert into {target.table.fullname}: have the ERP grant it"
        yield Finding("error", target.entity, message, {"rule": "no_right"})


def _in_words(target: Target, entity: Entity) -> Finding:
    parts = [
        f"table {target.table.fullname}",
        f"{len(target.columns)} of {len(entity.fields)} fields have a column",
    ]
    if coarse := _coarse(target, entity):
        parts.append(f"less exact there: {', '.join(coarse)}")
    about = {
        "table": target.table.fullname,
        "columns": {maker.field: maker.column for maker in target.makers},
        "fields_without_column": list(target.ignored),
    }
    return Finding("ok", target.entity, "; ".join(parts), about)


def _coarse(target: Target, entity: Entity) -> list[str]:
    """Moments of which the column's type keeps less than a second's fraction."""
    pairs = ((entity.fields[maker.field], column) for maker, column in _both(target))
    moments = [column for source, column in pairs if source.type == "dt"]
    return [
        f"{one.name} ({one.type})"
        for one in moments
        if one.sort == "day" or (one.sort == "moment" and one.digits < 6)
    ]


def _both(target: Target) -> Iterator[Any]:
    return zip(target.makers, target.columns, strict=True)


def _unfilled(target: Target) -> Iterator[Finding]:
    if target.unfilled:
        message = (
            f"{', '.join(target.unfilled)} must have a value, and no field fills it: every row"
            " would be refused. Map a field or a constant to it, or have the ERP give it a default"
        )
        yield Finding(
            "error",
            target.entity,
            message,
            {"rule": "not_filled", "columns": list(target.unfilled)},
        )


def _unwritable(
    target: Target, entity: Entity, mapping: ExportMapping, config: KimoConfig
) -> Iterator[Finding]:
    """Fields of which the column can hold no value, or not every one."""
    formats = Formats.of(config)
    for maker, column in _both(target):
        if maker.field in mapping.transform:
            yield from _unwritable_constant(target, maker, mapping)
            continue
        try:
            for value in _samples(entity.fields[maker.field]):
                writer(column, formats)(value)
        except Refused as error:
            example, remedy = formats.as_text(value), _remedy(entity.fields[maker.field])
            message = (
                f"{column.name} cannot take {maker.field}, e.g. '{example}': {error.fits}. {remedy}"
            )
            yield Finding(
                "error",
                target.entity,
                message,
                {"rule": "wrong_type", "column": column.name, "field": maker.field},
            )


def _unwritable_constant(
    target: Target, maker: ColumnWriter, mapping: ExportMapping
) -> Iterator[Finding]:
    if mapping.transform[maker.field].columns(maker.field):
        return
    try:
        maker.make(())
    except Refused as error:
        message = f"{maker.column} cannot take the constant of {maker.field}: {error.fits}"
        yield Finding(
            "error",
            target.entity,
            message,
            {"rule": "wrong_type", "column": maker.column, "field": maker.field},
        )


def _samples(source: Field) -> Sequence[Any]:
    match source.type:
        case "bool":
            return (True, False)
        case "date":
            return (_DAY,)
        case "dt":
            return (_MOMENT,)
        case "int":
            return (1,)
        case "enum":
            return tuple(int(code) for code in source.codes)
    return ()


def _remedy(source: Field) -> str:
    match source.type:
        case "bool":
            return "export.formats.boolean: zero_one writes 1 and 0"
        case "date" | "dt":
            return (
                f"export.formats.{'date' if source.type == 'date' else 'datetime'} says how it is"
                " written"
            )
    return "Map it to another column, or transform it"


def _narrow(target: Target, entity: Entity, mapping: ExportMapping) -> Iterator[Finding]:
    narrow = [
        (column, maker.field)
        for maker, column in _both(target)
        if maker.field not in mapping.transform and _is_narrow(column, entity.fields[maker.field])
    ]
    if narrow:
        said = ", ".join(
            f"{column.name} {column.length} ({_size_of(entity.fields[name])})"
            for column, name in narrow
        )
        message = (
            f"columns shorter than their field: {said}. A longer value is not cut: its record is"
            " held"
        )
        yield Finding(
            "warning",
            target.entity,
            message,
            {"rule": "narrow", "columns": [column.name for column, _ in narrow]},
        )


def _is_narrow(column: ErpColumn, source: Field) -> bool:
    if source.type != "text" or column.sort != "text" or column.length is None:
        return False
    return source.size is None or column.length < source.size


def _size_of(source: Field) -> str:
    return (
        f"{source.name} has up to {source.size}" if source.size else f"{source.name} has no limit"
    )


# --- rights
# -------------------------------------------------------------------------------------------------

_ASKED = {
    "postgresql": (
        "SELECT has_any_column_privilege(current_user, CAST(:table AS regclass), 'INSERT')"
    ),
    "mssql": "SELECT HAS_PERMS_BY_NAME(:table, 'OBJECT', 'INSERT')",
}

# Rights that came by a role are not in these lists: somebody who has one is not asked further.
_MYSQL_RIGHTS = """
    SELECT count(*) FROM (
        SELECT GRANTEE FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'INSERT'
        UNION ALL SELECT GRANTEE FROM information_schema.SCHEMA_PRIVILEGES
            WHERE PRIVILEGE_TYPE = 'INSERT' AND coalesce(:schema, database()) LIKE TABLE_SCHEMA
        UNION ALL SELECT GRANTEE FROM information_schema.TABLE_PRIVILEGES
            WHERE PRIVILEGE_TYPE = 'INSERT' AND TABLE_SCHEMA = coalesce(:schema, database())
                AND TABLE_NAME = :name
        UNION ALL SELECT GRANTEE FROM information_schema.COLUMN_PRIVILEGES
            WHERE PRIVILEGE_TYPE = 'INSERT' AND TABLE_SCHEMA = coalesce(:schema, database())
                AND TABLE_NAME = :name
    ) AS rights
"""


def _may_insert(engine: Engine, table: Table) -> bool | None:
    """None where it cannot be asked."""
    name = "mysql" if engine.dialect.name == "mariadb" else engine.dialect.name
    if name == "sqlite":
        file = unquote((engine.url.database or "").removeprefix("file:"))
        return os.access(file, os.W_OK) if file else None
    preparer = engine.dialect.identifier_preparer
    with suppress(SQLAlchemyError), engine.connect() as connection:
        if name == "mysql":
            at = {"schema": table.schema, "name": table.name}
            has_role = (
                "SELECT count(*) FROM information_schema.ENABLED_ROLES WHERE ROLE_NAME IS NOT NULL"
            )
            if connection.execute(text(_MYSQL_RIGHTS), at).scalar_one():
                return True
            return None if connection.execute(text(has_role)).scalar_one() else False
        if name in _ASKED:
            found = connection.execute(
                text(_ASKED[name]), {"table": preparer.format_table(table)}
            ).scalar_one()
            return None if found is None else bool(found)
    return None
