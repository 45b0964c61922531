"""What a FilePath means: the same file that Windows would open, or a sentence."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimo_assets.errors import ImagesError
from kimo_assets.images.names import Meaning, Names
from kimo_assets.images.source_folder import Listing, Stamp, list_folder

pytestmark = pytest.mark.portable

NFC, NFD = unicodedata.normalize("NFC", "caffè"), unicodedata.normalize("NFD", "caffè")


def meaning(written: str, *files: str) -> Meaning:
    return Names(Listing("foto", dict.fromkeys(files, Stamp(1)))).meaning(written)


@pytest.mark.parametrize(
    ("written", "file"),
    [
        ("a.jpg", "a.jpg"),
        ("A.JPG", "a.jpg"),
        ("vini\\a.jpg", "vini/a.jpg"),
        ("\\vini\\a.jpg", "vini/a.jpg"),
        ("/vini/a.jpg", "vini/a.jpg"),
        (".\\Vini\\A.jpg", "vini/a.jpg"),
        (".\\.\\vini\\\\a.jpg", "vini/a.jpg"),
        ("  a.jpg ", "a.jpg"),
        ("vini \\ a.jpg", "vini/a.jpg"),
        ("a.jpg", " a.jpg "),
        (" a.jpg ", " a.jpg "),
        ("a b.jpg", "A b.jpg"),
        (f"{NFC}.jpg", f"{NFD}.jpg"),
        (f"{NFD}.jpg", f"{NFC}.jpg"),
        (f"{NFD}.jpg".upper(), f"{NFC}.jpg"),
        ("a..b.jpg", "a..b.jpg"),
        ("...a.jpg", "...a.jpg"),
        ("a\\b.jpg", "a\\b.jpg".replace("\\", "/")),
    ],
)
def test_a_name_is_found_as_windows_means_it(written: str, file: str) -> None:
    assert meaning(written, file, "other.jpg") == Meaning("found", file)


def test_the_exact_file_wins_over_one_that_differs_in_case() -> None:
    assert meaning("a.JPG", "A.jpg", "a.JPG", "a.jpg") == Meaning("found", "a.JPG")


def test_of_several_that_fit_one_is_taken_always_the_same_and_the_others_are_named() -> None:
    for files in (("A.jpg", "a.JPG", "B.jpg"), ("B.jpg", "a.JPG", "A.jpg")):
        result = meaning("a.jpg", *files)
        assert (result.state, result.path) == ("found", "A.jpg")
        assert result.problem == "'a.JPG' would fit as well; 'A.jpg' was taken. Keep one of them"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("C:\\foto\\vini\\a.jpg", "absolute path, outside the folder"),
        ("C:a.jpg", "absolute path"),
        ("\\\\server\\foto\\a.jpg", "absolute path"),
        ("//server/foto/a.jpg", "absolute path"),
        ("..\\a.jpg", "'..' leads outside the folder"),
        ("vini\\..\\..\\a.jpg", "'..' leads outside the folder"),
        ("vini\\..\\a.jpg", "'..' leads outside the folder"),
        (".. \\a.jpg", "'..' leads outside the folder"),
        ("https://example.com/a.jpg", "belong into ItemUrl"),
        ("a\tb.jpg", "control characters"),
        (" \\ ", "it names no file"),
        (".", "it names no file"),
    ],
)
def test_what_is_outside_is_refused_in_a_sentence(written: str, reason: str) -> None:
    result = meaning(written, "a.jpg", "vini/a.jpg", "foto/a.jpg")
    assert (result.state, result.path) == ("refused", None)
    assert result.problem is not None
    assert reason in result.problem


def test_an_absolute_path_comes_with_the_transformation_that_mends_it() -> None:
    problem = meaning("C:\\foto\\vini\\a.jpg").problem or ""
    assert problem.endswith("`transform: {FilePath: {replace: {'C:\\foto\\vini\\': ''}}}`")


def test_a_file_that_is_not_there_is_missing_and_one_of_its_name_elsewhere_is_named() -> None:
    assert meaning("vini\\b.jpg", "a.jpg") == Meaning(
        "missing", "vini/b.jpg", "there is no such file in foto"
    )
    result = meaning("vini\\a.jpg", "A.jpg", "birre/a.jpg")
    assert result == Meaning(
        "missing",
        "vini/a.jpg",
        "there is no such file in foto, but there is 'A.jpg', 'birre/a.jpg'",
    )


# --- a real folder
# ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "foto"
    (made / "vini").mkdir(parents=True)
    (made / "a.jpg").write_bytes(b"12345")
    (made / "vini" / "b.jpg").write_bytes(b"1")
    return made


def listed(folder: Path) -> Listing:
    return list_folder(str(folder), "`images: source:`")


def test_a_listing_has_sizes_and_times(folder: Path) -> None:
    assert listed(folder).files == {
        path: Stamp((folder / path).stat().st_size, (folder / path).stat().st_mtime_ns)
        for path in ("a.jpg", "vini/b.jpg")
    }


def test_links_within_the_folder_are_followed_and_those_out_of_it_are_refused(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    (folder / "inside.jpg").symlink_to(folder / "vini" / "b.jpg")
    (folder / "cellar").symlink_to("vini")
    (folder / "out.jpg").symlink_to(outside / "secret.jpg")
    (folder / "out").symlink_to("../outside")
    listing = listed(folder)
    assert listing.files.keys() == {"a.jpg", "vini/b.jpg", "inside.jpg", "cellar/b.jpg"}
    for written in ("OUT.jpg", "out\\secret.jpg"):
        assert "is a link that leads outside the folder" in (
            Names(listing).meaning(written).problem or ""
        )


def test_links_in_a_circle_end(folder: Path) -> None:
    (folder / "vini" / "up").symlink_to(folder)
    (folder / "vini" / "self").symlink_to(folder / "vini")
    (folder / "dangling.jpg").symlink_to(folder / "none.jpg")
    assert listed(folder).files.keys() == {"a.jpg", "vini/b.jpg"}


def test_a_file_whose_name_is_no_text_is_counted(folder: Path) -> None:
    (Path(os.fsdecode(os.fsencode(folder) + b"/caff\xe8.jpg"))).write_bytes(b"1")
    listing = listed(folder)
    assert (listing.unnameable, listing.files.keys()) == (1, {"a.jpg", "vini/b.jpg"})


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(folder: Path) -> None:
    for path in (folder / "none", folder / "a.jpg"):
        with pytest.raises(
            ImagesError, match=r"cannot be listed: .*Nothing was changed.*`images: source:`"
        ):
            list_folder(str(path), "`images: source:`")
    with pytest.raises(ImagesError, match="cannot be listed"):
        list_folder("memory://nobody-made-this", "`images: source:`")
    with pytest.raises(ImagesError, match="cannot be listed"):
        list_folder("nonsense://folder", "`images: source:`")


def test_of_a_folder_below_that_cannot_be_read_nothing_is_known() -> None:
    listing = Listing("foto", {"a.jpg": Stamp(1)}, unreadable={"vini": "Permission denied"})
    result = Names(listing).meaning("VINI\\b.jpg")
    assert result == Meaning(
        "unknown", "VINI/b.jpg", "the folder 'vini' cannot be read: Permission denied"
    )


# --- whatever is written
# ------------------------------------------------------------------------------------

_PART = st.text("aAbB èÈ.", min_size=1, max_size=4).filter(lambda part: part.strip(". "))
_FILE = st.lists(_PART, min_size=1, max_size=3).map("/".join)


def _mangled(file: str, draw: st.DataObject) -> str:
    """Another spelling of a file, as programs have it."""
    change = draw.draw(st.sampled_from([str.upper, str.lower, str.swapcase, str]))
    form = draw.draw(st.sampled_from(["NFC", "NFD"]))
    written = unicodedata.normalize(form, change(file)).replace(
        "/", draw.draw(st.sampled_from(["/", "\\", "\\.\\"]))
    )
    return (
        draw.draw(st.sampled_from(["", " ", ".\\", "\\", "/"]))
        + written
        + draw.draw(st.sampled_from(["", " "]))
    )


@given(files=st.sets(_FILE, min_size=1, max_size=5), data=st.data())
def test_however_it_is_spelled_the_file_is_found_and_always_the_same(
    files: set[str], data: st.DataObject
) -> None:
    written = _mangled(data.draw(st.sampled_from(sorted(files))), data)
    result = meaning(written, *sorted(files))
    assert result.state == "found"
    assert result.path in files
    assert result == meaning(written, *sorted(files, reverse=True))


@given(files=st.sets(_FILE, max_size=3), file=_FILE)
def test_a_file_spelled_exactly_is_that_file(files: set[str], file: str) -> None:
    assert meaning(file, *files, file) == Meaning("found", file)


@given(written=st.text("aA./\\: ~\t", max_size=12))
def test_whatever_is_written_nothing_outside_is_meant(written: str) -> None:
    path = meaning(written, "a", "A/a").path
    if path is not None:
        assert not Path(path).is_absolute()
        assert ".." not in Path(path).parts
