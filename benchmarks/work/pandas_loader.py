"""pandas: read_sql in chunks, then to_sql, by multi-row INSERT or by the COPY callable of its
documentation.
"""

import csv
import io
from collections.abc import Sequence
from typing import Any

from benchmarks.meter import Meter

_READ_ROWS = 50_000
# Rows per INSERT: pandas' own advice is to stay moderate; more is slower.
_INSERT_ROWS = 1_000


def run(
    source_url: str, target_url: str, tables: Sequence[str], method: str, postmasters: Sequence[int]
) -> dict[str, Any]:
    """method: "multi" or "copy"."""
    import pandas
    from sqlalchemy import create_engine

    source, target = create_engine(_driver(source_url)), create_engine(_driver(target_url))
    rows = 0
    with Meter(postmasters) as meter:
        with source.connect().execution_options(stream_results=True) as connection:
            for table in tables:
                how = "replace"
                chunks = pandas.read_sql(f"SELECT * FROM {table}", connection, chunksize=_READ_ROWS)
                for chunk in chunks:
                    chunk.to_sql(
                        table.lower(),
                        target,
                        if_exists=how,  # type: ignore[arg-type]
                        index=False,
                        dtype=_numbers(chunk),
                        method="multi" if method == "multi" else _insert_by_copy,
                        chunksize=_INSERT_ROWS if method == "multi" else None,
                    )
                    how = "append"
                    rows += len(chunk)
        usage = meter.lap()
    return usage.as_json() | {"rows": rows}


def _numbers(chunk: Any) -> dict[str, Any]:
    """Numbers as numeric: from a first chunk of whole ones pandas would make an integer column, and
    fail later.
    """
    from sqlalchemy import Numeric

    return {name: Numeric() for name in chunk.select_dtypes("number").columns}


def _driver(url: str) -> str:
    """SQLAlchemy 2.1 takes a bare URL for psycopg 3; the recipe for COPY is written for
    psycopg2.
    """
    return url.replace("postgresql://", "postgresql+psycopg2://")


def _insert_by_copy(table: Any, connection: Any, keys: list[str], rows: Any) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    buffer.seek(0)
    columns = ", ".join(f'"{key}"' for key in keys)
    name = f'"{table.schema}"."{table.name}"' if table.schema else f'"{table.name}"'
    with connection.connection.cursor() as cursor:
        cursor.copy_expert(sql=f"COPY {name} ({columns}) FROM STDIN WITH CSV", file=buffer)
