"""What a client reads first: store.json, a manifest, settings.json; each checked against
docs/sync-format.md.

The objects that they list are rows.py's.
"""

from collections import Counter
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import quote

import orjson
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, model_validator

from kimo_assets.errors import StoreError
from kimo_assets.sync.store.store import (
    FORMAT,
    FORMAT_VERSION,
    MARKER,
    Store,
    manifest_path,
    unpack,
)

Columns = dict[str, Literal["text", "dec", "int", "bool", "enum", "date", "dt"]]


class _Document(BaseModel):
    """Members that are not known here are ignored, as the format asks."""

    model_config = ConfigDict(frozen=True, strict=True)


class ListedObject(_Document):
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    rows: NonNegativeInt
    bytes: NonNegativeInt


class Base(_Document):
    load: int
    state: str
    objects: list[ListedObject]


class Change(ListedObject):
    load: int
    from_state: Annotated[str, Field(alias="from")]
    state: str


class Bucket(_Document):
    id: int
    state: str
    rows: NonNegativeInt
    base: Base
    changes: list[Change] = []

    @property
    def _above_base(self) -> list[Change]:
        return [change for change in self.changes if change.load > self.base.load]

    @model_validator(mode="after")
    def _chain_holds(self) -> Self:
        for before, after in pairwise(self.changes):
            if before.load >= after.load or before.state != after.from_state:
                raise ValueError(
                    f"the change of load {after.load} does not follow that of load {before.load}"
                )
        above = self._above_base
        if above and above[0].from_state != self.base.state:
            raise ValueError(f"the change of load {above[0].load} does not start at the base")
        if (self.changes[-1].state if self.changes else self.base.state) != self.state or (
            not above and self.base.state != self.state
        ):
            raise ValueError("base and changes do not lead to the bucket's state")
        based = sum(listed.rows for listed in self.base.objects)
        if not above and based != self.rows:
            raise ValueError(f"it is said to have {self.rows} rows, its base has {based}")
        return self

    def steps_from(self, state: str | None) -> tuple[Base | None, list[Change]]:
        """What brings a client to the bucket's state that has `state` of it (None: nothing)."""
        if state == self.state:
            return None, []
        for place in reversed(range(len(self.changes))):
            if self.changes[place].from_state == state:
                return None, self.changes[place:]
        return self.base, self._above_base


class _WithBuckets(_Document):
    buckets: list[Bucket]


class Private(_WithBuckets):
    columns: list[str]


class Entity(_WithBuckets):
    key: str
    columns: Columns
    private: Private | None = None

    @model_validator(mode="after")
    def _columns_fit(self) -> Self:
        named = {self.key, *(self.private.columns if self.private else ())}
        if not named <= set(self.columns):
            raise ValueError(
                f"{', '.join(sorted(named - set(self.columns)))} is not among its columns"
            )
        if self.private and self.key not in self.private.columns:
            raise ValueError("its private columns lack the key")
        return self


class Manifest(_Document):
    store: str
    agent: str
    user: dict[str, Any] | None = None
    load: int
    entities: dict[str, Entity]

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        parts = [
            part for entity in self.entities.values() for part in (entity, entity.private) if part
        ]
        twice = [
            number
            for number, times in Counter(b.id for part in parts for b in part.buckets).items()
            if times > 1
        ]
        if twice:
            raise ValueError(f"bucket {twice[0]} is listed twice")
        return self


class SettingsTable(_Document):
    key: Annotated[list[str], Field(min_length=1)]
    columns: Columns
    objects: list[ListedObject]

    @model_validator(mode="after")
    def _key_is_of_the_columns(self) -> Self:
        if not set(self.key) <= set(self.columns):
            raise ValueError(f"its key {', '.join(self.key)} is not among its columns")
        return self


class Settings(_Document):
    store: str
    load: int
    entities: dict[str, SettingsTable]


class _StoreMark(_Document):
    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


_Kind = TypeVar("_Kind", bound=_Document)


