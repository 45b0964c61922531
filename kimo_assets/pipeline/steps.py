"""A run and its steps: the lock, one load number, an entity after another, failures collected.

What a step does with an entity is the business of staging, loading and sync. In which order steps
follow each other is in workflows.py.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel

from kimo_assets.catalog import Catalog, load_catalog, menu
from kimo_assets.config import KimoConfig
from kimo_assets.database import ledger
from kimo_assets.database.locks import exclusive, is_usable
from kimo_assets.database.server import Database
from kimo_assets.errors import KimoError
from kimo_assets.export.run import ExportRun, export_to_erp, resolve
from kimo_assets.geocoding import positions
from kimo_assets.geocoding.run import forget_expired
from kimo_assets.images import references
from kimo_assets.loading import history
from kimo_assets.loading.queries import loaded_among
from kimo_assets.loading.rules import LoadRules
from kimo_assets.loading.step import load_entities, undo_loads
from kimo_assets.pipeline import saved_plan
from kimo_assets.progress import Progress
from kimo_assets.reports import (
    EntityReport,
    ExportReport,
    PublishedEntity,
    StagedEntity,
    StepReport,
    failed_report,
)
from kimo_assets.staging.promote import promote
from kimo_assets.staging.step import StagingRun, stage_entities
from kimo_assets.sync.inspection.payload_size import record_weights, weights_now
from kimo_assets.sync.publishing.garbage import collect_garbage
from kimo_assets.sync.publishing.manifests import write_manifests
from kimo_assets.sync.publishing.publisher import Publisher
from kimo_assets.sync.publishing.settings import publish_settings
from kimo_assets.sync.store.store import Store

STEPS = (1, 2, 3)

# What Kimo makes itself, brought up to date before it is published with what it is about.
_MAKERS = {references.ENTITY: references.refresh, positions.ENTITY: positions.refresh}


@dataclass
class Run:
    """One run that holds the lock: everything the steps need, and what they have done so far.

    connect: one more connection to Kimo's database.
    """

    config: KimoConfig
    connection: Connection[Any]
    load: int
    progress: Progress
    connect: Callable[[], Connection[Any]]
    run_id: str | None = None
    catalog: Catalog = field(default_factory=load_catalog)
    steps: dict[int, StepReport] = field(default_factory=dict)

    def done(self, step: int, report: EntityReport) -> None:
        """An entity's report goes into the ledger and to whoever follows the progress."""
        ledger.record_result(self.connection, self.load, step, report)
        self.progress.entity_done(step, report)

    def finished(self, step: int, reports: Iterable[EntityReport]) -> StepReport:
        """The step's report, kept with the run."""
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
    """Takes the lock and a load number.

    The load counts as failed when a step failed or the block raised. Raises: LockedError.
    """
    with exclusive(database) as connection:
        # Only under the lock: it closes loads without an end, which are then those of killed runs.
        load = ledger.begin_load(connection, title, run_id)
        run = Run(config, connection, load, progress or Progress(), database.connect, run_id)
        success = False
        try:
            yield run
            success = not any(step.failures for step in run.steps.values())
        finally:
            # Interrupted in the middle of a COPY, a connection takes no further command; the next
            # load closes this one.
            if is_usable(connection):
                ledger.end_load(connection, load, success=success)


def export_step(run: Run, reached: Callable[[str], None] = lambda point: None) -> ExportReport:
    """Everything that is ready, to the ERP. reached: called at each point of the export, by name.

    Raises: SourceError, SemaphoreError, ExportError.
    """
    report = export_to_erp(_export_run(run, reached))
    if run.run_id:
        ledger.record_report(run.connection, run.run_id, report)
    return report


def settle_batch(config: KimoConfig, database: Database, batch: int, *, arrived: bool) -> int:
    """Ends a batch in doubt by what a person saw at the ERP. Returns how many records it held.

    Raises: LockedError. ExportError when there is nothing to settle about it.
    """
    # In Italian, like the menu's titles among which loads are listed.
    title = f"{menu.EXPORT.title}: lotto {batch}"
    with open_run(config, database, title=title) as run:
        return resolve(_export_run(run), batch, arrived=arrived)


def _export_run(run: Run, reached: Callable[[str], None] = lambda point: None) -> ExportRun:
    return ExportRun(
        run.config,
        run.connection,
        run.connect,
        run.load,
        run.progress,
        run.run_id,
        run.catalog,
        reached,
    )


def settings_step(run: Run) -> StepReport:
    """The console's tables alone, as all tablets get them, in place of step 3."""
    store = Store(run.config.sync_store)
    level = run.config.sync.zstd_level
    reports = publish_settings(run.connection, store, load=run.load, zstd_level=level)
    report = run.finished(3, reports)
    if run.run_id:
        # Not among the results of steps: the console's tables are no entities of the mapping.
        ledger.record_report(run.connection, run.run_id, report)
    return report


def find_plan(run: Run, plan_id: str) -> list[str]:
    """The entities of a saved plan that can be applied. Raises: PlanMovedError."""
    return saved_plan.find(run.connection, plan_id).entities


def apply_plan_step(run: Run, step: int, names: Sequence[str], plan_id: str) -> StepReport:
    """A step of a saved plan: step 1 takes what the plan has read, and no guard stops the rest."""
    if step == 1:
        # No ERP is asked and no semaphore taken: the snapshots were read when the plan was made.
        run.progress.step_started(1, names)
        return run.finished(1, _promote(run, names))
    report = run_step(run, step, names, allow_shrink=True)
    # Once Kimo's tables hold it, whatever becomes of step 3, which can be run alone later.
    if step == 2 and not report.failures:
        saved_plan.mark_applied(run.connection, plan_id, run.load)
    return report


