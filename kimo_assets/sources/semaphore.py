"""The ERP's semaphores (fact sheet, section 4): tables of one column, by which it and Kimo keep out
of each other's way.

A semaphore is taken by a conditional update. Between that update and its commit an owner record is
committed on our side: a crash at any point leaves the semaphore idle, or ours with a record that
proves it. Where the records are kept is the ledger's business; that nobody else of ours is at work
while we look at them is the caller's, who holds the lock.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg
from sqlalchemy import (
    Engine,
    String,
    column,
    exists,
    func,
    insert,
    inspect,
    literal,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.sql.expression import ColumnElement, TableClause

from kimo_assets.config import KimoConfig, SystemId
from kimo_assets.errors import KimoError, PermanentSourceError, SemaphoreError, TableLockedError
from kimo_assets.sources.connection import connected, open_source, source_errors
from kimo_assets.sources.reconnection import persistently

IDLE = 0
_POLL_S = 2.0
# While nothing changes, the wait is told of so often.
_TELL_EVERY_S = 60.0

STATUS_WORDS: dict[int, str] = {
    0: "idle",
    1: "the ERP is writing to the integration database",
    2: "Kimo is reading the integration database",
    3: "Kimo is writing to the integration database",
    4: "the ERP is reading the integration database",
}


@dataclass(frozen=True)
class Flow:
    """A flow of data with a semaphore. status: what we set while we are at it; done: what is done
    then, to the ERP's tables.

    others: what the ERP does to them at other times.
    """

    table: str
    status: int
    title: str
    done: str
    others: str


IMPORT = Flow("ImportFromErpSemaphore", 2, "import", "read", "writing")
EXPORT = Flow("ExportToErpSemaphore", 3, "export", "sent", "reading")
FLOWS = (IMPORT, EXPORT)


class OwnerRecord(Protocol):
    @property
    def status(self) -> int: ...

    @property
    def load(self) -> int | None: ...


class Ledger(Protocol):
    """Where owner records are kept: database/semaphore_ledger.py says what each of these does."""

    def owner(self, source: str, semaphore: str) -> OwnerRecord | None: ...

    def claim(self, source: str, semaphore: str, status: int) -> None: ...

    def release(self, source: str, semaphore: str) -> None: ...

    def seen(self, source: str, semaphore: str, status: int) -> datetime: ...


@dataclass(frozen=True)
class WaitPolicy:
    """How long to wait for a semaphore, how often to try what fails for the moment, whom to
    tell.
    """

    wait_s: float = 1800
    attempts: int = 4
    say: Callable[[str], None] = lambda line: None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Semaphore:
    """One source's semaphore, found there. engine: may write."""

    source: str
    flow: Flow
    engine: Engine
    table: TableClause
    status: ColumnElement[Any]

    @property
    def name(self) -> str:
        return self.flow.table

    def __str__(self) -> str:
        return f"{self.flow.table} of source '{self.source}'"


def find(source: str, flow: Flow, engine: Engine, schemas: Sequence[str] = ()) -> Semaphore | None:
    """The semaphore, in the default schema or the first of the others that has it; None where there
    is no such table.

    Raises: SourceError; PermanentSourceError when the table lacks its column Status.
    """
    with source_errors(source, engine):
        for schema in (None, *schemas):
            found = _by_fold(inspect(engine).get_table_names(schema), flow.table)
            found = found or _by_fold(inspect(engine).get_view_names(schema), flow.table)
            if found:
                break
        else:
            return None
        columns = {
            known["name"]: known["type"] for known in inspect(engine).get_columns(found, schema)
        }
        name = _by_fold(columns, "Status")
        if name is None:
            raise PermanentSourceError(
                f"source '{source}': the semaphore {found} has no column Status. It has:"
                f" {', '.join(columns)}."
            )
        status: ColumnElement[Any] = column(
            name, String if isinstance(columns[name], String) else None
        )
        return Semaphore(source, flow, engine, table(found, status, schema=schema), status)  # type: ignore[arg-type]


def _by_fold(names: Any, wanted: str) -> str | None:
    return next((name for name in names if name.casefold() == wanted.casefold()), None)


def statuses(semaphore: Semaphore) -> list[int]:
    """What its rows say; one, if all is as it should be. NULL counts as idle."""
    with source_errors(semaphore.source, semaphore.engine), semaphore.engine.connect() as erp:
        found = [value for (value,) in erp.execute(select(semaphore.status))]
    try:
        return [int(value or IDLE) for value in found]
    except ValueError:
        raise PermanentSourceError(
            f"{semaphore} has the status {', '.join(map(repr, found))}. Expected a number from 0 to"
            " 4; set it at the ERP."
        ) from None


