"""kimo rejected and kimo retry: the rejected rows on the screen, as a file for the ERP's side, and
tried again.
"""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from kimo_assets.staging.quarantine import RULES
from kimo_assets.staging.rejected_csv import cell
from kimo_assets_tests.cli.conftest import Company, NewCompany

pytestmark = pytest.mark.portable


def read(file: Path) -> list[dict[str, str]]:
    """As Excel of an Italian Windows reads it: the mark says UTF-8, semicolons part columns."""
    assert file.read_bytes().startswith(b"\xef\xbb\xbfentity;source;since;")
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines, delimiter=";"))


@pytest.fixture
def company(new_company: NewCompany) -> Company:
    """Imported once, and of this test alone."""
    company = new_company()
    assert company.kimo("import").exit_code == 0
    return company


# --- on the screen
# ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_sentence_in_english_and_one_in_italian(rule: str) -> None:
    english, italian = RULES[rule]
    assert min(len(english), len(italian)) > 12
    assert english != italian


def test_rejected_counts_by_rule_with_its_plain_sentence(imported: Company) -> None:
    result = imported.kimo("rejected")
    assert RULES["duplicate_key"].en in result.stdout
    assert RULES["unknown_enum_code"].en in result.stdout
    assert "3 rows rejected" in result.stdout
    counts = {(c["entity"], c["rule"]): c for c in imported.json("rejected")["counts"]}
    assert sum(count["rows"] for count in counts.values()) == 3
    assert counts["Account", "duplicate_key"]["rows"] == 1
    assert counts["Account", "duplicate_key"]["reason_it"] == RULES["duplicate_key"].it


def test_reasons_are_shown_in_italian_on_demand(imported: Company) -> None:
    for arguments in (("rejected",), ("rejected", "Account")):
        shown = imported.kimo(*arguments, "--lang", "it").stdout
        assert RULES["duplicate_key"].it in shown
        assert RULES["duplicate_key"].en not in shown


def test_the_query_of_every_rejected_row_finds_it_in_the_erp(imported: Company) -> None:
    rows = imported.json("rejected", "account")["rows"]
    assert len(rows) == 3
    for row in rows:
        assert any(found[0] == row["row"]["CODCLI"] for found in imported.sql(row["query"]))


def test_the_query_of_a_row_that_is_read_by_a_query_can_be_run_as_it_is(
    new_company: NewCompany,
) -> None:
    company = new_company()
    text = company.config.read_text(encoding="utf-8")
    query = "SELECT CODCLI AS Id, RAGSOC AS Name, TIPO AS AccountTypeId FROM CLIENTI -- all of them"
    text = text[: text.index("  Account:")] + f"  Account:\n    query: |\n      {query}\n"
    company.config.write_text(text, encoding="utf-8")
    company.kimo("import")
    rows = company.json("rejected", "Account")["rows"]
    assert rows
    for row in rows:
        assert any(found[0] == row["row"]["Id"] for found in company.sql(row["query"]))


def test_values_of_the_erp_are_printed_as_they_are_and_move_no_cursor(imported: Company) -> None:
    result = imported.kimo("rejected", "Account")
    assert "[bold]9[/bold]" in result.stdout
    assert "\x1b" not in result.stdout


# --- since when
# ---------------------------------------------------------------------------------------------


def test_rows_rejected_again_are_shown_with_since_when_and_new_ones_first(company: Company) -> None:
    company.sql("INSERT INTO CLIENTI VALUES ('X9', 'Nuovo', 'A1', 8, 'EUR')")
    result = company.kimo("import")
    assert "4 rows rejected, 1 of them new" in result.stdout
    found = company.json("rejected", "Account")
    assert (found["rejected"], found["new"]) == (4, 1)
    assert [(row["row"]["CODCLI"], row["new"], row["times"]) for row in found["rows"]] == [
        ("X9", True, 1),
        ("X1", False, 2),
        ("X'2", False, 2),
        ("C1", False, 2),
    ]
    shown = company.kimo("rejected", "Account").stdout
    assert shown.startswith("Account  CODCLI=X9  step 1  new")
    assert shown.count(" (2 loads)") == 3
    assert "4 rows rejected, 1 of them new" in shown


def test_new_shows_only_what_the_load_before_did_not_refuse(company: Company) -> None:
    assert "3 rows rejected, all of them new" in company.kimo("rejected", "--new").stdout
    company.sql("UPDATE CLIENTI SET TIPO = 8 WHERE CODCLI = 'C8'")
    company.kimo("import")
    assert [
        row["row"]["CODCLI"] for row in company.json("rejected", "Account", "--new")["rows"]
    ] == ["C8"]
    # The customer's own link has lost its owner with it.
    counts = company.json("rejected", "--new")["counts"]
    assert [(count["entity"], count["step"], count["rows"]) for count in counts] == [
        ("Account", 1, 1),
        ("SalesAgentPerAccount", 2, 1),
    ]
    company.kimo("import")
    assert company.json("rejected", "--new")["counts"] == []
    assert (
        "No row is rejected that was not rejected in the load before."
        in company.kimo("rejected", "--new").stdout
    )


# --- as a file
# ----------------------------------------------------------------------------------------------


