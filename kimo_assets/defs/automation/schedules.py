"""The schedules of kimo.yaml, `schedules:`, in the company's time zone.

A change of the clock neither skips nor doubles a night's run: what should run at an hour that does
not exist runs at the hour after it, what should run at an hour that comes twice runs once.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.config import KimoConfig
from kimo_assets.config.models import EntitiesSchedule
from kimo_assets.defs.automation.run_requests import RunRequest, ask, full_import
from kimo_assets.texts import say

_NAME_CHARS = 80


@dataclass(frozen=True)
class _Schedule:
    """title: of the menu's entry, with the entities where they are named."""

    name: str
    cron: str
    request: RunRequest
    title: str


def build_schedules(config: KimoConfig, jobs: Collection[str]) -> list[dg.ScheduleDefinition]:
    """jobs: the names of those that exist. A schedule of another one is left out."""
    schedules = [*_of_jobs(config), *_of_entities(config)]
    # Without mapped entities some jobs do not exist, and Dagster refuses a schedule of such a job.
    return [_build(config, schedule) for schedule in schedules if schedule.request.job in jobs]


def _of_jobs(config: KimoConfig) -> Iterator[_Schedule]:
    for key, entry in menu.SCHEDULED.items():
        if cron := getattr(config.schedules, key):
            is_whole = entry is menu.FULL_IMPORT
            request = full_import(config) if is_whole else RunRequest(entry.job)
            yield _Schedule(f"{key}_schedule", cron, request, entry.title)


def _of_entities(config: KimoConfig) -> Iterator[_Schedule]:
    taken: set[str] = set()
    for section in config.schedules.entities:
        title = f"{menu.IMPORT_ENTITIES.title}: {', '.join(section.entities)}"
        yield _Schedule(_name(section, taken), section.cron, _request(section), title)


def _name(section: EntitiesSchedule, taken: set[str]) -> str:
    """By the entities, so that another order in kimo.yaml leaves each schedule its history."""
    plain = f"import_{'_'.join(section.entities)}"[:_NAME_CHARS]
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}_{number}"
    taken.add(name)
    return f"{name}_schedule"


def _request(section: EntitiesSchedule) -> RunRequest:
    mask = {"entities": ",".join(section.entities), "only_listed": section.only_listed}
    ops = {menu.IMPORT_ENTITIES.op: {"config": mask}}
    return RunRequest(menu.IMPORT_ENTITIES.job, {"ops": ops})


def _build(config: KimoConfig, schedule: _Schedule) -> dg.ScheduleDefinition:
    """The schedule for Dagster. Each tick asks for a run only where none does the same already."""
    zone = config.schedules.timezone

    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        minute = context.scheduled_execution_time.astimezone(UTC)
        return ask(context.instance, config, schedule.request, minute=minute)

    return dg.ScheduleDefinition(
        name=schedule.name,
        cron_schedule=schedule.cron,
        job_name=schedule.request.job,
        execution_timezone=zone,
        # A time in kimo.yaml is meant to count at once. The switch in the UI has the last word.
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=say("defs.schedule", title=schedule.title, cron=schedule.cron, zone=zone),
        execution_fn=evaluate,
    )
