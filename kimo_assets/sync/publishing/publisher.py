"""Step 3: what changed of each entity into the store, on one snapshot of schema kimo.

An unchanged entity, with an unchanged audience, costs a few small queries. The order of a
preparation keeps the old version whole through a crash: objects, then the ledger in ops, then the
manifests.
"""

import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any

import orjson
from psycopg import Connection

from kimo_assets.catalog import Catalog, Entity, scopes
from kimo_assets.config import SyncConfig
from kimo_assets.database.installation import installation
from kimo_assets.database.names import ID, INTEGRATOR_SCHEMA
from kimo_assets.database.rules import business_rules
from kimo_assets.reports import PublishedEntity
from kimo_assets.sync.publishing.buckets import Bucket
from kimo_assets.sync.publishing.entity_publication import Preparation, Publication, View
from kimo_assets.sync.publishing.manifests import Manifests
from kimo_assets.sync.publishing.objects import ObjectRecord
from kimo_assets.sync.publishing.publication_ledger import Payload, PublicationLedger
from kimo_assets.sync.publishing.settings import user_records
from kimo_assets.sync.store.store import Store, object_path
from kimo_assets.sync.visibility.profiles import EVERYONE, NOBODY, Profiles
from kimo_assets.sync.visibility.scope_tree import Constant
from kimo_assets.sync.visibility.visibility import Visibility
from kimo_assets.texts import say

# Kimo's own columns of editable entities. They are published even if the ERP does not have them.
_LIFECYCLE_COLUMNS = ("EntityStatus", "SyncReference")


