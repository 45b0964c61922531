"""A kimo.yaml from what an integration database offers: every table and view that carries an
entity's name.

What is certain is mapped; what is not stands there as a comment with the reason. Rows are counted,
none is read.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from kimo_assets.catalog import Entity, load_catalog
from kimo_assets.errors import PermanentSourceError, SourceError
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

# Tables that belong to the machine itself, not to the ERP's data.
_OWN_TABLES = {
    "importfromerpsemaphore": "the ERP and the import take turns by it",
    "exporttoerpsemaphore": "the ERP and the export take turns by it",
    "integratormapping": "the vendor's mapping: `kimo mapping pull` reads it",
    "integratorimportfilter": "the vendor's mapping: `kimo mapping pull` reads it",
    "integratorsystemsetting": "the vendor's mapping: `kimo mapping pull` reads it",
}
_NAMES_IN_ERROR = 40
_COUNT_ALL_S = 120.0
_COUNT_ONE_S = 20.0

OnTable = Callable[[str], None]


@dataclass(frozen=True)
class Proposal:
    """A draft and what it was made of. dangling: an entity that is not there -> the fields that
    point to it.
    """

    draft: Draft
    tables: int
    schema: str | None
    dangling: dict[str, list[str]]


@dataclass(frozen=True)
class _Found:
    """What a schema offers, held against the catalogue. columns: or in words why they cannot be
    seen.
    """

    schema: str | None
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
    """Without `schema`, the default one; if nothing there carries an entity's name, the one where
    most tables do.

    Raises: SourceError, also when no table carries an entity's name, with the names of those there
    are.
    """
    found, others = _look(engine, source, schema)
    entities = [
        *filter(None, (_entity(name, matches, found) for name, matches in found.matches.items()))
    ]
    if not entities:
        raise PermanentSourceError(_nothing(engine, found))
    _count(engine, source, [e for e in entities if not e.doubt], found, on_table)
    dangling = _note_dangling(entities)
    draft = Draft(
        head=_head(engine, entities, found),
        sources={source: DraftSource(written_url)},
        entities=entities,
        notes=[*_rest(found, entities), *others],
    )
    return Proposal(draft, len(found.tables), found.schema, dangling)


# --- looking
# ------------------------------------------------------------------------------------------------


def _look(engine: Engine, source: str, schema: str | None) -> tuple[_Found, list[str]]:
    found = _look_into(engine, source, schema)
    if schema is not None or any(map(certain, found.matches.values())):
        return found, []
    counts = {name: _names_in(engine, source, name) for name in other_schemas(engine, source)}
    best = max(counts, key=lambda name: counts[name], default=None)
    if best is None or not counts[best]:
        return found, []
    others = [
        f"Schema {name} has {count} tables and views that carry entities' names too: `kimo init"
        f" --schema {name}`."
        for name, count in counts.items()
        if count and name != best
    ]
    return _look_into(engine, source, best), others


def _names_in(engine: Engine, source: str, schema: str) -> int:
    try:
        matches = match_tables(tables_of(engine, source, schema))
    except SourceError:  # somebody else's, which we may not enter
        return 0
    return sum(certain(found) is not None for found in matches.values())


def _look_into(engine: Engine, source: str, schema: str | None) -> _Found:
    tables = tables_of(engine, source, schema)
    data = [offered for offered in tables if fold(offered.name) not in _OWN_TABLES]
    matches = match_tables(data)
    columns = columns_of(
        engine, source, [match.offered for found in matches.values() for match in found]
    )
    return _Found(schema, tables, matches, columns)


# --- an entity
# ----------------------------------------------------------------------------------------------


def _entity(name: str, matches: Sequence[Match], found: _Found) -> DraftEntity | None:
    """The entity as far as it is clear; None where only guesses are there that their columns do not
    support.
    """
    entity = load_catalog()[name]
    chosen = certain(matches) or _guess(entity, matches, found)
    if chosen is None:
        return None
    columns = found.columns[chosen.offered]
    if isinstance(columns, str):
        return DraftEntity(
            name,
            [_mapping(chosen)],
            doubt=f"its {chosen.offered.kind} cannot be looked at ({columns})",
        )
    pairs = match_columns(entity, columns)
    mapping = _mapping(chosen, dict(pairs.renamed))
    mapping.filled = tuple(pairs.fields)
    mapping.notes += _column_notes(pairs)
    mapping.notes += _other_tables(chosen, matches)
    return DraftEntity(name, [mapping], doubt=_doubt(entity, chosen, matches, pairs))


def _guess(entity: Entity, matches: Sequence[Match], found: _Found) -> Match | None:
    first = matches[0]
    if first.tier < Tier.GUESS:  # several of the same rank
        return first
    for match in matches:
        columns = found.columns[match.offered]
        if not isinstance(columns, str) and match_columns(entity, columns).resemble():
            return match
    return None


def _mapping(match: Match, fields: dict[str, str] | None = None) -> DraftMapping:
    offered = match.offered
    needs_table = match.tier > Tier.CASE or offered.schema
    return DraftMapping(table=offered.written if needs_table else None, fields=fields or {})


def _doubt(entity: Entity, chosen: Match, matches: Sequence[Match], columns: Columns) -> str:
    """Why the entity is not taken in, '' when it is."""
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
    engine: Engine, source: str, entities: Sequence[DraftEntity], found: _Found, on_table: OnTable
) -> None:
    """Writes each table's rows beside its entity, as long as the time lasts."""
    until = time.monotonic() + _COUNT_ALL_S
    for entity in entities:
        offered = found.matches[entity.name][0].offered
        on_table(offered.written)
        left = until - time.monotonic()
        try:
            rows = (
                count_rows(engine, source, offered, min(left, _COUNT_ONE_S)) if left > 1 else None
            )
        except SourceError as error:
            entity.doubt = f"its {offered.kind} cannot be read ({' '.join(str(error).split())})"
            continue
        entity.remark = (
            "rows not counted: it takes too long"
            if rows is None
            else f"{rows:,} row{'' if rows == 1 else 's'}"
        )


