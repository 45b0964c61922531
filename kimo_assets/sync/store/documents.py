"""The documents that a client reads first: store.json, a manifest, settings.json.

Each is checked against docs/sync-format.md. The objects that they list are read in rows.py.
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
from kimo_assets.texts import say

_SETTINGS_FILE = "settings.json"

Columns = dict[str, Literal["text", "dec", "int", "bool", "enum", "date", "dt"]]


class _Document(BaseModel):
    """Unknown members are ignored, as the format asks."""

    # Strict: a number in quotes is an error, not a number.
    model_config = ConfigDict(frozen=True, strict=True)


class ListedObject(_Document):
    # It becomes part of a path, so that it must be a hash and nothing else.
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
    """A part of an entity's rows. Its changes lead from state to state up to the bucket's own."""

    id: int
    state: str
    rows: NonNegativeInt
    base: Base
    changes: list[Change] = []

    @property
    def _above_base(self) -> list[Change]:
        return [change for change in self.changes if change.load > self.base.load]

    @model_validator(mode="after")
    def _require_unbroken_chain(self) -> Self:
        """A client would go from a wrong base to a wrong end: docs/sync-format.md, "Manifest"."""
        for earlier, later in pairwise(self.changes):
            if earlier.load >= later.load or earlier.state != later.from_state:
                raise ValueError(
                    say("sync.change_does_not_follow", later=later.load, earlier=earlier.load)
                )
        above_base = self._above_base
        if above_base and above_base[0].from_state != self.base.state:
            raise ValueError(say("sync.change_not_from_base", load=above_base[0].load))
        last_state = self.changes[-1].state if self.changes else self.base.state
        base_is_current = self.base.state == self.state
        if last_state != self.state or not (above_base or base_is_current):
            raise ValueError(say("sync.state_not_reached"))
        base_rows = sum(listed.rows for listed in self.base.objects)
        if not above_base and base_rows != self.rows:
            raise ValueError(say("sync.bucket_row_count", rows=self.rows, base_rows=base_rows))
        return self

    def steps_from(self, state: str | None) -> tuple[Base | None, list[Change]]:
        """What brings a client with this state of the bucket up to date: a base, then changes.

        state: None for a client without the bucket. The base is None where changes suffice.
        """
        if state == self.state:
            return None, []
        # The last change from this state is the shortest way: a state can come back.
        for position in reversed(range(len(self.changes))):
            if self.changes[position].from_state == state:
                return None, self.changes[position:]
        return self.base, self._above_base


class _WithBuckets(_Document):
    buckets: list[Bucket]


class Private(_WithBuckets):
    columns: list[str]


class Entity(_WithBuckets):
    """private: the columns that an agent may know of some rows only, with their own buckets."""

    key: str
    columns: Columns
    private: Private | None = None

    @model_validator(mode="after")
    def _require_listed_columns(self) -> Self:
        # A client makes its table from these names.
        named = {self.key}
        if self.private:
            named.update(self.private.columns)
        unlisted = sorted(named - set(self.columns))
        if unlisted:
            raise ValueError(say("sync.columns_not_listed", columns=", ".join(unlisted)))
        if self.private and self.key not in self.private.columns:
            raise ValueError(say("sync.private_without_key"))
        return self


class Manifest(_Document):
    """What one agent, or one user of an agent, gets."""

    store: str
    agent: str
    user: dict[str, Any] | None = None
    load: int
    entities: dict[str, Entity]

    @model_validator(mode="after")
    def _require_unique_bucket_ids(self) -> Self:
        ids: Counter[int] = Counter()
        for entity in self.entities.values():
            ids.update(bucket.id for bucket in entity.buckets)
            if entity.private:
                ids.update(bucket.id for bucket in entity.private.buckets)
        for bucket_id, count in ids.items():
            if count > 1:
                raise ValueError(say("sync.bucket_twice", bucket=bucket_id))
        return self


class SettingsTable(_Document):
    """A table of the console, always whole."""

    key: Annotated[list[str], Field(min_length=1)]
    columns: Columns
    objects: list[ListedObject]

    @model_validator(mode="after")
    def _require_key_columns(self) -> Self:
        if not set(self.key) <= set(self.columns):
            raise ValueError(say("sync.settings_key_not_listed", key=", ".join(self.key)))
        return self


class Settings(_Document):
    store: str
    load: int
    entities: dict[str, SettingsTable]


class _StoreMarker(_Document):
    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


_Kind = TypeVar("_Kind", bound=_Document)


def read_store_id(store: Store) -> tuple[str, int]:
    """The store's id, and the bytes that reading it took. Raises: StoreError without a store."""
    data = store.read_or_none(MARKER)
    if data is None:
        raise StoreError(say("sync.no_store", url=store.url, marker=MARKER))
    return _parsed(store, data, MARKER, _StoreMarker).id, len(data)


