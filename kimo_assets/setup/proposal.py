"""A kimo.yaml from an integration database: every table and view that has an entity's name.

Certain matches are mapped. The others become comments with the reason. Rows are counted, not read.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.errors import PermanentSourceError, SourceError, in_one_line
from kimo_assets.setup.draft import Draft, DraftEntity, DraftMapping, DraftSource
from kimo_assets.setup.matching import (
    Columns,
    Match,
    Tier,
    certain,
    fold,
    match_columns,
    match_tables,
)
from kimo_assets.sources.connection import address
from kimo_assets.sources.discovery import Offered, columns_of, count_rows, other_schemas, tables_of
from kimo_assets.texts import say

# Tables of the integration itself, which hold no data of the ERP.
_OWN_TABLES = {
    "importfromerpsemaphore": "the ERP and the import take turns by it",
    "exporttoerpsemaphore": "the ERP and the export take turns by it",
    "integratormapping": "the vendor's mapping: `kimo mapping pull` reads it",
    "integratorimportfilter": "the vendor's mapping: `kimo mapping pull` reads it",
    "integratorsystemsetting": "the vendor's mapping: `kimo mapping pull` reads it",
}
# A message lists so many tables: enough to see which database it is.
_NAMES_IN_ERROR = 40
# Counting is a convenience, so a huge table must not hold the command up.
_COUNT_ALL_S = 120.0
_COUNT_ONE_S = 20.0

# The lines that open the file.
_HEAD = """\
Written by `kimo init` from {place}.
Of its {tables} tables and views {mapped} carry an entity's name and are mapped here.
Yours to change: docs/mapping.md explains every key, `kimo check` holds it against the live source.

Name: {{}} is the table of that name; columns map to fields of the same name, ignoring case,\
 without a line under
`fields`. Lines that begin with # are for you to decide on."""

OnTable = Callable[[str], None]


@dataclass(frozen=True)
class Proposal:
    """A draft, and the tables it comes from. dangling: missing entity -> fields pointing to it."""

    draft: Draft
    tables: int
    schema: str | None
    dangling: dict[str, list[str]]


@dataclass(frozen=True)
class _Schema:
    """A schema's tables, matched with the catalogue. columns: or the reason they cannot be read."""

    name: str | None
    tables: Sequence[Offered]
    matches: Mapping[str, Sequence[Match]]
    columns: Mapping[Offered, tuple[str, ...] | str]


def propose(
    engine: Engine,
    source: str,
    written_url: str,
    schema: str | None = None,
    on_table: OnTable = lambda name: None,
) -> Proposal:
    """The draft of a kimo.yaml. Raises: SourceError, also when no table has an entity's name.

    schema: None for the default one. If no table there has an entity's name, the schema with the
    most such tables is used.
    """
    chosen, others = _choose_schema(engine, source, schema)
    entities = []
    for name, matches in chosen.matches.items():
        if entity := _entity(name, matches, chosen):
            entities.append(entity)
    if not entities:
        raise PermanentSourceError(_no_entities(engine, chosen))
    _count(engine, source, entities, chosen, on_table)
    dangling = _note_dangling(entities)
    draft = Draft(
        head=_head(engine, entities, chosen),
        sources={source: DraftSource(written_url)},
        entities=entities,
        notes=[*_rest(chosen, entities), *others],
    )
    return Proposal(draft, len(chosen.tables), chosen.name, dangling)


# --- the schema
# ------------------------------------------------------------------------------------------------


def _choose_schema(engine: Engine, source: str, schema: str | None) -> tuple[_Schema, list[str]]:
    """The schema to map, and a comment for each other one that has entities' names."""
    chosen = _read_schema(engine, source, schema)
    # A schema that was asked for is used, whatever it holds.
    if schema is not None or any(map(certain, chosen.matches.values())):
        return chosen, []
    counts = {name: _names_in(engine, source, name) for name in other_schemas(engine, source)}
    best = max(counts, key=lambda name: counts[name], default=None)
    if best is None or not counts[best]:
        return chosen, []
    others = [
        f"Schema {name} has {count} tables and views that carry entities' names too: `kimo init"
        f" --schema {name}`."
        for name, count in counts.items()
        if count and name != best
    ]
    return _read_schema(engine, source, best), others


