"""Taking loads back, as a job: Kimo's tables in one transaction, then the payloads."""

import dagster as dg
from pydantic import Field

from kimo_assets.catalog import menu
from kimo_assets.defs.jobs.recording import record_workflow
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.pipeline.workflows import undo_workflow


class UndoConfig(dg.Config):
    """Which state to go back to."""

    to: int | None = Field(
        default=None,
        description=(
            "The number of a load: Kimo's tables become what they were after it. Empty: the last"
            " load that changed something is taken back. `kimo undo --list` shows the loads."
        ),
    )


@dg.op(
    name=menu.UNDO.op,
    required_resource_keys={RESOURCE},
    pool=menu.UNDO.pool,
    out=dg.Out(dg.Nothing),
    description="Takes loads back, and records each entity that changed in its layer's asset.",
)
def undo(context: dg.OpExecutionContext, config: UndoConfig) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    record_workflow(context, kimo, lambda run: undo_workflow(run, config.to), only_changed={3})


@dg.job(
    name=menu.UNDO.job,
    description=(
        f"{menu.UNDO.title}. Takes the last load back, or all after a given one: Kimo's "
        "tables in one transaction, then the payloads. "
        "What is staged stays: mend the ERP before the next import."
    ),
)
def undo_load() -> None:
    undo()
