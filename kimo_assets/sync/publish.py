"""Step 3: what changed of each entity into the store, and its record in ops, on one snapshot of schema kimo.

An entity that nothing happened to, nor to anything that decides who sees it, costs some small queries. Order of a
preparation, so that a crash leaves the old version whole: objects, then the record, then the manifests.
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
from kimo_assets.database.names import ID, STAGING
from kimo_assets.reports import PublishedEntity
from kimo_assets.sync.objects import ObjectRecord
from kimo_assets.sync.profiles import EVERYONE, NOBODY, Profiles
from kimo_assets.sync.publication import Publication, View
from kimo_assets.sync.rules import business_rules
from kimo_assets.sync.store import Store, object_path
from kimo_assets.sync.tree import Constant
from kimo_assets.sync.visibility import Visibility

# Kimo's own life-cycle columns travel with editable entities even where the ERP does not know them.
_LIFECYCLE = ("EntityStatus", "SyncReference")


class Publisher:
    """One preparation of payloads (the caller's transaction)."""

    def __init__(self, connection: Connection, catalog: Catalog, config: SyncConfig, store: Store, *, load: int) -> None:
        self._connection = connection
        self._catalog = catalog
        self._config = config
        self._store = store
        self._load = load
        store.claim(installation(connection))
        self.profiles = Profiles.read(connection, load)
        self._visibility = Visibility(
            connection,
            catalog,
            self.profiles,
            rules=business_rules(connection),
            channel_codes=config.channel_codes,
            load=load,
            kept=True,
        )

    def publish(self, name: str) -> PublishedEntity:
        """Brings the entity's buckets up to date with its rows and with who sees them."""
        started = time.monotonic()
        entity = self._catalog[name]
        if name not in self._visibility.lookups.loaded:
            return PublishedEntity(name, 0.0, "skipped", "nothing is loaded: run step 2 for it first")
        fields = self._fields(entity)
        views = self._views(entity, fields)
        description = _description(entity, fields, views)
        definition = _digest(description, [view.constant for view in views])
        known = self._connection.execute(
            "SELECT definition, checked_load FROM ops.payload WHERE entity = %s", [name]
        ).fetchone()
        since = known[1] if known and known[0] == definition else None
        newcomers = self._newcomers(name, anew=since is None)
        publications = [
            Publication(
                self._connection, self._store, self._config.zstd_level, self._load, self._visibility, view, since
            )
            for view in views
        ]
        changes = [publication.run(newcomers, self._is_stored) for publication in publications]
        changed = any(changes) or since is None
        self._record(name, definition, description, for_all=_is_for_all(views), changed=changed)
        return self._report(name, started, publications, changed=changed)

    def forget(self) -> None:
        """To be called after a failure: what was computed for it has been taken back with its savepoint."""
        self._visibility.forget()

    def _is_stored(self, record: ObjectRecord) -> bool:
        """Whether the object is in the store still, whole as far as its size tells."""
        return self._stored.get(object_path(record.sha256)) == record.bytes

    @cached_property
    def _stored(self) -> dict[str, int]:
        return self._store.listing("objects")

    # --- what is published of an entity -------------------------------------------------------------------------------

    def _views(self, entity: Entity, fields: Sequence[str]) -> list[View]:
        if isinstance(entity.scope, scopes.AgentColumn) and entity.scope.everyone_columns:
            public = [name for name in fields if name in entity.scope.everyone_columns]
            private = [name for name in fields if name == ID or name not in public]
            return [View(entity, public, False, EVERYONE), View(entity, private, True, None)]
        node = self._visibility.compile(entity).node
        constant = node.mask if isinstance(node, Constant) else None
        return [] if constant == NOBODY else [View(entity, fields, False, constant)]

    def _fields(self, entity: Entity) -> list[str]:
        """The mapped fields, the Id, and the life-cycle columns of what agents may edit."""
        rows = self._connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            [STAGING, entity.name],
        )
        wanted = {name for (name,) in rows} | {ID} | (set(_LIFECYCLE) if entity.is_held_while_pending else set())
        return [name for name in entity.fields if name in wanted]

    def _newcomers(self, name: str, *, anew: bool) -> int:
        """The profiles that get the entity for the first time, as a mask; from now on they are known to."""
        if anew:
            self._connection.execute("DELETE FROM ops.covered WHERE entity = %s", [name])
        rows = self._connection.execute("SELECT position FROM ops.covered WHERE entity = %s", [name])
        known = {position for (position,) in rows}
        new = [profile for profile in self.profiles.live if profile.position not in known]
        if new:
            with self._connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO ops.covered (entity, position, load) VALUES (%s, %s, %s)",
                    [(name, profile.position, self._load) for profile in new],
                )
        return sum(profile.bit for profile in new)

    def _record(
        self, name: str, definition: str, description: dict[str, Any], *, for_all: bool, changed: bool
    ) -> None:
        self._connection.execute(
            """
            INSERT INTO ops.payload (entity, checked_load, changed_load, definition, description, for_all)
            VALUES (%(entity)s, %(load)s, %(load)s, %(definition)s, %(description)s, %(for_all)s)
            ON CONFLICT (entity) DO UPDATE SET checked_load = %(load)s, definition = %(definition)s,
                description = %(description)s, for_all = %(for_all)s, published_at = now(),
                changed_load = CASE WHEN %(changed)s THEN %(load)s ELSE ops.payload.changed_load END
            """,
            {
                "entity": name,
                "load": self._load,
                "definition": definition,
                "description": orjson.dumps(description).decode(),
                "for_all": for_all,
                "changed": changed,
            },
        )

    def _report(
        self, name: str, started: float, publications: Sequence[Publication], *, changed: bool
    ) -> PublishedEntity:
        buckets = [bucket for publication in publications for bucket in publication.part.by_mask.values()]
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


def installation(connection: Connection) -> str:
    """Which Kimo database this is; its sync store bears the same name."""
    row: tuple[str] | None = connection.execute("SELECT id FROM ops.installation").fetchone()
    if row is None:
        row = connection.execute(
            "INSERT INTO ops.installation VALUES (replace(gen_random_uuid()::text, '-', '')) RETURNING id"
        ).fetchone()
    assert row is not None, "RETURNING gives a row"  # noqa: S101
    return row[0]


def _is_for_all(views: Sequence[View]) -> bool:
    return bool(views) and views[0].constant == EVERYONE


def _description(entity: Entity, fields: Sequence[str], views: Iterable[View]) -> dict[str, Any]:
    """What manifests say of the entity, whoever gets it."""
    description: dict[str, Any] = {"key": ID, "columns": {name: _type(entity, name) for name in fields}}
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
