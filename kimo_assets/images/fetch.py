"""Fetching one picture from a URL: bounded in bytes, time, redirects and tries.

`requests` with three additions: connections go only where the guard allows (addresses.py), each try
ends at its deadline whatever still comes, and redirects are followed here, hop by hop. No database,
no decoding.

Proxies, .netrc and cookies of the environment are not used: a proxy would resolve the name again,
by itself. The CA bundle that REQUESTS_CA_BUNDLE names is used, for the company's own servers with
their own certificates.
"""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Literal
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    wait_exponential_jitter,
)
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.exceptions import SSLError as TlsError
from urllib3.util.retry import Retry

from kimo_assets.images.addresses import Guard, RefusedError, check_url, shown
from kimo_assets.texts import say

# A host that is up accepts within moments: this is for hosts that drop packets.
_CONNECT_TIMEOUT_S = 10.0
_LONGEST_BACKOFF_S = 30.0
# A server that asks for a longer pause gets it: it is not asked again in this run.
_LONGEST_WAIT_S = 120.0
_CHUNK = 65536
# So much of an answer that is no picture is read, so that its connection can be used again.
_SMALL = 65536
# Of an ETag, or of a date: longer ones are not kept.
_LONGEST_VALIDATOR = 500
# Pools of connections that are kept, one a host.
_HOSTS = 256

_REDIRECTS = {301, 302, 303, 307, 308}
# Too many requests, and errors that load or a restart causes.
_PASSING = {429, 500, 502, 503, 504}
_GONE = {404: "images.fetch.missing", 410: "images.fetch.gone"}
_HEADERS = {
    "User-Agent": "kimo_assets",
    # Not image/*: a server that can choose would send AVIF, or what comes next.
    "Accept": "image/jpeg, image/png, image/webp, image/gif, image/tiff, image/bmp, */*;q=0.1",
    # Pictures are compressed already.
    "Accept-Encoding": "identity",
}

Kind = Literal["failed", "refused", "missing", "stopped"]


class FetchError(Exception):
    """A picture that was not fetched, and why, in a sentence.

    kind: refused is by us, missing is 404 or 410. is_passing: another try may help. retry_after_s:
    the pause that the server asked for. is_unreachable: the server did not answer at all.
    """

    def __init__(
        self,
        reason: str,
        kind: Kind = "failed",
        *,
        is_passing: bool = False,
        retry_after_s: float | None = None,
        is_unreachable: bool = False,
    ) -> None:
        super().__init__(reason)
        # What callers decide by: the count of the report, another try, giving up the host.
        self.kind = kind
        self.is_passing = is_passing
        self.retry_after_s = retry_after_s
        self.is_unreachable = is_unreachable

    @property
    def wants_long_pause(self) -> bool:
        """Whether the server asked to be left alone for longer than we wait."""
        return (self.retry_after_s or 0) > _LONGEST_WAIT_S


@dataclass(frozen=True)
class Limits:
    """timeout_s: of a try, with its redirects, from connecting to the last byte.

    per_host: connections to a host at a time.
    """

    max_bytes: int
    timeout_s: float = 60.0
    max_redirects: int = 5
    attempts: int = 4
    per_host: int = 2


@dataclass(frozen=True)
class Validators:
    """The server's marks of the picture that we have, so that it can answer: still the same."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The headers by which a server can answer 304."""
        named = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True)
class Fetched:
    """data: None when the server says that the picture has not changed (304)."""

    data: bytes | None
    validators: Validators


