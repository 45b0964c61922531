"""The reference client: exact, and its file stays as it was when anything is wrong with the store."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from kimo_assets.database.server import Database
from kimo_assets.errors import StoreError
from kimo_assets.sync.client import SyncResult, read_manifest, read_rows, sync_agent
from kimo_assets.sync.store import Store
from kimo_assets_tests.sync.handmade import HandmadeStore, csv_of
from kimo_assets_tests.worlds import World, agents

A, B, C = ({"Id": key, "Name": f"name {key}"} for key in "ABC")


@pytest.fixture
def store(tmp_path: Path) -> HandmadeStore:
    """An agent's first load: two entities, the first in two buckets."""
    made = HandmadeStore(tmp_path / "store")
    made.entity("Account", Name="text").base("Account", 1, [A, B]).base("Account", 2, [C])
    return made.entity("Zone", Description="text").base("Zone", 3, [{"Id": "N", "Description": "old"}]).publish()


@pytest.fixture
def tablet(tmp_path: Path) -> Path:
    return tmp_path / "tablet.sqlite"


def sync(store: HandmadeStore, file: Path, agent: str = "1", **options: Any) -> SyncResult:
    return sync_agent(str(store.folder), agent, file, **options)


def query(file: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


def received(store: HandmadeStore, file: Path, entity: str) -> list[tuple[Any, ...]]:
    columns = ", ".join(f'"{column}"' for column in store.entities[entity].columns)
    return sorted(query(file, f'SELECT {columns} FROM "{entity}"'))


def refused(store: HandmadeStore, file: Path, agent: str = "1", **options: Any) -> str:
    """Why a sync fails; the file must be, byte for byte, what it was."""
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(StoreError) as raised:
        sync(store, file, agent, **options)
    assert (file.read_bytes() if file.exists() else None) == before
    assert "\n" not in str(raised.value)
    return str(raised.value)


# --- what a sync brings --------------------------------------------------------------------------------------------


def test_the_first_sync_brings_everything(store: HandmadeStore, tablet: Path) -> None:
    result = sync(store, tablet)
    assert received(store, tablet, "Account") == store.rows("Account") == [("A", "name A"), ("B", "name B"), ("C", "name C")]
    assert received(store, tablet, "Zone") == [("N", "old")]
    files = [store.folder / "store.json", store.folder / "agents/1.json", *store.objects()]
    assert result == SyncResult(
        agent="1", user=None, load=1, entities=2, entities_changed=2, rows=4, objects_downloaded=3,
        bytes_downloaded=sum(file.stat().st_size for file in files), rows_put=4, rows_removed=0, bases=3, changes=0,
    )  # fmt: skip


def test_a_sync_without_news_fetches_two_small_files_and_leaves_the_file_alone(store: HandmadeStore, tablet: Path) -> None:
    sync(store, tablet)
    before = tablet.read_bytes(), tablet.stat().st_mtime_ns
    for object_file in store.objects():
        object_file.unlink()
    again = sync(store, tablet)
    assert (again.entities_changed, again.objects_downloaded, again.rows_put, again.rows) == (0, 0, 0, 4)
    assert (tablet.read_bytes(), tablet.stat().st_mtime_ns) == before


def test_a_later_sync_brings_the_changes_only(store: HandmadeStore, tablet: Path) -> None:
    sync(store, tablet)
    for object_file in store.objects():
        object_file.unlink()
    store.change("Account", 1, put=[A | {"Name": "new"}], removed=["B"]).publish()
    result = sync(store, tablet)
    assert received(store, tablet, "Account") == [("A", "new"), ("C", "name C")]
    assert (result.entities_changed, result.objects_downloaded, result.changes, result.bases) == (1, 1, 1, 0)
    assert (result.rows_put, result.rows_removed, result.rows) == (1, 1, 3)


def test_a_client_that_was_away_too_long_starts_at_the_base(store: HandmadeStore, tablet: Path) -> None:
    sync(store, tablet)
    store.change("Account", 1, put=[A | {"Name": "newer"}]).publish()
    store.change("Account", 1, removed=["B"]).rewrite("Account", 1, objects=2).forget("Account", 1, 1).publish()
    store.change("Account", 1, put=[B | {"Name": "again"}]).publish()
    result = sync(store, tablet)
    assert received(store, tablet, "Account") == [("A", "newer"), ("B", "again"), ("C", "name C")]
    assert (result.bases, result.changes) == (1, 1)


def test_a_row_that_was_in_another_bucket_meanwhile_is_there_still(store: HandmadeStore, tablet: Path) -> None:
    """Bucket 1 has its old state again, so a client has nothing to do with it; it must not lose the row to bucket 2."""
    sync(store, tablet)
    store.change("Account", 1, removed=["A"]).change("Account", 2, put=[A]).publish()
    store.change("Account", 1, put=[A]).change("Account", 2, removed=["A"], put=[C | {"Name": "new"}]).publish()
    sync(store, tablet)
    assert received(store, tablet, "Account") == store.rows("Account")


def test_a_client_that_has_a_state_of_long_ago_takes_the_last_way_from_it(store: HandmadeStore, tablet: Path) -> None:
    sync(store, tablet)
    for name in ("x", "name A", "y"):
        store.change("Account", 1, put=[A | {"Name": name}]).publish()
    assert sync(store, tablet).changes == 1
    assert received(store, tablet, "Account") == store.rows("Account")


def test_a_bucket_that_is_not_listed_any_more_leaves_with_its_rows(store: HandmadeStore, tablet: Path) -> None:
    sync(store, tablet)
    store.drop("Account", 2).publish()
    assert sync(store, tablet).rows_removed == 1
    assert received(store, tablet, "Account") == store.rows("Account")


def test_an_entity_that_is_no_longer_published_leaves_the_file(store: HandmadeStore, tablet: Path) -> None:
    sync(store, tablet)
    del store.entities["Zone"]
    store.publish()
    assert sync(store, tablet).entities_changed == 1
    assert query(tablet, "SELECT name FROM sqlite_master WHERE name = 'Zone'") == []


def test_an_entity_without_rows_has_a_table(store: HandmadeStore, tablet: Path) -> None:
    store.entity("Contact", Name="text").base("Account", 9, []).publish()
    assert sync(store, tablet).entities_changed == 3
    assert received(store, tablet, "Contact") == []


def test_an_entity_of_other_columns_is_taken_from_its_bases(store: HandmadeStore, tablet: Path) -> None:
    sync(store, tablet)
    store.entity("Account", Name="text", Phone="text")
    store.base("Account", 1, [A | {"Phone": ""}, B]).base("Account", 2, [C]).publish()
    sync(store, tablet)
    assert received(store, tablet, "Account") == [("A", "name A", ""), ("B", "name B", None), ("C", "name C", None)]


def test_private_columns_complete_the_rows_of_which_the_agent_may_know_them(store: HandmadeStore, tablet: Path) -> None:
    known = [{"Id": "A", "Phone": "1"}]
    store.entity("SalesAgent", private=["Phone"], Name="text", Phone="text")
    store.base("SalesAgent", 4, [A, B]).base("SalesAgent", 5, known, private=True).publish()
    sync(store, tablet)
    assert received(store, tablet, "SalesAgent") == [("A", "name A", "1"), ("B", "name B", None)]

    store.change("SalesAgent", 5, put=[{"Id": "A", "Phone": "2"}], private=True).publish()
    assert sync(store, tablet).entities_changed == 1
    assert received(store, tablet, "SalesAgent") == [("A", "name A", "2"), ("B", "name B", None)]

    store.change("SalesAgent", 4, put=[A | {"Name": "new"}]).drop("SalesAgent", 5, private=True).publish()
    sync(store, tablet)
    assert received(store, tablet, "SalesAgent") == [("A", "new", None), ("B", "name B", None)]


def test_settings_are_tables_too_and_are_replaced_whole(store: HandmadeStore, tablet: Path) -> None:
    columns = {"Role": "text", "Key": "text", "Value": "text"}
    rows = [{"Role": None, "Key": "k", "Value": "1"}, {"Role": "r", "Key": "k", "Value": ""}]
    store.setting("Account", ["Role", "Key"], columns, rows).publish()
    assert sync(store, tablet).rows_put == 6
    assert query(tablet, "SELECT * FROM settings_Account ORDER BY 3") == [("r", "k", ""), (None, "k", "1")]

    store.setting("Account", ["Role", "Key"], columns, rows[1:]).publish()
    result = sync(store, tablet)
    assert (result.objects_downloaded, result.entities_changed) == (1, 0)
    assert query(tablet, "SELECT * FROM settings_Account") == [("r", "k", "")]
    assert sync(store, tablet).objects_downloaded == 0

    (store.folder / "settings.json").unlink()
    sync(store, tablet)
    assert query(tablet, "SELECT name FROM sqlite_master WHERE name LIKE 'settings%'") == []


def test_a_user_gets_the_users_manifest(store: HandmadeStore, tablet: Path) -> None:
    store.drop("Account", 2).publish("1", user="m.rossi")
    assert sync(store, tablet, user="m.rossi").rows == 3
    assert (store.folder / "users/m%2Erossi.json").exists()
    assert "holds the data of user 'm.rossi' of agent '1'. Give agent '1' a file of its own" in refused(store, tablet)
    assert "holds no payload for user 'nobody'" in refused(store, tablet, user="nobody")
    assert "the manifest of user 'm.rossi' belongs to agent '1'" in refused(store, tablet, "2", user="m.rossi")


def test_progress_is_told_in_bytes(store: HandmadeStore, tablet: Path) -> None:
    told: list[tuple[str, int, int]] = []
    sync(store, tablet, on_progress=lambda *what: told.append(what))
    total = sum(file.stat().st_size for file in store.objects())
    assert [what for what, _, _ in told] == ["fetch"] * 3 + ["write"] * 3
    assert told[2] == ("fetch", total, total)
    assert told[5] == ("write", total, total)


# --- what it refuses -----------------------------------------------------------------------------------------------


def test_a_missing_object_is_named_and_nothing_changes(store: HandmadeStore, tablet: Path) -> None:
    sync(store, tablet)
    store.change("Zone", 3, put=[{"Id": "N", "Description": "new"}]).publish()
    sha256 = store.entities["Zone"].buckets[3].changes[-1]["sha256"]
    (store.folder / "objects" / sha256[:2] / f"{sha256}.csv.zst").unlink()
    message = refused(store, tablet)
    assert sha256 in message
    assert "step 3" in message


def test_a_damaged_object_is_named_and_nothing_changes(store: HandmadeStore, tablet: Path) -> None:
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
    "the same beside an empty text": (zstandard.compress(b'Id,Name\nA,"x"x\nB,""\n'), "it is not CSV"),
    "a field more": (zstandard.compress(b"Id,Name\nA,x\nB,y,z\n"), "not CSV with as many fields as its header"),
    "a column more": (zstandard.compress(b"Id,Name,Other\nA,x,z\nB,y,z\n"), "its header 'Id,Name,Other' does not fit"),
    "a column twice": (zstandard.compress(b"Id,Name,Name\nA,x,z\nB,y,z\n"), "its header 'Id,Name,Name' does not fit"),
    "no key column": (zstandard.compress(b"Name\nx\ny\n"), "its header 'Name' does not fit"),
    "a row more": (zstandard.compress(GOOD + b"C,z\n"), "it has 3 rows, its manifest says 2"),
    "no key": (zstandard.compress(b"Id,Name\nA,x\n,y\n"), "it has a row without a key"),
    "a key twice": (zstandard.compress(b"Id,Name\nA,x\nA,y\n"), "it has a key twice"),
}
CHANGES: dict[str, tuple[bytes, str]] = {
    "no flag": (zstandard.compress(GOOD), "its header 'Id,Name' does not fit"),
    "the flag elsewhere": (zstandard.compress(b"Id,Name,_removed\nA,x,0\nB,y,0\n"), "first column is not _removed"),
    "another flag": (zstandard.compress(b"_removed,Id,Name\n0,A,x\nx,B,y\n"), "neither put nor removed"),
    "a field less": (zstandard.compress(b"_removed,Id,Name\n0,A,x\n1,B\n"), "neither put nor removed"),
    "a key twice": (zstandard.compress(b"_removed,Id,Name\n0,A,x\n1,A,\n"), "it has a key twice"),
    "no key": (zstandard.compress(b"_removed,Id,Name\n0,A,x\n1,,\n"), "it has a row without a key"),
}


