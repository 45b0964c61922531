"""Which Kimo database this is: its name at everything outside that is ours."""

from psycopg import Connection


def installation(connection: Connection) -> str:
    """The database's own name; its sync store bears the same one, and so do its batches at
    the ERP.
    """
    row: tuple[str] | None = connection.execute("SELECT id FROM ops.installation").fetchone()
    if row is None:
        row = connection.execute(
            "INSERT INTO ops.installation VALUES (replace(gen_random_uuid()::text, '-', ''))"
            " RETURNING id"
        ).fetchone()
    assert row is not None, "RETURNING gives a row"  # noqa: S101
    return row[0]
