"""One batch into the ERP, in one transaction of the ERP's. And what follows when that fails."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Engine, Table
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from kimo_assets.database.locks import is_usable
from kimo_assets.errors import SourceError, TransientSourceError
from kimo_assets.export.erp import Erp
from kimo_assets.export.outbox import Batch, Outbox
from kimo_assets.export.points import CrashPoint
from kimo_assets.export.ready import Candidate
from kimo_assets.export.recovery import Verdict, find_verdict
from kimo_assets.export.targets import UnfittingValueError
from kimo_assets.reports import HeldRecord
from kimo_assets.sources.connection import connected, source_errors, without_secrets
from kimo_assets.texts import say

# Rows to a call of a driver's executemany.
_CHUNK = 1000
_MAX_MESSAGE_CHARS = 400

# If the ERP refuses every record of a batch of at least this size, the cause is not in a record.
_SYSTEMATIC = 10

Cells = tuple[Any, ...]
RowsOfHead = dict[str, list[Cells]]
Converted = Mapping[str, Sequence[Cells]]


class RefusedError(Exception):
    """The ERP refuses a row, in its own words: a constraint, a trigger, a value."""


@dataclass
class Sent:
    """What became of the heads of a batch. refused: how many of the held ones the ERP refused."""

    heads: int = 0
    rows: int = 0
    held: list[HeldRecord] = field(default_factory=list)
    refused: int = 0

    def __iadd__(self, other: "Sent") -> "Sent":
        self.heads += other.heads
        self.rows += other.rows
        self.held += other.held
        self.refused += other.refused
        return self


@dataclass(frozen=True)
class Sender:
    """Sends batches of one run to one ERP."""

    outbox: Outbox
    erp: Erp

    def send(self, batch: Batch, *, retries: int = 1) -> Sent:
        """Sends what of the batch can be sent. A row that the ERP refuses holds its head alone.

        retries: how often a batch that was lost with its connection is sent once more.
        Raises: SourceError. What was not sent is to be exported again then, unless the connection
        broke in the commit and the ERP cannot be reached any more: that batch is in doubt.
        """
        converted, held = self._convert(batch)
        sent = Sent(held=held)
        if held:
            reasons = {record.id: record.why for record in held}
            self.outbox.hold(batch.number, batch.entity, reasons)
        if not converted:
            return sent
        fitting = {key: batch.heads[key] for key in converted}
        batch = replace(batch, heads=fitting)
        rows = self._in_order_of_tables(batch, converted)
        # Both hold all rows of the batch. One copy is enough.
        del converted
        try:
            verdict = self._append(batch, rows)
        except RefusedError as refusal:
            sent += self._send_halves(batch, str(refusal))
            return sent
        sent += self._end(batch, rows, verdict, retries)
        return sent

    def _in_order_of_tables(self, batch: Batch, converted: Mapping[str, RowsOfHead]) -> Converted:
        return {
            name: [row for rows in converted.values() for row in rows.get(name, ())]
            for name in self.erp.fields(list(batch.rows))
        }

    def _end(self, batch: Batch, rows: Converted, verdict: Verdict, retries: int) -> Sent:
        """Settles the batch, or takes it back and sends it once more, or leaves it in doubt."""
        if verdict is Verdict.ARRIVED:
            heads = self.outbox.settle(batch.number, batch.entity)
            return Sent(heads, sum(map(len, rows.values())))
        if verdict is Verdict.IN_DOUBT:
            return Sent(held=note_in_doubt(self.outbox, batch.number, batch.entity))
        self.outbox.take_back(batch.number, batch.entity)
        if not retries:
            raise TransientSourceError(
                say("export.send.lost_in_every_commit", source=self.erp.source)
            )
        return self._send_again(batch, list(batch.heads), retries - 1)

    # --- the steps
    # ----------------------------------------------------------------------------------------------

    def _convert(self, batch: Batch) -> tuple[dict[str, RowsOfHead], list[HeldRecord]]:
        """Head's Id -> entity -> its rows as the ERP takes them. And the heads that are held.

        A head is held for a value of its own, or of a part, that does not fit.
        """
        converted: dict[str, RowsOfHead] = {key: {} for key in batch.heads}
        reasons: dict[str, str] = {}
        for name, rows in batch.rows.items():
            convert = self.erp.targets[name].convert
            for row in rows:
                try:
                    cells = convert(row.values)
                except UnfittingValueError as error:
                    part = "" if name == batch.entity else f"{name} {row.id}: "
                    # The first reason of a head is enough for its report.
                    reasons.setdefault(row.head_id, f"{part}{error}")
                    continue
                converted[row.head_id].setdefault(name, []).append(cells)
        for key in reasons:
            del converted[key]
        held = [
            HeldRecord(batch.entity, key, batch.heads[key], reason)
            for key, reason in reasons.items()
        ]
        return converted, held

    def _append(self, batch: Batch, rows: Converted) -> Verdict:
        """Writes and commits the batch at the ERP.

        Raises: RefusedError when nothing of it has arrived. SourceError.
        """
        reached, erp = self.outbox.reached, self.erp
        is_committing = False
        try:
            with ExitStack() as stack:
                with self._erps_errors():
                    connection = stack.enter_context(connected(erp.engine))
                    self._write(connection, batch, rows)
                # Without a marker, the references are what the batch can be recognised by.
                written = None if erp.marker else self._written_references(batch, rows)
                self.outbox.announce_commit(batch, written)
                is_committing = True
                reached(f"{CrashPoint.COMMIT}.before")
                with self._erps_errors():
                    connection.commit()
                reached(f"{CrashPoint.COMMIT}.committed")
        except (SourceError, RefusedError) as error:
            if not is_committing:
                self._take_back(batch)
                raise
            return self._verdict_after(batch, error)
        except BaseException:
            # An interrupt too. Once the commit was asked for, only the next run can tell.
            if not is_committing:
                with suppress(psycopg.Error):
                    self._take_back(batch)
            raise
        return Verdict.ARRIVED

    @contextmanager
    def _erps_errors(self) -> Iterator[None]:
        """Errors within are the ERP's. Raises: RefusedError, SourceError."""
        with source_errors(self.erp.source, self.erp.engine), _refusals(self.erp.engine):
            yield

    def _write(self, connection: Connection, batch: Batch, rows: Converted) -> None:
        reached, erp = self.outbox.reached, self.erp
        # The marker goes first: its key refuses a batch that was found not to have arrived.
        reached(f"{CrashPoint.WRITE}.before_marker")
        if erp.marker:
            erp.marker.write(connection, batch.number, len(batch.heads))
            reached(f"{CrashPoint.WRITE}.marker")
        # Heads come before their parts, which the ERP may tie to them by a foreign key.
        for name, cells in rows.items():
            append(connection, erp.targets[name].table, cells, is_view=name in erp.views)
            kind = "heads" if name == batch.entity else "parts"
            reached(f"{CrashPoint.WRITE}.{kind}")

    def _written_references(self, batch: Batch, rows: Converted) -> dict[str, str | None] | None:
        """Head's Id -> SyncReference as it is written, to recognise the batch by at the ERP."""
        target = self.erp.targets[batch.entity]
        if target.sync_column is None:
            return None
        position = [column.name for column in target.table.columns].index(target.sync_column)
        values = (row[position] for row in rows[batch.entity])
        return {
            key: None if value is None else str(value)
            for key, value in zip(batch.heads, values, strict=True)
        }

    # --- when it fails
    # ----------------------------------------------------------------------------------------------

    def _take_back(self, batch: Batch) -> None:
        """Where Kimo's own connection is broken, the next run does it."""
        if is_usable(self.outbox.connection):
            self.outbox.take_back(batch.number, batch.entity)

    def _verdict_after(self, batch: Batch, error: SourceError | RefusedError) -> Verdict:
        """Whether a batch has arrived whose commit gave an error.

        Raises: the error, when the ERP cannot be asked or has refused the commit.
        """
        number = batch.number
        self.erp.log(say("export.send.looking", batch=number, entity=batch.entity, error=error))
        # An error of the network may come after the ERP has committed.
        try:
            self.erp.connect_again()
            verdict = find_verdict(self.outbox, self.erp, number, is_untouched=self.erp.is_ours)
        except SourceError:
            raise error from None
        if verdict is Verdict.NOT_ARRIVED and isinstance(error, RefusedError):
            self.outbox.take_back(number, batch.entity)
            raise error
        return verdict

    def _send_halves(self, batch: Batch, refusal: str) -> Sent:
        """Sends a batch that the ERP refused, and that is taken back, in halves.

        So on down to the single head that the ERP refuses.
        """
        keys = list(batch.heads)
        if len(keys) > 1:
            middle = len(keys) // 2
            sent = self._send_again(batch, keys[:middle], 1)
            sent += self._send_again(batch, keys[middle:], 1)
            return sent
        (key,) = keys
        reason = say("export.send.refused", message=refusal)
        held = HeldRecord(batch.entity, key, batch.heads[key], reason)
        self.outbox.note_refused(batch.number, held)
        return Sent(held=[held], refused=1)

    def _send_again(self, batch: Batch, keys: Sequence[str], retries: int) -> Sent:
        """Marks these heads of a batch that is taken back anew, and sends them."""
        parts = dict.fromkeys(keys, 0)
        for name, rows in batch.rows.items():
            if name == batch.entity:
                continue
            for row in rows:
                if row.head_id in parts:
                    parts[row.head_id] += 1
        heads = [Candidate(key, batch.heads[key], parts[key]) for key in keys]
        fields = self.erp.fields(list(batch.rows))
        has_marker = self.erp.marker is not None
        with self.outbox.connection.transaction():
            marked = self.outbox.mark(batch.entity, heads, fields, has_marker=has_marker)
            self.outbox.reached(f"{CrashPoint.MARK}.before_commit")
        self.outbox.reached(f"{CrashPoint.MARK}.committed")
        return self.send(marked, retries=retries) if marked else Sent()


