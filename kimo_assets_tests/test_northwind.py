"""examples/northwind: a database not made for Kimo, imported whole and held against plain SQL on
it.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection, sql

from kimo_assets.catalog import load_catalog
from kimo_assets.config import KimoConfig, load_config
from kimo_assets.database.server import Database
from kimo_assets.pipeline.workflows import run_import
from kimo_assets.reports import ImportReport
from kimo_assets.sync.client.client import sync_agent

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "northwind"

# How many rows each entity should have, as a query on Northwind that is not the mapping's.
COUNTS = {
    "Account": "SELECT count(*) FROM customers",
    "BusinessRuleFromErp": "SELECT 2",
    "Carrier": "SELECT count(DISTINCT ship_via) FROM orders",
    "CompanyRole": "SELECT count(DISTINCT contact_title) FROM customers",
    "Contact": "SELECT count(contact_name) FROM customers",
    "Country": (
        """
        SELECT count(*) FROM (SELECT country FROM customers UNION SELECT country FROM suppliers
                              UNION SELECT country FROM employees UNION SELECT ship_country
                                  FROM orders)
        """
    ),
    "Currency": "SELECT 1",
    "CustomerGroup": "SELECT count(*) FROM customer_demographics",
    "ErpDocument": "SELECT count(*) FROM orders",
    "ErpDocumentLine": "SELECT count(*) FROM order_details",
    "Item": "SELECT count(*) FROM products",
    "ItemGroup": "SELECT count(*) FROM categories",
    "ItemListPrice": "SELECT count(*) FROM products WHERE NOT discontinued",
    "ItemOfflineAvailability": "SELECT count(*) FROM products",
    "ItemUom": "SELECT count(*) FROM products",
    "Language": "SELECT 1",
    "Manufacturer": "SELECT count(*) FROM suppliers",
    "PriceList": "SELECT 1",
    "SalesAgent": "SELECT count(*) FROM employees",
    "SalesAgentPerAccount": "SELECT count(DISTINCT customer_id || '/' || employee_id) FROM orders",
    "UomTranslation": "SELECT 1",
    "VatRate": "SELECT 1",
    "Warehouse": "SELECT 1",
    "WarehousePerSalesAgent": "SELECT count(*) FROM employees",
    "Zone": "SELECT count(*) FROM region",
}

# entity, its columns, and the same values straight from Northwind.
ROWS = [
    (
        "Account",
        "Id, Name, AddressLine, AddressCity, AddressCountrySubdivision, AddressPostCode, Phone",
        (
            "SELECT customer_id, company_name, address, city, region, postal_code, phone FROM"
            " customers"
        ),
    ),
    (
        "Contact",
        "AccountId, CompanyRoleId, Phone",
        "SELECT customer_id, contact_title, phone FROM customers",
    ),
    ("SalesAgent", "Id, AddressCity, Phone2", "SELECT employee_id, city, extension FROM employees"),
    (
        "SalesAgentPerAccount",
        "AccountId, SalesAgentId",
        "SELECT customer_id, employee_id FROM orders GROUP BY customer_id, employee_id",
    ),
    (
        "Item",
        "Id, Description, ItemGroupLevel1Id, ManufacturerId",
        "SELECT product_id, product_name, category_id, supplier_id FROM products",
    ),
    (
        "ItemGroup",
        "Id, Level1Id, Description",
        "SELECT category_id, category_id, category_name FROM categories",
    ),
    ("ItemUom", "ItemId, Label", "SELECT product_id, quantity_per_unit FROM products"),
    (
        "ItemListPrice",
        "ItemId, UnitPrice",
        "SELECT product_id, unit_price FROM products WHERE NOT discontinued",
    ),
    (
        "ItemOfflineAvailability",
        "ItemId, GlobalAvailability",
        "SELECT product_id, units_in_stock FROM products",
    ),
    ("Manufacturer", "Id, Name", "SELECT supplier_id, company_name FROM suppliers"),
    ("Zone", "Id, Description", "SELECT region_id, region_description FROM region"),
    (
        "ErpDocument",
        (
            "Id, AccountId, SalesAgentId, DocumentDate, DeliveryDate, FulfillmentDate, CarrierId,"
            " FreeDecimal1"
        ),
        (
            "SELECT order_id, customer_id, employee_id, order_date, required_date, shipped_date,"
            " ship_via, freight FROM orders"
        ),
    ),
    (
        "ErpDocumentLine",
        "ErpDocumentId, ItemId, UnitPrice, SalesQty",
        "SELECT order_id, product_id, unit_price, quantity FROM order_details",
    ),
]

AGENTS = ["4", "9"]


@dataclass
class Imported:
    config: KimoConfig
    database: Database
    report: ImportReport


def northwind_file() -> Path:
    given = os.environ.get("KIMO_NORTHWIND")
    file = Path(given) if given else ROOT.parent / "shared" / "erp-samples" / "northwind.sqlite"
    if not file.is_file():
        pytest.skip(
            f"there is no Northwind database at {file}: set KIMO_NORTHWIND to one "
            "(examples/northwind/README.md says where it comes from)"
        )
    return file.resolve()


@pytest.fixture(scope="module")
def northwind() -> Iterator[sqlite3.Connection]:
    """The source, for plain SQL."""
    with closing(sqlite3.connect(f"{northwind_file().as_uri()}?mode=ro", uri=True)) as source:
        yield source


@pytest.fixture(scope="module")
def imported(
    northwind: sqlite3.Connection,
    new_database: Callable[[], Database],
    tmp_path_factory: pytest.TempPathFactory,
) -> Imported:
    """Northwind after one full import, into a database and a folder of its own."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KIMO_NORTHWIND", str(northwind_file()))
        example = load_config(EXAMPLE / "kimo.yaml")
    config = example.model_copy(update={"data_dir": tmp_path_factory.mktemp("northwind")})
    database = new_database()
    return Imported(config, database, run_import(config, database))


