"""A full import on a Celery worker of another host: what comes of it is what a local run makes.

Hosts are folders and mount namespaces of this machine: the worker starts with the scheduler's
folder covered by an empty one, has its own kimo.yaml, dagster.yaml and current folder, and shares
with it PostgreSQL, the sync store and the broker.
"""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
import yaml
from sqlalchemy import Text

from kimo_assets.database.server import Database
from kimo_assets.defs.instance import CELERY_BACKEND_VARIABLE, CELERY_BROKER_VARIABLE
from kimo_assets.pipeline.workflows import run_import
from kimo_assets_tests.defs.conftest import ERP
from kimo_assets_tests.deploy.conftest import DEPLOY, ROOT, Host, answers, free_port, until
from kimo_assets_tests.deploy.test_companies import ended, launch
from kimo_assets_tests.support.company import World, url_of
from kimo_assets_tests.support.integrations import Integration

REDIS = "redis://127.0.0.1:6379"
# As dagster.yaml names none, Dagster's own. The number of the Redis database keeps this process'
# broker apart.
BROKER = f"{REDIS}/{8 + os.getpid() % 8}"


pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("dagster_celery") is None, reason="dagster-celery is not installed"
    ),
    pytest.mark.skipif(not answers(6379), reason="no Redis answers on 127.0.0.1:6379"),
]


def covering(folder: Path) -> Sequence[str]:
    """What a command begins with, so that it sees an empty folder there; nothing where that is not
    allowed.
    """
    shell = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(folder)]
    allowed = (
        shutil.which("unshare")
        and subprocess.run([*shell, "true"], capture_output=True).returncode == 0
    )
    return shell if allowed else []


def fill(erp: Integration) -> None:
    """The small company's tables, on a server: a file would be one that only one host has."""
    for name, rows in ERP.items():
        columns = dict.fromkeys(dict.fromkeys(column for row in rows for column in row), Text())
        erp.table(
            name, columns, [{column: _text(row.get(column)) for column in columns} for row in rows]
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


@dataclass
class Distributed:
    run: dg.DagsterRun
    worker: Host
    scheduler: Host
    mounts: str
    world: World
    local: World

    def events(self) -> list[str]:
        with self.scheduler.instance() as instance:
            return [record.message for record in instance.all_logs(self.run.run_id)]


@pytest.fixture(scope="module")
def distributed(
    new_host: Callable[..., Host], new_database: Callable[[], Database], server_folder: Path
) -> Iterator[Distributed]:
    own = new_database()
    erp = Integration(url_of(new_database()))
    broker = {CELERY_BROKER_VARIABLE: BROKER, CELERY_BACKEND_VARIABLE: BROKER}
    options = {"dagster_yaml": "dagster-celery.yaml", "variables": broker}
    scheduler = new_host("scheduler", **options)
    worker = new_host("worker", scheduler.dagster_url, **options)
    store = server_folder / "shared-store"
    world, local = (
        World(folder, own, source_url=erp.url) for folder in (worker.folder, scheduler.folder)
    )
    fill(erp)
    for each in (world, local):
        each.entities = {name: {} for name in ERP}
        each.settings = {
            "database": {"url": url_of(own), "dagster_url": scheduler.dagster_url},
            "sync": {"store": str(store)},
        }
        assert each.config.entities
    port = free_port()
    server = {
        "grpc_server": {
            "host": "127.0.0.1",
            "port": port,
            "location_name": "kimo_assets.definitions",
        }
    }
    (scheduler.folder / "workspace.yaml").write_text(
        yaml.safe_dump({"load_from": [server]}), encoding="utf-8"
    )
    before = covering(scheduler.folder)
    with ExitStack() as stack:
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
            scheduler.running(*serve, KIMO_CONFIG=str(scheduler.folder / "kimo.yaml"))
        )
        work = [
            "celery",
            "-A",
            "dagster_celery.app",
            "worker",
            "-Q",
            "dagster",
            "-c",
            "1",
            "-n",
            "worker@%h",
        ]
        process = stack.enter_context(
            worker.running(
                *work,
                before=before,
                KIMO_CONFIG=str(worker.folder / "kimo.yaml"),
                PYTHONPATH=f"{ROOT}:{DEPLOY / 'celery'}",
            )
        )
        until(lambda: answers(port), scheduler.said, "the code server")
        stack.enter_context(scheduler.running("dagster._daemon", "run", "-w", "workspace.yaml"))
        launch(
            scheduler,
            "kimo_assets.definitions",
            "import_entities",
            {"ops": {"import_named_entities": {"config": {}}}},
        )
        with scheduler.instance() as instance:
            (queued,) = instance.get_runs()
        run = ended(scheduler, queued.run_id)
        mounts = Path(f"/proc/{process.pid}/mountinfo").read_text() if before else ""
        yield Distributed(run, worker, scheduler, mounts, world, local)


def test_the_run_ends_well_on_the_worker_s_host(distributed: Distributed) -> None:
    assert distributed.run.status is dg.DagsterRunStatus.SUCCESS, distributed.events()
    assert any("Celery task has been forwarded" in line for line in distributed.events())
    (said,) = (log.read_text() for log in distributed.worker.folder.glob("*.log"))
    assert f"{distributed.run.run_id} - " in said
    assert 'RUN_SUCCESS - Finished execution of run for "import_entities"' in said


def test_the_worker_s_host_has_no_file_of_the_scheduler_s(distributed: Distributed) -> None:
    if not distributed.mounts:
        pytest.skip("mount namespaces are not allowed here: the worker only has folders of its own")
    assert f" {distributed.scheduler.folder} rw" in distributed.mounts


def test_what_the_worker_made_is_what_a_local_run_makes(
    distributed: Distributed, tmp_path: Path, new_database: Callable[[], Database]
) -> None:
    here = World(
        tmp_path,
        new_database(),
        distributed.world.entities,
        source_url=distributed.world.source_url,
    )
    here.done()
    there = distributed.world
    for entity in ERP:
        assert loaded(there, entity) == loaded(here, entity), entity
        assert there.rejected(entity) == here.rejected(entity)
    assert there.rows(RESULTS) == here.rows(RESULTS)
    assert there.agents() == ["AG1", "AG2"]
    for agent in there.agents():
        assert received(there, agent) == received(here, agent) != []


def test_the_next_import_goes_on_from_there_on_any_host(distributed: Distributed) -> None:
    report = run_import(distributed.local.config, distributed.world.database)
    assert report.success, report.failures
    assert {entity.status for entity in report.steps[2].entities.values()} == {"unchanged"}


RESULTS = "SELECT step, entity, status, counts FROM ops.step_result WHERE load = 1 ORDER BY 1, 2"


def loaded(world: World, entity: str) -> list[dict[str, object]]:
    """The entity's rows in Kimo's table, but for the bookkeeping of loads."""
    rows = world.rows(f'SELECT to_jsonb(e) FROM kimo."{entity}" AS e ORDER BY "Id"')
    return [
        {name: value for name, value in row.items() if not name.startswith("_")} for (row,) in rows
    ]


def received(world: World, agent: str) -> list[tuple[object, ...]]:
    """All that the agent's tablet holds after its sync."""
    with closing(world.sync(agent)) as file:
        tables = [
            name
            for (name,) in file.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1"
            )
        ]
        return [
            (name, *row)
            for name in tables
            if name in ERP
            for row in file.execute(f'SELECT * FROM "{name}" ORDER BY 1')
        ]
