"""A later preparation writes changes where much stays, and lists no foreign row anywhere."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from kimo_assets.catalog import load_catalog
from kimo_assets.diagnostics.explain_visibility import explain_visibility
from kimo_assets.errors import ConfigError
from kimo_assets.sync.client.client import SyncReport, sync_agent
from kimo_assets_tests.support.company import Row, World, agents, ids, links
from kimo_assets_tests.sync.test_format import manifest_of, text_of

ACCOUNTS = [f"C{n:03}" for n in range(300)]


def bucket_of(world: World, agent: str, entity: str) -> dict[str, Any]:
    """The only bucket in which the agent gets rows of the entity."""
    (bucket,) = manifest_of(world.store, agent)["entities"][entity]["buckets"]
    return dict(bucket)


def sync(world: World, agent: str) -> SyncReport:
    return sync_agent(world.config.sync_store, agent, world.client_file(agent))


def listed_texts(world: World, agent: str, entity: str) -> list[str]:
    """All objects of the entity that the agent's manifest lists, old changes too."""
    listed = manifest_of(world.store, agent)["entities"][entity]["buckets"]
    hashes = [listed["sha256"] for bucket in listed for listed in bucket["base"]["objects"]]
    hashes += [change["sha256"] for bucket in listed for change in bucket["changes"]]
    return [text_of(world.store, sha256) for sha256 in hashes]


def company(world: World, of: str = "1", **tables: Sequence[Row]) -> None:
    """Agents 1 and 2, and 300 customers: all belong to agent `of`, the last one to agent 2."""
    world.erp(
        SalesAgent=agents("1", "2"),
        Account=[{"Id": key, "Name": f"name {key}"} for key in ACCOUNTS],
        SalesAgentPerAccount=[
            {"Id": f"L{key}", "AccountId": key, "SalesAgentId": "2" if key == ACCOUNTS[-1] else of}
            for key in ACCOUNTS
        ],
        **tables,
    )


def test_a_few_changed_rows_are_a_small_change_beside_the_base(world: World) -> None:
    company(world)
    world.done()
    base = bucket_of(world, "1", "Account")["base"]
    first = sync(world, "1")
    world.erp(
        Account=[{"Id": key, "Name": "new" if key == "C007" else f"name {key}"} for key in ACCOUNTS]
    )
    report = world.done().steps[3].entities["Account"].counts()
    assert (report["rows_put"], report["rows_removed"], report["objects_written"]) == (1, 0, 1)
    bucket = bucket_of(world, "1", "Account")
    assert bucket["base"] == base
    assert [change["rows"] for change in bucket["changes"]] == [1]
    second = sync(world, "1")
    assert (second.rows_put, second.objects_downloaded) == (1, 1)
    assert second.bytes_downloaded < first.bytes_downloaded


def test_many_changes_become_a_new_base_which_who_follows_need_not_fetch(world: World) -> None:
    company(world)
    world.done()
    sync(world, "1")
    base_load = bucket_of(world, "1", "Account")["base"]["load"]
    for turn in range(4):
        world.erp(
            Account=[
                {"Id": key, "Name": f"{turn}" if n % 4 == turn else f"name {key}"}
                for n, key in enumerate(ACCOUNTS)
            ]
        )
        world.done()
        result = sync(world, "1")
        assert (result.bases, result.changes) == (0, 1)
    assert bucket_of(world, "1", "Account")["base"]["load"] > base_load


def test_a_customer_that_moves_leaves_nothing_of_it_in_what_its_former_agent_may_fetch(
    world: World,
) -> None:
    company(world)
    world.done()
    world.erp(
        Account=[
            {"Id": key, "Name": "changed" if key == "C005" else f"name {key}"} for key in ACCOUNTS
        ]
    )
    world.done()
    assert any("changed" in text for text in listed_texts(world, "1", "Account"))
    sync(world, "1")
    world.erp(
        SalesAgentPerAccount=[
            {
                "Id": f"L{key}",
                "AccountId": key,
                "SalesAgentId": "2" if key in ("C005", ACCOUNTS[-1]) else "1",
            }
            for key in ACCOUNTS
        ]
    )
    world.done()
    texts = listed_texts(world, "1", "Account")
    assert not any("changed" in text or "name C005" in text for text in texts)
    follower = sync(world, "1")
    assert (follower.rows_put, follower.rows_removed) == (0, 2)  # the customer, and its link
    assert follower.objects_downloaded == 2
    assert "C005" in world.seen("Account")["2"].split()


