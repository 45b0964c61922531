"""What the next sync of a tablet brings: by a file's states, or since a load."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kimo_assets.errors import ConfigError
from kimo_assets.sync.client import sync_agent
from kimo_assets.sync.difference import (
    Difference,
    States,
    before_last,
    columns_of_file,
    difference,
    parts_for_states,
    parts_since,
    states_of_file,
)
from kimo_assets.sync.store import FORMAT_VERSION
from kimo_assets.sync.stored import Manifest
from kimo_assets_tests.sync.stores import HandStore, state

COLUMNS = {"Account": {"Id", "Name"}}


@pytest.fixture
def hand(tmp_path: Path) -> HandStore:
    return HandStore(tmp_path / "store")


@pytest.fixture
def changed(hand: HandStore) -> Manifest:
    """Bucket 1: load 2 put C3, load 4 removed C1 and changed C2. The base is of load 3."""
    first = hand.change(2, "C1 C2", "C1 C2 C3", put="C3")
    second = hand.change(4, "C1 C2 C3", "C2=Bar C3", put="C2=Bar", removed="C1")
    return hand.write("A1", 4, Account=[hand.bucket(hand.base(3, "C1", "C2", "C3"), first, second, rows=2)])


def since(hand: HandStore, manifest: Manifest, load: int, *published: int, keys: int = 9) -> Difference:
    return difference(hand.store, manifest, parts_since(manifest, load, published), keys=keys)


def for_states(hand: HandStore, manifest: Manifest, states: States, keys: int = 9) -> Difference:
    return difference(hand.store, manifest, parts_for_states(manifest, states, COLUMNS), states=states, keys=keys)


def test_a_tablet_that_is_up_to_date_gets_nothing(hand: HandStore, changed: Manifest) -> None:
    assert since(hand, changed, 4).entities == []
    assert since(hand, changed, 7).entities == []
    assert for_states(hand, changed, {("Account", False, 1): state(["C2=Bar", "C3"])}).entities == []


@pytest.mark.parametrize("load", [2, 3])
def test_a_tablet_that_is_one_change_behind_gets_that_change(hand: HandStore, changed: Manifest, load: int) -> None:
    (account,) = since(hand, changed, load).entities
    assert (account.put_keys, account.removed_keys) == (["C2"], ["C1"])
    assert (account.by_changes, account.by_base, account.objects) == (1, 0, 1)
    assert account.bytes == changed["entities"]["Account"]["buckets"][0]["changes"][1]["bytes"]
    assert for_states(hand, changed, {("Account", False, 1): state(["C1", "C2", "C3"])}).entities == [account]


def test_a_change_from_before_the_base_serves_a_tablet_that_is_behind(hand: HandStore, changed: Manifest) -> None:
    (account,) = since(hand, changed, 1, 1, 2, 4).entities
    assert (account.put_keys, account.removed_keys) == (["C2", "C3"], ["C1"])
    assert (account.by_changes, account.objects) == (1, 2)


def test_a_tablet_of_which_the_manifest_cannot_tell_gets_the_base(hand: HandStore) -> None:
    change = hand.change(4, "C1", "C1 C2", put="C2")
    manifest = hand.write("A1", 4, Account=[hand.bucket(hand.base(4, "C1", "C2"), change)])
    assert since(hand, manifest, 3, 1, 3, 4).entities[0].by_changes == 1
    (account,) = since(hand, manifest, 1, 1, 3, 4).entities
    assert (account.by_base, account.put, account.removed) == (1, 2, 0)
    assert account.reasons == ["new or written anew since, as small ones always are"]


def test_a_tablet_that_never_synced_gets_all_bases_and_no_object_is_read_for_it(hand: HandStore, changed: Manifest) -> None:
    for file in (hand.folder / "objects").rglob("*.zst"):
        file.unlink()
    for found in (since(hand, changed, 0, keys=0), for_states(hand, changed, {}, keys=0)):
        (account,) = found.entities
        assert (account.put, account.removed, account.objects, account.reasons) == (2, 0, 2, ["first sync"])


def test_what_a_first_sync_puts_and_takes_away_again_was_never_there(hand: HandStore, changed: Manifest) -> None:
    (account,) = for_states(hand, changed, {}).entities
    assert (account.put_keys, account.removed_keys) == (["C2", "C3"], [])


def test_a_state_from_which_no_change_leads_is_too_far_behind(hand: HandStore, changed: Manifest) -> None:
    (account,) = for_states(hand, changed, {("Account", False, 1): "of long ago"}).entities
    assert account.by_base == 1
    assert account.reasons == ["the tablet is too far behind: changes are listed from load 2 on"]


def test_other_columns_fetch_the_base_though_the_state_is_the_same(hand: HandStore, changed: Manifest) -> None:
    states = {("Account", False, 1): state(["C2=Bar", "C3"])}
    (part,) = parts_for_states(changed, states, {"Account": {"Id"}})
    assert part.why == "other columns than at the last sync"


def test_a_row_that_moves_from_one_bucket_to_another_is_put_not_removed(hand: HandStore) -> None:
    loses = hand.bucket(hand.base(1, "C1", "C2"), hand.change(2, "C1 C2", "C2", removed="C1"), rows=1)
    gets = hand.bucket(hand.base(1, "C3"), hand.change(2, "C3", "C1 C3", put="C1"), rows=2)
    for order in ([loses, gets], [gets, loses]):
        (account,) = since(hand, hand.write("A1", 2, Account=order), 1).entities
        assert (account.put_keys, account.removed_keys) == (["C1"], [])


@pytest.mark.parametrize("keys", [0, 9])
def test_a_row_that_moves_into_a_bucket_that_comes_whole_is_put_not_removed(hand: HandStore, keys: int) -> None:
    loses = hand.bucket(hand.base(1, "C1", "C2"), hand.change(2, "C1 C2", "C2", removed="C1"), rows=1)
    new = hand.bucket(hand.base(2, "C1", "C3"))
    (account,) = since(hand, hand.write("A1", 2, Account=[loses, new]), 1, keys=keys).entities
    assert (account.put, account.removed, account.by_changes, account.by_base) == (2, 0, 1, 1)


def test_a_bucket_that_is_no_longer_the_agents_is_told(hand: HandStore, changed: Manifest) -> None:
    states = {("Account", False, 1): state(["C2=Bar", "C3"]), ("Account", False, 99): "s", ("Zone", False, 7): "s"}
    found = for_states(hand, changed, states)
    assert [(one.entity, one.dropped, one.bytes) for one in found.entities] == [("Account", 1, 0), ("Zone", 1, 0)]


def test_private_columns_are_an_entry_of_their_own(hand: HandStore) -> None:
    private = hand.bucket(hand.base(1, "A1"), hand.change(2, "A1", "A1=4", put="A1=4"))
    manifest = hand.write("A1", 2, SalesAgent=[hand.bucket(hand.base(1, "A1", "A2"))], private=[private])
    (agents,) = since(hand, manifest, 1).entities
    assert (agents.entity, agents.is_private, agents.put_keys) == ("SalesAgent", True, ["A1"])


def test_only_so_many_keys_are_named_and_all_are_counted(hand: HandStore) -> None:
    rows = [f"C{n}" for n in range(30)]
    manifest = hand.write("A1", 1, Account=[hand.bucket(hand.base(1, *rows))])
    (account,) = since(hand, manifest, 0, keys=3).entities
    assert (account.put_keys, account.put) == (["C0", "C1", "C10"], 30)


def test_the_publication_before_the_last_one_is_the_last_below_the_manifests(hand: HandStore, changed: Manifest) -> None:
    assert before_last(changed, [1, 2, 3, 4, 5]) == 3
    assert before_last(changed, [4, 5]) == 0


# --- the reference client's file ---------------------------------------------------------------------------------


def test_a_file_that_is_not_there_has_no_states(tmp_path: Path) -> None:
    assert states_of_file(tmp_path / "none.sqlite") == {}
    assert columns_of_file(tmp_path / "none.sqlite") == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at as if it were one" * 9, b""])
def test_a_file_that_is_not_the_clients_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.sqlite"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"--to: .*other\.sqlite is no file of `kimo agent`"):
        states_of_file(file)


@pytest.mark.skipif(FORMAT_VERSION != 2, reason="the reference client reads another version")
def test_a_file_of_the_reference_client_is_up_to_date_until_something_changes(hand: HandStore, tmp_path: Path) -> None:
    file = tmp_path / "tablet.sqlite"
    base = hand.base(1, "C1", "C2")
    bucket = hand.bucket(base)
    manifest = hand.write("A1", 1, Account=[bucket])
    sync_agent(str(hand.folder), "A1", file)
    assert parts_for_states(manifest, states_of_file(file), columns_of_file(file)) == []
    changed = hand.bucket(base, hand.change(2, "C1 C2", "C2", removed="C1"), rows=1, number=bucket["id"])
    manifest = hand.write("A1", 2, Account=[changed])
    states = states_of_file(file)
    parts = parts_for_states(manifest, states, columns_of_file(file))
    found = difference(hand.store, manifest, parts, states=states, keys=9)
    assert [(entity.entity, entity.put_keys, entity.removed_keys) for entity in found.entities] == [("Account", [], ["C1"])]


def test_the_states_of_a_file_are_read_from_its_table(tmp_path: Path) -> None:
    file = tmp_path / "tablet.sqlite"
    with closing(sqlite3.connect(file)) as made, made:
        made.execute("CREATE TABLE _kimo_sync (entity TEXT, is_private INTEGER, bucket INTEGER, state TEXT)")
        made.execute("INSERT INTO _kimo_sync VALUES ('Account', 0, 1, 'a'), ('SalesAgent', 1, 2, 'b')")
        made.execute("CREATE TABLE Account (Id TEXT, Name TEXT, _bucket INTEGER)")
    assert states_of_file(file) == {("Account", False, 1): "a", ("SalesAgent", True, 2): "b"}
    assert columns_of_file(file) == {"Account": {"Id", "Name"}}
