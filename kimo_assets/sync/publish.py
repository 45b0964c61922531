"""Publishing: each row some agent sees goes into one object, with the rows that the very same agents see.

What an entity's objects depend on is digested first; where nothing of it changed, nothing is read, sorted or written.
Order of a publication, so that a crash leaves the old version whole: objects, then the record in ops, then manifests.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import orjson
from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, Entity, scopes
from kimo_assets.config import SyncConfig
from kimo_assets.database.names import ID, STAGING
from kimo_assets.reports import PublishedEntity, Status
from kimo_assets.sync.agents import Agents
from kimo_assets.sync.rules import business_rules
from kimo_assets.sync.store import FORMAT, FORMAT_VERSION, ObjectWriter, Store, StoredObject, manifest_path, object_path
from kimo_assets.sync.visibility import Combination, Mapped, Query, Visibility

# Kimo's own life-cycle columns travel with editable entities even where the ERP does not know them.
_LIFECYCLE = ("EntityStatus", "SyncReference")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class PublishedObject:
    """agents: who gets it, None for all. fields: the CSV's columns where not all of the entity's."""

    sha256: str
    row_count: int
    byte_count: int
    agents: list[str] | None
    field_names: list[str] | None = None
    is_new: bool = False


# What few agents share gets an object of its own when that spares this many rows being written again, agent by agent.
_FEW_AGENTS = 8
_SHARED_ROWS = 2_000


@dataclass(frozen=True)
class BucketPlan:
    """Which buckets there are (masks[number]: who gets it) and into which the rows of each set of agents go.

    Rows that the same agents see form a bucket, written once. Where such a bucket is small and few see it, an object
    of its own would cost more, in files and in requests, than writing its rows into each agent's own bucket.
    """

    masks: list[int]
    numbers: dict[int, list[int]]

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]], everyone: int) -> "BucketPlan":
        """sizes: (set of agents, rows); a set may come more than once."""
        rows_of: dict[int, int] = {}
        for mask, rows in sizes:
            rows_of[mask] = rows_of.get(mask, 0) + rows
        masks: dict[int, int] = {}
        numbers = {
            mask: [masks.setdefault(target, len(masks)) for target in _targets(mask, rows, everyone)]
            for mask, rows in rows_of.items()
        }
        return cls(list(masks), numbers)


def _targets(mask: int, rows: int, everyone: int) -> list[int]:
    agents = mask.bit_count()
    if mask == everyone or agents > _FEW_AGENTS or rows * (agents - 1) >= _SHARED_ROWS:
        return [mask]
    return [1 << bit for bit in range(mask.bit_length()) if mask >> bit & 1]


class Publisher:
    """One preparation of payloads, on one snapshot of schema kimo (the caller's transaction)."""

    def __init__(
        self, connection: Connection, catalog: Catalog, config: SyncConfig, store: Store, *, load: int
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._config = config
        self._store = store
        self._load = load
        self._digests: dict[str, str] = {}
        self.agents = Agents.read(connection)
        self._rules = business_rules(connection)
        self.forget()
        self._changed_loads: dict[str, int] = dict(
            connection.execute("SELECT entity, changed_load FROM ops.loaded").fetchall()
        )
        self._base = _digest(
            FORMAT_VERSION,
            store.identity(),
            config.model_dump(exclude={"keep_unlisted_hours"}),
            self.agents.codes,
            sorted(self._rules.items()),
        )

    # --- one entity -----------------------------------------------------------------------------------------------

    def publish(self, name: str) -> PublishedEntity:
        """Writes the entity's objects if anything they depend on changed since they were written."""
        started = time.monotonic()
        entity = self._catalog[name]
        if name not in self._changed_loads:
            return PublishedEntity(name, 0.0, "skipped", "nothing is loaded: run step 2 for it first")
        fields = self.payload_fields(entity)
        inputs = _digest(self._base, fields, self._changed_loads[name], self._deciding(entity))
        known = self._connection.execute(
            "SELECT inputs, row_count FROM ops.published WHERE entity = %s", [name]
        ).fetchone()
        if known and known[0] == inputs and self._are_stored(objects := self._published_objects(name)):
            return self._report(entity, started, "unchanged", objects, known[1])
        query = self._visibility.compile(entity)
        combinations = [found for found in self._visibility.combinations(query) if found[2]]
        objects = list(self._write(entity, fields, query, combinations))
        rows = sum(rows for _, rows, _ in combinations)
        self._record(entity, fields, inputs, objects, rows)
        return self._report(entity, started, "ok", objects, rows)

    def forget(self) -> None:
        """To be called after a failure: what was computed for it has been taken back with its savepoint."""
        self._connection.execute("DISCARD TEMP")
        self._digests.clear()
        self._visibility = Visibility(
            self._connection,
            self._catalog,
            self.agents,
            rules=self._rules,
            channel_codes=self._config.channel_codes,
        )

    def _are_stored(self, objects: Sequence[PublishedObject]) -> bool:
        """Whether each is in the store still, whole as far as its size tells."""
        return all(self._stored.get(object_path(o.sha256)) == o.byte_count for o in objects)

    @cached_property
    def _stored(self) -> dict[str, int]:
        return self._store.listing("objects")

    def payload_fields(self, entity: Entity) -> list[str]:
        """The mapped fields, the Id, and the life-cycle columns of what agents may edit."""
        rows = self._connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            [STAGING, entity.name],
        )
        wanted = {name for (name,) in rows} | {ID} | (set(_LIFECYCLE) if entity.is_held_while_pending else set())
        return [name for name in entity.fields if name in wanted]

    def _write(
        self, entity: Entity, fields: Sequence[str], query: Query, combinations: Sequence[Combination]
    ) -> Iterator[PublishedObject]:
        if isinstance(entity.scope, scopes.AgentColumn) and entity.scope.everyone_columns:
            # First what all may know of every row, then whole rows for whom they are about: a later object prevails.
            public = [name for name in fields if name in entity.scope.everyone_columns]
            everything = Mapped(sql.Literal(0), Query(entity).origin())
            for _, stored, rows in self._stream(public, entity, everything, single=True):
                yield PublishedObject(stored.sha256, rows, stored.byte_count, None, public, stored.is_new)
        plan = BucketPlan.of([(mask, rows) for _, rows, mask in combinations], self.agents.everyone)
        if not plan.masks:
            return
        numbers = ((values, number) for values, _, mask in combinations for number in plan.numbers[mask])
        mapped = self._visibility.map_combinations(query, numbers)
        for number, stored, rows in self._stream(fields, entity, mapped, single=len(plan.masks) == 1):
            mask = plan.masks[number]
            # Named one by one also where all of them see it now: an agent who comes later may not.
            agents = list(self.agents.names(mask)) if query.atoms else None
            yield PublishedObject(stored.sha256, rows, stored.byte_count, agents, is_new=stored.is_new)

    def _stream(
        self, fields: Sequence[str], entity: Entity, mapped: Mapped, *, single: bool
    ) -> Iterator[tuple[int, StoredObject, int]]:
        """(bucket, its object, its rows) of every bucket, from one COPY ordered by bucket and Id."""
        values = sql.SQL(", ").join(_payload_value(entity, name) for name in fields)
        if single:
            # One bucket: no number in front of each row, and no sorting by it.
            select = sql.SQL("SELECT {} {} ORDER BY x.{}").format(values, mapped.origin, sql.Identifier(ID))
        else:
            select = sql.SQL("SELECT {number}, {} {} ORDER BY {number}, x.{}").format(
                values, mapped.origin, sql.Identifier(ID), number=mapped.value
            )
        header = ",".join(fields).encode() + b"\n"
        copy_out = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(select)
        with closing(self._rows(copy_out)) as rows:
            pieces = _single_bucket(rows) if single else _by_bucket(rows)
            writer: ObjectWriter | None = None
            current = -1
            try:
                for number, data, count in pieces:
                    if number != current:
                        if writer:
                            yield current, writer.finish(), writer.rows
                        writer, current = self._store.writer(self._config.zstd_level), number
                        writer.write(header, 0)
                    assert writer is not None, "opened with the first bucket"  # noqa: S101
                    writer.write(data, count)
                if writer:
                    done, writer = writer, None
                    yield current, done.finish(), done.rows
            finally:
                if writer:
                    writer.abandon()

    def _rows(self, statement: sql.Composed) -> Generator[bytes, None, None]:
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in copy:
                yield bytes(row)

    # --- what it depends on -----------------------------------------------------------------------------------------

    def _deciding(self, entity: Entity) -> Any:
        """All that decides who sees the entity's rows, beside these rows."""
        needed = self._visibility.dependencies(entity)
        return [
            {name: self._changed_loads.get(name) for name in sorted(needed.rows)},
            {name: self._seen_digest(name) for name in sorted(needed.sees)},
        ]

    def _seen_digest(self, name: str) -> str:
        """Who sees which rows of `name`, as one text; kept in ops, so that it is computed after a change only."""
        if name not in self._digests:
            inputs = _digest(self._base, self._changed_loads.get(name), self._deciding(self._catalog[name]))
            known = self._connection.execute(
                "SELECT digest FROM ops.visibility WHERE entity = %s AND inputs = %s", [name, inputs]
            ).fetchone()
            self._digests[name] = known[0] if known else self._compute_digest(name, inputs)
        return self._digests[name]

    def _compute_digest(self, name: str, inputs: str) -> str:
        digest = self._visibility.digest(name)
        self._connection.execute(
            """
            INSERT INTO ops.visibility (entity, inputs, digest) VALUES (%s, %s, %s)
            ON CONFLICT (entity) DO UPDATE SET (inputs, digest) = (excluded.inputs, excluded.digest)
            """,
            [name, inputs, digest],
        )
        return digest

    # --- the record and the manifests ---------------------------------------------------------------------------------

    def _record(
        self, entity: Entity, fields: Sequence[str], inputs: str, objects: Sequence[PublishedObject], rows: int
    ) -> None:
        description = {"key": ID, "columns": {name: _payload_type(entity, name) for name in fields}}
        self._connection.execute("DELETE FROM ops.published WHERE entity = %s", [entity.name])
        self._connection.execute(
            "INSERT INTO ops.published (entity, load, inputs, description, row_count) VALUES (%s, %s, %s, %s, %s)",
            [entity.name, self._load, inputs, orjson.dumps(description).decode(), rows],
        )
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO ops.published_object VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    (entity.name, n, o.sha256, o.row_count, o.byte_count, o.field_names, o.agents)
                    for n, o in enumerate(objects)
                ],
            )

    def _published_objects(self, name: str) -> list[PublishedObject]:
        rows = self._connection.execute(
            "SELECT sha256, row_count, byte_count, agents, field_names FROM ops.published_object "
            "WHERE entity = %s ORDER BY position",
            [name],
        )
        return [PublishedObject(*row) for row in rows]

    def _report(
        self, entity: Entity, started: float, status: Status, objects: Sequence[PublishedObject], rows: int
    ) -> PublishedEntity:
        agents = {code for o in objects for code in (self.agents.codes if o.agents is None else o.agents)}
        fresh = [o for o in objects if o.is_new]
        return PublishedEntity(
            entity.name,
            time.monotonic() - started,
            status,
            rows=rows,
            objects=len(objects),
            objects_written=len(fresh),
            bytes=sum(o.byte_count for o in objects),
            bytes_written=sum(o.byte_count for o in fresh),
            agents=len(agents),
        )

    def manifests(self) -> dict[str, dict[str, Any]]:
        """The manifest of every agent, from the record in ops."""
        entities = self._connection.execute(
            "SELECT entity, load, description FROM ops.published ORDER BY entity"
        ).fetchall()
        objects = self._connection.execute(
            "SELECT entity, sha256, row_count, byte_count, field_names, agents FROM ops.published_object "
            "ORDER BY entity, position"
        ).fetchall()
        load = max((load for _, load, _ in entities), default=0)
        by_agent: dict[str, dict[str, list[dict[str, Any]]]] = {code: {} for code in self.agents.codes}
        for name, sha256, rows, size, field_names, agents in objects:
            listed: dict[str, Any] = {"sha256": sha256, "rows": rows, "bytes": size}
            if field_names:
                listed["columns"] = field_names
            for code in self.agents.codes if agents is None else agents:
                if code in by_agent:
                    by_agent[code].setdefault(name, []).append(listed)
        return {
            code: {
                "format": FORMAT,
                "version": FORMAT_VERSION,
                "agent": code,
                "load": load,
                "entities": {name: {**description, "objects": mine.get(name, [])} for name, _, description in entities},
            }
            for code, mine in by_agent.items()
        }


