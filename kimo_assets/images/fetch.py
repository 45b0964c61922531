"""Fetching one picture from a URL, however its server behaves: bounded in bytes, time, redirects
and tries.

`requests` with three things of its own: connections go only where the guard allows (addresses.py),
each try ends at its deadline whatever still comes, and redirects are followed here, hop by hop.
Nothing of Kimo, no database, no decoding.

Proxies, .netrc and cookies of the environment are not used: a proxy would resolve the name again,
by itself. The CA bundle that REQUESTS_CA_BUNDLE names is used, for servers of one's own with
certificates of one's own.
"""

import os
import socket
import ssl
import threading
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

_CONNECT_TIMEOUT_S = 10.0
_LONGEST_BACKOFF_S = 30.0
# A server that wants to be left alone for longer gets that: it is not asked again in this run.
_LONGEST_WAIT_S = 120.0
_CHUNK = 65536
# So much of an answer that is no picture is read, so that its connection can be used again.
_SMALL = 65536
# Of an ETag, or of a date: longer ones are not kept.
_LONGEST_VALIDATOR = 500
# Pools of connections that are kept, one a host.
_HOSTS = 256

_REDIRECTS = {301, 302, 303, 307, 308}
_PASSING = {429, 500, 502, 503, 504}
_GONE = {
    404: "the server has no such picture (404)",
    410: "the server says that the picture is gone for good (410)",
}
_HEADERS = {
    "User-Agent": "kimo_assets",
    # Not image/*: a server that can choose would send AVIF, or what comes next.
    "Accept": "image/jpeg, image/png, image/webp, image/gif, image/tiff, image/bmp, */*;q=0.1",
    # Pictures are compressed already; what unpacks to more than it may is cut like anything else.
    "Accept-Encoding": "identity",
}

Kind = Literal["failed", "refused", "missing", "stopped"]


class FetchError(Exception):
    """A picture that was not fetched, and why, in a sentence.

    kind: refused is by us, missing is 404 or 410. is_passing: another try may help. retry_after_s:
    what the server asked for. is_unreachable: the server did not answer at all.
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
        self.kind = kind
        self.is_passing = is_passing
        self.retry_after_s = retry_after_s
        self.is_unreachable = is_unreachable

    @property
    def wants_peace(self) -> bool:
        """Whether the server asked to be left alone for longer than we wait."""
        return (self.retry_after_s or 0) > _LONGEST_WAIT_S


@dataclass(frozen=True)
class Limits:
    """timeout_s: of a try, with its redirects, from connecting to the last byte. per_host:
    connections to one at a time.
    """

    max_bytes: int
    timeout_s: float = 60.0
    max_redirects: int = 5
    attempts: int = 4
    per_host: int = 2


@dataclass(frozen=True)
class Validators:
    """What the server said of the picture that we have, so that it can say that it is still the
    same.
    """

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        named = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True)
class Fetched:
    """data: None when the server says that the picture has not changed (304)."""

    data: bytes | None
    validators: Validators


class Fetcher:
    """Many threads may fetch through one of these; they share its connections.

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
        self._tries: set[_Try] = set()
        self._session = _Session(
            guard, limits.per_host, verify or os.environ.get("REQUESTS_CA_BUNDLE") or True
        )
        self._backoff = wait_exponential_jitter(
            initial=backoff_s, max=_LONGEST_BACKOFF_S, jitter=backoff_s
        )
        self._sleep = sleep or sleep_using_event(self._stopped)

    def fetch(self, url: str, known: Validators = Validators()) -> Fetched:
        """Raises: FetchError."""
        retrying = Retrying(
            stop=stop_after_attempt(self._limits.attempts),
            wait=self._wait_s,
            retry=retry_if_exception(_is_worth_a_try),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._try, url, known)

    def stop(self) -> None:
        """Ends all that is under way, and what is asked for later: FetchError of kind stopped."""
        self._stopped.set()
        for attempt in list(self._tries):
            attempt.cut()

    def close(self) -> None:
        self._session.close()

    def _wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked_for = error.retry_after_s if isinstance(error, FetchError) else None
        return max(self._backoff(state), asked_for or 0.0)

    def _try(self, url: str, known: Validators) -> Fetched:
        with self._under_way() as attempt:
            try:
                return self._follow(url, known, attempt)
            except RefusedError as error:
                raise FetchError(str(error), "refused") from None
            except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
                attempt.check()
                raise _in_words(error, attempt.received) from None

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

    def _follow(self, url: str, known: Validators, attempt: "_Try") -> Fetched:
        seen: list[str] = []
        while True:
            check_url(url)
            answer = self._session.get(
                url,
                headers=known.headers(),
                stream=True,
                allow_redirects=False,
                timeout=(min(_CONNECT_TIMEOUT_S, self._limits.timeout_s), self._limits.timeout_s),
            )
            with answer:
                target = _target(answer)
                if target is None:
                    return self._received(answer, known, attempt)
                _drain(answer, attempt)
            seen.append(url)
            url = self._next_hop(target, seen)

    def _next_hop(self, target: str, seen: list[str]) -> str:
        if target in seen:
            raise FetchError(
                f"the server redirects in a circle, back to {shown(target)}. Correct the URL in"
                " the ERP"
            )
        if len(seen) > self._limits.max_redirects:
            raise FetchError(
                f"the server redirects more than {self._limits.max_redirects} times, at last to"
                f" {shown(target)}. Correct the URL in the ERP, or raise images: download:"
                " max_redirects: in kimo.yaml"
            )
        return target

    def _received(self, answer: requests.Response, known: Validators, attempt: "_Try") -> Fetched:
        status = answer.status_code
        if status == 200:
            data = self._body(answer, attempt)
            return Fetched(
                data, Validators(_validator(answer, "ETag"), _validator(answer, "Last-Modified"))
            )
        _drain(answer, attempt)
        if status == 304 and known.headers():
            return Fetched(None, known)
        if status in _GONE:
            raise FetchError(
                f"{_GONE[status]}: correct the URL in the ERP, or take its row out", "missing"
            )
        if status in _PASSING:
            after = _retry_after_s(answer)
            raise FetchError(_unwell(status, after), is_passing=True, retry_after_s=after)
        raise FetchError(_other_answer(status))

    def _body(self, answer: requests.Response, attempt: "_Try") -> bytes:
        """Unpacked, if the server has packed it. Raises: FetchError."""
        limit = self._limits.max_bytes
        said = answer.headers.get("Content-Length", "")
        if said.isdecimal() and int(said) > limit:
            raise FetchError(_too_large(f"the picture has {int(said):,} bytes", limit))
        if "," in answer.headers.get("Content-Encoding", ""):
            raise FetchError(
                "the server has packed the picture several times over; expected it as it is"
            )
        body = bytearray()
        for chunk in answer.raw.stream(_CHUNK, decode_content=True):
            body += chunk
            attempt.received = len(body)
            if len(body) > limit:
                raise FetchError(_too_large("the server sends and sends", limit))
        # Where the server says no length, a line that was cut looks like the end.
        attempt.check()
        return bytes(body)


