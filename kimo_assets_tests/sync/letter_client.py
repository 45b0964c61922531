"""A client of version 2 by the letter of docs/sync-format.md ("A sync"), in memory: whether the letter itself is right."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kimo_assets_tests.sync.store_reading import Part, Values, bucket_parts, read

Place = tuple[str, bool]


@dataclass
class LetterClient:
    """rows: (entity, whether private) -> Id -> the bucket it came from, and its values. states: of each bucket."""

    store: Path
    states: dict[tuple[Place, int], str] = field(default_factory=dict)
    rows: dict[Place, dict[str, tuple[int, Values]]] = field(default_factory=dict)
    columns: dict[Place, Any] = field(default_factory=dict)

    def sync(self, manifest: dict[str, Any]) -> dict[str, dict[str, Values]]:
        """entity -> Id -> the row, as rows_for_a_new_client gives it."""
        places = dict(_places(manifest))
        for place, described in places.items():
            self._sync_place(place, described["columns"], described["buckets"])
        for place in self.rows.keys() - places.keys():
            del self.rows[place]
        return {name: self._joined(name, entity["columns"]) for name, entity in manifest["entities"].items()}

    def _sync_place(self, place: Place, columns: Any, buckets: list[dict[str, Any]]) -> None:
        rows = self.rows.setdefault(place, {})
        if self.columns.get(place) != columns:
            rows.clear()
            self.states = {known: state for known, state in self.states.items() if known[0] != place}
            self.columns[place] = columns
        listed = {bucket["id"] for bucket in buckets}
        for key in [key for key, (bucket, _) in rows.items() if bucket not in listed]:
            del rows[key]
        for load, parts in sorted(self._to_fetch(place, buckets).items()):
            assert load >= 0
            self._apply(rows, parts)
        self.states = {known: state for known, state in self.states.items() if known[0] != place}
        self.states |= {(place, bucket["id"]): bucket["state"] for bucket in buckets}

    def _to_fetch(self, place: Place, buckets: list[dict[str, Any]]) -> dict[int, list[Part]]:
        """load -> the parts to apply; an empty base has one too, without an object."""
        found: dict[int, list[Part]] = {}
        for bucket in buckets:
            have = self.states.get((place, bucket["id"]))
            if have == bucket["state"]:
                continue
            parts = list(bucket_parts(place[0], [bucket], is_private=place[1]))
            froms = [change["from"] for change in bucket["changes"]]
            if have in froms:
                wanted = [part for part in parts if part.is_change][froms.index(have) :]
            else:
                emptied = Part(place[0], "", 0, 0, place[1], bucket["id"], load=bucket["base"]["load"])
                wanted = [emptied, *(part for part in parts if part.is_needed)]
            for part in wanted:
                found.setdefault(part.load, []).append(part)
        return found

    def _apply(self, rows: dict[str, tuple[int, Values]], parts: list[Part]) -> None:
        """One load: first all that goes, then all that comes."""
        contents = [(part, read(self.store, part)) for part in parts if part.sha256]
        replaced = {part.bucket for part in parts if not part.is_change}
        for key in [key for key, (bucket, _) in rows.items() if bucket in replaced]:
            del rows[key]
        for part, content in contents:
            for key in content.removed:
                if key in rows and rows[key][0] == part.bucket:
                    del rows[key]
        for part, content in contents:
            assert part.bucket is not None
            rows.update({key: (part.bucket, values) for key, values in content.rows.items()})

    def _joined(self, name: str, columns: dict[str, str]) -> dict[str, Values]:
        found: dict[str, Values] = {}
        for is_private in (False, True):
            for key, (_, values) in self.rows.get((name, is_private), {}).items():
                found[key] = found.get(key, dict.fromkeys(columns)) | values
        return found


def _places(manifest: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    for name, entity in manifest["entities"].items():
        yield (name, False), entity
        if "private" in entity:
            yield (name, True), entity["private"]
