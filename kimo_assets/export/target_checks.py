"""What `kimo check` reports about the ERP's tables before anything is sent. Reads only."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Connection, Engine, Table, text
from sqlalchemy.exc import SQLAlchemyError

from kimo_assets.catalog import Entity, Field, load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.config.models import ExportMapping
from kimo_assets.export.columns import ErpColumn, writer
from kimo_assets.export.formats import DoesNotFitError, Formats
from kimo_assets.export.targets import ColumnWriter, Target, exported, find_targets
from kimo_assets.reports import Finding
from kimo_assets.texts import say

# A day whose parts no format confuses, to try the columns with.
_DAY, _MOMENT = date(2026, 12, 31), datetime(2026, 12, 31, 23, 59, 59)


def check_targets(engine: Engine, config: KimoConfig) -> Iterator[Finding]:
    """Entity by entity, in the order in which they are sent. Raises: SourceError."""
    targets, reasons = find_targets(engine, config)
    for name, mapping in exported(config.export).items():
        if name in targets:
            yield from _check_target(engine, config, targets[name], mapping)
        elif name in config.export.entities:
            message = say("export.check.no_table", reason=reasons[name])
            yield Finding("error", name, message, {"rule": "no_table"})
        else:
            # A part. Without a table of its own name it stays here.
            message = say("export.check.no_table_of_part", reason=reasons[name], entity=name)
            yield Finding("warning", name, message, {"rule": "no_table_of_part"})


def _check_target(
    engine: Engine, config: KimoConfig, target: Target, mapping: ExportMapping
) -> Iterator[Finding]:
    """From the table as a whole to its columns, then what the ERP's answers and rights need."""
    entity = load_catalog()[target.entity]
    yield _summary(target, entity)
    yield from _unfilled(target)
    yield from _unwritable(target, entity, mapping, config)
    yield from _narrow(target, entity, mapping)
    for note in target.notes:
        yield Finding("warning", target.entity, note, {"rule": "null_value"})
    yield from _unanswerable(target, entity, config)
    if _may_insert(engine, target.table) is False:
        message = say("export.check.no_right", table=target.table.fullname)
        yield Finding("error", target.entity, message, {"rule": "no_right"})


def _unanswerable(target: Target, entity: Entity, config: KimoConfig) -> Iterator[Finding]:
    """Without SyncReference the ERP cannot answer. Without a mapping nobody reads the answers."""
    if target.sync_column is None and entity.is_sent_to_erp:
        message = say("export.check.no_sync_reference")
        yield Finding("warning", target.entity, message, {"rule": "no_sync_reference"})
    answers = load_catalog().answers.get(target.entity)
    if answers and answers not in config.entities:
        message = say("export.check.no_answers", answers=answers)
        yield Finding("warning", target.entity, message, {"rule": "no_answers"})


def _summary(target: Target, entity: Entity) -> Finding:
    """The table, how many fields have a column, and which moments lose their fractions."""
    message = say(
        "export.check.table",
        table=target.table.fullname,
        columns=len(target.columns),
        fields=len(entity.fields),
    )
    inexact = _inexact(target, entity)
    if inexact:
        message += say("export.check.less_exact", columns=", ".join(inexact))
    details = {
        "table": target.table.fullname,
        "columns": {maker.field: maker.column for maker in target.makers},
        "fields_without_column": list(target.ignored),
    }
    return Finding("ok", target.entity, message, details)


def _inexact(target: Target, entity: Entity) -> list[str]:
    """Columns of moments whose type drops fractions of a second, or keeps the day alone."""
    columns = []
    for maker, column in _pairs(target):
        is_inexact = column.kind == "day" or (column.kind == "moment" and column.digits < 6)
        if entity.fields[maker.field].type == "dt" and is_inexact:
            columns.append(f"{column.name} ({column.type})")
    return columns


def _pairs(target: Target) -> Iterator[tuple[ColumnWriter, ErpColumn]]:
    return zip(target.makers, target.columns, strict=True)


def _unfilled(target: Target) -> Iterator[Finding]:
    if target.unfilled:
        message = say("export.check.not_filled", columns=", ".join(target.unfilled))
        details = {"rule": "not_filled", "columns": list(target.unfilled)}
        yield Finding("error", target.entity, message, details)


