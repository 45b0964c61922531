"""The job that brings the files which rows name to the public folder: once, resumably, and past
whatever is wrong.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import psutil
import pytest
import s3fs
from moto.server import ThreadedMotoServer
from PIL import Image

from kimo_assets.errors import ContractError, ImagesError
from kimo_assets.images import source_folder, worker_pool
from kimo_assets.reports import Problem, TaskReport
from kimo_assets_tests.images.conftest import Company, Listener
from kimo_assets_tests.images.image_fixtures import (
    BLUE,
    GREEN,
    RED,
    corners,
    encoded,
    jpeg,
    near,
    opened,
    quarters,
)

pytestmark = pytest.mark.portable


def figures(report: TaskReport) -> dict[str, int]:
    """The counts that are not zero, but for the bytes."""
    return {name: count for name, count in report.counts.items() if count and name != "bytes"}


def reasons(report: TaskReport) -> dict[str, str]:
    return {problem.what: problem.why for problem in report.problems}


def colour(file: Path | None) -> tuple[int, ...]:
    assert file is not None
    return corners(opened(file.read_bytes()))[0]


# --- what is made
# -------------------------------------------------------------------------------------------


def test_files_of_all_four_entities_are_made_and_noted(company: Company) -> None:
    company.file("a.jpg", jpeg(RED, (300, 200)))
    company.file("marchi/b.png", encoded(quarters(), "PNG"))
    company.rows(**{"VINO-1": "A.JPG", "VINO-2": ".\\a.jpg"})
    company.rows("ManufacturerImage", M="marchi\\b.png")
    company.rows("TrademarkImage", T="\\marchi\\B.PNG")
    company.rows("PromotionImage", P="a.jpg")
    listener = Listener()
    report = company.run(listener)
    assert figures(report) == {"rows": 5, "files": 2, "made": 2}
    assert (report.title, report.problems, listener.total, listener.done) == (
        "Importazione file immagini articoli",
        (),
        2,
        2,
    )
    rows = company.world.rows(
        "SELECT right(source, 11), status, kind, source_width, source_height, width, height, bytes,"
        " media_type, problem FROM ops.picture ORDER BY source"
    )
    size = sum(row[7] for row in rows)
    assert report.counts["bytes"] == size
    assert [row[:7] + row[8:] for row in rows] == [
        ("/foto/a.jpg", "ok", "JPEG", 300, 200, 100, 67, "image/jpeg", None),
        ("archi/b.png", "ok", "PNG", 80, 40, 80, 40, "image/jpeg", None),
    ]
    names = company.world.rows(
        "SELECT entity, written, right(source, 5), problem FROM ops.picture_name ORDER BY 1, 2"
    )
    assert names == [
        ("ItemImage", ".\\a.jpg", "a.jpg", None),
        ("ItemImage", "A.JPG", "a.jpg", None),
        ("ManufacturerImage", "marchi\\b.png", "b.png", None),
        ("PromotionImage", "a.jpg", "a.jpg", None),
        ("TrademarkImage", "\\marchi\\B.PNG", "b.png", None),
    ]
    assert near(colour(company.shown()["VINO-1"]), RED)
    assert len(company.published()) == 4


def test_a_second_run_opens_nothing(company: Company) -> None:
    file = company.file("a.jpg", jpeg())
    company.rows(V="a.jpg")
    company.run()
    accessed = file.stat().st_atime_ns
    os.utime(file, ns=(1, file.stat().st_mtime_ns))
    assert accessed != 1
    company.rows(W="A.jpg")
    assert figures(company.run()) == {"rows": 2, "files": 1, "unchanged": 1}
    assert file.stat().st_atime_ns == 1


def test_what_is_touched_but_the_same_is_read_and_not_made_again(company: Company) -> None:
    file = company.file("a.jpg", jpeg())
    company.rows(V="a.jpg")
    company.run()
    os.utime(file, (1, 1))
    listener = Listener()
    assert figures(company.run(listener)) == {"rows": 1, "files": 1, "unchanged": 1}
    assert listener.total == 1
    again = Listener()
    company.run(again)
    assert again.total == 0


def test_a_changed_file_is_made_anew_and_its_old_picture_leaves_after_the_grace_period(
    company: Company,
) -> None:
    file = company.file("a.jpg", jpeg(RED))
    company.rows(V="a.jpg")
    company.run()
    before = company.published()
    file.write_bytes(jpeg(BLUE))
    assert figures(company.run()) == {"rows": 1, "files": 1, "made": 1}
    assert near(colour(company.shown()["V"]), BLUE)
    assert before < company.published()
    let_days_pass(company, 6)
    assert company.run().counts["removed"] == 0
    let_days_pass(company, 2)
    assert company.run().counts["removed"] == 1
    assert len(company.published()) == 2
    assert not company.published() & before


def test_other_settings_make_all_anew(company: Company) -> None:
    company.file("a.jpg", jpeg(RED, (300, 200)))
    company.rows(V="a.jpg")
    company.run()
    company.configure(max_size_px=50)
    assert company.run().counts["made"] == 1
    assert company.world.value("SELECT width FROM ops.picture") == 50
    company.configure(thumbnail_px=30)
    assert company.run().counts["made"] == 1
    assert company.run().counts["made"] == 0


def test_a_picture_whose_row_is_gone_leaves_after_the_grace_period_and_returns_with_the_row(
    company: Company,
) -> None:
    company.file("a.jpg", jpeg())
    company.file("b.jpg", jpeg(BLUE))
    company.rows(V="a.jpg", W="b.jpg")
    company.run()
    company.without("V")
    assert figures(company.run()) == {"rows": 1, "files": 2, "unchanged": 1}
    assert len(company.published()) == 4
    company.world.execute('UPDATE kimo."ItemImage" SET _archived_load = NULL')
    assert company.run().counts["made"] == 1
    assert company.world.rows("SELECT * FROM ops.unused_picture") == []
    company.without("V")
    company.run()
    let_days_pass(company, 8)
    assert company.run().counts["removed"] == 1
    assert len(company.published()) == 2


def test_without_a_grace_period_it_leaves_at_once(company: Company) -> None:
    company.configure(keep_unused_days=0)
    company.file("a.jpg", jpeg())
    company.rows(V="a.jpg")
    company.run()
    company.without("V")
    assert company.run().counts["removed"] == 1
    assert company.published() == set()


def test_equal_files_share_a_public_picture_until_the_last_of_them_goes(company: Company) -> None:
    company.configure(keep_unused_days=0)
    company.file("a.jpg", jpeg())
    company.file("b.jpg", jpeg())
    company.rows(V="a.jpg", W="b.jpg")
    company.run()
    assert len(company.published()) == 2
    company.without("V")
    assert company.run().counts["removed"] == 0
    company.without("W")
    assert company.run().counts["removed"] == 1


def test_pictures_of_urls_are_left_alone(company: Company) -> None:
    company.configure(keep_unused_days=0)
    company.file("a.jpg", jpeg())
    company.rows(V="a.jpg")
    company.run()
    company.world.execute("UPDATE ops.picture SET source = 'https://example.com/a.jpg'")
    company.world.execute(
        "INSERT INTO ops.picture_name VALUES ('ItemUrl', 'https://example.com/a.jpg',"
        " 'https://example.com/a.jpg', NULL)"
    )
    company.without("V")
    assert figures(company.run()) == {}
    assert company.world.rows("SELECT entity FROM ops.picture_name") == [("ItemUrl",)]
    assert len(company.published()) == 2


def let_days_pass(company: Company, days: int) -> None:
    company.world.execute(f"UPDATE ops.unused_picture SET since = since - interval '{days} days'")


# --- what is wrong
# ------------------------------------------------------------------------------------------


def test_a_bad_picture_is_told_and_passed_by_and_not_tried_again_until_it_changes(
    company: Company,
) -> None:
    company.file("a.jpg", jpeg())
    bad = company.file("foto\\b.jpg".replace("\\", "/"), b"this is text")
    company.rows(**{"VINO-1": "a.jpg", "VINO-2": "foto\\b.jpg"})
    report = company.run()
    assert figures(report) == {"rows": 2, "files": 2, "made": 1, "failed": 1}
    assert list(reasons(report)) == ["ItemImage VINO-2: foto\\b.jpg"]
    assert "this is text, not a picture" in report.problems[0].why
    again = Listener()
    report = company.run(again)
    assert (again.total, report.counts["failed"], list(reasons(report))) == (
        0,
        1,
        ["ItemImage VINO-2: foto\\b.jpg"],
    )
    bad.write_bytes(jpeg(BLUE))
    assert figures(company.run()) == {"rows": 2, "files": 2, "made": 1, "unchanged": 1}


def test_a_raised_limit_lets_in_what_was_refused_for_it(company: Company) -> None:
    company.configure(max_megapixels=0.001)
    company.file("a.jpg", jpeg())
    company.rows(V="a.jpg")
    assert "`images: max_megapixels:`" in company.run().problems[0].why
    company.configure(max_megapixels=1)
    assert company.run().counts["made"] == 1


def test_a_raised_limit_is_above_pillows_own_too(company: Company) -> None:
    """Which is 179 million pixels, and holds in whoever runs the job."""
    company.configure(max_megapixels=200)
    company.file("a.tif", encoded(Image.new("1", (18_000, 10_000)), "TIFF", compression="group4"))
    company.rows(V="a.tif")
    assert company.run().counts["made"] == 1


def test_a_file_that_is_too_large_is_not_read(company: Company) -> None:
    company.configure(max_file_mb=0.001)
    company.file("a.bmp", encoded(quarters(), "BMP"))
    company.rows(V="a.bmp")
    assert "`images: max_file_mb:`" in company.run().problems[0].why


def test_the_last_good_picture_stays_when_a_file_breaks_or_goes(company: Company) -> None:
    company.configure(keep_unused_days=0)
    broken, gone = company.file("a.jpg", jpeg(RED)), company.file("b.jpg", jpeg(BLUE))
    company.rows(V="A.jpg", W="B.jpg")
    company.run()
    before = company.shown()
    broken.write_bytes(broken.read_bytes()[:200])
    gone.unlink()
    report = company.run()
    assert figures(report) == {"rows": 2, "files": 1, "failed": 1, "missing": 1}
    assert company.shown() == before
    assert near(colour(before["V"]), RED)
    assert near(colour(before["W"]), BLUE)
    assert "there is no such file" in reasons(report)["ItemImage W: B.jpg"]
    gone.write_bytes(jpeg(BLUE))
    broken.write_bytes(jpeg(GREEN))
    assert figures(company.run()) == {
        "rows": 2,
        "files": 2,
        "made": 1,
        "unchanged": 1,
        "removed": 1,
    }
    assert near(colour(company.shown()["V"]), GREEN)
    assert company.shown()["W"] == before["W"]


def test_a_broken_file_that_was_away_meanwhile_is_still_broken(company: Company) -> None:
    file = company.file("a.jpg", jpeg())
    company.file("b.jpg", jpeg())
    company.rows(V="a.jpg", W="b.jpg")
    company.run()
    file.write_bytes(b"text")
    company.run()
    file.unlink()
    assert company.run().counts["missing"] == 1
    file.write_bytes(b"text")
    assert company.run().counts["failed"] == 1


def test_names_that_mean_nothing_here_are_told_with_the_rows_that_have_them(
    company: Company,
) -> None:
    company.file("a.jpg", jpeg())
    (company.foto / "out.jpg").symlink_to(company.file("../secret.jpg", jpeg(BLUE)))
    rows = {f"V{n}": "C:\\foto\\a.jpg" for n in range(5)}
    company.rows(**rows, W="..\\secret.jpg", X="out.jpg", Y="a.jpg")
    report = company.run()
    assert figures(report) == {"rows": 8, "files": 1, "made": 1, "refused": 3}
    assert list(reasons(report)) == [
        "ItemImage W: ..\\secret.jpg",
        "ItemImage V0, V1, V2 and 2 more: C:\\foto\\a.jpg",
        "ItemImage X: out.jpg",
    ]
    assert len(company.published()) == 2


def test_a_link_that_was_put_there_after_the_listing_is_not_followed(company: Company) -> None:
    file = company.file("a.jpg", jpeg())
    company.rows(V="a.jpg")
    secret = company.file("../secret.jpg", jpeg(BLUE))

    class Swapping(Listener):
        def task_started(self, title: str, total: int | None) -> None:
            file.unlink()
            file.symlink_to(secret)

    assert company.run(Swapping()).problems[0].why == "it is a link that leads outside the folder"
    assert company.published() == set()


def test_rows_without_a_folder_are_told_and_the_others_go_on(company: Company) -> None:
    company.world.settings["images"].pop("source")
    company.configure(sources={"TrademarkImage": "foto"})
    company.file("a.jpg", jpeg())
    company.rows("TrademarkImage", T="a.jpg")
    company.rows(V="a.jpg")
    report = company.run()
    assert report.counts["made"] == 1
    assert report.problems == (
        Problem(
            "ItemImage: 1 row",
            "no folder is named for their files; name it under `images: source:` in kimo.yaml",
        ),
    )


def test_a_folder_that_cannot_be_listed_stops_the_job_before_it_changes_anything(
    company: Company,
) -> None:
    company.configure(keep_unused_days=0)
    company.file("a.jpg", jpeg())
    company.rows(V="a.jpg")
    company.run()
    before = company.world.rows("SELECT * FROM ops.picture"), company.published()
    company.foto.rename(company.foto.with_name("away"))
    with pytest.raises(
        ImagesError, match=r"No such file or directory\. Nothing was changed.*`images: source:`"
    ):
        company.run()
    assert before == (company.world.rows("SELECT * FROM ops.picture"), company.published())
    company.foto.mkdir()  # as when its drive is not mounted
    with pytest.raises(ImagesError, match=r"is empty, although pictures came from it before \(1\)"):
        company.run()
    assert before == (company.world.rows("SELECT * FROM ops.picture"), company.published())


def test_a_folder_below_that_cannot_be_read_leaves_its_pictures_as_they_were(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.configure(keep_unused_days=0)
    company.file("a.jpg", jpeg())
    company.file("vini/b.jpg", jpeg(BLUE))
    company.rows(V="a.jpg", W="VINI\\b.jpg")
    company.run()
    before = company.shown()
    entries = source_folder._entries

    def denied(path: Path) -> list[os.DirEntry[str]]:
        if path.name == "vini":
            raise PermissionError(13, "Permission denied", str(path))
        return entries(path)

    monkeypatch.setattr(source_folder, "_entries", denied)  # root may read whatever there is
    report = company.run()
    assert figures(report) == {"rows": 2, "files": 1, "unchanged": 2}
    assert reasons(report) == {
        "ItemImage W: VINI\\b.jpg": "the folder 'vini' cannot be read: Permission denied"
    }
    assert "its pictures stay as they were" in report.notes[0]
    assert company.shown() == before


def test_of_a_folder_that_no_row_needs_nobody_asks(company: Company) -> None:
    company.configure(sources={"PromotionImage": "never/made"})
    company.file("a.jpg", jpeg())
    company.rows(V="a.jpg")
    assert company.run().counts["made"] == 1


def test_a_public_folder_that_cannot_be_used_stops_the_job(company: Company) -> None:
    company.file("a.jpg", jpeg())
    company.rows(V="a.jpg")
    company.public.parent.mkdir(exist_ok=True)
    company.public.write_bytes(b"a file is in the way")
    with pytest.raises(
        ImagesError, match=r"The public folder .* cannot be used: .*`images: public:`"
    ):
        company.run()


def test_a_public_folder_that_breaks_on_the_way_stops_the_job_and_fails_no_picture(
    company: Company,
) -> None:
    company.file("a.jpg", jpeg())
    company.rows(V="a.jpg")

    class Breaking(Listener):
        def task_started(self, title: str, total: int | None) -> None:
            for kind in ("images", "thumbnails"):
                (company.public / kind).rmdir()
                (company.public / kind).write_bytes(b"in the way")

    with pytest.raises(ImagesError, match=r"The public folder cannot be written: .*kept"):
        company.run(Breaking())
    assert company.world.rows("SELECT * FROM ops.picture") == []


def test_a_public_picture_that_somebody_removed_is_made_again(company: Company) -> None:
    company.file("a.jpg", jpeg())
    company.file("b.jpg", jpeg(BLUE))
    company.rows(V="a.jpg", W="b.jpg")
    company.run()
    published = company.published()
    shown = company.shown()
    assert shown["V"] is not None
    assert shown["W"] is not None
    shown["V"].unlink()
    (company.public / "thumbnails" / shown["W"].relative_to(company.public / "images")).write_bytes(
        b""
    )
    assert company.run().counts["made"] == 2
    assert company.published() == published
    assert opened(shown["V"].read_bytes()).size == (60, 40)


def test_originals_are_never_altered(company: Company) -> None:
    files = [
        company.file("a.jpg", jpeg()),
        company.file("b.png", b"text"),
        company.file("c.png", encoded(quarters(), "PNG")),
    ]
    for file in files:
        os.utime(file, ns=(10**18, 10**18))
        file.chmod(0o444)
    company.rows(V="a.jpg", W="b.png", X="c.png")
    before = [(file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_mode) for file in files]
    company.run()
    company.run()
    assert before == [
        (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_mode) for file in files
    ]
    assert sorted(company.foto.rglob("*")) == sorted(files)


# --- deaths
# -------------------------------------------------------------------------------------------------

_DYING = """
import os, signal
from kimo_assets.images import worker
read = worker._read
def dying(path, root, recipe):
    if "killer" in path:
        os.kill(os.getpid(), signal.SIGKILL)
    return read(path, root, recipe)
