"""Who may ask, how often and how: before anything is looked at. And the line of the access log,
which never holds a token.

Cookies are not looked at: a browser adds the token to no request by itself, so somebody else's page
(CSRF) has none to send. A URL that holds the token could be fetched ahead by a browser that
remembers it: it says so, and is refused.
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

from kimo_assets.webapi.rates import Rates

HEALTH = "/health"
TOKEN_PARAMETER = "token"  # noqa: S105 (a parameter's name)
_LOG = logging.getLogger("kimo_assets.webapi")
_AHEAD = ("sec-purpose", "purpose", "x-moz", "x-purpose")
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Answer(Response):
    """A JSON document. Its `message` is what the access log has to say of the request."""

    media_type = "application/json"

    def __init__(
        self,
        document: Mapping[str, Any],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.said = str(document.get("message") or document.get("error") or "")
        super().__init__(
            orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE),
            status,
            {**_HEADERS, **(headers or {})},
        )


def refused(
    status: int, kind: str, message: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Answer:
    return Answer({"accepted": False, "error": kind, "message": message, **more}, status, headers)


@dataclass(frozen=True)
class Door:
    """token None: the environment holds none, so nobody gets in."""

    token: str | None
    variable: str
    rates: Rates

    def refusal(self, request: Request) -> Answer | None:
        """Why the request goes no further; None when it may."""
        if request.method != "GET":
            return refused(
                405,
                "MethodNotAllowed",
                "Only GET is answered here, as by the vendor.",
                {"Allow": "GET"},
            )
        if _is_health(request):
            return None
        if wait_s := math.ceil(self.rates.wait_s(request.client.host if request.client else "")):
            return refused(
                429,
                "TooManyRequests",
                "Too many requests from this address (api.per_minute of kimo.yaml). Ask again in"
                f" {wait_s} s.",
                {"Retry-After": str(wait_s)},
            )
        if any(
            "prefetch" in request.headers.get(name, "")
            or "preview" in request.headers.get(name, "")
            for name in _AHEAD
        ):
            return refused(
                403,
                "Prefetch",
                "A browser fetches this address ahead, unasked: nothing was started.",
            )
        return self._without_token(request)

    def _without_token(self, request: Request) -> Answer | None:
        if self.token is None:
            return refused(
                403,
                "NoToken",
                f"Everything is refused: the environment variable {self.variable}"
                " (api.token_variable of kimo.yaml), which holds the token, is not set. Set it"
                " where kimo serve or kimo dev starts.",
            )
        given = _given_token(request)
        if given is not None and hmac.compare_digest(given.encode(), self.token.encode()):
            return None
        why = "This token is not the right one." if given else "A token is needed."
        return refused(
            401,
            "Unauthorized",
            f"{why} Send the header `Authorization: Bearer TOKEN`, or ?token=TOKEN.",
            {"WWW-Authenticate": 'Bearer realm="kimo_assets"'},
        )


def _given_token(request: Request) -> str | None:
    """The header's; else, for scripts that can only call a URL, the query's."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.casefold() == "bearer":
        return value.strip()
    return next(
        (
            value
            for name, value in request.query_params.items()
            if name.casefold() == TOKEN_PARAMETER
        ),
        None,
    )


def _is_health(request: Request) -> bool:
    """By the path that is routed: a URL that Starlette puts together follows the Host header, which
    anybody writes.
    """
    return bool(request.scope["path"] == HEALTH)


def with_door(app: ASGIApp, door: Door) -> ASGIApp:
    """The app behind its door: a line in the log for each request, and an answer also to what is
    refused before.
    """

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        request = Request(scope)
        if (refusal := door.refusal(request)) is None:
            await app(scope, receive, _logged(request, send))
        else:
            _log(request, refusal.status_code, refusal.said)
            await refusal(scope, receive, send)

    return behind


def _logged(request: Request, send: Send) -> Callable[[Any], Awaitable[None]]:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start" and not _is_health(request):
            _log(request, message["status"], getattr(request.state, "said", ""))
        await send(message)

    return sending


def _log(request: Request, status: int, said: str) -> None:
    """Of the query only what names entities: whatever else is there may be a secret."""
    path = request.scope.get("raw_path", b"").partition(b"?")[0].decode("ascii", "replace")
    tables = next(
        (value for name, value in request.query_params.items() if name.casefold() == "tables"), None
    )
    asked = path if tables is None else f"{path} tables={tables[:200]!r}"
    client = request.client.host if request.client else "?"
    _LOG.info("%s %s %s -> %s %s", client, request.method, asked, status, said)
