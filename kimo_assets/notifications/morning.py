"""What the morning report says. Its figures come from kimo_assets/diagnostics/run_summary.py."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kimo_assets.notifications.compose import Block, Items, Letter, Paragraph, Section, table
from kimo_assets.notifications.runs import (
    RejectedRows,
    command,
    has_new,
    names_in_short,
    rejected_rows,
    rejected_title,
)
from kimo_assets.notifications.settings import NotificationSettings
from kimo_assets.notifications.translations import Words
from kimo_assets.reports import by_reason

# The report is to be read to its end. The commands under its tables list the rest.
_ROWS = 15
_OLDEST_SHOWN = 5
_NEVER = datetime.fromtimestamp(0, UTC)


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
    refused: Sequence[RejectedRows] = ()
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
        if not moments or len(moments) < len(self.fresh):
            return None
        return min(moments)

    @property
    def stale(self) -> dict[str, datetime | None]:
        """Those older than fresh_hours, never read ones first, then the oldest."""
        limit = self.at - timedelta(hours=self.fresh_hours)
        old = {name: at for name, at in self.fresh.items() if at is None or at < limit}
        return _oldest_first(old)

    @property
    def to_look_at(self) -> int:
        """How many of the report's parts ask for somebody."""
        parts = (
            self.stale,
            # One part of the report, so it counts once.
            self.failed or self.failing,
            # Rows that were rejected yesterday are known. Counted daily, they would hide new ones.
            has_new(self.refused),
            self.stuck,
            any(entry.held for entry in self.waiting),
            self.tablets.late,
            self.picture_count,
            self.address_count,
            self.undelivered,
        )
        return sum(bool(part) for part in parts)

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {
            **asdict(self),
            "fresh_until": self.fresh_until,
            "stale": self.stale,
            "to_look_at": self.to_look_at,
        }


def _oldest_first(moments: Mapping[str, datetime | None]) -> dict[str, datetime | None]:
    """What was never read counts as the oldest."""

    def age(entry: tuple[str, datetime | None]) -> float:
        at = entry[1] or _NEVER
        return at.timestamp()

    return dict(sorted(moments.items(), key=age))


def morning_letter(report: MorningReport, settings: NotificationSettings) -> Letter:
    """The report as a mail. Its subject says how many things there are to look at."""
    words = Words.of(settings)
    count = report.to_look_at
    state = words("notifications.morning.all_well")
    if count:
        state = words("notifications.morning.to_do", count=count)
    address = settings.base_url
    return Letter(
        subject=words("notifications.morning.subject", state=state),
        headline=words("notifications.morning.headline", day=words.day(report.at), state=state),
        tone="neutral" if count else "good",
        language=settings.language,
        facts=tuple(_facts(report, words)),
        sections=tuple(_sections(report, words)),
        link=(words("notifications.open_ui"), address) if address else None,
        foot=words("notifications.foot"),
    )


def _facts(report: MorningReport, words: Words) -> Iterator[tuple[str, str]]:
    load = _load(report.last_load, words)
    yield words("notifications.morning.fresh_until"), words.moment(report.fresh_until)
    yield words("notifications.morning.last_load"), load
    yield words("notifications.morning.covers"), words.moment(report.since)


_OUTCOMES = {True: "succeeded", False: "failed", None: "killed"}


def _load(load: LoadLine | None, words: Words) -> str:
    """A load in one line. Without an end it is going on, or its process was killed."""
    if load is None:
        return words("notifications.load.none")
    outcome = _OUTCOMES[load.success]
    if load.is_running:
        outcome = "running"
    return words(
        "notifications.morning.load",
        load=load.load,
        title=load.title,
        at=words.moment(load.at),
        outcome=words(f"notifications.load.{outcome}"),
    )


def _sections(report: MorningReport, words: Words) -> Iterator[Section]:
    """The parts in the order in which an operator works them off. An empty one is left out."""
    if report.failed or report.failing:
        blocks: tuple[Block, ...] = (Items(tuple(_failed(report, words))), command("kimo status"))
        yield Section(words("notifications.morning.failed"), blocks, is_bad=True)
    freshness = tuple(_fresh(report, words))
    yield Section(words("notifications.morning.freshness"), freshness, is_bad=bool(report.stale))
    if report.refused:
        title = rejected_title(report.refused, words)
        blocks = (*rejected_rows(report.refused, words), command("kimo rejected"))
        yield Section(title, blocks, is_bad=has_new(report.refused))
    yield Section(words("notifications.morning.waiting"), tuple(_waiting(report, words)))
    if report.stuck:
        yield _stuck(report.stuck, words)
    # Always there: a report that says nothing of tablets would read as if all had synced.
    yield _tablets(report.tablets, words)
    if report.picture_count or report.address_count:
        corrections = tuple(_corrections(report, words))
        yield Section(words("notifications.morning.corrections"), corrections)
    if report.undelivered:
        yield _undelivered(report.undelivered, words)


def _failed(report: MorningReport, words: Words) -> Iterator[str]:
    """Jobs that go on failing, then the loads that failed, each with its reasons."""
    for job in report.failing:
        yield words(
            "notifications.morning.failing_job",
            job=job.job,
            since=words.moment(job.since),
            count=job.runs,
        )
    for load in report.failed[:_ROWS]:
        if load.success is None:
            yield words("notifications.morning.killed_load", title=load.title, load=load.load)
        else:
            yield _failed_load(load, words)


