"""Whether the store holds what its manifests promise: every object, whole, with its rows.

It only reads. Each damage is reported with the agents it concerns and what repairs it.
"""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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
from kimo_assets.texts import say

# The check after each load reads at most so many bytes: less than a second's work.
SAMPLE_BYTES = 50_000_000
# The heaviest manifests list most objects. Random ones reach the others in time.
_HEAVIEST = 3
_RANDOM = 5
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Damage:
    """A damaged file of the store.

    path: the file. sentence: what is wrong with it. remedy: what to do. manifests: those whose data
    it damages.
    """

    path: str
    sentence: str
    remedy: str
    manifests: list[str]

    @property
    def concerns(self) -> list[str]:
        """The agents and users whose data it damages. The settings concern everybody."""
        return [
            say("sync.everybody") if path == SETTINGS_FILE else code_of(path)
            for path in self.manifests
        ]

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, as docs/cli.md describes it."""
        return {
            "what": self.path,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "manifests": self.manifests,
        }


@dataclass
class VerificationReport:
    """damages: empty if the store is whole. objects, bytes: those that were read.

    objects_found: all that were looked for, also those that were only checked for their size.
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
        """The document of `--json`, as docs/cli.md describes it."""
        return {
            "whole": self.is_whole,
            "manifests": self.manifests,
            "objects": self.objects,
            "bytes": self.bytes,
            "objects_found": self.objects_found,
            "damages": [damage.as_json() for damage in self.damages],
        }


def _no_progress(done: int, total: int) -> None:
    """Where nobody watches."""


def verify_published(
    connection: Connection[Any] | None,
    store: Store,
    *,
    everything: bool = False,
    on_object: Callable[[int, int], None] = _no_progress,
) -> VerificationReport:
    """Verifies a sample after the last load, or everything, and that every agent has a manifest.

    connection: None without a database. Then nobody can tell which agents there should be.
    """
    agents = Profiles.read(connection).agents if connection else ()
    past = weights_after(connection) if connection else []
    load = past[0].load if past else 0
    names = all_manifests(store)
    max_bytes = None
    if not everything:
        names = sample(names, past, load)
        max_bytes = SAMPLE_BYTES
    # By the load's number: a check that is repeated reads the same objects again.
    return verify(store, names, agents=agents, max_bytes=max_bytes, seed=load, on_object=on_object)


def sample(all_paths: Sequence[str], weights: Sequence[PastWeight], seed: int) -> list[str]:
    """The manifests for a check: the heaviest by the last weights, and some others at random."""
    stored = set(all_paths)
    heaviest = [weight.path for weight in weights if weight.path in stored][:_HEAVIEST]
    others = sorted(stored.difference(heaviest))
    count = min(_RANDOM, len(others))
    return heaviest + random.Random(seed).sample(others, count)  # noqa: S311 (no secret)


def all_manifests(store: Store) -> list[str]:
    """The paths of the manifests of agents and users."""
    return [*paths(store, AGENTS), *paths(store, USERS)]


def verify(
    store: Store,
    names: Iterable[str],
    *,
    agents: Iterable[str] = (),
    max_bytes: int | None = None,
    seed: int = 0,
    on_object: Callable[[int, int], None] = _no_progress,
) -> VerificationReport:
    """Reads the named manifests, the settings, and the objects that they list.

    agents: codes, each of which must have a manifest. max_bytes: how much of the objects is read.
    The others are only checked for their size. seed: decides which ones are read. on_object: called
    with how many of how many are done.
    """
    report = VerificationReport()
    report.damages += _without_manifest(store, agents)
    listed: dict[str, _Listed] = {}
    for name in names:
        manifest = _read_manifest(store, name, report)
        if manifest is None:
            continue
        for bucket in buckets(manifest):
            objects = [*bucket.listed["base"]["objects"], *bucket.listed["changes"]]
            _collect(objects, name, listed)
    _collect(_read_settings(store, report), SETTINGS_FILE, listed)
    _verify_objects(store, listed, report, max_bytes, seed, on_object)
    return report


def _without_manifest(store: Store, agents: Iterable[str]) -> Iterator[Damage]:
    stored = set(paths(store, AGENTS))
    for agent in agents:
        path = path_of(agent)
        if path not in stored:
            sentence = say("sync.agent_without_manifest", agent=agent)
            yield Damage(path, sentence, _run_again(), [path])


