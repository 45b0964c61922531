"""What goes wrong: one record is held with a sentence, the others go; nothing is lost, nothing goes
twice.
"""

from collections.abc import Callable

import psutil
import pytest

from kimo_assets.errors import SemaphoreError, SourceError
from kimo_assets_tests.support.export_company import TABLES, ExportWorld

Make = Callable[..., ExportWorld]
DIALECTS = pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mariadb"])
SERVERS = pytest.mark.parametrize("dialect", ["postgresql", "mariadb"])


def test_nothing_is_listed(export_world: Make) -> None:
    world = export_world()
    world.settings = {"export": {"entities": {}}}
    world.documents(1)
    report = world.export()
    assert (report.entities, report.held) == ({}, ())
    assert report.notes == ("Nothing is sent: `export: entities:` of kimo.yaml lists nothing",)
    assert world.statuses() == {"D1": 6}


def test_an_erp_that_is_down_changes_nothing(export_world: Make) -> None:
    world = export_world()
    world.documents(1)
    world.url = world.url.replace("erp.sqlite", "gone/erp.sqlite")
    with pytest.raises(SourceError):
        world.export()
    assert (world.statuses(), world.batches()) == ({"D1": 6}, [])


def test_a_semaphore_that_the_erp_holds_is_waited_for_and_then_nothing_was_sent(
    export_world: Make,
) -> None:
    world = export_world()
    world.settings = {"export": {"semaphore_wait_s": 0}}
    world.documents(1)
    world.at_erp('UPDATE "ExportToErpSemaphore" SET "Status" = 4')
    with pytest.raises(
        SemaphoreError,
        match=r"\(export\.semaphore_wait_s\)\. Nothing was sent\. Wait until .* and export",
    ):
        world.export()
    assert (world.statuses(), world.orders(), world.semaphore()) == ({"D1": 6}, {}, 4)


@DIALECTS
def test_a_missing_table_is_told_of_and_the_others_are_sent(
    export_world: Make, dialect: str
) -> None:
    world = export_world(dialect)
    world.settings = {
        "export": {
            "entities": {
                "Account": None,
                "Document": "NO_SUCH_TABLE",
                "DocumentLine": "ORDER_LINES",
            }
        }
    }
    world.account("A")
    world.documents(1)
    report = world.export()
    assert any(note.startswith("Document: ") and "NO_SUCH_TABLE" in note for note in report.notes)
    assert (world.customers(), world.statuses()) == ({"S-A": 1}, {"D1": 6})


@DIALECTS
def test_what_does_not_fit_is_held_with_its_lines_and_the_others_go(
    export_world: Make, dialect: str
) -> None:
    world = export_world(dialect)
    world.documents(3, lines=2)
    world.document("LONG", Number="N" * 21)
    world.document("BIG", Amount="12345678.50")
    world.document("LINE", lines=0)
    world.put("DocumentLine", {"Id": "L", "DocumentId": "LINE", "ItemId": "I" * 21})
    report = world.export()
    document = report.entities["Document"]
    assert (document.ready, document.sent, document.held) == (6, 3, 3)
    assert world.orders() == {"S-D1": 1, "S-D2": 1, "S-D3": 1}
    assert world.lines() == {"D1": 2, "D2": 2, "D3": 2}
    assert {key: status for key, status in world.statuses().items() if status != 1} == {
        "LONG": 6,
        "BIG": 6,
        "LINE": 6,
    }
    held = world.held()
    assert "Document.Number -> Number" in held["LONG"]
    assert "Document.Amount -> Amount" in held["BIG"]
    assert held["LINE"].startswith("DocumentLine L: ")
    assert {record.id: record.why for record in report.held} == held
    world.execute("""UPDATE kimo."Document" SET "Number" = 'N' WHERE "Id" = 'LONG'""")
    assert world.export().entities["Document"].sent == 1
    assert world.orders()["S-LONG"] == 1
    assert set(world.held()) == {"BIG", "LINE"}


