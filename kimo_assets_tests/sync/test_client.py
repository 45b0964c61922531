"""The reference client: what a sync brings, and only that."""

from pathlib import Path

from kimo_assets.sync.client.client import SyncReport
from kimo_assets_tests.sync.client_support import A, B, C, query, received, refused, sync
from kimo_assets_tests.sync.store_builder import StoreBuilder


def test_the_first_sync_brings_everything(store: StoreBuilder, tablet: Path) -> None:
    result = sync(store, tablet)
    assert (
        received(store, tablet, "Account")
        == store.rows("Account")
        == [("A", "name A"), ("B", "name B"), ("C", "name C")]
    )
    assert received(store, tablet, "Zone") == [("N", "old")]
    files = [store.folder / "store.json", store.folder / "agents/1.json.zst", *store.objects()]
    assert result == SyncReport(
        agent="1",
        user=None,
        load=1,
        entities=2,
        entities_changed=2,
        rows=4,
        objects_downloaded=3,
        bytes_downloaded=sum(file.stat().st_size for file in files),
        rows_put=4,
        rows_removed=0,
        bases=3,
        changes=0,
    )


def test_a_sync_without_news_fetches_two_small_files_and_leaves_the_file_alone(
    store: StoreBuilder, tablet: Path
) -> None:
    sync(store, tablet)
    before = tablet.read_bytes(), tablet.stat().st_mtime_ns
    for object_file in store.objects():
        object_file.unlink()
    again = sync(store, tablet)
    assert (again.entities_changed, again.objects_downloaded, again.rows_put, again.rows) == (
        0,
        0,
        0,
        4,
    )
    assert (tablet.read_bytes(), tablet.stat().st_mtime_ns) == before


def test_a_later_sync_brings_the_changes_only(store: StoreBuilder, tablet: Path) -> None:
    sync(store, tablet)
    for object_file in store.objects():
        object_file.unlink()
    store.change("Account", 1, put=[A | {"Name": "new"}], removed=["B"]).publish()
    result = sync(store, tablet)
    assert received(store, tablet, "Account") == [("A", "new"), ("C", "name C")]
    assert (result.entities_changed, result.objects_downloaded, result.changes, result.bases) == (
        1,
        1,
        1,
        0,
    )
    assert (result.rows_put, result.rows_removed, result.rows) == (1, 1, 3)


def test_a_client_that_was_away_too_long_starts_at_the_base(
    store: StoreBuilder, tablet: Path
) -> None:
    sync(store, tablet)
    store.change("Account", 1, put=[A | {"Name": "newer"}]).publish()
    store.change("Account", 1, removed=["B"]).rewrite("Account", 1, objects=2).forget(
        "Account", 1, 1
    ).publish()
    store.change("Account", 1, put=[B | {"Name": "again"}]).publish()
    result = sync(store, tablet)
    assert received(store, tablet, "Account") == [("A", "newer"), ("B", "again"), ("C", "name C")]
    assert (result.bases, result.changes) == (1, 1)


def test_a_row_that_was_in_another_bucket_meanwhile_is_there_still(
    store: StoreBuilder, tablet: Path
) -> None:
    """Bucket 1 has its old state again, so the client skips it. It must not lose the row."""
    sync(store, tablet)
    store.change("Account", 1, removed=["A"]).change("Account", 2, put=[A]).publish()
    store.change("Account", 1, put=[A]).change(
        "Account", 2, removed=["A"], put=[C | {"Name": "new"}]
    ).publish()
    sync(store, tablet)
    assert received(store, tablet, "Account") == store.rows("Account")


def test_a_client_that_has_a_state_of_long_ago_takes_the_last_way_from_it(
    store: StoreBuilder, tablet: Path
) -> None:
    sync(store, tablet)
    for name in ("x", "name A", "y"):
        store.change("Account", 1, put=[A | {"Name": name}]).publish()
    assert sync(store, tablet).changes == 1
    assert received(store, tablet, "Account") == store.rows("Account")


def test_a_bucket_that_is_not_listed_any_more_leaves_with_its_rows(
    store: StoreBuilder, tablet: Path
) -> None:
    sync(store, tablet)
    store.drop("Account", 2).publish()
    assert sync(store, tablet).rows_removed == 1
    assert received(store, tablet, "Account") == store.rows("Account")


