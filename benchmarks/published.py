"""The sync store as a stranger finds it, by docs/sync-format.md: what it lists, what somebody sees,
and what lies there.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import zstandard
from psycopg import Connection, sql

from kimo_assets.database.names import ARCHIVED, ID, KIMO, columns, table
from kimo_assets.sync.store.store import unpack

# A note of megabytes is a value like any other.
csv.field_size_limit(2**31 - 1)

Manifest = dict[str, Any]
# path below the store -> (bytes, time of its last change)
Files = dict[str, tuple[int, int]]


@dataclass
class Listed:
    """What the agents' manifests list of an entity after a preparation into an empty store."""

    fields: dict[str, str] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Visible:
    """origin: FROM and WHERE of exactly the rows that some agent sees."""

    origin: sql.Composed
    fields: list[str]
    rows: int


def manifests(store: Path) -> dict[str, Manifest]:
    """Of every agent, by code."""
    found = (
        orjson.loads(unpack(path.read_bytes()))
        for path in sorted((store / "agents").glob("*.json.zst"))
    )
    return {manifest["agent"]: manifest for manifest in found}


def parts(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The entity itself, and what of it is private."""
    yield described
    if "private" in described:
        yield described["private"]


def bases(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for bucket in part["buckets"]:
        yield from bucket["base"]["objects"]


def rows_of(manifest: Manifest) -> int:
    return sum(
        bucket["rows"]
        for described in manifest["entities"].values()
        for bucket in described["buckets"]
    )


def fields_of(described: dict[str, Any]) -> dict[str, str]:
    """The entity's columns with their types, the private ones too."""
    private = described.get("private", {}).get("columns", ())
    return (
        dict.fromkeys((name for name in private if name not in described["columns"]), "text")
        | described["columns"]
    )


def files(store: Path) -> Files:
    found: Files = {}
    for path in store.rglob("*") if store.is_dir() else ():
        if path.is_file():
            status = path.stat()
            found[str(path.relative_to(store))] = (status.st_size, status.st_mtime_ns)
    return found


def written(before: Files, after: Files) -> dict[str, int]:
    """What a preparation has written, and how much the store holds since."""
    fresh = {path: size for path, (size, _) in after.items() if before.get(path) != after[path]}
    objects = {path: size for path, size in fresh.items() if path.startswith("objects/")}
    return {
        "objects_written": len(objects),
        "object_bytes_written": sum(objects.values()),
        "files_written": len(fresh),
        "bytes_written": sum(fresh.values()),
        "store_files": len(after),
        "store_bytes": sum(size for size, _ in after.values()),
    }


# --- what somebody sees
# --------------------------------------------------------------------------------------------------


def visible_rows(connection: Connection, store: Path) -> dict[str, Visible]:
    """By entity. Where nobody sees some of the live rows, the others are copied into schema floor,
    in their order.
    """
    connection.execute("DROP SCHEMA IF EXISTS floor CASCADE; CREATE SCHEMA floor")
    return {
        name: _visible(connection, store, name, listed)
        for name, listed in _listed(store).items()
        if listed.objects
    }


def _listed(store: Path) -> dict[str, Listed]:
    found: dict[str, Listed] = {}
    for manifest in manifests(store).values():
        for name, described in manifest["entities"].items():
            listed = found.setdefault(name, Listed())
            listed.fields |= fields_of(described)
            listed.objects |= {base["sha256"] for part in parts(described) for base in bases(part)}
    return found


def _visible(connection: Connection, store: Path, name: str, listed: Listed) -> Visible:
    fields = list(listed.fields)
    live = sql.SQL("FROM {} AS x WHERE x.{} IS NULL").format(
        table(KIMO, name), sql.Identifier(ARCHIVED)
    )
    keys = sql.Identifier("floor", f"{name} keys")
    connection.execute(sql.SQL("CREATE UNLOGGED TABLE {} (key text)").format(keys))
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} FROM STDIN").format(keys)) as copy,
    ):
        for sha256 in sorted(listed.objects):
            for key in _keys(store, sha256):
                copy.write_row((key,))
    seen = _count(connection, sql.SQL("FROM (SELECT DISTINCT key FROM {}) AS seen").format(keys))
    if seen == _count(connection, live):
        return Visible(live, fields, seen)
    target = sql.Identifier("floor", name)
    connection.execute(
        sql.SQL(
            "CREATE TABLE {} AS SELECT {} {} AND x.{} IN (SELECT key FROM {}) ORDER BY x.ctid"
        ).format(target, columns(fields), live, sql.Identifier(ID), keys)
    )
    origin = sql.SQL("FROM {} AS x").format(target)
    if (rows := _count(connection, origin)) != seen:
        raise SystemExit(
            f"{name}: the store holds {seen} rows, of which {rows} are in Kimo's table"
        )
    return Visible(origin, fields, seen)


def _count(connection: Connection, origin: sql.Composed) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) {}").format(origin)).fetchone()
    return row[0] if row else 0


def _keys(store: Path, sha256: str) -> Iterator[str]:
    path = store / "objects" / sha256[:2] / f"{sha256}.csv.zst"
    with (
        path.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as raw,
    ):
        rows = csv.reader(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
        position = next(rows).index(ID)
        for row in rows:
            yield row[position]
