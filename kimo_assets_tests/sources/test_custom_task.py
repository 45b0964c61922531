"""The custom task: a program of the company's, run before anything is read, whose every way to fail
is one sentence.
"""

import os
import stat
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from kimo_assets.config import CustomTaskConfig
from kimo_assets.errors import CustomTaskError
from kimo_assets.sources.custom_task import run_custom_task
from kimo_assets_tests.support.company import World, ids

pytestmark = pytest.mark.portable


def script(folder: Path, *lines: str, name: str = "prepare.sh") -> Path:
    file = folder / name
    file.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def run(folder: Path, *command: Any, timeout_s: float = 30) -> list[str]:
    """What the task said, line by line."""
    said: list[str] = []
    task = CustomTaskConfig(command=tuple(map(str, command)), timeout_s=timeout_s)
    run_custom_task(task, folder, {"KIMO_LOAD": "7"}, on_line=said.append)
    return said


def failure(folder: Path, *command: Any, timeout_s: float = 30) -> str:
    with pytest.raises(CustomTaskError) as raised:
        run(folder, *command, timeout_s=timeout_s)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(f"custom task {command[0]} ")
    assert "Nothing was read." in str(raised.value)
    return str(raised.value)


def test_its_lines_of_both_outputs_are_told_as_they_come(tmp_path: Path) -> None:
    said = run(
        tmp_path, script(tmp_path, "echo one", "echo two >&2", "printf 'caff\\351, half a line'")
    )
    assert [line.strip() for line in said[1:-1]] == ["one", "two", "caff�, half a line"]
    assert said[0] == f"custom task {tmp_path}/prepare.sh starts"
    assert said[-1].startswith(f"custom task {tmp_path}/prepare.sh is done, ")


def test_it_stands_in_the_folder_of_kimo_yaml_and_knows_the_load(tmp_path: Path) -> None:
    said = run(tmp_path, script(tmp_path, "pwd", 'echo "load $KIMO_LOAD, path $PATH"'))
    assert [line.strip() for line in said[1:-1]] == [
        str(tmp_path),
        f"load 7, path {os.environ['PATH']}",
    ]


def test_no_shell_reads_its_arguments(tmp_path: Path) -> None:
    odd = ["$HOME", "; touch made", "a b", "*", "`id`", '"']
    said = run(tmp_path, script(tmp_path, 'for a in "$@"; do echo "<$a>"; done'), *odd)
    assert [line.strip() for line in said[1:-1]] == [f"<{a}>" for a in odd]
    assert not (tmp_path / "made").exists()


def test_an_exit_code_that_is_not_zero_is_told_with_the_last_lines(tmp_path: Path) -> None:
    message = failure(tmp_path, script(tmp_path, *(f"echo line {n}" for n in range(9)), "exit 3"))
    assert "ended with exit code 3." in message
    assert message.endswith("Its last lines: line 4 | line 5 | line 6 | line 7 | line 8.")


def test_a_signal_is_told(tmp_path: Path) -> None:
    assert "was killed by signal 9" in failure(tmp_path, script(tmp_path, "kill -9 $$"))


def test_a_program_that_is_not_there_is_told_with_what_to_mend(tmp_path: Path) -> None:
    assert "is not there: correct import.custom_task" in failure(tmp_path, tmp_path / "missing.sh")
    assert "is not there: correct import.custom_task" in failure(
        tmp_path, "no-such-program-anywhere"
    )


@pytest.mark.skipif(os.name != "posix", reason="Windows knows no such permission")
def test_a_program_that_may_not_be_run_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "prepare.sh"
    file.write_text("#!/bin/sh\n")
    assert "is not executable" in failure(tmp_path, file)
    assert "is a folder" in failure(tmp_path, tmp_path)
    file = script(tmp_path)
    file.write_text("#!/no/such/interpreter\n")
    assert "cannot be started: No such file or directory" in failure(tmp_path, file)
    file.write_bytes(b"\x00\x01neither script nor program")
    assert "cannot be started: Exec format error" in failure(tmp_path, file)


def alive(file: Path) -> list[int]:
    """Of the process ids in the file, those that still run."""
    pids = [int(line) for line in file.read_text().split()]
    return [
        pid
        for pid in pids
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    ]


def test_the_limit_ends_it_and_all_that_it_started(tmp_path: Path) -> None:
    task = script(
        tmp_path,
        "echo working",
        "sleep 600 & echo $! >> pids",
        "(sleep 600) & echo $$ >> pids",
        "sleep 600",
    )
    began = time.monotonic()
    message = failure(tmp_path, task, timeout_s=1)
    assert "was ended after 1 s (import.custom_task.timeout_s)" in message
    assert message.endswith("Its last lines: working.")
    assert time.monotonic() - began < 10
    for _ in range(100):
        if not alive(tmp_path / "pids"):
            return
        time.sleep(0.05)
    pytest.fail(f"still running: {alive(tmp_path / 'pids')}")


def test_the_limit_ends_a_program_that_never_stops_talking(tmp_path: Path) -> None:
    assert "was ended after 0.5 s" in failure(tmp_path, script(tmp_path, "yes"), timeout_s=0.5)


def test_what_it_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    said = run(tmp_path, script(tmp_path, "sleep 20 &", "echo done"))
    assert "  done" in said
    assert time.monotonic() - began < 10


def test_a_program_that_says_too_much_is_quoted_up_to_a_point(tmp_path: Path) -> None:
    said = run(tmp_path, script(tmp_path, "seq 1 5000", "head -c 1000000 /dev/zero | tr '\\0' x"))
    assert len(said) == 1002
    assert max(map(len, said)) < 3000


# --- within an import
# ------------------------------------------------------------------------------------------------


@pytest.fixture
def company(world: World) -> World:
    world.erp(Zone=ids("N"), Carrier=ids("C"), ImportFromErpSemaphore=[{"Status": 0}])
    world.entities = {"Zone": {}, "Carrier": {}}
    return world


def test_it_prepares_what_is_then_read_while_the_semaphore_is_ours(company: World) -> None:
    script(
        company.folder,
        "python3 - <<'EOF'",
        "import os, sqlite3",
        "erp = sqlite3.connect('erp.sqlite')",
        "found = erp.execute('SELECT Status FROM ImportFromErpSemaphore').fetchone()",
        "erp.execute('INSERT INTO Zone VALUES (?)', ['S' + str(found[0])])",
        "erp.commit()",
        "print(os.environ['KIMO_RUN_ID'], os.environ['KIMO_LOAD'], os.environ['KIMO_CONFIG'])",
        "EOF",
    )
    company.settings = {"import": {"custom_task": "prepare.sh"}}
    load = company.done(1, run_id="abc").load
    assert company.rows('SELECT "Id" FROM integrator."Zone" ORDER BY 1') == [("N",), ("S2",)]
    assert load == 1


def test_when_it_fails_nothing_is_read_and_every_entity_says_why(company: World) -> None:
    company.done(1)
    company.erp(Zone=ids("N", "S"))
    script(company.folder, "echo no disk left", "exit 1")
    company.settings = {"import": {"custom_task": {"command": ["prepare.sh"], "timeout_s": 30}}}
    report = company.run()
    assert list(report.steps) == [1]
    (reason,) = set(report.failures[1].values())
    assert set(report.failures[1]) == {"Zone", "Carrier"}
    assert reason.endswith(
        "ended with exit code 1. Nothing was read. Its last lines: no disk left."
    )
    assert company.rows('SELECT "Id" FROM integrator."Zone"') == [("N",)]
    assert company.erp_file.read("SELECT Status FROM ImportFromErpSemaphore") == [(0,)]
