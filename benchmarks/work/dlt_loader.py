"""dlt: its sql_database source into its postgres destination, as it comes (INSERT) or by its fastest way (Arrow, COPY).

Needs dlt[postgres], sqlalchemy and pyarrow, and nothing of ours: they may live in an environment of their own.
"""

import os
import tempfile
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from benchmarks.meter import Meter

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")


def run(
    source_url: str, target_url: str, tables: Sequence[str], method: str, postmasters: Sequence[int]
) -> dict[str, Any]:
    """method: "default" or "arrow"."""
    import dlt
    from dlt.sources.sql_database import sql_database
    from sqlalchemy import create_engine

    with tempfile.TemporaryDirectory() as folder, Meter(postmasters) as meter:
        pipeline = dlt.pipeline(
            "benchmark",
            destination=dlt.destinations.postgres(credentials=_credentials(target_url)),
            dataset_name=f"by_dlt_{method}",
            pipelines_dir=folder,
        )
        source = sql_database(
            credentials=create_engine(source_url.replace("postgresql://", "postgresql+psycopg2://")),
            table_names=list(tables),
            backend="pyarrow" if method == "arrow" else "sqlalchemy",
            chunk_size=50_000,
        )
        pipeline.run(
            source,
            write_disposition="replace",
            loader_file_format="csv" if method == "arrow" else None,
        )
        usage = meter.lap()
        counts = pipeline.last_trace.last_normalize_info.row_counts
    return usage.as_json() | {"rows": sum(n for name, n in counts.items() if not name.startswith("_dlt"))}


def _credentials(url: str) -> dict[str, Any]:
    """dlt wants a host: that of a server on a socket is the socket's folder, which a URL names in its query."""
    from sqlalchemy import make_url

    parts = make_url(url)
    host = parts.host or quote(str(parts.query["host"]), safe="")
    return {
        "host": host,
        "port": parts.port or 5432,
        "database": parts.database,
        "username": parts.username,
        "password": parts.password or "-",
    }
