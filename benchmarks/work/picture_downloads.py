"""Pictures from URLs, by download_images into a new company, and by a plain loop of `requests`
without any bookkeeping.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
from PIL import Image, ImageDraw

from benchmarks.meter import Meter
from benchmarks.servers import postmaster_of
from kimo_assets.config import load_config
from kimo_assets.database.server import Database, open_database
from kimo_assets.images.download import download_images
from kimo_assets.images.picture import Recipe, render
from kimo_assets.images.settings import image_settings

_SIZE = (1600, 1250)
_RECIPE = Recipe(max_size_px=1200, thumbnail_px=200)


def run(folder: str, count: int) -> dict[str, Any]:
    """What was run -> its figures."""
    directory = Path(folder)
    shutil.rmtree(directory, ignore_errors=True)
    pictures = directory / "pictures"
    names = _draw(pictures, count)
    config = directory / "kimo.yaml"
    config.write_text(
        "sources: {erp: {url: 'sqlite:///erp.sqlite'}}\nimages: {max_size_px: 1200, thumbnail_px:"
        " 200, download: {allowed_hosts: [127.0.0.1], per_host: 8}}\n",
        encoding="utf-8",
    )
    loaded = load_config(config)
    database = open_database(loaded)
    results = {}
    with (
        _server(pictures) as address,
        Meter([postmaster_of(Path(loaded.data_dir) / "postgres")]) as meter,
    ):
        urls = [f"{address}/{name}" for name in names]
        _name(database, urls)
        meter.lap()
        dates = _plain_loop(urls, {})
        results["plain loop, first"] = meter.lap().as_json()
        _plain_loop(urls, dates)
        results["plain loop, unchanged"] = meter.lap().as_json()
        for name in ("first", "unchanged"):
            counted = _download(database, config)
            results[name] = meter.lap().as_json()
            assert counted["made" if name == "first" else "unchanged"] == count, counted
    return {name: result | {"pictures": count} for name, result in results.items()}


def _draw(folder: Path, count: int) -> list[str]:
    folder.mkdir(parents=True)
    ground = Image.radial_gradient("L").resize(_SIZE).convert("RGB")
    ground.paste(Image.effect_noise((800, 600), 60).convert("RGB"), (400, 300))
    for number in range(count):
        ImageDraw.Draw(ground).text(
            (20, 20 + number), f"picture {number}", fill=(number % 256, 80, 160)
        )
        ground.save(folder / f"{number}.jpg", quality=90)
    return [f"{number}.jpg" for number in range(count)]


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.work.picture_downloads", str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def _name(database: Database, urls: list[str]) -> None:
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            'INSERT INTO kimo."ItemUrl" ("Id", "ItemId", "Url", "UrlTypeId", _changed_load) VALUES'
            " (%s, %s, %s, 1, 1)",
            [(str(number), str(number), url) for number, url in enumerate(urls)],
        )


def _plain_loop(urls: list[str], dates: dict[str, str]) -> dict[str, str]:
    """dates: of Last-Modified, to ask only for what is newer."""
    found = {}
    with requests.Session() as session:
        for url in urls:
            headers = {"If-Modified-Since": dates[url]} if url in dates else {}
            answer = session.get(url, headers=headers)
            if answer.status_code == 200:
                render(answer.content, _RECIPE)
                found[url] = answer.headers["Last-Modified"]
    return found


def _download(database: Database, config: Path) -> dict[str, int]:
    with database.connect() as connection:
        return download_images(
            connection, image_settings(connection, load_config(config)), _Nobody()
        ).counts


class _Nobody:
    """A listener that does not listen."""

    def task_started(self, title: str, total: int | None) -> None: ...

    def task_advanced(self, pieces: int) -> None: ...

    def log(self, line: str) -> None: ...


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None: ...


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=sys.argv[1]))
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
