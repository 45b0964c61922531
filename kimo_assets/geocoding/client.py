"""Asking Google with its own library, one call at a time, and what each answer means.

The library retries some errors by itself, unseen, and its throttle lets one call too many pass and
counts only calls that went well. Both are switched off: every call is counted, paced and retried
here. Nothing said here holds the key.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import googlemaps
import requests
from googlemaps.exceptions import ApiError, HTTPError, Timeout, TransportError
from pydantic import BaseModel, Field, ValidationError
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt
from tenacity.wait import wait_exponential

from kimo_assets.config.models import GeocodingConfig
from kimo_assets.errors import GeocodingError, in_one_line
from kimo_assets.geocoding.addresses import Address
from kimo_assets.texts import say

# The library accepts no other key, and its own error names no variable to look at.
KEYS_BEGIN_WITH = "AIza"

# For over two minutes: 1, 2, 4, 8, 16, 30, 30 and 30 seconds between the calls.
_TRIES_OVER_LIMIT = 9
_LONGEST_WAIT_S = 30
_TRIES_OF_FAILED = 3
# More than any pace that may be configured: the library's own throttle then never waits.
_NEVER_THROTTLED = 1000
_TOO_MANY_REQUESTS = 429

# What stands for a whole province, region or country says nothing of where a customer is: with a
# country to keep to, Google answers its middle for an address that it does not know.
_TOO_LARGE = frozenset(
    ("country", "administrative_area_level_1", "administrative_area_level_2", "continent")
)


class ReplyKind(Enum):
    """What one address came to."""

    ANSWERED = "answered"
    OVER_LIMIT = "over limit"
    """Too fast for Google, or for others who use the key."""
    FAILED = "failed"
    """Nothing that Google says of the address; trying again may help."""
    REFUSED = "refused"
    """Nothing will be answered until somebody does something."""
    NO_BUDGET = "no budget"
    """Not asked at all: the day's calls are used up."""


@dataclass(frozen=True)
class Answer:
    """What is kept of an answer. status: Google's word; the rest is empty unless it is OK."""

    status: str
    latitude: float | None = None
    longitude: float | None = None
    location_type: str | None = None
    partial_match: bool | None = None
    place_id: str | None = None
    formatted_address: str | None = None
    province: str | None = None


@dataclass(frozen=True)
class Reply:
    """What became of one address. reason: in a sentence, unless it was answered."""

    kind: ReplyKind
    answer: Answer | None = None
    reason: str = ""


