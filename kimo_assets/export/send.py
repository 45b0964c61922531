"""One batch into the ERP, in one transaction of the ERP's; and what to make of it when that does
not end well.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
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
from kimo_assets.export.ready import Candidate
from kimo_assets.export.recovery import Verdict, verdict
from kimo_assets.export.targets import UnfittingValueError
from kimo_assets.reports import HeldRecord
from kimo_assets.sources.connection import connected, source_errors, without_secrets

# Rows to a call of a driver's executemany.
_CHUNK = 1000
_MAX_SAID = 400

# A batch that the ERP refuses to the last of so many records is refused for what it is, not for
# what a record holds.
_SYSTEMATIC = 10

Converted = Mapping[str, Sequence[tuple[Any, ...]]]


class RefusedError(Exception):
    """The ERP refuses a row, in its own words: a constraint, a trigger, a value."""


@dataclass
class Sent:
    """What became of the heads of a batch. refused: of those held, the ones that the ERP itself
    refused.
    """

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
    outbox: Outbox
    erp: Erp

    def send(self, batch: Batch, *, again: int = 1) -> Sent:
        """Sends the batch, or what of it can be sent: the ERP's refusal of a row holds that row's
        head alone.

        again: how often a batch that was lost with its connection is sent once more. Raises:
        SourceError; then what was not sent is back in EntityStatus 6, unless a connection was cut
        in the commit and the ERP is not to be reached again.
        """
        converted, held = self._convert(batch)
        sent = Sent(held=held)
        kept = {key: reference for key, reference in batch.heads.items() if key in converted}
        if held:
            self.outbox.hold(batch.number, batch.entity, {record.id: record.why for record in held})
        if not kept:
            return sent
        batch = Batch(batch.number, batch.entity, kept, batch.rows)
        rows = {
            name: [row for key in kept for row in converted[key].get(name, ())]
            for name in self.erp.fields(list(batch.rows))
        }
        del converted
        try:
            fate = self._append(batch, rows)
        except RefusedError as refusal:
            sent += self._after_refusal(batch, str(refusal))
            return sent
        if fate is Verdict.ARRIVED:
            sent.heads += self.outbox.exported(batch.number, batch.entity)
            sent.rows += sum(map(len, rows.values()))
        elif fate is Verdict.NOT_ARRIVED:
            self.outbox.take_back(batch.number, batch.entity)
            if not again:
                raise TransientSourceError(
                    f"source '{self.erp.source}': the connection is lost in every commit. What was"
                    " not sent is to be sent by the next export"
                )
            sent += self._send_anew(batch, list(kept), again - 1)
        else:
            sent.held += note_unproved(self.outbox, batch.number, batch.entity)
        return sent

    # --- the steps
    # ----------------------------------------------------------------------------------------------

    def _convert(
        self, batch: Batch
    ) -> tuple[dict[str, dict[str, list[tuple[Any, ...]]]], list[HeldRecord]]:
        """Id of a head -> entity -> its rows as the ERP takes them; and the heads of which one does
        not fit.
        """
        converted: dict[str, dict[str, list[tuple[Any, ...]]]] = {key: {} for key in batch.heads}
        unfit: dict[str, str] = {}
        for name, rows in batch.rows.items():
            convert = self.erp.targets[name].convert
            for row in rows:
                try:
                    converted[row.head_id].setdefault(name, []).append(convert(row.values))
                except UnfittingValueError as error:
                    where = "" if name == batch.entity else f"{name} {row.id}: "
                    unfit.setdefault(row.head_id, f"{where}{error}")
        held = [HeldRecord(batch.entity, key, batch.heads[key], why) for key, why in unfit.items()]
        return {key: rows for key, rows in converted.items() if key not in unfit}, held

    def _append(self, batch: Batch, rows: Converted) -> Verdict:
        """Raises: RefusedError, when nothing of it has arrived; SourceError."""
        reached, erp = self.outbox.reached, self.erp
        committing = False
        try:
            with ExitStack() as stack:
                with self._erps():
                    connection = stack.enter_context(connected(erp.engine))
                    self._write(connection, batch, rows)
                self.outbox.committing(batch, None if erp.marker else self._written(batch, rows))
                committing = True
                reached("P5.before_commit")
                with self._erps():
                    connection.commit()
                reached("P5.committed")
        except (SourceError, RefusedError) as error:
            if not committing:
                self._take_back(batch)
                raise
            return self._look(batch, error)
        except BaseException:
            if not committing:
                with suppress(psycopg.Error):
                    self._take_back(batch)
            raise
        return Verdict.ARRIVED

    @contextmanager
    def _erps(self) -> Iterator[None]:
        """Errors within are the ERP's. Raises: RefusedError, SourceError."""
        with source_errors(self.erp.source, self.erp.engine), _refusals(self.erp.engine):
            yield

    def _write(self, connection: Connection, batch: Batch, rows: Converted) -> None:
        reached, erp = self.outbox.reached, self.erp
        reached("P3.before_marker")
        if erp.marker:
            erp.marker.write(connection, batch.number, len(batch.heads))
            reached("P3.marker")
        for name, found in rows.items():
            append(connection, erp.targets[name].table, found, is_view=name in erp.views)
            reached("P3.heads" if name == batch.entity else "P3.parts")

    def _written(self, batch: Batch, rows: Converted) -> dict[str, str | None] | None:
        """The heads' SyncReference as it is written, by which the batch can be recognised at the
        ERP.
        """
        target = self.erp.targets[batch.entity]
        if target.sync_column is None:
            return None
        position = [column.name for column in target.table.columns].index(target.sync_column)
        values = (row[position] for row in rows[batch.entity])
        return {
            key: None if value is None else str(value)
            for key, value in zip(batch.heads, values, strict=True)
        }

    def _take_back(self, batch: Batch) -> None:
        if is_usable(self.outbox.connection):
            self.outbox.take_back(batch.number, batch.entity)

    def _look(self, batch: Batch, error: SourceError | RefusedError) -> Verdict:
        """What became of a batch whose commit gave an error. Raises: the error, when the ERP cannot
        be asked.
        """
        self.erp.say(
            f"The commit of batch {batch.number} ({batch.entity}) failed: {error}. Looking whether"
            " it has arrived"
        )
        try:
            self.erp.connect_again()
            fate = verdict(self.outbox, self.erp, batch.number, untouched=self.erp.is_ours)
        except SourceError:
            raise error from None
        if fate is Verdict.NOT_ARRIVED and isinstance(error, RefusedError):
            self.outbox.take_back(batch.number, batch.entity)
            raise error
        return fate

    def _after_refusal(self, batch: Batch, why: str) -> Sent:
        """The batch is taken back. Halves of it are sent instead, down to the single head that the
        ERP refuses.
        """
        keys = list(batch.heads)
        if len(keys) > 1:
            middle = len(keys) // 2
            sent = self._send_anew(batch, keys[:middle], 1)
            sent += self._send_anew(batch, keys[middle:], 1)
            return sent
        (key,) = keys
        held = HeldRecord(batch.entity, key, batch.heads[key], f"the ERP refuses it: {why}")
        self.outbox.note_refused(batch.number, held)
        return Sent(held=[held], refused=1)

    def _send_anew(self, batch: Batch, keys: Sequence[str], again: int) -> Sent:
        parts = dict.fromkeys(keys, 0)
        for name, rows in batch.rows.items():
            for row in rows if name != batch.entity else ():
                if row.head_id in parts:
                    parts[row.head_id] += 1
        heads = [Candidate(key, batch.heads[key], parts[key]) for key in keys]
        with self.outbox.connection.transaction():
            anew = self.outbox.mark(
                batch.entity,
                heads,
                self.erp.fields(list(batch.rows)),
                has_marker=self.erp.marker is not None,
            )
            self.outbox.reached("P1.before_commit")
        self.outbox.reached("P1.committed")
        return self.send(anew, again=again) if anew else Sent()


