"""kimo.yaml explains itself: the JSON Schema describes every key, takes what the reader takes and
marks what it refuses. The page and the files that are made from it are current.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft7Validator

from kimo_assets.catalog import load_catalog
from kimo_assets.cli import main
from kimo_assets.config import load_config
from kimo_assets.config.model_schema import model_schema
from kimo_assets.config.reference import reference_text
from kimo_assets.config.schema import EDITOR_LINE, SCHEMA_FILE, editor_schema, schema_text
from kimo_assets.config.transformations import BARE_STEPS, STEPS_WITH_ARGUMENT
from kimo_assets.demo.mapping import kimo_yaml
from kimo_assets.errors import ConfigError
from kimo_assets.transforms import INPUTS, STEPS
from kimo_assets_tests.support.editor import mistakes

ROOT = Path(__file__).parents[1]
SOURCES = "sources: {erp: {url: 'sqlite:///erp.sqlite'}}\n"
Key = tuple[str, dict[str, Any]]


def keys(schema: Any, path: str = "") -> Iterator[Key]:
    """(path, schema) of every key that a schema describes, wherever in it."""
    if isinstance(schema, list):
        for part in schema:
            yield from keys(part, path)
    if not isinstance(schema, dict):
        return
    for name, part in schema.get("properties", {}).items():
        yield f"{path}/{name}", part
        yield from keys(part, f"{path}/{name}")
    for word, part in schema.items():
        if word == "definitions":
            for name, definition in part.items():
                yield from keys(definition, name)
        elif word not in ("properties", "examples", "default", "enum"):
            yield from keys(part, path)


def description(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What an editor shows at the key."""
    if "description" not in schema and "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    text: str = schema.get("description", "")
    return text


KEYS_OF_MODELS = list(keys(model_schema()))
DEFINITIONS = model_schema()["definitions"]


# --- descriptions


@pytest.mark.parametrize(
    ("path", "schema"), KEYS_OF_MODELS, ids=[path for path, _ in KEYS_OF_MODELS]
)
def test_every_key_is_described_in_plain_sentences(path: str, schema: dict[str, Any]) -> None:
    text = description(schema, DEFINITIONS)
    sentences = re.split(r"(?<=\.) ", text)
    assert len(text.split()) >= 5
    assert text.endswith(".")
    assert ";" not in text
    assert max(len(sentence.split()) for sentence in sentences) <= 30


def test_what_editors_get_has_no_key_without_a_description_either() -> None:
    schema = editor_schema()
    all_keys = list(keys(schema))
    assert len(all_keys) > len(KEYS_OF_MODELS) >= 139
    silent = [path for path, part in all_keys if not description(part, schema["definitions"])]
    assert silent == []


def test_the_steps_of_transformations_and_their_options_are_those_that_there_are() -> None:
    bare = {name for name, kind in {**INPUTS, **STEPS}.items() if kind.bare}
    options = {
        name: {name, *kind.options} for name, kind in {**INPUTS, **STEPS}.items() if not kind.bare
    }
    assert set(BARE_STEPS) == bare
    assert {name: set(keys) for name, keys in STEPS_WITH_ARGUMENT.items()} == options


# --- the schema itself


def test_the_schema_is_one_of_draft_07_without_the_noise_of_titles() -> None:
    schema = json.loads(schema_text())
    Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert '"title"' not in schema_text()
    assert "$defs" not in schema_text()


def test_the_catalogues_names_are_completed() -> None:
    schema, catalog = editor_schema(), load_catalog()
    imported = {name for name, entity in catalog.entities.items() if entity.direction != "export"}
    assert set(schema["properties"]["entities"]["properties"]) == imported
    sent = schema["properties"]["export"]["properties"]["entities"]["properties"]
    assert {*catalog.sent_to_erp, "DocumentLine"} <= set(sent)
    assert "Item" not in sent
    zone = schema["definitions"]["FieldsOfZone"]["patternProperties"]
    assert zone == {
        "^(fields|transform)$": {"propertyNames": {"enum": list(catalog["Zone"].fields)}}
    }


# --- files that load have no mistakes


def examples() -> list[Path]:
    files = [*(ROOT / "examples").rglob("*.yaml"), *(ROOT / "deploy").rglob("*.yaml")]
    return [file for file in files if re.search("^sources:", file.read_text("utf-8"), re.MULTILINE)]


@pytest.mark.parametrize("file", examples(), ids=lambda file: str(file.relative_to(ROOT)))
def test_the_examples_have_no_mistakes(file: Path) -> None:
    assert mistakes(file.read_text(encoding="utf-8")) == []


def test_northwind_and_deploying_are_among_the_examples() -> None:
    names = {str(file.relative_to(ROOT)) for file in examples()}
    assert {"examples/northwind/kimo.yaml", "deploy/companies/acme.yaml"} <= names


