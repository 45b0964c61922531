"""download_items_images: the pictures at the URLs of ItemUrl, into the public folder.

Threads fetch (fetch.py), processes of their own decode and write (worker_pool.py). This thread
hands out the URLs, host by host in turn, and records what became of each as it comes. A run that is
killed loses what was under way. The next run goes on.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any

from psycopg import Connection, sql

from kimo_assets.catalog.menu import DOWNLOAD_IMAGES
from kimo_assets.database.names import KIMO, table
from kimo_assets.images import ledger, public_folder
from kimo_assets.images.addresses import Guard, RefusedError, check_url, host_and_port, shown
from kimo_assets.images.fetch import Fetched, Fetcher, FetchError, Limits, Validators
from kimo_assets.images.ledger import FAILED, MISSING, OK, Record
from kimo_assets.images.picture import Original
from kimo_assets.images.references import URL_OF_IMAGE
from kimo_assets.images.settings import ImageSettings
from kimo_assets.images.worker_pool import DeadWorkerError, Outcome, Piece, Worker, cores
from kimo_assets.progress import Progress
from kimo_assets.reports import Problem, TaskReport
from kimo_assets.texts import say

ENTITY = "ItemUrl"

# After so many pictures in a row, each tried as often as may be, a host is given up for the run: it
# is down when it did not answer at all, and unwell when it answered with errors, which may also be
# those pictures'.
_DOWN_AFTER = 3
_UNWELL_AFTER = 20

# Pictures fetched and not yet decoded, for each thread that decodes: they are in memory.
_WAITING = 2
# On Windows Ctrl-C only comes through between two waits.
_PAUSE_S = 1.0
_ITEMS_NAMED = 5

# Host and port.
Endpoint = tuple[str, int]


@dataclass(frozen=True)
class PreviousPicture:
    """What ops.picture holds of a URL.

    is_good: its public picture is there, made by today's settings.
    """

    is_good: bool = False
    is_public: bool = False
    size: int | None = None
    sha256: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    recipe: str | None = None
    original: Original | None = None

    @property
    def validators(self) -> Validators:
        """None of a picture that has to be made again: a 304 would bring no bytes for that."""
        if not self.is_good:
            return Validators()
        return Validators(self.etag, self.last_modified)


@dataclass(frozen=True)
class DueUrl:
    """A URL to ask in this run."""

    url: str
    endpoint: Endpoint
    previous: PreviousPicture


@dataclass(frozen=True)
class Result:
    """What became of a URL. count: the figure of the report that counts it.

    record: None for a URL that is refused as it is written, and so has no row in ops.picture.
    reason: what is wrong. is_kept: the previous picture stays public.
    """

    url: str
    count: str
    record: Record | None = None
    reason: str | None = None
    is_kept: bool = False


def download_images(
    connection: Connection,
    settings: ImageSettings,
    listener: Progress,
    fetcher: Fetcher | None = None,
) -> TaskReport:
    """Raises: ImagesError when the public folder cannot be used. fetcher: for tests."""
    started = time.monotonic()
    _prepare(connection, settings)
    # Names first: what is due is read from them, without the refused.
    refused = _name_pictures(connection)
    due, not_due = _due_urls(connection, settings)
    listener.task_started(DOWNLOAD_IMAGES.title, len(due))
    run = _Run(connection, settings, listener, fetcher or _fetcher(settings), _Makers(settings))
    run.note(refused)
    run.download(due)
    removed = _tidy(connection, settings)
    counts = {
        "urls": len(due) + not_due + len(refused),
        **run.counts,
        "not_due": not_due,
        "removed": removed,
    }
    seconds = time.monotonic() - started
    problems = _problems(connection, run.failures)
    return TaskReport(DOWNLOAD_IMAGES.title, seconds, counts, problems, tuple(run.notes))


def _fetcher(settings: ImageSettings) -> Fetcher:
    config = settings.config.download
    limits = Limits(
        max_bytes=settings.recipe.max_bytes,
        timeout_s=config.timeout_s,
        max_redirects=config.max_redirects,
        attempts=config.attempts,
        per_host=config.per_host,
    )
    return Fetcher(limits, Guard(config.allowed_hosts))


# --- which URLs there are
# -----------------------------------------------------------------------------------------------

# Blanks and line ends around a URL are no part of it.
_LIVE = sql.SQL(
    """(SELECT r."ItemId" AS item, r."Url" AS written, btrim(r."Url", E' \\t\\r\\n') AS url
        FROM {rows} AS r
        WHERE r._archived_load IS NULL AND r."UrlTypeId" = {image}
            AND btrim(r."Url", E' \\t\\r\\n') <> '')"""
).format(rows=table(KIMO, ENTITY), image=sql.Literal(URL_OF_IMAGE))

_NAME = sql.SQL("""
    WITH refused AS (SELECT * FROM unnest(%(urls)s::text[], %(problems)s::text[]) AS refused
        (url, problem)),
        live AS (
            SELECT DISTINCT l.written, CASE WHEN f.url IS NULL THEN l.url END AS source, f.problem
            FROM {live} AS l LEFT JOIN refused AS f ON f.url = l.url
        ),
        gone AS (
            DELETE FROM ops.picture_name AS n WHERE entity = %(entity)s
            AND NOT EXISTS (SELECT FROM live WHERE live.written = n.written)
        )
    INSERT INTO ops.picture_name AS n (entity, written, source, problem)
    SELECT %(entity)s, written, source, problem FROM live
    ON CONFLICT (entity, written) DO UPDATE SET source = EXCLUDED.source, problem = EXCLUDED.problem
    WHERE (n.source, n.problem) IS DISTINCT FROM (EXCLUDED.source, EXCLUDED.problem)
    """).format(live=_LIVE)

# A picture is left alone only while it is good: one that failed is asked for again at once.
_DUE = sql.SQL("""
    SELECT l.url, coalesce(p.path IS NOT NULL AND p.recipe = %(recipe)s, false), p.path IS NOT NULL,
        p.size, p.sha256,
        p.etag, p.last_modified, p.recipe, p.kind, p.source_width, p.source_height,
        coalesce(p.status = 'ok' AND p.recipe = %(recipe)s AND p.path IS NOT NULL
            AND p.checked_at > now() - %(age)s, false)
    FROM (SELECT DISTINCT source AS url FROM ops.picture_name WHERE entity = %(entity)s AND source
        IS NOT NULL) AS l
    LEFT JOIN ops.picture AS p ON p.source = l.url
    ORDER BY l.url
    """)


_URLS = sql.SQL("SELECT DISTINCT url FROM {} AS l ORDER BY url").format(_LIVE)


def _name_pictures(connection: Connection) -> list[Result]:
    """Brings ops.picture_name up to date with the rows.

    Returns the URLs that are refused as they are written.
    """
    refused = {}
    for (url,) in connection.execute(_URLS):
        if reason := _refusal(url):
            refused[url] = reason
    values = {
        "entity": ENTITY,
        "urls": list(refused.keys()),
        "problems": list(refused.values()),
    }
    connection.execute(_NAME, values)
    return [Result(url, "refused", reason=reason) for url, reason in refused.items()]


def _refusal(url: str) -> str | None:
    try:
        check_url(url)
    except RefusedError as error:
        return str(error)
    return None


def _due_urls(connection: Connection, settings: ImageSettings) -> tuple[list[DueUrl], int]:
    """The URLs to ask, and how many of the good URLs were asked not long ago."""
    age = timedelta(hours=settings.config.download.max_age_hours)
    rows = connection.execute(
        _DUE, {"entity": ENTITY, "recipe": settings.recipe.of_made, "age": age}
    )
    due = []
    not_due = 0
    for url, *columns, kind, width, height, is_fresh in rows:
        if is_fresh:
            not_due += 1
            continue
        original = None
        if kind:
            original = Original(kind, width, height)
        # The columns are in the order of the fields of PreviousPicture.
        previous = replace(PreviousPicture(*columns), original=original)
        due.append(DueUrl(url, host_and_port(check_url(url)), previous))
    return due, not_due


# --- the work
# --------------------------------------------------------------------------------------------------


@dataclass
class _Host:
    """The URLs of a host that are left, and how it fares.

    unwell_in_a_row: pictures that it might have given, had it been well. down_in_a_row: pictures
    for which it did not answer.
    """

    waiting: deque[DueUrl] = field(default_factory=deque)
    under_way: int = 0
    down_in_a_row: int = 0
    unwell_in_a_row: int = 0

    def is_past_hope(self, error: FetchError) -> bool:
        return (
            error.wants_long_pause
            or self.down_in_a_row >= _DOWN_AFTER
            or self.unwell_in_a_row >= _UNWELL_AFTER
        )


class _Hosts:
    """Hands out the URLs, a host after another, so that a slow host holds up no other."""

    def __init__(self, due: Iterable[DueUrl], per_host: int) -> None:
        self._per_host = per_host
        self._hosts: dict[Endpoint, _Host] = {}
        for due_url in due:
            self._hosts.setdefault(due_url.endpoint, _Host()).waiting.append(due_url)
        self._turn = deque(self._hosts)

    def next(self) -> DueUrl | None:
        """None when there is nothing left that may be asked for now."""
        for _ in range(len(self._turn)):
            endpoint = self._turn.popleft()
            host = self._hosts[endpoint]
            if not host.waiting:
                continue
            self._turn.append(endpoint)
            if host.under_way < self._per_host:
                host.under_way += 1
                return host.waiting.popleft()
        return None

    def answered(self, endpoint: Endpoint) -> None:
        host = self._hosts[endpoint]
        host.under_way -= 1
        # One answer shows that the host is up, whatever it was.
        host.down_in_a_row = host.unwell_in_a_row = 0

    def failed(self, endpoint: Endpoint, error: FetchError) -> Sequence[DueUrl]:
        """The URLs that are given up with it: all that are left, when the host is past hope."""
        host = self._hosts[endpoint]
        # A 404 or a refused address says nothing against the host.
        if not error.is_passing:
            self.answered(endpoint)
            return ()
        host.under_way -= 1
        host.unwell_in_a_row += 1
        if error.is_unreachable:
            host.down_in_a_row += 1
        else:
            host.down_in_a_row = 0
        if not host.is_past_hope(error):
            return ()
        given_up, host.waiting = host.waiting, deque()
        return tuple(given_up)


class _Makers:
    """Makes pictures, with a process for each thread that asks.

    What a server sends may cost the process its life.
    """

    def __init__(self, settings: ImageSettings) -> None:
        self.count = settings.config.processes or cores()
        self._options = {"recipe": asdict(settings.recipe), "public": str(settings.public)}
        self._of_thread = threading.local()
        self._workers: set[Worker] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def make(self, url: str, data: bytes, made_sha256: str | None) -> Outcome:
        """made_sha256: the hash of the content that is public.

        Raises: ImagesError when the public folder cannot be written.
        """
        piece = Piece(url, "", len(data), made_sha256)
        try:
            return self._worker().make(piece, data)
        except DeadWorkerError as death:
            self._retire()
            return Outcome(piece, problem=str(death), lasting=False)

    def close(self) -> None:
        """Ends the processes, even in the middle of a picture."""
        with self._lock:
            self._is_closed = True
            for worker in self._workers:
                worker.kill()

    def join(self) -> None:
        """After close, when no thread makes any more."""
        for worker in self._workers:
            worker.end()

    def _retire(self) -> None:
        worker: Worker | None = getattr(self._of_thread, "worker", None)
        if worker:
            self._of_thread.worker = None
            with self._lock:
                self._workers.discard(worker)
            worker.end()

    def _worker(self) -> Worker:
        """The process of this thread. Raises: DeadWorkerError when all is closed."""
        worker: Worker | None = getattr(self._of_thread, "worker", None)
        if worker:
            return worker
        with self._lock:
            if self._is_closed:
                raise DeadWorkerError(say("images.worker.stopped"))
            worker = Worker(self._options)
            self._workers.add(worker)
        # Outside the lock, so that close can kill a process that is still starting.
        worker.wait_until_ready()
        self._of_thread.worker = worker
        return worker


class _Run:
    """Counts, failures and notes grow as results come."""

    def __init__(
        self,
        connection: Connection,
        settings: ImageSettings,
        listener: Progress,
        fetcher: Fetcher,
        makers: _Makers,
    ) -> None:
        """_fetching and _making: the URLs that are under way, by what they wait for."""
        self._connection = connection
        self._settings = settings
        self._listener = listener
        self._fetcher = fetcher
        self._makers = makers
        self._fetching: dict[Future[Fetched], DueUrl] = {}
        self._making: dict[Future[Outcome], tuple[DueUrl, Fetched]] = {}
        self.counts = dict.fromkeys(
            ("asked", "made", "unchanged", "missing", "failed", "refused", "bytes"), 0
        )
        self.failures: list[Result] = []
        self.notes: list[str] = []

    def download(self, due: Sequence[DueUrl]) -> None:
        """Ends soon when it is interrupted: what is under way is cut off."""
        config = self._settings.config.download
        hosts = _Hosts(due, config.per_host)
        fetchers = ThreadPoolExecutor(config.at_once, thread_name_prefix="fetch")
        makers = ThreadPoolExecutor(self._makers.count, thread_name_prefix="make")
        try:
            self._hand_out(hosts, fetchers)
            while self._fetching or self._making:
                self._note_done(hosts, makers)
                self._hand_out(hosts, fetchers)
        finally:
            # Sockets and processes first, or the threads that wait for them would never end.
            self._fetcher.stop()
            self._makers.close()
            for pool in (fetchers, makers):
                pool.shutdown(cancel_futures=True)
            self._makers.join()
            self._fetcher.close()

    def _note_done(self, hosts: _Hosts, makers: ThreadPoolExecutor) -> None:
        """Waits until something is done, but not for long: Ctrl-C has to come through."""
        under_way: list[Future[Any]] = [*self._fetching, *self._making]
        done, _ = wait(under_way, _PAUSE_S, FIRST_COMPLETED)
        results: list[Result] = []
        for future in done:
            results += self._results(future, hosts, makers)
        self.note(results)

    def _hand_out(self, hosts: _Hosts, fetchers: ThreadPoolExecutor) -> None:
        """Stops while decoding lags behind, as fetched pictures are in memory."""
        at_once = self._settings.config.download.at_once
        most_in_memory = self._makers.count * _WAITING
        while len(self._fetching) < at_once and len(self._making) < most_in_memory:
            due_url = hosts.next()
            if due_url is None:
                return
            self.counts["asked"] += 1
            future = fetchers.submit(self._fetcher.fetch, due_url.url, due_url.previous.validators)
            self._fetching[future] = due_url

    def _results(
        self, future: Future[Any], hosts: _Hosts, makers: ThreadPoolExecutor
    ) -> Iterator[Result]:
        """The results of what is done. A picture that was fetched is handed on, to be made."""
        if future in self._making:
            yield self._made(*self._making.pop(future), future.result())
            return
        due_url = self._fetching.pop(future)
        try:
            fetched: Fetched = future.result()
        except FetchError as error:
            yield _not_fetched(due_url, error)
            yield from self._given_up(due_url, error, hosts.failed(due_url.endpoint, error))
            return
        hosts.answered(due_url.endpoint)
        previous = due_url.previous
        if fetched.data is None:
            yield _unchanged(due_url, fetched, previous.size)
            return
        self.counts["bytes"] += len(fetched.data)
        # The hash of a picture that is not public would make the worker pass it by.
        made_sha256 = previous.sha256 if previous.is_good else None
        making = makers.submit(self._makers.make, due_url.url, fetched.data, made_sha256)
        self._making[making] = due_url, fetched

    def _made(self, due_url: DueUrl, fetched: Fetched, outcome: Outcome) -> Result:
        """The record has the server's marks, so that the next run can ask by them."""
        if outcome.problem:
            reason = say("images.download.not_usable", reason=outcome.problem)
            return _failed(due_url, FAILED, "failed", reason)
        if not outcome.public:
            return _unchanged(due_url, fetched, outcome.piece.size)
        validators = fetched.validators
        record = Record(
            due_url.url,
            OK,
            size=outcome.piece.size,
            etag=validators.etag,
            last_modified=validators.last_modified,
            sha256=outcome.sha256,
            recipe=self._settings.recipe.of_made,
            original=outcome.original,
            public=outcome.public,
        )
        return Result(due_url.url, "made", record)

    def _given_up(
        self, due_url: DueUrl, error: FetchError, given_up: Sequence[DueUrl]
    ) -> Iterator[Result]:
        """A note on the server of a URL, and a failure for each of its URLs not asked."""
        if not given_up:
            return
        host, port = due_url.endpoint
        note = say(
            "images.download.server_given_up",
            server=f"{host}:{port}",
            count=len(given_up),
            reason=error,
        )
        self.notes.append(note)
        self._listener.log(note)
        reason = say("images.download.url_given_up", reason=error)
        for other in given_up:
            yield _failed(other, FAILED, "failed", reason)

    def note(self, results: Sequence[Result]) -> None:
        """Records what became of URLs, and counts it."""
        if not results:
            return
        unchanged = []
        others = []
        for result in results:
            if result.record and result.count == "unchanged":
                unchanged.append(result.record)
            elif result.record:
                others.append(result.record)
        with self._connection.transaction():
            ledger.save(self._connection, others)
            ledger.keep(self._connection, unchanged)
        for result in results:
            self.counts[result.count] += 1
        self.failures += [result for result in results if result.reason]
        self._listener.task_advanced(len(unchanged) + len(others))


