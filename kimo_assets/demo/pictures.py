"""Product pictures: flat packshots drawn with Pillow, and the ItemImage rows that name them.

Every picture belongs to one item. Most files are plain names; some rows name them as a Windows
program would. On purpose, one file is missing, one is cut off in the middle, and one is named by no
row.
"""

import unicodedata
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from kimo_assets.demo.erp_database import ErpWriter
from kimo_assets.demo.items import Items
from kimo_assets.demo.products import RANGES, TRADEMARKS
from kimo_assets.demo.scales import Scale

SIDE_PX = 800
# Drawn larger and then reduced, because Pillow's shapes have rough edges.
_SMOOTHING = 2
_UNIT = SIDE_PX * _SMOOTHING // 100
_TEXT_SIZE, _LINE_HEIGHT = 2.8, 4.1
# Rare as in real folders, and yet in the small company too.
_TRANSPARENT_EVERY, _SUBFOLDER_EVERY, _UPPER_CASE_EVERY = 8, 19, 13

Colour = tuple[int, int, int]
Draw = ImageDraw.ImageDraw

_PALETTE: tuple[tuple[Colour, Colour], ...] = (
    ((150, 40, 45), (250, 240, 225)),
    ((30, 85, 130), (235, 245, 250)),
    ((45, 110, 70), (245, 245, 225)),
    ((215, 130, 35), (255, 246, 225)),
    ((95, 60, 40), (245, 232, 212)),
    ((110, 60, 120), (245, 235, 248)),
    ((25, 125, 130), (232, 248, 245)),
    ((200, 70, 95), (255, 238, 238)),
    ((70, 80, 95), (240, 242, 245)),
    ((175, 150, 60), (252, 248, 228)),
)


@dataclass(frozen=True)
class Picture:
    """What is drawn, and the file it goes to, relative to the pictures' directory."""

    file: str
    file_path: str
    """The file as the ERP names it."""
    item: str
    caption: str
    brand: str
    shape: str
    colour: int


def choose_pictures(items: Items, scale: Scale) -> list[Picture]:
    """Pictures of items spread over the whole catalogue."""
    numbers = np.linspace(0, items.active - 1, scale.pictures).astype(int).tolist()
    return [_picture(items, number, i) for i, number in enumerate(numbers)]


MISSING_FILE, CUT_FILE, UNNAMED_FILE = (
    "scansione_0412.jpg",
    "retro_etichetta.jpg",
    "vecchio_logo.jpg",
)


def write_picture_rows(erp: ErpWriter, pictures: list[Picture]) -> None:
    named = [(p.item, p.file_path, p.caption, 1) for p in pictures]
    named += [(pictures[0].item, file, "", 2) for file in (MISSING_FILE, CUT_FILE)]
    erp.fill_rows("ItemImage", [(i, *row) for i, row in enumerate(named, 1)])


