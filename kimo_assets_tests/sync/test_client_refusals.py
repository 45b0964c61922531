"""Whatever is wrong with a store or a file is told in a sentence, and the file stays as it was."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kimo_assets.errors import StoreError
from kimo_assets.sync.client.client import read_manifest, sync_agent
from kimo_assets.sync.store.store import Store
from kimo_assets_tests.sync.client_support import A, B, C, received, refused, sync
from kimo_assets_tests.sync.store_builder import StoreBuilder, csv_of


def test_a_missing_object_is_named_and_nothing_changes(store: StoreBuilder, tablet: Path) -> None:
    sync(store, tablet)
    store.change("Zone", 3, put=[{"Id": "N", "Description": "new"}]).publish()
    sha256 = store.entities["Zone"].buckets[3].changes[-1]["sha256"]
    (store.folder / "objects" / sha256[:2] / f"{sha256}.csv.zst").unlink()
    message = refused(store, tablet)
    assert sha256 in message
    assert "step 3" in message


def test_a_damaged_object_is_named_and_nothing_changes(store: StoreBuilder, tablet: Path) -> None:
    path = store.objects()[0]
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    message = refused(store, tablet)
    assert "is damaged" in message
    assert path.name in message


GOOD = csv_of(["Id", "Name"], [["A", "x"], ["B", "y"]])
MANY = csv_of(["Id", "Name"], ([n, "x"] for n in range(50_000)))
BASES: dict[str, tuple[bytes, str]] = {
    "not zstd": (b"PK\x03\x04 and so on", "it is not zstd"),
    "half a zstd": (zstandard.compress(MANY)[:-9], "it ends within a record"),
    "garbage behind": (zstandard.compress(GOOD) + b"garbage", "it is not zstd"),
    "not UTF-8": (zstandard.compress(b"Id,Name\nA,\xff\nB,y\n"), "it is not UTF-8"),
    "empty": (zstandard.compress(b""), "its header '' does not fit"),
    "no last line end": (zstandard.compress(GOOD[:-1]), "it ends within a record"),
    "an open quote": (zstandard.compress(b'Id,Name\nA,"x\nB,y\n'), "it ends within a record"),
    "text behind a quote": (zstandard.compress(b'Id,Name\nA,"x"x\nB,y\n'), "it is not CSV"),
    "the same beside an empty text": (
        zstandard.compress(b'Id,Name\nA,"x"x\nB,""\n'),
        "it is not CSV",
    ),
    "a field more": (
        zstandard.compress(b"Id,Name\nA,x\nB,y,z\n"),
        "not CSV with as many fields as its header",
    ),
    "a column more": (
        zstandard.compress(b"Id,Name,Other\nA,x,z\nB,y,z\n"),
        "its header 'Id,Name,Other' does not fit",
    ),
    "a column twice": (
        zstandard.compress(b"Id,Name,Name\nA,x,z\nB,y,z\n"),
        "its header 'Id,Name,Name' does not fit",
    ),
    "no key column": (zstandard.compress(b"Name\nx\ny\n"), "its header 'Name' does not fit"),
    "a row more": (zstandard.compress(GOOD + b"C,z\n"), "it has 3 rows, its manifest says 2"),
    "no key": (zstandard.compress(b"Id,Name\nA,x\n,y\n"), "it has a row without a key"),
    "a key twice": (zstandard.compress(b"Id,Name\nA,x\nA,y\n"), "it has a key twice"),
}
CHANGES: dict[str, tuple[bytes, str]] = {
    "no flag": (zstandard.compress(GOOD), "its header 'Id,Name' does not fit"),
    "the flag elsewhere": (
        zstandard.compress(b"Id,Name,_removed\nA,x,0\nB,y,0\n"),
        "first column is not _removed",
    ),
    "another flag": (
        zstandard.compress(b"_removed,Id,Name\n0,A,x\nx,B,y\n"),
        "neither put nor removed",
    ),
    "a field less": (
        zstandard.compress(b"_removed,Id,Name\n0,A,x\n1,B\n"),
        "neither put nor removed",
    ),
    "a key twice": (zstandard.compress(b"_removed,Id,Name\n0,A,x\n1,A,\n"), "it has a key twice"),
    "no key": (zstandard.compress(b"_removed,Id,Name\n0,A,x\n1,,\n"), "it has a row without a key"),
}


@pytest.mark.parametrize("fault", BASES)
def test_a_base_that_is_not_as_the_format_says_is_refused(
    store: StoreBuilder, tablet: Path, fault: str
) -> None:
    data, sentence = BASES[fault]
    store.base("Account", 1, [A, B])
    store.entities["Account"].buckets[1].base["objects"] = [store.add_raw(data, 2)]
    store.publish()
    message = refused(store, tablet)
    assert sentence in message
    assert "Account: the object " in message


@pytest.mark.parametrize("fault", CHANGES)
def test_a_change_that_is_not_as_the_format_says_is_refused(
    store: StoreBuilder, tablet: Path, fault: str
) -> None:
    sync(store, tablet)
    data, sentence = CHANGES[fault]
    store.change("Account", 1, put=[A | {"Name": "x"}, B | {"Name": "y"}])
    store.entities["Account"].buckets[1].changes[-1].update(store.add_raw(data, 2))
    store.publish()
    assert sentence in refused(store, tablet)


def edited(
    change: Callable[[dict[str, Any]], object],
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def edit(manifest: dict[str, Any]) -> dict[str, Any]:
        change(manifest)
        return manifest

    return edit


def first_bucket(manifest: dict[str, Any]) -> dict[str, Any]:
    bucket: dict[str, Any] = manifest["entities"]["Account"]["buckets"][0]
    return bucket


CHAIN = [
    {"load": load, "from": before, "state": after, "sha256": "a" * 64, "rows": 1, "bytes": 1}
    for load, before, after in [(2, "a", "b"), (3, "b", "c")]
]
MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another agent's": (edited(lambda m: m.update(agent="2")), "belongs to agent '2'"),
    "a user's": (edited(lambda m: m.update(user={"id": "u"})), "is for the user {'id': 'u'}"),
    "another store's": (edited(lambda m: m.update(store="f" * 32)), "is of another store"),
    "another format": (edited(lambda m: m.update(format="another")), "another version 2"),
    "an old version": (
        edited(lambda m: m.update(version=1)),
        "version 1. This client reads kimo-sync version 2.",
    ),
    "a newer version": (
        edited(lambda m: m.update(version=3)),
        "kimo-sync version 2. Update this program.",
    ),
    "no entities": (edited(lambda m: m.pop("entities")), "entities: Field required"),
    "an unknown type": (
        edited(lambda m: m["entities"]["Zone"]["columns"].update(Description="money")),
        "entities.Zone.columns.Description: Input should be 'text'",
    ),
    "a key that is no column": (
        edited(lambda m: m["entities"]["Zone"].update(key="Key")),
        "Key is not among its columns",
    ),
    "a path for a hash": (
        edited(lambda m: first_bucket(m)["base"]["objects"][0].update(sha256="../../x")),
        "String should match pattern",
    ),
    "a number in quotes": (
        edited(lambda m: first_bucket(m).update(rows="2")),
        "rows: Input should be a valid integer",
    ),
    "a bucket twice": (
        edited(lambda m: m["entities"]["Account"]["buckets"].append(first_bucket(m))),
        "is listed twice",
    ),
    "a state nobody leads to": (
        edited(lambda m: first_bucket(m).update(state="x")),
        "do not lead to the bucket's state",
    ),
    "changes that do not start at the base": (
        edited(lambda m: first_bucket(m).update(state="c", changes=CHAIN)),
        "load 2 does not start at the base",
    ),
    "a chain with a gap": (
        edited(
            lambda m: first_bucket(m).update(
                state="c", changes=[CHAIN[0], CHAIN[1] | {"from": "x"}]
            )
        ),
        "the change of load 3 does not follow that of load 2",
    ),
    "a chain out of order": (
        edited(
            lambda m: first_bucket(m).update(state="c", changes=[CHAIN[0], CHAIN[1] | {"load": 2}])
        ),
        "the change of load 2 does not follow that of load 2",
    ),
    "private columns without the key": (
        edited(
            lambda m: m["entities"]["Zone"].update(
                private={"columns": ["Description"], "buckets": []}
            )
        ),
        "lack the key",
    ),
    "other rows than its buckets say": (
        edited(lambda m: first_bucket(m).update(rows=3)),
        "it declares 3 rows, its base has 2",
    ),
}


@pytest.mark.parametrize("fault", MANIFESTS)
def test_a_manifest_that_is_not_as_the_format_says_is_refused(
    store: StoreBuilder, tablet: Path, fault: str
) -> None:
    edit, sentence = MANIFESTS[fault]
    store.write("agents/1.json.zst", edit(store.manifest()))
    message = refused(store, tablet)
    assert sentence in message


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff"])
@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("agents/1.json.zst", "the manifest of agent '1'"),
        ("store.json", "store.json"),
        ("settings.json", "settings.json"),
    ],
)
def test_a_document_that_is_none_is_refused(
    store: StoreBuilder, tablet: Path, name: str, document: str, text: str
) -> None:
    sync(store, tablet)
    store.write(name, text)
    assert (
        f"{document} is not JSON" in (message := refused(store, tablet))
        or f"{document} is not a JSON object" in message
    )


def test_members_that_are_not_known_are_ignored(store: StoreBuilder, tablet: Path) -> None:
    manifest = store.manifest()
    for member in (
        manifest,
        manifest["entities"]["Zone"],
        first_bucket(manifest),
        first_bucket(manifest)["base"],
    ):
        member["hint"] = {"of": "tomorrow"}
    store.write("agents/1.json.zst", manifest)
    assert sync(store, tablet).rows == 4


def test_a_key_in_two_buckets_is_refused(store: StoreBuilder, tablet: Path) -> None:
    store.change("Account", 2, put=[A]).publish()
    assert "Account: the sync came to 4 rows of 3 keys, the manifest says 4" in refused(
        store, tablet
    )


def test_a_place_without_a_store_is_told_so(tmp_path: Path, tablet: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(
            StoreError, match=r"There is no sync store at .*: store\.json is not there"
        ):
            sync_agent(str(folder), "1", tablet)
    with pytest.raises(StoreError, match="cannot be opened: Protocol not known: gopher"):
        sync_agent("gopher://store", "1", tablet)
    assert not tablet.exists()


def test_an_unknown_agent_is_told_so(store: StoreBuilder, tablet: Path) -> None:
    assert "holds no payload for agent '9'" in refused(store, tablet, "9")


def test_a_file_belongs_to_one_agent(store: StoreBuilder, tablet: Path) -> None:
    sync(store, tablet)
    store.publish("2")
    assert "holds the data of agent '1'. Give agent '2' a file of its own" in refused(
        store, tablet, "2"
    )


def test_a_file_belongs_to_one_store(store: StoreBuilder, tablet: Path, tmp_path: Path) -> None:
    sync(store, tablet)
    other = StoreBuilder(tmp_path / "other", "f" * 32).entity("Zone").publish()
    assert (
        "another company's store (id 0123456789abcdef0123456789abcdef, this one's is ffff"
        in refused(other, tablet)
    )


def test_a_store_that_was_emptied_and_filled_again_is_the_same_store(
    store: StoreBuilder, tablet: Path, tmp_path: Path
) -> None:
    sync(store, tablet)
    filled = (
        StoreBuilder(tmp_path / "filled")
        .entity("Account", Name="text")
        .base("Account", 7, [B, C])
        .publish()
    )
    sync(filled, tablet)
    assert received(filled, tablet, "Account") == filled.rows("Account")


def test_a_file_that_is_something_else_is_left_alone(store: StoreBuilder, tablet: Path) -> None:
    tablet.write_text("not a database, but somebody's notes " * 100)
    assert "is not a SQLite file of this client" in refused(store, tablet)
    tablet.unlink()
    with closing(sqlite3.connect(tablet)) as file:
        file.execute("CREATE TABLE notes (text)")
    assert "is not a SQLite file of this client. Give --to a new file's name." in refused(
        store, tablet
    )


def test_a_file_of_the_first_version_is_told_to_stay_behind(
    store: StoreBuilder, tablet: Path
) -> None:
    with closing(sqlite3.connect(tablet)) as file:
        file.execute("CREATE TABLE _kimo_sync (entity TEXT PRIMARY KEY, state TEXT NOT NULL)")
    message = refused(store, tablet)
    assert "was made by an earlier version of this client. Give --to a new file's name." in message


def test_a_file_of_another_version_is_refused(store: StoreBuilder, tablet: Path) -> None:
    sync(store, tablet)
    with closing(sqlite3.connect(tablet)) as file, file:
        file.execute("UPDATE _kimo_file SET version = 3")
    assert "was made by another version of this client" in refused(store, tablet)


def test_a_file_in_use_is_told_so(
    store: StoreBuilder, tablet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimo_assets.sync.client.replica._BUSY_S", 0.1)
    sync(store, tablet)
    with closing(sqlite3.connect(tablet, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="is in use by another program"):
            sync(store, tablet)


def test_a_folder_for_a_file_is_told_so(store: StoreBuilder, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="SQLite refused: unable to open database file"):
        sync(store, tmp_path)


def test_a_file_that_was_changed_by_hand_is_noticed(store: StoreBuilder, tablet: Path) -> None:
    sync(store, tablet)
    with closing(sqlite3.connect(tablet)) as file, file:
        file.execute("DELETE FROM Account WHERE Id = 'C'")
    store.change("Account", 1, removed=["A"]).publish()
    assert "came to 1 rows of 1 keys, the manifest says 2. Sync into a new file" in refused(
        store, tablet
    )


def test_a_manifest_can_be_read_alone(store: StoreBuilder) -> None:
    manifest = read_manifest(Store(str(store.folder)), "1")
    assert manifest == store.manifest()
    with pytest.raises(StoreError, match="holds no payload for agent '9'"):
        read_manifest(Store(str(store.folder)), "9")
