"""What the next sync of a tablet brings, found out as a client would: by the states it has and the
manifest's changes.

The tablet's states come from the reference client's file, or are those that a sync after a given
load left.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from psycopg import Connection

from kimo_assets.errors import ConfigError
from kimo_assets.sync.store.rows import read_rows
from kimo_assets.sync.store.store import Store
from kimo_assets.sync.store.stored_manifests import Bucket, Manifest, buckets

# An entity, and whether it is about its private columns; with a bucket's number: the state that the
# client has of it.
Name = tuple[str, bool]
States = dict[tuple[str, bool, int], str]

_PRIVATE = "_private_"
_FIRST = "first sync"
_NEW = "a bucket new for this agent"
_COLUMNS = "other columns than at the last sync"
_SINCE = "new or written anew since, as small ones always are"


@dataclass(frozen=True)
class Part:
    """What is fetched for a bucket. why: the reason why the whole base is; None when the changes
    do.
    """

    bucket: Bucket
    changes: list[dict[str, Any]]
    why: str | None = None

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [*(self.bucket.listed["base"]["objects"] if self.why else ()), *self.changes]


@dataclass(frozen=True)
class EntityDifference:
    """put: rows that come new or with new values; removed: those that go, as far as the objects
    tell.

    by_changes, by_base, dropped: how many buckets change, are fetched whole (reasons: why), are no
    longer the agent's.
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


# --- what a tablet has
# -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tablet:
    """What a file of the reference client has. path None: nothing yet. tables: what each was made
    for, see `_made_for`.
    """

    path: Path | None
    states: States
    tables: dict[Name, Any]

    def keys(self, name: Name, bucket: int, key: str) -> set[str]:
        """The rows that it has of a bucket."""
        if self.path is None:
            return set()
        with _reading(self.path) as file:
            query = f'SELECT "{key}" FROM "{_table(name)}" WHERE _bucket = ?'
            return {str(value) for (value,) in file.execute(query, [bucket])}


def read_tablet(path: Path, manifest: Manifest) -> Tablet:
    """Raises: ConfigError for a file that is none of the reference client's, or another's than the
    manifest's.
    """
    if not path.exists():
        return Tablet(None, {}, {})
    try:
        with _reading(path) as file:
            owner = file.execute("SELECT agent, user, store FROM _kimo_file").fetchone()
            buckets_there = file.execute("SELECT name, bucket, state FROM _kimo_bucket").fetchall()
            tables = file.execute("SELECT name, signature FROM _kimo_table").fetchall()
    except sqlite3.DatabaseError as error:
        raise ConfigError(
            f"--to: {path} is no file of `kimo agent`: {error}. Name the one that it has made."
        ) from None
    user = manifest.get("user")
    if owner != (manifest["agent"], user["id"] if user else None, manifest["store"]):
        raise ConfigError(
            f"--to: {path} holds other data: of agent '{owner[0]}', user {owner[1]}, store"
            f" {owner[2]}."
        )
    return Tablet(
        path,
        {(*_name(table), bucket): state for table, bucket, state in buckets_there},
        {
            _name(table): orjson.loads(signature)
            for table, signature in tables
            if not table.startswith("settings_")
        },
    )


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
        yield file


def _table(name: Name) -> str:
    entity, is_private = name
    return f"{_PRIVATE}{entity}" if is_private else entity


def _name(table: str) -> Name:
    return table.removeprefix(_PRIVATE), table.startswith(_PRIVATE)


def _made_for(manifest: Manifest, name: Name) -> list[Any]:
    """Key, columns and those of them that objects fill, as the reference client notes of its
    tables.
    """
    entity, is_private = name
    about = manifest["entities"][entity]
    key, columns = about["key"], about["columns"]
    hidden = set(about.get("private", {}).get("columns", ()))
    if is_private:
        private = {column: kind for column, kind in columns.items() if column in hidden}
        return [key, private, list(private)]
    return [key, columns, [column for column in columns if column == key or column not in hidden]]


def publications(connection: Connection) -> list[int]:
    """The loads that did step 3, ascending: after each of them tablets may have synced."""
    rows = connection.execute(
        "SELECT DISTINCT load FROM ops.step_result WHERE step = 3 ORDER BY load"
    )
    return [load for (load,) in rows]


def before_last(manifest: Manifest, published: Iterable[int]) -> int:
    """The publication before the one that last changed anything; 0 when there was none."""
    return max((load for load in published if load < manifest["load"]), default=0)


# --- what comes
# --------------------------------------------------------------------------------------------------


def parts_for(manifest: Manifest, tablet: Tablet) -> list[Part]:
    """What the client fetches for this file."""

    def part(bucket: Bucket) -> Part | None:
        made_for = tablet.tables.get(bucket.name)
        if made_for is not None and made_for != _made_for(manifest, bucket.name):
            return Part(bucket, bucket.changes_above_base, _COLUMNS)
        state = tablet.states.get((*bucket.name, bucket.listed["id"]))
        return _part(
            bucket,
            state,
            (_NEW if tablet.states else _FIRST) if state is None else _too_far_behind(bucket),
        )

    return list(filter(None, map(part, buckets(manifest))))


def _too_far_behind(bucket: Bucket) -> str:
    first = min(
        (change["load"] for change in bucket.listed["changes"]),
        default=bucket.listed["base"]["load"],
    )
    return f"the tablet is too far behind: changes are listed from load {first} on"


