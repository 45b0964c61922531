"""What an import would do, as a job: the run's page shows it in tables, and nothing changes."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from kimo_assets.catalog import menu
from kimo_assets.defs.assets.metadata import markdown_table
from kimo_assets.defs.jobs.entity_filter import named_entities
from kimo_assets.defs.resource import RESOURCE, KimoRun, failure_of
from kimo_assets.errors import KimoError
from kimo_assets.loading.preview import Sample
from kimo_assets.pipeline.plan import Plan, PlannedEntity, make_plan
from kimo_assets.progress import LoggedProgress
from kimo_assets.texts import say

_SIGNS = {"inserted": "new", "updated": "changed", "archived": "archived", "held": "held"}
_COUNTS = {
    "inserted": "new",
    "updated": "changed",
    "archived": "archived",
    "held": "held",
    "unchanged": "unchanged",
}


class PlanConfig(dg.Config):
    """The vendor's mask, for looking first."""

    entities: str = Field(default="", description=say("defs.plan.entities"))
    only_listed: bool = Field(default=False, description=say("defs.plan.only_listed"))
    save: bool = Field(
        default=False,
        description=say("defs.plan.save", job=menu.IMPORT_ENTITIES.job),
    )


@dg.op(
    name=menu.PLAN.op,
    required_resource_keys={RESOURCE},
    pool=menu.PLAN.pool,
    out=dg.Out(dg.Nothing),
    description=say("defs.op.plan"),
)
def plan(context: dg.OpExecutionContext, config: PlanConfig) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    names = named_entities(kimo.config, config.entities, only_listed=config.only_listed)
    progress = LoggedProgress(kimo.progress, context.log.info)
    # Not one of the run's parts: a plan takes no load number.
    try:
        made = make_plan(kimo.config, kimo.database(), names, save=config.save, progress=progress)
    except KimoError as error:
        raise failure_of(error) from None
    # Before a failure is raised, so that what could be planned is shown.
    context.add_output_metadata(plan_metadata(made))
    if made.failures:
        lines = "; ".join(f"{name}: {reason}" for name, reason in made.failures.items())
        raise dg.Failure(
            say("defs.plan_failed", count=len(made.failures), lines=lines), allow_retries=False
        )


def plan_metadata(made: Plan) -> dict[str, Any]:
    """Counts, guards and sampled rows as tables."""
    entities = list(made.entities.values())
    changed = [entity for entity in entities if entity.has_changes]
    values: dict[str, Any] = {
        "has_changes": made.has_changes,
        "what an import would do": dg.MetadataValue.md(_counts(changed)),
        "rows": dg.MetadataValue.md(_rows(changed)),
    }
    if made.guards:
        guards = [[name, guard] for name, each in made.guards.items() for guard in each]
        values["guards that would stop it"] = dg.MetadataValue.md(
            markdown_table(["entity", "why"], guards)
        )
    if made.id:
        values["plan"] = made.id
    return values


def _counts(entities: Sequence[PlannedEntity]) -> str:
    rows = [
        [e.entity, *(getattr(e.loaded, name) for name in _COUNTS), e.rejected] for e in entities
    ]
    if not rows:
        return say("defs.plan.nothing")
    return markdown_table(["entity", *_COUNTS.values(), "rejected"], rows)


def _rows(entities: Sequence[PlannedEntity]) -> str:
    rows = [[e.entity, *_row(sample)] for e in entities for sample in e.preview.samples]
    if not rows:
        return say("defs.plan.no_rows")
    return markdown_table(["entity", "change", "row", "fields"], rows)


def _row(sample: Sample) -> list[str]:
    changes = (f"{name}: {old} → {new}" for name, (old, new) in sample.changes.items())
    return [
        _SIGNS[sample.kind],
        " ".join(filter(None, (sample.id, sample.name))),
        "; ".join(changes),
    ]


@dg.job(
    name=menu.PLAN.job,
    description=say("defs.job.plan", title=menu.PLAN.title),
)
def plan_import() -> None:
    plan()
