"""What the next sync of a tablet brings, found out as a client would: by the states it has and the manifest's changes.

The tablet's states come from the reference client's file, or are those that a sync after a given load left.
"""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection

from kimo_assets.errors import ConfigError
from kimo_assets.sync.client import read_rows
from kimo_assets.sync.store import Store
from kimo_assets.sync.stored import Bucket, Manifest, buckets

# (entity, is it of `private`, bucket) -> the state that the client has of it.
States = dict[tuple[str, bool, int], str]

_FIRST = "first sync"
_NEW = "a bucket new for this agent"
_COLUMNS = "other columns than at the last sync"
_SINCE = "new or written anew since, as small ones always are"


@dataclass(frozen=True)
class Part:
    """What is fetched for a bucket. why: the reason why the whole base is; None when the changes do."""

    bucket: Bucket
    changes: list[dict[str, Any]]
    why: str | None = None

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [*(self.bucket.listed["base"]["objects"] if self.why else ()), *self.changes]


@dataclass(frozen=True)
class EntityDifference:
    """put: rows that come new or with new values; removed: those that go, as far as the objects tell.

    by_changes, by_base, dropped: how many buckets change, are fetched whole (reasons: why), are no longer the agent's.
    """

    entity: str
    is_private: bool
    put: int
    removed: int
    bytes: int
    objects: int
    by_changes: int
    by_base: int
    dropped: int
    reasons: list[str]
    put_keys: list[str]
    removed_keys: list[str]


@dataclass(frozen=True)
class Difference:
    """entities: those that anything comes for or goes from, the most bytes first."""

    agent: str
    user: str | None
    load: int
    entities: list[EntityDifference]

    @property
    def bytes(self) -> int:
        return sum(entity.bytes for entity in self.entities)

    @property
    def objects(self) -> int:
        return sum(entity.objects for entity in self.entities)

    def as_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in ("agent", "user", "load", "bytes", "objects")},
            "entities": [vars(entity) for entity in self.entities],
        }


# --- what a tablet has -------------------------------------------------------------------------------------------


def states_of_file(path: Path) -> States:
    """What the reference client's file has; nothing where there is no file yet.

    Raises: ConfigError for a file that is none of the reference client's.
    """
    if not path.exists():
        return {}
    try:
        with closing(sqlite3.connect(f"file:{path.absolute().as_posix()}?mode=ro", uri=True)) as file:
            file.row_factory = sqlite3.Row
            rows = [dict(row) for row in file.execute("SELECT * FROM _kimo_sync")]
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"--to: {path} is no file of `kimo agent`: {error}. Name the one that it has made.") from None
    return {
        (row["entity"], bool(row.get("is_private", row.get("private"))), row["bucket"]): row["state"]
        for row in rows
        if row.get("bucket") is not None and row.get("state")
    }


def columns_of_file(path: Path) -> dict[str, set[str]]:
    """entity -> its columns in the reference client's file, for the tables that are there."""
    if not path.exists():
        return {}
    with closing(sqlite3.connect(f"file:{path.absolute().as_posix()}?mode=ro", uri=True)) as file:
        rows = file.execute(
            "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c "
            "WHERE t.type = 'table' AND substr(t.name, 1, 1) <> '_' AND substr(c.name, 1, 1) <> '_'"
        ).fetchall()
    found: dict[str, set[str]] = {}
    for entity, column in rows:
        found.setdefault(entity, set()).add(column)
    return found


def publications(connection: Connection) -> list[int]:
    """The loads that did step 3, ascending: after each of them tablets may have synced."""
    rows = connection.execute("SELECT DISTINCT load FROM ops.step_result WHERE step = 3 ORDER BY load")
    return [load for (load,) in rows]


def before_last(manifest: Manifest, published: Iterable[int]) -> int:
    """The publication before the one that last changed anything; 0 when there was none."""
    return max((load for load in published if load < manifest["load"]), default=0)


# --- what comes ------------------------------------------------------------------------------------------------------


def parts_for_states(manifest: Manifest, states: States, columns: dict[str, set[str]]) -> list[Part]:
    """What a client fetches that has these states, and tables of these columns."""
    other = {name for name, have in columns.items() if name in manifest["entities"] and have != _columns(manifest, name)}

    def part(bucket: Bucket) -> Part | None:
        state = states.get((bucket.entity, bucket.is_private, bucket.listed["id"]))
        if bucket.entity in other:
            return Part(bucket, bucket.changes_above_base, _COLUMNS)
        return _part(bucket, state, (_NEW if states else _FIRST) if state is None else _too_far_behind(bucket))

    return list(filter(None, map(part, buckets(manifest))))


def _columns(manifest: Manifest, entity: str) -> set[str]:
    description = manifest["entities"][entity]
    return {*description["columns"], *description.get("private", {}).get("columns", ())}


def _too_far_behind(bucket: Bucket) -> str:
    first = min((change["load"] for change in bucket.listed["changes"]), default=bucket.listed["base"]["load"])
    return f"the tablet is too far behind: changes are listed from load {first} on"


def parts_since(manifest: Manifest, load: int, published: Iterable[int]) -> list[Part]:
    """What a client fetches that has synced after load `load` (0: never). published: see `publications`."""
    known = sorted(published)
    why = _SINCE if load else _FIRST
    parts = (_part(bucket, _state_after(bucket, load, known), why) for bucket in buckets(manifest))
    return list(filter(None, parts))


