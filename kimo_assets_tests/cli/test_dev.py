"""kimo dev: children that live and end together, and the real webserver and daemon."""

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from kimo_assets.cli.processes import run_together
from kimo_assets_tests.cli.conftest import Company

_WAITS = [sys.executable, "-c", "import time; print('waiting', flush=True); time.sleep(600)"]
_DIES = [sys.executable, "-c", "print('\\x1b[32mone', flush=True); raise SystemExit('no more')"]
_PARENT = [
    sys.executable,
    "-c",
    (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time;"
        " time.sleep(600)'])\nprint('child', p.pid, flush=True); p.wait()"
    ),
]


def test_when_one_dies_the_other_is_ended_and_its_last_lines_are_told() -> None:
    lines: list[tuple[str, str]] = []
    death = run_together(
        {"parent": _PARENT, "short": _DIES}, os.environ, on_line=lambda *line: lines.append(line)
    )
    assert death is not None
    assert (death.name, death.exit_code, death.last_lines) == ("short", 1, ["one", "no more"])
    for _, line in lines:
        if line.startswith("child"):
            assert not _is_alive(int(line.split()[1]))


def _is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_and_is_no_failure(number: signal.Signals) -> None:
    said = threading.Event()
    ready: list[bool] = []

    def on_ready() -> None:
        ready.append(True)
        os.kill(os.getpid(), number)

    death = run_together(
        {"a": _WAITS, "b": _WAITS},
        os.environ,
        on_line=lambda *_: said.set(),
        is_ready=said.is_set,
        on_ready=on_ready,
    )
    assert (death, ready) == (None, [True])


@contextmanager
def _listening() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


def test_a_taken_port_is_told_before_anything_starts(imported: Company) -> None:
    with _listening() as port:
        result = imported.kimo("dev", "--port", str(port))
    assert result.exit_code == 2
    assert f"Port {port} on 127.0.0.1 cannot be used" in result.stderr
    assert "Starting" not in result.stderr


def test_the_web_apis_port_is_told_too_when_it_was_asked_for(imported: Company) -> None:
    with _listening() as port:
        pass
    with _listening() as taken:
        result = imported.kimo("dev", "--port", str(port), "--api-port", str(taken))
    assert result.exit_code == 2
    assert f"Port {taken} on 127.0.0.1 cannot be used" in result.stderr
    assert "choose another port: kimo dev --api-port" in result.stderr


def test_the_ui_opens_and_ctrl_c_leaves_no_process_behind(imported: Company) -> None:
    with _listening() as port:
        pass
    kimo = [sys.executable, "-c", "from kimo_assets.cli import main; main()"]
    arguments = ["--config", str(imported.config), "dev", "--port", str(port), "--api-port", "0"]
    process = subprocess.Popen(
        [*kimo, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"The UI is at http://127.0.0.1:{port}\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=10) as answer:
            assert answer.status == 200
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 2
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        _, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
