"""kimo status and kimo rejected: what the last loads left behind."""

import csv
from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import click
import orjson
from rich.text import Text

from kimo_assets.catalog import load_catalog
from kimo_assets.cli.catalogue import find_entity
from kimo_assets.cli.command import Call, common_options, print_json
from kimo_assets.cli.tables import Terminal, alarming, category_title, moment, number, plain, plural, size, table
from kimo_assets.reports import by_reason
from kimo_assets.staging.rejected import RejectedCount, RejectedRow, count_rejected, rejected_rows
from kimo_assets.status import EntityState, LastLoad, Status, has_database, nothing_yet, read_status

_TOP = 10
_ROWS_SHOWN = 20
_CSV_HEADER = ("entity", "step", "rule", "field", "source_column", "source_key", "value", "query", "row")


@click.command()
@common_options
@click.pass_obj
def status(call: Call) -> None:
    """What happened last: the last load, each entity's steps and freshness, refused rows, payloads.

    "Fresh" is when an entity was last read from the ERP (Step 1) with success.
    """
    if has_database(call.config):
        with call.database.connect() as connection:
            found = read_status(connection, call.config)
    else:
        found = nothing_yet(call.config)
    if call.as_json:
        print_json(found.as_json())
        return
    if found.last_load is None:
        call.out.say(
            f"Nothing was imported yet. {call.kimo('check')} looks at the configuration, {call.kimo('import')} imports."
        )
        return
    _print_load(call.out, found.last_load)
    _print_entities(call.out, found)
    _print_dangling(call.out, found)
    _print_payloads(call, found)


def _print_load(out: Terminal, last: LastLoad) -> None:
    if last.is_running:
        outcome, style = "is running", "yellow"
    elif last.finished_at is None:
        outcome, style = "was killed before its end", "bold red"
    else:
        outcome, style = ("succeeded", "green") if last.success else ("FAILED", "bold red")
    took = f" in {last.seconds:,.1f} s" if last.seconds is not None else ""
    line = Text.assemble(
        f"Load {last.load}, {plain(last.title)}, started {moment(last.started_at)}: ", (outcome, style), took
    )
    out.say(line)
    if last.run_id:
        out.say(f"Run {last.run_id} in the UI.")


def _print_entities(out: Terminal, found: Status) -> None:
    words = ("Entity", "Fresh", "Step 1", "Step 2", "Step 3")
    shown = table(None, (*words, "Rows", "Refused"), left=words)
    catalog = load_catalog()
    for category, entities in groupby(found.entities, key=lambda entity: catalog[entity.entity].category):
        shown.add_row(Text(category_title(category), style="bold"))
        for entity in entities:
            name = entity.entity if entity.is_mapped else f"{entity.entity} (not mapped any more)"
            shown.add_row(
                f"  {name}",
                moment(entity.fresh_until),
                *(_step(entity, step) for step in (1, 2, 3)),
                number(entity.rows),
                alarming(number(entity.rejected), entity.rejected),
            )
    out.print(shown)
    for step in (1, 2, 3):
        results = [(entity.entity, entity.steps[step]) for entity in found.entities if step in entity.steps]
        failed = [(name, result.error or "failed") for name, result in results if result.status == "failed"]
        for reason, names in by_reason(failed).items():
            out.say(f"Step {step}: {', '.join(names)}: {plain(reason)}", style="red")


def _step(entity: EntityState, step: int) -> Text:
    result = entity.steps.get(step)
    if result is None:
        return Text("never", style="dim")
    styles = {"failed": "bold red", "skipped": "yellow", "unchanged": "dim"}
    return Text(result.status, style=styles.get(result.status, ""))


def _print_dangling(out: Terminal, found: Status) -> None:
    if not found.dangling:
        return
    words = ("Field", "Points to", "Values")
    shown = table("References that point nowhere", ("Field", "Points to", "Rows", "Values"), left=words)
    for reference in found.dangling[:_TOP]:
        values = ", ".join(plain(value, 20) for value in reference.samples[:3])
        shown.add_row(f"{reference.entity}.{reference.field}", reference.target, number(reference.rows), values)
    out.print(shown)
    if len(found.dangling) > _TOP:
        out.print(f"and {plural(len(found.dangling) - _TOP, 'more field')}: --json lists all.")


