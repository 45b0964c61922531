"""kimo rejected and kimo retry: the refused rows, and reading them again."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from kimo_assets.catalog import load_catalog
from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.entities import find_entity
from kimo_assets.cli.formatting import alarming, number, plain, plural, seconds, table
from kimo_assets.cli.import_ import launched
from kimo_assets.cli.summary import print_outcome, refused_in_words
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

_ROWS_SHOWN = 20


@click.command()
@click.argument("entity", required=False)
@click.option(
    "--new", "new_only", is_flag=True, help="Only rows that were not refused in the load before."
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
        "Write all refused rows (of ENTITY) to this file, for whoever mends them in the ERP; it"
        " opens in Excel."
    ),
)
@common_options
@click.pass_obj
def rejected(
    call: Call, entity: str | None, new_only: bool, lang: str, csv_file: Path | None
) -> None:
    """The rows that the last import refused, why, since when, and a query that finds each in the
    ERP.

    Without ENTITY: how many by entity and rule. With ENTITY: its rows, new ones first. Mend them in
    the ERP, then `kimo retry` takes them, or the next import.
    """
    name = find_entity(load_catalog(), entity).name if entity else None
    if not has_database(call.config):
        _print_counts(call, [], name, lang)
        return
    with call.database.connect() as connection:
        counts = count_rejected(connection, name, new_only=new_only)
        if csv_file:
            rows = rejected_rows(connection, call.config, name, new_only=new_only)
            write_csv(csv_file, rows, row_columns(connection, call.config, name) if name else None)
        if call.as_json:
            found = (
                rejected_rows(connection, call.config, name, new_only=new_only) if name else None
            )
            _print_json(counts, None if found is None else map(_row_as_json, found), csv_file)
        elif csv_file:
            _say_written(call, csv_file, sum(count.rows for count in counts))
        elif name and counts:
            shown = rejected_rows(
                connection, call.config, name, new_only=new_only, limit=_ROWS_SHOWN
            )
            _print_rows(call, counts, shown, lang)
        else:
            _print_counts(call, counts, name, lang, new_only=new_only)


def _say_written(call: Call, file: Path, rows: int) -> None:
    more = f"; Excel shows the first {EXCEL_LINES - 1:,}" if rows >= EXCEL_LINES else ""
    call.out.say(f"{plural(rows, 'row')} written to {file}{more}.")


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
    if call.as_json:
        _print_json(counts, [] if name else None, None)
        return
    if not counts:
        what = "refused that was not refused in the load before" if new_only else "refused"
        call.out.print(f"No row{f' of {name}' if name else ''} is {what}.")
        return
    call.out.print(_counts_table(counts, lang))
    total, new = sum(count.rows for count in counts), sum(count.new for count in counts)
    call.out.say(
        f"{refused_in_words(total, new)}. {call.kimo('rejected', 'ENTITY')} shows an entity's rows."
    )


def _counts_table(counts: list[RejectedCount], lang: str) -> Table:
    words = ("Entity", "Step", "Since", "Why", "Field", "Values")
    shown = table(None, ("Entity", "Step", "Rows", "Since", "Why", "Field", "Values"), left=words)
    previous = None
    for count in counts:
        shown.add_row(
            "" if count.entity == previous else count.entity,
            str(count.step),
            alarming(number(count.rows)),
            _since(count),
            getattr(count.reason, lang),
            count.field or "",
            ", ".join(plain(value, 24) for value in count.samples),
        )
        previous = count.entity
    return shown


def _since(count: RejectedCount) -> Text:
    """Since when the oldest is refused, and how many are new beside it."""
    oldest = since_in_words(count.since, count.times)
    some = f"{count.new:,} new, " if 0 < count.new < count.rows else ""
    return Text(some + oldest, style="yellow" if count.new else "")


def _print_rows(
    call: Call, counts: list[RejectedCount], rows: Iterable[RejectedRow], lang: str
) -> None:
    """A block a row: a query is not cut, so that it can be copied."""
    shown = 0
    for row in rows:
        shown += 1
        column = row.source_column or row.field or ""
        where = column if row.value is None else f"{column} = '{plain(row.value, 60)}'"
        when = (
            Text("new", style="yellow")
            if row.times == 1
            else f"since {since_in_words(row.since, row.times)}"
        )
        head = (f"{row.entity}  {plain(row.source_key)}", "bold")
        call.out.say(Text.assemble(head, f"  step {row.step}  ", when))
        call.out.say(Text.assemble("  ", (getattr(row.reason, lang), "red"), f": {where}"))
        for line in row.query.splitlines():
            call.out.print(Text(f"  {plain(line)}", style="dim"), soft_wrap=True)
    total, new = sum(count.rows for count in counts), sum(count.new for count in counts)
    name = counts[0].entity
    writes_all = (
        f"; {total - shown:,} more: {call.kimo('rejected', name, '--csv', 'FILE')} writes all"
    )
    call.out.say(f"{name}: {refused_in_words(total, new)}{writes_all if total > shown else ''}.")


# --- retry
# --------------------------------------------------------------------------------------------------


@click.command()
@click.argument("entity", required=False)
@common_options
@click.pass_obj
def retry(call: Call, entity: str | None) -> None:
    """Read only the refused rows (of ENTITY) again, and load and publish those that are good now.

    After somebody mended them in the ERP, and the next import is hours away. Rows are looked up by
    their key; all other rows stay as the last import left them. Runs the job `retry_rejected`,
    whose run shows in the UI.
    """
    names = [find_entity(load_catalog(), entity).name] if entity else []
    report = launched(call, "launch_retry", entities=names)
    if call.as_json:
        print_json(report.as_json())
    else:
        _print_retry(call, report, f" of {names[0]}" if names else "")
    print_outcome(call, report, STEPS)
    if not report.success:
        click.get_current_context().exit(EXIT_FAILED)


def _print_retry(call: Call, report: ImportReport, whose: str) -> None:
    reports = [found for step in report.steps.values() for found in step.entities.values()]
    tried = [
        r
        for r in reports
        if isinstance(r, (RetriedEntity, ReloadedEntity)) and (r.retried or _without_key(r))
    ]
    if not tried:
        call.out.say(f"No row{whose} is refused: there is nothing to retry.")
        return
    call.out.print(_retry_table(tried))
    if any(map(_without_key, tried)):
        call.out.say(
            "Rows without a key cannot be looked up in the ERP: the next import reads them again."
        )


def _without_key(report: RetriedEntity | ReloadedEntity) -> int:
    return report.without_key if isinstance(report, RetriedEntity) else 0


def _retry_table(reports: Sequence[RetriedEntity | ReloadedEntity]) -> Table:
    titles = (
        "Entity",
        "Step",
        "Retried",
        "Now good",
        "Still refused",
        "Gone",
        "Without a key",
        "Seconds",
    )
    shown = table("Refused rows, tried again", titles, left=("Entity", "Step"))
    for report in reports:
        still = (
            report.still_refused
            if isinstance(report, RetriedEntity)
            else report.refused - report.refused_new
        )
        gone = report.gone if isinstance(report, RetriedEntity) else 0
        shown.add_row(
            report.entity,
            "1" if isinstance(report, RetriedEntity) else "2",
            number(report.retried),
            Text(number(report.retried - still - gone), style="green"),
            alarming(number(still), still),
            number(gone),
            number(_without_key(report)),
            seconds(report.seconds),
        )
    return shown
