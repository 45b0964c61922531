"""The demo company as its users meet it: the same every time, right but for what was
planted wrong.
"""

import hashlib
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from PIL import Image

from kimo_assets.catalog import load_catalog
from kimo_assets.catalog.model import Entity, Field
from kimo_assets.config import EntityMapping, load_config
from kimo_assets.config.schema import EDITOR_LINE, SCHEMA_FILE, schema_text
from kimo_assets.demo import SCALES, DemoCompany, change_company, generate_company
from kimo_assets.demo.codes import ean_check_digit, iban_remainder, luhn_check_digit
from kimo_assets.demo.erp_tables import ANSWERS
from kimo_assets.demo.pictures import CUT_FILE, MISSING_FILE, UNNAMED_FILE
from kimo_assets.errors import ConfigError

SMALL = SCALES["small"]
Row = dict[str, object]


@pytest.fixture(scope="module")
def told() -> list[tuple[str, int]]:
    """What the company's making told of its progress."""
    return []


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, int]]) -> DemoCompany:
    directory = tmp_path_factory.mktemp("company")
    return generate_company(directory, on_progress=lambda table, rows: told.append((table, rows)))


@pytest.fixture(scope="module")
def entities(company: DemoCompany) -> dict[str, list[Row]]:
    return read_entities(company.directory)


def read_entities(directory: Path) -> dict[str, list[Row]]:
    """What kimo.yaml maps, by entity, as rows of Kimo's fields."""
    config = load_config(directory / "kimo.yaml")
    connection = sqlite3.connect(directory / "erp.sqlite")
    try:
        return {
            name: read_entity(connection, name, mapping)
            for name, (mapping,) in config.entities.items()
        }
    finally:
        connection.close()


def read_entity(connection: sqlite3.Connection, name: str, mapping: EntityMapping) -> list[Row]:
    where = f" WHERE {mapping.where}" if mapping.where else ""
    cursor = connection.execute(mapping.query or f'SELECT * FROM "{mapping.table or name}"{where}')
    columns = [column[0].lower() for column in cursor.description]
    places = {
        field: columns.index(mapping.fields.get(field, field).lower())
        for field in load_catalog()[name].fields
        if mapping.fields.get(field, field).lower() in columns
    }
    return [{field: row[place] for field, place in places.items()} for row in cursor]


def dump_hash(erp_path: Path) -> str:
    connection = sqlite3.connect(erp_path)
    try:
        return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()
    finally:
        connection.close()


def has_value(field: Field, value: object) -> bool:
    if field.type in ("date", "dt"):
        return value not in (None, "", -1, "-1")
    return value not in (None, "", 0, "0") if field.is_key else value not in (None, "")


def broken_rule(field: Field, value: object) -> str | None:
    """Which rule a value breaks by itself."""
    if not has_value(field, value):
        return None
    text = str(value)
    if field.type == "text":
        too_long = field.size is not None and len(text) > field.size
        return "invalid_characters" if "\0" in text else "text_too_long" if too_long else None
    if field.type == "enum":
        return "unknown_enum_code" if field.codes and text not in field.codes else None
    if field.type in ("date", "dt"):
        return None if is_date(text) else "impossible_date"
    if re.fullmatch(r"-?\d+,\d+", text):
        return "decimal_comma"
    allowed = {"bool": r"[01]", "int": r"-?\d+", "dec": r"-?\d+(\.\d+)?(e-\d+)?"}[field.type]
    return None if re.fullmatch(allowed, text) else "not_a_number"


def is_date(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text)) if " " in text else bool(date.fromisoformat(text))
    except ValueError:
        return False


def key_rules(entity: Entity, rows: list[Row]) -> Iterator[str]:
    """Missing and duplicate keys: of the Id where the ERP has one, else of what it would be derived
    from.
    """
    key = entity.primary_key if entity.primary_key[0] in rows[0] else entity.unique_keys[0]
    keys = Counter(tuple(row.get(name) for name in key) for row in rows)
    yield from ("duplicate_key" for count in keys.values() for _ in range(count - 1))
    if key == entity.primary_key:
        yield from ("missing_key" for values in keys if None in values or "" in values)