def blocks() -> Iterator[tuple[str, str]]:
    """(page, text) of every kimo.yaml, or piece of one, in the docs."""
    top = model_schema()["properties"].keys()
    for page in sorted((ROOT / "docs").glob("*.md")):
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            # A line with `...` leaves something out.
            shown = re.sub(r"^\s*\.\.\.$", "", block, flags=re.MULTILINE)
            document = yaml.safe_load(shown)
            if isinstance(document, dict) and document.keys() <= top:
                yield page.name, shown


BLOCKS = list(blocks())


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=[page for page, _ in BLOCKS])
def test_what_the_docs_show_has_no_mistakes(page: str, block: str) -> None:
    has_sources = re.search("^sources:", block, re.MULTILINE)
    assert mistakes(block if has_sources else SOURCES + block) == []


def test_the_demos_kimo_yaml_has_no_mistakes() -> None:
    assert mistakes(kimo_yaml()) == []


FORMS = [
    # A variable stands in the place of any value.
    "guards: {max_shrink: '${SHARE}', min_shrink_rows: '${ROWS}'}",
    "images: {max_size_px: '${PIXELS}'}",
    "api: {side_jobs_apart: '${APART}'}",
    "geocoding: {country: '${COUNTRY}'}",
    "notifications: {language: '${LANGUAGE}'}",
    "database: {url: '${DATABASE}'}",
    "company: '${NAME}'",
    "schedules: {sensors: ['${SENSOR}'], full_import: '${CRON}'}",
    "export: {formats: {item_split: '${CHARACTER}'}, source: '${SOURCE}'}",
    # Numbers in quotes, and YAML 1.2's plain words for flags.
    "guards: {max_shrink: '0.5', min_shrink_rows: '7'}",
    "api: {side_jobs_apart: yes, per_minute: 5}",
    "api: {side_jobs_apart: off}",
    "api: {side_jobs_apart: N}",
    "api: {side_jobs_apart: 1}",
    "api: {side_jobs_apart: TRUE}",
    # Codes look like numbers, days and flags, and are texts.
    "export: {formats: {null_text: NO, null_number: 001, null_date: 1753-01-01, null_boolean: 0}}",
    "erp_statuses: {Account1: {001: Aperto, NO: Chiuso, on: Sospeso}}",
    "sources: {erp: {url: 'sqlite://', no_value: {keys: [0, 00, NO], dates: [-1, 1753-01-01]}}}",
    "entities: {Zone: {transform: {Id: {lookup: {NO: on, 12: 001, x: 1.5}, default: null}}}}",
    # Shorthands.
    "entities: {Zone: ZONE, Item: , Language: {}, Account: [A, {source: erp, table: B}, ]}",
    "entities: {Zone: {table: Z, query: null, where: null}}",
    "export: {entities: {Document: ORDERS, DocumentLine: , Account: {fields: {Id: NUMERO}}}}",
    "import: {custom_task: prepare.bat}",
    "import: {custom_task: [prepare.bat, --full]}",
    "import: {custom_task: {command: [prepare.bat], timeout_s: 10}}",
    "import: {custom_task: null}",
    "database: {url: embedded, dagster_url: null}",
    "notifications: {smtp: null, sender: null}",
    "images: {source: null, max_size_px: null, sources: {ItemImage: ./items}}",
    "schedules: {full_import: null, export: '*/5 * * * *'}",
    "entities: {Zone: {transform: {Id: [{expression: 'A ~ B'}, trim, {RemovePrefix: 7}]}}}",
]


