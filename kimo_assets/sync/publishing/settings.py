"""Publishing the settings: the console's tables that all tablets get, whole; and what a user's
manifest says of the user.

They are small, so they are written anew each time; what comes out the same is neither stored nor
listed again.
"""

import hashlib
import time
from typing import Any

import orjson
import zstandard
from psycopg import Connection, sql

from kimo_assets.catalog import ConsoleTable, Field, is_secret, load_console
from kimo_assets.database.installation import installation
from kimo_assets.database.names import KIMO, columns, table
from kimo_assets.database.rules import rules_in_force
from kimo_assets.reports import PublishedEntity
from kimo_assets.sync.store.store import FORMAT, FORMAT_VERSION, Store

SETTINGS_FILE = "settings.json"


def publish_settings(
    connection: Connection, store: Store, *, load: int, zstd_level: int
) -> list[PublishedEntity]:
    """Writes settings.json and its objects where they differ from what the store holds. The caller
    holds the lock.

    Raises: StoreError when the store cannot be read or written; tablets then go on with the
    settings they have.
    """
    identity = installation(connection)
    store.claim(identity)
    with connection.transaction():
        reports, entities = _publish_tables(connection, store, zstd_level)
    # Recorded first: an object that is listed is never taken for one that is not.
    _replace_if_changed(store, identity, load, entities)
    return reports


def _publish_tables(
    connection: Connection, store: Store, zstd_level: int
) -> tuple[list[PublishedEntity], dict[str, Any]]:
    reports: list[PublishedEntity] = []
    entities: dict[str, Any] = {}
    connection.execute("DELETE FROM ops.settings_object")
    for described in load_console().values():
        if described.is_published:
            report, entities[described.name] = _publish_table(
                connection, store, described, zstd_level
            )
            reports.append(report)
    return reports, entities


def _publish_table(
    connection: Connection, store: Store, described: ConsoleTable, zstd_level: int
) -> tuple[PublishedEntity, dict[str, Any]]:
    started = time.monotonic()
    rows, text = _csv(connection, described)
    description: dict[str, Any] = {
        "key": list(described.key),
        "columns": {field.name: field.type for field in described.fields.values()},
        "objects": [],
    }
    if not rows:
        return PublishedEntity(described.name, time.monotonic() - started, "unchanged"), description
    data = zstandard.ZstdCompressor(level=zstd_level, write_checksum=True).compress(text)
    stored = store.add_bytes(data, hashlib.sha256(data).hexdigest())
    connection.execute(
        "INSERT INTO ops.settings_object VALUES (%s, %s)", [described.name, stored.sha256]
    )
    description["objects"] = [{"sha256": stored.sha256, "rows": rows, "bytes": stored.byte_count}]
    report = PublishedEntity(
        described.name,
        time.monotonic() - started,
        "ok" if stored.is_new else "unchanged",
        rows=rows,
        objects=1,
        objects_written=int(stored.is_new),
        bytes=stored.byte_count,
        bytes_written=stored.byte_count if stored.is_new else 0,
    )
    return report, description


def _csv(connection: Connection, described: ConsoleTable) -> tuple[int, bytes]:
    """The table's rows as an object holds them, and how many there are."""
    source = _rules(connection) if described.name == "BusinessRule" else table(KIMO, described.name)
    query = sql.SQL("SELECT {} FROM {} AS t ORDER BY {}").format(
        sql.SQL(", ").join(map(_as_published, described.fields.values())),
        source,
        columns(described.key, of="t"),
    )
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER)").format(query)
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            text = b"".join(bytes(piece) for piece in copy)
        return cursor.rowcount, text


def _as_published(field: Field) -> sql.Composed:
    name = sql.Identifier(field.name)
    return sql.SQL("t.{0}::integer AS {0}" if field.type == "bool" else "t.{0}").format(name)


def _rules(connection: Connection) -> sql.Composed:
    """The business rules as they hold, in place of the table; none that is secret."""
    rules = [rule for rule in rules_in_force(connection).values() if not is_secret(rule[0])]
    return sql.SQL('(SELECT * FROM unnest({}::varchar[], {}::text[]) AS r("Key", "Value"))').format(
        [key for key, _ in rules], [value for _, value in rules]
    )


def _replace_if_changed(store: Store, identity: str, load: int, entities: dict[str, Any]) -> None:
    settings = {"format": FORMAT, "version": FORMAT_VERSION, "store": identity, "load": load}
    found = store.read_or_none(SETTINGS_FILE)
    if found is None or _without_load(found) != {**settings, "load": None, "entities": entities}:
        store.replace(SETTINGS_FILE, orjson.dumps(settings | {"entities": entities}))


def published_settings(store: Store) -> dict[str, tuple[int, int]]:
    """table -> its rows and bytes in the store; nothing of a store without settings that can be
    read.
    """
    found = _without_load(store.read_or_none(SETTINGS_FILE) or b"")
    return {
        name: (sum(o["rows"] for o in table["objects"]), sum(o["bytes"] for o in table["objects"]))
        for name, table in (found or {}).get("entities", {}).items()
    }


def _without_load(text: bytes) -> Any:
    """What settings.json says beside the load; nothing of one that cannot be read, which is then
    replaced.
    """
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return {**found, "load": None} if isinstance(found, dict) else None


def user_records(connection: Connection) -> dict[str, dict[str, Any]]:
    """By their ids, what the own manifests of the users say of them, as the console knows it;
    archived ones have none.
    """
    rows = connection.execute("""
        SELECT u."Id", coalesce(u."Name", u."UserName"), u."UserName", u."SalesAgentId",
            u."WarehouseId", u."Language",
               u."LayoutId", u."NumbersRegistryId",
               ARRAY(SELECT r."RoleId" FROM kimo."UserRole" AS r WHERE r."UserId" = u."Id"
                   ORDER BY 1)
        FROM kimo."User" AS u WHERE NOT u."Archived"
        """)
    return {row[0]: dict(zip(_USER_MEMBERS, row, strict=True)) for row in rows}


_USER_MEMBERS = (
    "id",
    "name",
    "user_name",
    "agent",
    "warehouse",
    "language",
    "layout",
    "numbers_registry",
    "roles",
)
