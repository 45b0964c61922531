"""kimo plan, kimo import --plan and kimo undo: see before doing, do what was seen, take it back."""

import json

import pytest

from kimo_assets.database.locks import exclusive
from kimo_assets_tests.cli.conftest import Company, NewCompany


@pytest.fixture
def changed(new_company: NewCompany) -> Company:
    """Imported; then one customer was renamed, one was added, one left."""
    company = new_company()
    assert company.kimo("import").exit_code == 0
    company.sql("UPDATE CLIENTI SET RAGSOC = 'Bar [bold]Nuovo[/bold]' WHERE CODCLI = 'C3'")
    company.sql("INSERT INTO CLIENTI VALUES ('C9', 'Bar Nove', 'A1', 1, 'EUR')")
    company.sql("DELETE FROM CLIENTI WHERE CODCLI = 'C4'")
    return company


def names(company: Company) -> list[str]:
    with company.database.connect() as connection:
        rows = connection.execute(
            'SELECT "Name" FROM kimo."Account" WHERE _archived_load IS NULL ORDER BY "Id"'
        )
        return [name for (name,) in rows]


# --- plan
# --------------------------------------------------------------------------------------------------


def test_a_plan_shows_each_kind_of_change_and_does_none(changed: Company) -> None:
    before = names(changed)
    result = changed.kimo("plan")
    assert result.exit_code == 0, result.output
    for line in (
        "fields that change: Name 1",
        "+ C9  Bar Nove",
        "~ C3  Bar [bold]Nuovo[/bold]  Name: Bar 3 -> Bar [bold]Nuovo[/bold]",
        "- C4  Bar 4",
        "+ C9|A1  AccountId C9, SalesAgentId A1",
        "2 new, 1 changed, 2 archived",
    ):
        assert line in result.stdout
    assert names(changed) == before


def test_the_exit_code_says_whether_there_is_something_to_do_when_asked(changed: Company) -> None:
    assert changed.kimo("plan", "--detailed-exitcode").exit_code == 4
    assert changed.kimo("import").exit_code == 0
    result = changed.kimo("plan", "--detailed-exitcode")
    assert result.exit_code == 0
    assert "nothing to do" in result.stdout


def test_the_document_holds_everything(changed: Company) -> None:
    document = changed.json("plan")
    assert document["has_changes"] is True
    account = document["entities"]["Account"]
    assert account["step_2"]["inserted"] == 1
    assert account["changed_fields"] == {"Name": 1}
    assert {
        "kind": "archived",
        "id": "C4",
        "name": "Bar 4",
        "changes": {},
        "returns": False,
    } in account["samples"]
    assert document["id"] is None


def test_named_entities_only(changed: Company) -> None:
    assert set(changed.json("plan", "--entities", "salesagent", "--only-listed")["entities"]) == {
        "SalesAgent"
    }
    result = changed.kimo("plan", "--entities", "Acount")
    assert result.exit_code == 2
    assert "Did you mean Account" in result.stderr


def test_a_source_that_cannot_be_read_is_a_failed_plan(changed: Company) -> None:
    changed.sql("DROP TABLE AGENTI")
    result = changed.kimo("plan", "--detailed-exitcode")
    assert result.exit_code == 1
    assert "Cannot be read: SalesAgent: there is no table or view AGENTI" in result.stdout


def test_a_plan_is_refused_while_a_run_is_going_on(changed: Company) -> None:
    with exclusive(changed.database):
        assert changed.kimo("plan").exit_code == 3


def test_a_guard_is_shown_with_the_way_around_it(changed: Company) -> None:
    changed.sql("DELETE FROM CLIENTI WHERE CODCLI > 'C2'")
    result = changed.kimo("plan")
    assert result.exit_code == 0
    assert "A guard would stop Account: the snapshot has" in result.stdout
    assert "--save FILE" in result.stdout


# --- import --plan
# --------------------------------------------------------------------------------------------------


def test_a_saved_plan_is_applied_guards_and_all(changed: Company) -> None:
    changed.sql("DELETE FROM CLIENTI WHERE CODCLI > 'C2'")
    file = changed.directory / "plan.json"
    result = changed.kimo("plan", "--save", str(file))
    assert f"import --plan {file}" in result.stdout
    assert json.loads(file.read_bytes())["guards"]
    changed.sql("INSERT INTO CLIENTI VALUES ('C10', 'seen by nobody', 'A1', 1, 'EUR')")
    report = changed.json("import", "--plan", str(file))
    assert report["success"] is True
    assert names(changed) == ["Bar 1", "Bar 2"]
    again = changed.kimo("import", "--plan", str(file))
    assert again.exit_code == 1
    assert f"this plan was applied already, by load {report['load']}" in again.stderr


def test_a_plan_that_no_longer_fits_says_what_moved(changed: Company) -> None:
    file = changed.directory / "plan.json"
    changed.kimo("plan", "--save", str(file))
    load = changed.json("import")["load"]
    result = changed.kimo("import", "--plan", str(file), "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["type"] == "PlanMovedError"
    assert f"Account was changed by load {load} (Import completo" in error["message"]


def test_a_plan_goes_with_no_other_choice(changed: Company) -> None:
    file = changed.directory / "plan.json"
    file.write_text("{}")
    result = changed.kimo("import", "--plan", str(file), "--allow-shrink")
    assert result.exit_code == 2
    result = changed.kimo("import", "--plan", str(file))
    assert result.exit_code == 2
    assert "is no saved plan" in result.stderr


# --- undo
# --------------------------------------------------------------------------------------------------


def test_the_last_load_is_shown_taken_back_and_shown_as_such(changed: Company) -> None:
    before = names(changed)
    bad = changed.json("import")["load"]
    assert names(changed) != before
    result = changed.kimo("undo", "--yes")
    assert result.exit_code == 0, result.output
    assert names(changed) == before
    loads = changed.json("undo", "--list")
    assert [load["undone_by"] for load in loads if load["load"] == bad] == [loads[0]["load"]]
    assert f"taken back by load {loads[0]['load']}" in changed.kimo("undo", "--list").stdout


def test_it_asks_first(changed: Company) -> None:
    changed.kimo("import")
    before = names(changed)
    result = changed.kimo("undo")  # nobody is there to answer
    assert result.exit_code == 1
    assert "Go back to the state after load" in result.stderr
    assert names(changed) == before


def test_what_was_taken_back_can_be_brought_back(changed: Company) -> None:
    bad = changed.json("import")["load"]
    after = names(changed)
    changed.kimo("undo", "--yes")
    report = changed.json("undo", "--yes", "--to", str(bad))
    assert report["success"] is True
    assert names(changed) == after


def test_nothing_to_take_back_is_said(new_company: NewCompany) -> None:
    result = new_company().kimo("undo", "--yes")
    assert result.exit_code == 2
    assert "there is no load to take back" in result.stderr
