"""One picture: checked by decoding it, upright, in sRGB, bounded, without metadata, and its square thumbnail.

Imports nothing but Pillow and the standard library: worker processes start with it.
"""

from dataclasses import dataclass


class PictureError(Exception):
    """A picture that cannot be used: one sentence, without the file's name."""


@dataclass(frozen=True)
class Recipe:
    """By what settings pictures are made. max_bytes and max_pixels: of an original; more is refused before it is decoded."""

    max_size_px: int
    thumbnail_px: int
    quality: int = 85
    max_pixels: int = 150_000_000
    max_bytes: int = 100_000_000


@dataclass(frozen=True)
class Original:
    """What a picture is before anything is done with it. kind: JPEG, PNG, WEBP, GIF, TIFF or BMP."""

    kind: str
    width: int
    height: int


@dataclass(frozen=True)
class Rendition:
    """A picture ready for the public folder. media_type: image/jpeg, or image/png for one with transparency."""

    original: Original
    media_type: str
    width: int
    height: int
    data: bytes
    thumbnail: bytes


def render(data: bytes, recipe: Recipe) -> Rendition:
    """Raises: PictureError."""
    raise NotImplementedError