def _unwritable(
    target: Target, entity: Entity, mapping: ExportMapping, config: KimoConfig
) -> Iterator[Finding]:
    """Fields whose column cannot hold every sample of their values."""
    formats = Formats.of(config)
    for maker, column in _pairs(target):
        if maker.field in mapping.transform:
            yield from _unwritable_constant(target, maker, mapping)
            continue
        source = entity.fields[maker.field]
        write = writer(column, formats)
        for value in _samples(source):
            try:
                write(value)
            except DoesNotFitError as error:
                message = say(
                    "export.check.wrong_type",
                    column=column.name,
                    field=maker.field,
                    example=formats.as_text(value),
                    reason=error.fits,
                    remedy=_remedy(source),
                )
                yield _wrong_type(target, maker, message)
                break


def _unwritable_constant(
    target: Target, maker: ColumnWriter, mapping: ExportMapping
) -> Iterator[Finding]:
    """A transformation that reads no field is a constant: it can be tried without a row."""
    if mapping.transform[maker.field].columns(maker.field):
        return
    try:
        maker.make(())
    except DoesNotFitError as error:
        message = say(
            "export.check.wrong_constant",
            column=maker.column,
            field=maker.field,
            reason=error.fits,
        )
        yield _wrong_type(target, maker, message)


def _wrong_type(target: Target, maker: ColumnWriter, message: str) -> Finding:
    details = {"rule": "wrong_type", "column": maker.column, "field": maker.field}
    return Finding("error", target.entity, message, details)


def _samples(source: Field) -> Sequence[Any]:
    """Values of the field's type: those that a column of another type would not hold."""
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
            return say("export.check.remedy_boolean")
        case "date":
            return say("export.check.remedy_date", setting="date")
        case "dt":
            return say("export.check.remedy_date", setting="datetime")
    return say("export.check.remedy_other")


def _narrow(target: Target, entity: Entity, mapping: ExportMapping) -> Iterator[Finding]:
    """Columns shorter than their field. What a transformation makes may well fit."""
    narrow = {}
    for maker, column in _pairs(target):
        source = entity.fields[maker.field]
        if maker.field not in mapping.transform and _is_narrow(column, source):
            narrow[column.name] = f"{column.name} {column.length} ({_size_of(source)})"
    if narrow:
        message = say("export.check.narrow", columns=", ".join(narrow.values()))
        details = {"rule": "narrow", "columns": list(narrow)}
        yield Finding("warning", target.entity, message, details)


def _is_narrow(column: ErpColumn, source: Field) -> bool:
    if source.type != "text" or column.kind != "text" or column.length is None:
        return False
    return source.size is None or column.length < source.size


def _size_of(source: Field) -> str:
    if source.size:
        return say("export.check.size", field=source.name, size=source.size)
    return say("export.check.no_size", field=source.name)


# --- rights
# -------------------------------------------------------------------------------------------------

_RIGHTS = {
    "postgresql": (
        "SELECT has_any_column_privilege(current_user, CAST(:table AS regclass), 'INSERT')"
    ),
    "mssql": "SELECT HAS_PERMS_BY_NAME(:table, 'OBJECT', 'INSERT')",
}

# Rights that came by a role are not in these lists.
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
_MYSQL_ROLES = "SELECT count(*) FROM information_schema.ENABLED_ROLES WHERE ROLE_NAME IS NOT NULL"


def _may_insert(engine: Engine, table: Table) -> bool | None:
    """Whether rows may be inserted. None where it cannot be asked."""
    name = engine.dialect.name
    if name == "sqlite":
        return _may_write_file(engine)
    with suppress(SQLAlchemyError), engine.connect() as connection:
        if name in ("mysql", "mariadb"):
            return _may_insert_in_mysql(connection, table)
        if name in _RIGHTS:
            parameters = {"table": engine.dialect.identifier_preparer.format_table(table)}
            right = connection.execute(text(_RIGHTS[name]), parameters).scalar_one()
            return None if right is None else bool(right)
    return None


def _may_write_file(engine: Engine) -> bool | None:
    file = unquote((engine.url.database or "").removeprefix("file:"))
    return os.access(file, os.W_OK) if file else None


def _may_insert_in_mysql(connection: Connection, table: Table) -> bool | None:
    parameters = {"schema": table.schema, "name": table.name}
    if connection.execute(text(_MYSQL_RIGHTS), parameters).scalar_one():
        return True
    # A user with a role may have the right by it.
    has_role = connection.execute(text(_MYSQL_ROLES)).scalar_one()
    return None if has_role else False