def is_systematic(batch: Batch, sent: Sent) -> bool:
    """Whether the ERP refused all of a batch, so that it would refuse the next one as well."""
    return len(batch.heads) >= _SYSTEMATIC and sent.refused == len(batch.heads)


def note_in_doubt(outbox: Outbox, number: int, entity: str) -> list[HeldRecord]:
    """Holds the records of a batch of which nothing proves whether it arrived.

    They are not sent again, so that nothing arrives twice, until a person settles the batch.
    """
    rows = outbox.connection.execute(
        """
        SELECT id, sync_reference FROM ops.export_record
        WHERE batch = %s AND outcome IS NULL ORDER BY id
        """,
        [number],
    ).fetchall()
    reason = say("export.send.in_doubt", batch=number)
    held = [HeldRecord(entity, key, reference, reason) for key, reference in rows]
    with outbox.connection.transaction():
        outbox.note_held(held)
    return held


# --- the ERP's tables
# --------------------------------------------------------------------------------------------------


def append(
    connection: Connection, target: Table, rows: Sequence[Cells], *, is_view: bool = False
) -> None:
    """Appends rows of the driver's own values in the caller's transaction.

    By COPY where there is one, else in chunks of executemany.
    """
    if not rows:
        return
    dialect = connection.dialect
    if dialect.name == "postgresql" and dialect.driver == "psycopg" and not is_view:
        _copy(connection, target, rows)
        return
    statement = _insert(connection, target)
    for start in range(0, len(rows), _CHUNK):
        # The values are the driver's own already. SQLAlchemy's types would convert each once more.
        connection.exec_driver_sql(statement, list(rows[start : start + _CHUNK]))


