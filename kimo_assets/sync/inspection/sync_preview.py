"""What the next sync of a tablet brings.

It is found as a client finds it: by the states that the tablet has and the manifest's changes. The
states come from the reference client's file, or are those that a sync after a given load left.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from psycopg import Connection

from kimo_assets.database.queries import loads_of_step
from kimo_assets.errors import ConfigError
from kimo_assets.sync.store.rows import read_rows
from kimo_assets.sync.store.store import Store
from kimo_assets.sync.store.stored_manifests import Bucket, Manifest, buckets
from kimo_assets.texts import say

# An entity, and whether its private columns are meant.
Name = tuple[str, bool]
# (entity, whether private, bucket) -> the state that the client has of the bucket.
States = dict[tuple[str, bool, int], str]

_PRIVATE = "_private_"


@dataclass(frozen=True)
class BucketFetch:
    """The objects that are fetched for a bucket.

    reason: why the whole base is fetched. None: the changes suffice.
    """

    bucket: Bucket
    changes: list[dict[str, Any]]
    reason: str | None = None

    @property
    def is_whole(self) -> bool:
        return self.reason is not None

    @property
    def bucket_id(self) -> int:
        return int(self.bucket.listed["id"])

    @property
    def objects(self) -> list[dict[str, Any]]:
        if not self.is_whole:
            return self.changes
        return [*self.bucket.listed["base"]["objects"], *self.changes]


@dataclass(frozen=True)
class EntityDifference:
    """What the next sync does to an entity.

    put: rows that are new or have new values. removed: rows that go, as far as the objects tell.
    by_changes, by_base, dropped: buckets that change, are fetched whole (for these reasons), or are
    no longer the agent's.
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
    """entities: those with any row or bucket that comes or goes, the most bytes first."""

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
        """The document of `--json`, as docs/cli.md describes it."""
        return {
            "agent": self.agent,
            "user": self.user,
            "load": self.load,
            "bytes": self.bytes,
            "objects": self.objects,
            "entities": [vars(entity) for entity in self.entities],
        }


# --- the tablet


@dataclass(frozen=True)
class Tablet:
    """The content of a file of the reference client.

    path: None, nothing yet. tables: the signature of each, see `_signature`.
    """

    path: Path | None
    states: States
    tables: dict[Name, Any]

    def keys(self, name: Name, bucket: int, key: str) -> set[str]:
        """The keys of the rows that it has of a bucket."""
        if self.path is None:
            return set()
        query = f'SELECT "{key}" FROM "{_table(name)}" WHERE _bucket = ?'
        with _open_read_only(self.path) as file:
            return {str(value) for (value,) in file.execute(query, [bucket])}


def read_tablet(path: Path, manifest: Manifest) -> Tablet:
    """The content of a tablet's file. A missing file is a tablet that has never synced.

    Raises: ConfigError for a file that the reference client did not make, or that belongs to
    another agent, user or store than the manifest.
    """
    if not path.exists():
        return Tablet(None, {}, {})
    try:
        with _open_read_only(path) as file:
            owner = file.execute("SELECT agent, user, store FROM _kimo_file").fetchone()
            states = file.execute("SELECT name, bucket, state FROM _kimo_bucket").fetchall()
            tables = file.execute("SELECT name, signature FROM _kimo_table").fetchall()
    except sqlite3.DatabaseError as error:
        raise ConfigError(say("sync.not_a_tablet", file=path, error=error)) from None
    agent, user, store = owner
    if (agent, user, store) != (manifest["agent"], _user_of(manifest), manifest["store"]):
        raise ConfigError(
            say("sync.tablet_of_other_owner", file=path, agent=agent, user=user, store=store)
        )
    signatures = {
        _name(table): orjson.loads(signature)
        for table, signature in tables
        # Settings have no buckets. They are always fetched whole.
        if not table.startswith("settings_")
    }
    return Tablet(
        path, {(*_name(table), bucket): state for table, bucket, state in states}, signatures
    )


def _user_of(manifest: Manifest) -> str | None:
    user = manifest.get("user")
    return user["id"] if user else None


@contextmanager
def _open_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    # Read-only: a look must neither make an empty file nor keep a sync out.
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
        yield file


def _table(name: Name) -> str:
    entity, is_private = name
    return f"{_PRIVATE}{entity}" if is_private else entity


def _name(table: str) -> Name:
    return table.removeprefix(_PRIVATE), table.startswith(_PRIVATE)


