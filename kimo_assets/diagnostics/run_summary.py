"""What operators learn about a run that has ended, read from the layers' tables.

Its wording is kimo_assets/notifications'. When a mail is written is decided by
defs/automation/notifications.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import command_of
from kimo_assets.config import KimoConfig
from kimo_assets.database.queries import load_of_run, results_of_load
from kimo_assets.diagnostics.secrets import Masking, masking
from kimo_assets.export.queries import exported_by_run, held_back
from kimo_assets.notifications.runs import RejectedRows, RunOutcome, StepLine
from kimo_assets.notifications.settings import Language, NotificationSettings
from kimo_assets.staging.queries import newly_rejected
from kimo_assets.staging.rejected import count_rejected


@dataclass(frozen=True)
class EndedRun:
    """What Dagster knows of a run. title: the menu's entry. errors: sentences about its failure.

    figures, problems, notes: of a side job's report.
    """

    run_id: str
    job: str
    title: str
    success: bool
    started_at: datetime
    ended_at: datetime
    started_by: str | None = None
    errors: Sequence[str] = ()
    figures: Mapping[str, int] = field(default_factory=dict)
    problems: Sequence[tuple[str, str]] = ()
    problem_count: int = 0
    notes: Sequence[str] = ()


def read_run(
    connection: Connection[Any],
    config: KimoConfig,
    settings: NotificationSettings,
    run: EndedRun,
) -> RunOutcome:
    """A run with what the ledger keeps of it."""
    masked = masking(config, settings)
    load = load_of_run(connection, run.run_id)
    steps: dict[int, list[StepLine]] = {}
    exported = None
    held: Sequence[tuple[str, str, str]] = ()
    if load is not None:
        steps = _steps(connection, load, masked)
    # None means "no export". An export that sent nothing is an empty result and gets another
    # sentence.
    if run.job == menu.EXPORT.job:
        exported = exported_by_run(connection, run.run_id)
        if load is not None:
            held = held_back(connection, load)
    failures = []
    # The failures of a step's entities are shown with them. Dagster's own sentence repeats them.
    if not _has_failed_entity(steps.values()):
        failures = [("", masked(error)) for error in run.errors]
    return RunOutcome(
        run_id=run.run_id,
        title=run.title,
        success=run.success,
        started_at=run.started_at,
        ended_at=run.ended_at,
        command=command_of(run.job),
        load=load,
        started_by=run.started_by,
        steps=steps,
        # Step 3 rejects no rows, so its entities would only bring in old ones.
        rejected=rejected_by_reason(
            connection, settings.language, load=load, entities=_entities_of(steps, (1, 2))
        ),
        failures=failures,
        exported=exported,
        held_back=held,
        figures=run.figures,
        problems=[(subject, masked(reason)) for subject, reason in run.problems],
        problem_count=run.problem_count,
        notes=[masked(note) for note in run.notes],
    )


def is_known_run(connection: Connection[Any], run_id: str) -> bool:
    """Whether the ledger knows this Dagster run."""
    return load_of_run(connection, run_id) is not None


def _steps(connection: Connection[Any], load: int, masked: Masking) -> dict[int, list[StepLine]]:
    steps: dict[int, list[StepLine]] = {}
    for result in results_of_load(connection, load):
        error = masked(result.error) if result.error else None
        line = StepLine(result.entity, result.status, result.seconds, result.counts, error)
        steps.setdefault(result.step, []).append(line)
    return steps


def _has_failed_entity(steps: Iterable[Sequence[StepLine]]) -> bool:
    return any(line.status == "failed" for lines in steps for line in lines)


def _entities_of(steps: Mapping[int, Sequence[StepLine]], numbers: Sequence[int]) -> set[str]:
    return {line.entity for number in numbers for line in steps.get(number, ())}


def rejected_by_reason(
    connection: Connection[Any],
    language: Language,
    *,
    load: int | None = None,
    entities: set[str] | None = None,
    since: datetime | None = None,
) -> list[RejectedRows]:
    """The rejected rows as they stand now, by entity and reason. New: by this load, or since then.

    entities: None means all.
    """
    # Nothing was read or loaded. Rows rejected by other runs are not this run's news.
    if entities is not None and not entities:
        return []
    new = newly_rejected(connection, load=load, since=since)
    rows = []
    for count in count_rejected(connection):
        if entities is not None and count.entity not in entities:
            continue
        reason = count.reason.it if language == "it" else count.reason.en
        new_rows = new.get((count.entity, count.step, count.rule, count.field), 0)
        rows.append(RejectedRows(count.entity, count.field or "", reason, count.rows, new_rows))
    return rows
