"""The reference client: one agent's data from the sync store into a SQLite file.

It reads only what docs/sync-format.md describes, and nothing of Kimo's database. Here is the order
of a sync. Reading the store's documents and rows is in `sync/store`, downloading in downloads.py,
the SQLite file in replica.py.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kimo_assets.errors import StoreError
from kimo_assets.sync.client.downloads import Downloads, OnProgress
from kimo_assets.sync.client.replica import BucketTable, Replica, Rows, open_replica
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
from kimo_assets.texts import say

__all__ = ["SyncReport", "read_manifest", "read_rows", "sync_agent"]

# No entity has a name with one of these prefixes, so the tables of a file never clash.
_SETTINGS = "settings_"
_PRIVATE = "_private_"


@dataclass(frozen=True)
class SyncReport:
    """What one sync did.

    rows: of all entities, afterwards. bytes_downloaded: of objects, manifest and settings.
    rows_removed: rows of replaced bases included. bases: buckets taken whole. changes: changes
    applied to other buckets.
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
class _BucketUpdate:
    """The objects that bring one bucket to the manifest's state: changes, after a base if any."""

    bucket: Bucket
    base: Base | None
    changes: list[Change]

    def objects(self) -> Iterator[ListedObject]:
        if self.base:
            yield from self.base.objects
        yield from self.changes


@dataclass(frozen=True)
class _TableUpdate:
    """What brings a table to the manifest's state.

    rows: how many it then has. is_new: nothing that the file has of the table stays.
    dropped_buckets: numbers of buckets that the manifest no longer lists.
    """

    table: BucketTable
    rows: int
    is_new: bool
    dropped_buckets: list[int]
    bucket_updates: list[_BucketUpdate]

    @property
    def is_empty(self) -> bool:
        return not (self.is_new or self.dropped_buckets or self.bucket_updates)

    def objects(self) -> Iterator[ListedObject]:
        for update in self.bucket_updates:
            yield from update.objects()


def _no_progress(phase: str, done_bytes: int, total_bytes: int) -> None:
    """Where nobody watches."""


def sync_agent(
    store_url: str,
    agent: str,
    target: Path,
    *,
    user: str | None = None,
    on_progress: OnProgress = _no_progress,
) -> SyncReport:
    """Brings the file to the manifest's state, in one SQLite transaction after all downloads.

    Raises: StoreError when the store or the file is not usable. The file is then unchanged.
    """
    # With a slash at its end an address would get two of them, and a web server finds nothing
    # there.
    store = Store(store_url.rstrip("/"))
    store_id, marker_bytes = read_store_id(store)
    manifest, manifest_bytes = read_checked_manifest(store, agent, user)
    settings, settings_bytes = read_settings(store)
    _require_same_store(store, store_id, manifest, settings)
    # Beside the file, so that the next sync into the same file finds what this one fetched.
    downloads = Downloads(store, target.with_name(f"{target.name}.part"))
    with open_replica(target, store=store_id, agent=agent, user=user) as replica:
        sync = _Sync(store, manifest, settings, replica, downloads, on_progress)
        entities_changed = sync.run()
    # Only after the commit: a sync that failed continues with these objects.
    downloads.remove()
    document_bytes = marker_bytes + manifest_bytes + settings_bytes
    buckets = (bucket for entity in manifest.entities.values() for bucket in entity.buckets)
    return SyncReport(
        agent=agent,
        user=user,
        load=manifest.load,
        entities=len(manifest.entities),
        entities_changed=entities_changed,
        rows=sum(bucket.rows for bucket in buckets),
        objects_downloaded=downloads.downloaded,
        bytes_downloaded=downloads.downloaded_bytes + document_bytes,
        rows_put=replica.rows_put,
        rows_removed=replica.rows_removed,
        bases=sync.bases,
        changes=sync.changes,
    )


def _require_same_store(
    store: Store, store_id: str, manifest: Manifest, settings: Settings | None
) -> None:
    """A store that was restored over another one may hold documents of both."""
    documents: dict[str, Manifest | Settings | None] = {"manifest": manifest, "settings": settings}
    for name, document in documents.items():
        if document and document.store != store_id:
            raise StoreError(
                say(
                    "sync.wrong_store",
                    url=store.url,
                    document=name,
                    other=document.store,
                    store=store_id,
                )
            )


def _bucket_tables(name: str, entity: Entity) -> tuple[BucketTable, BucketTable | None]:
    """The entity's table, and the table of its private columns if it has any."""
    all_columns = list(entity.columns)
    if entity.private is None:
        return BucketTable(name, entity.key, entity.columns, all_columns), None
    private_names = set(entity.private.columns)
    # The key is in both tables: it joins them.
    public = [column for column in all_columns if column not in private_names - {entity.key}]
    private = {column: kind for column, kind in entity.columns.items() if column in private_names}
    return (
        BucketTable(name, entity.key, entity.columns, public),
        BucketTable(f"{_PRIVATE}{name}", entity.key, private, list(private)),
    )


