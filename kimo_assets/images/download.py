"""download_items_images: the pictures at the URLs of ItemUrl, into the public folder.

Threads fetch (fetch.py), processes of their own decode and write (workers.py); this thread hands
out the URLs, host by host in turn, and writes down what became of each as it comes. A run that is
killed loses what was under way; the next goes on.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from psycopg import Connection, sql

from kimo_assets.catalog.menu import DOWNLOAD_IMAGES
from kimo_assets.database.names import KIMO, table
from kimo_assets.errors import ImagesError, in_one_line
from kimo_assets.images import ledger, public_folder
from kimo_assets.images.addresses import Guard, RefusedError, check_url, place_of, shown
from kimo_assets.images.fetch import Fetched, Fetcher, FetchError, Limits, Validators
from kimo_assets.images.ledger import FAILED, MISSING, OK, Record
from kimo_assets.images.picture import Original
from kimo_assets.images.references import URL_OF_IMAGE
from kimo_assets.images.settings import ImageSettings
from kimo_assets.images.worker_pool import DeadWorkerError, Outcome, Piece, Worker, cores
from kimo_assets.progress import Progress
from kimo_assets.reports import Problem, TaskReport

ENTITY = "ItemUrl"

# After so many pictures in a row, each tried as often as may be, a host is given up for the run: it
# is down when it did not answer at all, and unwell when it answered with errors, which may also be
# those pictures'.
_DOWN_AFTER = 3
_UNWELL_AFTER = 20

# Pictures fetched and not yet decoded, for each thread that decodes: they are in memory.
_WAITING = 2
_PAUSE_S = 1.0
_ITEMS_NAMED = 5

Place = tuple[str, int]


@dataclass(frozen=True)
class Known:
    """What ops.picture holds of a URL. is_good: its public picture is there, made by today's
    settings.
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
        return Validators(self.etag, self.last_modified) if self.is_good else Validators()


@dataclass(frozen=True)
class Wanted:
    """A URL to ask."""

    url: str
    place: Place
    known: Known


@dataclass(frozen=True)
class Result:
    """What became of a URL. record: None for one that is refused as it is written, and so has no
    place in ops.picture.

    count: the figure of the report that it is one of. why: what is wrong. is_kept: the picture of
    before stays public.
    """

    url: str
    count: str
    record: Record | None = None
    why: str | None = None
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
    refused = _name_pictures(connection)
    wanted, not_due = _wanted(connection, settings)
    listener.task_started(DOWNLOAD_IMAGES.title, len(wanted))
    run = _Run(connection, settings, listener, fetcher or _fetcher(settings), _Makers(settings))
    run.note(refused)
    run.download(wanted)
    removed = _tidy(connection, settings)
    counts = {
        "urls": len(wanted) + not_due + len(refused),
        **run.counts,
        "not_due": not_due,
        "removed": removed,
    }
    return TaskReport(
        DOWNLOAD_IMAGES.title,
        time.monotonic() - started,
        counts,
        _problems(connection, run.failures),
        tuple(run.notes),
    )


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