def test_the_file_of_an_entity_has_reason_query_and_a_cell_for_every_column(
    imported: Company, tmp_path: Path
) -> None:
    result = imported.kimo("rejected", "Account", "--csv", str(tmp_path / "rejected.csv"))
    assert result.stdout == f"3 rows written to {tmp_path / 'rejected.csv'}.\n"
    rows = read(tmp_path / "rejected.csv")
    assert list(rows[0])[:9] == [
        "entity",
        "source",
        "since",
        "reason_it",
        "reason_en",
        "column",
        "value",
        "key",
        "query",
    ]
    assert list(rows[0])[9:] == ["CODCLI", "TIPO", "CODVAL", "RAGSOC", "CODAGE"]
    trattoria = next(row for row in rows if row["RAGSOC"] == "Trattoria")
    assert (trattoria["column"], trattoria["value"], trattoria["key"]) == (
        "TIPO",
        "7",
        "CODCLI=X'2",
    )
    assert trattoria["query"] == "SELECT * FROM CLIENTI WHERE CODCLI = 'X''2'"
    assert (trattoria["reason_it"], trattoria["reason_en"]) == (
        RULES["unknown_enum_code"].it,
        RULES["unknown_enum_code"].en,
    )


def test_the_file_of_all_entities_holds_each_row_whole_in_one_cell(
    imported: Company, tmp_path: Path
) -> None:
    imported.kimo("rejected", "--csv", str(tmp_path / "rejected.csv"))
    rows = read(tmp_path / "rejected.csv")
    assert sorted(json.loads(row["row"])["CODCLI"] for row in rows) == ["C1", "X'2", "X1"]


def test_values_of_the_erp_never_become_formulas_and_stay_in_their_cell(
    company: Company, tmp_path: Path
) -> None:
    company.sql("""UPDATE CLIENTI SET RAGSOC = '=HYPERLINK("http://x";"y")' WHERE CODCLI = 'X1'""")
    company.sql(
        "UPDATE CLIENTI SET RAGSOC = 'two' || char(10) || 'lines; and \"quotes\"', CODAGE = '@A'"
        " WHERE CODCLI = 'X''2'"
    )
    company.sql("INSERT INTO CLIENTI VALUES ('=1+1', 'x', '-7', '+cmd|'' /C calc''!A0', '-1,5')")
    company.kimo("import")
    file = tmp_path / "rejected.csv"
    company.kimo("rejected", "Account", "--csv", str(file))
    rows = {row["key"]: row for row in read(file)}
    assert rows["CODCLI=X1"]["RAGSOC"] == """'=HYPERLINK("http://x";"y")"""
    assert rows["CODCLI=X'2"]["RAGSOC"] == 'two\nlines; and "quotes"'
    assert rows["CODCLI=X'2"]["CODAGE"] == "'@A"
    evil = rows["CODCLI==1+1"]
    assert (evil["CODCLI"], evil["value"]) == ("'=1+1", "'+cmd|' /C calc'!A0")
    # Numbers stay numbers.
    assert (evil["CODAGE"], evil["CODVAL"]) == ("-7", "-1,5")


@pytest.mark.parametrize(
    "value", ["=1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "-1+1", "+39 02 1"]
)
def test_what_a_spreadsheet_would_calculate_is_a_text(value: str) -> None:
    assert cell(value) == f"'{value}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), ("", ""), ("a=b", "a=b"), (-5, "-5"), ("+1.5", "+1.5"), ("'", "'")],
)
def test_what_is_no_formula_stays_as_it_is(value: Any, shown: str) -> None:
    assert cell(value) == shown


def test_a_text_that_is_too_long_for_a_cell_is_cut_and_says_so() -> None:
    assert len(cell("x" * 100_000)) < 32_767
    assert cell("x" * 100_000).endswith(" ... (100,000 characters)")


# --- retry
# --------------------------------------------------------------------------------------------------


def test_retry_says_of_each_entity_what_became_of_its_rows(company: Company) -> None:
    company.sql("INSERT INTO CLIENTI VALUES ('', 'senza', 'A1', 1, 'EUR')")
    company.kimo("import")
    company.sql("UPDATE CLIENTI SET TIPO = 1 WHERE CODCLI = 'X1'")
    company.sql("DELETE FROM CLIENTI WHERE CODCLI = 'X''2'")
    result = company.kimo("retry", "account")
    assert result.exit_code == 0
    table = next(line.split() for line in result.stdout.splitlines() if line.startswith("Account"))
    assert table[:7] == ["Account", "1", "3", "1", "1", "1", "1"]
    assert "Rows without a key cannot be looked up" in result.stdout
    assert "2 rows rejected: " in result.stdout
    assert company.kimo("status").stdout.startswith("Load 3, Riprova delle righe scartate")
    assert (
        "No row of SalesAgent is rejected: there is nothing to retry."
        in company.kimo("retry", "SalesAgent").stdout
    )


def test_retry_as_json_is_the_report_of_its_steps(company: Company) -> None:
    company.sql("UPDATE CLIENTI SET TIPO = 1 WHERE CODCLI = 'X1'")
    report = company.json("retry")
    assert report["success"] is True
    account = report["steps"]["1"]["Account"]
    assert {
        name: account[name] for name in ("retried", "good", "still_refused", "gone", "without_key")
    } == {
        "retried": 3,
        "good": 1,
        "still_refused": 2,
        "gone": 0,
        "without_key": 0,
    }
    assert (account["read"], account["staged"], account["rejected"]) == (11, 9, 2)
    assert report["steps"]["2"]["Account"]["inserted"] == 1
    assert "Account" in report["steps"]["3"]


def test_a_retry_of_an_erp_that_is_gone_is_exit_code_1_and_keeps_the_rows(company: Company) -> None:
    company.erp.write_bytes(b"")
    result = company.kimo("retry")
    assert result.exit_code == 1
    assert "Account: there is no table or view CLIENTI" in result.stdout
    assert company.json("rejected")["rejected"] == 3


def test_a_name_that_is_no_mapped_entity_is_exit_code_2(imported: Company) -> None:
    assert "Did you mean Account" in imported.kimo("retry", "Acount").stderr
    assert imported.kimo("retry", "Item").exit_code == 2
