"""The common ways of handing out data, on the same rows: each agent's whole files, written anew
each time.

They read the rows from the agents' SQLite files, which the reference client has made: that they
need not ask who sees what counts in their favour.
"""

import gzip
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import zstandard

from benchmarks import published
from benchmarks.difference import tables
from benchmarks.meter import Meter
from kimo_assets.config import load_config

_BATCH = 20_000

# An entity, or "" for all of them -> the bytes of its file.
Sizes = dict[str, int]


def run(config: str, kind: str, agents: Sequence[str], tablets: str, folder: str) -> dict[str, Any]:
    """kind: of PEERS. tablets: where the agents' files are. folder: to write to; removed
    afterwards.
    """
    manifests = published.manifests(Path(load_config(config).sync_store))
    sizes: dict[str, Sizes] = {}
    rows = 0
    with Meter([]) as meter:
        for agent in agents:
            target = Path(folder) / agent
            target.mkdir(parents=True)
            with closing(sqlite3.connect(Path(tablets) / f"{agent}.sqlite")) as file:
                sizes[agent], written = PEERS[kind](file, manifests[agent], target)
            rows += written
        usage = meter.lap()
    shutil.rmtree(folder)
    return usage.as_json() | {
        "rows": rows,
        "files": sum(map(len, sizes.values())),
        "bytes": sum(sum(files.values()) for files in sizes.values()),
        "sizes": sizes,
    }


def _json(
    file: sqlite3.Connection, manifest: published.Manifest, target: Path
) -> tuple[Sizes, int]:
    """One gzip JSON per entity, level 6: an array of objects."""
    sizes, rows = {}, 0
    for name, fields, query in tables(file, manifest):
        path, names, separator = target / f"{name}.json.gz", list(fields), b"["
        with gzip.open(path, "wb", compresslevel=6) as out:
            for batch in _batches(file, query):
                for row in batch:
                    out.write(separator + orjson.dumps(dict(zip(names, row, strict=True))))
                    separator = b",\n"
                rows += len(batch)
            out.write(b"]" if separator != b"[" else b"[]")
        sizes[name] = path.stat().st_size
    return sizes, rows


def _parquet(
    file: sqlite3.Connection, manifest: published.Manifest, target: Path
) -> tuple[Sizes, int]:
    """One Parquet file per entity, zstd."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    sizes, rows = {}, 0
    for name, fields, query in tables(file, manifest):
        path = target / f"{name}.parquet"
        types = {
            "int": pyarrow.int64(),
            "enum": pyarrow.int64(),
            "bool": pyarrow.int64(),
            "dec": pyarrow.float64(),
        }
        schema = pyarrow.schema(
            [(column, types.get(kind, pyarrow.string())) for column, kind in fields.items()]
        )
        casts = [
            float if kind == "dec" else int if kind in types else str for kind in fields.values()
        ]
        with ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in _batches(file, query):
                columns = [
                    pyarrow.array(
                        [value if value is None else cast(value) for value in column],
                        type=schema.field(n).type,
                    )
                    for n, (cast, column) in enumerate(
                        zip(casts, zip(*batch, strict=True), strict=True)
                    )
                ]
                writer.write_batch(pyarrow.record_batch(columns, schema=schema))
                rows += len(batch)
        sizes[name] = path.stat().st_size
    return sizes, rows


def _sqlite(
    file: sqlite3.Connection, manifest: published.Manifest, target: Path
) -> tuple[Sizes, int]:
    """One SQLite file with the entities' tables by key, then through zstd 3, as it travels."""
    path, rows = target / "agent.sqlite", 0
    file.execute("ATTACH ? AS peer", [str(path)])
    with file:
        for name, fields, query in tables(file, manifest):
            key = manifest["entities"][name]["key"]
            columns = ", ".join(
                f'"{column}"{" PRIMARY KEY" if column == key else ""}' for column in fields
            )
            file.execute(f'CREATE TABLE peer."{name}" ({columns}) WITHOUT ROWID')
            rows += file.execute(f'INSERT INTO peer."{name}" {query}').rowcount
    file.execute("DETACH peer")
    compressed = path.with_suffix(".zst")
    with path.open("rb") as source, compressed.open("wb") as out:
        zstandard.ZstdCompressor(level=3).copy_stream(source, out)
    return {"": compressed.stat().st_size}, rows


def _batches(file: sqlite3.Connection, query: str) -> Iterator[list[tuple[Any, ...]]]:
    cursor = file.execute(query)
    while batch := cursor.fetchmany(_BATCH):
        yield batch


PEERS: dict[str, Callable[[sqlite3.Connection, published.Manifest, Path], tuple[Sizes, int]]] = {
    "gzip JSON": _json,
    "Parquet": _parquet,
    "SQLite": _sqlite,
}
