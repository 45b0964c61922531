"""kimo settings and kimo sync-settings: what they print, their exit codes, and that nothing runs
beside an import.
"""

import json
from pathlib import Path

import orjson
import pytest

from kimo_assets.database.locks import exclusive
from kimo_assets_tests.cli.conftest import Company, NewCompany

SETTINGS = """
BusinessRule: {Sync\\Hours: 24}
Role: {AGENTE: {Name: Agente, RoleTypeId: SalesAgent, CanSeeAccounts: true, CanSeeContacts: true}}
User:
  anna: {UserName: anna, UserTypeId: SalesAgent, SalesAgentId: A1}
  bruno: {UserName: bruno, UserTypeId: SalesAgent, SalesAgentId: A2}
UserRole: {anna: [AGENTE]}
"""


@pytest.fixture(scope="module")
def company(new_company: NewCompany) -> Company:
    made = new_company()
    assert made.kimo("import").exit_code == 0
    return made


def settings_file(company: Company, text: str = SETTINGS) -> str:
    file = company.directory / "settings.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_load_tells_what_it_did_warns_and_says_what_next(company: Company) -> None:
    result = company.kimo("settings", "load", settings_file(company))
    assert result.exit_code == 0
    assert "User" in result.stdout
    assert "sync-settings hands them to the tablets" in result.stdout
    assert "Warning: " in result.stderr
    assert "line 6: User.bruno: has no role" in result.stderr
    again = company.json("settings", "load", settings_file(company))
    assert again["tables"]["User"] == {
        "inserted": 0,
        "changed": 0,
        "archived": 0,
        "removed": 0,
        "unchanged": 2,
    }
    assert len(again["warnings"]) == 1


def test_show_prints_tables_json_and_a_file_that_load_takes_back(
    company: Company, tmp_path: Path
) -> None:
    company.kimo("settings", "load", settings_file(company))
    shown = company.kimo("settings", "show")
    assert "Role: 1 row" in shown.stdout
    assert "CanSeeAccounts, CanSeeContacts" in shown.stdout
    assert "Empty: ServerSetting" in shown.stdout
    assert company.json("settings", "show", "userrole") == {
        "UserRole": [{"UserId": "anna", "RoleId": "AGENTE"}]
    }
    file = tmp_path / "out.yaml"
    assert "5 rows of 17 sections" in company.kimo("settings", "show", "--yaml", str(file)).stderr
    again = company.json("settings", "load", str(file))
    assert {
        kind for counts in again["tables"].values() for kind, count in counts.items() if count
    } == {"unchanged"}


def test_sync_settings_writes_them_once_as_the_menus_job(company: Company) -> None:
    company.kimo("settings", "load", settings_file(company))
    first = company.json("sync-settings")
    assert first["success"] is True
    assert first["steps"]["3"]["Role"]["objects_written"] == 1
    published = orjson.loads((company.directory / "data" / "sync" / "settings.json").read_bytes())
    assert published["entities"]["BusinessRule"]["objects"][0]["rows"] == 1
    again = company.kimo("sync-settings")
    assert "up to date" in again.stdout
    title = company.json("status")["last_load"]["title"]
    assert title == "Preparazione dati di Sync delle sole impostazioni"


def test_a_store_that_cannot_be_written_is_exit_code_1_and_one_sentence(
    new_company: NewCompany,
) -> None:
    broken = new_company()
    (broken.directory / "data").mkdir()
    (broken.directory / "data" / "sync").write_text("")
    result = broken.kimo("sync-settings", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["type"] == "StoreError"
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["load", "sync"])
def test_while_another_run_holds_the_lock_they_are_refused_with_exit_code_3(
    company: Company, command: str
) -> None:
    arguments = (
        ["settings", "load", settings_file(company)] if command == "load" else ["sync-settings"]
    )
    with exclusive(company.database):
        result = company.kimo(*arguments, "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["error"]["type"] == "LockedError"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty. Expected sections"),
        ("Role: [", "not valid YAML"),
        ("Rolle: {}", "Did you mean Role"),
        (
            "\nUser: {c: {UserName: c, UserTypeId: 1, SalesAgentId: A9}}",
            "line 2: User.c.SalesAgentId: there is no Sales",
        ),
    ],
)
def test_a_wrong_file_is_exit_code_2_with_its_place(company: Company, text: str, said: str) -> None:
    result = company.kimo("settings", "load", settings_file(company, text), "--json")
    assert result.exit_code == 2
    assert said in json.loads(result.stdout)["error"]["message"]


def test_a_section_that_is_not_there_is_exit_code_2_with_the_nearest(company: Company) -> None:
    result = company.kimo("settings", "show", "Rolle")
    assert result.exit_code == 2
    assert "Did you mean Role" in result.stderr