@DIALECTS
def test_a_row_that_a_constraint_refuses_holds_its_document_alone(
    export_world: Make, dialect: str
) -> None:
    orders = TABLES["ORDERS"].replace("Number varchar(20)", "Number varchar(20) UNIQUE")
    world = export_world(dialect, ORDERS=orders)
    world.documents(9, lines=2)
    for key in ("D4", "D7"):
        world.execute(f"""UPDATE kimo."Document" SET "Number" = 'D1' WHERE "Id" = '{key}'""")
    report = world.export()
    document = report.entities["Document"]
    assert (document.ready, document.sent, document.held) == (9, 7, 2)
    assert world.lines() == {f"D{n}": 2 for n in (1, 2, 3, 5, 6, 8, 9)}
    assert all(
        why.startswith("the ERP refuses it: ") and "Number" in why for why in world.held().values()
    )
    assert set(world.held()) == {"D4", "D7"}
    assert world.rows("SELECT id FROM ops.export_record WHERE outcome = 'held' ORDER BY 1") == [
        ("D4",),
        ("D7",),
    ]
    world.export()
    assert world.orders() == {f"S-D{n}": 1 for n in (1, 2, 3, 5, 6, 8, 9)}
    assert world.rows("SELECT count(*) FROM ops.export_record WHERE outcome = 'held'") == [(2,)]


def test_a_constraint_that_speaks_only_in_the_commit(export_world: Make) -> None:
    orders = TABLES["ORDERS"].replace(
        "Number varchar(20)", "Number varchar(20) UNIQUE DEFERRABLE INITIALLY DEFERRED"
    )
    world = export_world("postgresql", ORDERS=orders)
    world.documents(4)
    world.execute("""UPDATE kimo."Document" SET "Number" = 'D1' WHERE "Id" = 'D3'""")
    assert world.export().entities["Document"].sent == 3
    assert world.orders() == {"S-D1": 1, "S-D2": 1, "S-D4": 1}
    assert "duplicate key" in world.held()["D3"]
    assert world.statuses() == {"D1": 1, "D2": 1, "D3": 6, "D4": 1}


def test_a_batch_that_is_refused_to_the_last_is_not_followed_by_the_rest(
    export_world: Make,
) -> None:
    world = export_world(ORDERS=TABLES["ORDERS"] + ", Approved int NOT NULL CHECK (Approved = 1)")
    world.settings = {"export": {"batch": 10}}
    world.documents(25)
    report = world.export()
    assert report.entities["Document"].held == 10
    assert any("the ERP refused all 10 records of a batch" in note for note in report.notes)
    assert world.statuses() == {f"D{n}": 6 for n in range(1, 26)}


@DIALECTS
def test_a_table_that_may_not_be_written_ends_the_run_and_takes_all_back(
    export_world: Make, dialect: str
) -> None:
    world = export_world(dialect)
    world.account("A")
    world.documents(3)

    def reached(point: str) -> None:
        if point == "announce.before":  # of the customers: the ERP drops the table meanwhile
            (
                world.at_erp('ALTER TABLE "ORDER_LINES" RENAME TO "AWAY"')
                if dialect != "sqlite"
                else None
            )
        if point == "settle.committed" and dialect == "sqlite":
            world.at_erp('ALTER TABLE "ORDER_LINES" RENAME TO "AWAY"')

    with pytest.raises(SourceError, match="ORDER_LINES"):
        world.export(reached)
    assert world.customers() == {"S-A": 1}
    assert (world.orders(), set(world.statuses().values())) == ({}, {6})
    world.at_erp('ALTER TABLE "AWAY" RENAME TO "ORDER_LINES"')
    world.export()
    world.assert_all_is_there_once(["D1", "D2", "D3"], 1, ["A"])


@DIALECTS
def test_an_order_of_5000_lines(export_world: Make, dialect: str) -> None:
    world = export_world(dialect)
    world.document("SMALL", 1)
    world.document("WIDE", 0)
    world.execute(
        """INSERT INTO kimo."DocumentLine" ("Id", "DocumentId", "ItemId", "SalesQty", "LineNumber")
           SELECT 'W' || n, 'WIDE', 'I' || n, n, n FROM generate_series(1, 5000) AS n"""
    )
    assert world.export().entities["Document"].rows == 5003
    assert world.lines() == {"SMALL": 1, "WIDE": 5000}
    numbers = world.at_erp("""SELECT "LineNumber" FROM "ORDER_LINES" WHERE "DocumentId" = 'WIDE'""")
    assert [number for (number,) in numbers] == list(range(1, 5001))


