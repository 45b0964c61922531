"""Seeing before and taking back: one plan, one import or one undo, by plain functions."""

from pathlib import Path
from typing import Any

from benchmarks.meter import Meter
from benchmarks.servers import postmaster_of
from kimo_assets.config import HistoryConfig, load_config
from kimo_assets.database.server import open_database
from kimo_assets.pipeline.plan import make_plan
from kimo_assets.pipeline.workflows import run_import, run_undo


def run(config: str, what: str, keep_loads: int, steps: list[int]) -> dict[str, Any]:
    """what: plan, import (of these steps) or undo. keep_loads: as kimo.yaml's."""
    loaded = load_config(config).model_copy(
        update={"history": HistoryConfig(keep_loads=keep_loads)}
    )
    database = open_database(loaded)
    with Meter([postmaster_of(Path(loaded.data_dir) / "postgres")]) as meter:
        if what == "plan":
            make_plan(loaded, database, loaded.entity_names)
        elif what == "undo":
            run_undo(loaded, database)
        else:
            run_import(loaded, database, steps=steps)
        usage = meter.lap()
    return usage.as_json()
