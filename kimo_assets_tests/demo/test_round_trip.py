"""Agents' orders made on request, sent to the demo's ERP, picked up there and imported again."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kimo_assets.config import KimoConfig, load_config
from kimo_assets.database import ledger
from kimo_assets.database.locks import exclusive
from kimo_assets.database.server import Database
from kimo_assets.demo import DemoCompany, generate_company
from kimo_assets.demo.codes import luhn_check_digit
from kimo_assets.demo.erp_tables import EXPORTED
from kimo_assets.demo.fake_erp import PickedUp, pick_up
from kimo_assets.demo.orders import MadeOrders, make_orders
from kimo_assets.errors import ConfigError
from kimo_assets.export.run import ExportRun, export_to_erp
from kimo_assets.pipeline.workflows import run_import
from kimo_assets.progress import Progress
from kimo_assets.reports import ExportReport
from kimo_assets.settings import read_settings
from kimo_assets.settings.load import load_settings
from kimo_assets.sync.client.client import sync_agent
from kimo_assets_tests.demo.test_demo_company import all_broken_rules, read_entities

COUNT = 40
ERP_NOW = datetime(2026, 1, 16, 5, 30)
MADE = (
    "Account",
    "Activity",
    "ActivityAssignee",
    "Document",
    "DocumentLine",
    "ReceivableInstallment",
)


@dataclass
class Office:
    """The demo company, imported, with its settings."""

    company: DemoCompany
    config: KimoConfig
    database: Database

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(query, values or None).fetchall()  # type: ignore[arg-type]

    def value(self, query: str, *values: Any) -> Any:
        return self.rows(query, *values)[0][0]

    def make(self, count: int, **options: Any) -> MadeOrders:
        with exclusive(self.database) as connection:
            return make_orders(connection, count, **options)

    def export(self) -> ExportReport:
        with exclusive(self.database) as connection:
            load = ledger.begin_load(connection, "export", None)
            report = export_to_erp(
                ExportRun(self.config, connection, self.database.connect, load, Progress())
            )
            ledger.end_load(connection, load, success=True)
            return report

    def import_all(self) -> None:
        report = run_import(self.config, self.database)
        assert report.success, report.failures


@pytest.fixture(scope="module")
def office(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], Database]
) -> Office:
    company = generate_company(tmp_path_factory.mktemp("office"))
    office = Office(company, load_config(company.config_path), new_database())
    office.import_all()
    with office.database.connect() as connection:
        load_settings(connection, read_settings(company.settings_path))
    return office


@pytest.fixture(scope="module")
def made(office: Office) -> MadeOrders:
    return office.make(COUNT)


# --- what is made
# -------------------------------------------------------------------------------------------------


def test_the_import_of_the_company_takes_its_empty_answers_for_what_they_are(
    office: Office,
) -> None:
    rows = office.rows(
        "SELECT rows_live FROM ops.loaded WHERE entity LIKE 'EntitySyncReferenceFor%%'"
    )
    assert rows == [(0,)] * 3


def test_as_many_orders_are_ready_as_were_asked_for_and_some_documents_are_not(
    office: Office, made: MadeOrders
) -> None:
    found = office.rows(
        'SELECT "DocumentTypeId", "EntityStatus", length("Notes") > 200, count(*) FROM'
        ' kimo."Document" GROUP BY 1, 2, 3'
    )
    counts: Counter[tuple[str, int, bool]] = Counter()
    for kind, status, is_long, count in found:
        counts[kind, status, bool(is_long)] += count
    assert counts == {
        ("ORD", 6, False): COUNT,
        ("ORD", 6, True): made.too_long,
        ("ORD", 7, False): made.editing,
        ("PRE", 6, False): made.quotes,
    }
    assert (made.orders, made.too_long, made.editing, made.quotes) == (COUNT, 1, 1, COUNT // 10)


def test_orders_have_1_to_12_lines_of_real_items_and_add_up(
    office: Office, made: MadeOrders
) -> None:
    lines = office.rows("""
        SELECT d."Id", d."Amount", d."VatAmount", d."AmountIncludingVat", l."SalesQty",
            l."UnitPrice", l."Discount1",
            l."Amount", l."VatRateValue", l."VatAmount", i."Id", l."LineNumber",
                d."EntityStatus" = 6
            AND d."DocumentTypeId" = 'ORD' AND coalesce(length(d."Notes"), 0) <= 200
        FROM kimo."Document" AS d JOIN kimo."DocumentLine" AS l ON l."DocumentId" = d."Id"
        LEFT JOIN kimo."Item" AS i ON i."Id" = l."ItemId" AND i._archived_load IS NULL
        ORDER BY 1, l."LineNumber"
        """)
    numbers: dict[str, list[int]] = {}
    totals: dict[str, list[Decimal]] = {}
    for (
        order,
        amount,
        vat,
        total,
        quantity,
        price,
        discount,
        of_line,
        rate,
        vat_of_line,
        item,
        number,
        _,
    ) in lines:
        assert item is not None
        assert (
            0
            <= quantity * price * (100 - discount) / 100 - of_line + Decimal("0.005")
            <= Decimal("0.01")
        )
        assert abs(of_line * rate / 100 - vat_of_line) <= Decimal("0.005")
        assert amount + vat == total
        numbers.setdefault(order, []).append(number)
        totals.setdefault(order, [amount, vat])
        totals[order] = [
            left - part for left, part in zip(totals[order], (of_line, vat_of_line), strict=True)
        ]
    assert all(
        found == list(range(1, len(found) + 1)) and len(found) <= 12 for found in numbers.values()
    )
    assert set(map(tuple, totals.values())) == {(0, 0)}
    assert sum(line[-1] for line in lines) == made.lines
    assert len(numbers) == office.value('SELECT count(*) FROM kimo."Document"')


def test_an_order_is_of_a_customer_that_its_agent_follows_or_has_just_found(
    office: Office, made: MadeOrders
) -> None:
    strangers = office.rows("""
        SELECT d."Id" FROM kimo."Document" AS d JOIN kimo."Account" AS a ON a."Id" = d."AccountId"
        WHERE NOT (a."CreationReason" IS NOT DISTINCT FROM 2 AND a."CreatorId" = d."CreatorId") AND
            NOT EXISTS (
            SELECT FROM kimo."SalesAgentPerAccount" AS l
            WHERE l."AccountId" = a."Id" AND l."SalesAgentId" = d."CreatorId" AND l._archived_load
                IS NULL)
        """)
    assert strangers == []
    newcomers = office.rows(
        'SELECT a."VatNumber", count(d.*) FROM kimo."Account" AS a JOIN kimo."Document" AS d ON'
        ' d."AccountId" = a."Id" WHERE a."CreationReason" = 2 AND a."EntityStatus" = 6 AND'
        ' a."SyncReference" = a."Id" AND a._hash IS NULL GROUP BY 1'
    )
    assert len(newcomers) == made.new_customers == COUNT // 10
    assert {count for _, count in newcomers} == {1}
    assert (
        sum(luhn_check_digit(vat[:10]) != int(vat[10]) for vat, _ in newcomers)
        == made.wrong_vat_numbers
        == 1
    )


def test_references_of_what_was_made_hold(office: Office, made: MadeOrders) -> None:
    for entity, field, target in (
        ("Account", "ZoneId", "Zone"),
        ("Account", "SalesAgentId", "SalesAgent"),
        ("Account", "CustomerGroupId", "CustomerGroup"),
        ("Document", "AccountId", "Account"),
        ("Document", "PriceListId", "PriceList"),
        ("Document", "PaymentMethodId", "PaymentMethod"),
        ("Document", "WarehouseId", "Warehouse"),
        ("Document", "ShipmentSiteId", "Account"),
        ("Document", "DocumentTypeId", "DocumentType"),
        ("DocumentLine", "SaleTypeId", "SaleType"),
        ("DocumentLine", "VatRateId", "VatRate"),
        ("DocumentLine", "PriceListId", "PriceList"),
        ("Activity", "ActivityTypeId", "ActivityType"),
        ("Activity", "AccountId", "Account"),
        ("ReceivableInstallment", "ActualPaymentTypeId", "PaymentType"),
    ):
        query = f"""
            SELECT count(*) FILTER (WHERE "{field}" IS NOT NULL), count(*) FILTER (
                WHERE "{field}" IS NOT NULL AND NOT EXISTS
                    (SELECT FROM kimo."{target}" AS t WHERE t."Id" = e."{field}"))
            FROM kimo."{entity}" AS e WHERE _changed_load = %s
        """
        given, dangling = office.rows(query, made.load)[0]
        assert given > 0, (entity, field)
        assert dangling == 0, (entity, field)


def test_edits_visits_and_cashings_wait_to_be_sent(office: Office, made: MadeOrders) -> None:
    pending = '"EntityStatus" = 6 AND "SyncReference" IS NOT NULL'
    edited = (
        f'SELECT count(*) FROM kimo."Account" WHERE {pending} AND "CreationReason" = 1 AND _hash IS'
        " NOT NULL"
    )
    visits = (
        f'SELECT count(*) FROM kimo."Activity" AS a WHERE {pending} AND "Status" = 2 AND EXISTS'
        ' (SELECT FROM kimo."ActivityAssignee" WHERE "ActivityId" = a."Id" AND "AssigneeId" ='
        ' a."CreatorId")'
    )
    cashed = (
        f'SELECT count(*) FROM kimo."ReceivableInstallment" WHERE {pending} AND "PaymentStatus" = 3'
        ' AND "ActualPaymentAmount" > 0 AND "ActualPaymentAmount" <= "ResidualDueAmount"'
    )
    assert (office.value(edited), office.value(visits), office.value(cashed)) == (
        made.edited_customers,
        made.visits,
        made.cashings,
    )
    assert (made.edited_customers, made.visits, made.cashings) == (1, COUNT // 5, COUNT // 10)
    assert office.value('SELECT count(*) FROM kimo."Document" WHERE "Notes" ~ E\'[\\n🚚🎉]\'') > 0


def test_the_same_seed_makes_the_same_and_the_next_call_makes_others(
    office: Office, made: MadeOrders
) -> None:
    first, again = made_and_undone(office, seed=5), made_and_undone(office, seed=5)
    assert first == again
    assert made_and_undone(office, seed=6) != first
    with office.database.connect() as connection, connection.transaction(force_rollback=True):
        make_orders(connection, 5, seed=5)
        one = references(connection)
        make_orders(connection, 5, seed=5)
        assert len(references(connection)) > len(one)  # none twice: SyncReference is the Id


def made_and_undone(office: Office, *, seed: int) -> dict[str, list[tuple[Any, ...]]]:
    with office.database.connect() as connection, connection.transaction(force_rollback=True):
        load = make_orders(connection, 12, seed=seed).load
        return {
            entity: (
                connection.execute(
                    f"SELECT to_jsonb(e) - '_changed_load' FROM kimo.\"{entity}\" AS e"  # type: ignore[arg-type]
                    f" WHERE _changed_load = {load} "
                    'ORDER BY "Id"'
                ).fetchall()
            )
            for entity in MADE
        }


def references(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute('SELECT "SyncReference" FROM kimo."Document"').fetchall()


def test_nothing_can_be_ordered_before_the_company_is_imported(
    new_database: Callable[[], Database],
) -> None:
    with exclusive(new_database()) as connection:
        with pytest.raises(ConfigError, match="import the demo company first"):
            make_orders(connection, 1)
        with pytest.raises(ConfigError, match="ask for 1 or more"):
            make_orders(connection, 0)
        assert connection.execute("SELECT count(*) FROM ops.load").fetchone() == (0,)


# --- what the stand-in ERP does with it
# ---------------------------------------------------------------------------


@dataclass
class Erp:
    """A copy of the company's ERP, to be filled by hand."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "erp.sqlite"

    def put(self, table: str, **values: Any) -> None:
        marks = ", ".join("?" * len(values))
        self.ask(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", *values.values())

    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def customer(self, key: str, **values: Any) -> None:
        """One that is new, unless the key is one of the ERP's codes."""
        given = {
            "RAGSOC": f"Bar {key}",
            "TIPO": 1,
            "PIVA": "",
            "CODAGE": "A001",
            "UTENTE": "A001",
            "SYNCREF": key,
        }
        self.put("KIMO_CLIENTI", ID_KIMO=key, **(given | values))

    def order(self, key: str, customer: str, *, lines: int = 1, **values: Any) -> None:
        given = {
            "SYNCREF": key,
            "TIPODOC": "OC",
            "DATA_ORDINE": "20260115",
            "DATA_CONSEGNA": "",
            "CODAGE": "A001",
        }
        self.put("KIMO_ORDINI", ID_KIMO=key, CODCLI=customer, IMPONIBILE=10.5, **(given | values))
        for number in range(1, lines + 1):
            self.put(
                "KIMO_ORDINI_RIGHE",
                SYNCREF=f"{key}-{number}",
                IDORD_KIMO=key,
                RIGA=number,
                CODART="X",
                QTA=2,
            )

    def answers(self, entity: str) -> list[tuple[Any, ...]]:
        table = f"EntitySyncReferenceFor{entity}"
        return self.ask(
            f"SELECT SyncReference, EntityId, UserId, ElaboratedOnErpTimeStamp FROM {table} ORDER"
            " BY 1"
        )

    def left(self) -> dict[str, int]:
        counts = {
            table.name: self.ask(f"SELECT COUNT(*) FROM {table.name}")[0][0] for table in EXPORTED
        }
        return {name: count for name, count in counts.items() if count}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> DemoCompany:
    return generate_company(tmp_path_factory.mktemp("untouched"))


@pytest.fixture
def erp(untouched: DemoCompany, tmp_path: Path) -> Iterator[Erp]:
    for file in (untouched.erp_path, untouched.config_path):
        shutil.copy(file, tmp_path)
    erp = Erp(tmp_path)
    yield erp
    assert erp.ask("SELECT Status FROM ExportToErpSemaphore") in ([(0,)], [(3,)])


def picked_up(**counts: int) -> PickedUp:
    """All others are 0."""
    return PickedUp(**{name: counts.get(name, 0) for name in PickedUp.__dataclass_fields__})


def test_a_new_customer_gets_the_next_code_its_agent_and_its_order(erp: Erp) -> None:
    (last,) = erp.ask("SELECT MAX(CODCLI) FROM ANAGRAFICA_CLIENTI WHERE CODCLI LIKE 'C%'")[0]
    code = f"C{int(last[1:]) + 1:06d}"
    erp.customer("new-1")
    erp.order("order-1", "new-1", lines=3, ANNOTAZIONI="🚚")
    assert pick_up(erp.file, now=ERP_NOW) == picked_up(orders=1, lines=3, new_customers=1)
    assert erp.answers("Account") == [("new-1", code, "A001", "2026-01-16 05:30:00")]
    assert erp.ask("SELECT RAGSOC, ATTIVO FROM ANAGRAFICA_CLIENTI WHERE CODCLI = ?", code) == [
        ("Bar new-1", 1)
    ]
    assert erp.ask("SELECT CODAGE, CESSATO FROM AGENTI_CLIENTI WHERE CODCLI = ?", code) == [
        ("A001", 0)
    ]
    order = (
        "IDORD, CODCLI, RAGSOC, DATA_ORDINE, DATA_CONSEGNA, STATO_EVASIONE, IMPONIBILE, ANNOTAZIONI"
    )
    taken = erp.ask(f"SELECT {order} FROM ORDINI_TESTATE WHERE RIF_KIMO = 'order-1'")
    assert taken == [("OC26-001001", code, "Bar new-1", "2026-01-15", -1, 1, 10.5, "🚚")]
    lines = erp.ask(
        "SELECT RIGA, QTA, QTA_EVASA, QTA_RESIDUA FROM ORDINI_RIGHE WHERE IDORD = 'OC26-001001'"
        " ORDER BY RIGA"
    )
    assert lines == [(1, 2, 0, 2), (2, 2, 0, 2), (3, 2, 0, 2)]
    assert erp.left() == {}


def test_orders_of_a_refused_customer_wait_until_it_is_sent_right(erp: Erp) -> None:
    erp.customer("new-1", PIVA="00743110150")
    erp.customer("new-2", PIVA="00743110157")
    erp.order("order-1", "new-1", lines=2)
    first = pick_up(erp.file, now=ERP_NOW)
    assert first == picked_up(new_customers=1, refused_customers=1, waiting=1)
    assert erp.answers("Account")[0] == ("new-1", "", "A001", "2026-01-16 05:30:00")
    assert erp.left() == {"KIMO_ORDINI": 1, "KIMO_ORDINI_RIGHE": 2}
    erp.customer("new-1", PIVA="00743110157")
    assert pick_up(erp.file) == picked_up(orders=1, lines=2, new_customers=1)
    assert (
        erp.answers("Account")[0][1]
        == erp.ask("SELECT CODCLI FROM ORDINI_TESTATE WHERE RIF_KIMO = 'order-1'")[0][0]
    )
    assert len(erp.answers("Account")) == 2
    assert erp.left() == {}


def test_a_customer_is_known_again_by_its_reference_and_not_made_twice(erp: Erp) -> None:
    erp.customer("new-1")
    assert pick_up(erp.file).new_customers == 1
    erp.customer("new-1", RAGSOC="Bar Sport")
    erp.order("order-1", "new-1")
    assert pick_up(erp.file) == picked_up(orders=1, lines=1, edited_customers=1)
    assert erp.ask("SELECT COUNT(*) FROM ANAGRAFICA_CLIENTI WHERE RAGSOC = 'Bar Sport'") == [(1,)]


def test_an_edited_customer_keeps_its_code(erp: Erp) -> None:
    erp.customer("C000001", SYNCREF="edit-1", RAGSOC="Bar Nuovo", TELEFONO="071 1")
    assert pick_up(erp.file, now=ERP_NOW) == picked_up(edited_customers=1)
    assert erp.answers("Account") == [("edit-1", "C000001", "A001", "2026-01-16 05:30:00")]
    assert erp.ask(
        "SELECT RAGSOC, TELEFONO, ATTIVO FROM ANAGRAFICA_CLIENTI WHERE CODCLI = 'C000001'"
    ) == [("Bar Nuovo", "071 1", 1)]


def test_every_so_many_new_customers_are_refused_on_request(erp: Erp) -> None:
    for number in range(7):
        erp.customer(f"new-{number}")
    erp.customer("C000001", SYNCREF="edit")
    assert pick_up(erp.file, refuse_every=3) == picked_up(
        new_customers=5, refused_customers=2, edited_customers=1
    )
    assert [reference for reference, code, *_ in erp.answers("Account") if not code] == [
        "new-2",
        "new-5",
    ]


def test_visits_and_payments_are_entered_and_answered(erp: Erp) -> None:
    unpaid = "STATO = 0 AND RESIDUO > 10 AND PAGATO = 0"
    key, due = erp.ask(f"SELECT IDPARTITA, RESIDUO FROM PARTITE_APERTE WHERE {unpaid} LIMIT 1")[0]
    erp.put(
        "KIMO_VISITE",
        ID_KIMO="visit-1",
        SYNCREF="visit-1",
        CODCLI="C000001",
        CODAGE="A002",
        UTENTE="A002",
        STATO=2,
    )
    erp.put("KIMO_VISITE_AGENTI", SYNCREF="part-1", ID_VISITA="visit-1", CODAGE="A002")
    erp.put(
        "KIMO_VISITE",
        ID_KIMO="visit-2",
        SYNCREF="visit-2",
        CODCLI="nobody",
        CODAGE="A002",
        UTENTE="A002",
        STATO=2,
    )
    for reference, paid in (("pay-1", round(due - 1, 2)), ("pay-2", 1)):
        erp.put(
            "KIMO_INCASSI",
            IDPARTITA=key,
            SYNCREF=reference,
            INCASSATO=paid,
            DATA_INCASSO="20260115",
            UTENTE="A002",
        )
    erp.put(
        "KIMO_INCASSI",
        IDPARTITA=8_888_888,
        SYNCREF="pay-3",
        INCASSATO=1,
        DATA_INCASSO="20260115",
        UTENTE="A002",
    )
    assert pick_up(erp.file, now=ERP_NOW) == picked_up(
        visits=1, payments=2, refused_payments=1, waiting=1
    )
    assert erp.answers("Activity") == [("visit-1", "901", "A002", "2026-01-16 05:30:00")]
    assert erp.ask("SELECT AccountId, Status FROM Activity WHERE Id = 901") == [("C000001", 2)]
    assert erp.ask("SELECT AssigneeId FROM ActivityAssignee WHERE ActivityId = 901") == [("A002",)]
    assert [answer[:2] for answer in erp.answers("ReceivableInstallment")] == [
        ("pay-1", str(key)),
        ("pay-2", str(key)),
        ("pay-3", ""),
    ]
    assert erp.ask(
        "SELECT RESIDUO, STATO, DATA_PAGAMENTO FROM PARTITE_APERTE WHERE IDPARTITA = ?", key
    ) == [(0, 1, "2026-01-15")]
    assert erp.left() == {"KIMO_VISITE": 1}


def test_what_was_torn_apart_or_sent_twice_is_counted(erp: Erp) -> None:
    erp.order("order-1", "C000001")
    assert pick_up(erp.file) == picked_up(orders=1, lines=1)
    erp.order("order-1", "C000001")
    erp.order("without-lines", "C000001", lines=0)
    erp.put("KIMO_ORDINI_RIGHE", SYNCREF="lost-1", IDORD_KIMO="without-head", RIGA=1)
    assert pick_up(erp.file) == picked_up(repeated=1, broken=2)
    assert erp.ask("SELECT COUNT(*) FROM ORDINI_TESTATE WHERE RIF_KIMO = 'order-1'") == [(1,)]


def test_nothing_is_picked_up_while_kimo_writes(erp: Erp) -> None:
    erp.customer("new-1")
    erp.ask("UPDATE ExportToErpSemaphore SET Status = 3")
    with pytest.raises(
        ConfigError, match=r"ExportToErpSemaphore of .* is 3: Kimo is writing to it\. Pick up when"
    ):
        pick_up(erp.file)
    assert erp.left() == {"KIMO_CLIENTI": 1}


def test_a_failed_pick_up_leaves_everything_as_it_was(erp: Erp) -> None:
    erp.customer("new-1")
    erp.order("order-1", "new-1")
    erp.ask("ALTER TABLE KIMO_INCASSI RENAME TO ELSEWHERE")
    with pytest.raises(sqlite3.OperationalError, match="KIMO_INCASSI"):
        pick_up(erp.file)
    erp.ask("ALTER TABLE ELSEWHERE RENAME TO KIMO_INCASSI")
    assert erp.answers("Account") == []
    assert erp.left() == {"KIMO_CLIENTI": 1, "KIMO_ORDINI": 1, "KIMO_ORDINI_RIGHE": 1}


def test_there_must_be_an_erp_of_todays_demo(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="kimo demo --dir"):
        pick_up(tmp_path / "erp.sqlite")
    sqlite3.connect(tmp_path / "erp.sqlite").close()
    with pytest.raises(
        ConfigError, match=r"no such table: ExportToErpSemaphore\. .* made anew by `kimo demo`"
    ):
        pick_up(tmp_path / "erp.sqlite")


# --- the whole way
# ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sent(office: Office, made: MadeOrders) -> ExportReport:
    return office.export()


@pytest.fixture(scope="module")
def taken(office: Office, sent: ExportReport) -> PickedUp:
    taken = pick_up(office.company.erp_path, now=ERP_NOW)
    office.import_all()
    return taken


def test_all_that_is_ready_is_sent_and_the_too_long_order_is_held_with_its_reason(
    made: MadeOrders, sent: ExportReport
) -> None:
    assert {name: done.sent for name, done in sent.entities.items()} == {
        "Account": made.new_customers + made.edited_customers,
        "Document": made.orders,
        "Activity": made.visits,
        "ReceivableInstallment": made.cashings,
    }
    (why,) = {held.why for held in sent.held if "ANNOTAZIONI" in held.why}
    assert "VARCHAR(200)" in why


def test_the_erp_gets_every_head_with_its_lines_and_only_the_wrong_vat_number_is_refused(
    made: MadeOrders, taken: PickedUp
) -> None:
    assert taken.orders == made.orders - made.wrong_vat_numbers
    assert taken.new_customers == made.new_customers - made.wrong_vat_numbers
    assert (taken.edited_customers, taken.visits, taken.payments) == (
        made.edited_customers,
        made.visits,
        made.cashings,
    )
    assert (taken.refused_customers, taken.waiting) == (
        made.wrong_vat_numbers,
        made.wrong_vat_numbers,
    )
    assert (taken.broken, taken.repeated, taken.refused_payments) == (0, 0, 0)


def test_the_erp_is_as_right_as_before(office: Office, taken: PickedUp) -> None:
    assert all_broken_rules(read_entities(office.company.directory)) == Counter(
        office.company.wrong_rows
    )


def test_what_the_erp_took_goes_by_its_ids_and_only_the_refused_customer_by_kimos(
    office: Office, made: MadeOrders, taken: PickedUp
) -> None:
    states = office.rows("""
        SELECT a."EntityStatus" IN (0, 2), a."Id" = a."SyncReference",
            a."Id" = nullif(s."EntityId", ''), count(*)
        FROM kimo."Account" AS a JOIN kimo."EntitySyncReferenceForAccount" AS s USING
            ("SyncReference") GROUP BY 1, 2, 3
        """)
    assert set(states) == {
        (True, False, True, taken.new_customers + taken.edited_customers),
        (False, True, None, taken.refused_customers),
    }
    outcomes = office.rows(
        "SELECT outcome, count(*) FROM ops.export_record WHERE entity = 'Account' GROUP BY 1 ORDER"
        " BY 1"
    )
    assert outcomes == [
        ("acknowledged", taken.new_customers + taken.edited_customers),
        ("refused", taken.refused_customers),
    ]
    dangling = """
        SELECT count(*) FROM kimo."Document" AS d
        WHERE NOT EXISTS (SELECT FROM kimo."Account" WHERE "Id" = d."AccountId" AND _archived_load
            IS NULL)
    """
    assert office.value(dangling) == 0
    visits = """
        SELECT count(*) FROM kimo."Activity" AS a JOIN kimo."ActivityAssignee" AS p
            ON p."ActivityId" = a."Id"
        JOIN kimo."EntitySyncReferenceForActivity" AS s ON s."EntityId" = a."Id"
            WHERE a."EntityStatus" IN (0, 2)
        AND a._archived_load IS NULL AND p._archived_load IS NULL
    """
    assert office.value(visits) == made.visits
    cashed = """
        SELECT count(*) FROM kimo."ReceivableInstallment" AS r
        JOIN kimo."EntitySyncReferenceForReceivableInstallment" AS s ON s."EntityId" = r."Id"
        WHERE r."EntityStatus" IN (0, 2)
    """
    assert office.value(cashed) == made.cashings


def test_every_order_comes_back_as_the_erps_own_with_the_same_total(
    office: Office, taken: PickedUp
) -> None:
    pairs = office.rows("""
        SELECT e."Amount" = d."Amount", e."AmountIncludingVat" = d."AmountIncludingVat",
            e."SalesAgentId" = d."CreatorId",
            e."AccountId" = d."AccountId",
            (SELECT sum(l."Amount") FROM kimo."ErpDocumentLine" AS l
                WHERE l."ErpDocumentId" = e."Id") = d."Amount"
        FROM kimo."Document" AS d JOIN kimo."ErpDocument" AS e
            ON e."SourceReference" = d."SyncReference"
        """)
    assert Counter(pairs) == {(True,) * 5: taken.orders}


def test_an_agent_has_the_new_customer_under_the_erps_code(
    office: Office, taken: PickedUp, tmp_path: Path
) -> None:
    answered = office.rows("""
        SELECT s."UserId", s."EntityId", s."SyncReference" FROM kimo."EntitySyncReferenceForAccount"
            AS s
        JOIN kimo."Account" AS a ON a."Id" = s."EntityId" WHERE a."CreationReason" = 2
        """)
    assert len(answered) == taken.new_customers
    agent, code, reference = answered[0]
    sync_agent(office.config.sync_store, agent, tmp_path / "agent.sqlite")
    with closing(sqlite3.connect(tmp_path / "agent.sqlite")) as file:
        known = file.execute(
            'SELECT "Id" FROM "Account" WHERE "Id" IN (?, ?)', [code, reference]
        ).fetchall()
        assert known == [(code,)]
        orders = file.execute(
            'SELECT count(*) FROM "ErpDocument" WHERE "AccountId" = ?', [code]
        ).fetchone()
    assert orders == (1,)
