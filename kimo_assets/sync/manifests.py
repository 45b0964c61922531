"""Manifests: which buckets an agent, or a user, gets; from the record, replaced one by one when they differ."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
from psycopg import Connection

from kimo_assets.sync.buckets import Bucket
from kimo_assets.sync.objects import ObjectRecord
from kimo_assets.sync.profiles import Profile, Profiles
from kimo_assets.sync.record import Record
from kimo_assets.sync.store import FORMAT, FORMAT_VERSION, Store, manifest_path


@dataclass
class Manifests:
    """All manifests of one state of the record. store: whose it is. users: what the manifest of a user says of the user."""

    store: str
    profiles: Profiles
    record: Record
    users: Mapping[str, dict[str, Any] | None]
    # Most buckets are the same for whoever gets them: their JSON is made once.
    _made: dict[tuple[int, int], orjson.Fragment] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.profiles.agents) + len(self.profiles.users)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """(path in the store, JSON)."""
        entities: dict[int, orjson.Fragment] = {
            profile.position: orjson.Fragment(orjson.dumps(self._entities(profile))) for profile in self.profiles.live
        }
        agent_of = {profile.position: profile.agent for profile in self.profiles.live}
        for agent, profile in self.profiles.agents.items():
            yield manifest_path(agent), self._manifest(agent, None, entities[profile.position])
        for user, position in self.profiles.users.items():
            about = self.users[user]
            yield manifest_path(user, user=True), self._manifest(agent_of[position], about, entities[position])

    @property
    def load(self) -> int:
        return max((payload.changed_load for payload in self.record.payloads.values()), default=0)

    def _manifest(self, agent: str, user: dict[str, Any] | None, entities: orjson.Fragment) -> bytes:
        return orjson.dumps(
            {
                "format": FORMAT,
                "version": FORMAT_VERSION,
                "store": self.store,
                "agent": agent,
                "user": user,
                "load": self.load,
                "entities": entities,
            }
        )

    def _entities(self, profile: Profile) -> dict[str, Any]:
        entities: dict[str, Any] = {}
        for name, payload in sorted(self.record.payloads.items()):
            about = payload.description
            entities[name] = {
                "key": about["key"],
                "columns": about["columns"],
                "buckets": self._buckets(name, False, profile, for_all=payload.for_all),
            }
            if "private" in about:
                buckets = self._buckets(name, True, profile, for_all=False)
                entities[name]["private"] = {"columns": about["private"], "buckets": buckets}
        return entities

    def _buckets(self, entity: str, private: bool, profile: Profile, *, for_all: bool) -> list[orjson.Fragment]:
        since = self.record.covered.get(entity, {}).get(profile.position)
        if since is None:
            if not for_all:
                return []  # who sees what has not been asked of this profile yet
            since = self.load
        part = self.record.parts.get((entity, private))
        mine = [bucket for bucket in part.by_mask.values() if bucket.mask >> profile.position & 1] if part else []
        return [self._bucket(bucket, since) for bucket in sorted(mine, key=lambda bucket: bucket.id)]

    def _bucket(self, bucket: Bucket, since: int) -> orjson.Fragment:
        """As it goes to a profile that gets the entity since that load, and must not see what was removed before."""
        changes = [c for c in bucket.changes if c.load > bucket.base_load or c.load > since]
        key = (bucket.id, len(changes))
        if key not in self._made:
            self._made[key] = orjson.Fragment(
                orjson.dumps(
                    {
                        "id": bucket.id,
                        "state": bucket.state,
                        "rows": bucket.rows,
                        "base": {
                            "load": bucket.base_load,
                            "state": bucket.base_state,
                            "objects": [_listed(record) for record in bucket.base],
                        },
                        "changes": [
                            {"load": c.load, "from": c.from_state, "state": c.state, **_listed(c.record)} for c in changes
                        ],
                    }
                )
            )
        return self._made[key]


def _listed(record: ObjectRecord) -> dict[str, Any]:
    return {"sha256": record.sha256, "rows": record.rows, "bytes": record.bytes}


def write_manifests(
    connection: Connection, store: Store, manifests: Manifests, on_manifest: Callable[[], None]
) -> int:
    """Replaces the manifests that differ from the written ones, or are not there, and removes those of nobody any more."""
    known: dict[str, str] = dict(
        connection.execute("SELECT path, digest FROM ops.manifest_file WHERE store = %s", [store.url]).fetchall()
    )
    written = {**store.listing("agents"), **store.listing("users")}
    replaced: list[tuple[str, str, str]] = []
    for path, text in manifests:
        digest = blake2b(text, digest_size=16).hexdigest()
        if known.pop(path, None) != digest or written.get(path) != len(text):
            store.replace(path, text)
            replaced.append((path, store.url, digest))
        written.pop(path, None)
        on_manifest()
    for path in {*known, *written}:
        store.remove(path)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ops.manifest_file WHERE store <> %s OR path = ANY(%s)", [store.url, list(known)])
        cursor.executemany(
            "INSERT INTO ops.manifest_file (path, store, digest) VALUES (%s, %s, %s) "
            "ON CONFLICT (path) DO UPDATE SET (store, digest) = (excluded.store, excluded.digest)",
            replaced,
        )
    return len(replaced)