class _Sync:
    """One sync into an open file. bases, changes: how many it applied."""

    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        settings: Settings | None,
        replica: Replica,
        downloads: Downloads,
        on_progress: OnProgress,
    ) -> None:
        self._store = store
        self._entities = manifest.entities
        self._load = manifest.load
        settings_tables = settings.entities if settings else {}
        # An entity may have the name of a settings table, hence the prefix.
        self._settings = {f"{_SETTINGS}{name}": table for name, table in settings_tables.items()}
        self._replica = replica
        self._downloads = downloads
        self._on_progress = on_progress
        self._written_bytes = 0
        self._bytes_to_write = 0
        self.bases = 0
        self.changes = 0

    def run(self) -> int:
        """Fetches first, writes afterwards. Returns: how many entities changed."""
        updates = {
            name: self._entity_updates(name, entity) for name, entity in self._entities.items()
        }
        new_settings = [
            name
            for name, table in self._settings.items()
            if not self._replica.has_settings(name, table)
        ]
        # Everything is fetched before the first write, so a lost connection changes nothing.
        self._fetch(updates, new_settings)
        dropped = self._drop_unlisted(updates)
        changed = [
            name
            for name, tables in updates.items()
            if any(not update.is_empty for update in tables)
        ]
        for name in changed:
            self._apply_entity(updates[name])
        for name in new_settings:
            self._replace_settings(name)
        self._replica.record_load(self._load)
        return len(changed) + dropped

    def _fetch(self, updates: dict[str, list[_TableUpdate]], new_settings: list[str]) -> None:
        needed = [
            listed
            for tables in updates.values()
            for update in tables
            for listed in update.objects()
        ]
        for name in new_settings:
            needed += self._settings[name].objects
        self._downloads.fetch(needed, self._on_progress)
        self._bytes_to_write = sum(listed.bytes for listed in needed)

    def _drop_unlisted(self, updates: dict[str, list[_TableUpdate]]) -> int:
        """Drops the tables that the manifest no longer lists. Returns: how many were entities."""
        kept = [update.table.name for tables in updates.values() for update in tables]
        dropped = self._replica.drop_all_but([*kept, *self._settings])
        return sum(not name.startswith((_SETTINGS, _PRIVATE)) for name in dropped)

    def _entity_updates(self, name: str, entity: Entity) -> list[_TableUpdate]:
        table, private = _bucket_tables(name, entity)
        updates = [self._table_update(table, entity.buckets)]
        if private and entity.private:
            updates.append(self._table_update(private, entity.private.buckets))
        return updates

    def _table_update(self, table: BucketTable, buckets: list[Bucket]) -> _TableUpdate:
        """Compares the states that the file has with those that the manifest lists."""
        stored_states = self._replica.states(table)
        states = stored_states or {}
        listed_ids = {bucket.id for bucket in buckets}
        bucket_updates = []
        for bucket in buckets:
            state = states.get(bucket.id)
            if state != bucket.state:
                bucket_updates.append(_BucketUpdate(bucket, *bucket.steps_from(state)))
        all_replaced = (
            bool(bucket_updates)
            and len(bucket_updates) == len(buckets)
            and all(update.base for update in bucket_updates)
        )
        return _TableUpdate(
            table,
            rows=sum(bucket.rows for bucket in buckets),
            # A new table is faster than deleting every row of the old one.
            is_new=stored_states is None or all_replaced,
            dropped_buckets=sorted(states.keys() - listed_ids),
            bucket_updates=bucket_updates,
        )

    def _apply_entity(self, updates: list[_TableUpdate]) -> None:
        for update in updates:
            self._apply_table(update)
        # After both: a change of the public columns writes the row without its private ones.
        if len(updates) == 2:
            public, private = updates
            self._replica.fill_private_columns(public.table, private.table)

    def _apply_table(self, update: _TableUpdate) -> None:
        """A bucket's rows are its own, so buckets can be brought up to date one after another."""
        table = update.table
        if update.is_new:
            self._replica.create_table(table)
        # All together, because each removal is a pass over the whole table.
        replaced = [each.bucket.id for each in update.bucket_updates if each.base]
        self._replica.remove_buckets(table, [*update.dropped_buckets, *replaced])
        for bucket_update in update.bucket_updates:
            self._apply_bucket(table, bucket_update)
        # To count a table that nothing touched would only cost time.
        if not update.is_empty:
            self._replica.require_rows(table, update.rows)

    def _apply_bucket(self, table: BucketTable, update: _BucketUpdate) -> None:
        """The state is recorded last: it is true only when every object is in."""
        bucket, base = update.bucket, update.base
        put = partial(self._replica.put, table, bucket.id)
        change = partial(self._replica.change, table, bucket.id)
        if base:
            for listed in base.objects:
                self._apply_object(table.name, listed, put)
            self.bases += 1
        # Ascending by load, as the manifest lists them.
        for listed in update.changes:
            self._apply_object(table.name, listed, change)
        self.changes += len(update.changes)
        self._replica.record_state(table, bucket.id, bucket.state)

    def _replace_settings(self, name: str) -> None:
        table = self._settings[name]
        self._replica.create_settings(name, table)
        for listed in table.objects:
            self._apply_object(name, listed, partial(self._replica.put_settings, name, table))

    def _apply_object(self, name: str, listed: ListedObject, write: Callable[[Rows], int]) -> None:
        path = self._downloads.path(listed.sha256)
        with path.open("rb") as stream, self._object_named_in_errors(name, listed):
            rows = write(stream_rows(stream))
            if rows != listed.rows:
                raise StoreError(say("sync.object_row_count", rows=rows, listed=listed.rows))
        self._written_bytes += listed.bytes
        self._on_progress("write", self._written_bytes, self._bytes_to_write)

    @contextmanager
    def _object_named_in_errors(self, name: str, listed: ListedObject) -> Iterator[None]:
        # rows.py and replica.py know only that "it" is wrong.
        try:
            yield
        except StoreError as error:
            message = say(
                "sync.object_invalid",
                url=self._store.url,
                table=name,
                sha256=listed.sha256,
                problem=error,
            )
            raise StoreError(message) from None