def _copy(connection: Connection, target: Table, rows: Sequence[Cells]) -> None:
    name = sql.Identifier(*filter(None, (target.schema, target.name)))
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in target.columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)
    # SQLAlchemy begins its transaction with the first statement that it sends itself. COPY goes
    # past it.
    if not connection.in_transaction():
        connection.begin()
    # The caller knows that it is psycopg's.
    driver_connection: Any = connection.connection.driver_connection
    with driver_connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


# How the drivers mark a parameter. {}: its position. Other drivers take %s.
_PARAMETERS = {"qmark": "?", "named": ":{}", "numeric": ":{}"}


def _insert(connection: Connection, target: Table) -> str:
    dialect = connection.dialect
    preparer = dialect.identifier_preparer
    columns = [preparer.format_column(column) for column in target.columns]
    template = _PARAMETERS.get(dialect.paramstyle, "%s")
    parameters = [template.format(position) for position in range(1, len(columns) + 1)]
    table = preparer.format_table(target)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(parameters)})"


# --- whether the ERP refused a row
# --------------------------------------------------------------------------------------------------


@contextmanager
def _refusals(engine: Engine) -> Iterator[None]:
    """Turns what the ERP says against a row into a RefusedError. Other errors pass."""
    try:
        yield
    except Exception as error:
        cause: BaseException = error
        if isinstance(error, DBAPIError) and error.orig:
            cause = error.orig
        if not _is_refusal(engine, cause):
            raise
        message = without_secrets(" ".join(str(cause).split()), [engine.url])
        if len(message) > _MAX_MESSAGE_CHARS:
            message = f"{message[:_MAX_MESSAGE_CHARS]}..."
        raise RefusedError(message) from None


# PostgreSQL's classes of errors: a value, a constraint, a check option, what a trigger raises.
_SQLSTATES = ("22", "23", "44", "P0")
# MySQL's and MariaDB's: what a trigger raises, a check (two numbers), and errors of values that
# the driver takes for a connection's trouble.
_MYSQL_NUMBERS = (1644, 4025, 3819, 1366, 1264, 1292)


def _is_refusal(engine: Engine, cause: BaseException) -> bool:
    driver = engine.dialect.dbapi
    if driver and isinstance(cause, (driver.IntegrityError, driver.DataError)):
        return True
    if isinstance(cause, psycopg.Error):
        return (cause.sqlstate or "")[:2] in _SQLSTATES
    is_mysql = engine.dialect.name in ("mysql", "mariadb")
    return is_mysql and bool(cause.args) and cause.args[0] in _MYSQL_NUMBERS
