"""Every table of ours, derived from the catalogue: domains that validate, kimo.*, integrator.*, and
the ledger in ops.*.

Schema kimo holds the entities, which imports fill, and the console's tables, which `kimo settings
load` fills.

`ensure_schema` is idempotent and cheap when nothing is missing. How an older database becomes one
of today is migrate's business; what the rows mean is staging's and loading's business.
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
    codes_domain,
    column_type,
    columns,
    given_columns,
    literals,
    table,
)


def ensure_schema(
    connection: Connection, catalog: Catalog, console: Mapping[str, ConsoleTable] | None = None
) -> Changes | None:
    """Creates what is missing, and brings a database of an earlier version up to date; None when
    nothing was to do.

    Raises: MigrationError when it is of a later version, or values do not fit into the new schema.
    """
    return synchronise(
        connection, target(connection, catalog, load_console() if console is None else console)
    )


def target(connection: Connection, catalog: Catalog, console: Mapping[str, ConsoleTable]) -> Target:
    """What the catalogue stands for: schemas, domains, the ledger, the kimo table of every entity
    and of the console's.
    """
    ledger = files("kimo_assets.database").joinpath("ledger.sql").read_text(encoding="utf-8")
    entities = [catalog[name] for name in catalog.load_order]
    fields = [field for entity in entities for field in entity.fields.values()]
    fields += [field for described in console.values() for field in described.fields.values()]
    made = [*_domains(fields), *map(kimo_table, entities), *map(console_table, console.values())]
    script = ";\n".join([ledger, *(statement.as_string(connection) for statement in made)])
    indexes = ";\n".join(index.as_string(connection) for index in _export_indexes(catalog))
    tables = [
        *(
            Table(e.name, _wanted(connection, e.fields.values(), _BOOKKEEPING), (ID,), True)
            for e in entities
        ),
        *(
            Table(c.name, _wanted(connection, c.fields.values(), {}), c.key, False)
            for c in console.values()
        ),
    ]
    version = blake2b(f"{script};\n{indexes}".encode(), digest_size=16).hexdigest()
    return Target(version, script, tables, indexes or "SELECT", frozenset(catalog.all))


# Beside the fields of an entity.
_BOOKKEEPING: Mapping[str, LiteralString] = {
    HASH: "bigint",
    CHANGED: "bigint NOT NULL DEFAULT 0",
    ARCHIVED: "bigint",
}


def _wanted(
    connection: Connection, fields: Iterable[Field], bookkeeping: Mapping[str, str]
) -> list[Column]:
    """The columns of a table. One that lacks them gets them empty in every row, also those that are
    to be given.
    """
    of_fields = [
        Column(f.name, column_type(f).as_string(connection), _collation(f)) for f in fields
    ]
    return [
        *of_fields,
        *(
            Column(name, "bigint", kind.removeprefix("bigint"))
            for name, kind in bookkeeping.items()
        ),
    ]


def _domains(fields: Iterable[Field]) -> list[sql.Composed]:
    coded = {codes_domain(f): f for f in fields if f.type == "enum" and f.codes}
    return [_codes_domain(name, field) for name, field in sorted(coded.items())]


def _codes_domain(name: str, field: Field) -> sql.Composed:
    codes = sorted(int(code) for code in field.codes)
    if field.flags:
        check = sql.SQL("VALUE & {} = 0").format(sql.Literal(~sum(codes)))
    else:
        check = sql.SQL("VALUE IN ({})").format(sql.SQL(", ").join(map(sql.Literal, codes)))
    return sql.SQL(
        "DO $$ BEGIN IF to_regtype({text}) IS NULL THEN CREATE DOMAIN {name} AS integer CHECK"
        " ({check}); END IF; END $$"
    ).format(text=sql.Literal(f'ops."{name}"'), name=sql.Identifier("ops", name), check=check)


def kimo_table(entity: Entity) -> sql.Composed:
    """kimo.<Entity>: every field of the catalogue, whatever is mapped, and the bookkeeping of step
    2.
    """
    fields = [_column(field) for field in entity.fields.values()]
    bookkeeping = [
        *(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
            for name, kind in _BOOKKEEPING.items()
        ),
        sql.SQL("PRIMARY KEY ({})").format(sql.Identifier(ID)),
    ]
    return sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(
        table(KIMO, entity.name), sql.SQL(", ").join(fields + bookkeeping)
    )


def console_table(described: ConsoleTable) -> sql.Composed:
    """kimo.<table of the console>: nothing imports it, so it has no bookkeeping."""
    definitions = [
        sql.SQL("{}{}").format(_column(f), _console_constraint(described, f))
        for f in described.fields.values()
    ]
    key = sql.SQL("PRIMARY KEY ({})").format(columns(described.key))
    return sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(
        table(KIMO, described.name), sql.SQL(", ").join([*definitions, key])
    )


def _console_constraint(described: ConsoleTable, field: Field) -> sql.SQL:
    if field.type == "bool":
        return sql.SQL(" NOT NULL DEFAULT false")
    return sql.SQL(" NOT NULL" if field.name in (*described.key, *described.required) else "")


def _export_indexes(catalog: Catalog) -> Iterator[sql.Composed]:
    """By which an export finds what is to be sent, and the parts that go with it, among all that is
    not.
    """
    for head in catalog.sent_to_erp:
        yield sql.SQL('CREATE INDEX IF NOT EXISTS {} ON {} ({}) WHERE "EntityStatus" IN {}').format(
            sql.Identifier(f"{head}_in_export"),
            table(KIMO, head),
            sql.Identifier(ID),
            literals((*IN_FLIGHT, EntityStatus.TO_EXPORT_TO_ERP)),
        )
        yield sql.SQL(
            'CREATE INDEX IF NOT EXISTS {} ON {} ("SyncReference") WHERE "SyncReference" IS NOT'
            " NULL"
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
    """The table of a snapshot: the mapped fields, an Id derived from `derived_from` when none is
    mapped, and a content hash.

    carried: how many columns of the source stay with their row until the snapshot is complete.

    Without an index or a key: rows arrive by COPY, and duplicates are found once, over all of them.
    """
    definitions = [_column(entity.fields[field]) for field in mapped]
    if derived_from:
        definitions.append(
            sql.SQL('"Id" varchar(50) COLLATE "C" GENERATED ALWAYS AS ({}) STORED').format(
                derived_id(entity, derived_from, mapped)
            )
        )
    # A generated column cannot build on another one; the parts that an Id is derived from are in
    # the row anyway.
    definitions += [
        sql.SQL("{} bigint GENERATED ALWAYS AS (hash_record_extended(ROW({}), {})) STORED").format(
            sql.Identifier(HASH), columns(mapped), sql.Literal(_seed(mapped))
        ),
        sql.SQL("{} integer NOT NULL").format(sql.Identifier(SEGMENT)),
        *(sql.SQL("{} text").format(sql.Identifier(name)) for name in given_columns(carried)),
    ]
    return sql.SQL("CREATE TABLE {} ({})").format(target, sql.SQL(", ").join(definitions))


def derived_id(entity: Entity, parts: Sequence[str], mapped: Sequence[str]) -> sql.Composed:
    """A stable Id of at most 50 characters from a unique key, whichever of its parts are mapped.

    Keys of up to three parts stay readable, joined by '|', where they fit; the rest are the MD5 of that text. Parts are
    escaped, so that different keys never meet in one text; a part that is not mapped counts as empty; all parts empty
    give no Id at all.
    """
    joined = _joined(entity, parts, mapped)
    empty = sql.SQL("num_nonnulls({}) = 0").format(
        columns([part for part in parts if part in mapped])
    )
    if len(parts) > _READABLE_PARTS:
        # Seldom short enough, and trying costs as much again as all of COPY's own work.
        return sql.SQL("CASE WHEN NOT ({}) THEN md5({}) END").format(empty, joined)
    return sql.SQL(
        "CASE WHEN {empty} THEN NULL WHEN length({joined}) <= 50 THEN {joined} ELSE"
        " md5({joined}) END"
    ).format(empty=empty, joined=joined)


_READABLE_PARTS = 3


def _joined(entity: Entity, parts: Sequence[str], mapped: Sequence[str]) -> sql.Composed:
    """The parts as one text; the constant text between two mapped parts is one literal."""
    pieces: list[sql.Composable] = []
    between = ""
    for position, part in enumerate(parts):
        between += "|" if position else ""
        if part in mapped:
            pieces += [sql.Literal(between)] if between else []
            pieces.append(sql.SQL("coalesce({}, '')").format(_immutable_text(entity.fields[part])))
            between = ""
    pieces += [sql.Literal(between)] if between else []
    return sql.SQL(" || ").join(pieces)


def _immutable_text(field: Field) -> sql.Composed:
    """A field as text by immutable functions only, as a generated column demands (a date's own
    output is not).
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
            return sql.SQL(r"replace(replace({}::text, '\', '\\'), '|', '\|')").format(name)
        case "bool":
            return sql.SQL("CASE WHEN {0} THEN '1' WHEN NOT {0} THEN '0' END").format(name)
        case _:
            return sql.SQL("{}::text").format(name)


def _seed(mapped: Sequence[str]) -> int:
    """Another set of columns is another content: the hash starts from the columns' names."""
    return int.from_bytes(
        blake2b("\0".join(mapped).encode(), digest_size=8).digest(), "big", signed=True
    )


def _column(field: Field) -> sql.Composed:
    return sql.SQL("{} {}{}").format(
        sql.Identifier(field.name), column_type(field), sql.SQL(_collation(field))
    )


def _collation(field: Field) -> LiteralString:
    # Byte order: keys compare and sort several times faster than by a language's rules, and the
    # same everywhere.
    return ' COLLATE "C"' if field.type == "text" and field.name != ID else ""