@pytest.mark.parametrize("why", BASES)
def test_a_base_that_is_not_as_the_format_says_is_refused(store: HandmadeStore, tablet: Path, why: str) -> None:
    data, said = BASES[why]
    store.base("Account", 1, [A, B])
    store.entities["Account"].buckets[1].base["objects"] = [store.add_raw(data, 2)]
    store.publish()
    message = refused(store, tablet)
    assert said in message
    assert "Account: the object " in message


@pytest.mark.parametrize("why", CHANGES)
def test_a_change_that_is_not_as_the_format_says_is_refused(store: HandmadeStore, tablet: Path, why: str) -> None:
    sync(store, tablet)
    data, said = CHANGES[why]
    store.change("Account", 1, put=[A | {"Name": "x"}, B | {"Name": "y"}])
    store.entities["Account"].buckets[1].changes[-1].update(store.add_raw(data, 2))
    store.publish()
    assert said in refused(store, tablet)


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def edit(manifest: dict[str, Any]) -> dict[str, Any]:
        change(manifest)
        return manifest

    return edit


def first_bucket(manifest: dict[str, Any]) -> dict[str, Any]:
    bucket: dict[str, Any] = manifest["entities"]["Account"]["buckets"][0]
    return bucket


CHAIN = [{"load": load, "from": before, "state": after, "sha256": "a" * 64, "rows": 1, "bytes": 1}
         for load, before, after in [(2, "a", "b"), (3, "b", "c")]]  # fmt: skip
MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another agent's": (edited(lambda m: m.update(agent="2")), "belongs to agent '2'"),
    "a user's": (edited(lambda m: m.update(user={"id": "u"})), "is for the user {'id': 'u'}"),
    "another store's": (edited(lambda m: m.update(store="f" * 32)), "is of another store"),
    "another format": (edited(lambda m: m.update(format="another")), "another version 2"),
    "an old version": (edited(lambda m: m.update(version=1)), "version 1; this client reads kimo-sync version 2."),
    "a newer version": (edited(lambda m: m.update(version=3)), "kimo-sync version 2. Update this program."),
    "no entities": (edited(lambda m: m.pop("entities")), "entities: Field required"),
    "an unknown type": (
        edited(lambda m: m["entities"]["Zone"]["columns"].update(Description="money")),
        "entities.Zone.columns.Description: Input should be 'text'",
    ),
    "a key that is no column": (edited(lambda m: m["entities"]["Zone"].update(key="Key")), "Key is not among its columns"),
    "a path for a hash": (
        edited(lambda m: first_bucket(m)["base"]["objects"][0].update(sha256="../../x")), "String should match pattern",
    ),
    "a number in quotes": (edited(lambda m: first_bucket(m).update(rows="2")), "rows: Input should be a valid integer"),
    "a bucket twice": (
        edited(lambda m: m["entities"]["Account"]["buckets"].append(first_bucket(m))), "two buckets have one id",
    ),
    "a state nobody leads to": (edited(lambda m: first_bucket(m).update(state="x")), "do not lead to the bucket's state"),
    "changes that do not start at the base": (
        edited(lambda m: first_bucket(m).update(state="c", changes=CHAIN)), "load 2 does not start at the base",
    ),
    "a chain with a gap": (
        edited(lambda m: first_bucket(m).update(state="c", changes=[CHAIN[0], CHAIN[1] | {"from": "x"}])),
        "the change of load 3 does not follow that of load 2",
    ),
    "a chain out of order": (
        edited(lambda m: first_bucket(m).update(state="c", changes=[CHAIN[0], CHAIN[1] | {"load": 2}])),
        "the change of load 2 does not follow that of load 2",
    ),
    "private columns without the key": (
        edited(lambda m: m["entities"]["Zone"].update(private={"columns": ["Description"], "buckets": []})), "lack the key",
    ),
    "other rows than its buckets say": (
        edited(lambda m: first_bucket(m).update(rows=3)), "came to 3 rows of 3 keys, the manifest says 4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", MANIFESTS)