def write_manifests(
    connection: Connection,
    store: Store,
    manifests: dict[str, dict[str, Any]],
    on_manifest: Callable[[], None],
) -> int:
    """Replaces the manifests that differ from the written ones, or are not there, and removes those of no agent."""
    identity = store.identity()
    known: dict[str, str] = dict(
        connection.execute("SELECT agent, digest FROM ops.manifest WHERE store = %s", [identity]).fetchall()
    )
    written = store.listing("agents")
    replaced = 0
    for agent, manifest in manifests.items():
        text = orjson.dumps(manifest, option=orjson.OPT_INDENT_2)
        digest = blake2b(text, digest_size=16).hexdigest()
        if known.pop(agent, None) != digest or manifest_path(agent) not in written:
            store.replace(manifest_path(agent), text)
            connection.execute(
                "INSERT INTO ops.manifest (agent, store, digest) VALUES (%s, %s, %s) "
                "ON CONFLICT (agent) DO UPDATE SET (store, digest) = (excluded.store, excluded.digest)",
                [agent, identity, digest],
            )
            replaced += 1
        on_manifest()
    for agent in known:
        store.remove(manifest_path(agent))
        connection.execute("DELETE FROM ops.manifest WHERE agent = %s", [agent])
    return replaced


def _by_bucket(rows: Iterator[bytes]) -> Iterator[tuple[int, bytes, int]]:
    """(bucket, CSV, rows) in pieces of about a megabyte; each row starts with its bucket's number."""
    current, size = b"", 0
    pieces: list[bytes] = []
    for row in rows:
        number, _, line = row.partition(b",")
        if (number != current or size >= _CHUNK_BYTES) and pieces:
            yield int(current), b"".join(pieces), len(pieces)
            pieces, size = [], 0
        current = number
        pieces.append(line)
        size += len(line)
    if pieces:
        yield int(current), b"".join(pieces), len(pieces)


def _single_bucket(rows: Iterator[bytes]) -> Iterator[tuple[int, bytes, int]]:
    pieces: list[bytes] = []
    size = 0
    for row in rows:
        pieces.append(row)
        size += len(row)
        if size >= _CHUNK_BYTES:
            yield 0, b"".join(pieces), len(pieces)
            pieces, size = [], 0
    if pieces:
        yield 0, b"".join(pieces), len(pieces)


def _payload_value(entity: Entity, name: str) -> sql.Composed:
    value = sql.SQL("x.{}").format(sql.Identifier(name))
    # Flags travel as 0 and 1, as they came.
    return sql.SQL("{}::integer").format(value) if entity.fields[name].type == "bool" else value


def _payload_type(entity: Entity, name: str) -> str:
    field = entity.fields[name]
    return "text" if field.is_open_enum else field.type


def _digest(*parts: Any) -> str:
    text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return blake2b(text, digest_size=16).hexdigest()
