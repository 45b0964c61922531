"""Kimo's side of a batch: its records are marked, copied into integrator.outbox, and settled.

They go from ToExportToErp to ExportedToErp, or back.
Every change of a status names the one that it expects: the Kimo server may set another while a
record is in flight, and that one stays (catalog/lifecycle.py has the transitions).
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
from kimo_assets.database.names import CHANGED, ID, KIMO, table
from kimo_assets.export.points import CrashPoint
from kimo_assets.export.ready import Candidate
from kimo_assets.reports import HeldRecord

Fields = Mapping[str, Sequence[str]]


class Row(NamedTuple):
    """A row of the outbox. values: PostgreSQL's texts, in the order of the entity's fields."""

    id: str
    head_id: str
    values: Sequence[str | None]


@dataclass(frozen=True)
class Batch:
    """heads: Id -> SyncReference. rows: by entity, the heads' own and those of their parts."""

    number: int
    entity: str
    heads: Mapping[str, str | None]
    rows: Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class Outbox:
    """Works for one load, on one connection. reached: called at every point (points.py)."""

    connection: Connection
    catalog: Catalog
    load: int
    run_id: str | None
    source: str
    reached: Callable[[str], None]

    # --- a new batch
    # ----------------------------------------------------------------------------------------------

    def mark(
        self, entity: str, heads: Sequence[Candidate], fields: Fields, *, has_marker: bool
    ) -> Batch | None:
        """A new batch of the heads that are still to be sent, in the caller's transaction.

        None if there are none any more.
        """
        self.reached(f"{CrashPoint.MARK}.before_mark")
        references = self._set_status(
            entity,
            [head.id for head in heads],
            (EntityStatus.TO_EXPORT_TO_ERP,),
            EntityStatus.EXPORTING_TO_ERP,
        )
        if not references:
            return None
        number = self._insert_batch(entity, len(references), fields, has_marker=has_marker)
        marked = [head for head in heads if head.id in references]
        self._insert_records(number, entity, marked)
        self.reached(f"{CrashPoint.MARK}.marked")
        # Copied at once: an agent may edit the record as soon as the transaction ends.
        rows = self._copy_rows(number, entity, list(references), fields)
        self.reached(f"{CrashPoint.MARK}.copied")
        return Batch(number, entity, references, rows)

    def _insert_batch(self, entity: str, records: int, fields: Fields, *, has_marker: bool) -> int:
        row = self.connection.execute(
            """
            INSERT INTO ops.export_batch
                (load, run_id, source, entity, state, records, has_marker, fields)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING batch
            """,
            [
                self.load,
                self.run_id,
                self.source,
                entity,
                BatchState.EXPORTING,
                records,
                has_marker,
                # The outbox keeps values without names: an upgrade may add a field meanwhile.
                orjson.dumps(dict(fields)).decode(),
            ],
        ).fetchone()
        assert row is not None, "RETURNING gives a row"  # noqa: S101
        return int(row[0])

    def _insert_records(self, number: int, entity: str, heads: Sequence[Candidate]) -> None:
        """One statement for all heads, without an outcome yet."""
        self.connection.execute(
            """
            INSERT INTO ops.export_record (entity, id, batch, sync_reference, parts)
            SELECT %s, unnest(%s::text[]), %s, unnest(%s::text[]), unnest(%s::bigint[])
            """,
            [
                entity,
                [head.id for head in heads],
                number,
                [head.sync_reference for head in heads],
                [head.parts for head in heads],
            ],
        )

    def _copy_rows(
        self, number: int, head: str, keys: Sequence[str], fields: Fields
    ) -> dict[str, list[Row]]:
        """The rows of the heads and of their parts, as they are now, put into the outbox."""
        copied: dict[str, list[Row]] = {}
        position = 0
        for name in fields:
            statement = self._copy_statement(head, name, fields[name])
            parameters = {"batch": number, "position": position, "keys": list(keys)}
            rows = self.connection.execute(statement, parameters).fetchall()
            copied[name] = list(map(Row._make, rows))
            position += len(rows)
        return copied

    def _copy_statement(self, head: str, name: str, fields: Sequence[str]) -> sql.Composed:
        entity = self.catalog[name]
        owner = ID
        if name != head:
            owner = entity.owner_field or ID
        # Lines go to the ERP in the order in which the agent entered them.
        order = "LineNumber" if "LineNumber" in entity.fields else ID
        # One outbox holds the rows of all entities, so their values are texts in one array.
        values = [sql.SQL("k.{}::text").format(sql.Identifier(field)) for field in fields]
        return _COPY.format(
            entity=sql.Literal(name),
            table=table(KIMO, name),
            owner=sql.Identifier(owner),
            line=sql.Identifier(order),
            values=sql.SQL(", ").join(values),
        )

    # --- what becomes of it
    # ----------------------------------------------------------------------------------------------

    def hold(self, batch: int, entity: str, reasons: Mapping[str, str]) -> None:
        """Takes heads out of a batch because they cannot be sent as they are.

        reasons: the head's Id -> why.
        """
        keys = list(reasons)
        # Status, outcome and rows change together: after a crash all of it holds, or none.
        with self._transaction(CrashPoint.HOLD):
            self._set_status(entity, keys, IN_FLIGHT, EntityStatus.TO_EXPORT_TO_ERP, batch)
            self._forget_earlier_tries(entity, keys)
            rows = self.connection.execute(
                """
                UPDATE ops.export_record AS r SET outcome = %s, problem = w.why
                FROM unnest(%s::text[], %s::text[]) AS w (id, why)
                WHERE r.batch = %s AND r.entity = %s AND r.id = w.id
                RETURNING r.id, r.sync_reference
                """,
                [RecordOutcome.HELD, keys, list(reasons.values()), batch, entity],
            ).fetchall()
            self._shrink_batch(batch, keys)
            self.note_held([HeldRecord(entity, key, ref, reasons[key]) for key, ref in rows])

    def _shrink_batch(self, batch: int, keys: Sequence[str]) -> None:
        """Without these heads. A batch that has none left has ended."""
        self.connection.execute(
            "DELETE FROM integrator.outbox WHERE batch = %s AND head_id = ANY(%s)",
            [batch, list(keys)],
        )
        self.connection.execute(
            """
            UPDATE ops.export_batch SET records = records - %(count)s,
                state = CASE WHEN records = %(count)s THEN %(empty)s ELSE state END,
                ended_at = CASE WHEN records = %(count)s THEN now() END
            WHERE batch = %(batch)s
            """,
            {"count": len(keys), "empty": BatchState.TAKEN_BACK, "batch": batch},
        )

    def note_held(self, records: Sequence[HeldRecord], *, is_waiting: bool = False) -> None:
        """Records that cannot be sent, or wait for another one, into ops.export_held.

        `since` stays as long as the reason is the same.
        """
        by_entity: dict[str, list[HeldRecord]] = {}
        for record in records:
            by_entity.setdefault(record.entity, []).append(record)
        for entity, held in by_entity.items():
            self.connection.execute(
                """
                INSERT INTO ops.export_held AS before
                    (entity, id, sync_reference, why, is_waiting, load)
                SELECT %s, w.*, %s, %s FROM unnest(%s::text[], %s::text[], %s::text[]) AS w
                ON CONFLICT (entity, id) DO UPDATE SET
                    (sync_reference, why, is_waiting, load, since) =
                    (excluded.sync_reference, excluded.why, excluded.is_waiting, excluded.load,
                     CASE WHEN before.why = excluded.why THEN before.since ELSE now() END)
                """,
                [
                    entity,
                    is_waiting,
                    self.load,
                    [record.id for record in held],
                    [record.sync_reference for record in held],
                    [record.why for record in held],
                ],
            )

    def note_refused(self, number: int, record: HeldRecord) -> None:
        """The one record of a batch that was taken back because the ERP refused it."""
        with self._transaction(CrashPoint.REFUSED):
            self._forget_earlier_tries(record.entity, [record.id])
            self.connection.execute(
                """
                UPDATE ops.export_record SET outcome = %s, problem = %s
                WHERE entity = %s AND id = %s AND batch = %s
                """,
                [RecordOutcome.HELD, record.why, record.entity, record.id, number],
            )
            self.note_held([record])

    def _forget_earlier_tries(self, entity: str, keys: Sequence[str]) -> None:
        """Every export tries a held record again. Only the last try is kept."""
        self.connection.execute(
            "DELETE FROM ops.export_record WHERE entity = %s AND id = ANY(%s) AND outcome = %s",
            [entity, list(keys), RecordOutcome.HELD],
        )

    def forget_held(self, entity: str) -> None:
        """Forgets the records that this load did not find held any more."""
        self.connection.execute(
            "DELETE FROM ops.export_held WHERE entity = %s AND load < %s", [entity, self.load]
        )

    def announce_commit(self, batch: Batch, written: Mapping[str, str | None] | None) -> None:
        """The batch is committing: from here on it may have arrived.

        Kimo commits this before the ERP is asked to commit, so that a crash leaves no doubt about
        the other batches. written: Id -> SyncReference as the ERP's row has it.
        """
        with self._transaction(CrashPoint.ANNOUNCE):
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

    def settle(self, number: int, entity: str) -> int:
        """The batch has arrived: its heads are exported. Returns how many they are."""
        with self._transaction(CrashPoint.SETTLE):
            keys = self._open_records(number)
            self._set_status(
                entity,
                keys,
                (EntityStatus.COMMITTING_EXPORT_TO_ERP,),
                EntityStatus.EXPORTED_TO_ERP,
                number,
            )
            self.connection.execute(
                """
                UPDATE ops.export_record SET outcome = %s, problem = NULL, sent_at = now()
                WHERE batch = %s AND outcome IS NULL
                """,
                [RecordOutcome.SENT, number],
            )
            self.connection.execute(
                "DELETE FROM ops.export_held WHERE entity = %s AND id = ANY(%s)", [entity, keys]
            )
            self._close(number, BatchState.EXPORTED)
        return len(keys)

    def take_back(self, number: int, entity: str) -> list[str]:
        """Nothing of the batch has arrived: its heads are to be sent again. Returns their Ids."""
        with self._transaction(CrashPoint.TAKE_BACK):
            keys = self._open_records(number)
            self._set_status(entity, keys, IN_FLIGHT, EntityStatus.TO_EXPORT_TO_ERP, number)
            # Edited again meanwhile. No answer will come for what the ERP never got, so that
            # nothing else would release the edit.
            self._set_status(
                entity,
                self._never_sent(entity, keys),
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

    def _never_sent(self, entity: str, keys: Sequence[str]) -> list[str]:
        rows = self.connection.execute(
            """
            SELECT w.id FROM unnest(%s::text[]) AS w (id) WHERE NOT EXISTS
                (SELECT FROM ops.export_record AS r
                 WHERE r.entity = %s AND r.id = w.id AND r.outcome = ANY(%s))
            """,
            [list(keys), entity, list(ARRIVED)],
        )
        return [key for (key,) in rows]

    def _open_records(self, number: int) -> list[str]:
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
        entity: str,
        keys: Sequence[str],
        expected: Sequence[EntityStatus],
        status: EntityStatus,
        batch: int | None = None,
    ) -> dict[str, str | None]:
        """Id -> SyncReference of the heads whose status was changed.

        batch: heads that a later batch has by now are left alone.
        """
        unless_later = sql.SQL("")
        if batch is not None:
            unless_later = _UNLESS_LATER
        statement = _SET_STATUS.format(
            head=table(KIMO, entity),
            changed=sql.Identifier(CHANGED),
            unless=unless_later,
        )
        parameters = {
            "status": status,
            "load": self.load,
            "keys": list(keys),
            "expected": list(expected),
            "entity": entity,
            "batch": batch,
        }
        return dict(self.connection.execute(statement, parameters).fetchall())

    @contextmanager
    def _transaction(self, point: CrashPoint) -> Iterator[None]:
        self.reached(f"{point}.before")
        with self.connection.transaction():
            yield
            self.reached(f"{point}.before_commit")
        self.reached(f"{point}.committed")


_SET_STATUS = sql.SQL("""
    UPDATE {head} AS h SET "EntityStatus" = %(status)s, {changed} = %(load)s
    WHERE h."Id" = ANY(%(keys)s) AND h."EntityStatus" = ANY(%(expected)s) {unless}
    RETURNING h."Id", h."SyncReference"
    """)

_UNLESS_LATER = sql.SQL("""
    AND NOT EXISTS (SELECT FROM ops.export_record AS l
                    WHERE l.entity = %(entity)s AND l.id = h."Id" AND l.batch > %(batch)s)
    """)

# The ERP gets the rows in the order in which RETURNING gives them, so the SELECT is sorted too.
_COPY = sql.SQL("""
    INSERT INTO integrator.outbox (batch, position, entity, id, head_id, values)
    SELECT %(batch)s, %(position)s + row_number() OVER (ORDER BY k.{owner}, k.{line}, k."Id"),
           {entity}, k."Id", k.{owner}, ARRAY[{values}]::text[]
    FROM {table} AS k WHERE k.{owner} = ANY(%(keys)s) AND k._archived_load IS NULL
    ORDER BY k.{owner}, k.{line}, k."Id"
    RETURNING id, head_id, values
    """)
