"""A stand-in for Google's Geocoding API on this machine: its format over HTTP, invented
coordinates, any error on demand.

    with FakeGoogle() as google:
        google.url  # geocoding: base_url of kimo.yaml
        google.answer_with(*["OVER_QUERY_LIMIT"] * 2)  # the next two calls; then it answers again

An address gets the same answer on any machine and day: near the middle of its post code's area,
with places of a street close together. It answers nobody but this machine, and knows nothing of
real streets.
"""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PATH = "/maps/api/geocode/json"
DEMO_KEY = "AIzaDemoKeyOfTheStandInOnThisMachine"

# What Google says of the statuses that are errors.
MESSAGES = {
    "REQUEST_DENIED": "The provided API key is invalid. ",
    "OVER_DAILY_LIMIT": (
        "You must enable Billing on the Google Cloud Project at "
        "https://console.cloud.google.com/project/_/billing/enable"
    ),
    "OVER_QUERY_LIMIT": "You have exceeded your rate-limit for this API.",
    "INVALID_REQUEST": (
        "Invalid request. Missing the 'address', 'components', 'latlng' or 'place_id' parameter."
    ),
    "UNKNOWN_ERROR": (
        "The request could not be processed due to a server error. The request may succeed if you"
        " try again."
    ),
}
# Faults that are no answers of Google's: an HTTP status as a number in text, or one of these.
CUT, GARBAGE, SILENT, OTHER_FORMAT = "cut", "garbage", "silent", "other format"

# Where the areas of the first two digits of post codes are: latitude and longitude of the main
# town.
_AREAS = {
    "00": (41.90, 12.50),
    "01": (42.42, 12.10),
    "02": (42.40, 12.86),
    "03": (41.64, 13.34),
    "04": (41.47, 12.90),
    "05": (42.56, 12.64),
    "06": (43.11, 12.39),
    "07": (40.73, 8.56),
    "08": (40.32, 9.33),
    "09": (39.22, 9.12),
    "10": (45.07, 7.69),
    "11": (45.74, 7.32),
    "12": (44.39, 7.55),
    "13": (45.32, 8.42),
    "14": (44.90, 8.21),
    "15": (44.91, 8.61),
    "16": (44.41, 8.93),
    "17": (44.31, 8.48),
    "18": (43.89, 8.03),
    "19": (44.10, 9.82),
    "20": (45.46, 9.19),
    "21": (45.82, 8.83),
    "22": (45.81, 9.09),
    "23": (46.17, 9.87),
    "24": (45.70, 9.67),
    "25": (45.54, 10.22),
    "26": (45.13, 10.02),
    "27": (45.19, 9.16),
    "28": (45.45, 8.62),
    "29": (45.05, 9.70),
    "30": (45.44, 12.33),
    "31": (45.67, 12.24),
    "32": (46.14, 12.22),
    "33": (46.06, 13.24),
    "34": (45.65, 13.78),
    "35": (45.41, 11.88),
    "36": (45.55, 11.55),
    "37": (45.44, 10.99),
    "38": (46.07, 11.12),
    "39": (46.50, 11.35),
    "40": (44.49, 11.34),
    "41": (44.65, 10.93),
    "42": (44.70, 10.63),
    "43": (44.80, 10.33),
    "44": (44.84, 11.62),
    "45": (45.07, 11.79),
    "46": (45.16, 10.79),
    "47": (44.14, 12.24),
    "48": (44.42, 12.20),
    "50": (43.77, 11.26),
    "51": (43.93, 10.92),
    "52": (43.46, 11.88),
    "53": (43.32, 11.33),
    "54": (44.04, 10.14),
    "55": (43.84, 10.50),
    "56": (43.72, 10.40),
    "57": (43.55, 10.31),
    "58": (42.76, 11.11),
    "59": (43.88, 11.10),
    "60": (43.60, 13.40),
    "61": (43.85, 12.85),
    "62": (43.30, 13.45),
    "63": (42.95, 13.70),
    "64": (42.66, 13.85),
    "65": (42.43, 14.10),
    "66": (42.25, 14.40),
    "67": (42.20, 13.50),
    "70": (41.05, 16.85),
    "71": (41.50, 15.60),
    "72": (40.60, 17.80),
    "73": (40.25, 18.20),
    "74": (40.48, 17.25),
    "75": (40.67, 16.60),
    "76": (41.25, 16.25),
    "80": (40.85, 14.27),
    "81": (41.07, 14.33),
    "82": (41.13, 14.78),
    "83": (40.91, 14.79),
    "84": (40.55, 14.95),
    "85": (40.64, 15.81),
    "86": (41.60, 14.75),
    "87": (39.30, 16.25),
    "88": (38.91, 16.59),
    "89": (38.30, 16.10),
    "90": (38.05, 13.45),
    "91": (37.95, 12.60),
    "92": (37.35, 13.60),
    "93": (37.40, 14.05),
    "94": (37.57, 14.28),
    "95": (37.50, 15.00),
    "96": (37.05, 15.10),
    "97": (36.93, 14.70),
    "98": (38.10, 15.35),
}
# Of Italy, for post codes that do not exist.
_MIDDLE = (42.5, 12.5)

