"""The steps of a retry: rejected rows are read again, what is good now is loaded and published.

What becomes of a row is staging's (kimo_assets/staging/retry.py) and loading's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from psycopg import Connection
from sqlalchemy import Engine

from kimo_assets.catalog import Catalog
from kimo_assets.config import SystemId
from kimo_assets.pipeline.steps import Run, run_step, staging_run
from kimo_assets.reports import (
    EntityReport,
    LoadedEntity,
    ReloadedEntity,
    RetriedEntity,
    StagedEntity,
    StepReport,
)
from kimo_assets.staging.queries import rejected_counts
from kimo_assets.staging.retry import retry_entity
from kimo_assets.staging.step import stage_entities
from kimo_assets.sync.queries import published_entities


@dataclass(frozen=True)
class Retry:
    """What a retry has to do.

    rejected: counts of rows by step and entity. loaded, published: the entities of steps 2 and 3.
    """

    rejected: Mapping[int, Mapping[str, int]]
    loaded: Sequence[str]
    published: Sequence[str]

    def names(self, step: int) -> Sequence[str]:
        """The entities that a step is about."""
        match step:
            case 1:
                return list(self.rejected[1])
            case 2:
                return self.loaded
            case _:
                return self.published


def choose_retry(run: Run, names: Sequence[str]) -> Retry:
    """The rejected rows of the named entities, and of their parts, which fell with their owner.

    Payloads of other entities may show more as well, now that a row is there. So all entities that
    were published are looked at.
    """
    rejected = _rejected(run)
    loaded = [name for name in names if name in rejected[1] or name in rejected[2]]
    # A line whose order was rejected was rejected with it, although nothing is wrong with the line.
    loaded += _orphaned_parts(run.catalog, loaded, rejected[2])
    rejected_of_loaded = {
        step: {name: count for name, count in counts.items() if name in loaded}
        for step, counts in rejected.items()
    }
    if not loaded:
        return Retry(rejected_of_loaded, [], [])
    affected = {*published_entities(run.connection), *loaded}
    published = [name for name in run.config.entity_names if name in affected]
    return Retry(rejected_of_loaded, loaded, published)


def _rejected(run: Run) -> dict[int, dict[str, int]]:
    """step -> entity -> how many of its rows are in quarantine."""
    mapped = run.config.entities
    return {
        step: {entity: count for entity, count in counts.items() if entity in mapped}
        for step, counts in rejected_counts(run.connection).items()
    }


def _orphaned_parts(
    catalog: Catalog, names: Sequence[str], rejected: Mapping[str, int]
) -> list[str]:
    """Entities with rows rejected in step 2 whose owner, or owner's owner, is among the names."""
    return [
        name for name in rejected if name not in names and _has_owner_among(catalog, name, names)
    ]


def _has_owner_among(catalog: Catalog, name: str, names: Sequence[str]) -> bool:
    owner = catalog[name].owner
    return (
        owner is not None
        and owner != name
        and (owner in names or _has_owner_among(catalog, owner, names))
    )


def retry_step(run: Run, step: int, retry: Retry) -> StepReport:
    """One step of the retry. A step with failures keeps what is good, and should be the last."""
    names = run.catalog.in_load_order(retry.names(step))
    if step == 1:
        run.progress.step_started(1, names)
        return run.finished(1, _reread(run, names))
    report = run_step(run, step, names)
    if step == 2:
        reports = report.entities.values()
        return run.finished(2, [_reloaded(loaded, retry.rejected[2]) for loaded in reports])
    return report


def _reread(run: Run, names: Sequence[str]) -> list[StagedEntity]:
    """As an import reads: with the semaphores, the custom task, entities side by side."""

    def reread(
        connection: Connection[Any],
        engines: Mapping[SystemId, Engine],
        name: str,
        on_rows: Callable[[int], None],
    ) -> RetriedEntity:
        mappings = run.config.entities[name]
        return retry_entity(
            connection, engines, run.catalog[name], mappings, load=run.load, on_rows=on_rows
        )

    return stage_entities(
        staging_run(run),
        names,
        run.progress,
        lambda report: run.done(1, report),
        work=reread,
        failed=RetriedEntity,
    )


def _reloaded(report: EntityReport, rejected: Mapping[str, int]) -> EntityReport:
    if not isinstance(report, LoadedEntity):
        return report
    values = {field.name: getattr(report, field.name) for field in fields(LoadedEntity)}
    return ReloadedEntity(**values, retried=rejected.get(report.entity, 0))
