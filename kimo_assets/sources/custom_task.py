"""The custom task (fact sheet, section 5): the company's program that prepares the ERP's data.

It runs before the data are read, without a shell, within a time limit. When it is over that limit,
it and everything it started are killed.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

import psutil

from kimo_assets.config import CustomTaskConfig
from kimo_assets.errors import CustomTaskError
from kimo_assets.texts import say

_TAIL_LINES = 5
_LINE_CHARS = 2_000
# Lines beyond these are not logged, because every line becomes an event of the run.
_MOST_LINES = 1_000
_TICK_S = 0.2
# A process that the program left running may keep its output open. It is waited for so long.
_LAST_OUTPUT_S = 1.0

# Loaded before any fork: the child must not load libraries between fork and exec.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


def run_custom_task(
    task: CustomTaskConfig,
    folder: Path,
    environment: Mapping[str, str],
    *,
    on_line: Callable[[str], None],
    masked: Callable[[str], str] = str,
) -> None:
    """Runs the task in the folder, and passes on each line of its output, masked.

    environment: added to our own. Raises: CustomTaskError with the program, the failure and its
    last lines.
    """
    program = task.command[0]
    on_line(say("sources.task_starts", program=program))
    started = time.monotonic()
    deadline = started + task.timeout_s
    last: deque[str] = deque(maxlen=_TAIL_LINES)
    with _started(task, folder, environment) as process:
        for number, line in enumerate(_lines(process, deadline)):
            last.append(masked(line))
            if number < _MOST_LINES:
                on_line(f"  {last[-1]}")
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            problem = say("sources.task_timeout", seconds=task.timeout_s)
            raise _failed(program, problem, last) from None
    if code != 0:
        raise _failed(program, _ending(code), last)
    on_line(say("sources.task_done", program=program, seconds=time.monotonic() - started))


@contextmanager
def _started(
    task: CustomTaskConfig, folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """The running program. If the block ends first, it and all it started are killed."""
    # A session of its own, or a group on Windows, so that all it starts can be killed with it.
    preexec_fn = _end_with_us if sys.platform == "linux" else None
    try:
        process = subprocess.Popen(  # noqa: S603 (the company's own command, no shell)
            [_executable(task.command[0]), *task.command[1:]],
            cwd=folder,
            env={**os.environ, **environment},
            # A program that asks a question would wait for the answer until its limit.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A batch file writes in whatever code page its machine has.
            errors="replace",
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            preexec_fn=preexec_fn,
        )
    except OSError as error:
        problem = say("sources.task_not_started", error=error.strerror or error)
        raise _failed(task.command[0], problem) from None
    try:
        yield process
    finally:
        if process.poll() is None:
            _kill_all(process)
        process.wait()


def _executable(program: str) -> str:
    """The program's file, on Windows also a .bat or .cmd that is named without its ending."""
    file = shutil.which(program)
    if file:
        return file
    if Path(program).is_dir():
        raise _failed(program, say("sources.task_is_folder"))
    if Path(program).exists():
        raise _failed(program, say("sources.task_not_executable"))
    raise _failed(program, say("sources.task_missing"))


def _lines(process: subprocess.Popen[str], deadline: float) -> Iterator[str]:
    """The lines of the program's output, until it ends or the deadline passes."""
    written: SimpleQueue[str | None] = SimpleQueue()
    assert process.stdout is not None, "started with a pipe"  # noqa: S101
    # A pipe cannot be read with a limit on every system, so a thread reads it.
    threading.Thread(target=_read, args=(process.stdout, written), daemon=True).start()
    ended_at = None
    while (now := time.monotonic()) < deadline:
        with suppress(Empty):
            line = written.get(timeout=min(_TICK_S, deadline - now))
            if line is None:
                return
            yield line
            continue
        if process.poll() is not None:
            ended_at = ended_at or now
            if now - ended_at >= _LAST_OUTPUT_S:
                return


def _read(output: IO[str], written: SimpleQueue[str | None]) -> None:
    with output:
        # A program may write megabytes without a line's end.
        while piece := output.readline(_LINE_CHARS):
            written.put(piece.rstrip())
    written.put(None)


def _kill_all(process: subprocess.Popen[str]) -> None:
    """Kills the program and everything it started."""
    if sys.platform != "win32":
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        return
    with suppress(psutil.Error):
        # Children first: once the program is gone, nothing leads to them.
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    process.kill()


def _end_with_us() -> None:
    """Asks Linux to end the task when we are killed: else the next run would start a second one."""
    assert _LIBC is not None, "called on Linux only"  # noqa: S101
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _ending(code: int) -> str:
    # subprocess gives the number of a signal as a negative code.
    if code < 0:
        return say("sources.task_killed", signal=-code)
    return say("sources.task_exit_code", code=code)


def _failed(program: str, problem: str, last: Iterable[str] = ()) -> CustomTaskError:
    message = say("sources.task_failed", program=program, problem=problem)
    lines = [line for line in last if line]
    if lines:
        message += say("sources.task_last_lines", lines=" | ".join(lines))
    return CustomTaskError(message)
