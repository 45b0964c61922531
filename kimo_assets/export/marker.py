"""The marker table: ours, beside the ERP's tables. It proves that a batch has arrived.

It does so whatever the ERP has done with the batch's rows since.
A batch's marker is written in the same transaction as its records. A batch that has not arrived
gets a marker as well, with no records. If its own transaction is still under way somewhere, it can
only fail after that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection as KimoConnection
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Engine,
    MetaData,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import TypeEngine

from kimo_assets.database.installation import installation
from kimo_assets.errors import PermanentSourceError
from kimo_assets.sources.connection import source_errors
from kimo_assets.texts import say

# Where Kimo may create no table, an administrator creates this one by docs/export.md. So the names
# and types are a contract.
_COLUMNS: dict[str, TypeEngine[Any]] = {
    "BatchId": String(100),
    "Records": BigInteger(),
    "WrittenAt": DateTime(),
}
# For so long a database that was restored from an old backup is noticed.
_KEEP_DAYS = 30

# A batch that was rolled back leaves a gap in the numbers. Longer gaps do not come about. Oracle
# and SQL Server take no longer lists.
_LOOKED_AHEAD = 900
_LAST_BATCH = (
    "SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM ops.export_batch_batch_seq"
)


@dataclass(frozen=True)
class Marker:
    """The table. prefix: of our batches' names, because two Kimo databases may feed one ERP.

    is_new: made by this run, so that it says nothing about earlier batches.
    """

    source: str
    engine: Engine
    table: Table
    prefix: str
    is_new: bool = False

    def write(self, erp: Connection, batch: int, records: int) -> None:
        """In the batch's own transaction."""
        erp.execute(insert(self.table).values(self._row(batch, records)))

    def has_arrived(self, batch: int) -> bool:
        """Whether the batch was committed. If it was not, it cannot be any more.

        Raises: SourceError.
        """
        records = self._records(batch)
        if records is None:
            try:
                with source_errors(self.source, self.engine), self.engine.begin() as erp:
                    # Waits for the batch's own transaction, if that is still open.
                    self._fence(erp, batch)
            except _ArrivedMeanwhileError:
                records = self._records(batch)
        # A marker without records is the fence of an earlier look.
        return bool(records)

    def unknown_to(self, kimo: KimoConnection) -> list[tuple[int, datetime]]:
        """Our batches at the ERP that Kimo's database has not made yet, with their moment (UTC).

        There are some when the database was restored from a backup older than the last export.
        Raises: SourceError.
        """
        row = kimo.execute(_LAST_BATCH).fetchone()
        last = int(row[0]) if row else 0
        following = range(last + 1, last + 1 + _LOOKED_AHEAD)
        numbers = {self._name(number): number for number in following}
        name, written = self.table.c["BatchId"], self.table.c["WrittenAt"]
        # A fence does not count: nothing of its batch is at the ERP, so nothing would go there
        # twice.
        query = select(name, written).where(name.in_(list(numbers)), self.table.c["Records"] > 0)
        with source_errors(self.source, self.engine), self.engine.connect() as erp:
            return sorted((numbers[batch], moment) for batch, moment in erp.execute(query))

    def forget(self, keep: Sequence[int]) -> None:
        """Removes our old markers. keep: the batches whose end is not known yet.

        Raises: SourceError.
        """
        name, written = self.table.c["BatchId"], self.table.c["WrittenAt"]
        # Another Kimo may have a batch in doubt, and still needs the marker of it.
        old = delete(self.table).where(
            name.startswith(f"{self.prefix}-", autoescape=True), written < _now(-_KEEP_DAYS)
        )
        with source_errors(self.source, self.engine), self.engine.begin() as erp:
            erp.execute(old.where(name.not_in([self._name(batch) for batch in keep])))

    def _records(self, batch: int) -> int | None:
        """None: the batch has no marker."""
        records, name = self.table.c["Records"], self.table.c["BatchId"]
        query = select(records).where(name == self._name(batch))
        with source_errors(self.source, self.engine), self.engine.connect() as erp:
            return erp.execute(query).scalar_one_or_none()

    def _fence(self, erp: Connection, batch: int) -> None:
        try:
            erp.execute(insert(self.table).values(self._row(batch, 0)))
        except IntegrityError:
            # The key is taken: the batch's own transaction has committed since the look.
            raise _ArrivedMeanwhileError from None

    def _row(self, batch: int, records: int) -> dict[str, str | int | datetime]:
        values = (self._name(batch), records, _now())
        return dict(zip(self.table.columns.keys(), values, strict=True))

    def _name(self, batch: int) -> str:
        return f"{self.prefix}-{batch}"


class _ArrivedMeanwhileError(Exception):
    """The batch has a marker already."""


def _now(days: int = 0) -> datetime:
    """In UTC, without a zone and without fractions: columns of every database hold that."""
    return (datetime.now(UTC) + timedelta(days=days)).replace(tzinfo=None, microsecond=0)


def find_marker(source: str, engine: Engine, name: str, kimo: KimoConnection) -> Marker | str:
    """The marker table, made if it is not there. Or a sentence why there is none.

    Raises: TransientSourceError.
    """
    schema, _, bare = name.rpartition(".")
    prefix = installation(kimo)
    try:
        is_new = _ensure(source, engine, bare, schema or None)
        described = _described(source, engine, bare, schema or None)
    except PermanentSourceError as error:
        return say("export.marker.cannot_be_made", table=name, reason=str(error).rstrip("."))
    if isinstance(described, str):
        return described
    return Marker(source, engine, described, prefix, is_new)


def _ensure(source: str, engine: Engine, name: str, schema: str | None) -> bool:
    """Makes the table if it is not there. Whether it did."""
    if _spelled(source, engine, name, schema):
        return False
    try:
        with source_errors(source, engine):
            _table(name, schema).create(engine, checkfirst=False)
    except PermanentSourceError:
        # Another Kimo may have been quicker. The table is as new to us.
        if _spelled(source, engine, name, schema):
            return True
        raise
    return True


def _described(source: str, engine: Engine, name: str, schema: str | None) -> Table | str:
    """The table with its columns as they are spelt there. Or why it is not ours."""
    spelling = _spelled(source, engine, name, schema)
    if spelling is None:
        return say("export.marker.vanished", table=name)
    with source_errors(source, engine):
        reflected = inspect(engine).get_columns(spelling, schema)
    columns = {column["name"].casefold(): column["name"] for column in reflected}
    missing = [column for column in _COLUMNS if column.casefold() not in columns]
    if missing:
        return say("export.marker.not_ours", table=spelling, columns=", ".join(missing))
    return _table(spelling, schema, columns)


def _spelled(source: str, engine: Engine, name: str, schema: str | None) -> str | None:
    """The table's name as the database has it: some fold the case of names."""
    with source_errors(source, engine):
        tables = inspect(engine).get_table_names(schema)
    return next((table for table in tables if table.casefold() == name.casefold()), None)


def _table(name: str, schema: str | None, spelled: dict[str, str] | None = None) -> Table:
    """spelled: folded name of a column -> its name there."""
    spelled = spelled or {}
    columns: list[Column[Any]] = []
    for key, column_type in _COLUMNS.items():
        spelling = spelled.get(key.casefold(), key)
        is_key = key == "BatchId"
        columns.append(Column(spelling, column_type, key=key, primary_key=is_key, nullable=False))
    return Table(name, MetaData(), *columns, schema=schema)
