"""The ledger of what is published, in schema ops.

It is read whole at the beginning of a preparation, and written entity by entity.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import orjson
from psycopg import Connection

from kimo_assets.sync.publishing.buckets import Bucket, BucketSet, Change, Placement
from kimo_assets.sync.publishing.objects import ObjectRecord
from kimo_assets.sync.visibility.audiences import as_text

# A first publication needs hundreds of numbers, and each query is a round trip.
_NUMBERS_PER_QUERY = 256


@dataclass(frozen=True)
class Payload:
    """What is published of an entity.

    definition: a digest of the description and of who decides. description: the members that every
    manifest has of it. for_all: everybody sees all of it, later profiles too. checked_load: the
    last load that checked it. changed_load: the last load that changed it.
    """

    definition: str
    description: dict[str, Any]
    for_all: bool
    checked_load: int = 0
    changed_load: int = 0


class PublicationLedger:
    """payloads: by entity. bucket_sets: by entity and whether they are its private columns.

    covered: entity -> position of a profile -> the load since which it gets the entity.
    """

    def __init__(self, connection: Connection[Any], load: int) -> None:
        self._connection = connection
        self._load = load
        # Taken from a sequence, so a number is never given twice, even after a rollback.
        self.numbers = self._next_numbers()
        self.read()

    def read(self) -> None:
        """Reads the tables. Whatever was not saved is forgotten."""
        payloads = self._connection.execute(
            "SELECT entity, definition, description, for_all, checked_load, changed_load"
            " FROM ops.payload ORDER BY entity"
        )
        self.payloads = {entity: Payload(*values) for entity, *values in payloads}
        self.covered: dict[str, dict[int, int]] = {}
        covered = self._connection.execute("SELECT entity, position, load FROM ops.covered")
        for entity, position, load in covered:
            self.covered.setdefault(entity, {})[position] = load
        self.bucket_sets: dict[tuple[str, bool], BucketSet] = {}
        self._read_buckets()
        placements = self._connection.execute(
            "SELECT entity, private, audience, shared, rows FROM ops.placement"
        )
        for entity, private, audience, shared, rows in placements:
            bucket_set = self.bucket_set(entity, private=private)
            bucket_set.placements[audience] = Placement(shared, rows)

    def _read_buckets(self) -> None:
        buckets: dict[int, Bucket] = {}
        bucket_rows = self._connection.execute(
            "SELECT id, entity, private, mask, state, rows, removed, base_load, base_state"
            " FROM ops.bucket ORDER BY id"
        )
        for number, entity, private, mask, *values in bucket_rows:
            bucket = buckets[number] = Bucket(number, int(mask, 16), *values)
            self.bucket_set(entity, private=private).by_mask[bucket.mask] = bucket
        # The positions keep a base's objects, and the chain of changes, in order.
        object_rows = self._connection.execute(
            "SELECT bucket, is_base, load, from_state, state, sha256, rows, bytes"
            " FROM ops.bucket_object ORDER BY bucket, position"
        )
        for number, is_base, load, from_state, state, *values in object_rows:
            record = ObjectRecord(*values)
            if is_base:
                buckets[number].base.append(record)
            else:
                buckets[number].changes.append(Change(load, from_state, state, record))

    def _next_numbers(self) -> Iterator[int]:
        while True:
            rows = self._connection.execute(
                "SELECT nextval('ops.bucket_number') FROM generate_series(1, %s)",
                [_NUMBERS_PER_QUERY],
            ).fetchall()
            yield from (number for (number,) in rows)

    def bucket_set(self, entity: str, *, private: bool) -> BucketSet:
        """The buckets of an entity, made if there are none yet."""
        if (entity, private) not in self.bucket_sets:
            self.bucket_sets[entity, private] = BucketSet()
        return self.bucket_sets[entity, private]

    def newcomers(self, entity: str, positions: Iterable[int], *, from_nothing: bool) -> set[int]:
        """The profiles, by position, that get the entity for the first time. They are recorded.

        from_nothing: the entity is published as if for the first time, so all of them do.
        """
        if from_nothing:
            self._connection.execute("DELETE FROM ops.covered WHERE entity = %s", [entity])
            self.covered[entity] = {}
        covered = self.covered.setdefault(entity, {})
        new = {position: self._load for position in positions if position not in covered}
        covered |= new
        if new:
            rows = ((entity, position, load) for position, load in new.items())
            _copy(self._connection, "ops.covered (entity, position, load)", rows)
        return set(new)

    def save(self, entity: str, payload: Payload, *, changed: bool) -> None:
        """Writes what was published of the entity. Without a change only that it was checked."""
        previous = self.payloads.get(entity)
        changed_load = self._load if changed or previous is None else previous.changed_load
        self.payloads[entity] = replace(payload, checked_load=self._load, changed_load=changed_load)
        self._connection.execute(
            """
            INSERT INTO ops.payload
                (entity, checked_load, changed_load, definition, description, for_all)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (entity) DO UPDATE
            SET (checked_load, changed_load, definition, description, for_all, published_at)
                = (excluded.checked_load, excluded.changed_load, excluded.definition,
                   excluded.description, excluded.for_all, now())
            """,
            [
                entity,
                self._load,
                changed_load,
                payload.definition,
                orjson.dumps(payload.description).decode(),
                payload.for_all,
            ],
        )
        for private in (False, True):
            bucket_set = self.bucket_sets.get((entity, private))
            # On most nights most entities are unchanged, and their buckets cost no write.
            if bucket_set and (bucket_set.is_touched or bucket_set.recounted):
                self._save_buckets(entity, private, bucket_set)
                self._save_placements(entity, private, bucket_set)
                bucket_set.mark_saved()

    def _save_buckets(self, entity: str, private: bool, bucket_set: BucketSet) -> None:
        """Replaces the rows of touched buckets, and deletes those of dropped ones."""
        touched = [
            bucket for bucket in bucket_set.by_mask.values() if bucket.id in bucket_set.touched
        ]
        replaced = [*bucket_set.dropped, *(bucket.id for bucket in touched)]
        self._connection.execute("DELETE FROM ops.bucket_object WHERE bucket = ANY(%s)", [replaced])
        self._connection.execute("DELETE FROM ops.bucket WHERE id = ANY(%s)", [replaced])
        _copy(
            self._connection,
            "ops.bucket (id, entity, private, mask, state, rows, removed, base_load, base_state)",
            (_bucket_row(entity, private, bucket) for bucket in touched),
        )
        _copy(
            self._connection,
            "ops.bucket_object"
            " (bucket, position, is_base, load, from_state, state, sha256, rows, bytes)",
            (row for bucket in touched for row in _object_rows(bucket)),
        )

    def _save_placements(self, entity: str, private: bool, bucket_set: BucketSet) -> None:
        # An audience without rows is placed again when it gets some.
        bucket_set.placements = {
            audience: placement
            for audience, placement in bucket_set.placements.items()
            if placement.rows
        }
        self._connection.execute(
            "DELETE FROM ops.placement WHERE entity = %s AND private = %s", [entity, private]
        )
        rows = (
            (entity, private, audience, placement.shared, placement.rows)
            for audience, placement in bucket_set.placements.items()
        )
        _copy(self._connection, "ops.placement (entity, private, audience, shared, rows)", rows)


def _bucket_row(entity: str, private: bool, bucket: Bucket) -> Sequence[int | bool | str]:
    # In the order of the columns in PublicationLedger._save_buckets.
    return (
        bucket.id,
        entity,
        private,
        as_text(bucket.mask),
        bucket.state,
        bucket.rows,
        bucket.removed,
        bucket.base_load,
        bucket.base_state,
    )


def _object_rows(bucket: Bucket) -> Iterator[Sequence[int | bool | str | None]]:
    """The base's objects first, as they are read."""
    for position, record in enumerate(bucket.base):
        origin = (bucket.id, position, True, bucket.base_load, None, None)
        yield (*origin, record.sha256, record.rows, record.bytes)
    for position, change in enumerate(bucket.changes, len(bucket.base)):
        record = change.record
        step = (bucket.id, position, False, change.load, change.from_state, change.state)
        yield (*step, record.sha256, record.rows, record.bytes)


def _copy(
    connection: Connection[Any], target: LiteralString, rows: Iterable[Sequence[Any]]
) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
