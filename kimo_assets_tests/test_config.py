"""kimo.yaml: what is read from it, and the one clear message that every mistake in it earns."""

import re
from pathlib import Path

import pytest

from kimo_assets.config import KimoConfig, load_config
from kimo_assets.errors import ConfigError, UnknownEntityError
from kimo_assets_tests.support.editor import mistakes

pytestmark = pytest.mark.portable

SOURCES = "sources: {erp: {url: 'sqlite:///erp.sqlite'}}\n"
SECRET = "s3cret"


def write(folder: Path, text: str, name: str = "kimo.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def read(folder: Path, text: str) -> KimoConfig:
    """The configuration. An editor marks no mistake in a file that can be read."""
    config = load_config(write(folder, text))
    assert mistakes(text) == []
    return config


def complaint(folder: Path, text: str) -> str:
    """The message about a kimo.yaml with this text, without the folder's name."""
    with pytest.raises(ConfigError) as raised:
        read(folder, text)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return str(raised.value).replace(f"{folder}/", "")


# --- What is read
# -----------------------------------------------------------------------------------------


def test_sources_are_enough_and_the_rest_has_safe_defaults(tmp_path: Path) -> None:
    config = read(tmp_path, SOURCES)
    assert config.database.url == "embedded"
    assert (config.guards.max_shrink, config.guards.min_shrink_rows) == (0.30, 50)
    assert config.entities == {}
    assert config.entity_names == []


def test_paths_count_from_the_file_wherever_the_command_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company, elsewhere = tmp_path / "company", tmp_path / "elsewhere"
    company.mkdir()
    elsewhere.mkdir()
    write(company, SOURCES + "data_dir: state\nsync: {store: ../tablets}\n")
    monkeypatch.chdir(elsewhere)
    config = load_config("../company/kimo.yaml")
    assert config.data_dir.resolve() == company / "state"
    assert Path(config.sync_store).resolve() == tmp_path / "tablets"
    assert (
        Path(str(config.sources["erp"].sqlalchemy_url.database)).resolve() == company / "erp.sqlite"
    )
    assert config.path.resolve() == company / "kimo.yaml"


def test_absolute_paths_and_addresses_stay_as_they_are(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "sources: {erp: {url: 'sqlite:////erp/db.sqlite'}, crm: {url:"
        " 'postgresql://u:p@h:5433/crm?sslmode=require'}}\ndata_dir: /state\nsync: {store:"
        " 's3://bucket/kimo'}\n",
    )
    assert config.data_dir == Path("/state")
    assert config.sync_store == "s3://bucket/kimo"
    assert config.sources["erp"].sqlalchemy_url.database == "/erp/db.sqlite"
    assert config.sources["crm"].url == "postgresql://u:p@h:5433/crm?sslmode=require"


def test_the_sync_store_is_under_the_data_directory_unless_named(tmp_path: Path) -> None:
    assert read(tmp_path, SOURCES).sync_store == str(tmp_path / "data" / "sync")


def test_the_environment_names_the_file_and_a_given_path_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = write(tmp_path, SOURCES + "data_dir: named\n", "named.yaml")
    given = write(tmp_path, SOURCES + "data_dir: given\n", "given.yaml")
    here = write(tmp_path, SOURCES + "data_dir: here\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KIMO_CONFIG", raising=False)
    assert load_config().data_dir == here.parent / "here"
    monkeypatch.setenv("KIMO_CONFIG", str(named))
    assert load_config().data_dir == tmp_path / "named"
    assert load_config(given).data_dir == tmp_path / "given"


def test_values_take_variables_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP_PASSWORD", SECRET)
    monkeypatch.setenv("ERP_HOST", "db.example")
    config = read(
        tmp_path, "sources: {erp: {url: 'mssql://kimo:${ERP_PASSWORD}@${ERP_HOST}/erp'}}\n"
    )
    assert config.sources["erp"].url == f"mssql://kimo:{SECRET}@db.example/erp"


def test_an_entity_may_be_a_table_name_a_section_or_nothing(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        SOURCES
        + """
entities:
  Zone: ZONES
  Language:
  Item: {table: ART, where: STATE = 1, fields: {Id: CODE}}
  Currency: {query: SELECT 1 AS Id}
""",
    )
    assert config.entities["Zone"][0].table == "ZONES"
    assert (config.entities["Language"][0].table, config.entities["Language"][0].query) == (
        None,
        None,
    )
    assert config.entities["Item"][0].fields == {"Id": "CODE"}
    assert config.entities["Item"][0].where == "STATE = 1"
    assert config.entities["Currency"][0].query == "SELECT 1 AS Id"


def test_entity_names_come_by_category_then_after_what_they_point_to(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        SOURCES + "entities: {ItemUom: , ErpDocumentLine: , Language: , Item: , ErpDocument: ,"
        " Account: }\n",
    )
    assert config.entity_names == [
        "Account",
        "ErpDocument",
        "ErpDocumentLine",
        "Item",
        "ItemUom",
        "Language",
    ]


# --- A mapping in a file of its own
# -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "mapping",
    ["Item: ART\nZone:\n", "entities:\n  Item: ART\n  Zone:\n"],
    ids=["bare", "under entities"],
)
def test_the_entities_may_stand_in_another_file(tmp_path: Path, mapping: str) -> None:
    write(tmp_path, mapping, "mapping.yaml")
    config = read(tmp_path, SOURCES + "mapping: mapping.yaml\n")
    assert set(config.entities) == {"Item", "Zone"}
    assert config.entities["Item"][0].table == "ART"


