"""What the next sync of a tablet brings: by a file's states, or since a load."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kimo_assets.errors import ConfigError
from kimo_assets.sync.client.client import sync_agent
from kimo_assets.sync.inspection.sync_preview import (
    Difference,
    States,
    Tablet,
    before_last,
    difference,
    fetches_for,
    fetches_since,
    publications,
    read_tablet,
)
from kimo_assets.sync.store.store import Store
from kimo_assets.sync.store.stored_manifests import Manifest, find_manifest
from kimo_assets_tests.support.company import World, agents, ids
from kimo_assets_tests.sync.stores import HandStore, state

COLUMNS = {"Id": "text", "Name": "text"}


@pytest.fixture
def hand(tmp_path: Path) -> HandStore:
    return HandStore(tmp_path / "store")


@pytest.fixture
def changed(hand: HandStore) -> Manifest:
    """Bucket 1: load 2 put C3, load 4 removed C1 and changed C2. The base is of load 3."""
    first = hand.change(2, "C1 C2", "C1 C2 C3", put="C3")
    second = hand.change(4, "C1 C2 C3", "C2=Bar C3", put="C2=Bar", removed="C1")
    return hand.write(
        "A1", 4, Account=[hand.bucket(hand.base(3, "C1", "C2", "C3"), first, second, rows=2)]
    )


def since(
    hand: HandStore, manifest: Manifest, load: int, *published: int, keys: int = 9
) -> Difference:
    return difference(hand.store, manifest, fetches_since(manifest, load, published), keys=keys)


def for_states(hand: HandStore, manifest: Manifest, states: States, keys: int = 9) -> Difference:
    tablet = Tablet(None, states, {name[:2]: ["Id", COLUMNS, list(COLUMNS)] for name in states})
    return difference(hand.store, manifest, fetches_for(manifest, tablet), tablet=tablet, keys=keys)


def test_a_tablet_that_is_up_to_date_gets_nothing(hand: HandStore, changed: Manifest) -> None:
    assert since(hand, changed, 4).entities == []
    assert since(hand, changed, 7).entities == []
    assert (
        for_states(hand, changed, {("Account", False, 1): state(["C2=Bar", "C3"])}).entities == []
    )


@pytest.mark.parametrize("load", [2, 3])
def test_a_tablet_that_is_one_change_behind_gets_that_change(
    hand: HandStore, changed: Manifest, load: int
) -> None:
    (account,) = since(hand, changed, load).entities
    assert (account.put_keys, account.removed_keys) == (["C2"], ["C1"])
    assert (account.by_changes, account.by_base, account.objects) == (1, 0, 1)
    assert account.bytes == changed["entities"]["Account"]["buckets"][0]["changes"][1]["bytes"]
    assert for_states(
        hand, changed, {("Account", False, 1): state(["C1", "C2", "C3"])}
    ).entities == [account]


def test_a_change_from_before_the_base_serves_a_tablet_that_is_behind(
    hand: HandStore, changed: Manifest
) -> None:
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


def test_a_bucket_that_was_made_since_comes_whole_though_it_has_changed_already(
    hand: HandStore,
) -> None:
    change = hand.change(4, "C1", "C1 C2", put="C2")
    manifest = hand.write("A1", 4, Account=[hand.bucket(hand.base(3, "C1"), change, rows=2)])
    (account,) = since(hand, manifest, 2).entities
    assert (account.by_base, account.put) == (1, 2)


def test_a_tablet_that_never_synced_gets_all_bases_and_no_object_is_read_for_it(
    hand: HandStore, changed: Manifest
) -> None:
    for file in (hand.folder / "objects").rglob("*.zst"):
        file.unlink()
    for preview in (since(hand, changed, 0, keys=0), for_states(hand, changed, {}, keys=0)):
        (account,) = preview.entities
        assert (account.put, account.removed, account.objects, account.reasons) == (
            2,
            0,
            2,
            ["first sync"],
        )


def test_what_a_first_sync_puts_and_takes_away_again_was_never_there(
    hand: HandStore, changed: Manifest
) -> None:
    (account,) = for_states(hand, changed, {}).entities
    assert (account.put_keys, account.removed_keys) == (["C2", "C3"], [])


def test_a_state_from_which_no_change_leads_is_too_far_behind(
    hand: HandStore, changed: Manifest
) -> None:
    (account,) = for_states(hand, changed, {("Account", False, 1): "of long ago"}).entities
    assert account.by_base == 1
    assert account.reasons == ["the tablet is too far behind: changes are listed from load 2 on"]


def test_a_row_that_moves_from_one_bucket_to_another_is_put_not_removed(hand: HandStore) -> None:
    loses = hand.bucket(
        hand.base(1, "C1", "C2"), hand.change(2, "C1 C2", "C2", removed="C1"), rows=1
    )
    gets = hand.bucket(hand.base(1, "C3"), hand.change(2, "C3", "C1 C3", put="C1"), rows=2)
    for order in ([loses, gets], [gets, loses]):
        (account,) = since(hand, hand.write("A1", 2, Account=order), 1).entities
        assert (account.put_keys, account.removed_keys) == (["C1"], [])


@pytest.mark.parametrize("keys", [0, 9])
def test_a_row_that_moves_into_a_bucket_that_comes_whole_is_put_not_removed(
    hand: HandStore, keys: int
) -> None:
    loses = hand.bucket(
        hand.base(1, "C1", "C2"), hand.change(2, "C1 C2", "C2", removed="C1"), rows=1
    )
    new = hand.bucket(hand.base(2, "C1", "C3"))
    (account,) = since(hand, hand.write("A1", 2, Account=[loses, new]), 1, keys=keys).entities
    assert (account.put, account.removed, account.by_changes, account.by_base) == (2, 0, 1, 1)


def test_a_bucket_that_is_no_longer_the_agents_is_told(hand: HandStore, changed: Manifest) -> None:
    states = {
        ("Account", False, 1): state(["C2=Bar", "C3"]),
        ("Account", False, 99): "s",
        ("Zone", False, 7): "s",
    }
    preview = for_states(hand, changed, states)
    assert [(entity.entity, entity.dropped, entity.bytes) for entity in preview.entities] == [
        ("Account", 1, 0),
        ("Zone", 1, 0),
    ]


def test_private_columns_are_an_entry_of_their_own(hand: HandStore) -> None:
    private = hand.bucket(hand.base(1, "A1"), hand.change(2, "A1", "A1=4", put="A1=4"))
    manifest = hand.write(
        "A1", 2, SalesAgent=[hand.bucket(hand.base(1, "A1", "A2"))], private=[private]
    )
    (agents,) = since(hand, manifest, 1).entities
    assert (agents.entity, agents.is_private, agents.put_keys) == ("SalesAgent", True, ["A1"])


def test_only_so_many_keys_are_named_and_all_are_counted(hand: HandStore) -> None:
    rows = [f"C{n}" for n in range(30)]
    manifest = hand.write("A1", 1, Account=[hand.bucket(hand.base(1, *rows))])
    (account,) = since(hand, manifest, 0, keys=3).entities
    assert (account.put_keys, account.put) == (["C0", "C1", "C10"], 30)


def test_the_publication_before_the_last_one_is_the_last_below_the_manifests(
    hand: HandStore, changed: Manifest
) -> None:
    assert before_last(changed, [1, 2, 3, 4, 5]) == 3
    assert before_last(changed, [4, 5]) == 0


# --- the reference client's file
# ---------------------------------------------------------------------------------


@dataclass
class Synced:
    """A file of the reference client beside the store."""

    hand: HandStore
    file: Path

    def sync(self) -> Any:
        return sync_agent(str(self.hand.folder), "A1", self.file)

    def foretold(self, keys: int = 9) -> Difference:
        manifest = self.hand.manifests["agents/A1.json.zst"]
        tablet = read_tablet(self.file, manifest)
        return difference(
            self.hand.store, manifest, fetches_for(manifest, tablet), tablet=tablet, keys=keys
        )


@pytest.fixture
def synced(hand: HandStore, tmp_path: Path) -> Synced:
    """A tablet that has C1 to C4 in two buckets, and the zone Z."""
    first, second = hand.bucket(hand.base(1, "C1", "C2")), hand.bucket(hand.base(1, "C3", "C4"))
    hand.write("A1", 1, Account=[first, second], Zone=[hand.bucket(hand.base(1, "Z"))])
    made = Synced(hand, tmp_path / "tablet.sqlite")
    made.sync()
    return made


def accounts(preview: Difference) -> tuple[list[str], list[str]]:
    (account,) = (entity for entity in preview.entities if entity.entity == "Account")
    return account.put_keys, account.removed_keys


def test_a_file_after_its_sync_gets_nothing(synced: Synced) -> None:
    assert synced.foretold().entities == []


@pytest.mark.parametrize("keys", [0, 9])
def test_of_a_file_it_is_known_what_it_loses_with_a_bucket_a_base_and_an_entity(
    synced: Synced, keys: int
) -> None:
    hand = synced.hand
    moved = hand.change(2, "C1 C2", "C1 C2 C3", put="C3")
    changed = hand.bucket(hand.base(1, "C1", "C2"), moved, rows=3, number=1)
    hand.write("A1", 2, Account=[changed, hand.bucket(hand.base(2, "C5", "C6"))])
    preview = synced.foretold(keys)
    account, zone = sorted(preview.entities, key=lambda entity: entity.entity)
    assert (account.put, account.removed, account.by_changes, account.by_base, account.dropped) == (
        3,
        1,
        1,
        1,
        1,
    )
    assert (zone.put, zone.removed, zone.dropped) == (0, 1, 1)
    if keys:
        assert accounts(preview) == (["C3", "C5", "C6"], ["C4"])
    assert synced.sync().objects_downloaded == preview.objects
    assert synced.foretold().entities == []


def test_a_base_in_place_of_a_state_too_far_behind_takes_away_what_it_lacks(synced: Synced) -> None:
    hand = synced.hand
    second = hand.bucket(hand.base(1, "C3", "C4"), number=2)
    hand.write("A1", 5, Account=[hand.bucket(hand.base(5, "C2", "C7"), number=1), second], Zone=[])
    assert accounts(synced.foretold()) == (["C2", "C7"], ["C1"])


def test_other_columns_are_seen_in_the_file(synced: Synced) -> None:
    manifest = synced.hand.manifests["agents/A1.json.zst"]
    manifest["entities"]["Account"]["columns"]["Name"] = "int"
    (account,) = synced.foretold().entities
    assert account.reasons == ["other columns than at the last sync"]
    assert (account.put, account.removed) == (4, 0)


def test_private_columns_have_a_table_of_their_own_in_the_file(
    hand: HandStore, tmp_path: Path
) -> None:
    synced = Synced(hand, tmp_path / "tablet.sqlite")
    public = hand.bucket(hand.base(1, "A1", "A2"))
    private = {
        "id": 7,
        "state": "s",
        "rows": 1,
        "changes": [],
        "base": {"load": 1, "state": "s", "objects": [hand.object("Id,Phone\nA1,12\n")]},
    }
    hand.write("A1", 1, SalesAgent=[public], private=[private])
    assert sorted((entity.is_private, entity.put) for entity in synced.foretold().entities) == [
        (False, 2),
        (True, 1),
    ]
    synced.sync()
    assert synced.foretold().entities == []


def test_a_file_that_is_not_there_is_a_first_sync_and_is_not_made(synced: Synced) -> None:
    synced.file.unlink()
    preview = synced.foretold()
    assert {reason for entity in preview.entities for reason in entity.reasons} == {"first sync"}
    assert not synced.file.exists()


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be looked at as if it were one" * 9, b""]
)
def test_a_file_that_is_not_the_clients_is_refused(synced: Synced, content: bytes) -> None:
    synced.file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"--to: .*tablet\.sqlite is no file of `kimo agent`"):
        synced.foretold()


def test_another_agents_file_is_refused(synced: Synced) -> None:
    manifest = synced.hand.write("A2", 1, Account=[])
    with pytest.raises(
        ConfigError, match=r"tablet\.sqlite holds other data: of agent 'A1', user None"
    ):
        read_tablet(synced.file, manifest)


# --- after loads
# --------------------------------------------------------------------------------------------------


def test_what_is_foretold_after_a_load_is_what_the_sync_then_does(world: World) -> None:
    names = {f"C{n}": f"Bar {n * 7}" for n in range(200)}
    owners = {key: "A1" if n % 3 else "A2" for n, key in enumerate(names)}
    world.erp(SalesAgent=agents("A1", "A2"), Zone=ids("Z1", "Z2"))
    for change in range(4):
        owners |= {f"C{change * 3 + 1}": "A2", f"C{change * 3}": "A1"}
        names[f"C{100 + change}"] = "another"
        del names[f"C{20 + change}"]
        world.erp(
            Account=[
                {"Id": key, "Name": name, "SalesAgentId": owners[key]}
                for key, name in names.items()
            ]
        )
        world.done()
        for agent in ("A1", "A2"):
            before = {key for (key,) in held(world, agent)}
            preview = foretold(world, agent)
            done = sync_agent(world.config.sync_store, agent, world.client_file(agent))
            after = {key for (key,) in held(world, agent)}
            (account,) = (entity for entity in preview.entities if entity.entity == "Account")
            assert (preview.objects, preview.load) == (done.objects_downloaded, done.load)
            assert set(account.removed_keys) == before - after
            assert after - before <= set(account.put_keys) <= after
            assert foretold(world, agent).entities == []


def held(world: World, agent: str) -> list[tuple[str]]:
    file = world.client_file(agent)
    if not file.exists():
        return []
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT Id FROM Account").fetchall()


def foretold(world: World, agent: str) -> Difference:
    store = Store(world.config.sync_store)
    _, manifest = find_manifest(store, agent)
    tablet = read_tablet(world.client_file(agent), manifest)
    return difference(store, manifest, fetches_for(manifest, tablet), tablet=tablet, keys=1_000)


def test_since_the_publication_before_is_what_a_synced_tablet_gets(world: World) -> None:
    rows = [{"Id": f"C{n}", "Name": f"Bar {n * 7}", "SalesAgentId": "A1"} for n in range(200)]
    world.erp(SalesAgent=agents("A1"), Account=rows)
    world.done()
    sync_agent(world.config.sync_store, "A1", world.client_file("A1"))
    rows[7]["Name"] = "another"
    world.erp(Account=rows[:-1])
    world.done()
    world.done()
    store = Store(world.config.sync_store)
    _, manifest = find_manifest(store, "A1")
    with world.database.connect() as connection:
        published = publications(connection)
    assert published == [1, 2, 3]
    since = before_last(manifest, published)
    preview = difference(store, manifest, fetches_since(manifest, since, published), keys=1_000)
    assert since == 1
    assert preview.entities == foretold(world, "A1").entities
    assert [(entity.put_keys, entity.removed_keys) for entity in preview.entities] == [
        (["C7"], ["C199"])
    ]
