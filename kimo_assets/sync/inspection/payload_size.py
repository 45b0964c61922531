"""How heavy tablets' data are: what a first sync fetches, what a usual day brings, and how that was
after past loads.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from operator import add
from statistics import median
from typing import Any

from psycopg import Connection

from kimo_assets.sync.publishing.buckets import Bucket as RecordedBucket
from kimo_assets.sync.publishing.manifests import Manifests
from kimo_assets.sync.store.store import manifest_path
from kimo_assets.sync.store.stored_manifests import Bucket, Manifest, buckets

KEEP_LOADS = 400
DEFAULT_DAYS = 30

# A tablet's network: requests go side by side, each waits so long for its first byte.
LATENCY_S = 0.05
PARALLEL_REQUESTS = 4
DEFAULT_MBIT = 20.0
# store.json and the manifest come one after the other, before anything else can be asked for.
_REQUESTS_FIRST = 2


@dataclass(frozen=True)
class EntityWeight:
    """bytes, objects: of a first sync. daily_bytes: the median day's changes; None while there were
    not enough loads.
    """

    entity: str
    rows: int
    bytes: int
    objects: int
    daily_bytes: int | None


@dataclass(frozen=True)
class Weight:
    """One agent's or user's data, heaviest entity first. Their bytes are the objects', the
    manifest's come on top.
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
        """The entity that weighs most; None when there are no rows at all."""
        return self.entities[0].entity if self.entities and self.entities[0].bytes else None

    def seconds(self, mbit: float) -> float:
        return transfer_seconds(self.bytes, self.objects, mbit)


