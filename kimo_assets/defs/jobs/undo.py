"""Taking loads back, as a job: Kimo's tables in one transaction, then the payloads."""

import dagster as dg
from pydantic import Field

from kimo_assets.catalog import menu
from kimo_assets.defs.jobs.recording import record_workflow
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.pipeline.workflows import undo_workflow
from kimo_assets.texts import say


class UndoConfig(dg.Config):
    """Which state to go back to."""

    to: int | None = Field(
        default=None,
        description=say("defs.undo.to"),
    )


@dg.op(
    name=menu.UNDO.op,
    required_resource_keys={RESOURCE},
    pool=menu.UNDO.pool,
    out=dg.Out(dg.Nothing),
    description=say("defs.op.undo"),
)
def undo(context: dg.OpExecutionContext, config: UndoConfig) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    record_workflow(context, kimo, lambda run: undo_workflow(run, config.to), only_changed={3})


@dg.job(
    name=menu.UNDO.job,
    description=say("defs.job.undo", title=menu.UNDO.title),
)
def undo_load() -> None:
    undo()
