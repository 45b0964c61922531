"""Manifests as they lie in the store, for operators' views: which there are, whose they are, what
they list.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from kimo_assets.errors import ConfigError, StoreError, nearest
from kimo_assets.sync.store.documents import parse_manifest
from kimo_assets.sync.store.store import MANIFEST_SUFFIX, Store, manifest_path

Manifest = dict[str, Any]

AGENTS = "agents"
USERS = "users"


@dataclass(frozen=True)
class Bucket:
    """One bucket of a manifest. listed: as the manifest has it. is_private: of the entity's columns
    that few may know.
    """

    entity: str
    is_private: bool
    listed: dict[str, Any]

    @property
    def name(self) -> tuple[str, bool]:
        return self.entity, self.is_private

    @property
    def changes_above_base(self) -> list[dict[str, Any]]:
        return [
            change
            for change in self.listed["changes"]
            if change["load"] > self.listed["base"]["load"]
        ]

    @property
    def first_sync(self) -> list[dict[str, Any]]:
        """The objects that a client without this bucket fetches: the base's and the changes above
        it.
        """
        return [*self.listed["base"]["objects"], *self.changes_above_base]


def path_of(agent: str | None, user: str | None = None) -> str:
    """Where the manifest is: the user's when there is one to name, else the agent's."""
    return manifest_path(agent or "") if user is None else manifest_path(user, user=True)


def code_of(path: str) -> str:
    """The agent's or user's code that a manifest's path holds."""
    return unquote(path.partition("/")[2].removesuffix(MANIFEST_SUFFIX))


def paths(store: Store, folder: str) -> list[str]:
    """The manifests of a folder, AGENTS or USERS, by code."""
    return sorted(
        (path for path in store.listing(folder) if path.endswith(MANIFEST_SUFFIX)), key=code_of
    )


def find_manifest(store: Store, agent: str | None, user: str | None = None) -> tuple[str, Manifest]:
    """The path and the manifest of an agent, or of a user of theirs.

    Raises: ConfigError when there is none of that name (the nearest are named); StoreError when
    nothing was ever prepared, or the manifest cannot be read.
    """
    path = path_of(agent, user)
    data = store.read_or_none(path)
    if data is None:
        raise _unknown(store, path)
    manifest = decode(store, path, data)
    if user is not None and agent not in (None, manifest["agent"]):
        raise ConfigError(
            f"user '{user}' belongs to agent '{manifest['agent']}', not to '{agent}'."
        )
    return path, manifest


def _unknown(store: Store, path: str) -> Exception:
    folder, code = path.partition("/")[0], code_of(path)
    known = [code_of(found) for found in paths(store, folder)]
    if not known and not store.listing(AGENTS):
        return StoreError(
            f"{store.url} holds no payload yet. Prepare them: step 3 (`kimo import --step 3`)."
        )
    hint = nearest(code, known)
    kind = "agent" if folder == AGENTS else "user"
    return ConfigError(
        f"{store.url} holds no payload for {kind} '{code}'."
        + (f" Did you mean {' or '.join(hint)}?" if hint else "")
        + f" {kind.capitalize()}s that step 3 has prepared for: {len(known)}; `kimo sync weight`"
        " lists them."
    )


def decode(store: Store, path: str, data: bytes) -> Manifest:
    """Raises: StoreError when it is no manifest of this format and version, or somebody else's."""
    manifest = parse_manifest(store, data, path)
    user = manifest.get("user")
    owner = user["id"] if user else manifest.get("agent")
    if (owner, user is not None) != (code_of(path), path.startswith(USERS)):
        raise StoreError(
            f"{store.url}: {path} is the manifest of '{owner}'. Prepare the payloads again: step 3."
        )
    return manifest


def buckets(manifest: Manifest) -> Iterator[Bucket]:
    """Every bucket, entity after entity."""
    for entity, description in manifest["entities"].items():
        for listed in description["buckets"]:
            yield Bucket(entity, False, listed)
        for listed in description.get("private", {}).get("buckets", ()):
            yield Bucket(entity, True, listed)
