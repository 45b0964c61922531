"""An import by our pipeline, step by step, and then its floors on the rows that it left."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import floors
from benchmarks.meter import Meter, Usage
from benchmarks.servers import postmaster_of, psql_of
from kimo_assets.catalog import load_catalog
from kimo_assets.config import load_config
from kimo_assets.database.server import Database, open_database
from kimo_assets.pipeline.workflows import run_import
from kimo_assets.progress import Progress
from kimo_assets.reports import ImportReport

# Fewer are told of by name: the figures are meant to be read.
_SLOWEST = 8


@dataclass
class _Laps(Progress):
    meter: Meter
    steps: dict[int, Usage] = field(default_factory=dict)
    _current: int | None = None

    def step_started(self, step: int, entities: Sequence[str]) -> None:
        self.ended()
        self._current = step

    def ended(self) -> None:
        usage = self.meter.lap()
        if self._current:
            self.steps[self._current] = usage


def run(
    config: str,
    *,
    steps: Sequence[int] = (1, 2, 3),
    entities: Sequence[str] = (),
    postmasters: Sequence[int] = (),
    with_floors: bool = False,
) -> dict[str, Any]:
    """postmasters: of other servers that take part, the source's."""
    loaded = load_config(config)
    database = open_database(loaded)
    postgres = Path(loaded.data_dir) / "postgres"
    with Meter([postmaster_of(postgres), *postmasters]) as meter:
        laps = _Laps(meter)
        report = run_import(
            loaded,
            database,
            steps=steps,
            entities=entities,
            only_listed=bool(entities),
            progress=laps,
        )
        laps.ended()
    if not report.success:
        raise SystemExit(f"the import failed: {report.failures}")
    result: dict[str, Any] = {
        "steps": {step: _step(step, usage, report) for step, usage in laps.steps.items()}
    }
    if with_floors:
        result["floors"] = _floors(database, postgres, Path(loaded.sync_store), report)
    return result


def _step(step: int, usage: Usage, report: ImportReport) -> dict[str, Any]:
    entities = [
        entity.as_json() | {"entity": name} for name, entity in report.steps[step].entities.items()
    ]
    counted = (
        "read",
        "staged",
        "rejected",
        "inserted",
        "updated",
        "archived",
        "unchanged",
        "rows",
        "objects",
        "objects_written",
        "bytes",
        "bytes_written",
    )
    totals = {
        name: sum(entity.get(name, 0) for entity in entities)
        for name in counted
        if name in entities[0]
    }
    slowest = sorted(entities, key=lambda entity: -entity["seconds"])[:_SLOWEST]
    return (
        usage.as_json()
        | totals
        | {"slowest": {entity["entity"]: entity["seconds"] for entity in slowest}}
    )


def _floors(
    database: Database, postgres: Path, store: Path, report: ImportReport
) -> dict[str, Any]:
    server = floors.Server(psql_of(postgres), database.dsn)
    found: dict[str, Any] = {}
    with database.connect() as connection, Meter([postmaster_of(postgres)]) as meter:
        staged = {name: entity.staged for name, entity in report.steps[1].entities.items()}  # type: ignore[attr-defined]
        connection.execute("CHECKPOINT")
        meter.lap()
        rows = floors.copy_staged(connection, server, load_catalog(), staged)
        found["copy"] = meter.lap().as_json() | {"rows": rows}
    if 3 in report.steps:
        found["write_once"] = floors.measured_write_once(database, postgres, store)
    return found