def _is_worth_a_try(error: BaseException) -> bool:
    return isinstance(error, FetchError) and error.is_passing and not error.wants_peace


# --- a try, and its end
# --------------------------------------------------------------------------------------------------


class _Try:
    """One try at a picture: its connections are cut at its deadline, or when all is stopped.

    Timeouts of sockets do not do that: each byte that drips in begins them anew, in headers and in
    TLS handshakes too.
    """

    current = threading.local()

    def __init__(self, timeout_s: float, stopped: threading.Event) -> None:
        self._timeout_s = timeout_s
        self._stopped = stopped
        self._is_over = False
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
        """A handle of its own on the connection: the other one may be closed before its last byte
        is read.
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
            raise FetchError("stopped before it was fetched", "stopped")
        if self._is_over:
            raise FetchError(
                f"the server took longer than {self._timeout_s:g} seconds ({self.received:,} bytes"
                " had come). If it is that slow, raise images: download: timeout_s: in kimo.yaml",
                is_passing=True,
                is_unreachable=not self.received,
            )


# --- connections that go only where they may
# ------------------------------------------------------------------------------


class _Session(requests.Session):
    """No redirects, proxies, cookies or passwords but what is written here."""

    def __init__(self, guard: Guard, per_host: int, verify: str | bool) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = verify
        self.headers.clear()
        self.headers.update(_HEADERS)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for adapter in self.adapters.values():
            adapter.close()
        self.adapters.clear()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _GuardedAdapter(guard, per_host))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Even when told to follow none, requests reads all that a redirect sends, however much, to
        prepare the next hop.
        """


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, guard: Guard, per_host: int) -> None:
        self._guard = guard
        super().__init__(pool_connections=_HOSTS, pool_maxsize=per_host, pool_block=True)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _guarded_pools(self._guard)


class _Watched:
    """What both kinds of connections share: each request's connection is watched by the try that it
    is of.
    """

    sock: socket.socket | None

    def request(self, *arguments: Any, **options: Any) -> None:
        if self.sock is not None:
            _Try.current.attempt.watch(self.sock)
        super().request(*arguments, **options)  # type: ignore[misc]


