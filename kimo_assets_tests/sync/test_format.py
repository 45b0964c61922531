"""The format of the sync store, read with nothing but json, zstandard and csv: what a stranger's client relies on."""

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import zstandard

from kimo_assets_tests.worlds import World, agents, ids, links


def text_of(store: Path, sha256: str) -> str:
    """An object's CSV."""
    data = (store / "objects" / sha256[:2] / f"{sha256}.csv.zst").read_bytes()
    assert hashlib.sha256(data).hexdigest() == sha256
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as raw:
        return raw.read().decode("utf-8")


def manifest_of(store: Path, agent: str) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((store / "agents" / f"{agent}.json").read_text(encoding="utf-8"))
    return manifest


def rows_of(store: Path, agent: str, entity: str) -> dict[str, dict[str, str]]:
    """An agent's rows by Id; a later object's row prevails, column by column."""
    rows: dict[str, dict[str, str]] = {}
    for listed in manifest_of(store, agent)["entities"][entity]["objects"]:
        for row in csv.DictReader(io.StringIO(text_of(store, listed["sha256"]), newline="")):
            rows[row["Id"]] = rows.get(row["Id"], {}) | row
    return rows


def test_a_manifest_and_its_objects_say_all_that_a_client_needs(world: World) -> None:
    world.erp(
        SalesAgent=[{"Id": "1", "Description": "One", "Phone": "p1"}, {"Id": "2", "Description": "Two", "Phone": "p2"}],
        Account=[
            {"Id": "A", "Name": 'Rossi, "da Mario"\nRoma', "Discount1": "10.50", "FreeBoolean1": 1, "AccountTypeId": 1,
             "ProcurementLeadTime": 3, "CreationDate": "2026-01-31 10:30:00", "PriceListsReferenceDate": "2026-01-31"},
            {"Id": "B", "Name": "è 🚚"},
        ],
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1", "B 2"),
    )  # fmt: skip
    load = world.done().load

    manifest = manifest_of(world.store, "1")
    assert {key: value for key, value in manifest.items() if key != "entities"} == {
        "format": "kimo-sync",
        "version": 1,
        "agent": "1",
        "load": load,
    }
    assert sorted(manifest["entities"]) == ["Account", "SalesAgent", "SalesAgentPerAccount"]
    account = manifest["entities"]["Account"]
    assert account["key"] == "Id"
    assert account["columns"] == {
        "Id": "text", "AccountTypeId": "enum", "CreationDate": "dt", "Discount1": "dec", "EntityStatus": "enum",
        "FreeBoolean1": "bool", "Name": "text", "PriceListsReferenceDate": "date", "ProcurementLeadTime": "int",
        "SyncReference": "text",
    }  # fmt: skip
    (listed,) = account["objects"]
    assert set(listed) == {"sha256", "rows", "bytes"}
    assert listed["rows"] == 1
    path = world.store / "objects" / listed["sha256"][:2] / f"{listed['sha256']}.csv.zst"
    assert listed["bytes"] == path.stat().st_size
    assert rows_of(world.store, "1", "Account")["A"] | {"Discount1": "10.50"} == {
        "Id": "A", "AccountTypeId": "1", "CreationDate": "2026-01-31 10:30:00", "Discount1": "10.50",
        "EntityStatus": "0", "FreeBoolean1": "1", "Name": 'Rossi, "da Mario"\nRoma',
        "PriceListsReferenceDate": "2026-01-31", "ProcurementLeadTime": "3", "SyncReference": "",
    }  # fmt: skip
    assert set(rows_of(world.store, "2", "Account")) == {"B"}


def test_partial_objects_name_their_columns(world: World) -> None:
    world.erp(SalesAgent=[{"Id": "1", "Phone": "p1"}, {"Id": "2", "Phone": "p2"}])
    world.done()
    public, own = manifest_of(world.store, "1")["entities"]["SalesAgent"]["objects"]
    assert public["columns"] == ["Id"]
    assert text_of(world.store, public["sha256"]) == "Id\n1\n2\n"
    assert "columns" not in own
    assert text_of(world.store, own["sha256"]) == "Id,Phone\n1,p1\n"
    assert rows_of(world.store, "1", "SalesAgent") == {"1": {"Id": "1", "Phone": "p1"}, "2": {"Id": "2"}}


def test_no_value_is_an_unquoted_empty_field_and_the_empty_string_a_quoted_one(world: World) -> None:
    world.erp(SalesAgent=agents("1"), Zone=[{"Id": "N", "Description": None, "SalesAgentId": "1"}])
    world.done(1, 2)
    world.execute("""UPDATE kimo."Zone" SET "SalesAgentId" = ''""")
    world.done(3)
    (listed,) = manifest_of(world.store, "1")["entities"]["Zone"]["objects"]
    assert text_of(world.store, listed["sha256"]) == 'Id,Description,SalesAgentId\nN,,""\n'
    assert world.received("1", "SELECT Description, SalesAgentId FROM Zone") == [(None, "")]


def test_rows_are_in_the_order_of_their_ids_so_that_equal_data_are_equal_objects(world: World) -> None:
    world.erp(SalesAgent=agents("1"), Zone=ids("b", "B", "a", "é", "_"))
    world.done()
    (listed,) = manifest_of(world.store, "1")["entities"]["Zone"]["objects"]
    assert text_of(world.store, listed["sha256"]) == "Id\nB\n_\na\nb\né\n"


def test_the_store_is_marked_and_holds_nothing_else(world: World) -> None:
    world.erp(SalesAgent=agents("1"), Zone=ids("N"))
    world.done()
    marker = json.loads((world.store / "store.json").read_text())
    assert (marker["format"], marker["version"], len(marker["id"])) == ("kimo-sync", 1, 32)
    assert {file.name for file in world.store.iterdir()} == {"store.json", "objects", "agents", "unfinished"}
    assert list((world.store / "unfinished").iterdir()) == []
