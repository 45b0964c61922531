"""What a settings file says of rows elsewhere: of the console's other tables, of entities, of the
catalogue.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, ConsoleTable, load_catalog, load_console
from kimo_assets.database.names import ARCHIVED, KIMO, table
from kimo_assets.errors import nearest
from kimo_assets.settings.document import Settings
from kimo_assets.settings.tables import Key, Rows

_SHOWN = 5
_SALES_AGENT = 1


def wrong_references(
    connection: Connection, settings: Settings, after: Mapping[str, Rows]
) -> Iterator[str]:
    """A sentence for each value that points nowhere. after: every table as it would be once the
    file is loaded.
    """
    for described in load_console().values():
        for field in described.fields.values():
            if field.console_reference:
                yield from _to_console(
                    settings, after, described, field.name, field.console_reference.target
                )
            if field.references and described.name in settings.tables:
                yield from _to_entity(
                    connection, settings, described, field.name, field.references.target
                )
    yield from _wrong_names(settings, after)


def _to_console(
    settings: Settings, after: Mapping[str, Rows], described: ConsoleTable, field: str, target: str
) -> Iterator[str]:
    known = {key[0] for key in after[target]}
    own = settings.tables.get(described.name, {})
    left_out: dict[str, list[str]] = {}
    for key, row in after[described.name].items():
        value = row[field]
        if value is None or value in known:
            continue
        if key in own:
            yield (
                f"{_place(settings, described, key, field)}: there is no {target}"
                f" '{value}'.{_hint(value, known)}"
            )
        else:
            left_out.setdefault(value, []).append(str(key[0]))
    if target in settings.tables:
        for value, users in left_out.items():
            shown = ", ".join(users[:_SHOWN]) + (" and others" if len(users) > _SHOWN else "")
            said = (
                f"'{value}' is left out and in use, by {described.name} {shown}: keep it, or take"
                " it from there first"
            )
            yield f"{settings.place(target)}: {said}"


def _to_entity(
    connection: Connection, settings: Settings, described: ConsoleTable, field: str, target: str
) -> Iterator[str]:
    archived_by = described.archived_by or ""
    wanted = {
        key: row[field]
        for key, row in settings.tables[described.name].items()
        if row[field] is not None and not row.get(archived_by)
    }
    if not wanted:
        return
    query = sql.SQL('SELECT "Id" FROM {} WHERE {} IS NULL ORDER BY "Id"').format(
        table(KIMO, target), sql.Identifier(ARCHIVED)
    )
    known = [code for (code,) in connection.execute(query)]
    for key, value in wanted.items():
        if value not in known:
            said = (
                f"there is no {target} '{value}' among the imported ones, and only these can be"
                " chosen."
            )
            yield (
                f"{_place(settings, described, key, field)}:"
                f" {said}{_hint(value, known) or _imported(target, known)}"
            )


def _imported(target: str, known: Sequence[str]) -> str:
    if not known:
        return f" No {target} is imported yet: `kimo import` first."
    return f" They are {', '.join(known[:_SHOWN])}{' ...' if len(known) > _SHOWN else '.'}"


def _wrong_names(settings: Settings, after: Mapping[str, Rows]) -> Iterator[str]:
    """Names of entities, fields and kinds of status that the catalogue does not know."""
    catalog = load_catalog()
    kinds = {kind for entity in catalog.entities.values() for kind in entity.status_fields.values()}
    for name, rows in settings.tables.items():
        for key, row in rows.items():
            described = load_console()[name]
            if "Entity" in row and row["Entity"] not in catalog.entities:
                hint = _hint(row["Entity"], catalog.entities)
                yield (
                    f"{_place(settings, described, key, 'Entity')}: '{row['Entity']}' is not an"
                    f" entity.{hint}"
                )
            elif "Field" in row:
                yield from _wrong_field(settings, after, catalog, described, key)
            elif name == "ErpStatus" and row["Type"] not in kinds:
                said = "there is no such kind of status. Expected an entity and a number"
                hint = _hint(row["Type"], kinds) or ", e.g. Account1"
                yield f"{_place(settings, described, key)}: {said}{hint}"


def _wrong_field(
    settings: Settings,
    after: Mapping[str, Rows],
    catalog: Catalog,
    described: ConsoleTable,
    key: Key,
) -> Iterator[str]:
    row = settings.tables[described.name][key]
    metadata = after["EntityMetadata"].get((row.get("EntityMetadataId"),), {})
    entity = catalog.entities.get(row.get("Entity") or metadata.get("Entity") or "")
    if entity and row["Field"] not in entity.fields:
        hint = _hint(row["Field"], entity.fields)
        yield (
            f"{_place(settings, described, key)}: {entity.name} has no field"
            f" '{row['Field']}'.{hint}"
        )


def warnings(settings: Settings, after: Mapping[str, Rows]) -> list[str]:
    """What is allowed and probably not meant: of the users who are not archived."""
    if not {"User", "UserRole"} & set(settings.tables):
        return []
    with_role = {user for user, _ in after["UserRole"]}
    said = []
    for (user,), row in after["User"].items():
        if row["Archived"]:
            continue
        where = (
            settings.place("User", (user,))
            if (user,) in settings.tables.get("User", {})
            else f"User {user}"
        )
        if user not in with_role:
            said.append(f"{where}: has no role: can log in, and finds no function")
        if row["UserTypeId"] == _SALES_AGENT and row["SalesAgentId"] is None:
            said.append(f"{where}: is of type SalesAgent without a SalesAgentId: gets no data")
    return said


def _place(settings: Settings, described: ConsoleTable, key: Key, field: str = "") -> str:
    """The line of the column where it has one: a part of a key, and a column alone, stand on their
    row's.
    """
    has_line = field in described.values and len(described.values) > 1
    return settings.place(described.name, key, field if has_line else "")


def _hint(value: str, known: Iterable[str]) -> str:
    hint = nearest(value, known)
    return f" Did you mean {' or '.join(hint)}?" if hint else ""
