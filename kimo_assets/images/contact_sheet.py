"""A contact sheet: the pictures' thumbnails with their names, and marks on what is wrong."""

import io
import math
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from kimo_assets.images.audit import AuditedPicture
from kimo_assets.texts import say

# Pages embed the sheet: larger ones are drawn with fewer colours, then with fewer pictures.
MAX_BYTES = 300_000
_COLOURS = (256, 128, 64, 32)

# In pixels: the side of a tile, the gap between tiles, the size of text, the headline.
_COLUMNS = 8
_SIDE, _GAP, _TEXT, _HEAD = 104, 10, 11, 34
_CAPTION = 34
_PAPER, _TILE, _INK, _PALE, _WARNING = "#ffffff", "#f2f2f2", "#222222", "#8a8a8a", "#c0392b"


def contact_sheet(public: Path, pictures: Sequence[AuditedPicture], limit: int = 64) -> bytes:
    """A PNG of up to `limit` pictures, those with something wrong first, in at most MAX_BYTES."""
    # Noisy photographs compress badly, so the size is only known when it is drawn.
    shown = sorted(pictures, key=lambda picture: not picture.marks)[:limit]
    for count in (len(shown), len(shown) // 2, len(shown) // 4):
        sheet = _sheet(public, shown[:count], pictures)
        for colours in _COLOURS:
            data = _png(sheet, colours)
            if len(data) <= MAX_BYTES:
                return data
    return data


def _sheet(
    public: Path, shown: Sequence[AuditedPicture], pictures: Sequence[AuditedPicture]
) -> Image.Image:
    """All tiles below a headline, row by row. Sizes are in pixels."""
    rows = math.ceil(len(shown) / _COLUMNS)
    width = _COLUMNS * (_SIDE + _GAP) + _GAP
    height = _HEAD + rows * (_SIDE + _CAPTION + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP), _headline(shown, pictures), fill=_INK, font=_font(_TEXT + 2))
    for number, picture in enumerate(shown):
        row, column = divmod(number, _COLUMNS)
        left = _GAP + column * (_SIDE + _GAP)
        top = _HEAD + row * (_SIDE + _CAPTION + _GAP)
        _draw_picture(sheet, (left, top), public, picture)
    return sheet


def _headline(shown: Sequence[AuditedPicture], pictures: Sequence[AuditedPicture]) -> str:
    wrong = sum(bool(picture.marks) for picture in pictures)
    headline = say("images.sheet.headline", count=len(pictures), wrong=wrong)
    if len(shown) == len(pictures):
        return headline
    return say("images.sheet.first_only", headline=headline, shown=len(shown))


def _draw_picture(
    sheet: Image.Image, corner: tuple[int, int], public: Path, picture: AuditedPicture
) -> None:
    """A tile with the thumbnail, and the name and the marks below it. corner: upper left."""
    draw = ImageDraw.Draw(sheet)
    left, top = corner
    tile = (left, top, left + _SIDE - 1, top + _SIDE - 1)
    draw.rectangle(tile, fill=_TILE)
    font = _font(_TEXT)
    thumbnail = _thumbnail(public, picture.thumbnail_path)
    if thumbnail:
        sheet.paste(thumbnail, corner)
    else:
        middle = (left + _SIDE // 2, top + _SIDE // 2)
        draw.text(middle, say("images.sheet.no_picture"), fill=_PALE, font=font, anchor="mm")
    below = top + _SIDE + 3
    name = picture.name.replace("\\", "/")
    draw.text((left, below), _fitting(name), fill=_INK, font=font)
    if picture.marks:
        draw.rectangle(tile, outline=_WARNING, width=3)
        marks = ", ".join(say(f"images.mark.{mark}") for mark in picture.marks)
        draw.text((left, below + _TEXT + 3), _fitting(marks), fill=_WARNING, font=font)


def _thumbnail(public: Path, path: str | None) -> Image.Image | None:
    """On the tile's colour, so that transparency shows.

    None when there is none, or it cannot be read.
    """
    if path is None:
        return None
    try:
        with Image.open(public / path) as file:
            fitted = ImageOps.contain(
                file.convert("RGBA"), (_SIDE, _SIDE), Image.Resampling.LANCZOS
            )
    except OSError:
        return None
    tile = Image.new("RGBA", (_SIDE, _SIDE), _TILE)
    tile.alpha_composite(fitted, ((_SIDE - fitted.width) // 2, (_SIDE - fitted.height) // 2))
    return tile.convert("RGB")


def _fitting(text: str) -> str:
    """Cut at its beginning, which names share, not at its end.

    Without accents, which the built-in font does not have.
    """
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    font, cut = _font(_TEXT), plain
    while font.getlength(cut) > _SIDE and len(plain) > 1:
        plain = plain[1:]
        cut = f"...{plain}"
    return cut


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _png(sheet: Image.Image, colours: int) -> bytes:
    file = io.BytesIO()
    sheet.quantize(colours, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()
