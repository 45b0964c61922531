"""kimo import and kimo demo: the report, the exit codes, what a failed run says."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kimo_assets.catalog.menu import STEP_TITLES
from kimo_assets.database.locks import exclusive
from kimo_assets_tests.cli.conftest import Company, NewCompany

pytestmark = pytest.mark.portable


def test_an_import_prints_a_table_per_step_and_its_progress_on_stderr(
    new_company: NewCompany,
) -> None:
    result = new_company().kimo("import")
    assert result.exit_code == 0
    for title in STEP_TITLES.values():
        assert title in result.stdout
        assert f"{title}: 3 entities" in result.stderr
    assert "Total: 3 entities" in result.stdout
    assert "3 rows rejected" in result.stdout


def test_the_same_again_is_one_document_that_says_unchanged(imported: Company) -> None:
    result = imported.kimo("import", "--json")
    report = json.loads(result.stdout)
    assert report["success"] is True
    assert {entity["status"] for step in report["steps"].values() for entity in step.values()} == {
        "unchanged"
    }
    assert report["steps"]["1"]["Account"]["rejected"] == 3


def test_steps_and_entities_are_chosen_as_in_the_menu(imported: Company) -> None:
    report = imported.json("import", "--step", "2+3", "--entities", "salesagent", "--only-listed")
    assert {step: list(entities) for step, entities in report["steps"].items()} == {
        "2": ["SalesAgent"],
        "3": ["SalesAgent"],
    }


def test_linked_entities_come_along_unless_only_the_listed_are_wanted(imported: Company) -> None:
    report = imported.json("import", "--step", "1", "--entities", "Account")
    assert set(report["steps"]["1"]) == {"Account", "SalesAgent", "SalesAgentPerAccount"}


@pytest.fixture(scope="module")
def shrunk(new_company: NewCompany) -> Company:
    company = new_company()
    assert company.kimo("import").exit_code == 0
    company.sql("DELETE FROM CLIENTI WHERE CODCLI > 'C2'")
    return company


def test_a_failed_run_names_the_entity_the_reason_and_what_to_do(shrunk: Company) -> None:
    result = shrunk.kimo("import")
    assert result.exit_code == 1
    assert "Account FAILED" in result.stdout
    assert "Account: the snapshot has 2 rows, the last one had 8" in result.stdout
    assert "Not started because of that: step 2 and 3" in result.stdout
    assert (
        "import --entities SalesAgentPerAccount,Account --only-listed --allow-shrink"
        in result.stdout
        or "import --entities Account,SalesAgentPerAccount --only-listed --allow-shrink"
        in result.stdout
    )


def test_a_failed_run_as_json_is_the_report_and_exit_code_1(shrunk: Company) -> None:
    result = shrunk.kimo("import", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["success"] is False
    assert report["steps"]["1"]["Account"]["status"] == "failed"


def test_a_second_import_is_refused_with_the_name_of_the_first(imported: Company) -> None:
    with exclusive(imported.database):
        result = imported.kimo("import", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["error"]["type"] == "LockedError"
    assert result.stderr.count("Error: ") == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "--step", "4"], "'--step'"),
        (["import", "--only-listed"], "--only-listed goes with --entities"),
        (["import", "--entities", " , "], "names no entity"),
        (["import", "--entities", "Acount"], "Did you mean Account"),
        (["import", "--entities", "Item"], "'Item' is not an entity of this mapping"),
        (["entities", "Account", "--linked", "Item"], "not both"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_a_document_too(
    arguments: list[str], said: str, imported: Company
) -> None:
    result = imported.kimo(*arguments, "--json")
    assert result.exit_code == 2
    assert said in result.stderr
    assert said in json.loads(result.stdout)["error"]["message"]


def test_a_wrong_kimo_yaml_is_exit_code_2_with_file_and_line(
    imported: Company, tmp_path: Path
) -> None:
    file = tmp_path / "kimo.yaml"
    file.write_text(
        "sources: {erp: {url: sqlite:///erp.sqlite}}\nentities: {Acount: {}}\n", encoding="utf-8"
    )
    result = imported.kimo("status", "--config", str(file), "--json")
    assert result.exit_code == 2
    assert f"{file}, line 2" in result.stderr
    assert json.loads(result.stdout)["error"]["type"] == "ConfigError"


def test_the_demo_makes_imports_and_says_what_next(server_folder: Path) -> None:
    """As a process of its own, on the embedded PostgreSQL, with the output in pipes."""
    folder = server_folder / "demo"
    folder.mkdir()
    kimo = [sys.executable, "-c", "from kimo_assets.cli import main; main()"]
    environment = {**os.environ, "COLUMNS": "100"}
    made = subprocess.run(
        [*kimo, "demo", "--dir", "company"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert max(map(len, made.stdout.splitlines()[:-6])) <= 100
    assert "rows rejected, all of them new: kimo --config company/kimo.yaml rejected" in made.stdout
    assert "kimo --config company/kimo.yaml dev" in made.stdout
    agent = made.stdout.partition("kimo --config company/kimo.yaml agent ")[2].split()[0]
    synced = subprocess.run(
        [*kimo, "agent", agent, "--to", "a.sqlite", "--config", "company/kimo.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert synced.returncode == 0, synced.stderr
    assert "settings.yaml: 17 sections of settings" in made.stderr
    users = subprocess.run(
        [*kimo, "settings", "show", "User", "--config", "company/kimo.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert "User: 17 rows" in users.stdout, users.stderr
    with closing(sqlite3.connect(folder / "a.sqlite")) as tablet:
        assert tablet.execute('SELECT count(*) > 0 FROM "Account"').fetchone() == (1,)