@pytest.mark.stress
def test_100_000_documents_waiting_go_batch_by_batch_in_bounded_memory(export_world: Make) -> None:
    world = export_world("postgresql")
    world.execute(
        """INSERT INTO kimo."Document" ("Id", "SyncReference", "EntityStatus", "DocumentTypeId",
            "DocumentStatus")
           SELECT 'D' || n, 'S-D' || n, 6, 'O', 1 FROM generate_series(1, 100000) AS n"""
    )
    world.execute('ANALYZE kimo."Document"')
    grown: list[int] = []

    def reached(point: str) -> None:
        if point == "settle.committed":
            grown.append(psutil.Process().memory_info().rss)

    assert world.export(reached).entities["Document"].sent == 100_000
    assert world.at_erp('SELECT count(*), count(DISTINCT "SyncReference") FROM "ORDERS"') == [
        (100_000, 100_000)
    ]
    world.assert_all_is_done()
    assert len(grown) == 500
    assert grown[-1] - grown[50] < 50_000_000


NOTES = "Grüß Gott 👋🏽\r\nzweite Zeile\t\\N \"quoted\" 'single' %s 100% 𝒳 ﷽\nà"


@DIALECTS
def test_emoji_line_breaks_and_four_byte_characters_arrive_as_they_are(
    export_world: Make, dialect: str
) -> None:
    world = export_world(dialect)
    if dialect == "mariadb":
        world.at_erp('ALTER TABLE "ORDERS" CONVERT TO CHARACTER SET utf8mb4')
    world.document("D1", Notes=NOTES)
    world.document("D2", Notes=None)
    world.export()
    assert dict(world.at_erp('SELECT "Id", "Notes" FROM "ORDERS"')) == {"D1": NOTES, "D2": None}  # type: ignore[arg-type]


def test_what_is_edited_between_marking_and_sending_goes_as_it_was_marked_and_once_more_later(
    export_world: Make,
) -> None:
    """The Kimo server sets EditingPending (10) or ToExport (6) meanwhile: both stay."""
    world = export_world()
    world.document("D1", 1, Notes="old")
    world.document("D2", 1, Notes="old")

    def reached(point: str) -> None:
        if point == "write.before_marker":
            world.execute(
                """UPDATE kimo."Document" SET "Notes" = 'new', "EntityStatus" = 10
                WHERE "Id" = 'D1'"""
            )
            world.execute(
                """UPDATE kimo."Document" SET "Notes" = 'new', "EntityStatus" = 6
                WHERE "Id" = 'D2'"""
            )
            world.execute("""UPDATE kimo."DocumentLine" SET "ItemId" = 'NEW'""")

    world.export(reached)
    assert world.at_erp('SELECT "Id", "Notes" FROM "ORDERS" ORDER BY 1') == [
        ("D1", "old"),
        ("D2", "old"),
    ]
    assert world.at_erp('SELECT "ItemId" FROM "ORDER_LINES"') == [("I1",), ("I1",)]
    assert world.statuses() == {"D1": 10, "D2": 6}
    world.export()
    notes = world.at_erp('SELECT "Id", "Notes" FROM "ORDERS" ORDER BY 1, 2 DESC')
    assert notes == [("D1", "old"), ("D2", "old"), ("D2", "new")]
    assert world.statuses() == {"D1": 10, "D2": 1}


def test_old_marker_rows_of_ours_are_removed_and_nobody_elses(export_world: Make) -> None:
    world = export_world()
    world.documents(1)
    world.export()
    ((prefix,),) = world.rows("SELECT id FROM ops.installation")
    for name in (f"{prefix}-0", "another-1"):
        world.at_erp(
            f"INSERT INTO \"KimoExportBatch\" VALUES ('{name}', 1, '2020-01-01 00:00:00.000000')"
        )
    world.export()
    assert {name for (name,) in world.at_erp('SELECT "BatchId" FROM "KimoExportBatch"')} == {
        "another-1",
        f"{prefix}-1",
    }


@SERVERS
def test_the_erp_may_take_rows_away_at_any_moment_after_the_commit(
    export_world: Make, dialect: str
) -> None:
    world = export_world(dialect, semaphore=False)
    world.documents(3)
    taken: list[str] = []

    def reached(point: str) -> None:
        if point == "commit.committed":
            taken.extend(world.orders())
            world.at_erp('DELETE FROM "ORDERS"')
            world.at_erp('DELETE FROM "ORDER_LINES"')
            raise SystemExit

    with pytest.raises(SystemExit):
        world.export(reached)
    assert set(world.statuses().values()) == {5}
    assert world.export().entities["Document"].recovered == 3
    assert (sorted(taken), world.orders(), set(world.statuses().values())) == (
        ["S-D1", "S-D2", "S-D3"],
        {},
        {1},
    )
