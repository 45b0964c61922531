"""Wall seconds, CPU seconds and peak memory of a piece of work: this process, its children, and
PostgreSQL's backends.

Linux only, from /proc, and nothing but the standard library: loaders in other environments are
measured with it too.
"""

import os
import resource
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_S = 0.02


@dataclass(frozen=True)
class Usage:
    """Memory in MB: this process's largest resident set, and the largest private memory of one
    backend.
    """

    seconds: float
    python_cpu_s: float
    postgres_cpu_s: float
    python_peak_mb: float
    backend_peak_mb: float
    load_average: float

    @property
    def cpu_s(self) -> float:
        return self.python_cpu_s + self.postgres_cpu_s

    def as_json(self) -> dict[str, Any]:
        figures = asdict(self) | {"cpu_s": self.cpu_s}
        return {name: round(value, 3) for name, value in figures.items()}


class Meter:
    """Measures between laps. postmasters: the process ids of the PostgreSQL servers that
    take part.
    """

    def __init__(self, postmasters: Sequence[int]) -> None:
        self._postmasters = postmasters
        self._backend_peak_kb = 0
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="meter", daemon=True)

    def __enter__(self) -> "Meter":
        self._sampler.start()
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._sampler.join()

    def _start(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text(
                "5", encoding="ascii"
            )  # forgets the peak so far
        self._backend_peak_kb = 0
        self._started = (time.monotonic(), self._python_cpu(), self._postgres_cpu())

    def lap(self) -> Usage:
        """The usage since the last lap, or since the start."""
        seconds, python, postgres = self._started
        usage = Usage(
            time.monotonic() - seconds,
            self._python_cpu() - python,
            self._postgres_cpu() - postgres,
            _status_kb("self", "VmHWM") / 1024,
            self._backend_peak_kb / 1024,
            os.getloadavg()[0],
        )
        self._start()
        return usage

    @staticmethod
    def _python_cpu() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime

    def _postgres_cpu(self) -> float:
        return sum(map(_server_ticks, self._postmasters)) / _TICKS

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            for postmaster in self._postmasters:
                for backend in _children(postmaster):
                    self._backend_peak_kb = max(
                        self._backend_peak_kb, _status_kb(str(backend), "RssAnon")
                    )


def _server_ticks(postmaster: int) -> int:
    """Of the backends that live, and of those that ended: with these the postmaster is charged."""
    while True:
        ended = sum(_cpu_ticks(postmaster)[2:])
        alive = sum(sum(_cpu_ticks(backend)[:2]) for backend in _children(postmaster))
        if ended == sum(_cpu_ticks(postmaster)[2:]):  # otherwise a backend ended between the two
            return ended + alive


def _children(process: int) -> list[int]:
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(child) for child in text.split()]


def _cpu_ticks(process: int) -> tuple[int, ...]:
    """user, system, and the same of ended children."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return (0, 0, 0, 0)
    return tuple(int(value) for value in text.rpartition(")")[2].split()[11:15])


def _status_kb(process: str, name: str) -> int:
    try:
        lines = (
            Path(f"/proc/{process}/status")
            .read_text(encoding="utf-8", errors="replace")
            .splitlines()
        )
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