@pytest.mark.parametrize("prefix", ["", "entities:\n"], ids=["bare", "under entities"])
def test_a_mistake_in_the_mapping_file_is_placed_there(tmp_path: Path, prefix: str) -> None:
    indent = "  " if prefix else ""
    write(tmp_path, f"{prefix}{indent}Zone:\n{indent}Item: {{tabel: ART}}\n", "mapping.yaml")
    message = complaint(tmp_path, SOURCES + "mapping: mapping.yaml\n")
    line = 3 if prefix else 2
    assert (
        message
        == f"mapping.yaml, line {line}: entities.Item.tabel: there is no such key. Did you mean"
        " `table`?"
    )


def test_an_unknown_entity_in_the_mapping_file_is_placed_there(tmp_path: Path) -> None:
    write(tmp_path, "Zone:\nItm: ART\n", "mapping.yaml")
    message = complaint(tmp_path, SOURCES + "mapping: mapping.yaml\n")
    assert message.startswith("mapping.yaml, line 2: entities.Itm: 'Itm' is not an entity")


def test_entities_and_mapping_together_are_refused(tmp_path: Path) -> None:
    message = complaint(tmp_path, SOURCES + "entities: {}\nmapping: mapping.yaml\n")
    assert message == "kimo.yaml, line 3: mapping: give `entities` or `mapping`, not both"


def test_a_mapping_file_that_is_not_there_is_named_with_the_line_that_names_it(
    tmp_path: Path,
) -> None:
    message = complaint(tmp_path, SOURCES + "mapping: maps/mine.yaml\n")
    assert message == "kimo.yaml, line 2: mapping: there is no file maps/mine.yaml"


# --- The file itself
# --------------------------------------------------------------------------------------


def test_a_missing_file_is_named_with_ways_to_have_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "absent.yaml")
    assert str(raised.value).startswith(
        f"There is no {tmp_path}/absent.yaml. `kimo demo` makes one"
    )
    assert "KIMO_CONFIG" in str(raised.value)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_a_file_in_another_encoding_is_said_to_be_unreadable(tmp_path: Path) -> None:
    file = tmp_path / "kimo.yaml"
    file.write_bytes("data_dir: perch\xe9\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"kimo\.yaml cannot be read"):
        load_config(file)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sources:\n  erp: {url: x\n", 3),
        ("sources:\n\terp: x\n", 2),
        ("data_dir: 'unclosed\n", 2),
        (SOURCES + "data_dir: !secret state\n", 2),
        (SOURCES + "---\nsecond: document\n", 2),
        (SOURCES + "data_dir: *nowhere\n", 2),
    ],
)
def test_what_is_not_yaml_is_placed(tmp_path: Path, text: str, line: int) -> None:
    assert complaint(tmp_path, text).startswith(f"kimo.yaml, line {line}: not valid YAML: ")


def test_a_date_that_cannot_be_is_not_a_traceback(tmp_path: Path) -> None:
    assert "not valid YAML" in complaint(tmp_path, SOURCES + "data_dir: 2001-02-30\n")


def test_a_key_that_is_there_twice_is_refused_instead_of_the_last_one_winning(
    tmp_path: Path,
) -> None:
    message = complaint(tmp_path, SOURCES + "entities:\n  Item: ART\n  Zone:\n  Item: ARTICLES\n")
    assert message == "kimo.yaml, line 5: entities.Item: this key is there twice. Keep one"