def _signature(manifest: Manifest, name: Name) -> list[Any]:
    """Key, columns, and those that objects fill: BucketTable.signature of the reference client."""
    entity, is_private = name
    description = manifest["entities"][entity]
    key, columns = description["key"], description["columns"]
    private_names = set(description.get("private", {}).get("columns", ()))
    if is_private:
        private = {column: kind for column, kind in columns.items() if column in private_names}
        return [key, private, list(private)]
    public = [column for column in columns if column == key or column not in private_names]
    return [key, columns, public]


def publications(connection: Connection[Any]) -> list[int]:
    """The loads with a step 3, ascending. Tablets may have synced after each of them."""
    return loads_of_step(connection, 3)


def before_last(manifest: Manifest, published: Iterable[int]) -> int:
    """The publication before the one that last changed anything. 0: there was none."""
    return max((load for load in published if load < manifest["load"]), default=0)


# --- the objects to fetch


def fetches_for(manifest: Manifest, tablet: Tablet) -> list[BucketFetch]:
    """What the client fetches for this file."""
    fetches = []
    for bucket in buckets(manifest):
        signature = tablet.tables.get(bucket.name)
        if signature is not None and signature != _signature(manifest, bucket.name):
            reason = say("sync.fetch_other_columns")
            fetches.append(BucketFetch(bucket, bucket.changes_above_base, reason))
            continue
        state = tablet.states.get((*bucket.name, bucket.listed["id"]))
        fetch = _fetch_from(bucket, state, _reason_for_base(bucket, tablet, state))
        if fetch:
            fetches.append(fetch)
    return fetches


def _reason_for_base(bucket: Bucket, tablet: Tablet, state: str | None) -> str:
    """Why this file needs the bucket's base, if no change begins at its state."""
    if state is not None:
        loads = [change["load"] for change in bucket.listed["changes"]]
        first_load = min(loads, default=bucket.listed["base"]["load"])
        return say("sync.fetch_too_far_behind", load=first_load)
    if tablet.states:
        return say("sync.fetch_new_bucket")
    return say("sync.fetch_first_sync")


def fetches_since(manifest: Manifest, load: int, published: Iterable[int]) -> list[BucketFetch]:
    """What a client fetches that has synced after a load.

    load: 0, it never has. published: see `publications`.
    """
    loads = sorted(published)
    reason = say("sync.fetch_rewritten") if load else say("sync.fetch_first_sync")
    fetches = []
    for bucket in buckets(manifest):
        fetch = _fetch_from(bucket, _state_after(bucket, load, loads), reason)
        if fetch:
            fetches.append(fetch)
    return fetches


def _state_after(bucket: Bucket, load: int, published: Sequence[int]) -> str | None:
    """The bucket's state after a load, as far as the manifest tells. None: it had none, or unknown.

    Before its first listed change a bucket was in the state where that change begins, unless
    something was published in between.
    """
    base, changes = bucket.listed["base"], bucket.listed["changes"]
    later = [change for change in changes if change["load"] > load]
    existed = base["load"] <= load or len(later) < len(changes)
    if not later:
        return str(bucket.listed["state"]) if existed else None
    first_load = later[0]["load"]
    published_between = any(load < between < first_load for between in published)
    is_deduced = first_load <= base["load"] and load > 0 and not published_between
    return str(later[0]["from"]) if existed or is_deduced else None


def _fetch_from(bucket: Bucket, state: str | None, reason: str) -> BucketFetch | None:
    """None: the client has the bucket's state. reason: why it takes the base, if it has to."""
    if state == bucket.listed["state"]:
        return None
    changes = bucket.listed["changes"]
    for position, change in enumerate(changes):
        if change["from"] == state:
            return BucketFetch(bucket, changes[position:])
    return BucketFetch(bucket, bucket.changes_above_base, reason)


# --- the rows that come and go


def difference(
    store: Store,
    manifest: Manifest,
    fetches: Sequence[BucketFetch],
    *,
    tablet: Tablet | None = None,
    keys: int = 0,
) -> Difference:
    """Reads the changes that would be fetched, and compares them with the tablet.

    Bases are read only where rows may go by them, or keys are asked for. tablet: if there is one.
    keys: how many keys of each entity to name.
    """
    dropped = _dropped_buckets(manifest, tablet)
    names = dict.fromkeys([*dropped, *(fetch.bucket.name for fetch in fetches)])
    entities = []
    for name in names:
        replay = _Replay(store, tablet, name, _key(manifest, tablet, name))
        of_entity = [fetch for fetch in fetches if fetch.bucket.name == name]
        entities.append(_entity_difference(replay, of_entity, dropped.get(name, []), keys))
    entities.sort(key=lambda entity: (-entity.bytes, entity.entity))
    return Difference(manifest["agent"], _user_of(manifest), manifest["load"], entities)


