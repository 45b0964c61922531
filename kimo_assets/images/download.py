"""download_items_images: the pictures at the URLs of ItemUrl, into the public folder.

Threads fetch (fetch.py), others decode; this one hands out the URLs, host by host in turn, and writes down what became of each
as it comes. So a run that is killed loses the pictures under way, and the next one goes on from there.
"""

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import timedelta

from psycopg import Connection, sql

from kimo_assets.database.names import KIMO, table
from kimo_assets.errors import ImagesError
from kimo_assets.images import ledger, public
from kimo_assets.images.addresses import Guard, RefusedError, check_url, place_of, shown
from kimo_assets.images.fetch import Fetched, Fetcher, FetchError, Limits, Validators
from kimo_assets.images.ledger import FAILED, MISSING, OK, Record
from kimo_assets.images.picture import Original, PictureError, Recipe, render
from kimo_assets.images.references import URL_OF_IMAGE
from kimo_assets.images.settings import ImageSettings
from kimo_assets.reports import Problem, TaskListener, TaskReport

TITLE = "Download immagini da url"
ENTITY = "ItemUrl"

# After so many pictures in a row, each tried as often as may be, a host is given up for the run: it is down when it did not
# answer at all, and unwell when it answered with errors, which may also be those pictures'.
_DOWN_AFTER = 3
_UNWELL_AFTER = 20

# Pictures fetched and not yet decoded, for each thread that decodes: they are in memory.
_WAITING = 2
_PAUSE_S = 1.0
_ITEMS_NAMED = 5

Place = tuple[str, int]


@dataclass(frozen=True)
class Known:
    """What ops.picture holds of a URL. is_good: its public picture is there, made by today's settings."""

    is_good: bool = False
    is_public: bool = False
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
    """What became of a URL. record: None for one that is refused as it is written, and so has no place in ops.picture."""

    url: str
    count: str
    record: Record | None = None
    why: str | None = None
    bytes: int = 0


def download_images(
    connection: Connection, settings: ImageSettings, listener: TaskListener, fetcher: Fetcher | None = None
) -> TaskReport:
    """Raises: ImagesError when the public folder cannot be used. fetcher: for tests."""
    started = time.monotonic()
    with _public_folder(settings):
        public.check(settings.public)
        ledger.forget_lost(connection, settings.public)
    refused = _name_pictures(connection)
    wanted, not_due = _wanted(connection, settings)
    listener.task_started(TITLE, len(wanted))
    run = _Run(connection, settings, listener, fetcher or _fetcher(settings))
    run.note(refused)
    run.download(wanted)
    removed = _tidy(connection, settings)
    counts = {"urls": len(wanted) + not_due + len(refused), **run.counts, "not_due": not_due, "removed": removed}
    return TaskReport(TITLE, time.monotonic() - started, counts, _problems(connection, run.failures), tuple(run.notes))


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


# --- which URLs there are ---------------------------------------------------------------------------------------------------

_LIVE = sql.SQL(
    """(SELECT r."ItemId" AS item, r."Url" AS written, btrim(r."Url", E' \\t\\r\\n') AS url FROM {rows} AS r
        WHERE r._archived_load IS NULL AND r."UrlTypeId" = {image} AND btrim(r."Url", E' \\t\\r\\n') <> '')"""
).format(rows=table(KIMO, ENTITY), image=sql.Literal(URL_OF_IMAGE))

_NAME = sql.SQL(
    """
    WITH refused AS (SELECT * FROM unnest(%(urls)s::text[], %(problems)s::text[]) AS refused (url, problem)),
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
    """
).format(live=_LIVE)

_WANTED = sql.SQL(
    """
    SELECT l.url, coalesce(p.path IS NOT NULL AND p.recipe = %(recipe)s, false), p.path IS NOT NULL, p.sha256, p.etag,
        p.last_modified, p.recipe, p.kind, p.source_width, p.source_height,
        coalesce(p.status = 'ok' AND p.recipe = %(recipe)s AND p.path IS NOT NULL AND p.checked_at > now() - %(age)s, false)
    FROM (SELECT DISTINCT url FROM {live} AS l) AS l JOIN ops.picture_name AS n ON n.entity = %(entity)s AND n.source = l.url
        AND n.written = (SELECT min(m.written) FROM ops.picture_name AS m WHERE m.entity = n.entity AND m.source = l.url)
    LEFT JOIN ops.picture AS p ON p.source = l.url
    ORDER BY l.url COLLATE "C"
    """
).format(live=_LIVE)


