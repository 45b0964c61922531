"""kimo plan: what an import would do, before it does it."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import orjson
from rich.table import Table
from rich.text import Text

from kimo_assets.cli.context import EXIT_CHANGES, EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import Terminal, alarming, number, plain, some, table
from kimo_assets.cli.import_ import names_of
from kimo_assets.errors import ConfigError
from kimo_assets.loading.preview import Sample
from kimo_assets.pipeline.plan import Plan, PlannedEntity, make_plan
from kimo_assets.progress import Progress
from kimo_assets.reports import by_reason
from kimo_assets.texts import say

# Entities whose rows are shown. The others are in the table, and all in --json.
_DETAILED = 12
# Old and new value should fit on one line.
_VALUE_CHARS = 40
_NAME_CHARS = 70
_FIELDS_SHOWN = 6

# What happens to rows, by the names of LoadedEntity, as heads of the table.
_COLUMNS = ("inserted", "updated", "archived", "held", "unchanged")
_SIGNS = {
    "inserted": ("+", "green"),
    "updated": ("~", "yellow"),
    "archived": ("-", "red"),
    "held": ("=", "cyan"),
}


@click.command()
@click.option(
    "--entities", metavar="A,B", help="Only these and what they are linked to (entità specifiche)."
)
@click.option("--only-listed", is_flag=True, help="Only the named entities, not the linked ones.")
@click.option(
    "--save",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=(
        "Keep the snapshots that were read, so that `kimo import --plan FILE` applies exactly this"
        " plan."
    ),
)
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit with 4 when an import would change something, with 0 when not.",
)
@common_options
@click.pass_obj
def plan(
    call: Call, entities: str | None, only_listed: bool, file: Path | None, detailed_exitcode: bool
) -> None:
    """What an import would insert, change, archive, hold and reject. Writes nothing.

    The ERP is read as by an import, and compared. Then all of it is taken back. It also tells
    whether a guard would stop the import. It takes as long as steps 1 and 2 would, and is refused
    while a run is going on.
    """
    if only_listed and entities is None:
        raise click.UsageError(say("cli.only_listed_alone"))
    names = call.config.choose(names_of(entities, "--entities"), only_listed=only_listed)
    # Before the plan is made: reading the ERP takes minutes, and only then is the file written.
    if file and not file.absolute().parent.is_dir():
        raise ConfigError(say("cli.plan.no_folder", folder=file.absolute().parent))
    save = file is not None
    with _shown(call.err) as progress:
        made = make_plan(call.config, call.database, names, save=save, progress=progress)
    if file:
        file.write_bytes(orjson.dumps(made.as_json(), option=orjson.OPT_INDENT_2))
    if call.as_json:
        print_json(made.as_json())
    else:
        _print(call, made, file)
    # Before the changes: a plan that could not read everything cannot say whether there are any.
    if made.failures:
        click.get_current_context().exit(EXIT_FAILED)
    if detailed_exitcode and made.has_changes:
        click.get_current_context().exit(EXIT_CHANGES)


class _Lines(Progress):
    """What is going on, in one line that changes."""

    def __init__(self, err: Terminal, update: Callable[[str], None]) -> None:
        self._err = err
        self._update = update
        self._rows: Counter[str] = Counter()

    def entity_started(self, step: int, entity: str) -> None:
        key = "cli.plan.reading" if step == 1 else "cli.plan.comparing"
        self._update(say(key, entity=entity))

    def rows_read(self, entity: str, rows: int) -> None:
        self._rows[entity] += rows
        self._update(say("cli.plan.rows_read", entity=entity, rows=self._rows[entity]))

    def log(self, line: str) -> None:
        self._err.say(line)


class _Quiet(Progress):
    """In a pipe: only the lines of the log."""

    def __init__(self, err: Terminal) -> None:
        self._err = err

    def log(self, line: str) -> None:
        self._err.say(line)


@contextmanager
def _shown(err: Terminal) -> Iterator[Progress]:
    if not err.is_terminal:
        err.say(say("cli.plan.reading_and_comparing"))
        yield _Quiet(err)
        return
    with err.status(say("cli.starting")) as status:
        yield _Lines(err, status.update)


# --- for people
# ------------------------------------------------------------------------------------------------


def _print(call: Call, made: Plan, file: Path | None) -> None:
    """The table, samples of the entities that change most, what fails, and the totals."""
    out = call.out
    changed = [entity for entity in made.entities.values() if entity.has_changes or _held(entity)]
    # Only the first are shown in detail, and a big change is what one looks for.
    changed.sort(key=_weight, reverse=True)
    out.print(_table(made))
    for entity in changed[:_DETAILED]:
        _print_entity(out, entity)
    if len(changed) > _DETAILED:
        out.say(say("cli.plan.more_entities", count=len(changed) - _DETAILED))
    for reason, names in by_reason(made.failures.items()).items():
        entities = ", ".join(names)
        sentence = say("cli.plan.cannot_be_read", entities=entities, reason=plain(reason))
        out.say(sentence, style="bold red")
    for name, guards in made.guards.items():
        for guard in guards:
            sentence = say("cli.plan.guard", entity=name, reason=plain(guard))
            out.say(sentence, style="bold red")
    _print_end(call, made, file)


def _table(made: Plan) -> Table:
    """A line for each entity that is not as before, and one for all others."""
    shown = table(
        say("cli.plan.title"), ("entity", "read", "rejected", *_COLUMNS), left=("entity",)
    )
    # On a usual night most of some hundred entities are as before.
    quiet = 0
    for entity in made.entities.values():
        if not _is_notable(entity):
            quiet += 1
            continue
        is_stopped = bool(entity.failure or entity.guards)
        # What could not be read was not compared and has no figures.
        figures = [number(getattr(entity.loaded, key, 0)) for key in _COLUMNS]
        shown.add_row(
            Text(entity.entity, style="bold red" if is_stopped else ""),
            number(getattr(entity.staged, "read", 0)),
            alarming(number(entity.rejected), entity.rejected),
            *figures,
        )
    if quiet:
        shown.add_row(Text(say("cli.plan.without_changes", count=quiet), style="dim"))
    return shown


def _is_notable(entity: PlannedEntity) -> bool:
    return bool(
        entity.failure or entity.guards or entity.has_changes or _held(entity) or entity.rejected
    )


def _held(entity: PlannedEntity) -> int:
    return getattr(entity.loaded, "held", 0)


def _weight(entity: PlannedEntity) -> int:
    """How many rows are not left as they are."""
    loaded = entity.loaded
    if loaded is None:
        return 0
    return loaded.inserted + loaded.updated + loaded.archived + loaded.held


def _print_entity(out: Terminal, entity: PlannedEntity) -> None:
    """The fields that change, the most frequent first, and sample rows."""
    out.print(Text(f"\n{entity.entity}", style="bold"))
    fields = [f"{name} {number(rows)}" for name, rows in entity.preview.changed_fields.items()]
    if fields:
        listed = say("cli.plan.changed_fields", fields=some(fields, _FIELDS_SHOWN))
        out.say(f"  {listed}")
    order = list(_SIGNS)
    for sample in sorted(entity.preview.samples, key=lambda sample: order.index(sample.kind)):
        out.print(_sample_line(sample), soft_wrap=True)


def _sample_line(sample: Sample) -> Text:
    """A row: what happens to it, its Id and name, and the values that change."""
    sign, style = _SIGNS[sample.kind]
    line = Text.assemble((f"  {sign} {plain(sample.id, _VALUE_CHARS)}", style))
    if sample.name:
        line.append(f"  {plain(sample.name, _NAME_CHARS)}")
    if sample.returns:
        returns = say("cli.plan.returns")
        line.append(f"  ({returns})", style="dim")
    if sample.kind == "held":
        pending = say("cli.plan.pending_edits")
        line.append(f"  ({pending})", style="dim")
    changes = [
        f"{name}: {_value(old)} -> {_value(new)}" for name, (old, new) in sample.changes.items()
    ]
    if len(changes) > _FIELDS_SHOWN:
        more = say("cli.plan.more_fields", count=len(changes) - _FIELDS_SHOWN)
        changes = [*changes[:_FIELDS_SHOWN], more]
    if changes:
        line.append("  " + "; ".join(changes))
    return line


def _value(value: Any) -> str:
    if value is None:
        return say("cli.plan.no_value")
    return plain(value, _VALUE_CHARS)


def _print_end(call: Call, made: Plan, file: Path | None) -> None:
    """The totals, and the command that does what was planned."""
    counts = say("cli.plan.nothing_to_do")
    if made.has_changes:
        counts = say(
            "cli.plan.counts",
            inserted=_total(made, "inserted"),
            updated=_total(made, "updated"),
            archived=_total(made, "archived"),
        )
    call.out.print()
    end = say("cli.plan.end", counts=counts, seconds=made.seconds)
    call.out.say(end, style="green")
    if file:
        command = call.kimo("import", "--plan", str(file))
        call.out.say(say("cli.plan.kept", file=file, command=command))
    # A plain import would be stopped, so the way through a saved plan is named instead.
    elif made.guards:
        save, apply = call.kimo("plan", "--save", "FILE"), call.kimo("import", "--plan", "FILE")
        call.out.say(say("cli.plan.lift_guards", save=save, apply=apply))
    elif made.has_changes and not made.failures:
        call.out.say(say("cli.plan.do_it", command=call.kimo("import")))


def _total(made: Plan, key: str) -> int:
    return sum(getattr(entity.loaded, key, 0) for entity in made.entities.values())
