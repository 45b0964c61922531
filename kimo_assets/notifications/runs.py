"""What a mail about a run says. Where its figures come from is kimo_assets/diagnostics/run_summary.py's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from kimo_assets.catalog.menu import STEP_TITLES
from kimo_assets.notifications.compose import Block, Items, Letter, Paragraph, Section, Tone, table
from kimo_assets.notifications.settings import NotificationSettings
from kimo_assets.notifications.translations import Words
from kimo_assets.reports import by_reason

Told = Literal["succeeded", "failed", "still failing", "recovered"]

_ROWS, _NAMED = 25, 15
_TONES: dict[Told, Tone] = {
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
class RefusedRows:
    """Rows that are refused now, by entity and reason. new: of them, those that were not before."""

    entity: str
    where: str
    why: str
    rows: int
    new: int


@dataclass(frozen=True)
class RunNews:
    """A run that has ended. failures: what failed -> why, beside the steps' own. command: does the
    same again.

    exported: entity -> records, rows; held_back: entity, record, why. figures, problems, notes: of
    a side job.
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
    refused: Sequence[RefusedRows] = ()
    failures: Sequence[tuple[str, str]] = ()
    exported: Mapping[str, tuple[int, int]] | None = None
    held_back: Sequence[tuple[str, str, str]] = ()
    figures: Mapping[str, int] = field(default_factory=dict)
    problems: Sequence[tuple[str, str]] = ()
    problem_count: int = 0
    notes: Sequence[str] = ()

    @property
    def did_something(self) -> bool:
        """Whether anything is there to be told of: an import always; the other jobs when something
        was new.
        """
        if self.steps:
            return True
        if self.exported is not None:
            return bool(self.exported or self.held_back)
        return any(self.figures.get(kind) for kind in ("made", "removed", "answered")) or bool(
            self.problem_count
        )


@dataclass(frozen=True)
class Failing:
    """Since when a job fails, and how many runs of it have."""

    since: datetime
    runs: int


def run_letter(
    news: RunNews, told: Told, settings: NotificationSettings, failing: Failing | None = None
) -> Letter:
    """failing: what went before, when told is `still failing` or `recovered`."""
    words = Words.of(settings)
    link = settings.link(news.run_id)
    return Letter(
        subject=words(f"subject {told}", title=news.title),
        headline=words(f"headline {told}", title=news.title),
        tone=_TONES[told],
        language=settings.language,
        facts=tuple(_facts(news, words, failing)),
        sections=tuple(_sections(news, words, settings)),
        link=(words("open"), link) if link else None,
        foot=words("foot"),
    )


def _facts(news: RunNews, words: Words, failing: Failing | None) -> Iterator[tuple[str, str]]:
    yield words("started"), words.moment(news.started_at)
    yield words("took"), words.duration((news.ended_at - news.started_at).total_seconds())
    if news.load is not None:
        yield words("load"), str(news.load)
    if news.started_by:
        yield words("scheduled by"), news.started_by
    if failing:
        since = words.moment(failing.since)
        yield (
            words("failing since"),
            words("failing runs", since=since, count=words.count(failing.runs)),
        )
    yield words("run"), news.run_id


def _sections(news: RunNews, words: Words, settings: NotificationSettings) -> Iterator[Section]:
    if not news.success:
        yield Section(words("what failed"), tuple(_failures(news, words, settings)), is_bad=True)
    for step, lines in sorted(news.steps.items()):
        yield Section(STEP_TITLES[step], tuple(_step(step, lines, words)))
    if news.refused:
        yield _refused(news.refused, words)
    if attention := list(_to_look_at(news, words)):
        yield Section(words("to look at"), (Items(tuple(attention)),))
    if news.exported is not None:
        yield from _export(news, news.exported, words)
    yield from _task(news, words)


def _failures(news: RunNews, words: Words, settings: NotificationSettings) -> Iterator[Block]:
    of_steps = [
        (line.entity, line.error or "failed")
        for lines in news.steps.values()
        for line in lines
        if line.status == "failed"
    ]
    grouped = by_reason([*of_steps, *news.failures]).items()
    sentences = [f"{names_in_short(names)}: {why}" if any(names) else why for why, names in grouped]
    yield Items(tuple(sentences[:_NAMED]) or (words("no reason"),))
    if len(sentences) > _NAMED:
        yield Paragraph(words("and more", count=len(sentences) - _NAMED))
    yield Paragraph(words("kept"))
    yield Paragraph(news.command, is_command=True)
    yield Paragraph(words("quiet", hours=f"{settings.still_failing_hours:g}"))