def read_store_id(store: Store) -> tuple[str, int]:
    """Whose store it is, and the bytes that this took."""
    data = store.read_or_none(MARKER)
    if data is None:
        raise StoreError(
            f"There is no sync store at {store.url}: {MARKER} is not there. Either the address is"
            " wrong, or step 3 has not run yet."
        )
    return _parsed(store, data, MARKER, _StoreMark).id, len(data)


def read_manifest(store: Store, agent: str, user: str | None = None) -> dict[str, Any]:
    """Raises: StoreError when there is none for the agent (or user), or it is not ours to read."""
    what = _named(agent, user)
    document = _document(store, _unpacked(store, _manifest_bytes(store, agent, user), what), what)
    _checked(store, document, agent, user)
    return document


def parse_manifest(store: Store, data: bytes, what: str) -> dict[str, Any]:
    """A manifest's file as JSON. Raises: StoreError when it is none, or contradicts itself, as the
    format has it.
    """
    document = _document(store, _unpacked(store, data, what), what)
    _validated(store, document, what, Manifest)
    return document


def read_checked_manifest(store: Store, agent: str, user: str | None) -> tuple[Manifest, int]:
    """The same as an object, and the bytes that it took."""
    data = _manifest_bytes(store, agent, user)
    what = _named(agent, user)
    return _checked(store, _document(store, _unpacked(store, data, what), what), agent, user), len(
        data
    )


def read_settings(store: Store) -> tuple[Settings | None, int]:
    """The settings that all users share, if the store has any, and the bytes that they took."""
    data = store.read_or_none("settings.json")
    if data is None:
        return None, 0
    return _parsed(store, data, "settings.json", Settings), len(data)


def _named(agent: str, user: str | None) -> str:
    return f"the manifest of agent '{agent}'" if user is None else f"the manifest of user '{user}'"


def _manifest_bytes(store: Store, agent: str, user: str | None) -> bytes:
    name = manifest_path(agent) if user is None else manifest_path(user, user=True)
    # The file's name holds per cent signs, which a web address encodes in turn.
    data = store.read_or_none(quote(name) if store.url.startswith(("http:", "https:")) else name)
    if data is None:
        who = f"agent '{agent}'" if user is None else f"user '{user}'"
        raise StoreError(
            f"{store.url} holds no payload for {who}. Either the code is wrong (`kimo status`"
            f" counts the agents), or the {who.split()[0]} was not in the last load, or step 3 has"
            " not run since."
        )
    return data


def _unpacked(store: Store, data: bytes, what: str) -> bytes:
    try:
        return unpack(data)
    except ValueError as error:
        raise StoreError(
            f"{store.url}: {what} cannot be read: {error}. Prepare the payloads again: step 3."
        ) from None


def _checked(store: Store, document: dict[str, Any], agent: str, user: str | None) -> Manifest:
    what = _named(agent, user)
    if document.get("agent") != agent:
        raise StoreError(f"{store.url}: {what} belongs to agent '{document.get('agent')}'.")
    manifest = _validated(store, document, what, Manifest)
    if (manifest.user or {}).get("id") != user:
        raise StoreError(f"{store.url}: {what} is for the user {manifest.user}.")
    return manifest


def _parsed(store: Store, data: bytes, what: str, kind: type[_Kind]) -> _Kind:
    return _validated(store, _document(store, data, what), what, kind)


def _document(store: Store, data: bytes, what: str) -> dict[str, Any]:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise StoreError(f"{store.url}: {what} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise StoreError(f"{store.url}: {what} is not a JSON object.")
    found, version = document.get("format"), document.get("version")
    if found != FORMAT or version != FORMAT_VERSION:
        newer = found == FORMAT and isinstance(version, int) and version > FORMAT_VERSION
        hint = " Update this program." if newer else ""
        raise StoreError(
            f"{store.url}: {what} is {found} version {version}; this client reads {FORMAT} version"
            f" {FORMAT_VERSION}.{hint}"
        )
    return document


def _validated(store: Store, document: dict[str, Any], what: str, kind: type[_Kind]) -> _Kind:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise StoreError(
            f"{store.url}: {what} is not as the format says: {place}:"
            f" {first['msg'].removeprefix('Value error, ')}. Prepare the payloads again: step 3."
        ) from None
