"""export_to_erp: everything that is ready goes to the ERP, exactly once."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from psycopg import Connection

from kimo_assets.catalog import Catalog, load_catalog, menu
from kimo_assets.catalog.lifecycle import BatchState
from kimo_assets.config import KimoConfig
from kimo_assets.database.semaphore_ledger import SemaphoreLedger
from kimo_assets.errors import ExportError
from kimo_assets.export.erp import Erp, views_among
from kimo_assets.export.marker import Marker, find_marker
from kimo_assets.export.outbox import Batch, Outbox
from kimo_assets.export.points import CrashPoint
from kimo_assets.export.ready import (
    Candidate,
    candidates,
    count_ready,
    listed_heads,
    refers_to_its_own,
)
from kimo_assets.export.recovery import OpenBatch, mark_unproved, open_batches, recover
from kimo_assets.export.send import Sender, Sent, is_systematic, note_in_doubt
from kimo_assets.export.targets import find_targets
from kimo_assets.progress import Progress
from kimo_assets.reports import ExportedEntity, ExportReport, HeldRecord
from kimo_assets.sources.connection import open_source, source_errors
from kimo_assets.sources.semaphore import (
    EXPORT,
    Semaphore,
    WaitPolicy,
    current,
    open_semaphores,
    taken,
)
from kimo_assets.texts import say

# A batch's rows are kept in memory at once: heads and parts together are at most so many. A single
# head that has more is a batch of its own.
_ROWS_AT_ONCE = 10_000

# A report names so many held records. ops.export_held has all of them.
_NAMED = 500


@dataclass(frozen=True)
class ExportRun:
    """What an export works with. The caller holds the lock of database/locks.py.

    connect: opens another connection to Kimo's database. reached: called at every point between
    two statements that matter, by name. Tests kill the run there.
    """

    config: KimoConfig
    connection: Connection
    connect: Callable[[], Connection]
    load: int
    listener: Progress
    run_id: str | None = None
    catalog: Catalog = field(default_factory=load_catalog)
    reached: Callable[[str], None] = lambda _point: None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    @cached_property
    def outbox(self) -> Outbox:
        """Kimo's side of the run's batches."""
        return Outbox(
            self.connection,
            self.catalog,
            self.load,
            self.run_id,
            self.config.export.source,
            self.reached,
        )


def export_to_erp(run: ExportRun) -> ExportReport:
    """Sends everything that is ready. What a killed run has left is ended first.

    Raises: SourceError when the ERP cannot be reached, or not any more. What was sent by then stays
    sent, and the next export sends the rest. SemaphoreError. ExportError.
    """
    started = time.monotonic()
    if not run.config.export.entities:
        note = say("export.run.nothing_listed")
        return ExportReport(time.monotonic() - started, {}, (), (note,), run.load, run.run_id)
    export = _Export(run)
    with _open_erp(run, export.notes) as (erp, was_ours):
        # Before anything is sent or taken back.
        refuse_after_restore(run, erp)
        export.recover(erp, was_ours)
        export.send_all(erp)
        export.tidy(erp)
    return export.report(time.monotonic() - started)


def refuse_after_restore(run: ExportRun, erp: Erp) -> None:
    """Keeps a database that was restored from a backup from sending records a second time.

    Raises: ExportError when the ERP has batches of ours that this database does not know.
    """
    if erp.marker is None or erp.marker.is_new:
        return
    batches = erp.marker.unknown_to(run.connection)
    if not batches:
        return
    first, first_written = batches[0]
    last, _ = batches[-1]
    raise ExportError(
        say(
            "export.run.restored",
            count=len(batches),
            first=first,
            last=last,
            moment=f"{first_written:%Y-%m-%d %H:%M}",
        )
    )


def resolve(run: ExportRun, batch: int, *, arrived: bool) -> int:
    """Ends a batch in doubt by what somebody saw at the ERP. Returns how many records it held.

    Raises: ExportError when the batch is not in doubt.
    """
    batches = open_batches(run.connection, number=batch)
    if not batches or batches[0].state != BatchState.COMMITTING:
        raise ExportError(say("export.run.not_in_doubt", batch=batch))
    records = _end(run.outbox, batches[0], arrived=arrived)
    # They were put down as held while the batch was in doubt.
    run.connection.execute(
        """
        DELETE FROM ops.export_held AS e USING ops.export_record AS r
        WHERE r.batch = %s AND e.entity = r.entity AND e.id = r.id
        """,
        [batch],
    )
    return records


def _end(outbox: Outbox, batch: OpenBatch, *, arrived: bool) -> int:
    if arrived:
        return outbox.settle(batch.number, batch.entity)
    return len(outbox.take_back(batch.number, batch.entity))


# --- the ERP
# --------------------------------------------------------------------------------------------------


@contextmanager
def _open_erp(run: ExportRun, notes: list[str]) -> Iterator[tuple[Erp, bool]]:
    """The ERP with its semaphore taken.

    And whether the semaphore has been ours since a run of ours was killed. If it was not, the ERP
    was free to take rows away meanwhile.
    """
    source = run.config.export.source
    described = run.config.sources[source]
    log = run.listener.log
    with ExitStack() as stack:
        engine = open_source(source, described, writable=True)
        stack.callback(engine.dispose)
        erp = Erp(source, engine, {}, None, False, described.connect_attempts, log, run.sleep)
        erp.connect_again()
        semaphores = stack.enter_context(open_semaphores(run.config, EXPORT, [source], log))
        ledger = SemaphoreLedger(run.connect, run.load, run.run_id)
        # Before we take the semaphore: a run killed after that would leave it as ours, and the next
        # one would believe that the ERP never had it.
        if not _are_left_behind(semaphores, ledger):
            mark_unproved(run.connection, source)
        policy = WaitPolicy(
            run.config.export.semaphore_wait_s,
            described.connect_attempts,
            log,
            run.sleep,
            run.clock,
        )
        was_ours = bool(stack.enter_context(taken(semaphores, ledger, policy)))
        # Somebody may have set it free while we waited for it.
        if not was_ours:
            mark_unproved(run.connection, source)
        erp = replace(erp, is_ours=bool(semaphores))
        yield _with_tables(run, erp, notes), was_ours


def _are_left_behind(semaphores: Sequence[Semaphore], ledger: SemaphoreLedger) -> bool:
    """Whether every semaphore stands as a killed run of ours left it."""
    return bool(semaphores) and all(
        current(semaphore) == EXPORT.status and ledger.owner(semaphore.source, semaphore.name)
        for semaphore in semaphores
    )


def _with_tables(run: ExportRun, erp: Erp, notes: list[str]) -> Erp:
    """The ERP with its tables, and our marker table among them."""
    targets, missing = find_targets(erp.engine, run.config)
    notes += [f"{name}: {reason}" for name, reason in missing.items()]
    with source_errors(erp.source, erp.engine):
        views = views_among(erp.engine, targets)
    marker = find_marker(erp.source, erp.engine, run.config.export.marker, run.connection)
    if isinstance(marker, Marker):
        return replace(erp, targets=targets, views=views, marker=marker)
    notes.append(say("export.run.no_marker", reason=marker))
    return replace(erp, targets=targets, views=views)


# --- the run
# --------------------------------------------------------------------------------------------------


class _Export:
    """What a run does, and what came of it."""

    def __init__(self, run: ExportRun) -> None:
        self.run = run
        self.notes: list[str] = []
        self._entities: dict[str, ExportedEntity] = {}
        self._held: list[HeldRecord] = []
        self._held_count = 0

    def recover(self, erp: Erp, was_ours: bool) -> None:
        """Ends what a killed run has left open."""
        ended = recover(self.run.outbox, erp, was_ours=was_ours, on_doubt=self._report_doubt)
        for name, (arrived, again) in ended.items():
            self._add(name, recovered=arrived + again)
            self.run.listener.log(
                say("export.run.recovered", entity=name, arrived=arrived, again=again)
            )

    def _report_doubt(self, batch: OpenBatch) -> None:
        self._report_held(note_in_doubt(self.run.outbox, batch.number, batch.entity))
        self.notes.append(say("export.run.in_doubt", batch=batch.number, entity=batch.entity))

    def send_all(self, erp: Erp) -> None:
        """Entity by entity: customers before the orders that refer to them."""
        heads = listed_heads(self.run.config, self.run.catalog)
        names = [name for name in heads if name in erp.targets]
        self.run.listener.task_started(menu.EXPORT.title, count_ready(self.run.connection, names))
        for name in names:
            _Entity(self, erp, name).send()

    def tidy(self, erp: Erp) -> None:
        """Removes old markers, but none of a batch that is still in doubt."""
        if erp.marker:
            open_now = open_batches(self.run.connection, erp.source)
            erp.marker.forget([batch.number for batch in open_now])

    def report(self, seconds: float) -> ExportReport:
        if self._held_count > len(self._held):
            self.notes.append(say("export.run.many_held", count=self._held_count))
        return ExportReport(
            seconds,
            self._entities,
            tuple(self._held),
            tuple(self.notes),
            self.run.load,
            self.run.run_id,
        )

    def _add(self, name: str, *, seconds: float = 0.0, **counts: int) -> None:
        """Adds to an entity's figures."""
        report = self._entities.setdefault(name, ExportedEntity(name))
        sums = {key: getattr(report, key) + count for key, count in counts.items()}
        self._entities[name] = replace(report, seconds=report.seconds + seconds, **sums)

    def _report_held(self, records: Sequence[HeldRecord]) -> None:
        self._held_count += len(records)
        room = max(0, _NAMED - len(self._held))
        self._held += records[:room]

    def add_entity(
        self, name: str, sent: Sent, waiting: Sequence[HeldRecord], seconds: float
    ) -> None:
        """Takes an entity that is done with into the report."""
        self._report_held([*sent.held, *waiting])
        self._add(
            name,
            seconds=seconds,
            ready=sent.heads + len(sent.held) + len(waiting),
            sent=sent.heads,
            held=len(sent.held),
            waiting=len(waiting),
            rows=sent.rows,
        )


