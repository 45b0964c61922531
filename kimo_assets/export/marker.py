"""The marker table: ours, beside the ERP's tables, by which a batch is known to have arrived
whatever became of its rows.

A batch's row is written in the same transaction as its records. A batch that is found not to have
arrived gets a row as well, with no records: after that the batch's own transaction, should it still
be under way somewhere, can only fail.
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

_COLUMNS: dict[str, TypeEngine[Any]] = {
    "BatchId": String(100),
    "Records": BigInteger(),
    "WrittenAt": DateTime(),
}
_KEEP_DAYS = 30

# Numbers that were given and never used leave gaps; more than so many at a stretch do not come
# about. Oracle and SQL Server take no longer lists.
_LOOKED_AHEAD = 900
_LAST_BATCH = (
    "SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM ops.export_batch_batch_seq"
)


@dataclass(frozen=True)
class Marker:
    """The table, found or made. prefix: of our batches' names, as two Kimo databases may feed one
    ERP.

    is_new: made by this run, so that a row that is not there tells nothing of earlier batches.
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
        """Whether the batch was committed. If it was not, it cannot be any more. Raises:
        SourceError.
        """
        records = self._records(batch)
        if records is None:
            try:
                # Waits for the batch's own transaction, if that is still open.
                with source_errors(self.source, self.engine), self.engine.begin() as erp:
                    self._fence(erp, batch)
            except _ArrivedMeanwhileError:
                records = self._records(batch)
        return bool(records)

    def unknown_to(self, kimo: KimoConnection) -> list[tuple[int, datetime]]:
        """Batches of ours that are at the ERP and that Kimo's database has not made yet, each with
        the moment (UTC) at which it was written: the database is a backup's, from before they were
        sent. Raises: SourceError.
        """
        row = kimo.execute(_LAST_BATCH).fetchone()
        last = int(row[0]) if row else 0
        names = {self._name(number): number for number in range(last + 1, last + 1 + _LOOKED_AHEAD)}
        name, written = self.table.c["BatchId"], self.table.c["WrittenAt"]
        with source_errors(self.source, self.engine), self.engine.connect() as erp:
            found = erp.execute(
                select(name, written).where(name.in_(list(names)), self.table.c["Records"] > 0)
            )
            return sorted((names[known], moment) for known, moment in found)

    def forget(self, keep: Sequence[int]) -> None:
        """Removes our rows that are old. keep: the batches whose end is not known yet. Raises:
        SourceError.
        """
        name, written = self.table.c["BatchId"], self.table.c["WrittenAt"]
        old = delete(self.table).where(
            name.startswith(f"{self.prefix}-", autoescape=True), written < _now(-_KEEP_DAYS)
        )
        with source_errors(self.source, self.engine), self.engine.begin() as erp:
            erp.execute(old.where(name.not_in([self._name(batch) for batch in keep])))

    def _records(self, batch: int) -> int | None:
        with source_errors(self.source, self.engine), self.engine.connect() as erp:
            found = select(self.table.c["Records"]).where(
                self.table.c["BatchId"] == self._name(batch)
            )
            return erp.execute(found).scalar_one_or_none()

    def _fence(self, erp: Connection, batch: int) -> None:
        try:
            erp.execute(insert(self.table).values(self._row(batch, 0)))
        except IntegrityError:
            raise _ArrivedMeanwhileError from None

    def _row(self, batch: int, records: int) -> dict[str, str | int | datetime]:
        return dict(
            zip(self.table.columns.keys(), (self._name(batch), records, _now()), strict=True)
        )

    def _name(self, batch: int) -> str:
        return f"{self.prefix}-{batch}"


class _ArrivedMeanwhileError(Exception):
    """There is a row of the batch already."""


def _now(days: int = 0) -> datetime:
    return (datetime.now(UTC) + timedelta(days=days)).replace(tzinfo=None, microsecond=0)


def find_marker(source: str, engine: Engine, name: str, kimo: KimoConnection) -> Marker | str:
    """The marker table, made if it is not there; or why there is none. Raises:
    TransientSourceError.
    """
    schema, _, bare = name.rpartition(".")
    prefix = installation(kimo)
    try:
        is_new = _ensure(source, engine, bare, schema or None)
        described = _described(source, engine, bare, schema or None)
    except PermanentSourceError as error:
        return f"the table {name} is not there and cannot be made: {str(error).rstrip('.')}"
    if isinstance(described, str):
        return described
    return Marker(source, engine, described, prefix, is_new)


def _ensure(source: str, engine: Engine, name: str, schema: str | None) -> bool:
    """Whether the table was made now."""
    if _spelled(source, engine, name, schema):
        return False
    try:
        with source_errors(source, engine):
            _table(name, schema).create(engine, checkfirst=False)
    except PermanentSourceError:
        if _spelled(source, engine, name, schema):  # another Kimo was quicker
            return True
        raise
    return True


def _described(source: str, engine: Engine, name: str, schema: str | None) -> Table | str:
    found = _spelled(source, engine, name, schema)
    if found is None:
        return f"the table {name} was made and is not there"
    with source_errors(source, engine):
        columns = {
            column["name"].casefold(): column["name"]
            for column in inspect(engine).get_columns(found, schema)
        }
    if missing := [column for column in _COLUMNS if column.casefold() not in columns]:
        return (
            f"the table {found} has no column {' and no column '.join(missing)}: it is not one that"
            " Kimo has made"
        )
    return _table(found, schema, columns)


def _spelled(source: str, engine: Engine, name: str, schema: str | None) -> str | None:
    with source_errors(source, engine):
        tables = inspect(engine).get_table_names(schema)
    return next((table for table in tables if table.casefold() == name.casefold()), None)


def _table(name: str, schema: str | None, spelled: dict[str, str] | None = None) -> Table:
    columns: list[Column[Any]] = [
        Column(
            (spelled or {}).get(key.casefold(), key),
            kind,
            key=key,
            primary_key=key == "BatchId",
            nullable=False,
        )
        for key, kind in _COLUMNS.items()
    ]
    return Table(name, MetaData(), *columns, schema=schema)