def test_who_comes_later_is_shown_no_row_that_was_gone_by_then(world: World) -> None:
    zones = [{"Id": f"Z{n:03}", "Description": f"zone {n}"} for n in range(100)]
    world.erp(SalesAgent=agents("1"), Zone=zones)
    world.done()
    sync(world, "1")
    world.erp(Zone=zones[1:])
    world.done()
    assert any(
        "zone 0\n" in text for text in listed_texts(world, "1", "Zone")
    )  # it was agent 1's once
    world.erp(SalesAgent=agents("1", "2"))
    world.done()
    texts = listed_texts(world, "2", "Zone")
    assert len(texts) == 1
    assert not any("Z000" in text for text in texts)
    assert sync(world, "2").rows == 99 + 2
    assert sync(world, "1").bases == 1  # the agents themselves: they are few


def test_others_fetch_nothing_again_when_one_agent_is_restricted_to_a_trademark(
    world: World,
) -> None:
    items = [{"Id": f"I{n:03}", "TrademarkId": "T" if n % 3 else "U"} for n in range(300)]
    world.erp(
        SalesAgent=agents("1", "2", "3"),
        Item=items,
        TrademarkPerUser=links("TrademarkId", "SalesAgentId", "X 3"),
    )
    world.done()
    for agent in "123":
        sync(world, agent)
    world.erp(TrademarkPerUser=links("TrademarkId", "SalesAgentId", "X 3", "T 2"))
    world.done()
    assert {agent: len(ids.split()) for agent, ids in world.seen("Item").items()} == {
        "1": 300,
        "2": 200,
        "3": 0,
    }
    again = world.folder / "again.sqlite"
    assert sync_agent(world.config.sync_store, "1", again).rows > 300
    world.erp(Item=[*items[1:], {"Id": "new", "TrademarkId": "T"}])
    world.done()
    assert {agent: len(ids.split()) for agent, ids in world.seen("Item").items()} == {
        "1": 300,
        "2": 201,
        "3": 0,
    }


def test_an_entity_alone_is_published_and_the_others_stay_as_they_were(world: World) -> None:
    company(world, Contact=[{"Id": f"c{key}", "AccountId": key} for key in ACCOUNTS])
    world.done()
    before = manifest_of(world.store, "1")["entities"]
    world.erp(
        Account=[{"Id": key, "Name": "new"} for key in ACCOUNTS[:200]],
        Contact=[{"Id": f"c{key}", "AccountId": key} for key in ACCOUNTS[:100]],
    )
    world.done(1, 2, allow_shrink=True)
    world.done(3, entities=["Contact"], only_listed=True)
    after = manifest_of(world.store, "1")["entities"]
    assert {name for name in after if after[name] != before[name]} == {"Contact"}
    world.done(3)
    assert len(world.seen("Account")["1"].split()) == 200


def test_a_customer_that_moved_goes_on_with_what_belongs_to_it_when_that_is_published_later(
    world: World,
) -> None:
    company(world, Contact=[{"Id": f"c{key}", "AccountId": key} for key in ACCOUNTS])
    world.done()
    company(world, of="2")
    world.done(1, 2, allow_shrink=True)
    world.done(3, entities=["Account"], only_listed=True)
    assert world.seen("Account")["1"] == ""
    assert len(world.seen("Contact")["1"].split()) == 299
    world.done(3, entities=["Contact"], only_listed=True)
    assert world.seen("Contact")["1"] == ""
    assert len(world.seen("Contact")["2"].split()) == 300


# --- users
# --------------------------------------------------------------------------------------------------


