"""kimo semaphore: the ERP's semaphores, and setting them to idle by hand."""

import click
from rich.table import Table

from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import NONE, alarming, moment, plain, table
from kimo_assets.config import SYSTEMS
from kimo_assets.diagnostics.status import has_database
from kimo_assets.errors import SourceError
from kimo_assets.maintenance.semaphores import (
    SemaphoreState,
    inspect_semaphores,
    refuse_while_running,
)
from kimo_assets.maintenance.semaphores import reset as set_idle
from kimo_assets.sources.semaphore import FLOWS
from kimo_assets.texts import say


@click.group()
@common_options
def semaphore() -> None:
    """Show or reset the ERP's semaphores (ImportFromErpSemaphore, ExportToErpSemaphore).

    The ERP and Kimo keep out of each other's way by them. An import waits while the ERP holds one,
    and sets its own back to idle at its end, also when it fails.
    """


@semaphore.command()
@common_options
@click.pass_obj
def show(call: Call) -> None:
    """Show each source's semaphores: the status in words, whose it is, and since when.

    Exit code 1 when one could not be read.
    """
    states = _states(call)
    unread = [state for state in states if state.error]
    if call.as_json:
        print_json([state.as_json() for state in states])
    else:
        call.out.print(_table(states))
        for state in unread:
            call.out.say(f"{state.source} {state.semaphore}: {plain(state.error)}", style="red")
    if unread:
        click.get_current_context().exit(EXIT_FAILED)


def _states(call: Call) -> list[SemaphoreState]:
    # Without a database no semaphore can be ours, and looking must not make one.
    database = call.database if has_database(call.config) else None
    with call.err.status(say("cli.looking")):
        return list(inspect_semaphores(call.config, database))


def _table(states: list[SemaphoreState]) -> Table:
    """A line per semaphore. The status is in red unless it is 0 (idle)."""
    columns = ("source", "semaphore", "status", "whose", "since")
    shown = table(None, columns, left=columns)
    for state in states:
        status = state.words
        if state.status is not None:
            status = f"{state.status} {state.words}"
        shown.add_row(
            state.source,
            state.semaphore,
            alarming(status, state.status),
            state.whose or NONE,
            moment(state.since),
        )
    return shown


@semaphore.command()
@click.argument(
    "name", required=False, type=click.Choice([flow.table for flow in FLOWS], case_sensitive=False)
)
@click.option(
    "--source",
    type=click.Choice(list(SYSTEMS)),
    help="Only this source's. Default: every source's.",
)
@click.option(
    "--yes",
    is_flag=True,
    help="Ask nothing. With --json it is needed, because nobody can be asked.",
)
@common_options
@click.pass_obj
def reset(call: Call, name: str | None, source: str | None, yes: bool) -> None:
    """Set semaphores to 0 (idle) by hand, because the program that set them is gone.

    NAME is one of the two. Without it, both are reset. Only what is not idle is touched. Refused
    with exit code 3 while an import or export of ours is going on. If the ERP is at work after all,
    it and the next import will meet.
    """
    if call.as_json and not yes:
        raise click.UsageError(say("cli.semaphore.json_needs_yes"))
    # Before anything is asked: a running import holds its semaphore by right.
    refuse_while_running(call.database)
    chosen = [
        state
        for state in _states(call)
        if (name is None or state.semaphore == name) and (source is None or state.source == source)
    ]
    busy = [state for state in chosen if state.status or state.error]
    for state in busy:
        if state.error:
            # Nothing is reset, because what cannot be read could not be shown to the operator
            # either.
            raise SourceError(f"{state.source} {state.semaphore}: {state.error}")
        call.err.say(_in_words(state))
    if busy:
        if not yes:
            # On stderr, so that stdout holds nothing but the result.
            click.confirm(say("cli.semaphore.ask"), abort=True, err=True)
        set_idle(call.config, call.database, busy)
    if call.as_json:
        # Read again: the answer says what is, not what should be.
        print_json([state.as_json() for state in _states(call)])
    elif busy:
        call.out.say(say("cli.semaphore.was_reset", number=len(busy)))
    else:
        call.out.say(say("cli.semaphore.all_idle"))


def _in_words(state: SemaphoreState) -> str:
    return say(
        "cli.semaphore.busy",
        source=state.source,
        semaphore=state.semaphore,
        status=state.status,
        words=state.words,
        whose=state.whose or NONE,
    )