def _note_dangling(entities: Sequence[DraftEntity]) -> dict[str, list[str]]:
    """Writes beside each entity what it points to that is not there: a key with a value needs its
    table (fact sheet, 8).
    """
    mapped = {entity.name for entity in entities if not entity.doubt}
    doubtful = {entity.name for entity in entities} - mapped
    dangling: dict[str, list[str]] = {}
    for draft in entities:
        if draft.doubt:
            continue
        filled = draft.mappings[0]
        for field, target in _targets(load_catalog()[draft.name], filled.filled):
            if target not in mapped:
                why = "which is left out" if target in doubtful else "of which there is no table"
                filled.notes.append(f"{field} points to {target}, {why}")
                dangling.setdefault(target, []).append(f"{draft.name}.{field}")
    return dangling


def _targets(entity: Entity, filled: Sequence[str]) -> list[tuple[str, str]]:
    return [(field, ref.target) for field, ref in entity.hard_references.items() if field in filled]


def _head(engine: Engine, entities: Sequence[DraftEntity], found: _Found) -> list[str]:
    mapped = sum(not entity.doubt for entity in entities)
    schema = f", schema {found.schema}" if found.schema else ""
    return [
        f"Written by `kimo init` from {address(engine)}{schema}.",
        (
            f"Of its {len(found.tables)} tables and views {mapped} carry an entity's name and are"
            " mapped here."
        ),
        (
            "Yours to change: docs/mapping.md explains every key, `kimo check` holds it against the"
            " live source."
        ),
        "",
        (
            "Name: {} is the table of that name; columns map to fields of the same name, ignoring"
            " case, without a line under"
        ),
        "`fields`. Lines that begin with # are for you to decide on.",
    ]


def _rest(found: _Found, entities: Sequence[DraftEntity]) -> list[str]:
    """What carries no entity's name, and what is the machine's own."""
    used = {match.offered for entity in entities for match in found.matches[entity.name]}
    rest = [offered for offered in found.tables if offered not in used]
    own = [offered for offered in rest if fold(offered.name) in _OWN_TABLES]
    others = [offered.written for offered in rest if offered not in own]
    notes = [f"{offered.written}: {_OWN_TABLES[fold(offered.name)]}." for offered in own]
    if others:
        notes += [f"No entity's name: {', '.join(others)}"]
    return notes


def _nothing(engine: Engine, found: _Found) -> str:
    names = [offered.written for offered in found.tables]
    place = f"{address(engine)}{f', schema {found.schema}' if found.schema else ''}"
    if not names:
        return (
            f"{place} has no tables and no views. Is it the right database, and may this user see"
            " them (--schema)?"
        )
    more = f" and {len(names) - _NAMES_IN_ERROR} more" if len(names) > _NAMES_IN_ERROR else ""
    return (
        f"none of the {len(names)} tables and views of {place} carries an entity's name, so nothing"
        f" was written. It has: {', '.join(names[:_NAMES_IN_ERROR])}{more}. Write the mapping by"
        " hand (docs/mapping.md, with examples/northwind as a complete one); `kimo entities` lists"
        " the names."
    )
