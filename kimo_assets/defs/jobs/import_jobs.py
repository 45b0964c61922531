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
    if not config.entities:
        return []
    steps = [
        dg.define_asset_job(
            entry.job,
            selection=[asset_key(config, menu.ASSET_OF_STEP[step]) for step in entry.steps],
            description=(
                f"{entry.title}. One entity: choose its partition in the launchpad. All of"
                " them, or any choice: the tab Partitions, `Launch backfill`; or `Materialize all`"
                " of the lineage."
            ),
            metadata=GUIDE,
        )
        for entry in menu.MENU
        if entry.steps
    ]
    return [*steps, settings_sync_data_creation, import_entities, plan_import, undo_load]


class MaskConfig(dg.Config):
    """The vendor's mask for named entities (entità specifiche)."""

    entities: str = Field(
        default="",
        description=(
            "Entità: names separated by commas, in any case, e.g. Item, PriceList. Empty: all"
            " mapped entities. A name that is none ends the run before anything is done, with the"
            " nearest one."
        ),
    )
    only_listed: bool = Field(
        default=False,
        description=(
            "Consider only the named entities and not the linked ones. Use with caution: references"
            " may be left pointing nowhere."
        ),
    )
    steps: list[int] = Field(
        default=list(STEPS), description="Which of the steps 1, 2 and 3, in this order."
    )
    allow_shrink: bool = Field(
        default=False,
        description="Take a snapshot even if far fewer rows are there than the last time.",
    )
    plan: str = Field(
        default="",
        description=(
            "The id of a saved plan (`kimo plan --save`): applies exactly the snapshots it has"
            " seen, whatever the fields above say."
        ),
    )


@dg.op(
    name=menu.IMPORT_ENTITIES.op,
    required_resource_keys={RESOURCE},
    pool=menu.IMPORT_ENTITIES.pool,
    out=dg.Out(dg.Nothing),
    description=(
        "Resolves the linked entities, does the chosen steps, and records each entity in each"
        " layer's asset."
    ),
)
def import_named_entities(context: dg.OpExecutionContext, config: MaskConfig) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    if config.plan:
        record_workflow(context, kimo, lambda run: apply_plan_workflow(run, config.plan))
        return
    request = _request(kimo.config, config)
    context.log.info(f"{len(request.entities)} entities: {', '.join(request.entities)}")
    record_workflow(context, kimo, lambda run: import_workflow(run, request))


def _request(config: KimoConfig, mask: MaskConfig) -> ImportRequest:
    """What the mask asks for. Raises: dg.Failure for a step or an entity that there is none of."""
    for step in mask.steps:
        if step not in STEPS:
            raise dg.Failure(say("defs.no_such_step", step=step), allow_retries=False)
    names = named_entities(config, mask.entities, only_listed=mask.only_listed)
    return ImportRequest(names, mask.steps, mask.allow_shrink)


@dg.job(
    name=menu.IMPORT_ENTITIES.job,
    description=(
        f"{menu.FULL_IMPORT.title} / Step 1 / 2 / 3 / 2+3 (entità specifiche), with the vendor's"
        " mask: the named entities and, unless `only_listed`, those linked to them."
    ),
)
def import_entities() -> None:
    import_named_entities()
