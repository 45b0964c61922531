"""What is taken from Dagster without its promise is taken in one module, and is there."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import dagster as dg
import pytest

import kimo_assets
from kimo_assets.defs import dagster_internals

PACKAGE = Path(kimo_assets.__file__).parent
OWN_MODULE = Path(dagster_internals.__file__)


def private_modules(source: str) -> Iterator[str]:
    """The modules of Dagster's own that a source names: by an import, or as a text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value]
        else:
            continue
        yield from (name for name in names if name.startswith("dagster._"))


def test_the_scan_sees_imports_and_texts() -> None:
    source = """
from dagster._core.instance import T_DagsterInstance
import dagster._daemon as daemon
from dagster import AssetKey
settings = {"module": "dagster._core.storage.root"}
"""
    assert sorted(private_modules(source)) == [
        "dagster._core.instance",
        "dagster._core.storage.root",
        "dagster._daemon",
    ]


def test_no_other_module_names_a_module_of_dagsters_own() -> None:
    files = [file for file in PACKAGE.rglob("*.py") if file != OWN_MODULE]
    named = {
        file.relative_to(PACKAGE).as_posix(): modules
        for file in files
        if (modules := list(private_modules(file.read_text(encoding="utf-8"))))
    }
    # Without its console script in the PATH, the daemon is started as the module it is.
    assert named == {"cli/dev.py": ["dagster._daemon"]}


@pytest.mark.parametrize(
    "named",
    [
        dagster_internals.LOCAL_ARTIFACTS,
        dagster_internals.LOCAL_COMPUTE_LOGS,
        dagster_internals.NO_COMPUTE_LOGS,
    ],
    ids=lambda named: named["class"],
)
def test_a_class_of_dagster_yaml_exists(named: dict[str, str]) -> None:
    assert isinstance(getattr(import_module(named["module"]), named["class"]), type)


def test_the_methods_that_are_not_public_exist() -> None:
    names = [
        "all_instigator_state",
        "get_latest_storage_id_by_partition",
        "get_ticks",
        "optimize_for_webserver",
        "purge_ticks",
    ]
    assert [name for name in names if not hasattr(dg.DagsterInstance, name)] == []


def test_a_range_is_named_as_dagster_documents_it() -> None:
    tags = dagster_internals.range_tags(["Item", "PriceList", "Zone"])
    assert tags == {
        "dagster/asset_partition_range_start": "Item",
        "dagster/asset_partition_range_end": "Zone",
    }
    assert dagster_internals.chooses_partitions(tags)
    assert dagster_internals.chooses_partitions({"dagster/partition": "Item"})
    assert not dagster_internals.chooses_partitions({"dagster/schedule_name": "night"})
