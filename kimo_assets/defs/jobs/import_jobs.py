"""The vendor's menu as jobs."""

from typing import Any

import dagster as dg
from pydantic import Field

from kimo_assets.catalog import menu
from kimo_assets.config import KimoConfig
from kimo_assets.defs.jobs.entity_filter import named_entities
from kimo_assets.defs.jobs.plan import plan_import
from kimo_assets.defs.jobs.recording import record_workflow
from kimo_assets.defs.jobs.settings import settings_sync_data_creation
from kimo_assets.defs.jobs.undo import undo_load
from kimo_assets.defs.naming import GUIDE, asset_key
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.pipeline.steps import STEPS
from kimo_assets.pipeline.workflows import ImportRequest, apply_plan_workflow, import_workflow
from kimo_assets.texts import say


def build_jobs(config: KimoConfig) -> list[Any]:
    """The jobs about entities: those of the steps as asset jobs, the others of one op each."""
    # A job over assets that do not exist would break the whole code location.
    if not config.entities:
        return []
    steps = [
        dg.define_asset_job(
            entry.job,
            selection=[asset_key(config, menu.ASSET_OF_STEP[step]) for step in entry.steps],
            description=say("defs.job.steps", title=entry.title),
            metadata=GUIDE,
        )
        for entry in menu.MENU
        if entry.steps
    ]
    return [*steps, settings_sync_data_creation, import_entities, plan_import, undo_load]


class MaskConfig(dg.Config):
    """The vendor's mask for named entities (entità specifiche)."""

    # One text with commas, as in the vendor's mask (fact sheet, section 2).
    entities: str = Field(
        default="",
        description=say("defs.mask.entities"),
    )
    only_listed: bool = Field(
        default=False,
        description=say("defs.mask.only_listed"),
    )
    steps: list[int] = Field(default=list(STEPS), description=say("defs.mask.steps"))
    allow_shrink: bool = Field(
        default=False,
        description=say("defs.mask.allow_shrink"),
    )
    plan: str = Field(
        default="",
        description=say("defs.mask.plan"),
    )


@dg.op(
    name=menu.IMPORT_ENTITIES.op,
    required_resource_keys={RESOURCE},
    pool=menu.IMPORT_ENTITIES.pool,
    out=dg.Out(dg.Nothing),
    description=say("defs.op.import_entities"),
)
def import_named_entities(context: dg.OpExecutionContext, config: MaskConfig) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    # A saved plan names its entities itself, so that the other fields of the mask do not count.
    if config.plan:
        record_workflow(context, kimo, lambda run: apply_plan_workflow(run, config.plan))
        return
    request = _request(kimo.config, config)
    names = ", ".join(request.entities)
    context.log.info(say("defs.entities_chosen", count=len(request.entities), names=names))
    record_workflow(context, kimo, lambda run: import_workflow(run, request))


def _request(config: KimoConfig, mask: MaskConfig) -> ImportRequest:
    """What the mask asks for. Raises: dg.Failure for a step or an entity that there is none of."""
    for step in mask.steps:
        # Dagster's form and GraphQL take any whole number.
        if step not in STEPS:
            raise dg.Failure(say("defs.no_such_step", step=step), allow_retries=False)
    names = named_entities(config, mask.entities, only_listed=mask.only_listed)
    return ImportRequest(names, mask.steps, mask.allow_shrink)


@dg.job(
    name=menu.IMPORT_ENTITIES.job,
    description=say("defs.job.import_entities", title=menu.FULL_IMPORT.title),
)
def import_entities() -> None:
    import_named_entities()
