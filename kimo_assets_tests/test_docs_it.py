"""The Italian pages say what the English ones say, and every link and picture of them leads
somewhere.
"""

import re
from pathlib import Path

import pytest

from kimo_assets.catalog import menu
from kimo_assets.catalog.menu import MENU

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "README.it.md", "docs/operations.md", "docs/operations.it.md")
LINKED_PAGES = sorted(
    str(page.relative_to(ROOT)) for folder in (ROOT, ROOT / "docs") for page in folder.glob("*.md")
)

_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]+)?\)")
_COMMAND = re.compile(r"`(kimo [a-z][a-z-]*(?: [a-z]+\b)?)")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """Of its headings, as they are linked to."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


def commands(text: str) -> set[str]:
    """`kimo x` and `kimo x y` that a page names."""
    return {match.group(1) for match in _COMMAND.finditer(text)}


@pytest.mark.parametrize("page", LINKED_PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    for target, anchor in _LINK.findall(text_of(page)):
        file = folder / target if target else ROOT / page
        assert file.exists(), f"{page}: {target}"
        if anchor and file.suffix == ".md":
            assert anchor[1:] in anchors(file.read_text(encoding="utf-8")), (
                f"{page}: {target}{anchor}"
            )


@pytest.mark.parametrize(("one", "other"), [(PAGES[0], PAGES[1]), (PAGES[2], PAGES[3])])
def test_the_pages_link_to_each_other(one: str, other: str) -> None:
    assert f"({Path(other).name})" in text_of(one)
    assert f"({Path(one).name})" in text_of(other)


def test_the_italian_page_names_every_job_and_command_that_the_english_one_names() -> None:
    english, italian = text_of("docs/operations.md"), text_of("docs/operations.it.md")
    assert commands(english) <= commands(italian)
    jobs = {
        entry.job
        for entry in MENU
        if entry not in (menu.CLEANING, menu.MORNING_REPORT, menu.MATERIALIZE)
    }
    for job in jobs:
        assert f"`{job}`" in english
        assert f"`{job}`" in italian


def test_the_readmes_show_the_same_commands() -> None:
    found = [
        {
            line.split("#")[0].strip()
            for line in text_of(page).splitlines()
            if re.match(r"    (kimo|make|\.venv)", line)
        }
        for page in PAGES[:2]
    ]
    assert found[0] <= found[1]


@pytest.mark.parametrize(
    "picture", sorted((ROOT / "docs" / "pictures").glob("*.png")), ids=lambda path: path.name
)
def test_a_picture_is_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < 200_000
    pages = [*PAGES, *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
    assert any(f"pictures/{picture.name}" in text_of(page) for page in pages)
