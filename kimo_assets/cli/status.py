"""kimo status: what the last loads left behind."""

from itertools import groupby

import click
from rich.text import Text

from kimo_assets.catalog import load_catalog
from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import (
    Terminal,
    alarming,
    category_title,
    moment,
    number,
    plain,
    plural,
    size,
    table,
)
from kimo_assets.diagnostics.status import (
    EntityState,
    LastLoad,
    Status,
    has_database,
    nothing_yet,
    read_status,
)
from kimo_assets.reports import by_reason

_TOP = 10


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
            f"Nothing was imported yet. {call.kimo('check')} looks at the configuration,"
            f" {call.kimo('import')} imports."
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
        f"Load {last.load}, {plain(last.title)}, started {moment(last.started_at)}: ",
        (outcome, style),
        took,
    )
    out.say(line)
    if last.run_id:
        out.say(f"Run {last.run_id} in the UI.")


def _print_entities(out: Terminal, found: Status) -> None:
    words = ("Entity", "Fresh", "Step 1", "Step 2", "Step 3")
    shown = table(None, (*words, "Rows", "Refused"), left=words)
    catalog = load_catalog()
    for category, entities in groupby(
        found.entities, key=lambda entity: catalog[entity.entity].category
    ):
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
        results = [
            (entity.entity, entity.steps[step]) for entity in found.entities if step in entity.steps
        ]
        failed = [
            (name, result.error or "failed")
            for name, result in results
            if result.status == "failed"
        ]
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
    shown = table(
        "References that point nowhere", ("Field", "Points to", "Rows", "Values"), left=words
    )
    for reference in found.dangling[:_TOP]:
        values = ", ".join(plain(value, 20) for value in reference.samples[:3])
        shown.add_row(
            f"{reference.entity}.{reference.field}",
            reference.target,
            number(reference.dangling),
            values,
        )
    out.print(shown)
    if len(found.dangling) > _TOP:
        out.print(f"and {plural(len(found.dangling) - _TOP, 'more field')}: --json lists all.")


def _print_payloads(call: Call, found: Status) -> None:
    if found.rejected:
        call.out.say(
            f"{plural(found.rejected, 'row')} refused: {call.kimo('rejected')} says why.",
            style="red",
        )
    payloads = found.payloads
    held = f"{plural(payloads.objects, 'object')}, {size(payloads.bytes)} in {payloads.store}"
    call.out.say(f"{plural(payloads.agents, 'agent')} can sync: {held}")
