"""The menu's side jobs and the export as Dagster runs: what the operator reads of them."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from PIL import Image

from kimo_assets.catalog import menu
from kimo_assets.database.locks import exclusive
from kimo_assets.defs.in_process import launch_export, launch_task
from kimo_assets.demo.fake_google import DEMO_KEY, FakeGoogle
from kimo_assets.errors import GeocodingError, LockedError
from kimo_assets.quality.export_check import NOTHING_IS_STUCK
from kimo_assets.reports import TaskReport
from kimo_assets_tests.defs.conftest import Company


@pytest.fixture
def pictured(company: Company) -> Company:
    """Item I1 has a picture, I2 names a file that is not there; both customers live somewhere."""
    folder = company.folder / "photos"
    folder.mkdir()
    Image.new("RGB", (900, 600), "navy").save(folder / "a.jpg")
    company.erp(
        ItemImage=[
            {"Id": "1", "ItemId": "I1", "FilePath": "A.JPG"},
            {"Id": "2", "ItemId": "I2", "FilePath": "b.jpg"},
        ],
        Account=[
            {
                "Id": key,
                "Name": key,
                "AccountTypeId": 1,
                "AddressLine": f"Via Roma {key[1]}",
                "AddressCity": "Milano",
                "AddressPostCode": "20100",
                "AddressCountrySubdivision": "MI",
            }
            for key in ("C1", "C2")
        ],
    )
    company.settings = {"images": {"source": str(folder), "max_size_px": 300}}
    company.entities = {**{name: {} for name in ERP_NAMES}, "ItemImage": {}}
    company.launch()
    return company


ERP_NAMES = (
    "Language",
    "SalesAgent",
    "Zone",
    "Account",
    "SalesAgentPerAccount",
    "Item",
    "ItemTranslation",
    "PriceList",
)


def launched(company: Company, job: str) -> TaskReport:
    return launch_task(company.config, company.database, job=job)


def recorded(company: Company, asset: str) -> dict[str, Any]:
    """The newest materialization's metadata, as plain values."""
    with company.instance() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_pictures_show_what_was_made_what_was_not_and_a_contact_sheet(pictured: Company) -> None:
    report = launched(pictured, "import_files")
    assert (report.counts["made"], report.counts["missing"]) == (1, 1)
    shown = recorded(pictured, menu.IMPORT_FILES.asset)
    assert (shown["made"], shown["missing"], shown["problems"]) == (1, 1, 1)
    assert "ItemImage I2: b.jpg" in shown["what could not be done"]
    assert shown["contact sheet"].startswith("![contact sheet](data:image/png;base64,")
    again = launched(pictured, "import_files")
    assert again.counts["made"] == 0
    assert "contact sheet" not in recorded(pictured, menu.IMPORT_FILES.asset)
    assert pictured.runs()[0].job_name == "import_files"


def test_agents_get_the_picture_and_its_partition_tells_of_it(pictured: Company) -> None:
    launched(pictured, "import_files")
    pictured.launch(steps=[3])
    ((path, thumbnail),) = pictured.received("AG1", 'SELECT Path, ThumbnailPath FROM "PublicImage"')
    for name in (path, thumbnail):
        assert Path(pictured.config.public_folder, name).is_file()
    shown = pictured.metadata("sync_payloads", "ItemImage")
    assert (shown["rows"], shown["PublicImage: rows"]) == (2, 1)


def test_pictures_may_be_imported_beside_an_import_but_not_twice_at_a_time(
    pictured: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        exclusive(pictured.database, menu.IMPORT_FILES.lock),
        pytest.raises(LockedError, match="another import of pictures is running"),
    ):
        launched(pictured, "import_files")
    monkeypatch.setattr("kimo_assets.pipeline.tasks._PATIENCE_S", 0)
    with exclusive(pictured.database):
        report = launched(pictured, "import_files")
    assert report.counts["made"] == 1
    assert "The next step 3 takes it over" in report.notes[-1]
    pictured.launch(steps=[3])
    assert len(pictured.received("AG1", 'SELECT Id FROM "PublicImage"')) == 1