def reference_rules(
    entity: Entity, rows: list[Row], entities: dict[str, list[Row]]
) -> Iterator[str]:
    for name, field in entity.fields.items():
        if name not in rows[0] or not field.references or field.references.soft:
            continue
        reference = field.references
        columns = {reference.column: name, **reference.keys}
        known = {
            tuple(str(row[column]) for column in columns) for row in entities[reference.target]
        }
        rule = "missing_owner" if entity.owner_field == name else "dangling_reference"
        for row in rows:
            excepted = any(str(row[column]) in codes for column, codes in reference.unless.items())
            is_known = tuple(str(row[local]) for local in columns.values()) in known
            if has_value(field, row[name]) and not excepted and not is_known:
                yield rule


def typed_reference_rules(
    entity: Entity, rows: list[Row], entities: dict[str, list[Row]]
) -> Iterator[str]:
    for name, field in entity.fields.items():
        if name not in rows[0] or not field.references_by:
            continue
        ids = {
            code: {str(row["Id"]) for row in entities.get(target, [])}
            for code, target in field.references_by.targets.items()
        }
        for row in rows:
            code = str(row[field.references_by.type_column])
            if code in ids and has_value(field, row[name]) and str(row[name]) not in ids[code]:
                yield "dangling_reference"


def all_broken_rules(entities: dict[str, list[Row]]) -> Counter[tuple[str, str]]:
    catalog, found = load_catalog(), Counter[tuple[str, str]]()
    for name, rows in entities.items():
        if not rows:
            continue
        entity = catalog[name]
        of_values = (broken_rule(entity.fields[field], row[field]) for row in rows for field in row)
        found.update((name, rule) for rule in of_values if rule)
        found.update((name, rule) for rule in key_rules(entity, rows))
        found.update((name, rule) for rule in reference_rules(entity, rows, entities))
        found.update((name, rule) for rule in typed_reference_rules(entity, rows, entities))
    return found


def test_the_same_seed_makes_the_same_company_also_over_a_changed_one(
    company: DemoCompany, tmp_path: Path
) -> None:
    shutil.copytree(company.directory, tmp_path, dirs_exist_ok=True)
    change_company(tmp_path)
    assert dump_hash(tmp_path / "erp.sqlite") != dump_hash(company.erp_path)
    again = generate_company(tmp_path)
    assert dump_hash(again.erp_path) == dump_hash(company.erp_path)
    assert (again.rows, again.wrong_rows) == (company.rows, company.wrong_rows)


def test_another_seed_makes_another_company_of_the_same_size(
    company: DemoCompany, tmp_path: Path
) -> None:
    other = generate_company(tmp_path / "other", seed=7)
    assert dump_hash(other.erp_path) != dump_hash(company.erp_path)
    assert other.rows["LISTINI_RIGHE"] == company.rows["LISTINI_RIGHE"]


def test_the_rows_counted_are_the_rows_there(company: DemoCompany) -> None:
    connection = sqlite3.connect(company.erp_path)
    counted = {
        table: connection.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0]
        for table in company.rows
    }
    connection.close()
    assert counted == company.rows


@pytest.mark.parametrize(
    ("entity", "count"),
    [
        ("SalesAgent", SMALL.agents),
        ("Account", SMALL.accounts),
        ("Item", SMALL.items),
        ("ItemListPrice", SMALL.prices),
        ("ErpDocument", SMALL.orders),
        ("ErpDocumentLine", SMALL.order_lines),
        ("ReceivableInstallment", SMALL.installments),
        ("Activity", SMALL.visits),
        ("Contact", SMALL.contacts),
        ("Promotion", SMALL.promotions),
        ("ItemImage", SMALL.pictures + 2),
    ],
)
def test_a_small_company_has_as_many_right_rows_as_its_scale_says(
    company: DemoCompany, entities: dict[str, list[Row]], entity: str, count: int
) -> None:
    planted = sum(n for (name, _), n in company.wrong_rows.items() if name == entity)
    assert len(entities[entity]) == count + planted


