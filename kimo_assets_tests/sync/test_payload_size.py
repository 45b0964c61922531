"""The size of tablets' data: first syncs, usual days, and after past loads."""

import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from kimo_assets.database.server import Database
from kimo_assets.sync.inspection import payload_size as weights
from kimo_assets.sync.inspection.payload_size import (
    brought_by_load,
    record_weights,
    transfer_seconds,
    weigh,
    weights_after,
    weights_now,
)
from kimo_assets.sync.publishing.buckets import Bucket as RecordedBucket
from kimo_assets.sync.publishing.buckets import Change
from kimo_assets.sync.publishing.manifests import Manifests
from kimo_assets.sync.publishing.objects import ObjectRecord
from kimo_assets.sync.publishing.publication_ledger import Payload, PublicationLedger
from kimo_assets.sync.store.store import Store
from kimo_assets.sync.store.stored_manifests import AGENTS, USERS, Bucket, buckets, decode, paths
from kimo_assets.sync.visibility.profiles import EVERYONE, Profile, Profiles
from kimo_assets_tests.support.company import Row, World, ids
from kimo_assets_tests.sync.stores import HandStore

DAYS = {2: date(2026, 1, 2), 3: date(2026, 1, 2), 4: date(2026, 1, 3), 5: date(2026, 1, 4)}


@pytest.fixture
def hand(tmp_path: Path) -> HandStore:
    return HandStore(tmp_path / "store")


@pytest.fixture
def ledger(own_database: Database) -> Any:
    with own_database.connect() as connection:
        yield connection


def loads(connection: Connection, *days_ago: int) -> None:
    """A load for each, so many days ago."""
    for days in days_ago:
        connection.execute(
            "INSERT INTO ops.load (title, started_at) VALUES ('import', now() - %s * interval '1"
            " day')",
            [days],
        )


def test_a_first_sync_weighs_the_base_and_the_changes_above_it(hand: HandStore) -> None:
    base = hand.base(3, "C1", "C2", "C3")
    old = hand.change(2, "C1 C2", "C1 C2 C3", put="C3")
    new = hand.change(5, "C1 C2 C3", "C1 C2", removed="C3")
    weight = weigh(hand.write("A1", 5, Account=[hand.bucket(base, old, new, rows=2)]), 1_000)
    (account,) = weight.entities
    assert (account.rows, account.objects) == (2, 2)
    assert account.bytes == base["objects"][0]["bytes"] + new["bytes"]
    assert weight.bytes == account.bytes + 1_000


def test_private_columns_weigh_but_their_rows_are_the_entitys(hand: HandStore) -> None:
    public, private = hand.bucket(hand.base(1, "A1", "A2")), hand.bucket(hand.base(1, "A1"))
    (agents,) = weigh(hand.write("A1", 1, SalesAgent=[public], private=[private]), 0).entities
    assert (agents.rows, agents.objects) == (2, 2)
    assert agents.bytes == sum(
        bucket["base"]["objects"][0]["bytes"] for bucket in (public, private)
    )


def test_the_heaviest_entity_stands_first_and_one_without_rows_last(hand: HandStore) -> None:
    many = [f"I{n}=bottle{n}" for n in range(200)]
    account, items = hand.bucket(hand.base(1, "C1")), hand.bucket(hand.base(1, *many))
    weight = weigh(hand.write("A1", 1, Zone=[], Account=[account], Item=[items]), 0)
    assert [entity.entity for entity in weight.entities] == ["Item", "Account", "Zone"]
    assert weight.heaviest == "Item"
    assert weight.entities[2].bytes == 0


def test_who_gets_no_rows_at_all_has_no_heaviest_entity(hand: HandStore) -> None:
    assert weigh(hand.write("A1", 1, Zone=[]), 10).heaviest is None


