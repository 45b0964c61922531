"""The tests' own readers of the format, with stores that are built for them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kimo_assets_tests.sync.spec_client import SpecClient
from kimo_assets_tests.sync.store_reading import listed_objects, rows_for_a_new_client

Rows = dict[str, str]


class Bucket:
    """A bucket under changes, as an engine lists it: one change a load, from the first state on."""

    def __init__(
        self, store: Path, number: int, rows: Rows, *, load: int = 1, columns: str = "Id,Name"
    ) -> None:
        self.store, self.number, self.rows, self.columns = store, number, dict(rows), columns
        lines = [f"{key},{name}\n" for key, name in rows.items()]
        self.base = {
            "load": load,
            "state": self.state,
            "objects": [self._written("", lines)] if rows else [],
        }
        self.changes: list[dict[str, Any]] = []

    @property
    def state(self) -> str:
        return hashlib.sha256(json.dumps(self.rows, sort_keys=True).encode()).hexdigest()[:16]

    def change(self, load: int, *removed: str, **put: str) -> None:
        before = self.state
        self.rows = {key: name for key, name in self.rows.items() if key not in removed} | put
        lines = [
            *(f"1,{key},\n" for key in removed),
            *(f"0,{key},{name}\n" for key, name in put.items()),
        ]
        self.changes.append(
            {"load": load, "from": before, "state": self.state, **self._written("_removed,", lines)}
        )

    def listed(self) -> dict[str, Any]:
        return {
            "id": self.number,
            "state": self.state,
            "rows": len(self.rows),
            "base": self.base,
            "changes": list(self.changes),
        }

    def _written(self, mark: str, lines: list[str]) -> dict[str, Any]:
        data = zstandard.ZstdCompressor().compress(
            "".join([f"{mark}{self.columns}\n", *lines]).encode()
        )
        sha256 = hashlib.sha256(data).hexdigest()
        file = self.store / "objects" / sha256[:2] / f"{sha256}.csv.zst"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return {"sha256": sha256, "rows": len(lines), "bytes": len(data)}


def manifest(*buckets: Bucket, private: tuple[Bucket, ...] = ()) -> dict[str, Any]:
    zone: dict[str, Any] = {"key": "Id", "columns": {"Id": "text", "Name": "text", "Phone": "text"}}
    zone["buckets"] = [bucket.listed() for bucket in buckets]
    if private:
        zone["private"] = {
            "columns": ["Id", "Phone"],
            "buckets": [bucket.listed() for bucket in private],
        }
    return {"format": "kimo-sync", "version": 2, "agent": "1", "entities": {"Zone": zone}}


def names(rows: dict[str, dict[str, dict[str, Any]]]) -> Rows:
    return {key: row["Name"] for key, row in rows["Zone"].items()}


def test_a_new_client_takes_the_base_and_the_changes_after_it(tmp_path: Path) -> None:
    bucket, other = Bucket(tmp_path, 17, {"a": "1", "b": "2"}), Bucket(tmp_path, 18, {})
    bucket.change(2, "a", c="3")
    other.change(3, a="4")
    assert names(rows_for_a_new_client(tmp_path, manifest(bucket, other))) == {
        "a": "4",
        "b": "2",
        "c": "3",
    }


def test_changes_up_to_the_base_are_for_others_but_can_be_fetched(tmp_path: Path) -> None:
    bucket = Bucket(tmp_path, 17, {"a": "1"})
    bucket.change(2, "a", b="2")
    compacted = Bucket(tmp_path, 17, bucket.rows, load=2)
    compacted.changes = bucket.changes
    listed = manifest(compacted)
    assert names(rows_for_a_new_client(tmp_path, listed)) == {"b": "2"}
    assert [(part.is_change, part.is_needed) for part in listed_objects(listed)] == [
        (False, True),
        (True, False),
    ]


def test_private_columns_are_joined_to_their_rows_and_are_no_value_elsewhere(
    tmp_path: Path,
) -> None:
    own = Bucket(tmp_path, 18, {"a": '""'}, columns="Id,Phone")
    rows = rows_for_a_new_client(
        tmp_path, manifest(Bucket(tmp_path, 17, {"a": "1", "b": ""}), private=(own,))
    )
    assert rows["Zone"] == {
        "a": {"Id": "a", "Name": "1", "Phone": ""},
        "b": {"Id": "b", "Name": None, "Phone": None},
    }


def test_a_row_in_two_buckets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="in two buckets"):
        rows_for_a_new_client(
            tmp_path, manifest(Bucket(tmp_path, 17, {"a": "1"}), Bucket(tmp_path, 18, {"a": "1"}))
        )


def test_a_client_by_the_letter_follows_rows_from_bucket_to_bucket(tmp_path: Path) -> None:
    first, second = Bucket(tmp_path, 17, {"a": "1", "b": "2"}), Bucket(tmp_path, 18, {"c": "3"})
    client = SpecClient(tmp_path)
    assert names(client.sync(manifest(first, second))) == {"a": "1", "b": "2", "c": "3"}
    first.change(2, "a")
    second.change(2, a="5")
    assert names(client.sync(manifest(first, second))) == {"a": "5", "b": "2", "c": "3"}
    assert names(client.sync(manifest(first))) == {"b": "2"}
    assert client.sync({**manifest(), "entities": {}}) == {}


def test_a_row_that_went_and_came_back_between_two_syncs_is_still_there(tmp_path: Path) -> None:
    """The client has the first bucket's state and takes nothing of it. The second one has changes.

    A client that keeps one row for a key, with the bucket from which it came last, loses it here.
    """
    first, second = Bucket(tmp_path, 17, {"a": "1", "b": "2"}), Bucket(tmp_path, 18, {"c": "3"})
    client = SpecClient(tmp_path)
    client.sync(manifest(first, second))
    first.change(2, "a")
    second.change(2, a="1")
    first.change(3, a="1")
    second.change(3, "a", d="4")
    assert names(client.sync(manifest(first, second))) == {"a": "1", "b": "2", "c": "3", "d": "4"}
