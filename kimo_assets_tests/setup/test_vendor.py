"""kimo mapping pull: the vendor's three tables become the mapping, and nothing of them is lost."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from sqlalchemy import Integer, String, Text

from kimo_assets.catalog import load_catalog
from kimo_assets.config import EntityMapping, load_config
from kimo_assets.config.models import ExportConfig
from kimo_assets.config.schema import EDITOR_LINE, SCHEMA_FILE
from kimo_assets.database.server import Database
from kimo_assets.pipeline.workflows import run_import
from kimo_assets_tests.support.integrations import Command, Integration
from kimo_assets_tests.test_northwind import EXAMPLE, northwind_file

FIELD_COLUMNS = ["KimoEntity", "KimoField", "ErpImportName", "ErpExportName", "SystemId"]
MAPPING_COLUMNS = [*FIELD_COLUMNS, "ImportTransformations", "ExportTransformations"]
FILTER_COLUMNS = ["KimoEntity", "AdditionalFilter", "CustomQuery", "SystemId"]

Values = Sequence[Any]


def integrator(
    database: Integration,
    mapping: Sequence[Values] = (),
    filters: Sequence[Values] = (),
    settings: Sequence[Values] = (),
) -> Integration:
    """The vendor's tables with these rows; values at a row's end may be left out."""
    for name, columns, rows in (
        ("IntegratorMapping", MAPPING_COLUMNS, mapping),
        ("IntegratorImportFilter", FILTER_COLUMNS, filters),
        ("IntegratorSystemSetting", ["Key", "Value"], settings),
    ):
        padded = [dict(zip(columns, [*row, *[None] * len(columns)], strict=False)) for row in rows]
        database.table(
            name,
            {column: Text if column == "CustomQuery" else String(500) for column in columns},
            padded,
        )
    return database


@pytest.fixture
def pulled(
    sqlite: Integration, command: Command, tmp_path: Path
) -> Callable[..., tuple[dict[str, Any], Any, str]]:
    """Pulls these rows into a mapping file: its entities as YAML reads them, the command's JSON,
    the file's text.
    """

    def pull(*arguments: str, **rows: Sequence[Values]) -> tuple[dict[str, Any], Any, str]:
        integrator(sqlite, **rows)
        said = command.json("mapping", "pull", sqlite.url, *arguments)
        text = Path(said["file"]).read_text(encoding="utf-8")
        return yaml.safe_load(text)["entities"], said, text

    return pull


Pull = Callable[..., tuple[dict[str, Any], Any, str]]

# --- Northwind
# --------------------------------------------------------------------------------------------------


def vendor_rows(entities: dict[str, tuple[EntityMapping, ...]]) -> dict[str, list[Values]]:
    """A mapping as the vendor's tables would hold it."""
    mapping: list[Values] = []
    filters: list[Values] = []
    for name, (one,) in entities.items():
        if not one.query:
            mapping.append((name, None, one.table or name))
        mapping += [(name, field, column) for field, column in one.fields.items()]
        if one.query or one.where:
            filters.append((name, one.where, one.query))
    return {"mapping": mapping, "filters": filters}


def stripped(entities: dict[str, tuple[EntityMapping, ...]]) -> dict[str, EntityMapping]:
    return {
        name: one.model_copy(update={"query": one.query and one.query.strip()})
        for name, (one,) in entities.items()
    }


def content(database: Database, entities: Sequence[str]) -> dict[str, list[Any]]:
    """Every row of every entity, in staging and in Kimo, without our bookkeeping."""
    with database.connect() as connection:
        return {
            f"{schema}.{name}": sorted(_rows(connection, schema, name), key=repr)
            for schema in ("integrator", "kimo")
            for name in entities
        }


def _rows(connection: psycopg.Connection, schema: str, name: str) -> list[Any]:
    cursor = connection.execute(f'SELECT * FROM {schema}."{name}"')  # type: ignore[arg-type]
    columns = [column.name for column in cursor.description or ()]
    return [
        {c: v for c, v in zip(columns, row, strict=True) if not c.startswith("_")} for row in cursor
    ]


