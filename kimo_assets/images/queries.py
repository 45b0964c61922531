"""What others ask about pictures that cannot be shown.

The tables: ops.picture and ops.picture_name. ledger.py keeps the former, files.py the latter.
"""

from typing import Any

from psycopg import Connection


def problems_of_urls(connection: Connection[Any]) -> list[tuple[str, str]]:
    """(URL, reason) of each item's picture that could not be downloaded."""
    return connection.execute(
        """
        SELECT DISTINCT n.written, coalesce(n.problem, p.problem) AS problem
        FROM ops.picture_name AS n
        LEFT JOIN ops.picture AS p ON p.source = n.source AND p.status <> 'ok'
        WHERE n.entity = 'ItemUrl' AND coalesce(n.problem, p.problem) IS NOT NULL
        ORDER BY 1, 2
        """
    ).fetchall()


def names_without_picture(
    connection: Connection[Any], *, most: int
) -> tuple[int, list[tuple[str, str]]]:
    """How many names in rows lead to no picture, and (name, reason) of the first of them."""
    rows = connection.execute(
        """
        SELECT n.entity || ' ' || n.written, coalesce(p.problem, n.problem, p.status),
            count(*) OVER ()
        FROM ops.picture_name AS n LEFT JOIN ops.picture AS p USING (source)
        WHERE n.source IS NULL OR p.status IN ('failed', 'missing') ORDER BY 1 LIMIT %s
        """,
        [most],
    ).fetchall()
    if not rows:
        return 0, []
    count = rows[0][2]
    return count, [(name, reason or "") for name, reason, _ in rows]
