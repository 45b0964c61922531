"""Reports as Dagster metadata: counts that plot over time, tables that people read.

Here is how things look in the UI: what stands first, how wide a table is. What figures mean is the
reports'.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg
from psycopg import Connection, sql

from kimo_assets.catalog import Entity, Field, load_catalog
from kimo_assets.catalog.menu import STEP_TITLES
from kimo_assets.config import EntityMapping, KimoConfig
from kimo_assets.database.names import ARCHIVED, ID, INTEGRATOR_SCHEMA, KIMO
from kimo_assets.database.rejection_history import loads_of_step, since_in_words, times_rejected
from kimo_assets.loading.queries import dangling_fields
from kimo_assets.reports import AnswersEntity, EntityReport, PublishedEntity, StepReport
from kimo_assets.staging.queries import rejected_samples
from kimo_assets.sync.queries import published_columns
from kimo_assets.texts import say

_SAMPLE_ROWS = 5
# Enough to see what is wrong with them. `kimo rejected` lists all.
_REJECTED_ROWS = 20
_CELL_CHARS = 60
# A reason says at its end what to do.
_WHY_CHARS = 400

# What fits beside the names of a partition's page on a laptop, in characters; wider tables are cut
# off there.
_SAMPLE_CHARS = 72
_SAMPLE_CELL_CHARS = 24
# The fields by which a person knows a row.
_NAMING = ("Id", "Name", "Description", "Label", "Code")

MetadataValues = dict[str, Any]


def recorded_metadata(
    connection: Connection, config: KimoConfig, report: StepReport
) -> dict[str, MetadataValues]:
    """partition -> its metadata, for the entities that did not fail.

    Entities that Kimo derives have no partition. Their figures stand with the entities they follow.
    """
    catalog = load_catalog()
    done = {name: entity for name, entity in report.entities.items() if entity.status != "failed"}
    values = {
        name: entity_metadata(connection, config, report.step, entity)
        for name, entity in done.items()
        if name not in catalog.derived
    }
    for name, entity in done.items():
        if name in catalog.derived:
            beside = {f"{name}: {count}": value for count, value in _counts(entity).items()}
            for partition in values.keys() & set(catalog[name].follows):
                values[partition] |= beside
    return values


def entity_metadata(
    connection: Connection, config: KimoConfig, step: int, report: EntityReport
) -> MetadataValues:
    """The metadata of one partition: figures, rejected rows, a sample, and where the table is."""
    values: MetadataValues = {"status": report.status, **_counts(report)}
    match step:
        case 1:
            values |= _rejected(connection, report.entity, step)
            values |= _sample(connection, INTEGRATOR_SCHEMA, report.entity)
            values |= _origin(config.entities[report.entity], report.entity)
        case 2:
            values |= _rejected(connection, report.entity, step) | _dangling(
                connection, report.entity
            )
            values |= _sample(connection, KIMO, report.entity)
            if isinstance(report, AnswersEntity) and report.notes:
                values["the ERP's answers"] = dg.MetadataValue.md(
                    "\n".join(f"* {_escaped(note)}" for note in report.notes)
                )
        case _:
            values["objects_reused"] = values["objects"] - values["objects_written"]
            values["store"] = dg.MetadataValue.path(config.sync_store)
    values |= _column_schema(connection, config, step, report.entity)
    # Names that begin with dagster/ are Dagster's: the UI shows these in places of their own.
    return values | {"seconds": round(report.seconds, 3), "dagster/row_count": _row_count(report)}


# What the figures of a report are called where people read them; the others keep their name.
_LABELS = {"rules": "rejected", "dangling": "dangling"}


def _counts(report: EntityReport) -> MetadataValues:
    """Every count by name, also when it is zero: a plot needs all its points. By rule or field: one
    each.
    """
    values: MetadataValues = {}
    for name, count in report.counts().items():
        if isinstance(count, dict):
            values |= {f"{_LABELS[name]}: {key}": number for key, number in count.items()}
        else:
            values[name] = count
    return values


def _row_count(report: EntityReport) -> int:
    counts = report.counts()
    if "staged" in counts:
        return int(counts["staged"])
    if isinstance(report, PublishedEntity):
        return report.rows
    return int(sum(counts[kind] for kind in ("inserted", "updated", "unchanged", "held")))


def _sample(connection: Connection, schema: str, entity: str) -> MetadataValues:
    """Some rows of the table, without archived ones, and the table's name."""
    names = _columns(connection, schema, entity)
    condition: sql.Composable = sql.SQL("")
    if schema == KIMO:
        condition = sql.SQL("WHERE {} IS NULL").format(sql.Identifier(ARCHIVED))
    query = sql.SQL("SELECT {} FROM {} {} LIMIT {}").format(
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.Identifier(schema, entity),
        condition,
        sql.Literal(_SAMPLE_ROWS),
    )
    rows = connection.execute(query).fetchall()
    table = say("defs.no_rows")
    if rows:
        table = sample_table(load_catalog()[entity], names, rows)
    return {"sample": dg.MetadataValue.md(table), "table": f'{schema}."{entity}"'}


