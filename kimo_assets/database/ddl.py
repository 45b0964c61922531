"""Every table of ours, derived from the catalogue: kimo.*, integrator.*, and the ledger in ops.*.

Schema kimo holds the entities, which imports fill, and the console's tables, which `kimo settings
load` fills. Domains in ops validate the values. `ensure_schema` is idempotent, and cheap when
nothing is missing. How an older database is upgraded is the business of migrate. What the rows mean
is the business of staging and loading.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from importlib.resources import files
from typing import LiteralString

from psycopg import Connection, sql

from kimo_assets.catalog import Catalog, ConsoleTable, Entity, load_console
from kimo_assets.catalog.lifecycle import IN_FLIGHT, EntityStatus
from kimo_assets.catalog.model import Field
from kimo_assets.database.migrate import Changes, Column, Table, Target, synchronise
from kimo_assets.database.names import (
    ARCHIVED,
    CHANGED,
    HASH,
    ID,
    KIMO,
    SEGMENT,
    carried_columns,
    codes_domain,
    column_type,
    columns,
    literals,
    table,
)


def ensure_schema(
    connection: Connection, catalog: Catalog, console: Mapping[str, ConsoleTable] | None = None
) -> Changes | None:
    """Creates what is missing and upgrades an older database. None: nothing was to do.

    Raises: MigrationError when it is of a later version, or values do not fit into the new schema.
    """
    if console is None:
        console = load_console()
    return synchronise(connection, target(connection, catalog, console))


def target(connection: Connection, catalog: Catalog, console: Mapping[str, ConsoleTable]) -> Target:
    """The schema of this catalogue: domains, the ledger, and the tables of entities and console."""
    ledger = files("kimo_assets.database").joinpath("ledger.sql").read_text(encoding="utf-8")
    entities = [catalog[name] for name in catalog.load_order]
    statements = [
        *_domains([*entities, *console.values()]),
        *map(kimo_table, entities),
        *map(console_table, console.values()),
    ]
    script = ";\n".join([ledger, *_texts(connection, statements)])
    indexes = ";\n".join(_texts(connection, _export_indexes(catalog)))
    tables = [_entity_columns(connection, entity) for entity in entities]
    tables += [_console_columns(connection, described) for described in console.values()]
    # Any difference in the text is another version: a database is compared with the catalogue once
    # more, which costs little.
    version = blake2b(f"{script};\n{indexes}".encode(), digest_size=16).hexdigest()
    return Target(version, script, tables, indexes or "SELECT", frozenset(catalog.all))


def _texts(connection: Connection, statements: Iterable[sql.Composed]) -> list[str]:
    return [statement.as_string(connection) for statement in statements]


def _entity_columns(connection: Connection, entity: Entity) -> Table:
    """An entity's table as it should be. Loads keep the rows before them in its history."""
    expected = _expected_columns(connection, entity.fields.values(), _BOOKKEEPING)
    return Table(entity.name, expected, key=(ID,), has_history=True)


def _console_columns(connection: Connection, described: ConsoleTable) -> Table:
    """A table of the console as it should be."""
    expected = _expected_columns(connection, described.fields.values(), {})
    return Table(described.name, expected, key=described.key, has_history=False)


# The columns of step 2, beside the fields of an entity.
_BOOKKEEPING: Mapping[str, LiteralString] = {
    HASH: "bigint",
    CHANGED: "bigint NOT NULL DEFAULT 0",
    ARCHIVED: "bigint",
}


def _expected_columns(
    connection: Connection, fields: Iterable[Field], bookkeeping: Mapping[str, str]
) -> list[Column]:
    """The columns of a table. A table that lacks one gets it empty in every row."""
    # So a new column has no NOT NULL, even where the console requires a value.
    expected = [Column(f.name, column_type(f).as_string(connection), _collation(f)) for f in fields]
    for name, definition in bookkeeping.items():
        expected.append(Column(name, "bigint", definition.removeprefix("bigint")))
    return expected


