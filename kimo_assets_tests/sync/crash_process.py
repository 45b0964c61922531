"""A sync that is killed half-way, in a process of its own. test_client_cuts.py starts it."""

import os
import signal
from pathlib import Path

from kimo_assets.sync.client import replica
from kimo_assets.sync.client.client import sync_agent


def sync_and_crash(url: str, file: str, step: str, count: int) -> None:
    """Kills itself when `count` objects are fetched or written, like a tablet without power."""
    # So small that SQLite writes pages of the file long before the commit.
    replica._CACHE_KB = 10
    reported = 0

    def on_progress(phase: str, done: int, total: int) -> None:
        nonlocal reported
        reported += phase == step
        if reported == count:
            os.kill(os.getpid(), signal.SIGKILL)

    sync_agent(url, "1", Path(file), on_progress=on_progress)
