"""An export of new documents, and then its floor: the same rows by one COPY or executemany into
tables of their own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psycopg import Connection
from sqlalchemy import Engine, text

from benchmarks.meter import Meter
from benchmarks.servers import postmaster_of
from kimo_assets.config import KimoConfig, load_config
from kimo_assets.database import ledger
from kimo_assets.database.locks import exclusive
from kimo_assets.database.server import Database, open_database
from kimo_assets.export.run import ExportRun, export_to_erp
from kimo_assets.sources.connection import open_source


class _Silent:
    def task_started(self, title: str, total: int | None) -> None: ...

    def task_advanced(self, pieces: int) -> None: ...

    def log(self, line: str) -> None: ...


def run(
    config: str, documents: int, lines: int, tables: dict[str, str], postmasters: Sequence[int]
) -> dict[str, Any]:
    loaded = load_config(Path(config))
    database = open_database(loaded)
    engine = open_source("erp", loaded.sources["erp"], writable=True)
    _prepare(engine, tables)
    servers = [postmaster_of(Path(loaded.data_dir) / "postgres"), *postmasters]
    with Meter(servers) as meter, exclusive(database) as connection:
        _fill(connection, documents, lines)
        meter.lap()
        sent = _export(loaded, database, connection)
        usage = meter.lap()
        if sent != documents:
            raise SystemExit(f"{sent} documents were sent, and not {documents}")
        return usage.as_json() | {
            "rows": documents * (1 + lines),
            "floor": _floor(engine, tables, meter),
        }


def _prepare(engine: Engine, tables: dict[str, str]) -> None:
    quote = engine.dialect.identifier_preparer.quote_identifier
    with engine.begin() as erp:
        for name, columns in tables.items():
            for copy in (name, f"{name}_FLOOR"):
                named = ", ".join(
                    f"{quote(c.split(' ', 1)[0])} {c.split(' ', 1)[1]}" for c in columns.split(", ")
                )
                erp.execute(text(f"DROP TABLE IF EXISTS {quote(copy)}"))
                erp.execute(text(f"CREATE TABLE {quote(copy)} ({named})"))


def _fill(connection: Connection, documents: int, lines: int) -> None:
    connection.execute(_EMPTY)
    connection.execute(_TYPE)
    connection.execute(_HEADS, {"documents": documents})
    connection.execute(_LINES, {"documents": documents, "lines": lines})
    connection.execute('ANALYZE kimo."Document", kimo."DocumentLine"')


_EMPTY = (
    'TRUNCATE kimo."Document", kimo."DocumentLine", kimo."DocumentType", ops.export_record,'
    " ops.export_batch"
)
_TYPE = """
    INSERT INTO kimo."DocumentType" ("Id", "Description", "DocumentFamilyId", "CanSendToErp") VALUES
        ('O', 'Order', 1, true)
"""
_HEADS = """
    INSERT INTO kimo."Document" ("Id", "SyncReference", "EntityStatus", "DocumentTypeId",
        "DocumentStatus", "Number",
        "AccountId", "DocumentDate", "DeliveryDate", "Amount", "VatAmount", "PaymentMethodId",
            "CreatorId", "Notes")
    SELECT md5(n::text), md5(n::text), 6, 'O', 1, n::text, 'C' || n %% 5000,
        date '2026-01-01' + n %% 200,
        date '2026-01-10' + n %% 200, n * 1.07, n * 0.21, 'P' || n %% 7, 'U' || n %% 50,
            'to the back door, please: ' || n
    FROM generate_series(1, %(documents)s) AS n
"""
_LINES = """
    INSERT INTO kimo."DocumentLine" ("Id", "DocumentId", "LineNumber", "ItemId", "ItemDescription",
        "SalesQty",
        "SalesUomId", "UnitPrice", "Discount1", "Amount", "VatRateId", "DeliveryDate")
    SELECT md5(n || '-' || l), md5(n::text), l, 'I' || (n * l) %% 9000, 'article number ' ||
        (n * l) %% 9000, l %% 12 + 1,
        'PZ', (n * l) %% 10000 * 0.01237, l %% 3 * 5, (n * l) %% 100000 * 0.01, '22',
            date '2026-01-10' + n %% 200
    FROM generate_series(1, %(documents)s) AS n, generate_series(1, %(lines)s) AS l
"""


def _export(config: KimoConfig, database: Database, connection: Connection) -> int:
    load = ledger.begin_load(connection, "export", None)
    report = export_to_erp(ExportRun(config, connection, database.connect, load, _Silent()))
    ledger.end_load(connection, load, success=True)
    return report.entities["Document"].sent


def _floor(engine: Engine, tables: dict[str, str], meter: Meter) -> dict[str, Any]:
    quote = engine.dialect.identifier_preparer.quote_identifier
    with engine.connect() as erp:
        found = {
            name: [tuple(row) for row in erp.exec_driver_sql(f"SELECT * FROM {quote(name)}")]
            for name in tables
        }
    meter.lap()
    with engine.begin() as erp:
        insert = _copy if engine.dialect.name == "postgresql" else _executemany
        for name, rows in found.items():
            insert(erp.connection.driver_connection, quote(f"{name}_FLOOR"), rows)
    return meter.lap().as_json()


def _copy(connection: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _executemany(connection: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    marks = ", ".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
