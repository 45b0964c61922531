"""The ERP's semaphores (fact sheet, section 4): tables of one column that keep it and Kimo apart.

A semaphore is taken by a conditional update. Between that update and its commit an owner record is
committed on our side. So a crash at any point leaves the semaphore idle, or ours with a record that
proves it. The ledger keeps the records. The caller holds the lock, so that no other run of ours is
at work meanwhile.
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
from sqlalchemy.sql.expression import ColumnClause, TableClause

from kimo_assets.config import KimoConfig, SystemId
from kimo_assets.errors import (
    KimoError,
    PermanentSourceError,
    SemaphoreError,
    TableLockedError,
    in_one_line,
)
from kimo_assets.sources.connection import connected, open_source, source_errors
from kimo_assets.sources.reconnection import retrying
from kimo_assets.texts import say

IDLE = 0
_POLL_S = 2.0
# While nothing changes, the wait is logged so often.
_LOG_EVERY_S = 60.0

# The statuses of the fact sheet, section 4. `sources.semaphore_status` words them.
_STATUSES = range(5)


@dataclass(frozen=True)
class Flow:
    """A flow of data with a semaphore. status: the one that we set while we read or write.

    title: import or export, as in the keys of kimo.yaml and of texts/sources.py.
    """

    table: str
    status: int
    title: str


IMPORT = Flow("ImportFromErpSemaphore", 2, "import")
EXPORT = Flow("ExportToErpSemaphore", 3, "export")
FLOWS = (IMPORT, EXPORT)


class OwnerRecord(Protocol):
    """The proof that a run of ours set a semaphore: the status it set, and its load."""

    @property
    def status(self) -> int: ...

    @property
    def load(self) -> int | None: ...


class Ledger(Protocol):
    """Keeps the owner records: database/semaphore_ledger.py documents each method."""

    def owner(self, source: str, semaphore: str) -> OwnerRecord | None:
        """What is on record of a semaphore of a source."""
        ...

    def claim(self, source: str, semaphore: str, status: int) -> None:
        """Notes that we are about to take it."""

    def release(self, source: str, semaphore: str) -> None:
        """Notes that it was given back."""

    def seen(self, source: str, semaphore: str, status: int) -> datetime:
        """Notes somebody else's status, and says since when it has been seen."""
        ...


@dataclass(frozen=True)
class WaitPolicy:
    """How long to wait for a semaphore, and how often to try again after a transient error."""

    wait_s: float = 1800
    attempts: int = 4
    log: Callable[[str], None] = lambda line: None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Semaphore:
    """A source's semaphore, which exists there. engine: may write."""

    source: str
    flow: Flow
    engine: Engine
    table: TableClause
    status: ColumnClause[Any]

    @property
    def name(self) -> str:
        """The name of its table, which is also its name in the ledger."""
        return self.flow.table

    def __str__(self) -> str:
        return say("sources.semaphore", table=self.flow.table, source=self.source)


def find(source: str, flow: Flow, engine: Engine, schemas: Sequence[str] = ()) -> Semaphore | None:
    """The semaphore, in the default schema or the first other one with it; None without its table.

    Raises: SourceError; PermanentSourceError when the table lacks its column Status.
    """
    with source_errors(source, engine):
        for schema in (None, *schemas):
            table_name = _table_of(engine, flow, schema)
            if table_name is not None:
                return _semaphore(source, flow, engine, schema, table_name)
    return None


def _table_of(engine: Engine, flow: Flow, schema: str | None) -> str | None:
    """The name of the semaphore's table or view in a schema, in the database's spelling."""
    inspector = inspect(engine)
    name = _ignoring_case(inspector.get_table_names(schema), flow.table)
    return name or _ignoring_case(inspector.get_view_names(schema), flow.table)


def _semaphore(
    source: str, flow: Flow, engine: Engine, schema: str | None, table_name: str
) -> Semaphore:
    columns = inspect(engine).get_columns(table_name, schema)
    types = {column["name"]: column["type"] for column in columns}
    name = _ignoring_case(types, "Status")
    if name is None:
        message = say(
            "sources.semaphore_without_status",
            source=source,
            table=table_name,
            columns=", ".join(types),
        )
        raise PermanentSourceError(message)
    # Some ERPs keep the status as a text: then it is compared and set as one.
    status_type = String() if isinstance(types[name], String) else None
    status: ColumnClause[Any] = column(name, status_type)
    return Semaphore(source, flow, engine, table(table_name, status, schema=schema), status)


def _ignoring_case(names: Iterable[str], name: str) -> str | None:
    return next((other for other in names if other.casefold() == name.casefold()), None)