def names_in_short(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" +{len(names) - 8}" if len(names) > 8 else "")


# Step -> the figures that are shown, and what a column of them is called.
_COLUMNS: dict[int, dict[str, str]] = {
    1: {"read": "read", "staged": "staged", "rejected": "rejected", "rejected_new": "new"},
    2: {
        "inserted": "inserted",
        "updated": "updated",
        "archived": "archived",
        "held": "held_",
        "refused": "refused_",
    },
    3: {"rows": "rows", "rows_put": "rows_put", "rows_removed": "rows_removed", "agents": "agents"},
}


def _step(step: int, lines: Sequence[StepLine], words: Words) -> Iterator[Block]:
    """How many entities there were, then those that changed, the failed ones first."""
    by_status = {
        status: sum(line.status == status for line in lines) for status in ("unchanged", "failed")
    }
    yield Paragraph(words("step summary", entities=len(lines), **by_status))
    busy = sorted(
        (line for line in lines if line.status != "unchanged"),
        key=lambda line: line.status != "failed",
    )
    if not busy:
        return
    rows = [
        [
            line.entity,
            words(line.status),
            *(words.number(line.counts.get(kind)) for kind in _COLUMNS[step]),
            words.number(round(line.seconds, 1)),
        ]
        for line in busy[:_ROWS]
    ]
    columns = words.columns("entity", "status", *_COLUMNS[step].values(), "seconds")
    yield table(columns, rows, left=columns[:2])
    if len(busy) > _ROWS:
        yield Paragraph(words("and more", count=len(busy) - _ROWS))


def _refused(refused: Sequence[RefusedRows], words: Words) -> Section:
    total, new = sum(one.rows for one in refused), sum(one.new for one in refused)
    title = words("refused", count=words.count(total), new=words.count(new))
    blocks = (
        *refused_rows(refused, words),
        Paragraph(words("refused commands")),
        _command("kimo rejected"),
    )
    return Section(title, blocks, is_bad=bool(new))


def refused_rows(refused: Sequence[RefusedRows], words: Words) -> Iterator[Block]:
    """A table, those with new ones first."""
    ordered = sorted(refused, key=lambda one: (-one.new, -one.rows, one.entity))
    columns = words.columns("entity", "which", "why", "rows", "new")
    rows = [
        [one.entity, one.where, one.why, words.number(one.rows), words.number(one.new)]
        for one in ordered[:_NAMED]
    ]
    yield table(columns, rows, left=columns[:3])
    if len(ordered) > _NAMED:
        yield Paragraph(words("and more", count=len(ordered) - _NAMED))


def _to_look_at(news: RunNews, words: Words) -> Iterator[str]:
    loaded = news.steps.get(2, ())
    if held := sum(line.counts.get("held", 0) for line in loaded):
        yield words("held", count=words.count(held))
    if dangling := sum(sum(line.counts.get("dangling", {}).values()) for line in loaded):
        yield words("dangling", count=words.count(dangling))


def _export(
    news: RunNews, exported: Mapping[str, tuple[int, int]], words: Words
) -> Iterator[Section]:
    sent = sum(records for records, _ in exported.values())
    columns = words.columns("entity", "records", "rows")
    rows = [
        [name, words.number(records), words.number(rows)]
        for name, (records, rows) in exported.items()
    ]
    shown: Block = (
        table(columns, rows, left=columns[:1]) if rows else Paragraph(words("nothing exported"))
    )
    yield Section(words("exported", count=words.count(sent)), (shown,))
    if news.held_back:
        columns = words.columns("entity", "which", "why")
        held = table(columns, news.held_back[:_NAMED], left=columns)
        title = words("held back", count=words.count(len(news.held_back)))
        yield Section(title, (held, _command("kimo export status")), is_bad=True)


def _task(news: RunNews, words: Words) -> Iterator[Section]:
    if news.figures:
        columns = words.columns("what", "count")
        rows = [
            [name.replace("_", " "), words.number(count)] for name, count in news.figures.items()
        ]
        yield Section(words("figures"), (table(columns, rows, left=columns[:1]),))
    if news.problems:
        columns = words.columns("what", "why")
        shown = table(columns, news.problems[:_NAMED], left=columns)
        yield Section(
            words("problems", count=words.count(news.problem_count)), (shown,), is_bad=True
        )
    if news.notes:
        yield Section(words("notes"), (Items(tuple(news.notes[:_NAMED])),))


def _command(line: str) -> Paragraph:
    return Paragraph(line, is_command=True)