class Fetcher:
    """Many threads may fetch through the same fetcher; they share its connections.

    backoff_s: the first wait before another try, doubled each time. sleep: for tests; by default a
    wait that stop() ends.
    """

    def __init__(
        self,
        limits: Limits,
        guard: Guard,
        *,
        backoff_s: float = 1.0,
        sleep: Callable[[float], None] | None = None,
        verify: str | bool | None = None,
    ) -> None:
        self._limits = limits
        self._stopped = threading.Event()
        # So that stop() can cut those that are under way.
        self._tries: set[_Try] = set()
        trusted = verify or os.environ.get("REQUESTS_CA_BUNDLE") or True
        self._session = _Session(guard, limits.per_host, trusted)
        self._backoff = wait_exponential_jitter(
            initial=backoff_s, max=_LONGEST_BACKOFF_S, jitter=backoff_s
        )
        self._sleep = sleep or sleep_using_event(self._stopped)

    def fetch(self, url: str, previous: Validators = Validators()) -> Fetched:
        """previous: of the picture that we have. Raises: FetchError."""
        retrying = Retrying(
            stop=stop_after_attempt(self._limits.attempts),
            wait=self._wait_s,
            retry=retry_if_exception(_is_worth_a_try),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._try, url, previous)

    def stop(self) -> None:
        """Ends all that is under way, and what is asked for later: FetchError of kind stopped."""
        self._stopped.set()
        # A copy, because other threads begin and end tries meanwhile.
        for attempt in list(self._tries):
            attempt.cut()

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _wait_s(self, state: RetryCallState) -> float:
        """Our own backoff, or the pause that the server asked for, whichever is longer."""
        error = None
        if state.outcome:
            error = state.outcome.exception()
        asked_for = None
        if isinstance(error, FetchError):
            asked_for = error.retry_after_s
        return max(self._backoff(state), asked_for or 0.0)

    def _try(self, url: str, previous: Validators) -> Fetched:
        with self._under_way() as attempt:
            try:
                return self._follow(url, previous, attempt)
            except RefusedError as error:
                raise FetchError(str(error), "refused") from None
            except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
                # A line that we cut looks like any broken one. Only the try knows.
                attempt.check()
                raise _as_fetch_error(error, attempt.received) from None

    @contextmanager
    def _under_way(self) -> Iterator["_Try"]:
        attempt = _Try(self._limits.timeout_s, self._stopped)
        self._tries.add(attempt)
        try:
            with attempt:
                attempt.check()
                yield attempt
        finally:
            self._tries.discard(attempt)

    def _follow(self, url: str, previous: Validators, attempt: "_Try") -> Fetched:
        """Each hop is checked as the first URL is: a redirect may lead anywhere."""
        visited: list[str] = []
        timeout = (min(_CONNECT_TIMEOUT_S, self._limits.timeout_s), self._limits.timeout_s)
        while True:
            check_url(url)
            answer = self._session.get(
                url,
                headers=previous.headers(),
                stream=True,
                allow_redirects=False,
                timeout=timeout,
            )
            with answer:
                target = _target(answer)
                if target is None:
                    return self._received(answer, previous, attempt)
                _drain(answer, attempt)
            visited.append(url)
            self._check_hop(target, visited)
            url = target

    def _check_hop(self, target: str, visited: list[str]) -> None:
        """Raises: FetchError for a circle, and for more redirects than kimo.yaml allows."""
        if target in visited:
            raise FetchError(say("images.fetch.circle", url=shown(target)))
        limit = self._limits.max_redirects
        if len(visited) > limit:
            raise FetchError(say("images.fetch.too_many_redirects", limit=limit, url=shown(target)))

    def _received(
        self, answer: requests.Response, previous: Validators, attempt: "_Try"
    ) -> Fetched:
        """What an answer that is no redirect means, by its status. Raises: FetchError."""
        status = answer.status_code
        if status == 200:
            data = self._body(answer, attempt)
            etag = _validator(answer, "ETag")
            return Fetched(data, Validators(etag, _validator(answer, "Last-Modified")))
        _drain(answer, attempt)
        # A 304 that we did not ask for is an answer like any other.
        if status == 304 and previous.headers():
            return Fetched(None, previous)
        if status in _GONE:
            raise FetchError(say(_GONE[status]), "missing")
        if status in _PASSING:
            after = _retry_after_s(answer)
            raise FetchError(_unwell(status, after), is_passing=True, retry_after_s=after)
        raise FetchError(_other_answer(status))

    def _body(self, answer: requests.Response, attempt: "_Try") -> bytes:
        """Unpacked, if the server has packed it. Raises: FetchError."""
        limit = self._limits.max_bytes
        length = answer.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > limit:
            raise FetchError(say("images.fetch.too_large", size=int(length), limit=limit))
        # No picture needs two packings, and each multiplies what a small answer unpacks to.
        if "," in answer.headers.get("Content-Encoding", ""):
            raise FetchError(say("images.fetch.packed_repeatedly"))
        body = bytearray()
        # The length may be wrong, or missing, or the content unpack to more: so the limit is
        # checked as it comes.
        for chunk in answer.raw.stream(_CHUNK, decode_content=True):
            body += chunk
            attempt.received = len(body)
            if len(body) > limit:
                raise FetchError(say("images.fetch.endless", limit=limit))
        # Where the server gives no length, a line that was cut looks like the end.
        attempt.check()
        return bytes(body)