_WANTED = sql.SQL("""
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


def _name_pictures(connection: Connection) -> list[Result]:
    """Brings ops.picture_name up to date with the rows; gives the URLs that are refused as they are
    written.
    """
    urls = [
        url
        for (url,) in connection.execute(
            sql.SQL("SELECT DISTINCT url FROM {} AS l ORDER BY url").format(_LIVE)
        )
    ]
    refused = [Result(url, "refused", why=why) for url in urls if (why := _refusal(url))]
    connection.execute(
        _NAME,
        {
            "entity": ENTITY,
            "urls": [one.url for one in refused],
            "problems": [one.why for one in refused],
        },
    )
    return refused


def _refusal(url: str) -> str | None:
    try:
        check_url(url)
    except RefusedError as error:
        return str(error)
    return None


def _wanted(connection: Connection, settings: ImageSettings) -> tuple[list[Wanted], int]:
    """The URLs to ask, and how many of the good ones were asked not long ago."""
    age = timedelta(hours=settings.config.download.max_age_hours)
    rows = connection.execute(
        _WANTED, {"entity": ENTITY, "recipe": settings.recipe.of_made, "age": age}
    )
    wanted, not_due = [], 0
    for (
        url,
        good,
        is_public,
        size,
        sha256,
        etag,
        modified,
        recipe,
        kind,
        width,
        height,
        is_fresh,
    ) in rows:
        if is_fresh:
            not_due += 1
            continue
        original = Original(kind, width, height) if kind else None
        known = Known(good, is_public, size, sha256, etag, modified, recipe, original)
        wanted.append(Wanted(url, place_of(check_url(url)), known))
    return wanted, not_due


# --- the work
# --------------------------------------------------------------------------------------------------


@dataclass
class _Host:
    """The URLs of a host that are left, and how it fares.

    unwell_in_a_row: pictures that it might have given, had it been well; down_in_a_row: those that
    it did not answer for.
    """

    left: deque[Wanted] = field(default_factory=deque)
    under_way: int = 0
    down_in_a_row: int = 0
    unwell_in_a_row: int = 0


class _Hosts:
    """Hands out the URLs, a host after another, so that a slow one holds up nobody else."""

    def __init__(self, wanted: Iterable[Wanted], per_host: int) -> None:
        self._per_host = per_host
        self._hosts: dict[Place, _Host] = {}
        for one in wanted:
            self._hosts.setdefault(one.place, _Host()).left.append(one)
        self._turn = deque(self._hosts)

    def next(self) -> Wanted | None:
        """None when there is nothing left that may be asked for now."""
        for _ in range(len(self._turn)):
            place = self._turn.popleft()
            host = self._hosts[place]
            if not host.left:
                continue
            self._turn.append(place)
            if host.under_way < self._per_host:
                host.under_way += 1
                return host.left.popleft()
        return None

    def answered(self, place: Place) -> None:
        host = self._hosts[place]
        host.under_way -= 1
        host.down_in_a_row = host.unwell_in_a_row = 0

    def failed(self, place: Place, error: FetchError) -> Sequence[Wanted]:
        """The URLs that are given up with it: all that are left, when the host is past hope."""
        host = self._hosts[place]
        if not error.is_passing:
            self.answered(place)
            return ()
        host.under_way -= 1
        host.unwell_in_a_row += 1
        host.down_in_a_row = host.down_in_a_row + 1 if error.is_unreachable else 0
        if not (
            error.wants_peace
            or host.down_in_a_row >= _DOWN_AFTER
            or host.unwell_in_a_row >= _UNWELL_AFTER
        ):
            return ()
        given_up, host.left = host.left, deque()
        return tuple(given_up)


class _Makers:
    """Makes pictures, a process for each thread that does: what a server sends may cost the process
    its life.
    """

    def __init__(self, settings: ImageSettings) -> None:
        self.count = settings.config.processes or cores()
        self._options = {"recipe": asdict(settings.recipe), "public": str(settings.public)}
        self._of_thread = threading.local()
        self._workers: set[Worker] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def make(self, url: str, data: bytes, known: str | None) -> Outcome:
        """known: the hash of the content that is public. Raises: ImagesError when the public folder
        cannot be written.
        """
        piece = Piece(url, "", len(data), known)
        try:
            return self._worker().make(piece, data)
        except DeadWorkerError as death:
            self._retire()
            return Outcome(piece, problem=str(death), lasting=False)

    def close(self) -> None:
        """Ends the processes, whatever they do."""
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
        worker: Worker | None = getattr(self._of_thread, "worker", None)
        if worker:
            return worker
        with self._lock:
            if self._is_closed:
                raise DeadWorkerError("stopped before it was made")
            worker = Worker(self._options)
            self._workers.add(worker)
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
        self._connection = connection
        self._settings = settings
        self._listener = listener
        self._fetcher = fetcher
        self._makers = makers
        self._fetching: dict[Future[Fetched], Wanted] = {}
        self._making: dict[Future[Outcome], tuple[Wanted, Fetched]] = {}
        self.counts = dict.fromkeys(
            ("asked", "made", "unchanged", "missing", "failed", "refused", "bytes"), 0
        )
        self.failures: list[Result] = []
        self.notes: list[str] = []

    def download(self, wanted: Sequence[Wanted]) -> None:
        """Ends soon when it is interrupted: what is under way is cut off."""
        config = self._settings.config.download
        hosts = _Hosts(wanted, config.per_host)
        fetchers = ThreadPoolExecutor(config.at_once, thread_name_prefix="fetch")
        makers = ThreadPoolExecutor(self._makers.count, thread_name_prefix="make")
        try:
            self._hand_out(hosts, fetchers)
            while self._fetching or self._making:
                under_way: list[Future[Any]] = [*self._fetching, *self._making]
                done, _ = wait(under_way, _PAUSE_S, FIRST_COMPLETED)
                self.note(
                    [result for future in done for result in self._results(future, hosts, makers)]
                )
                self._hand_out(hosts, fetchers)
        finally:
            self._fetcher.stop()
            self._makers.close()
            for pool in (fetchers, makers):
                pool.shutdown(cancel_futures=True)
            self._makers.join()
            self._fetcher.close()

    def _hand_out(self, hosts: _Hosts, fetchers: ThreadPoolExecutor) -> None:
        at_once = self._settings.config.download.at_once
        while len(self._fetching) < at_once and len(self._making) < self._makers.count * _WAITING:
            one = hosts.next()
            if one is None:
                return
            self.counts["asked"] += 1
            self._fetching[fetchers.submit(self._fetcher.fetch, one.url, one.known.validators)] = (
                one
            )

    def _results(
        self, future: Future[Any], hosts: _Hosts, makers: ThreadPoolExecutor
    ) -> Iterator[Result]:
        if future in self._making:
            yield self._made(*self._making.pop(future), future.result())
            return
        one = self._fetching.pop(future)
        try:
            fetched: Fetched = future.result()
        except FetchError as error:
            yield _not_fetched(one, error)
            yield from self._given_up(one, error, hosts.failed(one.place, error))
            return
        hosts.answered(one.place)
        if fetched.data is None:
            yield _unchanged(one, fetched, one.known.size)
            return
        self.counts["bytes"] += len(fetched.data)
        known = one.known.sha256 if one.known.is_good else None
        self._making[makers.submit(self._makers.make, one.url, fetched.data, known)] = one, fetched

    def _made(self, one: Wanted, fetched: Fetched, outcome: Outcome) -> Result:
        if outcome.problem:
            return _failed(
                one, FAILED, "failed", f"what the server gives is not to be used: {outcome.problem}"
            )
        if not outcome.public:
            return _unchanged(one, fetched, outcome.piece.size)
        validators = fetched.validators
        record = Record(
            one.url,
            OK,
            size=outcome.piece.size,
            etag=validators.etag,
            last_modified=validators.last_modified,
            sha256=outcome.sha256,
            recipe=self._settings.recipe.of_made,
            original=outcome.original,
            public=outcome.public,
        )
        return Result(one.url, "made", record)

    def _given_up(self, one: Wanted, error: FetchError, left: Sequence[Wanted]) -> Iterator[Result]:
        if not left:
            return
        host, port = one.place
        self.notes.append(
            f"{host}:{port} was given up for this run, with {len(left):,} of its URLs not asked:"
            f" {error}."
        )
        self._listener.log(self.notes[-1])
        for other in left:
            yield _failed(
                other,
                FAILED,
                "failed",
                f"not asked, because its server was given up for this run: {error}",
            )

    def note(self, results: Sequence[Result]) -> None:
        """Writes down what became of URLs, and counts it."""
        if not results:
            return
        records = [(result.count, result.record) for result in results if result.record]
        with self._connection.transaction():
            ledger.save(
                self._connection, [record for count, record in records if count != "unchanged"]
            )
            ledger.keep(
                self._connection, [record for count, record in records if count == "unchanged"]
            )
        for result in results:
            self.counts[result.count] += 1
        self.failures += [result for result in results if result.why]
        self._listener.task_advanced(len(records))


def _not_fetched(one: Wanted, error: FetchError) -> Result:
    if error.kind == "missing":
        return _failed(one, MISSING, "missing", str(error))
    return _failed(one, FAILED, "refused" if error.kind == "refused" else "failed", str(error))


def _failed(one: Wanted, status: str, count: str, why: str) -> Result:
    """What is known of the picture that is public stays known: it is asked for again as the one we
    have.
    """
    known = one.known
    record = Record(
        one.url,
        status,
        size=known.size,
        etag=known.etag,
        last_modified=known.last_modified,
        sha256=known.sha256,
        recipe=known.recipe,
        problem=why,
        original=known.original,
    )
    return Result(one.url, count, record, why, known.is_public)


def _unchanged(one: Wanted, fetched: Fetched, size: int | None) -> Result:
    validators = fetched.validators
    record = Record(
        one.url, OK, size=size, etag=validators.etag, last_modified=validators.last_modified
    )
    return Result(one.url, "unchanged", record)


# --- before and after
# --------------------------------------------------------------------------------------------------


def _prepare(connection: Connection, settings: ImageSettings) -> None:
    with _public_folder(settings):
        public_folder.check(settings.public)
        ledger.forget_lost(connection, settings.public)


def _tidy(connection: Connection, settings: ImageSettings) -> int:
    """How many public pictures went."""
    ledger.forget_unnamed(connection)
    with _public_folder(settings):
        return ledger.remove_unused(connection, settings.public, settings.config.keep_unused_days)


@contextmanager
def _public_folder(settings: ImageSettings) -> Iterator[None]:
    """A block that cannot do without the folder. Raises: ImagesError."""
    try:
        yield
    except OSError as error:
        raise ImagesError(
            f"The public folder {settings.public} cannot be used:"
            f" {error.strerror or in_one_line(error)}{f' ({error.filename})' if error.filename else ''}."
            " Mend it or its rights, or name another one under `images: public:` in kimo.yaml."
        ) from error


_ITEMS = sql.SQL(
    "SELECT url, array_agg(DISTINCT item ORDER BY item) FROM {live} AS l WHERE url = ANY(%s) GROUP"
    " BY url"
).format(live=_LIVE)


def _problems(connection: Connection, failures: Sequence[Result]) -> tuple[Problem, ...]:
    """One for each URL; first those of which no picture is public."""
    items: dict[str, list[str | None]] = dict(
        connection.execute(_ITEMS, [[failure.url for failure in failures]]).fetchall()
    )
    in_order = sorted(failures, key=lambda failure: (failure.is_kept, failure.count, failure.url))
    return tuple(
        Problem(
            f"{shown(failure.url)} ({_items(items.get(failure.url, []))})",
            f"{failure.why}{'. The picture of before stays' if failure.is_kept else ''}",
        )
        for failure in in_order
    )


def _items(items: Sequence[str | None]) -> str:
    named = ", ".join(item or "?" for item in items[:_ITEMS_NAMED])
    more = f" and {len(items) - _ITEMS_NAMED:,} more" if len(items) > _ITEMS_NAMED else ""
    return f"{'item' if len(items) == 1 else 'items'} {named}{more}"