def test_a_usual_day_is_the_median_of_the_days_with_loads_also_of_those_that_brought_nothing(
    hand: HandStore,
) -> None:
    changes = [
        hand.change(2, "C1", "C1 C2", put="C2"),
        hand.change(3, "C1 C2", "C1 C2 C3", put="C3=" + "x" * 50),
        hand.change(4, "C1 C2 C3", "C1 C2 C3 C4", put="C4"),
    ]
    manifest = hand.write("A1", 4, Account=[hand.bucket(hand.base(1, "C1"), *changes, rows=4)])
    (account,) = weigh(manifest, 0, DAYS).entities
    # 2 January brought the changes of two loads, the 3rd one, the 4th nothing.
    assert account.daily_bytes == changes[2]["bytes"]
    assert weigh(manifest, 0, {}).entities[0].daily_bytes is None


def test_a_base_to_which_no_change_leads_was_fetched_whole_by_all(hand: HandStore) -> None:
    fresh = hand.base(4, "C1", "C2")
    compacted = hand.bucket(fresh, hand.change(3, "C1", "C1 C2", put="C2"))
    assert brought_by_load(Bucket("Account", False, hand.bucket(fresh))) == {
        4: fresh["objects"][0]["bytes"]
    }
    assert 4 not in brought_by_load(Bucket("Account", False, compacted))


def test_seconds_are_the_bytes_at_the_speed_and_the_waiting_for_objects_four_at_a_time() -> None:
    assert transfer_seconds(2_500_000, 0, 20) == pytest.approx(1 + 2 * 0.05)
    assert transfer_seconds(0, 9, 20) == pytest.approx((2 + 3) * 0.05)
    assert transfer_seconds(2_500_000, 0, 10) == pytest.approx(2 + 2 * 0.05)


# --- the ledger
# --------------------------------------------------------------------------------------------------


def test_each_load_is_noted_with_what_it_brought(hand: HandStore, ledger: Connection) -> None:
    loads(ledger, 2, 1)
    shared = hand.bucket(hand.base(1, "C1", "C2"))
    base = sum(listed["bytes"] for listed in shared["base"]["objects"])
    hand.write("A1", 1, Account=[shared])
    hand.write("A2", 1, Account=[shared])
    record_weights(ledger, 1, hand.weights(1))
    change = hand.change(2, "C3", "C3 C4", put="C4")
    own = hand.bucket(hand.base(1, "C3"), change, rows=2)
    hand.write("A1", 2, Account=[shared, own])
    record_weights(ledger, 2, hand.weights(2))
    first, second = weights_after(ledger)
    assert (first.path, first.rows, first.changed_bytes) == (
        "agents/A1.json.zst",
        4,
        change["bytes"],
    )
    assert (second.path, second.rows, second.bytes, second.changed_bytes) == (
        "agents/A2.json.zst",
        2,
        base,
        0,
    )
    assert [weight.changed_bytes for weight in weights_after(ledger, 1)] == [base, base]
    assert weights.history(ledger, ["agents/A1.json.zst"], 10) == {
        "agents/A1.json.zst": [(1, base), (2, first.bytes)]
    }


def test_the_same_load_noted_again_replaces_what_was_noted(
    hand: HandStore, ledger: Connection
) -> None:
    loads(ledger, 0)
    hand.write("A1", 1, Account=[])
    record_weights(ledger, 1, hand.weights(1))
    record_weights(ledger, 1, hand.weights(1))
    assert len(weights_after(ledger)) == 1


def test_a_usual_day_leaves_out_each_manifests_first_load(
    hand: HandStore, ledger: Connection
) -> None:
    loads(ledger, 3, 2, 1)
    path = "agents/A1.json.zst"
    for load, changed in ((1, 9_000), (2, 100), (3, 300)):
        ledger.execute(
            "INSERT INTO ops.agent_weight VALUES (%s, %s, 1, 9000, %s)", [load, path, changed]
        )
    ledger.execute("INSERT INTO ops.agent_weight VALUES (3, 'agents/new.json', 1, 9000, 9000)")
    assert weights.daily_bytes(ledger, 30) == {path: 200}
    assert set(weights.days_of_loads(ledger, path, 30)) == {2, 3}
    assert set(weights.days_of_loads(ledger, path, 2)) == {3}


def test_loads_of_long_ago_are_forgotten(
    hand: HandStore, ledger: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "KEEP_LOADS", 2)
    loads(ledger, 3, 2, 1)
    hand.write("A1", 1, Account=[])
    for load in (1, 2, 3):
        record_weights(ledger, load, hand.weights(load))
    kept = ledger.execute("SELECT load FROM ops.agent_weight ORDER BY load").fetchall()
    assert kept == [(2,), (3,)]


