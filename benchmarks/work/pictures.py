"""Pictures: drawing them, importing them, and what is written to do the same with Pillow in a loop.

They are drawn from one photograph-like scene, of blurred noise in three scales with grain: each is
that scene moved by other distances and in another light, so that no two files share a block of
pixels, and a JPEG weighs as a camera's does.
"""

import multiprocessing
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks.meter import Meter
from benchmarks.servers import postmaster_of
from kimo_assets.config import load_config
from kimo_assets.database.server import open_database
from kimo_assets.images.files import import_files
from kimo_assets.images.settings import image_settings

_MAX_SIZE_PX, _THUMBNAIL_PX, _QUALITY = 1200, 200, 85
_SEED = 20260101

Size = tuple[int, int]


def run(what: str, **arguments: Any) -> dict[str, Any]:
    """what: draw, import, or a peer: resize, thumbnail."""
    return _WORKS[what](**arguments)


# --- drawing
# --------------------------------------------------------------------------------------------------


def _draw(folder: str, count: int, size: list[int]) -> dict[str, Any]:
    """Draws what is not there yet, so that a killed run goes on."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    work = [
        (n, str(target / _name(n)), (size[0], size[1]))
        for n in range(count)
        if not (target / _name(n)).exists()
    ]
    for file in target.iterdir():
        if file.stem.isdecimal() and int(file.stem) >= count:
            file.unlink()
    with multiprocessing.get_context("spawn").Pool() as pool:
        pool.starmap(_draw_one, work, chunksize=8)
    return {"drawn": len(work)}


def _name(number: int) -> str:
    return f"{number:05}.jpg"


@cache
def _scene(width: int, height: int) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(_SEED)
    scene = np.zeros((height, width, 3), dtype=np.float32)
    for cells, weight in ((6, 150), (40, 70), (300, 25)):
        noise = random.integers(0, 255, (cells * 3 // 4 + 1, cells + 1, 3), dtype=np.uint8)
        blurred = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        scene += np.asarray(blurred, dtype=np.float32) * (weight / 245)
    scene += random.normal(0, 3, (height, width, 1)).astype(np.float32)
    return np.clip(scene, 0, 255).astype(np.uint8)


def _draw_one(number: int, path: str, size: Size) -> None:
    random = np.random.default_rng(_SEED + number)
    scene = _scene(*size)
    moved = np.roll(
        scene, (int(random.integers(size[1])), int(random.integers(size[0]))), axis=(0, 1)
    )
    light = [
        int(min(255, value * gain)) for gain in random.uniform(0.7, 1.1, 3) for value in range(256)
    ]
    unfinished = Path(path).with_suffix(".part")
    Image.fromarray(moved).point(light).save(unfinished, "JPEG", quality=90)
    unfinished.rename(path)


# --- ours
# --------------------------------------------------------------------------------------------------


class _Watching:
    """Looks at the workers' memory whenever some pictures are done: of those alive then, the most
    that each ever had.
    """

    largest_mb = 0.0

    def task_started(self, title: str, total: int | None) -> None: ...

    def task_advanced(self, pieces: int) -> None:
        for child in psutil.Process().children():
            with suppress(OSError, psutil.Error):
                lines = Path(f"/proc/{child.pid}/status").read_text(encoding="ascii").splitlines()
                peak = next(
                    (int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0
                )
                self.largest_mb = max(self.largest_mb, peak / 1024)

    def log(self, line: str) -> None: ...


def _import(config: str, count: int) -> dict[str, Any]:
    loaded = load_config(config)
    database = open_database(loaded)
    with database.connect() as connection:
        connection.execute(
            'INSERT INTO kimo."ItemImage" ("Id", "ItemId", "FilePath", _changed_load) SELECT i, i,'
            " to_char(i, 'FM00000') || '.JPG', 1 FROM generate_series(0, %s) AS i ON CONFLICT"
            " DO NOTHING",
            [count - 1],
        )
        settings = image_settings(connection, loaded)
        with Meter([postmaster_of(Path(loaded.data_dir) / "postgres")]) as meter:
            watching = _Watching()
            report = import_files(connection, settings, watching)
            usage = meter.lap()
    assert report.counts["made"] + report.counts["unchanged"] == count, report
    return usage.as_json() | {
        "pictures": count,
        "made": report.counts["made"],
        "pictures_per_s": round(count / usage.seconds, 2),
        "worker_peak_mb": round(watching.largest_mb, 1),
    }


# --- the peers
# --------------------------------------------------------------------------------------------------


def _resize(folder: str, count: int, to: str) -> dict[str, Any]:
    return _loop(folder, count, to, _resize_one)


def _thumbnail(folder: str, count: int, to: str) -> dict[str, Any]:
    return _loop(folder, count, to, _thumbnail_one)


def _loop(folder: str, count: int, to: str, one: Any) -> dict[str, Any]:
    """A sample, spread over all pictures."""
    files = sorted(Path(folder).glob("*.jpg"))
    target = Path(to)
    target.mkdir(parents=True, exist_ok=True)
    with Meter([]) as meter:
        for file in files[:: max(1, len(files) // count)][:count]:
            one(file, target)
        usage = meter.lap()
    return usage.as_json() | {"pictures": count, "pictures_per_s": round(count / usage.seconds, 2)}


def _resize_one(file: Path, target: Path) -> None:
    """What a page on resizing pictures says: open, convert, resize, save; and the small one from
    that.
    """
    with Image.open(file) as image:
        whole = image.convert("RGB")
    scale = _MAX_SIZE_PX / max(whole.size)
    bounded = whole.resize(
        (round(whole.width * scale), round(whole.height * scale)), Image.Resampling.LANCZOS
    )
    bounded.save(target / file.name, quality=_QUALITY)
    bounded.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.LANCZOS)
    bounded.save(target / f"small-{file.name}", quality=_QUALITY)


def _thumbnail_one(file: Path, target: Path) -> None:
    """What somebody writes who knows Pillow: its thumbnail() decodes at a fraction where twice the
    size remains.
    """
    with Image.open(file) as image:
        image.thumbnail((_MAX_SIZE_PX, _MAX_SIZE_PX), Image.Resampling.LANCZOS)
        image.convert("RGB").save(target / file.name, quality=_QUALITY)
        image.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.LANCZOS)
        image.save(target / f"small-{file.name}", quality=_QUALITY)


_WORKS = {"draw": _draw, "import": _import, "resize": _resize, "thumbnail": _thumbnail}
