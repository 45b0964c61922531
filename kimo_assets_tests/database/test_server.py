"""The embedded server as processes find it: after a kill, and after users of it were killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kimo_assets.config import KimoConfig, load_config

pytestmark = pytest.mark.portable

_USE = """
import sys, time
from kimo_assets.config import load_config
from kimo_assets.database.server import open_database
database = open_database(load_config(sys.argv[1]))
with database.connect() as connection:
    connection.execute(sys.argv[2])
print("ready", flush=True)
time.sleep(float(sys.argv[3]))
"""


@pytest.fixture
def company(server_folder: Path) -> Iterator[KimoConfig]:
    folder = server_folder / "a-server-of-its-own"
    folder.mkdir(exist_ok=True)
    (folder / "kimo.yaml").write_text(
        "sources: {erp: {url: sqlite:///erp.sqlite}}\n", encoding="utf-8"
    )
    yield load_config(folder / "kimo.yaml")
    if postmaster := _postmaster(folder / "data" / "postgres"):
        postmaster.send_signal(signal.SIGQUIT)


def test_a_server_that_was_killed_recovers_and_stops_with_its_last_living_user(
    company: KimoConfig,
) -> None:
    folder = company.data_dir / "postgres"
    first = _use(company, "CREATE TABLE ops.kept (n int)", seconds=60)
    first.kill()
    first.wait()
    killed = _postmaster(folder)
    assert killed is not None
    for process in [killed, *killed.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    killed.wait(10)

    second = _use(company, "INSERT INTO ops.kept VALUES (1)", seconds=0)

    assert second.wait(30) == 0
    assert json.loads((folder / ".handle_pids.json").read_text()) == []
    deadline = time.monotonic() + 20
    while _postmaster(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _postmaster(folder) is None


def test_another_user_s_lock_in_the_temporary_folder_shuts_nobody_out(
    company: KimoConfig, tmp_path: Path
) -> None:
    # A folder cannot be opened as a file, by root neither.
    (tmp_path / ".lockfile").mkdir()
    process = _use(company, "SELECT 1", seconds=0, TMPDIR=str(tmp_path))
    assert process.wait(30) == 0


def _use(
    company: KimoConfig, statement: str, *, seconds: float, **variables: str
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _USE, str(company.path), statement, str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | variables,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    return process


def _postmaster(folder: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(int((folder / "postmaster.pid").read_text().splitlines()[0]))
    except (FileNotFoundError, psutil.NoSuchProcess, IndexError, ValueError):
        return None
    return process if process.status() != psutil.STATUS_ZOMBIE else None
