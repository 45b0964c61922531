"""kimo selftest: what the program promises, proved on this machine."""

import click

from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import plain, plural, table
from kimo_assets.cli.progress import shown_progress
from kimo_assets.selftest import CrashReport, crash_test
from kimo_assets.selftest.crashes import POINTS


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
    help="How many kills, spread evenly over all commits; more than there are: every one.",
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
    if not crash:
        raise click.UsageError("Say what is to be tested: --crash.")
    with shown_progress(call.err) as progress:
        report = crash_test(call.database, progress, points=points)
    if call.as_json:
        print_json(report.as_json())
    else:
        _print(call, report)
    if not report.success:
        context.exit(EXIT_FAILED)


def _print(call: Call, report: CrashReport) -> None:
    columns = ("Work", "Point", "Where", "State", "Seconds", "Whole")
    shown = table("Killed", columns, left=("Work", "Where", "State", "Whole"))
    for found in report.killed:
        whole = plain("; ".join(found.broken)) if found.broken else "yes"
        of = f"{found.point}/{report.points[found.work]}"
        shown.add_row(found.work, of, found.name, found.state, f"{found.seconds:.1f}", whole)
    call.out.print(shown)
    broken = sum(bool(found.broken) for found in report.killed)
    times = f"Killed {plural(len(report.killed), 'time')} in {report.seconds:.0f} s"
    if broken:
        call.out.say(
            f"{times}: {broken} times something was not whole. Report this with the table above.",
            style="bold red",
        )
    else:
        call.out.say(f"{times}: each time the old or the new state was whole.", style="green")
