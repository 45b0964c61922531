"""One picture in, a safe and small one out: every format, every turn, every way of being
damaged.
"""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat

from kimo_assets.images.picture import PictureError, Recipe, render
from kimo_assets_tests.images.image_fixtures import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    corners,
    encoded,
    ink_profile,
    jpeg,
    near,
    opened,
    png_header,
    quarters,
    swapping_profile,
    without_segment,
)

RECIPE = Recipe(max_size_px=1200, thumbnail_px=200)
QUARTERS = [RED, GREEN, BLUE, WHITE]


def shown(data: bytes) -> Image.Image:
    return opened(render(data, RECIPE).data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_every_format_becomes_a_jpeg_of_the_same_colours(kind: str) -> None:
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    made = render(encoded(quarters(), kind, **options), RECIPE)
    assert (made.original.kind, made.original.width, made.original.height) == (kind, 80, 40)
    assert (made.media_type, made.width, made.height) == ("image/jpeg", 80, 40)
    picture = opened(made.data)
    assert (picture.format, picture.size) == ("JPEG", (80, 40))
    assert all(map(near, corners(picture), QUARTERS))


def test_of_several_pictures_in_a_file_the_first_is_taken() -> None:
    for kind in ("GIF", "MPO", "TIFF", "WEBP"):
        others = [Image.new("RGB", (80, 40), BLUE)]
        made = render(encoded(quarters(), kind, save_all=True, append_images=others), RECIPE)
        assert made.original.kind == ("JPEG" if kind == "MPO" else kind)
        assert all(
            near(a, b, 20) for a, b in zip(corners(opened(made.data)), QUARTERS, strict=True)
        ), kind


TURNS: dict[int, Callable[[Image.Image], Image.Image]] = {
    1: lambda image: image,
    2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_is_turned_as_its_exif_says(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    made = render(encoded(TURNS[orientation](quarters()), kind, exif=exif, **options), RECIPE)
    assert (made.original.width, made.original.height, made.width, made.height) == (80, 40, 80, 40)
    assert all(map(near, corners(opened(made.data)), QUARTERS))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_damaged_exif_turns_nothing(exif: bytes) -> None:
    assert all(
        map(near, corners(shown(encoded(quarters(), "JPEG", quality=95, exif=exif))), QUARTERS)
    )


# --- colours
# ------------------------------------------------------------------------------------------------


def test_a_profile_is_brought_to_srgb() -> None:
    data = encoded(Image.new("RGB", (40, 40), (200, 0, 0)), "PNG", icc_profile=swapping_profile())
    red, green, blue = shown(data).getpixel((20, 20))  # type: ignore[misc]
    assert blue > 190
    assert max(red, green) < 20


def test_a_profile_is_brought_to_srgb_under_transparency_too() -> None:
    image = Image.new("RGBA", (40, 40), (200, 0, 0, 128))
    made = render(encoded(image, "PNG", icc_profile=swapping_profile()), RECIPE)
    red, _, blue, alpha = opened(made.data).getpixel((20, 20))  # type: ignore[misc]
    assert (made.media_type, alpha) == ("image/png", 128)
    assert blue > 190 > 20 > red


@pytest.mark.parametrize(
    "profile",
    [b"no profile at all", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()],
)
def test_a_profile_that_cannot_be_meant_is_as_good_as_none(profile: bytes) -> None:
    assert all(map(near, corners(shown(encoded(quarters(), "PNG", icc_profile=profile))), QUARTERS))


def test_inks_without_a_profile_are_taken_as_they_are_called() -> None:
    for kind in ("JPEG", "TIFF"):
        data = encoded(
            quarters().convert("CMYK"), kind, **({"quality": 95} if kind == "JPEG" else {})
        )
        assert all(map(near, corners(shown(data)), QUARTERS)), kind


def test_inks_of_who_is_not_adobe_are_not_inverted() -> None:
    inverted = ImageChops.invert(quarters().convert("CMYK"))
    data = without_segment(encoded(inverted, "JPEG", quality=95), 0xEE)
    assert b"Adobe" not in data
    assert all(map(near, corners(shown(data)), QUARTERS))


def test_inks_with_a_profile_have_the_colours_that_it_says() -> None:
    profile = ink_profile((128, 60, 190))  # green of medium lightness
    for kind in ("JPEG", "TIFF"):
        data = encoded(Image.new("CMYK", (40, 40), (255, 0, 0, 0)), kind, icc_profile=profile)
        red, green, blue = shown(data).getpixel((20, 20))  # type: ignore[misc]
        assert green > red + 50, kind
        assert green > blue + 50, kind


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_cut_off(kind: str) -> None:
    ramp = np.linspace(0, 65535, 64, dtype="uint16").repeat(16).reshape(64, 16)
    picture = shown(encoded(Image.fromarray(ramp), kind))
    assert [picture.getpixel((8, y)) for y in (0, 32, 63)] == pytest.approx([0, 129, 255], abs=4)


@pytest.mark.parametrize("highest", [1.0, 255.0, 65535.0, 100_000.0])
def test_real_numbers_are_scaled_by_what_their_highest_fits_into(highest: float) -> None:
    ramp = np.linspace(0, highest, 64, dtype="float32").repeat(16).reshape(64, 16)
    picture = shown(encoded(Image.fromarray(ramp), "TIFF"))
    assert [picture.getpixel((8, y)) for y in (0, 32, 63)] == pytest.approx([0, 129, 255], abs=4)


def test_whole_numbers_of_32_bits_are_scaled_too() -> None:
    ramp = np.linspace(0, 65535, 64, dtype="int32").repeat(16).reshape(64, 16)
    picture = shown(encoded(Image.fromarray(ramp), "TIFF"))
    assert [picture.getpixel((8, y)) for y in (0, 32, 63)] == pytest.approx([0, 129, 255], abs=4)


def test_black_and_white_shrinks_to_greys() -> None:
    stripes = np.zeros((2000, 2000), dtype=bool)
    stripes[:, ::2] = True
    made = render(encoded(Image.fromarray(stripes), "PNG"), Recipe(200, 100))
    assert 100 < ImageStat.Stat(opened(made.data)).mean[0] < 155
    assert ImageStat.Stat(opened(made.data)).stddev[0] < 20


# --- transparency
# -------------------------------------------------------------------------------------------


def with_hole(mode: str) -> Image.Image:
    image = quarters().convert(mode)
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 40, 20))
    image.putalpha(alpha)
    return image


def transparent() -> dict[str, bytes]:
    palette = quarters().quantize(4)
    key = Image.new("RGB", (80, 40), GREEN)
    key.paste(RED, (0, 0, 40, 20))
    return {
        "RGBA": encoded(with_hole("RGB"), "PNG"),
        "LA": encoded(with_hole("L"), "PNG"),
        "WebP": encoded(with_hole("RGB"), "WEBP", lossless=True),
        "TIFF": encoded(with_hole("RGB"), "TIFF"),
        "palette": encoded(palette, "PNG", transparency=palette.getpixel((1, 1))),
        "palette of grades": encoded(with_hole("RGB").quantize(8), "PNG"),
        "GIF": encoded(palette, "GIF", transparency=palette.getpixel((1, 1))),
        "colour that means none": encoded(key, "PNG", transparency=RED),
    }


@pytest.mark.parametrize("name", transparent())
def test_transparency_stays(name: str) -> None:
    made = render(transparent()[name], RECIPE)
    assert made.media_type == "image/png"
    picture, thumbnail = opened(made.data).convert("RGBA"), opened(made.thumbnail).convert("RGBA")
    assert picture.getpixel((10, 10))[3] == 0  # type: ignore[index]
    assert picture.getpixel((70, 10))[3] == 255  # type: ignore[index]
    assert thumbnail.getpixel((0, 0))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_alpha_channel_that_hides_nothing_is_none(mode: str) -> None:
    made = render(encoded(quarters().convert(mode), "PNG"), RECIPE)
    assert made.media_type == "image/jpeg"


def test_hidden_colours_do_not_shine_through_edges() -> None:
    """Resizing mixes neighbours: what is transparent must have no part in it."""
    image = Image.new("RGBA", (2000, 2000), (255, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 1001, 2000))
    picture = opened(render(encoded(image, "PNG"), Recipe(100, 50)).data)
    assert max(picture.getpixel((x, 50))[0] for x in range(100)) < 5  # type: ignore[index]


# --- sizes
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4000, 2000), (1200, 600)),
        ((2000, 4000), (600, 1200)),
        ((1200, 1200), (1200, 1200)),
        ((50, 30), (50, 30)),
        ((5000, 1), (1200, 1)),
        ((1, 1), (1, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_longer_side_is_bounded_and_never_enlarged(
    kind: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    made = render(encoded(Image.new("RGB", size, RED), kind), RECIPE)
    assert (made.width, made.height) == expected == opened(made.data).size
    assert opened(made.thumbnail).size == (200, 200)
    assert (made.original.width, made.original.height) == size


def test_the_thumbnail_is_a_white_square_with_the_whole_picture() -> None:
    thumbnail = opened(render(encoded(quarters(800, 400), "PNG"), RECIPE).thumbnail)
    assert near(thumbnail.getpixel((100, 20)), WHITE)
    assert near(thumbnail.getpixel((100, 180)), WHITE)
    assert all(map(near, corners(thumbnail.crop((0, 50, 200, 150))), QUARTERS))


def test_decoding_small_looks_like_decoding_all_of_it() -> None:
    image = Image.effect_mandelbrot((2400, 1800), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    ImageDraw.Draw(image).ellipse((300, 300, 1500, 1500), outline=RED, width=9)
    data = encoded(image, "JPEG", quality=95)
    ours = opened(render(data, Recipe(600, 100, quality=95)).data)
    plain = opened(data).resize((600, 450), Image.Resampling.LANCZOS)
    assert max(ImageStat.Stat(ImageChops.difference(ours, plain)).rms) < 6


def test_nothing_but_the_picture_is_in_the_result() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    for kind, hole in (("JPEG", False), ("PNG", True), ("WEBP", True), ("TIFF", False)):
        options = {"comment": b"SecretComment"} if kind == "JPEG" else {}
        image = with_hole("RGB") if hole else quarters()
        made = render(
            encoded(
                image, kind, exif=exif, icc_profile=swapping_profile(), dpi=(300, 300), **options
            ),
            RECIPE,
        )
        for data in (made.data, made.thumbnail):
            info = opened(data).info
            assert not info.keys() & {"exif", "icc_profile", "comment", "dpi", "xmp"}, kind
            assert b"Secret" not in data


def test_equal_input_gives_equal_output() -> None:
    data = encoded(quarters(3000, 2000), "JPEG", icc_profile=swapping_profile())
    assert render(data, RECIPE) == render(data, RECIPE)


# --- what is refused
# ----------------------------------------------------------------------------------------


def _refused(data: bytes, recipe: Recipe = RECIPE) -> str:
    with pytest.raises(PictureError) as caught:
        render(data, recipe)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"hello, I am a picture", "this is text"),
        (b"<!DOCTYPE html><html>404</html>", "this is a web page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "this is an SVG drawing"),
        (b"%PDF-1.7 ...", "this is a PDF document"),
        (b"\0\0\0\x18ftypheic....", "this is a HEIC or AVIF picture"),
        (
            b"\x01\x02\x03\x04",
            "this is no picture that can be read (expected JPEG, PNG, WebP, GIF, TIFF or BMP)",
        ),
        (b"BM", "the BMP is damaged or cut off"),
        (b"II*\0", "the TIFF is damaged or cut off"),
        (b"\xff\xd8\xff\xe0", "the JPEG is damaged or cut off"),
        (jpeg()[:-20], "the JPEG is damaged or cut off"),
        (png_header(0, 10), "the PNG is damaged or cut off"),
        (b"GIF89a" + bytes(100), "the GIF is damaged or cut off"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_sentence(data: bytes, message: str) -> None:
    assert message in _refused(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_picture_that_is_cut_off_is_refused(kind: str) -> None:
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    assert f"the {kind} is damaged or cut off" in _refused(encoded(noise, kind)[:-4000])


def test_bombs_are_refused_before_they_are_decoded() -> None:
    huge = Image.new("1", (30_000, 30_000))
    bomb = encoded(huge, "PNG")
    assert len(bomb) < 200_000
    guard = Image.MAX_IMAGE_PIXELS
    filters = list(warnings.filters)
    for data in (png_header(60_000, 60_000), bomb):
        assert "megapixels; at most 150 are decoded (`images: max_megapixels:`)" in _refused(data)
    assert guard == Image.MAX_IMAGE_PIXELS
    assert warnings.filters == filters


def test_what_the_settings_allow_is_decoded_without_a_warning() -> None:
    """Pillow by itself warns from 89 million pixels on."""
    made = render(encoded(Image.new("1", (10_000, 9_000)), "PNG"), Recipe(100, 50))
    assert (made.original.width, made.width) == (10_000, 100)


def test_the_limits_are_the_settings() -> None:
    assert "has 200 x 100 pixels" in _refused(
        encoded(quarters(200, 100), "PNG"), Recipe(100, 50, max_pixels=19_999)
    )
    assert "at most" in _refused(jpeg(), Recipe(100, 50, max_bytes=500))


WHOLE = [encoded(quarters(24, 16), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")]


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_whatever_is_damaged_it_is_a_picture_or_refused(data: st.DataObject) -> None:
    picture = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(picture) - 1))
        picture[index : index + 1] = data.draw(st.binary(max_size=3))
        if not picture:
            break
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = render(bytes(picture), Recipe(100, 50, max_pixels=1_000_000))
        except PictureError:
            return
    assert opened(made.data).size == (made.width, made.height)
