"""How names and types of the catalogue are written in PostgreSQL. Text only: no connection here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from psycopg import sql

from kimo_assets.catalog.model import MAX_ID_CHARS, Field

INTEGRATOR_SCHEMA = "integrator"
KIMO = "kimo"
PLAN = "plan"
OPS = "ops"

# Every row of every entity is identified by its Id: the ERP's, or one derived from the entity's
# key.
ID = "Id"

# Bookkeeping columns beside the vendor's own, which never start with an underscore.
HASH = "_hash"
SEGMENT = "_segment"
CARRIED = "_carried"
CHANGED = "_changed_load"
ARCHIVED = "_archived_load"


def table(schema: str, entity: str) -> sql.Identifier:
    """An entity's table in a schema, quoted."""
    return sql.Identifier(schema, entity)


@dataclass(frozen=True)
class StagingArea:
    """Where snapshots are staged, recorded and quarantined.

    schema: of the snapshots' tables. staged: the record of what they hold. rejected: the rows that
    were not taken.
    """

    schema: str
    staged: sql.Identifier
    rejected: sql.Identifier


# What step 2 loads.
STAGED_AREA = StagingArea(
    INTEGRATOR_SCHEMA, sql.Identifier(OPS, "staged"), sql.Identifier(OPS, "rejected_row")
)
# What a plan has read. It is not loaded before the plan is applied.
PLANNED = StagingArea(
    PLAN, sql.Identifier(OPS, "planned"), sql.Identifier(OPS, "planned_rejected_row")
)


# A plan reads before there is a load. Its rows carry this number until it is applied.
NO_LOAD = 0


def columns(names: Sequence[str], *, of: str | None = None) -> sql.Composed:
    """Quoted names with commas between. of: an alias before each."""
    qualifier = (of,) if of else ()
    return sql.SQL(", ").join(sql.Identifier(*qualifier, name) for name in names)


def literals(values: Iterable[int | str]) -> sql.Composed:
    """Values in parentheses with commas between, as IN takes them."""
    return sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, values)))


def carried_columns(count: int) -> list[str]:
    """Columns of a new snapshot that carry values of the source until the snapshot is complete.

    So a row that is rejected late can still be quarantined as the source gave it.
    """
    return [f"{CARRIED}_{position}" for position in range(count)]


def codes_domain(field: Field) -> str:
    """The name of the domain that admits an enum's codes: the same for the same codes."""
    kind = "flags" if field.flags else "enum"
    codes = "_".join(sorted(field.codes, key=int)).replace("-", "m")
    name = f"{kind}_{codes}"
    if len(name) <= _NAME_CHARS:
        return name
    # Cut short, it would stay the same when a code is added at its end.
    return f"{name[:46]}_{blake2b(name.encode(), digest_size=8).hexdigest()}"


# PostgreSQL cuts a longer name short without a word.
_NAME_CHARS = 63


def column_type(field: Field) -> sql.Composable:
    """The PostgreSQL type that admits exactly the field's values.

    COPY can be the validator because of it.
    """
    if field.name == ID:
        return sql.SQL("ops.key")
    match field.type:
        case "text" if field.size:
            return sql.SQL(f"varchar({field.size})")
        case "text":
            return sql.SQL("text")
        case "dec":
            return sql.SQL("ops.dec")
        case "int":
            return sql.SQL("integer")
        case "bool":
            return sql.SQL("boolean")
        case "date":
            return sql.SQL("ops.day")
        case "dt":
            return sql.SQL("ops.moment")
        case "enum" if field.is_open_enum:
            return sql.SQL(f"varchar({MAX_ID_CHARS})")
        case _:
            return sql.Identifier("ops", codes_domain(field))