def _domains(tables: Iterable[Entity | ConsoleTable]) -> list[sql.Composed]:
    """One domain for each set of codes, however many fields have it."""
    fields = [field for described in tables for field in described.fields.values()]
    coded = {codes_domain(field): field for field in fields if field.type == "enum" and field.codes}
    return [_codes_domain(name, field) for name, field in sorted(coded.items())]


def _codes_domain(name: str, field: Field) -> sql.Composed:
    """The domain of an enum's codes, created if it is not there. CREATE DOMAIN knows no IF NOT
    EXISTS.
    """
    codes = sorted(int(code) for code in field.codes)
    if field.flags:
        # No bit beside those of the codes.
        check = sql.SQL("VALUE & {} = 0").format(sql.Literal(~sum(codes)))
    else:
        check = sql.SQL("VALUE IN ({})").format(sql.SQL(", ").join(map(sql.Literal, codes)))
    return sql.SQL(
        "DO $$ BEGIN IF to_regtype({text}) IS NULL THEN"
        " CREATE DOMAIN {name} AS integer CHECK ({check});"
        " END IF; END $$"
    ).format(text=sql.Literal(f'ops."{name}"'), name=sql.Identifier("ops", name), check=check)


def kimo_table(entity: Entity) -> sql.Composed:
    """kimo.<Entity>: every field of the catalogue, mapped or not, and the columns of step 2."""
    definitions = [_column(field) for field in entity.fields.values()]
    for name, definition in _BOOKKEEPING.items():
        definitions.append(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(definition)))
    definitions.append(sql.SQL("PRIMARY KEY ({})").format(sql.Identifier(ID)))
    return sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(
        table(KIMO, entity.name), sql.SQL(", ").join(definitions)
    )


def console_table(described: ConsoleTable) -> sql.Composed:
    """kimo.<table of the console>: nothing imports it, so it has no bookkeeping."""
    definitions = [
        sql.SQL("{}{}").format(_column(field), _console_constraint(described, field))
        for field in described.fields.values()
    ]
    definitions.append(sql.SQL("PRIMARY KEY ({})").format(columns(described.key)))
    return sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(
        table(KIMO, described.name), sql.SQL(", ").join(definitions)
    )


def _console_constraint(described: ConsoleTable, field: Field) -> sql.SQL:
    if field.type == "bool":
        return sql.SQL(" NOT NULL DEFAULT false")
    if field.name in (*described.key, *described.required):
        return sql.SQL(" NOT NULL")
    return sql.SQL("")


def _export_indexes(catalog: Catalog) -> Iterator[sql.Composed]:
    """Indexes by which an export finds the records to send, and their parts, among all others."""
    for head in catalog.sent_to_erp:
        # Nearly all rows are at rest. The condition keeps them out, and the index small.
        yield sql.SQL('CREATE INDEX IF NOT EXISTS {} ON {} ({}) WHERE "EntityStatus" IN {}').format(
            sql.Identifier(f"{head}_in_export"),
            table(KIMO, head),
            sql.Identifier(ID),
            literals((*IN_FLIGHT, EntityStatus.TO_EXPORT_TO_ERP)),
        )
        yield sql.SQL(
            'CREATE INDEX IF NOT EXISTS {} ON {} ("SyncReference")'
            ' WHERE "SyncReference" IS NOT NULL'
        ).format(sql.Identifier(f"{head}_reference"), table(KIMO, head))
        for part in catalog.sent_with(head):
            yield sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ({})").format(
                sql.Identifier(f"{part}_of_{head}"),
                table(KIMO, part),
                sql.Identifier(catalog[part].owner_field or ""),
            )