@pytest.mark.parametrize("text", ["", "# only a remark\n"])
def test_an_empty_file_lacks_its_sources(tmp_path: Path, text: str) -> None:
    assert complaint(tmp_path, text) == "kimo.yaml: sources: this key is required and is not there"


def test_a_list_is_not_a_configuration(tmp_path: Path) -> None:
    assert complaint(tmp_path, "- sources\n").startswith(
        "kimo.yaml: Input should be a valid dictionary"
    )


# --- Keys and values
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            SOURCES + "data_dri: state\n",
            "kimo.yaml, line 2: data_dri: there is no such key. Did you mean `data_dir`?",
        ),
        (
            SOURCES + "maping: m.yaml\n",
            "kimo.yaml, line 2: maping: there is no such key. Did you mean `mapping`?",
        ),
        (
            SOURCES + "guards:\n  max_shrnk: 0.5\n",
            "kimo.yaml, line 3: guards.max_shrnk: there is no such key. Did you mean `max_shrink`?",
        ),
        (
            "sources:\n  erp:\n    url: sqlite:///a\n    ulr: b\n",
            "kimo.yaml, line 4: sources.erp.ulr: there is no such key. Did you mean `url`?",
        ),
        (
            SOURCES + "entities:\n  Item:\n    tabel: ART\n",
            "kimo.yaml, line 4: entities.Item.tabel: there is no such key. Did you mean `table`?",
        ),
        (
            SOURCES + "guards: {zzz: 1}\n",
            (
                "kimo.yaml, line 2: guards.zzz: there is no such key. "
                "Known here: max_shrink, min_shrink_rows, max_agent_shrink, min_agent_rows."
            ),
        ),
        (
            "sources: {erp: {}}\n",
            "kimo.yaml, line 1: sources.erp.url: this key is required and is not there",
        ),
        (
            "sources: {sap: {url: 'sqlite:///a'}}\n",
            "kimo.yaml, line 1: sources.sap: expected 'erp' or 'crm'",
        ),
        (
            SOURCES + "guards:\n  max_shrink: lots\n",
            (
                "kimo.yaml, line 3: guards.max_shrink: Input should be a valid number, "
                "unable to parse string as a number, got 'lots'"
            ),
        ),
        (
            SOURCES + "guards: {max_shrink: 30}\n",
            "kimo.yaml, line 2: guards.max_shrink: Input should be less than or equal to 1, got 30",
        ),
        (
            SOURCES + "entities:\n  Item: {fields: {Id: 5}}\n",
            "kimo.yaml, line 3: entities.Item.fields.Id: Input should be a valid string, got 5",
        ),
        (
            SOURCES + "entities:\n  Item:\n    table: ART\n    query: SELECT 1\n",
            "kimo.yaml, line 3: entities.Item: give `table` or `query`, not both",
        ),
        (
            SOURCES + "entities:\n  Item:\n    query: SELECT 1\n    where: A = 1\n",
            (
                "kimo.yaml, line 3: entities.Item: `where` goes with `table`. Put the condition"
                " into the `query`"
            ),
        ),
        (
            SOURCES + "entities:\n  Item: {source: crm}\n",
            "kimo.yaml, line 3: entities.Item.source: source 'crm' is not among `sources`",
        ),
        (
            SOURCES + "entities:\n  Item: {source: sap}\n",
            "kimo.yaml, line 3: entities.Item.source: expected 'erp' or 'crm'",
        ),
        (
            SOURCES + "entities:\n  Document: ORDERS\n",
            (
                "kimo.yaml, line 3: entities.Document: Document is only exported to the ERP, it"
                " cannot be imported"
            ),
        ),
    ],
)
def test_a_mistake_is_told_with_file_line_key_and_what_was_expected(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert complaint(tmp_path, text) == expected


EXPORT = """
export:
  entities:
    Document:
      table: dbo.ORDINI
      fields: {Notes: NOTE}
      transform: {Notes: [trim, upper], FreeText1: {expression: "number ~ '/' ~ Id"}}
    DocumentLine:
    Account: CLIENTI_NUOVI
"""


def test_the_export_lists_tables_columns_and_transformations(tmp_path: Path) -> None:
    entities = read(tmp_path, SOURCES + EXPORT).export.entities
    assert {name: mapping.table for name, mapping in entities.items()} == {
        "Document": "dbo.ORDINI",
        "DocumentLine": None,
        "Account": "CLIENTI_NUOVI",
    }
    assert entities["Document"].fields == {"Notes": "NOTE"}
    assert entities["Document"].transform["FreeText1"].columns("FreeText1") == ("number", "Id")


@pytest.mark.parametrize(
    ("given", "wrong", "expected"),
    [
        (
            "Account:",
            "Acount:",
            (
                "10: export.entities.Acount: 'Acount' is not an entity of the catalogue. Did you"
                " mean Acc"
            ),
        ),
        ("Account:", "Item:", "10: export.entities.Item: Item is never sent to the ERP. "),
        (
            "Account:",
            "RmaAttachment:",
            "10: export.entities.RmaAttachment: RmaAttachment travels with Rma, which is not ",
        ),
        (
            "{Notes: NOTE}",
            "{Note: NOTE}",
            "7: export.entities.Document.fields.Note: Document has no field 'Note'. Did you",
        ),
        (
            "trim",
            "trimm",
            (
                "8: export.entities.Document.transform.Notes.0: there is no transformation `trimm`."
                " Did you"
            ),
        ),
        (
            "number ~",
            "numer ~",
            "8: export.entities.Document.transform.FreeText1: reads 'numer', and Document has no ",
        ),
        (
            "FreeText1: {",
            "SyncReference: {",
            "8: export.entities.Document.transform.SyncReference: the ERP's answer is",
        ),
        (
            "  entities",
            "  source: crm\n  entities",
            "4: export.source: source 'crm' is not among `sources`",
        ),
        (
            "  entities",
            "  batch: 0\n  entities",
            "4: export.batch: Input should be greater than or equal to 1, got 0",
        ),
    ],
)
def test_a_mistake_of_the_export_is_told_with_its_line(
    tmp_path: Path, given: str, wrong: str, expected: str
) -> None:
    message = complaint(tmp_path, SOURCES + EXPORT.replace(given, wrong))
    assert message.startswith(f"kimo.yaml, line {expected}")


def test_the_export_may_stand_beside_the_entities_in_their_file(tmp_path: Path) -> None:
    write(tmp_path, EXPORT + "entities: {Zone: Z}\n", "mapping.yaml")
    config = read(tmp_path, SOURCES + "mapping: mapping.yaml\n")
    assert (list(config.export.entities), list(config.entities)) == (
        ["Document", "DocumentLine", "Account"],
        ["Zone"],
    )
    assert (
        complaint(tmp_path, SOURCES + "mapping: mapping.yaml\nexport: {batch: 5}\n")
        == "kimo.yaml, line 3: export: mapping.yaml has an `export` as well. Keep one of them"
    )


def test_mistakes_of_shape_are_told_all_at_once(tmp_path: Path) -> None:
    message = complaint(
        tmp_path, SOURCES + "guards: {max_shrink: -1}\nsnyc: {}\nsync: {zstd_level: 99}\n"
    )
    assert {line.split(": ")[1] for line in message.splitlines()} == {
        "guards.max_shrink",
        "snyc",
        "sync.zstd_level",
    }


def test_an_unknown_entity_comes_with_the_nearest_names(tmp_path: Path) -> None:
    message = complaint(tmp_path, SOURCES + "entities:\n  Zone:\n  itemlistprices: PRICES\n")
    assert re.match(
        r"kimo\.yaml, line 4: entities\.itemlistprices: 'itemlistprices' is not an entity of the"
        r" catalogue\. "
        r"Did you mean ItemListPrice\b",
        message,
    )


def test_an_unknown_field_comes_with_the_nearest_names(tmp_path: Path) -> None:
    message = complaint(
        tmp_path, SOURCES + "entities:\n  Zone:\n    fields:\n      Descripton: NAME\n"
    )
    assert (
        message
        == "kimo.yaml, line 5: entities.Zone.fields.Descripton: Zone has no field 'Descripton'. Did"
        " you mean Description?"
    )


def test_an_unknown_field_like_no_other_comes_with_all_of_them(tmp_path: Path) -> None:
    message = complaint(tmp_path, SOURCES + "entities: {Zone: {fields: {Qqq: NAME}}}\n")
    assert message.endswith("Zone has no field 'Qqq'. It has: Id, Description, SalesAgentId.")


def test_a_variable_that_is_not_set_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ERP_PASSWORD", raising=False)
    message = complaint(tmp_path, "sources:\n  erp:\n    url: mssql://u:${ERP_PASSWORD}@h/db\n")
    assert (
        message
        == "kimo.yaml, line 3: sources.erp.url: the environment variable ERP_PASSWORD is not set"
    )


# --- No password in a message
# -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("sources: {erp: {url: 'not a url %s'}}\n", "sources.erp.url: not a database URL"),
        (
            "sources: {erp: {url: 'mssql://u:%s@host:port/db'}}\n",
            "sources.erp.url: not a database URL",
        ),
        ("sources: {erp: 'mssql://u:%s@host/db'}\n", "sources.erp: "),
        ("sources: 'mssql://u:%s@host/db'\n", "sources: "),
        (SOURCES + "database: 'postgresql://u:%s@host/db'\n", "database: "),
        (SOURCES + "database: 'host=db password=%s'\n", "database: "),
        (
            SOURCES + "database: {url: 'postgresql//u:%s@host/db'}\n",
            "database.url: not the URL of a PostgreSQL",
        ),
        (
            SOURCES + "database: {url: 'mssql://u:%s@host/db'}\n",
            "database.url: not the URL of a PostgreSQL",
        ),
        (
            SOURCES + "database: {dagster_url: 'u:%s@host'}\n",
            "database.dagster_url: not the URL of a PostgreSQL",
        ),
        (SOURCES + "sync: 's3://key:%s@bucket'\n", "sync: "),
    ],
)
def test_an_address_is_never_repeated_for_it_may_hold_a_password(
    tmp_path: Path, text: str, key: str
) -> None:
    message = complaint(tmp_path, text % SECRET)
    assert re.match(rf"kimo\.yaml, line [12]: {re.escape(key)}", message)
    assert SECRET not in message


