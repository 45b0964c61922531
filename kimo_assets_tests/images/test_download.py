"""download_items_images on a real database and real servers: what is made, kept, asked again, given
up, and reported.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kimo_assets.config import load_config
from kimo_assets.database.server import Database
from kimo_assets.errors import ImagesError
from kimo_assets.images import worker_pool
from kimo_assets.images.addresses import Guard
from kimo_assets.images.download import download_images
from kimo_assets.images.fetch import Fetcher, Limits
from kimo_assets.images.references import refresh
from kimo_assets.images.settings import image_settings
from kimo_assets.progress import Progress
from kimo_assets.reports import TaskReport
from kimo_assets_tests.images.misbehaving_server import (
    MisbehavingServer,
    Names,
    crowded,
    endless,
    jpeg,
    lying_length,
    picture,
    redirect,
    silent,
    slow_drip,
    status,
    together,
)

RED, BLUE = jpeg("red"), jpeg("blue")


class Listener(Progress):
    """Remembers a job's progress. when: what to do when a picture is done."""

    def __init__(self, when: Callable[[], None] = lambda: None) -> None:
        self.total: int | None = None
        self.advanced = 0
        self.lines: list[str] = []
        self._when = when

    def task_started(self, title: str, total: int | None) -> None:
        self.total = total

    def task_advanced(self, pieces: int) -> None:
        self.advanced += pieces
        self._when()

    def log(self, line: str) -> None:
        self.lines.append(line)


class Shop:
    """A company whose items have pictures at URLs."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.images: dict[str, Any] = {"max_size_px": 32, "thumbnail_px": 16, "processes": 1}
        self.download: dict[str, Any] = {
            "allowed_hosts": ["127.0.0.1", "shop.test"],
            "attempts": 2,
            "timeout_s": 20,
        }
        self.listener = Listener()
        self.waits: list[float] = []
        self.names: Names | None = None

    @property
    def public(self) -> Path:
        return self.folder / "public"

    @property
    def config_file(self) -> Path:
        images = self.images | {"public": str(self.public), "download": self.download}
        file = self.folder / "kimo.yaml"
        file.write_text(
            f"sources: {{erp: {{url: 'sqlite:///erp.sqlite'}}}}\nimages: {images!r}\n",
            encoding="utf-8",
        )
        return file

    def has(self, *urls: str | None, kind: int = 1) -> None:
        """The items' URLs are these, and no others: item 0 has the first."""
        with self.database.connect() as connection, connection.cursor() as cursor:
            cursor.execute('DELETE FROM kimo."ItemUrl" WHERE "UrlTypeId" = %s', [kind])
            cursor.executemany(
                'INSERT INTO kimo."ItemUrl" ("Id", "ItemId", "Url", "UrlTypeId", _changed_load)'
                " VALUES (%s, %s, %s, %s, 1)",
                [(f"{kind}-{number}", str(number), url, kind) for number, url in enumerate(urls)],
            )

    def fetcher(self) -> Fetcher:
        config = load_config(self.config_file).images.download
        limits = Limits(
            1_000_000, config.timeout_s, config.max_redirects, config.attempts, config.per_host
        )
        return Fetcher(limits, Guard(config.allowed_hosts, self.names), sleep=self.waits.append)

    def run(self) -> TaskReport:
        with self.database.connect() as connection:
            settings = image_settings(connection, load_config(self.config_file))
            return download_images(connection, settings, self.listener, self.fetcher())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def shown(self) -> list[tuple[str, str]]:
        """Item, and the colour of its public picture."""
        with self.database.connect() as connection, connection.transaction():
            refresh(connection, 1)
        rows = self.rows(
            'SELECT r."ItemId", p."Path", p."ThumbnailPath" FROM kimo."PublicImage" AS p JOIN'
            ' kimo."ItemUrl" AS r '
            """ON r."Id" = p."EntityId" AND p."EntityType" = 'ItemUrl'"""
            " WHERE p._archived_load IS NULL ORDER BY 1"
        )
        return [(item, self._colour(path)) for item, path, _ in rows]

    def _colour(self, path: str) -> str:
        with Image.open(self.public / path) as image:
            assert max(image.size) <= 32
            red, _, blue = image.convert("RGB").getpixel((5, 5))  # type: ignore[misc]
        return "red" if red > blue else "blue"


@pytest.fixture
def shop(tmp_path: Path, own_database: Database) -> Shop:
    return Shop(tmp_path, own_database)


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server