# --- what step 3 notes
# -------------------------------------------------------------------------------------------


def customers(**names: str) -> list[Row]:
    """Three hundred customers of A1 and A2. names: for those with another name."""
    return [
        {"Id": f"C{n}", "Name": names.get(f"C{n}", f"Bar {n * 7}"), "SalesAgentId": f"A{n % 2 + 1}"}
        for n in range(300)
    ]


def test_step_3_notes_of_each_agent_and_user_what_their_manifest_says(world: World) -> None:
    world.execute(
        """INSERT INTO kimo."User" ("Id", "UserName", "SalesAgentId", "UserTypeId", "Archived")
        VALUES ('u1', 'u1', 'A1', 1, false)"""
    )
    world.erp(
        SalesAgent=[{"Id": code, "Email": f"{code}@x.it"} for code in ("A1", "A2", "A3")],
        Zone=ids(*(f"Z{n}" for n in range(100)), Description="zone"),
        Account=customers(),
    )
    world.done()
    assert noted(world) == said(world)
    recorded_paths = [path.removesuffix(".json.zst") for path, _ in noted(world)]
    assert recorded_paths == ["agents/A1", "agents/A2", "agents/A3", "users/u1"]
    world.erp(Account=customers(C2="another"))
    world.done()
    assert noted(world) == said(world)
    changed = {path: weight[2] for path, weight in noted(world)}
    assert 0 < changed["agents/A1.json.zst"] == changed["users/u1.json.zst"] < 1_000
    assert changed["agents/A3.json.zst"] == 0
    world.erp(
        SalesAgent=[{"Id": code, "Email": f"{code}@x.it"} for code in ("A1", "A2", "A3", "A4")]
    )
    world.done(1, 2)
    world.done(3, entities=["Zone"], only_listed=True)
    assert noted(world) == said(world)
    assert dict(noted(world))["agents/A4.json.zst"] > (0, 0, 0)


Noted = list[tuple[str, tuple[int, int, int]]]


def noted(world: World) -> Noted:
    with world.database.connect() as connection:
        return sorted(
            (weight.path, (weight.rows, weight.bytes, weight.changed_bytes))
            for weight in weights_after(connection)
        )


def said(world: World) -> Noted:
    """The same from the manifests in the store."""
    store = Store(world.config.sync_store)
    sizes = []
    for path in [*paths(store, AGENTS), *paths(store, USERS)]:
        manifest = decode(store, path, store.read_or_none(path) or b"")
        load = world.value("SELECT max(load) FROM ops.load")
        brought = sum(brought_by_load(bucket).get(load, 0) for bucket in buckets(manifest))
        weight = weigh(manifest, 0)
        sizes.append((path, (weight.rows, weight.bytes, brought)))
    return sorted(sizes)


def test_five_hundred_agents_are_noted_in_a_moment(ledger: Connection) -> None:
    loads(ledger, 0)
    profiles = Profiles(tuple(Profile(n, f"A{n}", None, 1) for n in range(500)))
    publication_ledger = PublicationLedger(ledger, 1)
    numbers = iter(range(100_000))
    listed = ObjectRecord("0" * 64, 10, 100)
    for entity in range(50):
        bucket_set = publication_ledger.bucket_set(f"E{entity}", private=False)
        publication_ledger.payloads[f"E{entity}"] = Payload("", {}, True)
        for mask in (EVERYONE, (1 << 300) - 1, *(profile.bit for profile in profiles.live)):
            changes = [Change(load, "", "", listed) for load in range(2, 6)]
            bucket_set.by_mask[mask] = RecordedBucket(
                next(numbers), mask, rows=10, base_load=1, base=[listed], changes=changes
            )
    started = time.process_time()
    record_weights(ledger, 5, weights_now(Manifests("", profiles, publication_ledger, {}), 5))
    assert time.process_time() - started < 0.3
    first = weights_after(ledger, 5)[0]
    assert (first.rows, first.bytes, first.changed_bytes) == (
        3 * 50 * 10,
        3 * 50 * 500,
        3 * 50 * 100,
    )
