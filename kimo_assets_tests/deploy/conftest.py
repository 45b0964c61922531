"""Servers of a deployment, each a process with an environment of its own, on one embedded
PostgreSQL.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from kimo_assets.database.server import Database
from kimo_assets.defs.instance import DAGSTER_URL_VARIABLE

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
_WAIT_S = 120.0


@dataclass
class Host:
    """A folder, as of a machine of its own, and what runs there. Nothing of this process'
    environment gets in.
    """

    folder: Path
    dagster_url: str
    dagster_yaml: str = "dagster.yaml"
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        home = self.folder / "dagster"
        if not home.exists():
            home.mkdir(parents=True)
            text = (DEPLOY / self.dagster_yaml).read_text(encoding="utf-8")
            (home / "dagster.yaml").write_text(text, encoding="utf-8")
        return home

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DAGSTER_HOME": str(self.home),
            DAGSTER_URL_VARIABLE: self.dagster_url,
            **self.variables,
        }

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    @contextmanager
    def running(
        self, *arguments: str, before: Sequence[str] = (), **variables: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A server, until the block ends. Its output is in `<folder>/<number>.log`."""
        log = self.folder / f"{len(list(self.folder.glob('*.log')))}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", *arguments],
                cwd=self.folder,
                env=self.environment | variables,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()

    def said(self) -> str:
        """The end of what its servers wrote."""
        return "\n".join(
            log.read_text(errors="replace")[-3000:] for log in sorted(self.folder.glob("*.log"))
        )

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """This process looks into the host's Dagster, by the host's own dagster.yaml."""
        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            for name, value in self.environment.items():
                if name.startswith("KIMO_"):
                    patch.setenv(name, value)
            yield stack.enter_context(dg.DagsterInstance.from_config(str(self.home)))


@pytest.fixture(scope="session")
def new_host(new_dagster_url: Callable[[], str], server_folder: Path) -> Callable[..., Host]:
    """Makes hosts, each on a Dagster database of its own unless one is named."""

    def make(name: str, dagster_url: str | None = None, **options: Any) -> Host:
        folder = server_folder / "hosts" / name
        folder.mkdir(parents=True)
        return Host(folder, dagster_url or new_dagster_url(), **options)

    return make


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], said: Callable[[], str], what: str) -> None:
    """Waits for another process; fails with what the processes have said."""
    deadline = time.monotonic() + _WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {_WAIT_S:.0f} s\n{said()}")
        time.sleep(0.1)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


__all__ = ["DEPLOY", "ROOT", "Database", "Host", "answers", "free_port", "until"]
