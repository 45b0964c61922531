"""What a schedule or a sensor asks for: which job, how configured; and whether it is asked for
already.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.config import KimoConfig
from kimo_assets.defs.dagster_internals import range_tags
from kimo_assets.defs.queue import asks_the_same, queued

# Of runs that were asked for by themselves: the kimo.yaml that says so, and a schedule's minute.
COMPANY_TAG = "kimo/company"
MINUTE_TAG = "kimo/minute"


@dataclass(frozen=True)
class RunRequest:
    """A run to ask for. partitions: the names of which the first and the last are the range of an
    asset job.
    """

    job: str
    config: Mapping[str, Any] = field(default_factory=dict)
    partitions: Sequence[str] = ()

    @property
    def tags(self) -> dict[str, str]:
        return range_tags(self.partitions) if self.partitions else {}


def full_import(config: KimoConfig) -> RunRequest:
    return RunRequest(menu.FULL_IMPORT.job, partitions=config.entity_names)


def ask(
    instance: dg.DagsterInstance,
    config: KimoConfig,
    wish: RunRequest,
    *,
    run_key: str | None = None,
    minute: datetime | None = None,
) -> dg.RunRequest | dg.SkipReason:
    """Asks for a run, or says why not. minute: of the schedule's tick, in UTC."""
    mine = {COMPANY_TAG: str(config.path)}
    for run in queued(instance, wish.job):
        if mine.items() <= run.tags.items() and asks_the_same(run, wish.config, wish.tags):
            return dg.SkipReason(
                f"run {run.run_id} waits in the queue already and will do the same"
            )
    if minute is not None:
        mine[MINUTE_TAG] = f"{minute:%Y-%m-%dT%H:%MZ}"
        for run in instance.get_runs(dg.RunsFilter(job_name=wish.job, tags=mine)):
            if asks_the_same(run, wish.config, wish.tags):
                return dg.SkipReason(
                    f"another schedule has asked for the same at this minute: run {run.run_id}"
                )
    return dg.RunRequest(
        run_key=run_key, job_name=wish.job, run_config=dict(wish.config), tags=wish.tags | mine
    )
