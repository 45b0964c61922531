"""Two companies in one workspace: each a code server with its own kimo.yaml, one Dagster
for both.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from kimo_assets.catalog.menu import DATA_POOL
from kimo_assets.config import load_config
from kimo_assets.database.server import Database
from kimo_assets.defs.build import build_defs
from kimo_assets.defs.naming import location_of
from kimo_assets_tests.deploy.conftest import Host, answers, free_port, until
from kimo_assets_tests.support.company import World, url_of

ZONES = {"acme": ("N", "S"), "beta": ("X",)}
FINISHED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def company(folder: Path, database: Database, dagster_url: str, name: str) -> World:
    """A company of a name, whose kimo.yaml says all that a process elsewhere has to know."""
    folder.mkdir(parents=True)
    databases = {"url": url_of(database), "dagster_url": dagster_url}
    world = World(
        folder,
        replace(database, dagster_url=dagster_url),
        settings={"company": name, "database": databases},
    )
    world.erp(
        SalesAgent=[{"Id": "AG", "Description": name}],
        Zone=[{"Id": key, "Description": f"{name} {key}"} for key in ZONES.get(name, ("N",))],
    )
    assert world.config.company == name
    return world


@dataclass
class Workspace:
    host: Host
    worlds: dict[str, World]
    runs: dict[str, dg.DagsterRun]

    def materialized(self, name: str) -> set[str]:
        with self.host.instance() as instance:
            return instance.get_materialized_partitions(dg.AssetKey([name, "kimo_tables"]))


def launch(host: Host, company: str, job: str, config: dict[str, Any]) -> None:
    """Puts a run into the queue, as a button of the UI does."""
    arguments = [
        "-w",
        "workspace.yaml",
        "-l",
        company,
        "-j",
        job,
        "--config-json",
        json.dumps(config),
    ]
    host.command("dagster", "job", "launch", *arguments)


def ended(host: Host, run_id: str) -> dg.DagsterRun:
    """The run, as soon as it is at its end."""
    with host.instance() as instance:

        def is_over() -> bool:
            run = instance.get_run_by_id(run_id)
            return run is not None and run.status in FINISHED

        until(is_over, host.said, f"run {run_id}")
        run = instance.get_run_by_id(run_id)
        assert run is not None
        return run


@pytest.fixture(scope="module")
def workspace(
    new_host: Callable[..., Host], new_database: Callable[[], Database]
) -> Iterator[Workspace]:
    """Both companies' imports have run, side by side, through the queue of one daemon."""
    host = new_host("workspace")
    worlds = {
        name: company(host.folder / name, new_database(), host.dagster_url, name) for name in ZONES
    }
    ports = {name: free_port() for name in ZONES}
    servers = [
        {"grpc_server": {"host": "127.0.0.1", "port": ports[name], "location_name": name}}
        for name in ZONES
    ]
    (host.folder / "workspace.yaml").write_text(
        yaml.safe_dump({"load_from": servers}), encoding="utf-8"
    )
    with ExitStack() as stack:
        for name, port in ports.items():
            serve = [
                "dagster",
                "api",
                "grpc",
                "-m",
                "kimo_assets.definitions",
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
            ]
            stack.enter_context(
                host.running(*serve, KIMO_CONFIG=str(worlds[name].folder / "kimo.yaml"))
            )
        until(lambda: all(map(answers, ports.values())), host.said, "the code servers")
        stack.enter_context(host.running("dagster._daemon", "run", "-w", "workspace.yaml"))
        asked = {"ops": {"import_named_entities": {"config": {}}}}
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: launch(host, name, "import_entities", asked), ZONES))
        with host.instance() as instance:
            queued = {str(location_of(run)): run.run_id for run in instance.get_runs()}
        runs = {name: ended(host, queued[name]) for name in ZONES}
        yield Workspace(host, worlds, runs)


def test_each_company_s_run_imports_its_own_erp_into_its_own_database(workspace: Workspace) -> None:
    assert {name: run.status.value for name, run in workspace.runs.items()} == dict.fromkeys(
        ZONES, "SUCCESS"
    )
    for name, keys in ZONES.items():
        world = workspace.worlds[name]
        assert world.rows('SELECT "Id", "Description" FROM kimo."Zone" ORDER BY 1') == [
            (k, f"{name} {k}") for k in keys
        ]
        assert world.rows("SELECT run_id FROM ops.load") == [(workspace.runs[name].run_id,)]
        assert world.received("AG", "SELECT count(*) FROM Zone") == [(len(keys),)]


def test_their_assets_have_keys_of_their_own(workspace: Workspace) -> None:
    for name in ZONES:
        assert workspace.materialized(name) == {"SalesAgent", "Zone"}
    with workspace.host.instance() as instance:
        keys = {key.path[0] for key in instance.get_asset_keys()}
        assert keys == set(ZONES)


def test_their_pools_are_apart_so_that_they_do_not_wait_for_each_other(
    workspace: Workspace,
) -> None:
    pools = {
        name: set(run.run_op_concurrency.all_pools)
        for name, run in workspace.runs.items()
        if run.run_op_concurrency
    }
    assert pools == {name: {f"{DATA_POOL}_{name}"} for name in ZONES}


def test_a_process_with_another_company_s_configuration_refuses_the_run(
    workspace: Workspace,
) -> None:
    """e.g. a worker that was given the wrong KIMO_CONFIG."""
    acme = workspace.worlds["acme"]
    job = build_defs(acme.config).resolve_job_def("import_entities")
    with workspace.host.instance() as instance:
        told = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            tags={".dagster/repository": "__repository__@beta"},
        )
        (event,) = [
            e for e in told.all_events if e.is_failure and e.event_type_value == "PIPELINE_FAILURE"
        ]
    assert "is of the code location 'beta'" in str(event)
    assert acme.rows("SELECT count(*) FROM ops.load") == [(1,)]


def test_the_example_workspace_names_companies_as_their_kimo_yaml_does(tmp_path: Path) -> None:
    file = Path(__file__).parents[2] / "deploy" / "companies" / "workspace.yaml"
    for server in yaml.safe_load(file.read_text(encoding="utf-8"))["load_from"]:
        (tmp_path / "kimo.yaml").write_text(
            f"company: {server['grpc_server']['location_name']}\nsources: {{erp: {{url:"
            " sqlite:///erp.sqlite}}"
        )
        assert load_config(tmp_path / "kimo.yaml").company == server["grpc_server"]["location_name"]