def _state_after(bucket: Bucket, load: int, published: Sequence[int]) -> str | None:
    """The bucket's state after a load, as far as the manifest tells it."""
    base, changes = bucket.listed["base"], bucket.listed["changes"]
    later = [change for change in changes if change["load"] > load]
    was_there = base["load"] <= load or len(later) < len(changes)
    if not later:
        return str(bucket.listed["state"]) if was_there else None
    first = later[0]["load"]
    # Before its first listed change a bucket was as that change found it, unless something was published in between.
    is_told = first <= base["load"] and load > 0 and not any(load < between < first for between in published)
    return str(later[0]["from"]) if was_there or is_told else None


def _part(bucket: Bucket, state: str | None, why: str) -> Part | None:
    if state == bucket.listed["state"]:
        return None
    changes = bucket.listed["changes"]
    for position, change in enumerate(changes):
        if change["from"] == state:
            return Part(bucket, changes[position:])
    return Part(bucket, bucket.changes_above_base, why)


# --- what that means for the rows --------------------------------------------------------------------------------


def difference(
    store: Store, manifest: Manifest, parts: Sequence[Part], *, states: States | None = None, keys: int = 0
) -> Difference:
    """Reads the changes that would be fetched; the bases only where somebody wants to see keys.

    states: of the tablet, where they are known. keys: how many of each entity to name.
    """
    listed = {(bucket.entity, bucket.is_private, bucket.listed["id"]) for bucket in buckets(manifest)}
    dropped = [number for number in states or () if number not in listed]
    names = dict.fromkeys((entity, is_private) for entity, is_private, _ in dropped)
    names |= dict.fromkeys((part.bucket.entity, part.bucket.is_private) for part in parts)
    entities = [
        _of_entity(
            store,
            manifest,
            name,
            [part for part in parts if (part.bucket.entity, part.bucket.is_private) == name],
            sum(number[:2] == name for number in dropped),
            keys,
        )
        for name in names
    ]
    entities.sort(key=lambda entity: (-entity.bytes, entity.entity))
    user = manifest.get("user")
    return Difference(manifest["agent"], user["id"] if user else None, manifest["load"], entities)


def _of_entity(
    store: Store, manifest: Manifest, name: tuple[str, bool], parts: Sequence[Part], dropped: int, keys: int
) -> EntityDifference:
    whole = [part for part in parts if part.why]
    changed = [part for part in parts if not part.why]
    put: Collection[str] = ()
    removed: Collection[str] = ()
    more = 0
    if parts:
        key = manifest["entities"][name[0]]["key"]
        put, removed = _replay(store, key, parts if keys else changed)
        if removed and whole and not keys:
            # What one bucket loses another may have got, among them one that comes whole.
            put, removed = _replay(store, key, parts)
        elif not keys:
            more = sum(part.bucket.listed["rows"] for part in whole)
    return EntityDifference(
        *name,
        put=len(put) + more,
        removed=len(removed),
        bytes=sum(listed["bytes"] for part in parts for listed in part.objects),
        objects=sum(len(part.objects) for part in parts),
        by_changes=len(changed),
        by_base=len(whole),
        dropped=dropped,
        reasons=sorted({part.why for part in whole if part.why}),
        put_keys=sorted(put)[:keys],
        removed_keys=sorted(removed)[:keys],
    )


def _replay(store: Store, key: str, parts: Sequence[Part]) -> tuple[set[str], set[str]]:
    """The keys that are put and those removed in the end, in the order of a sync: by load, removals first."""
    steps: dict[int, list[tuple[int, set[str], set[str]]]] = {}
    for part in parts:
        number = part.bucket.listed["id"]
        if part.why:
            base = part.bucket.listed["base"]
            rows = set().union(*(_keys(store, listed, key)[1] for listed in base["objects"]))
            steps.setdefault(base["load"], []).append((number, set(), rows))
        for change in part.changes:
            steps.setdefault(change["load"], []).append((number, *_keys(store, change, key)))
    return _outcome(steps, {part.bucket.listed["id"] for part in parts if part.why})


def _outcome(steps: dict[int, list[tuple[int, set[str], set[str]]]], whole: set[int]) -> tuple[set[str], set[str]]:
    # The bucket that each row ends in; None where it is removed.
    place: dict[str, int | None] = {}
    never_there: set[str] = set()
    for load in sorted(steps):
        for number, gone, _ in steps[load]:
            place |= {key: None for key in gone if place.get(key, number) == number}
        for number, _, rows in steps[load]:
            if number in whole:
                never_there |= rows - place.keys()
            place |= dict.fromkeys(rows, number)
    put = {key for key, number in place.items() if number is not None}
    return put, place.keys() - put - never_there


def _keys(store: Store, listed: dict[str, Any], key: str) -> tuple[set[str], set[str]]:
    """The keys that an object removes, and those it puts."""
    rows = read_rows(store.read_object(listed["sha256"]))
    header = next(rows)
    place = header.index(key)
    if header[0] != "_removed":
        return set(), {str(row[place]) for row in rows}
    found: tuple[set[str], set[str]] = (set(), set())
    for row in rows:
        found[row[0] == "0"].add(str(row[place]))
    return found
