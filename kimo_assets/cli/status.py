"""kimo status: the state that the last loads left."""

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
from kimo_assets.texts import say

_SAMPLES_SHOWN = 3
_SAMPLE_CHARS = 20
_STEPS = (1, 2, 3)

_TOP = 10


@click.command()
@common_options
@click.pass_obj
def status(call: Call) -> None:
    """What happened last: the last load, each entity's steps and freshness, rejected rows,
    payloads.

    "Fresh" is when an entity was last read from the ERP (Step 1) with success.
    """
    # To look must not start a server and make its folder.
    if has_database(call.config):
        with call.database.connect() as connection:
            state = read_status(connection, call.config)
    else:
        state = nothing_yet(call.config)
    if call.as_json:
        print_json(state.as_json())
        return
    if state.last_load is None:
        check, import_ = call.kimo("check"), call.kimo("import")
        call.out.say(say("cli.status.nothing_yet", check=check, import_=import_))
        return
    _print_load(call.out, state.last_load)
    _print_entities(call.out, state)
    _print_dangling(call.out, state)
    _print_payloads(call, state)


def _print_load(out: Terminal, last: LastLoad) -> None:
    """The last load: which, when, how it ended, and its run in the UI."""
    title, started = plain(last.title), moment(last.started_at)
    head = say("cli.status.load", load=last.load, title=title, started=started)
    outcome, style = _outcome(last)
    took = ""
    if last.seconds is not None:
        took = say("cli.status.took", seconds=last.seconds)
    out.say(Text.assemble(f"{head} ", (outcome, style), took))
    if last.run_id:
        out.say(say("cli.status.run", run_id=last.run_id))


def _outcome(last: LastLoad) -> tuple[str, str]:
    """How the load ended, in words, and the style of these."""
    if last.is_running:
        return say("cli.status.is_running"), "yellow"
    # Nobody runs and no end was written: only a killed process leaves that.
    if last.finished_at is None:
        return say("cli.status.was_killed"), "bold red"
    if last.success:
        return say("cli.status.succeeded"), "green"
    return say("cli.status.failed"), "bold red"


def _print_entities(out: Terminal, state: Status) -> None:
    """A table by category, then the failures by reason."""
    words = ("entity", "fresh", "step_1", "step_2", "step_3")
    shown = table(None, (*words, "rows", "rejected"), left=words)
    catalog = load_catalog()
    by_category = groupby(state.entities, key=lambda entity: catalog[entity.entity].category)
    for category, entities in by_category:
        shown.add_row(Text(category_title(category), style="bold"))
        for entity in entities:
            name = entity.entity
            if not entity.is_mapped:
                name = say("cli.status.not_mapped", entity=name)
            steps = [_step(entity, step) for step in _STEPS]
            shown.add_row(
                f"  {name}",
                moment(entity.fresh_until),
                *steps,
                number(entity.rows),
                alarming(number(entity.rejected), entity.rejected),
            )
    out.print(shown)
    for step in _STEPS:
        _print_failures(out, state, step)


def _print_failures(out: Terminal, state: Status, step: int) -> None:
    """A line for each reason, with the entities that share it."""
    failed = []
    for entity in state.entities:
        result = entity.steps.get(step)
        if result is not None and result.status == "failed":
            failed.append((entity.entity, result.error or say("cli.status.no_reason")))
    # A source that is down fails all its entities for one reason.
    for reason, names in by_reason(failed).items():
        entities = ", ".join(names)
        line = say("cli.status.step_failed", step=step, entities=entities, reason=plain(reason))
        out.say(line, style="red")


def _step(entity: EntityState, step: int) -> Text:
    result = entity.steps.get(step)
    if result is None:
        return Text(say("cli.status.never"), style="dim")
    styles = {"failed": "bold red", "skipped": "yellow", "unchanged": "dim"}
    return Text(result.status, style=styles.get(result.status, ""))


def _print_dangling(out: Terminal, state: Status) -> None:
    """The references with the most values that point to no row, with some of these values."""
    if not state.dangling:
        return
    columns = ("field", "points_to", "rows", "values")
    title = say("cli.status.dangling_title")
    shown = table(title, columns, left=("field", "points_to", "values"))
    for reference in state.dangling[:_TOP]:
        samples = reference.samples[:_SAMPLES_SHOWN]
        shown.add_row(
            f"{reference.entity}.{reference.field}",
            reference.target,
            number(reference.dangling),
            ", ".join(plain(value, _SAMPLE_CHARS) for value in samples),
        )
    out.print(shown)
    if len(state.dangling) > _TOP:
        out.print(say("cli.and_more_listed_in_json", more=len(state.dangling) - _TOP))


def _print_payloads(call: Call, state: Status) -> None:
    """What keeps rows from the tablets, and what the tablets can fetch."""
    if state.rejected:
        rejected_rows = say("cli.rejected.rows", count=state.rejected)
        command = call.kimo("rejected")
        line = say("cli.rejected.says_why", rows=rejected_rows, command=command)
        call.out.say(line, style="red")
    payloads = state.payloads
    sentence = say(
        "cli.status.payloads",
        count=payloads.agents,
        objects=plural(payloads.objects, "object"),
        size=size(payloads.bytes),
        store=payloads.store,
    )
    call.out.say(sentence)