def _not_fetched(due_url: DueUrl, error: FetchError) -> Result:
    if error.kind == "missing":
        return _failed(due_url, MISSING, "missing", str(error))
    if error.kind == "refused":
        return _failed(due_url, FAILED, "refused", str(error))
    return _failed(due_url, FAILED, "failed", str(error))


def _failed(due_url: DueUrl, status: str, count: str, reason: str) -> Result:
    """Keeps the marks of the previous picture, which stays public.

    So the next run asks whether that picture has changed.
    """
    previous = due_url.previous
    record = Record(
        due_url.url,
        status,
        size=previous.size,
        etag=previous.etag,
        last_modified=previous.last_modified,
        sha256=previous.sha256,
        recipe=previous.recipe,
        problem=reason,
        original=previous.original,
    )
    return Result(due_url.url, count, record, reason, previous.is_public)


def _unchanged(due_url: DueUrl, fetched: Fetched, size: int | None) -> Result:
    validators = fetched.validators
    record = Record(
        due_url.url, OK, size=size, etag=validators.etag, last_modified=validators.last_modified
    )
    return Result(due_url.url, "unchanged", record)


# --- before and after
# --------------------------------------------------------------------------------------------------


def _prepare(connection: Connection, settings: ImageSettings) -> None:
    try:
        # Before the first URL: what cannot be kept need not be asked for.
        public_folder.check(settings.public)
        ledger.forget_lost(connection, settings.public)
    except OSError as error:
        raise public_folder.unusable(settings.public, error) from error


