"""A contact sheet: the pictures' thumbnails with their names, and marks on those with which
something is wrong.
"""

import io
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from kimo_assets.images.audit import AuditedPicture

# Pages embed the sheet: larger ones are drawn with fewer colours, then with fewer pictures.
MAX_BYTES = 300_000
_COLOURS = (256, 128, 64, 32)

_COLUMNS = 8
_SIDE, _GAP, _TEXT, _HEAD = 104, 10, 11, 34
_CAPTION = 34
_PAPER, _TILE, _INK, _PALE, _WARNING = "#ffffff", "#f2f2f2", "#222222", "#8a8a8a", "#c0392b"


def contact_sheet(public: Path, pictures: Sequence[AuditedPicture], limit: int = 64) -> bytes:
    """A PNG of up to `limit` pictures, those with something wrong first, in at most MAX_BYTES."""
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
    rows = -(-len(shown) // _COLUMNS)
    size = (_COLUMNS * (_SIDE + _GAP) + _GAP, _HEAD + rows * (_SIDE + _CAPTION + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP), _headline(shown, pictures), fill=_INK, font=_font(_TEXT + 2))
    for place, picture in enumerate(shown):
        row, column = divmod(place, _COLUMNS)
        corner = (_GAP + column * (_SIDE + _GAP), _HEAD + row * (_SIDE + _CAPTION + _GAP))
        _draw_picture(sheet, draw, corner, public, picture)
    return sheet


def _headline(shown: Sequence[AuditedPicture], pictures: Sequence[AuditedPicture]) -> str:
    wrong = sum(bool(picture.marks) for picture in pictures)
    part = f"; the first {len(shown):,}" if len(shown) < len(pictures) else ""
    return (
        f"{len(pictures):,} picture{'' if len(pictures) == 1 else 's'}, something wrong with"
        f" {wrong:,}{part}"
    )


def _draw_picture(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    public: Path,
    picture: AuditedPicture,
) -> None:
    left, top = corner
    tile = (left, top, left + _SIDE - 1, top + _SIDE - 1)
    draw.rectangle(tile, fill=_TILE)
    thumbnail = _thumbnail(public, picture.thumbnail_path)
    if thumbnail:
        sheet.paste(thumbnail, corner)
    else:
        draw.text(
            (left + _SIDE // 2, top + _SIDE // 2),
            "no picture",
            fill=_PALE,
            font=_font(_TEXT),
            anchor="mm",
        )
    below = top + _SIDE + 3
    draw.text(
        (left, below), _fitting(picture.name.replace("\\", "/")), fill=_INK, font=_font(_TEXT)
    )
    if picture.marks:
        draw.rectangle(tile, outline=_WARNING, width=3)
        draw.text(
            (left, below + _TEXT + 3),
            _fitting(", ".join(picture.marks)),
            fill=_WARNING,
            font=_font(_TEXT),
        )


def _thumbnail(public: Path, path: str | None) -> Image.Image | None:
    """On the tile's colour, so that transparency shows; None when there is none, or none that can
    be read.
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
    """Cut at its beginning, which names share, not at its end. The built-in font knows no
    accents.
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
