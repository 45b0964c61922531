"""A client of version 2 by the letter of docs/sync-format.md, in memory, beside the reference
client: is the letter right?

It keeps the rows of each bucket apart, so that the order in which buckets are brought up to date
does not matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kimo_assets_tests.sync.store_reading import Part, Values, bucket_parts, joined, read

# An entity, and whether it is about its private columns.
Place = tuple[str, bool]


@dataclass
class Held:
    """What the client has of a bucket. columns: those that the entity had then."""

    state: str
    columns: Any
    rows: dict[str, Values]


@dataclass
class LetterClient:
    store: Path
    held: dict[tuple[Place, int], Held] = field(default_factory=dict)

    def sync(self, manifest: dict[str, Any]) -> dict[str, dict[str, Values]]:
        """entity -> Id -> the row, as rows_for_a_new_client gives it."""
        self.held = {
            (place, bucket["id"]): self._brought_up_to_date(place, columns, bucket)
            for place, columns, buckets in _places(manifest)
            for bucket in buckets
        }
        by_place = {(*place, bucket): held.rows for (place, bucket), held in self.held.items()}
        return {
            name: joined(name, entity, by_place) for name, entity in manifest["entities"].items()
        }

    def _brought_up_to_date(self, place: Place, columns: Any, bucket: dict[str, Any]) -> Held:
        had = self.held.get((place, bucket["id"]))
        if had is not None and had.columns != columns:
            had = None
        if had is not None and had.state == bucket["state"]:
            return had
        parts = list(bucket_parts(place[0], bucket, is_private=place[1]))
        froms = [change["from"] for change in bucket["changes"]]
        if had is not None and had.state in froms:
            rows = self._applied(
                had.rows, [part for part in parts if part.is_change][froms.index(had.state) :]
            )
        else:
            rows = self._applied({}, [part for part in parts if part.is_needed])
        assert len(rows) == bucket["rows"], (
            f"{place}, bucket {bucket['id']}: {len(rows)} rows, listed are {bucket['rows']}"
        )
        return Held(bucket["state"], columns, rows)

    def _applied(self, rows: dict[str, Values], parts: list[Part]) -> dict[str, Values]:
        for part in parts:
            content = read(self.store, part)
            rows = {
                key: values for key, values in rows.items() if key not in content.removed
            } | content.rows
        return rows


def _places(manifest: dict[str, Any]) -> Iterator[tuple[Place, Any, list[dict[str, Any]]]]:
    for name, entity in manifest["entities"].items():
        yield (name, False), entity["columns"], entity["buckets"]
        if "private" in entity:
            yield (
                (name, True),
                [entity["columns"], entity["private"]["columns"]],
                entity["private"]["buckets"],
            )
