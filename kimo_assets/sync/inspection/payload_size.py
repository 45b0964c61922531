"""How heavy tablets' data are: a first sync, the changes of a usual day, and after past loads."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from math import ceil
from operator import add
from statistics import median
from typing import Any

from psycopg import Connection

from kimo_assets.database.queries import LOADS, newest_load_but
from kimo_assets.sync.publishing.buckets import Bucket as RecordedBucket
from kimo_assets.sync.publishing.manifests import Manifests
from kimo_assets.sync.store.store import manifest_path
from kimo_assets.sync.store.stored_manifests import Bucket, Manifest, buckets

# More than a year of daily loads.
KEEP_LOADS = 400
DEFAULT_DAYS = 30

# A tablet's network: so many requests go side by side, each waits so long for its first byte.
LATENCY_S = 0.05
PARALLEL_REQUESTS = 4
DEFAULT_MBIT = 20.0
# store.json and the manifest come one after the other, before any object can be requested.
_REQUESTS_FIRST = 2


@dataclass(frozen=True)
class EntityWeight:
    """One entity's size.

    bytes, objects: of a first sync. daily_bytes: of the median day's changes. None: too few loads.
    """

    entity: str
    rows: int
    bytes: int
    objects: int
    daily_bytes: int | None


@dataclass(frozen=True)
class Weight:
    """One agent's or user's data, heaviest entity first.

    The bytes of an entity are those of its objects. `bytes` has the manifest's too.
    """

    agent: str
    user: str | None
    load: int
    manifest_bytes: int
    entities: list[EntityWeight]
    daily_bytes: int | None

    @property
    def rows(self) -> int:
        return sum(entity.rows for entity in self.entities)

    @property
    def objects(self) -> int:
        return sum(entity.objects for entity in self.entities)

    @property
    def bytes(self) -> int:
        return self.manifest_bytes + sum(entity.bytes for entity in self.entities)

    @property
    def heaviest(self) -> str | None:
        """The entity that weighs most. None: there are no rows at all."""
        if not self.entities or not self.entities[0].bytes:
            return None
        return self.entities[0].entity

    def seconds(self, mbit: float) -> float:
        """How long a first sync takes over a line of so many megabits a second."""
        return transfer_seconds(self.bytes, self.objects, mbit)


def transfer_seconds(size: int, objects: int, mbit: float) -> float:
    """How long a sync of so many bytes and objects takes, by the constants above."""
    waits = _REQUESTS_FIRST + ceil(objects / PARALLEL_REQUESTS)
    return size * 8 / (mbit * 1_000_000) + waits * LATENCY_S


def brought_by_load(bucket: Bucket) -> dict[int, int]:
    """load -> bytes that a tablet fetched for this bucket, if it had synced before the load.

    As far as the manifest tells. A base to which no change leads belongs to a bucket that is new,
    or was written whole.
    """
    base, changes = bucket.listed["base"], bucket.listed["changes"]
    brought = {change["load"]: change["bytes"] for change in changes}
    if not changes or changes[0]["load"] > base["load"]:
        brought[base["load"]] = sum(listed["bytes"] for listed in base["objects"])
    return brought


def weigh(
    manifest: Manifest,
    manifest_bytes: int,
    days: Mapping[int, date] | None = None,
    daily_bytes: int | None = None,
) -> Weight:
    """The size of one agent's or user's data.

    days: the loads over which a usual day is computed, with their dates. daily_bytes: such a day's
    bytes, of all entities together.
    """
    by_entity: dict[str, list[Bucket]] = {entity: [] for entity in manifest["entities"]}
    for bucket in buckets(manifest):
        by_entity[bucket.entity].append(bucket)
    entities = [
        _weigh_entity(entity, entity_buckets, days or {})
        for entity, entity_buckets in by_entity.items()
    ]
    entities.sort(key=lambda entity: (-entity.bytes, entity.entity))
    user = manifest.get("user")
    return Weight(
        manifest["agent"],
        user["id"] if user else None,
        manifest["load"],
        manifest_bytes,
        entities,
        daily_bytes,
    )


def _weigh_entity(
    entity: str, entity_buckets: list[Bucket], days: Mapping[int, date]
) -> EntityWeight:
    """Days without changes count too, with 0 bytes."""
    objects = [listed for bucket in entity_buckets for listed in bucket.first_sync]
    bytes_of_day = dict.fromkeys(days.values(), 0)
    for bucket in entity_buckets:
        for load, size in brought_by_load(bucket).items():
            if load in days:
                bytes_of_day[days[load]] += size
    return EntityWeight(
        entity,
        rows=sum(bucket.listed["rows"] for bucket in entity_buckets if not bucket.is_private),
        bytes=sum(listed["bytes"] for listed in objects),
        objects=len(objects),
        # The median: one day on which everything was sent again would spoil a mean.
        daily_bytes=round(median(bytes_of_day.values())) if bytes_of_day else None,
    )


def as_json(weight: Weight, mbit: float) -> dict[str, Any]:
    """The members that docs/cli.md promises for `kimo sync weight --json`."""
    return {
        "agent": weight.agent,
        "user": weight.user,
        "load": weight.load,
        "rows": weight.rows,
        "bytes": weight.bytes,
        "objects": weight.objects,
        "manifest_bytes": weight.manifest_bytes,
        "daily_bytes": weight.daily_bytes,
        # An estimate, in which more digits would promise too much.
        "seconds": round(weight.seconds(mbit), 1),
        "mbit": mbit,
        "heaviest": weight.heaviest,
        "entities": [vars(entity) for entity in weight.entities],
    }


# --- after past loads


@dataclass(frozen=True)
class PastWeight:
    """The size of one manifest's data after one load.

    changed_bytes: what a tablet fetched that had synced before the load.
    """

    load: int
    path: str
    rows: int
    bytes: int
    changed_bytes: int


def weights_now(manifests: Manifests, load: int) -> Iterator[PastWeight]:
    """The size of the data of each manifest that step 3 made in this load, without its own bytes.

    A bucket may have become another profile's as a whole. Its changed_bytes are then those of its
    change, not of all its rows.
    """
    profiles, ledger = manifests.profiles, manifests.ledger
    # position -> rows, bytes, changed bytes
    totals = {profile.position: [0, 0, 0] for profile in profiles.live}
    for (entity, private), bucket_set in ledger.bucket_sets.items():
        if entity not in ledger.payloads:
            continue
        reached = profiles.live_mask
        # A profile for which nothing was computed yet gets no bucket of the entity (manifests.py).
        if not ledger.payloads[entity].for_all:
            reached &= sum(1 << position for position in ledger.covered.get(entity, ()))
        for bucket in bucket_set.by_mask.values():
            weight = _weigh_bucket(bucket, load, private=private)
            for profile in profiles.among(bucket.mask & reached):
                total = totals[profile.position]
                total[:] = map(add, total, weight)
    for agent, profile in profiles.agents.items():
        yield PastWeight(load, manifest_path(agent), *totals[profile.position])
    for user, position in profiles.users.items():
        yield PastWeight(load, manifest_path(user, user=True), *totals[position])


def _weigh_bucket(bucket: RecordedBucket, load: int, *, private: bool) -> tuple[int, int, int]:
    """(rows, bytes, bytes that the load brought)."""
    base_bytes = sum(record.bytes for record in bucket.base)
    later_bytes = sum(change.record.bytes for change in bucket.later_changes)
    changed_bytes = 0
    if bucket.base_load == load:
        changed_bytes = base_bytes
    for change in bucket.changes:
        if change.load == load:
            # With a change of the same load a tablet does not need the base.
            changed_bytes = change.record.bytes
    return 0 if private else bucket.rows, base_bytes + later_bytes, changed_bytes


def record_weights(connection: Connection[Any], load: int, weights: Iterable[PastWeight]) -> None:
    """Records the sizes after this load in ops.agent_weight, and deletes those of long ago.

    To be called after the manifests were written, also when none changed: a plot needs every point.
    """
    with connection.transaction(), connection.cursor() as cursor:
        # A step 3 that is repeated replaces its figures.
        cursor.execute("DELETE FROM ops.agent_weight WHERE load = %s", [load])
        with cursor.copy(
            "COPY ops.agent_weight (load, manifest, rows, bytes, changed_bytes) FROM STDIN"
        ) as copy:
            for each in weights:
                copy.write_row((each.load, each.path, each.rows, each.bytes, each.changed_bytes))
        oldest = newest_load_but(connection, KEEP_LOADS)
        cursor.execute("DELETE FROM ops.agent_weight WHERE load <= %s", [oldest])


def weights_after(connection: Connection[Any], load: int | None = None) -> list[PastWeight]:
    """All manifests after a load, the heaviest first. load: None, the last one recorded."""
    rows = connection.execute(
        """
        SELECT load, manifest, rows, bytes, changed_bytes FROM ops.agent_weight
        WHERE load = coalesce(%s, (SELECT max(load) FROM ops.agent_weight))
        ORDER BY bytes DESC, manifest
        """,
        [load],
    )
    return [PastWeight(*row) for row in rows]


def history(
    connection: Connection[Any], paths: Iterable[str], loads: int
) -> dict[str, list[tuple[int, int]]]:
    """path -> (load, bytes) after each of the last recorded loads, ascending."""
    rows = connection.execute(
        """
        SELECT manifest, load, bytes FROM ops.agent_weight
        WHERE manifest = ANY(%s) AND load IN (
            SELECT DISTINCT load FROM ops.agent_weight ORDER BY load DESC LIMIT %s
        ) ORDER BY load
        """,
        [list(paths), loads],
    )
    lines: dict[str, list[tuple[int, int]]] = {path: [] for path in paths}
    for path, load, size in rows:
        lines[path].append((load, size))
    return lines


# Each manifest's loads with their days (in UTC). The first is left out: it brought everything.
_LOADS = f"""
    SELECT w.load, w.manifest, w.changed_bytes, l.started_at::date AS day
    FROM ops.agent_weight AS w
    JOIN {LOADS} AS l USING (load)
    JOIN (SELECT manifest, min(load) AS load FROM ops.agent_weight GROUP BY manifest) AS first
      ON first.manifest = w.manifest AND first.load < w.load
    WHERE l.started_at > now() - %(days)s * interval '1 day'
"""


def daily_bytes(connection: Connection[Any], days: int) -> dict[str, int]:
    """path -> the bytes that a usual day (the median) brings. Paths of one load are left out."""
    rows = connection.execute(
        f"""
        SELECT manifest, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY bytes))::bigint
        FROM (
            SELECT manifest, day, sum(changed_bytes) AS bytes FROM ({_LOADS}) AS loads
            GROUP BY manifest, day
        ) AS days
        GROUP BY manifest
        """,
        {"days": days},
    )
    return dict(rows.fetchall())


def days_of_loads(connection: Connection[Any], path: str, days: int) -> dict[int, date]:
    """The loads over which a usual day of this manifest is computed, with their days."""
    query = f"SELECT load, day FROM ({_LOADS}) AS loads WHERE manifest = %(path)s"
    return dict(connection.execute(query, {"days": days, "path": path}).fetchall())