def _promote(run: Run, names: Sequence[str]) -> list[EntityReport]:
    reports: list[EntityReport] = []
    for name in names:
        run.progress.entity_started(1, name)
        reports.append(promote(run.connection, name, run.load))
        run.done(1, reports[-1])
    return reports


def undo_step(run: Run, to: int | None) -> StepReport:
    """In place of step 2, in one transaction: all loads after `to` are taken back, or the last."""
    target = to
    if target is None:
        target = history.target_of_undo(run.connection)
    history.check_target(run.connection, target)
    names = history.changed_entities(run.connection, run.catalog, target)
    run.progress.step_started(2, names)
    # The results are recorded inside, so that the ledger tells of no undo that was rolled back.
    with run.connection.transaction():
        reports = undo_loads(
            run.connection, run.catalog, names, run.load, target, progress=run.progress
        )
        for report in reports:
            run.done(2, report)
    return run.finished(2, reports)


def run_step(
    run: Run, step: int, names: Sequence[str], *, allow_shrink: bool = False
) -> StepReport:
    """One step over the named entities, in dependency order."""
    # Step 3 takes all that loads up to its own have done for published: nothing may come after it
    # under its number.
    assert step == 3 or 3 not in run.steps, "a load's step 3 is its last"  # noqa: S101
    ordered = run.catalog.in_load_order(names)
    run.progress.step_started(step, ordered)
    match step:
        case 1:
            return run.finished(step, _stage(run, ordered, allow_shrink))
        case 2:
            return run.finished(step, _load(run, ordered, allow_shrink))
        case _:
            return run.finished(step, _publish(run, ordered))


def _stage(run: Run, names: Sequence[str], allow_shrink: bool) -> list[StagedEntity]:
    staging = staging_run(run, allow_shrink=allow_shrink)
    return stage_entities(staging, names, run.progress, lambda report: run.done(1, report))


def staging_run(run: Run, *, allow_shrink: bool = False) -> StagingRun:
    """What step 1 needs of a run."""
    return StagingRun(
        run.config,
        run.connect,
        run.load,
        run.run_id,
        allow_shrink=allow_shrink,
        catalog=run.catalog,
    )


def _load(run: Run, names: Sequence[str], allow_shrink: bool) -> list[EntityReport]:
    """All entities in one transaction."""
    rules = LoadRules.of(run.config, allow_shrink=allow_shrink)
    # History and results belong to it, so that neither tells of a load that was rolled back.
    with run.connection.transaction():
        reports = load_entities(
            run.connection,
            run.catalog,
            names,
            run.load,
            rules,
            progress=run.progress,
        )
        history.prune(run.connection, run.config.history.keep_loads)
        for report in reports:
            run.done(2, report)
    return list(reports)


def _publish(run: Run, names: Sequence[str]) -> list[EntityReport]:
    """Objects and their record on one snapshot of schema kimo; then, committed, the manifests."""
    store = Store(run.config.sync_store)
    reports: list[EntityReport] = []
    # Outside the transaction: a geocoding that goes on meanwhile may change the same rows.
    forget_expired(run.connection, run.config.geocoding)
    # psycopg takes another isolation level only between transactions, so for the connection.
    before = run.connection.isolation_level
    run.connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with run.connection.transaction():
            # Whole tables are joined by computed values of which the planner can only guess how
            # many there are.
            run.connection.execute(
                "SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = off"
            )
            names = [*names, *_make(run, names)]
            publisher = Publisher(
                run.connection, run.catalog, run.config.sync, store, load=run.load
            )
            for name in names:
                run.progress.entity_started(3, name)
                report = _publish_one(run, publisher, name)
                run.done(3, report)
                reports.append(report)
            manifests = publisher.manifests()
    finally:
        # A command on a broken connection would raise and hide the first error.
        if is_usable(run.connection):
            run.connection.isolation_level = before
            # Step 3 makes its lookups as temporary tables, and makes them anew each time.
            run.connection.execute("DISCARD TEMP")
    run.progress.manifests_started(len(manifests))
    # After the commit: a tablet that reads a manifest finds all its objects.
    write_manifests(run.connection, store, manifests, run.progress.manifest_done)
    publish_settings(run.connection, store, load=run.load, zstd_level=run.config.sync.zstd_level)
    record_weights(run.connection, run.load, weights_now(manifests, run.load))
    # Last, because before the manifests are written the new objects look unlisted.
    collect_garbage(run.connection, store, run.config.sync.keep_unlisted_hours)
    return reports


def _make(run: Run, names: Sequence[str]) -> list[str]:
    """The tables that Kimo makes itself about these entities, as far as it has made any."""
    about = run.catalog.derived_about(names)
    for name in about:
        _MAKERS[name](run.connection, run.load)
    return run.catalog.in_load_order(loaded_among(run.connection, about))


def _publish_one(run: Run, publisher: Publisher, name: str) -> PublishedEntity:
    started = time.monotonic()
    try:
        # A savepoint: the failure of one entity leaves the work on the others as it is.
        with run.connection.transaction():
            return publisher.publish(name)
    except (KimoError, psycopg.Error, OSError) as error:
        # Every entity after this one would fail too, each with a reason that misleads.
        if run.connection.broken:
            raise
        publisher.forget()
        return failed_report(PublishedEntity, name, time.monotonic() - started, error)
