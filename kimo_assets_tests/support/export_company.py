"""Companies whose Kimo has something to send, an ERP of any dialect that takes it, and what is
found at both ends.

world.documents(3, lines=2)
assert world.export().entities["Document"].sent == 3
assert world.orders() == {"S-D1": 1, "S-D2": 1, "S-D3": 1}
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from psycopg import sql
from sqlalchemy import Engine, text

from kimo_assets.catalog import load_catalog
from kimo_assets.config import KimoConfig, SourceConfig, load_config
from kimo_assets.database import ledger
from kimo_assets.database.locks import exclusive, is_usable
from kimo_assets.database.server import Database
from kimo_assets.export.run import ExportRun, export_to_erp
from kimo_assets.reports import ExportReport
from kimo_assets.sources.connection import open_source

# What the ERP has: columns of the dialects' common types. Documents go into tables of other names.
TABLES = {
    "Account": (
        "Id varchar(50) NOT NULL, SyncReference varchar(50), Name varchar(60), HeadOfficeId"
        " varchar(50)"
    ),
    "ORDERS": (
        "Id varchar(50) NOT NULL, SyncReference varchar(50), AccountId varchar(50), Number"
        " varchar(20), Amount decimal(9,2), DocumentDate date, Notes text"
    ),
    "ORDER_LINES": (
        "Id varchar(50) NOT NULL, DocumentId varchar(50), ItemId varchar(20), SalesQty"
        " decimal(9,3), LineNumber int, Notes text"
    ),
}
ENTITIES = {"Account": None, "Document": "ORDERS", "DocumentLine": "ORDER_LINES"}
SEMAPHORE = "ExportToErpSemaphore"
MARKER = "KimoExportBatch"


class Silent:
    """A listener; what is said is kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def task_started(self, title: str, total: int | None) -> None: ...

    def task_advanced(self, pieces: int) -> None: ...

    def log(self, line: str) -> None:
        self.lines.append(line)