def _is_worth_a_try(error: BaseException) -> bool:
    return isinstance(error, FetchError) and error.is_passing and not error.wants_long_pause


# --- a try, and its end
# --------------------------------------------------------------------------------------------------


class _Try:
    """One try at a picture: its connections are cut at its deadline, or when all is stopped.

    Timeouts of sockets do not do that: each byte that drips in begins them anew, in headers and in
    TLS handshakes too.
    """

    current = threading.local()

    def __init__(self, timeout_s: float, stopped: threading.Event) -> None:
        """received: bytes of the picture so far."""
        self._timeout_s = timeout_s
        self._stopped = stopped
        self._is_over = False
        self._deadline = time.monotonic() + timeout_s
        self._lines: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(timeout_s, self.cut)
        self._timer.daemon = True
        self.received = 0

    def __enter__(self) -> "_Try":
        _Try.current.attempt = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        _Try.current.attempt = None
        with self._lock:
            for line in self._lines:
                line.close()
            self._lines.clear()

    def watch(self, line: socket.socket) -> None:
        """Keeps a handle of its own on the connection.

        The other one may be closed before its last byte is read.
        """
        with self._lock:
            self._lines.append(socket.fromfd(line.fileno(), line.family, line.type))
        self.check()

    def cut(self) -> None:
        with self._lock:
            self._is_over = True
            for line in self._lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        """Raises: FetchError when the try is over."""
        if self._stopped.is_set():
            raise FetchError(say("images.fetch.stopped"), "stopped")
        # The socket's own timeout may strike just before the timer does. The clock decides.
        if self._is_over or time.monotonic() >= self._deadline:
            message = say("images.fetch.too_slow", seconds=self._timeout_s, received=self.received)
            raise FetchError(message, is_passing=True, is_unreachable=not self.received)


# --- connections that go only where they may
# ------------------------------------------------------------------------------


class _Session(requests.Session):
    """No redirects, proxies, cookies or passwords but what is written here."""

    def __init__(self, guard: Guard, per_host: int, verify: str | bool) -> None:
        super().__init__()
        # No proxies, .netrc or CA bundles of the environment: see the module.
        self.trust_env = False
        self.verify = verify
        # Without the library's own, which tell its version to every server.
        self.headers.clear()
        self.headers.update(_HEADERS)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for adapter in self.adapters.values():
            adapter.close()
        self.adapters.clear()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _GuardedAdapter(guard, per_host))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, as redirects are followed by us.

        Even without following any, requests would read all that a redirect sends, however much, to
        prepare the next hop.
        """


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, guard: Guard, per_host: int) -> None:
        # Before the constructor below, which calls init_poolmanager. Without pool_block, urllib3
        # opens more connections than pool_maxsize.
        self._guard = guard
        super().__init__(pool_connections=_HOSTS, pool_maxsize=per_host, pool_block=True)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _guarded_pools(self._guard)


class _Watched:
    """What both kinds of connections share: the request's try watches the connection."""

    sock: socket.socket | None

    def request(self, *arguments: Any, **options: Any) -> None:
        # A connection that is used again was watched by a try that is over.
        if self.sock is not None:
            _Try.current.attempt.watch(self.sock)
        super().request(*arguments, **options)  # type: ignore[misc]


def _guarded_pools(guard: Guard) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's own pools, with connections that ask the guard.

    These keep the name, for the Host header, SNI and the certificate.
    """

    class Plain(_Watched, HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(guard, self)

    class Tls(_Watched, HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(guard, self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}


def _connected(guard: Guard, connection: HTTPConnection) -> socket.socket:
    """Connects to the first of the checked addresses that answers.

    Raises: RefusedError, and what urllib3 raises.
    """
    host, port = connection.host, connection.port
    try:
        addresses = guard.addresses(host, port)
    except (OSError, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror(*error.args)) from error
    timeout_s = _CONNECT_TIMEOUT_S
    if connection.timeout is not None:
        timeout_s = float(connection.timeout)
    last_error: OSError = OSError(say("images.fetch.no_address"))
    for address in addresses:
        _Try.current.attempt.check()
        try:
            line = dial(address, port, timeout_s)
        except OSError as error:
            last_error = error
            continue
        # Before TLS begins, whose handshake may drip as well.
        _Try.current.attempt.watch(line)
        return line
    if isinstance(last_error, TimeoutError):
        raise ConnectTimeoutError(connection, str(last_error)) from last_error
    message = last_error.strerror or str(last_error)
    raise NewConnectionError(connection, message) from last_error


def dial(address: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to an address, not to a name: nothing is looked up here."""
    line = socket.create_connection((address, port), timeout_s)
    # As urllib3 sets it for its own connections.
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


