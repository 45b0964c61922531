"""Publishing the settings: the console's tables, whole, that all tablets get.

Also what a user's manifest holds about the user. The tables are small, so they are written
again each time. A result that did not change is neither stored nor listed again.
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
    connection: Connection[Any], store: Store, *, load: int, zstd_level: int
) -> list[PublishedEntity]:
    """Writes settings.json and its objects where they differ from the store's.

    The caller holds the lock. Raises: StoreError when the store cannot be read or written. Tablets
    then keep the settings they have.
    """
    identity = installation(connection)
    store.claim(identity)
    # One transaction: either all tables are recorded, or those of before.
    with connection.transaction():
        reports, entities = _publish_tables(connection, store, zstd_level)
    # Recorded first, so that a listed object never counts as unlisted.
    _replace_if_changed(store, identity, load, entities)
    return reports


def _publish_tables(
    connection: Connection[Any], store: Store, zstd_level: int
) -> tuple[list[PublishedEntity], dict[str, Any]]:
    # All of them are written again, so the ledger of their objects is too.
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
    connection: Connection[Any], store: Store, described: ConsoleTable, zstd_level: int
) -> tuple[PublishedEntity, dict[str, Any]]:
    """The report, and the table's member of settings.json."""
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


def _csv(connection: Connection[Any], described: ConsoleTable) -> tuple[int, bytes]:
    """How many rows the table has, and the rows as an object holds them."""
    source = _rules(connection) if described.name == "BusinessRule" else table(KIMO, described.name)
    # In order, so that the same rows make the same object and nothing has to be fetched.
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
    # 0 and 1, as docs/sync-format.md has flags.
    if field.type == "bool":
        return sql.SQL("t.{0}::integer AS {0}").format(name)
    return sql.SQL("t.{0}").format(name)


def _rules(connection: Connection[Any]) -> sql.Composed:
    """The business rules in force, in place of the table. Secret ones are left out."""
    # The password of a mail server has no place on a tablet.
    rules = [rule for rule in rules_in_force(connection).values() if not is_secret(rule[0])]
    return sql.SQL('(SELECT * FROM unnest({}::varchar[], {}::text[]) AS r("Key", "Value"))').format(
        [key for key, _ in rules], [value for _, value in rules]
    )


def _replace_if_changed(store: Store, identity: str, load: int, entities: dict[str, Any]) -> None:
    settings = {"format": FORMAT, "version": FORMAT_VERSION, "store": identity, "load": load}
    new = {**settings, "entities": entities}
    stored = store.read_or_none(SETTINGS_FILE)
    # A new load alone is no reason: every tablet would fetch the same settings again.
    if stored is None or _without_load(stored) != {**new, "load": None}:
        store.replace(SETTINGS_FILE, orjson.dumps(new))


def published_settings(store: Store) -> dict[str, tuple[int, int]]:
    """table -> its rows and bytes in the store. Empty without settings that can be read."""
    settings = _without_load(store.read_or_none(SETTINGS_FILE) or b"") or {}
    sizes = {}
    for name, description in settings.get("entities", {}).items():
        objects = description["objects"]
        rows = sum(listed["rows"] for listed in objects)
        sizes[name] = (rows, sum(listed["bytes"] for listed in objects))
    return sizes


def _without_load(text: bytes) -> dict[str, Any] | None:
    """settings.json beside the load. None: it cannot be read, and is to be replaced."""
    try:
        settings = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return {**settings, "load": None} if isinstance(settings, dict) else None


def user_records(connection: Connection[Any]) -> dict[str, dict[str, Any]]:
    """user id -> the member `user` of the user's manifest, from the console. Not archived ones."""
    rows = connection.execute("""
        SELECT u."Id", coalesce(u."Name", u."UserName"), u."UserName", u."SalesAgentId",
            u."WarehouseId", u."Language", u."LayoutId", u."NumbersRegistryId",
            ARRAY(SELECT r."RoleId" FROM kimo."UserRole" AS r WHERE r."UserId" = u."Id" ORDER BY 1)
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
