"""Publishing the settings: whole tables for all tablets, nothing secret, nothing twice."""

import csv
import hashlib
import io
import time
from typing import Any

import orjson
import pytest
import zstandard

from kimo_assets.catalog import load_console
from kimo_assets.database.rules import business_rules
from kimo_assets.errors import StoreError
from kimo_assets.pipeline.steps import open_run
from kimo_assets.reports import PublishedEntity
from kimo_assets.sync.publishing.settings import publish_settings, user_records
from kimo_assets.sync.store.store import Store
from kimo_assets_tests.support.company import World, ids, rules

SETTINGS = """
INSERT INTO kimo."BusinessRule" VALUES ('Sync\\Hours', '24'), ('Api\\GoogleMapKeys', '${K}'),
    ('Empty', ''), ('None', NULL);
INSERT INTO kimo."ServerSetting" VALUES ('MailServer\\Password', '${P}');
INSERT INTO kimo."Role" ("Id", "Name", "RoleTypeId", "CanSeeAccounts") VALUES
    ('R', 'Rô,le', 0, true), ('C', 'x', 0, false);
INSERT INTO kimo."User" ("Id", "UserName", "UserTypeId", "Email", "SalesAgentId", "WarehouseId",
    "Language")
    VALUES ('u', 'mrossi', 1, 'm@x.example', 'A1', 'W1', 'IT');
INSERT INTO kimo."User" ("Id", "UserName", "UserTypeId", "Archived") VALUES ('old', 'old', 0, true);
INSERT INTO kimo."UserRole" VALUES ('u', 'R'), ('u', 'C');
INSERT INTO kimo."ConsoleFreeLookup" VALUES ('Item', 1, '', 'A', 'Alta');
"""


@pytest.fixture
def company(world: World) -> World:
    world.erp(BusinessRuleFromErp=rules(Vat__Item="22"))
    world.done(1, 2)
    world.execute(SETTINGS)
    return world


def publish(world: World) -> list[PublishedEntity]:
    with open_run(world.config, world.database, title="settings") as run:
        return publish_settings(
            run.connection, Store(world.config.sync_store), load=run.load, zstd_level=3
        )


def settings_json(world: World) -> dict[str, Any]:
    return dict(orjson.loads((world.store / "settings.json").read_bytes()))


def text_of(world: World, entity: str) -> str:
    """What the objects of a table hold, verified as a client would."""
    (described,) = settings_json(world)["entities"][entity]["objects"]
    data = (
        world.store / "objects" / described["sha256"][:2] / f"{described['sha256']}.csv.zst"
    ).read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (
        described["sha256"],
        described["bytes"],
    )
    text = zstandard.ZstdDecompressor().decompressobj().decompress(data).decode()
    assert len(list(csv.reader(io.StringIO(text)))) == described["rows"] + 1
    return text


def test_settings_json_is_as_the_format_says(company: World) -> None:
    publish(company)
    document = settings_json(company)
    marker = orjson.loads((company.store / "store.json").read_bytes())
    assert (document["format"], document["version"], document["store"], document["load"]) == (
        "kimo-sync",
        2,
        marker["id"],
        2,
    )
    assert document["entities"]["Role"]["key"] == ["Id"]
    assert document["entities"]["Role"]["columns"]["CanSeeAccounts"] == "bool"
    assert document["entities"]["Role"]["columns"]["RoleTypeId"] == "enum"
    assert document["entities"]["ConsoleFreeLookup"]["key"] == [
        "Entity",
        "FieldIndex",
        "Context",
        "ValueId",
    ]
    assert document["entities"]["SaleType"]["objects"] == []
    assert set(document["entities"]) == {
        name for name, table in load_console().items() if table.is_published
    }


def test_objects_hold_whole_tables_with_no_value_and_empty_text_apart(company: World) -> None:
    publish(company)
    header, *rows = text_of(company, "Role").splitlines()
    assert header == ",".join(load_console()["Role"].fields)
    assert [row.partition(",0,")[0] for row in rows] == ["C,x", 'R,"Rô,le"']
    assert rows[1].startswith('R,"Rô,le",0,1,0,')
    assert (
        text_of(company, "ConsoleFreeLookup")
        == 'Entity,FieldIndex,Context,ValueId,Description\nItem,1,"",A,Alta\n'
    )


def test_business_rules_are_those_that_hold_without_the_secret_ones(company: World) -> None:
    company.execute("INSERT INTO kimo.\"BusinessRule\" VALUES ('vat\\item', '10')")
    publish(company)
    assert (
        text_of(company, "BusinessRule")
        == 'Key,Value\nEmpty,""\nNone,\nSync\\Hours,24\nVat\\Item,22\n'
    )


def test_nothing_secret_and_nothing_of_other_users_is_in_the_store(company: World) -> None:
    publish(company)
    everything = "".join(
        text_of(company, name)
        for name, entity in settings_json(company)["entities"].items()
        if entity["objects"]
    )
    for secret in ("${", "MailServer", "GoogleMapKeys", "m@x.example", "mrossi"):
        assert secret not in everything
    assert not {"User", "UserRole", "ServerSetting"} & set(settings_json(company)["entities"])