def draw_pictures(pictures: list[Picture], directory: Path) -> None:
    for picture in pictures:
        (directory / picture.file).parent.mkdir(parents=True, exist_ok=True)
    # Pillow compresses without the interpreter's lock.
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda picture: _save(picture, directory / picture.file), pictures))
    whole = (directory / pictures[0].file).read_bytes()
    # What a copy leaves behind that broke off.
    (directory / CUT_FILE).write_bytes(whole[: len(whole) // 2])
    (directory / UNNAMED_FILE).write_bytes(drawn_for(UNNAMED_FILE))


def drawn_for(code: str) -> bytes:
    """A JPEG for any code, the same one each time."""
    # Not hash(), which is another one in each process.
    number = zlib.crc32(code.encode())
    shape = sorted(_SHAPES)[number % len(_SHAPES)]
    file = BytesIO()
    _drawn(
        Picture("", "", code.upper(), "", TRADEMARKS[number % len(TRADEMARKS)], shape, number),
        False,
    ).save(file, "JPEG", quality=88)
    return file.getvalue()


def _picture(items: Items, number: int, index: int) -> Picture:
    """One picture. Some lie in a folder, some are named in other case than their file is."""
    code = items.codes[number]
    suffix = "png" if index % _TRANSPARENT_EVERY == 5 else "jpg"
    name = f"{code}.{suffix}".lower()
    file, file_path = name, name
    if index % _SUBFOLDER_EVERY == 3:
        folder = items.range_of(number).group.lower()
        file, file_path = f"{folder}/{name}", f"{folder}\\{name}"
    elif index % _UPPER_CASE_EVERY == 6:
        # Windows does not mind, and Linux does.
        file_path = name.upper()
    return Picture(
        file=file,
        file_path=file_path,
        item=code,
        caption=items.descriptions[number],
        brand=TRADEMARKS[items.trademarks[number]],
        shape=RANGES[items.ranges[number]].shape,
        colour=number * 7 + index,
    )


def _save(picture: Picture, path: Path) -> None:
    is_transparent = path.suffix == ".png"
    small = _drawn(picture, is_transparent)
    if is_transparent:
        # Quick instead of small: the files live as long as a demo.
        small.save(path, optimize=False, compress_level=3)
    else:
        small.save(path, quality=88)


def _drawn(picture: Picture, is_transparent: bool) -> Image.Image:
    dark, pale = _PALETTE[picture.colour % len(_PALETTE)]
    canvas = _transparent() if is_transparent else _background(pale)
    draw = ImageDraw.Draw(canvas)
    if not is_transparent:
        _ellipse(draw, 22, 86, 78, 94, _shade(pale, 80))
    _SHAPES[picture.shape](draw, dark)
    _label(draw, picture, dark, pale)
    return canvas.reduce(_SMOOTHING)


def _transparent() -> Image.Image:
    return Image.new("RGBA", (SIDE_PX * _SMOOTHING, SIDE_PX * _SMOOTHING), (0, 0, 0, 0))


@cache
def _gradient() -> Image.Image:
    return Image.linear_gradient("L").resize((SIDE_PX * _SMOOTHING, SIDE_PX * _SMOOTHING))


def _background(pale: Colour) -> Image.Image:
    return ImageOps.colorize(_gradient(), black=(255, 255, 255), white=_shade(pale, 92))


def _shade(colour: Colour, percent: int) -> Colour:
    """The colour made darker (below 100) or lighter (above)."""
    return tuple(min(255, part * percent // 100) for part in colour)  # type: ignore[return-value]


def _box(
    draw: Draw,
    left: float,
    top: float,
    right: float,
    bottom: float,
    fill: Colour,
    radius: float = 0,
) -> None:
    """A rectangle in hundredths of the picture."""
    corners = [part * _UNIT for part in (left, top, right, bottom)]
    draw.rounded_rectangle(corners, radius * _UNIT, fill=fill)


def _ellipse(
    draw: Draw, left: float, top: float, right: float, bottom: float, fill: Colour
) -> None:
    draw.ellipse([part * _UNIT for part in (left, top, right, bottom)], fill=fill)


def _polygon(draw: Draw, fill: Colour, *points: tuple[float, float]) -> None:
    draw.polygon([(x * _UNIT, y * _UNIT) for x, y in points], fill=fill)


def _shine(draw: Draw, colour: Colour, left: float, top: float, bottom: float) -> None:
    _box(draw, left, top, left + 2.5, bottom, _shade(colour, 135), 1.25)


def _bottle(draw: Draw, colour: Colour) -> None:
    _box(draw, 45, 8, 55, 16, _shade(colour, 55), 1)
    _box(draw, 46, 14, 54, 36, colour, 1)
    _ellipse(draw, 35, 28, 65, 58, colour)
    _box(draw, 35, 42, 65, 90, colour, 4)
    _shine(draw, colour, 38, 44, 86)


def _can(draw: Draw, colour: Colour) -> None:
    _box(draw, 34, 20, 66, 90, colour, 4)
    _ellipse(draw, 34, 16, 66, 26, (205, 208, 212))
    _ellipse(draw, 37, 18, 63, 24, (170, 174, 180))
    _shine(draw, colour, 37, 28, 84)


def _bag(draw: Draw, colour: Colour) -> None:
    _polygon(draw, colour, (30, 18), (70, 18), (74, 90), (26, 90))
    _box(draw, 29, 12, 71, 19, _shade(colour, 75), 1)
    _polygon(draw, _shade(colour, 85), (66, 19), (70, 19), (74, 90), (68, 90))
    _shine(draw, colour, 33, 24, 82)


def _carton_box(draw: Draw, colour: Colour) -> None:
    _polygon(draw, _shade(colour, 130), (24, 28), (66, 28), (78, 18), (36, 18))
    _polygon(draw, _shade(colour, 70), (66, 28), (78, 18), (78, 80), (66, 90))
    _box(draw, 24, 28, 66, 90, colour)


def _carton(draw: Draw, colour: Colour) -> None:
    _polygon(draw, _shade(colour, 120), (32, 30), (68, 30), (62, 16), (38, 16))
    _box(draw, 37, 10, 63, 17, _shade(colour, 75), 1)
    _box(draw, 32, 30, 68, 90, colour, 1)
    _box(draw, 61, 30, 68, 90, _shade(colour, 80), 1)


def _jar(draw: Draw, colour: Colour) -> None:
    _box(draw, 32, 30, 68, 90, colour, 7)
    _box(draw, 34, 18, 66, 31, _shade(colour, 60), 2)
    _shine(draw, colour, 35, 38, 84)


def _tub(draw: Draw, colour: Colour) -> None:
    _polygon(draw, colour, (22, 42), (78, 42), (72, 90), (28, 90))
    _box(draw, 19, 34, 81, 44, _shade(colour, 70), 3)


def _cup(draw: Draw, colour: Colour) -> None:
    _polygon(draw, colour, (26, 24), (74, 24), (66, 90), (34, 90))
    _ellipse(draw, 26, 18, 74, 30, _shade(colour, 125))
    _ellipse(draw, 29, 20, 71, 28, _shade(colour, 60))


def _plate(draw: Draw, colour: Colour) -> None:
    _ellipse(draw, 12, 14, 88, 90, colour)
    _ellipse(draw, 15, 17, 85, 87, _shade(colour, 140))
    _ellipse(draw, 24, 26, 76, 78, colour)


def _spray(draw: Draw, colour: Colour) -> None:
    _polygon(draw, _shade(colour, 60), (40, 10), (66, 10), (66, 16), (56, 18), (56, 30), (44, 30))
    _polygon(draw, colour, (44, 28), (56, 28), (68, 46), (66, 90), (34, 90), (32, 46))
    _shine(draw, colour, 36, 50, 84)


def _wedge(draw: Draw, colour: Colour) -> None:
    _polygon(draw, (245, 215, 120), (18, 60), (82, 36), (82, 62), (18, 86))
    _polygon(draw, colour, (18, 52), (82, 28), (82, 38), (18, 62))
    _box(draw, 32, 56, 68, 84, _shade(colour, 80), 2)


def _pot(draw: Draw, colour: Colour) -> None:
    _box(draw, 8, 46, 92, 53, (90, 94, 100), 3)
    _box(draw, 20, 36, 80, 90, (190, 194, 200), 5)
    _box(draw, 18, 30, 82, 40, (160, 165, 172), 4)
    _box(draw, 46, 22, 54, 31, colour, 2)


def _board(draw: Draw, colour: Colour) -> None:
    _box(draw, 44, 8, 56, 34, _shade(colour, 115), 5)
    _box(draw, 26, 26, 74, 90, _shade(colour, 115), 6)
    _box(draw, 28, 28, 72, 88, colour, 5)


_SHAPES: dict[str, Callable[[Draw, Colour], None]] = {
    "bottle": _bottle,
    "can": _can,
    "bag": _bag,
    "box": _carton_box,
    "carton": _carton,
    "jar": _jar,
    "tub": _tub,
    "cup": _cup,
    "plate": _plate,
    "spray": _spray,
    "wedge": _wedge,
    "pot": _pot,
    "board": _board,
}
# Where each shape leaves room for a label: left, top, right, bottom in hundredths.
_LABELS: dict[str, tuple[int, int, int, int]] = {
    "bottle": (35, 52, 65, 80),
    "can": (34, 40, 66, 72),
    "bag": (32, 34, 66, 72),
    "box": (27, 38, 63, 74),
    "carton": (34, 42, 60, 78),
    "jar": (32, 44, 68, 78),
    "tub": (30, 48, 70, 80),
    "cup": (35, 42, 65, 70),
    "plate": (33, 40, 67, 64),
    "spray": (34, 52, 66, 80),
    "wedge": (32, 58, 68, 82),
    "pot": (30, 52, 70, 80),
    "board": (32, 44, 68, 74),
}


def _label(draw: Draw, picture: Picture, dark: Colour, pale: Colour) -> None:
    """Brand, then as much of the description as there is room for."""
    left, top, right, bottom = _LABELS[picture.shape]
    _box(draw, left, top, right, bottom, pale, 1)
    _box(draw, left, top, right, top + 1.5, _shade(dark, 130))
    width = right - left - 3
    words = _plain(picture.caption.replace(picture.brand, "")).split()
    _write(draw, _plain(picture.brand), 4.2, dark, left, right, top + 4)
    room = int((bottom - top - 10.5) / _LINE_HEIGHT)
    for i, line in enumerate(_wrapped(words, width)[:room]):
        _write(draw, line, _TEXT_SIZE, (60, 60, 60), left, right, top + 10.5 + i * _LINE_HEIGHT)


def _write(
    draw: Draw, text: str, size: float, colour: Colour, left: float, right: float, top: float
) -> None:
    font = _fitting_font(text, size, right - left - 3)
    draw.text(((left + right) / 2 * _UNIT, top * _UNIT), text, font=font, fill=colour, anchor="ma")


def _plain(text: str) -> str:
    """Capitals with an apostrophe for the accent, as packs have it: the built-in font knows no
    accents.
    """
    decomposed = unicodedata.normalize("NFKD", text.upper())
    accents = "\u0300\u0301"
    return "".join("'" if c in accents else c for c in decomposed if c.isascii() or c in accents)


def _wrapped(words: list[str], width: float) -> list[str]:
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _font(_TEXT_SIZE).getlength(longer) > width * _UNIT:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


@cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size * _UNIT)  # type: ignore[return-value]


def _fitting_font(text: str, size: float, width: float) -> ImageFont.FreeTypeFont:
    length = _font(size).getlength(text)
    return _font(size) if length <= width * _UNIT else _font(size * width * _UNIT / length)
