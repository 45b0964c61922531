"""The record of what is published, in ops: read whole at the beginning of a preparation, written
entity by entity.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import orjson
from psycopg import Connection

from kimo_assets.sync.publishing.buckets import Bucket, Change, Part, Placement
from kimo_assets.sync.publishing.objects import ObjectRecord
from kimo_assets.sync.visibility.audiences import as_text

_NUMBERS_AT_ONCE = 256


@dataclass(frozen=True)
class Payload:
    """What is published of an entity. description: what manifests say of it; for_all: whoever comes
    sees all of it.

    definition: a digest of that, and of who decides; checked_load: the last load that looked;
    changed_load: that changed it.
    """

    definition: str
    description: dict[str, Any]
    for_all: bool
    checked_load: int = 0
    changed_load: int = 0


class Record:
    """payloads, by entity; covered: entity -> position of a profile -> the load since which it gets
    the entity.
    """

    def __init__(self, connection: Connection, load: int) -> None:
        self._connection = connection
        self._load = load
        self.numbers = self._next_numbers()
        self.read()

    def read(self) -> None:
        """From the ledger, forgetting what has not been saved."""
        self.payloads = {
            entity: Payload(*values)
            for entity, *values in self._connection.execute(
                "SELECT entity, definition, description, for_all, checked_load, changed_load FROM"
                " ops.payload ORDER BY entity"
            )
        }
        self.covered: dict[str, dict[int, int]] = {}
        for entity, position, load in self._connection.execute(
            "SELECT entity, position, load FROM ops.covered"
        ):
            self.covered.setdefault(entity, {})[position] = load
        self.parts: dict[tuple[str, bool], Part] = {}
        self._read_buckets()
        for entity, private, audience, shared, rows in self._connection.execute(
            "SELECT entity, private, audience, shared, rows FROM ops.placement"
        ):
            self.part(entity, private=private).placements[audience] = Placement(shared, rows)

    def _read_buckets(self) -> None:
        buckets: dict[int, Bucket] = {}
        for number, entity, private, mask, *values in self._connection.execute(
            "SELECT id, entity, private, mask, state, rows, removed, base_load, base_state FROM"
            " ops.bucket ORDER BY id"
        ):
            bucket = buckets[number] = Bucket(number, int(mask, 16), *values)
            self.part(entity, private=private).by_mask[bucket.mask] = bucket
        for number, is_base, load, from_state, state, *values in self._connection.execute(
            "SELECT bucket, is_base, load, from_state, state, sha256, rows, bytes FROM"
            " ops.bucket_object ORDER BY bucket, position"
        ):
            if is_base:
                buckets[number].base.append(ObjectRecord(*values))
            else:
                buckets[number].changes.append(
                    Change(load, from_state, state, ObjectRecord(*values))
                )

    def _next_numbers(self) -> Iterator[int]:
        while True:
            rows = self._connection.execute(
                "SELECT nextval('ops.bucket_number') FROM generate_series(1, %s)",
                [_NUMBERS_AT_ONCE],
            ).fetchall()
            yield from (number for (number,) in rows)

    def part(self, entity: str, *, private: bool) -> Part:
        if (entity, private) not in self.parts:
            self.parts[entity, private] = Part()
        return self.parts[entity, private]

    def newcomers(self, entity: str, positions: Iterable[int], *, anew: bool) -> set[int]:
        """Those of the profiles who get the entity for the first time; from now on they are known
        to.
        """
        if anew:
            self._connection.execute("DELETE FROM ops.covered WHERE entity = %s", [entity])
            self.covered[entity] = {}
        known = self.covered.setdefault(entity, {})
        new = {position: self._load for position in positions if position not in known}
        known |= new
        if new:
            rows = ((entity, position, load) for position, load in new.items())
            _copy(self._connection, "ops.covered (entity, position, load)", rows)
        return set(new)

    def save(self, entity: str, payload: Payload, *, changed: bool) -> None:
        """Writes what was published of the entity: nothing but that it was looked at, where nothing
        changed.
        """
        before = self.payloads.get(entity)
        changed_load = self._load if changed or before is None else before.changed_load
        self.payloads[entity] = replace(payload, checked_load=self._load, changed_load=changed_load)
        self._connection.execute(
            """
            INSERT INTO ops.payload (entity, checked_load, changed_load, definition, description,
                for_all)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (entity) DO UPDATE SET
                (checked_load, changed_load, definition, description, for_all, published_at) =
                    (excluded.checked_load,
                excluded.changed_load, excluded.definition, excluded.description, excluded.for_all,
                    now())
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
            part = self.parts.get((entity, private))
            if part and (part.is_touched or part.recounted):
                self._save_part(entity, private, part)

    def _save_part(self, entity: str, private: bool, part: Part) -> None:
        touched = [bucket for bucket in part.by_mask.values() if bucket.id in part.touched]
        gone = [*part.dropped, *(bucket.id for bucket in touched)]
        self._connection.execute("DELETE FROM ops.bucket_object WHERE bucket = ANY(%s)", [gone])
        self._connection.execute("DELETE FROM ops.bucket WHERE id = ANY(%s)", [gone])
        _copy(
            self._connection,
            "ops.bucket (id, entity, private, mask, state, rows, removed, base_load, base_state)",
            (
                (
                    b.id,
                    entity,
                    private,
                    as_text(b.mask),
                    b.state,
                    b.rows,
                    b.removed,
                    b.base_load,
                    b.base_state,
                )
                for b in touched
            ),
        )
        _copy(
            self._connection,
            "ops.bucket_object (bucket, position, is_base, load, from_state, state, sha256, rows,"
            " bytes)",
            (row for bucket in touched for row in _object_rows(bucket)),
        )
        part.placements = {
            audience: placement for audience, placement in part.placements.items() if placement.rows
        }
        self._connection.execute(
            "DELETE FROM ops.placement WHERE entity = %s AND private = %s", [entity, private]
        )
        _copy(
            self._connection,
            "ops.placement (entity, private, audience, shared, rows)",
            (
                (entity, private, audience, p.shared, p.rows)
                for audience, p in part.placements.items()
            ),
        )
        part.touched, part.dropped, part.recounted = set(), set(), False


def _object_rows(bucket: Bucket) -> Iterator[Sequence[int | bool | str | None]]:
    for position, r in enumerate(bucket.base):
        yield (bucket.id, position, True, bucket.base_load, None, None, r.sha256, r.rows, r.bytes)
    for position, c in enumerate(bucket.changes, len(bucket.base)):
        r = c.record
        yield (bucket.id, position, False, c.load, c.from_state, c.state, r.sha256, r.rows, r.bytes)


def _copy(connection: Connection, target: LiteralString, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
