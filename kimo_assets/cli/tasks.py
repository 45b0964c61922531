"""The menu's side jobs from the command line: launched as the UI launches them, and how their
report looks.
"""

from rich.table import Table

from kimo_assets.cli.context import Call, print_json
from kimo_assets.cli.formatting import number, plain, table
from kimo_assets.cli.import_ import stopped_in_words
from kimo_assets.cli.progress import shown_progress
from kimo_assets.reports import TaskReport
from kimo_assets.texts import say

# A folder that is not mounted makes a problem of every picture.
_PROBLEMS_SHOWN = 20
_CELL_CHARS = 90


def run_task(call: Call, job: str) -> TaskReport:
    """Runs the job, prints its report (or its document) and returns it. Raises: the error that
    refused or ended it.
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
    # Dagster takes seconds to import: only once the configuration is known to be right.
    with call.err.status(say("cli.starting")):
        from kimo_assets.defs.in_process import launch_task
    with shown_progress(call.err) as progress, stopped_in_words():
        return launch_task(config, database, job=job, progress=progress)


def print_task(call: Call, report: TaskReport) -> None:
    """The figures in a sentence, then what could not be done, then the notes."""
    counts = [f"{number(count)} {name}" for name, count in report.counts.items() if count]
    figures = ", ".join(counts) or say("cli.task.nothing_to_do")
    done = say("cli.task.done", title=report.title, figures=figures, seconds=report.seconds)
    call.out.say(done, style="" if report.problems else "green")
    if report.problems:
        call.out.print(problems_table(report))
        if len(report.problems) > _PROBLEMS_SHOWN:
            more = len(report.problems) - _PROBLEMS_SHOWN
            call.out.say(say("cli.and_more_in_json", more=more))
    for note in report.notes:
        call.out.say(note)


def problems_table(report: TaskReport) -> Table:
    title = say("cli.task.problems", count=len(report.problems))
    shown = table(title, ("what", "why"), left=("what", "why"))
    for problem in report.problems[:_PROBLEMS_SHOWN]:
        shown.add_row(plain(problem.what, _CELL_CHARS), plain(problem.why))
    return shown