def _dropped_buckets(manifest: Manifest, tablet: Tablet | None) -> dict[Name, list[int]]:
    """The buckets that the tablet has and the manifest no longer lists."""
    listed = {(*bucket.name, bucket.listed["id"]) for bucket in buckets(manifest)}
    dropped: dict[Name, list[int]] = {}
    for entity, is_private, number in tablet.states if tablet else ():
        if (entity, is_private, number) not in listed:
            dropped.setdefault((entity, is_private), []).append(number)
    return dropped


def _key(manifest: Manifest, tablet: Tablet | None, name: Name) -> str:
    """The key's column. Of an entity that is no longer listed the tablet has it."""
    entity, _ = name
    description = manifest["entities"].get(entity)
    if description or not tablet:
        return str(description["key"])
    # A signature begins with the key (see _signature).
    return str(tablet.tables[name][0])


def _entity_difference(
    replay: "_Replay", fetches: Sequence[BucketFetch], dropped: Sequence[int], keys: int
) -> EntityDifference:
    """What the fetches do to the rows of one entity."""
    whole = [fetch for fetch in fetches if fetch.is_whole]
    changed = [fetch for fetch in fetches if not fetch.is_whole]
    put_count = 0
    if keys:
        put, removed = replay.run(fetches, dropped)
    else:
        # Without reading the bases, which are most of the bytes.
        emptied = [*dropped, *(fetch.bucket_id for fetch in whole)]
        put, removed = replay.run(changed, emptied)
        if removed and whole:
            # Another bucket may have got what one loses, also one that is fetched whole.
            put, removed = replay.run(fetches, dropped)
        else:
            put_count = sum(fetch.bucket.listed["rows"] for fetch in whole)
    objects = [listed for fetch in fetches for listed in fetch.objects]
    return EntityDifference(
        *replay.name,
        put=len(put) + put_count,
        removed=len(removed),
        bytes=sum(listed["bytes"] for listed in objects),
        objects=len(objects),
        by_changes=len(changed),
        by_base=len(whole),
        dropped=len(dropped),
        reasons=sorted({fetch.reason for fetch in whole if fetch.reason}),
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

    def run(
        self, fetches: Sequence[BucketFetch], emptied: Sequence[int]
    ) -> tuple[set[str], set[str]]:
        """The keys that are put and those removed in the end.

        emptied: buckets that lose all rows before anything else.
        """
        steps: _Steps = {}
        whole = {fetch.bucket_id for fetch in fetches if fetch.is_whole}
        for number in sorted({*emptied, *whole}):
            steps.setdefault(0, []).append((number, self._tablet_keys(number), set()))
        for fetch in fetches:
            number = fetch.bucket_id
            if fetch.is_whole:
                base = fetch.bucket.listed["base"]
                rows: set[str] = set()
                for listed in base["objects"]:
                    rows |= self._object_keys(listed)[1]
                steps.setdefault(base["load"], []).append((number, set(), rows))
            for change in fetch.changes:
                steps.setdefault(change["load"], []).append((number, *self._object_keys(change)))
        return _outcome(steps, whole)

    def _tablet_keys(self, bucket: int) -> set[str]:
        if self.tablet is None or (*self.name, bucket) not in self.tablet.states:
            return set()
        return self.tablet.keys(self.name, bucket, self.key)

    def _object_keys(self, listed: dict[str, Any]) -> tuple[set[str], set[str]]:
        """The keys that an object removes, and those it puts."""
        # Only the keys are kept: an object may hold megabytes of texts.
        rows = read_rows(self.store.read_object(listed["sha256"]))
        header = next(rows)
        position = header.index(self.key)
        is_change = header[0] == "_removed"
        removed: set[str] = set()
        put: set[str] = set()
        for row in rows:
            is_removed = is_change and row[0] != "0"
            keys = removed if is_removed else put
            keys.add(str(row[position]))
        return removed, put


def _outcome(steps: _Steps, whole: set[int]) -> tuple[set[str], set[str]]:
    """The keys that are put and those removed in the end, of steps in the order of their loads.

    Rows that a whole bucket brings and a later change removes never were on the tablet.
    """
    # key -> the bucket in which its row ends. None: it is removed.
    final_buckets: dict[str, int | None] = {}
    never_stored: set[str] = set()
    for load in sorted(steps):
        # Removals first: one load may take a row out of a bucket and put it into another one.
        for _, removed, _ in steps[load]:
            final_buckets |= dict.fromkeys(removed)
        for number, _, rows in steps[load]:
            if number in whole:
                never_stored |= rows - final_buckets.keys()
            final_buckets |= dict.fromkeys(rows, number)
    put = {key for key, number in final_buckets.items() if number is not None}
    return put, final_buckets.keys() - put - never_stored
