"""Whether what the store holds is what its manifests promise: every object there, whole, and with
its rows.

Only reads. What is damaged is named with whom it concerns and what mends it.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import Any

import numpy as np
import orjson
import zstandard
from psycopg import Connection

from kimo_assets.errors import StoreError
from kimo_assets.sync.inspection.payload_size import PastWeight, weights_after
from kimo_assets.sync.publishing.settings import SETTINGS_FILE
from kimo_assets.sync.store.store import Store, object_path
from kimo_assets.sync.store.stored_manifests import (
    AGENTS,
    USERS,
    Manifest,
    buckets,
    code_of,
    decode,
    path_of,
    paths,
)
from kimo_assets.sync.visibility.profiles import Profiles

# What the check after each load re-reads at most: less than a second's work.
SAMPLE_BYTES = 50_000_000
_BIGGEST = 3
_AT_RANDOM = 5
_CHUNK_BYTES = 1 << 20

_RUN_AGAIN = "run step 3 again: it writes what is missing"


@dataclass(frozen=True)
class Damage:
    """what: a file of the store. sentence: what is wrong with it. remedy: what to do. manifests:
    whose data it spoils.
    """

    what: str
    sentence: str
    remedy: str
    manifests: list[str]

    @property
    def concerns(self) -> list[str]:
        """The agents and users whose data it spoils; of the settings it is everybody."""
        return ["everybody" if path == SETTINGS_FILE else code_of(path) for path in self.manifests]


@dataclass
class Verdict:
    """damages is empty where all is well. objects, bytes: those that were read whole; the others
    were only found.
    """

    manifests: int = 0
    objects: int = 0
    bytes: int = 0
    objects_found: int = 0
    damages: list[Damage] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.damages

    def as_json(self) -> dict[str, Any]:
        figures = {name: value for name, value in vars(self).items() if name != "damages"}
        return {
            "whole": self.is_whole,
            **figures,
            "damages": [vars(damage) for damage in self.damages],
        }


def verify_published(
    connection: Connection | None,
    store: Store,
    *,
    everything: bool = False,
    on_object: Callable[[int, int], None] = lambda done, total: None,
) -> Verdict:
    """Verifies a sample after the last load, or everything, and that every agent has a manifest.

    connection: None where there is no database, so that nobody can say which agents there should
    be.
    """
    agents = Profiles.read(connection).agents if connection else ()
    past = weights_after(connection) if connection else []
    load = past[0].load if past else 0
    names = all_manifests(store)
    return verify(
        store,
        names if everything else sample(names, past, load),
        agents=agents,
        max_bytes=None if everything else SAMPLE_BYTES,
        seed=load,
        on_object=on_object,
    )


def sample(all_paths: Sequence[str], weights: Sequence[PastWeight], seed: int) -> list[str]:
    """The manifests that a check looks at: the heaviest by the last weights, and some others at
    random.
    """
    there = set(all_paths)
    chosen = [weight.path for weight in weights if weight.path in there][:_BIGGEST]
    others = sorted(there.difference(chosen))
    return chosen + random.Random(seed).sample(others, min(_AT_RANDOM, len(others)))  # noqa: S311 (no secret)


def all_manifests(store: Store) -> list[str]:
    return [*paths(store, AGENTS), *paths(store, USERS)]


def verify(
    store: Store,
    names: Iterable[str],
    *,
    agents: Iterable[str] = (),
    max_bytes: int | None = None,
    seed: int = 0,
    on_object: Callable[[int, int], None] = lambda done, total: None,
) -> Verdict:
    """Reads the named manifests, the settings, and what they list.

    agents: codes each of which must have a manifest. max_bytes: how much of the objects is read; of
    the rest it is only seen that they are there with their size. seed: which ones are read then.
    on_object: told how many of how many are done.
    """
    verdict = Verdict()
    verdict.damages += _without_manifest(store, agents)
    listed: dict[str, _Listed] = {}
    for name in names:
        manifest = _read(store, name, verdict)
        if manifest is not None:
            for bucket in buckets(manifest):
                _collect(
                    (*bucket.listed["base"]["objects"], *bucket.listed["changes"]), name, listed
                )
    _collect(_settings(store, verdict), SETTINGS_FILE, listed)
    _verify_objects(store, listed, verdict, max_bytes, seed, on_object)
    return verdict


def _without_manifest(store: Store, agents: Iterable[str]) -> Iterator[Damage]:
    there = set(paths(store, AGENTS))
    for path in map(path_of, agents):
        if path not in there:
            yield Damage(path, f"agent {code_of(path)} has no manifest", _RUN_AGAIN, [path])


def _read(store: Store, name: str, verdict: Verdict) -> Manifest | None:
    verdict.manifests += 1
    data = store.read_or_none(name)
    if data is None:
        verdict.damages.append(Damage(name, "the manifest is not there", _RUN_AGAIN, [name]))
        return None
    try:
        manifest = decode(store, name, data)
        if manifest["store"] != store.identity():
            raise StoreError(
                f"{store.url}: {name} is of the store {manifest['store']}, not of this one"
            )
        return manifest
    except StoreError as error:
        # Step 3 takes a manifest of the right size for whole.
        remedy = f"delete that file, then {_RUN_AGAIN}"
        verdict.damages.append(Damage(name, str(error).partition(". ")[0], remedy, [name]))
        return None


def _settings(store: Store, verdict: Verdict) -> list[dict[str, Any]]:
    """The objects that settings.json lists; a store may be without."""
    data = store.read_or_none(SETTINGS_FILE)
    if data is None:
        return []
    try:
        entities = orjson.loads(data)["entities"]
        return [listed for table in entities.values() for listed in table["objects"]]
    except (ValueError, LookupError, TypeError, AttributeError):
        remedy = f"delete that file, then {_RUN_AGAIN}"
        verdict.damages.append(
            Damage(
                SETTINGS_FILE, "the settings are not as the format says", remedy, [SETTINGS_FILE]
            )
        )
        return []


# --- the objects
# --------------------------------------------------------------------------------------------------


@dataclass
class _Listed:
    """An object as manifests list it: size and rows as they say, and which ones."""

    rows: int
    bytes: int
    manifests: list[str]


def _collect(objects: Iterable[dict[str, Any]], name: str, into: dict[str, _Listed]) -> None:
    for listed in objects:
        known = into.setdefault(listed["sha256"], _Listed(listed["rows"], listed["bytes"], []))
        if name not in known.manifests[-1:]:
            known.manifests.append(name)


def _verify_objects(
    store: Store,
    listed: dict[str, _Listed],
    verdict: Verdict,
    max_bytes: int | None,
    seed: int,
    on_object: Callable[[int, int], None],
) -> None:
    sizes = store.listing("objects") if listed else {}
    order = sorted(listed)
    if max_bytes is not None:
        random.Random(seed).shuffle(order)  # noqa: S311 (no secret)
    for done, name in enumerate(order, 1):
        promised, path = listed[name], object_path(name)
        said, remedy = _found(sizes.get(path), promised), _RUN_AGAIN
        if said is None and (max_bytes is None or verdict.bytes + promised.bytes <= max_bytes):
            verdict.objects += 1
            verdict.bytes += promised.bytes
            # Step 3 takes an object of the right size for whole.
            said, remedy = _content(store, name, promised), f"delete that file, then {_RUN_AGAIN}"
        if said is not None:
            verdict.damages.append(Damage(path, said, remedy, promised.manifests))
        on_object(done, len(order))
    verdict.objects_found = len(order)


def _found(size: int | None, promised: _Listed) -> str | None:
    if size is None:
        return "the object is not there"
    if size != promised.bytes:
        return f"the object has {size:,} bytes instead of {promised.bytes:,}"
    return None


def _content(store: Store, name: str, promised: _Listed) -> str | None:
    data = store.read_or_none(object_path(name))
    if data is None:
        return "the object is not there"
    if sha256(data).hexdigest() != name:
        return "the object is damaged: its content has another SHA-256"
    try:
        rows = count_rows(data)
    except zstandard.ZstdError as error:
        return f"the object cannot be decompressed: {error}"
    return (
        None
        if rows == promised.rows
        else f"the object has {rows:,} rows, its manifest says {promised.rows:,}"
    )


def count_rows(data: bytes) -> int:
    """The records of an object without its header: line ends with an even number of quotes before
    them.

    Four times as fast as parting the text at its quotes, and most of a check's time.
    """
    lines = quotes = 0
    with zstandard.ZstdDecompressor().stream_reader(
        BytesIO(data), read_across_frames=True
    ) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            characters = np.frombuffer(chunk, np.uint8)
            places = np.flatnonzero(characters == ord('"'))
            before = np.searchsorted(places, np.flatnonzero(characters == ord("\n"))) + quotes
            lines += int(np.count_nonzero(before % 2 == 0))
            quotes += len(places)
    return lines - 1