# How the parts of an Italian address stand in the text that is asked: street, post code, town and
# province, country.
_TOWN = re.compile(r"^(?:(?P<post_code>\d{5}))?\s*(?P<city>[^\d]*?)\s*(?P<province>\b[A-Z]{2})?$")
_HOUSE = re.compile(r"^(?P<street>.*?)[ ,]+(?P<number>\d+(?:/?\w)?(?:[-/]\d+)?)$")


@dataclass(frozen=True)
class Asked:
    """A call that came in. at: by the stand-in's clock; address and components as they were
    asked.
    """

    at: float
    address: str
    components: str
    parameters: dict[str, str]


class FakeGoogle:
    """key: the only one that is accepted; unless given, any that looks like one. per_second: faster
    callers are told so.

    clock: seconds, for `Asked.at` and the pace. delay_s: how long an answer takes.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        per_second: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        delay_s: float = 0.0,
        port: int = 0,
    ) -> None:
        """key: the only key that is right, None for any. per_second: more are refused."""
        self.asked: list[Asked] = []
        self._key = key
        self._per_second = per_second
        self._clock = clock
        self._delay_s = delay_s
        self._next: deque[tuple[str, str | None]] = deque()
        self._of_address: dict[str, str | list[dict[str, Any]]] = {}
        self._listener: Callable[[Asked], None] = lambda asked: None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        # An answer that keeps silent must not keep a test from ending.
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def calls(self) -> int:
        return len(self.asked)

    def __enter__(self) -> "FakeGoogle":
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def answer_with(self, *faults: str, message: str | None = None) -> None:
        """The next calls get these statuses or faults, one each, instead of an answer."""
        self._next.extend((fault, message) for fault in faults)

    def always_answer(self, part_of_address: str, what: str | list[dict[str, Any]]) -> None:
        """Addresses with these words in them get this status or fault, or these results."""
        self._of_address[part_of_address] = what

    def on_call(self, listener: Callable[[Asked], None]) -> None:
        """Tells of each call as it comes in, before it is answered."""
        self._listener = listener

    # --- HTTP
    # ----------------------------------------------------------------------------------------------

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        """A handler class of this server: the standard library makes an object per request."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            # Connections stay open as Google's do, so that their reuse is tried too.
            protocol_version = "HTTP/1.1"
            # Otherwise a small answer may wait 40 ms for the client's acknowledgement.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                fake._serve(self)

            def log_message(self, *_: Any) -> None:
                """Nothing: the caller's key is part of the address."""

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answers one request, after noting it for the tests."""
        url = urlsplit(handler.path)
        if url.path != PATH:
            self._send(handler, 404, b"<html>Not Found</html>", "text/html")
            return
        parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
        with self._lock:
            asked = Asked(
                self._clock(),
                parameters.get("address", ""),
                parameters.get("components", ""),
                parameters,
            )
            self.asked.append(asked)
            answer, message = self._answer_to(asked)
        # Without the lock, because a listener may ask the stand-in something.
        self._listener(asked)
        if self._delay_s:
            self._ended.wait(self._delay_s)
        if isinstance(answer, list):
            status = "OK" if answer else "ZERO_RESULTS"
            self._send_json(handler, {"results": answer, "status": status})
        elif answer in MESSAGES:
            document = {"error_message": message or MESSAGES[answer], "results": []}
            self._send_json(handler, {**document, "status": answer})
        else:
            self._fail(handler, answer)

    def _answer_to(self, asked: Asked) -> tuple[str | list[dict[str, Any]], str | None]:
        """Results, a status of Google's, or a way to misbehave, with a message of its own."""
        if self._next:
            return self._next.popleft()
        key = asked.parameters.get("key", "")
        # Google's own client refuses a key that does not begin so.
        if not key.startswith("AIza") or (self._key is not None and key != self._key):
            return "REQUEST_DENIED", None
        if self._is_too_fast(asked):
            return "OVER_QUERY_LIMIT", None
        for part, answer in self._of_address.items():
            if part in asked.address:
                return answer, None
        if not asked.address:
            return "INVALID_REQUEST", None
        return results(asked.address), None

    def _is_too_fast(self, asked: Asked) -> bool:
        if not self._per_second:
            return False
        last = self.asked[-self._per_second - 1 :]
        within_a_second = sum(call.at > asked.at - 1 for call in last)
        return within_a_second > self._per_second

    def _fail(self, handler: BaseHTTPRequestHandler, kind: str) -> None:
        """Misbehaves on purpose. `kind` names how, or is an HTTP status."""
        match kind:
            case "ZERO_RESULTS":
                self._send_json(handler, {"results": [], "status": kind})
            case "cut":
                handler.send_response(200)
                handler.send_header("Content-Length", "1000")
                handler.end_headers()
                handler.wfile.write(b'{"results": [{')
                handler.close_connection = True
            case "garbage":
                self._send(handler, 200, b"<html>Please log in to the network</html>", "text/html")
            case "other format":
                self._send_json(
                    handler,
                    {"status": "OK", "results": [{"geometry": {"location": {"lat": "north"}}}]},
                )
            case "silent":
                # Longer than any time-out that a client has, but never beyond the stand-in's end.
                self._ended.wait(60)
                handler.close_connection = True
            case _:
                self._send(handler, int(kind), b"", "text/plain")

    def _send_json(self, handler: BaseHTTPRequestHandler, document: dict[str, Any]) -> None:
        self._send(
            handler,
            200,
            json.dumps(document, ensure_ascii=False).encode(),
            "application/json; charset=UTF-8",
        )

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


