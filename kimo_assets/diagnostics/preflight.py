"""`kimo check`: configuration, database, sources, each mapping against the live source, the export,
the store.

It looks and tells, writes nothing but probe files in the sync store and the folders, and stops at
no error. The machine is looked at by deployment.py. The values in the rows are judged by
row_findings.py, which has them measured where they are: a query or two an entity, within a time
limit, and no row is fetched.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.config import EntityMapping, KimoConfig, SystemId
from kimo_assets.database.server import open_database
from kimo_assets.diagnostics.deployment import check_deployment, server_address
from kimo_assets.diagnostics.row_findings import (
    origin_in_words,
    questions_for,
    rows_in_words,
    value_findings,
)
from kimo_assets.diagnostics.scope_findings import mapping_findings
from kimo_assets.errors import KimoError, SourceError
from kimo_assets.export.target_checks import check_targets
from kimo_assets.loading.rules import LoadRules
from kimo_assets.reports import Finding
from kimo_assets.sources.connection import open_source, source_errors
from kimo_assets.sources.error_messages import error_message
from kimo_assets.sources.limits import time_limit
from kimo_assets.sources.profiling import Measured, Misfit, measure
from kimo_assets.sources.selection import Selection, resolve
from kimo_assets.sources.semaphore import FLOWS, Flow, find, in_words, schemas_of, statuses
from kimo_assets.sync.store.store import Store
from kimo_assets.texts import say

# A view of the ERP can take minutes. The check tells so instead of waiting for it.
TIMEOUT_S = 60.0

OnEntity = Callable[[str, int, int], None]


@dataclass(frozen=True)
class EntityFinding(Finding):
    """An entity whose source was found.

    table: None for a query. fields: those that a column fills. unused: columns that no field takes.
    rows: None when they were not counted. wider: columns that admit longer texts than their field,
    though none is there.
    """

    origin: str = ""
    table: str | None = None
    rows: int | None = None
    fields: tuple[str, ...] = ()
    fields_total: int = 0
    unused: tuple[str, ...] = ()
    derived_id_from: tuple[str, ...] = ()
    wider: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
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
    on_entity: OnEntity = lambda entity, number, total: None,
) -> Iterator[Finding]:
    """Everything, in the order in which an import would need it.

    entities: only these mappings. Without any: all of them, the machine and the export.
    Raises: UnknownEntityError for a name that is not mapped.
    """
    # Without the linked ones: an entity that is named here is asked about for its own mapping.
    chosen = config.choose(list(entities), only_listed=True)
    mapped = say("diagnostics.mapped", path=config.path, count=len(config.entities))
    yield Finding("ok", "configuration", mapped)
    yield from _check_choice(config)
    # Before the sources, because the console's tables decode the ERP's statuses there.
    finding, config, dagster_url = _check_database(config)
    yield finding
    if not entities:
        yield from check_deployment(config, dagster_url)
    inspection = _SourceInspection(config, chosen, timeout_s, on_entity)
    for source in config.sources:
        yield from inspection.inspect(source)
    if not entities:
        yield from _check_export(config)
    yield _check_store(config)


def has_error(findings: Iterable[Finding]) -> bool:
    """Whether an import would fail."""
    return any(finding.level == "error" for finding in findings)


def _check_choice(config: KimoConfig) -> Iterator[Finding]:
    if not config.entities:
        yield Finding("error", "configuration", say("diagnostics.nothing_mapped"))
    # Step 3 prepares data for agents only (fact sheet, section 11). Without them it has no reader.
    elif "SalesAgent" not in config.entities:
        yield Finding("warning", "configuration", say("diagnostics.no_agents_mapped"))


def _check_database(config: KimoConfig) -> tuple[Finding, KimoConfig, str | None]:
    """The finding; the configuration with the ERP's statuses that the console decodes; the address
    of Dagster's database. Where Kimo's cannot be opened: as it was, and None.
    """
    try:
        database = open_database(config)
        with database.connect() as connection:
            version = connection.info.parameter_status("server_version")
            # Decoding may stand in the console instead of kimo.yaml (fact sheet, section 8).
            decoded = LoadRules.of(config).with_console(connection).erp_statuses
    except (KimoError, psycopg.Error) as error:
        return Finding("error", "database", _sentence(error)), config, None
    if config.database.url == "embedded":
        message = say("diagnostics.embedded", version=version, folder=config.data_dir)
    else:
        message = f"PostgreSQL {version}, {server_address(database.dsn)}"
    complete = config.model_copy(update={"erp_statuses": decoded})
    return Finding("ok", "database", message), complete, database.dagster_url


# --- a source and its entities
# --------------------------------------------------------------------------------------------------


@dataclass
class _SourceInspection:
    """One pass over the mappings of the chosen entities."""

    config: KimoConfig
    chosen: Sequence[str]
    timeout_s: float
    on_entity: OnEntity
    _inspected: int = 0

    def inspect(self, name: SystemId) -> Iterator[Finding]:
        """A source that cannot be reached is one finding, for all its entities."""
        mapped = list(self._mappings_of(name))
        subject = f"source {name}"
        with ExitStack() as stack:
            try:
                engine = open_source(name, self.config.sources[name])
                stack.callback(engine.dispose)
                with source_errors(name, engine), engine.connect() as connection:
                    version = _version(connection)
            except SourceError as error:
                # One finding for all. A line for each entity would bury the one thing that is
                # wrong.
                unchecked = len({entity.name for entity, _ in mapped})
                reason = _sentence(error)
                message = say("diagnostics.source_unreachable", reason=reason, count=unchecked)
                yield Finding("error", subject, message)
                return
            # The output of a check is mailed and pasted into tickets.
            address = self.config.sources[name].sqlalchemy_url.render_as_string(hide_password=True)
            yield Finding("ok", subject, f"{version}, {address}")
            for flow in FLOWS:
                yield _check_semaphore(self.config, name, engine, flow)
            for entity, mapping in mapped:
                self._report_progress(entity)
                yield from self._inspect_entity(engine, entity, mapping)

    def _mappings_of(self, source: SystemId) -> Iterator[tuple[Entity, EntityMapping]]:
        for name in self.chosen:
            for mapping in self.config.entities[name]:
                if mapping.source == source:
                    yield load_catalog()[name], mapping

    def _report_progress(self, entity: Entity) -> None:
        self._inspected += 1
        total = sum(len(self.config.entities[name]) for name in self.chosen)
        self.on_entity(entity.name, self._inspected, total)

    def _inspect_entity(
        self, engine: Engine, entity: Entity, mapping: EntityMapping
    ) -> Iterator[Finding]:
        """The mapping first. Without its columns nothing can be said of the rows."""
        subject = _subject(entity, mapping, self.config)
        try:
            with source_errors(mapping.source, engine), engine.connect() as connection:
                selection = resolve(engine, connection, entity, mapping)
        except SourceError as error:
            message = error_message(error, entity.name, self.config).rstrip(".")
            yield Finding("error", subject, message)
            return
        measured: Measured | None = None
        not_measured = []
        try:
            measured = self._measure(engine, selection, mapping)
        # A warning: an import has no such limit and may succeed. The mapping is still judged.
        except SourceError as error:
            message = say("diagnostics.rows_not_measured", reason=_sentence(error))
            not_measured = [Finding("warning", subject, message, {"rule": "not_measured"})]
        yield _entity_finding(subject, selection, mapping, measured)
        yield from not_measured
        if measured:
            yield from value_findings(subject, selection, mapping, measured, self.config)
        yield from mapping_findings(subject, selection, measured, self.config)

    def _measure(self, engine: Engine, selection: Selection, mapping: EntityMapping) -> Measured:
        questions = questions_for(selection, self.config)
        # The time limit is outside: it looks at the error that the source's own has become.
        with (
            engine.connect() as connection,
            time_limit(connection, self.timeout_s),
            source_errors(mapping.source, engine),
        ):
            return measure(engine, connection, selection, mapping, questions)


def _subject(entity: Entity, mapping: EntityMapping, config: KimoConfig) -> str:
    # An entity may be fed by ERP and CRM. Only then its name alone does not say which.
    if len(config.entities[entity.name]) == 1:
        return entity.name
    return f"{entity.name} ({mapping.source})"


def _check_semaphore(config: KimoConfig, source: SystemId, engine: Engine, flow: Flow) -> Finding:
    """A source may do without, and a semaphore that is taken now is no finding."""
    subject = f"{flow.table} {source}"
    try:
        semaphore = find(source, flow, engine, schemas_of(config, source))
        # Only the tables in use need to exist (fact sheet, section 8).
        if semaphore is None:
            return Finding("ok", subject, say("diagnostics.no_semaphore", flow=flow.title))
        rows = statuses(semaphore)
    except SourceError as error:
        return Finding("error", subject, _sentence(error))
    # The table holds one row (fact sheet, section 4). With more, ERP and Kimo may look at different
    # ones.
    if len(rows) != 1:
        return Finding("warning", subject, say("diagnostics.semaphore_rows", count=len(rows)))
    return Finding("ok", subject, in_words(rows[0]))


def _version(connection: Connection) -> str:
    # SQLAlchemy knows no version of some dialects.
    numbers = connection.dialect.server_version_info or ()
    return " ".join((connection.dialect.name, ".".join(map(str, numbers)))).strip()


def _entity_finding(
    subject: str, selection: Selection, mapping: EntityMapping, measured: Measured | None
) -> EntityFinding:
    """Which part of the source fills which part of the entity. measured: None if impossible."""
    origin = origin_in_words(mapping, selection.entity)
    rows = None
    wider: tuple[Misfit, ...] = ()
    if measured:
        rows, wider = measured.rows, measured.wider
    return EntityFinding(
        "ok",
        subject,
        _entity_in_words(origin, rows, selection, wider),
        origin=origin,
        table=None if mapping.query else mapping.table or selection.entity.name,
        rows=rows,
        fields=selection.fields,
        fields_total=len(selection.entity.fields),
        unused=selection.unmapped,
        derived_id_from=selection.derived_id_from,
        wider=tuple(misfit.column for misfit in wider),
    )


def _entity_in_words(
    origin: str, rows: int | None, selection: Selection, wider: Sequence[Misfit]
) -> str:
    """One line, whose parts are separated by semicolons."""
    parts = [origin]
    if rows is None:
        parts.append(say("diagnostics.rows_not_counted"))
    else:
        parts.append(rows_in_words(rows))
    fields, total = len(selection.fields), len(selection.entity.fields)
    parts.append(say("diagnostics.fields", fields=fields, total=total))
    if selection.unmapped:
        parts.append(say("diagnostics.columns_unused", columns=", ".join(selection.unmapped)))
    if selection.derived_id_from:
        columns = ", ".join(selection.derived_id_from)
        parts.append(say("diagnostics.id_derived", columns=columns))
    if wider:
        columns = ", ".join(_width_in_words(misfit) for misfit in wider)
        parts.append(say("diagnostics.columns_wider", columns=columns))
    return "; ".join(parts)


def _width_in_words(misfit: Misfit) -> str:
    return say("diagnostics.column_width", column=misfit.column, longest=misfit.longest or 0)


# --- the export and the store
# --------------------------------------------------------------------------------------------------


def _check_export(config: KimoConfig) -> Iterator[Finding]:
    """Where the records of Kimo's own go, and which of them would be held there."""
    section = config.export
    if not section.entities:
        return
    with ExitStack() as stack:
        try:
            # Opened for writing, although nothing is written: a database may refuse that when it is
            # opened.
            engine = open_source(section.source, config.sources[section.source], writable=True)
            stack.callback(engine.dispose)
            for finding in check_targets(engine, config):
                yield replace(finding, subject=f"export {finding.subject}")
        except SourceError as error:
            yield Finding("error", "export", _sentence(error))


def _check_store(config: KimoConfig) -> Finding:
    # A name of its own: two checks at once must not remove each other's file.
    probe = f"tmp/check-{uuid.uuid4().hex}"
    try:
        store = Store(config.sync_store)
        # By trial, because rights in object stores cannot be asked for.
        store.replace(probe, b"kimo check")
        store.remove(probe)
    except Exception as error:  # each kind of storage has exceptions of its own
        message = say(
            "diagnostics.store.not_writable", store=config.sync_store, reason=_sentence(error)
        )
        return Finding("error", "sync store", message)
    return Finding("ok", "sync store", say("diagnostics.store.writable", store=config.sync_store))


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