def _name_pictures(connection: Connection) -> list[Result]:
    """Brings ops.picture_name up to date with the rows; gives the URLs that are refused as they are written."""
    urls = [url for (url,) in connection.execute(sql.SQL("SELECT DISTINCT url FROM {} AS l ORDER BY url").format(_LIVE))]
    refused = [Result(url, "refused", why=why) for url in urls if (why := _refusal(url))]
    connection.execute(
        _NAME, {"entity": ENTITY, "urls": [one.url for one in refused], "problems": [one.why for one in refused]}
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
    rows = connection.execute(_WANTED, {"entity": ENTITY, "recipe": _in_short(settings.recipe), "age": age})
    wanted, not_due = [], 0
    for url, good, is_public, sha256, etag, modified, recipe, kind, width, height, is_fresh in rows:
        if is_fresh:
            not_due += 1
            continue
        original = Original(kind, width, height) if kind else None
        known = Known(good, is_public, sha256, etag, modified, recipe, original)
        wanted.append(Wanted(url, place_of(check_url(url)), known))
    return wanted, not_due


def _in_short(recipe: Recipe) -> str:
    """What of the settings changes a picture: not the limits for originals."""
    return f"{recipe.max_size_px} px, {recipe.thumbnail_px} px, quality {recipe.quality}"


# --- the work ---------------------------------------------------------------------------------------------------------------


@dataclass
class _Host:
    """The URLs of a host that are left, and how it fares. in_a_row: pictures that failed through no fault of their own."""

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
        if not (error.wants_peace or host.down_in_a_row >= _DOWN_AFTER or host.unwell_in_a_row >= _UNWELL_AFTER):
            return ()
        given_up, host.left = host.left, deque()
        return tuple(given_up)


class _Run:
    """Counts, failures and notes grow as results come."""

    def __init__(
        self, connection: Connection, settings: ImageSettings, listener: TaskListener, fetcher: Fetcher
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._listener = listener
        self._fetcher = fetcher
        self._makers = settings.config.processes or os.cpu_count() or 1
        self._recipe = _in_short(settings.recipe)
        self._fetching: dict[Future[Fetched], Wanted] = {}
        self._making: dict[Future[Result], Wanted] = {}
        self.counts = dict.fromkeys(("asked", "made", "unchanged", "missing", "failed", "refused", "bytes"), 0)
        self.failures: list[Result] = []
        self.notes: list[str] = []

    def download(self, wanted: Sequence[Wanted]) -> None:
        """Ends soon when it is interrupted: what is under way is cut off, what is finished is kept."""
        config = self._settings.config.download
        hosts = _Hosts(wanted, config.per_host)
        fetchers = ThreadPoolExecutor(config.at_once, thread_name_prefix="fetch")
        makers = ThreadPoolExecutor(self._makers, thread_name_prefix="make")
        try:
            self._hand_out(hosts, fetchers)
            while self._fetching or self._making:
                done, _ = wait([*self._fetching, *self._making], _PAUSE_S, FIRST_COMPLETED)
                self.note([result for future in done for result in self._results(future, hosts, makers)])
                self._hand_out(hosts, fetchers)
        finally:
            self._fetcher.stop()
            for pool in (fetchers, makers):
                pool.shutdown(cancel_futures=True)
            self._fetcher.close()

    def _hand_out(self, hosts: _Hosts, fetchers: ThreadPoolExecutor) -> None:
        at_once = self._settings.config.download.at_once
        while len(self._fetching) < at_once and len(self._making) < self._makers * _WAITING:
            one = hosts.next()
            if one is None:
                return
            self.counts["asked"] += 1
            self._fetching[fetchers.submit(self._fetcher.fetch, one.url, one.known.validators)] = one

    def _results(
        self, future: Future[Fetched] | Future[Result], hosts: _Hosts, makers: ThreadPoolExecutor
    ) -> Iterator[Result]:
        if future in self._making:
            del self._making[future]
            yield future.result()
            return
        one = self._fetching.pop(future)
        try:
            fetched = future.result()
        except FetchError as error:
            yield _not_fetched(one, error)
            yield from self._given_up(one, error, hosts.failed(one.place, error))
            return
        hosts.answered(one.place)
        self.counts["bytes"] += len(fetched.data or b"")
        if fetched.data is None:
            yield _unchanged(one, one.known.sha256, fetched.validators)
        else:
            self._making[makers.submit(self._made, one, fetched.data, fetched.validators)] = one

    def _made(self, one: Wanted, data: bytes, validators: Validators) -> Result:
        sha256 = hashlib.sha256(data).hexdigest()
        if one.known.is_good and sha256 == one.known.sha256:
            return _unchanged(one, sha256, validators)
        try:
            rendition = render(data, self._settings.recipe)
        except PictureError as error:
            return _failed(one, FAILED, "failed", f"what the server gives is not to be used: {error}")
        with _public_folder(self._settings):
            picture = public.publish(self._settings.public, rendition)
        record = Record(
            one.url, OK, size=len(data), etag=validators.etag, last_modified=validators.last_modified, sha256=sha256,
            recipe=self._recipe, original=rendition.original, public=picture,
        )  # fmt: skip
        return Result(one.url, "made", record)

    def _given_up(self, one: Wanted, error: FetchError, left: Sequence[Wanted]) -> Iterator[Result]:
        if not left:
            return
        host, port = one.place
        self.notes.append(f"{host}:{port} was given up for this run, with {len(left):,} of its URLs not asked: {error}.")
        self._listener.said(self.notes[-1])
        for other in left:
            yield _failed(other, FAILED, "failed", f"not asked, because its server was given up for this run: {error}")

    def note(self, results: Sequence[Result]) -> None:
        """Writes down what became of URLs, and counts it."""
        if not results:
            return
        records = [(result.count, result.record) for result in results if result.record]
        with self._connection.transaction():
            ledger.save(self._connection, [record for count, record in records if count != "unchanged"])
            ledger.keep(self._connection, [record for count, record in records if count == "unchanged"])
        for result in results:
            self.counts[result.count] += 1
        self.failures += [result for result in results if result.why]
        self._listener.task_advanced(len(records))


def _not_fetched(one: Wanted, error: FetchError) -> Result:
    match error.kind:
        case "missing":
            return _failed(one, MISSING, "missing", str(error))
        case "refused":
            return _failed(one, FAILED, "refused", str(error))
    return _failed(one, FAILED, "failed", str(error))


def _failed(one: Wanted, status: str, count: str, why: str) -> Result:
    """What is known of the picture that is public stays known: it is asked for again as the one we have."""
    known = one.known
    record = Record(
        one.url, status, etag=known.etag, last_modified=known.last_modified, sha256=known.sha256, recipe=known.recipe,
        problem=why, original=known.original,
    )  # fmt: skip
    return Result(one.url, count, record, f"{why}. The picture of before stays" if known.is_public else why)


def _unchanged(one: Wanted, sha256: str | None, validators: Validators) -> Result:
    record = Record(one.url, OK, etag=validators.etag, last_modified=validators.last_modified, sha256=sha256)
    return Result(one.url, "unchanged", record)


# --- before and after -------------------------------------------------------------------------------------------------------


def _tidy(connection: Connection, settings: ImageSettings) -> int:
    ledger.forget_unnamed(connection)
    with _public_folder(settings):
        return ledger.remove_unused(connection, settings.public, settings.config.keep_unused_days)


class _public_folder:  # noqa: N801 (reads as a block)
    """A block that uses the public folder: it cannot be done without. Raises: ImagesError."""

    def __init__(self, settings: ImageSettings) -> None:
        self._folder = settings.public

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise ImagesError(
                f"The public folder cannot be used: {error.filename or self._folder}: {error.strerror or error}. What was made "
                "before is kept. Mend the folder, its rights or the disk (`images: public:` in kimo.yaml), and start again."
            ) from error


_ITEMS = sql.SQL(
    'SELECT url, array_agg(DISTINCT item ORDER BY item) FROM {live} AS l WHERE url = ANY(%s) GROUP BY url'
).format(live=_LIVE)


def _problems(connection: Connection, failures: Sequence[Result]) -> tuple[Problem, ...]:
    """One for each URL. First those whose picture nobody has, then by reason."""
    items = dict(connection.execute(_ITEMS, [[failure.url for failure in failures]]).fetchall())
    order: Callable[[Result], tuple[bool, str, str]] = lambda f: ((f.why or "").endswith("stays"), f.count, f.url)  # noqa: E731
    return tuple(
        Problem(f"{shown(failure.url)} ({_in_words(items.get(failure.url, []))})", failure.why or "")
        for failure in sorted(failures, key=order)
    )


def _in_words(items: Sequence[str]) -> str:
    named = ", ".join(items[:_ITEMS_NAMED])
    more = f" and {len(items) - _ITEMS_NAMED:,} more" if len(items) > _ITEMS_NAMED else ""
    return f"{'item' if len(items) == 1 else 'items'} {named}{more}"
