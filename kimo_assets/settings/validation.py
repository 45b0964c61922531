"""The references of a settings file: to other tables of the console, entities, the catalogue."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, ConsoleTable, load_catalog, load_console
from kimo_assets.database.names import ARCHIVED, KIMO, table
from kimo_assets.settings.document import Settings
from kimo_assets.settings.tables import Key, Rows
from kimo_assets.settings.values import did_you_mean
from kimo_assets.texts import say

_SHOWN = 5
# UserTypeId (fact sheet, section 11).
_SALES_AGENT = 1


def wrong_references(
    connection: Connection[Any], settings: Settings, after: Mapping[str, Rows]
) -> Iterator[str]:
    """A sentence for each value that points nowhere.

    after: every table as it would be once the file is loaded.
    """
    # All tables, not only the file's: the file may leave out a row that another table names.
    for described in load_console().values():
        for field in described.fields.values():
            if field.console_reference:
                target = field.console_reference.target
                yield from _to_console(settings, after, described, field.name, target)
            # Only the file's own: an import may since have dropped a row, which is not this file's
            # mistake.
            if field.references and described.name in settings.tables:
                target = field.references.target
                yield from _to_entity(connection, settings, described, field.name, target)
    yield from _wrong_names(settings, after)


def _to_console(
    settings: Settings, after: Mapping[str, Rows], described: ConsoleTable, field: str, target: str
) -> Iterator[str]:
    """Values of a field that no row of the console's table has, in the file or still in use."""
    codes = {key[0] for key in after[target]}
    own = settings.tables.get(described.name, {})
    left_out: dict[str, list[str]] = {}
    for key, row in after[described.name].items():
        value = row[field]
        if value is None or value in codes:
            continue
        if key in own:
            hint = did_you_mean(value, codes)
            message = say("settings.no_such_row", target=target, value=value, hint=hint)
            yield _at(settings, described, key, field, message)
        else:
            left_out.setdefault(value, []).append(str(key[0]))
    # Otherwise the row was missing before, and this file changes nothing about it.
    if target in settings.tables:
        for value, users in left_out.items():
            shown = ", ".join(users[:_SHOWN])
            if len(users) > _SHOWN:
                shown = say("settings.users_and_others", users=shown)
            message = say(
                "settings.left_out_in_use", value=value, table=described.name, users=shown
            )
            yield f"{settings.place(target)}: {message}"


def _to_entity(
    connection: Connection[Any],
    settings: Settings,
    described: ConsoleTable,
    field: str,
    target: str,
) -> Iterator[str]:
    """Values of a field that no imported row has. Archived rows may keep what was there once."""
    archived_by = described.archived_by or ""
    values = {
        key: row[field]
        for key, row in settings.tables[described.name].items()
        if row[field] is not None and not row.get(archived_by)
    }
    if not values:
        return
    query = sql.SQL('SELECT "Id" FROM {} WHERE {} IS NULL ORDER BY "Id"').format(
        table(KIMO, target), sql.Identifier(ARCHIVED)
    )
    codes = [code for (code,) in connection.execute(query)]
    for key, value in values.items():
        if value not in codes:
            hint = did_you_mean(value, codes) or _imported(target, codes)
            message = say("settings.not_imported", target=target, value=value, hint=hint)
            yield _at(settings, described, key, field, message)


def _imported(target: str, codes: Sequence[str]) -> str:
    if not codes:
        return say("settings.none_imported_yet", target=target)
    names = ", ".join(codes[:_SHOWN])
    if len(codes) > _SHOWN:
        return say("settings.some_are", names=names)
    return say("settings.they_are", names=names)


def _wrong_names(settings: Settings, after: Mapping[str, Rows]) -> Iterator[str]:
    """Names of entities, fields and kinds of status that the catalogue does not know."""
    catalog = load_catalog()
    # A kind is `<Entity><Index>` (fact sheet, section 8). A misspelt one would decode no status.
    kinds = {kind for entity in catalog.entities.values() for kind in entity.status_fields.values()}
    for name, rows in settings.tables.items():
        for key, row in rows.items():
            described = load_console()[name]
            if "Entity" in row and row["Entity"] not in catalog.entities:
                hint = did_you_mean(row["Entity"], catalog.entities)
                message = say("settings.not_an_entity", name=row["Entity"], hint=hint)
                yield _at(settings, described, key, "Entity", message)
            elif "Field" in row:
                yield from _wrong_field(settings, after, catalog, described, key)
            elif name == "ErpStatus" and row["Type"] not in kinds:
                hint = did_you_mean(row["Type"], kinds) or say("settings.status_kind_example")
                message = say("settings.no_such_status_kind", hint=hint)
                yield _at(settings, described, key, "", message)


def _wrong_field(
    settings: Settings,
    after: Mapping[str, Rows],
    catalog: Catalog,
    described: ConsoleTable,
    key: Key,
) -> Iterator[str]:
    """A field that the entity of the row, or of its metadata, does not have."""
    row = settings.tables[described.name][key]
    metadata = after["EntityMetadata"].get((row.get("EntityMetadataId"),), {})
    entity = catalog.entities.get(row.get("Entity") or metadata.get("Entity") or "")
    if entity and row["Field"] not in entity.fields:
        hint = did_you_mean(row["Field"], entity.fields)
        message = say("settings.no_such_field", entity=entity.name, field=row["Field"], hint=hint)
        yield _at(settings, described, key, "", message)


def warnings(settings: Settings, after: Mapping[str, Rows]) -> list[str]:
    """What is allowed and probably not meant: of the users who are not archived."""
    # The file is not about users. They were warned of when they were loaded.
    if not {"User", "UserRole"} & set(settings.tables):
        return []
    with_role = {user for user, _ in after["UserRole"]}
    sentences = []
    for (user,), row in after["User"].items():
        if row["Archived"]:
            continue
        # A user who is not in the file is named without a line.
        user_shown = f"User {user}"
        if (user,) in settings.tables.get("User", {}):
            user_shown = settings.place("User", (user,))
        # Such a user can log in and has no functions (fact sheet, section 11).
        if user not in with_role:
            sentences.append(say("settings.user_without_role", user=user_shown))
        # Payloads are chosen by the agent's code, so this user would get none.
        if row["UserTypeId"] == _SALES_AGENT and row["SalesAgentId"] is None:
            sentences.append(say("settings.agent_without_code", user=user_shown))
    return sentences


def _at(settings: Settings, described: ConsoleTable, key: Key, field: str, message: str) -> str:
    """The message behind the line of the column, or of its row.

    A part of a key, and a column alone, stand on the line of their row.
    """
    if field not in described.values or len(described.values) == 1:
        field = ""
    return f"{settings.place(described.name, key, field)}: {message}".rstrip()
