"""A sync that dies on its way, in a process of its own: what test_client_cuts.py starts."""

import os
import signal
from pathlib import Path

from kimo_assets.sync.client import replica
from kimo_assets.sync.client.client import sync_agent


def sync_and_die(url: str, file: str, step: str, count: int) -> None:
    """Killed, as a tablet whose battery ends, when so many objects are fetched or written."""
    replica._CACHE_KB = 10  # SQLite then writes pages of the file long before the commit
    told = 0

    def on_progress(what: str, done: int, total: int) -> None:
        nonlocal told
        told += what == step
        if told == count:
            os.kill(os.getpid(), signal.SIGKILL)

    sync_agent(url, "1", Path(file), on_progress=on_progress)