@pytest.mark.parametrize("text", FORMS)
def test_a_form_that_the_reader_takes_is_no_mistake(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "SHARE": "0.4",
        "ROWS": "5",
        "PIXELS": "900",
        "APART": "true",
        "COUNTRY": "AT",
        "LANGUAGE": "en",
        "DATABASE": "postgresql:///kimo",
        "NAME": "acme",
        "SENSOR": "new_pictures",
        "CRON": "0 4 * * *",
        "CHARACTER": "|",
        "SOURCE": "erp",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    whole = text if text.startswith("sources:") else SOURCES + text
    (tmp_path / "kimo.yaml").write_text(whole, encoding="utf-8")
    load_config(tmp_path / "kimo.yaml")
    assert mistakes(whole) == []


def test_a_mapping_of_its_own_file_is_no_mistake() -> None:
    assert mistakes(f"{SOURCES}mapping: mapping.yaml\nexport: {{batch: 5}}\n") == []


# --- mistakes


MISTAKES = [
    ("data_dri: state", "'data_dri' was unexpected"),
    ("guards: {max_shrnk: 0.5}", "'max_shrnk' was unexpected"),
    ("guards: {max_shrink: lots}", "guards.max_shrink: 'lots' does not match"),
    ("guards: {max_shrink: 30}", "30 is greater than the maximum of 1"),
    ("guards: {min_shrink_rows: 1.5}", "1.5 is not of type 'integer'"),
    ("guards: []", "guards: [] is not of type 'object'"),
    ("guards:", "guards: None is not of type 'object'"),
    ("api: {side_jobs_apart: maybe}", "'maybe' does not match"),
    ("api: {side_jobs_apart: 2}", "2 is greater than the maximum of 1"),
    ("notifications: {smtp: {port: 25}}", "notifications.smtp: "),
    ("notifications: {language: de}", "notifications.language: 'de' is not valid"),
    ("notifications: {info_recipients: a@b.it}", "'a@b.it' is not of type 'array'"),
    ("geocoding: {country: Italy}", "'Italy' does not match"),
    ("company: a b", "'a b' does not match"),
    ("schedules: {sensors: [erp_finised]}", "'erp_finised' is not valid"),
    ("schedules: {full_import: '30 2 * *'}", "'30 2 * *' does not match"),
    ("schedules: {entities: [{cron: '0 * * * *'}]}", "'entities' is a required property"),
    ("export: {formats: {boolean: one_zero}}", "'one_zero' is not valid"),
    ("export: {formats: {item_split: '||'}}", "'||' does not match"),
    ("export: {entities: {Item: X}}", "'Item' was unexpected"),
    ("images: {sources: {Item: ./x}}", "'Item' was unexpected"),
    ("images: {download: {allowed_hosts: ['https://x/']}}", "'https://x/' does not match"),
    ("database: {url: 'mssql://u:p@h/db'}", "'mssql://u:p@h/db' does not match"),
    ("erp_statuses: {Acount1: {A: B}}", "'Acount1' was unexpected"),
    ("entities: {Itm: ART}", "'Itm' was unexpected"),
    ("entities: {Document: ORDERS}", "'Document' was unexpected"),
    ("entities: {Item: {tabel: ART}}", "entities.Item: "),
    ("entities: {Item: []}", "entities.Item: "),
    ("entities: {Item: {fields: {Id: 5}}}", "entities.Item: "),
    ("entities: {Item: {fields: {Idd: X}}}", "entities.Item.fields: 'Idd' is not one of"),
    ("entities: {Item: [{transform: {Idd: trim}}]}", "transform: 'Idd' is not one of"),
    ("entities: {Item: {table: A, query: SELECT 1}}", "entities.Item: "),
    ("entities: {Item: {query: SELECT 1, where: A = 1}}", "entities.Item: "),
    ("entities: {Item: {source: sap}}", "entities.Item: "),
    ("entities: {Item: {transform: {Id: trimm}}}", "entities.Item: "),
    ("entities: {Item: {transform: {Id: {lookup: {A: B}, defualt: C}}}}", "entities.Item: "),
    ("entities: {Item: {transform: {Id: [trim, {constant: 1}]}}}", "entities.Item: "),
    ("entities: {Item: {transform: {Id: []}}}", "entities.Item: "),
    ("entities: {}\nmapping: mapping.yaml", ": "),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_that_the_reader_refuses_is_marked(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "kimo.yaml").write_text(SOURCES + text, encoding="utf-8")
    with pytest.raises(ConfigError):
        load_config(tmp_path / "kimo.yaml")
    marked = mistakes(SOURCES + text)
    assert marked
    assert message in marked[0]


@pytest.mark.parametrize(
    "text", ["", "{}", "sources: {erp: {}}", "sources: {sap: {url: x}}", "- sources"]
)
def test_a_file_without_sources_is_marked(text: str) -> None:
    assert mistakes(text or "{}")


# --- what is made from it


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["schema", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_kimo_schema_prints_it_and_needs_no_kimo_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIMO_CONFIG", str(tmp_path / "absent.yaml"))
    assert json.loads(printed()) == editor_schema()
    assert printed("--json") == printed() == schema_text()
    assert printed("--markdown") == reference_text()
    assert json.loads(printed("--markdown", "--json")) == {"markdown": reference_text()}


def test_the_reference_in_the_docs_is_current() -> None:
    page = (ROOT / "docs" / "kimo-yaml.md").read_text(encoding="utf-8")
    assert page == reference_text(), "kimo schema --markdown > docs/kimo-yaml.md"


def test_the_reference_has_a_row_for_every_key() -> None:
    page = reference_text()
    rows = re.findall(r"^\| `(.*?)` \|", page, re.MULTILINE)
    steps = {name for step in STEPS_WITH_ARGUMENT.values() for name in step}
    for path, _ in KEYS_OF_MODELS:
        name = path.rpartition("/")[2]
        if path.startswith("Transformation") and name in steps:
            continue
        heading = f"\n## `{name}`\n" in page
        assert heading or any(row.rpartition(".")[2] == name for row in rows), path


def test_northwind_begins_with_the_line_and_has_the_current_schema_beside_it() -> None:
    folder = ROOT / "examples" / "northwind"
    assert (folder / "kimo.yaml").read_text(encoding="utf-8").startswith(f"{EDITOR_LINE}\n")
    schema = json.loads((folder / SCHEMA_FILE).read_text(encoding="utf-8"))
    assert schema == editor_schema(), f"kimo schema > examples/northwind/{SCHEMA_FILE}"