def test_editors_find_the_schema_beside_kimo_yaml(company: DemoCompany) -> None:
    assert company.config_path.read_text(encoding="utf-8").startswith(f"{EDITOR_LINE}\n")
    assert (company.directory / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text()


def test_51_entities_are_mapped_and_only_the_erps_answers_to_exports_are_empty(
    entities: dict[str, list[Row]],
) -> None:
    assert len(entities) == 51
    assert {name for name, rows in entities.items() if not rows} == {
        table.name for table in ANSWERS
    }


def test_every_mapped_column_is_a_field_of_the_catalogue(company: DemoCompany) -> None:
    config = load_config(company.config_path)
    unknown = [
        (name, field)
        for name, (mapping,) in config.entities.items()
        for field in mapping.fields
        if field not in load_catalog()[name].fields
    ]
    assert unknown == []


def test_the_only_wrong_rows_are_those_planted(
    company: DemoCompany, entities: dict[str, list[Row]]
) -> None:
    assert all_broken_rules(entities) == Counter(company.wrong_rows)


def test_about_twenty_rows_are_wrong_in_ten_ways(company: DemoCompany) -> None:
    assert 18 <= sum(company.wrong_rows.values()) <= 25
    assert {rule for _, rule in company.wrong_rows} == {
        "text_too_long",
        "not_a_number",
        "decimal_comma",
        "impossible_date",
        "unknown_enum_code",
        "missing_key",
        "duplicate_key",
        "invalid_characters",
        "missing_owner",
        "dangling_reference",
    }


def test_every_vat_number_has_its_check_digit(entities: dict[str, list[Row]]) -> None:
    numbers = [
        str(row["VatNumber"]) for name in ("Account", "SalesAgent") for row in entities[name]
    ]
    numbers = [number for number in numbers if number]
    assert len(numbers) > SMALL.agents
    assert [n for n in numbers if len(n) != 11 or luhn_check_digit(n[:10]) != int(n[10])] == []


def test_customers_do_not_share_a_vat_number(entities: dict[str, list[Row]]) -> None:
    customers = [
        r for r in entities["Account"] if r["AccountTypeId"] == 1 and str(r["Id"]).startswith("C")
    ]
    assert len({row["VatNumber"] for row in customers}) == len(customers)


def test_every_barcode_has_its_check_digit(entities: dict[str, list[Row]]) -> None:
    barcodes = [str(row["Barcode"]) for row in entities["ItemUom"]]
    barcodes += [str(row["ItemCrossReferenceCode"]) for row in entities["ItemCrossReference"]]
    assert [b for b in barcodes if len(b) != 13 or ean_check_digit(b[:12]) != int(b[12])] == []


def test_every_iban_has_its_check_digits(entities: dict[str, list[Row]]) -> None:
    ibans = [str(row["BankIban"]) for row in entities["Account"] if row["BankIban"]]
    assert len(ibans) > SMALL.accounts // 3
    assert [i for i in ibans if len(i) != 27 or iban_remainder(i[4:] + i[:4]) != 1] == []


@pytest.mark.parametrize(("known", "digit"), [("0764352056", 7), ("0074311015", 7)])
def test_the_vat_check_digit_agrees_with_known_numbers(known: str, digit: int) -> None:
    assert luhn_check_digit(known) == digit


def test_orders_add_up_and_mostly_belong_to_the_accounts_agent(
    entities: dict[str, list[Row]],
) -> None:
    amounts: Counter[object] = Counter()
    for line in entities["ErpDocumentLine"]:
        if int(str(line["Id"])) < 90_000_000 and line["SalesQty"] != 999:
            amounts[line["ErpDocumentId"]] += round(float(str(line["Amount"])) * 100)
    orders = [order for order in entities["ErpDocument"] if str(order["Id"]).startswith("OC")]
    assert {o["Id"]: round(float(str(o["Amount"])) * 100) for o in orders} == amounts
    agents = {row["Id"]: row["SalesAgentId"] for row in entities["Account"]}
    own = sum(order["SalesAgentId"] == agents[order["AccountId"]] for order in orders)
    assert own > len(orders) * 0.85


def test_every_picture_named_is_there_whatever_case_or_slash(
    company: DemoCompany, entities: dict[str, list[Row]]
) -> None:
    images = company.directory / "images"
    files = {
        str(p.relative_to(images)).replace("\\", "/").lower()
        for p in images.rglob("*")
        if p.is_file()
    }
    named = [str(row["FilePath"]) for row in entities["ItemImage"]]
    assert {path.replace("\\", "/").lower() for path in named} - {MISSING_FILE} == files - {
        UNNAMED_FILE
    }
    assert len(files) == SMALL.pictures + 2
    assert any("\\" in path for path in named)
    assert any(path.isupper() for path in named)


def test_pictures_are_squares_of_800_pixels_some_with_transparency(company: DemoCompany) -> None:
    kinds = Counter()
    for path in (company.directory / "images").rglob("*.*"):
        if path.name == CUT_FILE:
            with Image.open(path) as picture, pytest.raises(OSError, match="truncated"):
                picture.load()
            continue
        with Image.open(path) as picture:
            assert picture.size == (800, 800)
            kinds[picture.format, picture.mode] += 1
    assert set(kinds) == {("JPEG", "RGB"), ("PNG", "RGBA")}


def test_progress_tells_every_table_once(company: DemoCompany, told: list[tuple[str, int]]) -> None:
    assert sorted(table for table, _ in told) == sorted(company.rows)
    assert ("LISTINI_RIGHE", SMALL.prices) in told


def test_an_unknown_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="small, medium, large"):
        generate_company(tmp_path, "huge")


