"""docs/mapping.md: every example gives what the page says, every step is there, every kimo.yaml on
it can be read.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from kimo_assets.catalog import load_catalog
from kimo_assets.config import NoValueConfig, load_config
from kimo_assets.sources.readers.cleaning import absent_in
from kimo_assets.staging.quarantine import RULES
from kimo_assets.transforms import INPUTS, STEPS, Outcome, transformed
from kimo_assets.transforms.values import text_of

PAGE = (Path(__file__).parents[1] / "docs" / "mapping.md").read_text(encoding="utf-8")
HEADER = "| kimo.yaml | the row | gives |"
NO_VALUE = "no value"


@dataclass(frozen=True)
class Example:
    """One line of a step's table."""

    step: str
    written: str
    row: dict[str, Any]
    gives: str


def examples() -> list[Example]:
    found = []
    for section in re.split(r"\n#### ", PAGE)[1:]:
        step = section.partition("\n")[0].strip("`")
        table = section.partition(HEADER)[2].partition("\n\n")[0]
        for line in table.strip().splitlines()[1:]:
            written, row, gives = (
                cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]
            )
            found.append(Example(step, written.strip("`"), yaml.safe_load(row.strip("`")), gives))
    return found


EXAMPLES = examples()


def evaluated(example: Example, folder: Path) -> Outcome:
    """What the example's transformation makes of its row, by way of a kimo.yaml."""
    file = folder / "kimo.yaml"
    file.write_text(
        "sources: {erp: {url: sqlite:///x}}\nentities:\n  Account:\n    transform:\n     "
        f" {example.written}\n",
        encoding="utf-8",
    )
    (mapping,) = load_config(file).entities["Account"]
    ((name, transformation),) = mapping.transform.items()
    own = next(iter(example.row))
    by_fold = {column.casefold(): value for column, value in example.row.items()}
    columns = [[by_fold[column.casefold()]] for column in transformation.columns(own)]
    return transformed(
        transformation,
        columns,
        1,
        absent_in(load_catalog()["Account"].fields[name], NoValueConfig()),
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.step}: {example.row}")
def test_an_example_gives_what_the_page_says(example: Example, tmp_path: Path) -> None:
    outcome = evaluated(example, tmp_path)
    if rejected := re.fullmatch(r"rejected \(`(\w+)`\): (.*)", example.gives):
        assert (outcome.rejected[0].rule, outcome.rejected[0].detail) == rejected.groups()
    else:
        assert not outcome.rejected
        assert text_of(outcome.values[0]) == (
            "" if example.gives == NO_VALUE else example.gives.strip("`")
        )


@pytest.mark.parametrize("step", [*INPUTS, *STEPS])
def test_every_step_has_a_section_and_an_example_that_uses_it(step: str) -> None:
    mine = [example for example in EXAMPLES if example.step == step]
    assert mine
    assert all(re.search(rf"\b{step}\b", example.written) for example in mine)


def test_every_section_is_about_a_step_that_exists() -> None:
    assert {example.step for example in EXAMPLES} <= {*INPUTS, *STEPS}
    headings = re.findall(r"^#### `(\w+)`$", PAGE, re.MULTILINE)
    assert headings == [*INPUTS, *STEPS]
    assert PAGE.count(HEADER) == len(headings)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_explained(rule: str) -> None:
    assert f"`{rule}`" in PAGE.partition("## What a value has to be")[2]


BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.partition("\n")[0])
def test_every_kimo_yaml_on_the_page_can_be_read(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in re.findall(r"\$\{(\w+)\}", block):
        monkeypatch.setenv(variable, "secret")
    file = tmp_path / "kimo.yaml"
    file.write_text(
        block if "sources:" in block else f"sources: {{erp: {{url: sqlite:///x}}}}\n{block}",
        encoding="utf-8",
    )
    assert load_config(file).sources
