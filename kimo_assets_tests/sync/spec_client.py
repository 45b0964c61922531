"""A second client, in memory, written from docs/sync-format.md alone: it tests the document.

It keeps the rows of each bucket apart, so the order in which buckets are updated does not matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kimo_assets_tests.sync.store_reading import (
    ListedObject,
    Values,
    joined,
    objects_of_bucket,
    read,
)

# An entity, and whether its private columns are meant.
Owner = tuple[str, bool]


@dataclass
class StoredBucket:
    """A bucket in the client. columns: those that the entity had at that sync."""

    state: str
    columns: Any
    rows: dict[str, Values]


@dataclass
class SpecClient:
    store: Path
    stored: dict[tuple[Owner, int], StoredBucket] = field(default_factory=dict)

    def sync(self, manifest: dict[str, Any]) -> dict[str, dict[str, Values]]:
        """entity -> Id -> the row, as rows_for_a_new_client gives it."""
        self.stored = {
            (owner, bucket["id"]): self._updated(owner, columns, bucket)
            for owner, columns, buckets in _buckets_of(manifest)
            for bucket in buckets
        }
        rows_of = {(*owner, bucket): stored.rows for (owner, bucket), stored in self.stored.items()}
        return {
            name: joined(name, entity, rows_of) for name, entity in manifest["entities"].items()
        }

    def _updated(self, owner: Owner, columns: Any, bucket: dict[str, Any]) -> StoredBucket:
        old = self.stored.get((owner, bucket["id"]))
        if old is not None and old.columns != columns:
            old = None
        if old is not None and old.state == bucket["state"]:
            return old
        objects = list(objects_of_bucket(owner[0], bucket, is_private=owner[1]))
        froms = [change["from"] for change in bucket["changes"]]
        if old is not None and old.state in froms:
            rows = self._applied(
                old.rows,
                [listed for listed in objects if listed.is_change][froms.index(old.state) :],
            )
        else:
            rows = self._applied({}, [listed for listed in objects if listed.is_needed])
        assert len(rows) == bucket["rows"], (
            f"{owner}, bucket {bucket['id']}: {len(rows)} rows, listed are {bucket['rows']}"
        )
        return StoredBucket(bucket["state"], columns, rows)

    def _applied(self, rows: dict[str, Values], objects: list[ListedObject]) -> dict[str, Values]:
        for listed in objects:
            content = read(self.store, listed)
            rows = {
                key: values for key, values in rows.items() if key not in content.removed
            } | content.rows
        return rows


def _buckets_of(manifest: dict[str, Any]) -> Iterator[tuple[Owner, Any, list[dict[str, Any]]]]:
    for name, entity in manifest["entities"].items():
        yield (name, False), entity["columns"], entity["buckets"]
        if "private" in entity:
            yield (
                (name, True),
                [entity["columns"], entity["private"]["columns"]],
                entity["private"]["buckets"],
            )
