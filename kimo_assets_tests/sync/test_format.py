"""The format of the sync store, read with nothing but json, zstandard and csv."""

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import zstandard

from kimo_assets_tests.support.company import World, agents, ids, links


def text_of(store: Path, sha256: str) -> str:
    """An object's CSV."""
    data = (store / "objects" / sha256[:2] / f"{sha256}.csv.zst").read_bytes()
    assert hashlib.sha256(data).hexdigest() == sha256
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as raw:
        return raw.read().decode("utf-8")


def manifest_of(store: Path, agent: str) -> dict[str, Any]:
    data = (store / "agents" / f"{agent}.json.zst").read_bytes()
    manifest: dict[str, Any] = json.loads(zstandard.ZstdDecompressor().decompress(data))
    return manifest


def objects_in(entity: dict[str, Any]) -> list[tuple[str, bool]]:
    """(SHA-256, whether it is a change) of all objects that a new client needs, in order."""
    objects: list[tuple[str, bool]] = []
    for part in (entity, entity.get("private", {"buckets": []})):
        for bucket in part["buckets"]:
            objects += [(listed["sha256"], False) for listed in bucket["base"]["objects"]]
            later = [
                change for change in bucket["changes"] if change["load"] > bucket["base"]["load"]
            ]
            objects += [(change["sha256"], True) for change in later]
    return objects


def rows_of(store: Path, agent: str, entity: str) -> dict[str, dict[str, str]]:
    """An agent's rows by Id, for whom it is the first sync."""
    rows: dict[str, dict[str, str]] = {}
    for sha256, _ in objects_in(manifest_of(store, agent)["entities"][entity]):
        for row in csv.DictReader(io.StringIO(text_of(store, sha256), newline="")):
            if row.pop("_removed", "0") == "1":
                del rows[row["Id"]]
            else:
                rows[row["Id"]] = rows.get(row["Id"], {}) | row
    return rows


def test_a_manifest_and_its_objects_say_all_that_a_client_needs(world: World) -> None:
    world.erp(
        SalesAgent=[
            {"Id": "1", "Description": "One", "Phone": "p1"},
            {"Id": "2", "Description": "Two", "Phone": "p2"},
        ],
        Account=[
            {
                "Id": "A",
                "Name": 'Rossi, "da Mario"\nRoma',
                "Discount1": "10.50",
                "FreeBoolean1": 1,
                "AccountTypeId": 1,
                "ProcurementLeadTime": 3,
                "CreationDate": "2026-01-31 10:30:00",
                "PriceListsReferenceDate": "2026-01-31",
            },
            {"Id": "B", "Name": "è 🚚"},
        ],
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1", "B 2"),
    )
    load = world.done().load

    manifest = manifest_of(world.store, "1")
    assert {key: value for key, value in manifest.items() if key != "entities"} == {
        "format": "kimo-sync",
        "version": 2,
        "store": json.loads((world.store / "store.json").read_text())["id"],
        "agent": "1",
        "user": None,
        "load": load,
    }
    assert sorted(manifest["entities"]) == ["Account", "SalesAgent", "SalesAgentPerAccount"]
    account = manifest["entities"]["Account"]
    assert account["key"] == "Id"
    assert account["columns"] == {
        "Id": "text",
        "AccountTypeId": "enum",
        "CreationDate": "dt",
        "Discount1": "dec",
        "EntityStatus": "enum",
        "FreeBoolean1": "bool",
        "Name": "text",
        "PriceListsReferenceDate": "date",
        "ProcurementLeadTime": "int",
        "SyncReference": "text",
    }
    (bucket,) = account["buckets"]
    assert set(bucket) == {"id", "state", "rows", "base", "changes"}
    assert (bucket["rows"], bucket["base"]["load"], bucket["base"]["state"]) == (
        1,
        load,
        bucket["state"],
    )
    (listed,) = bucket["base"]["objects"]
    assert set(listed) == {"sha256", "rows", "bytes"}
    assert listed["rows"] == 1
    path = world.store / "objects" / listed["sha256"][:2] / f"{listed['sha256']}.csv.zst"
    assert listed["bytes"] == path.stat().st_size
    assert rows_of(world.store, "1", "Account")["A"] | {"Discount1": "10.50"} == {
        "Id": "A",
        "AccountTypeId": "1",
        "CreationDate": "2026-01-31 10:30:00",
        "Discount1": "10.50",
        "EntityStatus": "0",
        "FreeBoolean1": "1",
        "Name": 'Rossi, "da Mario"\nRoma',
        "PriceListsReferenceDate": "2026-01-31",
        "ProcurementLeadTime": "3",
        "SyncReference": "",
    }
    assert set(rows_of(world.store, "2", "Account")) == {"B"}


