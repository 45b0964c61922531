"""The reference client: one agent's data from the sync store into a SQLite file, each object verified.

It reads only what docs/sync-format.md describes, and nothing of Kimo's database.
"""

import csv
import io
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import zstandard

from kimo_assets.errors import StoreError
from kimo_assets.sync.store import FORMAT, FORMAT_VERSION, Store, manifest_path

_AFFINITY = {"int": "INTEGER", "enum": "INTEGER", "bool": "INTEGER", "dec": "NUMERIC"}
_BATCH = 5_000

# A note of megabytes is a value like any other.
csv.field_size_limit(2**31 - 1)

OnEntity = Callable[[str, int], None]


@dataclass(frozen=True)
class SyncResult:
    """What one sync did. downloaded/reused: objects fetched, and entities that were already up to date."""

    agent: str
    load: int
    entities: int
    entities_changed: int
    rows: int
    objects_downloaded: int
    bytes_downloaded: int


def read_manifest(store: Store, agent: str) -> dict[str, Any]:
    """Raises: StoreError when there is none for the agent, or it is not ours to read."""
    data = store.read_or_none(manifest_path(agent))
    if data is None:
        raise StoreError(
            f"{store.url} holds no payload for agent '{agent}'. Either the code is wrong (`kimo status` counts the "
            "agents), or the agent was not in the last load, or step 3 has not run since."
        )
    try:
        manifest: dict[str, Any] = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise StoreError(f"{store.url}: the manifest of agent '{agent}' is not JSON: {error}") from None
    if not isinstance(manifest, dict):
        raise StoreError(f"{store.url}: the manifest of agent '{agent}' is not a JSON object.")
    if manifest.get("format") != FORMAT or manifest.get("version") != FORMAT_VERSION:
        raise StoreError(
            f"{store.url}: the manifest of agent '{agent}' is {manifest.get('format')} version "
            f"{manifest.get('version')}; this client reads {FORMAT} version {FORMAT_VERSION}."
        )
    if manifest.get("agent") != agent:
        raise StoreError(f"{store.url}: the manifest of agent '{agent}' belongs to agent '{manifest.get('agent')}'.")
    return manifest


def sync_agent(
    store_url: str, agent: str, target: Path, *, on_entity: OnEntity = lambda entity, rows: None
) -> SyncResult:
    """Brings the file to the manifest's state, in one SQLite transaction: entities whose objects differ are replaced.

    Raises: StoreError for a missing, damaged or foreign object or manifest; the file then stays as it was.
    """
    store = Store(store_url)
    manifest = read_manifest(store, agent)
    with closing(_open(target, agent)) as file:
        client = _Client(store, file)
        try:
            changed = client.apply(manifest, on_entity)
            rows = client.count(manifest["entities"])
            file.commit()
        except BaseException:
            file.rollback()
            raise
    return SyncResult(
        agent,
        manifest["load"],
        len(manifest["entities"]),
        changed,
        rows,
        client.downloaded,
        client.downloaded_bytes,
    )


def _open(target: Path, agent: str) -> sqlite3.Connection:
    file = sqlite3.connect(target, isolation_level=None)
    try:
        file.execute("BEGIN IMMEDIATE")
        file.execute("CREATE TABLE IF NOT EXISTS _kimo_sync (entity TEXT PRIMARY KEY, state TEXT NOT NULL)")
        owner = file.execute("SELECT state FROM _kimo_sync WHERE entity = ''").fetchone()
    except sqlite3.DatabaseError as error:
        file.close()
        raise StoreError(
            f"{target} is not a SQLite file of this client, or another program holds it: {error}"
        ) from None
    if owner and owner[0] != agent:
        file.close()
        raise StoreError(f"{target} holds the data of agent '{owner[0]}'. Give agent '{agent}' a file of its own.")
    file.execute("INSERT OR IGNORE INTO _kimo_sync VALUES ('', ?)", [agent])
    return file


