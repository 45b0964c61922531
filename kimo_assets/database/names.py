"""How names and types of the catalogue are written in PostgreSQL. Text only: no connection here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from psycopg import sql

from kimo_assets.catalog.model import MAX_ID_CHARS, Field

STAGING = "integrator"
KIMO = "kimo"
PLAN = "plan"
OPS = "ops"

# Every row of every entity is identified by its Id: the ERP's, or one derived from the entity's
# key.
ID = "Id"

# Bookkeeping columns beside the vendor's own, which never start with an underscore.
HASH = "_hash"
SEGMENT = "_segment"
GIVEN = "_given"
CHANGED = "_changed_load"
ARCHIVED = "_archived_load"


def table(schema: str, entity: str) -> sql.Identifier:
    return sql.Identifier(schema, entity)


@dataclass(frozen=True)
class StagingArea:
    """Where snapshots are staged, recorded and quarantined."""

    schema: str
    staged: sql.Identifier
    rejected: sql.Identifier


# What step 2 loads; and what a plan has read, which nobody loads before it is applied.
INTEGRATOR = StagingArea(
    STAGING, sql.Identifier(OPS, "staged"), sql.Identifier(OPS, "rejected_row")
)
PLANNED = StagingArea(
    PLAN, sql.Identifier(OPS, "planned"), sql.Identifier(OPS, "planned_rejected_row")
)


# The load that a plan reads for: there is none yet.
NO_LOAD = 0


def columns(names: Sequence[str], *, of: str | None = None) -> sql.Composed:
    """Quoted names with commas between; `of`: an alias before each."""
    return sql.SQL(", ").join(
        sql.Identifier(of, name) if of else sql.Identifier(name) for name in names
    )


def literals(values: Iterable[int | str]) -> sql.Composed:
    """Values in parentheses with commas between, as IN takes them."""
    return sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, values)))


def given_columns(count: int) -> list[str]:
    """Columns of a new snapshot in which what the source gave stays with its row until the snapshot
    is complete.
    """
    return [f"{GIVEN}_{position}" for position in range(count)]


def codes_domain(field: Field) -> str:
    """The name of the domain that admits an enum's codes: the same for the same codes."""
    codes = "_".join(sorted(field.codes, key=int))
    name = f"{'flags' if field.flags else 'enum'}_{codes}".replace("-", "m")
    if len(name) <= _NAME_CHARS:
        return name
    # Cut short, it would stay the same when a code is added at its end.
    return f"{name[:46]}_{blake2b(name.encode(), digest_size=8).hexdigest()}"


# What PostgreSQL keeps of a name.
_NAME_CHARS = 63


def column_type(field: Field) -> sql.Composable:
    """The PostgreSQL type that admits exactly the field's values, so that COPY can be the
    validator.
    """
    if field.name == ID:
        return sql.SQL("ops.key")
    match field.type:
        case "text":
            return sql.SQL("text" if field.size is None else f"varchar({int(field.size)})")
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
