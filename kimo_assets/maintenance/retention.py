"""What the ledger in schema ops keeps of the past goes after a while, except what is still needed.

Kept whatever its age: the last result of each step with each entity, all that an undo can go back
to, the loads that rows name as those that changed them, exports that are not answered, answers that
were applied. Which rows of a table are old is declared by the package that owns it, in its
queries.py. Dagster's own runs are defs/jobs/cleaning.py's.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import Connection, sql

import kimo_assets.database.queries as database_queries
import kimo_assets.export.queries as export_queries
import kimo_assets.loading.queries as loading_queries
import kimo_assets.pipeline.queries as pipeline_queries
import kimo_assets.staging.queries as staging_queries
import kimo_assets.sync.queries as sync_queries
from kimo_assets.catalog.menu import CLEANING
from kimo_assets.config import KimoConfig
from kimo_assets.database.locks import exclusive
from kimo_assets.database.names import ARCHIVED, CHANGED, KIMO, table
from kimo_assets.database.old_rows import LoadColumns, OldRows
from kimo_assets.database.server import Database
from kimo_assets.pipeline.saved_plan import forget_snapshots
from kimo_assets.progress import Progress
from kimo_assets.reports import TaskReport
from kimo_assets.texts import say

# Rows to a statement, and of a table to a run: the rest is left to the next run.
_BATCH = 10_000
_MOST = 500_000

# In this order: a result rests on rejected rows, a batch on its records.
_OLD_ROWS = (
    database_queries.OLD_STEP_RESULTS,
    sync_queries.OLD_WEIGHTS,
    export_queries.OLD_RECORDS,
    export_queries.OLD_BATCHES,
    export_queries.OLD_OUTBOX_ROWS,
    staging_queries.OLD_REJECTED_ROWS,
    database_queries.OLD_RUN_REPORTS,
)

# Every column whose loads have to stay.
_LOAD_COLUMNS: LoadColumns = (
    *database_queries.LOAD_COLUMNS,
    *staging_queries.LOAD_COLUMNS,
    *loading_queries.LOAD_COLUMNS,
    *sync_queries.LOAD_COLUMNS,
    *export_queries.LOAD_COLUMNS,
    *pipeline_queries.LOAD_COLUMNS,
)


def clean_ledger(
    config: KimoConfig,
    database: Database,
    progress: Progress,
    run_id: str | None = None,
    *,
    dry_run: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> TaskReport:
    """Deletes what is older than `retention: ledger_days`, in pieces.

    The report counts the rows of each kind that went, or would go.
    Raises: LockedError while an import or export is running.
    """
    started = time.monotonic()
    cutoff = now() - timedelta(days=config.retention.ledger_days)
    plan_cutoff = now() - timedelta(days=config.retention.runs_days)
    parameters = {"cutoff": cutoff, "mapped": list(config.entities)}
    counts: dict[str, int] = {}
    progress.task_started(CLEANING.title, len(_OLD_ROWS) + 2)
    # A run that goes on could come to rest on what is deleted meanwhile.
    with exclusive(database) as connection, _tried(connection, dry_run=dry_run):
        _create_work_tables(connection, cutoff)
        for old_rows in _OLD_ROWS:
            counts[old_rows.title] = _delete(connection, old_rows, parameters)
            progress.task_advanced(1)
        # Last: rows that were deleted before need their load no longer.
        _find_needed_loads(connection, cutoff)
        loads = database_queries.OLD_LOADS
        counts[loads.title] = _delete(connection, loads, parameters)
        progress.task_advanced(1)
        counts["snapshots of a plan"] = _forget_plan(connection, plan_cutoff)
        progress.task_advanced(1)
    notes = [
        say("maintenance.only_the_first", rows=title, count=_MOST)
        for title, count in counts.items()
        if count >= _MOST
    ]
    seconds = time.monotonic() - started
    return TaskReport(CLEANING.title, seconds, counts, notes=tuple(notes), run_id=run_id)


_WORK_TABLES = ("old_load", "needed_load", "needed_result")


@contextmanager
def _tried(connection: Connection[Any], *, dry_run: bool) -> Iterator[None]:
    """Nothing of it stays when it is a trial."""
    # No transaction around it: each piece commits by itself, so a cleaning that is cut keeps its
    # work.
    if not dry_run:
        yield
        for name in _WORK_TABLES:
            dropped = sql.Identifier("pg_temp", name)
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(dropped))
        return
    with connection.transaction() as transaction:
        yield
        raise psycopg.Rollback(transaction)


def _create_work_tables(connection: Connection[Any], cutoff: datetime) -> None:
    """The temporary tables that the declarations of old rows name."""
    connection.execute("""
        CREATE TEMPORARY TABLE old_load (load bigint PRIMARY KEY);
        CREATE TEMPORARY TABLE needed_load (load bigint PRIMARY KEY);
        CREATE TEMPORARY TABLE needed_result (entity text, load bigint);
        CREATE INDEX ON needed_result (load)
        """)
    database_queries.fill_old_loads(connection, cutoff)
    staging_queries.fill_needed_results(connection)
    loading_queries.fill_needed_results(connection)


def _delete(connection: Connection[Any], old_rows: OldRows, parameters: dict[str, object]) -> int:
    """How many rows went."""
    # By ctid of a chosen few, because PostgreSQL's DELETE has no LIMIT.
    statement = (
        f"DELETE FROM {old_rows.table} WHERE ctid = ANY(ARRAY(SELECT t.ctid"
        f" FROM {old_rows.table} AS t WHERE {old_rows.condition}"
        f" ORDER BY t.{old_rows.order} LIMIT {_BATCH}))"
    )
    values = {**parameters, **old_rows.values}
    deleted = 0
    while deleted < _MOST:
        # psycopg takes a composed text only as bytes. Its parts are constants of this package.
        batch = connection.execute(statement.encode(), values).rowcount
        deleted += batch
        if batch < _BATCH:
            break
    return deleted


def _find_needed_loads(connection: Connection[Any], cutoff: datetime) -> None:
    """Fills needed_load: loads that the ledger names, and those of the rows in schema kimo."""
    newest_old = database_queries.newest_load_before(connection, cutoff)
    if newest_old is None:
        return
    selects: list[sql.Composable] = [
        sql.SQL(f"SELECT {column} FROM {name}") for name, column in _LOAD_COLUMNS
    ]
    for entity in loading_queries.loaded_tables(connection):
        for column in (CHANGED, ARCHIVED):
            # Schema kimo has millions of rows. Only the loads that could be deleted matter.
            select = sql.SQL("SELECT {0} FROM {1} WHERE {0} <= {2}").format(
                sql.Identifier(column), table(KIMO, entity), sql.Literal(newest_old)
            )
            selects.append(select)
    connection.execute(
        sql.SQL(
            "INSERT INTO needed_load SELECT DISTINCT load FROM ({}) AS named (load)"
            " WHERE load IS NOT NULL"
        ).format(sql.SQL(" UNION ").join(selects))
    )


def _forget_plan(connection: Connection[Any], cutoff: datetime) -> int:
    """The snapshots of a plan that was not applied for so long, or that a killed plan left."""
    snapshots, made_at = pipeline_queries.kept_snapshots(connection)
    # A killed plan has saved no record, so its snapshots are of no age and of no use.
    is_young = made_at is not None and made_at >= cutoff
    if snapshots == 0 or is_young:
        return 0
    forget_snapshots(connection)
    return snapshots
