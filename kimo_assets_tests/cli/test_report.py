"""kimo report: the same report on the screen, as a file and by mail."""

from pathlib import Path

from kimo_assets_tests.cli.conftest import Company, NewCompany
from kimo_assets_tests.support.mail_server import html_of, mail_server, text_of


def test_it_is_printed_and_written(imported: Company, tmp_path: Path) -> None:
    printed = imported.kimo("report").stdout
    assert printed.startswith("Rapporto del mattino, ")
    assert "Righe scartate: 3, nuove 3" in printed
    file = tmp_path / "report.html"
    assert imported.kimo("report", "--html", str(file)).exit_code == 0
    assert "Righe scartate: 3, nuove 3" in file.read_text(encoding="utf-8")
    assert "\x1b" not in printed + file.read_text(encoding="utf-8")


def test_as_json_it_has_the_figures(imported: Company) -> None:
    document = imported.json("report")
    assert document["fresh"].keys() == {"SalesAgent", "Account", "SalesAgentPerAccount"}
    assert document["tablets"] == {
        "max_hours": 72.0,
        "is_known": False,
        "late": [],
        "agents_unknown": ["A1", "A2"],
    }
    assert document["sent"] is None


def test_sent_without_a_server_it_says_what_is_missing(imported: Company) -> None:
    result = imported.kimo("report", "--send")
    assert result.exit_code == 1
    assert "there is no mail server" in result.stdout


def test_it_is_sent(new_company: NewCompany) -> None:
    company = new_company()
    with mail_server() as server:
        smtp = f"{{host: 127.0.0.1, port: {server.port}, security: plain}}"
        with company.config.open("a", encoding="utf-8") as file:
            file.write(
                f"notifications: {{smtp: {smtp}, language: en, error_recipients:"
                " [edp@firm.example]}\n"
            )
        result = company.kimo("report", "--send")
        assert result.exit_code == 0, result.output
        assert "1 mail sent" in result.stdout
    ((to, mail),) = server.taken
    assert to == ["edp@firm.example"]
    assert "3 entities older than 26 hours, or never read" in text_of(mail)
    assert "Last load" in html_of(mail)
