"""Step 3 alone, what it has written, and then its floor; or the vacuum that a server does by itself
after an import.
"""

from pathlib import Path
from typing import Any

from benchmarks import floors, published
from benchmarks.meter import Meter
from benchmarks.servers import postmaster_of
from kimo_assets.config import load_config
from kimo_assets.database.server import open_database
from kimo_assets.pipeline.workflows import run_import


def run(config: str, *, with_floor: bool = False, vacuum: bool = False) -> dict[str, Any]:
    """vacuum: instead of a preparation."""
    loaded = load_config(config)
    database = open_database(loaded)
    postgres, store = Path(loaded.data_dir) / "postgres", Path(loaded.sync_store)
    if vacuum:
        with database.connect() as connection:
            connection.execute("VACUUM (ANALYZE)")
        return {}
    before = published.files(store)
    with Meter([postmaster_of(postgres)]) as meter:
        report = run_import(loaded, database, steps=[3])
        usage = meter.lap()
    if not report.success:
        raise SystemExit(f"the preparation failed: {report.failures}")
    result = usage.as_json() | published.written(before, published.files(store))
    if with_floor:
        result["floor"] = floors.measured_write_once(database, postgres, store)
    return result
