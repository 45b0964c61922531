"""Publishing: shared once, only what changed, and a crash leaves the old version whole."""

import re
import shutil
from typing import Any

import pytest

from kimo_assets.sync.client.client import sync_agent
from kimo_assets_tests.support.company import World, agents, ids, links, run_and_kill
from kimo_assets_tests.sync.test_format import manifest_of, objects_in, rows_of, text_of


@pytest.fixture
def company(world: World) -> World:
    """Agents 1 and 2, accounts of each and of both, what belongs to these, and zones for all."""
    world.erp(
        SalesAgent=agents("1", "2"),
        Account=ids("A", "B", "AB"),
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1", "B 2", "AB 1", "AB 2"),
        Contact=[
            {"Id": f"c{key}", "AccountId": key, "Notes": f"notes {key}"} for key in ("A", "B", "AB")
        ],
        Zone=[{"Id": "N", "Description": "North"}],
    )
    world.done()
    return world


def files(world: World, folder: str) -> dict[str, int]:
    """The files of a folder of the store, with the time each was last written."""
    stored = (world.store / folder).rglob("*.*")
    return {str(file.relative_to(world.store)): file.stat().st_mtime_ns for file in stored}


def objects_of(world: World, agent: str, entity: str) -> list[str]:
    return [sha256 for sha256, _ in objects_in(manifest_of(world.store, agent)["entities"][entity])]


def written(world: World) -> dict[str, int]:
    """entity -> objects written, of those that wrote any, in a run of all steps."""
    report = world.done().steps[3]
    return {
        name: entity.counts()["objects_written"]
        for name, entity in report.entities.items()
        if entity.counts()["objects_written"]
    }


# --- shared once
# --------------------------------------------------------------------------------------------------


def test_rows_for_everyone_are_one_object_for_all_agents(company: World) -> None:
    assert objects_of(company, "1", "Zone") == objects_of(company, "2", "Zone")
    assert len(objects_of(company, "1", "Zone")) == 1


def test_many_rows_that_few_agents_share_are_one_object_in_each_of_their_manifests(
    company: World,
) -> None:
    many = [{"Id": f"m{n:04}", "AccountId": "AB"} for n in range(2500)]
    company.erp(
        SalesAgent=agents("1", "2", "3"),
        Contact=[*many, {"Id": "mine", "AccountId": "A"}, {"Id": "yours", "AccountId": "B"}],
    )
    company.done()
    mine, yours = (objects_of(company, agent, "Contact") for agent in "12")
    (shared,) = set(mine) & set(yours)
    assert text_of(company.store, shared).count("\n") == 2501
    assert len(rows_of(company.store, "1", "Contact")) == 2501
    assert "mine" in rows_of(company.store, "1", "Contact")
    assert "mine" not in rows_of(company.store, "2", "Contact")
    assert objects_of(company, "3", "Contact") == []


def test_equal_content_is_one_file_whatever_entity_it_is_of(company: World) -> None:
    company.erp(Carrier=ids("X", Description="same"), PaymentMethod=ids("X", Description="same"))
    company.done()
    assert objects_of(company, "1", "Carrier") == objects_of(company, "1", "PaymentMethod")


def test_an_agent_can_fetch_no_row_of_a_customer_it_does_not_see(company: World) -> None:
    manifest = manifest_of(company.store, "1")
    texts = [
        text_of(company.store, sha256)
        for e in manifest["entities"].values()
        for sha256, _ in objects_in(e)
    ]
    assert any("notes A\n" in text or "notes A," in text for text in texts)
    assert not any("notes B\n" in text or "notes B," in text for text in texts)


# --- incremental
# --------------------------------------------------------------------------------------------------


def test_an_unchanged_run_writes_nothing(company: World) -> None:
    before = files(company, ".")
    report = company.done().steps[3]
    assert {entity.status for entity in report.entities.values()} == {"unchanged"}
    assert {entity.counts()["objects_written"] for entity in report.entities.values()} == {0}
    assert files(company, ".") == before


def test_an_unchanged_run_still_reports_what_is_there(company: World) -> None:
    def figures() -> dict[str, tuple[Any, ...]]:
        keys = ("rows", "objects", "bytes", "agents")
        entities = company.done().steps[3].entities
        return {
            name: tuple(entity.counts()[key] for key in keys) for name, entity in entities.items()
        }

    first = figures()
    assert first == figures()
    assert first["Contact"][0] == 3
    assert first["Contact"][3] == 2


def test_a_changed_row_rewrites_only_the_objects_of_those_who_see_it(company: World) -> None:
    other = objects_of(company, "2", "Contact")
    contacts = [
        {"Id": f"c{key}", "AccountId": key, "Notes": f"notes {key}"} for key in ("A", "B", "AB")
    ]
    company.erp(Contact=[{**contacts[0], "Notes": "new"}, *contacts[1:]])
    assert written(company) == {"Contact": 1}
    assert objects_of(company, "2", "Contact") == other
    assert rows_of(company.store, "1", "Contact")["cA"]["Notes"] == "new"


