"""The job that reads rejected rows again, loads what is good now and publishes it."""

import dagster as dg
from pydantic import Field

from kimo_assets.catalog import menu
from kimo_assets.defs.jobs.entity_filter import named_entities
from kimo_assets.defs.jobs.recording import record_workflow
from kimo_assets.defs.resource import RESOURCE, KimoRun
from kimo_assets.pipeline.workflows import retry_workflow
from kimo_assets.texts import say


class RetryConfig(dg.Config):
    entities: str = Field(
        default="",
        description=say("defs.retry.entities"),
    )


@dg.op(
    name=menu.RETRY.op,
    required_resource_keys={RESOURCE},
    pool=menu.RETRY.pool,
    out=dg.Out(dg.Nothing),
    description=say("defs.op.retry"),
)
def retry_rejected_rows(context: dg.OpExecutionContext, config: RetryConfig) -> None:
    kimo: KimoRun = getattr(context.resources, RESOURCE)
    # Only rejected rows are read again, so there is nothing to fetch of linked entities.
    names = named_entities(kimo.config, config.entities, only_listed=True)
    record_workflow(context, kimo, lambda run: retry_workflow(run, names))


@dg.job(
    name=menu.RETRY.job,
    description=say("defs.job.retry", title=menu.RETRY.title),
)
def retry_rejected() -> None:
    retry_rejected_rows()
