"""Objects that no manifest lists any more.

They stay for a while, for tablets that sync by an older manifest, and are then removed.
"""

from collections.abc import Iterable
from typing import Any

from psycopg import Connection

from kimo_assets.sync.store.store import Store, object_path


def collect_garbage(connection: Connection[Any], store: Store, grace_hours: float) -> int:
    """Removes objects that were unlisted for longer than the grace period. Returns: how many.

    The period begins when the object is first noticed, by the database's clock. The files' times
    are another machine's, and an object that was listed again begins again. The caller holds the
    lock, so nothing is published meanwhile.
    """
    unlisted = set(store.listing("objects")) - set(_listed(connection))
    _record(connection, store.url, unlisted)
    rows = connection.execute(
        "SELECT path FROM ops.unlisted_object"
        " WHERE store = %s AND since < now() - %s * interval '1 hour'",
        [store.url, grace_hours],
    ).fetchall()
    # File by file: after a failure the rest is still recorded, and removed next time.
    for (path,) in rows:
        store.remove(path)
        connection.execute(
            "DELETE FROM ops.unlisted_object WHERE store = %s AND path = %s", [store.url, path]
        )
    return len(rows)


def _listed(connection: Connection[Any]) -> Iterable[str]:
    rows = connection.execute(
        "SELECT sha256 FROM ops.bucket_object UNION SELECT sha256 FROM ops.settings_object"
    )
    return (object_path(sha256) for (sha256,) in rows)


def _record(connection: Connection[Any], store_url: str, unlisted: set[str]) -> None:
    """Keeps the ledger to the objects that are unlisted now, and to this store."""
    paths = sorted(unlisted)
    connection.execute(
        "DELETE FROM ops.unlisted_object WHERE store <> %s OR path <> ALL(%s)", [store_url, paths]
    )
    connection.execute(
        "INSERT INTO ops.unlisted_object (store, path)"
        " SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING",
        [store_url, paths],
    )
