"""The custom task (fact sheet, section 5): a program of the company's that prepares data at the ERP
before they are read.

No shell reads its command. It is given a limit, and what it started ends with it when that is over.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

import psutil

from kimo_assets.config import CustomTaskConfig
from kimo_assets.errors import CustomTaskError

_TAIL_LINES = 5
_LINE_CHARS = 2_000
# A task that says more than this is not quoted further: every line is an event of the run.
_LINES_TOLD = 1_000
_TICK_S = 0.2
# What a program that has ended left running may keep its output open: nobody waits for that.
_LAST_WORDS_S = 1.0

# Loaded before any fork.
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
    """Runs the task in the folder and tells each line it writes, masked. environment: beside our
    own.

    Raises: CustomTaskError that names the program, what happened and its last lines.
    """
    program = task.command[0]
    on_line(f"custom task {program} starts")
    began = time.monotonic()
    last: deque[str] = deque(maxlen=_TAIL_LINES)
    with _started(task, folder, environment) as process:
        for number, line in enumerate(_lines(process, began + task.timeout_s)):
            last.append(masked(line))
            if number < _LINES_TOLD:
                on_line(f"  {last[-1]}")
        try:
            code = process.wait(max(0.0, began + task.timeout_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise _failed(
                program,
                f"was ended after {task.timeout_s:g} s (import.custom_task.timeout_s)",
                last,
            ) from None
    if code != 0:
        raise _failed(program, _how_it_ended(code), last)
    on_line(f"custom task {program} is done, {time.monotonic() - began:.1f} s")


@contextmanager
def _started(
    task: CustomTaskConfig, folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """The running program; when the block ends before it does, it and all it started are killed."""
    try:
        process = subprocess.Popen(  # noqa: S603 (the company's own command, no shell)
            [_found(task.command[0]), *task.command[1:]],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            preexec_fn=_end_with_us if sys.platform == "linux" else None,
        )
    except OSError as error:
        raise _failed(
            task.command[0], f"cannot be started: {error.strerror or error}", ()
        ) from None
    try:
        yield process
    finally:
        if process.poll() is None:
            _kill_all(process)
        process.wait()


def _found(program: str) -> str:
    """Also a .bat or .cmd without its ending, where the system knows such."""
    found = shutil.which(program)
    if found:
        return found
    if Path(program).is_dir():
        raise _failed(program, "is a folder, not a program", ())
    if Path(program).exists():
        raise _failed(program, "is not executable: allow it to be run (chmod +x)", ())
    raise _failed(program, "is not there: mend import.custom_task in kimo.yaml", ())


def _lines(process: subprocess.Popen[str], deadline: float) -> Iterator[str]:
    """What the program writes, until it ends or the deadline has come."""
    written: SimpleQueue[str | None] = SimpleQueue()
    assert process.stdout is not None, "started with a pipe"  # noqa: S101
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
            if now - ended_at >= _LAST_WORDS_S:
                return


def _read(output: IO[str], written: SimpleQueue[str | None]) -> None:
    with output:
        while piece := output.readline(_LINE_CHARS):
            written.put(piece.rstrip())
    written.put(None)


def _kill_all(process: subprocess.Popen[str]) -> None:
    """The program and what it started."""
    if sys.platform != "win32":
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        return
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    process.kill()


def _end_with_us() -> None:
    """On Linux it is asked to end even when we are killed: nobody else would, and the next run
    would start another.
    """
    assert _LIBC is not None, "called on Linux only"  # noqa: S101
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _how_it_ended(code: int) -> str:
    return f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"


def _failed(program: str, what: str, last: deque[str] | tuple[()]) -> CustomTaskError:
    said = f" Its last lines: {' | '.join(filter(None, last))}." if any(last) else ""
    return CustomTaskError(f"custom task {program} {what}. Nothing was read.{said}")
