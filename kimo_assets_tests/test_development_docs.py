"""The pages for developers are true: their pictures, their table of packages, the files that they
name, and the hooks.
"""

import re
from configparser import ConfigParser
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DEVELOPMENT = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
README_IT = (ROOT / "README.it.md").read_text(encoding="utf-8")

_ARROW = re.compile(r"^ *(\w+) (-->|-\.->)(?:\|.*\|)? (\w+)$", re.MULTILINE)
# A path from the project's root, or from the package.
_PATH = re.compile(r"`([\w-]+(?:/[\w.-]*)+)`")


def pictures(page: str) -> list[str]:
    """The Mermaid blocks of a page."""
    return re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)


def layers_of_the_contract() -> list[list[str]]:
    """The layers of setup.cfg, from above. Brackets mark a package that may be missing."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["importlinter:contract:layers"]["layers"].strip().splitlines()
    return [[name.strip(" ()") for name in line.split("|")] for line in lines]


def layers_of_the_picture() -> list[list[str]]:
    """The layers of the page's picture, in the order of its arrows."""
    picture = pictures(DEVELOPMENT)[1]
    boxes = dict(re.findall(r'^ *(\w+)\["(.*)"\]$', picture, re.MULTILINE))
    chains = [line.split(" --> ") for line in picture.splitlines() if "-->" in line]
    below = {upper.strip(): lower.strip() for c in chains for upper, lower in pairwise(c)}
    (box,) = boxes.keys() - below.values()
    layers = [boxes[box].split(", ")]
    while box in below:
        box = below[box]
        layers.append(boxes[box].split(", "))
    assert len(layers) == len(boxes), "every box is in the one chain"
    return layers


def test_the_picture_of_the_layers_is_the_contract_of_setup_cfg() -> None:
    assert layers_of_the_picture() == layers_of_the_contract()


def test_the_table_has_a_line_for_each_package_in_the_order_of_the_layers() -> None:
    table = DEVELOPMENT.partition("| Package | Holds |")[2].partition("\n\n")[0]
    packages = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert packages == [name for layer in layers_of_the_contract() for name in layer]


def test_flow_and_layers_are_the_same_pictures_in_readme_and_development() -> None:
    assert pictures(DEVELOPMENT)[:2] == pictures(README)
    assert pictures(README)[1] == pictures(README_IT)[1]


def test_the_italian_flow_has_the_same_boxes_and_arrows() -> None:
    english, italian = pictures(README)[0], pictures(README_IT)[0]
    assert len(_ARROW.findall(english)) == 8
    assert _ARROW.findall(english) == _ARROW.findall(italian)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "docs/development.md"])
def test_every_file_that_a_page_for_developers_names_is_there(page: str) -> None:
    paths = _PATH.findall((ROOT / page).read_text(encoding="utf-8"))
    missing = [
        path
        for path in paths
        if not (ROOT / path).exists() and not (ROOT / "kimo_assets" / path).exists()
    ]
    assert missing == []


def test_the_hooks_are_the_checks_of_make_lint_in_the_projects_own_environment() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (repository,) = hooks["repos"]
    assert repository["repo"] == "local"
    assert [hook["id"] for hook in repository["hooks"]] == ["ruff", "ruff-format", "mypy"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for hook in repository["hooks"]:
        program = hook["entry"].split(" --")[0]
        assert hook["language"] == "system"
        assert program.replace(".venv/bin", "$(BIN)") in makefile
