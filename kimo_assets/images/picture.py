"""One picture: decoded, upright, in sRGB, bounded, without metadata, and its square thumbnail.

Imports little but Pillow and the standard library: worker processes start with it.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageChops, ImageCms
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from kimo_assets.texts import say

# What to change when pictures are made in another way than before: all are then made anew.
_VERSION = 1

# A JPEG is decoded at 1/2, 1/4 or 1/8 as long as so much more than what is needed is left for the
# filter.
_DRAFT_GAP = 1.5
_REDUCING_GAP = 2.0

# Called directly: Image.open would let every plugin of Pillow try the foreign bytes.
_READERS: dict[str, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "GIF": GifImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
}
_SIGNATURES = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("WEBP", rb"RIFF....WEBP"),
    ("GIF", rb"GIF8[79]a"),
    ("TIFF", rb"II\*\0|MM\0\*|II\+\0|MM\0\+"),
    ("BMP", rb"BM"),
)
# What else comes as a picture; the names are those of the sentences `images.content.…`.
# The order counts: an SVG drawing would pass for HTML, and both for text.
_OTHERS = (
    ("heic", rb"....ftyp(heic|heix|hevc|mif1|msf1|avif|avis)"),
    ("pdf", rb"%PDF-"),
    ("icon", rb"\0\0\x01\0"),
    ("photoshop", rb"8BPS"),
    ("zip", rb"PK\x03\x04"),
    ("svg", rb"(?s)\s*(<\?xml.*?)?<svg\b"),
    ("html", rb"(\xef\xbb\xbf)?\s*<[!?a-zA-Z]"),
    ("text", rb"[\t\n\r\x20-\x7e]+\Z"),
)
# Enough for a declaration before the first tag of an SVG drawing.
_HEAD_BYTES = 512

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Turned by 90 degrees: width and height change places.
_LYING = (5, 6, 7, 8)

# The colour space of a profile, as ICC writes it -> the mode of the pictures that it describes.
_PROFILED = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
# A mode with transparency -> the same without.
_WITH_ALPHA = {"LA": "L", "RGBA": "RGB"}


class PictureError(Exception):
    """A picture that cannot be used: one sentence, without the file's name."""


@dataclass(frozen=True)
class Recipe:
    """The settings that pictures are made by.

    max_bytes and max_pixels: of an original. A larger one is refused before it is decoded.
    """

    max_size_px: int
    thumbnail_px: int
    quality: int = 85
    max_pixels: int = 150_000_000
    max_bytes: int = 100_000_000

    @property
    def of_made(self) -> str:
        """What a picture's looks depend on: made by the same, it need not be made again."""
        return f"{_VERSION}, {self.max_size_px} px, {self.thumbnail_px} px, quality {self.quality}"

    @property
    def of_failed(self) -> str:
        """What a refusal depends on: only other settings, or other bytes, may end otherwise."""
        return f"{self.of_made}, at most {self.max_pixels} pixels, {self.max_bytes} bytes"


@dataclass(frozen=True)
class Original:
    """What a picture is before anything is done with it, upright.

    kind: JPEG, PNG, WEBP, GIF, TIFF or BMP.
    """

    kind: str
    width: int
    height: int


@dataclass(frozen=True)
class Rendition:
    """A picture ready for the public folder.

    media_type: image/jpeg, or image/png for one with transparency.
    """

    original: Original
    media_type: str
    width: int
    height: int
    data: bytes
    thumbnail: bytes


def render(data: bytes, recipe: Recipe) -> Rendition:
    """The same bytes for the same input. Raises: PictureError."""
    kind = _kind(data, recipe)
    with _damage(kind):
        image = _READERS[kind](io.BytesIO(data))
    stored = image.size
    # Only the header was read so far. Decoding takes the memory.
    _check_pixels(stored, recipe)
    with _damage(kind):
        _draft(image, recipe)
        image.load()
        orientation = _orientation(image)
        profile = image.info.get("icc_profile")
        bounded = _bounded(_plain(image), recipe.max_size_px)
        # Turned last: by then the picture is small.
        picture = _without_needless_alpha(_upright(_in_srgb(bounded, profile), orientation))
        thumbnail = _square(picture, recipe.thumbnail_px)
        return Rendition(
            _original(kind, stored, orientation),
            _media_type(picture),
            *picture.size,
            _encoded(picture, recipe),
            _encoded(thumbnail, recipe),
        )