def counts(report: TaskReport) -> dict[str, int]:
    """Those that are not zero, without the bytes."""
    return {name: count for name, count in report.counts.items() if count and name != "bytes"}


def test_pictures_come_and_are_shown_by_their_rows(shop: Shop, server: MisbehavingServer) -> None:
    red, blue = (
        server.on("/red.jpg", picture(RED)),
        server.on("/blue", picture(BLUE, Content_Type="text/html")),
    )
    shop.has(red, blue, red, f"  {blue}\t", None, "")
    shop.has(server.on("/film.jpg", picture(RED)), kind=3)
    report = shop.run()
    assert counts(report) == {"urls": 2, "asked": 2, "made": 2}
    assert report.counts["bytes"] == len(RED) + len(BLUE)
    assert set(report.counts) == {
        "urls",
        "asked",
        "made",
        "unchanged",
        "missing",
        "failed",
        "refused",
        "bytes",
        "not_due",
        "removed",
    }
    assert (shop.listener.total, shop.listener.advanced) == (2, 2)
    assert shop.shown() == [("0", "red"), ("1", "blue"), ("2", "red"), ("3", "blue")]
    assert sorted(server.asked) == ["/blue", "/red.jpg"]
    assert report.problems == ()


def test_a_row_that_is_gone_is_asked_for_no_more_and_its_picture_leaves_after_a_while(
    shop: Shop, server: MisbehavingServer
) -> None:
    red, blue = server.on("/red.jpg", picture(RED)), server.on("/blue.jpg", picture(BLUE))
    shop.has(red, blue)
    shop.run()
    shop.has(red)
    assert counts(shop.run()) == {"urls": 1, "asked": 1, "unchanged": 1}
    assert len(list(shop.public.rglob("*.jpg"))) == 4
    shop.images["keep_unused_days"] = 0
    assert counts(shop.run()) == {"urls": 1, "asked": 1, "unchanged": 1, "removed": 1}
    assert len(list(shop.public.rglob("*.jpg"))) == 2
    assert shop.shown() == [("0", "red")]
    assert shop.rows("SELECT source FROM ops.picture") == [(red,)]