def _columns(connection: Connection, schema: str, entity: str) -> list[str]:
    # Kimo's own columns of bookkeeping begin with an underscore, and are no fields.
    described = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name"
        " = %s AND column_name NOT LIKE '\\_%%' ORDER BY ordinal_position",
        [schema, entity],
    ).fetchall()
    return [name for (name,) in described]


def sample_table(entity: Entity, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """As many columns as fit a page: keys and names first, then references, then columns whose
    values differ.
    """
    cells = {
        name: [_cell(row[i], _SAMPLE_CELL_CHARS) for row in rows] for i, name in enumerate(names)
    }

    def rank(name: str) -> tuple[bool, bool, bool]:
        identifies = name in _NAMING or name in entity.identity
        is_constant = len(set(cells[name])) == 1
        return (not identifies, name not in entity.hard_references, is_constant)

    chosen: list[str] = []
    room = _SAMPLE_CHARS
    # Most companies use a part of the fields. An empty column would only take room.
    filled = [name for name in names if any(cells[name])]
    for name in sorted(filled, key=rank):
        width = max(map(len, (name, *cells[name]))) + 2
        if width <= room:
            chosen.append(name)
            room -= width
    # Chosen by rank, but shown in the table's own order, where people look for them.
    chosen.sort(key=lambda name: (name != ID, names.index(name)))
    return markdown_table(chosen, list(zip(*(cells[name] for name in chosen), strict=True)))


def _rejected(connection: Connection, entity: str, step: int) -> MetadataValues:
    """The rejected rows, those that were not rejected before first."""
    samples = rejected_samples(connection, entity, step, most=_REJECTED_ROWS)
    if not samples:
        return {}
    loads = loads_of_step(connection, entity, step)
    shown = []
    for row in samples:
        since = since_in_words(row.since, times_rejected(loads, row.since_load))
        shown.append((row.rule, row.column, row.value, row.source_key, since))
    return {
        "rejected rows": dg.MetadataValue.md(
            markdown_table(["rule", "column", "value", "row", "since"], shown)
        ),
        "all rejected rows": dg.MetadataValue.md(f"`kimo rejected {entity}`"),
    }


def _dangling(connection: Connection, entity: str) -> MetadataValues:
    fields = [field for field in dangling_fields(connection) if field.entity == entity]
    if not fields:
        return {}
    rows = [
        (field.field, field.target, field.dangling, ", ".join(field.samples))
        for field in sorted(fields, key=lambda field: field.field)
    ]
    table = markdown_table(["field", "should be in", "rows", "e.g."], rows)
    return {"references to nowhere": dg.MetadataValue.md(table)}


def _origin(mappings: Sequence[EntityMapping], entity: str) -> MetadataValues:
    origins = (f"{m.source}: {'its query' if m.query else m.table or entity}" for m in mappings)
    return {"read from": ", ".join(origins)}


def _column_schema(
    connection: Connection, config: KimoConfig, step: int, entity: str
) -> MetadataValues:
    """The columns of an entity in this layer: of the snapshot, of Kimo's table, or of the tablets'
    data.
    """
    match step:
        case 1:
            names = _columns(connection, INTEGRATOR_SCHEMA, entity)
        case 2:
            names = _columns(connection, KIMO, entity)
        case _:
            names = _sent(connection, entity)
    fields = load_catalog()[entity].fields
    mappings = config.entities.get(entity, ())
    columns = [_column(fields[name], mappings) for name in names if name in fields]
    if not columns:
        return {}
    return {"dagster/column_schema": dg.TableSchema(columns=columns)}


def _sent(connection: Connection, entity: str) -> list[str]:
    """The fields that tablets get, in the catalogue's order."""
    columns = published_columns(connection, entity)
    return [name for name in load_catalog()[entity].fields if name in columns]


def _column(field: Field, mappings: Sequence[EntityMapping]) -> dg.TableColumn:
    """A field as the operator meets it: its type in words, the ERP's column where it has another
    name.
    """
    kind = {
        "dec": "number",
        "int": "whole number",
        "bool": "flag",
        "enum": "code",
        "dt": "date and time",
    }
    notes = [
        f"from {mapping.fields[field.name]}" for mapping in mappings if field.name in mapping.fields
    ]
    if field.references:
        notes.append(f"a row of {field.references.target}")
    if field.codes:
        notes.append(", ".join(f"{code} {meaning}" for code, meaning in field.codes.items()))
    size = f"({field.size})" if field.type == "text" and field.size else ""
    return dg.TableColumn(
        field.name, kind.get(field.type, field.type) + size, "; ".join(notes) or None
    )


# The rules add up to the rejected rows, and an agent is the same one in every entity.
_NOT_ADDED = ("rules", "agents")


def step_summary(report: StepReport) -> str:
    """A step for the run's log: its totals, then the entities that somebody should look at."""
    totals: dict[str, int] = {}
    for entity in report.entities.values():
        for name, value in entity.counts().items():
            count = sum(value.values()) if isinstance(value, dict) else value
            totals[name] = totals.get(name, 0) + count
    unchanged = sum(entity.status == "unchanged" for entity in report.entities.values())
    figures = ", ".join(
        f"{name} {count:,}" for name, count in totals.items() if count and name not in _NOT_ADDED
    )
    head = say(
        "defs.step_summary",
        title=STEP_TITLES[report.step],
        count=len(report.entities),
        unchanged=unchanged,
        figures=figures,
    )
    lines = [head]
    lines += filter(None, map(_to_look_at, report.entities.values()))
    return "\n".join(lines)


def _to_look_at(report: EntityReport) -> str:
    """The lines about one entity. Empty: there is nothing to look at."""
    if report.status == "failed":
        line = say("defs.entity_failed", entity=report.entity, error=report.error)
        return f"  {line}"
    counts = report.counts()
    notes = [
        f"{counts[kind]} {kind}" for kind in ("rejected", "refused", "held") if counts.get(kind)
    ]
    notes += [f"{count} dangling {field}" for field, count in counts.get("dangling", {}).items()]
    lines = []
    if notes:
        lines.append(f"  {report.entity}: {', '.join(notes)}")
    if isinstance(report, AnswersEntity):
        lines += [f"  {note}" for note in report.notes]
    return "\n".join(lines)


def failures_table(report: StepReport) -> dg.MarkdownMetadataValue:
    """The failed entities with their reasons."""
    return dg.MetadataValue.md(
        markdown_table(["entity", "why"], list(report.failures.items()), chars=_WHY_CHARS)
    )


def summary_metadata(reports: Mapping[int, StepReport]) -> MetadataValues:
    """A run's table per step."""
    return {
        f"step {step}": dg.MetadataValue.md(_step_table(report)) for step, report in reports.items()
    }


def _step_table(report: StepReport) -> str:
    """A row per entity with all figures that are numbers."""
    entities = list(report.entities.values())
    if not entities:
        return say("defs.nothing_to_do")
    counts = [entity.counts() for entity in entities]
    numbers = [
        name for figures in counts for name, value in figures.items() if not isinstance(value, dict)
    ]
    names = list(dict.fromkeys(numbers))
    rows = [
        [entity.entity, entity.status, *map(figures.get, names), round(entity.seconds, 2)]
        for entity, figures in zip(entities, counts, strict=True)
    ]
    return markdown_table(["entity", "status", *names, "seconds"], rows)


def picture(title: str, data: bytes, kind: str) -> dg.MarkdownMetadataValue:
    """An image of Markdown whose address is the picture itself. kind: png, svg+xml."""
    # Within the text, because the webserver serves no files of ours.
    encoded = b64encode(data).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/{kind};base64,{encoded})")


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[Any]], *, chars: int = _CELL_CHARS
) -> str:
    """chars: the length at which a cell is cut."""
    cells = [[_escaped(_cell(value, chars)) for value in row] for row in rows]
    return "\n".join(map(_line, [header, ["---"] * len(header), *cells]))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: Any, chars: int = _CELL_CHARS) -> str:
    if value is None:
        return ""
    # Without the zeros of its scale, and never as 1.2E+3.
    if isinstance(value, Decimal):
        value = f"{value.normalize():f}"
    # A line break in a note would end the table's row.
    text = " ".join(str(value).split())
    if len(text) > chars:
        return text[: chars - 1] + "…"
    return text


def _escaped(text: str) -> str:
    # A text of the ERP with a bar would break the table, and one with < could be taken for HTML.
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