def test_what_only_oneself_may_know_of_an_agent_is_in_objects_of_its_own(world: World) -> None:
    world.erp(SalesAgent=[{"Id": "1", "Phone": "p1"}, {"Id": "2", "Phone": "p2"}])
    world.done()
    agents_ = manifest_of(world.store, "1")["entities"]["SalesAgent"]
    assert agents_["private"]["columns"] == ["Id", "Phone"]
    (public, _), (own, _) = objects_in(agents_)
    assert text_of(world.store, public) == "Id\n1\n2\n"
    assert text_of(world.store, own) == "Id,Phone\n1,p1\n"
    assert rows_of(world.store, "1", "SalesAgent") == {
        "1": {"Id": "1", "Phone": "p1"},
        "2": {"Id": "2"},
    }


def test_a_change_names_the_rows_that_are_gone_and_gives_the_others_whole(world: World) -> None:
    zones = [{"Id": f"{n:03}", "Description": f"zone {n}"} for n in range(100)]
    world.erp(SalesAgent=agents("1"), Zone=zones)
    first = world.done().load
    world.erp(
        Zone=[
            *zones[2:],
            {"Id": "new", "Description": "new"},
            {"Id": "001", "Description": "other"},
        ]
    )
    second = world.done().load
    (bucket,) = manifest_of(world.store, "1")["entities"]["Zone"]["buckets"]
    (change,) = bucket["changes"]
    assert (bucket["rows"], bucket["base"]["load"], change["load"]) == (100, first, second)
    assert (change["from"], change["state"]) == (bucket["base"]["state"], bucket["state"])
    text = text_of(world.store, change["sha256"])
    assert sorted(text.splitlines()) == sorted(
        ["_removed,Id,Description", "1,000,", "0,001,other", "0,new,new"]
    )
    assert len(rows_of(world.store, "1", "Zone")) == 100


def test_no_value_is_an_unquoted_empty_field_and_the_empty_string_a_quoted_one(
    world: World,
) -> None:
    world.erp(SalesAgent=agents("1"), Zone=[{"Id": "N", "Description": None, "SalesAgentId": "1"}])
    world.done(1, 2)
    world.execute("""UPDATE kimo."Zone" SET "SalesAgentId" = ''""")
    world.done(3)
    ((sha256, _),) = objects_in(manifest_of(world.store, "1")["entities"]["Zone"])
    assert text_of(world.store, sha256) == 'Id,Description,SalesAgentId\nN,,""\n'
    assert world.received("1", "SELECT Description, SalesAgentId FROM Zone") == [(None, "")]


def test_the_store_is_marked_and_holds_nothing_else(world: World) -> None:
    world.erp(SalesAgent=agents("1"), Zone=ids("N"))
    world.done()
    marker = json.loads((world.store / "store.json").read_text())
    assert (marker["format"], marker["version"], len(marker["id"])) == ("kimo-sync", 2, 32)
    assert {file.name for file in world.store.iterdir()} == {
        "store.json",
        "settings.json",
        "objects",
        "agents",
        "unfinished",
    }
    assert list((world.store / "unfinished").iterdir()) == []
