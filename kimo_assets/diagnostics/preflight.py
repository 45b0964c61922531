"""What `kimo check` finds: configuration, database, sources, each mapping against the live source,
the export, the store.

What is to be said of the place where it runs comes from check_deployment. They look and tell, write
nothing but probe files in the sync store and the folders, and stop at no error. Rows are measured
where they are (kimo_assets.sources.profiling): a query or two an entity, within a time limit, and
none is fetched.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.config import EntityMapping, KimoConfig, SystemId
from kimo_assets.database.server import open_database
from kimo_assets.diagnostics.deployment import check_deployment
from kimo_assets.errors import KimoError, SourceError
from kimo_assets.export.target_checks import look
from kimo_assets.loading.rules import LoadRules
from kimo_assets.reports import Finding, Level
from kimo_assets.sources.connection import open_source, source_errors
from kimo_assets.sources.error_messages import complaint
from kimo_assets.sources.limits import time_limit
from kimo_assets.sources.profiling import Measured, Misfit, Questions, measure
from kimo_assets.sources.selection import Selection, resolve
from kimo_assets.sources.semaphore import FLOWS, find, in_words, schemas_of, statuses
from kimo_assets.sync.store.store import Store

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class EntityFinding(Finding):
    """An entity whose source was found. fields: those filled; unused: columns that no field takes;
    rows: None when they were not counted. wider: columns that admit longer texts than their field,
    though none is there.
    """

    origin: str = ""
    rows: int | None = None
    fields: tuple[str, ...] = ()
    fields_total: int = 0
    unused: tuple[str, ...] = ()
    derived_id_from: tuple[str, ...] = ()
    wider: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return super().as_json() | {
            "from": self.origin,
            "rows": self.rows,
            "fields": self.fields,
            "columns_not_taken": self.unused,
            "id_derived_from": self.derived_id_from,
            "columns_wider_than_field": self.wider,
        }


def check(
    config: KimoConfig,
    entities: Sequence[str] = (),
    *,
    timeout_s: float = TIMEOUT_S,
    on_entity: Callable[[str, int, int], None] = lambda entity, number, total: None,
) -> Iterator[Finding]:
    """Everything, in the order in which an import would need it. entities: only these mappings;
    none: all, and the export.

    Raises: UnknownEntityError for a name that is not mapped.
    """
    chosen = config.choose(list(entities), only_listed=True)
    mapped = _count(len(config.entities), "entity", "entities")
    yield Finding("ok", "configuration", f"{config.path}, {mapped} mapped")
    yield from _check_choice(config)
    finding, config, dagster_url = _check_database(config)
    yield finding
    if not entities:
        yield from check_deployment(config, dagster_url)
    looking = _Looking(config, chosen, timeout_s, on_entity)
    for source in config.sources:
        yield from looking.at_source(source)
    if not entities:
        yield from _check_export(config)
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


def _check_database(config: KimoConfig) -> tuple[Finding, KimoConfig, str | None]:
    """What is to be said of Kimo's database; the configuration, with the statuses that the console
    decodes; the address of Dagster's database.
    """
    try:
        database = open_database(config)
        with database.connect() as connection:
            version = connection.info.parameter_status("server_version")
            decoded = LoadRules.of(config).with_console(connection).erp_statuses
    except (KimoError, psycopg.Error) as error:
        return Finding("error", "database", _sentence(error)), config, None
    complete = config.model_copy(update={"erp_statuses": decoded})
    if config.database.url == "embedded":
        embedded = Finding(
            "ok", "database", f"PostgreSQL {version}, embedded under {config.data_dir}"
        )
        return embedded, complete, database.dagster_url
    address = conninfo_to_dict(database.dsn)
    place = f"{address.get('host', 'localhost')}/{address.get('dbname', '')}"
    return (
        Finding("ok", "database", f"PostgreSQL {version}, {place}"),
        complete,
        database.dagster_url,
    )


# --- a source and its entities
# ------------------------------------------------------------------------------


@dataclass
class _Looking:
    """One pass over the mappings of the chosen entities."""

    config: KimoConfig
    chosen: Sequence[str]
    timeout_s: float
    on_entity: Callable[[str, int, int], None]
    _looked_at: int = 0

    def at_source(self, name: SystemId) -> Iterator[Finding]:
        mapped = [
            (load_catalog()[entity], mapping)
            for entity in self.chosen
            for mapping in self.config.entities[entity]
            if mapping.source == name
        ]
        with ExitStack() as stack:
            try:
                engine = open_source(name, self.config.sources[name])
                stack.callback(engine.dispose)
                with source_errors(name, engine), engine.connect() as connection:
                    version = _version(connection)
            except SourceError as error:
                unchecked = _count(len({entity.name for entity, _ in mapped}), "entity", "entities")
                yield Finding(
                    "error", f"source {name}", f"{_sentence(error)}. Not checked: {unchecked}"
                )
                return
            address = self.config.sources[name].sqlalchemy_url.render_as_string(hide_password=True)
            yield Finding("ok", f"source {name}", f"{version}, {address}")
            yield from _check_semaphores(self.config, name, engine)
            for entity, mapping in mapped:
                self._looked_at += 1
                self.on_entity(
                    entity.name,
                    self._looked_at,
                    sum(len(self.config.entities[e]) for e in self.chosen),
                )
                yield from self._at_entity(engine, entity, mapping)

    def _at_entity(
        self, engine: Engine, entity: Entity, mapping: EntityMapping
    ) -> Iterator[Finding]:
        what = _name(entity, mapping, self.config)
        try:
            with source_errors(mapping.source, engine), engine.connect() as connection:
                selection = resolve(engine, connection, entity, mapping)
        except SourceError as error:
            yield Finding("error", what, complaint(error, entity.name, self.config).rstrip("."))
            return
        measured: Measured | None = None
        trouble = []
        try:
            measured = self._measured(engine, selection, mapping)
        except SourceError as error:
            said = f"its rows were not looked at: {_sentence(error)}"
            trouble = [Finding("warning", what, said, {"rule": "not_measured"})]
        yield _entity_finding(what, selection, mapping, measured)
        yield from trouble
        if measured:
            yield from _values(what, selection, mapping, measured, self.config)
        yield from _doubts(what, selection, measured, self.config)

    def _measured(self, engine: Engine, selection: Selection, mapping: EntityMapping) -> Measured:
        questions = _questions(selection, self.config)
        # The limit outside: it looks at the error that the source's own became.
        with (
            engine.connect() as connection,
            time_limit(connection, self.timeout_s),
            source_errors(mapping.source, engine),
        ):
            return measure(engine, connection, selection, mapping, questions)


def _name(entity: Entity, mapping: EntityMapping, config: KimoConfig) -> str:
    return (
        entity.name
        if len(config.entities[entity.name]) == 1
        else f"{entity.name} ({mapping.source})"
    )


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
            yield Finding(
                "ok", what, f"no such table: nothing keeps the ERP and the {flow.title} apart"
            )
        elif len(rows) != 1:
            message = (
                f"{_count(len(rows), 'row')}; expected one, with Status 0 while nobody is at work"
            )
            yield Finding("warning", what, message)
        else:
            yield Finding("ok", what, in_words(rows[0]))


def _version(connection: Connection) -> str:
    numbers = connection.dialect.server_version_info or ()
    return " ".join((connection.dialect.name, ".".join(map(str, numbers)))).strip()


def _questions(selection: Selection, config: KimoConfig) -> Questions:
    statuses = [name for name in selection.fields if name.startswith("ErpStatusId")]
    return Questions(
        references=[
            name for names in _unmapped_targets(selection, config).values() for name in names
        ],
        statuses={
            name: tuple(config.erp_statuses.get(_status_kind(selection, name), ()))
            for name in statuses
        },
    )


def _status_kind(selection: Selection, field_name: str) -> str:
    return f"{selection.entity.name}{field_name.removeprefix('ErpStatusId')}"


def _origin(mapping: EntityMapping, entity: Entity) -> str:
    return "a query" if mapping.query else f"table {mapping.table or entity.name}"


def _entity_finding(
    what: str, selection: Selection, mapping: EntityMapping, measured: Measured | None
) -> EntityFinding:
    origin, rows = _origin(mapping, selection.entity), measured.rows if measured else None
    wider = tuple(one.column for one in measured.wider) if measured else ()
    return EntityFinding(
        "ok",
        what,
        _in_words(origin, rows, selection, measured.wider if measured else ()),
        origin=origin,
        rows=rows,
        fields=selection.fields,
        fields_total=len(selection.entity.fields),
        unused=selection.unmapped,
        derived_id_from=selection.derived_id_from,
        wider=wider,
    )


def _in_words(origin: str, rows: int | None, selection: Selection, wider: Sequence[Misfit]) -> str:
    parts = [
        origin,
        "rows not counted" if rows is None else _count(rows, "row"),
        f"{len(selection.fields)} of {len(selection.entity.fields)} fields",
    ]
    if selection.unmapped:
        parts.append(f"columns no field takes: {', '.join(selection.unmapped)}")
    if selection.derived_id_from:
        parts.append(f"Id derived from {', '.join(selection.derived_id_from)}")
    if wider:
        parts.append(
            f"columns that may become longer than their field: {', '.join(map(_how_wide, wider))}"
        )
    return "; ".join(parts)


def _how_wide(one: Misfit) -> str:
    return f"{one.column} (now up to {one.longest or 0})"


# --- what is in the rows
# --------------------------------------------------------------------------------------

_REFUSED = "refused on the way in"
_NOT_A = {
    "not_a_number": "no number",
    "not_a_whole_number": "no whole number",
    "not_a_flag": "neither 0 nor 1",
    "impossible_date": "no date, or none written year first",
    "unknown_enum_code": "none of its codes",
}
_NEVER = {
    "not_a_number": "a number",
    "not_a_whole_number": "a whole number",
    "not_a_flag": "a flag",
    "impossible_date": "a date",
    "unknown_enum_code": "a code",
}


def _values(
    what: str, selection: Selection, mapping: EntityMapping, measured: Measured, config: KimoConfig
) -> Iterator[Finding]:
    """What would be refused of the rows that are there."""
    # The ERP's answers are often none.
    if measured.rows == 0 and selection.entity.category != "sync_references":
        yield Finding(
            "warning",
            what,
            f"{_origin(mapping, selection.entity)} has no rows: is it the right one?",
        )
    yield from _keys(what, selection, measured)
    for misfit in measured.misfits:
        level: Level = "error" if misfit.rows is None else "warning"
        yield Finding(level, what, _misfit_in_words(misfit, selection, mapping), _figures(misfit))
    for misfit in measured.unknown_statuses:
        yield Finding(
            "warning", what, _status_in_words(misfit, selection, config), _figures(misfit)
        )


def _figures(misfit: Misfit) -> dict[str, Any]:
    return {
        "rule": misfit.rule,
        "field": misfit.field,
        "column": misfit.column,
        "rows": misfit.rows,
        "example": misfit.example,
        "certain_from": "type" if misfit.rows is None else "data",
    }


def _keys(what: str, selection: Selection, measured: Measured) -> Iterator[Finding]:
    key = " and ".join(selection.derived_id_from) if selection.derived_id_from else "Id"
    if measured.without_key:
        message = f"{_count(measured.without_key, 'row')} without a value in {key}: {_REFUSED}"
        yield Finding(
            "warning", what, message, {"rule": "missing_key", "rows": measured.without_key}
        )
    if measured.duplicates:
        again = "repeats" if measured.duplicates == 1 else "repeat"
        yield Finding(
            "warning",
            what,
            f"{key} is not unique: {_count(measured.duplicates, 'row')} {again} the key of another,"
            f" e.g. {measured.duplicate_example}; the first of each stays, the others are refused",
            {
                "rule": "duplicate_key",
                "rows": measured.duplicates,
                "example": measured.duplicate_example,
            },
        )


def _misfit_in_words(misfit: Misfit, selection: Selection, mapping: EntityMapping) -> str:
    where = (
        misfit.column
        if misfit.column.casefold() == misfit.field.casefold()
        else f"{misfit.column} (for {misfit.field})"
    )
    if misfit.rows is None:
        return (
            f"{where} is {misfit.type}, which is never {_NEVER[misfit.rule]}: every row with a"
            " value would be refused"
        )
    rows = _count(misfit.rows, "row")
    if misfit.rule == "text_too_long":
        size = selection.entity.fields[misfit.field].size or 50
        return (
            f"{where}: {rows} with a text of more than {size} characters (the longest has"
            f" {misfit.longest}): {_REFUSED}"
        )
    said = (
        f"{where}: {rows} with a value that is {_NOT_A[misfit.rule]}, e.g. {misfit.example!r}:"
        f" {_REFUSED}"
    )
    if misfit.rule == "impossible_date":
        return f"{said}. sources.{mapping.source}.formats says how dates are written"
    codes = selection.entity.fields[misfit.field].codes
    return (
        f"{said}. It knows {', '.join(codes)}"
        if misfit.rule == "unknown_enum_code" and codes
        else said
    )


def _status_in_words(misfit: Misfit, selection: Selection, config: KimoConfig) -> str:
    kind = _status_kind(selection, misfit.field)
    found = f"{_count(misfit.rows or 0, 'row')} with a status, e.g. {misfit.example!r}"
    if kind not in config.erp_statuses:
        where = f"add erp_statuses.{kind}, or ErpStatus.{kind} to the settings"
        return f"{misfit.column}: {found}, and nothing decodes them: {where}"
    return (
        f"{misfit.column}: {found}, that erp_statuses.{kind} does not decode: {_REFUSED}, unless it"
        " is added there"
    )


# --- what follows from the mapping
# --------------------------------------------------------------------------


def _doubts(
    what: str, selection: Selection, measured: Measured | None, config: KimoConfig
) -> Iterator[Finding]:
    if missing := _missing_for_scope(selection):
        message = f"who sees a row is decided by {' or '.join(missing)}, which no column fills"
        yield Finding("warning", what, message, {"rule": "nobody_sees", "fields": missing})
    if targets := _used_targets(selection, measured, config):
        said = ", ".join(f"{target} (by {', '.join(fields)})" for target, fields in targets.items())
        message = f"points to entities that are not mapped: {said}"
        yield Finding(
            "warning", what, message, {"rule": "unmapped_target", "targets": list(targets)}
        )


def _used_targets(
    selection: Selection, measured: Measured | None, config: KimoConfig
) -> dict[str, list[str]]:
    """Unmapped target -> `field in n rows` of those with values; all that are filled when these
    were not counted.
    """
    targets: dict[str, list[str]] = {}
    for target, fields in _unmapped_targets(selection, config).items():
        for name in fields:
            rows = measured.used.get(name) if measured else None
            if rows is None or rows:
                targets.setdefault(target, []).append(
                    name if rows is None else f"{name} in {_count(rows, 'row')}"
                )
    return targets


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


def _unmapped_targets(selection: Selection, config: KimoConfig) -> dict[str, list[str]]:
    """Target -> the filled fields that point to it, where nothing is mapped to be pointed to."""
    targets: dict[str, list[str]] = {}
    for name, reference in selection.entity.hard_references.items():
        if name in selection.fields and reference.target not in config.entities:
            targets.setdefault(reference.target, []).append(name)
    return targets


# --- the export
# ---------------------------------------------------------------------------------------------


def _check_export(config: KimoConfig) -> Iterator[Finding]:
    """Where the records of Kimo's own go, and what of them would be held there."""
    section = config.export
    if not section.entities:
        return
    with ExitStack() as stack:
        try:
            engine = open_source(section.source, config.sources[section.source], writable=True)
            stack.callback(engine.dispose)
            for finding in look(engine, config):
                yield replace(finding, subject=f"export {finding.subject}")
        except SourceError as error:
            yield Finding("error", "export", _sentence(error))


# --- the store
# ----------------------------------------------------------------------------------------------


def _check_store(config: KimoConfig) -> Finding:
    probe = f"tmp/check-{uuid.uuid4().hex}"
    try:
        store = Store(config.sync_store)
        store.replace(probe, b"kimo check")
        store.remove(probe)
    except Exception as error:  # whatever the driver of a storage raises, it is the answer
        return Finding(
            "error", "sync store", f"cannot write to {config.sync_store}: {_sentence(error)}"
        )
    return Finding("ok", "sync store", f"writable: {config.sync_store}")


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
