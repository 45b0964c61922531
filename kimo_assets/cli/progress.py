"""Showing a run while it goes: bars on a terminal, a line per entity elsewhere. Always on
stderr.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from kimo_assets.catalog.menu import STEP_TITLES
from kimo_assets.cli.formatting import Terminal, plain, plural, size
from kimo_assets.progress import Progress
from kimo_assets.reports import (
    EntityReport,
    LoadedEntity,
    PublishedEntity,
    RetriedEntity,
    StagedEntity,
)


@contextmanager
def shown_progress(err: Terminal) -> Iterator[Progress]:
    """What suits stderr: bars that are gone afterwards, or lines that stay."""
    if not err.is_terminal:
        yield PlainProgress(err)
        return
    with bars(err) as shown:
        yield TerminalProgress(shown)


def bars(err: Terminal) -> Bars:
    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )


class TerminalProgress(Progress):
    """A bar for the entities of the step, and below it those being worked on with their rows per
    second.
    """

    def __init__(self, shown: Bars) -> None:
        self._bars = shown
        self._step: TaskID | None = None
        self._total = self._started = 0
        self._current: dict[str, _Current] = {}
        self._last_failure = ""

    def step_started(self, step: int, entities: Sequence[str]) -> None:
        self._complete()
        self._total, self._started = len(entities), 0
        self._step = self._bars.add_task(STEP_TITLES[step], total=len(entities), detail="")

    def entity_started(self, step: int, entity: str) -> None:
        if step > 1:  # one after another, and not each is told when it is done
            self._forget(*list(self._current))
        self._started += 1
        task = self._bars.add_task(f"  {entity}", total=None, detail="")
        self._current[entity] = _Current(task, time.monotonic())
        self._show_so_far()

    def rows_read(self, entity: str, rows: int) -> None:
        current = self._current[entity]
        current.rows += rows
        elapsed = max(time.monotonic() - current.since, 0.001)
        self._update(
            current.task, detail=f"{current.rows:,} rows, {current.rows / elapsed:,.0f} rows/s"
        )

    def entity_done(self, step: int, report: EntityReport) -> None:
        self._forget(report.entity)
        self._show_so_far()
        if report.status == "failed":
            reason = plain(report.error)
            shown = "for the same reason" if reason == self._last_failure else reason
            self._last_failure = reason
            self._bars.console.print(f"Step {step}: {report.entity} failed: {shown}", style="red")

    def log(self, line: str) -> None:
        self._bars.console.print(plain(line), style="dim")

    def manifests_started(self, agents: int) -> None:
        self._complete()
        self._total = agents
        self._step = self._bars.add_task(
            "Manifests", total=agents, detail=plural(agents, "agent"), start=True
        )

    def manifest_done(self) -> None:
        if self._step is not None:
            self._bars.advance(self._step)

    def task_started(self, title: str, total: int | None) -> None:
        self._complete()
        self._total = total or 0
        self._step = self._bars.add_task(
            title, total=total, detail="" if total is None else f"{total:,}"
        )

    def task_advanced(self, pieces: int) -> None:
        if self._step is not None:
            self._bars.advance(self._step, pieces)
            done = next(task.completed for task in self._bars.tasks if task.id == self._step)
            self._update(
                self._step, detail=f"{done:,.0f}" + (f" of {self._total:,}" if self._total else "")
            )

    def _show_so_far(self) -> None:
        done = self._started - len(self._current)
        self._update(
            self._step,
            completed=done,
            detail=f"{done} of {plural(self._total, 'entity', 'entities')}",
        )

    def _forget(self, *entities: str) -> None:
        for entity in entities:
            if entity in self._current:
                self._bars.remove_task(self._current.pop(entity).task)

    def _complete(self) -> None:
        self._update(
            self._step, completed=self._total, detail=plural(self._total, "entity", "entities")
        )
        self._forget(*list(self._current))

    def _update(self, task: TaskID | None, **values: Any) -> None:
        if task is not None:
            self._bars.update(task, **values)


@dataclass
class _Current:
    """An entity being worked on."""

    task: TaskID
    since: float
    rows: int = 0


# How often a log hears that a long task goes on.
_TELLING_S = 10.0


class PlainProgress(Progress):
    """A line per entity when it is done: for logs, cron's mails, pipes."""

    def __init__(self, err: Terminal) -> None:
        self._err = err
        self._last_failure = ""

    def step_started(self, step: int, entities: Sequence[str]) -> None:
        self._say(f"{STEP_TITLES[step]}: {plural(len(entities), 'entity', 'entities')}")

    def entity_done(self, step: int, report: EntityReport) -> None:
        figures = self._failure(report) if report.status == "failed" else in_figures(report)
        self._say(
            f"  {step}  {report.entity:<32} {report.status:<9} {report.seconds:6.2f} s  {figures}"
        )

    def _failure(self, report: EntityReport) -> str:
        """A reason that many entities share is said once."""
        reason = plain(report.error)
        said_before, self._last_failure = reason == self._last_failure, reason
        return "for the same reason" if said_before else reason

    def log(self, line: str) -> None:
        self._say(f"  {plain(line)}")

    def manifests_started(self, agents: int) -> None:
        self._say(f"Manifests: {plural(agents, 'agent')}")

    def task_started(self, title: str, total: int | None) -> None:
        """Then a line now and then, so that a log tells that it goes on."""
        self._title, self._total, self._done, self._told_at = title, total, 0, time.monotonic()
        self._say(title + ("" if total is None else f": {total:,}"))

    def task_advanced(self, pieces: int) -> None:
        self._done += pieces
        if time.monotonic() - self._told_at >= _TELLING_S:
            self._told_at = time.monotonic()
            self._say(
                f"  {self._title}: {self._done:,}" + (f" of {self._total:,}" if self._total else "")
            )

    def _say(self, line: str) -> None:
        self._err.say(line.rstrip())


def in_figures(report: EntityReport) -> str:
    """What a step did with an entity, in one line; nothing about figures that are zero."""
    match report:
        case RetriedEntity():
            parts = {
                "retried": report.retried,
                "now good": report.good,
                "still refused": report.still_refused,
            }
            parts |= {"gone": report.gone, "without a key": report.without_key}
        case StagedEntity():
            parts = {"read": report.read, "refused": report.rejected}
        case LoadedEntity():
            kinds = ("inserted", "updated", "archived", "unchanged", "held", "refused")
            parts = {kind: getattr(report, kind) for kind in kinds}
            parts["dangling"] = sum(report.dangling.values())
        case PublishedEntity():
            parts = {"rows": report.rows, "objects written": report.objects_written}
            return _joined(parts) + (
                f", {size(report.bytes_written)}" if report.bytes_written else ""
            )
        case _:
            parts = {}
    return _joined(parts)


def _joined(parts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)