@dataclass
class ExportWorld:
    """folder: of its kimo.yaml. url: of the ERP's database, empty at first."""

    folder: Path
    database: Database
    url: str
    settings: dict[str, Any] = field(default_factory=dict)
    listener: Silent = field(default_factory=Silent)

    # --- the ERP
    # ----------------------------------------------------------------------------------------------

    @contextmanager
    def erp(self) -> Iterator[Engine]:
        engine = open_source("erp", SourceConfig(url=self.url), writable=True)
        try:
            yield engine
        finally:
            engine.dispose()

    def erp_tables(self, *, semaphore: bool = True, **tables: str) -> None:
        """The ERP's tables, empty. tables: other columns than TABLES has."""
        if self.url.startswith("sqlite:///"):
            Path(self.url.removeprefix("sqlite:///")).touch()
        wanted = TABLES | tables
        with self.erp() as engine, engine.begin() as connection:
            quote = engine.dialect.identifier_preparer.quote_identifier
            for name in (*wanted, SEMAPHORE, MARKER):
                connection.execute(text(f"DROP TABLE IF EXISTS {quote(name)}"))
            for name, columns in wanted.items():
                named = ", ".join(_quoted(column, quote) for column in columns.split(", "))
                connection.execute(text(f"CREATE TABLE {quote(name)} ({named})"))
            if semaphore:
                connection.execute(text(f"CREATE TABLE {quote(SEMAPHORE)} ({quote('Status')} int)"))
                connection.execute(text(f"INSERT INTO {quote(SEMAPHORE)} VALUES (0)"))

    def at_erp(self, statement: str) -> list[tuple[Any, ...]]:
        """A statement with names in double quotes, run at the ERP."""
        with self.erp() as engine, engine.begin() as connection:
            if engine.dialect.name == "mysql":
                statement = statement.replace('"', "`")
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    def orders(self) -> dict[str, int]:
        """SyncReference -> how often it is at the ERP."""
        return dict(
            Counter(
                reference for (reference,) in self.at_erp('SELECT "SyncReference" FROM "ORDERS"')
            )
        )

    def customers(self) -> dict[str, int]:
        return dict(
            Counter(
                reference for (reference,) in self.at_erp('SELECT "SyncReference" FROM "Account"')
            )
        )

    def lines(self) -> dict[str, int]:
        """The document's Id -> lines at the ERP."""
        return dict(
            Counter(key for (key,) in self.at_erp('SELECT "DocumentId" FROM "ORDER_LINES"'))
        )

    def semaphore(self) -> int:
        ((status,),) = self.at_erp(f'SELECT "Status" FROM "{SEMAPHORE}"')
        return int(status)

    # --- Kimo
    # ----------------------------------------------------------------------------------------------

    @property
    def config(self) -> KimoConfig:
        export = {"entities": ENTITIES} | self.settings.get("export", {})
        document = {
            "sources": {"erp": {"url": self.url, "connect_attempts": 1}},
            **self.settings,
            "export": export,
        }
        file = self.folder / "kimo.yaml"
        file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        return load_config(file)

    def put(self, entity: str, *rows: dict[str, Any]) -> None:
        """Rows into kimo.<entity>, as the Kimo server writes them."""
        with self.database.connect() as connection:
            for row in rows:
                statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    sql.Identifier("kimo", entity),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(map(sql.Literal, row.values())),
                )
                connection.execute(statement)

    def types(self) -> None:
        """Document types O (sent when confirmed), D (drafts as well), Q (never)."""
        common = {
            "DocumentFamilyId": 1,
            "CanCreateForCustomers": True,
            "CanCreateForProspects": True,
        }
        self.put(
            "DocumentType",
            {
                "Id": "O",
                "Description": "Order",
                "CanSendToErp": True,
                "ShouldExportDraftsToErp": False,
            }
            | common,
            {
                "Id": "D",
                "Description": "Draft",
                "CanSendToErp": True,
                "ShouldExportDraftsToErp": True,
            }
            | common,
            {
                "Id": "Q",
                "Description": "Quote",
                "CanSendToErp": False,
                "ShouldExportDraftsToErp": False,
            }
            | common,
        )

    def account(self, key: str, status: int = 6, **values: Any) -> None:
        self.put(
            "Account",
            {"Id": key, "SyncReference": f"S-{key}", "EntityStatus": status, "Name": key} | values,
        )

    def document(self, key: str, lines: int = 1, **values: Any) -> None:
        row = {
            "Id": key,
            "SyncReference": f"S-{key}",
            "EntityStatus": 6,
            "DocumentTypeId": "O",
            "DocumentStatus": 1,
        }
        self.put(
            "Document",
            row | {"Number": key, "Amount": "12.50", "DocumentDate": "2026-05-04"} | values,
        )
        for number in range(1, lines + 1):
            line = {"Id": f"{key}-{number}", "DocumentId": key, "LineNumber": number}
            self.put("DocumentLine", line | {"ItemId": f"I{number}", "SalesQty": "1.5"})

    def documents(self, count: int, lines: int = 1, prefix: str = "D") -> None:
        for number in range(1, count + 1):
            self.document(f"{prefix}{number}", lines)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(query, values or None).fetchall()  # type: ignore[arg-type]

    def execute(self, statement: str) -> None:
        with self.database.connect() as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def statuses(self, entity: str = "Document") -> dict[str, int]:
        return dict(
            self.rows(f'SELECT "Id", "EntityStatus"::integer FROM kimo."{entity}" ORDER BY 1')
        )  # type: ignore[arg-type]

    def held(self) -> dict[str, str]:
        return dict(self.rows("SELECT id, why FROM ops.export_held ORDER BY id"))

    def batches(self) -> list[str]:
        return [
            state for (state,) in self.rows("SELECT state FROM ops.export_batch ORDER BY batch")
        ]

    def open_batches(self) -> list[int]:
        return [
            batch
            for (batch,) in self.rows(
                "SELECT batch FROM ops.export_batch WHERE state IN ('exporting', 'committing')"
            )
        ]

    # --- exports
    # ----------------------------------------------------------------------------------------------

    @contextmanager
    def run(self, reached: Callable[[str], None] = lambda point: None) -> Iterator[ExportRun]:
        with exclusive(self.database) as connection:
            load = ledger.begin_load(connection, "export", None)
            yield ExportRun(
                self.config,
                connection,
                self.database.connect,
                load,
                self.listener,
                None,
                load_catalog(),
                reached,
                sleep=lambda seconds: None,
            )
            if is_usable(connection):
                ledger.end_load(connection, load, success=True)

    def export(self, reached: Callable[[str], None] = lambda point: None) -> ExportReport:
        with self.run(reached) as run:
            return export_to_erp(run)

    def assert_all_is_there_once(
        self, documents: Sequence[str], lines: int, accounts: Sequence[str] = ()
    ) -> None:
        """At both ends, and nothing is left open anywhere."""
        assert self.orders() == {f"S-{key}": 1 for key in documents}
        assert self.lines() == dict.fromkeys(documents, lines)
        assert self.customers() == {f"S-{key}": 1 for key in accounts}
        self.assert_all_is_done()

    def assert_all_is_done(self) -> None:
        assert {*self.statuses().values(), *self.statuses("Account").values()} <= {1}
        assert self.open_batches() == []
        assert self.rows("SELECT count(*) FROM integrator.outbox") == [(0,)]
        assert self.semaphore() == 0


def _quoted(column: str, quote: Callable[[str], str]) -> str:
    name, _, rest = column.strip().partition(" ")
    return f"{quote(name)} {rest}"
