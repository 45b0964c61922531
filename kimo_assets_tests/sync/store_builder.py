"""Builds a store of the sync format, version 2, from dicts, for tests of clients.

It is written from docs/sync-format.md alone and shares no line with the engine or the client.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import zstandard

Row = Mapping[str, Any]
STORE_ID = "0123456789abcdef" * 2


def csv_of(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """None is an unquoted empty field, "" a quoted one. Fields that may need quotes have them."""
    return "".join(",".join(map(_field, row)) + "\n" for row in [header, *rows]).encode()


def _field(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    if text and not set(text) & set('",\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


@dataclass
class BuiltBucket:
    rows: dict[str, Row]
    base: dict[str, Any]
    changes: list[dict[str, Any]] = field(default_factory=list)

    def described(self, number: int) -> dict[str, Any]:
        return {
            "id": number,
            "state": state_of(self.rows),
            "rows": len(self.rows),
            "base": self.base,
            "changes": self.changes,
        }


def state_of(rows: Mapping[str, Row]) -> str:
    """By the content alone: a bucket that comes back to it has its old state again."""
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class BuiltEntity:
    columns: dict[str, str]
    key: str = "Id"
    private: list[str] = field(default_factory=list)
    buckets: dict[int, BuiltBucket] = field(default_factory=dict)
    private_buckets: dict[int, BuiltBucket] = field(default_factory=dict)


class StoreBuilder:
    """Changes its content load by load. `publish` writes the manifest of an agent or a user."""

    def __init__(self, folder: Path, store_id: str = STORE_ID) -> None:
        self.folder = folder
        self.id = store_id
        self.load = 1
        self.entities: dict[str, BuiltEntity] = {}
        self.settings: dict[str, Any] = {}
        self.write("store.json", {"format": "kimo-sync", "version": 2, "id": store_id})

    # --- content

    def entity(self, name: str, *, private: Iterable[str] = (), **columns: str) -> "StoreBuilder":
        """An entity without buckets. One of the same name is replaced."""
        self.entities[name] = BuiltEntity(
            {"Id": "text", **columns}, private=["Id", *private] if private else []
        )
        return self

    def base(
        self,
        name: str,
        bucket: int,
        rows: Iterable[Row],
        *,
        private: bool = False,
        objects: int = 1,
    ) -> "StoreBuilder":
        """The whole bucket from this load on. Changes that lead to the same content stay listed."""
        by_key = {row["Id"]: row for row in rows}
        old = self.buckets(name, private).get(bucket)
        parts = [
            list(by_key.values())[start::objects] for start in range(min(objects, len(by_key)))
        ]
        base = {
            "load": self.load,
            "state": state_of(by_key),
            "objects": [
                self._object(name, private, [(None, row) for row in part]) for part in parts
            ],
        }
        changes = old.changes if old and state_of(old.rows) == base["state"] else []
        self.buckets(name, private)[bucket] = BuiltBucket(by_key, base, changes)
        return self

    def change(
        self,
        name: str,
        bucket: int,
        put: Iterable[Row] = (),
        removed: Iterable[str] = (),
        *,
        private: bool = False,
    ) -> "StoreBuilder":
        held, put, removed = self.buckets(name, private)[bucket], list(put), list(removed)
        before = state_of(held.rows)
        held.rows = {key: row for key, row in held.rows.items() if key not in removed} | {
            row["Id"]: row for row in put
        }
        flagged = [("1", {"Id": key}) for key in removed] + [("0", row) for row in put]
        listed = self._object(name, private, flagged)
        held.changes = [
            *held.changes,
            {"load": self.load, "from": before, "state": state_of(held.rows), **listed},
        ]
        return self

    def rewrite(
        self, name: str, bucket: int, *, private: bool = False, objects: int = 1
    ) -> "StoreBuilder":
        """A new base of the same content."""
        return self.base(
            name,
            bucket,
            self.buckets(name, private)[bucket].rows.values(),
            private=private,
            objects=objects,
        )

    def forget(self, name: str, bucket: int, kept: int, *, private: bool = False) -> "StoreBuilder":
        """Lists the last changes only, and those that the base needs."""
        held = self.buckets(name, private)[bucket]
        needed = sum(change["load"] > held.base["load"] for change in held.changes)
        held.changes = held.changes[max(0, len(held.changes) - max(kept, needed)) :]
        return self

    def drop(self, name: str, bucket: int, *, private: bool = False) -> "StoreBuilder":
        del self.buckets(name, private)[bucket]
        return self

    def setting(
        self, name: str, key: list[str], columns: dict[str, str], rows: Iterable[Row]
    ) -> "StoreBuilder":
        objects = [self.add(csv_of(columns, [[row.get(c) for c in columns] for row in rows]))]
        self.settings[name] = {"key": key, "columns": columns, "objects": objects}
        return self

    def rows(self, name: str) -> list[tuple[Any, ...]]:
        """The rows that a client must have of the entity, by key."""
        entity = self.entities[name]
        private_rows = [
            row for bucket in entity.private_buckets.values() for row in bucket.rows.values()
        ]
        private = {row["Id"]: row for row in private_rows}
        rows = [row for bucket in entity.buckets.values() for row in bucket.rows.values()]
        whole = [{**row, **private.get(row["Id"], {})} for row in rows]
        return sorted(tuple(row.get(column) for column in entity.columns) for row in whole)

    # --- files

    def publish(self, agent: str = "1", user: str | None = None) -> "StoreBuilder":
        """Writes the manifest and the settings. The next change belongs to the next load."""
        manifest = {
            "format": "kimo-sync",
            "version": 2,
            "store": self.id,
            "agent": agent,
            "user": {"id": user} if user else None,
            "load": self.load,
            "entities": {name: self._described(entity) for name, entity in self.entities.items()},
        }
        self.write(self.manifest_name(agent, user), manifest)
        if self.settings:
            self.write(
                "settings.json",
                {
                    "format": "kimo-sync",
                    "version": 2,
                    "store": self.id,
                    "load": self.load,
                    "entities": self.settings,
                },
            )
        self.load += 1
        return self

    def manifest_name(self, agent: str = "1", user: str | None = None) -> str:
        folder, code = ("agents", agent) if user is None else ("users", user)
        return f"{folder}/{quote(code, safe='').replace('.', '%2E')}.json.zst"

    def manifest(self, agent: str = "1") -> dict[str, Any]:
        document: dict[str, Any] = json.loads(
            zstandard.decompress((self.folder / self.manifest_name(agent)).read_bytes())
        )
        return document

    def write(self, name: str, document: Any) -> None:
        """A document as JSON, bytes and text as they are, compressed if the name ends so."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = document if isinstance(document, bytes | str) else json.dumps(document)
        data = text.encode() if isinstance(text, str) else text
        path.write_bytes(zstandard.compress(data) if name.endswith(".json.zst") else data)

    def add(self, data: bytes, rows: int | None = None, *, frames: int = 1) -> dict[str, Any]:
        """An object of this CSV, in so many frames.

        rows: the manifest's number, by default the right one for rows without line ends in fields.
        """
        edges = [len(data) * n // frames for n in range(frames + 1)]
        pieces = [data[start:end] for start, end in pairwise(edges)]
        return self.add_raw(
            b"".join(map(zstandard.compress, pieces)),
            data.count(b"\n") - 1 if rows is None else rows,
        )

    def add_raw(self, data: bytes, rows: int) -> dict[str, Any]:
        sha256 = hashlib.sha256(data).hexdigest()
        self.write(object_name(sha256), data)
        return {"sha256": sha256, "rows": rows, "bytes": len(data)}

    def objects(self) -> list[Path]:
        return sorted((self.folder / "objects").rglob("*.zst"))

    def _object(
        self, name: str, private: bool, flagged: list[tuple[str | None, Row]]
    ) -> dict[str, Any]:
        """An object of (value of `_removed`, row). The value is None in a base.

        Its columns are in reverse order: a client must go by the header.
        """
        entity = self.entities[name]
        hidden = set(entity.private) - {entity.key}
        columns = [
            c
            for c in reversed(entity.columns)
            if (c in entity.private if private else c not in hidden)
        ]
        if any(flag is None for flag, _ in flagged):
            return self.add(
                csv_of(columns, [[row.get(c) for c in columns] for _, row in flagged]),
                len(flagged),
                frames=2,
            )
        rows = [[flag, *(row.get(c) for c in columns)] for flag, row in flagged]
        return self.add(csv_of(["_removed", *columns], rows), len(flagged))

    def buckets(self, name: str, private: bool) -> dict[int, BuiltBucket]:
        return self.entities[name].private_buckets if private else self.entities[name].buckets

    @staticmethod
    def _described(entity: BuiltEntity) -> dict[str, Any]:
        described: dict[str, Any] = {
            "key": entity.key,
            "columns": entity.columns,
            "buckets": [bucket.described(number) for number, bucket in entity.buckets.items()],
        }
        if entity.private:
            buckets = [
                bucket.described(number) for number, bucket in entity.private_buckets.items()
            ]
            described["private"] = {"columns": entity.private, "buckets": buckets}
        return described


def object_name(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}.csv.zst"


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The folder behind a plain HTTP server: its address, and the requested paths so far."""
    requested: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            requested.append(self.path)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requested
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
