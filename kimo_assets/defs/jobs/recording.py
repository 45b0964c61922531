"""Following a workflow from an op, and recording in the assets what each of its steps did.

From an op any choice of partitions can be recorded.
"""

from collections.abc import Callable, Collection, Iterator

import dagster as dg

from kimo_assets.catalog.menu import ASSET_OF_STEP
from kimo_assets.defs.asset_checks import record
from kimo_assets.defs.assets.agent_payloads import record_agent_payloads
from kimo_assets.defs.assets.metadata import recorded_metadata, step_summary, summary_metadata
from kimo_assets.defs.assets.pipeline_assets import failure
from kimo_assets.defs.assets.settings import record_settings
from kimo_assets.defs.naming import asset_key
from kimo_assets.defs.resource import KimoRun
from kimo_assets.pipeline.steps import Run
from kimo_assets.reports import StepReport


def record_workflow(
    context: dg.OpExecutionContext,
    kimo: KimoRun,
    workflow: Callable[[Run], Iterator[StepReport]],
    *,
    only_changed: Collection[int] = (),
) -> None:
    """Goes through the workflow and records each step as soon as it is done.

    only_changed: the steps of which unchanged entities are not recorded.
    Raises: dg.Failure after a step with failed entities, naming each.
    """
    reports: dict[int, StepReport] = {}
    for report in kimo.follow(workflow, context.log.info):
        reports[report.step] = report
        context.log.info(step_summary(report))
        record_entities(context, kimo, report, only_changed=report.step in only_changed)
        # Recorded first: entities that did not fail are kept, only the next layer must not start.
        if report.failures:
            raise failure(report)
    context.add_output_metadata(summary_metadata(reports))


def record_entities(
    context: dg.OpExecutionContext, kimo: KimoRun, report: StepReport, *, only_changed: bool = False
) -> None:
    """A materialization per entity of the step that did not fail, in the layer's asset; after step
    3 also the agents' and what checks the payloads; and the layer's other checks. As the assets'
    own jobs do.
    """
    # Each recorded partition costs Dagster some 20 ms, and an undo changes few of all entities.
    if only_changed:
        changed = {
            name: entity for name, entity in report.entities.items() if entity.status != "unchanged"
        }
        report = StepReport(report.step, changed)
    for name, metadata in recorded_metadata(kimo.open().connection, kimo.config, report).items():
        asset = asset_key(kimo.config, ASSET_OF_STEP[report.step])
        context.log_event(dg.AssetMaterialization(asset, partition=name, metadata=metadata))
    if report.step == 3:
        record_agent_payloads(context, kimo, report)
        record_settings(context, kimo)
    record(context, kimo, ASSET_OF_STEP[report.step])