def _failed_load(load: LoadLine, words: Words) -> str:
    """Each reason once, with the entities that failed of it."""
    name = words(
        "notifications.morning.failed_load",
        title=load.title,
        load=load.load,
        at=words.moment(load.at),
    )
    reasons = [
        f"{names_in_short(names)}: {reason}"
        for reason, names in by_reason(load.failures.items()).items()
    ]
    if not reasons:
        return name
    return f"{name}: {'; '.join(reasons)}"


def _fresh(report: MorningReport, words: Words) -> Iterator[Block]:
    """The entities that are too old, or the oldest ones when none is."""
    hours = f"{report.fresh_hours:g}"
    shown = report.stale
    if shown:
        yield Paragraph(words("notifications.morning.stale", count=len(shown), hours=hours))
    else:
        count = len(report.fresh)
        yield Paragraph(words("notifications.morning.all_fresh", count=count, hours=hours))
        oldest = list(_oldest_first(report.fresh).items())
        shown = dict(oldest[:_OLDEST_SHOWN])
    columns = words.columns("entity", "read_last")
    rows = [[name, words.moment(at)] for name, at in list(shown.items())[:_ROWS]]
    yield table(columns, rows, left=columns)
    yield from _more(len(shown), words)


# What is counted of records on their way to the ERP, and the name of its column.
_RECORDS = {
    "ready": "ready",
    "held": "held_records",
    "waiting": "waiting_records",
    "in_flight": "in_flight",
    "unacknowledged": "unacknowledged",
}


def _waiting(report: MorningReport, words: Words) -> Iterator[Block]:
    """A line per entity with records on their way to the ERP."""
    busy = [entry for entry in report.waiting if any(getattr(entry, kind) for kind in _RECORDS)]
    if not busy:
        yield Paragraph(words("notifications.morning.nothing_waits"))
        return
    columns = words.columns("entity", *_RECORDS.values())
    rows = [
        [entry.entity, *(words.number(getattr(entry, kind)) for kind in _RECORDS)] for entry in busy
    ]
    yield table(columns, rows, left=columns[:1])
    if any(entry.held for entry in busy):
        yield command("kimo export status")


def _stuck(stuck: Sequence[Stuck], words: Words) -> Section:
    """The records and batches between Kimo and the ERP that need somebody."""
    columns = words.columns("subject", "which", "since", "reason")
    rows = []
    for entry in stuck[:_ROWS]:
        since = words.moment(entry.since) if entry.since else ""
        rows.append([entry.what, entry.which, since, entry.why])
    blocks = (
        table(columns, rows, left=columns),
        *_more(len(stuck), words),
        command("kimo export status"),
    )
    return Section(words("notifications.morning.stuck", count=len(stuck)), blocks, is_bad=True)


def _tablets(tablets: Tablets, words: Words) -> Section:
    """Tablets that have not synced for too long, and agents without any known sync."""
    hours = f"{tablets.max_hours:g}"
    # Tablets ask Kimo's server, which has to write it down for us. Unknown is not "all well".
    if not tablets.is_known:
        title = words("notifications.morning.unknown_tablets", hours=hours)
        return Section(title, (Paragraph(words("notifications.morning.no_sync_written")),))
    blocks: list[Block] = []
    if tablets.late:
        columns = words.columns("user", "agent", "device", "last_sync")
        rows = [
            [tablet.user, tablet.agent, tablet.device, words.moment(tablet.last_sync_at)]
            for tablet in tablets.late[:_ROWS]
        ]
        blocks += [table(columns, rows, left=columns), *_more(len(tablets.late), words)]
    if unknown := tablets.agents_unknown:
        names = names_in_short(unknown)
        line = words("notifications.morning.agents_without_sync", count=len(unknown), names=names)
        blocks.append(Paragraph(line))
    title = words("notifications.morning.late_tablets", hours=hours, count=len(tablets.late))
    return Section(title, tuple(blocks), is_bad=bool(tablets.late))


def _corrections(report: MorningReport, words: Words) -> Iterator[Block]:
    """What is to be corrected at the ERP, with the command that lists all of it."""
    if report.picture_count:
        yield Paragraph(words("notifications.morning.pictures", count=report.picture_count))
        yield Items(tuple(f"{name}: {reason}" for name, reason in report.pictures))
        yield command("kimo images audit")
    if report.address_count:
        yield Paragraph(words("notifications.morning.addresses", count=report.address_count))
        yield Items(tuple(f"{name}: {reason}" for name, reason in report.addresses))
        yield command("kimo geocode --list")


def _undelivered(mails: Sequence[tuple[str, str]], words: Words) -> Section:
    columns = words.columns("subject", "reason")
    block = table(columns, mails, left=columns)
    title = words("notifications.morning.undelivered", count=len(mails))
    return Section(title, (block,), is_bad=True)


def _more(count: int, words: Words) -> Iterator[Block]:
    if count > _ROWS:
        yield Paragraph(words("notifications.and_more", count=count - _ROWS))