def _tidy(connection: Connection, settings: ImageSettings) -> int:
    """How many public pictures were removed."""
    # First, because remove_unused takes every path in ops.picture for used.
    ledger.forget_unnamed(connection)
    keep_days = settings.config.keep_unused_days
    try:
        return ledger.remove_unused(connection, settings.public, keep_days)
    except OSError as error:
        raise public_folder.unusable(settings.public, error) from error


_ITEMS = sql.SQL(
    "SELECT url, array_agg(DISTINCT item ORDER BY item) FROM {live} AS l WHERE url = ANY(%s) GROUP"
    " BY url"
).format(live=_LIVE)


def _problems(connection: Connection, failures: Sequence[Result]) -> tuple[Problem, ...]:
    """A problem for each URL. First those without a public picture."""
    items: dict[str, list[str | None]] = dict(
        connection.execute(_ITEMS, [[failure.url for failure in failures]]).fetchall()
    )
    in_order = sorted(failures, key=lambda failure: (failure.is_kept, failure.count, failure.url))
    return tuple(_problem(failure, items.get(failure.url, [])) for failure in in_order)


def _problem(failure: Result, items: Sequence[str | None]) -> Problem:
    """items: those that have the URL."""
    names = ", ".join(item or "?" for item in items[:_ITEMS_NAMED])
    more = len(items) - _ITEMS_NAMED
    if more > 0:
        names = say("images.and_more", names=names, count=more)
    subject = say(
        "images.download.url_of_items", url=shown(failure.url), count=len(items), items=names
    )
    reason = failure.reason or ""
    if failure.is_kept:
        reason = say("images.download.previous_stays", reason=reason)
    return Problem(subject, reason)
