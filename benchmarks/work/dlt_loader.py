"""dlt: its sql_database source into its postgres destination, as it comes (INSERT) or by its fast
ways (Arrow, COPY); and whether what arrived is what was there.

Needs dlt[postgres], sqlalchemy and pyarrow, and nothing of ours: they may live in an environment of
their own.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from benchmarks.meter import Meter

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")


_BACKENDS = {"default": "sqlalchemy", "arrow": "pyarrow", "connectorx": "connectorx"}


def run(
    source_url: str, target_url: str, tables: Sequence[str], method: str, postmasters: Sequence[int]
) -> dict[str, Any]:
    """method: "default", "arrow" or "connectorx"."""
    import dlt
    from dlt.sources.sql_database import sql_database
    from sqlalchemy import create_engine

    engine = create_engine(source_url.replace("postgresql://", "postgresql+psycopg2://"))
    dataset = f"by_dlt_{method}"
    options = (
        {"backend_kwargs": {"conn": _connectorx(source_url)}} if method == "connectorx" else {}
    )
    with tempfile.TemporaryDirectory() as folder, Meter(postmasters) as meter:
        pipeline = dlt.pipeline(
            "benchmark",
            destination=dlt.destinations.postgres(credentials=_credentials(target_url)),
            dataset_name=dataset,
            pipelines_dir=folder,
        )
        source = sql_database(
            credentials=engine,
            table_names=list(tables),
            backend=_BACKENDS[method],
            chunk_size=50_000,
            **options,
        )
        pipeline.run(
            source,
            write_disposition="replace",
            loader_file_format=None if method == "default" else "csv",
        )
        usage = meter.lap()
        counts = pipeline.last_trace.last_normalize_info.row_counts
    loaded = create_engine(target_url.replace("postgresql://", "postgresql+psycopg2://"))
    wrong = [_wrong_rows(engine, loaded, dataset, table) for table in tables]
    return usage.as_json() | {
        "rows": sum(n for name, n in counts.items() if not name.startswith("_dlt")),
        "wrong_rows": sum(strict for strict, _ in wrong),
        "wrong_rows_but_for_empty": sum(lenient for _, lenient in wrong),
    }


def _wrong_rows(source: Any, target: Any, dataset: str, table: str) -> tuple[int, int]:
    """How many rows of the source have not arrived as they are; the second, if an empty text may
    become no value.
    """
    from sqlalchemy import inspect

    names = [column["name"] for column in inspect(source).get_columns(table)]
    given = _rows(source, table, names)
    arrived = _rows(target, f"{dataset}.{table.lower()}", [name.lower() for name in names])
    lenient = _emptied(given) - _emptied(arrived)
    return (given - arrived).total(), lenient.total()


def _rows(engine: Any, table: str, names: Sequence[str]) -> Any:
    with engine.connect().execution_options(stream_results=True) as connection:
        result = connection.exec_driver_sql(f"SELECT {', '.join(names)} FROM {table}")
        return Counter(tuple(map(_meant, row)) for row in result)


def _meant(value: Any) -> Any:
    """A number by its value, a day by its text; a text is what it is."""
    if isinstance(value, (int, float, Decimal)):
        return Decimal(repr(value) if isinstance(value, float) else value).normalize()
    return str(value)[:10] if isinstance(value, date) else value


def _emptied(rows: Any) -> Any:
    found: Any = Counter()
    for row, times in rows.items():
        found[tuple(None if value == "" else value for value in row)] += times
    return found


def _connectorx(url: str) -> str:
    """The address as ConnectorX wants it: without a driver."""
    from sqlalchemy import make_url

    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        return f"sqlite://{parts.database}"
    if not parts.host:  # a server on a socket, whose folder stands where a host does
        host = quote(str(parts.query["host"]), safe="")
        return f"postgresql://{parts.username}@{host}/{parts.database}"
    return parts.set(drivername=parts.get_backend_name(), query={}).render_as_string(
        hide_password=False
    )


def _credentials(url: str) -> dict[str, Any]:
    """dlt wants a host: that of a server on a socket is the socket's folder, which a URL names in
    its query.
    """
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
