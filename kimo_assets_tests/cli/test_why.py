"""kimo why: the answer an operator gives on the phone."""

import pytest

from kimo_assets_tests.cli.conftest import Company, NewCompany


def test_it_says_yes_and_shows_the_link_that_lets_the_row_through(imported: Company) -> None:
    result = imported.kimo("why", "A1", "account", "C1")
    assert result.exit_code == 0
    assert "Agent A1, Account C1: the agent sees it" in result.stdout
    assert "What was last prepared for the agent's tablet holds the row." in result.stdout
    assert "yes agents that SalesAgentPerAccount names for Id" in result.stdout
    assert "SalesAgentPerAccount with AccountId = C1: SalesAgentId A1" in result.stdout
    assert "Last changed by load 1, Import completo" in result.stdout


def test_it_says_no_and_shows_the_link_that_stops_the_row(imported: Company) -> None:
    answer = imported.json("why", "A2", "Account", "C1")
    assert (answer["sees"], answer["published"]) == (False, False)
    link, _ = answer["chain"]["below"]
    assert (link["passes"], link["facts"]) == (
        False,
        ["Id = C1", "SalesAgentPerAccount with AccountId = C1: SalesAgentId A1, not A2"],
    )


@pytest.fixture(scope="module")
def changed(new_company: NewCompany) -> Company:
    """Imported; then a customer left and another was moved to A2, and steps 1 and 2 know it
    already.
    """
    company = new_company()
    company.kimo("import")
    company.sql("UPDATE CLIENTI SET CODAGE = 'A2' WHERE CODCLI = 'C1'")
    company.sql("DELETE FROM CLIENTI WHERE CODCLI = 'C2'")
    for step in "12":
        assert company.kimo("import", "--step", step, "--allow-shrink").exit_code == 0
    return company


def test_it_says_when_the_tablet_does_not_know_yet(changed: Company) -> None:
    result = changed.kimo("why", "A2", "Account", "C1")
    assert "the agent sees it" in result.stdout
    assert "does not hold the row, because step 3 has not run since that changed" in result.stdout


def test_it_says_how_it_was_before_who_sees_the_row_changed(new_company: NewCompany) -> None:
    company = new_company()
    company.kimo("import")
    assert company.json("why", "A2", "Account", "C1")["before"] is None
    company.sql("UPDATE CLIENTI SET CODAGE = 'A2' WHERE CODCLI = 'C1'")
    assert company.kimo("import").exit_code == 0
    assert "Who sees it changed with load 2" in company.kimo("why", "A2", "Account", "C1").stdout
    assert company.json("why", "A2", "Account", "C1")["before"]["saw"] is False
    assert company.json("why", "A1", "Account", "C1")["before"]["saw"] is True
    assert company.json("why", "A1", "Account", "C2")["before"] is None


def test_a_row_that_left_the_erp_is_seen_by_nobody(changed: Company) -> None:
    answer = changed.json("why", "A2", "Account", "C2")
    assert answer["sees"] is False
    assert answer["sentence"].startswith(
        f"nobody sees it: load {answer['change']['load']} archived it"
    )


def test_a_row_that_was_rejected_is_found_in_the_quarantine(imported: Company) -> None:
    answer = imported.json("why", "A1", "Account", "X1")
    assert answer["sees"] is None
    assert "step 1 rejected it (unknown_enum_code, AccountTypeId)" in answer["sentence"]


def test_a_row_that_never_came_is_said_to_have_never_come(imported: Company) -> None:
    assert "there is no such row in Kimo" in imported.kimo("why", "A1", "Account", "nobody").stdout


def test_who_is_no_agent_is_told_so(imported: Company) -> None:
    result = imported.kimo("why", "A11", "Account", "C1")
    assert result.exit_code == 2
    assert "'A11' is no agent here. Did you mean A1" in result.stderr
