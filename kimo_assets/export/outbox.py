"""Kimo's side of a batch: what is marked, copied into integrator.outbox and recorded, from
EntityStatus 6 to 1 or back to 6.

Every change of a status names the one that it expects: the Kimo server may set another while a
record is in flight, and that one stays.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from psycopg import Connection, sql

from kimo_assets.catalog import Catalog
from kimo_assets.catalog.lifecycle import (
    ARRIVED,
    IN_FLIGHT,
    BatchState,
    EntityStatus,
    RecordOutcome,
)
from kimo_assets.database.names import ARCHIVED, CHANGED, ID, KIMO, table
from kimo_assets.export.ready import Candidate
from kimo_assets.reports import HeldRecord

Fields = Mapping[str, Sequence[str]]


class Row(NamedTuple):
    """A row of the outbox. values: as PostgreSQL writes them, in the order of the entity's
    fields.
    """

    id: str
    head_id: str
    values: Sequence[str | None]


@dataclass(frozen=True)
class Batch:
    """heads: Id -> SyncReference; rows: of the heads, then of each of their parts, by entity."""

    number: int
    entity: str
    heads: Mapping[str, str | None]
    rows: Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class Outbox:
    """Works for one load, on one connection. reached: told before and after whatever changes
    something.
    """

    connection: Connection
    catalog: Catalog
    load: int
    run_id: str | None
    source: str
    reached: Callable[[str], None]

    # --- to be exported -> exporting
    # ----------------------------------------------------------------------------------------------

    def mark(
        self, name: str, heads: Sequence[Candidate], fields: Fields, *, has_marker: bool
    ) -> Batch | None:
        """A new batch of those of the heads that are still to be sent; in the caller's transaction.
        None: of none.
        """
        self.reached("P1.before_mark")
        references = self._set_status(
            name,
            [head.id for head in heads],
            (EntityStatus.TO_EXPORT_TO_ERP,),
            EntityStatus.EXPORTING_TO_ERP,
        )
        if not references:
            return None
        number = self._new_batch(name, len(references), fields, has_marker)
        self._record(number, name, [head for head in heads if head.id in references])
        self.reached("P1.marked")
        rows = self._copy(number, name, list(references), fields)
        self.reached("P1.copied")
        return Batch(number, name, references, rows)

    def _new_batch(self, name: str, records: int, fields: Fields, has_marker: bool) -> int:
        row = self.connection.execute(
            "INSERT INTO ops.export_batch (load, run_id, source, entity, state, records,"
            " has_marker, fields) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING batch",
            [
                self.load,
                self.run_id,
                self.source,
                name,
                BatchState.EXPORTING,
                records,
                has_marker,
                orjson.dumps(dict(fields)).decode(),
            ],
        ).fetchone()
        assert row is not None, "RETURNING gives a row"  # noqa: S101
        return int(row[0])

    def _record(self, number: int, name: str, heads: Sequence[Candidate]) -> None:
        self.connection.execute(
            "INSERT INTO ops.export_record (entity, id, batch, sync_reference, parts) "
            "SELECT %s, unnest(%s::text[]), %s, unnest(%s::text[]), unnest(%s::bigint[])",
            [
                name,
                [h.id for h in heads],
                number,
                [h.sync_reference for h in heads],
                [h.parts for h in heads],
            ],
        )

    def _copy(
        self, number: int, name: str, keys: Sequence[str], fields: Fields
    ) -> dict[str, list[Row]]:
        """The rows of the heads and of their parts, as they are now, put into the outbox."""
        copied: dict[str, list[Row]] = {}
        position = 0
        for entity in fields:
            described = self.catalog[entity]
            owner = ID if entity == name else described.owner_field or ID
            statement = _COPY.format(
                entity=sql.Literal(entity),
                table=table(KIMO, entity),
                owner=sql.Identifier(owner),
                line=sql.Identifier("LineNumber" if "LineNumber" in described.fields else ID),
                values=sql.SQL(", ").join(
                    sql.SQL("k.{}::text").format(sql.Identifier(field)) for field in fields[entity]
                ),
            )
            values = {"batch": number, "position": position, "keys": list(keys)}
            found = self.connection.execute(statement, values).fetchall()
            copied[entity] = list(map(Row._make, found))
            position += len(copied[entity])
        return copied

    # --- what becomes of it
    # ---------------------------------------------------------------------------------------

    def hold(self, batch: int, name: str, reasons: Mapping[str, str]) -> None:
        """Takes heads out of a batch, 3 -> 6, because they cannot be sent as they are."""
        keys = list(reasons)
        with self._transaction("P2"):
            self._set_status(name, keys, IN_FLIGHT, EntityStatus.TO_EXPORT_TO_ERP, batch)
            self._forget_tries(name, keys)
            references = self.connection.execute(
                """
                UPDATE ops.export_record AS r SET outcome = %s, problem = w.why
                FROM unnest(%s::text[], %s::text[]) AS w (id, why)
                WHERE r.batch = %s AND r.entity = %s AND r.id = w.id RETURNING r.id,
                    r.sync_reference
                """,
                [RecordOutcome.HELD, keys, list(reasons.values()), batch, name],
            ).fetchall()
            self.connection.execute(
                "DELETE FROM integrator.outbox WHERE batch = %s AND head_id = ANY(%s)",
                [batch, keys],
            )
            self.connection.execute(
                "UPDATE ops.export_batch SET records = records - %s, "
                "state = CASE WHEN records = %s THEN %s ELSE state END, "
                "ended_at = CASE WHEN records = %s THEN now() END WHERE batch = %s",
                [len(keys), len(keys), BatchState.TAKEN_BACK, len(keys), batch],
            )
            self.note_held(
                [HeldRecord(name, key, reference, reasons[key]) for key, reference in references]
            )

    def note_held(self, records: Sequence[HeldRecord], *, is_waiting: bool = False) -> None:
        """What cannot be sent, or waits, in ops.export_held; since when, as long as it is for the
        same.
        """
        by_entity: dict[str, list[HeldRecord]] = {}
        for record in records:
            by_entity.setdefault(record.entity, []).append(record)
        for entity, found in by_entity.items():
            self.connection.execute(
                """
                INSERT INTO ops.export_held AS known
                    (entity, id, sync_reference, why, is_waiting, load)
                SELECT %s, w.*, %s, %s FROM unnest(%s::text[], %s::text[], %s::text[]) AS w
                ON CONFLICT (entity, id) DO UPDATE SET
                    (sync_reference, why, is_waiting, load, since) =
                    (excluded.sync_reference, excluded.why, excluded.is_waiting, excluded.load,
                     CASE WHEN known.why = excluded.why THEN known.since ELSE now() END)
                """,
                [
                    entity,
                    is_waiting,
                    self.load,
                    [r.id for r in found],
                    [r.sync_reference for r in found],
                    [r.why for r in found],
                ],
            )

    def note_refused(self, number: int, record: HeldRecord) -> None:
        """The one record of a batch that was taken back because the ERP refused it."""
        with self._transaction("H"):
            self._forget_tries(record.entity, [record.id])
            self.connection.execute(
                "UPDATE ops.export_record SET outcome = %s, problem = %s WHERE entity = %s AND"
                " id = %s AND batch = %s",
                [RecordOutcome.HELD, record.why, record.entity, record.id, number],
            )
            self.note_held([record])

    def _forget_tries(self, name: str, keys: Sequence[str]) -> None:
        """A record that is held is tried by every export: the last of these is kept."""
        self.connection.execute(
            "DELETE FROM ops.export_record WHERE entity = %s AND id = ANY(%s) AND outcome = %s",
            [name, list(keys), RecordOutcome.HELD],
        )

    def forget_held(self, name: str) -> None:
        """What this load has not found to be held any more."""
        self.connection.execute(
            "DELETE FROM ops.export_held WHERE entity = %s AND load < %s", [name, self.load]
        )

    def committing(self, batch: Batch, written: Mapping[str, str | None] | None) -> None:
        """3 -> 5: from here on the batch may have arrived. written: Id -> SyncReference as the
        ERP's row has it.
        """
        with self._transaction("P4"):
            self._set_status(
                batch.entity,
                list(batch.heads),
                (EntityStatus.EXPORTING_TO_ERP,),
                EntityStatus.COMMITTING_EXPORT_TO_ERP,
            )
            if written:
                self.connection.execute(
                    """
                    UPDATE ops.export_record AS r SET written_reference = w.reference
                    FROM unnest(%s::text[], %s::text[]) AS w (id, reference)
                    WHERE r.batch = %s AND r.entity = %s AND r.id = w.id
                    """,
                    [list(written), list(written.values()), batch.number, batch.entity],
                )
            self.connection.execute(
                "UPDATE ops.export_batch SET state = %s WHERE batch = %s",
                [BatchState.COMMITTING, batch.number],
            )

    def exported(self, number: int, name: str) -> int:
        """5 -> 1: the batch has arrived. How many heads it brought there."""
        with self._transaction("P6"):
            keys = self._records(number)
            self._set_status(
                name,
                keys,
                (EntityStatus.COMMITTING_EXPORT_TO_ERP,),
                EntityStatus.EXPORTED_TO_ERP,
                number,
            )
            self.connection.execute(
                "UPDATE ops.export_record SET outcome = %s, problem = NULL, sent_at = now() "
                "WHERE batch = %s AND outcome IS NULL",
                [RecordOutcome.SENT, number],
            )
            self.connection.execute(
                "DELETE FROM ops.export_held WHERE entity = %s AND id = ANY(%s)", [name, keys]
            )
            self._close(number, BatchState.EXPORTED)
        return len(keys)

    def take_back(self, number: int, name: str) -> list[str]:
        """3 or 5 -> 6: nothing of the batch has arrived. The heads that it held.

        Also 10 -> 6, of what the ERP has never got: no answer will come that would let the edit go
        on.
        """
        with self._transaction("T"):
            keys = self._records(number)
            self._set_status(name, keys, IN_FLIGHT, EntityStatus.TO_EXPORT_TO_ERP, number)
            self._set_status(
                name,
                self._never_sent(name, keys),
                (EntityStatus.EDITING_PENDING,),
                EntityStatus.TO_EXPORT_TO_ERP,
                number,
            )
            self.connection.execute(
                "UPDATE ops.export_record SET outcome = %s WHERE batch = %s AND outcome IS NULL",
                [RecordOutcome.TAKEN_BACK, number],
            )
            self._close(number, BatchState.TAKEN_BACK)
        return keys

    def _never_sent(self, name: str, keys: Sequence[str]) -> list[str]:
        rows = self.connection.execute(
            "SELECT w.id FROM unnest(%s::text[]) AS w (id) WHERE NOT EXISTS (SELECT FROM"
            " ops.export_record AS r WHERE r.entity = %s AND r.id = w.id AND r.outcome = ANY(%s))",
            [list(keys), name, list(ARRIVED)],
        )
        return [key for (key,) in rows]

    def _records(self, number: int) -> list[str]:
        rows = self.connection.execute(
            "SELECT id FROM ops.export_record WHERE batch = %s AND outcome IS NULL ORDER BY id",
            [number],
        )
        return [key for (key,) in rows]

    def _close(self, number: int, state: BatchState) -> None:
        self.connection.execute(
            "UPDATE ops.export_batch SET state = %s, ended_at = now() WHERE batch = %s",
            [state, number],
        )
        self.connection.execute("DELETE FROM integrator.outbox WHERE batch = %s", [number])

    def _set_status(
        self,
        name: str,
        keys: Sequence[str],
        expected: Sequence[EntityStatus],
        status: EntityStatus,
        of_batch: int | None = None,
    ) -> dict[str, str | None]:
        """Id -> SyncReference of the heads whose status was changed. of_batch: unless a later batch
        has them by now.
        """
        statement = _SET_STATUS.format(
            head=table(KIMO, name),
            changed=sql.Identifier(CHANGED),
            archived=sql.Identifier(ARCHIVED),
            unless=sql.SQL("") if of_batch is None else _UNLESS_LATER,
        )
        values = {
            "status": status,
            "load": self.load,
            "keys": list(keys),
            "expected": list(expected),
            "entity": name,
        }
        return dict(self.connection.execute(statement, values | {"batch": of_batch}).fetchall())

    @contextmanager
    def _transaction(self, point: str) -> Iterator[None]:
        self.reached(f"{point}.before")
        with self.connection.transaction():
            yield
            self.reached(f"{point}.before_commit")
        self.reached(f"{point}.committed")


_SET_STATUS = sql.SQL("""
    UPDATE {head} AS h SET "EntityStatus" = %(status)s, {changed} = %(load)s
    WHERE h."Id" = ANY(%(keys)s) AND h."EntityStatus" = ANY(%(expected)s) {unless} RETURNING h."Id",
        h."SyncReference"
    """)

_UNLESS_LATER = sql.SQL(
    "AND NOT EXISTS (SELECT FROM ops.export_record AS l WHERE l.entity = %(entity)s "
    'AND l.id = h."Id" AND l.batch > %(batch)s)'
)

_COPY = sql.SQL("""
    INSERT INTO integrator.outbox (batch, position, entity, id, head_id, values)
    SELECT %(batch)s, %(position)s + row_number() OVER (ORDER BY k.{owner}, k.{line}, k."Id"),
        {entity}, k."Id", k.{owner},
           ARRAY[{values}]::text[]
    FROM {table} AS k WHERE k.{owner} = ANY(%(keys)s) AND k._archived_load IS NULL
    ORDER BY k.{owner}, k.{line}, k."Id"
    RETURNING id, head_id, values
    """)