def read_manifest(store: Store, agent: str, user: str | None = None) -> dict[str, Any]:
    """The manifest of an agent, or of a user, as JSON.

    Raises: StoreError when there is none, or it belongs to another one, or breaks the format.
    """
    data = _manifest_bytes(store, agent, user)
    document = _unpacked_document(store, data, _manifest_name(agent, user))
    _checked(store, document, agent, user)
    return document


def parse_manifest(store: Store, data: bytes, name: str) -> dict[str, Any]:
    """A manifest's file as JSON. Raises: StoreError when it is none, or contradicts itself."""
    # The JSON is returned, not the model: operators' views also show members unknown here.
    document = _unpacked_document(store, data, name)
    _validated(store, document, name, Manifest)
    return document


def read_checked_manifest(store: Store, agent: str, user: str | None) -> tuple[Manifest, int]:
    """Like read_manifest, as an object, and the bytes that it took."""
    data = _manifest_bytes(store, agent, user)
    document = _unpacked_document(store, data, _manifest_name(agent, user))
    return _checked(store, document, agent, user), len(data)


def read_settings(store: Store) -> tuple[Settings | None, int]:
    """The settings that all users share, if the store has any, and the bytes that they took."""
    data = store.read_or_none(_SETTINGS_FILE)
    if data is None:
        return None, 0
    return _parsed(store, data, _SETTINGS_FILE, Settings), len(data)


def _manifest_name(agent: str, user: str | None) -> str:
    if user is None:
        return say("sync.manifest_of_agent", agent=agent)
    return say("sync.manifest_of_user", user=user)


def _manifest_bytes(store: Store, agent: str, user: str | None) -> bytes:
    path = manifest_path(agent) if user is None else manifest_path(user, user=True)
    if store.url.startswith(("http:", "https:")):
        # The file's name holds per cent signs, which a web address encodes in turn.
        path = quote(path)
    data = store.read_or_none(path)
    if data is not None:
        return data
    if user is None:
        raise StoreError(say("sync.no_payload_for_agent", url=store.url, agent=agent))
    raise StoreError(say("sync.no_payload_for_user", url=store.url, user=user))


def _unpacked_document(store: Store, data: bytes, name: str) -> dict[str, Any]:
    try:
        text = unpack(data)
    except ValueError as error:
        raise StoreError(
            say("sync.document_unreadable", url=store.url, document=name, error=error)
        ) from None
    return _document(store, text, name)


def _checked(store: Store, document: dict[str, Any], agent: str, user: str | None) -> Manifest:
    """Raises: StoreError for the manifest of another agent or user, or one that is not valid."""
    name = _manifest_name(agent, user)
    owner = document.get("agent")
    # Before the rest is checked: what is wrong with it does not matter to another agent.
    if owner != agent:
        raise StoreError(
            say("sync.document_of_other_agent", url=store.url, document=name, agent=owner)
        )
    manifest = _validated(store, document, name, Manifest)
    if (manifest.user or {}).get("id") != user:
        raise StoreError(
            say("sync.document_of_other_user", url=store.url, document=name, user=manifest.user)
        )
    return manifest


def _parsed(store: Store, data: bytes, name: str, kind: type[_Kind]) -> _Kind:
    return _validated(store, _document(store, data, name), name, kind)


def _document(store: Store, data: bytes, name: str) -> dict[str, Any]:
    """Raises: StoreError unless this is a JSON object of the format and version read here."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise StoreError(
            say("sync.document_not_json", url=store.url, document=name, error=error)
        ) from None
    if not isinstance(document, dict):
        raise StoreError(say("sync.document_not_object", url=store.url, document=name))
    format_name, version = document.get("format"), document.get("version")
    if (format_name, version) == (FORMAT, FORMAT_VERSION):
        return document
    # Then a newer client helps, and the message says so.
    is_newer = format_name == FORMAT and isinstance(version, int) and version > FORMAT_VERSION
    key = "sync.document_newer" if is_newer else "sync.document_of_other_format"
    raise StoreError(
        say(
            key,
            url=store.url,
            document=name,
            format=format_name,
            version=version,
            read_format=FORMAT,
            read_version=FORMAT_VERSION,
        )
    )


def _validated(store: Store, document: dict[str, Any], name: str, kind: type[_Kind]) -> _Kind:
    """The document as an object. Raises: StoreError that names the first member that is wrong."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = say(
            "sync.document_invalid",
            url=store.url,
            document=name,
            member=".".join(map(str, first["loc"])),
            # Pydantic puts this before the sentences of our own validators.
            problem=first["msg"].removeprefix("Value error, "),
        )
        raise StoreError(message) from None
