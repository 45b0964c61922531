"""What happened last, and how fresh Kimo's data are: read from schema ops, for people and programs
alike.

Only reads. What the figures mean is decided by the steps that wrote them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

from kimo_assets.catalog import load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.database.ledger import LastResult, last_results
from kimo_assets.database.locks import is_held


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
class DanglingReference:
    entity: str
    field: str
    target: str
    rows: int
    samples: list[str]


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
    dangling: list[DanglingReference]
    payloads: Payloads

    @property
    def rejected(self) -> int:
        return sum(entity.rejected for entity in self.entities)

    def as_json(self) -> dict[str, Any]:
        last = self.last_load
        return {
            "last_load": None if last is None else {**vars(last), "seconds": last.seconds},
            "rejected": self.rejected,
            "entities": {entity.entity: _entity_as_json(entity) for entity in self.entities},
            "dangling": [vars(reference) for reference in self.dangling],
            "payloads": vars(self.payloads),
        }


def _entity_as_json(entity: EntityState) -> dict[str, Any]:
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
        config.database.url != "embedded" or (config.data_dir / "postgres" / "PG_VERSION").exists()
    )


def nothing_yet(config: KimoConfig) -> Status:
    """The state before the first import."""
    entities = [EntityState(name, True, None, None, 0, {}) for name in config.entity_names]
    return Status(None, entities, [], Payloads(config.sync_store, 0, 0, 0))


def read_status(connection: Connection, config: KimoConfig) -> Status:
    return Status(
        _last_load(connection),
        _entities(connection, config),
        _dangling(connection),
        _payloads(connection, config),
    )


def agents_with_payload(connection: Connection) -> list[str]:
    rows = connection.execute(
        "SELECT agent FROM ops.profile WHERE warehouse IS NULL AND retired IS NULL ORDER BY 1"
    )
    return [agent for (agent,) in rows]


def _last_load(connection: Connection) -> LastLoad | None:
    row = connection.execute(
        "SELECT load, title, run_id, started_at, finished_at, success FROM ops.load ORDER BY load"
        " DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    load, title, run_id, started_at, finished_at, success = row
    is_running = finished_at is None and is_held(connection)
    return LastLoad(load, title, run_id, started_at, finished_at, success, is_running)


def _entities(connection: Connection, config: KimoConfig) -> list[EntityState]:
    """The mapped ones in the partitions' order, then those that left the mapping."""
    staged = _by_entity(connection, "SELECT entity, staged_at FROM ops.staged")
    loaded = _by_entity(connection, "SELECT entity, rows_live FROM ops.loaded")
    rejected = _by_entity(
        connection, "SELECT entity, count(*) FROM ops.rejected_row GROUP BY entity"
    )
    steps: dict[str, dict[int, LastResult]] = {}
    for result in last_results(connection):
        steps.setdefault(result.entity, {})[result.step] = result
    mapped = config.entity_names
    known = load_catalog().all
    gone = sorted({*staged, *loaded, *rejected, *steps} & (known.keys() - set(mapped)))
    return [
        EntityState(
            entity=name,
            is_mapped=name in config.entities,
            fresh_until=staged.get(name),
            rows=loaded.get(name),
            rejected=rejected.get(name, 0),
            steps=steps.get(name, {}),
        )
        for name in (*mapped, *gone)
    ]


def _by_entity(connection: Connection, query: LiteralString) -> dict[str, Any]:
    return dict(connection.execute(query).fetchall())


def _dangling(connection: Connection) -> list[DanglingReference]:
    rows = connection.execute(
        "SELECT entity, field, target, dangling, samples FROM ops.reference_check WHERE dangling >"
        " 0 ORDER BY dangling DESC, entity, field"
    )
    return [DanglingReference(*row) for row in rows]


def _payloads(connection: Connection, config: KimoConfig) -> Payloads:
    row = connection.execute("""
        SELECT (SELECT count(*) FROM ops.manifest_file WHERE path LIKE 'agents/%'), count(*),
               coalesce(sum(bytes), 0)::bigint
        FROM (SELECT DISTINCT sha256, bytes FROM ops.bucket_object) AS objects
        """).fetchone()
    assert row is not None, "an aggregate has a row"  # noqa: S101
    return Payloads(config.sync_store, *row)