def test_a_manifest_that_is_not_as_the_format_says_is_refused(store: HandmadeStore, tablet: Path, why: str) -> None:
    edit, said = MANIFESTS[why]
    store.write("agents/1.json", edit(store.manifest()))
    message = refused(store, tablet)
    assert said in message


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff"])
@pytest.mark.parametrize(("name", "what"), [("agents/1.json", "the manifest of agent '1'"), ("store.json", "store.json"),
                                            ("settings.json", "settings.json")])  # fmt: skip
def test_a_document_that_is_none_is_refused(store: HandmadeStore, tablet: Path, name: str, what: str, text: str) -> None:
    sync(store, tablet)
    store.write(name, text)
    assert f"{what} is not JSON" in (message := refused(store, tablet)) or f"{what} is not a JSON object" in message


def test_members_that_are_not_known_are_ignored(store: HandmadeStore, tablet: Path) -> None:
    manifest = store.manifest()
    for place in (manifest, manifest["entities"]["Zone"], first_bucket(manifest), first_bucket(manifest)["base"]):
        place["hint"] = {"of": "tomorrow"}
    store.write("agents/1.json", manifest)
    assert sync(store, tablet).rows == 4


def test_a_key_in_two_buckets_is_refused(store: HandmadeStore, tablet: Path) -> None:
    store.change("Account", 2, put=[A]).publish()
    assert "Account: the sync came to 4 rows of 3 keys, the manifest says 4" in refused(store, tablet)


