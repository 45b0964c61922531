"""What may go, what waits for what and why; and what can be seen of it."""

from collections.abc import Callable

import pytest

from kimo_assets.catalog import load_catalog
from kimo_assets.export.ready import Waiting, waiting
from kimo_assets.export.status import status, trace
from kimo_assets_tests.support.export_company import ENTITIES, ExportWorld

Make = Callable[..., ExportWorld]


@pytest.fixture
def company(export_world: Make) -> ExportWorld:
    return export_world()


def counts(world: ExportWorld) -> dict[str, Waiting]:
    with world.database.connect() as connection:
        return waiting(connection, world.config, load_catalog())


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, None),
        ({"DocumentTypeId": "D", "DocumentStatus": 0}, None),
        (
            {"DocumentStatus": 0},
            "it is not confirmed, and drafts of type O are not sent (ShouldExportDraftsToErp)",
        ),
        ({"DocumentStatus": 4}, "its DocumentStatus is 4. Only confirmed documents are sent (1)"),
        (
            {"DocumentStatus": None},
            "its DocumentStatus is empty. Only confirmed documents are sent (1)",
        ),
        (
            {"DocumentTypeId": "Q"},
            "documents of type Q are not sent to the ERP (DocumentType.CanSendToErp)",
        ),
        (
            {"DocumentTypeId": "Z"},
            (
                "DocumentTypeId Z is no document type of the console's: `kimo settings load` loads"
                " them"
            ),
        ),
        (
            {"DocumentTypeId": None},
            "it has no DocumentTypeId, so no document type of the console's: `kimo settings load`",
        ),
        ({"SyncReference": None}, "it has no SyncReference"),
        ({"SyncReference": " "}, "it has no SyncReference"),
        ({"SyncReference": "S-OTHER"}, "its SyncReference S-OTHER is that of another record too"),
    ],
)
def test_which_documents_are_ready(
    company: ExportWorld, values: dict[str, object], why: str | None
) -> None:
    company.document("OTHER", EntityStatus=1)
    company.document("D1", **values)
    ready = counts(company)["Document"]
    assert (ready.ready, ready.held + ready.waiting) == ((1, 0) if why is None else (0, 1))
    report = company.export()
    document = report.entities["Document"]
    assert (document.ready, document.sent, document.held + document.waiting) == (
        1,
        int(why is None),
        int(why is not None),
    )
    assert (document.held, document.waiting) == (ready.held, ready.waiting)
    if why:
        assert company.held()["D1"].startswith(why)
        assert company.orders() == {}


@pytest.mark.parametrize("other", [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, -1])
def test_what_is_not_in_status_6_is_left_alone(company: ExportWorld, other: int) -> None:
    company.document("D1", EntityStatus=other)
    company.document("GONE", _archived_load=1)
    assert company.export().entities["Document"].ready == 0
    assert company.statuses() == {"D1": other, "GONE": 6}


def test_an_order_goes_in_the_same_run_as_its_new_customer_and_after_it(
    company: ExportWorld,
) -> None:
    company.account("NEW")
    company.account("OLD", 0, _hash=1)
    company.document("D1", AccountId="NEW")
    company.document("D2", AccountId="OLD")
    company.document("D3", AccountId="NOWHERE")
    order: list[str] = []
    company.export(
        lambda point: (
            order.append(f"{point}: {len(company.customers())}") if point == "write.heads" else None
        )
    )
    assert company.customers() == {"S-NEW": 1}
    assert company.orders() == {"S-D1": 1, "S-D2": 1, "S-D3": 1}
    assert order == ["write.heads: 0", "write.heads: 1"]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (7, "is being edited"),
        (10, "was edited again before the ERP has answered"),
        (5, "is on its way to the ERP"),
    ],
)
def test_an_order_waits_for_a_new_customer_that_was_not_sent(
    company: ExportWorld, status: int, state: str
) -> None:
    company.account("NEW", status)
    company.document("D1", AccountId="NEW")
    document = company.export().entities["Document"]
    assert (document.sent, document.waiting, document.held) == (0, 1, 0)
    assert company.held() == {
        "D1": f"waits for the Account NEW (AccountId), which is new to the ERP and {state}"
    }
    company.execute('UPDATE kimo."Account" SET "EntityStatus" = 2')
    assert company.export().entities["Document"].sent == 1
    assert company.held() == {}


def test_a_customer_that_is_held_holds_its_orders_and_nobody_elses(company: ExportWorld) -> None:
    company.account("NEW", Name="N" * 61)
    company.document("D1", AccountId="NEW")
    company.document("D2")
    assert company.export().entities["Document"].waiting == 1
    assert company.orders() == {"S-D2": 1}
    assert "which is new to the ERP and is to be sent first" in company.held()["D1"]


def test_a_customer_that_is_not_exported_is_said_so(company: ExportWorld) -> None:
    company.settings = {
        "export": {
            "entities": {name: table for name, table in ENTITIES.items() if name != "Account"}
        }
    }
    company.account("NEW")
    company.document("D1", AccountId="NEW")
    company.export()
    assert company.held()["D1"].endswith(
        "is not sent: `export: entities:` of kimo.yaml does not list Account"
    )


