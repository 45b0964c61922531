"""Manifests: which buckets an agent, or a user, gets; from the record in ops, replaced one by one when they differ."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson
from psycopg import Connection

from kimo_assets.sync.profiles import Profile, Profiles
from kimo_assets.sync.store import FORMAT, FORMAT_VERSION, Store, manifest_path


@dataclass(frozen=True)
class _Bucket:
    """A bucket's JSON, as it goes to whoever gets it; older: the changes that were before the base, for who is behind."""

    entity: str
    private: bool
    mask: int
    head: dict[str, Any]
    older: list[dict[str, Any]]
    later: list[dict[str, Any]]

    def for_one_since(self, load: int) -> dict[str, Any]:
        """As it goes to a profile that gets the entity since that load, and has no need of what was before."""
        older = [change for change in self.older if change["load"] > load]
        return {**self.head, "changes": [*older, *self.later]}


@dataclass(frozen=True)
class Manifests:
    """All manifests of one state of the record."""

    store: str
    load: int
    profiles: Profiles
    _descriptions: Mapping[str, dict[str, Any]]
    _for_all: frozenset[str]
    _buckets: list[_Bucket]
    _covered: Mapping[tuple[str, int], int]
    _users: Callable[[str], dict[str, Any]]

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(path in the store, manifest)."""
        by_position: dict[int, dict[str, Any]] = {}
        for agent, profile in self.profiles.agents.items():
            by_position[profile.position] = self._entities(profile)
            yield manifest_path(agent), self._manifest(agent, None, by_position[profile.position])
        profile_of = {profile.position: profile for profile in self.profiles.live}
        for user, position in self.profiles.users.items():
            if position not in by_position:
                by_position[position] = self._entities(profile_of[position])
            agent = profile_of[position].agent
            yield manifest_path(user, user=True), self._manifest(agent, self._users(user), by_position[position])

    def __len__(self) -> int:
        return len(self.profiles.agents) + len(self.profiles.users)

    def _manifest(self, agent: str, user: dict[str, Any] | None, entities: dict[str, Any]) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "store": self.store,
            "agent": agent,
            "user": user,
            "load": self.load,
            "entities": entities,
        }

    def _entities(self, profile: Profile) -> dict[str, Any]:
        entities: dict[str, Any] = {}
        for name, description in self._descriptions.items():
            entities[name] = {"key": description["key"], "columns": description["columns"], "buckets": []}
            if "private" in description:
                entities[name]["private"] = {"columns": description["private"], "buckets": []}
        for bucket in self._buckets:
            since = self._covered.get((bucket.entity, profile.position))
            if since is None and bucket.entity in self._for_all and not bucket.private:
                since = self.load
            # What was prepared before the profile was there has not been looked at with its eyes.
            if since is not None and bucket.mask >> profile.position & 1:
                entity = entities[bucket.entity]
                (entity["private"] if bucket.private else entity)["buckets"].append(bucket.for_one_since(since))
        return entities


def read_manifests(
    connection: Connection, store: str, profiles: Profiles, users: Callable[[str], dict[str, Any]]
) -> Manifests:
    """From the record in ops. users: what the manifest of a user says of the user."""
    payloads = connection.execute(
        "SELECT entity, description, for_all, changed_load FROM ops.payload ORDER BY entity"
    ).fetchall()
    covered = connection.execute("SELECT entity, position, load FROM ops.covered").fetchall()
    return Manifests(
        store,
        max((load for *_, load in payloads), default=0),
        profiles,
        {name: description for name, description, *_ in payloads},
        frozenset(name for name, _, for_all, _ in payloads if for_all),
        list(_read_buckets(connection)),
        {(entity, position): load for entity, position, load in covered},
        users,
    )


def _read_buckets(connection: Connection) -> Iterator[_Bucket]:
    objects: dict[int, list[tuple[Any, ...]]] = {}
    for number, *values in connection.execute(
        "SELECT bucket, is_base, load, from_state, state, sha256, rows, bytes FROM ops.bucket_object "
        "ORDER BY bucket, position"
    ):
        objects.setdefault(number, []).append(tuple(values))
    buckets = connection.execute(
        "SELECT id, entity, private, mask, state, rows, base_load, base_state FROM ops.bucket ORDER BY entity, id"
    )
    for number, entity, private, mask, state, rows, base_load, base_state in buckets:
        base: list[dict[str, Any]] = []
        older: list[dict[str, Any]] = []
        later: list[dict[str, Any]] = []
        for is_base, load, from_state, to_state, sha256, count, size in objects.get(number, ()):
            listed = {"sha256": sha256, "rows": count, "bytes": size}
            if is_base:
                base.append(listed)
            else:
                change = {"load": load, "from": from_state, "state": to_state, **listed}
                (later if load > base_load else older).append(change)
        head = {
            "id": number,
            "state": state,
            "rows": rows,
            "base": {"load": base_load, "state": base_state, "objects": base},
        }
        yield _Bucket(entity, private, int(mask, 16), head, older, later)


def write_manifests(
    connection: Connection, store: Store, manifests: Manifests, on_manifest: Callable[[], None]
) -> int:
    """Replaces the manifests that differ from the written ones, or are not there, and removes those of nobody any more."""
    known: dict[str, str] = dict(
        connection.execute("SELECT path, digest FROM ops.manifest_file WHERE store = %s", [store.url]).fetchall()
    )
    written = {**store.listing("agents"), **store.listing("users")}
    replaced: list[tuple[str, str, str]] = []
    for path, manifest in manifests:
        text = orjson.dumps(manifest)
        digest = blake2b(text, digest_size=16).hexdigest()
        if known.pop(path, None) != digest or written.get(path) != len(text):
            store.replace(path, text)
            replaced.append((path, store.url, digest))
        written.pop(path, None)
        on_manifest()
    for path in (*known, *written):
        store.remove(path)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ops.manifest_file WHERE store <> %s OR path = ANY(%s)", [store.url, list(known)])
        cursor.executemany(
            "INSERT INTO ops.manifest_file (path, store, digest) VALUES (%s, %s, %s) "
            "ON CONFLICT (path) DO UPDATE SET (store, digest) = (excluded.store, excluded.digest)",
            replaced,
        )
    return len(replaced)
