"""What happened last, and how fresh Kimo's data are, for people and programs.

Only reads. The steps that wrote the figures decide their meaning.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from kimo_assets.catalog import load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.database.ledger import LastResult, last_results
from kimo_assets.database.locks import is_held
from kimo_assets.database.queries import last_load
from kimo_assets.loading.queries import DanglingField, dangling_fields, live_rows
from kimo_assets.staging.queries import rejected_counts, staged_at
from kimo_assets.sync.queries import payload_totals


@dataclass(frozen=True)
class LastLoad:
    """The newest load. success: None while it runs, or when it was killed before it could say."""

    load: int
    title: str
    run_id: str | None
    started_at: datetime
    finished_at: datetime | None
    success: bool | None
    is_running: bool

    @property
    def seconds(self) -> float | None:
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None


@dataclass(frozen=True)
class EntityState:
    """fresh_until: when the ERP was last read with success. rows: live ones in schema kimo."""

    entity: str
    is_mapped: bool
    fresh_until: datetime | None
    rows: int | None
    rejected: int
    steps: dict[int, LastResult]


@dataclass(frozen=True)
class Payloads:
    """What the agents can download now. bytes: of the objects in use, each counted once."""

    store: str
    agents: int
    objects: int
    bytes: int


@dataclass(frozen=True)
class Status:
    """last_load None: nothing was ever imported here."""

    last_load: LastLoad | None
    entities: list[EntityState]
    dangling: list[DanglingField]
    payloads: Payloads

    @property
    def rejected(self) -> int:
        return sum(entity.rejected for entity in self.entities)

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        last = self.last_load
        return {
            "last_load": None if last is None else {**vars(last), "seconds": last.seconds},
            "rejected": self.rejected,
            "entities": {entity.entity: _entity_as_json(entity) for entity in self.entities},
            "dangling": [_dangling_as_json(dangling) for dangling in self.dangling],
            "payloads": vars(self.payloads),
        }


def _dangling_as_json(dangling: DanglingField) -> dict[str, Any]:
    return {
        "entity": dangling.entity,
        "field": dangling.field,
        "target": dangling.target,
        "rows": dangling.dangling,
        "samples": dangling.samples,
    }


def _entity_as_json(entity: EntityState) -> dict[str, Any]:
    """With the figures of each step beside its status, as they are kept in the ledger."""
    return {
        "mapped": entity.is_mapped,
        "fresh_until": entity.fresh_until,
        "rows": entity.rows,
        "rejected": entity.rejected,
        "steps": {
            str(step): {
                "load": result.load,
                "status": result.status,
                "at": result.at,
                **result.counts,
                "error": result.error,
            }
            for step, result in entity.steps.items()
        },
    }


def has_database(config: KimoConfig) -> bool:
    """False where the embedded server was never started, so that looking does not make one."""
    return (
        # PostgreSQL writes PG_VERSION when it has made its folder.
        config.database.url != "embedded" or (config.data_dir / "postgres" / "PG_VERSION").exists()
    )


def nothing_yet(config: KimoConfig) -> Status:
    """The state before the first import."""
    entities = [EntityState(name, True, None, None, 0, {}) for name in config.entity_names]
    return Status(None, entities, [], Payloads(config.sync_store, 0, 0, 0))


def read_status(connection: Connection[Any], config: KimoConfig) -> Status:
    """The state of the company as `kimo status` shows it."""
    totals = payload_totals(connection)
    return Status(
        _last_load(connection),
        _entities(connection, config),
        dangling_fields(connection),
        Payloads(config.sync_store, totals.agents, totals.objects, totals.bytes),
    )


def _last_load(connection: Connection[Any]) -> LastLoad | None:
    load = last_load(connection)
    if load is None:
        return None
    # A killed run cannot close its load. The lock, which died with it, tells the two apart.
    is_running = load.finished_at is None and is_held(connection)
    return LastLoad(**vars(load), is_running=is_running)


def _entities(connection: Connection[Any], config: KimoConfig) -> list[EntityState]:
    """The mapped ones in the partitions' order, then those that left the mapping."""
    staged = staged_at(connection)
    loaded = live_rows(connection)
    rejected = Counter[str]()
    for counts in rejected_counts(connection).values():
        rejected.update(counts)
    steps: dict[str, dict[int, LastResult]] = {}
    for result in last_results(connection):
        steps.setdefault(result.entity, {})[result.step] = result
    mapped = config.entity_names
    unmapped = load_catalog().all.keys() - set(mapped)
    # They still have rows in Kimo, which nobody brings up to date any more.
    left_over = sorted({*staged, *loaded, *rejected, *steps} & unmapped)
    return [
        EntityState(
            entity=name,
            is_mapped=name in config.entities,
            fresh_until=staged.get(name),
            rows=loaded.get(name),
            rejected=rejected[name],
            steps=steps.get(name, {}),
        )
        for name in (*mapped, *left_over)
    ]
