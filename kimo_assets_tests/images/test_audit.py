"""What is wrong with the pictures, in words, as JSON and to look at; nothing is changed by
looking.
"""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from kimo_assets.cli.context import Call
from kimo_assets.cli.images_audit import audit as command
from kimo_assets.errors import ImagesError
from kimo_assets.images.audit import KINDS, AuditedPicture, Duplicate
from kimo_assets.images.contact_sheet import MAX_BYTES, contact_sheet
from kimo_assets_tests.images.conftest import Company
from kimo_assets_tests.images.image_fixtures import BLUE, GREEN, encoded, jpeg, opened, quarters


@pytest.fixture
def messy(company: Company) -> Company:
    """One good picture, and one of each kind of wrong."""
    company.file("good.jpg", jpeg(size=(80, 80)))
    company.file("small.jpg", jpeg(size=(30, 49)))
    company.file("named.jpg", encoded(quarters(), "PNG"))
    company.file("noending", encoded(quarters(90, 90), "PNG"))
    company.file("broken.jpg", b"<html>")
    company.file("Two.jpg", jpeg(GREEN, (70, 70)))
    company.file("tWO.jpg", jpeg(BLUE, (70, 70)))
    shutil.copy(company.foto / "good.jpg", company.foto / "copy.jpg")
    for litter in ("spare.jpg", "Thumbs.db", ".hidden.jpg"):
        company.file(litter, b"whatever")
    company.rows(
        G="good.jpg",
        C="COPY.jpg",
        S="small.jpg",
        N="named.jpg",
        E="noending",
        B="broken.jpg",
        T="two.jpg",
        M="none.jpg",
        R="..\\up.jpg",
    )
    company.rows("PromotionImage", P="small.jpg")
    return company


def test_an_audit_finds_each_kind_of_wrong(messy: Company) -> None:
    messy.run()
    before = messy.published(), messy.world.rows("SELECT * FROM ops.picture ORDER BY source")
    report = messy.audit()
    assert {kind: [(flaw.entity, *flaw.owners) for flaw in report.of(kind)] for kind in KINDS} == {
        "missing": [("ItemImage", "M")],
        "refused": [("ItemImage", "R")],
        "failed": [("ItemImage", "B")],
        "ambiguous": [("ItemImage", "T")],
        "misnamed": [("ItemImage", "N"), ("ItemImage", "E")],
        "small": [("ItemImage", "S"), ("PromotionImage", "P")],
    }
    assert [flaw.reason for flaw in report.of("misnamed")] == [
        "it is a PNG, but its name ends in .jpg",
        "it is a PNG, but its name has no ending",
    ]
    assert report.of("small")[0].reason == "30 x 49 pixels; its longer side should have 50"
    foto = messy.foto.as_posix()
    assert report.unnamed == [f"{foto}/spare.jpg", f"{foto}/tWO.jpg"]
    assert report.waiting == []
    (duplicate,) = report.duplicates
    assert duplicate == Duplicate(
        duplicate.sha256, (f"{foto}/copy.jpg", f"{foto}/good.jpg"), ("ItemImage C", "ItemImage G")
    )
    assert {picture.name: picture.marks for picture in report.pictures} == {
        "good.jpg": ("duplicate",),
        "COPY.jpg": ("duplicate",),
        "small.jpg": ("small",),
        "named.jpg": ("misnamed",),
        "noending": ("misnamed",),
        "broken.jpg": ("failed",),
        "two.jpg": ("ambiguous",),
        "none.jpg": ("missing",),
        "..\\up.jpg": ("refused",),
    }
    assert before == (
        messy.published(),
        messy.world.rows("SELECT * FROM ops.picture ORDER BY source"),
    )


def test_what_is_small_is_the_callers_to_say(messy: Company) -> None:
    messy.run()
    assert [flaw.written for flaw in messy.audit(smaller_than=75).of("small")] == [
        "small.jpg",
        "two.jpg",
        "small.jpg",
    ]
    assert messy.audit(smaller_than=10).of("small") == []


