"""Sync stores written object for object, for tests of inspection. No engine, no database."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import zstandard

from kimo_assets.sync.inspection.payload_size import PastWeight, brought_by_load, weigh
from kimo_assets.sync.store.store import FORMAT, FORMAT_VERSION, Store, object_path, pack
from kimo_assets.sync.store.stored_manifests import buckets, path_of

Listed = dict[str, Any]


@dataclass
class HandStore:
    """A store in a folder. Rows have an Id and a Name: "C1" is a row, "C1=Bar" one with a Name."""

    folder: Path
    number: int = 0
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return Store(str(self.folder))

    def __post_init__(self) -> None:
        self.store.claim("5d8" + 29 * "0")

    def weights(self, load: int) -> list[PastWeight]:
        """What the manifests weigh after a load, as step 3 notes it."""
        return [
            PastWeight(
                load,
                path,
                weigh(manifest, 0).rows,
                weigh(manifest, 0).bytes,
                sum(brought_by_load(bucket).get(load, 0) for bucket in buckets(manifest)),
            )
            for path, manifest in self.manifests.items()
        ]

    def object(self, text: str) -> Listed:
        """An object of this CSV text, header first, as a manifest lists it."""
        data = zstandard.compress(text.encode())
        name = hashlib.sha256(data).hexdigest()
        file = self.folder / object_path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return {"sha256": name, "rows": text.count("\n") - 1, "bytes": len(data)}

    def base(self, load: int, *rows: str) -> Listed:
        listed = (
            [self.object("Id,Name\n" + "".join(f"{_line(row)}\n" for row in rows))] if rows else []
        )
        return {"load": load, "state": state(rows), "objects": listed}

    def change(
        self, load: int, before: str, after: str, *, put: str = "", removed: str = ""
    ) -> Listed:
        """before, after: the rows of the bucket, with blanks between."""
        lines = [f"1,{key},\n" for key in removed.split()] + [
            f"0,{_line(row)}\n" for row in put.split()
        ]
        listed = self.object("_removed,Id,Name\n" + "".join(lines))
        return {
            "load": load,
            "from": state(before.split()),
            "state": state(after.split()),
            **listed,
        }

    def bucket(
        self, base: Listed, *changes: Listed, rows: int | None = None, number: int | None = None
    ) -> Listed:
        """rows: how many it has in the end, if that is not the number of its base."""
        self.number += 1
        end = (
            changes[-1]["state"]
            if changes and changes[-1]["load"] > base["load"]
            else base["state"]
        )
        if rows is None:
            rows = sum(listed["rows"] for listed in base["objects"])
        return {
            "id": number or self.number,
            "state": end,
            "rows": rows,
            "base": base,
            "changes": list(changes),
        }

    def write(
        self,
        agent: str,
        load: int,
        *,
        user: str | None = None,
        private: Sequence[Listed] = (),
        **entities: Sequence[Listed],
    ) -> dict[str, Any]:
        """The manifest of an agent: buckets by entity. Private ones are SalesAgent's."""
        described: dict[str, Any] = {
            name: {"key": "Id", "columns": {"Id": "text", "Name": "text"}, "buckets": list(buckets)}
            for name, buckets in entities.items()
        }
        if private:
            described["SalesAgent"]["columns"] = {"Id": "text", "Name": "text", "Phone": "text"}
            described["SalesAgent"]["private"] = {
                "columns": ["Id", "Phone"],
                "buckets": list(private),
            }
        manifest = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "store": self.store.identity(),
            "agent": agent,
            "user": {"id": user} if user else None,
            "load": load,
            "entities": described,
        }
        path = path_of(agent, user)
        self.store.replace(path, pack(orjson.dumps(manifest)))
        self.manifests[path] = manifest
        return manifest


def state(rows: Sequence[str]) -> str:
    """The state of a bucket with these rows."""
    return hashlib.sha256(" ".join(sorted(rows)).encode()).hexdigest()[:16]


def _line(row: str) -> str:
    key, _, name = row.partition("=")
    return f"{key},{name}"
