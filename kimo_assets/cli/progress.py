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
from kimo_assets.texts import say


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
        # rich would read a name in square brackets as a style.
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
        console=err,
        # The report that follows says the same, and better.
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
        # After step 1 entities come one after another, and not each reports its end.
        if step > 1:
            self._forget(*list(self._current))
        self._started += 1
        task = self._bars.add_task(f"  {entity}", total=None, detail="")
        self._current[entity] = _Current(task, time.monotonic())
        self._show_so_far()

    def rows_read(self, entity: str, rows: int) -> None:
        current = self._current[entity]
        current.rows += rows
        # The first rows may come within the clock's grain.
        elapsed_s = max(time.monotonic() - current.since, 0.001)
        rate = current.rows / elapsed_s
        detail = say("cli.progress.rows", rows=current.rows, rate=rate)
        self._update(current.task, detail=detail)

    def entity_done(self, step: int, report: EntityReport) -> None:
        self._forget(report.entity)
        self._show_so_far()
        if report.status == "failed":
            reason = plain(report.error)
            # A source that is down fails a hundred entities with one long sentence.
            shown = say("cli.progress.same_reason") if reason == self._last_failure else reason
            self._last_failure = reason
            line = say("cli.progress.failed", step=step, entity=report.entity, reason=shown)
            # By the bars' own console, which prints above them instead of through them.
            self._bars.console.print(line, style="red")

    def log(self, line: str) -> None:
        self._bars.console.print(plain(line), style="dim")

    def manifests_started(self, agents: int) -> None:
        self._complete()
        self._total = agents
        detail = plural(agents, "agent")
        title = say("cli.progress.manifests")
        self._step = self._bars.add_task(title, total=agents, detail=detail, start=True)

    def manifest_done(self) -> None:
        if self._step is not None:
            self._bars.advance(self._step)

    def task_started(self, title: str, total: int | None) -> None:
        self._complete()
        self._total = total or 0
        detail = "" if total is None else f"{total:,}"
        self._step = self._bars.add_task(title, total=total, detail=detail)

    def task_advanced(self, pieces: int) -> None:
        if self._step is None:
            return
        self._bars.advance(self._step, pieces)
        done = next(task.completed for task in self._bars.tasks if task.id == self._step)
        self._update(self._step, detail=_done_of(round(done), self._total))

    def _show_so_far(self) -> None:
        done = self._started - len(self._current)
        detail = say("cli.progress.done_of", done=done, total=plural(self._total, "entity"))
        self._update(self._step, completed=done, detail=detail)

    def _forget(self, *entities: str) -> None:
        for entity in entities:
            if entity in self._current:
                self._bars.remove_task(self._current.pop(entity).task)

    def _complete(self) -> None:
        detail = plural(self._total, "entity")
        self._update(self._step, completed=self._total, detail=detail)
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


def _done_of(done: int, total: int) -> str:
    """How many pieces of a task are done. total: 0 when it is not known."""
    if not total:
        return f"{done:,}"
    return say("cli.progress.done_of", done=f"{done:,}", total=f"{total:,}")


# How often a log shows that a long task goes on.
_LINE_EVERY_S = 10.0


class PlainProgress(Progress):
    """A line per entity when it is done: for logs, cron's mails, pipes."""

    def __init__(self, err: Terminal) -> None:
        self._err = err
        self._last_failure = ""

    def step_started(self, step: int, entities: Sequence[str]) -> None:
        count = plural(len(entities), "entity")
        self._print(f"{STEP_TITLES[step]}: {count}")

    def entity_done(self, step: int, report: EntityReport) -> None:
        figures = self._failure(report) if report.status == "failed" else in_figures(report)
        took = f"{report.seconds:6.2f} s"
        self._print(f"  {step}  {report.entity:<32} {report.status:<9} {took}  {figures}")

    def _failure(self, report: EntityReport) -> str:
        """A reason that many entities share is printed once."""
        reason = plain(report.error)
        is_repeated = reason == self._last_failure
        self._last_failure = reason
        return say("cli.progress.same_reason") if is_repeated else reason

    def log(self, line: str) -> None:
        self._print(f"  {plain(line)}")

    def manifests_started(self, agents: int) -> None:
        title = say("cli.progress.manifests")
        count = plural(agents, "agent")
        self._print(f"{title}: {count}")

    def task_started(self, title: str, total: int | None) -> None:
        """Then a line now and then, so that a log shows that it goes on."""
        self._title, self._total, self._done = title, total or 0, 0
        self._printed_at = time.monotonic()
        self._print(title if total is None else f"{title}: {total:,}")

    def task_advanced(self, pieces: int) -> None:
        self._done += pieces
        if time.monotonic() - self._printed_at >= _LINE_EVERY_S:
            self._printed_at = time.monotonic()
            so_far = _done_of(self._done, self._total)
            self._print(f"  {self._title}: {so_far}")

    def _print(self, line: str) -> None:
        self._err.say(line.rstrip())


def in_figures(report: EntityReport) -> str:
    """What a step did with an entity, in one line, without the figures that are zero."""
    keys: tuple[str, ...] = ()
    match report:
        case RetriedEntity():
            keys = ("retried", "good", "still_refused", "gone", "without_key")
        case StagedEntity():
            keys = ("read", "rejected")
        case LoadedEntity():
            keys = ("inserted", "updated", "archived", "unchanged", "held", "refused")
        case PublishedEntity():
            keys = ("rows", "objects_written")
    counts = {key: getattr(report, key) for key in keys}
    if isinstance(report, LoadedEntity):
        counts["dangling"] = sum(report.dangling.values())
    figures = [say(f"cli.figure.{key}", count=count) for key, count in counts.items() if count]
    if isinstance(report, PublishedEntity) and report.bytes_written:
        figures.append(size(report.bytes_written))
    return ", ".join(figures)
