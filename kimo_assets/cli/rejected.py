"""kimo rejected and kimo retry: the rejected rows, and reading them again."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from kimo_assets.catalog import load_catalog
from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.entities import find_entity
from kimo_assets.cli.formatting import Terminal, alarming, number, plain, seconds, table
from kimo_assets.cli.import_ import launched
from kimo_assets.cli.summary import print_outcome, rejected_in_words
from kimo_assets.database.rejection_history import since_in_words
from kimo_assets.diagnostics.status import has_database
from kimo_assets.pipeline.steps import STEPS
from kimo_assets.reports import ImportReport, ReloadedEntity, RetriedEntity
from kimo_assets.staging.rejected import (
    RejectedCount,
    RejectedRow,
    count_rejected,
    rejected_rows,
    row_columns,
)
from kimo_assets.staging.rejected_csv import EXCEL_LINES, write_csv
from kimo_assets.texts import say

# A row takes several lines with its query. More is for the file.
_ROWS_SHOWN = 20
_SAMPLE_CHARS = 24
_VALUE_CHARS = 60


@click.command()
@click.argument("entity", required=False)
@click.option(
    "--new", "new_only", is_flag=True, help="Only rows that were not rejected in the load before."
)
@click.option(
    "--lang",
    type=click.Choice(["en", "it"]),
    default="en",
    show_default=True,
    help="The language of the reasons. The file of --csv has both.",
)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=(
        "Write all rejected rows (of ENTITY) to this file, for the people who mend them in the ERP."
        " It opens in Excel."
    ),
)
@common_options
@click.pass_obj
def rejected(
    call: Call, entity: str | None, new_only: bool, lang: str, csv_file: Path | None
) -> None:
    """The rows that the last import rejected, why, since when, and a query that finds each in the
    ERP.

    Without ENTITY: how many by entity and rule. With ENTITY: its rows, new ones first. Mend them in
    the ERP, then `kimo retry` takes them, or the next import.
    """
    # By the catalogue, not the mapping: rows of an entity that has left it are still kept.
    name = find_entity(load_catalog(), entity).name if entity else None
    # To look must not start a server and make its folder.
    if not has_database(call.config):
        _print_counts(call, [], name, lang)
        return
    with call.database.connect() as connection:
        counts = count_rejected(connection, name, new_only=new_only)
        read = partial(rejected_rows, connection, call.config, name, new_only=new_only)
        if csv_file:
            columns = row_columns(connection, call.config, name) if name else None
            write_csv(csv_file, read(), columns)
        if call.as_json:
            rows = map(_row_as_json, read()) if name else None
            _print_json(counts, rows, csv_file)
        elif csv_file:
            _print_written(call, csv_file, sum(count.rows for count in counts))
        elif name and counts:
            _print_rows(call, counts, read(limit=_ROWS_SHOWN), lang)
        else:
            _print_counts(call, counts, name, lang, new_only=new_only)


def _print_written(call: Call, file: Path, rows: int) -> None:
    """Excel shows no more than a fixed number of lines, the first of which holds the heads."""
    written = say("cli.rejected.written", count=rows, file=file)
    if rows < EXCEL_LINES:
        call.out.say(written)
    else:
        excel = say("cli.rejected.excel_shows", lines=EXCEL_LINES - 1)
        call.out.say(f"{written} {excel}")


def _row_as_json(row: RejectedRow) -> dict[str, Any]:
    return {
        **asdict(row),
        "new": row.times == 1,
        "reason_en": row.reason.en,
        "reason_it": row.reason.it,
    }


def _print_json(
    counts: list[RejectedCount], rows: Iterable[dict[str, Any]] | None, file: Path | None
) -> None:
    """rows: None where no entity was asked for. file: the CSV that was written too."""
    document: dict[str, Any] = {
        "rejected": sum(count.rows for count in counts),
        "new": sum(count.new for count in counts),
        "counts": [
            {**asdict(c), "reason_en": c.reason.en, "reason_it": c.reason.it} for c in counts
        ],
    }
    if rows is not None:
        document["rows"] = list(rows)
    if file:
        document["csv"] = str(file)
    print_json(document)


def _print_counts(
    call: Call, counts: list[RejectedCount], name: str | None, lang: str, *, new_only: bool = False
) -> None:
    """How many rows by entity and rule, or that there are none."""
    if call.as_json:
        _print_json(counts, [] if name else None, None)
        return
    if not counts:
        call.out.print(_no_row(name, new_only))
        return
    call.out.print(_counts_table(counts, lang))
    total, new = sum(count.rows for count in counts), sum(count.new for count in counts)
    command = call.kimo("rejected", "ENTITY")
    call.out.say(
        say("cli.rejected.how_to_see", rows=rejected_in_words(total, new), command=command)
    )


def _no_row(entity: str | None, new_only: bool) -> str:
    if entity is None:
        return say("cli.rejected.no_new_row" if new_only else "cli.rejected.no_row")
    key = "cli.rejected.no_new_row_of" if new_only else "cli.rejected.no_row_of"
    return say(key, entity=entity)


def _counts_table(counts: list[RejectedCount], lang: str) -> Table:
    """A line per entity and rule. The entity stands in its first line alone."""
    words = ("entity", "step", "since", "why", "field", "values")
    columns = ("entity", "step", "rows", "since", "why", "field", "values")
    shown = table(None, columns, left=words)
    previous = None
    for count in counts:
        shown.add_row(
            "" if count.entity == previous else count.entity,
            str(count.step),
            alarming(number(count.rows)),
            _since(count),
            getattr(count.reason, lang),
            count.field or "",
            ", ".join(plain(value, _SAMPLE_CHARS) for value in count.samples),
        )
        previous = count.entity
    return shown


def _since(count: RejectedCount) -> Text:
    """Since when the oldest row is rejected, and how many are new beside it."""
    since = since_in_words(count.since, count.times)
    if 0 < count.new < count.rows:
        since = say("cli.rejected.new_beside", new=count.new, since=since)
    return Text(since, style="yellow" if count.new else "")


def _print_rows(
    call: Call, counts: list[RejectedCount], rows: Iterable[RejectedRow], lang: str
) -> None:
    """A block a row: a query is not cut, so that it can be copied."""
    shown = 0
    for row in rows:
        shown += 1
        _print_row(call.out, row, lang)
    total, new = sum(count.rows for count in counts), sum(count.new for count in counts)
    name = counts[0].entity
    line = f"{name}: {rejected_in_words(total, new)}."
    if total > shown:
        command = call.kimo("rejected", name, "--csv", "FILE")
        more = say("cli.rejected.csv_has_all", more=total - shown, command=command)
        line = f"{line} {more}"
    call.out.say(line)


def _print_row(out: Terminal, row: RejectedRow, lang: str) -> None:
    """The row's key, where and why it was rejected, and the query that finds it in the ERP."""
    value = row.source_column or row.field or ""
    if row.value is not None:
        value = f"{value} = '{plain(row.value, _VALUE_CHARS)}'"
    since = Text(since_in_words(row.since, row.times), style="yellow")
    if row.times > 1:
        since = Text(say("cli.rejected.since", since=since.plain))
    head = (f"{row.entity}  {plain(row.source_key)}", "bold")
    step = say("cli.rejected.step", step=row.step)
    out.say(Text.assemble(head, f"  {step}  ", since))
    out.say(Text.assemble("  ", (getattr(row.reason, lang), "red"), f": {value}"))
    for line in row.query.splitlines():
        out.print(Text(f"  {plain(line)}", style="dim"), soft_wrap=True)