def test_head_offices_go_before_their_sites_in_the_same_run_and_circles_wait(
    company: ExportWorld,
) -> None:
    company.settings = {"export": {"batch": 2}}
    company.account("A-SITE-OF-SITE", HeadOfficeId="B-SITE")
    company.account("B-SITE", HeadOfficeId="C-HEAD")
    company.account("C-HEAD", HeadOfficeId="C-HEAD")
    company.account("X", HeadOfficeId="Y")
    company.account("Y", HeadOfficeId="X")
    company.account("LONG", Name="N" * 61)
    account = company.export().entities["Account"]
    assert (account.ready, account.sent, account.held, account.waiting) == (6, 3, 1, 2)
    sent = [
        reference
        for (reference,) in company.at_erp('SELECT "SyncReference" FROM "Account" ORDER BY rowid')
    ]
    assert sent == ["S-C-HEAD", "S-B-SITE", "S-A-SITE-OF-SITE"]
    assert set(company.held()) == {"LONG", "X", "Y"}


def test_a_document_waits_for_what_its_lines_refer_to(company: ExportWorld) -> None:
    company.put("BudgetLine", {"Id": "B", "EntityStatus": 7, "SyncReference": "S-B"})
    company.document("D1", 0)
    company.put("DocumentLine", {"Id": "L", "DocumentId": "D1", "BudgetLineId": "B"})
    company.export()
    assert company.held()["D1"].startswith(
        "waits for the BudgetLine B (DocumentLine.BudgetLineId), which is new to the ERP"
    )


def test_a_position_waits_for_the_customer_that_it_is_of(company: ExportWorld) -> None:
    position = (
        "Id varchar(60), EntityId varchar(50), EntityType varchar(50), SyncReference varchar(50)"
    )
    company.erp_tables(EntityGeoposition=position)
    company.settings = {"export": {"entities": {"EntityGeoposition": None, "Account": None}}}
    company.account("NEW", 7)
    row = {
        "Id": "P",
        "EntityType": "Account",
        "EntityId": "NEW",
        "EntityStatus": 6,
        "SyncReference": "S-P",
    }
    company.put("EntityGeoposition", row)
    assert company.export().entities["EntityGeoposition"].waiting == 1
    company.execute('UPDATE kimo."Account" SET "EntityStatus" = 6')
    assert company.export().entities["EntityGeoposition"].sent == 1


def test_a_changed_row_is_told_to_the_tablets_with_the_exports_load(company: ExportWorld) -> None:
    company.documents(1)
    report = company.export()
    assert company.rows('SELECT _changed_load FROM kimo."Document"') == [(report.load,)]


# --- what can be seen
# -------------------------------------------------------------------------------------------------


def test_what_is_where_and_what_is_stuck(company: ExportWorld) -> None:
    company.settings = {"entities": {"EntitySyncReferenceForAccount": {}}}
    company.account("A")
    company.export()
    company.account("F", 5)
    company.documents(2)
    company.document("Q", DocumentTypeId="Q", UploadToServerTimeStamp="2026-01-01")
    company.document("Z", DocumentTypeId="Z")
    company.document("SENT", EntityStatus=1)
    found = counts(company)
    assert found["Account"] == Waiting("Account", in_flight=1, unacknowledged=1)
    assert found["Document"] == Waiting("Document", ready=2, held=1, waiting=1)
    company.put("BusinessRule", {"Key": "PendingEdits\\DaysStuck", "Value": "3"})
    assert (counts(company)["Document"].stuck, counts(company)["Account"].stuck) == (1, 0)
    company.execute("UPDATE ops.export_record SET sent_at = now() - interval '4 days'")
    assert counts(company)["Account"].stuck == 1
    company.execute("UPDATE ops.export_record SET outcome = 'acknowledged'")
    assert (counts(company)["Account"].unacknowledged, counts(company)["Account"].stuck) == (0, 0)


def test_the_life_of_a_record(company: ExportWorld) -> None:
    company.document("D1", 3, Number="N" * 21, UploadToServerTimeStamp="2026-01-02 03:04:05")
    company.export()
    with company.database.connect() as connection:
        (life,) = trace(connection, load_catalog(), "S-D1")
        assert (life.entity, life.id, life.status, life.is_archived) == (
            "Document",
            "D1",
            "6 ToExportToErp",
            False,
        )
        assert str(life.uploaded_at) == "2026-01-02 03:04:05"
        (trip,) = life.trips
        assert trip.outcome == "held"
        assert life.held is not None
        assert life.held == trip.problem
    company.execute("""UPDATE kimo."Document" SET "Number" = '1'""")
    company.export()
    with company.database.connect() as connection:
        (life,) = trace(connection, load_catalog(), "S-D1")
        assert (life.held, life.status) == (None, "1 ExportedToErp")
        assert [(trip.state, trip.outcome, trip.parts) for trip in life.trips] == [
            ("taken back", "held", 3),
            ("exported", "sent", 3),
        ]
        sent = life.trips[-1]
        assert sent.sent_at is not None
        assert (sent.source, sent.tables) == ("erp", ("Document", "DocumentLine"))
        assert trace(connection, load_catalog(), "S-NOBODY") == ()
        told = status(connection, company.config, load_catalog())
    assert told.sent == {"Document": 1}
    assert [(batch.state, batch.records) for batch in told.batches] == [
        ("exported", 1),
        ("taken back", 0),
    ]
    assert (told.held, told.in_doubt) == ((), ())
