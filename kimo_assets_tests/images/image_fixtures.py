"""Pictures for the tests: drawn, written in every format there is, and damaged."""

import io
import struct
import zlib
from typing import Any

from PIL import Image, ImageCms

RED, GREEN, BLUE, WHITE = (220, 30, 40), (20, 160, 60), (30, 60, 200), (255, 255, 255)


def quarters(width: int = 80, height: int = 40) -> Image.Image:
    """Red, green, blue and white, clockwise from the upper left corner."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (width // 2, height // 2, width, height))
    image.paste(WHITE, (0, height // 2, width // 2, height))
    return image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(colour: tuple[int, int, int] = RED, size: tuple[int, int] = (60, 40)) -> bytes:
    return encoded(Image.new("RGB", size, colour), "JPEG", quality=95)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours in the middle of the quarters, clockwise from the upper left."""
    width, height = image.size
    rgb = image.convert("RGB")
    colours: list[Any] = []
    for x, y in ((1, 1), (3, 1), (3, 3), (1, 3)):
        colours.append(rgb.getpixel((width * x // 4, height * y // 4)))
    return colours


def near(first: Any, second: Any, by: int = 12) -> bool:
    """Whether colours differ as little as JPEG makes them differ."""
    return all(abs(a - b) <= by for a, b in zip(first, second, strict=True))


def png_header(width: int, height: int) -> bytes:
    """A PNG of which there is hardly more than what says how large it is."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b""))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def without_segment(data: bytes, marker: int) -> bytes:
    """A JPEG without its segments of this marker."""
    kept, start = data[:2], 2
    while data[start + 1] != 0xDA:
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if data[start + 1] != marker:
            kept += data[start:end]
        start = end
    return kept + data[start:]


def swapping_profile() -> bytes:
    """A profile whose red is sRGB's blue."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"....").replace(b"bXYZ", b"rXYZ").replace(b"....", b"bXYZ")
    return swapped.replace("sRGB".encode("utf-16-be"), "sBGR".encode("utf-16-be"))


def ink_profile(lab_of_cyan: tuple[int, int, int]) -> bytes:
    """A CMYK profile in which any cyan ink is of one colour (Lab, 8 bits each), and paper without
    it is white.
    """
    identity = bytes(range(256))
    nodes = b"".join(bytes(lab_of_cyan if node & 8 else (255, 128, 128)) for node in range(16))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + identity * 4 + nodes + identity * 3
    header = (
        struct.pack(">I4sI4s4s4s", 0, b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ")
        + bytes(12)
        + b"acsp"
    )
    header = (header + bytes(28) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)).ljust(128, b"\0")
    body = struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table
    return struct.pack(">I", 128 + len(body)) + header[4:] + body
