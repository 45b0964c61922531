"""The reference client: one agent's data from the sync store into a SQLite file, each object
verified.

It reads only what docs/sync-format.md describes, and nothing of Kimo's database. What a store's
documents say is documents.py's, fetching parts.py's, an object's rows rows.py's, the file
replica.py's; the order of a sync is here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kimo_assets.errors import StoreError
from kimo_assets.sync.client.downloads import OnProgress, Parts
from kimo_assets.sync.client.replica import BucketTable, Replica, Rows, opened
from kimo_assets.sync.store.documents import (
    Base,
    Bucket,
    Change,
    Entity,
    ListedObject,
    Manifest,
    Settings,
    read_checked_manifest,
    read_manifest,
    read_settings,
    read_store_id,
)
from kimo_assets.sync.store.rows import read_rows, stream_rows
from kimo_assets.sync.store.store import Store

__all__ = ["SyncResult", "read_manifest", "read_rows", "sync_agent"]

_SETTINGS = "settings_"


@dataclass(frozen=True)
class SyncResult:
    """What one sync did. bytes_downloaded: of objects, manifest and settings; rows: of all
    entities, after it.

    bases, changes: buckets taken whole, and changes applied to others. rows_removed: those of
    replaced bases too.
    """

    agent: str
    user: str | None
    load: int
    entities: int
    entities_changed: int
    rows: int
    objects_downloaded: int
    bytes_downloaded: int
    rows_put: int
    rows_removed: int
    bases: int
    changes: int


@dataclass(frozen=True)
class _Way:
    """What brings a table to the manifest's state. steps: of each bucket that differs, the base and
    the changes.

    is_new: nothing of what the file has of the table stays.
    """

    table: BucketTable
    rows: int
    is_new: bool
    gone: list[int]
    steps: list[tuple[Bucket, Base | None, list[Change]]]

    @property
    def is_there(self) -> bool:
        return not (self.is_new or self.gone or self.steps)

    def objects(self) -> Iterator[ListedObject]:
        for _, base, changes in self.steps:
            yield from base.objects if base else ()
            yield from changes


def sync_agent(
    store_url: str,
    agent: str,
    target: Path,
    *,
    user: str | None = None,
    on_progress: OnProgress = lambda what, done, total: None,
) -> SyncResult:
    """Brings the file to the manifest's state, in one SQLite transaction after everything is
    fetched.

    Raises: StoreError for whatever is wrong with store or file; the file then stays as it was.
    """
    store = Store(store_url.rstrip("/"))
    store_id, mark_bytes = read_store_id(store)
    manifest, manifest_bytes = read_checked_manifest(store, agent, user)
    settings, settings_bytes = read_settings(store)
    for named, document in (("manifest", manifest), ("settings", settings)):
        if document and document.store != store_id:
            raise StoreError(
                f"{store.url}: its {named} is of another store: {document.store}, not {store_id}."
            )
    parts = Parts(store, target.with_name(f"{target.name}.part"))
    with opened(target, store=store_id, agent=agent, user=user) as replica:
        sync = _Sync(store, manifest, settings, replica, parts, on_progress)
        entities_changed = sync.run()
    parts.remove()
    return SyncResult(
        agent=agent,
        user=user,
        load=manifest.load,
        entities=len(manifest.entities),
        entities_changed=entities_changed,
        rows=sum(bucket.rows for entity in manifest.entities.values() for bucket in entity.buckets),
        objects_downloaded=parts.downloaded,
        bytes_downloaded=parts.downloaded_bytes + mark_bytes + manifest_bytes + settings_bytes,
        rows_put=replica.rows_put,
        rows_removed=replica.rows_removed,
        bases=sync.bases,
        changes=sync.changes,
    )


def _tables(name: str, entity: Entity) -> tuple[BucketTable, BucketTable | None]:
    """The entity's table, and that of its private columns if it has any."""
    if entity.private is None:
        return BucketTable(name, entity.key, entity.columns, list(entity.columns)), None
    hidden = set(entity.private.columns) - {entity.key}
    private = {
        column: kind for column, kind in entity.columns.items() if column in entity.private.columns
    }
    return (
        BucketTable(
            name,
            entity.key,
            entity.columns,
            [column for column in entity.columns if column not in hidden],
        ),
        BucketTable(f"_private_{name}", entity.key, private, list(private)),
    )