def test_an_entity_that_is_no_longer_published_leaves_the_file(
    store: StoreBuilder, tablet: Path
) -> None:
    sync(store, tablet)
    del store.entities["Zone"]
    store.publish()
    assert sync(store, tablet).entities_changed == 1
    assert query(tablet, "SELECT name FROM sqlite_master WHERE name = 'Zone'") == []


def test_an_entity_without_rows_has_a_table(store: StoreBuilder, tablet: Path) -> None:
    store.entity("Contact", Name="text").base("Account", 9, []).publish()
    assert sync(store, tablet).entities_changed == 3
    assert received(store, tablet, "Contact") == []


def test_an_entity_of_other_columns_is_taken_from_its_bases(
    store: StoreBuilder, tablet: Path
) -> None:
    sync(store, tablet)
    store.entity("Account", Name="text", Phone="text")
    store.base("Account", 1, [A | {"Phone": ""}, B]).base("Account", 2, [C]).publish()
    sync(store, tablet)
    assert received(store, tablet, "Account") == [
        ("A", "name A", ""),
        ("B", "name B", None),
        ("C", "name C", None),
    ]


def test_private_columns_complete_the_rows_of_which_the_agent_may_know_them(
    store: StoreBuilder, tablet: Path
) -> None:
    private = [{"Id": "A", "Phone": "1"}]
    store.entity("SalesAgent", private=["Phone"], Name="text", Phone="text")
    store.base("SalesAgent", 4, [A, B]).base("SalesAgent", 5, private, private=True).publish()
    sync(store, tablet)
    assert received(store, tablet, "SalesAgent") == [("A", "name A", "1"), ("B", "name B", None)]

    store.change("SalesAgent", 5, put=[{"Id": "A", "Phone": "2"}], private=True).publish()
    assert sync(store, tablet).entities_changed == 1
    assert received(store, tablet, "SalesAgent") == [("A", "name A", "2"), ("B", "name B", None)]

    store.change("SalesAgent", 4, put=[A | {"Name": "new"}]).drop(
        "SalesAgent", 5, private=True
    ).publish()
    sync(store, tablet)
    assert received(store, tablet, "SalesAgent") == [("A", "new", None), ("B", "name B", None)]


def test_settings_are_tables_too_and_are_replaced_whole(store: StoreBuilder, tablet: Path) -> None:
    columns = {"Role": "text", "Key": "text", "Value": "text"}
    rows = [{"Role": None, "Key": "k", "Value": "1"}, {"Role": "r", "Key": "k", "Value": ""}]
    store.setting("Account", ["Role", "Key"], columns, rows).publish()
    assert sync(store, tablet).rows_put == 6
    assert query(tablet, "SELECT * FROM settings_Account ORDER BY 3") == [
        ("r", "k", ""),
        (None, "k", "1"),
    ]

    store.setting("Account", ["Role", "Key"], columns, rows[1:]).publish()
    result = sync(store, tablet)
    assert (result.objects_downloaded, result.entities_changed) == (1, 0)
    assert query(tablet, "SELECT * FROM settings_Account") == [("r", "k", "")]
    assert sync(store, tablet).objects_downloaded == 0

    (store.folder / "settings.json").unlink()
    sync(store, tablet)
    assert query(tablet, "SELECT name FROM sqlite_master WHERE name LIKE 'settings%'") == []


def test_a_user_gets_the_users_manifest(store: StoreBuilder, tablet: Path) -> None:
    store.drop("Account", 2).publish("1", user="m.rossi")
    assert sync(store, tablet, user="m.rossi").rows == 3
    assert (store.folder / "users/m%2Erossi.json.zst").exists()
    assert (
        "holds the data of user 'm.rossi' of agent '1'. Give agent '1' a file of its own"
        in refused(store, tablet)
    )
    assert "holds no payload for user 'nobody'" in refused(store, tablet, user="nobody")
    assert "the manifest of user 'm.rossi' belongs to agent '1'" in refused(
        store, tablet, "2", user="m.rossi"
    )


def test_progress_is_told_in_bytes(store: StoreBuilder, tablet: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    sync(store, tablet, on_progress=lambda *call: calls.append(call))
    total = sum(file.stat().st_size for file in store.objects())
    assert [call for call, _, _ in calls] == ["fetch"] * 3 + ["write"] * 3
    assert calls[2] == ("fetch", total, total)
    assert calls[5] == ("write", total, total)