def current(semaphore: Semaphore) -> int:
    """Its status: of several rows, the first that is not idle. A table without a row is idle."""
    return next((status for status in statuses(semaphore) if status != IDLE), IDLE)


def in_words(status: int) -> str:
    return f"{status} ({STATUS_WORDS.get(status, 'which means nothing to Kimo')})"


# --- taking
# --------------------------------------------------------------------------------------------------


@contextmanager
def taken(
    semaphores: Sequence[Semaphore], ledger: Ledger, patience: WaitPolicy
) -> Iterator[list[Semaphore]]:
    """Holds the semaphores while the block runs, and gives them back whatever becomes of it.

    Yields those of them that a killed run of ours had left behind: they were ours since then.

    Several are taken in the order of their sources' names, by everybody, so that no two wait for
    each other.
    Raises: SemaphoreError when one was not to be had in time; SourceError.
    """
    left_behind = []
    with ExitStack() as stack:
        for semaphore in sorted(semaphores, key=lambda known: known.source):
            hold = _Hold(semaphore, ledger)
            stack.callback(hold.give_back, patience)
            if hold.wait_and_take(patience):
                left_behind.append(semaphore)
        yield left_behind


@dataclass
class _Hold:
    """What we do with one semaphore. claimed: an owner record of ours may be there."""

    semaphore: Semaphore
    ledger: Ledger
    claimed: bool = field(default=False)

    def wait_and_take(self, patience: WaitPolicy) -> bool:
        """Whether it was left behind by a run of ours."""
        began, told = patience.clock(), _Told(patience)
        # A moment without an answer ends no wait of half an hour.
        again = persistently(patience.attempts, patience.sleep, patience.say)
        while not again(self._take):
            busy = again(self._look)
            if busy == self.semaphore.flow.status and self._is_left_behind(busy):
                self._claim()
                patience.say(
                    f"{self.semaphore} was left behind by a run of ours that was killed: taken over"
                )
                return True
            if busy == IDLE:
                waiting = "is held by a transaction that has not ended"
            else:
                since = self.ledger.seen(self.semaphore.source, self.semaphore.name, busy)
                waiting = (
                    f"is {in_words(busy)}{self._whose(busy)}, at every look since {_moment(since)}"
                )
            waited = patience.clock() - began
            if waited >= patience.wait_s:
                raise SemaphoreError(_given_up(self.semaphore, waiting, patience.wait_s))
            told.wait(
                f"{self.semaphore} {waiting}; waiting up to {_duration(patience.wait_s)} for it",
                waited,
            )
            patience.sleep(min(_POLL_S, max(patience.wait_s - waited, 0.1)))
        return False

    def _take(self) -> bool:
        """One try. False: somebody else has it. Once this returned True, it is ours at the ERP and
        on record.
        """
        ours = self.semaphore
        with ExitStack() as stack:
            try:
                with source_errors(ours.source, ours.engine):
                    erp = stack.enter_context(connected(ours.engine))
                    is_free = _set_ours(erp, ours)
            except TableLockedError:
                return False
            except PermanentSourceError as error:
                raise PermanentSourceError(
                    f"{ours} cannot be set: {str(error).rstrip('.')}. Kimo has to be allowed to"
                    " read and update it."
                ) from None
            if is_free:
                self._claim()
                with source_errors(ours.source, ours.engine):
                    erp.commit()
            return is_free

    def _claim(self) -> None:
        self.claimed = True
        self.ledger.claim(self.semaphore.source, self.semaphore.name, self.semaphore.flow.status)

    def _look(self) -> int:
        try:
            return current(self.semaphore)
        except TableLockedError:
            return IDLE

    def _is_left_behind(self, status: int) -> bool:
        owner = self.ledger.owner(self.semaphore.source, self.semaphore.name)
        return owner is not None and owner.status == status

    def _whose(self, status: int) -> str:
        return ", but not by us" if status == self.semaphore.flow.status else ""

    def give_back(self, patience: WaitPolicy) -> None:
        """Never raises: what ended the run is not to be hidden. What cannot be given back stays on
        record as ours.
        """
        if not self.claimed:
            return
        # What has been idle for hours may be cut by now.
        self.semaphore.engine.dispose()
        try:
            persistently(patience.attempts, patience.sleep, patience.say)(
                give_back, self.semaphore, self.ledger
            )
        except (KimoError, psycopg.Error) as error:
            patience.say(
                f"{self.semaphore} could not be given back and stays"
                f" {in_words(self.semaphore.flow.status)}: {' '.join(str(error).split())}. It is on"
                " record as ours: the next run gives it back, or `kimo semaphore reset` does"
            )


