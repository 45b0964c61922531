"""The semaphores of all sources from the outside: how they stand, setting one free, giving back
what a crash left.

Taking them for a run is sources/semaphore.py's; whose they are is on record in ops.semaphore.
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
from kimo_assets.errors import KimoError, SourceError
from kimo_assets.sources.connection import open_source
from kimo_assets.sources.semaphore import (
    FLOWS,
    IDLE,
    STATUS_WORDS,
    Flow,
    Semaphore,
    current,
    find,
    give_back,
    schemas_of,
    set_status,
    statuses,
)


@dataclass(frozen=True)
class SemaphoreState:
    """One source's semaphore. status: None where there is no such table, or it could not be read
    (error).

    owner: ours, by whichever load. is_running: that load, or another of ours, is going on.
    seen_since: the status is somebody else's, and was this one whenever an import of ours wanted it
    since then. rows: of the table; 1 is right.
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
        if self.status is None:
            return "no such table" if self.error is None else "cannot be read"
        return STATUS_WORDS.get(self.status, "means nothing to Kimo")

    @property
    def whose(self) -> str | None:
        """None while it is idle."""
        if not self.status:
            return None
        if self.owner is None or self.owner.status != self.status:
            return "not ours"
        run = f"load {self.owner.load}" + (
            f", run {self.owner.run_id}" if self.owner.run_id else ""
        )
        return f"ours ({run})" if self.is_running else f"ours, left behind ({run})"

    @property
    def since(self) -> datetime | None:
        if not self.status:
            return None
        return (
            self.seen_since if self.whose == "not ours" or self.owner is None else self.owner.since
        )

    def as_json(self) -> dict[str, Any]:
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


def look(
    config: KimoConfig, database: Database | None, flows: Sequence[Flow] = FLOWS
) -> Iterator[SemaphoreState]:
    """Every semaphore of every source. database: None where nothing was ever imported, so that none
    can be ours.
    """
    for source in config.sources:
        for flow in flows:
            try:
                yield _look(config, source, flow, database)
            except SourceError as error:
                yield SemaphoreState(source, flow.table, error=" ".join(str(error).split()))


def _look(
    config: KimoConfig, source: SystemId, flow: Flow, database: Database | None
) -> SemaphoreState:
    with _found(config, source, flow) as semaphore:
        if semaphore is None:
            return SemaphoreState(source, flow.table)
        found = statuses(semaphore)
        status = current(semaphore)
    if database is None:
        return SemaphoreState(source, flow.table, status, len(found))
    ledger = SemaphoreLedger(database.connect)
    with database.connect() as connection:
        running = is_held(connection)
    owner, seen = ledger.owner(source, flow.table), ledger.seen_since(source, flow.table, status)
    return SemaphoreState(source, flow.table, status, len(found), owner, running, seen)


@contextmanager
def _found(
    config: KimoConfig, source: SystemId, flow: Flow, *, writable: bool = False
) -> Iterator[Semaphore | None]:
    engine = open_source(source, config.sources[source], writable=writable)
    try:
        yield find(source, flow, engine, schemas_of(config, source))
    finally:
        engine.dispose()


def refuse_while_running(database: Database) -> None:
    """Raises: LockedError while a run of ours is going on."""
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
            with _found(config, source, flow, writable=True) as semaphore:
                if semaphore is not None:
                    set_status(semaphore, IDLE)
            ledger.release(state.source, state.semaphore)


def give_back_left_behind(config: KimoConfig, database: Database) -> list[str]:
    """Gives back what killed runs of ours left behind; a sentence for each. What the ERP does not
    let us, stays on record.

    Raises: LockedError while a run of ours is going on: then nothing was left behind.
    """
    with exclusive(database):
        ledger = SemaphoreLedger(database.connect)
        return [_give_back(config, ledger, owner) for owner in ledger.owners()]


def _give_back(config: KimoConfig, ledger: SemaphoreLedger, owner: Owner) -> str:
    what = f"{owner.semaphore} of source '{owner.source}'"
    source = next((name for name in config.sources if name == owner.source), None)
    flow = next((flow for flow in FLOWS if flow.table == owner.semaphore), None)
    if source is None or flow is None:
        return f"{what} is ours by our record, but there is no such source any more"
    try:
        with _found(config, source, flow, writable=True) as semaphore:
            if semaphore is None:
                return f"{what} is ours by our record, but there is no such table any more"
            if give_back(semaphore, ledger):
                return f"{what} was left behind by load {owner.load} and is given back"
            return f"{what} was not ours any more"
    except KimoError as error:
        return (
            f"{what}, left behind by load {owner.load}, could not be given back:"
            f" {' '.join(str(error).split())}"
        )
