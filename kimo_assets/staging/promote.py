"""A plan's snapshot becomes the staged one: its table changes the schema, no row is copied."""

import time

from psycopg import Connection, sql

from kimo_assets.database.names import NO_LOAD, PLANNED, STAGED_AREA, columns, table
from kimo_assets.database.rejection_history import count_new
from kimo_assets.reports import StagedEntity
from kimo_assets.staging.quarantine import KEPT_COLUMNS, count_rules
from kimo_assets.staging.stage import last_snapshot, record_snapshot


def promote(connection: Connection, entity: str, load: int) -> StagedEntity:
    """Takes the entity's snapshot from schema plan, in one transaction."""
    started = time.monotonic()
    with connection.transaction():
        # Inside the transaction: a crash leaves the snapshot either planned or staged, never half
        # of it.
        planned = last_snapshot(connection, entity, PLANNED)
        # Without a snapshot of its own the plan saw what is staged, or it was promoted before a
        # crash.
        if planned:
            _swap(connection, entity)
            _take_rejections(connection, entity, load)
            record_snapshot(connection, STAGED_AREA, entity, load, planned)
            connection.execute(
                sql.SQL("DELETE FROM {} WHERE entity = %s").format(PLANNED.staged), [entity]
            )
        snapshot = last_snapshot(connection, entity)
        rules = count_rules(connection, STAGED_AREA, entity)
        new = count_new(connection, STAGED_AREA.rejected, [entity], 1, load)
    assert snapshot is not None, "a plan is about something staged"  # noqa: S101
    return StagedEntity(
        entity,
        time.monotonic() - started,
        "ok" if planned else "unchanged",
        read=snapshot.rows_read,
        staged=snapshot.rows_staged,
        rejected=snapshot.rows_rejected,
        rejected_new=new.get(entity, 0),
        rules=dict(rules),
    )


def _swap(connection: Connection, entity: str) -> None:
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table(STAGED_AREA.schema, entity)))
    connection.execute(
        sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(
            table(PLANNED.schema, entity), sql.Identifier(STAGED_AREA.schema)
        )
    )


def _take_rejections(connection: Connection, entity: str, load: int) -> None:
    """Puts the plan's rejected rows in the place of those of the last snapshot.

    A row that was not rejected before the plan is new with this load.
    """
    connection.execute(
        sql.SQL("DELETE FROM {} WHERE entity = %s AND step = 1").format(STAGED_AREA.rejected),
        [entity],
    )
    kept = columns([name for name in KEPT_COLUMNS if name not in ("load", "since_load")])
    connection.execute(
        sql.SQL("""
            WITH taken AS (DELETE FROM {planned} WHERE entity = {entity} RETURNING *)
            INSERT INTO {rejected} (load, since_load, {kept})
            SELECT {load}, coalesce(nullif(since_load, {no_load}), {load}), {kept}
            FROM taken ORDER BY id
            """).format(
            planned=PLANNED.rejected,
            rejected=STAGED_AREA.rejected,
            kept=kept,
            entity=sql.Literal(entity),
            load=sql.Literal(load),
            no_load=sql.Literal(NO_LOAD),
        )
    )