def test_a_geocoding_shows_a_picture_and_the_provinces(
    pictured: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeGoogle(key=DEMO_KEY) as google:
        pictured.settings |= {"geocoding": {"base_url": google.url}}
        monkeypatch.setenv("GOOGLE_MAPS_API_KEY", DEMO_KEY)
        assert launched(pictured, "geocode_addresses").counts["answered"] == 2
        shown = recorded(pictured, menu.GEOCODE.asset)
        assert shown["positions"].startswith(
            "![where the customers are](data:image/svg+xml;base64,"
        )
        assert "| Milano | MI | 2 | 2 |" in shown["by province"]
        assert launched(pictured, "geocode_addresses").counts["asked"] == 0
        assert google.calls == 2
    pictured.launch(steps=[3])
    assert pictured.received("AG1", 'SELECT EntityId FROM "EntityGeoposition"') == [("C1",)]


def test_without_a_key_the_run_says_so_and_with_a_wrong_one_it_fails_with_a_sentence(
    pictured: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_MAPS_API_KEY", raising=False)
    assert "GOOGLE_MAPS_API_KEY" in launched(pictured, "geocode_addresses").notes[0]
    assert "GOOGLE_MAPS_API_KEY" in recorded(pictured, menu.GEOCODE.asset)["notes"]
    with FakeGoogle(key=DEMO_KEY) as google:
        pictured.settings |= {"geocoding": {"base_url": google.url}}
        monkeypatch.setenv("GOOGLE_MAPS_API_KEY", "AIzaSomeOtherKey")
        with pytest.raises(GeocodingError) as error:
            launched(pictured, "geocode_addresses")
    run = pictured.runs()[0]
    assert run.is_failure
    assert "AIzaSomeOtherKey" not in str(error.value)


# --- the export
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def selling(company: Company) -> Company:
    """An order of customer C1 with two lines is ready, and one of a type that nobody knows."""
    company.entities = {name: {} for name in ERP_NAMES}
    company.launch()
    company.erp_file.execute(
        "CREATE TABLE ORDERS (Id TEXT, SyncReference TEXT, AccountId TEXT);"
        "CREATE TABLE DocumentLine (Id TEXT, DocumentId TEXT, SyncReference TEXT)"
    )
    company.settings = {"export": {"entities": {"Document": "ORDERS"}}}
    company.execute("""
        INSERT INTO kimo."DocumentType" ("Id", "DocumentFamilyId", "CanSendToErp") VALUES
            ('ORD', 1, true);
        INSERT INTO kimo."Document" ("Id", "SyncReference", "AccountId", "DocumentTypeId",
            "DocumentStatus", "EntityStatus")
            VALUES ('D1', 'r1', 'C1', 'ORD', 1, 6), ('D2', 'r2', 'C1', 'XYZ', 1, 6);
        INSERT INTO kimo."DocumentLine" ("Id", "DocumentId") VALUES ('L1', 'D1'), ('L2', 'D1'),
            ('L3', 'D2')
        """)
    return company


def test_an_export_is_a_run_that_shows_what_was_sent_and_what_was_held(selling: Company) -> None:
    report = launch_export(selling.config, selling.database)
    assert (report.entities["Document"].sent, report.entities["Document"].rows) == (1, 3)
    assert selling.erp_file.read("SELECT Id FROM ORDERS") == [("D1",)]
    assert selling.erp_file.read("SELECT Id FROM DocumentLine ORDER BY 1") == [("L1",), ("L2",)]
    shown = recorded(selling, menu.EXPORT.asset)
    assert (shown["ready"], shown["sent"], shown["rows"]) == (2, 1, 3)
    assert "| Document D2 r2 |" in shown["held back"]
    assert selling.runs()[0].job_name == "export_to_erp"
    assert launch_export(selling.config, selling.database).entities["Document"].sent == 0
    assert selling.erp_file.read("SELECT count(*) FROM ORDERS") == [(1,)]


def test_the_check_tells_of_what_is_stuck(selling: Company) -> None:
    launch_export(selling.config, selling.database)
    assert _check(selling).passed
    selling.execute(
        "UPDATE ops.export_record SET outcome = 'refused', problem = 'the ERP refused it'"
    )
    selling.execute("""UPDATE kimo."Document" SET "EntityStatus" = 10 WHERE "Id" = 'D1'""")
    launch_export(selling.config, selling.database)
    found = _check(selling)
    assert not found.passed
    assert found.description == "Document r1: the ERP refused it. And 1 more."


def _check(company: Company) -> dg.AssetCheckEvaluation:
    key = dg.AssetCheckKey(dg.AssetKey(menu.EXPORT.asset), NOTHING_IS_STUCK.name)
    with company.instance() as instance:
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    evaluation = (
        record.event.dagster_event.event_specific_data
        if record.event and record.event.dagster_event
        else None
    )
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    return evaluation


def test_an_export_while_an_import_goes_on_is_refused_and_leaves_no_run(selling: Company) -> None:
    before = len(selling.runs())
    with exclusive(selling.database), pytest.raises(LockedError):
        launch_export(selling.config, selling.database)
    assert len(selling.runs()) == before
