"""Passwords that are planted in every URL, and searched for in everything that runs leave
behind.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from kimo_assets.config import load_config
from kimo_assets.webapi.app import build_app
from kimo_assets_tests.cli.conftest import Company, NewCompany
from kimo_assets_tests.support.network import Line, asking_for_password
from kimo_assets_tests.webapi.conftest import ask, serving

ERP_PASSWORD = "pl4nted/at the ERP ü"
WRONG_PASSWORD = "pl4nted/but wrong ü"
OWN_PASSWORD = "pl4nted/at home ü"
PLANTED = re.compile("pl4nted")

# Where any run leaves something, where any import does, and where only one that brought rows does.
PLACES = {
    "said",
    "kimo.yaml",
    "*.out",
    "*.err",
    "public.runs",
    "public.event_logs",
}
PLACES_OF_IMPORT = {"ops.load", "ops.step_result"}
PLACES_OF_ROWS = {"integrator.Account", "kimo.Account", "store.json", "A1.json.zst"}

ERP = """
    CREATE TABLE clienti AS SELECT 'C' || n AS codcli, 'Bar ' || n AS ragsoc
        FROM generate_series(1, 5000) AS n;
    CREATE TABLE agenti AS SELECT 'A1' AS codage, 'Anna' AS nome;
    CREATE TABLE importfromerpsemaphore AS SELECT 0 AS status;
"""
MAPPING = """
entities:
  SalesAgent: {table: agenti, fields: {Id: codage, Description: nome}}
  Account: {table: clienti, fields: {Id: codcli, Name: ragsoc}}
