"""Running a job in this process, for the `kimo` command: the same run and events as from the UI.

The report of the job is read from the ledger, as any other process would read it.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import MenuEntry
from kimo_assets.config import KimoConfig
from kimo_assets.database.ledger import report_of_run, steps_of_run
from kimo_assets.database.locks import exclusive
from kimo_assets.database.server import Database
from kimo_assets.defs.build import build_defs
from kimo_assets.defs.dagster_internals import keep_connections, range_tags
from kimo_assets.defs.instance import dagster_home
from kimo_assets.defs.naming import LOCATION_TAG, code_location
from kimo_assets.defs.resource import ERROR_KIND, ERROR_MESSAGE, BeforeStep
from kimo_assets.errors import ContractError, KimoError, error_of_record
from kimo_assets.pipeline.steps import STEPS
from kimo_assets.progress import Progress
from kimo_assets.reports import ExportReport, ImportReport, StepReport, TaskReport
from kimo_assets.texts import say

# The command shows progress of its own. Dagster's events would bury it, and are in the UI anyway.
_LOGGERS = {"console": {"config": {"log_level": "CRITICAL"}}}


def _tags(config: KimoConfig) -> dict[str, str]:
    """The UI lists under a job the runs that carry its code location's label."""
    return {LOCATION_TAG: f"__repository__@{code_location(config)}"}