def _read_manifest(store: Store, name: str, report: VerificationReport) -> Manifest | None:
    """The manifest. None: it is missing or damaged, which is in the report."""
    report.manifests += 1
    data = store.read_or_none(name)
    if data is None:
        report.damages.append(Damage(name, say("sync.manifest_missing"), _run_again(), [name]))
        return None
    try:
        manifest = decode(store, name, data)
        # A store that was restored over another one holds manifests of both.
        if manifest["store"] != store.identity():
            raise StoreError(
                say(
                    "sync.manifest_of_other_store",
                    url=store.url,
                    path=name,
                    store=manifest["store"],
                )
            )
        return manifest
    except StoreError as error:
        # Without the advice of the error: the remedy is in the damage.
        sentence = str(error).partition(". ")[0]
        report.damages.append(Damage(name, sentence, _delete_and_run_again(), [name]))
        return None


def _read_settings(store: Store, report: VerificationReport) -> list[dict[str, Any]]:
    """The objects that settings.json lists. A store may have no settings."""
    data = store.read_or_none(SETTINGS_FILE)
    if data is None:
        return []
    try:
        entities = orjson.loads(data)["entities"]
        return [listed for table in entities.values() for listed in table["objects"]]
    # Whatever is wrong with its form, the finding is the same: the file is damaged.
    except (ValueError, LookupError, TypeError, AttributeError):
        sentence = say("sync.settings_invalid")
        damage = Damage(SETTINGS_FILE, sentence, _delete_and_run_again(), [SETTINGS_FILE])
        report.damages.append(damage)
        return []


def _run_again() -> str:
    return say("sync.run_step_3_again")


def _delete_and_run_again() -> str:
    # Step 3 takes a file of the right size for whole, so the damaged one must go.
    return say("sync.delete_and_run_step_3_again")


# --- the objects


@dataclass
class _Listed:
    """An object as manifests list it. manifests: those that list it."""

    rows: int
    bytes: int
    manifests: list[str]


def _collect(objects: Iterable[dict[str, Any]], name: str, listed: dict[str, _Listed]) -> None:
    """Adds a manifest's objects to those listed so far, by hash."""
    for each in objects:
        entry = listed.setdefault(each["sha256"], _Listed(each["rows"], each["bytes"], []))
        # Manifests come one after another, so a repetition can only be the last one.
        if name not in entry.manifests[-1:]:
            entry.manifests.append(name)


def _verify_objects(
    store: Store,
    listed: dict[str, _Listed],
    report: VerificationReport,
    max_bytes: int | None,
    seed: int,
    on_object: Callable[[int, int], None],
) -> None:
    """Checks the size of every object, and the content of those within the limit."""
    # One listing, where a request for each object would take minutes.
    sizes = store.listing("objects") if listed else {}
    order = sorted(listed)
    if max_bytes is not None:
        # In another order after each load, so that in the end every object is read.
        random.Random(seed).shuffle(order)  # noqa: S311 (no secret)
    for done, sha256 in enumerate(order, 1):
        expected, path = listed[sha256], object_path(sha256)
        sentence, remedy = _size_damage(sizes.get(path), expected), _run_again()
        has_room = max_bytes is None or report.bytes + expected.bytes <= max_bytes
        if sentence is None and has_room:
            report.objects += 1
            report.bytes += expected.bytes
            sentence = _content_damage(store, sha256, expected)
            remedy = _delete_and_run_again()
        if sentence is not None:
            report.damages.append(Damage(path, sentence, remedy, expected.manifests))
        on_object(done, len(order))
    report.objects_found = len(order)


def _size_damage(size: int | None, expected: _Listed) -> str | None:
    if size is None:
        return say("sync.damage_object_missing")
    if size != expected.bytes:
        return say("sync.damage_object_size", size=size, listed=expected.bytes)
    return None


def _content_damage(store: Store, name: str, expected: _Listed) -> str | None:
    """What is wrong with the object's content. None: nothing."""
    data = store.read_or_none(object_path(name))
    if data is None:
        return say("sync.damage_object_missing")
    if hashlib.sha256(data).hexdigest() != name:
        return say("sync.damage_object_hash")
    try:
        rows = count_rows(data)
    except zstandard.ZstdError as error:
        return say("sync.damage_object_zstd", error=error)
    if rows != expected.rows:
        return say("sync.damage_object_rows", rows=rows, listed=expected.rows)
    return None


def count_rows(data: bytes) -> int:
    """The records of an object without its header.

    These are the line ends after an even number of quotes. It is four times as fast as splitting
    the text at its quotes, and most of a check's time.
    """
    lines = quotes = 0
    decompressor = zstandard.ZstdDecompressor()
    with decompressor.stream_reader(BytesIO(data), read_across_frames=True) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            characters = np.frombuffer(chunk, np.uint8)
            quote_positions = np.flatnonzero(characters == ord('"'))
            line_ends = np.flatnonzero(characters == ord("\n"))
            quotes_before = np.searchsorted(quote_positions, line_ends) + quotes
            lines += int(np.count_nonzero(quotes_before % 2 == 0))
            quotes += len(quote_positions)
    return lines - 1
