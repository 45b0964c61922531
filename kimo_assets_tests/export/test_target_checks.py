"""What kimo check says of the tables that an export would write to."""

from collections.abc import Iterator
from typing import Any

import pytest

from kimo_assets.config import KimoConfig
from kimo_assets.export.target_checks import check_targets
from kimo_assets.reports import Finding
from kimo_assets.sources.connection import open_source
from kimo_assets_tests.support.integrations import Command, Integration

GOOD = (
    "CREATE TABLE ORDINI (Id varchar(50), CreationDate timestamp NULL, SyncReference varchar(50))"
)


def found(
    database: Integration, formats: dict[str, Any] | None = None, **entities: Any
) -> list[Finding]:
    export = {"entities": entities, "formats": formats or {}}
    config = KimoConfig.model_validate(
        {"sources": {"erp": {"url": database.url}}, "export": export}
    )
    engine = open_source("erp", config.sources["erp"], writable=True)
    try:
        return list(check_targets(engine, config))
    finally:
        engine.dispose()


def told(
    database: Integration, formats: dict[str, Any] | None = None, **entities: Any
) -> list[tuple[str, str, str]]:
    """What is not ok."""
    doubts = found(database, formats, **entities)
    return [(doubt.level, doubt.subject, doubt.message) for doubt in doubts if doubt.level != "ok"]


def test_a_table_that_takes_all_it_is_given_is_ok(integration: Integration) -> None:
    integration.execute(GOOD)
    (ok,) = (
        doubt for doubt in found(integration, Document="ordini") if doubt.subject == "Document"
    )
    assert ok.level == "ok"
    assert ok.message.casefold().startswith("table ordini: 3 of 215 fields have a column")
    assert ok.details["table"].casefold() == "ordini"
    assert "Notes" in ok.details["fields_without_column"]


def test_a_missing_table_is_an_error_and_that_of_a_part_that_is_not_listed_a_warning(
    integration: Integration,
) -> None:
    integration.execute(GOOD)
    line, account = told(integration, Document="ordini", Account="CLIENTI_NUOVI")[::-1]
    assert (account[0], line[0]) == ("error", "warning")
    assert "there is no table or view CLIENTI_NUOVI" in account[2]
    assert line[2].endswith(
        "It is not listed, so its rows stay here: add export.entities.DocumentLine with its table"
    )


def test_what_nobody_fills_and_what_never_fits_are_errors(integration: Integration) -> None:
    integration.execute(
        "CREATE TABLE ORDINI (Id varchar(50), SyncReference varchar(50), UTENTE varchar(9) NOT"
        " NULL, DocumentDate decimal(8,0), CollectOnSite char(1), DocumentStatus varchar(1), STATO"
        " varchar(9) DEFAULT 'N' NOT NULL)",
        "CREATE TABLE DocumentLine (Id varchar(50))",
    )
    errors = [
        message
        for level, _, message in told(integration, {"date": "dd/MM/yyyy"}, Document="ordini")
    ]
    assert (
        errors[0]
        .casefold()
        .startswith("utente must have a value, and no field fills it: every row would be refused. ")
    )
    assert "cannot take CollectOnSite, e.g. 'True': 4 characters, and " in errors[1]
    assert errors[1].endswith("export.formats.boolean: zero_one writes 1 and 0")
    assert "cannot take DocumentDate, e.g. '31/12/2026': " in errors[2]
    assert (
        "cannot take DocumentStatus, e.g. '-1': 2 characters, and VARCHAR(1) holds 1. " in errors[3]
    )
    assert len(errors) == 4
    formats = {"date": "yyyyMMdd", "boolean": "zero_one"}
    assert (
        len(
            told(
                integration,
                formats,
                Document={"table": "ordini", "transform": {"DocumentStatus": "trim"}},
            )
        )
        == 1
    )


def test_a_constant_that_its_column_cannot_hold_is_an_error(sqlite: Integration) -> None:
    sqlite.execute("CREATE TABLE ORDINI (SyncReference varchar(50), ORIGINE varchar(3))")
    mapping = {
        "table": "ORDINI",
        "fields": {"FreeText1": "ORIGINE"},
        "transform": {"FreeText1": {"constant": "KIMO"}},
    }
    assert told(sqlite, Document=mapping)[0] == (
        "error",
        "Document",
        "ORIGINE cannot take the constant of FreeText1: 4 characters, and VARCHAR(3) holds 3",
    )