def launch_import(  # noqa: PLR0913
    config: KimoConfig,
    database: Database,
    *,
    steps: Sequence[int] = STEPS,
    entities: Sequence[str] = (),
    only_listed: bool = False,
    allow_shrink: bool = False,
    plan: str = "",
    progress: Progress | None = None,
    before_step: BeforeStep | None = None,
) -> ImportReport:
    """Runs the fitting menu entry: asset jobs for all entities, the mask's job for named ones.

    before_step: what has to be done before a step, of an asset job.
    Raises: UnknownEntityError, and LockedError before a Dagster run exists. What failed of the
    entities is in the report.
    """
    # A wrong name ends here, before there is a run that would be shown as failed.
    config.choose(list(entities), only_listed=only_listed)
    entry = menu.entry_of_steps(steps)

    def run(defs: dg.Definitions, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
        # A range of partitions is contiguous. Only an op can do any choice of entities in one run.
        if entities or plan or entry is None:
            mask = {
                "entities": ",".join(entities),
                "only_listed": only_listed,
                "steps": list(steps),
                "allow_shrink": allow_shrink,
                "plan": plan,
            }
            return _run_op_job(config, defs, instance, menu.IMPORT_ENTITIES, mask)
        return _run_all(defs, instance, config, entry, allow_shrink)

    return _launch(config, database, run, progress, before_step)


def launch_undo(
    config: KimoConfig,
    database: Database,
    *,
    to: int | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Takes loads back. Raises: LockedError; ConfigError when there is nothing to go back to."""
    asked = {}
    if to is not None:
        asked["to"] = to
    return _launch(
        config,
        database,
        lambda defs, instance: _run_op_job(config, defs, instance, menu.UNDO, asked),
        progress,
    )


def launch_retry(
    config: KimoConfig,
    database: Database,
    *,
    entities: Sequence[str] = (),
    progress: Progress | None = None,
) -> ImportReport:
    """Reads the rejected rows of these entities, or of all, again: the job `retry_rejected`.

    Raises: UnknownEntityError, and LockedError before a Dagster run exists. What failed of the
    entities is in the report.
    """
    config.choose(list(entities), only_listed=True)
    asked = {"entities": ",".join(entities)}
    return _launch(
        config,
        database,
        lambda defs, instance: _run_op_job(config, defs, instance, menu.RETRY, asked),
        progress,
    )


def launch_settings(
    config: KimoConfig, database: Database, *, progress: Progress | None = None
) -> ImportReport:
    """Prepares the settings alone. The report's step 3 has the console's tables as entities.

    Raises: LockedError. StoreError when the store cannot be written.
    """
    started = time.monotonic()
    _refuse_while_busy(database)
    result = _run(
        config,
        database,
        lambda defs, instance: _run_op_job(config, defs, instance, menu.SETTINGS, {}),
        progress,
    )
    report = _recorded(database, result, StepReport)
    with database.connect() as connection:
        load, _ = steps_of_run(connection, result.run_id)
    return ImportReport(
        result.run_id, load, result.success, time.monotonic() - started, {report.step: report}
    )


def launch_task(
    config: KimoConfig, database: Database, *, job: str, progress: Progress | None = None
) -> TaskReport:
    """One of the menu's side jobs. Raises: what has refused it (tasks.py), or ended it."""
    return _launch_task(config, database, menu.entry_of(job), None, progress)


def launch_cleaning(
    config: KimoConfig,
    database: Database,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> TaskReport:
    """Deletes what is older than `retention:` says. Raises: LockedError while a run goes on."""
    return _launch_task(config, database, menu.CLEANING, {"dry_run": dry_run}, progress)


def _launch_task(
    config: KimoConfig,
    database: Database,
    entry: MenuEntry,
    asked: Mapping[str, Any] | None,
    progress: Progress | None,
) -> TaskReport:
    """Runs a job of one op that leaves a TaskReport. Its lock is taken by the task itself."""
    result = _run(
        config,
        database,
        lambda defs, instance: _run_op_job(config, defs, instance, entry, asked),
        progress,
    )
    return _recorded(database, result, TaskReport)


def launch_export(
    config: KimoConfig, database: Database, *, progress: Progress | None = None
) -> ExportReport:
    """Sends everything that is ready.

    Raises: LockedError before there is a run, and whatever refused or ended the run.
    """
    _refuse_while_busy(database)
    result = _run(
        config,
        database,
        lambda defs, instance: _run_op_job(config, defs, instance, menu.EXPORT, None),
        progress,
    )
    return _recorded(database, result, ExportReport)


_RunJob = Callable[[dg.Definitions, dg.DagsterInstance], dg.ExecuteInProcessResult]
Report = TypeVar("Report", TaskReport, ExportReport, StepReport)


def _refuse_while_busy(database: Database) -> None:
    """Raises: LockedError. Refused here, a second run leaves no failed one behind in the UI."""
    with exclusive(database):
        pass


def _launch(
    config: KimoConfig,
    database: Database,
    run: _RunJob,
    progress: Progress | None,
    before_step: BeforeStep | None = None,
) -> ImportReport:
    """Runs a job on the company's Dagster instance and reads its report from the ledger.

    Raises: LockedError before there is a run, and whatever refused or ended the run.
    """
    started = time.monotonic()
    _refuse_while_busy(database)
    result = _run(config, database, run, progress, before_step)
    if error := _refusal(result):
        # E.g. another run took the lock between the look above and this run's first step.
        raise error
    with database.connect() as connection:
        load, steps = steps_of_run(connection, result.run_id)
    # Failed entities are a result, which the report names. Anything else has broken the run.
    if not result.success and not any(step.failures for step in steps.values()):
        raise _what_broke(result)
    return ImportReport(result.run_id, load, result.success, time.monotonic() - started, steps)


def _run(
    config: KimoConfig,
    database: Database,
    run: _RunJob,
    progress: Progress | None,
    before_step: BeforeStep | None = None,
) -> dg.ExecuteInProcessResult:
    """Runs a job on the company's own Dagster instance."""
    defs = build_defs(config, database=database, progress=progress, before_step=before_step)
    home = dagster_home(config, database)
    with _environment(DAGSTER_HOME=str(home)), dg.DagsterInstance.get() as instance:
        keep_connections(instance)
        return run(defs, instance)


def _run_op_job(
    config: KimoConfig,
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    entry: MenuEntry,
    asked: Mapping[str, Any] | None,
) -> dg.ExecuteInProcessResult:
    """A job of one op, with what it is asked for. None: its op takes no config."""
    run_config: dict[str, Any] = {"loggers": _LOGGERS}
    if asked is not None:
        run_config["ops"] = {entry.op: {"config": dict(asked)}}
    return defs.resolve_job_def(entry.job).execute_in_process(
        instance=instance,
        tags=_tags(config),
        run_config=run_config,
        # The report names what failed in words. Dagster's exception would be a traceback.
        raise_on_error=False,
    )


def _run_all(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    config: KimoConfig,
    entry: MenuEntry,
    allow_shrink: bool,
) -> dg.ExecuteInProcessResult:
    """An asset job over all entities, as one run over the whole range of partitions."""
    guarded = {
        menu.ASSET_OF_STEP[step]: {"config": {"allow_shrink": allow_shrink}}
        for step in entry.steps
        if step in (1, 2)
    }
    return defs.resolve_job_def(entry.job).execute_in_process(
        instance=instance,
        tags=_tags(config) | range_tags(config.entity_names),
        run_config={"ops": guarded, "loggers": _LOGGERS},
        raise_on_error=False,
    )


def _recorded(database: Database, result: dg.ExecuteInProcessResult, kind: type[Report]) -> Report:
    """The report that the run left in the ledger. Raises: whatever refused or ended the run."""
    if error := _refusal(result):
        raise error
    with database.connect() as connection:
        report = report_of_run(connection, result.run_id)
    if not result.success or not isinstance(report, kind):
        raise _what_broke(result)
    return report


def _refusal(result: dg.ExecuteInProcessResult) -> KimoError | None:
    """The error of ours that ended the run, as its failed step carries it."""
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        failure = event.step_failure_data.user_failure_data
        if failure and ERROR_KIND in failure.metadata:
            kind = failure.metadata[ERROR_KIND].value
            message = failure.metadata[ERROR_MESSAGE].value
            return error_of_record(str(kind), str(message))
    return None


def _what_broke(result: dg.ExecuteInProcessResult) -> KimoError:
    """A run that ended without a report of ours: the error of its first failed step."""
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            failed = event.step_failure_data.error
            message = " ".join((failed.cause or failed).message.split())
            return ContractError(say("defs.run_broke", run_id=result.run_id, error=message))
        if event.is_failure:
            message = event.message or ""
            cause = event.job_failure_data.error
            # Dagster wraps an error in its own ones: the innermost says it.
            while cause:
                message = cause.message
                cause = cause.cause
            message = " ".join(message.split())
            return ContractError(say("defs.run_broke", run_id=result.run_id, error=message))
    return ContractError(say("defs.no_report", run_id=result.run_id))


class _environment:
    """Sets variables for a block. Dagster takes its instance's folder only from the environment."""

    def __init__(self, **variables: str) -> None:
        self._variables = variables
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._variables}
        os.environ.update(self._variables)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
