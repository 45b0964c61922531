"""A process that imports, takes back or exports, and dies at a given point.

It is started by crashes.py only. Points are before and after every commit in Kimo's database, every
manifest in the sync store, and the export's own. Not killed, it writes the names of the points that
it has passed.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg import Connection, sql
from psycopg.abc import Params
from psycopg.pq import TransactionStatus

from kimo_assets.config import load_config
from kimo_assets.database.queries import last_load_titled
from kimo_assets.database.server import Database
from kimo_assets.errors import ConfigError
from kimo_assets.pipeline.workflows import run_export, run_import, run_undo
from kimo_assets.progress import Progress
from kimo_assets.texts import say

# All scratch databases are called so, and nothing else is touched.
PREFIX = "kimo_selftest_"

# The point at which the process is to die, counted from 1; nothing: at none.
DIE_AT = "KIMO_DIE_AT"

# Windows has no SIGKILL; its SIGTERM is TerminateProcess, which nobody can catch.
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)

# WITH may begin a statement that writes. A point too many does no harm.
_WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "CREATE", "DROP", "ALTER", "MERGE", "WITH")

_IMPORT = "selftest: import"

Point = Callable[[str], None]


class Points:
    """Counts the points that were passed, by several threads; kills the process at one of them."""

    def __init__(self, die_at: int) -> None:
        self.passed: list[str] = []
        self.where = "start"
        self._die_at = die_at
        self._lock = threading.Lock()

    def __call__(self, point: str) -> None:
        """A point was passed. At the one whose turn it is the process dies."""
        with self._lock:
            self.passed.append(f"{self.where}: {point}")
            if len(self.passed) == self._die_at:
                # Not an exception: no `finally` may tidy up, because none would after a power cut.
                os.kill(os.getpid(), KILL)


def watched(database: Database, point: Point) -> Database:
    """The same database, whose connections tell of every commit, before and after it."""

    class WatchedConnection(Connection[Any]):
        @contextmanager
        def transaction(
            self, savepoint_name: str | None = None, force_rollback: bool = False
        ) -> Iterator[Any]:
            is_outermost = self.info.transaction_status is TransactionStatus.IDLE
            with super().transaction(savepoint_name, force_rollback) as transaction:
                yield transaction
                if is_outermost:
                    point("before a commit")
            if is_outermost:
                point("committed")

        def execute(
            self,
            query: Any,
            params: Params | None = None,
            *,
            prepare: bool | None = None,
            binary: bool = False,
        ) -> Any:
            # Alone, a statement is its own transaction.
            is_alone = (
                self.info.transaction_status is TransactionStatus.IDLE
                and self.autocommit
                and _writes(self, query)
            )
            if is_alone:
                point("before a statement")
            cursor = super().execute(query, params, prepare=prepare, binary=binary)
            if is_alone:
                point("after a statement")
            return cursor

    class WatchedDatabase(Database):
        connection_class = WatchedConnection

    return WatchedDatabase(database.dsn, database.dagster_url)


def _writes(connection: Connection[Any], query: Any) -> bool:
    text = query.as_string(connection) if isinstance(query, sql.Composable) else query
    return (
        (text.decode() if isinstance(text, bytes) else str(text))
        .lstrip()
        .upper()
        .startswith(_WRITES)
    )


class _PointProgress(Progress):
    def __init__(self, points: Points) -> None:
        self._points = points

    def step_started(self, step: int, entities: Sequence[str]) -> None:
        self._points.where = f"step {step}"

    def manifests_started(self, agents: int) -> None:
        self._points("before the manifests")

    def manifest_done(self) -> None:
        self._points("a manifest replaced")


def refuse_foreign(database: Database) -> None:
    """Raises: ConfigError for a database that is not one of the selftest's own."""
    with database.connect() as connection:
        row = connection.execute("SELECT current_database()").fetchone()
    name = row[0] if row else ""
    if not name.startswith(PREFIX):
        raise ConfigError(say("selftest.foreign_database", prefix=PREFIX, name=name))


def work(name: str, config_path: Path, database: Database, points: Points) -> None:
    """Does import, undo or export, by the production's sequencer, and passes the points."""
    config = load_config(config_path)
    progress = _PointProgress(points)
    # Before anything is written: this process imports and takes back.
    refuse_foreign(database)
    of_points = watched(database, points)
    match name:
        case "import":
            report = run_import(config, of_points, title=_IMPORT, progress=progress)
            if not report.success:
                raise ConfigError(say("selftest.import_fails", failures=report.failures))
        case "undo":
            run_undo(
                config,
                of_points,
                to=_before_last_import(database),
                title="selftest: undo",
                progress=progress,
            )
        case _:
            points.where = "export"
            run_export(
                config, of_points, title="selftest: export", progress=progress, reached=points
            )


def _before_last_import(database: Database) -> int:
    """The load to go back to, also when a killed process has done so already."""
    with database.connect() as connection:
        load = last_load_titled(connection, _IMPORT)
    assert load is not None, "the undo comes after an import"  # noqa: S101
    return load - 1


def main() -> None:
    """Started by crashes.py: the work's name, kimo.yaml, the database."""
    name, config_path, dsn = sys.argv[1:]
    points = Points(int(os.environ.get(DIE_AT, "0")))
    try:
        work(name, Path(config_path), Database(dsn, ""), points)
    except ConfigError as error:
        sys.exit(str(error))
    print(json.dumps(points.passed))


if __name__ == "__main__":
    main()