class Throttle:
    """At most so many calls within any second. clock: seconds that only go forward."""

    def __init__(
        self, per_second: int, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._begun: deque[float] = deque(maxlen=per_second)
        self._clock = clock
        self._sleep = sleep

    def wait(self) -> None:
        """Waits until one more call is allowed, and counts it."""
        if len(self._begun) == self._begun.maxlen:
            # A clock's last digit may be lost in the difference.
            while (rest := self._begun[0] + 1 - self._clock()) > 0:
                self._sleep(rest)
        self._begun.append(self._clock())


class Geocoder:
    """may_call: counts a call in the day's budget before it is made, and says whether it may be.

    Raises: GeocodingError for a key that cannot be one.
    """

    def __init__(
        self,
        config: GeocodingConfig,
        key: str,
        may_call: Callable[[], bool],
        *,
        log: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config = config
        self._key = key.strip()
        if not self._key.startswith(KEYS_BEGIN_WITH):
            variable = config.key_variable
            raise GeocodingError(
                say("geocoding.not_a_key", variable=variable, beginning=KEYS_BEGIN_WITH)
            )
        self._may_call = may_call
        self._log = log
        self._sleep = sleep
        self._throttle = Throttle(config.queries_per_second, clock, sleep)
        session = requests.Session()
        # Otherwise the library would call again by itself.
        session.hooks["response"].append(_raise_for_server_error)
        self._client = googlemaps.Client(
            key=self._key,
            timeout=config.timeout_s,
            base_url=config.base_url.rstrip("/"),
            queries_per_second=_NEVER_THROTTLED,
            queries_per_minute=_NEVER_THROTTLED * 60,
            retry_over_query_limit=False,
            requests_session=session,
            # The key is for the configured server only.
            requests_kwargs={"allow_redirects": False},
        )
        self._session = session

    def close(self) -> None:
        """Closes the connections to Google."""
        self._session.close()

    def ask(self, address: Address) -> Reply:
        """Google's answer for an address, after as many tries as its kind of failure is worth."""
        retrying = Retrying(
            retry=retry_if_result(
                lambda reply: reply.kind in (ReplyKind.OVER_LIMIT, ReplyKind.FAILED)
            ),
            stop=self._is_enough,
            wait=wait_exponential(multiplier=1, max=_LONGEST_WAIT_S),
            sleep=self._sleep,
            before_sleep=self._log_pause,
            retry_error_callback=_reply,
        )
        reply: Reply = retrying(self._ask_once, address)
        return reply

    @staticmethod
    def _is_enough(state: RetryCallState) -> bool:
        tries = _TRIES_OF_FAILED
        if _reply(state).kind is ReplyKind.OVER_LIMIT:
            tries = _TRIES_OVER_LIMIT
        return stop_after_attempt(tries)(state)

    def _log_pause(self, state: RetryCallState) -> None:
        if _reply(state).kind is ReplyKind.OVER_LIMIT:
            self._log(say("geocoding.slower", seconds=state.upcoming_sleep))

    def _ask_once(self, address: Address) -> Reply:
        """One call. No error leaves it: those of the libraries hold the address with the key."""
        # The wait comes first: a call counts for the day on which it is made.
        self._throttle.wait()
        if not self._may_call():
            return Reply(ReplyKind.NO_BUDGET)
        try:
            results = self._client.geocode(
                address.query,
                components=address.components,
                region=address.region,
                language=self._config.language,
            )
            candidates = [_Result.model_validate(result) for result in results]
        except ApiError as error:
            return self._of_status(str(error.status), error.message)
        except Timeout:
            return _failed("geocoding.no_answer_within", seconds=self._config.timeout_s)
        except HTTPError as error:
            if error.status_code == _TOO_MANY_REQUESTS:
                reason = say("geocoding.http_status", status=error.status_code)
                return Reply(ReplyKind.OVER_LIMIT, reason=reason)
            return _failed("geocoding.http_status", status=error.status_code)
        except TransportError as error:
            return Reply(ReplyKind.FAILED, reason=_of_transport(error.base_exception))
        except (ValidationError, ValueError, KeyError, TypeError, AttributeError):
            return _failed("geocoding.wrong_format")
        return Reply(ReplyKind.ANSWERED, _answer(best(candidates, address)))

    def _of_status(self, status: str, google_message: Any) -> Reply:
        """By Google's status. Of two limits under one status the daily one is told by a word."""
        message = self._quoted(google_message)
        match status:
            case "OVER_QUERY_LIMIT" if "daily" not in message.lower():
                reason = say("geocoding.too_many_calls", message=message)
                return Reply(ReplyKind.OVER_LIMIT, reason=reason)
            case "OVER_QUERY_LIMIT" | "OVER_DAILY_LIMIT":
                reason = say("geocoding.over_daily_limit", status=status, message=message)
                return Reply(ReplyKind.REFUSED, reason=reason)
            case "REQUEST_DENIED":
                variable = self._config.key_variable
                reason = say("geocoding.denied", message=message, variable=variable)
                return Reply(ReplyKind.REFUSED, reason=reason)
            # An answer too: asked again, it would be the same and use up another call.
            case "INVALID_REQUEST":
                return Reply(ReplyKind.ANSWERED, Answer(status))
            # Above all UNKNOWN_ERROR, after which Google says that another try may succeed.
            case _:
                return _failed("geocoding.other_status", status=status, message=message)

    def _quoted(self, google_message: Any) -> str:
        """Google's own words behind a colon, cut, and without the key should they hold it."""
        if not google_message:
            return ""
        words = in_one_line(Exception(google_message)).replace(self._key, "(the key)")
        return f": {words[:300].rstrip('. ')}"


def _failed(key: str, **values: Any) -> Reply:
    return Reply(ReplyKind.FAILED, reason=say(key, **values))


def _reply(state: RetryCallState) -> Reply:
    if state.outcome is None:
        return Reply(ReplyKind.FAILED)
    reply: Reply = state.outcome.result()
    return reply


def _raise_for_server_error(response: requests.Response, *_: Any, **__: Any) -> None:
    if response.status_code >= 500:
        raise requests.HTTPError(response=response)


def _of_transport(error: Exception | None) -> str:
    """By its kind: the words of the library hold the URL, and with it the key."""
    response = getattr(error, "response", None)
    if response is not None:
        return say("geocoding.http_status", status=response.status_code)
    if isinstance(error, requests.exceptions.SSLError):
        return say("geocoding.certificate")
    if isinstance(error, requests.exceptions.ProxyError):
        return say("geocoding.proxy")
    return say("geocoding.unreachable")


# --- results
# --------------------------------------------------------------------------------------------------


class _Location(BaseModel):
    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    lng: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class _Geometry(BaseModel):
    location: _Location
    location_type: str


class _Component(BaseModel):
    short_name: str = ""
    types: list[str] = []


class _Result(BaseModel):
    """What is read of one of Google's results."""

    geometry: _Geometry
    types: list[str] = []
    address_components: list[_Component] = []
    partial_match: bool = False
    place_id: str | None = None
    formatted_address: str | None = None

    def component(self, kind: str) -> str | None:
        """The short name of the address's component of a kind, e.g. postal_code."""
        for component in self.address_components:
            if kind in component.types:
                return component.short_name
        return None


def best(results: Sequence[_Result], address: Address) -> _Result | None:
    """Of several results the one in the post code and province that were asked for.

    Of equal ones it is Google's first.
    """
    usable = [result for result in results if not _TOO_LARGE.intersection(result.types)]

    def distance(result: _Result) -> tuple[bool, bool, bool]:
        post_code = result.component("postal_code")
        province = result.component("administrative_area_level_2")
        return (
            bool(address.post_code) and post_code != address.post_code,
            bool(address.province) and province != address.province,
            result.partial_match,
        )

    return min(usable, key=distance, default=None)


def _answer(result: _Result | None) -> Answer:
    if result is None:
        return Answer("ZERO_RESULTS")
    # Level 2 is the province in Italy.
    province = result.component("administrative_area_level_2")
    location = result.geometry.location
    return Answer(
        "OK",
        location.lat,
        location.lng,
        result.geometry.location_type,
        result.partial_match,
        result.place_id,
        result.formatted_address,
        province,
    )