def _names_in(engine: Engine, source: str, schema: str) -> int:
    """How many entities have a certain table in a schema."""
    try:
        by_entity = match_tables(tables_of(engine, source, schema))
    except SourceError:  # a schema of another application, which this user may not read
        return 0
    return sum(certain(matches) is not None for matches in by_entity.values())


def _read_schema(engine: Engine, source: str, schema: str | None) -> _Schema:
    tables = tables_of(engine, source, schema)
    data = [offered for offered in tables if fold(offered.name) not in _OWN_TABLES]
    by_entity = match_tables(data)
    matched = [match.offered for matches in by_entity.values() for match in matches]
    return _Schema(schema, tables, by_entity, columns_of(engine, source, matched))


# --- an entity
# ----------------------------------------------------------------------------------------------


def _entity(name: str, matches: Sequence[Match], schema: _Schema) -> DraftEntity | None:
    """The entity's mapping, with a doubt where it is not certain; None for unsupported guesses."""
    entity = load_catalog()[name]
    chosen = certain(matches) or _guess(entity, matches, schema)
    if chosen is None:
        return None
    columns = schema.columns[chosen.offered]
    if isinstance(columns, str):
        doubt = f"its {chosen.offered.kind} cannot be looked at ({columns})"
        return DraftEntity(name, [_mapping(chosen)], doubt=doubt)
    pairs = match_columns(entity, columns)
    mapping = _mapping(chosen, dict(pairs.renamed))
    mapping.filled = tuple(pairs.fields)
    mapping.notes += _column_notes(pairs)
    mapping.notes += _other_tables(chosen, matches)
    return DraftEntity(name, [mapping], doubt=_doubt(entity, chosen, matches, pairs))


def _guess(entity: Entity, matches: Sequence[Match], schema: _Schema) -> Match | None:
    """The first of several equal tables, or the first guess that its columns support."""
    first = matches[0]
    if first.tier < Tier.GUESS:
        return first
    for match in matches:
        columns = schema.columns[match.offered]
        if not isinstance(columns, str) and match_columns(entity, columns).resemble():
            return match
    return None


def _mapping(match: Match, fields: dict[str, str] | None = None) -> DraftMapping:
    mapping = DraftMapping(fields=fields or {})
    # The table of the entity's name needs no naming, whatever its case.
    if match.tier > Tier.CASE or match.offered.schema:
        mapping.table = match.offered.written
    return mapping


def _doubt(entity: Entity, chosen: Match, matches: Sequence[Match], columns: Columns) -> str:
    """Why the entity is only a comment in the file, '' when it is mapped."""
    if entity.direction == "export":
        return "Kimo only exports it to the ERP, it is not imported"
    if chosen.tier == Tier.GUESS:
        return (
            f"{chosen.offered.kind} {chosen.offered.name} looks like it, but its name is not"
            " certain"
        )
    equal = [match.offered.written for match in matches if match.tier == chosen.tier]
    if len(equal) > 1:
        return f"{' and '.join(equal)} carry its name alike; take in the right one"
    if not entity.identity and "Id" not in columns.fields:
        return "no column gives its Id, and it has no other key"
    if not {"Id", *entity.identity} & set(columns.fields):
        return f"its key is not there: neither Id nor any of {', '.join(entity.identity)}"
    return ""


def _column_notes(columns: Columns) -> Iterator[str]:
    for field, names in columns.unclear.items():
        yield f"{field} may be {' or '.join(names)}: name one under `fields`"
    if columns.unused:
        yield f"no field takes: {', '.join(columns.unused)}"