# --- retry
# --------------------------------------------------------------------------------------------------


@click.command()
@click.argument("entity", required=False)
@common_options
@click.pass_obj
def retry(call: Call, entity: str | None) -> None:
    """Read only the rejected rows (of ENTITY) again, and load and publish those that are good now.

    After the rows were mended in the ERP, when the next import is hours away. Rows are looked up by
    their key. All other rows stay as the last import left them. Runs the job `retry_rejected`,
    whose run shows in the UI.
    """
    names = [find_entity(load_catalog(), entity).name] if entity else []
    report = launched(call, "launch_retry", entities=names)
    if call.as_json:
        print_json(report.as_json())
    else:
        _print_retry(call, report, names[0] if names else None)
    print_outcome(call, report, STEPS)
    if not report.success:
        click.get_current_context().exit(EXIT_FAILED)


def _print_retry(call: Call, report: ImportReport, entity: str | None) -> None:
    """What became of the rows of each entity, or that there was none to try."""
    reports = [report for step in report.steps.values() for report in step.entities.values()]
    retried = [r for r in reports if isinstance(r, (RetriedEntity, ReloadedEntity))]
    tried = [r for r in retried if r.retried or _without_key(r)]
    if not tried:
        nothing = say("cli.rejected.nothing_to_retry")
        if entity:
            nothing = say("cli.rejected.nothing_to_retry_of", entity=entity)
        call.out.say(nothing)
        return
    call.out.print(_retry_table(tried))
    # Without a key a row cannot be looked up in the ERP, so only a full import reads it again.
    if any(map(_without_key, tried)):
        call.out.say(say("cli.rejected.no_key"))


def _without_key(report: RetriedEntity | ReloadedEntity) -> int:
    return getattr(report, "without_key", 0)


def _retry_table(reports: Sequence[RetriedEntity | ReloadedEntity]) -> Table:
    """A line per entity and step: what became of its rows."""
    columns = (
        "entity",
        "step",
        "retried",
        "now_good",
        "still_rejected",
        "gone",
        "without_key",
        "seconds",
    )
    shown = table(say("cli.rejected.retry_title"), columns, left=("entity", "step"))
    for report in reports:
        step, still, gone = _retry_figures(report)
        shown.add_row(
            report.entity,
            step,
            number(report.retried),
            Text(number(report.retried - still - gone), style="green"),
            alarming(number(still), still),
            number(gone),
            number(_without_key(report)),
            seconds(report.seconds),
        )
    return shown


def _retry_figures(report: RetriedEntity | ReloadedEntity) -> tuple[str, int, int]:
    """The step, how many rows it rejected again, and how many are no longer in the ERP."""
    if isinstance(report, RetriedEntity):
        return "1", report.still_refused, report.gone
    return "2", report.refused - report.refused_new, 0
