"""The web API in a thread of the tests, Dagster's webserver as a process, and a small company
behind both.
"""

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import uvicorn
from sqlalchemy.engine import make_url
from starlette.types import ASGIApp

from kimo_assets.config import CONFIG_VARIABLE, load_config
from kimo_assets.database.server import Database
from kimo_assets.defs.instance import dagster_home
from kimo_assets_tests.cli.conftest import (
    Company,
    NewCompany,
    new_company,  # noqa: F401 (a fixture)
)

TOKEN = "pl4nted/in the API's token ü".encode().hex()
BASE = "/server/Integration"


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The app as kimo serve runs it, on a free port of this machine; its address."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait(lambda: server.started, "the web API")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def wait(done: Callable[[], Any], what: str, *, timeout_s: float = 90) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := done()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(0.1)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(
    base: str, endpoint: str, *, token: str | None = TOKEN, **options: Any
) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(
        f"{base}{BASE}/{endpoint}",
        headers=headers | options.pop("headers", {}),
        timeout=30,
        **options,
    )


def graphql(url: str, query: str, **variables: Any) -> Any:
    answer = requests.post(
        f"{url}/graphql", json={"query": query, "variables": variables}, timeout=60
    )
    answer.raise_for_status()
    return answer.json()["data"]


RUNS = "{runsOrError(limit: 20) {... on Runs {results {runId jobName status tags {key value}}}}}"


def runs(url: str) -> list[dict[str, Any]]:
    """Newest first."""
    found: list[dict[str, Any]] = graphql(url, RUNS)["runsOrError"]["results"]
    return found


def with_own_dagster(company: Company, database: Database) -> Company:
    """The same company with a database of Dagster's of its own: other tests' runs would be in the
    way.
    """
    name = f"dagster_{company.directory.name.replace('-', '_')}"
    with database.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")  # type: ignore[arg-type]
    url = database.dagster_url.replace("/dagster?", f"/{name}?")
    text = company.config.read_text(encoding="utf-8").replace(database.dagster_url, url)
    assert url in text
    company.config.write_text(f"{text}\napi: {{per_minute: 1000}}\n", encoding="utf-8")
    return company


def dagster_database(company: Company) -> psycopg.Connection:
    url = make_url(load_config(company.config).database.dagster_url or "").set(
        drivername="postgresql"
    )
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


@pytest.fixture(scope="module")
def company(new_company: NewCompany, database: Database) -> Company:  # noqa: F811
    return with_own_dagster(new_company(), database)


@pytest.fixture(scope="module")
def webserver(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Dagster's webserver without its daemon: what is launched stays in the queue. Its address."""
    port = free_port()
    config = load_config(company.config)
    home = dagster_home(config, Database(company.database.dsn, config.database.dagster_url or ""))
    environment = {**os.environ, "DAGSTER_HOME": str(home), CONFIG_VARIABLE: str(company.config)}
    script = str(Path(sys.executable).parent / "dagster-webserver")
    log = tmp_path_factory.mktemp("webserver") / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            [script, "-m", "kimo_assets.definitions", "-p", str(port)],
            env=environment,
            stdout=file,
            stderr=file,
        ) as process,
    ):
        try:
            wait(lambda: process.poll() is not None or listens(port), "the webserver")
            assert process.poll() is None, log.read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def access_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "kimo_assets.webapi")
    return caplog
