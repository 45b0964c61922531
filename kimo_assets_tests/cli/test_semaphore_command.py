"""kimo semaphore: who holds the ERP's semaphores in words, and setting one free by hand; what kimo
check says of them.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from kimo_assets.cli import main
from kimo_assets.database.locks import exclusive
from kimo_assets.database.semaphore_ledger import SemaphoreLedger
from kimo_assets_tests.cli.conftest import Company, NewCompany

NAME = "ImportFromErpSemaphore"


@pytest.fixture
def company(new_company: NewCompany) -> Company:
    made = new_company()
    made.sql(f"CREATE TABLE {NAME} (Status int)")
    made.sql(f"INSERT INTO {NAME} VALUES (0)")
    return made


def set_status(company: Company, status: int) -> None:
    company.sql(f"UPDATE {NAME} SET Status = {status}")


def status(company: Company) -> Any:
    return company.sql(f"SELECT Status FROM {NAME}")


def shown(company: Company, name: str = NAME) -> dict[str, Any]:
    (found,) = [state for state in company.json("semaphore", "show") if state["semaphore"] == name]
    return found


# --- show
# --------------------------------------------------------------------------------------------------


def test_show_tells_each_sources_semaphores_in_words(company: Company) -> None:
    assert shown(company) == {
        "source": "erp",
        "semaphore": NAME,
        "status": 0,
        "words": "idle",
        "whose": None,
        "since": None,
        "rows": 1,
        "error": None,
    }
    export = shown(company, "ExportToErpSemaphore")
    assert (export["status"], export["words"]) == (None, "no such table")
    set_status(company, 1)
    result = company.kimo("semaphore", "show")
    assert result.exit_code == 0
    assert "1 the ERP is writing to the integration database" in result.stdout
    assert "not ours" in result.stdout


def test_show_tells_ours_that_was_left_behind_from_ours_at_work(company: Company) -> None:
    set_status(company, 2)
    SemaphoreLedger(company.database.connect, 41, "abc").claim("erp", NAME, 2)
    found = shown(company)
    assert found["whose"] == "ours, left behind (load 41, run abc)"
    assert found["since"] is not None
    with exclusive(company.database):
        assert shown(company)["whose"] == "ours (load 41, run abc)"
    set_status(company, 1)
    assert shown(company)["whose"] == "not ours"


def test_show_tells_since_when_it_kept_imports_from_starting(company: Company) -> None:
    set_status(company, 1)
    company.config.write_text(
        company.config.read_text() + "import: {semaphore_wait_s: 0}\n", encoding="utf-8"
    )
    failed = company.kimo("import")
    assert failed.exit_code == 1
    assert f"{NAME} of source 'erp' is 1 (the ERP is writing" in failed.stdout
    assert failed.stdout.count(NAME) == 1  # once, not once an entity
    assert "semaphore show: who holds the ERP's semaphores" in failed.stdout
    assert shown(company)["since"] is not None


def test_a_source_that_cannot_be_read_is_told_with_exit_code_1(company: Company) -> None:
    company.erp.unlink()
    result = company.kimo("semaphore", "show")
    assert result.exit_code == 1
    assert "unable to open database file" in result.stdout
    assert not company.erp.exists()


def test_show_starts_no_embedded_server(company: Company) -> None:
    config = company.directory / "other.yaml"
    config.write_text(
        "sources: {erp: {url: sqlite:///erp.sqlite}}\nentities: {Account: }\n", encoding="utf-8"
    )
    set_status(company, 2)
    result = CliRunner().invoke(main, ["semaphore", "show", "--json", "--config", str(config)])
    assert json.loads(result.stdout)[0]["whose"] == "not ours"
    assert not (company.directory / "data").exists()


# --- reset
# --------------------------------------------------------------------------------------------------


def answering(company: Company, answer: str, *arguments: str) -> Any:
    return CliRunner().invoke(
        main, ["--config", str(company.config), "semaphore", "reset", *arguments], input=answer
    )


def test_reset_asks_first_and_says_what_it_would_set_free(company: Company) -> None:
    set_status(company, 1)
    result = answering(company, "n\n")
    assert result.exit_code == 1
    assert (
        f"erp {NAME}: 1, the ERP is writing to the integration database (not ours)."
        in result.stderr
    )
    assert status(company) == [(1,)]
    assert answering(company, "y\n").exit_code == 0
    assert status(company) == [(0,)]


@pytest.mark.parametrize("left", [1, 2, 3, 4, 17])
def test_reset_with_yes_sets_it_free_and_forgets_our_record(left: int, company: Company) -> None:
    set_status(company, left)
    SemaphoreLedger(company.database.connect).claim("erp", NAME, 2)
    result = company.kimo("semaphore", "reset", "--yes")
    assert (result.exit_code, result.stdout) == (0, "Set to 0: 1.\n")
    assert status(company) == [(0,)]
    assert SemaphoreLedger(company.database.connect).owners() == []
    assert company.kimo("semaphore", "reset").stdout == "All of them are idle already.\n"


def test_reset_touches_only_what_was_named(company: Company) -> None:
    set_status(company, 1)
    company.kimo("semaphore", "reset", "ExportToErpSemaphore", "--yes")
    company.kimo("semaphore", "reset", "--source", "crm", "--yes")
    assert status(company) == [(1,)]
    company.kimo("semaphore", "reset", "importfromerpsemaphore", "--source", "erp", "--yes")
    assert status(company) == [(0,)]


def test_reset_is_refused_while_a_run_of_ours_is_going_on(company: Company) -> None:
    set_status(company, 2)
    with exclusive(company.database):
        result = company.kimo("semaphore", "reset", "--yes", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["error"]["type"] == "LockedError"
    assert status(company) == [(2,)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--json"], "needs --yes"),
        (["Semaforo"], "'Semaforo' is not one of"),
        (["--source", "x"], "'x'"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], said: str, company: Company) -> None:
    result = company.kimo("semaphore", "reset", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


# --- check
# --------------------------------------------------------------------------------------------------


def finding(company: Company) -> tuple[str, str]:
    (found,) = [finding for finding in company.json("check") if finding["what"] == f"{NAME} erp"]
    return found["level"], found["message"]


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        (lambda c: set_status(c, 4), "ok", "4 (the ERP is reading the integration database)"),
        (
            lambda c: c.sql(f"DROP TABLE {NAME}"),
            "ok",
            "no such table: nothing keeps the ERP and the import apart",
        ),
        (lambda c: c.sql(f"DELETE FROM {NAME}"), "warning", "0 rows; expected one, with Status 0"),
        (
            lambda c: c.sql(f"INSERT INTO {NAME} VALUES (0)"),
            "warning",
            "2 rows; expected one, with Status 0",
        ),
        (
            lambda c: c.sql(f"UPDATE {NAME} SET Status = 'libero'"),
            "error",
            "has the status 'libero'. Expected a number",
        ),
        (
            lambda c: c.sql(f"ALTER TABLE {NAME} RENAME Status TO Stato"),
            "error",
            "has no column Status. It has: Stato",
        ),
    ],
)
def test_check_says_how_a_semaphore_stands(
    change: Callable[[Company], Any], level: str, said: str, company: Company
) -> None:
    change(company)
    found, message = finding(company)
    assert (found, said in message) == (level, True), message
