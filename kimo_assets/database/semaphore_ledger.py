"""Which of the ERP's semaphores are ours: the owner records of ops.semaphore.

The semaphores themselves are the business of sources.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection


@dataclass(frozen=True)
class Owner:
    """A record that a load of ours holds a semaphore, or was about to take it."""

    source: str
    semaphore: str
    status: int
    load: int | None
    run_id: str | None
    since: datetime


@dataclass(frozen=True)
class SemaphoreLedger:
    """The owner records. Each is read and written on a connection of its own.

    They are needed just when another connection is broken.
    """

    connect: Callable[[], Connection]
    load: int | None = None
    run_id: str | None = None

    def owners(self) -> list[Owner]:
        """What is on record of every semaphore."""
        with self.connect() as connection:
            rows = connection.execute(
                """
                SELECT source, semaphore, status, load, run_id, since FROM ops.semaphore
                WHERE since IS NOT NULL AND released_at IS NULL ORDER BY source, semaphore
                """
            ).fetchall()
        return [Owner(*row) for row in rows]

    def owner(self, source: str, semaphore: str) -> Owner | None:
        """What is on record of one semaphore."""
        for owner in self.owners():
            if (owner.source, owner.semaphore) == (source, semaphore):
                return owner
        return None

    def claim(self, source: str, semaphore: str, status: int) -> None:
        """Records that the semaphore is ours. The record is committed when this returns."""
        with self.connect() as connection:
            connection.execute(
                """
                INSERT INTO ops.semaphore (source, semaphore, status, load, run_id, since)
                VALUES (%s, %s, %s, %s, %s, now())
                ON CONFLICT (source, semaphore) DO UPDATE SET
                    (status, load, run_id, since, released_at, seen_status, seen_since) =
                    (excluded.status, excluded.load, excluded.run_id, now(), NULL, NULL, NULL)
                """,
                [source, semaphore, status, self.load, self.run_id],
            )

    def release(self, source: str, semaphore: str) -> None:
        """Notes that it was given back, so that nobody takes it for ours any more."""
        with self.connect() as connection:
            connection.execute(
                """
                UPDATE ops.semaphore SET released_at = now(), seen_status = NULL, seen_since = NULL
                WHERE source = %s AND semaphore = %s
                """,
                [source, semaphore],
            )

    def seen(self, source: str, semaphore: str, status: int) -> datetime:
        """Notes the status that kept us from taking the semaphore.

        Returns since when every look, of any run, has found this status.
        """
        with self.connect() as connection:
            row = connection.execute(
                """
                INSERT INTO ops.semaphore AS previous (source, semaphore, seen_status, seen_since)
                VALUES (%s, %s, %s, now())
                ON CONFLICT (source, semaphore) DO UPDATE SET
                    seen_status = excluded.seen_status,
                    seen_since = CASE
                        WHEN previous.seen_status = excluded.seen_status THEN previous.seen_since
                        ELSE now()
                    END
                RETURNING seen_since
                """,
                [source, semaphore, status],
            ).fetchone()
        assert row is not None, "RETURNING gives a row"  # noqa: S101
        since: datetime = row[0]
        return since

    def seen_since(self, source: str, semaphore: str, status: int) -> datetime | None:
        """As `seen`, without noting anything."""
        with self.connect() as connection:
            row = connection.execute(
                """
                SELECT seen_since FROM ops.semaphore
                WHERE source = %s AND semaphore = %s AND seen_status = %s
                """,
                [source, semaphore, status],
            ).fetchone()
        return row[0] if row else None
