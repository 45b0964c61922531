"""What Dagster is shown, held against a file a person can read; loading it touches nothing."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from kimo_assets.catalog import load_catalog
from kimo_assets.catalog.menu import ASSET_OF_STEP, MENU, STEP_TITLES, MenuEntry
from kimo_assets.config import KimoConfig, load_config
from kimo_assets.defs.build import build_defs

GOLDEN = Path(__file__).parent / "graph.yaml"
ENTITIES = ("PriceList", "Item", "ItemTranslation", "Account", "Zone", "SalesAgent", "Language")


@pytest.fixture
def config(tmp_path: Path) -> KimoConfig:
    """A company whose ERP nobody can reach: whoever tries fails."""
    entities = {name: {} for name in ENTITIES}
    document = {
        "sources": {"erp": {"url": "oracle+oracledb://u:p@127.0.0.1:1/erp"}},
        "entities": entities,
    }
    file = tmp_path / "kimo.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_config(file)


def test_definitions_load(config: KimoConfig) -> None:
    dg.Definitions.validate_loadable(build_defs(config))


def test_definitions_of_a_company_that_maps_nothing_yet_load(config: KimoConfig) -> None:
    defs = build_defs(config.model_copy(update={"entities": {}}))
    dg.Definitions.validate_loadable(defs)
    assert not defs.resolve_asset_graph().get_all_asset_keys()


def test_the_graph_is_the_one_on_file(config: KimoConfig) -> None:
    """To take a change on purpose: KIMO_WRITE_GOLDEN=1 pytest, and read the difference."""
    found = graph(build_defs(config))
    if os.environ.get("KIMO_WRITE_GOLDEN"):
        GOLDEN.write_text(
            yaml.safe_dump(found, allow_unicode=True, sort_keys=False, width=110), encoding="utf-8"
        )
    assert found == yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))


def graph(defs: dg.Definitions) -> dict[str, object]:
    assets = defs.resolve_asset_graph()
    keys = [key for level in assets.toposorted_asset_keys_by_level for key in sorted(level)]
    names = [key.to_user_string() for key in keys]
    return {
        "assets": {name: _asset(assets.get(key)) for name, key in zip(names, keys, strict=True)},
        "jobs": {
            job.name: _job(job, names)
            for job in sorted(defs.resolve_all_job_defs(), key=lambda job: job.name)
            if not job.name.startswith("__")
        },
        "schedules": [schedule.name for schedule in defs.schedules or ()],
        "sensors": [sensor.name for sensor in defs.sensors or ()],
    }


def _asset(node: Any) -> dict[str, object]:
    return {
        "deps": _strings(node.parent_keys),
        "group": node.group_name,
        "kinds": sorted(node.kinds),
        "owners": list(node.owners),
        "partitions": node.partitions_def.get_partition_keys() if node.partitions_def else None,
        "backfill_policy": (
            str(node.backfill_policy.policy_type.value) if node.backfill_policy else None
        ),
        "checks": sorted(check.name for check in node.check_keys),
        "description": node.description,
    }


def _job(job: dg.JobDefinition, assets: list[str]) -> dict[str, object]:
    selected = {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
    return {
        "assets": [name for name in assets if name in selected],
        "checks": sorted(check.name for check in job.asset_layer.asset_graph.asset_check_keys),
        "partitions": len(job.partitions_def.get_partition_keys()) if job.partitions_def else None,
        "description": job.description,
    }


def _strings(keys: Iterable[dg.AssetKey]) -> list[str]:
    return sorted(key.to_user_string() for key in keys)


def test_partitions_are_the_mapped_entities_by_category_then_after_what_they_depend_on(
    config: KimoConfig,
) -> None:
    catalog = load_catalog()
    names = config.entity_names
    assert set(names) == set(ENTITIES)
    categories = [catalog[name].category for name in names]
    assert categories == sorted(categories)
    for name in names:
        here = [other for other in names if catalog[other].category == catalog[name].category]
        targets = {reference.target for reference in catalog[name].hard_references.values()} - {
            name
        }
        assert all(here.index(target) < here.index(name) for target in targets & set(here))


@pytest.mark.parametrize(
    ("asset", "title"), [(ASSET_OF_STEP[step], title) for step, title in STEP_TITLES.items()]
)
def test_an_asset_begins_with_its_menu_entry(config: KimoConfig, asset: str, title: str) -> None:
    node = build_defs(config).resolve_asset_graph().get(dg.AssetKey(asset))
    assert node.description is not None
    assert node.description.startswith(f"{title}. ")


@pytest.mark.parametrize("entry", [entry for entry in MENU if entry.steps], ids=lambda e: e.job)
def test_a_job_begins_with_its_menu_entry(config: KimoConfig, entry: MenuEntry) -> None:
    description = build_defs(config).resolve_job_def(entry.job).description
    assert description is not None
    assert description.startswith(f"{entry.title}. ")


def test_the_masks_job_begins_with_the_menu_entries_it_stands_for(config: KimoConfig) -> None:
    description = build_defs(config).resolve_job_def("import_entities").description
    assert description is not None
    assert description.startswith("Import completo / Step 1 / 2 / 3 / 2+3 (entità specifiche)")


def test_building_definitions_opens_no_connection_and_writes_no_file(
    config: KimoConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("definitions are built without a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("psycopg.connect", refuse)
    monkeypatch.setattr("kimo_assets.defs.resource.open_database", refuse)
    monkeypatch.setattr("kimo_assets.sources.reconnection.open_source", refuse)
    before = sorted(config.path.parent.rglob("*"))
    dg.Definitions.validate_loadable(build_defs(config))
    assert sorted(config.path.parent.rglob("*")) == before


def test_definitions_of_all_entities_are_built_within_two_seconds(config: KimoConfig) -> None:
    catalog = load_catalog()
    every = {name: {} for name, entity in catalog.entities.items() if entity.direction != "export"}
    config.path.write_text(
        yaml.safe_dump({"sources": {"erp": {"url": "sqlite:///erp.sqlite"}}, "entities": every}),
        encoding="utf-8",
    )
    large = load_config(config.path)
    started = time.process_time()
    build_defs(large).resolve_asset_graph()
    assert time.process_time() - started < 2


def test_the_module_that_dagster_loads_reads_the_file_that_kimo_config_names(
    config: KimoConfig,
) -> None:
    done = _import_definitions(config.path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == config.entity_names
    # Nor was anything started for it: no server, no folder for its data.
    assert [file.name for file in config.path.parent.iterdir()] == ["kimo.yaml"]


def test_a_broken_kimo_yaml_is_one_clear_message(config: KimoConfig) -> None:
    config.path.write_text(
        "sources:\n  erp: {url: 'sqlite:///erp.sqlite'}\nentitys: {}\n", encoding="utf-8"
    )
    done = _import_definitions(config.path)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    expected = f"{config.path}, line 3: entitys: there is no such key. Did you mean `entities`?"
    assert last == f"kimo_assets.errors.ConfigError: {expected}"


def _import_definitions(file: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "from kimo_assets.definitions import defs\n"
                "from dagster import AssetKey\n"
                "asset = defs.resolve_asset_graph().get(AssetKey('erp_staging'))\n"
                "print(*asset.partitions_def.get_partition_keys())"
            ),
        ],
        env={**os.environ, "KIMO_CONFIG": str(file)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