def test_a_customer_that_changes_agent_takes_all_that_belongs_to_it_along(company: World) -> None:
    company.erp(
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 2", "B 2", "AB 1", "AB 2")
    )
    report = company.done()
    assert report.steps[2].entities["Contact"].status == "unchanged"
    assert {name for name, entity in report.steps[3].entities.items() if entity.status == "ok"} == {
        "Account",
        "Contact",
        "SalesAgentPerAccount",
    }
    assert company.seen("Account") == {"1": "AB", "2": "A AB B"}
    assert company.seen("Contact") == {"1": "cAB", "2": "cA cAB cB"}


def test_visibility_that_stays_the_same_republishes_nothing(company: World) -> None:
    company.erp(Account=[*ids("A", "B"), *ids("AB", Name="renamed")])
    assert set(written(company)) == {"Account"}


def test_archived_rows_leave_and_come_back(company: World) -> None:
    company.erp(Account=ids("A", "B"))
    company.done()
    assert company.seen("Account") == {"1": "A", "2": "B"}
    assert company.seen("Contact") == {"1": "cA", "2": "cB"}
    company.erp(Account=ids("A", "B", "AB"))
    company.done()
    assert company.seen("Contact") == {"1": "cA cAB", "2": "cAB cB"}


def test_a_business_rule_changes_what_is_seen_without_any_other_change(company: World) -> None:
    company.erp(
        ErpDocument=[
            *ids("dA", AccountId="A", SalesAgentId="2"),
            *ids("dB", AccountId="B", SalesAgentId="2"),
        ]
    )
    company.done()
    assert company.seen("ErpDocument") == {"1": "", "2": "dA dB"}
    company.erp(BusinessRuleFromErp=[{"Key": "ErpDocument\\FilterPerUser", "Value": "0"}])
    company.done()
    assert company.seen("ErpDocument") == {"1": "dA", "2": "dB"}


def test_a_column_that_is_no_longer_mapped_leaves_the_payload(company: World) -> None:
    company.erp(Zone=ids("N"))
    company.done()
    names = [name for _, name, *_ in company.received("1", "PRAGMA table_info(Zone)")]
    assert [name for name in names if not name.startswith("_")] == ["Id"]


# --- agents come and go
# -------------------------------------------------------------------------------------------


def test_the_manifest_of_an_agent_who_is_no_more_is_removed(company: World) -> None:
    company.erp(SalesAgent=agents("1"))
    company.done(allow_shrink=True)
    assert [file.name for file in (company.store / "agents").iterdir()] == ["1.json.zst"]
    assert company.seen("Account") == {"1": "A AB"}


def test_a_new_agent_gets_what_is_for_everyone_and_what_is_its_own(company: World) -> None:
    company.erp(SalesAgent=agents("1", "2", "3"))
    company.done()
    assert company.seen("Account")["3"] == ""
    assert company.seen("Zone")["3"] == "N"
    assert company.seen("SalesAgent")["3"] == "1 2 3"


def test_a_new_agent_published_alone_gets_nothing_that_only_the_others_see(world: World) -> None:
    """All agents there were saw the customer: that is not the same as a customer for all."""
    world.erp(
        SalesAgent=agents("1", "2"),
        Account=ids("AB"),
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "AB 1", "AB 2"),
        Zone=ids("N"),
    )
    world.done()
    world.erp(SalesAgent=agents("1", "2", "3"))
    world.done(entities=["SalesAgent"], only_listed=True)
    assert world.seen("Account") == {"1": "AB", "2": "AB", "3": ""}
    assert world.seen("Zone") == {"1": "N", "2": "N", "3": "N"}


def test_agents_that_only_links_name_get_no_manifest(company: World) -> None:
    company.erp(
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1", "B 9", "AB 1", "AB 9")
    )
    company.done()
    assert {file.name for file in (company.store / "agents").iterdir()} == {
        "1.json.zst",
        "2.json.zst",
    }
    assert company.seen("Account") == {"1": "A AB", "2": ""}


def test_agents_codes_may_hold_any_character(world: World) -> None:
    codes = ["A/1", "..", ".", "è", "a b", "%2F", "A%2F1", "🚚", "con", 'q"', "x,y", "..\\up"]
    world.erp(
        SalesAgent=agents(*codes),
        Account=[{"Id": f"of {code}"} for code in codes],
        SalesAgentPerAccount=[{"AccountId": f"of {code}", "SalesAgentId": code} for code in codes],
    )
    world.done()
    assert world.seen("Account") == {code: f"of {code}" for code in codes}
    written = list((world.store / "agents").iterdir())
    assert len(written) == len(codes)
    assert all(re.fullmatch(r"[\w~%-]+\.json\.zst", file.name, re.ASCII) for file in written)


