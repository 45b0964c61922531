"""export_to_erp: everything that is ready, to the ERP, exactly once."""

from collections.abc import Callable
from dataclasses import dataclass, field

from psycopg import Connection

from kimo_assets.catalog import Catalog, load_catalog
from kimo_assets.config import KimoConfig
from kimo_assets.reports import ExportReport, TaskListener

TITLE = "Export verso Erp"


@dataclass(frozen=True)
class ExportRun:
    """What an export works with. The caller holds the lock of database/locks.py. connect: to Kimo's database once more.

    reached: told at every point between two statements that matter, by name; for tests that kill there.
    """

    config: KimoConfig
    connection: Connection
    connect: Callable[[], Connection]
    load: int
    listener: TaskListener
    run_id: str | None = None
    catalog: Catalog = field(default_factory=load_catalog)
    reached: Callable[[str], None] = lambda point: None


def export_to_erp(run: ExportRun) -> ExportReport:
    """Raises: SourceError when the ERP cannot be reached, SemaphoreError, ExportError."""
    raise NotImplementedError