def transfer_seconds(size: int, objects: int, mbit: float) -> float:
    """How long a sync of so many bytes in so many objects takes at this speed: the assumptions
    stand above.
    """
    waits = _REQUESTS_FIRST + -(-objects // PARALLEL_REQUESTS)
    return size * 8 / (mbit * 1_000_000) + waits * LATENCY_S


def brought_by_load(bucket: Bucket) -> dict[int, int]:
    """load -> bytes that a tablet which had synced before it fetched for this bucket, as far as the
    manifest tells.

    A base to which no change leads is of a bucket that is new, or was written whole.
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
    """days: the loads over which a usual day is looked for, with their dates. daily_bytes: such a
    day's, of all together.
    """
    found: dict[str, list[Bucket]] = {entity: [] for entity in manifest["entities"]}
    for bucket in buckets(manifest):
        found[bucket.entity].append(bucket)
    entities = [_weigh_entity(entity, mine, days or {}) for entity, mine in found.items()]
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


def _weigh_entity(entity: str, mine: list[Bucket], days: Mapping[int, date]) -> EntityWeight:
    objects = [listed for bucket in mine for listed in bucket.first_sync]
    by_day = dict.fromkeys(days.values(), 0)
    for bucket in mine:
        for load, size in brought_by_load(bucket).items():
            if load in days:
                by_day[days[load]] += size
    return EntityWeight(
        entity,
        rows=sum(bucket.listed["rows"] for bucket in mine if not bucket.is_private),
        bytes=sum(listed["bytes"] for listed in objects),
        objects=len(objects),
        daily_bytes=round(median(by_day.values())) if by_day else None,
    )


def as_json(weight: Weight, mbit: float) -> dict[str, Any]:
    return {
        **{
            name: getattr(weight, name)
            for name in ("agent", "user", "load", "rows", "bytes", "objects")
        },
        "manifest_bytes": weight.manifest_bytes,
        "daily_bytes": weight.daily_bytes,
        "seconds": round(weight.seconds(mbit), 1),
        "mbit": mbit,
        "heaviest": weight.heaviest,
        "entities": [vars(entity) for entity in weight.entities],
    }


# --- after past loads
# ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PastWeight:
    """What one manifest weighed after one load. changed_bytes: what a tablet fetched that had
    synced before it.
    """

    load: int
    path: str
    rows: int
    bytes: int
    changed_bytes: int


def weights_now(manifests: Manifests, load: int) -> Iterator[PastWeight]:
    """What each manifest weighs that step 3 has made in this load, without the manifests' own
    bytes.

    Of a bucket that has become somebody else's as a whole, changed_bytes has what changed in it,
    not all of it.
    """
    profiles, ledger = manifests.profiles, manifests.ledger
    of_profile = {profile.position: [0, 0, 0] for profile in profiles.live}
    for (entity, private), part in ledger.bucket_sets.items():
        if entity not in ledger.payloads:
            continue
        reached = profiles.live_mask
        if not ledger.payloads[entity].for_all:
            reached &= sum(1 << position for position in ledger.covered.get(entity, ()))
        for bucket in part.by_mask.values():
            weight = _weigh_bucket(bucket, load, private=private)
            for profile in profiles.among(bucket.mask & reached):
                total = of_profile[profile.position]
                total[:] = map(add, total, weight)
    for agent, profile in profiles.agents.items():
        yield PastWeight(load, manifest_path(agent), *of_profile[profile.position])
    for user, position in profiles.users.items():
        yield PastWeight(load, manifest_path(user, user=True), *of_profile[position])


def _weigh_bucket(bucket: RecordedBucket, load: int, *, private: bool) -> tuple[int, int, int]:
    """(rows, bytes, bytes that the load brought)."""
    base = sum(record.bytes for record in bucket.base)
    changed = next((change.record.bytes for change in bucket.changes if change.load == load), None)
    if changed is None:
        changed = base if bucket.base_load == load else 0
    return (
        0 if private else bucket.rows,
        base + sum(change.record.bytes for change in bucket.later_changes),
        changed,
    )


def record_weights(connection: Connection, load: int, weights: Iterable[PastWeight]) -> None:
    """Notes in ops.agent_weight what the manifests weigh after this load, and forgets the loads of
    long ago.

    To be called after they were written, also when none changed: a plot needs all its points.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ops.agent_weight WHERE load = %s", [load])
        with cursor.copy(
            "COPY ops.agent_weight (load, manifest, rows, bytes, changed_bytes) FROM STDIN"
        ) as copy:
            for weight in weights:
                copy.write_row(
                    (weight.load, weight.path, weight.rows, weight.bytes, weight.changed_bytes)
                )
        cursor.execute(
            "DELETE FROM ops.agent_weight WHERE load <= (SELECT load FROM ops.load ORDER BY load"
            " DESC OFFSET %s LIMIT 1)",
            [KEEP_LOADS],
        )


def weights_after(connection: Connection, load: int | None = None) -> list[PastWeight]:
    """All manifests after a load, or the last that was noted: the heaviest first."""
    rows = connection.execute(
        "SELECT load, manifest, rows, bytes, changed_bytes FROM ops.agent_weight WHERE load ="
        " coalesce(%s, (SELECT max(load) FROM ops.agent_weight)) ORDER BY bytes DESC, manifest",
        [load],
    )
    return [PastWeight(*row) for row in rows]


def history(
    connection: Connection, paths: Iterable[str], loads: int
) -> dict[str, list[tuple[int, int]]]:
    """path -> (load, bytes) after each of the last loads that were noted, ascending."""
    rows = connection.execute(
        """
        SELECT manifest, load, bytes FROM ops.agent_weight
        WHERE manifest = ANY(%s) AND load IN (
            SELECT DISTINCT load FROM ops.agent_weight ORDER BY load DESC LIMIT %s
        ) ORDER BY load
        """,
        [list(paths), loads],
    )
    found: dict[str, list[tuple[int, int]]] = {path: [] for path in paths}
    for path, load, size in rows:
        found[path].append((load, size))
    return found


# Each manifest's loads but its first, which brought everything, with their days (in UTC).
_LOADS = """
    SELECT w.load, w.manifest, w.changed_bytes, l.started_at::date AS day
    FROM ops.agent_weight AS w
    JOIN ops.load AS l USING (load)
    JOIN (SELECT manifest, min(load) AS load FROM ops.agent_weight GROUP BY manifest) AS first
      ON first.manifest = w.manifest AND first.load < w.load
    WHERE l.started_at > now() - %(days)s * interval '1 day'
"""


def daily_bytes(connection: Connection, days: int) -> dict[str, int]:
    """path -> what the loads of a usual day (the median) bring. A manifest that saw one load only
    is not in it.
    """
    rows = connection.execute(
        f"""
        SELECT manifest, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY bytes))::bigint
        FROM (SELECT manifest, day, sum(changed_bytes) AS bytes FROM ({_LOADS}) AS loads
            GROUP BY manifest, day) AS days
        GROUP BY manifest
        """,
        {"days": days},
    )
    return dict(rows.fetchall())


def days_of_loads(connection: Connection, path: str, days: int) -> dict[int, date]:
    """The loads over which a usual day of this manifest is looked for, with their days."""
    query = f"SELECT load, day FROM ({_LOADS}) AS loads WHERE manifest = %(path)s"
    return dict(connection.execute(query, {"days": days, "path": path}).fetchall())
