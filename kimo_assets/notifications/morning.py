"""What the morning report says. Where its figures come from is kimo_assets/diagnostics/run_summary.py's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from kimo_assets.notifications.compose import Block, Items, Letter, Paragraph, Section, table
from kimo_assets.notifications.runs import RefusedRows, names_in_short, refused_rows
from kimo_assets.notifications.settings import NotificationSettings
from kimo_assets.notifications.translations import Words
from kimo_assets.reports import by_reason

_ROWS = 15


@dataclass(frozen=True)
class LoadLine:
    """success None: it is going on, or was killed. failures: entity -> why."""

    load: int
    title: str
    at: datetime
    success: bool | None
    is_running: bool = False
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FailingJob:
    job: str
    since: datetime
    runs: int


@dataclass(frozen=True)
class WaitingRecords:
    """How many records of an entity are where on their way to the ERP: as `kimo export status`
    says.
    """

    entity: str
    ready: int
    held: int
    waiting: int
    in_flight: int
    unacknowledged: int


@dataclass(frozen=True)
class Stuck:
    what: str
    which: str
    since: datetime | None
    why: str


@dataclass(frozen=True)
class Tablet:
    user: str
    agent: str
    device: str
    last_sync_at: datetime


@dataclass(frozen=True)
class Tablets:
    """late: those that have not synced for more than max_hours, the latest last. agents_unknown: of
    whom no sync is known.

    is_known: whether Kimo's server writes them at all.
    """

    max_hours: float
    is_known: bool
    late: Sequence[Tablet] = ()
    agents_unknown: Sequence[str] = ()


@dataclass(frozen=True)
class MorningReport:
    """since: when the one before was made. fresh: entity -> when the ERP was last read with
    success, None: never.

    refused: as they stand, new ones since then. pictures, addresses: what is to be corrected, the
    first of it and how many.
    """

    at: datetime
    since: datetime
    fresh_hours: float
    last_load: LoadLine | None
    fresh: Mapping[str, datetime | None]
    failed: Sequence[LoadLine] = ()
    failing: Sequence[FailingJob] = ()
    refused: Sequence[RefusedRows] = ()
    waiting: Sequence[WaitingRecords] = ()
    stuck: Sequence[Stuck] = ()
    tablets: Tablets = Tablets(72, False)
    picture_count: int = 0
    pictures: Sequence[tuple[str, str]] = ()
    address_count: int = 0
    addresses: Sequence[tuple[str, str]] = ()
    undelivered: Sequence[tuple[str, str]] = ()

    @property
    def fresh_until(self) -> datetime | None:
        """The oldest; None when something was never read, or nothing is mapped."""
        moments = [at for at in self.fresh.values() if at is not None]
        return min(moments) if moments and len(moments) == len(self.fresh) else None

    @property
    def stale(self) -> dict[str, datetime | None]:
        """Those older than fresh_hours, never read ones first, then the oldest."""
        limit = self.at.timestamp() - self.fresh_hours * 3600
        old = {name: at for name, at in self.fresh.items() if at is None or at.timestamp() < limit}
        return dict(sorted(old.items(), key=lambda one: one[1].timestamp() if one[1] else 0))

    @property
    def to_look_at(self) -> int:
        """How many of the report's parts ask for somebody."""
        new = sum(one.new for one in self.refused)
        parts = (
            self.stale,
            self.failed or self.failing,
            new,
            self.stuck,
            any(w.held for w in self.waiting),
            self.tablets.late,
            self.picture_count,
            self.address_count,
            self.undelivered,
        )
        return sum(bool(part) for part in parts)

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "fresh_until": self.fresh_until,
            "stale": self.stale,
            "to_look_at": self.to_look_at,
        }


def morning_letter(report: MorningReport, settings: NotificationSettings) -> Letter:
    words = Words.of(settings)
    count = report.to_look_at
    state = (
        words("to do", count=count) if count > 1 else words("one to do" if count else "all well")
    )
    return Letter(
        subject=words("morning subject", state=state),
        headline=words("morning headline", day=words.day(report.at)) + f": {state}",
        tone="neutral" if count else "good",
        language=settings.language,
        facts=tuple(_facts(report, words)),
        sections=tuple(_sections(report, words)),
        link=(words("open"), settings.base_url) if settings.base_url else None,
        foot=words("foot"),
    )


def _facts(report: MorningReport, words: Words) -> Iterator[tuple[str, str]]:
    yield words("fresh until"), words.moment(report.fresh_until)
    last = report.last_load
    if last is None:
        yield words("last load"), words("no load")
    else:
        outcome = {
            True: "succeeded",
            False: "load failed",
            None: "running" if last.is_running else "killed",
        }[last.success]
        line = words(
            "load line",
            load=last.load,
            title=last.title,
            at=words.moment(last.at),
            outcome=words(outcome),
        )
        yield words("last load"), line
    yield words("covers"), words.moment(report.since)