def test_before_any_import_the_listing_alone_is_looked_at(messy: Company) -> None:
    report = messy.audit()
    assert {name for name, count in report.counts.items() if count} == {
        "pictures",
        "missing",
        "refused",
        "ambiguous",
        "unnamed",
        "waiting",
    }
    assert len(report.waiting) == 7
    assert messy.world.rows("SELECT * FROM ops.picture_name") == []


def test_a_folder_that_cannot_be_listed_is_no_clean_bill(messy: Company) -> None:
    shutil.rmtree(messy.foto)
    with pytest.raises(ImagesError, match="cannot be listed"):
        messy.audit()


# --- the command
# --------------------------------------------------------------------------------------------


def called(company: Company, *words: str) -> str:
    done = CliRunner().invoke(
        command, ["--config", str(company.config.path), *words], obj=Call(), catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_prints_tables(messy: Company) -> None:
    messy.run()
    output = called(messy)
    for line in (
        "There is no such file: 1",
        "No name of a file in the folder: 1",
        "Could not be read: 1",
        "Too small: 2",
        "Of another type than the name says: 2",
        "Several files fit the name: 1",
        "The same picture twice: 1",
        "Files that no row names: 2",
        "9 pictures named by rows, something wrong with 9.",
    ):
        assert line in output


def test_the_command_prints_json_and_writes_a_contact_sheet(messy: Company, tmp_path: Path) -> None:
    messy.run()
    file = tmp_path / "sheet.png"
    document = json.loads(called(messy, "--json", "--sheet", str(file), "--smaller-than", "10"))
    assert document["counts"]["pictures"] == 9
    assert (document["counts"]["small"], document["smaller_than"], document["sheet"]) == (
        0,
        10,
        str(file),
    )
    assert document["missing"][0]["written"] == "none.jpg"
    assert opened(file.read_bytes()).format == "PNG"


def test_a_clean_company_is_told_so(company: Company) -> None:
    company.file("a.jpg", jpeg(size=(90, 90)))
    company.rows(V="a.jpg")
    assert "1 file not imported yet: " in called(company)
    company.run()
    assert called(company) == "1 picture named by rows, something wrong with 0.\n"


# --- the contact sheet
# --------------------------------------------------------------------------------------


def test_a_contact_sheet_shows_what_is_wrong_first(messy: Company) -> None:
    messy.run()
    shown = messy.audit().pictures
    wide = opened(contact_sheet(messy.public, shown))
    few = opened(contact_sheet(messy.public, shown, limit=3))
    assert wide.width == few.width
    assert wide.height > few.height
    plain = [AuditedPicture(picture.name, picture.thumbnail_path) for picture in shown]
    assert contact_sheet(messy.public, plain) != contact_sheet(messy.public, shown)


def test_a_contact_sheet_is_small_however_noisy_the_pictures_are(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").mkdir()
    pictures = []
    for n in range(80):
        noise = Image.merge("RGB", [Image.effect_noise((200, 200), 120) for _ in range(3)])
        noise.save(tmp_path / "thumbnails" / f"{n}.jpg")
        pictures.append(
            AuditedPicture(f"{n}.jpg", f"thumbnails/{n}.jpg", ("small",) if n % 9 == 0 else ())
        )
    sheet = contact_sheet(tmp_path, pictures)
    assert len(sheet) <= MAX_BYTES
    assert opened(sheet).format == "PNG"


def test_a_contact_sheet_minds_neither_lost_thumbnails_nor_strange_names_nor_an_empty_company(
    tmp_path: Path,
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"text")
    pictures = [
        AuditedPicture("vini\\" + "è漢字" * 60, "thumbnails/gone.jpg", ("missing",)),
        AuditedPicture("", "broken.jpg"),
    ]
    assert opened(contact_sheet(tmp_path, pictures)).size[0] > 100
    assert opened(contact_sheet(tmp_path, [])).size[0] > 100