# --- answers
# --------------------------------------------------------------------------------------------------


def _validator(answer: requests.Response, name: str) -> str | None:
    """None for a value that could be neither kept nor sent back."""
    value = answer.headers.get(name, "").strip()
    if not value.isprintable() or not 0 < len(value) <= _LONGEST_VALIDATOR:
        return None
    return value


def _target(answer: requests.Response) -> str | None:
    """Where an answer redirects to. None when it is no redirect."""
    location = answer.headers.get("Location")
    if answer.status_code not in _REDIRECTS or not location:
        return None
    with suppress(UnicodeError):
        # Headers are read as Latin-1; servers that write other letters write them in UTF-8.
        location = location.encode("latin-1").decode("utf-8")
    try:
        # With another fragment each time, a circle would look like new addresses.
        return urljoin(answer.url, location).partition("#")[0]
    except ValueError:
        raise FetchError(say("images.fetch.redirect_invalid"), "refused") from None


def _drain(answer: requests.Response, attempt: _Try) -> None:
    """Reads a small answer to its end, so that its connection can be used again.

    The connection of a larger answer, or of a broken one, is closed.
    """
    with suppress(HTTPError, OSError):
        # Not unpacked: a small answer may unpack to a huge one.
        answer.raw.read(_SMALL, decode_content=False)
    attempt.check()


def _retry_after_s(answer: requests.Response) -> float | None:
    value = answer.headers.get("Retry-After")
    if value is None:
        return None
    try:
        return Retry(respect_retry_after_header=True).parse_retry_after(value)
    except (InvalidHeader, ValueError, OverflowError):
        return None


def _unwell(status: int, after_s: float | None) -> str:
    """The reason for 429 and errors of the server that may pass."""
    is_too_many = status == 429
    if (after_s or 0) <= _LONGEST_WAIT_S:
        key = "images.fetch.too_many" if is_too_many else "images.fetch.unwell"
        return say(key, status=status)
    key = "images.fetch.too_many_pause" if is_too_many else "images.fetch.unwell_pause"
    return say(key, status=status, seconds=after_s)


def _other_answer(status: int) -> str:
    if status in (401, 403):
        return say("images.fetch.forbidden", status=status)
    if status in _REDIRECTS:
        return say("images.fetch.redirect_nowhere", status=status)
    return say("images.fetch.other_answer", status=status)


# --- errors in words
# --------------------------------------------------------------------------------------------------


def _as_fetch_error(error: Exception, received: int) -> FetchError:
    """In our words: the library's own text holds the whole URL with its query.

    received: bytes of the picture.
    """
    cause = _cause(error)
    match cause:
        case NameResolutionError():
            return _unreachable(say("images.fetch.unknown_name"))
        case NewConnectionError():
            reason = str(cause).rpartition(": ")[2].lower()
            return _unreachable(say("images.fetch.unreachable", reason=reason))
        case ConnectTimeoutError():
            return _unreachable(say("images.fetch.no_answer"))
        case TlsError() | ssl.SSLError():
            return _tls_error(cause)
        case DecodeError():
            return FetchError(say("images.fetch.does_not_unpack"))
        case (
            requests.exceptions.InvalidURL() | requests.exceptions.MissingSchema() | UnicodeError()
        ):
            return FetchError(say("images.url.invalid"), "refused")
    return FetchError(
        say("images.fetch.broken_off", received=received),
        is_passing=True,
        is_unreachable=not received,
    )


def _unreachable(message: str) -> FetchError:
    return FetchError(message, is_passing=True, is_unreachable=True)


def _tls_error(error: BaseException) -> FetchError:
    """A bad certificate, which stays bad, or a handshake that failed."""
    message = str(error)
    if "certificate" not in message.lower():
        return _unreachable(say("images.fetch.no_tls"))
    detail = message.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
    reason = detail.rstrip(".") or say("images.fetch.certificate_of_another")
    return FetchError(say("images.fetch.certificate", reason=reason))


def _cause(error: BaseException) -> BaseException:
    """The error within the wrappings of requests and urllib3."""
    if isinstance(error, DecodeError):
        return error
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, Exception):
            return _cause(inner)
    return error