def statuses(semaphore: Semaphore) -> list[int]:
    """The statuses of its rows, of which there should be one. NULL counts as idle."""
    with source_errors(semaphore.source, semaphore.engine), semaphore.engine.connect() as erp:
        values = [value for (value,) in erp.execute(select(semaphore.status))]
    try:
        return [int(value or IDLE) for value in values]
    except ValueError:
        shown = ", ".join(map(repr, values))
        message = say("sources.semaphore_no_number", semaphore=semaphore, values=shown)
        raise PermanentSourceError(message) from None


def current(semaphore: Semaphore) -> int:
    """Its status: of several rows, the first that is not idle. A table without a row is idle."""
    return next((status for status in statuses(semaphore) if status != IDLE), IDLE)


def status_meaning(status: int) -> str:
    """A status in words (fact sheet, section 4)."""
    if status not in _STATUSES:
        return say("sources.semaphore_status.unknown")
    return say(f"sources.semaphore_status.{status}")


def in_words(status: int) -> str:
    """A status as its number with its meaning: `2 (Kimo is reading the integration database)`."""
    return f"{status} ({status_meaning(status)})"


# --- taking
# --------------------------------------------------------------------------------------------------


@contextmanager
def taken(
    semaphores: Sequence[Semaphore], ledger: Ledger, policy: WaitPolicy
) -> Iterator[list[Semaphore]]:
    """Holds the semaphores while the block runs, and gives them back however it ends.

    Yields those that a killed run of ours had left behind: they have been ours since then. Every
    run takes several in the order of their sources' names, so that no two wait for each other.
    Raises: SemaphoreError when one was not free in time; SourceError.
    """
    left_behind = []
    with ExitStack() as stack:
        for semaphore in sorted(semaphores, key=lambda semaphore: semaphore.source):
            hold = _Hold(semaphore, ledger)
            # Before it is taken: also a failure between the claim and the commit has to be undone.
            stack.callback(hold.give_back, policy)
            if hold.wait_and_take(policy):
                left_behind.append(semaphore)
        yield left_behind


@dataclass
class _Hold:
    """Our hold on one semaphore. claimed: there may be an owner record of ours."""

    semaphore: Semaphore
    ledger: Ledger
    claimed: bool = field(default=False)

    def wait_and_take(self, policy: WaitPolicy) -> bool:
        """Takes the semaphore. Returns whether a run of ours had left it behind."""
        started, log = policy.clock(), _WaitLog(policy)
        # A short loss of the connection must not end a wait of half an hour.
        again = retrying(policy.attempts, policy.sleep, policy.log)
        while not again(self._take):
            status = again(self._look)
            if status == self.semaphore.flow.status and self._is_left_behind(status):
                self._claim()
                policy.log(say("sources.semaphore_left_behind", semaphore=self.semaphore))
                return True
            state = self._state_in_words(status)
            waited_s = policy.clock() - started
            if waited_s >= policy.wait_s:
                raise SemaphoreError(_given_up(self.semaphore, state, policy.wait_s))
            limit = _duration(policy.wait_s)
            log.wait(say("sources.semaphore_waiting", state=state, limit=limit), waited_s)
            policy.sleep(min(_POLL_S, max(policy.wait_s - waited_s, 0.1)))
        return False

    def _state_in_words(self, status: int) -> str:
        """Why the semaphore is not free, as far as we can see."""
        if status == IDLE:
            return say("sources.semaphore_in_transaction", semaphore=self.semaphore)
        since = self.ledger.seen(self.semaphore.source, self.semaphore.name, status)
        key = "sources.semaphore_busy"
        if status == self.semaphore.flow.status:
            # Somebody else sets the status that is meant for us.
            key = "sources.semaphore_busy_not_ours"
        return say(key, semaphore=self.semaphore, status=in_words(status), since=_moment(since))

    def _take(self) -> bool:
        """Tries once. False: somebody else has it. True: it is ours, at the ERP and on record."""
        ours = self.semaphore
        with ExitStack() as stack:
            try:
                with source_errors(ours.source, ours.engine):
                    erp = stack.enter_context(connected(ours.engine))
                    is_free = _set_ours(erp, ours)
            # Somebody changes it at this moment. That is worth waiting, and no failure.
            except TableLockedError:
                return False
            except PermanentSourceError as error:
                text = str(error).rstrip(".")
                message = say("sources.semaphore_not_set", semaphore=ours, error=text)
                raise PermanentSourceError(message) from None
            if is_free:
                # The record comes first: a crash before the commit leaves the ERP's row idle.
                self._claim()
                with source_errors(ours.source, ours.engine):
                    erp.commit()
            return is_free

    def _claim(self) -> None:
        self.claimed = True
        self.ledger.claim(self.semaphore.source, self.semaphore.name, self.semaphore.flow.status)

    def _look(self) -> int:
        """The status; idle where a transaction locks the table, so that it cannot be read."""
        try:
            return current(self.semaphore)
        except TableLockedError:
            return IDLE

    def _is_left_behind(self, status: int) -> bool:
        owner = self.ledger.owner(self.semaphore.source, self.semaphore.name)
        return owner is not None and owner.status == status

    def give_back(self, policy: WaitPolicy) -> None:
        """Gives the semaphore back, or logs why that failed and leaves it on record as ours.

        Never raises, because that would hide the error that ended the run.
        """
        if not self.claimed:
            return
        # A firewall may have cut connections that were unused for hours.
        self.semaphore.engine.dispose()
        again = retrying(policy.attempts, policy.sleep, policy.log)
        try:
            again(give_back, self.semaphore, self.ledger)
        except (KimoError, psycopg.Error) as error:
            line = say(
                "sources.semaphore_not_given_back",
                semaphore=self.semaphore,
                status=in_words(self.semaphore.flow.status),
                error=in_one_line(error),
            )
            policy.log(line)


