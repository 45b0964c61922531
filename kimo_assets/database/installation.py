"""Which Kimo database this is: everything of ours outside of it bears its name."""

from psycopg import Connection


def installation(connection: Connection) -> str:
    """The database's own name. Its sync store and its batches at the ERP bear the same one."""
    row: tuple[str] | None = connection.execute("SELECT id FROM ops.installation").fetchone()
    if row is None:
        row = connection.execute(
            "INSERT INTO ops.installation VALUES (replace(gen_random_uuid()::text, '-', ''))"
            " RETURNING id"
        ).fetchone()
    assert row is not None, "RETURNING gives a row"  # noqa: S101
    return row[0]
