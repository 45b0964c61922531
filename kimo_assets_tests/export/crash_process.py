"""Exports that die on their way, in a process of their own: what test_kills.py starts.

They are forked from one small server that has read the catalogue, so that a process a point costs a
moment each.
"""

import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerContext
from pathlib import Path

from kimo_assets.catalog import load_catalog
from kimo_assets.config import load_config
from kimo_assets.database import ledger
from kimo_assets.database.locks import exclusive
from kimo_assets.database.server import Database
from kimo_assets.errors import LockedError
from kimo_assets.export.run import ExportRun, export_to_erp
from kimo_assets_tests.support.export_company import ExportWorld, Silent

load_catalog()

DONE, LOCKED = 0, 12


def forkserver() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["kimo_assets_tests.export.crash_process"])
    return context


def export_and_die(config: str, dsn: str, kill_at: int) -> None:
    """Killed, as by a power cut, at the point whose turn it is (from 1); 0: never."""
    passed = 0

    def reached(point: str) -> None:
        nonlocal passed
        passed += 1
        if passed == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database(dsn, "")
    try:
        with exclusive(database) as connection:
            load = ledger.begin_load(connection, "the killed export", None)
            export_to_erp(
                ExportRun(
                    load_config(Path(config)),
                    connection,
                    database.connect,
                    load,
                    Silent(),
                    None,
                    load_catalog(),
                    reached,
                    sleep=lambda seconds: None,
                )
            )
            ledger.end_load(connection, load, success=True)
    except LockedError:
        os._exit(LOCKED)
    os._exit(DONE)


def killed(world: ExportWorld, kill_at: int) -> bool:
    """Runs an export that is killed at a point; False when it ended before that."""
    process = forkserver().Process(
        target=export_and_die, args=(str(world.config.path), world.database.dsn, kill_at)
    )
    process.start()
    process.join()
    assert process.exitcode in (DONE, -signal.SIGKILL), process.exitcode
    return process.exitcode != DONE
