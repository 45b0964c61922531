"""dlt: its sql_database source into its postgres destination, as it comes (INSERT) or by its fastest way (Arrow, COPY).

Needs dlt[postgres], sqlalchemy and pyarrow, and nothing of ours: they may live in an environment of their own.
"""

import os
import tempfile
from collections.abc import Sequence
from typing import Any

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
            destination=dlt.destinations.postgres(credentials=target_url),
            dataset_name="by_dlt",
            pipelines_dir=folder,
        )
        source = sql_database(
            credentials=create_engine(source_url),
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
