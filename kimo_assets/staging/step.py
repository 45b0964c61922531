"""Step 1 over a choice of entities: what has to be so before anything is read, then the entities
side by side.

One entity is stage.py's. The lock, the load number and where results are recorded are the caller's.
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
    in_one_line,
)
from kimo_assets.progress import Progress
from kimo_assets.reports import StagedEntity
from kimo_assets.sources.connection import READER, without_secrets
from kimo_assets.sources.custom_task import run_custom_task
from kimo_assets.sources.error_messages import complaint
from kimo_assets.sources.reconnection import Sources, open_sources
from kimo_assets.sources.semaphore import IMPORT, WaitPolicy, open_semaphores, taken
from kimo_assets.staging.stage import stage_entity

_TICK_S = 0.5

OnDone = Callable[[StagedEntity], None]


Call = Callable[[Progress], None]
_Done = Future[StagedEntity]


@dataclass(frozen=True)
class StagingRun:
    """What step 1 works with. connect: to Kimo's database, for each thread. area: where the
    snapshots go.
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


# How one entity is done: by whose connection to Kimo's database, from which engines, under what
# name.
Work = Callable[[Connection, Mapping[SystemId, Engine], str, Callable[[int], None]], StagedEntity]


def stage_entities(
    run: StagingRun,
    names: Sequence[str],
    listener: Progress,
    on_done: OnDone,
    work: Work | None = None,
    failed: type[StagedEntity] = StagedEntity,
) -> list[StagedEntity]:
    """Stages the entities; the reports come in the order of the names, on_done is called as each
    one is done.

    work: what is done with each, unless it is to be read whole; failed: the kind of report for one
    that fails.

    What has to be so before anything is read (sources, semaphores, custom task) fails all of them
    alike. The caller holds the lock of database/locks.py.
    """
    told = _Told(listener)
    with ExitStack() as stack:
        try:
            sources = stack.enter_context(_ready(run, names, told.say))
        except KimoError as error:
            reports = [failed(name, 0.0, "failed", in_one_line(error)) for name in names]
            for report in reports:
                on_done(report)
            return reports
        crew = StagingPool(run, sources, told, work or _staged_whole(run), failed)
        stack.callback(crew.close)
        threads = min(run.config.import_.parallel, len(names))
        return (
            crew.in_turn(names, on_done)
            if threads < 2
            else crew.side_by_side(names, threads, on_done)
        )


@contextmanager
def _ready(run: StagingRun, names: Sequence[str], say: Callable[[str], None]) -> Iterator[Sources]:
    """What has to be so before anything is read, as long as it is read."""
    ledger = SemaphoreLedger(run.connect, run.load, run.run_id)
    with open_sources(run.config, names, say, run.sleep) as sources:
        sources.connect()
        with (
            open_semaphores(run.config, IMPORT, sources.engines, say) as semaphores,
            taken(semaphores, ledger, _patience(run, sources, say)),
        ):
            _run_custom_task(run, say)
            yield sources


def _patience(run: StagingRun, sources: Sources, say: Callable[[str], None]) -> WaitPolicy:
    attempts = max(
        (run.config.sources[name].connect_attempts for name in sources.engines), default=1
    )
    return WaitPolicy(run.config.import_.semaphore_wait_s, attempts, say, run.sleep, run.clock)


def _run_custom_task(run: StagingRun, say: Callable[[str], None]) -> None:
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
        on_line=say,
        masked=lambda line: without_secrets(line, secrets),
    )


def _staged_whole(run: StagingRun) -> Work:
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


class _Told:
    """Hands what threads have to tell to the one that listens; what that one tells itself arrives
    at once.
    """

    def __init__(self, listener: Progress) -> None:
        self._listener = listener
        self._home = get_ident()
        self._waiting: SimpleQueue[Call | _Done] = SimpleQueue()

    def say(self, line: str) -> None:
        self.tell(lambda listener: listener.log(line))

    def tell(self, call: Call) -> None:
        if get_ident() == self._home:
            call(self._listener)
        else:
            self._waiting.put(call)

    def tell_done(self, done: "_Done") -> None:
        self._waiting.put(done)

    def next_done(self) -> "_Done":
        """Waits for the next entity that is done, and passes on what is told meanwhile."""
        while True:
            # Windows interrupts no wait of its own accord.
            with suppress(Empty):
                found = self._waiting.get(timeout=_TICK_S)
                if isinstance(found, Future):
                    return found
                found(self._listener)