def _sections(report: MorningReport, words: Words) -> Iterator[Section]:
    if report.failed or report.failing:
        yield Section(
            words("failed since"),
            (Items(tuple(_failed(report, words))), _command("kimo status")),
            is_bad=True,
        )
    yield Section(words("fresh"), tuple(_fresh(report, words)), is_bad=bool(report.stale))
    if report.refused:
        rows, new = sum(one.rows for one in report.refused), sum(one.new for one in report.refused)
        title = words("refused", count=words.count(rows), new=words.count(new))
        yield Section(
            title,
            (*refused_rows(report.refused, words), _command("kimo rejected")),
            is_bad=bool(new),
        )
    yield Section(words("waiting"), tuple(_waiting(report, words)))
    if report.stuck:
        columns = words.columns("what", "which", "since", "why")
        rows_ = [
            [s.what, s.which, words.moment(s.since) if s.since else "", s.why]
            for s in report.stuck[:_ROWS]
        ]
        shown = (
            table(columns, rows_, left=columns),
            *_more(len(report.stuck), words),
            _command("kimo export status"),
        )
        yield Section(words("stuck", count=words.count(len(report.stuck))), shown, is_bad=True)
    yield _tablets(report.tablets, words)
    if report.picture_count or report.address_count:
        yield Section(words("corrections"), tuple(_corrections(report, words)))
    if report.undelivered:
        columns = words.columns("what", "why")
        shown_mails = (table(columns, report.undelivered, left=columns),)
        yield Section(words("mails", count=len(report.undelivered)), shown_mails, is_bad=True)


def _failed(report: MorningReport, words: Words) -> Iterator[str]:
    for job in report.failing:
        yield words(
            "failing now", job=job.job, since=words.moment(job.since), count=words.count(job.runs)
        )
    for load in report.failed[:_ROWS]:
        if load.success is None:
            yield words("killed load", title=load.title, load=load.load)
            continue
        which = words("failed load", title=load.title, load=load.load, at=words.moment(load.at))
        reasons = by_reason(load.failures.items()).items()
        yield (
            f"{which}: " + "; ".join(f"{names_in_short(names)}: {why}" for why, names in reasons)
            if reasons
            else which
        )


def _fresh(report: MorningReport, words: Words) -> Iterator[Block]:
    hours = f"{report.fresh_hours:g}"
    stale = report.stale
    if not stale:
        yield Paragraph(words("all fresh", count=len(report.fresh), hours=hours))
    else:
        yield Paragraph(words("stale", count=len(stale), hours=hours))
    columns = words.columns("entity", "read last")
    oldest = stale or dict(
        sorted(report.fresh.items(), key=lambda one: one[1].timestamp() if one[1] else 0)[:5]
    )
    yield table(
        columns, [[name, words.moment(at)] for name, at in [*oldest.items()][:_ROWS]], left=columns
    )
    yield from _more(len(oldest), words)


_RECORDS = {
    "ready": "ready",
    "held": "held record",
    "waiting": "waiting record",
    "in_flight": "in_flight",
    "unacknowledged": "unacknowledged",
}


def _waiting(report: MorningReport, words: Words) -> Iterator[Block]:
    busy = [one for one in report.waiting if any(getattr(one, kind) for kind in _RECORDS)]
    if not busy:
        yield Paragraph(words("nothing waits"))
        return
    columns = words.columns("entity", *_RECORDS.values())
    rows = [[one.entity, *(words.number(getattr(one, kind)) for kind in _RECORDS)] for one in busy]
    yield table(columns, rows, left=columns[:1])
    if any(one.held for one in busy):
        yield _command("kimo export status")


def _tablets(tablets: Tablets, words: Words) -> Section:
    title = words(
        "tablets",
        hours=f"{tablets.max_hours:g}",
        count=len(tablets.late) if tablets.is_known else "?",
    )
    if not tablets.is_known:
        return Section(title, (Paragraph(words("tablets unknown")),))
    blocks: list[Block] = []
    if tablets.late:
        columns = words.columns("user", "agent", "device", "last sync")
        rows = [
            [one.user, one.agent, one.device, words.moment(one.last_sync_at)]
            for one in tablets.late[:_ROWS]
        ]
        blocks += [table(columns, rows, left=columns), *_more(len(tablets.late), words)]
    if tablets.agents_unknown:
        unknown = tablets.agents_unknown
        blocks.append(
            Paragraph(words("tablets never", count=len(unknown), names=names_in_short(unknown)))
        )
    return Section(title, tuple(blocks), is_bad=bool(tablets.late))


def _corrections(report: MorningReport, words: Words) -> Iterator[Block]:
    if report.picture_count:
        yield Paragraph(words("pictures", count=words.count(report.picture_count)))
        yield Items(tuple(f"{what}: {why}" for what, why in report.pictures))
        yield _command("kimo images audit")
    if report.address_count:
        yield Paragraph(words("addresses", count=words.count(report.address_count)))
        yield Items(tuple(f"{what}: {why}" for what, why in report.addresses))
        yield _command("kimo geocode --list")


def _more(count: int, words: Words) -> Iterator[Block]:
    if count > _ROWS:
        yield Paragraph(words("and more", count=count - _ROWS))


def _command(line: str) -> Paragraph:
    return Paragraph(line, is_command=True)
