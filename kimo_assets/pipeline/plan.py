"""A plan: what an import would do, found out by doing it and taking it back.

The snapshots are read as step 1 reads them, into schema `plan` instead of `integrator`; then step 2
runs in a transaction that is rolled back. So a plan cannot say anything that an import would not
do. A saved plan keeps its snapshots in schema `plan` until it is applied or another plan is made
(saved_plan.py).
"""

import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from kimo_assets.catalog import Catalog, load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.database.locks import exclusive
from kimo_assets.database.names import NO_LOAD, PLANNED
from kimo_assets.database.queries import begin_trial_load
from kimo_assets.database.server import Database
from kimo_assets.errors import ConfigError
from kimo_assets.loading.load import Comparison
from kimo_assets.loading.preview import Preview, preview
from kimo_assets.loading.rules import LoadRules
from kimo_assets.loading.step import load_entities
from kimo_assets.pipeline import saved_plan
from kimo_assets.progress import Progress
from kimo_assets.quality.data_checks import too_many_rejected
from kimo_assets.reports import EntityReport, LoadedEntity, StagedEntity, StepReport
from kimo_assets.staging.step import StagingRun, stage_entities
from kimo_assets.texts import say

# Of each kind. A few rows show what kind of change it is, and the document stays small.
_SAMPLES = 3


@dataclass(frozen=True)
class PlannedEntity:
    """snapshot: what identifies that which was read. compared_with: the load that last changed
    kimo.<Entity>, 0 for none.

    loaded: what step 2 would do; None when the entity could not be read. blocked: why step 2 would
    not begin, where too many rows were rejected.
    """

    entity: str
    staged: EntityReport
    snapshot: str | None = None
    compared_with: int = 0
    loaded: LoadedEntity | None = None
    preview: Preview = field(default_factory=lambda: Preview({}, []))
    blocked: str | None = None

    @property
    def failure(self) -> str | None:
        """Why the entity cannot be read or compared."""
        for report in (self.staged, self.loaded):
            if report and report.status == "failed":
                return report.error
        return None

    @property
    def guards(self) -> list[str]:
        """Why an import would stop here."""
        reports = (self.staged, self.loaded)
        guards = [report.guard for report in reports if report and report.guard]
        if self.blocked:
            guards.append(self.blocked)
        return guards

    @property
    def has_changes(self) -> bool:
        return (
            self.loaded is not None
            and self.loaded.inserted + self.loaded.updated + self.loaded.archived > 0
        )

    @property
    def rejected(self) -> int:
        """Rows that either step rejects."""
        rows = 0
        if isinstance(self.staged, StagedEntity):
            rows += self.staged.rejected
        if self.loaded:
            rows += self.loaded.refused
        return rows

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {
            "snapshot": self.snapshot,
            "compared_with": self.compared_with,
            "step_1": self.staged.as_json(),
            "step_2": self.loaded.as_json() if self.loaded else None,
            "guards": self.guards,
            "changed_fields": self.preview.changed_fields,
            "samples": [sample.as_json() for sample in self.preview.samples],
        }


@dataclass(frozen=True)
class Plan:
    """What an import of these entities would do. id: of a saved plan, else None."""

    made_at: datetime
    seconds: float
    entities: dict[str, PlannedEntity]
    id: str | None = None

    @property
    def has_changes(self) -> bool:
        return any(entity.has_changes for entity in self.entities.values())

    @property
    def failures(self) -> dict[str, str]:
        return {name: entity.failure for name, entity in self.entities.items() if entity.failure}

    @property
    def guards(self) -> dict[str, list[str]]:
        return {name: entity.guards for name, entity in self.entities.items() if entity.guards}

    def as_json(self) -> dict[str, Any]:
        """The document of `kimo plan --json`, which is also what a saved plan keeps."""
        return {
            "format": saved_plan.FORMAT,
            "version": saved_plan.FORMAT_VERSION,
            "id": self.id,
            "made_at": self.made_at,
            "seconds": round(self.seconds, 3),
            "has_changes": self.has_changes,
            "failures": self.failures,
            "guards": self.guards,
            "entities": {name: entity.as_json() for name, entity in self.entities.items()},
        }


def make_plan(
    config: KimoConfig,
    database: Database,
    names: Sequence[str],
    *,
    save: bool = False,
    progress: Progress | None = None,
) -> Plan:
    """plan_workflow to its end, under the lock that imports take.

    Raises: LockedError while a run is going on, and what plan_workflow raises.
    """
    # The lock of imports: schema plan has room for one plan, and a plan takes the ERP's semaphore.
    with exclusive(database) as connection:
        workflow = plan_workflow(
            config, database, connection, names, save=save, progress=progress or Progress()
        )
        # A for loop would lose the generator's return value, which is the plan.
        while True:
            try:
                next(workflow)
            except StopIteration as end:
                plan: Plan = end.value
                return plan


