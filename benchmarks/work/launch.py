"""The same import through Dagster, as the command runs it, or by the plain pipeline."""

import time
from pathlib import Path
from typing import Any

from benchmarks.meter import Meter
from benchmarks.servers import postmaster_of
from kimo_assets.config import load_config
from kimo_assets.database.server import open_database


def run(config: str, *, through_dagster: bool) -> dict[str, Any]:
    """import_s: what importing the code costs before anything can start."""
    loaded = load_config(config)
    database = open_database(loaded)
    began = time.monotonic()
    if through_dagster:
        from kimo_assets.defs.in_process import launch_import as start
    else:
        from kimo_assets.pipeline.workflows import run_import as start  # type: ignore[assignment]
    import_s = time.monotonic() - began
    with Meter([postmaster_of(Path(loaded.data_dir) / "postgres")]) as meter:
        report = start(loaded, database)
        usage = meter.lap()
    if not report.success:
        raise SystemExit(f"the import failed: {report.failures}")
    return usage.as_json() | {"import_s": round(import_s, 3)}