def parts_since(manifest: Manifest, load: int, published: Iterable[int]) -> list[Part]:
    """What a client fetches that has synced after load `load` (0: never). published: see
    `publications`.
    """
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
    # Before its first listed change a bucket was as that change found it, unless something was
    # published in between.
    is_told = (
        first <= base["load"]
        and load > 0
        and not any(load < between < first for between in published)
    )
    return str(later[0]["from"]) if was_there or is_told else None


def _part(bucket: Bucket, state: str | None, why: str) -> Part | None:
    if state == bucket.listed["state"]:
        return None
    changes = bucket.listed["changes"]
    for position, change in enumerate(changes):
        if change["from"] == state:
            return Part(bucket, changes[position:])
    return Part(bucket, bucket.changes_above_base, why)


# --- what that means for the rows
# --------------------------------------------------------------------------------


def difference(
    store: Store,
    manifest: Manifest,
    parts: Sequence[Part],
    *,
    tablet: Tablet | None = None,
    keys: int = 0,
) -> Difference:
    """Reads the changes that would be fetched, and bases where rows may go by them or somebody
    wants to see keys.

    tablet: where it is known. keys: how many of each entity to name.
    """
    listed = {(*bucket.name, bucket.listed["id"]) for bucket in buckets(manifest)}
    dropped = [
        (entity, is_private, number)
        for entity, is_private, number in (tablet.states if tablet else ())
        if (entity, is_private, number) not in listed
    ]
    names = dict.fromkeys(
        [
            *((entity, is_private) for entity, is_private, _ in dropped),
            *(p.bucket.name for p in parts),
        ]
    )
    entities = [
        _of_entity(
            _Replay(store, tablet, name, _key(manifest, tablet, name)),
            [part for part in parts if part.bucket.name == name],
            [number for *of, number in dropped if tuple(of) == name],
            keys,
        )
        for name in names
    ]
    entities.sort(key=lambda entity: (-entity.bytes, entity.entity))
    user = manifest.get("user")
    return Difference(manifest["agent"], user["id"] if user else None, manifest["load"], entities)


def _key(manifest: Manifest, tablet: Tablet | None, name: Name) -> str:
    """The key's column; of an entity that is no longer listed the tablet knows it."""
    about = manifest["entities"].get(name[0])
    return str(about["key"] if about or not tablet else tablet.tables[name][0])


def _of_entity(
    replay: "_Replay", parts: Sequence[Part], dropped: Sequence[int], keys: int
) -> EntityDifference:
    whole = [part for part in parts if part.why]
    changed = [part for part in parts if not part.why]
    put, removed = replay.run(
        parts if keys else changed, [*dropped, *(part.bucket.listed["id"] for part in whole)]
    )
    more = 0
    if removed and whole and not keys:
        # What one bucket loses another may have got, among them one that comes whole.
        put, removed = replay.run(parts, dropped)
    elif not keys:
        more = sum(part.bucket.listed["rows"] for part in whole)
    return EntityDifference(
        *replay.name,
        put=len(put) + more,
        removed=len(removed),
        bytes=sum(listed["bytes"] for part in parts for listed in part.objects),
        objects=sum(len(part.objects) for part in parts),
        by_changes=len(changed),
        by_base=len(whole),
        dropped=len(dropped),
        reasons=sorted({part.why for part in whole if part.why}),
        put_keys=sorted(put)[:keys],
        removed_keys=sorted(removed)[:keys],
    )


# load -> (bucket, keys removed, keys put) of each object.
_Steps = dict[int, list[tuple[int, set[str], set[str]]]]


@dataclass(frozen=True)
class _Replay:
    """A sync of one entity without its values."""

    store: Store
    tablet: Tablet | None
    name: Name
    key: str

    def run(self, parts: Sequence[Part], emptied: Sequence[int]) -> tuple[set[str], set[str]]:
        """The keys that are put and those removed in the end. emptied: buckets that lose all rows
        before anything else.
        """
        steps: _Steps = {}
        whole = {part.bucket.listed["id"] for part in parts if part.why}
        for number in sorted({*emptied, *whole}):
            steps.setdefault(0, []).append((number, self._held(number), set()))
        for part in parts:
            number = part.bucket.listed["id"]
            if part.why:
                base = part.bucket.listed["base"]
                rows = set().union(*(self._keys(listed)[1] for listed in base["objects"]))
                steps.setdefault(base["load"], []).append((number, set(), rows))
            for change in part.changes:
                steps.setdefault(change["load"], []).append((number, *self._keys(change)))
        return _outcome(steps, whole)

    def _held(self, bucket: int) -> set[str]:
        if self.tablet is None or (*self.name, bucket) not in self.tablet.states:
            return set()
        return self.tablet.keys(self.name, bucket, self.key)

    def _keys(self, listed: dict[str, Any]) -> tuple[set[str], set[str]]:
        """The keys that an object removes, and those it puts."""
        rows = read_rows(self.store.read_object(listed["sha256"]))
        header = next(rows)
        place = header.index(self.key)
        if header[0] != "_removed":
            return set(), {str(row[place]) for row in rows}
        found: tuple[set[str], set[str]] = (set(), set())
        for row in rows:
            found[row[0] == "0"].add(str(row[place]))
        return found


def _outcome(steps: _Steps, whole: set[int]) -> tuple[set[str], set[str]]:
    # The bucket that each row ends in; None where it is removed.
    place: dict[str, int | None] = {}
    never_there: set[str] = set()
    for load in sorted(steps):
        for _, gone, _ in steps[load]:
            place |= dict.fromkeys(gone)
        for number, _, rows in steps[load]:
            if number in whole:
                never_there |= rows - place.keys()
            place |= dict.fromkeys(rows, number)
    put = {key for key, number in place.items() if number is not None}
    return put, place.keys() - put - never_there
