"""What an export costs beside its rows: documents of 20 lines into an ERP, and the same rows
without bookkeeping.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, Result
from benchmarks.child import run
from benchmarks.servers import postmaster_of, server_of

LINES = 20
DOCUMENTS = (1_000, 10_000)

TABLES = {
    "ORDERS": (
        "Id varchar(50), SyncReference varchar(50), AccountId varchar(50), Number varchar(20),"
        " DocumentTypeId varchar(50), DocumentDate date, DeliveryDate date, Amount decimal(12,2),"
        " VatAmount decimal(12,2), PaymentMethodId varchar(50), CreatorId varchar(50), Notes"
        " varchar(500)"
    ),
    "ORDER_LINES": (
        "Id varchar(50), DocumentId varchar(50), LineNumber int, ItemId varchar(50),"
        " ItemDescription varchar(130), SalesQty decimal(12,3), SalesUomId varchar(10), UnitPrice"
        " decimal(14,5), Discount1 decimal(7,2), Amount decimal(12,2), VatRateId varchar(50),"
        " DeliveryDate date, Notes varchar(500)"
    ),
}


def exports(bench: Bench, scale: str) -> Iterator[Result]:
    """Into PostgreSQL and SQLite; the scale says nothing here."""
    for kind in ("postgresql", "sqlite"):
        for repetition in bench.times(scale):
            for documents in DOCUMENTS:
                about = {
                    "scenario": "export",
                    "source": kind,
                    "repetition": repetition,
                    "documents": documents,
                }
                yield about | _export(bench.folder / "export", kind, documents)


def _export(folder: Path, kind: str, documents: int) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "kimo.yaml"
    postmasters: list[int] = []
    if kind == "postgresql":
        server = server_of(folder / "erp")
        url = server.get_uri()
        postmasters.append(postmaster_of(folder / "erp"))
    else:
        file = folder / "erp.sqlite"
        file.unlink(missing_ok=True)
        file.touch()
        url = f"sqlite:///{file}"
    config.write_text(
        f"sources: {{erp: {{url: '{url}'}}}}\nexport: {{entities: {{Document: ORDERS, DocumentLine:"
        " ORDER_LINES}}\n",
        encoding="utf-8",
    )
    work: dict[str, Any] = {
        "config": str(config),
        "documents": documents,
        "lines": LINES,
        "tables": TABLES,
    }
    return run("exporting", **work, postmasters=postmasters)
