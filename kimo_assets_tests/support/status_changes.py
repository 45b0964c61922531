"""Every change of an EntityStatus, as a trigger in the database sees it, to compare with the
transitions that are declared.

with watched(database, "Document") as changes:
    ...
assert undeclared(changes(), Actor.EXPORT) == set()
"""

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from typing import NamedTuple

from psycopg import sql

from kimo_assets.catalog.lifecycle import TRANSITIONS, Actor, EntityStatus
from kimo_assets.database.server import Database


class Change(NamedTuple):
    """A record's, so of a row that keeps its SyncReference: one that gets or loses it by an answer
    becomes another record's. pid: of the server's process, so of the connection.
    """

    before: EntityStatus
    after: EntityStatus
    pid: int
    in_a_load: bool


_WATCH = """
    CREATE SCHEMA watch;
    CREATE TABLE watch.change (before integer, after integer, pid integer, in_a_load boolean);
    CREATE FUNCTION watch.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO watch.change VALUES (
            coalesce(OLD."EntityStatus", -1), coalesce(NEW."EntityStatus", -1), pg_backend_pid(),
            EXISTS (SELECT FROM ops.load WHERE finished_at IS NULL));
        RETURN NULL;
    END $$;
"""
_TRIGGER = sql.SQL("""
    CREATE TRIGGER watch AFTER UPDATE ON {table} FOR EACH ROW
    WHEN (OLD."EntityStatus" IS DISTINCT FROM NEW."EntityStatus"
        AND OLD."SyncReference" IS NOT DISTINCT FROM NEW."SyncReference")
    EXECUTE FUNCTION watch.note()
""")


@contextmanager
def watched(database: Database, entity: str) -> Iterator[Callable[[], set[Change]]]:
    """Gives what has changed so far, whenever it is asked."""
    with database.connect() as connection:
        connection.execute("DROP SCHEMA IF EXISTS watch CASCADE")
        connection.execute(_WATCH)
        connection.execute(_TRIGGER.format(table=sql.Identifier("kimo", entity)))

    def changes() -> set[Change]:
        with database.connect() as connection:
            rows = connection.execute("SELECT * FROM watch.change").fetchall()
        return {Change(EntityStatus(b), EntityStatus(a), pid, load) for b, a, pid, load in rows}

    try:
        yield changes
    finally:
        with database.connect() as connection:
            connection.execute("DROP SCHEMA watch CASCADE")


def undeclared(changes: Set[Change], by: Actor) -> set[tuple[EntityStatus, EntityStatus]]:
    """The changes that are no transition of this actor."""
    declared = {(t.before, t.after) for t in TRANSITIONS if t.by == by}
    return {(change.before, change.after) for change in changes} - declared