def test_a_password_from_the_environment_is_not_repeated_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP_URL", f"mssql//u:{SECRET}@host/db")
    message = complaint(tmp_path, "sources: {erp: {url: '${ERP_URL}'}}\n")
    assert message.startswith("kimo.yaml, line 1: sources.erp.url: not a database URL")
    assert SECRET not in message


@pytest.mark.parametrize(
    "url",
    [
        "embedded",
        "postgresql://u:p@h/kimo",
        "postgresql+psycopg://u:p@h/kimo",
        "postgresql:///kimo?host=/run",
    ],
)
def test_the_database_is_the_embedded_one_or_a_postgresql_by_url(tmp_path: Path, url: str) -> None:
    assert read(tmp_path, SOURCES + f"database: {{url: '{url}'}}\n").database.url == url


# --- Choosing entities
# ------------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> KimoConfig:
    return read(
        tmp_path,
        SOURCES + "entities: {Item: , ItemUom: , VatRate: , Language: , Account: , Zone: ,"
        " ErpDocument: }\n",
    )


def test_no_names_choose_every_mapped_entity(shop: KimoConfig) -> None:
    assert shop.choose([]) == shop.entity_names
    assert shop.choose([], only_listed=True) == shop.entity_names


def test_a_name_brings_its_linked_entities_as_far_as_they_are_mapped(shop: KimoConfig) -> None:
    assert set(shop.choose(["Item"])) == {"Item", "ItemUom", "VatRate", "Language"}
    assert set(shop.choose(["Zone"])) == {"Zone"}


