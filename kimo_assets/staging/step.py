"""Step 1 over several entities: its preconditions, then the entities side by side.

stage.py does one entity. The caller has the lock and the load, and records the results.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, get_ident

import psycopg
from psycopg import Connection
from sqlalchemy import Engine

from kimo_assets.catalog import Catalog, load_catalog
from kimo_assets.config import KimoConfig, SystemId
from kimo_assets.database.names import STAGED_AREA, StagingArea
from kimo_assets.database.semaphore_ledger import SemaphoreLedger
from kimo_assets.errors import (
    KimoError,
    ReaderError,
    SourceError,
    TransientSourceError,
)
from kimo_assets.progress import Progress
from kimo_assets.reports import StagedEntity, failed_report
from kimo_assets.sources.connection import READER, without_secrets
from kimo_assets.sources.custom_task import run_custom_task
from kimo_assets.sources.error_messages import error_message
from kimo_assets.sources.reconnection import Sources, open_sources
from kimo_assets.sources.semaphore import IMPORT, WaitPolicy, open_semaphores, taken
from kimo_assets.staging.stage import stage_entity
from kimo_assets.texts import say

# How often waiting threads look whether the step ends.
_TICK_S = 0.5

Log = Callable[[str], None]
OnDone = Callable[[StagedEntity], None]
Call = Callable[[Progress], None]
_Done = Future[StagedEntity]


@dataclass(frozen=True)
class StagingRun:
    """What step 1 works with.

    connect: opens a connection to Kimo's database, one for each thread. area: where the snapshots
    go.
    """

    config: KimoConfig
    connect: Callable[[], Connection]
    load: int
    run_id: str | None = None
    area: StagingArea = STAGED_AREA
    allow_shrink: bool = False
    catalog: Catalog = field(default_factory=load_catalog)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


# Does one entity: on a connection to Kimo's database, from these engines, by its name, and calls
# the last argument with the number of rows read.
Work = Callable[[Connection, Mapping[SystemId, Engine], str, Callable[[int], None]], StagedEntity]


def stage_entities(
    run: StagingRun,
    names: Sequence[str],
    progress: Progress,
    on_done: OnDone,
    work: Work | None = None,
    failed: type[StagedEntity] = StagedEntity,
) -> list[StagedEntity]:
    """Stages the entities. The reports come in the order of the names.

    on_done: called as each entity is done. work: does one entity, by default it reads it whole.
    failed: the kind of report for an entity that fails. The caller holds the lock of
    database/locks.py.
    """
    safe_progress = ThreadSafeProgress(progress)
    with ExitStack() as stack:
        try:
            sources = stack.enter_context(_ready(run, names, safe_progress.log))
        except KimoError as error:
            # Without sources, semaphores or the custom task all entities fail alike.
            reports = [failed_report(failed, name, 0.0, error) for name in names]
            for report in reports:
                on_done(report)
            return reports
        pool = StagingPool(run, sources, safe_progress, work or _staged_whole(run), failed)
        stack.callback(pool.close)
        threads = min(run.config.import_.parallel, len(names))
        if threads < 2:
            return pool.in_turn(names, on_done)
        return pool.side_by_side(names, threads, on_done)


@contextmanager
def _ready(run: StagingRun, names: Sequence[str], log: Log) -> Iterator[Sources]:
    """The preconditions of reading, for as long as it goes on: sources, semaphores, custom task."""
    ledger = SemaphoreLedger(run.connect, run.load, run.run_id)
    with open_sources(run.config, names, log, run.sleep) as sources:
        sources.connect()
        with (
            open_semaphores(run.config, IMPORT, sources.engines, log) as semaphores,
            taken(semaphores, ledger, _wait_policy(run, sources, log)),
        ):
            # The task runs under the semaphores (fact sheet, section 5).
            _run_custom_task(run, log)
            yield sources


def _wait_policy(run: StagingRun, sources: Sources, log: Log) -> WaitPolicy:
    attempts = [run.config.sources[name].connect_attempts for name in sources.engines]
    wait_s = run.config.import_.semaphore_wait_s
    return WaitPolicy(wait_s, max(attempts, default=1), log, run.sleep, run.clock)


def _run_custom_task(run: StagingRun, log: Log) -> None:
    """Runs the company's own program, if there is one. Its lines go to the log without secrets."""
    task = run.config.import_.custom_task
    if task is None:
        return
    environment = {
        "KIMO_RUN_ID": run.run_id or "",
        "KIMO_LOAD": str(run.load),
        "KIMO_CONFIG": str(run.config.path),
    }
    secrets = [source.sqlalchemy_url for source in run.config.sources.values()]
    run_custom_task(
        task,
        run.config.path.parent,
        environment,
        on_line=log,
        masked=lambda line: without_secrets(line, secrets),
    )


def _staged_whole(run: StagingRun) -> Work:
    """The usual work: reads the entity whole, with the options of the run."""

    def stage(
        connection: Connection,
        engines: Mapping[SystemId, Engine],
        name: str,
        on_rows: Callable[[int], None],
    ) -> StagedEntity:
        return stage_entity(
            connection,
            engines,
            run.catalog[name],
            run.config.entities[name],
            run.config.guards,
            load=run.load,
            area=run.area,
            allow_shrink=run.allow_shrink,
            on_rows=on_rows,
        )

    return stage