def _guarded_pools(guard: Guard) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's own pools. Their connections keep the name, for the Host header, SNI and the
    certificate.
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
    """Connects to the first of the checked addresses that answers. Raises: RefusedError, and what
    urllib3 raises.
    """
    host, port = connection.host, connection.port
    try:
        addresses = guard.addresses(host, port)
    except (OSError, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror(*error.args)) from error
    last: OSError = OSError("the name has no address")
    for address in addresses:
        _Try.current.attempt.check()
        try:
            line = dial(
                address,
                port,
                _CONNECT_TIMEOUT_S if connection.timeout is None else float(connection.timeout),
            )
        except OSError as error:
            last = error
            continue
        _Try.current.attempt.watch(line)
        return line
    if isinstance(last, TimeoutError):
        raise ConnectTimeoutError(connection, str(last)) from last
    raise NewConnectionError(connection, last.strerror or str(last)) from last


def dial(address: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to an address, not to a name: nothing is looked up here."""
    line = socket.create_connection((address, port), timeout_s)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


# --- answers
# --------------------------------------------------------------------------------------------------


def _validator(answer: requests.Response, name: str) -> str | None:
    """None for one that could be neither kept nor sent back."""
    value = answer.headers.get(name, "").strip()
    return value if value.isprintable() and 0 < len(value) <= _LONGEST_VALIDATOR else None


def _target(answer: requests.Response) -> str | None:
    location = answer.headers.get("Location")
    if answer.status_code not in _REDIRECTS or not location:
        return None
    with suppress(UnicodeError):
        # Headers are read as Latin-1; servers that write other letters write them in UTF-8.
        location = location.encode("latin-1").decode("utf-8")
    try:
        return urljoin(answer.url, location).partition("#")[0]
    except ValueError:
        raise FetchError(
            "the server redirects to what is no URL. Correct the URL in the ERP", "refused"
        ) from None


def _drain(answer: requests.Response, attempt: _Try) -> None:
    """Reads a small answer to its end; the connection of a larger one, or of a broken one, is
    closed.
    """
    with suppress(HTTPError, OSError):
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
    what = "too many pictures at a time are asked for" if status == 429 else "it is not well"
    if (after_s or 0) > _LONGEST_WAIT_S:
        return (
            f"the server says that {what} ({status}) and asks to be left alone for {after_s:,.0f}"
            " seconds. Try later"
        )
    return (
        f"the server says that {what} ({status}), each time it was asked. Try later, or with a"
        " lower per_host"
    )


def _other_answer(status: int) -> str:
    if status in (401, 403):
        return (
            f"the server does not give it to us ({status}): it has to be readable by everybody, or"
            " the URL has expired"
        )
    if status in _REDIRECTS:
        return f"the server redirects, but does not say where ({status})"
    return f"the server answers {status}; expected a picture (200)"


def _too_large(what: str, limit: int) -> str:
    return (
        f"{what}; more than {limit:,} bytes are not fetched. Make the picture smaller, or raise"
        " images: max_file_mb: in kimo.yaml"
    )


# --- errors in words
# --------------------------------------------------------------------------------------------------


def _in_words(error: Exception, received: int) -> FetchError:
    """Without the library's own text, which holds the whole URL with its query. received: bytes of
    the picture.
    """
    cause = _cause(error)
    match cause:
        case NameResolutionError():
            return _unreachable(
                "its name is not known (DNS); correct the URL in the ERP, or this machine's DNS"
            )
        case NewConnectionError():
            return _unreachable(str(cause).rpartition(": ")[2].lower())
        case ConnectTimeoutError():
            return _unreachable("it does not answer")
        case TlsError() | ssl.SSLError():
            return _of_tls(cause)
        case DecodeError():
            return FetchError("the server says that the picture is packed, but it does not unpack")
        case (
            requests.exceptions.InvalidURL() | requests.exceptions.MissingSchema() | UnicodeError()
        ):
            return FetchError(
                "this is no URL: expected https://host/path. Correct it in the ERP", "refused"
            )
    return FetchError(
        f"the server broke off before the whole picture was there ({received:,} bytes had come)."
        " Try later",
        is_passing=True,
        is_unreachable=not received,
    )


def _unreachable(why: str) -> FetchError:
    return FetchError(f"the server cannot be reached: {why}", is_passing=True, is_unreachable=True)


def _of_tls(error: BaseException) -> FetchError:
    said = str(error)
    if "certificate" not in said.lower():
        return FetchError(
            "no encrypted connection (TLS) comes about with the server",
            is_passing=True,
            is_unreachable=True,
        )
    why = (
        said.partition("certificate verify failed: ")[2].partition(" (_ssl")[0].rstrip(".")
        or "it is another server's"
    )
    return FetchError(
        f"the server's certificate is not good ({why}). Its owner has to renew it; if an authority"
        " of your own has signed it, name the authority's file in REQUESTS_CA_BUNDLE"
    )


def _cause(error: BaseException) -> BaseException:
    """What lies under requests' and urllib3's wrappings."""
    within = [getattr(error, "reason", None), *error.args]
    inner = next((one for one in within if isinstance(one, Exception)), None)
    return error if inner is None or isinstance(error, DecodeError) else _cause(inner)
