"""Reads the sync store by docs/sync-format.md alone, without code of the engine or the client."""

import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import zstandard

Values = dict[str, str | None]
_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^,"\n]*))(,|\n)')


@dataclass(frozen=True)
class ListedObject:
    """An object that a manifest lists. load: of its base or change."""

    entity: str
    sha256: str
    row_count: int
    byte_count: int
    is_private: bool = False
    bucket: int = 0
    is_change: bool = False
    load: int = 0
    is_needed: bool = True


@dataclass(frozen=True)
class Content:
    """An object: its columns, the rows it puts (by Id) and the keys that it removes."""

    columns: tuple[str, ...]
    rows: dict[str, Values]
    removed: frozenset[str]


def file_of(code: str) -> str:
    return quote(code, safe="").replace(".", "%2E") + ".json.zst"


def manifests(store: Path, folder: str = "agents") -> dict[str, dict[str, Any]]:
    """file name -> manifest, of all that are in the folder."""
    files = (store / folder).glob("*.json.zst")
    return {file.name: json.loads(zstandard.decompress(file.read_bytes())) for file in files}


def listed_objects(manifest: dict[str, Any]) -> Iterator[ListedObject]:
    """All objects that the manifest lists. A new client needs those with `is_needed`."""
    for name, entity in manifest["entities"].items():
        for bucket in entity["buckets"]:
            yield from objects_of_bucket(name, bucket, is_private=False)
        for bucket in entity.get("private", {}).get("buckets", []):
            yield from objects_of_bucket(name, bucket, is_private=True)


def objects_of_bucket(
    name: str, bucket: dict[str, Any], *, is_private: bool
) -> Iterator[ListedObject]:
    """The base's objects, then the changes. They must lead to the bucket's state."""
    base, changes = bucket["base"], bucket["changes"]
    later = [change for change in changes if change["load"] > base["load"]]
    assert changes[len(changes) - len(later) :] == later, (
        f"{name}, bucket {bucket['id']}: loads go back"
    )
    assert [base["state"], *(change["state"] for change in later)][-1] == bucket["state"]
    assert not later or later[0]["from"] == base["state"]
    assert all(before["state"] == after["from"] for before, after in pairwise(changes)), (
        f"{name}: a gap in {changes}"
    )
    for listed in base["objects"]:
        yield ListedObject(
            name,
            listed["sha256"],
            listed["rows"],
            listed["bytes"],
            is_private,
            bucket["id"],
            load=base["load"],
        )
    for change in changes:
        yield ListedObject(
            name,
            change["sha256"],
            change["rows"],
            change["bytes"],
            is_private,
            bucket["id"],
            True,
            change["load"],
            change in later,
        )


def features(manifests: list[dict[str, Any]]) -> set[str]:
    """The features of the format that occur in the manifests."""
    buckets = [
        bucket
        for manifest in manifests
        for entity in manifest["entities"].values()
        for bucket in (*entity["buckets"], *entity.get("private", {}).get("buckets", []))
    ]
    times = Counter(bucket["id"] for bucket in buckets)
    met = {
        "a change": any(bucket["changes"] for bucket in buckets),
        "a shared bucket": any(1 < count < len(manifests) for count in times.values()),
        "a base after changes": any(
            0 < change["load"] == b["base"]["load"] for b in buckets for change in b["changes"]
        ),
        "changes from before the base": any(
            change["load"] < bucket["base"]["load"]
            for bucket in buckets
            for change in bucket["changes"]
        ),
    }
    return {feature for feature, is_met in met.items() if is_met}


@cache
def _content(data: bytes) -> Content:
    with zstandard.ZstdDecompressor().stream_reader(
        io.BytesIO(data), read_across_frames=True
    ) as raw:
        records = list(_records(raw.read().decode("utf-8")))
    header = [str(name) for name in records[0]]
    columns = tuple(name for name in header if name != "_removed")
    rows: dict[str, Values] = {}
    removed: set[str] = set()
    for record in records[1:]:
        values = dict(zip(header, record, strict=True))
        mark, key = values.pop("_removed", "0"), str(values["Id"])
        assert key not in rows.keys() | removed, f"{key} is in an object twice"
        if mark == "1":
            assert not any(value for name, value in values.items() if name != "Id"), (
                f"more than the key of {key} is told"
            )
            removed.add(key)
        else:
            rows[key] = values
    return Content(columns, rows, frozenset(removed))


def _records(text: str) -> Iterator[list[str | None]]:
    """An unquoted empty field is None, a quoted one the empty string."""
    position, record = 0, []
    while position < len(text):
        match = _FIELD.match(text, position)
        assert match, f"no CSV: {text[position : position + 80]!r}"
        quoted, bare, separator = match.groups()
        record.append(quoted.replace('""', '"') if quoted is not None else bare or None)
        position = match.end()
        if separator == "\n":
            yield record
            record = []


def read(store: Path, listed: ListedObject) -> Content:
    """The object, its hash, size and count verified."""
    data = (store / "objects" / listed.sha256[:2] / f"{listed.sha256}.csv.zst").read_bytes()
    assert hashlib.sha256(data).hexdigest() == listed.sha256
    content = _content(data)
    assert (len(data), len(content.rows) + len(content.removed)) == (
        listed.byte_count,
        listed.row_count,
    ), listed
    return content


def rows_for_a_new_client(store: Path, manifest: dict[str, Any]) -> dict[str, dict[str, Values]]:
    """entity -> Id -> the row in a client that fetches everything. Missing values are None."""
    rows_of: dict[tuple[str, bool, int], dict[str, Values]] = {}
    for listed in sorted(
        listed_objects(manifest), key=lambda listed: (listed.is_change, listed.load)
    ):
        if listed.is_needed:
            content = read(store, listed)
            rows = rows_of.setdefault((listed.entity, listed.is_private, listed.bucket), {})
            for key in content.removed:
                assert rows.pop(key, None) is not None, (
                    f"{listed} removes {key}, which is not in its bucket"
                )
            rows.update(content.rows)
    return {name: joined(name, entity, rows_of) for name, entity in manifest["entities"].items()}


def joined(
    name: str, entity: dict[str, Any], rows_of: Mapping[tuple[str, bool, int], dict[str, Values]]
) -> dict[str, Values]:
    """The rows of all buckets together, private columns beside the others.

    rows_of: (entity, whether private, bucket) -> its rows.
    """
    whole: dict[str, Values] = {}
    public: set[str] = set()
    private: set[str] = set()
    for (owner, is_private, _), rows in sorted(rows_of.items(), key=lambda item: item[0][1]):
        if owner == name:
            mine = private if is_private else public
            assert not mine & rows.keys(), f"{name}: {mine & rows.keys()} are in two buckets"
            mine.update(rows)
            for key, values in rows.items():
                whole[key] = whole.get(key, dict.fromkeys(entity["columns"])) | values
    assert not private or private <= public, f"{name}: {private - public} are private only"
    return whole