def is_systematic(batch: Batch, sent: Sent) -> bool:
    """Whether the ERP refused all of a batch, so that it would refuse the next one as well."""
    return len(batch.heads) >= _SYSTEMATIC and sent.refused == len(batch.heads)


def note_unproved(outbox: Outbox, number: int, name: str) -> list[HeldRecord]:
    """Tells of a batch of which nobody knows whether it has arrived: nothing is sent, nothing is
    lost.
    """
    rows = outbox.connection.execute(
        "SELECT id, sync_reference FROM ops.export_record WHERE batch = %s AND outcome IS NULL"
        " ORDER BY id",
        [number],
    ).fetchall()
    why = (
        f"nobody knows whether batch {number} has arrived: its commit was interrupted, and the ERP"
        " may have taken its rows away since. Look at the ERP for this SyncReference, then `kimo"
        f" export resolve {number} --arrived`, or `--again`"
    )
    held = [HeldRecord(name, key, reference, why) for key, reference in rows]
    with outbox.connection.transaction():
        outbox.note_held(held)
    return held


# --- the ERP's tables
# ---------------------------------------------------------------------------------------------


def append(
    connection: Connection, target: Table, rows: Sequence[tuple[Any, ...]], *, is_view: bool = False
) -> None:
    """Appends rows of the driver's own values by the fastest way that it has; in the caller's
    transaction.
    """
    if not rows:
        return
    dialect = connection.dialect
    if dialect.name == "postgresql" and dialect.driver == "psycopg" and not is_view:
        _copy(connection, target, rows)
        return
    statement = _insert(connection, target)
    for start in range(0, len(rows), _CHUNK):
        connection.exec_driver_sql(statement, list(rows[start : start + _CHUNK]))


