"""kimo status, entities, check and agent: what they say of one imported company."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from kimo_assets.catalog import load_catalog
from kimo_assets.cli import main
from kimo_assets.texts import use_language
from kimo_assets_tests.cli.conftest import Company, NewCompany

pytestmark = pytest.mark.portable

# --- status
# -----------------------------------------------------------------------------------------------


def test_status_tells_the_last_load_and_every_entitys_steps(imported: Company) -> None:
    found = imported.json("status")
    assert found["last_load"]["success"] is True
    assert found["last_load"]["seconds"] > 0
    assert set(found["entities"]) == {"SalesAgent", "Account", "SalesAgentPerAccount"}
    account = found["entities"]["Account"]
    assert set(account["steps"]) == {"1", "2", "3"}
    assert (account["rows"], account["rejected"], found["rejected"]) == (8, 3, 3)
    assert account["fresh_until"] is not None
    assert found["payloads"]["agents"] == 2
    assert found["payloads"]["bytes"] > 0


def test_status_in_words_fits_100_columns(
    imported: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    result = imported.kimo("status")
    assert "succeeded" in result.stdout
    assert "2 agents can sync" in result.stdout
    table = result.stdout.partition("Fresh")[2].partition("rejected")[0]
    assert max(map(len, table.splitlines())) <= 100


def test_the_commands_speak_the_language_at_hand(imported: Company) -> None:
    with use_language("it"):
        status = imported.kimo("status").stdout
        rejected = imported.kimo("rejected").stdout
        entities = imported.kimo("entities", "Account").stdout
    assert "Aggiornata al" in status
    assert "2 agenti possono fare il sync" in status
    assert "3 righe scartate" in rejected
    assert "Visibile a" in entities


def test_before_the_first_import_status_says_so(new_company: NewCompany) -> None:
    company = new_company()
    result = company.kimo("status")
    assert result.exit_code == 0
    assert "Nothing was imported yet" in result.stdout
    assert company.json("status")["last_load"] is None


def test_looking_does_not_start_an_embedded_server(tmp_path: Path) -> None:
    config = tmp_path / "kimo.yaml"
    config.write_text(
        "sources: {erp: {url: sqlite:///erp.sqlite}}\nentities: {Account: }\n", encoding="utf-8"
    )
    for command in ("status", "rejected"):
        result = CliRunner().invoke(main, [command, "--config", str(config)])
        assert result.exit_code == 0
    assert not (tmp_path / "data").exists()


def test_a_run_that_is_killed_is_not_told_as_running(new_company: NewCompany) -> None:
    company = new_company()
    with company.database.connect() as connection:
        connection.execute("INSERT INTO ops.load (title) VALUES ('Import completo')")
    assert "was killed before its end" in company.kimo("status").stdout


# --- entities
# ---------------------------------------------------------------------------------------------


def test_the_catalogue_can_be_read_without_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KIMO_CONFIG", raising=False)
    result = CliRunner().invoke(main, ["entities"])
    assert result.exit_code == 0
    assert "171 entities and 2 that Kimo makes. There is no kimo.yaml here" in result.stdout


def test_every_entity_can_be_shown(imported: Company) -> None:
    for name in load_catalog().all:
        result = imported.kimo("entities", name)
        assert result.exit_code == 0
        assert result.stdout.startswith(name)
        assert "Seen by" in result.stdout


def test_linked_shows_what_a_run_pulls_along_and_what_is_not_mapped(imported: Company) -> None:
    found = imported.json("entities", "--linked", "account")
    assert found["run"] == [
        name for name in found["run"] if name in ("SalesAgent", "Account", "SalesAgentPerAccount")
    ]
    assert len(found["run"]) == 3
    assert "Currency" in found["not_mapped"]
    assert "part of Account" in imported.kimo("entities", "--linked", "Account").stdout


# --- check
# ------------------------------------------------------------------------------------------------


def test_check_finds_a_good_company_good_and_warns_of_unmapped_targets(imported: Company) -> None:
    findings = imported.json("check")
    assert all({"level", "what", "message"} <= set(finding) for finding in findings)
    assert [finding for finding in findings if finding["level"] == "error"] == []
    messages = {(f["level"], f["what"]): f["message"] for f in findings}
    assert (
        messages["warning", "Account"]
        == "points to entities that are not mapped: Currency (by CurrencyId in 11 rows)"
    )
    assert "11 rows" in messages["ok", "Account"]
    assert "columns no field takes: ZONA" in messages["ok", "SalesAgent"]
    assert "Id derived from AccountId, SalesAgentId" in messages["ok", "SalesAgentPerAccount"]
    result = imported.kimo("check")
    assert result.exit_code == 0
    assert {f.get("rule"): f.get("rows") for f in findings if f["level"] == "warning"} == {
        "duplicate_key": 1,
        "unknown_enum_code": 2,
        "unmapped_target": None,
    }
    assert "0 errors, 3 warnings: ready to import." in result.stdout


def test_check_names_each_mistake_of_the_mapping_and_is_exit_code_1(
    new_company: NewCompany,
) -> None:
    company = new_company()
    company.sql("ALTER TABLE CLIENTI RENAME COLUMN RAGSOC TO RAGSOC1")
    company.sql("DROP TABLE AGENTI")
    result = company.kimo("check")
    assert result.exit_code == 1
    assert "error   SalesAgent: there is no table or view AGENTI" in result.stdout
    assert "no column RAGSOC (for Account.Name). It has: RAGSOC1" in result.stdout


def test_check_goes_on_after_a_source_that_is_not_there(new_company: NewCompany) -> None:
    company = new_company()
    company.erp.unlink()
    findings = company.json("check")
    levels = {
        finding["what"]: finding["level"] for finding in findings if finding["what"] != "disk"
    }
    of_deployment = {"data_dir": "ok", "Dagster's database": "ok", "time zone": "ok"}
    assert levels == of_deployment | {
        "configuration": "ok",
        "database": "ok",
        "source erp": "error",
        "sync store": "ok",
    }
    assert not company.erp.exists()


# --- agent
# ------------------------------------------------------------------------------------------------


def test_an_agent_syncs_into_a_file_and_the_second_time_downloads_nothing(
    imported: Company, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "a1.sqlite"
    first = imported.json("agent", "A1", "--to", str(file))
    with closing(sqlite3.connect(file)) as tablet:
        accounts = tablet.execute('SELECT "Id" FROM "Account" ORDER BY 1').fetchall()
    assert accounts == [("C1",), ("C3",), ("C5",), ("C7",)]
    assert first["rows"] > 0
    assert imported.json("agent", "A1", "--to", str(file))["objects_downloaded"] == 0
    assert "Agent A1" in imported.kimo("agent", "A1", "--to", str(file)).stdout


def test_an_agent_without_payload_is_exit_code_1(imported: Company, tmp_path: Path) -> None:
    result = imported.kimo("agent", "A9", "--to", str(tmp_path / "a9.sqlite"), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["type"] == "StoreError"
    assert "no payload for agent 'A9'" in result.stderr
