"""Wrong input and faults: a clear sentence, the old version stays, the next run repairs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kimo_assets.database.locks import exclusive
from kimo_assets.errors import LockedError, StoreError
from kimo_assets.sync.client.client import sync_agent
from kimo_assets_tests.support.company import RawText, World, agents, ids, links, run_and_kill
from kimo_assets_tests.support.rights import needs_linux, read_only
from kimo_assets_tests.sync.test_changes import users
from kimo_assets_tests.sync.test_format import manifest_of

pytestmark = pytest.mark.portable

ZONES = [{"Id": f"Z{n:03}", "Description": f"zone {n}"} for n in range(200)]


@pytest.fixture
def company(world: World) -> World:
    world.erp(
        SalesAgent=agents("1", "2"),
        Account=ids("A", "B"),
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1", "B 2"),
        Zone=ZONES,
    )
    world.done()
    return world


# --- who and what
# -------------------------------------------------------------------------------------------------


def test_an_agent_without_customers_gets_what_is_for_all_and_an_account_of_all_agents_is_everybodys(
    world: World,
) -> None:
    codes = [f"A{n}" for n in range(12)]
    world.erp(
        SalesAgent=agents(*codes, "alone"),
        Account=ids("all", "nobody's"),
        SalesAgentPerAccount=[{"AccountId": "all", "SalesAgentId": code} for code in codes],
        Zone=ids("N"),
    )
    world.done()
    assert world.seen("Account") == dict.fromkeys(codes, "all") | {"alone": ""}
    assert world.seen("Zone")["alone"] == "N"


def test_an_agent_renamed_is_another_agent(company: World) -> None:
    company.erp(
        SalesAgent=agents("1", "two"),
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1", "B two"),
    )
    company.done(allow_shrink=True)
    assert company.seen("Account") == {"1": "A", "two": "B"}
    assert not (company.store / "agents" / "2.json.zst").exists()


def test_an_agent_who_comes_back_gets_what_is_there_now(company: World) -> None:
    company.seen("Zone")
    company.erp(SalesAgent=agents("1"), Zone=ZONES[1:])
    company.done(allow_shrink=True)
    company.erp(SalesAgent=agents("1", "2"), Zone=ZONES[2:])
    company.done()
    assert company.seen("Account") == {"1": "A", "2": "B"}
    assert len(company.seen("Zone")["2"].split()) == 198


def test_a_user_without_a_role_has_a_payload_like_any_other(company: World) -> None:
    """Roles are about functions of the app, not about rows: docs/settings.md."""
    users(company, ("anna", "1", None))
    company.done()
    result = sync_agent(company.config.sync_store, "1", company.folder / "anna.sqlite", user="anna")
    assert result.rows == len(ZONES) + 4


def test_five_hundred_agents_are_as_right_as_two(world: World) -> None:
    codes = [f"{n:03}" for n in range(500)]
    world.erp(
        SalesAgent=agents(*codes),
        Account=ids(*codes),
        SalesAgentPerAccount=[{"AccountId": code, "SalesAgentId": code} for code in codes],
        Zone=ids("N"),
    )
    report = world.done().steps[3].entities
    assert report["Account"].counts()["agents"] == 500
    assert report["Zone"].counts()["objects"] == 1
    for code in ("000", "499"):
        assert world.received(code, 'SELECT Id FROM "Account"') == [(code,)]
    assert world.done().steps[3].entities["Account"].status == "unchanged"


def test_a_note_of_five_megabytes_travels_whole_and_what_is_no_text_stays_behind(
    world: World,
) -> None:
    note = 'riga "1"\n' * (5 * 1024 * 1024 // 9)
    world.erp(
        SalesAgent=agents("1"),
        Account=ids("A"),
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1"),
        Contact=[
            {"Id": "big", "AccountId": "A", "Notes": note},
            {"Id": "lone", "AccountId": "A", "Notes": RawText(b"half a pair: \xed\xa0\xbd")},
        ],
    )
    world.done()
    assert world.received("1", 'SELECT Id, Notes FROM "Contact"') == [("big", note)]
    assert [key for _, _, key, _ in world.rejected("Contact")] == ["Id=lone"]


# --- the store
# --------------------------------------------------------------------------------------------------


def test_a_store_of_another_kimo_database_is_refused(company: World) -> None:
    before = manifest_of(company.store, "1")
    marker = company.store / "store.json"
    marker.write_text(marker.read_text().replace(before["store"], "0" * 32))
    with pytest.raises(StoreError, match="is the sync store of another Kimo database"):
        company.run(3)
    assert manifest_of(company.store, "1") == before


def test_a_folder_that_is_something_else_is_refused(company: World) -> None:
    (company.store / "store.json").write_text('{"name": "a shop"}')
    with pytest.raises(StoreError, match="is not a sync store"):
        company.run(3)


def step_3_in_a_process(company: World, before: str) -> dict[str, Any]:
    """Step 3 in a process that runs `before` first. Returns: failures or exception."""
    program = f"""
