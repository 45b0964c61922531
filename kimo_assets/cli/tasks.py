"""The menu's side jobs from the command line: launched as the UI launches them, and how their
report looks.
"""

from rich.table import Table

from kimo_assets.cli.context import Call, print_json
from kimo_assets.cli.formatting import plain, plural, table
from kimo_assets.cli.import_ import stopped_in_words
from kimo_assets.cli.progress import shown_progress
from kimo_assets.reports import TaskReport

_PROBLEMS_SHOWN = 20
_CELL_CHARS = 90


def run_task(call: Call, job: str) -> TaskReport:
    """Runs the job, prints its report (or its document) and returns it. Raises: what has refused or
    ended it.
    """
    report = do_task(call, job)
    if call.as_json:
        print_json(report.as_json())
    else:
        print_task(call, report)
    return report


def do_task(call: Call, job: str) -> TaskReport:
    """Runs the job with its progress on stderr."""
    config, database = call.config, call.database
    # Dagster takes seconds to import: not before the configuration was found to be right.
    with call.err.status("Starting ..."):
        from kimo_assets.defs.in_process import launch_task
    with shown_progress(call.err) as progress, stopped_in_words():
        return launch_task(config, database, job=job, progress=progress)


def print_task(call: Call, report: TaskReport) -> None:
    """The figures in a sentence, then what could not be done, then the notes."""
    figures = ", ".join(f"{count:,} {name}" for name, count in report.counts.items() if count)
    style = "" if report.problems else "green"
    call.out.say(
        f"{report.title}: {figures or 'nothing to do'}. {report.seconds:.1f} s", style=style
    )
    if report.problems:
        call.out.print(problems_table(report))
        if len(report.problems) > _PROBLEMS_SHOWN:
            call.out.say(
                f"... and {len(report.problems) - _PROBLEMS_SHOWN:,} more: --json has all of them."
            )
    for note in report.notes:
        call.out.say(note)


def problems_table(report: TaskReport) -> Table:
    shown = table(
        f"{plural(len(report.problems), 'problem')}", ("What", "Why"), left=("What", "Why")
    )
    for problem in report.problems[:_PROBLEMS_SHOWN]:
        shown.add_row(plain(problem.what, _CELL_CHARS), plain(problem.why))
    return shown