def _original(kind: str, stored: tuple[int, int], orientation: int) -> Original:
    """stored: width and height as the file has them, before the picture is turned."""
    width, height = stored
    if orientation in _LYING:
        width, height = height, width
    return Original(kind, width, height)


def _media_type(picture: Image.Image) -> str:
    if picture.mode in _WITH_ALPHA:
        return "image/png"
    return "image/jpeg"


def check_size(count: int, recipe: Recipe) -> None:
    """Whether a file of so many bytes is read at all. Raises: PictureError."""
    if count > recipe.max_bytes:
        size, limit = _mega(count), _mega(recipe.max_bytes)
        raise PictureError(say("images.picture.large_file", size=size, limit=limit))


# --- before it is decoded
# ---------------------------------------------------------------------------------------


def _kind(data: bytes, recipe: Recipe) -> str:
    """The format, by the first bytes: a file's name is no proof."""
    if not data:
        raise PictureError(say("images.picture.empty"))
    check_size(len(data), recipe)
    head = data[:_HEAD_BYTES]
    for kind, signature in _SIGNATURES:
        if re.match(signature, head, re.DOTALL):
            return kind
    for name, signature in _OTHERS:
        if re.match(signature, head, re.DOTALL):
            content = say(f"images.content.{name}")
            raise PictureError(say("images.picture.other_content", content=content))
    raise PictureError(say("images.picture.no_picture"))


def _check_pixels(size: tuple[int, int], recipe: Recipe) -> None:
    """Our own check: the readers are called directly, so that Pillow's is not made.

    That one would only be a warning, and of the whole process.
    """
    width, height = size
    pixels = width * height
    if pixels > recipe.max_pixels:
        raise PictureError(
            say(
                "images.picture.large",
                width=width,
                height=height,
                megapixels=_mega(pixels),
                limit=_mega(recipe.max_pixels),
            )
        )


def _mega(count: int) -> str:
    return f"{count / 1_000_000:,.1f}".removesuffix(".0")


@contextmanager
def _damage(kind: str) -> Iterator[None]:
    """Decoders raise about every kind of error there is over damaged bytes."""
    try:
        yield
    except PictureError:
        raise
    except MemoryError:
        raise PictureError(say("images.picture.no_memory")) from None
    except Exception as error:
        message = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(say("images.picture.damaged", kind=kind, message=message)) from error


# --- decoding
# --------------------------------------------------------------------------------------------------


def _draft(image: ImageFile, recipe: Recipe) -> None:
    width, height = _target(image.size, recipe.max_size_px)
    image.draft(None, (round(width * _DRAFT_GAP), round(height * _DRAFT_GAP)))


def _orientation(image: ImageFile) -> int:
    """Of a picture that is loaded: Pillow turns TIFFs itself then. Damaged EXIF turns nothing."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        # Pillow has no one class for damaged EXIF: struct.error, SyntaxError, OverflowError and
        # others come. The picture itself is whole, so it is taken as it lies.
        return 1


def _plain(image: ImageFile) -> Image.Image:
    """In a mode that can be resized well: L, LA, RGB, RGBA or CMYK."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _eight_bits(image)
    if image.mode in ("P", "PA") or "transparency" in image.info:
        is_opaque = image.mode == "P" and "transparency" not in image.info
        return image.convert("RGB" if is_opaque else "RGBA")
    if image.mode == "CMYK" and isinstance(image, JpegImageFile) and "adobe" not in image.info:
        # Only Adobe's are written inverted, but Pillow takes all for such.
        return ImageChops.invert(image)
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, "RGB"))


