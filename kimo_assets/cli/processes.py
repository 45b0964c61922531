"""Child processes that live and end together: none outlives the others, nor us."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_POLL_S = 0.1
_GRACE_S = 10.0
_KILL_S = 2.0
# The end of a traceback with the error's sentence.
_TAIL_LINES = 15

# Colours of the terminal in a child's lines.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

# Loaded before any fork.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """A process, and the last lines it wrote."""

    name: str
    process: subprocess.Popen[str]
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))

    def read(self, on_line: Callable[[str, str], None]) -> None:
        assert self.process.stdout is not None, "started with a pipe"  # noqa: S101
        with self.process.stdout as lines:
            for line in lines:
                text = _COLOURS.sub("", line.rstrip())
                self.tail.append(text)
                on_line(self.name, text)


@dataclass(frozen=True)
class ChildExit:
    """A child that ended by itself."""

    name: str
    exit_code: int
    last_lines: list[str]


def run_together(
    commands: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    *,
    on_line: Callable[[str, str], None],
    is_ready: Callable[[], bool] = lambda: True,
    on_ready: Callable[[], None] = lambda: None,
) -> ChildExit | None:
    """Runs the commands until one ends, which is returned, or Ctrl-C or SIGTERM asks to stop: then
    None.

    When it returns, all of them have ended, and so has what they started. Called from the main
    thread.
    """
    # A signal's handler may interrupt anything, so it only sets this.
    stop = threading.Event()
    children: list[Child] = []
    readers: list[threading.Thread] = []
    with _signals(stop.set):
        try:
            for name, command in commands.items():
                children.append(Child(name, _start(command, environment)))
            for child in children:
                # A pipe that nobody reads is full after 64 kB, and its writer then stands still.
                readers.append(threading.Thread(target=child.read, args=(on_line,), daemon=True))
                readers[-1].start()
            ended = _watch(children, stop, is_ready, on_ready)
        finally:
            _end(children)
            for reader in readers:
                # A grandchild may have inherited the pipe and keep it open. It must not keep us.
                reader.join(timeout=2)
    if ended is None:
        return None
    return ChildExit(ended.name, ended.process.returncode, list(ended.tail))


def _watch(
    children: Sequence[Child],
    stop: threading.Event,
    is_ready: Callable[[], bool],
    on_ready: Callable[[], None],
) -> Child | None:
    """The first child that ends by itself, or None once `stop` is set. Calls on_ready once."""
    ready = False
    # Polled: Python has no portable wait for several processes and an event.
    while not stop.wait(_POLL_S):
        for child in children:
            if child.process.poll() is not None:
                return child
        if not ready and is_ready():
            ready = True
            on_ready()
    return None


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask us to stop. The children are in groups of their own, so it is us who
    ask them.
    """
    watched = [signal.SIGINT, signal.SIGTERM]
    # A closed terminal. Windows has no such signal.
    if hasattr(signal, "SIGHUP"):
        watched.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop()) for number in watched}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 (our own commands)
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        # In one pipe, so that lines keep their order.
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        # A group of its own: Ctrl-C reaches it through us, and what it started can be ended with
        # it.
        start_new_session=sys.platform != "win32",
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        preexec_fn=_end_with_us if sys.platform == "linux" else None,
    )


def _end_with_us() -> None:
    """On Linux a child is asked to end even when we are killed and can ask nobody."""
    assert _LIBC is not None, "called on Linux only"  # noqa: S101
    # Nothing else may be called between fork and exec: another thread may have held a lock.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(children: Sequence[Child]) -> None:
    """Asks first, so that they end what they started. Then the rest of their groups is killed."""
    # All are asked before any is waited for, so that their times of grace run together.
    for child in children:
        if child.process.poll() is None:
            _ask_to_end(child.process)
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(_GRACE_S)
        _kill_group(child.process)
        child.process.wait()


def _ask_to_end(process: subprocess.Popen[str]) -> None:
    with suppress(OSError):
        if sys.platform == "win32":
            # Windows knows no SIGTERM: terminate() there kills at once.
            process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            process.terminate()


def _kill_group(process: subprocess.Popen[str]) -> None:
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            # Runs that the daemon has started would otherwise go on, and nobody records their end.
            os.killpg(process.pid, signal.SIGKILL)
            # Until the group is empty: its processes end a moment after the signal.
            for _ in range(round(_KILL_S / _POLL_S)):
                time.sleep(_POLL_S)
                os.killpg(process.pid, 0)