def test_a_place_without_a_store_is_told_so(tmp_path: Path, tablet: Path) -> None:
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(StoreError, match=r"There is no sync store at .*: store\.json is not there"):
            sync_agent(str(place), "1", tablet)
    with pytest.raises(StoreError, match="cannot be opened: Protocol not known: gopher"):
        sync_agent("gopher://store", "1", tablet)
    assert not tablet.exists()


def test_an_unknown_agent_is_told_so(store: HandmadeStore, tablet: Path) -> None:
    assert "holds no payload for agent '9'" in refused(store, tablet, "9")


def test_a_file_belongs_to_one_agent(store: HandmadeStore, tablet: Path) -> None:
    sync(store, tablet)
    store.publish("2")
    assert "holds the data of agent '1'. Give agent '2' a file of its own" in refused(store, tablet, "2")


def test_a_file_belongs_to_one_store(store: HandmadeStore, tablet: Path, tmp_path: Path) -> None:
    sync(store, tablet)
    other = HandmadeStore(tmp_path / "other", "f" * 32).entity("Zone").publish()
    assert "another company's store (id 0123456789abcdef0123456789abcdef, this one's is ffff" in refused(other, tablet)


def test_a_store_that_was_emptied_and_filled_again_is_the_same_store(
    store: HandmadeStore, tablet: Path, tmp_path: Path
) -> None:
    sync(store, tablet)
    filled = HandmadeStore(tmp_path / "filled").entity("Account", Name="text").base("Account", 7, [B, C]).publish()
    sync(filled, tablet)
    assert received(filled, tablet, "Account") == filled.rows("Account")


def test_a_file_that_is_something_else_is_left_alone(store: HandmadeStore, tablet: Path) -> None:
    tablet.write_text("not a database, but somebody's notes " * 100)
    assert "is not a SQLite file of this client" in refused(store, tablet)
    tablet.unlink()
    with closing(sqlite3.connect(tablet)) as file:
        file.execute("CREATE TABLE notes (text)")
    assert "it holds other tables" in refused(store, tablet)


def test_a_file_of_the_first_version_is_told_to_stay_behind(store: HandmadeStore, tablet: Path) -> None:
    with closing(sqlite3.connect(tablet)) as file:
        file.execute("CREATE TABLE _kimo_sync (entity TEXT PRIMARY KEY, state TEXT NOT NULL)")
    message = refused(store, tablet)
    assert "was made by an earlier version of this client. Give --to a new file's name." in message


def test_a_file_of_another_version_is_refused(store: HandmadeStore, tablet: Path) -> None:
    sync(store, tablet)
    with closing(sqlite3.connect(tablet)) as file, file:
        file.execute("UPDATE _kimo_file SET version = 3")
    assert "was made by another version of this client" in refused(store, tablet)


