"""The order of the steps, once: import, applying a saved plan, retry, undo, export.

A workflow yields the report of each step and holds every rule about what may follow. Dagster's ops
go through it step by step and record each report. Tests, benchmarks and `kimo selftest --crash`
exhaust the same workflow (`run_import` and its siblings), so that they prove what production does.
Only the asset jobs are sequenced by Dagster's own graph. They call the same steps, and their
blocking check is the rule that stands here between step 1 and step 2.

What a plan does is in plan.py: it reads and compares as an import, and takes all of it back.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from kimo_assets.config import KimoConfig
from kimo_assets.database.server import Database
from kimo_assets.pipeline.retry import choose_retry, retry_step
from kimo_assets.pipeline.steps import (
    STEPS,
    Run,
    apply_plan_step,
    export_step,
    find_plan,
    open_run,
    run_step,
    undo_step,
)
from kimo_assets.progress import Progress
from kimo_assets.quality.data_checks import stop_if_blocked
from kimo_assets.reports import ExportReport, ImportReport, StepReport


@dataclass(frozen=True)
class ImportRequest:
    """What an import is to do. entities: mapped names, the linked ones among them if wanted.

    steps: of 1, 2 and 3, in any order. allow_shrink: lifts the guards and the blocking check.
    """

    entities: Sequence[str]
    steps: Sequence[int] = STEPS
    allow_shrink: bool = False


def import_workflow(run: Run, request: ImportRequest) -> Iterator[StepReport]:
    """The chosen steps over the chosen entities.

    A step with failures keeps what is good and is the last one.
    Raises: GuardError when too many of the rows just read were rejected.
    """

    def do(step: int) -> StepReport:
        return run_step(run, step, request.entities, allow_shrink=request.allow_shrink)

    yield from _steps_in_order(run, request.steps, do, allow_blocked=request.allow_shrink)


def apply_plan_workflow(run: Run, plan_id: str) -> Iterator[StepReport]:
    """Applies a saved plan: exactly the snapshots that it has seen, then the payloads.

    Nothing blocks it: whoever applies a plan has seen what it does.
    Raises: PlanMovedError when it is not kept any more, or something has changed since.
    """
    names = find_plan(run, plan_id)

    def do(step: int) -> StepReport:
        return apply_plan_step(run, step, names, plan_id)

    yield from _steps_in_order(run, STEPS, do, allow_blocked=True)


def retry_workflow(run: Run, names: Sequence[str]) -> Iterator[StepReport]:
    """Reads the rejected rows of these entities again, then loads and publishes what is good now.

    Without any rejected row there is no step.
    Raises: GuardError when too many rows are still rejected.
    """
    retry = choose_retry(run, names)
    if not retry.loaded:
        return

    def do(step: int) -> StepReport:
        return retry_step(run, step, retry)

    yield from _steps_in_order(run, STEPS, do, allow_blocked=False, retried=retry.names(1))


def undo_workflow(run: Run, to: int | None = None) -> Iterator[StepReport]:
    """Brings Kimo's tables back to the state after load `to`, then prepares the payloads.

    to: None takes the last load back. The blocking check has no say: nothing new was read.
    Raises: ConfigError when there is nothing to go back to.
    """
    report = undo_step(run, to)
    yield report
    if not report.failures:
        # All entities: a link that changed back shows or hides rows of others. Unchanged ones cost
        # nothing.
        yield run_step(run, 3, run.config.entity_names)


def export_workflow(
    run: Run, reached: Callable[[str], None] = lambda point: None
) -> Iterator[ExportReport]:
    """Sends all that is ready to the ERP. Raises: SourceError, SemaphoreError, ExportError."""
    yield export_step(run, reached)


def _steps_in_order(
    run: Run,
    steps: Sequence[int],
    do: Callable[[int], StepReport],
    *,
    allow_blocked: bool,
    retried: Collection[str] = (),
) -> Iterator[StepReport]:
    """The rules that every workflow of the three steps obeys."""
    for step in sorted(set(steps)):
        report = do(step)
        yield report
        if report.failures:
            return
        # After the report was yielded: what step 1 has read is on record even when the run stops
        # here.
        if step == 1:
            stop_if_blocked(
                run.connection, run.config, run.load, allowed=allow_blocked, retried=retried
            )


# --- exhausting a workflow without Dagster
# --------------------------------------------------------------------------------------------------


def run_import(  # noqa: PLR0913
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
    """import_workflow to its end. entities: names as a person gives them; none means all.

    Raises: LockedError, UnknownEntityError, GuardError. Failures of entities are in the report.
    """
    names = config.choose(list(entities), only_listed=only_listed)
    request = ImportRequest(names, steps, allow_shrink)
    return _exhaust(
        config,
        database,
        lambda run: import_workflow(run, request),
        title=title,
        run_id=run_id,
        progress=progress,
    )


def run_plan(
    config: KimoConfig,
    database: Database,
    plan_id: str,
    *,
    title: str = "plan",
    run_id: str | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """apply_plan_workflow to its end. Raises: LockedError, PlanMovedError."""
    return _exhaust(
        config,
        database,
        lambda run: apply_plan_workflow(run, plan_id),
        title=title,
        run_id=run_id,
        progress=progress,
    )


def run_undo(
    config: KimoConfig,
    database: Database,
    *,
    to: int | None = None,
    title: str = "undo",
    run_id: str | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """undo_workflow to its end. Raises: LockedError, ConfigError."""
    return _exhaust(
        config,
        database,
        lambda run: undo_workflow(run, to),
        title=title,
        run_id=run_id,
        progress=progress,
    )


def run_retry(
    config: KimoConfig,
    database: Database,
    *,
    entities: Sequence[str] = (),
    title: str = "retry",
    run_id: str | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """retry_workflow to its end. entities: none means all. Raises: LockedError, GuardError."""
    # Linked entities have nothing to add. A retry finds the parts of rejected owners by itself.
    names = config.choose(list(entities), only_listed=True)
    return _exhaust(
        config,
        database,
        lambda run: retry_workflow(run, names),
        title=title,
        run_id=run_id,
        progress=progress,
    )


def run_export(
    config: KimoConfig,
    database: Database,
    *,
    title: str = "export",
    run_id: str | None = None,
    progress: Progress | None = None,
    reached: Callable[[str], None] = lambda point: None,
) -> ExportReport:
    """export_workflow to its end. Raises: LockedError, SourceError, SemaphoreError, ExportError."""
    with open_run(config, database, title=title, run_id=run_id, progress=progress) as run:
        (report,) = export_workflow(run, reached)
    return report


def _exhaust(
    config: KimoConfig,
    database: Database,
    workflow: Callable[[Run], Iterator[StepReport]],
    *,
    title: str,
    run_id: str | None,
    progress: Progress | None,
) -> ImportReport:
    started = time.monotonic()
    with open_run(config, database, title=title, run_id=run_id, progress=progress) as run:
        for _ in workflow(run):
            pass
    success = not any(step.failures for step in run.steps.values())
    return ImportReport(run_id, run.load, success, time.monotonic() - started, run.steps)