"""


@pytest.fixture
def line(new_company: NewCompany) -> Iterator[Line]:
    database = new_company().database
    with database.connect() as connection:
        connection.execute(ERP)
    with asking_for_password(database, ERP_PASSWORD) as line:
        yield line


@pytest.fixture
def company(new_company: NewCompany, line: Line, monkeypatch: pytest.MonkeyPatch) -> Company:
    """No password stands in its kimo.yaml: they are in the environment, as they should be."""
    company = new_company()
    monkeypatch.setenv("ERP_PASSWORD", quote(ERP_PASSWORD, safe=""))
    monkeypatch.setenv("KIMO_PASSWORD", quote(OWN_PASSWORD, safe=""))
    document = company.config.read_text(encoding="utf-8").partition("\nentities:")[0]
    document = document.replace("postgres:@", "postgres@").replace(
        "postgres@", "postgres:${KIMO_PASSWORD}@"
    )
    url = (
        make_url(line.url("asked", "x"))
        .render_as_string(hide_password=False)
        .replace(":x@", ":${ERP_PASSWORD}@")
    )
    company.config.write_text(
        document.replace("sqlite:///erp.sqlite", f"'{url}'") + MAPPING, encoding="utf-8"
    )
    assert "KIMO_PASSWORD" in document
    return company


def everything(company: Company, *, dagster_url: str) -> Iterator[tuple[str, str]]:
    """(where, text) of all that a run leaves: files, every row of every table of both databases."""
    for file in company.directory.rglob("*"):
        if file.name == "dagster.yaml":
            # What Dagster reads its database's address from; nobody else may.
            assert file.stat().st_mode & 0o077 == 0
        elif file.is_file():
            yield str(file), file.read_bytes().decode("utf-8", "replace")
    yield from rows_of(company.database.dsn)
    yield from rows_of(dagster_url)


def rows_of(dsn: str) -> Iterator[tuple[str, str]]:
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog',"
            " 'information_schema')"
        ).fetchall()
        for schema, name in tables:
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(schema, name))
            for (text,) in connection.execute(query):
                yield f"{schema}.{name}", text


def searched(company: Company, said: list[str]) -> set[str]:
    """Looks everywhere for a password, and returns the places: tables, files, `said`."""
    url = (
        make_url(company.database.dagster_url)
        .set(drivername="postgresql")
        .render_as_string(hide_password=False)
    )
    pieces = [*everything(company, dagster_url=url), *(("said", text) for text in said)]
    assert [(where, text[:300]) for where, text in pieces if PLANTED.search(text)] == []
    return places(pieces)


def places(pieces: list[tuple[str, str]]) -> set[str]:
    """Files by their names; those that Dagster names at random, what a step printed, by their
    suffix.
    """
    return {
        f"*{Path(where).suffix}" if "compute_logs" in where else where.rpartition("/")[2]
        for where, _ in pieces
    }


def commands(company: Company, caplog: pytest.LogCaptureFixture) -> list[str]:
    said = []
    for command in (["import"], ["check"], ["status"], ["semaphore", "show"], ["rejected"]):
        for form in ([], ["--json"]):
            result = company.kimo(*command, *form)
            said += [result.stdout, result.stderr, repr(result.exception)]
    return [*said, caplog.text]


def test_a_good_run_leaves_no_password_anywhere(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    said = commands(company, caplog)
    assert '"success": true' in said[3]
    assert searched(company, said) >= PLACES | PLACES_OF_IMPORT | PLACES_OF_ROWS


def test_a_wrong_password_is_nowhere_either(
    company: Company, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP_PASSWORD", quote(WRONG_PASSWORD, safe=""))
    said = commands(company, caplog)
    assert 'password authentication failed for user "asked"' in said[0]
    assert searched(company, said) >= PLACES | PLACES_OF_IMPORT


def test_a_failing_query_and_a_task_that_shouts_the_password_leave_none(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    document = company.config.read_text(encoding="utf-8")
    failing = "table: clienti, where: '1 / (5000 - substr(codcli, 2)::int) < 9'"
    company.config.write_text(document.replace("table: clienti", failing), encoding="utf-8")
    said = commands(company, caplog)
    assert "division by zero" in said[0]
    task = company.directory / "prepare.sh"
    task.write_text(
        f"#!/bin/sh\necho 'cannot log in with {ERP_PASSWORD}, pwd={OWN_PASSWORD}'\nexit 1\n",
        encoding="utf-8",
    )
    task.chmod(0o755)
    company.config.write_text(document + "import: {custom_task: prepare.sh}\n", encoding="utf-8")
    more = commands(company, caplog)
    assert "cannot log in with ***, pwd=***" in more[0] + more[1]
    task.unlink()
    assert searched(company, said + more) >= PLACES | PLACES_OF_IMPORT


def test_a_source_that_is_down_google_that_refuses_and_the_web_api_leave_none(
    company: Company, line: Line, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ERP goes away after a good import; an export and the rest are tried; then the API is
    asked, with its token.
    """
    monkeypatch.setenv("GOOGLE_MAPS_API_KEY", "AIzaSyD-pl4nted-at-Google-0123456789_ab")
    monkeypatch.setenv("SMTP_PASSWORD", "pl4nted by mail")
    caplog.set_level("INFO", "kimo_assets.webapi")
    document = company.config.read_text(encoding="utf-8")
    settings = (
        "geocoding: {base_url: 'http://127.0.0.1:1', timeout_s: 1}\nexport: {entities: {Account:"
        " {table: clienti}}}\nnotifications: {smtp: {host: 127.0.0.1, port: 1, username: kimo,"
        " password: '${SMTP_PASSWORD}', timeout_s: 1}, error_recipients: [it@example.it]}\n"
    )
    source = "sources: {erp: {connect_attempts: 1, "
    company.config.write_text(
        document.replace("sources: {erp: {", source) + settings, encoding="utf-8"
    )
    good = company.kimo("import")
    assert good.exit_code == 0, good.output
    with company.database.connect() as connection:
        address = """"AccountTypeId" = 1, "AddressLine" = 'Via Roma 1', "AddressCity" = 'Pesaro'"""
        connection.execute(f"""UPDATE kimo."Account" SET {address} WHERE "Id" = 'C1'""")  # type: ignore[arg-type]
    line.close()
    said = []
    for command, exit_code in (("import", 1), ("export", 1), ("geocode", 0)):
        result = company.kimo(command, "--json")
        assert result.exit_code == exit_code, result.output
        said += [result.stdout, result.stderr, repr(result.exception)]
    assert "source 'erp'" in said[3], said[3]
    assert "The server cannot be reached" in said[6]
    said += web_api_answers(company)
    assert "-> 401" in caplog.text
    assert searched(company, [*said, caplog.text]) >= PLACES | PLACES_OF_IMPORT | PLACES_OF_ROWS


def web_api_answers(company: Company) -> list[str]:
    """What the web API says, with the right token, a wrong one and none; Dagster's webserver is
    down.
    """
    token = "pl4nted-in-the-API"
    config = load_config(company.config)
    said = []
    with serving(
        build_app(
            config, lambda: company.database, token=token, graphql_url="http://127.0.0.1:1/graphql"
        )
    ) as base:
        for name in ("FullImportFromErp", "ImportFromErp?tables=Acount", "Status", "nonsense"):
            for given in (token, f"{token}0", None):
                by_header, by_address = (
                    ask(base, name, token=given),
                    ask(base, name, token=None, params={"token": given}),
                )
                said += [f"{answer.text} {answer.headers}" for answer in (by_header, by_address)]
    return said


def test_the_search_would_find_one(
    company: Company, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    company.kimo("import")
    with company.database.connect() as connection:
        connection.execute("UPDATE ops.load SET title = %s", [ERP_PASSWORD])
    with pytest.raises(AssertionError):
        searched(company, [])