class ThreadSafeProgress:
    """Passes the calls of all threads on to a Progress, in the thread that has created this.

    Calls of that thread itself are passed on at once.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._home = get_ident()
        self._waiting: SimpleQueue[Call | _Done] = SimpleQueue()

    def log(self, line: str) -> None:
        """From any thread."""
        self.notify(lambda progress: progress.log(line))

    def notify(self, call: Call) -> None:
        """Calls the listener in its own thread: now, or when that thread looks."""
        if get_ident() == self._home:
            call(self._progress)
        else:
            self._waiting.put(call)

    def notify_done(self, done: _Done) -> None:
        """An entity is done, in the order of the ends."""
        self._waiting.put(done)

    def next_done(self) -> _Done:
        """Waits for the next entity that is done, and passes on the calls that come meanwhile."""
        while True:
            # With a timeout: on Windows Ctrl+C does not interrupt a wait without one.
            with suppress(Empty):
                item = self._waiting.get(timeout=_TICK_S)
                if isinstance(item, Future):
                    return item
                item(self._progress)


class _Stopped(Exception):
    """Ends an entity because the step ends. It is not reported."""


class StagingPool:
    """Stages entities, each on a connection of its own to Kimo's database."""

    def __init__(
        self,
        run: StagingRun,
        sources: Sources,
        progress: ThreadSafeProgress,
        work: Work,
        failed: type[StagedEntity],
    ) -> None:
        self._run = run
        self._work = work
        self._failed = failed
        self._sources = sources
        self._progress = progress
        # Set when the step ends early. Threads look at it between their batches.
        self._stop = Event()
        self._free: SimpleQueue[Connection] = SimpleQueue()
        self._connections: list[Connection] = []

    def in_turn(self, names: Sequence[str], on_done: OnDone) -> list[StagedEntity]:
        """One entity after another, for a source that stands no more."""
        reports = []
        for name in names:
            reports.append(self._stage(name))
            on_done(reports[-1])
        return reports

    def side_by_side(
        self, names: Sequence[str], threads: int, on_done: OnDone
    ) -> list[StagedEntity]:
        """The reports in the order of the names. The caller's thread waits and passes calls on."""
        reports: dict[str, StagedEntity] = {}
        pool = ThreadPoolExecutor(threads, thread_name_prefix="kimo-staging")
        futures = [pool.submit(self._stage, name) for name in names]
        try:
            for future in futures:
                future.add_done_callback(self._progress.notify_done)
            while len(reports) < len(names):
                report = self._progress.next_done().result()
                reports[report.entity] = report
                on_done(report)
        except BaseException:
            self._end(pool, futures)
            raise
        finally:
            pool.shutdown()
        return [reports[name] for name in names]

    def close(self) -> None:
        """Closes the connections to Kimo's database."""
        for connection in self._connections:
            connection.close()

    def _end(self, pool: ThreadPoolExecutor, futures: Sequence[_Done]) -> None:
        """Interrupts the entities under way. Their transactions are undone."""
        self._stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        # Again and again: a thread may have been between two statements.
        while running := [future for future in futures if not future.done()]:
            wait(running, timeout=_TICK_S)
            self._sources.interrupt()
            for connection in list(self._connections):
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=5)

    def _stage(self, name: str) -> StagedEntity:
        """The entity's report. An error that we foresee makes it one of a failed entity."""
        started = time.monotonic()
        self._progress.notify(lambda progress: progress.entity_started(1, name))
        with self._connection() as connection:
            try:
                return self._stage_again(connection, name)
            except SourceError as error:
                message = error_message(error, name, self._run.config, self._sources)
                seconds = time.monotonic() - started
                return failed_report(self._failed, name, seconds, error, message)
            except (KimoError, psycopg.Error) as error:
                return failed_report(self._failed, name, time.monotonic() - started, error)

    def _stage_again(self, connection: Connection, name: str) -> StagedEntity:
        """Stages it, from its start again where that helps.

        It helps when a connection was lost, up to `connect_attempts` times, and when a fast reader
        met what only the plain cursor can read.
        """
        attempts = 0
        engines = dict(self._sources.engines)
        while True:
            try:
                return self._stage_once(connection, name, engines)
            except TransientSourceError as error:
                attempts += 1
                source = _source_of(error, engines)
                if source is None or attempts >= self._run.config.sources[source].connect_attempts:
                    raise
                self._sources.connect_again(source)
                self._progress.log(say("staging.read_again", entity=name, reason=error))
            except ReaderError as error:
                # No attempt is counted: the plain cursor raises no ReaderError, so this comes once
                # a source.
                source = _source_of(error, engines)
                if source is None:
                    raise
                engines[source] = engines[source].execution_options(**{READER: "cursor"})
                self._progress.log(say("staging.read_by_cursor", reason=error))

    def _stage_once(
        self, connection: Connection, name: str, engines: Mapping[SystemId, Engine]
    ) -> StagedEntity:
        """Stages it on this connection. Raises: _Stopped when the step has ended meanwhile."""

        def on_rows(rows: int) -> None:
            if self._stop.is_set():
                raise _Stopped
            self._progress.notify(lambda progress: progress.rows_read(name, rows))

        if self._stop.is_set():
            raise _Stopped
        return self._work(connection, engines, name, on_rows)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection that no other thread uses now. A lost one is not used again."""
        try:
            connection = self._free.get_nowait()
        except Empty:
            connection = self._run.connect()
            self._connections.append(connection)
        try:
            yield connection
        finally:
            if not connection.closed:
                self._free.put(connection)


def _source_of(error: SourceError, engines: Mapping[SystemId, Engine]) -> SystemId | None:
    """The source that the error is about, None when it names none of these."""
    return next((source for source in engines if source == error.source), None)