@pytest.fixture
def kimo(imported: Imported) -> Iterator[Connection]:
    with imported.database.connect() as connection:
        yield connection


_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(E[+-]?\d+)?")


def same(value: Any) -> Any:
    """Numbers by value, all else as text: '4' and 4.0 are one, the code 05021 is no number; '' is
    None.
    """
    text = "" if value is None else str(value)
    return Decimal(text).normalize() if _NUMBER.fullmatch(text) else text or None


def rows(cursor: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(map(same, row)) for row in cursor.fetchall()), key=repr)


def select(schema: str, entity: str, columns: Sequence[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(schema, entity))


def one(source: sqlite3.Connection, query: str, *values: Any) -> Any:
    return source.execute(query, values).fetchone()[0]


# --- The mapping and the run
# ------------------------------------------------------------------------------


def test_the_example_maps_exactly_what_is_checked_here(imported: Imported) -> None:
    assert set(imported.config.entities) == set(COUNTS)
    assert len(COUNTS) >= 16


def test_the_whole_import_succeeds_without_refusing_a_row(
    imported: Imported, kimo: Connection
) -> None:
    report = imported.report.as_json()
    assert report["success"] is True, imported.report.failures
    assert list(report["steps"]) == ["1", "2", "3"]
    for step in report["steps"].values():
        assert set(step) == set(COUNTS)
        assert {entity["status"] for entity in step.values()} == {"ok"}
    assert {entity["rejected"] for entity in report["steps"]["1"].values()} == {0}
    assert kimo.execute("SELECT * FROM ops.rejected_row").fetchall() == []


@pytest.mark.parametrize("entity", COUNTS)
def test_every_row_arrives_in_staging_and_in_kimo(
    entity: str, imported: Imported, northwind: sqlite3.Connection, kimo: Connection
) -> None:
    expected = one(northwind, COUNTS[entity])
    for schema in ("integrator", "kimo"):
        count = sql.SQL("SELECT count(*), count(DISTINCT {}) FROM {}").format(
            sql.Identifier("Id"), sql.Identifier(schema, entity)
        )
        assert kimo.execute(count).fetchone() == (expected, expected), schema
    steps = imported.report.as_json()["steps"]
    assert (steps["1"][entity]["read"], steps["1"][entity]["staged"]) == (expected, expected)
    assert (steps["2"][entity]["inserted"], steps["2"][entity]["unchanged"]) == (expected, 0)


@pytest.mark.parametrize(
    ("entity", "columns", "query"), ROWS, ids=[entity for entity, _, _ in ROWS]
)
@pytest.mark.parametrize("schema", ["integrator", "kimo"])
def test_values_are_the_sources_own(
    schema: str,
    entity: str,
    columns: str,
    query: str,
    northwind: sqlite3.Connection,
    kimo: Connection,
) -> None:
    arrived = rows(kimo.execute(select(schema, entity, columns.split(", "))))
    assert arrived == rows(northwind.execute(query))


def test_every_key_that_carries_a_value_finds_its_row(imported: Imported, kimo: Connection) -> None:
    """No reference dangles, and none points to an entity that the example forgot to map."""
    catalog = load_catalog()
    followed = 0
    for name in imported.config.entities:
        staged = {
            field.name
            for field in kimo.execute(f'SELECT * FROM integrator."{name}" LIMIT 0').description
        }
        for field, reference in catalog[name].hard_references.items():
            used = field in staged and kimo.execute(
                f'SELECT count("{field}") FROM kimo."{name}"'
            ).fetchone() != (0,)
            if used:
                assert reference.target in imported.config.entities, (
                    f"{name}.{field} -> {reference.target}"
                )
                followed += 1
    assert followed > 25
    dangling = kimo.execute(
        "SELECT entity, field, samples FROM ops.reference_check WHERE dangling > 0"
    )
    assert dangling.fetchall() == []
    assert {
        count
        for entity in imported.report.as_json()["steps"]["2"].values()
        for count in entity["dangling"].values()
    } <= {0}


# --- What the mapping makes of it
# -------------------------------------------------------------------------


def test_an_orders_total_is_the_sum_of_its_lines_rounded_to_cents(
    northwind: sqlite3.Connection, kimo: Connection
) -> None:
    expected: dict[str, Decimal] = {}
    cent = Decimal("0.01")
    for order, price, quantity, discount in northwind.execute(
        "SELECT order_id, unit_price, quantity, discount FROM order_details"
    ):
        amount = Decimal(str(price)) * quantity * (1 - Decimal(str(discount)))
        expected[str(order)] = expected.get(str(order), Decimal(0)) + amount
    found = dict(kimo.execute('SELECT "Id", "Amount" FROM kimo."ErpDocument"').fetchall())
    lines = dict(
        kimo.execute(
            'SELECT "ErpDocumentId", sum("Amount") FROM kimo."ErpDocumentLine" GROUP BY 1'
        ).fetchall()
    )
    assert found == lines
    assert found["10248"] == Decimal("440")
    assert found.keys() == expected.keys()
    # Each of at most 25 lines was rounded by itself.
    assert all(abs(found[order] - expected[order]) < 25 * cent for order in found)


def test_a_discount_is_a_percentage_in_kimo(
    northwind: sqlite3.Connection, kimo: Connection
) -> None:
    found = {
        value
        for (value,) in kimo.execute('SELECT DISTINCT "Discount1" FROM kimo."ErpDocumentLine"')
    }
    source = {
        value for (value,) in northwind.execute("SELECT DISTINCT discount FROM order_details")
    }
    assert found == {Decimal(str(value)) * 100 for value in source}
    line = kimo.execute(
        'SELECT "Discount1", "UnitPrice", "NetUnitPrice", "Amount", "ItemId" FROM'
        ' kimo."ErpDocumentLine" '
        """WHERE "Id" = '10250-51'"""
    ).fetchone()
    assert line == (15, Decimal("42.4"), Decimal("36.04"), Decimal("1261.4"), "51")


def test_lines_are_numbered_within_their_order(kimo: Connection) -> None:
    wrong = kimo.execute(
        'SELECT "ErpDocumentId" FROM kimo."ErpDocumentLine" GROUP BY 1 HAVING (min("LineNumber"),'
        ' max("LineNumber"), count(DISTINCT "LineNumber")) <> (1, count(*), count(*))'
    )
    assert wrong.fetchall() == []


def test_what_was_not_shipped_yet_is_outstanding(
    northwind: sqlite3.Connection, kimo: Connection
) -> None:
    open_orders = one(northwind, "SELECT count(*) FROM orders WHERE shipped_date IS NULL")
    assert open_orders > 0
    assert rows(
        kimo.execute('SELECT "FulfillmentStatus", count(*) FROM kimo."ErpDocument" GROUP BY 1')
    ) == rows(
        northwind.execute(
            "SELECT CASE WHEN shipped_date IS NULL THEN 1 ELSE 3 END, count(*) FROM orders GROUP"
            " BY 1"
        )
    )
    assert rows(
        kimo.execute('SELECT sum("ShippedQty"), sum("OutstandingQty") FROM kimo."ErpDocumentLine"')
    ) == rows(
        northwind.execute(
            "SELECT sum(quantity) FILTER (WHERE shipped_date IS NOT NULL), "
            "sum(quantity) FILTER (WHERE shipped_date IS NULL) "
            "FROM order_details JOIN orders USING (order_id)"
        )
    )


def test_a_discontinued_product_is_kept_without_a_price_and_not_found_in_a_search(
    kimo: Connection,
) -> None:
    chai = kimo.execute("""
        SELECT i."IsVisibleOnItemsSearch", p."Id" FROM kimo."Item" i
        LEFT JOIN kimo."ItemListPrice" p ON p."ItemId" = i."Id" WHERE i."Description" = 'Chai'
        """).fetchall()
    assert chai == [(False, None)]
    assert kimo.execute(
        'SELECT count(*) FROM kimo."Item" WHERE "IsVisibleOnItemsSearch"'
    ).fetchone() == (67,)


def test_a_key_that_the_source_lacks_is_made_from_the_entitys_own(kimo: Connection) -> None:
    links = kimo.execute(
        'SELECT count(*) FROM kimo."SalesAgentPerAccount" '
        """WHERE "Id" <> "AccountId" || '|' || "SalesAgentId" """
    )
    assert links.fetchone() == (0,)
    rules = dict(kimo.execute('SELECT "Key", "Value" FROM kimo."BusinessRuleFromErp"').fetchall())
    assert rules == {"Vat\\AccountVatRateId": "NONE", "Vat\\ItemVatRateId": "NONE"}


def test_names_addresses_and_zones_are_brought_into_shape(kimo: Connection) -> None:
    names = kimo.execute(
        'SELECT "FirstName", "LastName" FROM kimo."Contact" '
        """WHERE "AccountId" IN ('ALFKI', 'GODOS') ORDER BY 1"""
    )
    assert names.fetchall() == [("José", "Pedro Freyre"), ("Maria", "Anders")]
    nancy = kimo.execute(
        """SELECT "Description", "AddressLine" FROM kimo."SalesAgent" WHERE "Id" = '1'"""
    )
    assert nancy.fetchone() == ("Nancy Davolio", "507 - 20th Ave. E., Apt. 2A")
    zones = kimo.execute(
        'SELECT z."Description", count(*) FROM kimo."Account" a JOIN kimo."Zone" z ON z."Id" ='
        ' a."ZoneId" GROUP BY 1'
    )
    assert dict(zones.fetchall()) == {"Western": 11, "Northern": 1}
    countries = dict(kimo.execute('SELECT "Id", "IsoCode" FROM kimo."Country"').fetchall())
    assert all(code is not None and len(code) == 2 for code in countries.values())
    assert (countries["Germany"], countries["UK"]) == ("DE", "GB")


def test_the_reference_agent_is_the_one_of_the_last_order(
    northwind: sqlite3.Connection, kimo: Connection
) -> None:
    last: dict[str, str] = {}
    for customer, agent in northwind.execute(
        "SELECT customer_id, employee_id FROM orders ORDER BY order_date, order_id"
    ):
        last[customer] = str(agent)
    found = dict(kimo.execute('SELECT "Id", "SalesAgentId" FROM kimo."Account"').fetchall())
    assert {account: agent for account, agent in found.items() if agent} == last
    assert {account for account, agent in found.items() if agent is None} == {"FISSA", "PARIS"}


# --- On the tablets
# ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=AGENTS)
def agent(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tablet(
    agent: str, imported: Imported, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sqlite3.Connection]:
    """What the reference client wrote for the agent."""
    file = tmp_path_factory.mktemp("tablet") / f"{agent}.sqlite"
    sync_agent(imported.config.sync_store, agent, file)
    with closing(sqlite3.connect(file)) as tablet:
        yield tablet


# entity, its columns, and what the agent :agent should see of it, straight from Northwind.
SEEN = [
    (
        "Account",
        "Id, Name",
        (
            "SELECT customer_id, company_name FROM customers "
            "WHERE customer_id IN (SELECT customer_id FROM orders WHERE employee_id = :agent)"
        ),
    ),
    (
        "Contact",
        "Id, AccountId",
        (
            "SELECT customer_id, customer_id FROM customers "
            "WHERE customer_id IN (SELECT customer_id FROM orders WHERE employee_id = :agent)"
        ),
    ),
    (
        "SalesAgentPerAccount",
        "AccountId, SalesAgentId",
        "SELECT DISTINCT customer_id, employee_id FROM orders WHERE employee_id = :agent",
    ),
    (
        "ErpDocument",
        "Id, AccountId, DocumentDate, FreeDecimal1",
        "SELECT order_id, customer_id, order_date, freight FROM orders WHERE employee_id = :agent",
    ),
    (
        "ErpDocumentLine",
        "Id, ItemId, SalesQty, UnitPrice",
        (
            "SELECT order_id || '-' || product_id, product_id, quantity, unit_price "
            "FROM order_details JOIN orders USING (order_id) WHERE employee_id = :agent"
        ),
    ),
    ("WarehousePerSalesAgent", "SalesAgentId, WarehouseId", "SELECT :agent, 'MAIN'"),
    ("Item", "Id, Description", "SELECT product_id, product_name FROM products WHERE :agent"),
    (
        "ItemListPrice",
        "ItemId, UnitPrice",
        "SELECT product_id, unit_price FROM products WHERE NOT discontinued AND :agent",
    ),
    (
        "ItemOfflineAvailability",
        "ItemId, WarehouseAvailability",
        "SELECT product_id, units_in_stock FROM products WHERE :agent",
    ),
    ("Manufacturer", "Id, Name", "SELECT supplier_id, company_name FROM suppliers WHERE :agent"),
    # Colleagues are known by name; their addresses are theirs.
    (
        "SalesAgent",
        "Id, Description, Phone",
        (
            "SELECT employee_id, first_name || ' ' || last_name, "
            "CASE WHEN employee_id = :agent THEN home_phone END FROM employees"
        ),
    ),
]


@pytest.mark.parametrize(
    ("entity", "columns", "query"), SEEN, ids=[entity for entity, _, _ in SEEN]
)
def test_a_tablet_holds_exactly_what_its_agent_may_see(
    agent: str,
    entity: str,
    columns: str,
    query: str,
    tablet: sqlite3.Connection,
    northwind: sqlite3.Connection,
) -> None:
    expected = rows(northwind.execute(query, {"agent": int(agent)}))
    assert expected
    quoted = ", ".join(f'"{column}"' for column in columns.split(", "))
    assert rows(tablet.execute(f'SELECT {quoted} FROM "{entity}"')) == expected


def test_a_tablet_has_a_table_for_every_entity(tablet: sqlite3.Connection) -> None:
    tables = {
        name for (name,) in tablet.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    assert tables >= set(COUNTS)
    assert one(tablet, 'SELECT count(*) FROM "CustomerGroup"') == 0


def test_a_customer_who_never_ordered_is_on_no_tablet(tablet: sqlite3.Connection) -> None:
    assert one(tablet, """SELECT count(*) FROM "Account" WHERE "Id" IN ('FISSA', 'PARIS')""") == 0


def test_the_readme_tells_the_truth_about_agent_4(northwind: sqlite3.Connection) -> None:
    customers, orders = northwind.execute(
        "SELECT count(DISTINCT customer_id), count(*) FROM orders WHERE employee_id = 4"
    ).fetchone()
    text = " ".join((EXAMPLE / "README.md").read_text(encoding="utf-8").split())
    assert f"has the {customers} customers" in text
    assert f"the {orders} orders" in text


# --- Again
# ------------------------------------------------------------------------------------------------


def test_a_second_import_finds_nothing_to_do(
    imported: Imported, agent: str, tablet: sqlite3.Connection, tmp_path: Path
) -> None:
    again = run_import(imported.config, imported.database).as_json()
    assert again["success"] is True
    for step in again["steps"].values():
        assert {entity["status"] for entity in step.values()} == {"unchanged"}
    for entity in again["steps"]["2"].values():
        assert (entity["inserted"], entity["updated"], entity["archived"], entity["held"]) == (
            0,
            0,
            0,
            0,
        )
    assert {entity["objects_written"] for entity in again["steps"]["3"].values()} == {0}
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as copy:
        tablet.backup(copy)
    synced = sync_agent(imported.config.sync_store, agent, tmp_path / "copy.sqlite")
    assert (synced.entities_changed, synced.objects_downloaded) == (0, 0)
