"""export_to_erp: everything that is ready, to the ERP, exactly once."""

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
from kimo_assets.export.ready import (
    Candidate,
    candidates,
    count_ready,
    listed_heads,
    refers_to_its_own,
)
from kimo_assets.export.recovery import OpenBatch, mark_unproved, open_batches, recover
from kimo_assets.export.send import Sender, Sent, is_systematic, note_unproved
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

# Rows of heads and parts to a batch, at most, but for a single head that has more: what is kept in
# memory at once.
_ROWS_AT_ONCE = 10_000

# Held records that a report names; ops.export_held has them all.
_NAMED = 500


@dataclass(frozen=True)
class ExportRun:
    """What an export works with. The caller holds the lock of database/locks.py. connect: to Kimo's
    database once more.

    reached: told at every point between two statements that matter, by name; for tests that kill
    there.
    """

    config: KimoConfig
    connection: Connection
    connect: Callable[[], Connection]
    load: int
    listener: Progress
    run_id: str | None = None
    catalog: Catalog = field(default_factory=load_catalog)
    reached: Callable[[str], None] = lambda point: None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(
            self.connection,
            self.catalog,
            self.load,
            self.run_id,
            self.config.export.source,
            self.reached,
        )


def export_to_erp(run: ExportRun) -> ExportReport:
    """Raises: SourceError when the ERP cannot be reached, or not any more: what was sent by then
    stays sent, the rest is to be sent by the next export; SemaphoreError.
    """
    started = time.monotonic()
    if not run.config.export.entities:
        note = "Nothing is sent: `export: entities:` of kimo.yaml lists nothing"
        return ExportReport(time.monotonic() - started, {}, (), (note,), run.load, run.run_id)
    export = _Export(run)
    with _open_erp(run, export.notes) as (erp, was_ours):
        refuse_after_restore(run, erp)
        export.recover(erp, was_ours)
        export.send_all(erp)
        export.tidy(erp)
    return export.report(time.monotonic() - started)


def refuse_after_restore(run: ExportRun, erp: Erp) -> None:
    """Raises: ExportError, when the ERP has batches of ours that this database does not know: it
    would send them again.
    """
    found = erp.marker.unknown_to(run.connection) if erp.marker and not erp.marker.is_new else []
    if found:
        numbers = (
            f"batch {found[0][0]}"
            if len(found) == 1
            else f"{len(found)} batches ({found[0][0]} to {found[-1][0]})"
        )
        raise ExportError(
            f"Nothing was sent: the ERP has {numbers} of ours, from {found[0][1]:%Y-%m-%d %H:%M}"
            " UTC on, that this database does not know. It was restored from a backup taken before"
            " they were sent, and their records would go out a second time. Settle them as"
            " docs/deploying.md says under `After an old backup`, then export again"
        )


def resolve(run: ExportRun, batch: int, *, arrived: bool) -> int:
    """Ends a batch of which nobody knew whether it has arrived, by what somebody saw at the ERP;
    how many records it held.

    Raises: ExportError when there is nothing to settle about the batch.
    """
    found = open_batches(run.connection, number=batch)
    if not found or found[0].state != BatchState.COMMITTING:
        raise ExportError(
            f"batch {batch} is not one of which nobody knows whether it has arrived. `kimo export"
            " status` lists those"
        )
    name = found[0].entity
    settled = (
        run.outbox.exported(batch, name) if arrived else len(run.outbox.take_back(batch, name))
    )
    run.connection.execute(
        "DELETE FROM ops.export_held AS e USING ops.export_record AS r "
        "WHERE r.batch = %s AND e.entity = r.entity AND e.id = r.id",
        [batch],
    )
    return settled


# --- the ERP
# --------------------------------------------------------------------------------------------------


@contextmanager
def _open_erp(run: ExportRun, notes: list[str]) -> Iterator[tuple[Erp, bool]]:
    """The ERP, its semaphore taken; and whether that has been ours since a run of ours was
    killed.
    """
    source = run.config.export.source
    described = run.config.sources[source]
    say = run.listener.log
    with ExitStack() as stack:
        engine = open_source(source, described, writable=True)
        stack.callback(engine.dispose)
        erp = Erp(source, engine, {}, None, False, described.connect_attempts, say, run.sleep)
        erp.connect_again()
        semaphores = stack.enter_context(open_semaphores(run.config, EXPORT, [source], say))
        ledger = SemaphoreLedger(run.connect, run.load, run.run_id)
        if not _are_left_behind(semaphores, ledger):
            mark_unproved(run.connection, source)
        patience = WaitPolicy(
            run.config.export.semaphore_wait_s,
            described.connect_attempts,
            say,
            run.sleep,
            run.clock,
        )
        was_ours = bool(stack.enter_context(taken(semaphores, ledger, patience)))
        if not was_ours:
            mark_unproved(run.connection, source)
        yield _looked_at(run, replace(erp, is_ours=bool(semaphores)), notes), was_ours


def _are_left_behind(semaphores: Sequence[Semaphore], ledger: SemaphoreLedger) -> bool:
    return bool(semaphores) and all(
        current(semaphore) == EXPORT.status and ledger.owner(semaphore.source, semaphore.name)
        for semaphore in semaphores
    )