def test_only_listed_leaves_the_linked_ones_out(shop: KimoConfig) -> None:
    assert shop.choose(["Item"], only_listed=True) == ["Item"]


def test_names_match_in_any_case_and_with_blanks_around(shop: KimoConfig) -> None:
    assert shop.choose([" itemUOM", "ACCOUNT "], only_listed=True) == ["Account", "ItemUom"]


def test_chosen_entities_keep_the_order_of_the_partitions(shop: KimoConfig) -> None:
    chosen = shop.choose(["Item", "Account"])
    assert chosen == [name for name in shop.entity_names if name in chosen]


def test_a_name_that_is_not_mapped_is_refused_with_the_nearest_ones(shop: KimoConfig) -> None:
    with pytest.raises(UnknownEntityError) as raised:
        shop.choose(["Item", "itemuon"])
    assert raised.value.name == "itemuon"
    assert raised.value.suggestions[0] == "ItemUom"
    assert "this mapping (kimo.yaml, entities)" in str(raised.value)


def test_an_entity_of_the_catalogue_that_is_not_mapped_cannot_be_chosen(shop: KimoConfig) -> None:
    with pytest.raises(UnknownEntityError, match="'Contact' is not an entity of this mapping"):
        shop.choose(["Contact"], only_listed=True)
