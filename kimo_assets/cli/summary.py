"""The report of an import for people: a table per step, what went wrong and what to do about it."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain, groupby

from rich.table import Table
from rich.text import Text

from kimo_assets.catalog import load_catalog
from kimo_assets.catalog.menu import STEP_TITLES
from kimo_assets.cli.context import Call
from kimo_assets.cli.formatting import (
    Terminal,
    alarming,
    category_title,
    number,
    plain,
    plural,
    seconds,
    size,
    table,
)
from kimo_assets.errors import GuardError, KimoError, NotStagedError, SemaphoreError, SourceError
from kimo_assets.reports import (
    AnswersEntity,
    EntityReport,
    ImportReport,
    LoadedEntity,
    PublishedEntity,
    StagedEntity,
    StepReport,
    by_reason,
)
from kimo_assets.texts import say

# An entity with a smaller share of a step's rows is among the "others", unless it has something to
# report.
_SMALL = 0.01

# The figures of each step, by the names of its reports, as heads of its table.
_COLUMNS: dict[int, tuple[str, ...]] = {
    1: ("read", "staged", "rejected"),
    2: ("inserted", "updated", "archived", "unchanged", "held", "refused"),
    3: ("rows", "objects_written", "bytes_written", "agents"),
}
_ALARMING = ("rejected", "refused", "held")
# The same agents get every entity. Their sum would count each a hundred times.
_NOT_ADDED = ("agents",)


def print_report(call: Call, report: ImportReport, steps: Sequence[int]) -> None:
    """The tables and what to do next. With --json only the outcome, on stderr."""
    if not call.as_json:
        for step in report.steps.values():
            call.out.print(step_table(step))
    print_outcome(call, report, steps)


def print_outcome(call: Call, report: ImportReport, steps: Sequence[int]) -> None:
    """How it ended, and what to do next. With --json on stderr."""
    out = call.sentences
    if report.success:
        _print_success(call, out, report)
    else:
        _print_failures(call, out, report, steps)
    _print_answers(out, report)


# --- a step's table
# -----------------------------------------------------------------------------------------


def step_table(step: StepReport) -> Table:
    """By category: every entity of some size or with something to say, others in one line. Totals
    last.
    """
    columns = ("entity", *_COLUMNS[step.step], "seconds")
    shown = table(STEP_TITLES[step.step], columns, left=("entity",))
    catalog = load_catalog()
    # groupby needs its groups to stand together.
    reports = sorted(step.entities.values(), key=lambda report: catalog[report.entity].category)
    small = _SMALL * sum(map(_weight, reports))
    for category, group in groupby(reports, key=lambda report: catalog[report.entity].category):
        _add_category(shown, step.step, category_title(category), list(group), small)
    shown.add_section()
    total = say("cli.summary.total", entities=plural(len(reports), "entity"))
    _add_row(shown, step.step, Text(total, style="bold"), reports, style="bold")
    return shown


def _add_category(
    shown: Table, step: int, title: str, reports: list[EntityReport], small: float
) -> None:
    """small: entities with no more rows share a line, unless they have something to report."""
    own = [report for report in reports if is_notable(report) or _weight(report) > small]
    others = [report for report in reports if report not in own]
    if not own:
        is_unchanged = all(report.status == "unchanged" for report in others)
        key = "cli.summary.unchanged" if is_unchanged else "cli.count.entity"
        count = say(key, count=len(others))
        _add_row(shown, step, Text.assemble((title, "bold"), (f"  {count}", "dim")), others)
        return
    shown.add_row(Text(title, style="bold"))
    for report in own:
        _add_row(shown, step, _name(report), [report])
    if len(others) == 1:
        _add_row(shown, step, Text(f"  {others[0].entity}", style="dim"), others)
    elif others:
        label = say("cli.summary.others", others=len(others))
        _add_row(shown, step, Text(f"  {label}", style="dim"), others)


def is_notable(report: EntityReport) -> bool:
    """Whether an operator should see this entity by itself."""
    if report.status in ("failed", "skipped"):
        return True
    match report:
        case StagedEntity():
            return report.rejected > 0
        case AnswersEntity() if report.acknowledged or report.notes:
            return True
        case LoadedEntity():
            return report.refused + report.held + report.archived + len(report.dangling) > 0
        case _:
            return False


def _weight(report: EntityReport) -> int:
    """What makes an entity big enough for a line of its own: the rows that a step had to do
    with.
    """
    # However big it is, nobody needs to look at it.
    if report.status == "unchanged":
        return 0
    match report:
        case StagedEntity():
            return report.read
        case LoadedEntity():
            return report.inserted + report.updated + report.archived
        case PublishedEntity():
            return report.rows
        case _:
            return 0


def _name(report: EntityReport) -> Text:
    name = f"  {report.entity}"
    match report.status:
        case "failed":
            failed = say("cli.summary.failed_mark")
            return Text(f"{name} {failed}", style="bold red")
        case "skipped":
            skipped = say("cli.summary.skipped_mark")
            return Text(f"{name} {skipped}", style="yellow")
        case _:
            return Text(name)


def _add_row(
    shown: Table, step: int, label: Text, reports: Sequence[EntityReport], *, style: str = ""
) -> None:
    cells = [_cell(key, [getattr(report, key, 0) for report in reports]) for key in _COLUMNS[step]]
    took_s = sum(report.seconds for report in reports)
    shown.add_row(label, *cells, seconds(took_s), style=style)


def _cell(key: str, values: Sequence[int]) -> Text:
    if key in _NOT_ADDED:
        return Text(number(max(values, default=0)))
    total = sum(values)
    if key in _ALARMING:
        return alarming(number(total), total)
    if key == "bytes_written" and total:
        return Text(size(total))
    return Text(number(total))


# --- what to say below
# --------------------------------------------------------------------------------------


def _print_success(call: Call, out: Terminal, report: ImportReport) -> None:
    """What an operator should look at after an import that succeeded."""
    out.say(say("cli.summary.done", load=report.load, seconds=report.seconds), style="green")
    totals = _totals(report)
    if totals["rejected"]:
        rows = rejected_in_words(totals["rejected"], totals["new"])
        command = call.kimo("rejected")
        line = say("cli.rejected.says_why", rows=rows, command=command)
        out.say(line, style="red")
    if totals["held"]:
        out.say(say("cli.summary.held", count=totals["held"]))
    if totals["dangling"]:
        command = call.kimo("status")
        line = say("cli.summary.dangling", count=totals["dangling"], command=command)
        out.say(line, style="yellow")


def _print_answers(out: Terminal, report: ImportReport) -> None:
    """What the ERP answered to the last exports."""
    entities = [entity for step in report.steps.values() for entity in step.entities.values()]
    answers = [entity for entity in entities if isinstance(entity, AnswersEntity)]
    acknowledged = sum(answer.acknowledged for answer in answers)
    if acknowledged:
        bound = sum(answer.bound for answer in answers)
        out.say(say("cli.summary.acknowledged", count=acknowledged, bound=bound))
    for answer in answers:
        is_bad = answer.refused_by_erp + answer.not_bound > 0
        for note in answer.notes:
            out.say(plain(note), style="red" if is_bad else "yellow")


def rejected_in_words(rows: int, new: int) -> str:
    """How many rows are rejected, and how many of them were not before."""
    if not new:
        return say("cli.rejected.rows", count=rows)
    if new == rows:
        return say("cli.rejected.rows_all_new", count=rows)
    return say("cli.rejected.rows_some_new", count=rows, new=new)


def _totals(report: ImportReport) -> Counter[str]:
    """Of all steps: rows that are rejected, newly so and held, and references to no row."""
    totals: Counter[str] = Counter()
    for step in report.steps.values():
        for entity in step.entities.values():
            totals["rejected"] += getattr(entity, "rejected", 0) + getattr(entity, "refused", 0)
            totals["new"] += getattr(entity, "rejected_new", 0) + getattr(entity, "refused_new", 0)
            totals["held"] += getattr(entity, "held", 0)
            totals["dangling"] += sum(getattr(entity, "dangling", {}).values())
    return totals


def _print_failures(call: Call, out: Terminal, report: ImportReport, steps: Sequence[int]) -> None:
    """The failures by step and reason, the steps that did not start, and what helps."""
    for step, failures in report.failures.items():
        good = len(report.steps[step].entities) - len(failures)
        title = STEP_TITLES[step]
        head = say("cli.summary.failed", title=title, count=len(failures), good=good)
        out.say(head, style="bold red")
        for reason, entities in by_reason(failures.items()).items():
            names = ", ".join(entities)
            out.say(f"  {names}: {plain(reason)}", style="red")
    missed = [str(step) for step in steps if step not in report.steps]
    if missed:
        out.say(say("cli.summary.not_started", steps=say("cli.summary.and").join(missed)))
    for line in what_next(call.kimo, report):
        out.print(f"  {line}", soft_wrap=True)


_Hint = Callable[[Callable[..., str], str], str]


def _take_it(kimo: Callable[..., str], names: str) -> str:
    # Only the named ones: lifting the guards for linked entities was not asked for.
    command = kimo("import", "--entities", names, "--only-listed", "--allow-shrink")
    return say("cli.summary.next.allow_shrink", command=command)


def _read_it(kimo: Callable[..., str], names: str) -> str:
    command = kimo("import", "--step", "1", "--entities", names)
    return say("cli.summary.next.read", command=command)


def _semaphores(kimo: Callable[..., str], names: str) -> str:
    return say("cli.summary.next.semaphores", command=kimo("semaphore", "show"))


def _look(kimo: Callable[..., str], names: str) -> str:
    return say("cli.summary.next.check", command=kimo("check"))


# The error that stopped an entity, and the command line that helps. The first that fits: a
# SemaphoreError is a SourceError too.
_HINTS: tuple[tuple[type[KimoError], _Hint], ...] = (
    (GuardError, _take_it),
    (NotStagedError, _read_it),
    (SemaphoreError, _semaphores),
    (SourceError, _look),
)


def what_next(kimo: Callable[..., str], report: ImportReport) -> list[str]:
    """Command lines for the operator, by what stopped the entities."""
    helped: dict[_Hint, list[str]] = {hint: [] for _, hint in _HINTS}
    for step in report.steps.values():
        for name, cause in step.causes.items():
            hint = next((hint for error, hint in _HINTS if issubclass(cause, error)), None)
            if hint:
                helped[hint].append(name)
    lines = [hint(kimo, ",".join(names)) for hint, names in helped.items() if names]
    staged = report.steps[1].entities if 1 in report.steps else {}
    # A guard may have stopped the entity because of rejected rows. They are the thing to mend.
    for name in chain.from_iterable(report.failures.values()):
        if getattr(staged.get(name), "rejected", 0):
            lines.append(say("cli.summary.next.rejected", command=kimo("rejected", name)))
    if not lines:
        return []
    return [say("cli.what_next"), *(f"  {line}" for line in lines)]
