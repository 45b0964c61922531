"""Every address of an imported company asked at a stand-in for Google on this machine, as fast as
it goes.
"""

from itertools import count
from pathlib import Path
from typing import Any

from psycopg import sql

from benchmarks.meter import Meter
from benchmarks.servers import postmaster_of
from kimo_assets.config import load_config
from kimo_assets.database.server import open_database
from kimo_assets.demo.fake_google import DEMO_KEY, FakeGoogle
from kimo_assets.geocoding.positions import ACCOUNT_TYPES, WRITTEN
from kimo_assets.geocoding.run import geocode_addresses

_UNLIMITED = 10_000_000


class _Nobody:
    def task_started(self, title: str, total: int | None) -> None: ...

    def task_advanced(self, pieces: int) -> None: ...

    def log(self, line: str) -> None: ...


def run(config: str) -> dict[str, Any]:
    """accounts: of the types that are asked for; written: distinct as they are written; asked_once:
    in one spelling.
    """
    loaded = load_config(config)
    with FakeGoogle() as google, open_database(loaded).connect() as connection:
        section = loaded.geocoding.model_copy(
            update={"base_url": google.url, "daily_budget": _UNLIMITED}
        )
        accounts, written = connection.execute(
            sql.SQL(
                'SELECT count(*), count(DISTINCT {}) FROM kimo."Account" AS a '
                'WHERE a._archived_load IS NULL AND a."AccountTypeId" = ANY({})'
            ).format(WRITTEN, sql.Literal(list(ACCOUNT_TYPES)))
        ).fetchone() or (0, 0)
        with Meter([postmaster_of(Path(loaded.data_dir) / "postgres")]) as meter:
            # By this clock a second passes from one look at it to the next: no call is ever too
            # early.
            seconds = count()
            report = geocode_addresses(
                connection, section, DEMO_KEY, _Nobody(), clock=lambda: float(next(seconds))
            )
            usage = meter.lap()
        calls = google.calls
    return usage.as_json() | {
        "accounts": accounts,
        "written": written,
        "asked_once": report.counts["addresses"],
        "calls": calls,
        "saved": accounts - report.counts["addresses"],
    }