class _Entity:
    """The heads of one entity, batch by batch."""

    def __init__(self, export: _Export, erp: Erp, name: str) -> None:
        self._run = export.run
        self._export = export
        self._erp = erp
        self._name = name
        self._fields = erp.fields([name, *export.run.catalog.sent_with(name)])
        self._sender = Sender(export.run.outbox, erp)
        self._waiting: list[HeldRecord] = []
        self._sent = Sent()

    def send(self) -> None:
        """Sends what can go. Records that wait for others of the entity are looked at again."""
        started = time.monotonic()
        self._pass()
        if refers_to_its_own(self._run.catalog[self._name]):
            self._send_those_that_waited()
        # Held by an earlier load and not by this one: they were sent, or are no longer ready.
        self._run.outbox.forget_held(self._name)
        seconds = time.monotonic() - started
        self._export.add_entity(self._name, self._sent, self._waiting, seconds)

    def _send_those_that_waited(self) -> None:
        """As long as the pass before has sent something that they may have waited for."""
        sent_before = 0
        while self._waiting and self._sent.heads > sent_before:
            sent_before = self._sent.heads
            self._pass(again=True)

    def _pass(self, *, again: bool = False) -> None:
        """All heads once. again: those alone that the pass before has found waiting."""
        self._waiting = []
        after = ""
        while True:
            batch, after = self._next_batch(after, again=again)
            if batch:
                sent = self._sender.send(batch)
                self._sent += sent
                self._run.listener.task_advanced(len(batch.heads))
                # Each further batch would be split down to single records, all in vain.
                if is_systematic(batch, sent):
                    self._report_systematic(batch, sent)
                    return
            if not after:
                return

    def _report_systematic(self, batch: Batch, sent: Sent) -> None:
        reason = sent.held[-1].why
        self._export.notes.append(
            say("export.run.all_refused", entity=self._name, count=len(batch.heads), reason=reason)
        )

    def _next_batch(self, after: str, *, again: bool) -> tuple[Batch | None, str]:
        """A batch, marked and copied, and the Id after which to go on. Empty at the end."""
        run = self._run
        limit = run.config.export.batch
        run.reached(f"{CrashPoint.MARK}.before")
        with run.connection.transaction():
            heads = candidates(
                run.connection,
                run.catalog,
                run.config,
                self._name,
                after=after,
                limit=limit,
                waited_in=run.load if again else None,
            )
            chosen = _as_many_as_fit(heads)
            self._note_reasons(chosen)
            batch = self._mark([head for head in chosen if head.reason is None])
            run.reached(f"{CrashPoint.MARK}.before_commit")
        run.reached(f"{CrashPoint.MARK}.committed")
        is_last = len(heads) < limit and len(chosen) == len(heads)
        return batch, "" if is_last else chosen[-1].id

    def _mark(self, heads: Sequence[Candidate]) -> Batch | None:
        if not heads:
            return None
        has_marker = self._erp.marker is not None
        return self._run.outbox.mark(self._name, heads, self._fields, has_marker=has_marker)

    def _note_reasons(self, heads: Sequence[Candidate]) -> None:
        """Puts down which of the heads are held, and which wait."""
        for is_waiting in (False, True):
            records = [
                HeldRecord(self._name, head.id, head.sync_reference, head.reason)
                for head in heads
                if head.reason is not None and head.is_waiting is is_waiting
            ]
            self._run.outbox.note_held(records, is_waiting=is_waiting)
            if is_waiting:
                self._waiting += records
            else:
                self._sent += Sent(held=records)


def _as_many_as_fit(heads: Sequence[Candidate]) -> Sequence[Candidate]:
    """The first heads that have no more rows together than are kept in memory. At least one."""
    rows = 0
    for position, head in enumerate(heads):
        rows += 1 + head.parts
        if rows > _ROWS_AT_ONCE and position:
            return heads[:position]
    return heads
