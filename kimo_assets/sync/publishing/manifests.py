"""Manifests: which buckets an agent, or a user, gets, by the ledger.

They are replaced one by one, and only those that differ.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
from psycopg import Connection

from kimo_assets.sync.publishing.buckets import Bucket, BucketSet, Change
from kimo_assets.sync.publishing.objects import ObjectRecord
from kimo_assets.sync.publishing.publication_ledger import PublicationLedger
from kimo_assets.sync.store.store import FORMAT, FORMAT_VERSION, Store, manifest_path, pack
from kimo_assets.sync.visibility.profiles import Profile, Profiles


@dataclass
class Manifests:
    """All manifests of one state of the ledger.

    store: the id of the database that the store belongs to. users: user -> the user's own member of
    the manifest.
    """

    store: str
    profiles: Profiles
    ledger: PublicationLedger
    users: Mapping[str, dict[str, Any]]
    # Most buckets are the same for all who get them: their JSON is made once.
    _fragments: dict[tuple[int, int], orjson.Fragment] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.profiles.agents) + len(self.profiles.users)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """(path in the store, JSON)."""
        # Users of the same profile get the same entities, so these are made once.
        bodies = {profile.position: self._body(profile) for profile in self.profiles.live}
        for agent, profile in self.profiles.agents.items():
            yield manifest_path(agent), self._manifest(agent, None, bodies[profile.position])
        for user, profile in self.profiles.of_users().items():
            path = manifest_path(user, user=True)
            body = bodies[profile.position]
            yield path, self._manifest(profile.agent, self.users[user], body)

    def _body(self, profile: Profile) -> tuple[int, orjson.Fragment]:
        """(the last load that changed any of it, the entities)."""
        entities: dict[str, Any] = {}
        load = 0
        # In a fixed order: by its bytes a manifest is known to be the same.
        for name, payload in sorted(self.ledger.payloads.items()):
            description = payload.description
            public = self._buckets(name, False, profile, for_all=payload.for_all)
            private = self._buckets(name, True, profile, for_all=False)
            entities[name] = {
                "key": description["key"],
                "columns": description["columns"],
                "buckets": self._listed(public),
            }
            if "private" in description:
                entities[name]["private"] = {
                    "columns": description["private"],
                    "buckets": self._listed(private),
                }
            load = max([load, *(bucket.last_load for bucket, _ in (*public, *private))])
        return load, orjson.Fragment(orjson.dumps(entities))

    def _manifest(
        self, agent: str, user: dict[str, Any] | None, body: tuple[int, orjson.Fragment]
    ) -> bytes:
        """The JSON, as in docs/sync-format.md."""
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
        """The profile's buckets, each with the changes that the profile may see.

        A change from before the profile got the entity may hold rows that were never its own.
        """
        since = self.ledger.covered.get(entity, {}).get(profile.position)
        if since is None and not for_all:
            # Nobody has computed yet what this profile sees.
            return []
        buckets = self.ledger.bucket_sets.get((entity, private), BucketSet()).by_mask.values()
        of_profile = [bucket for bucket in buckets if bucket.mask >> profile.position & 1]
        of_profile.sort(key=lambda bucket: bucket.id)
        return [(bucket, _changes_since(bucket, since)) for bucket in of_profile]

    def _listed(self, buckets: Iterable[tuple[Bucket, list[Change]]]) -> list[orjson.Fragment]:
        return [self._bucket(bucket, changes) for bucket, changes in buckets]

    def _bucket(self, bucket: Bucket, changes: list[Change]) -> orjson.Fragment:
        # The changes of a profile are the last ones of the bucket, so their number tells which.
        key = (bucket.id, len(changes))
        if key not in self._fragments:
            self._fragments[key] = orjson.Fragment(orjson.dumps(_bucket_as_json(bucket, changes)))
        return self._fragments[key]


def _changes_since(bucket: Bucket, load: int | None) -> list[Change]:
    """load: None for a profile that gets the entity only because everybody does."""
    if load is None:
        return bucket.later_changes
    first_load = min(bucket.base_load, load)
    return [change for change in bucket.changes if change.load > first_load]


def _bucket_as_json(bucket: Bucket, changes: list[Change]) -> dict[str, Any]:
    """As docs/sync-format.md has it, members in its order."""
    return {
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
                "load": change.load,
                "from": change.from_state,
                "state": change.state,
                **_object(change.record),
            }
            for change in changes
        ],
    }


def _object(record: ObjectRecord) -> dict[str, Any]:
    return {"sha256": record.sha256, "rows": record.rows, "bytes": record.bytes}


def write_manifests(
    connection: Connection[Any],
    store: Store,
    manifests: Manifests,
    on_manifest: Callable[[], None],
) -> int:
    """Writes the manifests that differ from the stored ones or are missing. Returns: how many.

    Manifests without an agent or user any more are removed.
    """
    rows = connection.execute(
        "SELECT path, digest, bytes FROM ops.manifest_file WHERE store = %s", [store.url]
    )
    recorded: dict[str, tuple[str, int]] = {path: (digest, size) for path, digest, size in rows}
    stored_sizes = {**store.listing("agents"), **store.listing("users")}
    replaced: list[tuple[str, str, str, int]] = []

    def differing() -> Iterator[tuple[str, bytes]]:
        for path, text in manifests:
            # Of the text and not of the file, which another version of zstd would pack differently.
            digest = blake2b(text, digest_size=16).hexdigest()
            # A file of another size is damaged.
            if recorded.pop(path, None) == (digest, stored_sizes.pop(path, None)):
                on_manifest()
                continue
            data = pack(text)
            replaced.append((path, store.url, digest, len(data)))
            yield path, data

    store.replace_all(differing(), on_manifest)
    # The paths of current manifests were taken out above.
    for path in {*recorded, *stored_sizes}:
        store.remove(path)
    _save(connection, store, list(recorded), replaced)
    return len(replaced)


def _save(
    connection: Connection[Any],
    store: Store,
    removed: list[str],
    replaced: list[tuple[str, str, str, int]],
) -> None:
    """replaced: (path, store, digest, bytes)."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM ops.manifest_file WHERE store <> %s OR path = ANY(%s)",
            [store.url, removed],
        )
        cursor.executemany(
            """
            INSERT INTO ops.manifest_file (path, store, digest, bytes) VALUES (%s, %s, %s, %s)
            ON CONFLICT (path) DO UPDATE
            SET (store, digest, bytes) = (excluded.store, excluded.digest, excluded.bytes)
            """,
            replaced,
        )
