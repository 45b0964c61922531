"""ops.picture, ops.picture_name and ops.unused_picture: what both jobs keep of pictures.

The caller holds the lock of the pictures' jobs (database/locks.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection

from kimo_assets.images import public_folder
from kimo_assets.images.picture import Original
from kimo_assets.images.public_folder import PublicPicture

OK, FAILED, MISSING = "ok", "failed", "missing"


@dataclass(frozen=True)
class Record:
    """What became of a picture in a run, by its source (ledger.sql has the columns).

    public: None when nothing new was made. What is public of it then stays.
    """

    source: str
    status: str
    size: int | None = None
    modified: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    sha256: str | None = None
    recipe: str | None = None
    problem: str | None = None
    original: Original | None = None
    public: PublicPicture | None = None


_SAVE = """
INSERT INTO ops.picture AS p (source, status, size, modified, etag, last_modified, sha256, recipe,
    problem,
    kind, source_width, source_height, path, thumbnail_path, width, height, bytes, media_type)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (source) DO UPDATE SET
    status = EXCLUDED.status, size = EXCLUDED.size, modified = EXCLUDED.modified,
        etag = EXCLUDED.etag,
    last_modified = EXCLUDED.last_modified, sha256 = EXCLUDED.sha256, recipe = EXCLUDED.recipe,
        problem = EXCLUDED.problem,
    kind = EXCLUDED.kind, source_width = EXCLUDED.source_width,
        source_height = EXCLUDED.source_height,
    checked_at = now(),
    changed_at = CASE WHEN EXCLUDED.path <> p.path OR p.path IS NULL THEN now()
        ELSE p.changed_at END,
    (path, thumbnail_path, width, height, bytes, media_type) = ROW (
        coalesce(EXCLUDED.path, p.path), coalesce(EXCLUDED.thumbnail_path, p.thumbnail_path),
        coalesce(EXCLUDED.width, p.width), coalesce(EXCLUDED.height, p.height),
            coalesce(EXCLUDED.bytes, p.bytes),
        coalesce(EXCLUDED.media_type, p.media_type))
"""

_KEEP = """
UPDATE ops.picture SET status = 'ok', problem = NULL, size = %s, modified = %s, etag = %s,
    last_modified = %s,
    checked_at = now()
WHERE source = %s
"""


def save(connection: Connection, records: Iterable[Record]) -> None:
    """Notes pictures that were made, or could not be."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_SAVE, [_values(record) for record in records])


def keep(connection: Connection, records: Iterable[Record]) -> None:
    """Notes pictures that are the same as before, although their stamp may not be."""
    values = [(r.size, r.modified, r.etag, r.last_modified, r.source) for r in records]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_KEEP, values)


def _values(record: Record) -> tuple[Any, ...]:
    """The values of _SAVE, in its order."""
    original: tuple[Any, ...] = (None,) * 3
    if record.original:
        original = astuple(record.original)
    public: tuple[Any, ...] = (None,) * 6
    if record.public:
        public = astuple(record.public)
    return (
        record.source,
        record.status,
        record.size,
        record.modified,
        record.etag,
        record.last_modified,
        record.sha256,
        record.recipe,
        record.problem,
        *original,
        *public,
    )


# --- what is public and what is not needed
# ------------------------------------------------------------------------


def forget_lost(connection: Connection, public: Path) -> None:
    """Has the next run make the pictures anew whose public file is not there, or not whole.

    Somebody may have removed it, or a power cut have cut it off.
    Raises: OSError when the public folder cannot be listed.
    """
    sizes = public_folder.listing(public)
    rows = connection.execute(
        "SELECT DISTINCT path, thumbnail_path, bytes FROM ops.picture WHERE path IS NOT NULL"
    )
    lost = [
        path
        for path, thumbnail, size in rows
        if sizes.get(path) != size or not sizes.get(thumbnail)
    ]
    # Stamps and marks go too. Otherwise an unchanged file is passed by, and a server answers 304.
    if lost:
        connection.execute(
            "UPDATE ops.picture SET (path, thumbnail_path, width, height, bytes, media_type,"
            " recipe) = (SELECT NULL::text, NULL::text, NULL::int, NULL::int, NULL::bigint,"
            " NULL::text, NULL::text), size = NULL, modified = NULL, etag = NULL, last_modified ="
            " NULL WHERE path = ANY(%s)",
            [lost],
        )


def forget_unnamed(connection: Connection) -> int:
    """Forgets the pictures that no row names any more, and returns how many.

    Their public files leave later (remove_unused).
    """
    return connection.execute(
        "DELETE FROM ops.picture AS p WHERE NOT EXISTS (SELECT FROM ops.picture_name AS n WHERE"
        " n.source = p.source)"
    ).rowcount


def remove_unused(connection: Connection, public: Path, keep_days: float) -> int:
    """Removes the public pictures unused in ops for longer than keep_days, and returns how many.

    The time counts from when it was first noticed, by the database's clock, as with the store's
    garbage: the holder of an older list of the pictures finds them as long as that. Raises:
    OSError.
    """
    rows = connection.execute("SELECT path FROM ops.picture WHERE path IS NOT NULL")
    used = {path for (path,) in rows}
    public_paths = {_picture_of(path) for path in public_folder.listing(public)}
    _note_unused(connection, sorted(public_paths - used))
    unused = connection.execute(
        "SELECT path FROM ops.unused_picture WHERE since <= now() - %s * interval '1 day'",
        [keep_days],
    )
    expired = [path for (path,) in unused]
    # Files before their notes: after a kill in between, the next run removes what is left.
    public_folder.remove(public, expired)
    connection.execute("DELETE FROM ops.unused_picture WHERE path = ANY(%s)", [expired])
    public_folder.sweep(public)
    return len(expired)


def _picture_of(path: str) -> str:
    """The path of the picture that a thumbnail, or the picture itself, is of."""
    kind, _, file = path.partition("/")
    if kind == public_folder.PICTURES:
        return path
    return f"{public_folder.PICTURES}/{file}"


def _note_unused(connection: Connection, paths: Sequence[str]) -> None:
    # For a picture that was used meanwhile the time begins anew.
    connection.execute("DELETE FROM ops.unused_picture WHERE path <> ALL(%s)", [list(paths)])
    connection.execute(
        "INSERT INTO ops.unused_picture (path) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING",
        [list(paths)],
    )