def test_unchanged_settings_write_nothing(company: World) -> None:
    publish(company)
    before = {file: file.stat().st_mtime_ns for file in company.store.rglob("*") if file.is_file()}
    reports = publish(company)
    assert {report.status for report in reports} == {"unchanged"}
    assert {
        file: file.stat().st_mtime_ns for file in company.store.rglob("*") if file.is_file()
    } == before
    assert settings_json(company)["load"] == 2


def test_a_change_writes_its_table_and_the_list_alone(company: World) -> None:
    publish(company)
    before = settings_json(company)
    company.execute('UPDATE kimo."Role" SET "Name" = \'new\' WHERE "Id" = \'C\'')
    assert [report.entity for report in publish(company) if report.objects_written] == ["Role"]
    after = settings_json(company)
    assert after["load"] == 3
    assert {
        name for name in after["entities"] if after["entities"][name] != before["entities"][name]
    } == {"Role"}


def test_what_is_listed_is_recorded_so_that_it_is_no_garbage(company: World) -> None:
    publish(company)
    company.execute('DELETE FROM kimo."Role"')
    publish(company)
    listed = {
        each["sha256"]
        for entity in settings_json(company)["entities"].values()
        for each in entity["objects"]
    }
    assert {
        sha256 for (sha256,) in company.rows("SELECT sha256 FROM ops.settings_object")
    } == listed


@pytest.mark.parametrize("damage", ["delete", "garble"])
def test_a_settings_json_that_is_gone_or_damaged_and_a_lost_object_are_written_again(
    company: World, damage: str
) -> None:
    publish(company)
    before = settings_json(company)["entities"]
    file = company.store / "settings.json"
    file.unlink() if damage == "delete" else file.write_bytes(b"{")
    next((company.store / "objects").rglob("*.zst")).unlink()
    publish(company)
    assert settings_json(company)["entities"] == before
    for name, entity in before.items():
        if entity["objects"]:
            assert text_of(company, name)


def test_a_store_that_cannot_be_written_is_one_sentence(company: World) -> None:
    company.store.parent.mkdir(parents=True, exist_ok=True)
    company.store.write_text("a file where the store should be")
    with pytest.raises(StoreError, match="cannot be written: NotADirectoryError"):
        publish(company)


def test_it_is_well_under_a_second_of_work(company: World) -> None:
    company.execute(
        "INSERT INTO kimo.\"DefaultValue\" SELECT 'Account', 'F' || n, repeat('x', 50) FROM"
        " generate_series(1, 5000) n"
    )
    publish(company)
    started = time.monotonic()
    publish(company)
    assert time.monotonic() - started < 1


# --- who a user is, and what counts
# -------------------------------------------------------------------------------


def test_a_users_record_is_what_the_console_knows_without_the_address(company: World) -> None:
    with company.database.connect() as connection:
        assert user_records(connection)["u"] == {
            "id": "u",
            "name": "mrossi",
            "user_name": "mrossi",
            "agent": "A1",
            "warehouse": "W1",
            "language": "IT",
            "layout": None,
            "numbers_registry": None,
            "roles": ["C", "R"],
        }
        assert not {"old", "nobody"} & user_records(connection).keys()


def test_the_consoles_rules_count_where_the_erp_sets_none(world: World) -> None:
    world.erp(BusinessRuleFromErp=[{"Key": "A\\B", "Value": "erp"}, {"Key": "C\\D", "Value": ""}])
    world.done(1, 2)
    world.execute(
        "INSERT INTO kimo.\"BusinessRule\" VALUES ('a\\b', 'console'), ('C\\D', 'console'),"
        " ('E\\F', 'console')"
    )
    with world.database.connect() as connection:
        assert business_rules(connection) == {"a\\b": "erp", "c\\d": "console", "e\\f": "console"}
    world.erp(BusinessRuleFromErp=[{"Key": "X", "Value": "1"}])
    world.done(1, 2, allow_shrink=True)
    with world.database.connect() as connection:
        assert business_rules(connection)["a\\b"] == "console"


def test_a_status_that_the_console_decodes_is_known_and_one_of_kimo_yaml_stays_known(
    world: World,
) -> None:
    world.settings = {"erp_statuses": {"Account1": {"A": "Attivo"}}}
    world.execute(
        "INSERT INTO kimo.\"ErpStatus\" VALUES ('Account1', 'B', 'Bloccato'), ('Account2', 'X',"
        " 'x')"
    )
    world.erp(
        Account=[
            {"Id": "1", "ErpStatusId1": "A"},
            {"Id": "2", "ErpStatusId1": "B"},
            {"Id": "3", "ErpStatusId1": "C"},
        ]
    )
    world.done(1, 2)
    assert world.rows(
        'SELECT "Id" FROM kimo."Account" WHERE _archived_load IS NULL ORDER BY 1'
    ) == [("1",), ("2",)]
    assert world.done(1, 2).steps[2].entities["Account"].status == "unchanged"
    world.execute("INSERT INTO kimo.\"ErpStatus\" VALUES ('Account1', 'C', 'Chiuso')")
    world.done(2)
    assert len(world.rows('SELECT "Id" FROM kimo."Account" WHERE _archived_load IS NULL')) == 3


def test_a_status_of_a_field_that_is_not_mapped_makes_no_work(world: World) -> None:
    world.erp(Account=ids("1"))
    world.done(1, 2)
    world.execute("INSERT INTO kimo.\"ErpStatus\" VALUES ('Account1', 'B', 'Bloccato')")
    assert world.done(1, 2).steps[2].entities["Account"].status == "unchanged"