def give_back(semaphore: Semaphore, ledger: Ledger) -> bool:
    """Sets our own status to idle, at the ERP first, then on record. False: the ERP's row said
    something else already.
    """
    changed = set_status(semaphore, IDLE, only_from=semaphore.flow.status)
    ledger.release(semaphore.source, semaphore.name)
    return changed > 0


def set_status(semaphore: Semaphore, status: int, *, only_from: int | None = None) -> int:
    """How many rows were changed. Raises: SourceError."""
    statement = update(semaphore.table).values({semaphore.status: _stored(semaphore, status)})
    if only_from is not None:
        statement = statement.where(semaphore.status == _stored(semaphore, only_from))
    with source_errors(semaphore.source, semaphore.engine), semaphore.engine.begin() as erp:
        return erp.execute(statement).rowcount


def _set_ours(erp: Connection, semaphore: Semaphore) -> bool:
    """Sets what is idle to our status, not committed yet. False: some of it was not idle."""
    status = semaphore.status
    is_idle = or_(status == _stored(semaphore, IDLE), status.is_(None))
    to_ours = update(semaphore.table).values({status: _stored(semaphore, semaphore.flow.status)})
    changed = erp.execute(to_ours.where(is_idle)).rowcount
    rows = erp.execute(select(func.count()).select_from(semaphore.table)).scalar_one()
    if rows == 0:
        erp.execute(_first_row(semaphore))
        return erp.execute(select(status)).all() == [(_stored(semaphore, semaphore.flow.status),)]
    return bool(changed == rows)


def _first_row(semaphore: Semaphore) -> Any:
    """Nobody has made the row yet: ours is the first, unless somebody else's comes before it."""
    none_yet = ~exists(select(literal(1)).select_from(semaphore.table))
    return insert(semaphore.table).from_select(
        [semaphore.status],
        select(literal(_stored(semaphore, semaphore.flow.status))).where(none_yet),
    )


def _stored(semaphore: Semaphore, status: int) -> int | str:
    return str(status) if isinstance(semaphore.status.type, String) else status


class _Told:
    """Says what is waited for: at once when it changes, else now and then."""

    def __init__(self, patience: WaitPolicy) -> None:
        self._patience = patience
        self._last: tuple[str, float] | None = None

    def wait(self, line: str, waited: float) -> None:
        if self._last is None or self._last[0] != line or waited - self._last[1] >= _TELL_EVERY_S:
            self._patience.say(line)
            self._last = (line, waited)


def _given_up(semaphore: Semaphore, waiting: str, wait_s: float) -> str:
    title = semaphore.flow.title
    return (
        f"{semaphore} {waiting}; waited {_duration(wait_s)} ({title}.semaphore_wait_s). Nothing was"
        f" {semaphore.flow.done}. Wait until it is idle and {title} again; if whoever set it is"
        " gone, `kimo semaphore reset` sets it to 0."
    )


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min"


# --- all of a run
# -------------------------------------------------------------------------------------------------


@contextmanager
def open_semaphores(
    config: KimoConfig,
    flow: Flow,
    sources: Iterable[SystemId],
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[list[Semaphore]]:
    """The flow's semaphores in the sources; says where there is none. Two sources of one database
    share theirs.

    Raises: SourceError.
    """
    found: dict[Any, Semaphore] = {}
    with ExitStack() as stack:
        for source in sorted(set(sources)):
            engine = open_source(source, config.sources[source], writable=True)
            stack.callback(engine.dispose)
            semaphore = find(source, flow, engine, schemas_of(config, source))
            if semaphore is None:
                say(
                    f"source '{source}' has no table {flow.table}: nothing keeps the ERP from"
                    f" {flow.others} meanwhile"
                )
                continue
            place = (engine.url.host, engine.url.port, engine.url.database, semaphore.table.schema)
            found.setdefault(place, semaphore)
        yield list(found.values())


def schemas_of(config: KimoConfig, source: str) -> list[str]:
    """The schemas that the source's mapped tables are in, beside its default one."""
    mappings = (
        mapping
        for parts in config.entities.values()
        for mapping in parts
        if mapping.source == source
    )
    return sorted(
        {mapping.table.rpartition(".")[0] for mapping in mappings if mapping.table} - {""}
    )
