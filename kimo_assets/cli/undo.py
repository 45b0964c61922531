"""kimo undo: taking a bad load back."""

from typing import Any

import click
from rich.table import Table

from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import moment, number, table
from kimo_assets.cli.import_ import launched
from kimo_assets.cli.summary import print_report
from kimo_assets.loading.history import UndoableLoad, check_target, target_of_undo, undoable_loads
from kimo_assets.texts import say


@click.command()
@click.option(
    "--to",
    type=int,
    metavar="LOAD",
    help="Go back to the state after this load. Default: before the last one.",
)
@click.option(
    "--list", "only_list", is_flag=True, help="Only show the loads that can be taken back."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
@click.pass_obj
def undo(call: Call, to: int | None, only_list: bool, yes: bool) -> None:
    """Take the last load back: Kimo's tables in one transaction, then the payloads.

    `history.keep_loads` in kimo.yaml says how many loads are kept. Rows with pending edits in Kimo
    are left as they are. What was read from the ERP stays staged: mend the ERP before the next
    import, which loads it again. An undo is a load of its own: `kimo undo --to LOAD` can bring back
    what was taken back.
    """
    with call.database.connect() as connection:
        loads = undoable_loads(connection)
        # Checked before anybody is asked and before Dagster is loaded.
        if not only_list:
            target = target_of_undo(connection) if to is None else to
            check_target(connection, target)
    if only_list:
        _show(call, loads)
        return
    if not yes:
        _ask(call, loads, target)
    # The target that was shown, not "the last load": another may have come while a person thought.
    report = launched(call, "launch_undo", to=target)
    if call.as_json:
        print_json(report.as_json())
    # An undo reads nothing from the ERP, so it has no step 1.
    print_report(call, report, (2, 3))
    if not report.success:
        click.get_current_context().exit(EXIT_FAILED)


def _show(call: Call, loads: list[UndoableLoad]) -> None:
    """The loads that can be taken back, and the commands that do it."""
    if call.as_json:
        print_json([_as_json(load) for load in loads])
        return
    if not loads:
        call.out.say(say("cli.undo.no_load"))
        return
    call.out.print(_table(say("cli.undo.list_title"), loads))
    last, all_after = call.kimo("undo"), call.kimo("undo", "--to", "LOAD")
    call.out.say(say("cli.undo.how_to", last=last, all_after=all_after))


def _as_json(load: UndoableLoad) -> dict[str, Any]:
    return vars(load)


def _table(title: str, loads: list[UndoableLoad]) -> Table:
    """A line per load. One that was taken back already says by which load."""
    figures = ("entities", "inserted", "updated", "archived")
    columns = ("load", "what", "started", *figures, "")
    shown = table(title, columns, left=("what", "started", ""))
    for load in loads:
        undone = ""
        if load.undone_by:
            undone = say("cli.undo.undone", load=load.undone_by)
        shown.add_row(
            str(load.load),
            load.title,
            moment(load.started_at),
            str(load.entities),
            *(number(count) for count in (load.inserted, load.updated, load.archived)),
            undone,
        )
    return shown


def _ask(call: Call, loads: list[UndoableLoad], target: int) -> None:
    later = [load for load in loads if load.load > target]
    call.err.print(_table(say("cli.undo.title"), later))
    # On stderr, so that stdout holds nothing but the result.
    click.confirm(say("cli.undo.ask", load=target), abort=True, err=True)