def _print_payloads(call: Call, found: Status) -> None:
    if found.rejected:
        call.out.say(f"{plural(found.rejected, 'row')} refused: {call.kimo('rejected')} says why.", style="red")
    payloads = found.payloads
    held = f"{plural(payloads.objects, 'object')}, {size(payloads.bytes)} in {payloads.store}"
    call.out.say(f"{plural(payloads.agents, 'agent')} can sync: {held}")


# --- rejected -----------------------------------------------------------------------------------------------


@click.command()
@click.argument("entity", required=False)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write all refused rows (of ENTITY) to this file: rule, value, query, and the whole row as JSON.",
)
@common_options
@click.pass_obj
def rejected(call: Call, entity: str | None, csv_file: Path | None) -> None:
    """The rows that the last import refused, why, and a query that finds each in the ERP.

    Without ENTITY: how many by entity and rule. With ENTITY: its rows. Mend them in the ERP; the next import
    takes them.
    """
    name = find_entity(load_catalog(), entity).name if entity else None
    if not has_database(call.config):
        _print_counts(call, [], name)
        return
    with call.database.connect() as connection:
        counts = [count for count in count_rejected(connection) if name in (None, count.entity)]
        if csv_file:
            _write_csv(csv_file, rejected_rows(connection, call.config, name))
        if call.as_json:
            rows = [asdict(row) for row in rejected_rows(connection, call.config, name)] if name else None
            _print_json(counts, rows, csv_file)
        elif name and counts:
            _print_rows(call, counts, rejected_rows(connection, call.config, name, limit=_ROWS_SHOWN))
        else:
            _print_counts(call, counts, name)
    if csv_file and not call.as_json:
        call.out.say(f"{plural(sum(count.rows for count in counts), 'row')} written to {csv_file}")


def _print_json(counts: list[RejectedCount], rows: list[dict[str, object]] | None, file: Path | None) -> None:
    document = {
        "rejected": sum(count.rows for count in counts),
        "counts": [{**asdict(count), "sentence": count.sentence} for count in counts],
    }
    if rows is not None:
        document["rows"] = rows
    if file:
        document["csv"] = str(file)
    print_json(document)


def _print_counts(call: Call, counts: list[RejectedCount], name: str | None) -> None:
    if call.as_json:
        _print_json(counts, [] if name else None, None)
        return
    if not counts:
        call.out.print(f"No row{f' of {name}' if name else ''} is refused.")
        return
    words = ("Entity", "Step", "Why", "Field", "Values")
    shown = table(None, ("Entity", "Step", "Rows", "Why", "Field", "Values"), left=words)
    previous = None
    for count in counts:
        shown.add_row(
            "" if count.entity == previous else count.entity,
            str(count.step),
            alarming(number(count.rows)),
            count.sentence,
            count.field or "",
            ", ".join(plain(value, 24) for value in count.samples),
        )
        previous = count.entity
    call.out.print(shown)
    total = sum(count.rows for count in counts)
    call.out.say(f"{plural(total, 'row')} refused. {call.kimo('rejected', 'ENTITY')} shows an entity's rows.")


def _print_rows(call: Call, counts: list[RejectedCount], rows: Iterable[RejectedRow]) -> None:
    """A block a row: a query is not cut, so that it can be copied."""
    shown = 0
    for row in rows:
        shown += 1
        where = (
            f"{row.source_column or row.field or ''} = '{plain(row.value, 60)}'" if row.value is not None else row.field
        )
        call.out.say(Text.assemble((f"{row.entity}  {plain(row.source_key)}", "bold"), f"  step {row.step}"))
        call.out.say(Text.assemble("  ", (row.sentence, "red"), f": {where}"))
        call.out.print(Text(f"  {plain(row.query)}", style="dim"), soft_wrap=True)
    total = sum(count.rows for count in counts)
    name = counts[0].entity
    more = (
        f"; {total - shown:,} more: {call.kimo('rejected', name, '--csv', 'FILE')} writes all" if total > shown else ""
    )
    call.out.say(f"{plural(total, 'row')} of {name} refused{more}.")


def _write_csv(file: Path, rows: Iterable[RejectedRow]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(_CSV_HEADER)
        for row in rows:
            facts = asdict(row)
            facts["row"] = orjson.dumps(row.row).decode()
            writer.writerow([facts[name] for name in _CSV_HEADER])