class Publisher:
    """One preparation of payloads, in the caller's transaction."""

    def __init__(
        self,
        connection: Connection[Any],
        catalog: Catalog,
        config: SyncConfig,
        store: Store,
        *,
        load: int,
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._store = store
        self._identity = installation(connection)
        # Before anything is computed: the store may belong to another database.
        store.claim(self._identity)
        self.profiles = Profiles.read(connection, load)
        self.ledger = PublicationLedger(connection, load)
        self._visibility = Visibility(
            connection,
            catalog,
            self.profiles,
            rules=business_rules(connection),
            channel_codes=config.channel_codes,
            load=load,
            kept=True,
        )
        self._preparation = Preparation(
            connection, store, config.zstd_level, load, self._visibility, self.ledger
        )

    def publish(self, name: str) -> PublishedEntity:
        """Brings the entity's buckets up to date with its rows and with who sees them."""
        started = time.monotonic()
        entity = self._catalog[name]
        # Mapped, but step 2 has not loaded it yet.
        if name not in self._visibility.lookups.loaded:
            return PublishedEntity(name, 0.0, "skipped", say("sync.nothing_loaded"))
        fields = self._fields(entity)
        views = self._views(entity, fields)
        description = _description(entity, fields, views)
        definition = _digest(description, [view.constant for view in views])
        since = self._published_load(name, definition, views)
        live = (profile.position for profile in self.profiles.live)
        new = self.ledger.newcomers(name, live, from_nothing=since is None)
        newcomers = sum(1 << position for position in new)
        publications = [Publication(self._preparation, view, since) for view in views]
        changes = [publication.run(newcomers, self._is_stored) for publication in publications]
        changed = any(changes) or since is None
        # Before the ledger, whose placements hold the numbers.
        self._visibility.audiences.save()
        payload = Payload(definition, description, _is_for_all(views))
        self.ledger.save(name, payload, changed=changed)
        return self._report(name, started, publications, changed=changed)

    def _published_load(self, name: str, definition: str, views: Sequence[View]) -> int | None:
        """The load up to which the entity is published. None: it has to be published from nothing.

        Without its table of who sees each row, nobody can tell which of them are published.
        """
        payload = self.ledger.payloads.get(name)
        if payload is None or payload.definition != definition:
            return None
        needs_lookup = any(view.constant is None for view in views)
        if needs_lookup and not self._visibility.lookups.was_kept(name):
            return None
        return payload.checked_load

    def forget(self) -> None:
        """To be called after a failure, whose changes were rolled back to a savepoint."""
        self._visibility.forget()
        self.ledger.read()

    def manifests(self) -> Manifests:
        """The manifests of all agents and users, as they are now."""
        users = user_records(self._connection)
        return Manifests(self._identity, self.profiles, self.ledger, users)

    def _is_stored(self, record: ObjectRecord) -> bool:
        """Whether the object is in the store with its size. Its content is not read."""
        return self._stored.get(object_path(record.sha256)) == record.bytes

    @cached_property
    def _stored(self) -> dict[str, int]:
        # Listed once: in an object store a question for each object would outlast the step.
        return self._store.listing("objects")

    @cached_property
    def _staged(self) -> dict[str, set[str]]:
        """entity -> the columns of its snapshot."""
        rows = self._connection.execute(
            """
            SELECT c.relname, array_agg(a.attname::text)
            FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
            WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r'
                AND a.attnum > 0 AND NOT a.attisdropped
            GROUP BY 1
            """,
            [INTEGRATOR_SCHEMA],
        )
        return {name: set(columns) for name, columns in rows}

    # --- the published part of an entity

    def _views(self, entity: Entity, fields: Sequence[str]) -> list[View]:
        """One view, or two where everybody sees some columns and few see the others."""
        if isinstance(entity.scope, scopes.AgentColumn) and entity.scope.everyone_columns:
            public = [name for name in fields if name in entity.scope.everyone_columns]
            private = [name for name in fields if name == ID or name not in public]
            return [View(entity, public, False, EVERYONE), View(entity, private, True, None)]
        node = self._visibility.compile(entity).node
        constant = node.mask if isinstance(node, Constant) else None
        return [View(entity, fields, False, constant)]

    def _fields(self, entity: Entity) -> list[str]:
        """The mapped fields, the Id, and the life-cycle columns of what agents may edit.

        Of an entity that Kimo derives itself: all fields.
        """
        if entity.is_derived:
            return list(entity.fields)
        published = self._staged.get(entity.name, set()) | {ID}
        if entity.is_held_while_pending:
            published |= set(_LIFECYCLE_COLUMNS)
        return [name for name in entity.fields if name in published]

    def _report(
        self, name: str, started: float, publications: Sequence[Publication], *, changed: bool
    ) -> PublishedEntity:
        """Rows are those of the first view: a private view holds the same rows."""
        buckets: list[Bucket] = []
        new_objects: list[ObjectRecord] = []
        for publication in publications:
            buckets += publication.buckets.by_mask.values()
            new_objects += publication.outcome.new_objects
        records = [record for bucket in buckets for record in bucket.records]
        mask = NOBODY
        for bucket in buckets:
            if bucket.rows:
                mask |= bucket.mask
        main = publications[:1]
        return PublishedEntity(
            name,
            time.monotonic() - started,
            "ok" if changed else "unchanged",
            rows=sum(publication.rows for publication in main),
            rows_put=sum(publication.outcome.put for publication in main),
            rows_removed=sum(publication.outcome.removed for publication in main),
            objects=len(records),
            objects_written=len(new_objects),
            bytes=sum(record.bytes for record in records),
            bytes_written=sum(record.bytes for record in new_objects),
            agents=len({profile.agent for profile in self.profiles.among(mask)}),
        )


def _is_for_all(views: Sequence[View]) -> bool:
    return bool(views) and views[0].constant == EVERYONE


def _description(entity: Entity, fields: Sequence[str], views: Iterable[View]) -> dict[str, Any]:
    """The members that all manifests have of the entity."""
    description: dict[str, Any] = {
        "key": ID,
        "columns": {name: _type(entity, name) for name in fields},
    }
    for view in views:
        if view.private:
            description["private"] = list(view.fields)
    return description


def _type(entity: Entity, name: str) -> str:
    field = entity.fields[name]
    # The manual lists no codes for it (fact sheet, section 15), so that any text may come.
    return "text" if field.is_open_enum else field.type


def _digest(*parts: Any) -> str:
    # Sorted: another order of members must not publish an entity anew.
    text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return blake2b(text, digest_size=16).hexdigest()