class _Client:
    def __init__(self, store: Store, file: sqlite3.Connection) -> None:
        self._store = store
        self._file = file
        self.downloaded = 0
        self.downloaded_bytes = 0

    def apply(self, manifest: dict[str, Any], on_entity: OnEntity) -> int:
        """Returns how many entities changed."""
        have = dict(self._file.execute("SELECT entity, state FROM _kimo_sync WHERE entity <> ''"))
        changed = 0
        for name, description in manifest["entities"].items():
            state = orjson.dumps(description, option=orjson.OPT_SORT_KEYS).decode()
            if have.pop(name, None) != state:
                self._replace(name, description)
                self._file.execute("INSERT OR REPLACE INTO _kimo_sync VALUES (?, ?)", [name, state])
                changed += 1
            on_entity(name, sum(listed["rows"] for listed in description["objects"]))
        for name in have:
            self._file.execute(f"DROP TABLE IF EXISTS {_quoted(name)}")
            self._file.execute("DELETE FROM _kimo_sync WHERE entity = ?", [name])
            changed += 1
        return changed

    def count(self, entities: Sequence[str]) -> int:
        return sum(self._file.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0] for name in entities)

    def _replace(self, name: str, description: dict[str, Any]) -> None:
        self._file.execute(f"DROP TABLE IF EXISTS {_quoted(name)}")
        key = description["key"]
        definitions = ", ".join(
            f"{_quoted(column)} {_AFFINITY.get(kind, 'TEXT')}{' PRIMARY KEY' if column == key else ''}"
            for column, kind in description["columns"].items()
        )
        self._file.execute(f"CREATE TABLE {_quoted(name)} ({definitions}) WITHOUT ROWID")
        for listed in description["objects"]:
            self._insert(name, key, listed)

    def _insert(self, name: str, key: str, listed: dict[str, Any]) -> None:
        """Rows of later objects prevail over those of earlier ones with the same key."""
        data = self._store.read_object(listed["sha256"])
        self.downloaded += 1
        self.downloaded_bytes += len(data)
        rows = read_rows(data)
        header = [str(name) for name in next(rows)]
        columns = ", ".join(map(_quoted, header))
        marks = ", ".join("?" * len(header))
        updates = ", ".join(f"{_quoted(c)} = excluded.{_quoted(c)}" for c in header if c != key)
        resolution = f"UPDATE SET {updates}" if updates else "NOTHING"
        statement = (
            f"INSERT INTO {_quoted(name)} ({columns}) VALUES ({marks}) ON CONFLICT ({_quoted(key)}) DO {resolution}"
        )
        count = 0
        for batch in _batches(rows):
            self._file.executemany(statement, batch)
            count += len(batch)
        if count != listed["rows"]:
            raise StoreError(f"{name}: object {listed['sha256']} has {count} rows, its manifest says {listed['rows']}")


def read_rows(data: bytes) -> Iterator[list[str | None]]:
    """The rows of an object, the header first: an unquoted empty field is None, a quoted one the empty string."""
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as raw:
        lines = io.TextIOWrapper(raw, encoding="utf-8", newline="\n")
        for line in lines:
            record = line
            while record.count('"') % 2:
                record += next(lines)
            # Only a doubled quote can hide an empty string from csv.reader, which takes it for nothing.
            yield _parse_exactly(record) if '""' in record else _parse(record)


def _parse(record: str) -> list[str | None]:
    return [value or None for value in next(csv.reader((record,)))]


_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^,]*))(,|$)')


def _parse_exactly(record: str) -> list[str | None]:
    """Slower than csv.reader, and right about \"\" at either end of a field."""
    values: list[str | None] = []
    record, position, more = record.removesuffix("\n"), 0, True
    while more:
        match = _FIELD.match(record, position)
        if match is None:
            raise StoreError(f"an object holds a row that is not CSV: {record[:80]!r}")
        quoted, plain, separator = match.groups()
        values.append(quoted.replace('""', '"') if quoted is not None else plain or None)
        position, more = match.end(), separator == ","
    return values


def _batches(rows: Iterator[list[str | None]]) -> Iterator[list[list[str | None]]]:
    batch: list[list[str | None]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
