"""Asking Google, with its own library: one call at a time, at the allowed pace, and what each
answer means.

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


class Kind(Enum):
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
    """What became of one address. why: in a sentence, unless it was answered."""

    kind: Kind
    answer: Answer | None = None
    why: str = ""


class Throttle:
    """At most so many calls within any second. clock: seconds that only go forward."""

    def __init__(
        self, per_second: int, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._begun: deque[float] = deque(maxlen=per_second)
        self._clock = clock
        self._sleep = sleep

    def wait(self) -> None:
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
        said: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config = config
        self._key = key.strip()
        if not self._key.startswith(KEYS_BEGIN_WITH):
            raise GeocodingError(
                f"The key in the variable {config.key_variable} is no key of Google Maps: these"
                f" begin with {KEYS_BEGIN_WITH}. Copy it from the Google Cloud console (APIs &"
                " Services, Credentials)."
            )
        self._may_call = may_call
        self._said = said
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
        self._session.close()

    def ask(self, address: Address) -> Reply:
        """Google's answer for an address, after as many tries as its kind of failure is worth."""
        retrying = Retrying(
            retry=retry_if_result(lambda reply: reply.kind in (Kind.OVER_LIMIT, Kind.FAILED)),
            stop=self._is_enough,
            wait=wait_exponential(multiplier=1, max=_LONGEST_WAIT_S),
            sleep=self._sleep,
            before_sleep=self._tell,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        reply: Reply = retrying(self._ask_once, address)
        return reply

    @staticmethod
    def _is_enough(state: RetryCallState) -> bool:
        tries = _TRIES_OVER_LIMIT if _reply(state).kind is Kind.OVER_LIMIT else _TRIES_OF_FAILED
        return stop_after_attempt(tries)(state)

    def _tell(self, state: RetryCallState) -> None:
        if _reply(state).kind is Kind.OVER_LIMIT:
            self._said(f"Google asks for a slower pace: next call in {state.upcoming_sleep:.0f} s.")

    def _ask_once(self, address: Address) -> Reply:
        """One call. No error leaves it: those of the libraries hold the address with the key."""
        self._throttle.wait()
        if not self._may_call():
            return Reply(Kind.NO_BUDGET)
        try:
            results = self._client.geocode(
                address.query,
                components=address.components,
                region=address.region,
                language=self._config.language,
            )
            found = [_Result.model_validate(result) for result in results]
        except ApiError as error:
            return self._of_status(str(error.status), error.message)
        except Timeout:
            return Reply(Kind.FAILED, why=f"no answer within {self._config.timeout_s:g} s")
        except HTTPError as error:
            kind = Kind.OVER_LIMIT if error.status_code == _TOO_MANY_REQUESTS else Kind.FAILED
            return Reply(kind, why=f"the server answered with the HTTP status {error.status_code}")
        except TransportError as error:
            return Reply(Kind.FAILED, why=_of_transport(error.base_exception))
        except (ValidationError, ValueError, KeyError, TypeError, AttributeError):
            return Reply(
                Kind.FAILED,
                why="the server's answer is not in the format of Google's Geocoding API",
            )
        return Reply(Kind.ANSWERED, _answer(best(found, address)))

    def _of_status(self, status: str, message: Any) -> Reply:
        said = self._as_said(message)
        match status:
            case "OVER_QUERY_LIMIT" if "daily" not in said.lower():
                return Reply(
                    Kind.OVER_LIMIT, why=f"Google finds the calls too many (OVER_QUERY_LIMIT){said}"
                )
            case "OVER_QUERY_LIMIT" | "OVER_DAILY_LIMIT":
                return Reply(Kind.REFUSED, why=_OVER_DAILY_LIMIT.format(status=status, said=said))
            case "REQUEST_DENIED":
                return Reply(
                    Kind.REFUSED, why=_DENIED.format(said=said, variable=self._config.key_variable)
                )
            case "INVALID_REQUEST":
                return Reply(Kind.ANSWERED, Answer(status))
            case _:
                return Reply(Kind.FAILED, why=f"Google could not answer ({status}){said}")

    def _as_said(self, message: Any) -> str:
        """Google's own words behind a colon, or nothing; cut, and without the key should they hold
        it.
        """
        words = in_one_line(Exception(message or "")) if message else ""
        return f": {words.replace(self._key, '(the key)')[:300].rstrip('. ')}" if words else ""


_OVER_DAILY_LIMIT = (
    "Google answers no more today ({status}){said}. See in the Google Cloud console whether the"
    " project has a billing account with a valid means of payment, and what its daily quota of the"
    " Geocoding API is; then run again."
)
_DENIED = (
    "Google refuses the key (REQUEST_DENIED){said}. In the Google Cloud console: is it the key that"
    " the variable {variable} holds, is the Geocoding API enabled for its project, is billing on,"
    " and do the key's restrictions allow this API and this server's address?"
)


def _reply(state: RetryCallState) -> Reply:
    reply: Reply = state.outcome.result() if state.outcome else Reply(Kind.FAILED)
    return reply


def _raise_for_server_error(response: requests.Response, *_: Any, **__: Any) -> None:
    if response.status_code >= 500:
        raise requests.HTTPError(response=response)


def _of_transport(error: Exception | None) -> str:
    """By its kind: the words of the library hold the URL, and with it the key."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered with the HTTP status {response.status_code}"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not to be trusted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let the call through"
    return "the server cannot be reached, or the connection was cut"


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
        return next(
            (
                component.short_name
                for component in self.address_components
                if kind in component.types
            ),
            None,
        )


def best(results: Sequence[_Result], address: Address) -> _Result | None:
    """Of several results the one in the post code and province that were asked for; of equal ones
    Google's first.
    """
    usable = [result for result in results if not _TOO_LARGE.intersection(result.types)]

    def distance(result: _Result) -> tuple[bool, bool, bool]:
        post_code, province = (
            result.component("postal_code"),
            result.component("administrative_area_level_2"),
        )
        return (
            bool(address.post_code) and post_code != address.post_code,
            bool(address.province) and province != address.province,
            result.partial_match,
        )

    return min(usable, key=distance, default=None)


def _answer(result: _Result | None) -> Answer:
    if result is None:
        return Answer("ZERO_RESULTS")
    province = result.component("administrative_area_level_2")
    where = result.geometry.location
    return Answer(
        "OK",
        where.lat,
        where.lng,
        result.geometry.location_type,
        result.partial_match,
        result.place_id,
        result.formatted_address,
        province,
    )
