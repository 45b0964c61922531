"""The public folder: names after the content, whole files only, nothing outside it, and what nobody
needs leaves.
"""

import os
import time
from pathlib import Path

import pytest

from kimo_assets.images import public_folder
from kimo_assets.images.picture import Recipe, Rendition, render
from kimo_assets.images.public_folder import check, listing, publish, remove, sweep
from kimo_assets_tests.images.image_fixtures import BLUE, RED, encoded, jpeg, quarters

pytestmark = pytest.mark.portable

RECIPE = Recipe(max_size_px=100, thumbnail_px=20)


def made(colour: tuple[int, int, int] = RED, thumbnail_px: int = 20) -> Rendition:
    return render(jpeg(colour), Recipe(100, thumbnail_px))


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()}


def test_a_picture_and_its_thumbnail_get_one_name(tmp_path: Path) -> None:
    public = tmp_path / "not" / "there" / "yet"
    rendition = made()
    picture = publish(public, rendition)
    folder, name = picture.path.split("/")[1:]
    assert picture.path == f"images/{folder}/{name}"
    assert picture.thumbnail_path == f"thumbnails/{folder}/{name}"
    assert (name.endswith(".jpg"), len(name), name[:2]) == (True, 36, folder)
    assert (public / picture.path).read_bytes() == rendition.data
    assert (public / picture.thumbnail_path).read_bytes() == rendition.thumbnail
    assert (picture.width, picture.height, picture.bytes) == (60, 40, len(rendition.data))
    assert files(public) == {picture.path, picture.thumbnail_path}


def test_one_with_transparency_is_a_png(tmp_path: Path) -> None:
    image = quarters()
    image.putalpha(128)
    picture = publish(tmp_path, render(encoded(image, "PNG"), RECIPE))
    assert picture.path.endswith(".png")
    assert picture.media_type == "image/png"


def test_equal_content_has_an_equal_name_and_other_content_another(tmp_path: Path) -> None:
    assert publish(tmp_path, made()) == publish(tmp_path, made())
    assert publish(tmp_path, made()).path != publish(tmp_path, made(BLUE)).path


def test_another_size_of_thumbnails_is_another_name_as_the_old_one_is_cached_for_ever(
    tmp_path: Path,
) -> None:
    assert (
        publish(tmp_path, made()).thumbnail_path
        != publish(tmp_path, made(thumbnail_px=30)).thumbnail_path
    )


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    picture = publish(tmp_path, made())
    long_ago = time.time_ns() - 10**12
    for path in (picture.path, picture.thumbnail_path):
        os.utime(tmp_path / path, ns=(long_ago, long_ago))
    publish(tmp_path, made())
    assert {
        (tmp_path / path).stat().st_mtime_ns for path in (picture.path, picture.thumbnail_path)
    } == {long_ago}


def test_a_file_that_a_power_cut_emptied_is_written_again(tmp_path: Path) -> None:
    picture = publish(tmp_path, made())
    (tmp_path / picture.path).write_bytes(b"")
    publish(tmp_path, made())
    assert (tmp_path / picture.path).read_bytes() == made().data


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        assert files(tmp_path)  # the unfinished one
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(public_folder.os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        publish(tmp_path, made())
    assert files(tmp_path) == set()


def test_the_server_may_read_what_is_written(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        picture = publish(tmp_path, made())
    finally:
        os.umask(before)
    assert (tmp_path / picture.path).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("link", ["images", "thumbnails"])
def test_a_link_that_leads_outside_is_not_followed(tmp_path: Path, link: str) -> None:
    public, outside = tmp_path / "public", tmp_path / "outside"
    public.mkdir()
    outside.mkdir()
    (public / link).symlink_to(outside)
    with pytest.raises(OSError, match="outside the public folder"):
        publish(public, made())
    with pytest.raises(OSError, match="outside the public folder"):
        check(public)
    assert files(outside) == set()


def test_a_link_in_the_place_of_a_picture_is_replaced_not_followed(tmp_path: Path) -> None:
    picture = publish(tmp_path / "public", made())
    file, victim = tmp_path / "public" / picture.path, tmp_path / "victim"
    victim.write_bytes(b"x" * picture.bytes)
    file.unlink()
    file.symlink_to(victim)
    publish(tmp_path / "public", made())
    assert (file.is_symlink(), file.read_bytes()) == (False, made().data)
    assert victim.read_bytes() == b"x" * picture.bytes


def test_removing_goes_for_both_files_and_never_outside(tmp_path: Path) -> None:
    public = tmp_path / "public"
    picture = publish(public, made())
    (tmp_path / "keep.jpg").write_bytes(b"keep")
    remove(public, [picture.path, "images/00/gone.jpg"])
    assert files(public) == set()
    with pytest.raises(OSError, match="outside the public folder"):
        remove(public, ["../keep.jpg"])
    assert files(tmp_path) == {"keep.jpg"}


def test_files_of_other_names_are_somebody_elses(tmp_path: Path) -> None:
    picture = publish(tmp_path, made())
    for name in ("images/logo.png", "images/aa/banner.jpg", f"{picture.path}.bak"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"mine")
    assert listing(tmp_path).keys() == {picture.path, picture.thumbnail_path}


def test_what_a_killed_process_left_is_swept_when_it_is_old(tmp_path: Path) -> None:
    picture = publish(tmp_path, made())
    folder = (tmp_path / picture.path).parent
    old, young = folder / ".a.0123.unfinished", folder / ".b.0123.unfinished"
    for file in (old, young):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    sweep(tmp_path)
    assert files(tmp_path) == {
        picture.path,
        picture.thumbnail_path,
        young.relative_to(tmp_path).as_posix(),
    }


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert listing(tmp_path / "none") == {}
    sweep(tmp_path / "none")