def _looked_at(run: ExportRun, erp: Erp, notes: list[str]) -> Erp:
    """With its tables, and ours among them."""
    targets, missing = find_targets(erp.engine, run.config)
    notes += [f"{name}: {why}" for name, why in missing.items()]
    with source_errors(erp.source, erp.engine):
        views = views_among(erp.engine, targets)
    marker = find_marker(erp.source, erp.engine, run.config.export.marker, run.connection)
    if isinstance(marker, str):
        notes.append(
            f"There is no marker table at the ERP, as {marker}. Batches are told by their"
            " SyncReferences after a crash, as long as these are there"
        )
    return replace(
        erp, targets=targets, views=views, marker=marker if isinstance(marker, Marker) else None
    )


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
        def unproved(batch: OpenBatch) -> None:
            self._tell_held(note_unproved(self.run.outbox, batch.number, batch.entity))
            self.notes.append(
                f"Batch {batch.number} ({batch.entity}): nobody knows whether it has arrived. "
                f"`kimo export resolve {batch.number} --arrived`, or `--again`, settles it"
            )

        for name, (arrived, again) in recover(
            self.run.outbox, erp, was_ours=was_ours, unproved=unproved
        ).items():
            self._add(name, recovered=arrived + again)
            self.run.listener.log(
                f"{name}: of an export that was interrupted {arrived} had arrived at the ERP,"
                f" {again} are sent again"
            )

    def send_all(self, erp: Erp) -> None:
        names = [
            name for name in listed_heads(self.run.config, self.run.catalog) if name in erp.targets
        ]
        self.run.listener.task_started(menu.EXPORT.title, count_ready(self.run.connection, names))
        for name in names:
            _Entity(self, erp, name).send()

    def tidy(self, erp: Erp) -> None:
        if erp.marker:
            erp.marker.forget(
                [batch.number for batch in open_batches(self.run.connection, erp.source)]
            )

    def report(self, seconds: float) -> ExportReport:
        if self._held_count > len(self._held):
            self.notes.append(
                f"{self._held_count:,} records are held or waiting; `kimo export status` has all of"
                " them"
            )
        run = self.run
        return ExportReport(
            seconds, self._entities, tuple(self._held), tuple(self.notes), run.load, run.run_id
        )

    def _add(self, name: str, *, seconds: float = 0.0, **counts: int) -> None:
        known = self._entities.setdefault(name, ExportedEntity(name))
        more = {key: getattr(known, key) + count for key, count in counts.items()}
        self._entities[name] = replace(known, seconds=known.seconds + seconds, **more)

    def _tell_held(self, records: Sequence[HeldRecord]) -> None:
        self._held_count += len(records)
        self._held += records[: max(0, _NAMED - len(self._held))]

    def tell(
        self, name: str, sent: Sent, waiting: Sequence[HeldRecord], rows: int, seconds: float
    ) -> None:
        self._tell_held([*sent.held, *waiting])
        counts = {"sent": sent.heads, "held": len(sent.held), "waiting": len(waiting), "rows": rows}
        self._add(name, seconds=seconds, ready=sent.heads + len(sent.held) + len(waiting), **counts)


class _Entity:
    """The heads of one entity, batch by batch. Those that wait for others of the entity are looked
    at again.
    """

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
        started = time.monotonic()
        self._pass()
        if refers_to_its_own(self._run.catalog[self._name]):
            sent = 0
            while self._waiting and self._sent.heads > sent:
                sent = self._sent.heads
                self._pass(again=True)
        self._run.outbox.forget_held(self._name)
        self._export.tell(
            self._name, self._sent, self._waiting, self._sent.rows, time.monotonic() - started
        )

    def _pass(self, *, again: bool = False) -> None:
        self._waiting = []
        after = ""
        while True:
            batch, after = self._next_batch(after, again=again)
            if batch:
                sent = self._sender.send(batch)
                self._sent += sent
                self._run.listener.task_advanced(len(batch.heads))
                if is_systematic(batch, sent):
                    self._export.notes.append(
                        f"{self._name}: the ERP refused all {len(batch.heads)} records of a batch;"
                        f" the rest was not tried: {sent.held[-1].why}"
                    )
                    return
            if not after:
                return

    def _next_batch(self, after: str, *, again: bool) -> tuple[Batch | None, str]:
        """Chosen, marked and copied; and after which Id to go on, empty at the end."""
        run = self._run
        limit = run.config.export.batch
        run.reached("P1.before")
        with run.connection.transaction():
            found = candidates(
                run.connection,
                run.catalog,
                run.config,
                self._name,
                after=after,
                limit=limit,
                waited_in=run.load if again else None,
            )
            is_last = len(found) < limit
            taken = _as_many_as_fit(found)
            self._note(taken)
            able = [candidate for candidate in taken if candidate.why is None]
            has_marker = self._erp.marker is not None
            batch = (
                run.outbox.mark(self._name, able, self._fields, has_marker=has_marker)
                if able
                else None
            )
            run.reached("P1.before_commit")
        run.reached("P1.committed")
        return batch, "" if is_last and len(taken) == len(found) else taken[-1].id

    def _note(self, found: Sequence[Candidate]) -> None:
        for is_waiting in (False, True):
            records = [
                HeldRecord(self._name, candidate.id, candidate.sync_reference, candidate.why)
                for candidate in found
                if candidate.why is not None and candidate.is_waiting is is_waiting
            ]
            self._run.outbox.note_held(records, is_waiting=is_waiting)
            if is_waiting:
                self._waiting += records
            else:
                self._sent += Sent(held=records)


def _as_many_as_fit(found: Sequence[Candidate]) -> Sequence[Candidate]:
    """The first of them that have no more rows together than are kept in memory; one at least."""
    rows = 0
    for position, candidate in enumerate(found):
        rows += 1 + candidate.parts
        if rows > _ROWS_AT_ONCE and position:
            return found[:position]
    return found
