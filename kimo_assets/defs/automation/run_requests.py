"""What a schedule or a sensor asks for: which job, in which configuration, and whether it has been
asked for already.
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
from kimo_assets.texts import say

# Tags of runs that a schedule or a sensor asked for: the company's kimo.yaml, and the minute of the
# schedule.
COMPANY_TAG = "kimo/company"
MINUTE_TAG = "kimo/minute"


@dataclass(frozen=True)
class RunRequest:
    """A run to ask for. partitions: of an asset job, all from the first to the last."""

    job: str
    config: Mapping[str, Any] = field(default_factory=dict)
    partitions: Sequence[str] = ()

    @property
    def tags(self) -> dict[str, str]:
        """The tags that choose the partitions."""
        return range_tags(self.partitions) if self.partitions else {}

    def is_met_by(self, run: dg.DagsterRun) -> bool:
        """Whether the run does what is asked for."""
        return asks_the_same(run, self.config, self.tags)


def full_import(config: KimoConfig) -> RunRequest:
    """All steps over all mapped entities."""
    return RunRequest(menu.FULL_IMPORT.job, partitions=config.entity_names)


def ask(
    instance: dg.DagsterInstance,
    config: KimoConfig,
    request: RunRequest,
    *,
    run_key: str | None = None,
    minute: datetime | None = None,
) -> dg.RunRequest | dg.SkipReason:
    """Asks for a run, or gives the reason why not. minute: of the schedule's tick, in UTC."""
    # Companies that share a Dagster have jobs of the same names. The file tells them apart.
    tags = {COMPANY_TAG: str(config.path)}
    # The queue drops an equal request too (queue.py), but leaves a canceled run behind.
    for run in queued(instance, request.job):
        if tags.items() <= run.tags.items() and request.is_met_by(run):
            return dg.SkipReason(say("defs.same_run_waits", run_id=run.run_id))
    # A daemon that was restarted may evaluate the same tick again.
    if minute is not None:
        tags[MINUTE_TAG] = f"{minute:%Y-%m-%dT%H:%MZ}"
        for run in instance.get_runs(dg.RunsFilter(job_name=request.job, tags=tags)):
            if request.is_met_by(run):
                return dg.SkipReason(say("defs.same_minute", run_id=run.run_id))
    return dg.RunRequest(
        run_key=run_key,
        job_name=request.job,
        run_config=dict(request.config),
        tags=request.tags | tags,
    )