# --- answers
# --------------------------------------------------------------------------------------------------


def results(address: str) -> list[dict[str, Any]]:
    """What is answered for an address: one result, or none for one street in sixty."""
    street, post_code, city, province, country = _parts(address)
    luck = _share(address)
    if street and luck > 0.985:
        return []
    latitude, longitude = _spot(
        f"{post_code} {city}", *_AREAS.get(post_code[:2], _MIDDLE), within=0.2
    )
    name, number = street, ""
    if house := _HOUSE.match(street):
        name, number = house["street"], house["number"]
    # Each part moves the spot by less, so that the houses of a street stay together.
    if street:
        latitude, longitude = _spot(f"{name} {city}", latitude, longitude, within=0.03)
    if number:
        latitude, longitude = _spot(f"{number} {name}", latitude, longitude, within=0.002)
    location_type, kind = _quality(street, number, luck)
    partial = bool(street) and _share(f"partial {address}") > 0.96
    # Google does not name a street that it could not find.
    if location_type == "APPROXIMATE":
        name = number = ""
    return [
        _result(
            latitude,
            longitude,
            location_type,
            kind,
            partial,
            name,
            number,
            post_code,
            city,
            province,
            country,
        )
    ]


def _parts(address: str) -> tuple[str, str, str, str, str]:
    """Street, post code, town, province and country of an address as it is asked."""
    *before, country = (
        [part.strip() for part in address.split(",")] if "," in address else ["", address]
    )
    *street, town = before or [""]
    found = _TOWN.match(town)
    if found is None:
        return ", ".join(before), "", "", "", country
    return (
        ", ".join(street),
        found["post_code"] or "",
        found["city"] or "",
        found["province"] or "",
        country,
    )


def _quality(street: str, number: str, luck: float) -> tuple[str, str]:
    """The location type and the result's type: houses are mostly known to the house, streets by
    their middle.
    """
    if not street or luck < 0.03:
        return "APPROXIMATE", "locality"
    if not number or luck < 0.08:
        return "GEOMETRIC_CENTER", "route"
    return (
        ("RANGE_INTERPOLATED", "street_address") if luck < 0.22 else ("ROOFTOP", "street_address")
    )


def _share(text: str) -> float:
    """A number from 0 to 1 that is always the same for a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "big") / 2**48


def _spot(text: str, latitude: float, longitude: float, *, within: float) -> tuple[float, float]:
    north, east = _share(f"north {text}") - 0.5, _share(f"east {text}") - 0.5
    # At 42 degrees north a degree of longitude is a quarter shorter than one of latitude.
    return latitude + 2 * within * north, longitude + 2.7 * within * east


def _result(
    latitude: float,
    longitude: float,
    location_type: str,
    kind: str,
    partial: bool,
    street: str,
    number: str,
    post_code: str,
    city: str,
    province: str,
    country: str,
) -> dict[str, Any]:
    """One result in the format of Google's Geocoding API."""
    place_id = (
        "ChIJ"
        + blake2b(f"{street}|{number}|{post_code}|{city}".encode(), digest_size=12).hexdigest()
    )
    town = " ".join(part for part in (post_code, city, province) if part)
    named = {
        "street_number": number,
        "route": street,
        "locality": city,
        "administrative_area_level_2": province,
        "country": country,
        "postal_code": post_code,
    }
    return {
        "address_components": [_component(kind, name) for kind, name in named.items() if name],
        "formatted_address": ", ".join(part for part in (street, number, town, country) if part),
        "geometry": {
            "location": {"lat": round(latitude, 7), "lng": round(longitude, 7)},
            "location_type": location_type,
            "viewport": {
                "northeast": {
                    "lat": round(latitude + 0.0013, 7),
                    "lng": round(longitude + 0.0013, 7),
                },
                "southwest": {
                    "lat": round(latitude - 0.0013, 7),
                    "lng": round(longitude - 0.0013, 7),
                },
            },
        },
        **({"partial_match": True} if partial else {}),
        "place_id": place_id,
        "types": [kind] if kind != "locality" else ["locality", "political"],
    }


def _component(kind: str, name: str) -> dict[str, Any]:
    political = kind in ("locality", "administrative_area_level_2", "country")
    return {
        "long_name": name,
        "short_name": name,
        "types": [kind, "political"] if political else [kind],
    }
