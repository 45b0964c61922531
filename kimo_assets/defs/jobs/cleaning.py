"""The job that deletes what is old: Dagster's runs, events, logs and ticks.

The ledger's part is in kimo_assets/maintenance/retention.py.

A run whose materialization is an asset partition's newest stays, whatever its age: with it Dagster
would forget that the partition was ever made. So does a run that is going on.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import Field

from kimo_assets.catalog import menu
from kimo_assets.config import KimoConfig
from kimo_assets.database.locks import exclusive
from kimo_assets.database.server import Database
from kimo_assets.defs.dagster_internals import clean_ticks, newest_materializations
from kimo_assets.defs.jobs.media_and_geocoding import in_words, task_metadata
from kimo_assets.defs.naming import of_another_company
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.maintenance.retention import clean_ledger
from kimo_assets.progress import Progress
from kimo_assets.reports import TaskReport
from kimo_assets.texts import say

# Runs that one cleaning deletes at most: each costs some statements over the event log.
_MOST_RUNS = 2000
_AT_ONCE = 100

_OVER = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def clean_instance(
    instance: dg.DagsterInstance,
    before: datetime,
    *,
    is_ours: Callable[[dg.DagsterRun], bool] = lambda run: True,
    dry_run: bool = False,
    log: Callable[[str], None] = lambda line: None,
    most: int = _MOST_RUNS,
) -> dict[str, int]:
    """Deletes runs that ended before that time, with their events and logs, and ticks.

    Returns how many went, and how many old ones stay. is_ours: of several companies on one Dagster
    each cleans its own. dry_run: only counts.
    """
    needed = runs_of_newest_materializations(instance)
    counts = {"runs": 0, "old runs that partitions rest on": 0}
    old = [run.run_id for run in _old_runs(instance, before) if is_ours(run)]
    counts["old runs that partitions rest on"] = sum(run_id in needed for run_id in old)
    unneeded = [run_id for run_id in old if run_id not in needed]
    for run_id in unneeded[:most]:
        if not dry_run:
            _delete(instance, run_id)
        counts["runs"] += 1
    if len(unneeded) > most:
        log(say("defs.only_oldest_runs", count=most))
    return counts | {
        "ticks of sensors and schedules": clean_ticks(instance, before, dry_run=dry_run)
    }


def runs_of_newest_materializations(instance: dg.DagsterInstance) -> set[str]:
    """The runs that the state of an asset, or of one of its partitions, rests on."""
    needed: set[str] = set()
    for asset in instance.all_asset_keys():
        if newest := instance.get_latest_materialization_event(asset):
            needed.add(newest.run_id)
        ids = newest_materializations(instance, asset)
        for start in range(0, len(ids), _AT_ONCE):
            some = dg.AssetRecordsFilter(asset_key=asset, storage_ids=ids[start : start + _AT_ONCE])
            records = instance.fetch_materializations(some, limit=_AT_ONCE).records
            needed |= {record.run_id for record in records}
    return needed


def _old_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[dg.DagsterRun]:
    """The oldest first."""
    old = dg.RunsFilter(statuses=_OVER, created_before=before)
    cursor: str | None = None
    while True:
        runs = instance.get_runs(old, cursor=cursor, limit=_AT_ONCE, ascending=True)
        yield from runs
        if len(runs) < _AT_ONCE:
            return
        cursor = runs[-1].run_id


def _delete(instance: dg.DagsterInstance, run_id: str) -> None:
    # The logs may be on a machine that is no more, or on another one.
    with suppress(OSError):
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)


class CleaningConfig(dg.Config):
    dry_run: bool = Field(default=False, description=say("defs.cleaning.dry_run"))


@dg.op(
    name=menu.CLEANING.op,
    required_resource_keys={RESOURCE},
    pool=menu.CLEANING.pool,
    out=dg.Out(dg.Nothing),
    description=say("defs.op.cleaning"),
)
def clean(context: dg.OpExecutionContext, config: CleaningConfig) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)

    # The instance is Dagster's, so that this part of the work cannot be pipeline's.
    report = kimo.task(
        lambda company, database, progress, run_id: _cleaned(
            context.instance, company, database, progress, run_id, dry_run=config.dry_run
        )
    )
    context.log.info(in_words(report))
    context.add_output_metadata(task_metadata(report))


def _cleaned(
    instance: dg.DagsterInstance,
    config: KimoConfig,
    database: Database,
    progress: Progress,
    run_id: str,
    *,
    dry_run: bool,
) -> TaskReport:
    """Cleans the ledger and the instance under the lock of cleanings."""
    notes: list[str] = []
    before = datetime.now(UTC) - timedelta(days=config.retention.runs_days)
    with exclusive(database, menu.CLEANING.lock):
        report = clean_ledger(config, database, progress, run_id, dry_run=dry_run)
        counts = clean_instance(
            instance,
            before,
            is_ours=lambda run: of_another_company(config, run) is None,
            dry_run=dry_run,
            log=notes.append,
        )
    if dry_run:
        notes.append(say("defs.nothing_deleted"))
    return replace(report, counts=counts | report.counts, notes=(*report.notes, *notes))


@dg.job(
    name=menu.CLEANING.job,
    description=say("defs.job.cleaning", title=menu.CLEANING.title),
)
def clean_up() -> None:
    clean()
