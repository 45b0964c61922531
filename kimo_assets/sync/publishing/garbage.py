"""Objects that no manifest lists any more: kept for a while, for tablets that are syncing by an
older one, then removed.
"""

from collections.abc import Iterable

from psycopg import Connection

from kimo_assets.sync.store.store import Store, object_path


def collect_garbage(connection: Connection, store: Store, grace_hours: float) -> int:
    """Removes the objects that have been unlisted for longer than the grace period; returns how
    many.

    Since when is counted by the database's clock from when it was first noticed, not by the files'
    times: these are another machine's, and an object that is listed again after a while starts
    anew. The caller holds the lock, so nothing is being published meanwhile.
    """
    identity = store.url
    unlisted = set(store.listing("objects")) - set(_listed(connection))
    _note(connection, identity, unlisted)
    rows = connection.execute(
        "SELECT path FROM ops.unlisted_object WHERE store = %s AND since < now() - %s * interval '1"
        " hour'",
        [identity, grace_hours],
    ).fetchall()
    for (path,) in rows:
        store.remove(path)
        connection.execute(
            "DELETE FROM ops.unlisted_object WHERE store = %s AND path = %s", [identity, path]
        )
    return len(rows)


def _listed(connection: Connection) -> Iterable[str]:
    rows = connection.execute(
        "SELECT sha256 FROM ops.bucket_object UNION SELECT sha256 FROM ops.settings_object"
    )
    return (object_path(sha256) for (sha256,) in rows)


def _note(connection: Connection, identity: str, unlisted: set[str]) -> None:
    paths = sorted(unlisted)
    connection.execute(
        "DELETE FROM ops.unlisted_object WHERE store <> %s OR path <> ALL(%s)", [identity, paths]
    )
    connection.execute(
        "INSERT INTO ops.unlisted_object (store, path) SELECT %s, unnest(%s::text[]) ON CONFLICT DO"
        " NOTHING",
        [identity, paths],
    )
