"""What `kimo check` finds: configuration, database, sources, each mapping against the live source, the store.

Plain functions: they look and tell, write nothing but a probe file in the sync store, and stop at no error.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.config import EntityMapping, KimoConfig, SystemId
from kimo_assets.database.server import open_database
from kimo_assets.errors import KimoError, SourceError
from kimo_assets.sources.complaints import complaint
from kimo_assets.sources.connection import open_source, source_errors
from kimo_assets.sources.selection import Selection, resolve, run_as_is
from kimo_assets.sources.semaphore import FLOWS, find, in_words, schemas_of, statuses
from kimo_assets.sync.store import Store

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """what: the part that was looked at; message: what was found and, unless ok, what to do."""

    level: Level
    what: str
    message: str

    def as_json(self) -> dict[str, Any]:
        return {"level": self.level, "what": self.what, "message": self.message}


@dataclass(frozen=True)
class EntityFinding(Finding):
    """An entity whose source was found. fields: those filled; unused: columns that no field takes."""

    origin: str = ""
    rows: int | None = None
    fields: tuple[str, ...] = ()
    fields_total: int = 0
    unused: tuple[str, ...] = ()
    derived_id_from: tuple[str, ...] = ()


def check(config: KimoConfig, on_entity: Callable[[str], None] = lambda entity: None) -> Iterator[Finding]:
    """Everything, in the order in which an import would need it."""
    mapped = _count(len(config.entities), "entity", "entities")
    yield Finding("ok", "configuration", f"{config.path}, {mapped} mapped")
    yield from _check_choice(config)
    yield _check_database(config)
    for source in config.sources:
        yield from _check_source(config, source, on_entity)
    yield _check_store(config)


def has_error(findings: Iterable[Finding]) -> bool:
    return any(finding.level == "error" for finding in findings)


def _check_choice(config: KimoConfig) -> Iterator[Finding]:
    if not config.entities:
        message = "no entity is mapped, so there is nothing to import: add some under `entities`"
        yield Finding("error", "configuration", message)
    elif "SalesAgent" not in config.entities:
        message = "SalesAgent is not mapped: without agents, step 3 prepares payloads for nobody"
        yield Finding("warning", "configuration", message)


def _check_database(config: KimoConfig) -> Finding:
    try:
        database = open_database(config)
        with database.connect() as connection:
            version = connection.info.parameter_status("server_version")
    except (KimoError, psycopg.Error) as error:
        return Finding("error", "database", _sentence(error))
    if config.database.url == "embedded":
        return Finding("ok", "database", f"PostgreSQL {version}, embedded under {config.data_dir}")
    address = conninfo_to_dict(database.dsn)
    place = f"{address.get('host', 'localhost')}/{address.get('dbname', '')}"
    return Finding("ok", "database", f"PostgreSQL {version}, {place}")


# --- a source and its entities ------------------------------------------------------------------------------


def _check_source(config: KimoConfig, name: SystemId, on_entity: Callable[[str], None]) -> Iterator[Finding]:
    mapped = [
        (entity, mapping)
        for entity in config.entity_names
        for mapping in config.entities[entity]
        if mapping.source == name
    ]
    with ExitStack() as stack:
        try:
            engine = open_source(name, config.sources[name])
            stack.callback(engine.dispose)
            with source_errors(name, engine), engine.connect() as connection:
                version = _version(connection)
        except SourceError as error:
            unchecked = _count(len({entity for entity, _ in mapped}), "entity", "entities")
            yield Finding("error", f"source {name}", f"{_sentence(error)}. Not checked: {unchecked}")
            return
        address = config.sources[name].sqlalchemy_url.render_as_string(hide_password=True)
        yield Finding("ok", f"source {name}", f"{version}, {address}")
        yield from _check_semaphores(config, name, engine)
        for entity, mapping in mapped:
            on_entity(entity)
            yield from _check_entity(engine, load_catalog()[entity], mapping, config)


def _check_semaphores(config: KimoConfig, name: SystemId, engine: Engine) -> Iterator[Finding]:
    for flow in FLOWS:
        what = f"{flow.table} {name}"
        try:
            semaphore = find(name, flow, engine, schemas_of(config, name))
            rows = statuses(semaphore) if semaphore else []
        except SourceError as error:
            yield Finding("error", what, _sentence(error))
            continue
        if semaphore is None:
            yield Finding("ok", what, f"no such table: nothing keeps the ERP and the {flow.title} apart")
        elif len(rows) != 1:
            message = f"{_count(len(rows), 'row')}; expected one, with Status 0 while nobody is at work"
            yield Finding("warning", what, message)
        else:
            yield Finding("ok", what, in_words(rows[0]))


def _version(connection: Connection) -> str:
    numbers = connection.dialect.server_version_info or ()
    return " ".join((connection.dialect.name, ".".join(map(str, numbers)))).strip()


def _check_entity(
    engine: Engine, entity: Entity, mapping: EntityMapping, config: KimoConfig
) -> Iterator[Finding]:
    try:
        with source_errors(mapping.source, engine), engine.connect() as connection:
            selection = resolve(engine, connection, entity, mapping)
            rows = _count_rows(connection, selection, mapping)
    except SourceError as error:
        yield Finding("error", entity.name, complaint(error, entity.name, config).rstrip("."))
        return
    origin = "a query" if mapping.query else f"table {mapping.table or entity.name}"
    yield EntityFinding(
        "ok",
        entity.name,
        _in_words(origin, rows, selection),
        origin=origin,
        rows=rows,
        fields=selection.fields,
        fields_total=len(entity.fields),
        unused=selection.unmapped,
        derived_id_from=selection.derived_id_from,
    )
    for message in _doubts(origin, rows, selection, config):
        yield Finding("warning", entity.name, message)


def _count_rows(connection: Connection, selection: Selection, mapping: EntityMapping) -> int | None:
    """None where the source takes no query inside a query (SQL Server with ORDER BY)."""
    if mapping.query and connection.dialect.name == "mssql":
        return None
    return int(run_as_is(connection, f"SELECT count(*) FROM ({selection.statement}\n) kimo_source").scalar_one())


def _in_words(origin: str, rows: int | None, selection: Selection) -> str:
    parts = [
        origin,
        "rows not counted" if rows is None else _count(rows, "row"),
        f"{len(selection.fields)} of {len(selection.entity.fields)} fields",
    ]
    if selection.unmapped:
        parts.append(f"columns no field takes: {', '.join(selection.unmapped)}")
    if selection.derived_id_from:
        parts.append(f"Id derived from {', '.join(selection.derived_id_from)}")
    return "; ".join(parts)


def _doubts(origin: str, rows: int | None, selection: Selection, config: KimoConfig) -> Iterator[str]:
    if rows == 0:
        yield f"{origin} has no rows: is it the right one?"
    if missing := _missing_for_scope(selection):
        yield f"who sees a row is decided by {' or '.join(missing)}, which no column of {origin} fills"
    if unmapped := _unmapped_targets(selection, config):
        yield f"points to entities that are not mapped: {unmapped}"


def _missing_for_scope(selection: Selection) -> list[str]:
    """The columns that decide who sees a row, when the source fills none of them."""
    needed = sorted(set(_scope_columns(selection.entity.scope)))
    return [] if {*selection.fields, "Id"} & set(needed) else needed


def _scope_columns(scope: Any) -> Iterator[str]:
    for name in ("column", "key_column"):
        if value := getattr(scope, name, None):
            yield value
    for rule in [*getattr(scope, "rules", ()), *getattr(scope, "modes", {}).values()]:
        yield from _scope_columns(rule)


def _unmapped_targets(selection: Selection, config: KimoConfig) -> str:
    """`Target (by Field, Field)` of references that have values to point with and nothing to point to."""
    targets: dict[str, list[str]] = {}
    for field, reference in selection.entity.hard_references.items():
        if field in selection.fields and reference.target not in config.entities:
            targets.setdefault(reference.target, []).append(field)
    return ", ".join(f"{target} (by {', '.join(fields)})" for target, fields in targets.items())


# --- the store ----------------------------------------------------------------------------------------------


def _check_store(config: KimoConfig) -> Finding:
    probe = f"tmp/check-{uuid.uuid4().hex}"
    try:
        store = Store(config.sync_store)
        store.replace(probe, b"kimo check")
        store.remove(probe)
    except Exception as error:  # whatever the driver of a storage raises, it is the answer
        return Finding("error", "sync store", f"cannot write to {config.sync_store}: {_sentence(error)}")
    return Finding("ok", "sync store", f"writable: {config.sync_store}")


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