def _eight_bits(image: ImageFile) -> Image.Image:
    """Grey values of 12, 16 or 32 bits, or real numbers, scaled.

    A mere conversion would cut them off at 255.
    """
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    if image.mode.startswith("I;16"):
        white = (1 << tags.get(BITSPERSAMPLE, (16,))[0]) - 1
        table = [min(255, (value * 255 + white // 2) // white) for value in range(1 << 16)]
        grey = image.convert("I").point(table, "L")
    else:
        grey = _scaled(image)
    # TIFFs of scanners and fax machines may count from white to black.
    white_is_zero = tags.get(PHOTOMETRIC_INTERPRETATION) == 0
    if white_is_zero:
        return ImageChops.invert(grey)
    return grey


def _scaled(image: ImageFile) -> Image.Image:
    """Numbers of 32 bits as grey values, by the range that they are most likely of."""
    lowest, highest = image.getextrema()
    white = _white(float(highest))  # type: ignore[arg-type]
    low = min(0.0, float(lowest))  # type: ignore[arg-type]
    scale = 255 / (white - low)
    offset = 0.5 - low * scale
    return image.convert("F").point(lambda value: value * scale + offset).convert("L")


def _white(highest: float) -> float:
    """What is white in a picture whose numbers have no range of their own.

    It is the white of the first usual range that the highest number fits into.
    """
    return next((white for white in (1.0, 255.0, 65535.0) if highest <= white), highest)


# --- making
# --------------------------------------------------------------------------------------------------


def _target(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Never enlarged."""
    scale = longest / max(size)
    if scale >= 1:
        return size
    width, height = (max(1, round(side * scale)) for side in size)
    return width, height


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    if orientation not in _UPRIGHT:
        return picture
    return picture.transpose(_UPRIGHT[orientation])


def _bounded(image: Image.Image, longest: int) -> Image.Image:
    size = _target(image.size, longest)
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """L, LA, RGB or RGBA.

    A profile that cannot be read, or is of another colour space, is as good as none.
    """
    colours = image
    if image.mode in _WITH_ALPHA:
        colours = image.convert(_WITH_ALPHA[image.mode])
    transform = _to_srgb(profile, colours.mode) if profile else None
    if transform is not None:
        converted = transform.apply(colours)
    elif colours.mode == "CMYK":
        converted = colours.convert("RGB")
    else:
        return image
    if image.mode in _WITH_ALPHA:
        converted.putalpha(image.getchannel("A"))
    return converted


@lru_cache(maxsize=16)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None where nothing is to be converted: it is sRGB already, or cannot be meant.

    Cached, as the pictures of a company mostly share a few profiles.
    """
    try:
        described = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _PROFILED.get(described.profile.xcolor_space) != mode:
            return None
        if mode == "RGB" and (described.profile.profile_description or "").startswith("sRGB"):
            return None
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(
            described,
            srgb,
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None


def _without_needless_alpha(image: Image.Image) -> Image.Image:
    if image.mode in _WITH_ALPHA and image.getchannel("A").getextrema() == (255, 255):
        return image.convert(_WITH_ALPHA[image.mode])
    return image


def _square(image: Image.Image, side: int) -> Image.Image:
    """The whole picture in the middle of a square.

    Around it is white, or nothing where pictures have transparency.
    """
    small = _bounded(image, side)
    background = 0 if image.mode in _WITH_ALPHA else "white"
    square = Image.new(image.mode, (side, side), background)
    square.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return square


def _encoded(image: Image.Image, recipe: Recipe) -> bytes:
    # Writers take a comment or a profile from here too.
    image.info = {}
    file = io.BytesIO()
    if image.mode in _WITH_ALPHA:
        image.save(file, "PNG")
    else:
        image.save(file, "JPEG", quality=recipe.quality, optimize=True, subsampling="4:2:0")
    return file.getvalue()
