"""Geocoding that dies on its way, in a process of its own: what test_kill.py starts."""

import os
import signal
from typing import Any

import psycopg

from kimo_assets.config.models import GeocodingConfig
from kimo_assets.database.server import Database
from kimo_assets.geocoding.run import geocode_addresses
from kimo_assets_tests.geocoding.conftest import KEY, Listener


def geocode_and_die(dsn: str, config: GeocodingConfig, kill_at: int) -> None:
    """Killed before or after the statement about answers or calls whose turn it is; ends well if
    there are not so many.
    """
    execute, passed = psycopg.Connection.execute, 0

    def point() -> None:
        nonlocal passed
        passed += 1
        if passed == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def with_points(connection: Any, query: Any, *args: Any, **options: Any) -> Any:
        if "INSERT INTO ops.geocode" not in repr(query):
            return execute(connection, query, *args, **options)
        point()
        found = execute(connection, query, *args, **options)
        point()
        return found

    psycopg.Connection.execute = with_points  # type: ignore[method-assign]
    geocode(dsn, config)


def geocode(dsn: str, config: GeocodingConfig) -> None:
    with Database(dsn, "").connect() as connection:
        geocode_addresses(connection, config, KEY, Listener())
