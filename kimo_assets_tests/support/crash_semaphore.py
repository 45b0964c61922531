"""Processes that take the ERP's semaphore and are killed on their way, or race for it: what
test_semaphore.py starts.

They are forked from one small server, so that a process a point costs a moment each.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Any

import psycopg
from sqlalchemy import Engine, event

from kimo_assets.config import SourceConfig
from kimo_assets.database.semaphore_ledger import SemaphoreLedger
from kimo_assets.database.server import Database
from kimo_assets.errors import SemaphoreError
from kimo_assets.sources.connection import open_source
from kimo_assets.sources.semaphore import IMPORT, Semaphore, WaitPolicy, find, taken

WON, LOST = 10, 11


def forkserver() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["kimo_assets_tests.support.crash_semaphore"])
    return context


@contextmanager
def semaphore_of(url: str, lock_timeout_s: float = 60) -> Iterator[Semaphore]:
    engine = open_source("erp", SourceConfig(url=url, lock_timeout_s=lock_timeout_s), writable=True)
    try:
        found = find("erp", IMPORT, engine)
        assert found is not None
        yield found
    finally:
        engine.dispose()


def take_and_die(url: str, dsn: str, kill_at: int) -> None:
    """Takes the semaphore and gives it back; dies before or after the statement whose turn it is,
    of either database.
    """
    with semaphore_of(url) as semaphore:
        point = _points(kill_at)
        with taken(
            [semaphore],
            SemaphoreLedger(Database(dsn, "").connect, 1, "killed"),
            WaitPolicy(wait_s=0),
        ):
            point()
        point()
    os._exit(0)


def _points(kill_at: int) -> Callable[..., None]:
    passed = 0

    def point(*_: Any) -> None:
        nonlocal passed
        passed += 1
        if passed == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("before_cursor_execute", "after_cursor_execute", "commit", "rollback"):
        event.listen(Engine, name, point)
    execute = psycopg.Connection.execute

    def with_points(*args: Any, **options: Any) -> Any:
        point()
        found = execute(*args, **options)
        point()
        return found

    psycopg.Connection.execute = with_points  # type: ignore[method-assign]
    return point


def race(url: str, dsn: str, line: Connection) -> None:
    """Wants the semaphore at the same moment as the process at the line's other end; the exit code
    says who got it.
    """
    with semaphore_of(url) as semaphore:
        _meet(line)
        try:
            with taken(
                [semaphore], SemaphoreLedger(Database(dsn, "").connect), WaitPolicy(wait_s=0)
            ):
                _meet(line)
        except SemaphoreError:
            _meet(line)
            os._exit(LOST)
    os._exit(WON)


def _meet(line: Connection) -> None:
    """Waits for the other process. A barrier would need /dev/shm, which some machines lack."""
    line.send_bytes(b"here")
    assert line.poll(60), "the other process did not come"
    line.recv_bytes()
