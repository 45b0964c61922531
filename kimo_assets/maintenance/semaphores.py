"""The semaphores of all sources, from outside a run: inspecting, setting free, giving back.

A run takes them in sources/semaphore.py. Those that are ours are on record in ops.semaphore.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kimo_assets.config import KimoConfig, SystemId
from kimo_assets.database.locks import exclusive, is_held
from kimo_assets.database.semaphore_ledger import Owner, SemaphoreLedger
from kimo_assets.database.server import Database
from kimo_assets.errors import KimoError, SourceError, in_one_line
from kimo_assets.sources.connection import open_source
from kimo_assets.sources.semaphore import (
    FLOWS,
    IDLE,
    Flow,
    Semaphore,
    current,
    find,
    give_back,
    schemas_of,
    set_status,
    status_meaning,
    statuses,
)
from kimo_assets.texts import say


@dataclass(frozen=True)
class SemaphoreState:
    """One source's semaphore.

    status: None where there is no such table, or it could not be read (error). rows: of the table,
    1 is right. owner: of our load that has set it, running or not. is_running: a load of ours is
    going on. seen_since: since when each import of ours that wanted it has met this status.
    """

    source: str
    semaphore: str
    status: int | None = None
    rows: int = 0
    owner: Owner | None = None
    is_running: bool = False
    seen_since: datetime | None = None
    error: str | None = None

    @property
    def words(self) -> str:
        if self.error is not None:
            return say("maintenance.semaphore.unreadable")
        if self.status is None:
            return say("maintenance.semaphore.no_table")
        return status_meaning(self.status)

    @property
    def is_ours(self) -> bool:
        """Whether the status is the one that a load of ours has set."""
        return self.owner is not None and self.owner.status == self.status

    @property
    def whose(self) -> str | None:
        """None while it is idle."""
        if not self.status:
            return None
        if self.owner is None or not self.is_ours:
            return say("maintenance.semaphore.not_ours")
        run = say("maintenance.semaphore.load", load=self.owner.load)
        if self.owner.run_id:
            run += say("maintenance.semaphore.run", run_id=self.owner.run_id)
        if self.is_running:
            return say("maintenance.semaphore.ours", run=run)
        return say("maintenance.semaphore.left_behind", run=run)

    @property
    def since(self) -> datetime | None:
        if not self.status:
            return None
        if self.owner is None or not self.is_ours:
            return self.seen_since
        return self.owner.since

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {
            "source": self.source,
            "semaphore": self.semaphore,
            "status": self.status,
            "words": self.words,
            "whose": self.whose,
            "since": self.since,
            "rows": self.rows,
            "error": self.error,
        }


def inspect_semaphores(
    config: KimoConfig, database: Database | None, flows: Sequence[Flow] = FLOWS
) -> Iterator[SemaphoreState]:
    """Every semaphore of every source.

    database: None where nothing was ever imported, so that none can be ours.
    """
    for source in config.sources:
        for flow in flows:
            try:
                yield _inspect(config, source, flow, database)
            # One source that is down must not hide the semaphores of the others.
            except SourceError as error:
                yield SemaphoreState(source, flow.table, error=in_one_line(error))


def _inspect(
    config: KimoConfig, source: SystemId, flow: Flow, database: Database | None
) -> SemaphoreState:
    """Raises: SourceError when the source cannot be read."""
    with _open(config, source, flow) as semaphore:
        if semaphore is None:
            return SemaphoreState(source, flow.table)
        rows = len(statuses(semaphore))
        status = current(semaphore)
    if database is None:
        return SemaphoreState(source, flow.table, status, rows)
    ledger = SemaphoreLedger(database.connect)
    with database.connect() as connection:
        # Ours and nobody at work: then a killed run has left it behind.
        is_running = is_held(connection)
    owner = ledger.owner(source, flow.table)
    seen_since = ledger.seen_since(source, flow.table, status)
    return SemaphoreState(source, flow.table, status, rows, owner, is_running, seen_since)


@contextmanager
def _open(
    config: KimoConfig, source: SystemId, flow: Flow, *, writable: bool = False
) -> Iterator[Semaphore | None]:
    engine = open_source(source, config.sources[source], writable=writable)
    try:
        yield find(source, flow, engine, schemas_of(config, source))
    finally:
        engine.dispose()


def refuse_while_running(database: Database) -> None:
    """Raises: LockedError while a run of ours is going on."""
    # Only asked, not kept: a person has yet to confirm, and reset takes the lock again.
    with exclusive(database):
        pass


def reset(config: KimoConfig, database: Database, states: Sequence[SemaphoreState]) -> None:
    """Sets these to idle, whoever holds them, and drops our record of them.

    Raises: LockedError while a run of ours is going on; SourceError.
    """
    with exclusive(database):
        ledger = SemaphoreLedger(database.connect)
        for state in states:
            flow = next(flow for flow in FLOWS if flow.table == state.semaphore)
            source = next(name for name in config.sources if name == state.source)
            with _open(config, source, flow, writable=True) as semaphore:
                if semaphore is not None:
                    set_status(semaphore, IDLE)
            # After the ERP's table. A crash in between leaves a record that the next run finds
            # untrue.
            ledger.release(state.source, state.semaphore)


def give_back_left_behind(config: KimoConfig, database: Database) -> list[str]:
    """Gives back the semaphores that killed runs of ours left behind, with a sentence for each.

    One that the ERP does not let us give back stays on record.
    Raises: LockedError while a run of ours is going on: then nothing was left behind.
    """
    # The lock proves that the owners on record are dead. A living run keeps its semaphore.
    with exclusive(database):
        ledger = SemaphoreLedger(database.connect)
        return [_give_back(config, ledger, owner) for owner in ledger.owners()]


def _give_back(config: KimoConfig, ledger: SemaphoreLedger, owner: Owner) -> str:
    """What became of it, in a sentence."""
    names: dict[str, Any] = {"semaphore": owner.semaphore, "source": owner.source}
    source = next((name for name in config.sources if name == owner.source), None)
    flow = next((flow for flow in FLOWS if flow.table == owner.semaphore), None)
    if source is None or flow is None:
        return say("maintenance.semaphore.source_is_gone", **names)
    try:
        with _open(config, source, flow, writable=True) as semaphore:
            if semaphore is None:
                return say("maintenance.semaphore.table_is_gone", **names)
            # Only from our own status: the ERP may have set another one since.
            if give_back(semaphore, ledger):
                return say("maintenance.semaphore.given_back", load=owner.load, **names)
            return say("maintenance.semaphore.not_ours_any_more", **names)
    # Not raised, so that the others are given back too. This one stays on record for the next try.
    except KimoError as error:
        reason = in_one_line(error)
        load = owner.load
        return say("maintenance.semaphore.not_given_back", load=load, reason=reason, **names)