def users(world: World, *rows: tuple[str, str, str | None]) -> None:
    """(user, agent, warehouse)"""
    values = ", ".join(
        f"('{user}', '{user}', '{agent}', {'NULL' if house is None else repr(house)}, 1)"
        for user, agent, house in rows
    )
    world.execute('DELETE FROM kimo."User"')
    world.execute(
        'INSERT INTO kimo."User" ("Id", "UserName", "SalesAgentId", "WarehouseId", "UserTypeId")'
        f" VALUES {values}"
    )


def stock(world: World, agent: str, user: str | None) -> list[str]:
    file = world.folder / f"{agent}-{user}.sqlite"
    sync_agent(world.config.sync_store, agent, file, user=user)
    with closing(sqlite3.connect(file)) as connection:
        return [
            key
            for (key,) in connection.execute("SELECT Id FROM ItemOfflineAvailability ORDER BY 1")
        ]


def test_users_of_one_agent_differ_by_their_warehouse_and_share_the_rest(world: World) -> None:
    world.erp(
        SalesAgent=agents("1", "2"),
        Item=ids("I"),
        Warehouse=ids("X", "Y", "Z"),
        WarehousePerSalesAgent=links("WarehouseId", "SalesAgentId", "X 1", "Y 1"),
        ItemOfflineAvailability=[
            {"Id": f"a{house}", "ItemId": "I", "WarehouseId": house} for house in "XYZ"
        ],
    )
    users(world, ("anna", "1", "Z"), ("bruno", "1", None), ("carla", "2", "X"))
    world.done()
    assert stock(world, "1", None) == stock(world, "1", "bruno") == ["aX", "aY"]
    assert stock(world, "1", "anna") == ["aZ"]
    assert stock(world, "2", "carla") == ["aX"]
    assert stock(world, "2", None) == ["aX", "aY", "aZ"]
    users(world, ("anna", "2", "Y"), ("carla", "2", "X"))
    world.done()
    assert [file.name for file in sorted((world.store / "users").iterdir())] == [
        "anna.json.zst",
        "carla.json.zst",
    ]
    assert stock(world, "2", "anna") == ["aY"]


def test_a_user_archived_or_of_another_kind_or_of_no_agent_gets_nothing(world: World) -> None:
    world.erp(SalesAgent=agents("1"), Zone=ids("N"))
    users(world, ("anna", "1", None), ("boss", "1", None), ("lost", "9", None))
    world.execute("""UPDATE kimo."User" SET "UserTypeId" = 0 WHERE "Id" = 'boss'""")
    world.done()
    assert [file.name for file in (world.store / "users").iterdir()] == ["anna.json.zst"]
    world.execute("""UPDATE kimo."User" SET "Archived" = true WHERE "Id" = 'anna'""")
    world.done()
    assert list((world.store / "users").iterdir()) == []


def test_why_goes_by_the_users_own_warehouse(world: World) -> None:
    world.erp(
        SalesAgent=agents("1"),
        Item=ids("I"),
        Warehouse=ids("X", "Z"),
        WarehousePerSalesAgent=links("WarehouseId", "SalesAgentId", "X 1"),
        ItemOfflineAvailability=[
            {"Id": f"a{house}", "ItemId": "I", "WarehouseId": house} for house in "XZ"
        ],
    )
    users(world, ("anna", "1", "Z"), ("bruno", "1", None))
    world.done()
    entity = load_catalog()["ItemOfflineAvailability"]

    def answer(key: str, user: str | None) -> tuple[bool | None, bool | None]:
        result = explain_visibility(world.config, world.database, "1", entity, key, user=user)
        return result.sees, result.published

    assert {
        (key, user): answer(key, user) for key in ("aX", "aZ") for user in (None, "bruno", "anna")
    } == {
        ("aX", None): (True, True),
        ("aX", "bruno"): (True, True),
        ("aX", "anna"): (False, False),
        ("aZ", None): (False, False),
        ("aZ", "bruno"): (False, False),
        ("aZ", "anna"): (True, True),
    }
    chain = explain_visibility(world.config, world.database, "1", entity, "aX", user="anna").chain
    assert "the user's own warehouse is Z, and no other counts" in str(chain)
    with pytest.raises(ConfigError, match=r"agent '1' has no user 'ana'\. Did you mean anna"):
        answer("aX", "ana")
