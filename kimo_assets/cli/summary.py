"""The report of an import for people: a table per step, what went wrong and what to do about it."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

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

# An entity with a smaller share of a step's rows is among the "others" when there is nothing to say
# of it.
_SMALL = 0.01

_COLUMNS: dict[int, tuple[tuple[str, str], ...]] = {
    1: (("read", "Read"), ("staged", "Staged"), ("rejected", "Refused")),
    2: (
        ("inserted", "New"),
        ("updated", "Changed"),
        ("archived", "Archived"),
        ("unchanged", "Unchanged"),
        ("held", "Held"),
        ("refused", "Refused"),
    ),
    3: (
        ("rows", "Rows"),
        ("objects_written", "Objects"),
        ("bytes_written", "Written"),
        ("agents", "Agents"),
    ),
}
_ALARMING = ("rejected", "refused", "held")
_NOT_ADDED = ("agents",)


def print_report(call: Call, report: ImportReport, steps: Sequence[int]) -> None:
    """The tables and what to do next; with --json on stderr, where only failures are worth saying
    again.
    """
    out = call.err if call.as_json else call.out
    if not call.as_json:
        for step in report.steps.values():
            out.print(step_table(step))
    print_outcome(call, report, steps)


def print_outcome(call: Call, report: ImportReport, steps: Sequence[int]) -> None:
    """How it ended, and what to do next; with --json on stderr."""
    out = call.err if call.as_json else call.out
    if report.success:
        _print_success(call, out, report)
    else:
        _print_failures(call, out, report, steps)
    _print_answers(out, report)


# --- a step's table
# -----------------------------------------------------------------------------------------


def step_table(step: StepReport) -> Table:
    """By category: every entity of some size or with something to say; others in one line. Totals
    last.
    """
    columns = _COLUMNS[step.step]
    shown = table(
        STEP_TITLES[step.step],
        ("Entity", *(title for _, title in columns), "Seconds"),
        left=("Entity",),
    )
    catalog = load_catalog()
    reports = sorted(step.entities.values(), key=lambda report: catalog[report.entity].category)
    total = sum(map(_weight, reports))
    for category, group in groupby(reports, key=lambda report: catalog[report.entity].category):
        _add_category(shown, step.step, category_title(category), list(group), _SMALL * total)
    shown.add_section()
    _add_row(
        shown,
        step.step,
        Text(f"Total: {_entities(len(reports))}", style="bold"),
        reports,
        style="bold",
    )
    return shown


def _entities(count: int) -> str:
    return plural(count, "entity", "entities")


def _add_category(
    shown: Table, step: int, title: str, reports: list[EntityReport], small: float
) -> None:
    own = [report for report in reports if is_notable(report) or _weight(report) > small]
    others = [report for report in reports if report not in own]
    if not own:
        quiet = "unchanged" if all(report.status == "unchanged" for report in others) else ""
        label = Text.assemble(
            (title, "bold"), (f"  {_entities(len(others))} {quiet}".rstrip(), "dim")
        )
        _add_row(shown, step, label, others)
        return
    shown.add_row(Text(title, style="bold"))
    for report in own:
        _add_row(shown, step, _name(report), [report])
    if others:
        some = others[0].entity if len(others) == 1 else plural(len(others), "other")
        _add_row(shown, step, Text(f"  {some}", style="dim"), others)


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
    match report.status:
        case "failed":
            return Text(f"  {report.entity} FAILED", style="bold red")
        case "skipped":
            return Text(f"  {report.entity} skipped", style="yellow")
        case _:
            return Text(f"  {report.entity}")


def _add_row(
    shown: Table, step: int, label: Text, reports: Iterable[EntityReport], *, style: str = ""
) -> None:
    reports = list(reports)
    cells = [
        _cell(key, [getattr(report, key, 0) for report in reports]) for key, _ in _COLUMNS[step]
    ]
    shown.add_row(label, *cells, seconds(sum(report.seconds for report in reports)), style=style)


def _cell(key: str, values: Sequence[int]) -> Text:
    if key in _NOT_ADDED:
        return Text(number(max(values, default=0)))
    total = sum(values)
    if key in _ALARMING:
        return alarming(number(total), total)
    return Text(size(total) if key == "bytes_written" and total else number(total))


# --- what to say below
# --------------------------------------------------------------------------------------


def _print_success(call: Call, out: Terminal, report: ImportReport) -> None:
    out.say(f"Done: load {report.load}, {report.seconds:.1f} s.", style="green")
    refused, new, held, dangling = _remarks(report)
    if refused:
        out.say(f"{refused_in_words(refused, new)}: {call.kimo('rejected')} says why.", style="red")
    if held:
        out.say(
            f"{plural(held, 'row')} held: Kimo has pending edits of them, which no import"
            " overwrites."
        )
    if dangling:
        out.say(
            f"{plural(dangling, 'reference')} pointing nowhere: {call.kimo('status')} lists them.",
            style="yellow",
        )


def _print_answers(out: Terminal, report: ImportReport) -> None:
    """What the ERP answered to the last exports."""
    entities = [entity for step in report.steps.values() for entity in step.entities.values()]
    answers = [entity for entity in entities if isinstance(entity, AnswersEntity)]
    acknowledged = sum(found.acknowledged for found in answers)
    if acknowledged:
        bound = sum(found.bound for found in answers)
        out.say(
            f"{plural(acknowledged, 'record')} acknowledged by the ERP, {bound:,} of them with an"
            " Id of its own."
        )
    for found in answers:
        for note in found.notes:
            out.say(
                plain(note), style="red" if found.refused_by_erp + found.not_bound else "yellow"
            )


def refused_in_words(rows: int, new: int) -> str:
    """How many rows are refused, and how many of them were not before."""
    share = {0: "", rows: ", all of them new" if rows > 1 else ", a new one"}.get(
        new, f", {new:,} of them new"
    )
    return f"{plural(rows, 'row')} refused{share}"


def _remarks(report: ImportReport) -> tuple[int, int, int, int]:
    refused = new = held = dangling = 0
    for step in report.steps.values():
        for entity in step.entities.values():
            refused += getattr(entity, "rejected", 0) + getattr(entity, "refused", 0)
            new += getattr(entity, "rejected_new", 0) + getattr(entity, "refused_new", 0)
            held += getattr(entity, "held", 0)
            dangling += sum(getattr(entity, "dangling", {}).values())
    return refused, new, held, dangling


def _print_failures(call: Call, out: Terminal, report: ImportReport, steps: Sequence[int]) -> None:
    for number_, failures in report.failures.items():
        good = len(report.steps[number_].entities) - len(failures)
        out.say(
            f"{STEP_TITLES[number_]}: {_entities(len(failures))} failed, {good} good.",
            style="bold red",
        )
        for reason, entities in by_reason(failures.items()).items():
            out.say(f"  {', '.join(entities)}: {plain(reason)}", style="red")
    missed = [str(step) for step in steps if step not in report.steps]
    if missed:
        out.say(
            f"Not started because of that: step {' and '.join(missed)}. The tablets keep what they"
            " have."
        )
    for line in what_next(call.kimo, report):
        out.print(f"  {line}", soft_wrap=True)


_Hint = Callable[[Callable[..., str], str], str]


def _take_it(kimo: Callable[..., str], names: str) -> str:
    return (
        f"{kimo('import', '--entities', names, '--only-listed', '--allow-shrink')}: take it"
        " nevertheless"
    )


def _read_it(kimo: Callable[..., str], names: str) -> str:
    return f"{kimo('import', '--step', '1', '--entities', names)}: read it from the ERP first"


def _semaphores(kimo: Callable[..., str], names: str) -> str:
    return f"{kimo('semaphore', 'show')}: who holds the ERP's semaphores, and since when"


def _look(kimo: Callable[..., str], names: str) -> str:
    return f"{kimo('check')}: what the mapping and the ERP disagree about"


# What a failure's sentence says, and the command line that helps.
_HINTS: tuple[tuple[str, _Hint], ...] = (
    (r"--allow-shrink", _take_it),
    (r"run step 1", _read_it),
    (r"Semaphore of source '", _semaphores),
    (r"^source '|table or view|has no column|gives n", _look),
)


def what_next(kimo: Callable[..., str], report: ImportReport) -> list[str]:
    """Command lines for the operator, by what the failures say."""
    failures = [
        (name, reason) for step in report.failures.values() for name, reason in step.items()
    ]
    lines = []
    for pattern, hint in _HINTS:
        names = [name for name, reason in failures if re.search(pattern, reason)]
        if names:
            lines.append(hint(kimo, ",".join(names)))
    for name, _ in failures:
        staged = report.steps[1].entities.get(name) if 1 in report.steps else None
        if getattr(staged, "rejected", 0):
            lines.append(f"{kimo('rejected', name)}: its refused rows")
    return ["What next:", *(f"  {line}" for line in lines)] if lines else []