def give_back(semaphore: Semaphore, ledger: Ledger) -> bool:
    """Sets our own status to idle, at the ERP first, then in the ledger.

    False: the ERP's row had another status already.
    """
    changed = set_status(semaphore, IDLE, only_from=semaphore.flow.status)
    # Not before: after a crash in between, nothing would prove that the status is ours.
    ledger.release(semaphore.source, semaphore.name)
    return changed > 0


def set_status(semaphore: Semaphore, status: int, *, only_from: int | None = None) -> int:
    """Sets the status, where it is `only_from`. Returns the rows changed. Raises: SourceError."""
    statement = update(semaphore.table).values({semaphore.status: _stored(semaphore, status)})
    if only_from is not None:
        statement = statement.where(semaphore.status == _stored(semaphore, only_from))
    with source_errors(semaphore.source, semaphore.engine), semaphore.engine.begin() as erp:
        return erp.execute(statement).rowcount


def _set_ours(erp: Connection, semaphore: Semaphore) -> bool:
    """Sets idle rows to our status, without a commit. False: some row was not idle."""
    status = semaphore.status
    is_idle = or_(status == _stored(semaphore, IDLE), status.is_(None))
    to_ours = update(semaphore.table).values({status: _stored(semaphore, semaphore.flow.status)})
    changed = erp.execute(to_ours.where(is_idle)).rowcount
    rows = erp.execute(select(func.count()).select_from(semaphore.table)).scalar_one()
    # The manual does not say who writes the first row (fact sheet, section 4).
    if rows == 0:
        erp.execute(_first_row(semaphore))
        return erp.execute(select(status)).all() == [(_stored(semaphore, semaphore.flow.status),)]
    return bool(changed == rows)


def _first_row(semaphore: Semaphore) -> Any:
    """Inserts the first row, with our status, unless somebody else inserts one before."""
    is_empty = ~exists(select(literal(1)).select_from(semaphore.table))
    ours = select(literal(_stored(semaphore, semaphore.flow.status))).where(is_empty)
    return insert(semaphore.table).from_select([semaphore.status], ours)


def _stored(semaphore: Semaphore, status: int) -> int | str:
    return str(status) if isinstance(semaphore.status.type, String) else status


class _WaitLog:
    """Logs what the run waits for: at once when that changes, else now and then."""

    def __init__(self, policy: WaitPolicy) -> None:
        self._log = policy.log
        self._last_line = ""
        self._logged_at_s = 0.0

    def wait(self, line: str, waited_s: float) -> None:
        is_due = waited_s - self._logged_at_s >= _LOG_EVERY_S
        if line != self._last_line or is_due:
            self._log(line)
            self._last_line, self._logged_at_s = line, waited_s


def _given_up(semaphore: Semaphore, state: str, wait_s: float) -> str:
    key = f"sources.semaphore_given_up.{semaphore.flow.title}"
    return say(key, state=state, limit=_duration(wait_s))


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
    log: Callable[[str], None] = lambda line: None,
) -> Iterator[list[Semaphore]]:
    """The flow's semaphores in the sources; logs where a source has none. Raises: SourceError.

    Two sources of the same database share theirs.
    """
    semaphores: dict[Any, Semaphore] = {}
    with ExitStack() as stack:
        for source in sorted(set(sources)):
            engine = open_source(source, config.sources[source], writable=True)
            stack.callback(engine.dispose)
            semaphore = find(source, flow, engine, schemas_of(config, source))
            if semaphore is None:
                log(say(f"sources.no_semaphore.{flow.title}", source=source, table=flow.table))
                continue
            url = engine.url
            key = (url.host, url.port, url.database, semaphore.table.schema)
            # Taken twice, it would be waited for while we hold it ourselves.
            semaphores.setdefault(key, semaphore)
        yield list(semaphores.values())


def schemas_of(config: KimoConfig, source: str) -> list[str]:
    """The schemas of the source's mapped tables, beside its default one."""
    schemas = set()
    for mappings in config.entities.values():
        for mapping in mappings:
            if mapping.source == source and mapping.table:
                schemas.add(mapping.table.rpartition(".")[0])
    return sorted(schemas - {""})
