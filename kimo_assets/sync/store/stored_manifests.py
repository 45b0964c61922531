"""The manifests in the store, for operators' views: which exist, whose they are, their buckets."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from kimo_assets.errors import ConfigError, StoreError, nearest
from kimo_assets.sync.store.documents import parse_manifest
from kimo_assets.sync.store.store import MANIFEST_SUFFIX, Store, manifest_path
from kimo_assets.texts import say

Manifest = dict[str, Any]

AGENTS = "agents"
USERS = "users"


@dataclass(frozen=True)
class Bucket:
    """One bucket of a manifest.

    is_private: it holds the entity's private columns. listed: the bucket as JSON in the manifest.
    """

    entity: str
    is_private: bool
    listed: dict[str, Any]

    @property
    def name(self) -> tuple[str, bool]:
        return self.entity, self.is_private

    @property
    def changes_above_base(self) -> list[dict[str, Any]]:
        """The changes that came after the base was written."""
        base_load = self.listed["base"]["load"]
        return [change for change in self.listed["changes"] if change["load"] > base_load]

    @property
    def first_sync(self) -> list[dict[str, Any]]:
        """The objects for a client without this bucket: the base's and the changes above it."""
        return [*self.listed["base"]["objects"], *self.changes_above_base]


def path_of(agent: str | None, user: str | None = None) -> str:
    """The file of the user's manifest if a user is given, else of the agent's."""
    if user is None:
        return manifest_path(agent or "")
    return manifest_path(user, user=True)


def code_of(path: str) -> str:
    """The agent's or user's code that a manifest's path holds."""
    return unquote(path.partition("/")[2].removesuffix(MANIFEST_SUFFIX))


def paths(store: Store, folder: str) -> list[str]:
    """The manifests of a folder, AGENTS or USERS, by code."""
    manifests = [path for path in store.listing(folder) if path.endswith(MANIFEST_SUFFIX)]
    return sorted(manifests, key=code_of)


def find_manifest(store: Store, agent: str | None, user: str | None = None) -> tuple[str, Manifest]:
    """The path and the manifest of an agent, or of one of the agent's users.

    Raises: ConfigError when there is none of that name (it suggests the nearest names). StoreError
    when nothing was ever prepared, or the manifest cannot be read.
    """
    path = path_of(agent, user)
    data = store.read_or_none(path)
    if data is None:
        raise _no_manifest(store, path)
    manifest = decode(store, path, data)
    owner = manifest["agent"]
    if user is not None and agent not in (None, owner):
        raise ConfigError(say("sync.user_of_other_agent", user=user, owner=owner, agent=agent))
    return path, manifest


def _no_manifest(store: Store, path: str) -> ConfigError | StoreError:
    folder, code = path.partition("/")[0], code_of(path)
    codes = [code_of(other) for other in paths(store, folder)]
    if not codes and not store.listing(AGENTS):
        return StoreError(say("sync.nothing_prepared", url=store.url))
    near = nearest(code, codes)
    hint = ""
    if near:
        hint = say("errors.did_you_mean", names=say("errors.or").join(near))
    key = "sync.unknown_agent" if folder == AGENTS else "sync.unknown_user"
    return ConfigError(say(key, url=store.url, code=code, hint=hint, prepared=len(codes)))


def decode(store: Store, path: str, data: bytes) -> Manifest:
    """The manifest of a file. Raises: StoreError when it is not valid, or that of another owner."""
    manifest = parse_manifest(store, data, path)
    user = manifest.get("user")
    owner = user["id"] if user else manifest.get("agent")
    is_users, belongs_to_user = path.startswith(USERS), user is not None
    # A file that was copied to another name must not pass for that agent's data.
    if owner != code_of(path) or is_users != belongs_to_user:
        raise StoreError(say("sync.manifest_of_other_owner", url=store.url, path=path, owner=owner))
    return manifest


def buckets(manifest: Manifest) -> Iterator[Bucket]:
    """Every bucket, entity after entity."""
    for entity, description in manifest["entities"].items():
        for listed in description["buckets"]:
            yield Bucket(entity, False, listed)
        for listed in description.get("private", {}).get("buckets", ()):
            yield Bucket(entity, True, listed)