def staging_table(
    entity: Entity,
    mapped: Sequence[str],
    target: sql.Identifier,
    derived_from: tuple[str, ...],
    carried: int = 0,
) -> sql.Composed:
    """The table of a snapshot: the mapped fields, a content hash, and the number of the segment.

    derived_from: the fields that the Id is derived from when none is mapped. carried: how many
    columns of the source stay with their row until the snapshot is complete.
    """
    # No index and no key: rows arrive by COPY, and duplicates are looked for once, over all rows.
    definitions = [_column(entity.fields[field]) for field in mapped]
    if derived_from:
        definitions.append(
            sql.SQL('"Id" varchar(50) COLLATE "C" GENERATED ALWAYS AS ({}) STORED').format(
                derived_id(entity, derived_from, mapped)
            )
        )
    # The hash is over the mapped fields only, because a generated column cannot build on another.
    # The parts of a derived Id are among them.
    definitions += [
        sql.SQL("{} bigint GENERATED ALWAYS AS (hash_record_extended(ROW({}), {})) STORED").format(
            sql.Identifier(HASH), columns(mapped), sql.Literal(_seed(mapped))
        ),
        sql.SQL("{} integer NOT NULL").format(sql.Identifier(SEGMENT)),
    ]
    for name in carried_columns(carried):
        definitions.append(sql.SQL("{} text").format(sql.Identifier(name)))
    return sql.SQL("CREATE TABLE {} ({})").format(target, sql.SQL(", ").join(definitions))


def derived_id(entity: Entity, parts: Sequence[str], mapped: Sequence[str]) -> sql.Composed:
    """A stable Id of at most 50 characters from a unique key, whichever of its parts are mapped.

    Keys of up to three parts stay readable, joined by '|', where they fit. The others are the MD5
    of that text. A part that is not mapped counts as empty. If all parts are empty, there is no Id.
    """
    joined = _joined(entity, parts, mapped)
    mapped_parts = [part for part in parts if part in mapped]
    empty = sql.SQL("num_nonnulls({}) = 0").format(columns(mapped_parts))
    if len(parts) > _READABLE_PARTS:
        # Seldom short enough, and trying costs as much again as all the other work of COPY.
        return sql.SQL("CASE WHEN NOT ({}) THEN md5({}) END").format(empty, joined)
    return sql.SQL(
        "CASE WHEN {empty} THEN NULL"
        " WHEN length({joined}) <= 50 THEN {joined}"
        " ELSE md5({joined}) END"
    ).format(empty=empty, joined=joined)


_READABLE_PARTS = 3


def _joined(entity: Entity, parts: Sequence[str], mapped: Sequence[str]) -> sql.Composed:
    """The parts as one text with '|' between. A part that is not mapped is empty."""
    pieces: list[sql.Composable] = []
    # The constant text since the last mapped part is one literal, which saves COPY some work.
    between = ""
    for position, part in enumerate(parts):
        if position:
            between += "|"
        if part in mapped:
            if between:
                pieces.append(sql.Literal(between))
            pieces.append(sql.SQL("coalesce({}, '')").format(_immutable_text(entity.fields[part])))
            between = ""
    if between:
        pieces.append(sql.Literal(between))
    return sql.SQL(" || ").join(pieces)


def _immutable_text(field: Field) -> sql.Composed:
    """A field as text by immutable functions only, as a generated column demands.

    The output of a date depends on a setting, so that it is not immutable.
    """
    name = sql.Identifier(field.name)
    match field.type:
        case "date":
            return sql.SQL("({}::date - date '0001-01-01')::text").format(name)
        case "dt":
            return sql.SQL("trim_scale(extract(epoch FROM {}::timestamp))::text").format(name)
        case "dec":
            return sql.SQL("trim_scale({}::numeric)::text").format(name)
        case "text":
            # Escaped, so that different keys never make the same text.
            return sql.SQL(r"replace(replace({}::text, '\', '\\'), '|', '\|')").format(name)
        case "bool":
            return sql.SQL("CASE WHEN {0} THEN '1' WHEN NOT {0} THEN '0' END").format(name)
        case _:
            return sql.SQL("{}::text").format(name)


def _seed(mapped: Sequence[str]) -> int:
    """What the hash starts from: the columns' names, as another set of them is other content."""
    digest = blake2b("\0".join(mapped).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _column(field: Field) -> sql.Composed:
    return sql.SQL("{} {}{}").format(
        sql.Identifier(field.name), column_type(field), sql.SQL(_collation(field))
    )


def _collation(field: Field) -> LiteralString:
    # Byte order: texts compare and sort several times faster than by the rules of a language, and
    # in the same way on every server.
    return ' COLLATE "C"' if field.type == "text" and field.name != ID else ""