def _copy(connection: Connection, target: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    name = sql.Identifier(*filter(None, (target.schema, target.name)))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        name, sql.SQL(", ").join(sql.Identifier(column.name) for column in target.columns)
    )
    # A connection that SQLAlchemy has not begun to use yet is in no transaction of its.
    if not connection.in_transaction():
        connection.begin()
    driver_connection = connection.connection.driver_connection
    assert isinstance(driver_connection, psycopg.Connection), "the dialect's driver is psycopg"  # noqa: S101
    with driver_connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _insert(connection: Connection, target: Table) -> str:
    preparer = connection.dialect.identifier_preparer
    columns = [preparer.format_column(column) for column in target.columns]
    mark = {"qmark": "?", "named": ":{}", "numeric": ":{}"}.get(connection.dialect.paramstyle, "%s")
    marks = [mark.format(position) for position in range(1, len(columns) + 1)]
    return (
        f"INSERT INTO {preparer.format_table(target)} ({', '.join(columns)}) VALUES"
        f" ({', '.join(marks)})"
    )


@contextmanager
def _refusals(engine: Engine) -> Iterator[None]:
    """Turns what the ERP says against a row into a RefusedError; other errors are not about
    a row.
    """
    try:
        yield
    except Exception as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        if not _is_refusal(engine, cause):
            raise
        said = without_secrets(" ".join(str(cause).split()), [engine.url])
        raise RefusedError(said if len(said) <= _MAX_SAID else f"{said[:_MAX_SAID]}...") from None


# A value, a constraint, a check option, what a trigger raises.
_SQLSTATES = ("22", "23", "44", "P0")
# MariaDB's and MySQL's: what a trigger raises, a check (two numbers), and what the driver takes for
# a connection's trouble.
_MYSQL_NUMBERS = (1644, 4025, 3819, 1366, 1264, 1292)


def _is_refusal(engine: Engine, cause: BaseException) -> bool:
    driver = engine.dialect.dbapi
    if isinstance(cause, (driver.IntegrityError, driver.DataError)):  # type: ignore[union-attr]
        return True
    if isinstance(cause, psycopg.Error):
        return (cause.sqlstate or "")[:2] in _SQLSTATES
    return (
        engine.dialect.name in ("mysql", "mariadb")
        and bool(cause.args)
        and cause.args[0] in _MYSQL_NUMBERS
    )