@pytest.mark.parametrize(
    "headers", [{"ETag": '"1"'}, {"Last_Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}]
)
def test_an_unchanged_picture_costs_a_304(
    shop: Shop, server: MisbehavingServer, headers: dict[str, str]
) -> None:
    shop.has(server.on("/a.jpg", picture(RED, **headers)))
    shop.run()
    report = shop.run()
    assert counts(report) == {"urls": 1, "asked": 1, "unchanged": 1}
    assert report.counts["bytes"] == 0
    server.on("/a.jpg", picture(BLUE, ETag='"2"', Last_Modified="Tue, 02 Jan 2024 00:00:00 GMT"))
    assert counts(shop.run()) == {"urls": 1, "asked": 1, "made": 1}
    assert shop.shown() == [("0", "blue")]
    assert shop.rows("SELECT etag FROM ops.picture") == [('"2"',)]


def test_the_same_content_is_not_made_again(shop: Shop, server: MisbehavingServer) -> None:
    shop.has(server.on("/a.jpg", picture(RED)))
    shop.run()
    (before,) = shop.rows("SELECT changed_at FROM ops.picture")
    assert counts(shop.run()) == {"urls": 1, "asked": 1, "unchanged": 1}
    assert shop.rows("SELECT changed_at FROM ops.picture") == [before]


def test_pictures_asked_for_not_long_ago_are_left_alone(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.download["max_age_hours"] = 24
    shop.has(server.on("/a.jpg", picture(RED)), server.on("/b.jpg", status(404)))
    shop.run()
    assert counts(shop.run()) == {"urls": 2, "asked": 1, "missing": 1, "not_due": 1}
    assert server.asked_for("/a.jpg") == 1
    with shop.database.connect() as connection:
        connection.execute("UPDATE ops.picture SET checked_at = now() - interval '25 hours'")
    assert counts(shop.run()) == {"urls": 2, "asked": 2, "missing": 1, "unchanged": 1}


def test_a_picture_that_failed_is_asked_for_again_however_young_the_one_of_before_is(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.has(server.on("/a.jpg", picture(RED)))
    shop.run()
    server.on("/a.jpg", status(403))
    assert counts(shop.run()) == {"urls": 1, "asked": 1, "failed": 1}
    server.on("/a.jpg", picture(RED))
    shop.download["max_age_hours"] = 24
    assert counts(shop.run()) == {"urls": 1, "asked": 1, "unchanged": 1}
    assert counts(shop.run()) == {"urls": 1, "not_due": 1}


def test_other_settings_make_every_picture_again_without_conditions(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.has(server.on("/a.jpg", picture(RED, ETag='"1"')))
    shop.download["max_age_hours"] = 24
    shop.run()
    shop.images["max_size_px"] = 20
    assert counts(shop.run()) == {"urls": 1, "asked": 1, "made": 1}
    assert "If-None-Match" not in server.seen[-1]
    assert shop.rows("SELECT width, height FROM ops.picture") == [(20, 13)]


def test_a_public_file_that_somebody_removed_comes_again(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.has(server.on("/a.jpg", picture(RED, ETag='"1"')))
    shop.run()
    next(shop.public.rglob("*.jpg")).unlink()
    assert counts(shop.run()) == {"urls": 1, "asked": 1, "made": 1}
    assert shop.shown() == [("0", "red")]


def test_one_run_goes_past_everything_that_is_bad_and_says_what(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.download |= {
        "timeout_s": 3,
        "attempts": 1,
        "at_once": 16,
        "per_host": 16,
        "max_redirects": 2,
    }
    shop.images["max_file_mb"] = 0.5
    expected = {
        server.on(
            "/html.jpg?token=secret", status(200, b"<!DOCTYPE html><html></html>")
        ): "cannot be used: this is",
        server.on(
            "/short.jpg", lying_length(RED, len(RED) + 5)
        ): "broke off before the whole picture was there",
        server.on(
            "/cut.jpg", lying_length(RED, len(RED) - 50)
        ): "cannot be used: the JPEG is damaged or cut off",
        server.on("/drip.jpg", slow_drip()): "longer than 3 seconds",
        server.on("/endless.jpg", endless()): "more than 1,000,000 bytes",
        server.on("/circle.jpg", redirect("/circle.jpg")): "in a circle",
        server.on("/scheme.jpg", redirect("ftp://shop.test/a.jpg")): "'ftp:' is not asked",
        server.on("/metadata.jpg", redirect("http://169.254.169.254/")): "a link-local address",
        server.on("/ill.jpg", status(500)): "it is not well (500)",
        server.on("/gone.jpg", status(410)): "gone for good (410)",
        server.url("/nothing.jpg"): "no such picture (404)",
        "http://10.0.0.5/a.jpg?sig=secret": "10.0.0.5 is a private address, so it is not asked",
        "http://nowhere.invalid.test/a.jpg": "",
        "ftp://shop.test/a.jpg": "'ftp:' is not asked",
        "https://me:secret@shop.test/a.jpg": "a user name or a password",
        "C:\\pictures\\a.jpg": "is not asked",
    }
    shop.names = Names(
        **{"10__0__0__5": [["10.0.0.5"]], "127__0__0__1": [["127.0.0.1"]]},
        **{"169__254__169__254": [["169.254.169.254"]]},
    )
    good = server.on("/good.jpg", picture(RED))
    shop.has(*expected, good, next(iter(expected)))
    report = shop.run()
    assert counts(report) == {
        "urls": 17,
        "asked": 14,
        "made": 1,
        "missing": 2,
        "failed": 8,
        "refused": 6,
    }
    reasons = {problem.what.partition(" (")[0]: problem.why for problem in report.problems}
    for url, text in expected.items():
        url_shown = url.replace("?token=secret", "?…").replace("?sig=secret", "?…")
        assert text in reasons[url_shown.replace("me:secret@", "")]
    assert len(report.problems) == 16
    assert "secret" not in str(report.as_json())
    first = f"{server.url('/html.jpg?…')} (items 0, 17)"
    assert first in [problem.what for problem in report.problems]
    assert shop.listener.advanced == shop.listener.total == 14
    assert shop.rows(
        "SELECT count(*) FROM ops.picture WHERE status = 'failed' AND problem IS NOT NULL"
    ) == [(11,)]
    assert shop.rows(
        "SELECT count(*) FROM ops.picture_name WHERE source IS NULL AND problem IS NOT NULL"
    ) == [(3,)]
    assert "secret" not in str(
        shop.rows("SELECT problem FROM ops.picture UNION SELECT problem FROM ops.picture_name")
    )


def test_a_picture_that_cannot_be_fetched_now_stays_as_it_was(
    shop: Shop, server: MisbehavingServer
) -> None:
    url = server.on("/a.jpg", picture(RED, ETag='"1"'))
    shop.has(url)
    shop.run()
    for behaviour in (status(503), status(404), status(200, b"<html>"), status(200, RED[:300])):
        server.on("/a.jpg", behaviour)
        (problem,) = shop.run().problems
        assert problem.why.endswith(". The previous picture stays")
        assert shop.shown() == [("0", "red")]
    assert shop.rows("SELECT status, kind, size FROM ops.picture") == [("failed", "JPEG", len(RED))]
    server.on("/a.jpg", picture(RED, ETag='"1"'))
    assert counts(shop.run()) == {"urls": 1, "asked": 1, "unchanged": 1}
    assert server.seen[-1]["If-None-Match"] == '"1"'
    assert shop.rows("SELECT status, problem, kind, size FROM ops.picture") == [
        ("ok", None, "JPEG", len(RED))
    ]


def test_what_is_gone_from_the_server_is_called_missing(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.has(server.url("/a.jpg"))
    (problem,) = shop.run().problems
    assert (
        problem.why
        == "the server has no such picture (404): correct the URL in the ERP, or take its row out"
    )
    assert shop.rows("SELECT status FROM ops.picture") == [("missing",)]


def test_a_picture_that_costs_the_process_its_life_costs_nothing_else(
    shop: Shop, server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies = (
        "import kimo_assets.images.worker as worker\n"
        "make = worker.render\n"
        "worker.render = lambda data, recipe: exit(7) if len(data) == 300 else make(data, recipe)\n"
        "worker.main()"
    )
    monkeypatch.setattr(worker_pool, "COMMAND", (sys.executable, "-P", "-c", dies))
    shop.has(
        *[server.on(f"/{number}", picture(RED if number % 2 else RED[:300])) for number in range(6)]
    )
    report = shop.run()
    assert counts(report) == {"urls": 6, "asked": 6, "made": 3, "failed": 3}
    assert {"ended with code 7" in problem.why for problem in report.problems} == {True}


# --- hosts
# --------------------------------------------------------------------------------------------------


def test_a_host_that_is_down_is_given_up_and_the_others_are_not(
    shop: Shop, server: MisbehavingServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        down = f"http://127.0.0.1:{listener.getsockname()[1]}"
    shop.has(
        *[f"{down}/{number}.jpg" for number in range(2000)],
        *[server.on(f"/{n}", picture(RED)) for n in range(10)],
    )
    report = shop.run()
    assert report.counts["made"] == 10
    assert report.counts["failed"] == 2000
    assert 3 <= report.counts["asked"] - 10 <= 4
    assert len(shop.waits) == report.counts["asked"] - 10
    (note,) = report.notes
    assert note.startswith(f"{down.removeprefix('http://')} was given up for this run, with 1,99")
    assert shop.listener.lines == [note]
    reasons = {problem.why for problem in report.problems}
    assert reasons == {
        "the server cannot be reached: connection refused",
        (
            "not asked, because its server was given up for this run: the server cannot be reached:"
            " connection refused"
        ),
    }
    assert shop.listener.advanced == 2010


def test_a_host_that_answers_now_and_then_is_not_given_up(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.download |= {"attempts": 1, "per_host": 1}
    for number in range(60):
        server.on(f"/{number:02}", picture(RED) if number % 15 == 0 else status(503))
    shop.has(*[server.url(f"/{number:02}") for number in range(60)])
    assert counts(shop.run()) == {"urls": 60, "asked": 60, "made": 4, "failed": 56}


def test_a_host_that_is_unwell_for_many_pictures_in_a_row_is_given_up(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.download |= {"attempts": 1, "per_host": 1}
    shop.has(*[server.on(f"/{number}", status(503)) for number in range(60)])
    assert counts(shop.run()) == {"urls": 60, "asked": 20, "failed": 60}


def test_a_host_that_has_lost_many_pictures_is_not_given_up(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.has(*[server.url(f"/{number}") for number in range(40)])
    assert counts(shop.run()) == {"urls": 40, "asked": 40, "missing": 40}


def test_a_host_that_wants_to_be_left_alone_is_given_up_at_once(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.download["per_host"] = 1
    shop.has(*[server.on(f"/{number}", status(429, Retry_After="3600")) for number in range(10)])
    assert counts(shop.run()) == {"urls": 10, "asked": 1, "failed": 10}
    assert len(server.asked) == 1


def test_a_slow_host_holds_up_nobody_else(shop: Shop, server: MisbehavingServer) -> None:
    """Each of the other host's pictures comes while the slow ones are under way: those wait for the
    last of them.
    """
    shop.download |= {"at_once": 3, "per_host": 2}
    with MisbehavingServer() as quick:
        for number in range(8):
            quick.on(f"/{number}", picture(RED))

        def slow(talk: Any) -> None:
            with quick.changed:
                has_come = quick.changed.wait_for(lambda: len(quick.asked) == 8, timeout=10)
            talk.answer(200 if has_come else 418, BLUE)

        shop.has(
            *[server.on(f"/{n}", slow) for n in range(4)], *[quick.url(f"/{n}") for n in range(8)]
        )
        assert counts(shop.run()) == {"urls": 12, "asked": 12, "made": 12}
    assert server.peak == 2


def test_requests_at_once_are_limited_over_all_hosts(shop: Shop, server: MisbehavingServer) -> None:
    shop.download |= {"at_once": 2, "per_host": 2}
    shop.names = Names(**{f"{name}__test": [["127.0.0.1"]] for name in ("a", "b", "c")})
    shop.download["allowed_hosts"] = ["a.test", "b.test", "c.test"]
    server.on("/a.jpg", crowded(RED, 2))
    shop.has(
        *[server.url(f"/a.jpg?{n}", f"{name}.test") for name in ("a", "b", "c") for n in range(2)]
    )
    assert counts(shop.run()) == {"urls": 6, "asked": 6, "made": 6}
    assert server.peak == 2


def test_hosts_are_asked_side_by_side(shop: Shop, server: MisbehavingServer) -> None:
    shop.download |= {"at_once": 4, "per_host": 1, "allowed_hosts": ["a.test", "b.test", "c.test"]}
    shop.names = Names(**{f"{name}__test": [["127.0.0.1"]] for name in ("a", "b", "c")})
    server.on("/a.jpg", together(RED, 3))
    shop.has(*[server.url("/a.jpg", f"{name}.test") for name in ("a", "b", "c")])
    assert counts(shop.run()) == {"urls": 3, "asked": 3, "made": 3}


# --- ends
# --------------------------------------------------------------------------------------------------

_RUN = """
import os
import signal
import sys
from kimo_assets.config import load_config
from kimo_assets.database.server import Database
from kimo_assets.images.download import download_images
from kimo_assets.images.settings import image_settings
from kimo_assets_tests.images.test_download import Listener
signal.signal(signal.SIGINT, signal.default_int_handler)
config, dsn, number, after = sys.argv[1:]
done = []
def when():
    done.append(1)
    if len(done) == int(after):
        os.kill(os.getpid(), int(number))
with Database(dsn, "").connect() as connection:
    settings = image_settings(connection, load_config(config))
    download_images(connection, settings, Listener(when))
"""


def run_and_signal(shop: Shop, number: int, after: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            _RUN,
            str(shop.config_file),
            shop.database.dsn,
            str(number),
            str(after),
        ],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_killed_run_goes_on_where_it_was(shop: Shop, server: MisbehavingServer) -> None:
    shop.download |= {"at_once": 2, "max_age_hours": 24}
    shop.has(*[server.on(f"/{number}", picture(RED)) for number in range(12)])
    killed = run_and_signal(shop, signal.SIGKILL, after=3)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    ((done,),) = shop.rows("SELECT count(*) FROM ops.picture WHERE status = 'ok'")
    assert 3 <= done < 12
    assert counts(shop.run()) == {
        "urls": 12,
        "asked": 12 - done,
        "made": 12 - done,
        "not_due": done,
    }
    assert len(shop.shown()) == 12


def test_ctrl_c_ends_a_run_soon_whatever_is_under_way(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.download |= {"at_once": 4, "per_host": 4, "timeout_s": 50}
    shop.has(
        *[server.on(f"/{number}", silent()) for number in range(3)], server.on("/z", picture(RED))
    )
    started = time.monotonic()
    ended = run_and_signal(shop, signal.SIGINT, after=1)
    assert "KeyboardInterrupt" in ended.stderr
    assert time.monotonic() - started < 20
    assert shop.rows("SELECT source FROM ops.picture") == [(server.url("/z"),)]


def test_a_public_folder_that_cannot_be_used_stops_the_run_before_anything_is_asked(
    shop: Shop, server: MisbehavingServer
) -> None:
    shop.has(server.on("/a.jpg", picture(RED)))
    shop.public.write_text("a file", encoding="utf-8")
    with pytest.raises(ImagesError, match=r"The public folder .* cannot be used: "):
        shop.run()
    assert server.asked == []


def test_nothing_to_do_is_done(shop: Shop) -> None:
    report = shop.run()
    assert counts(report) == {}
    assert (report.problems, report.notes, shop.listener.total) == ((), (), 0)
