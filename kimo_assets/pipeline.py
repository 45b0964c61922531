"""The three steps over a choice of entities: what both doors, Dagster's assets and its op jobs, call.

Here is only the order of things: the lock, one load number, an entity after another, failures collected. What a step
does with an entity is staging's, loading's and sync's.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import Connection, IsolationLevel
from sqlalchemy import Engine

from kimo_assets.catalog import Catalog, load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.database import ledger
from kimo_assets.database.locks import exclusive, is_usable
from kimo_assets.database.names import INTEGRATOR
from kimo_assets.database.rejections import count_new
from kimo_assets.database.server import Database
from kimo_assets.errors import KimoError
from kimo_assets.loading.load import load_entity
from kimo_assets.loading.references import check_references
from kimo_assets.reports import (
    EntityReport,
    ImportReport,
    LoadedEntity,
    PublishedEntity,
    StagedEntity,
    StepReport,
)
from kimo_assets.sources.connection import open_sources
from kimo_assets.staging.stage import stage_entity
from kimo_assets.sync.publish import Publisher, write_manifests
from kimo_assets.sync.store import Store

STEPS = (1, 2, 3)


class Progress:
    """Told what a run is doing; does nothing by itself. A terminal's bars and a run's log derive from it."""

    def step_started(self, step: int, entities: Sequence[str]) -> None: ...

    def entity_started(self, step: int, entity: str) -> None: ...

    def rows_read(self, entity: str, rows: int) -> None: ...

    def entity_done(self, step: int, report: EntityReport) -> None: ...

    def manifests_started(self, agents: int) -> None: ...

    def manifest_done(self) -> None: ...


@dataclass
class Run:
    """One run that holds the lock: everything the steps need, and what they have done so far."""

    config: KimoConfig
    connection: Connection
    load: int
    progress: Progress
    catalog: Catalog = field(default_factory=load_catalog)
    steps: dict[int, StepReport] = field(default_factory=dict)

    def done(self, step: int, report: EntityReport) -> None:
        ledger.record_result(self.connection, self.load, step, report)
        self.progress.entity_done(step, report)

    def finished(self, step: int, reports: Iterable[EntityReport]) -> StepReport:
        self.steps[step] = StepReport(step, {report.entity: report for report in reports})
        return self.steps[step]


@contextmanager
def open_run(
    config: KimoConfig,
    database: Database,
    *,
    title: str,
    run_id: str | None = None,
    progress: Progress | None = None,
) -> Iterator[Run]:
    """Takes the lock and a load number. The load counts as failed when a step failed or the block raised."""
    with exclusive(database) as connection:
        load = ledger.begin_load(connection, title, run_id)
        run = Run(config, connection, load, progress or Progress())
        success = False
        try:
            yield run
            success = not any(step.failures for step in run.steps.values())
        finally:
            # Interrupted in the middle of a COPY, a connection takes no further command; the next load closes this one.
            if is_usable(connection):
                ledger.end_load(connection, load, success=success)


def run_import(
    config: KimoConfig,
    database: Database,
    *,
    steps: Sequence[int] = STEPS,
    entities: Sequence[str] = (),
    only_listed: bool = False,
    allow_shrink: bool = False,
    title: str = "import",
    run_id: str | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """The chosen steps over the chosen entities; a step with failures keeps the rest and stops the next step.

    Raises: LockedError, UnknownEntityError. Failures of entities are in the report.
    """
    started = time.monotonic()
    names = config.choose(list(entities), only_listed=only_listed)
    with open_run(config, database, title=title, run_id=run_id, progress=progress) as run:
        for step in steps:
            report = run_step(run, step, names, allow_shrink=allow_shrink)
            if report.failures:
                break
    success = not any(step.failures for step in run.steps.values())
    return ImportReport(run_id, run.load, success, time.monotonic() - started, run.steps)


def run_step(run: Run, step: int, names: Sequence[str], *, allow_shrink: bool = False) -> StepReport:
    """One step over the named entities, in dependency order."""
    ordered = run.catalog.in_load_order(names)
    run.progress.step_started(step, ordered)
    match step:
        case 1:
            return run.finished(step, _stage(run, ordered, allow_shrink))
        case 2:
            return run.finished(step, _load(run, ordered))
        case _:
            return run.finished(step, _publish(run, ordered))


def _stage(run: Run, names: Sequence[str], allow_shrink: bool) -> list[EntityReport]:
    reports: list[EntityReport] = []
    with open_sources(run.config, names) as engines:
        for name in names:
            run.progress.entity_started(1, name)
            report = _stage_one(run, name, engines, allow_shrink)
            run.done(1, report)
            reports.append(report)
    return reports


def _stage_one(run: Run, name: str, engines: Mapping[str, Engine], allow_shrink: bool) -> EntityReport:
    started = time.monotonic()
    try:
        return stage_entity(
            run.connection,
            engines,
            run.catalog[name],
            run.config.entities[name],
            run.config.guards,
            load=run.load,
            allow_shrink=allow_shrink,
            on_rows=lambda rows: run.progress.rows_read(name, rows),
        )
    except (KimoError, psycopg.Error) as error:
        if run.connection.broken:
            raise
        return StagedEntity(name, time.monotonic() - started, "failed", sentence(error))


def _load(run: Run, names: Sequence[str]) -> list[EntityReport]:
    """All entities in one transaction; one that fails is taken back to its savepoint, the others are kept."""
    reports: list[LoadedEntity] = []
    with run.connection.transaction():
        for name in names:
            run.progress.entity_started(2, name)
            reports.append(_load_one(run, name))
        dangling = check_references(run.connection, run.catalog, names, run.load)
        new = count_new(run.connection, INTEGRATOR.rejected, names, 2, run.load)
        complete = [
            replace(report, dangling=dangling.get(report.entity, {}), refused_new=new.get(report.entity, 0))
            for report in reports
        ]
        for report in complete:
            run.done(2, report)
    return list(complete)


def _load_one(run: Run, name: str) -> LoadedEntity:
    started = time.monotonic()
    try:
        with run.connection.transaction():
            return load_entity(run.connection, run.catalog[name], run.load)
    except (KimoError, psycopg.Error) as error:
        if run.connection.broken:
            raise
        return LoadedEntity(name, time.monotonic() - started, "failed", sentence(error))


def _publish(run: Run, names: Sequence[str]) -> list[EntityReport]:
    """Objects and their record on one snapshot of schema kimo; then, committed, the manifests."""
    store = Store(run.config.sync_store)
    reports: list[EntityReport] = []
    before = run.connection.isolation_level
    run.connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with run.connection.transaction():
            # Whole tables are joined by computed values of which the planner can only guess how many there are.
            run.connection.execute("SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = off")
            publisher = Publisher(run.connection, run.catalog, run.config.sync, store, load=run.load)
            for name in names:
                run.progress.entity_started(3, name)
                report = _publish_one(run, publisher, name)
                run.done(3, report)
                reports.append(report)
            manifests = publisher.manifests()
    finally:
        if is_usable(run.connection):
            run.connection.isolation_level = before
            run.connection.execute("DISCARD TEMP")
    run.progress.manifests_started(len(manifests))
    write_manifests(run.connection, store, manifests, run.progress.manifest_done)
    return reports


def _publish_one(run: Run, publisher: Publisher, name: str) -> PublishedEntity:
    started = time.monotonic()
    try:
        with run.connection.transaction():
            return publisher.publish(name)
    except (KimoError, psycopg.Error, OSError) as error:
        if run.connection.broken:
            raise
        publisher.forget()
        return PublishedEntity(name, time.monotonic() - started, "failed", sentence(error))


def sentence(error: Exception) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
