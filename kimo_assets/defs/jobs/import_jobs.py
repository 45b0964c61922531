"""The vendor's menu as jobs."""

from typing import Any

import dagster as dg
from pydantic import Field

from kimo_assets.config import KimoConfig
from kimo_assets.defs.assets.metadata import step_summary, summary_metadata
from kimo_assets.defs.assets.pipeline_assets import ASSET_OF_STEP, GUIDE, failure
from kimo_assets.defs.jobs.entity_filter import named_entities
from kimo_assets.defs.jobs.plan import plan_import
from kimo_assets.defs.jobs.recording import record_entities
from kimo_assets.defs.jobs.settings import settings_sync_data_creation
from kimo_assets.defs.jobs.undo import undo_load
from kimo_assets.defs.naming import asset_key
from kimo_assets.defs.resource import DATA_POOL, RESOURCE, KimoRun
from kimo_assets.pipeline.steps import STEPS, Run, apply_plan_step, find_plan, run_step
from kimo_assets.quality.data_checks import stop_if_blocked
from kimo_assets.reports import StepReport, menu_title

# Each entry of the menu that is a choice of steps.
STEPS_OF_JOB: dict[str, tuple[int, ...]] = {
    "full_import_from_erp": (1, 2, 3),
    "step_1_import_from_erp": (1,),
    "step_2_load_from_integrator": (2,),
    "step_3_sync_data_creation": (3,),
    "step_2_3_load_and_sync_data_creation": (2, 3),
}
ENTITIES_JOB = "import_entities"


def build_jobs(config: KimoConfig) -> list[Any]:
    if not config.entities:
        return []
    steps = [
        dg.define_asset_job(
            name,
            selection=[asset_key(config, ASSET_OF_STEP[step]) for step in chosen],
            description=(
                f"{menu_title(name)}. One entity: choose its partition in the launchpad. All of"
                " them, or any choice: the tab Partitions, `Launch backfill`; or `Materialize all`"
                " of the lineage."
            ),
            metadata={"docs": dg.MetadataValue.path(GUIDE)},
        )
        for name, chosen in STEPS_OF_JOB.items()
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
    required_resource_keys={RESOURCE},
    pool=DATA_POOL,
    out=dg.Out(dg.Nothing),
    description=(
        "Resolves the linked entities, does the chosen steps, and records each entity in each"
        " layer's asset."
    ),
)
def import_named_entities(context: dg.OpExecutionContext, config: MaskConfig) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    names = (
        kimo.do(lambda run: find_plan(run, config.plan))
        if config.plan
        else _chosen(kimo.config, config)
    )
    context.log.info(f"{len(names)} entities: {', '.join(names)}")
    reports: dict[int, StepReport] = {}
    for step in STEPS if config.plan else sorted(set(config.steps)):
        reports[step] = kimo.do(
            lambda run, step=step: _step(run, step, names, config),  # type: ignore[misc]
            context.log.info,
        )
        context.log.info(step_summary(reports[step]))
        record_entities(context, kimo, reports[step])
        if reports[step].failures:
            raise failure(reports[step])
        if step == 1:
            allowed = config.allow_shrink or bool(config.plan)
            kimo.do(
                lambda run, allowed=allowed: stop_if_blocked(  # type: ignore[misc]
                    run.connection, run.config, run.load, allowed=allowed
                )
            )
    context.add_output_metadata(summary_metadata(reports))


def _step(run: Run, step: int, names: list[str], config: MaskConfig) -> StepReport:
    if config.plan:
        return apply_plan_step(run, step, names, config.plan)
    return run_step(run, step, names, allow_shrink=config.allow_shrink)


def _chosen(config: KimoConfig, mask: MaskConfig) -> list[str]:
    unknown = [step for step in mask.steps if step not in STEPS]
    if unknown:
        raise dg.Failure(f"steps: {unknown[0]} is no step; expected 1, 2 or 3", allow_retries=False)
    return named_entities(config, mask.entities, only_listed=mask.only_listed)


@dg.job(
    name=ENTITIES_JOB,
    description=(
        "Import completo / Step 1 / 2 / 3 / 2+3 (entità specifiche), with the vendor's mask: the "
        "named entities and, unless `only_listed`, those linked to them."
    ),
)
def import_entities() -> None:
    import_named_entities()