worker._read = dying
worker.main()
"""


def test_a_picture_that_kills_its_process_costs_only_itself_and_is_tried_again(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.configure(processes=2)
    for n in range(12):
        company.file(f"{n}.jpg", jpeg((n * 20, 0, 0)))
    company.file("killer1.jpg", jpeg())
    company.file("killer2.jpg", jpeg(BLUE))
    company.rows(**{f"V{n}": f"{n}.jpg" for n in range(12)}, K="killer1.jpg", L="killer2.jpg")
    with monkeypatch.context() as patch:
        patch.setattr(worker_pool, "COMMAND", (sys.executable, "-P", "-c", _DYING))
        report = company.run()
    assert figures(report) == {"rows": 14, "files": 14, "made": 12, "failed": 2}
    assert [problem.what for problem in report.problems] == [
        "ItemImage K: killer1.jpg",
        "ItemImage L: killer2.jpg",
    ]
    assert (
        "was killed, most likely because memory ran out; it is tried again next time"
        in report.problems[0].why
    )
    assert figures(company.run()) == {"rows": 14, "files": 14, "made": 2, "unchanged": 12}


def test_a_process_that_cannot_start_is_said_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.file("a.jpg", jpeg())
    company.rows(V="a.jpg")
    monkeypatch.setattr(
        worker_pool, "COMMAND", (sys.executable, "-c", "raise SystemExit('no Pillow here')")
    )
    with pytest.raises(ContractError, match=r"could not start: .*no Pillow here"):
        company.run()


_KILLED = """
import os, signal, sys
from kimo_assets.config import load_config
from kimo_assets.database.server import Database
from kimo_assets.images import files
from kimo_assets.images.settings import image_settings
signal.signal(signal.SIGINT, signal.default_int_handler)
files._BATCH = 1
class Killing:
    done = 0
    def task_started(self, title, total):
        pass
    def task_advanced(self, pieces):
        self.done += pieces
        if self.done == 5:
            os.kill(os.getpid(), int(sys.argv[3]))
