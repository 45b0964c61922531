"""Manifests: which buckets an agent, or a user, gets; from the record, replaced one by one when
they differ.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
from psycopg import Connection

from kimo_assets.sync.publishing.buckets import Bucket, Change, Part
from kimo_assets.sync.publishing.objects import ObjectRecord
from kimo_assets.sync.publishing.publication_ledger import Record
from kimo_assets.sync.store.store import FORMAT, FORMAT_VERSION, Store, manifest_path, pack
from kimo_assets.sync.visibility.profiles import Profile, Profiles


@dataclass
class Manifests:
    """All manifests of one state of the record. store: whose it is. users: what the manifest of a
    user says of the user.
    """

    store: str
    profiles: Profiles
    record: Record
    users: Mapping[str, dict[str, Any]]
    # Most buckets are the same for whoever gets them: their JSON is made once.
    _made: dict[tuple[int, int], orjson.Fragment] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.profiles.agents) + len(self.profiles.users)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """(path in the store, JSON)."""
        bodies = {profile.position: self._body(profile) for profile in self.profiles.live}
        for agent, profile in self.profiles.agents.items():
            yield manifest_path(agent), self._manifest(agent, None, bodies[profile.position])
        for user, profile in self.profiles.of_users().items():
            about = self.users[user]
            yield (
                manifest_path(user, user=True),
                self._manifest(profile.agent, about, bodies[profile.position]),
            )

    def _body(self, profile: Profile) -> tuple[int, orjson.Fragment]:
        """(the last load that changed anything of it, the entities)."""
        entities: dict[str, Any] = {}
        load = 0
        for name, payload in sorted(self.record.payloads.items()):
            about = payload.description
            public = self._buckets(name, False, profile, for_all=payload.for_all)
            private = self._buckets(name, True, profile, for_all=False)
            entities[name] = {
                "key": about["key"],
                "columns": about["columns"],
                "buckets": self._listed(public),
            }
            if "private" in about:
                entities[name]["private"] = {
                    "columns": about["private"],
                    "buckets": self._listed(private),
                }
            load = max([load, *(bucket.last_load for bucket, _ in (*public, *private))])
        return load, orjson.Fragment(orjson.dumps(entities))

    def _manifest(
        self, agent: str, user: dict[str, Any] | None, body: tuple[int, orjson.Fragment]
    ) -> bytes:
        load, entities = body
        return orjson.dumps(
            {
                "format": FORMAT,
                "version": FORMAT_VERSION,
                "store": self.store,
                "agent": agent,
                "user": user,
                "load": load,
                "entities": entities,
            }
        )

    def _buckets(
        self, entity: str, private: bool, profile: Profile, *, for_all: bool
    ) -> list[tuple[Bucket, list[Change]]]:
        """The profile's buckets, each with the changes that it may see: none from before it got the
        entity.
        """
        since = self.record.covered.get(entity, {}).get(profile.position)
        if since is None and not for_all:
            return []  # who sees what has not been asked of this profile yet
        part = self.record.parts.get((entity, private), Part())
        mine = (bucket for bucket in part.by_mask.values() if bucket.mask >> profile.position & 1)
        return [
            (
                bucket,
                (
                    bucket.later_changes
                    if since is None
                    else [c for c in bucket.changes if _is_for(bucket, c, since)]
                ),
            )
            for bucket in sorted(mine, key=lambda bucket: bucket.id)
        ]

    def _listed(self, buckets: Iterable[tuple[Bucket, list[Change]]]) -> list[orjson.Fragment]:
        return [self._bucket(bucket, changes) for bucket, changes in buckets]

    def _bucket(self, bucket: Bucket, changes: list[Change]) -> orjson.Fragment:
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
                            "objects": [_object(record) for record in bucket.base],
                        },
                        "changes": [
                            {
                                "load": c.load,
                                "from": c.from_state,
                                "state": c.state,
                                **_object(c.record),
                            }
                            for c in changes
                        ],
                    }
                )
            )
        return self._made[key]


def _is_for(bucket: Bucket, change: Change, since: int) -> bool:
    return change.load > bucket.base_load or change.load > since


def _object(record: ObjectRecord) -> dict[str, Any]:
    return {"sha256": record.sha256, "rows": record.rows, "bytes": record.bytes}


def write_manifests(
    connection: Connection, store: Store, manifests: Manifests, on_manifest: Callable[[], None]
) -> int:
    """Replaces the manifests that differ from the written ones, or are not there, and removes those
    of nobody any more.
    """
    rows = connection.execute(
        "SELECT path, digest, bytes FROM ops.manifest_file WHERE store = %s", [store.url]
    )
    known: dict[str, tuple[str, int]] = {path: (digest, size) for path, digest, size in rows}
    written = {**store.listing("agents"), **store.listing("users")}
    replaced: list[tuple[str, str, str, int]] = []

    def differing() -> Iterator[tuple[str, bytes]]:
        for path, text in manifests:
            digest = blake2b(text, digest_size=16).hexdigest()
            if known.pop(path, None) == (digest, written.pop(path, None)):
                on_manifest()
                continue
            data = pack(text)
            replaced.append((path, store.url, digest, len(data)))
            yield path, data

    store.replace_all(differing(), on_manifest)
    for path in {*known, *written}:
        store.remove(path)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM ops.manifest_file WHERE store <> %s OR path = ANY(%s)",
            [store.url, list(known)],
        )
        cursor.executemany(
            "INSERT INTO ops.manifest_file (path, store, digest, bytes) VALUES (%s, %s, %s, %s) ON"
            " CONFLICT (path) DO UPDATE SET (store, digest, bytes) = (excluded.store,"
            " excluded.digest, excluded.bytes)",
            replaced,
        )
    return len(replaced)
