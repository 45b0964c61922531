"""Which requests are answered: by method, address, rate and token, before anything else is done.
And the line of the access log, which never holds a token.

Cookies are ignored. A browser adds the token to no request by itself, so a foreign page cannot
forge a request (CSRF). A browser that remembers a URL with the token may fetch it ahead. It says so
in a header, and is refused.
"""

import hmac
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kimo_assets.texts import say
from kimo_assets.webapi.rates import Rates

HEALTH = "/health"
# A name or two identify the call, and a log line has no limit of its own.
_TABLES_CHARS = 200
TOKEN_PARAMETER = "token"  # noqa: S105 (a parameter's name)
_LOG = logging.getLogger("kimo_assets.webapi")
_PREFETCH_HEADERS = ("sec-purpose", "purpose", "x-moz", "x-purpose")
_HEADERS = {
    # A cached answer would say that a run was started when nobody was asked.
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Answer(Response):
    """A JSON document. Its message, or else its error, also goes to the access log."""

    media_type = "application/json"

    def __init__(
        self,
        document: Mapping[str, Any],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        message = document.get("message") or document.get("error") or ""
        self.log_message = str(message)
        super().__init__(
            orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE),
            status,
            {**_HEADERS, **(headers or {})},
        )


def refused(
    status: int, kind: str, message: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Answer:
    """An answer that says what was wrong, and that nothing was started."""
    return Answer({"accepted": False, "error": kind, "message": message, **more}, status, headers)


@dataclass(frozen=True)
class AccessRules:
    """token: None where the environment holds none, so that every request is refused."""

    token: str | None
    variable: str
    rates: Rates

    def refusal(self, request: Request) -> Answer | None:
        """Why the request goes no further. None: it may."""
        # The vendor's endpoints are GET only (fact sheet, section 3).
        if request.method != "GET":
            allowed = {"Allow": "GET"}
            return refused(405, "MethodNotAllowed", say("webapi.method"), allowed)
        # Before rate and token, because a monitor asks often and should hold no secret.
        if _is_health(request):
            return None
        address = request.client.host if request.client else ""
        # Before the token is compared, so that it cannot be guessed at full speed.
        if seconds := math.ceil(self.rates.wait_s(address)):
            retry = {"Retry-After": str(seconds)}
            message = say("webapi.too_many", seconds=seconds)
            return refused(429, "TooManyRequests", message, retry)
        if _is_prefetch(request):
            return refused(403, "Prefetch", say("webapi.prefetch"))
        return self._without_token(request)

    def _without_token(self, request: Request) -> Answer | None:
        """The refusal of a request whose token is missing or wrong. None: it is right."""
        # Without a token set nobody may start anything: an open port is not an invitation.
        if self.token is None:
            return refused(403, "NoToken", say("webapi.no_token", variable=self.variable))
        given = _given_token(request)
        # Compared in constant time, so that the time of an answer tells nothing about the token.
        if given is not None and hmac.compare_digest(given.encode(), self.token.encode()):
            return None
        message = say("webapi.wrong_token" if given else "webapi.token_needed")
        challenge = {"WWW-Authenticate": 'Bearer realm="kimo_assets"'}
        return refused(401, "Unauthorized", message, challenge)


def _is_prefetch(request: Request) -> bool:
    """Browsers say in one of these headers that nobody has clicked yet."""
    values = [request.headers.get(name, "") for name in _PREFETCH_HEADERS]
    return any("prefetch" in value or "preview" in value for value in values)


def _given_token(request: Request) -> str | None:
    """The header's token, or the query's: some scripts can only call a URL."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    # The header goes first: a URL with a token stays in histories and in logs of proxies.
    if scheme.casefold() == "bearer":
        return value.strip()
    return _parameter(request, TOKEN_PARAMETER)


def _parameter(request: Request, name: str) -> str | None:
    """The first value of a query parameter, whose name may be in any case."""
    items = request.query_params.items()
    return next((value for key, value in items if key.casefold() == name), None)


def _is_health(request: Request) -> bool:
    """By the routed path: request.url is built with the Host header, which may be forged."""
    return bool(request.scope["path"] == HEALTH)


def with_access_rules(app: ASGIApp, rules: AccessRules) -> ASGIApp:
    """The app behind the rules. Each request gets a line in the log."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        request = Request(scope)
        refusal = rules.refusal(request)
        if refusal is None:
            await app(scope, receive, _logged(request, send))
        else:
            _log(request, refusal.status_code, refusal.log_message)
            await refusal(scope, receive, send)

    return guarded


def _logged(request: Request, send: Send) -> Callable[[Any], Awaitable[None]]:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start" and not _is_health(request):
            _log(request, message["status"], getattr(request.state, "log_message", ""))
        await send(message)

    return sending


def _log(request: Request, status: int, message: str) -> None:
    """Of the query only the entities' names are logged: any other parameter may be a secret."""
    # The path as it came. Decoded, a %0A would write a line of its own into the log.
    target = request.scope.get("raw_path", b"").partition(b"?")[0].decode("ascii", "replace")
    tables = _parameter(request, "tables")
    if tables is not None:
        target = f"{target} tables={tables[:_TABLES_CHARS]!r}"
    client = request.client.host if request.client else "?"
    _LOG.info("%s %s %s -> %s %s", client, request.method, target, status, message)