class _Sync:
    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        settings: Settings | None,
        replica: Replica,
        parts: Parts,
        on_progress: OnProgress,
    ) -> None:
        self._store = store
        self._entities = manifest.entities
        self._load = manifest.load
        self._settings = {
            f"{_SETTINGS}{name}": table
            for name, table in (settings.entities if settings else {}).items()
        }
        self._replica = replica
        self._parts = parts
        self._on_progress = on_progress
        self._written = self._to_write = 0
        self.bases = self.changes = 0

    def run(self) -> int:
        """Returns how many entities changed."""
        ways = {name: self._ways(name, entity) for name, entity in self._entities.items()}
        settings = [
            name
            for name, table in self._settings.items()
            if not self._replica.has_settings(name, table)
        ]
        needed = [
            listed for of_entity in ways.values() for way in of_entity for listed in way.objects()
        ]
        needed += [listed for name in settings for listed in self._settings[name].objects]
        self._parts.fetch(needed, self._on_progress)
        self._to_write = sum(listed.bytes for listed in needed)

        kept = {way.table.name for of_entity in ways.values() for way in of_entity}
        dropped = self._replica.drop_all_but([*kept, *self._settings])
        changed = [
            name for name, of_entity in ways.items() if not all(way.is_there for way in of_entity)
        ]
        for name in changed:
            self._go(ways[name])
        for name in settings:
            self._replace_settings(name)
        self._replica.note_load(self._load)
        return len(changed) + sum(not name.startswith((_SETTINGS, "_private_")) for name in dropped)

    def _ways(self, name: str, entity: Entity) -> list[_Way]:
        table, private = _tables(name, entity)
        ways = [self._way(table, entity.buckets)]
        if private and entity.private:
            ways.append(self._way(private, entity.private.buckets))
        return ways

    def _way(self, table: BucketTable, buckets: list[Bucket]) -> _Way:
        states = self._replica.states(table)
        have = states or {}
        gone = sorted(have.keys() - {bucket.id for bucket in buckets})
        others = [bucket for bucket in buckets if have.get(bucket.id) != bucket.state]
        steps = [(bucket, *bucket.way_from(have.get(bucket.id))) for bucket in others]
        none_stays = (
            bool(steps) and len(steps) == len(buckets) and all(base for _, base, _ in steps)
        )
        return _Way(
            table, sum(bucket.rows for bucket in buckets), states is None or none_stays, gone, steps
        )

    def _go(self, ways: list[_Way]) -> None:
        for way in ways:
            self._bring(way)
        if len(ways) == 2:
            self._replica.complete(ways[0].table, ways[1].table)

    def _bring(self, way: _Way) -> None:
        """A bucket's rows are its own, so that buckets can be taken one after another."""
        replica, table = self._replica, way.table
        if way.is_new:
            replica.make(table)
        replica.remove_buckets(
            table, [*way.gone, *(bucket.id for bucket, base, _ in way.steps if base)]
        )
        for bucket, base, changes in way.steps:
            for listed in base.objects if base else ():
                self._apply(table.name, listed, partial(replica.put, table, bucket.id))
            for change in changes:
                self._apply(table.name, change, partial(replica.change, table, bucket.id))
            replica.note_state(table, bucket.id, bucket.state)
            self.bases += base is not None
            self.changes += len(changes)
        if not way.is_there:
            replica.require_rows(table, way.rows)

    def _replace_settings(self, name: str) -> None:
        table = self._settings[name]
        self._replica.make_settings(name, table)
        for listed in table.objects:
            self._apply(name, listed, partial(self._replica.put_settings, name, table))

    def _apply(self, name: str, listed: ListedObject, put: Callable[[Rows], int]) -> None:
        with self._parts.path(listed.sha256).open("rb") as stream, self._blamed(name, listed):
            count = put(stream_rows(stream))
            if count != listed.rows:
                raise StoreError(f"it has {count} rows, its manifest says {listed.rows}")
        self._written += listed.bytes
        self._on_progress("write", self._written, self._to_write)

    @contextmanager
    def _blamed(self, name: str, listed: ListedObject) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            raise StoreError(
                f"{self._store.url}: {name}: the object {listed.sha256} is not as the format says:"
                f" {error}. Prepare the payloads again: step 3."
            ) from None