def _other_tables(chosen: Match, matches: Sequence[Match]) -> Iterator[str]:
    others = [match.offered.written for match in matches if match.tier > chosen.tier]
    if others:
        yield f"not this, though the name is alike: {', '.join(others)}"


# --- all of them
# --------------------------------------------------------------------------------------------


def _count(
    engine: Engine, source: str, entities: Sequence[DraftEntity], schema: _Schema, on_table: OnTable
) -> None:
    """Notes the row count beside each mapped entity, as long as the time for all lasts."""
    deadline = time.monotonic() + _COUNT_ALL_S
    for entity in [entity for entity in entities if not entity.doubt]:
        offered = schema.matches[entity.name][0].offered
        on_table(offered.written)
        remaining_s = deadline - time.monotonic()
        rows = None
        try:
            if remaining_s > 1:
                rows = count_rows(engine, source, offered, min(remaining_s, _COUNT_ONE_S))
        except SourceError as error:
            # Mapped, it would fail every import. As a comment it waits for the right to read it.
            entity.doubt = f"its {offered.kind} cannot be read ({in_one_line(error)})"
            continue
        entity.remark = _rows_in_words(rows)


def _rows_in_words(rows: int | None) -> str:
    if rows is None:
        return "rows not counted: it takes too long"
    return "1 row" if rows == 1 else f"{rows:,} rows"


def _note_dangling(entities: Sequence[DraftEntity]) -> dict[str, list[str]]:
    """Notes beside each entity the missing entities it points to, and returns them.

    A key with a value needs a row in the table it points to (fact sheet, section 8).
    """
    mapped = {entity.name for entity in entities if not entity.doubt}
    doubtful = {entity.name for entity in entities} - mapped
    dangling: dict[str, list[str]] = {}
    for draft in entities:
        if draft.doubt:
            continue
        mapping = draft.mappings[0]
        for field, target in _targets(load_catalog()[draft.name], mapping.filled):
            if target not in mapped:
                reason = "of which there is no table"
                if target in doubtful:
                    reason = "which is left out"
                mapping.notes.append(f"{field} points to {target}, {reason}")
                dangling.setdefault(target, []).append(f"{draft.name}.{field}")
    return dangling


def _targets(entity: Entity, filled: Sequence[str]) -> list[tuple[str, str]]:
    return [(field, ref.target) for field, ref in entity.hard_references.items() if field in filled]


def _head(engine: Engine, entities: Sequence[DraftEntity], schema: _Schema) -> list[str]:
    mapped = sum(not entity.doubt for entity in entities)
    location = _place(engine, schema)
    text = _HEAD.format(place=location, tables=len(schema.tables), mapped=mapped)
    return text.split("\n")


def _place(engine: Engine, schema: _Schema) -> str:
    """The database's address, with the schema where it is not the default one."""
    if schema.name is None:
        return address(engine)
    return say("setup.schema_of", address=address(engine), schema=schema.name)


def _rest(schema: _Schema, entities: Sequence[DraftEntity]) -> list[str]:
    """Comments on the tables that are no entity's, and on those of the integration itself."""
    used = {match.offered for entity in entities for match in schema.matches[entity.name]}
    rest = [offered for offered in schema.tables if offered not in used]
    own = [offered for offered in rest if fold(offered.name) in _OWN_TABLES]
    others = [offered.written for offered in rest if offered not in own]
    notes = [f"{offered.written}: {_OWN_TABLES[fold(offered.name)]}." for offered in own]
    if others:
        notes += [f"No entity's name: {', '.join(others)}"]
    return notes


def _no_entities(engine: Engine, schema: _Schema) -> str:
    names = [offered.written for offered in schema.tables]
    location = _place(engine, schema)
    if not names:
        return say("setup.no_tables", place=location)
    shown = ", ".join(names[:_NAMES_IN_ERROR])
    if len(names) > _NAMES_IN_ERROR:
        shown = say("setup.names_and_more", names=shown, count=len(names) - _NAMES_IN_ERROR)
    return say("setup.no_entities", count=len(names), place=location, names=shown)