def plan_workflow(
    config: KimoConfig,
    database: Database,
    connection: Connection[Any],
    names: Sequence[str],
    *,
    save: bool,
    progress: Progress,
) -> Generator[StepReport, None, Plan]:
    """What an import of the named entities would do. Nothing of Kimo's changes.

    Yields the reports of steps 1 and 2, returns the plan. What would stop an import between them is
    among the plan's guards, and stops nothing here: the plan shows what lies behind it.
    save: keeps the snapshots, so that exactly this plan can be applied.
    Raises: ConfigError when a plan that could not read everything is to be saved.
    """
    started = time.monotonic()
    catalog = load_catalog()
    ordered = catalog.in_load_order(names)
    # First, because a killed plan may have left snapshots that would be taken for this one's.
    saved_plan.forget_snapshots(connection)
    is_kept = False
    try:
        staged = _stage(config, database, catalog, ordered, progress)
        yield StepReport(1, dict(staged))
        # "Could not read" is never "empty". Compared with nothing, every row of Kimo would look
        # archived.
        readable = [name for name in ordered if staged[name].status != "failed"]
        with _rolled_back(connection):
            loaded, previews = _load(connection, config, catalog, readable, progress)
        yield StepReport(2, dict(loaded))
        entities = {
            name: _planned(connection, config, staged[name], loaded.get(name), previews.get(name))
            for name in ordered
        }
        # Not a running number, so that a file from another company matches no plan here.
        plan_id = uuid.uuid4().hex if save else None
        plan = Plan(datetime.now(UTC), time.monotonic() - started, entities, plan_id)
        if plan.id:
            # Before it is kept. An incomplete plan would apply less than the operator has read.
            _require_complete(plan)
            saved_plan.save(connection, plan.id, plan.as_json())
            is_kept = True
    finally:
        # Snapshots are as big as the ERP, and without a record nothing could apply them.
        if not is_kept:
            saved_plan.forget_snapshots(connection)
    return plan


def _stage(
    config: KimoConfig,
    database: Database,
    catalog: Catalog,
    names: Sequence[str],
    progress: Progress,
) -> dict[str, StagedEntity]:
    """As an import does, with semaphore and custom task. Otherwise it might be other data."""
    # The guards are lifted, because a plan shows what lies behind a guard. Their sentences are
    # still in the reports.
    run = StagingRun(
        config, database.connect, load=NO_LOAD, area=PLANNED, allow_shrink=True, catalog=catalog
    )
    return {
        report.entity: report
        for report in stage_entities(run, names, progress, lambda report: None)
    }


def _load(
    connection: Connection[Any],
    config: KimoConfig,
    catalog: Catalog,
    names: Sequence[str],
    progress: Progress,
) -> tuple[dict[str, LoadedEntity], dict[str, Preview]]:
    previews: dict[str, Preview] = {}

    def keep_preview(comparison: Comparison) -> None:
        # Looked at now: a comparison lives in the transaction that is rolled back afterwards.
        previews[comparison.entity.name] = preview(connection, comparison, samples=_SAMPLES)

    # Rows need a load's number. This one goes with the rollback and leaves no gap.
    load = begin_trial_load(connection, "plan")
    # History serves an undo, and nothing will be there to undo.
    rules = replace(LoadRules.of(config, allow_shrink=True, area=PLANNED), keep_history=False)
    reports = load_entities(
        connection,
        catalog,
        names,
        load,
        rules,
        progress=progress,
        on_comparison=keep_preview,
    )
    return {report.entity: report for report in reports}, previews


@contextmanager
def _rolled_back(connection: Connection[Any]) -> Iterator[None]:
    with connection.transaction(force_rollback=True):
        yield


def _planned(
    connection: Connection[Any],
    config: KimoConfig,
    staged: StagedEntity,
    loaded: LoadedEntity | None,
    rows: Preview | None,
) -> PlannedEntity:
    # Both identities are kept, so that applying the plan notices whatever has changed since.
    return PlannedEntity(
        staged.entity,
        staged,
        saved_plan.snapshot_of(connection, staged.entity),
        saved_plan.last_change(connection, staged.entity),
        loaded,
        rows or Preview({}, []),
        blocked=too_many_rejected(config, staged),
    )


def _require_complete(plan: Plan) -> None:
    for name, reason in plan.failures.items():
        raise ConfigError(say("pipeline.plan.incomplete", entity=name, reason=reason))