def test_a_file_in_use_is_told_so(store: HandmadeStore, tablet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kimo_assets.sync.replica._BUSY_S", 0.1)
    sync(store, tablet)
    with closing(sqlite3.connect(tablet, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="is in use by another program"):
            sync(store, tablet)


def test_a_folder_for_a_file_is_told_so(store: HandmadeStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="SQLite refused: unable to open database file"):
        sync(store, tmp_path)


def test_a_file_that_was_changed_by_hand_is_noticed(store: HandmadeStore, tablet: Path) -> None:
    sync(store, tablet)
    with closing(sqlite3.connect(tablet)) as file, file:
        file.execute("DELETE FROM Account WHERE Id = 'C'")
    store.change("Account", 1, removed=["A"]).publish()
    assert "came to 1 rows of 1 keys, the manifest says 2. Sync into a new file" in refused(store, tablet)


def test_a_manifest_can_be_read_alone(store: HandmadeStore) -> None:
    manifest = read_manifest(Store(str(store.folder)), "1")
    assert manifest == json.loads((store.folder / "agents/1.json").read_text())
    with pytest.raises(StoreError, match="holds no payload for agent '9'"):
        read_manifest(Store(str(store.folder)), "9")


# --- values --------------------------------------------------------------------------------------------------------


TEXTS = [
    "plain", 'say "hi"', '"', '""', '","', "a,b", ",", "two\nlines", "\n", "windows\r\nline", "old\rline", "", None,
    ' " ', '"\n"', '\n"', "\\.", "è 🚚", "tab\t", " spaces ", "NULL", '""\n""', '"a","b"', "x" * 200_000,
    "a \u2028 line", "\x0b\x1c", '"' * 5, "note\n" * 1_000_000,
]  # fmt: skip


@pytest.mark.parametrize("texts", [TEXTS, [*filter(None, TEXTS)], ["plain", None, "NULL"], ["a,b", None, "\n"]])
def test_texts_of_all_kinds_are_read_as_they_were_written(
    store: HandmadeStore, tablet: Path, texts: list[str | None]
) -> None:
    store.base("Account", 1, [{"Id": f"{n:02}", "Name": text} for n, text in enumerate(texts)]).publish()
    sync(store, tablet)
    assert received(store, tablet, "Account")[:-1] == [(f"{n:02}", text) for n, text in enumerate(texts)]


def test_texts_of_all_kinds_arrive_as_they_left(world: World) -> None:
    texts = [
        "plain", 'say "hi"', '"', '""', '","', "a,b", ",", "two\nlines", "\n", "windows\r\nline", "old\rline",
        ' " ', '"\n"', '\n"', "\\.", "è 🚚", "tab\t", " spaces ", "NULL", '""\n""', '"a","b"', "x" * 200_000,
    ]  # fmt: skip
    world.erp(
        SalesAgent=agents("1"),
        Account=[{"Id": f"{n:02}", "ContactInfo": text, "SalesAgentId": "1"} for n, text in enumerate(texts)],
    )
    world.done()
    rows = world.received("1", "SELECT Id, ContactInfo FROM Account ORDER BY Id")
    assert rows == [(f"{n:02}", text) for n, text in enumerate(texts)]


def test_values_have_the_types_of_their_fields(world: World) -> None:
    world.erp(
        SalesAgent=agents("1"),
        Account=[
            {"Id": "007", "SalesAgentId": "1", "Discount1": "10.25", "FreeBoolean1": 1, "AccountTypeId": 1,
             "Name": "42", "ProcurementLeadTime": "7", "PriceListsReferenceDate": "2026-01-31"},
        ],
    )  # fmt: skip
    world.done()
    columns = "Id, Discount1, FreeBoolean1, AccountTypeId, Name, ProcurementLeadTime, PriceListsReferenceDate"
    assert world.received("1", f"SELECT {columns} FROM Account") == [("007", 10.25, 1, 1, "42", 7, "2026-01-31")]


# Characters that CSV, zstandard's blocks or a terminal might trip over, and any others that PostgreSQL takes.
_TEXT = st.text(
    st.one_of(st.sampled_from("\",\n\r\\. \t;'0"), st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
)
_ROWS = st.lists(st.tuples(st.uuids().map(str), *[st.none() | _TEXT] * 3), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_ROWS)
def test_whatever_postgresql_writes_as_csv_is_read_back_exactly(database: Database, rows: list[tuple[Any, ...]]) -> None:
    values = sql.SQL(", ").join(sql.SQL("({}, {}::text, {}::text, {}::text)").format(*map(sql.Literal, row)) for row in rows)
    statement = sql.SQL("COPY (SELECT * FROM (VALUES {}) AS v) TO STDOUT (FORMAT csv)").format(values)
    with database.connect() as connection, connection.cursor().copy(statement) as copy:
        data = b"".join(bytes(block) for block in copy)
    header, *read = read_rows(zstandard.compress(b"a,b,c,d\n" + data))
    assert header == ["a", "b", "c", "d"]
    assert [tuple(row) for row in read] == rows