config, database = load_config(sys.argv[1]), Database(sys.argv[2], "")
with database.connect() as connection:
    files.import_files(connection, image_settings(connection, config), Killing())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_where_it_was_and_shows_no_half_pictures(
    company: Company, number: int
) -> None:
    company.configure(processes=2)
    for n in range(20):
        company.file(f"{n}.jpg", jpeg((n * 12, 0, 0)))
    company.rows(**{f"V{n}": f"{n}.jpg" for n in range(20)})
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _KILLED,
            str(company.config.path),
            company.database.dsn,
            str(int(number)),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == -number, done.stderr
    assert company.world.value("SELECT count(*) FROM ops.picture") == 5
    for path in company.published():
        if not path.endswith(".unfinished"):
            opened((company.public / path).read_bytes())
    assert figures(company.run()) == {"rows": 20, "files": 20, "made": 15, "unchanged": 5}


def test_an_interrupted_job_leaves_no_process_behind(company: Company) -> None:
    company.configure(processes=2)
    for n in range(40):
        company.file(f"{n}.jpg", jpeg((n * 6, 0, 0)))
    company.rows(**{f"V{n}": f"{n}.jpg" for n in range(40)})
    before = set(psutil.Process().children())

    class Interrupting(Listener):
        def task_advanced(self, pieces: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        company.run(Interrupting())
    assert caught.tb is not None  # it holds the frames, and whatever lives in them
    assert set(psutil.Process().children()) <= before


# --- URLs
# --------------------------------------------------------------------------------------------------


def test_a_source_may_be_any_store(company: Company) -> None:
    files = fsspec.filesystem("memory")
    files.pipe("/foto-of-a-test/Vini/a.jpg", jpeg())
    files.pipe("/foto-of-a-test/b.jpg", b"text")
    company.configure(source="memory://foto-of-a-test")
    company.rows(V="vini\\A.jpg", W="b.jpg", X="c.jpg")
    report = company.run()
    assert figures(report) == {"rows": 3, "files": 2, "made": 1, "failed": 1, "missing": 1}
    assert near(colour(company.shown()["V"]), RED)
    listener = Listener()
    company.run(listener)
    assert listener.total == 0
    files.pipe("/foto-of-a-test/Vini/a.jpg", jpeg(BLUE))
    assert company.run().counts["made"] == 1
    files.rm("/foto-of-a-test", recursive=True)
    with pytest.raises(ImagesError, match="cannot be listed"):
        company.run()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[s3fs.S3FileSystem]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "tester",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.mkdir("kimo")
    yield files
    files.rm("kimo", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_a_source_may_be_in_s3(company: Company, bucket: s3fs.S3FileSystem) -> None:
    bucket.pipe("kimo/foto/Vini/a.jpg", jpeg())
    bucket.pipe("kimo/foto/b.jpg", jpeg(GREEN))
    company.configure(source="s3://kimo/foto")
    company.rows(V="vini\\A.jpg", W="b.jpg")
    assert figures(company.run()) == {"rows": 2, "files": 2, "made": 2}
    listener = Listener()
    company.run(listener)
    assert listener.total == 0
    bucket.pipe("kimo/foto/Vini/a.jpg", jpeg(BLUE))
    assert figures(company.run()) == {"rows": 2, "files": 2, "made": 1, "unchanged": 1}
    assert near(colour(company.shown()["V"]), BLUE)
    company.configure(source="s3://nobody/foto")
    with pytest.raises(ImagesError, match="cannot be listed"):
        company.run()
