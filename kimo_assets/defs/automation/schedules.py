"""What kimo.yaml lets run by itself, at which minutes: `schedules:`, in the company's time zone.

A change of the clock neither skips nor doubles a night's run: what should run at an hour that is
not there runs at the hour after it, what should run at one that comes twice runs once.
"""

from collections.abc import Collection, Iterator
from datetime import UTC
from typing import Any

import dagster as dg

from kimo_assets.catalog import menu
from kimo_assets.config import KimoConfig
from kimo_assets.config.models import EntitiesSchedule
from kimo_assets.defs.automation.run_requests import RunRequest, ask, full_import

_NAME_CHARS = 80


def build_schedules(config: KimoConfig, jobs: Collection[str]) -> list[dg.ScheduleDefinition]:
    """jobs: the names of those that exist; what is to let run another one is left out."""
    wanted = [
        (name, cron, wish, said) for name, cron, wish, said in _wanted(config) if wish.job in jobs
    ]
    return [_schedule(config, *each) for each in wanted]


def _wanted(config: KimoConfig) -> Iterator[tuple[str, str, RunRequest, str]]:
    """(name, cron, what it asks for, what is said of it)."""
    section = config.schedules
    for key, entry in menu.SCHEDULED.items():
        if cron := getattr(section, key):
            is_whole = entry is menu.FULL_IMPORT
            wish = full_import(config) if is_whole else RunRequest(entry.job)
            yield f"{key}_schedule", cron, wish, entry.title
    taken: set[str] = set()
    for of in section.entities:
        name = _name(of, taken)
        yield name, of.cron, _mask(of), f"{menu.IMPORT_ENTITIES.title}: {', '.join(of.entities)}"


def _name(of: EntitiesSchedule, taken: set[str]) -> str:
    """By what it imports, so that another order in kimo.yaml leaves each its history."""
    plain = f"import_{'_'.join(of.entities)}"[:_NAME_CHARS]
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}_{number}"
    taken.add(name)
    return f"{name}_schedule"


def _mask(of: EntitiesSchedule) -> RunRequest:
    mask = {"entities": ",".join(of.entities), "only_listed": of.only_listed}
    return RunRequest(
        menu.IMPORT_ENTITIES.job, {"ops": {menu.IMPORT_ENTITIES.op: {"config": mask}}}
    )


def _schedule(
    config: KimoConfig, name: str, cron: str, wish: RunRequest, said: str
) -> dg.ScheduleDefinition:
    def evaluate(context: dg.ScheduleEvaluationContext) -> Any:
        return ask(
            context.instance, config, wish, minute=context.scheduled_execution_time.astimezone(UTC)
        )

    return dg.ScheduleDefinition(
        name=name,
        cron_schedule=cron,
        job_name=wish.job,
        execution_timezone=config.schedules.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            f"{said}. `{cron}` in {config.schedules.timezone}, as `schedules:` of kimo.yaml says."
        ),
        execution_fn=evaluate,
    )