@pytest.mark.parametrize("file", ["kimo.yaml", "erp.sqlite", "settings.yaml"])
def test_somebody_elses_directory_is_left_alone(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("sources: {}\n")
    with pytest.raises(ConfigError, match="choose an empty directory"):
        generate_company(tmp_path)
    assert (tmp_path / file).read_text() == "sources: {}\n"


@pytest.fixture(scope="module")
def changed(
    company: DemoCompany, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, int]]:
    """A company in which two days passed, the second lived twice; and what the first one
    touched.
    """
    directory = tmp_path_factory.mktemp("changed")
    shutil.copytree(company.directory, directory, dirs_exist_ok=True)
    touched = change_company(directory)
    for seed in (2, 2):
        change_company(directory, 0.05, seed=seed)
    return directory, touched


@pytest.mark.parametrize(
    "table",
    [
        "LISTINI_RIGHE",
        "GIACENZE",
        "ORDINI_RIGHE",
        "ANAGRAFICA_CLIENTI",
        "ARTICOLI",
        "PARTITE_APERTE",
    ],
)
def test_tomorrow_touches_about_the_share_of_the_big_tables(
    company: DemoCompany, changed: tuple[Path, dict[str, int]], table: str
) -> None:
    _, touched = changed
    assert 0.01 < touched[table] / company.rows[table] < 0.04


def test_after_tomorrow_the_only_wrong_rows_are_still_those_planted(
    company: DemoCompany, changed: tuple[Path, dict[str, int]]
) -> None:
    directory, _ = changed
    assert all_broken_rules(read_entities(directory)) == Counter(company.wrong_rows)


@pytest.mark.parametrize(
    ("entity", "key"),
    [("ErpDocumentLine", "Id"), ("ReceivableInstallment", "Id"), ("Account", "Id")],
)
def test_tomorrow_some_rows_are_new_and_few_are_gone(
    entities: dict[str, list[Row]], changed: tuple[Path, dict[str, int]], entity: str, key: str
) -> None:
    before = {row[key] for row in entities[entity]}
    after = {row[key] for row in read_entities(changed[0])[entity]}
    assert after - before
    assert 0 < len(before - after) < len(before) * 0.03


def test_there_is_no_tomorrow_without_a_company(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="kimo demo"):
        change_company(tmp_path)