import json, sys
from kimo_assets.config import load_config
from kimo_assets.database.server import Database
from kimo_assets.errors import KimoError
from kimo_assets.pipeline.workflows import run_import
from kimo_assets.progress import Progress
class Told(Progress):
    def step_started(self, step, entities):
        exec({before!r})
try:
    config, database = load_config(sys.argv[1]), Database(sys.argv[2], "")
    report = run_import(config, database, steps=[3], progress=Told())
    print(json.dumps(report.failures.get(3, {{}})))
except KimoError as error:
    print(json.dumps({{type(error).__name__: str(error)}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(company.config.path), company.database.dsn],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    failures: dict[str, Any] = json.loads(done.stdout)
    return failures


@needs_linux
def test_a_store_that_cannot_be_written_fails_with_its_name_and_nothing_else_changes(
    company: World,
) -> None:
    before = manifest_of(company.store, "1")
    company.erp(Zone=[{**zone, "Description": "new"} for zone in ZONES])
    company.done(1, 2)
    folders = [company.store, *(path for path in company.store.rglob("*") if path.is_dir())]
    with read_only(*folders):
        failures = step_3_in_a_process(
            company,
            "from kimo_assets_tests.support.rights import give_up_root_s_rights;"
            " give_up_root_s_rights()",
        )
    assert set(failures) == {"Zone"}
    assert f"The sync store {company.store} cannot be written: PermissionError" in failures["Zone"]
    assert "Correct the folder or URL under `sync: store:` in kimo.yaml" in failures["Zone"]
    assert manifest_of(company.store, "1") == before
    company.done(3)
    assert company.received("1", "SELECT DISTINCT Description FROM Zone") == [("new",)]


def test_a_file_where_the_store_should_be_fails_in_one_sentence(company: World) -> None:
    company.settings = {"sync": {"store": str(company.folder / "file")}}
    (company.folder / "file").write_text("no folder")
    with pytest.raises(
        StoreError, match=r"^The sync store \S+/file cannot be written: \w+: .* run step 3 again"
    ):
        company.run(3)
    company.settings = {}
    company.done()


def test_an_object_store_that_nobody_answers_for_fails_in_one_sentence(company: World) -> None:
    company.settings = {"sync": {"store": "s3://kimo/sync"}}
    nowhere = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    (failure,) = step_3_in_a_process(company, f"import os; os.environ |= {nowhere!r}").items()
    assert failure[0] == "StoreError"
    assert failure[1].startswith(
        "The sync store s3://kimo/sync cannot be read: EndpointConnectionError: Could not connect"
    )
    company.settings = {}
    company.done()


def test_a_kind_of_store_that_is_not_installed_says_so(company: World) -> None:
    company.settings = {"sync": {"store": "gopher://kimo/sync"}}
    with pytest.raises(StoreError, match=r"^The sync store gopher://kimo/sync cannot be opened: "):
        company.run(3)


def test_a_full_disk_fails_the_entities_that_do_not_fit_and_the_next_run_repairs(
    company: World,
) -> None:
    before = manifest_of(company.store, "1")
    company.erp(
        Zone=[{"Id": f"Z{n:05}", "Description": os.urandom(20).hex()} for n in range(20_000)]
    )
    company.done(1, 2, allow_shrink=True)
    failures = step_3_in_a_process(
        company,
        "import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
    )
    assert set(failures) == {"Zone"}
    assert "cannot be written: OSError: [Errno 27] File too large" in failures["Zone"]
    assert manifest_of(company.store, "1")["entities"]["Zone"] == before["entities"]["Zone"]
    company.done(3)
    assert len(company.seen("Zone")["1"].split()) == 20_000


def test_a_second_preparation_at_the_same_time_is_refused(company: World) -> None:
    with exclusive(company.database), pytest.raises(LockedError):
        company.run(3)


# --- power cuts
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["SalesAgent", "Account", "SalesAgentPerAccount", "Zone", None])
def test_a_power_cut_anywhere_leaves_the_old_version_and_the_next_run_repairs(
    company: World, at: str | None
) -> None:
    before = {agent: manifest_of(company.store, agent) for agent in "12"}
    company.erp(
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 2", "B 1"),
        Zone=[*ZONES[1:], {"Id": "new", "Description": "new"}],
    )
    company.done(1, 2)
    run_and_kill(company, 3, at_step=3, at_entity=at)
    assert {agent: manifest_of(company.store, agent) for agent in "12"} == before
    assert company.seen("Account") == {"1": "A", "2": "B"}
    company.done(3)
    assert company.seen("Account") == {"1": "B", "2": "A"}
    assert "new" in company.seen("Zone")["1"].split()


def test_a_clock_set_back_keeps_what_tablets_may_still_fetch(company: World) -> None:
    company.erp(Zone=[{"Id": "N", "Description": "other"}])
    company.done(allow_shrink=True)
    before = {file.name for file in (company.store / "objects").rglob("*.zst")}
    company.execute("UPDATE ops.unlisted_object SET since = since + interval '400 days'")
    company.done()
    assert {file.name for file in (company.store / "objects").rglob("*.zst")} == before
