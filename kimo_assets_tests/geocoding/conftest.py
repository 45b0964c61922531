"""Customers with addresses in a Kimo database, and a local server that speaks as Google does, to
the real client library.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from psycopg import sql

from kimo_assets.config.models import GeocodingConfig
from kimo_assets.database.server import Database
from kimo_assets.demo.fake_google import DEMO_KEY, FakeGoogle
from kimo_assets.geocoding.run import geocode_addresses
from kimo_assets.reports import TaskReport

KEY = DEMO_KEY
_COLUMNS = (
    "AddressLine",
    "AddressPostCode",
    "AddressCity",
    "AddressCountrySubdivision",
    "AddressCountry",
)


@dataclass
class Listener:
    """What a run tells, and a clock that only goes forward when the run sleeps."""

    total: int | None = None
    advanced: int = 0
    lines: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    now: float = 100.0

    def task_started(self, title: str, total: int | None) -> None:
        self.total = total

    def task_advanced(self, pieces: int) -> None:
        self.advanced += pieces

    def log(self, line: str) -> None:
        self.lines.append(line)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Customers:
    """The accounts of a Kimo database, and runs over them."""

    database: Database
    google: FakeGoogle
    settings: dict[str, Any] = field(default_factory=dict)
    listener: Listener = field(default_factory=Listener)

    @property
    def config(self) -> GeocodingConfig:
        return GeocodingConfig(**({"base_url": self.google.url} | self.settings))

    def add(self, code: str, *address: str | None, kind: int = 1, name: str = "Bar") -> None:
        """address: street, post code, town, province, country; those left out are empty."""
        values = dict(zip(_COLUMNS, address, strict=False))
        self.insert("Account", Id=code, Name=name, AccountTypeId=kind, **values)

    def place(self, code: str, latitude: float = 1.0, longitude: float = 2.0) -> None:
        """A person sets the position of an account."""
        self.insert(
            "EntityGeoposition",
            Id=f"by hand {code}",
            EntityType="Account",
            EntityId=code,
            Origin=2,
            Latitude=latitude,
            Longitude=longitude,
        )

    def insert(self, table: str, **values: Any) -> None:
        values |= {"_changed_load": 1}
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier("kimo", table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join([sql.Placeholder()] * len(values)),
        )
        with self.database.connect() as connection:
            connection.execute(statement, list(values.values()))

    def run(self, key: str | None = KEY) -> TaskReport:
        with self.database.connect() as connection:
            return geocode_addresses(
                connection,
                self.config,
                key,
                self.listener,
                clock=self.listener.clock,
                sleep=self.listener.sleep,
            )

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(query, values or None).fetchall()  # type: ignore[arg-type]

    def execute(self, statement: str) -> None:
        with self.database.connect() as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def age(self, days: float) -> None:
        """All answers were given so many days earlier than they are said to be now."""
        self.execute(f"UPDATE ops.geocode SET answered_at = answered_at - interval '{days} days'")

    @property
    def addresses(self) -> list[str]:
        """What was asked, in order."""
        return [asked.address for asked in self.google.asked]


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as fake:
        yield fake


@pytest.fixture
def customers(own_database: Database, google: FakeGoogle) -> Customers:
    return Customers(own_database, google)


def result(
    latitude: float = 43.6,
    longitude: float = 13.5,
    kind: str = "ROOFTOP",
    *,
    post_code: str = "60121",
    province: str = "AN",
    types: tuple[str, ...] = ("street_address",),
    **more: Any,
) -> dict[str, Any]:
    """One of Google's results, in its format."""
    return {
        "address_components": [
            {
                "long_name": "Provincia",
                "short_name": province,
                "types": ["administrative_area_level_2", "political"],
            },
            {"long_name": post_code, "short_name": post_code, "types": ["postal_code"]},
        ],
        "formatted_address": f"Via Roma, 1, {post_code} Ancona {province}, Italia",
        "geometry": {
            "location": {"lat": latitude, "lng": longitude},
            "location_type": kind,
            "viewport": {},
        },
        "place_id": f"ChIJ{latitude}",
        "types": list(types),
        **more,
    }