def test_columns_shorter_than_their_field_and_a_missing_sync_reference_are_warnings(
    sqlite: Integration,
) -> None:
    sqlite.execute(
        "CREATE TABLE Document (Id varchar(20), Notes varchar(80), Number varchar(50), DeliveryDate"
        " date NULL)",
        "CREATE TABLE DocumentLine (Id varchar(50))",
    )
    assert told(sqlite, {"null_date": -1}, Document=None) == [
        (
            "warning",
            "Document",
            (
                "columns shorter than their field: Id 20 (Id has up to 50), Notes 80 (Notes has no"
                " limit). A longer value is not cut: its record is held"
            ),
        ),
        ("warning", "Document", "DeliveryDate cannot hold '-1' for no value, so NULL is written"),
        (
            "warning",
            "Document",
            (
                "no column takes SyncReference: the ERP cannot answer by it, and Kimo cannot look"
                " up what arrived"
            ),
        ),
    ]


def test_moments_that_become_less_exact_are_noted(mariadb: Integration) -> None:
    mariadb.execute(
        "CREATE TABLE Document (CreationDate datetime, ReviewTimeStamp datetime(6), FreeDateTime1"
        " date)"
    )
    (ok,) = (doubt for doubt in found(mariadb, Document=None) if doubt.level == "ok")
    assert ok.message.endswith(". Less exact there: CreationDate (DATETIME), FreeDateTime1 (DATE)")


@pytest.fixture
def reader_of_mariadb(mariadb: Integration) -> Iterator[Integration]:
    name = mariadb.url.rpartition("/")[2]
    mariadb.execute(
        "CREATE USER kimo_reader@'%' IDENTIFIED BY 'x'",
        f"GRANT SELECT ON {name}.* TO kimo_reader@'%'",
    )
    yield Integration(mariadb.url.replace("root@", "kimo_reader:x@"))
    mariadb.execute("DROP USER kimo_reader@'%'")


def test_mariadb_tells_whether_rows_may_be_inserted(
    mariadb: Integration, reader_of_mariadb: Integration
) -> None:
    mariadb.execute(GOOD)
    assert (
        "error",
        "Document",
        "this user may not insert into ORDINI: have the ERP grant it",
    ) in told(reader_of_mariadb, Document="ORDINI")
    mariadb.execute("GRANT INSERT ON ORDINI TO kimo_reader@'%'")
    assert not any(
        "may not insert" in message for _, _, message in told(reader_of_mariadb, Document="ORDINI")
    )


def test_postgresql_tells_whether_rows_may_be_inserted(postgresql: Integration) -> None:
    postgresql.execute(
        GOOD.replace("ORDINI", '"Ordini 2"'),
        "DROP ROLE IF EXISTS kimo_reader",
        "CREATE ROLE kimo_reader LOGIN PASSWORD 'x'",
        "GRANT USAGE ON SCHEMA public TO kimo_reader",
    )
    url = (
        postgresql.engine()
        .url.set(username="kimo_reader", password="x")
        .render_as_string(hide_password=False)
    )
    reader = Integration(url)
    try:
        assert any(
            "may not insert into" in message
            for _, _, message in told(reader, Document='"Ordini 2"')
        )
        postgresql.execute('GRANT INSERT ("id") ON "Ordini 2" TO kimo_reader')
        assert not any(
            "may not insert into" in message
            for _, _, message in told(reader, Document='"Ordini 2"')
        )
    finally:
        postgresql.execute(
            'DROP TABLE "Ordini 2"', "DROP OWNED BY kimo_reader", "DROP ROLE kimo_reader"
        )


def test_a_file_of_sqlite_that_may_not_be_written_is_told(
    sqlite: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite.execute(GOOD)
    monkeypatch.setattr(
        "os.access", lambda file, mode: not str(file).endswith("integration.sqlite")
    )
    assert (
        "error",
        "Document",
        "this user may not insert into ORDINI: have the ERP grant it",
    ) in told(sqlite, Document="ORDINI")


def test_kimo_check_says_it(sqlite: Integration, command: Command) -> None:
    sqlite.execute(GOOD, "CREATE TABLE ZONE (Id text)")
    export = "export: {entities: {Document: ORDINI, DocumentLine: RIGHE}}\nentities: {Zone: ZONE}\n"
    text = f"sources: {{erp: {{url: '{sqlite.url}'}}}}\n{export}{command.kimo_database}\n"
    command.file.write_text(text, encoding="utf-8")
    findings = {
        f["what"]: f for f in command.json("check", code=1) if f["what"].startswith("export")
    }
    assert findings["export Document"]["level"] == "ok"
    assert findings["export Document"]["columns"]["Id"] == "Id"
    assert findings["export DocumentLine"]["level"] == "error"
    assert (
        "export DocumentLine: there is no table or view RIGHE"
        in command.run("check", code=1).stdout
    )
    assert "export Document" not in command.run("check", "--entities", "Zone").stdout