class _Stopped(Exception):
    """Ends an entity because the step ends; nobody is told."""


class StagingPool:
    """Stages entities, each on a connection of its own to Kimo's database."""

    def __init__(
        self, run: StagingRun, sources: Sources, told: _Told, work: Work, failed: type[StagedEntity]
    ) -> None:
        self._run = run
        self._work = work
        self._failed = failed
        self._sources = sources
        self._told = told
        self._stop = Event()
        self._free: SimpleQueue[Connection] = SimpleQueue()
        self._connections: list[Connection] = []

    def in_turn(self, names: Sequence[str], on_done: OnDone) -> list[StagedEntity]:
        reports = []
        for name in names:
            reports.append(self._stage(name))
            on_done(reports[-1])
        return reports

    def side_by_side(
        self, names: Sequence[str], threads: int, on_done: OnDone
    ) -> list[StagedEntity]:
        reports: dict[str, StagedEntity] = {}
        pool = ThreadPoolExecutor(threads, thread_name_prefix="kimo-staging")
        futures = [pool.submit(self._stage, name) for name in names]
        try:
            for future in futures:
                future.add_done_callback(self._told.tell_done)
            while len(reports) < len(names):
                report = self._told.next_done().result()
                reports[report.entity] = report
                on_done(report)
        except BaseException:
            self._end(pool, futures)
            raise
        finally:
            pool.shutdown()
        return [reports[name] for name in names]

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def _end(self, pool: ThreadPoolExecutor, futures: Sequence[_Done]) -> None:
        """Whatever is under way is interrupted: its transaction is undone, its connections are
        closed.
        """
        self._stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        while running := [future for future in futures if not future.done()]:
            wait(running, timeout=_TICK_S)
            self._sources.interrupt()
            for connection in list(self._connections):
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=5)

    def _stage(self, name: str) -> StagedEntity:
        started = time.monotonic()
        self._told.tell(lambda listener: listener.entity_started(1, name))
        with self._connection() as connection:
            try:
                return self._stage_again(connection, name)
            except SourceError as error:
                reason = complaint(error, name, self._run.config, self._sources)
            except (KimoError, psycopg.Error) as error:
                reason = in_one_line(error)
        return self._failed(name, time.monotonic() - started, "failed", reason)

    def _stage_again(self, connection: Connection, name: str) -> StagedEntity:
        """From the start, when its connection is lost on the way, as often as the source is worth;
        or by the plain cursor, when a fast reader meets what only that can read.
        """
        attempts, engines = 0, dict(self._sources.engines)
        while True:
            try:
                return self._stage_once(connection, name, engines)
            except TransientSourceError as error:
                attempts += 1
                source = next((known for known in engines if known == error.source), None)
                if source is None or attempts >= self._run.config.sources[source].connect_attempts:
                    raise
                self._sources.connect_again(source)
                self._told.say(
                    f"{name}: {error}. The source answers again; {name} is read from its start"
                )
            except ReaderError as error:
                by_cursor = next(known for known in engines if known == error.source)
                engines[by_cursor] = engines[by_cursor].execution_options(**{READER: "cursor"})
                self._told.say(f"{error}: it is read from its start by the plain cursor")

    def _stage_once(
        self, connection: Connection, name: str, engines: Mapping[SystemId, Engine]
    ) -> StagedEntity:
        def on_rows(rows: int) -> None:
            if self._stop.is_set():
                raise _Stopped
            self._told.tell(lambda listener: listener.rows_read(name, rows))

        if self._stop.is_set():
            raise _Stopped
        return self._work(connection, engines, name, on_rows)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
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
