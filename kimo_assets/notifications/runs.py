"""What a mail about a run says. Its figures come from kimo_assets/diagnostics/run_summary.py."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from kimo_assets.catalog.menu import STEP_TITLES
from kimo_assets.notifications.compose import Block, Items, Letter, Paragraph, Section, Tone, table
from kimo_assets.notifications.settings import NotificationSettings
from kimo_assets.notifications.translations import Words
from kimo_assets.reports import by_reason

# What a mail reports of a job.
Notice = Literal["succeeded", "failed", "still failing", "recovered"]

# A bad night can fail every entity. The mail shows the beginning, the UI all.
_ROWS, _NAMED = 25, 15
_NAMES_IN_A_LINE = 8
_TONES: dict[Notice, Tone] = {
    "succeeded": "good",
    "recovered": "good",
    "failed": "bad",
    "still failing": "bad",
}


@dataclass(frozen=True)
class StepLine:
    """What a step of the run did with an entity: its status, figures by name, and the error's
    sentence.
    """

    entity: str
    status: str
    seconds: float
    counts: Mapping[str, Any]
    error: str | None = None


@dataclass(frozen=True)
class RejectedRows:
    """Rows that are rejected now, by entity and reason. new: those that were not before."""

    entity: str
    where: str
    why: str
    rows: int
    new: int


@dataclass(frozen=True)
class RunOutcome:
    """A run that has ended.

    failures: what failed -> the reason, beside the steps' own. command: does the same again.
    exported: entity -> records, rows. held_back: entity, record, reason.
    figures, problems, notes: of a side job.
    """

    run_id: str
    title: str
    success: bool
    started_at: datetime
    ended_at: datetime
    command: str
    load: int | None = None
    started_by: str | None = None
    steps: Mapping[int, Sequence[StepLine]] = field(default_factory=dict)
    rejected: Sequence[RejectedRows] = ()
    failures: Sequence[tuple[str, str]] = ()
    exported: Mapping[str, tuple[int, int]] | None = None
    held_back: Sequence[tuple[str, str, str]] = ()
    figures: Mapping[str, int] = field(default_factory=dict)
    problems: Sequence[tuple[str, str]] = ()
    problem_count: int = 0
    notes: Sequence[str] = ()

    @property
    def did_something(self) -> bool:
        """Whether there is anything to report. An import always has, another job after work."""
        if self.steps:
            return True
        if self.exported is not None:
            return bool(self.exported or self.held_back)
        # A side job that looked and had nothing to do would fill the mailbox every quarter of an
        # hour.
        has_results = any(self.figures.get(kind) for kind in ("made", "removed", "answered"))
        return has_results or self.problem_count > 0


@dataclass(frozen=True)
class Failing:
    """Since when a job fails, and how many runs of it have."""

    since: datetime
    runs: int


def run_letter(
    run: RunOutcome, notice: Notice, settings: NotificationSettings, failing: Failing | None = None
) -> Letter:
    """The mail about a run. failing: the failures before it, where there were any."""
    words = Words.of(settings)
    form = notice.replace(" ", "_")
    address = settings.link(run.run_id)
    return Letter(
        subject=words(f"notifications.subject.{form}", title=run.title),
        headline=words(f"notifications.headline.{form}", title=run.title),
        tone=_TONES[notice],
        language=settings.language,
        facts=tuple(_facts(run, words, failing)),
        sections=tuple(_sections(run, words, settings)),
        link=(words("notifications.open_ui"), address) if address else None,
        foot=words("notifications.foot"),
    )


def _facts(run: RunOutcome, words: Words, failing: Failing | None) -> Iterator[tuple[str, str]]:
    """Name and value of each line at the head of the mail."""
    took = (run.ended_at - run.started_at).total_seconds()
    yield words("notifications.started"), words.moment(run.started_at)
    yield words("notifications.took"), words.duration(took)
    if run.load is not None:
        yield words("notifications.load"), str(run.load)
    if run.started_by:
        yield words("notifications.started_by"), run.started_by
    if failing:
        since = words.moment(failing.since)
        runs = words("notifications.failing_runs", since=since, count=failing.runs)
        yield words("notifications.failing_since"), runs
    yield words("notifications.run"), run.run_id


def _sections(run: RunOutcome, words: Words, settings: NotificationSettings) -> Iterator[Section]:
    """What failed comes first, then the steps, then what somebody should look at."""
    # Why it failed is what the reader opens the mail for.
    if not run.success:
        blocks = tuple(_failures(run, words, settings))
        yield Section(words("notifications.failures"), blocks, is_bad=True)
    for step, lines in sorted(run.steps.items()):
        yield Section(STEP_TITLES[step], tuple(_step(step, lines, words)))
    if run.rejected:
        yield _rejected(run.rejected, words)
    if attention := list(_to_look_at(run, words)):
        yield Section(words("notifications.to_look_at"), (Items(tuple(attention)),))
    if run.exported is not None:
        yield from _export(run, run.exported, words)
    yield from _side_job(run, words)


def _failures(run: RunOutcome, words: Words, settings: NotificationSettings) -> Iterator[Block]:
    """Each reason once, with the entities that failed of it, and how to run it again."""
    of_steps = [
        (line.entity, line.error or "failed")
        for lines in run.steps.values()
        for line in lines
        if line.status == "failed"
    ]
    sentences = [
        f"{names_in_short(names)}: {reason}" if any(names) else reason
        for reason, names in by_reason([*of_steps, *run.failures]).items()
    ]
    yield Items(tuple(sentences[:_NAMED]) or (words("notifications.no_reason"),))
    yield from _more(len(sentences), _NAMED, words)
    yield Paragraph(words("notifications.repeat_with"))
    yield command(run.command)
    hours = f"{settings.still_failing_hours:g}"
    yield Paragraph(words("notifications.next_mail", hours=hours))


def names_in_short(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:_NAMES_IN_A_LINE])
    hidden = len(names) - _NAMES_IN_A_LINE
    if hidden > 0:
        return f"{shown} +{hidden}"
    return shown


# Step -> the figures that are shown, and the name of their column.
_COLUMNS: dict[int, dict[str, str]] = {
    1: {"read": "read", "staged": "staged", "rejected": "rejected", "rejected_new": "new"},
    2: {
        "inserted": "inserted",
        "updated": "updated",
        "archived": "archived",
        "held": "held",
        "refused": "rejected",
    },
    3: {"rows": "rows", "rows_put": "rows_put", "rows_removed": "rows_removed", "agents": "agents"},
}


def _step(step: int, lines: Sequence[StepLine], words: Words) -> Iterator[Block]:
    """How many entities there were, then those that changed, the failed ones first."""
    by_status = {
        status: sum(line.status == status for line in lines) for status in ("unchanged", "failed")
    }
    yield Paragraph(words("notifications.step_summary", entities=len(lines), **by_status))
    changed = [line for line in lines if line.status != "unchanged"]
    changed.sort(key=lambda line: line.status != "failed")
    if not changed:
        return
    columns = words.columns("entity", "status", *_COLUMNS[step].values(), "seconds")
    rows = [_row(step, line, words) for line in changed[:_ROWS]]
    yield table(columns, rows, left=columns[:2])
    yield from _more(len(changed), _ROWS, words)


def _row(step: int, line: StepLine, words: Words) -> list[str]:
    return [
        line.entity,
        words(f"notifications.status.{line.status}"),
        *(words.number(line.counts.get(kind)) for kind in _COLUMNS[step]),
        words.number(round(line.seconds, 1)),
    ]


def _rejected(rejected: Sequence[RejectedRows], words: Words) -> Section:
    blocks = (
        *rejected_rows(rejected, words),
        Paragraph(words("notifications.retry_rejected")),
        command("kimo rejected"),
    )
    return Section(rejected_title(rejected, words), blocks, is_bad=has_new(rejected))


def has_new(rejected: Sequence[RejectedRows]) -> bool:
    """Whether a row is rejected that was not before."""
    return any(entry.new for entry in rejected)


def rejected_title(rejected: Sequence[RejectedRows], words: Words) -> str:
    """The title above a table of rejected rows."""
    total = sum(entry.rows for entry in rejected)
    new = sum(entry.new for entry in rejected)
    return words("notifications.rejected_rows", count=total, new=new)


def rejected_rows(rejected: Sequence[RejectedRows], words: Words) -> Iterator[Block]:
    """A table, those with new ones first."""
    ordered = sorted(rejected, key=lambda entry: (-entry.new, -entry.rows, entry.entity))
    columns = words.columns("entity", "which", "reason", "rows", "new")
    rows = [
        [entry.entity, entry.where, entry.why, words.number(entry.rows), words.number(entry.new)]
        for entry in ordered[:_NAMED]
    ]
    yield table(columns, rows, left=columns[:3])
    yield from _more(len(ordered), _NAMED, words)


def _to_look_at(run: RunOutcome, words: Words) -> Iterator[str]:
    """Rows held, and references to nowhere, over the entities of step 2."""
    loaded = [line.counts for line in run.steps.get(2, ())]
    held = sum(counts.get("held", 0) for counts in loaded)
    dangling = sum(sum(counts.get("dangling", {}).values()) for counts in loaded)
    if held:
        yield words("notifications.held_rows", count=held)
    if dangling:
        yield words("notifications.dangling", count=dangling)


def _export(
    run: RunOutcome, exported: Mapping[str, tuple[int, int]], words: Words
) -> Iterator[Section]:
    """What was sent, by entity, and what was held back with its reason."""
    columns = words.columns("entity", "records", "rows")
    rows = [
        [name, words.number(records), words.number(rows)]
        for name, (records, rows) in exported.items()
    ]
    block: Block = Paragraph(words("notifications.nothing_exported"))
    if rows:
        block = table(columns, rows, left=columns[:1])
    sent = sum(records for records, _ in exported.values())
    yield Section(words("notifications.exported", count=sent), (block,))
    if run.held_back:
        columns = words.columns("entity", "which", "reason")
        held = table(columns, run.held_back[:_NAMED], left=columns)
        title = words("notifications.held_back", count=len(run.held_back))
        yield Section(title, (held, command("kimo export status")), is_bad=True)


def _side_job(run: RunOutcome, words: Words) -> Iterator[Section]:
    """The figures, problems and notes that a side job has recorded."""
    if run.figures:
        columns = words.columns("subject", "count")
        rows = [[name.replace("_", " "), words.number(n)] for name, n in run.figures.items()]
        block = table(columns, rows, left=columns[:1])
        yield Section(words("notifications.figures"), (block,))
    if run.problems:
        columns = words.columns("subject", "reason")
        block = table(columns, run.problems[:_NAMED], left=columns)
        title = words("notifications.problems", count=run.problem_count)
        yield Section(title, (block,), is_bad=True)
    if run.notes:
        yield Section(words("notifications.notes"), (Items(tuple(run.notes[:_NAMED])),))


def _more(count: int, shown: int, words: Words) -> Iterator[Block]:
    if count > shown:
        yield Paragraph(words("notifications.and_more", count=count - shown))


def command(line: str) -> Paragraph:
    """A line that the operator types."""
    return Paragraph(line, is_command=True)