# --- stores that lost something
# -----------------------------------------------------------------------------------


def test_a_deleted_store_is_published_in_full_again_and_tablets_need_not_fetch_it_again(
    company: World,
) -> None:
    company.seen("Contact")
    marker = (company.store / "store.json").read_bytes()
    shutil.rmtree(company.store)
    report = company.done()
    assert {entity.status for entity in report.steps[3].entities.values()} == {"ok"}
    assert (company.store / "store.json").read_bytes() == marker
    again = sync_agent(company.config.sync_store, "1", company.client_file("1"))
    assert again.objects_downloaded == 0
    sync_agent(company.config.sync_store, "1", company.folder / "new.sqlite")
    assert company.seen("Contact") == {"1": "cA cAB", "2": "cAB cB"}


def test_without_what_was_kept_of_who_sees_what_everything_is_published_anew(
    company: World,
) -> None:
    before = {
        entity: company.seen(entity) for entity in ("Account", "Contact", "SalesAgent", "Zone")
    }
    company.execute("DROP SCHEMA sync CASCADE; CREATE SCHEMA sync")
    company.erp(Zone=[{"Id": "N", "Description": "other"}])
    report = company.done().steps[3].entities
    assert report["Account"].counts()["rows"] == 3
    assert {entity: company.seen(entity) for entity in before} == before
    new = company.folder / "new.sqlite"
    assert (
        sync_agent(company.config.sync_store, "1", new).rows
        == sync_agent(company.config.sync_store, "1", company.client_file("1")).rows
    )
    assert {entity.status for entity in company.done().steps[3].entities.values()} == {"unchanged"}


def test_a_missing_object_is_written_again(company: World) -> None:
    (sha256,) = objects_of(company, "1", "Zone")
    path = company.store / "objects" / sha256[:2] / f"{sha256}.csv.zst"
    path.unlink()
    assert written(company) == {"Zone": 1}
    assert path.exists()


def test_a_cut_object_is_written_again(company: World) -> None:
    (sha256,) = objects_of(company, "1", "Zone")
    path = company.store / "objects" / sha256[:2] / f"{sha256}.csv.zst"
    path.write_bytes(path.read_bytes()[:-3])
    company.done()
    assert company.seen("Zone") == {"1": "N", "2": "N"}


def test_a_missing_manifest_is_written_again(company: World) -> None:
    (company.store / "agents" / "1.json.zst").unlink()
    company.done()
    assert company.seen("Account") == {"1": "A AB", "2": "AB B"}


# --- failures and crashes
# -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["AccountBank", "Contact", "ShippingCharge"])
def test_an_entity_that_cannot_be_published_keeps_its_old_payload_and_the_others_get_their_new_ones(
    fresh_world: World, broken: str
) -> None:
    world, entities = fresh_world, ("AccountBank", "Contact", "ShippingCharge")
    world.erp(
        SalesAgent=agents("1"),
        Account=ids("A"),
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1"),
        **{entity: ids("old", AccountId="A") for entity in entities},
    )
    world.done()
    world.erp(**{entity: ids("new", AccountId="A") for entity in entities})
    world.done(1, 2)
    world.execute(f'ALTER TABLE kimo."{broken}" DROP COLUMN "AccountId"')
    report = world.run(3)
    assert set(report.failures[3]) == {broken}, report.failures
    assert {entity: world.seen(entity)["1"] for entity in entities} == {
        entity: "old" if entity == broken else "new" for entity in entities
    }


@pytest.mark.parametrize("moment", ["between objects", "between objects and manifests"])
def test_a_publication_killed_on_its_way_leaves_the_old_manifests_whole(
    company: World, moment: str
) -> None:
    before = {
        agent: (company.store / "agents" / f"{agent}.json.zst").read_bytes() for agent in "12"
    }
    company.erp(
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 2", "B 1", "AB 1", "AB 2"),
        Zone=[{"Id": "N", "Description": "changed"}],
    )
    *_, last = company.done(1, 2).steps[2].entities
    run_and_kill(company, 3, at_step=3, at_entity=None if moment.endswith("manifests") else last)

    assert {
        agent: (company.store / "agents" / f"{agent}.json.zst").read_bytes() for agent in "12"
    } == before
    assert company.seen("Account") == {"1": "A AB", "2": "AB B"}

    company.done(3)
    assert company.seen("Account") == {"1": "AB B", "2": "A AB"}
    assert company.seen("Contact") == {"1": "cAB cB", "2": "cA cAB"}
    assert company.received("1", "SELECT Description FROM Zone") == [("changed",)]


def test_step_3_without_step_2_says_so_and_publishes_nothing(world: World) -> None:
    world.erp(SalesAgent=agents("1"), Zone=ids("N"))
    report = world.run(3)
    assert {entity.status for entity in report.steps[3].entities.values()} == {"skipped"}
    assert not (world.store / "agents").exists()
