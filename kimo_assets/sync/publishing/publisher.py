"""Step 3: what changed of each entity into the store, and its record in ops, on one snapshot of
schema kimo.

An entity that nothing happened to, nor to anything that decides who sees it, costs some small
queries. Order of a preparation, so that a crash leaves the old version whole: objects, then the
record, then the manifests.
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
from kimo_assets.sync.publishing.entity_publication import Preparation, Publication, View
from kimo_assets.sync.publishing.manifests import Manifests
from kimo_assets.sync.publishing.objects import ObjectRecord
from kimo_assets.sync.publishing.publication_ledger import Payload, Record
from kimo_assets.sync.publishing.settings import user_records
from kimo_assets.sync.store.store import Store, object_path
from kimo_assets.sync.visibility.profiles import EVERYONE, Profiles
from kimo_assets.sync.visibility.scope_tree import Constant
from kimo_assets.sync.visibility.visibility import Visibility

# Kimo's own columns that travel with editable entities even where the ERP does not know them.
_LIFECYCLE_SENT = ("EntityStatus", "SyncReference")


class Publisher:
    """One preparation of payloads (the caller's transaction)."""

    def __init__(
        self,
        connection: Connection,
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
        store.claim(self._identity)
        self.profiles = Profiles.read(connection, load)
        self.record = Record(connection, load)
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
            connection, store, config.zstd_level, load, self._visibility, self.record
        )

    def publish(self, name: str) -> PublishedEntity:
        """Brings the entity's buckets up to date with its rows and with who sees them."""
        started = time.monotonic()
        entity = self._catalog[name]
        if name not in self._visibility.lookups.loaded:
            return PublishedEntity(
                name, 0.0, "skipped", "nothing is loaded: run step 2 for it first"
            )
        fields = self._fields(entity)
        views = self._views(entity, fields)
        description = _description(entity, fields, views)
        definition = _digest(description, [view.constant for view in views])
        known = self.record.payloads.get(name)
        # Without its table of who sees each row nobody knows any more which of them are published.
        is_known = all(
            view.constant is not None for view in views
        ) or self._visibility.lookups.was_kept(name)
        since = (
            known.checked_load if known and known.definition == definition and is_known else None
        )
        new = self.record.newcomers(
            name, (profile.position for profile in self.profiles.live), anew=since is None
        )
        newcomers = sum(1 << position for position in new)
        publications = [Publication(self._preparation, view, since) for view in views]
        changes = [publication.run(newcomers, self._is_stored) for publication in publications]
        changed = any(changes) or since is None
        self._visibility.audiences.save()
        self.record.save(
            name, Payload(definition, description, _is_for_all(views)), changed=changed
        )
        return self._report(name, started, publications, changed=changed)

    def forget(self) -> None:
        """To be called after a failure: what was computed for it has been taken back with its
        savepoint.
        """
        self._visibility.forget()
        self.record.read()

    def manifests(self) -> Manifests:
        """What agents and users get now."""
        return Manifests(self._identity, self.profiles, self.record, user_records(self._connection))

    def _is_stored(self, record: ObjectRecord) -> bool:
        """Whether the object is in the store still, whole as far as its size tells."""
        return self._stored.get(object_path(record.sha256)) == record.bytes

    @cached_property
    def _stored(self) -> dict[str, int]:
        return self._store.listing("objects")

    @cached_property
    def _staged(self) -> dict[str, set[str]]:
        """entity -> the columns of its snapshot."""
        rows = self._connection.execute(
            "SELECT c.relname, array_agg(a.attname::text) FROM pg_class AS c JOIN pg_attribute AS a"
            " ON a.attrelid = c.oid WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r' AND"
            " a.attnum > 0 AND NOT a.attisdropped GROUP BY 1",
            [INTEGRATOR_SCHEMA],
        )
        return {name: set(columns) for name, columns in rows}

    # --- what is published of an entity
    # -------------------------------------------------------------------------------

    def _views(self, entity: Entity, fields: Sequence[str]) -> list[View]:
        if isinstance(entity.scope, scopes.AgentColumn) and entity.scope.everyone_columns:
            public = [name for name in fields if name in entity.scope.everyone_columns]
            private = [name for name in fields if name == ID or name not in public]
            return [View(entity, public, False, EVERYONE), View(entity, private, True, None)]
        node = self._visibility.compile(entity).node
        constant = node.mask if isinstance(node, Constant) else None
        return [View(entity, fields, False, constant)]

    def _fields(self, entity: Entity) -> list[str]:
        """The mapped fields, the Id, and the life-cycle columns of what agents may edit; all of
        what Kimo makes itself.
        """
        if entity.is_derived:
            return list(entity.fields)
        sent = _LIFECYCLE_SENT if entity.is_held_while_pending else ()
        wanted = self._staged.get(entity.name, set()) | {ID, *sent}
        return [name for name in entity.fields if name in wanted]

    def _report(
        self, name: str, started: float, publications: Sequence[Publication], *, changed: bool
    ) -> PublishedEntity:
        buckets = [
            bucket for publication in publications for bucket in publication.part.by_mask.values()
        ]
        fresh = [record for publication in publications for record in publication.outcome.fresh]
        seeing = 0
        for bucket in buckets:
            seeing |= bucket.mask if bucket.rows else 0
        # Of private columns the rows are the same ones.
        main = publications[:1]
        return PublishedEntity(
            name,
            time.monotonic() - started,
            "ok" if changed else "unchanged",
            rows=sum(publication.rows for publication in main),
            rows_put=sum(publication.outcome.put for publication in main),
            rows_removed=sum(publication.outcome.removed for publication in main),
            objects=sum(1 for bucket in buckets for _ in bucket.records),
            objects_written=len(fresh),
            bytes=sum(record.bytes for bucket in buckets for record in bucket.records),
            bytes_written=sum(record.bytes for record in fresh),
            agents=len({profile.agent for profile in self.profiles.among(seeing)}),
        )


def _is_for_all(views: Sequence[View]) -> bool:
    return bool(views) and views[0].constant == EVERYONE


def _description(entity: Entity, fields: Sequence[str], views: Iterable[View]) -> dict[str, Any]:
    """What manifests say of the entity, whoever gets it."""
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
    return "text" if field.is_open_enum else field.type


def _digest(*parts: Any) -> str:
    text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return blake2b(text, digest_size=16).hexdigest()