def test_northwind_under_the_vendors_tables_imports_as_the_example_does(
    integration: Integration,
    command: Command,
    own_database: Database,
    new_database: Callable[[], Database],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    file = northwind_file()
    monkeypatch.setenv("KIMO_NORTHWIND", str(file))
    example = load_config(EXAMPLE / "kimo.yaml").model_copy(
        update={"data_dir": tmp_path / "example"}
    )
    integrator(integration, **vendor_rows(example.entities))
    said = command.json("mapping", "pull", integration.url, "--erp-url", f"sqlite:///{file}")
    assert (said["whole"], said["kept_as_comments"], said["left_out"]) == (True, {}, {})
    assert command.text.startswith(f"{EDITOR_LINE}\n")
    assert (command.folder / SCHEMA_FILE).exists()
    assert stripped(load_config(command.file).entities) == stripped(example.entities)
    assert command.imported()["success"] is True
    expected = new_database()
    assert run_import(example, expected).success
    found = content(own_database, list(example.entities))
    assert found == content(expected, list(example.entities))
    assert sum(map(len, found.values())) > 6000


# --- what becomes of a row
# --------------------------------------------------------------------------------------


def test_the_manuals_example_becomes_a_mapping(pulled: Pull) -> None:
    entities, said, _ = pulled(
        mapping=[
            ("CustomerGroup", None, "ErpCustomerGroup"),
            ("CustomerGroup", "Id", "CODE"),
            ("CustomerGroup", "Description", "DESCRIPTION"),
        ]
    )
    assert entities == {"CustomerGroup": {"table": "ErpCustomerGroup", "fields": {"Id": "CODE"}}}
    assert (said["remarks"], said["kept_as_comments"]) == ([], {})


def test_names_match_ignoring_case_and_blanks_and_an_empty_text_is_no_name(pulled: Pull) -> None:
    entities, said, _ = pulled(
        mapping=[
            (" customergroup ", "  ", " GRUPPI "),
            ("CUSTOMERGROUP", "id", "CODE"),
            ("Zone", "", "zone", "", "ERP"),
        ]
    )
    assert entities == {
        "Zone": "zone",
        "CustomerGroup": {"table": "GRUPPI", "fields": {"Id": "CODE"}},
    }
    assert said["remarks"] == []


def test_two_systems_feed_one_entity(pulled: Pull, command: Command) -> None:
    entities, _, _ = pulled(
        mapping=[
            ("Account", None, "LEADS", None, "Crm"),
            ("Account", "Name", "TITLE", None, "Crm"),
            ("Account", None, "CLIENTI", None, "Erp"),
        ],
        filters=[("Account", "ATTIVO = 1", None, "crm")],
    )
    assert entities["Account"] == [
        {"table": "CLIENTI"},
        {"source": "crm", "table": "LEADS", "where": "ATTIVO = 1", "fields": {"Name": "TITLE"}},
    ]
    command.file.write_text(
        "sources: {erp: {url: 'sqlite:///e'}, crm: {url: 'sqlite:///c'}}\nmapping: mapping.yaml\n",
        encoding="utf-8",
    )
    assert [one.source for one in load_config(command.file).entities["Account"]] == ["erp", "crm"]


def test_filters_and_queries_become_where_and_query(pulled: Pull) -> None:
    query = "SELECT CODE AS Id,\n\t'it''s: #1' AS Description -- 100%\nFROM GRUPPI;"
    entities, said, _ = pulled(
        mapping=[("Zone", None, "ZONE"), ("CustomerGroup", None, "GRUPPI")],
        filters=[
            ("Zone", "where ATTIVO = 'S'", ""),
            ("CustomerGroup", None, query),
            ("Language", None, "SELECT 1 AS Id"),
        ],
    )
    assert entities["Zone"] == {"table": "ZONE", "where": "ATTIVO = 'S'"}
    assert entities["CustomerGroup"]["query"].strip() == query.rstrip(";")
    assert entities["Language"] == {"query": "SELECT 1 AS Id"}
    assert said["remarks"] == ["Zone: 'where' before its AdditionalFilter is taken off"]


def test_a_filter_beside_a_query_is_put_around_it(pulled: Pull) -> None:
    entities, _, _ = pulled(filters=[("Zone", "Id <> 'X'", "SELECT Id FROM ZONE")])
    assert (
        entities["Zone"]["query"]
        == "SELECT * FROM (\nSELECT Id FROM ZONE\n) kimo_filtered WHERE Id <> 'X'\n"
    )


def test_transformations_of_the_import_become_steps(pulled: Pull) -> None:
    entities, _, _ = pulled(
        mapping=[
            ("Account", None, "CLIENTI"),
            ("Account", "Id", "CHIAVE", None, None, "stringtohash"),
            ("Account", "HeadOfficeId", None, None, None, "QueryAsLong|StringToHash"),
        ]
    )
    assert entities["Account"]["transform"] == {
        "Id": "StringToHash",
        "HeadOfficeId": ["QueryAsLong", "StringToHash"],
    }
    assert entities["Account"]["fields"] == {"Id": "CHIAVE"}


def test_formats_of_dates_go_to_their_source(
    sqlite: Integration, command: Command, tmp_path: Path
) -> None:
    settings = [
        ("DateFormat", "yyyyMMdd"),
        ("Crm\\DateTimeFormat", "dd/MM/yyyy HH:mm:ss"),
        ("Erp\\BooleanFormat", "ZeroOne"),
        ("DateExportFormat", "ddMMyy"),
        ("DataFormat\\DateTimeFormat", "yyyyMMddHHmmss"),
    ]
    integrator(sqlite, mapping=[("Zone", None, "Z")], settings=settings)
    urls = (
        "--erp-url",
        f"sqlite:///{tmp_path}/e.sqlite",
        "--crm-url",
        f"sqlite:///{tmp_path}/c.sqlite",
    )
    said = command.json("mapping", "pull", sqlite.url, *urls)
    config = load_config(command.file)
    sources = config.sources
    assert (sources["erp"].formats.date, sources["erp"].formats.datetime) == (
        "yyyyMMdd",
        "yyyyMMddHHmmss",
    )
    assert (sources["crm"].formats.date, sources["crm"].formats.datetime) == (
        None,
        "dd/MM/yyyy HH:mm:ss",
    )
    assert (config.export.formats.boolean, config.export.formats.date) == ("zero_one", "ddMMyy")
    assert said["kept_as_comments"] == {}


def test_without_a_source_the_formats_are_told_for_kimo_yaml(
    pulled: Pull, command: Command, sqlite: Integration
) -> None:
    _, said, text = pulled(
        mapping=[("Zone", None, "Z")],
        settings=[("DateFormat", "yyyyMMdd"), ("PollingSeconds", "5")],
    )
    assert said["formats"] == {"erp": {"date": "yyyyMMdd"}}
    assert "sources.erp:  formats: {date: 'yyyyMMdd'}" in text
    assert "# erp: IntegratorSystemSetting PollingSeconds = 5" in text
    again = command.run("mapping", "pull", sqlite.url, "--force").stdout
    assert "under sources.erp:  formats: {date: 'yyyyMMdd'}" in again
    assert "Kept as comments, without effect here: 1 settings." in again


def test_hashed_keys_written_dates_and_two_systems_import_by_the_commands_alone(
    integration: Integration, command: Command, own_database: Database
) -> None:
    day = next(
        name
        for name, field in load_catalog()["Account"].fields.items()
        if field.type in ("date", "dt")
    )
    columns = {"CHIAVE": String(200), "RAGSOC": String(60), "DATA": String(20), "COD": Integer}
    rows = [
        {"CHIAVE": f"{'x' * 60}{number}", "RAGSOC": "Bar", "DATA": "31/12/2025", "COD": number}
        for number in range(3)
    ]
    integration.table("CLIENTI", columns, rows)
    integration.table(
        "LEADS", {"ID": String(20), "TITLE": String(60)}, [{"ID": "L1", "TITLE": "Lead"}]
    )
    integrator(
        integration,
        mapping=[
            ("Account", None, "CLIENTI"),
            ("Account", "Id", "CHIAVE", None, None, "StringToHash"),
            ("Account", "Name", "RAGSOC"),
            ("Account", day, "DATA"),
            ("Account", "HeadOfficeId", "COD", None, None, "QueryAsLong|StringToHash"),
            ("Account", None, "LEADS", None, "Crm"),
            ("Account", "Name", "TITLE", None, "Crm"),
        ],
        settings=[("DateFormat", "dd/MM/yyyy")],
    )
    command.json(
        "mapping",
        "pull",
        integration.url,
        "--erp-url",
        integration.url,
        "--crm-url",
        integration.url,
    )
    assert command.imported()["success"] is True
    assert [f for f in command.json("check") if f["level"] == "error"] == []
    with own_database.connect() as connection:
        found = connection.execute(
            f'SELECT "Id", "Name", "{day}"::date::text FROM kimo."Account" ORDER BY 2'
        ).fetchall()
    assert [(name, written) for _, name, written in found] == [("Bar", "2025-12-31")] * 3 + [
        ("Lead", None)
    ]
    keys = {key for key, *_ in found}
    assert len(keys) == 4
    assert max(map(len, keys)) <= 50


# --- the export
# -------------------------------------------------------------------------------------------------


def written(text: str, command: Command) -> ExportConfig:
    """The export section of a pulled mapping file, by way of a kimo.yaml that names it."""
    sources = "sources: {erp: {url: 'sqlite:///e'}, crm: {url: 'sqlite:///c'}}"
    command.file.write_text(f"{sources}\nmapping: mapping.yaml\n", encoding="utf-8")
    assert text == (command.folder / "mapping.yaml").read_text(encoding="utf-8")
    return load_config(command.file).export


def test_names_and_transformations_of_the_export_become_its_section(
    pulled: Pull, command: Command
) -> None:
    entities, said, text = pulled(
        mapping=[
            ("Activity", None, "ATTIVITA", "ATTIVITA_OUT"),
            (
                "Activity",
                "Id",
                "COD",
                "COD_OUT",
                None,
                None,
                "RemovePrefix:Activity_|StringToInteger",
            ),
            ("DocumentLine", None, None, "dbo.RIGHE"),
            ("Document", "Number", None, "NUMERO"),
            ("Document", "Id", None, "ID"),
            ("Document", "FreeText1", None, None, None, None, "FixedValueAsString:KIMO: nuovo"),
            ("Rma", None, "RESI"),
            ("Contact", None, None, "CONTATTI_OUT"),
        ]
    )
    assert entities == {"Activity": {"table": "ATTIVITA", "fields": {"Id": "COD"}}, "Rma": "RESI"}
    assert (said["kept_as_comments"], said["remarks"]) == ({}, [])
    assert yaml.safe_load(text)["export"] == {
        "entities": {
            "Contact": "CONTATTI_OUT",
            "Activity": {
                "table": "ATTIVITA_OUT",
                "fields": {"Id": "COD_OUT"},
                "transform": {"Id": [{"RemovePrefix": "Activity_"}, "StringToInteger"]},
            },
            "Document": {
                "fields": {"Number": "NUMERO"},
                "transform": {"FreeText1": {"constant": "KIMO: nuovo"}},
            },
            "DocumentLine": "dbo.RIGHE",
        }
    }
    assert written(text, command).entities["Activity"].table == "ATTIVITA_OUT"


def test_an_entity_that_is_only_exported_needs_but_its_row_and_a_part_takes_its_head_along(
    pulled: Pull, command: Command
) -> None:
    entities, said, text = pulled(
        mapping=[("Document",), ("RmaAttachment", None, None, "ALLEGATI"), ("Zone", None, "Z")]
    )
    assert entities == {"Zone": "Z"}
    assert yaml.safe_load(text)["export"]["entities"] == {
        "Document": {},
        "Rma": {},
        "RmaAttachment": "ALLEGATI",
    }
    assert said["remarks"] == [
        "Rma is exported as well, into the table of its name: RmaAttachment would not go alone",
    ]
    assert list(written(text, command).entities) == ["Document", "Rma", "RmaAttachment"]


def test_settings_of_the_export_become_its_formats(pulled: Pull, command: Command) -> None:
    _, said, text = pulled(
        mapping=[("Document", None, None, "ORDINI")],
        settings=[
            ("DateExportFormat", "yyyyMMdd"),
            ("DataFormat\\DateTimeExportFormat", "yyyyMMdd HH:mm"),
            ("BooleanFormat", "ZeroOne"),
            ("DateNullValue", "-1"),
            ("Erp\\BooleanNullValue", "0"),
            ("NumericNullValue", "0"),
            ("StringNullValue", "null"),
            ("StringCase", "Upper"),
            ("SingleLineStrings", "True"),
            ("ShipmentSiteIdSplitChar", "|"),
            ("ItemIdSplitChar", "#"),
            ("IdrolabItemId", "0012"),
        ],
    )
    assert (said["kept_as_comments"], said["remarks"]) == ({}, [])
    formats = written(text, command).formats
    assert formats.model_dump() == {
        "date": "yyyyMMdd",
        "datetime": "yyyyMMdd HH:mm",
        "boolean": "zero_one",
        "null_date": "-1",
        "null_boolean": "0",
        "null_number": "0",
        "null_text": "null",
        "case": "upper",
        "single_line": True,
        "shipment_site_split": "|",
        "item_split": "#",
        "idrolab_item": "0012",
    }


def test_what_the_export_has_no_place_for_is_kept_and_told(pulled: Pull, command: Command) -> None:
    _, said, text = pulled(
        mapping=[
            ("Item", None, "ARTICOLI", "ARTICOLI_OUT"),
            ("Item", "Description", None, "DES"),
            ("Document", None, None, "ORDINI"),
            ("Document", None, None, "ORDINI2"),
            ("Document", "Notes", None, "NOTE"),
            ("Document", "Notes", None, "NOTA"),
            ("Document", "Number", None, None, None, None, "PadLeft:10"),
            ("Document", "SyncReference", None, None, None, None, "RemovePrefix:A"),
            ("Account", None, "LEADS", "LEADS_OUT", "Crm"),
        ],
        settings=[
            ("StringCase", "Lower"),
            ("ItemIdSplitChar", "||"),
            ("DateExportFormat", "gg/mm"),
            ("ExportTransformations", "x"),
            ("Crm\\BooleanFormat", "ZeroOne"),
            ("StringNullValue", ""),
        ],
    )
    export = written(text, command)
    assert list(export.entities) == ["Document"]
    assert (export.entities["Document"].table, export.entities["Document"].fields) == (
        "ORDINI",
        {"Notes": "NOTE"},
    )
    assert export.formats.model_dump(exclude_defaults=True) == {}
    assert said["kept_as_comments"] == {
        "contradicting rows": 2,
        "unknown export transformations": 2,
        "export names": 3,
        "settings": 6,
    }
    assert said["remarks"] == [
        (
            "Document: the table to export to is ORDINI in one row and ORDINI2 in another: the"
            " first counts"
        ),
        (
            "Document: the column to export Notes to is NOTE in one row and NOTA in another: the"
            " first counts"
        ),
        (
            "Document.Number: its transformation for the export is a comment: 'PadLeft:10' is not"
            " known here"
        ),
        (
            "Document.SyncReference: its transformation for the export is a comment: Kimo sends it"
            " unchanged, to find the ERP's answer by it"
        ),
        "StringCase of erp is Lower, which is not known here: it is a comment",
        "ItemIdSplitChar of erp is ||, which is not known here: it is a comment",
        "DateExportFormat of erp is gg/mm, which is not known here: it is a comment",
        (
            "Account would go to the CRM, and the export goes to one source: what its rows say of"
            " an export is kept as a comment"
        ),
        (
            "Item is never sent to the ERP by Kimo: what its rows say of an export is kept as a"
            " comment"
        ),
    ]
    for kept in (
        "to ARTICOLI_OUT, Description as DES",
        "to LEADS_OUT",
        "ORDINI2",
        "NOTA",
        "PadLeft:10",
        "RemovePrefix:A",
        "Lower",
        "ItemIdSplitChar = ||",
        "gg/mm",
        "ExportTransformations = x",
        "export.formats.boolean = zero_one",
    ):
        assert kept in text


def test_the_export_goes_to_the_crm_where_only_that_is_written_to(
    pulled: Pull, command: Command
) -> None:
    _, said, text = pulled(
        mapping=[("Account", None, "LEADS", "LEADS_OUT", "Crm"), ("Zone", None, "Z")],
        settings=[("Crm\\StringCase", "Upper")],
    )
    export = written(text, command)
    assert (export.source, list(export.entities), export.formats.case) == (
        "crm",
        ["Account"],
        "upper",
    )
    assert (said["kept_as_comments"], said["remarks"]) == ({}, [])


def test_an_export_that_kimo_yaml_would_expand_is_a_comment(pulled: Pull, command: Command) -> None:
    _, _, text = pulled(mapping=[("Document", None, None, "${HOME}"), ("Contact", None, None, "C")])
    assert list(written(text, command).entities) == ["Contact"]
    assert (
        "# Document is left out: kimo.yaml would take ${HOME} for an environment variable" in text
    )


# --- what has no place yet
# --------------------------------------------------------------------------------------


def test_what_is_not_known_is_kept_and_told(pulled: Pull) -> None:
    entities, said, text = pulled(
        mapping=[
            ("Pippo", None, "PIPPO"),
            ("Acount", None, "CLIENTI"),
            (None, "Id", "X"),
            ("Zone", None, "Z", None, "Sap"),
            ("Zone", None, "Z"),
            ("Zone", "Descripton", "DES"),
            ("Zone", "Id", "COD", None, None, "StringToHash|Rot13"),
        ]
    )
    assert entities == {"Zone": {"table": "Z", "fields": {"Id": "COD"}}}
    assert said["kept_as_comments"] == {"unknown names": 5, "unknown import transformations": 1}
    assert said["remarks"] == [
        "IntegratorMapping: Kimo has no entity 'Pippo': its rows are kept at the file's end",
        said["remarks"][1],
        "IntegratorMapping has a row without KimoEntity: kept at the file's end",
        "IntegratorMapping: SystemId 'Sap' of Zone is neither Erp nor Crm: kept at the file's end",
        "Zone has no field 'Descripton' (nearest: Description): the row is a comment",
        "Zone.Id: the transformation 'StringToHash|Rot13' is not known here: it is a comment",
    ]
    assert said["remarks"][1].startswith(
        "IntegratorMapping: Kimo has no entity 'Acount' (nearest: Account"
    )
    for kept in ("Name PIPPO", "Name CLIENTI", "Name X", "SystemId Sap", "Name DES", "Rot13"):
        assert kept in text


def test_rows_that_contradict_each_other_the_first_counts_and_the_other_is_kept(
    pulled: Pull,
) -> None:
    entities, said, text = pulled(
        mapping=[
            ("Zone", None, "Z1"),
            ("Zone", None, "Z2"),
            ("Zone", None, "Z1"),
            ("Zone", "Id", "COD"),
            ("Zone", "Id", "CODICE"),
            ("ZONE", "ID", "cod"),
        ],
        filters=[("Zone", "A = 1"), ("Zone", "A = 2")],
        settings=[("DateFormat", "yyyyMMdd"), ("Erp\\DateFormat", "ddMMyyyy")],
    )
    assert entities == {"Zone": {"table": "Z1", "where": "A = 1", "fields": {"Id": "COD"}}}
    assert said["kept_as_comments"] == {"contradicting rows": 4}
    assert said["remarks"] == [
        "Zone: the table is Z1 in one row and Z2 in another: the first counts",
        "Zone: the column of Id is COD in one row and CODICE in another: the first counts",
        "Zone: AdditionalFilter is A = 1 in one row and A = 2 in another: the first counts",
        "DateFormat of erp is yyyyMMdd in one row and ddMMyyyy in another: the first counts",
    ]
    for kept in ("Z2", "CODICE", "A = 2", "ddMMyyyy"):
        assert kept in text


def test_fields_without_a_row_for_their_entity_take_the_table_of_its_name(pulled: Pull) -> None:
    entities, said, _ = pulled(mapping=[("Zone", "Id", "COD")])
    assert entities == {"Zone": {"fields": {"Id": "COD"}}}
    assert said["remarks"] == [
        "Zone: no row names its table, only fields: the table of the entity's name is taken"
    ]


def test_a_filter_of_what_nobody_maps_is_kept(pulled: Pull) -> None:
    entities, said, text = pulled(
        mapping=[("Language", None, "L")], filters=[("Zone", "A = 1"), ("Currency", None, None)]
    )
    assert entities == {"Language": "L"}
    assert "Zone (erp): AdditionalFilter A = 1" in text
    assert said["remarks"] == [
        "IntegratorImportFilter: the row of Currency has neither filter nor query",
        "IntegratorImportFilter has a filter for Zone, which nothing maps: kept at the file's end",
    ]


def test_a_query_that_kimo_yaml_would_expand_is_a_comment(pulled: Pull) -> None:
    entities, said, text = pulled(
        mapping=[("Zone", None, "Z")], filters=[("Language", None, "SELECT '${HOME}' AS Id")]
    )
    assert entities == {"Zone": "Z"}
    assert said["left_out"] == {
        "Language": "kimo.yaml would take ${HOME} for an environment variable"
    }
    assert "#   query: \"SELECT '${HOME}' AS Id\"" in text


# --- which tables, which file
# -----------------------------------------------------------------------------------


def test_tables_and_columns_are_found_ignoring_case_and_any_may_be_missing(
    integration: Integration, command: Command
) -> None:
    integration.table(
        "INTEGRATOR_MAPPING" if integration.url.startswith("sqlite") else "integratormapping",
        {
            "KIMOENTITY": String(50),
            "kimofield": String(50),
            "Erp_Import_Name": String(50),
            "Note": String(9),
        },
        [{"KIMOENTITY": "Zone", "Erp_Import_Name": "ZONE_ERP"}],
    )
    said = command.json("mapping", "pull", integration.url)
    assert said["mapped"] == ["Zone"]
    assert said["remarks"] == [
        "there is no table IntegratorImportFilter: read without it",
        "there is no table IntegratorSystemSetting: read without it",
        "IntegratorMapping has columns that are unknown here, so they were not read: Note",
    ]


def test_a_database_without_the_tables_says_so(sqlite: Integration, command: Command) -> None:
    sqlite.table("IntegratorMappings", {"a": String(3)})
    said = command.run("mapping", "pull", sqlite.url, code=1).stderr
    assert "has neither IntegratorMapping nor IntegratorImportFilter" in said
    assert "IntegratorMappings" in said


def test_a_table_without_its_first_column_says_which_it_has(
    sqlite: Integration, command: Command
) -> None:
    sqlite.table("IntegratorMapping", {"Entity": String(3)})
    assert (
        "has no column KimoEntity. It has: Entity."
        in command.run("mapping", "pull", sqlite.url, code=1).stderr
    )


def test_beside_a_kimo_yaml_that_is_there_the_mapping_goes_into_a_file_of_its_own(
    sqlite: Integration, command: Command
) -> None:
    integrator(sqlite, mapping=[("Zone", None, "Z")])
    command.file.write_text(
        "sources: {erp: {url: 'sqlite:///e'}}\nmapping: mapping.yaml\n", encoding="utf-8"
    )
    said = command.json("mapping", "pull", sqlite.url, "--erp-url", "sqlite:///e")
    assert said["file"] == str(command.folder / "mapping.yaml")
    assert load_config(command.file).entities["Zone"][0].table == "Z"
    # The schema is that of a whole kimo.yaml.
    assert EDITOR_LINE not in (command.folder / "mapping.yaml").read_text(encoding="utf-8")
    assert not (command.folder / SCHEMA_FILE).exists()
    assert "is there already" in command.run("mapping", "pull", sqlite.url, code=2).stderr


def test_what_comes_from_a_crm_that_is_not_named_is_a_comment(
    sqlite: Integration, command: Command
) -> None:
    integrator(
        sqlite,
        mapping=[
            ("Zone", None, "Z"),
            ("Zone", None, "Z2", None, "Crm"),
            ("Contact", None, "C", None, "Crm"),
        ],
    )
    said = command.json("mapping", "pull", sqlite.url, "--erp-url", "sqlite:///e")
    assert set(load_config(command.file).entities) == {"Zone"}
    assert set(said["left_out"]) == {"Zone", "Contact"}
    assert any("--crm-url" in remark for remark in said["remarks"])


def test_no_password_of_either_source_is_written(
    sqlite: Integration, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    integrator(sqlite, mapping=[("Zone", None, "Z"), ("Contact", None, "C", None, "Crm")])
    said = command.run(
        "mapping",
        "pull",
        sqlite.url,
        "--erp-url",
        "postgresql://u:s3cret@h/d",
        "--crm-url",
        "mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BUID%3Du%3BPWD%3Ds3cret%3BServer%3Dh",
    )
    assert "s3cret" not in command.text + said.output
    assert "Set KIMO_ERP_PASSWORD first" in said.stdout
    assert "Set KIMO_CRM_PASSWORD first" in said.stdout
    monkeypatch.setenv("KIMO_ERP_PASSWORD", "a")
    monkeypatch.setenv("KIMO_CRM_PASSWORD", "b")
    assert (
        load_config(command.file).sources["crm"].sqlalchemy_url.query["odbc_connect"]
        == "DRIVER=X;UID=u;PWD=b;Server=h"
    )
