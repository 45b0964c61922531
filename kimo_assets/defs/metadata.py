"""Reports as Dagster metadata: counts that plot over time, tables that people read."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from psycopg import Connection, sql

from kimo_assets.config import KimoConfig
from kimo_assets.database.names import ARCHIVED, KIMO, STAGING
from kimo_assets.reports import EntityReport, PublishedEntity, StepReport

_SAMPLE_ROWS = 5
_SAMPLE_COLUMNS = 8
_REJECTED_ROWS = 20
_CELL_CHARS = 60

MetadataValues = dict[str, Any]


def entity_metadata(connection: Connection, config: KimoConfig, step: int, report: EntityReport) -> MetadataValues:
    """What one partition shows: every count, seconds, a sample, the refused rows, where things are."""
    values: MetadataValues = {"status": report.status, "seconds": round(report.seconds, 3)}
    for name, count in report.counts().items():
        if isinstance(count, dict):
            values |= {f"{name}: {key}": number for key, number in count.items()}
        else:
            values[name] = count
    values["dagster/row_count"] = _row_count(report)
    if step in (1, 2):
        schema = STAGING if step == 1 else KIMO
        values["table"] = f'{schema}."{report.entity}"'
        values["sample"] = dg.MetadataValue.md(_sample(connection, schema, report.entity))
        if rejected := _rejected(connection, report.entity, step):
            values["refused rows"] = dg.MetadataValue.md(rejected)
            values["all refused rows"] = f"kimo rejected {report.entity}"
    if step == 1:
        mapping = config.entities[report.entity]
        values["read from"] = f"{mapping.source}: {mapping.table or ('its query' if mapping.query else report.entity)}"
    if isinstance(report, PublishedEntity):
        values["store"] = dg.MetadataValue.path(config.sync_store)
    return values


def _row_count(report: EntityReport) -> int:
    counts = report.counts()
    if "staged" in counts:
        return int(counts["staged"])
    if "rows" in counts:
        return int(counts["rows"])
    return int(sum(counts[kind] for kind in ("inserted", "updated", "unchanged", "held")))


def _sample(connection: Connection, schema: str, entity: str) -> str:
    described = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s "
        "AND column_name NOT LIKE '\\_%%' ORDER BY ordinal_position",
        [schema, entity],
    ).fetchall()
    names = [name for (name,) in described]
    where = sql.SQL("WHERE {} IS NULL").format(sql.Identifier(ARCHIVED)) if schema == KIMO else sql.SQL("")
    rows = connection.execute(
        sql.SQL("SELECT {} FROM {} {} LIMIT {}").format(
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.Identifier(schema, entity),
            where,
            sql.Literal(_SAMPLE_ROWS),
        )
    ).fetchall()
    filled = [i for i, _ in enumerate(names) if any(row[i] is not None for row in rows)][:_SAMPLE_COLUMNS]
    return markdown_table([names[i] for i in filled], [[row[i] for i in filled] for row in rows]) if filled else "no rows"


def _rejected(connection: Connection, entity: str, step: int) -> str:
    rows = connection.execute(
        "SELECT rule, source_key, source_column, value FROM ops.rejected_row WHERE entity = %s AND step = %s "
        "ORDER BY id LIMIT %s",
        [entity, step, _REJECTED_ROWS],
    ).fetchall()
    return markdown_table(["rule", "key", "column", "value"], rows) if rows else ""


def failures_table(report: StepReport) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(markdown_table(["entity", "why"], list(report.failures.items())))


def summary_metadata(reports: Mapping[int, StepReport]) -> MetadataValues:
    """A run's table per step."""
    return {f"step {step}": dg.MetadataValue.md(_step_table(report)) for step, report in reports.items()}


def _step_table(report: StepReport) -> str:
    entities = list(report.entities.values())
    if not entities:
        return "nothing to do"
    names = [name for name, value in entities[0].counts().items() if not isinstance(value, dict)]
    rows = [[e.entity, e.status, *(e.counts()[name] for name in names), round(e.seconds, 2)] for e in entities]
    return markdown_table(["entity", "status", *names, "seconds"], rows)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [_line(header), _line(["---"] * len(header)), *(_line([_cell(value) for value in row]) for row in rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) <= _CELL_CHARS else text[: _CELL_CHARS - 1] + "…"
