"""kimo selftest: proves on this machine what the program promises."""

import click

from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import plain, plural, table
from kimo_assets.cli.progress import shown_progress
from kimo_assets.selftest import CrashReport, crash_test
from kimo_assets.selftest.crashes import POINTS
from kimo_assets.texts import say


@click.command()
@click.option(
    "--crash",
    is_flag=True,
    help="Kill imports, undos and exports, and look whether all was whole each time.",
)
@click.option(
    "--points",
    type=click.IntRange(1),
    default=POINTS,
    show_default=True,
    metavar="N",
    help="How many kills, spread evenly over all commits. More than there are: every one.",
)
@common_options
@click.pass_context
def selftest(context: click.Context, crash: bool, points: int) -> None:
    """Prove on this machine that a crash leaves the old or the new state whole.

    Makes a small company in databases of its own on the server of `database: url:` (which are
    dropped at the end), then imports it, takes the import back and exports orders in processes that
    are killed, and looks after each kill. The company's own data are not touched. One to three
    minutes. Exit code 1 when anything was not whole.
    """
    call: Call = context.obj
    # It kills processes and takes minutes. That is asked for by name.
    if not crash:
        raise click.UsageError(say("cli.selftest.which"))
    with shown_progress(call.err) as progress:
        report = crash_test(call.database, progress, points=points)
    if call.as_json:
        print_json(report.as_json())
    else:
        _print(call, report)
    if not report.success:
        context.exit(EXIT_FAILED)


def _print(call: Call, report: CrashReport) -> None:
    """A line for each kill, then how many left something broken."""
    columns = ("work", "point", "where", "state", "seconds", "whole")
    words = ("work", "where", "state", "whole")
    shown = table(say("cli.selftest.title"), columns, left=words)
    for kill in report.killed:
        whole = plain("; ".join(kill.broken)) or say("cli.yes")
        point = f"{kill.point}/{report.points[kill.work]}"
        took = f"{kill.seconds:.1f}"
        shown.add_row(kill.work, point, kill.name, kill.state, took, whole)
    call.out.print(shown)
    broken = sum(bool(kill.broken) for kill in report.killed)
    times, took_s = plural(len(report.killed), "time"), report.seconds
    if broken:
        sentence = say("cli.selftest.broken", count=broken, times=times, seconds=took_s)
        call.out.say(sentence, style="bold red")
    else:
        call.out.say(say("cli.selftest.whole", times=times, seconds=took_s), style="green")
