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
from kimo_assets.cli.formatting import Terminal, alarming, number, plain, plural, table
from kimo_assets.cli.import_ import names_of
from kimo_assets.cli.summary import by_reason
from kimo_assets.errors import ConfigError
from kimo_assets.loading.preview import Sample
from kimo_assets.pipeline.plan import Plan, PlannedEntity, make_plan
from kimo_assets.progress import Progress

# Entities whose rows are shown; the others are in the table, and all in --json.
_DETAILED = 12
_VALUE_CHARS = 40
_NAME_CHARS = 70
_FIELDS_SHOWN = 6

_COLUMNS = (
    ("inserted", "New"),
    ("updated", "Changed"),
    ("archived", "Archived"),
    ("held", "Held"),
    ("unchanged", "Unchanged"),
)
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
    """What an import would insert, change, archive, hold and refuse. Writes nothing.

    The ERP is read as by an import, and compared; then all of it is taken back. It also tells
    whether a guard would stop the import. It takes as long as steps 1 and 2 would, and is refused
    while a run is going on.
    """
    if only_listed and entities is None:
        raise click.UsageError("--only-listed goes with --entities.")
    names = call.config.choose(
        [] if entities is None else names_of(entities, "--entities"), only_listed=only_listed
    )
    if file and not file.absolute().parent.is_dir():
        raise ConfigError(f"--save: there is no folder {file.absolute().parent}")
    with _shown(call.err) as progress:
        made = make_plan(
            call.config, call.database, names, save=file is not None, progress=progress
        )
    if file:
        file.write_bytes(orjson.dumps(made.as_json(), option=orjson.OPT_INDENT_2))
    if call.as_json:
        print_json(made.as_json())
    else:
        _print(call, made, file)
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
        self._update(f"Reading {entity} ..." if step == 1 else f"Comparing {entity} ...")

    def rows_read(self, entity: str, rows: int) -> None:
        self._rows[entity] += rows
        self._update(f"Reading {entity}: {self._rows[entity]:,} rows ...")

    def log(self, line: str) -> None:
        self._err.say(line)


class _Quiet(Progress):
    """In a pipe: only what there is to say."""

    def __init__(self, err: Terminal) -> None:
        self._err = err

    def log(self, line: str) -> None:
        self._err.say(line)


@contextmanager
def _shown(err: Terminal) -> Iterator[Progress]:
    if not err.is_terminal:
        err.say("Reading the ERP and comparing ...")
        yield _Quiet(err)
        return
    with err.status("Starting ...") as status:
        yield _Lines(err, status.update)


# --- for people
# ------------------------------------------------------------------------------------------------


def _print(call: Call, made: Plan, file: Path | None) -> None:
    out = call.out
    changed = sorted(
        (e for e in made.entities.values() if e.has_changes or _held(e)), key=_weight, reverse=True
    )
    out.print(_table(made))
    for entity in changed[:_DETAILED]:
        _print_entity(out, entity)
    if len(changed) > _DETAILED:
        out.say(
            f"... and {plural(len(changed) - _DETAILED, 'more entity', 'more entities')}: --json"
            " shows them."
        )
    for reason, names in by_reason(made.failures.items()).items():
        out.say(f"Cannot be read: {', '.join(names)}: {plain(reason)}", style="bold red")
    for name, guards in made.guards.items():
        for guard in guards:
            out.say(f"A guard would stop {name}: {plain(guard)}", style="bold red")
    _print_end(call, made, file)


def _table(made: Plan) -> Table:
    shown = table(
        "Plan", ("Entity", "Read", "Refused", *(title for _, title in _COLUMNS)), left=("Entity",)
    )
    quiet = 0
    for entity in made.entities.values():
        if not _is_notable(entity):
            quiet += 1
            continue
        style = "bold red" if entity.failure or entity.guards else ""
        shown.add_row(
            Text(entity.entity, style=style),
            number(getattr(entity.staged, "read", 0)),
            alarming(number(entity.rejected), entity.rejected),
            *(number(getattr(entity.loaded, key, 0)) for key, _ in _COLUMNS),
        )
    if quiet:
        shown.add_row(Text(f"{plural(quiet, 'entity', 'entities')} without changes", style="dim"))
    return shown


def _is_notable(entity: PlannedEntity) -> bool:
    return bool(
        entity.failure or entity.guards or entity.has_changes or _held(entity) or entity.rejected
    )


def _held(entity: PlannedEntity) -> int:
    return entity.loaded.held if entity.loaded else 0


def _weight(entity: PlannedEntity) -> int:
    loaded = entity.loaded
    return loaded.inserted + loaded.updated + loaded.archived + loaded.held if loaded else 0


def _print_entity(out: Terminal, entity: PlannedEntity) -> None:
    out.print(Text(f"\n{entity.entity}", style="bold"))
    fields = list(entity.preview.changed_fields.items())
    if fields:
        more = f" and {len(fields) - _FIELDS_SHOWN} more" if len(fields) > _FIELDS_SHOWN else ""
        out.say(
            "  fields that change:"
            f" {', '.join(f'{name} {n:,}' for name, n in fields[:_FIELDS_SHOWN])}{more}"
        )
    for sample in sorted(
        entity.preview.samples, key=lambda sample: list(_SIGNS).index(sample.kind)
    ):
        out.print(_sample_line(sample), soft_wrap=True)


def _sample_line(sample: Sample) -> Text:
    sign, style = _SIGNS[sample.kind]
    line = Text.assemble((f"  {sign} {plain(sample.id, _VALUE_CHARS)}", style))
    if sample.name:
        line.append(f"  {plain(sample.name, _NAME_CHARS)}")
    if sample.returns:
        line.append("  (comes back)", style="dim")
    if sample.kind == "held":
        line.append("  (Kimo has pending edits: not overwritten)", style="dim")
    changes = [
        f"{name}: {_value(old)} -> {_value(new)}" for name, (old, new) in sample.changes.items()
    ]
    if len(changes) > _FIELDS_SHOWN:
        changes = [*changes[:_FIELDS_SHOWN], f"and {len(changes) - _FIELDS_SHOWN} more fields"]
    return line.append(f"  {'; '.join(changes)}") if changes else line


def _value(value: Any) -> str:
    return "no value" if value is None else plain(value, _VALUE_CHARS)


def _print_end(call: Call, made: Plan, file: Path | None) -> None:
    totals = {
        key: sum(getattr(e.loaded, key, 0) for e in made.entities.values())
        for key in ("inserted", "updated", "archived")
    }
    if made.has_changes:
        counts = (
            f"{totals['inserted']:,} new, {totals['updated']:,} changed, {totals['archived']:,}"
            " archived"
        )
    else:
        counts = "nothing to do"
    call.out.say(
        f"\n{counts}, found out in {made.seconds:.1f} s. Kimo's data are as they were.",
        style="green",
    )
    if file:
        call.out.say(
            f"The plan is kept in {file}: {call.kimo('import', '--plan', str(file))} applies"
            " exactly this."
        )
    elif made.guards:
        command = call.kimo("plan", "--save", "FILE")
        call.out.say(
            f"If it is right so: {command}, then {call.kimo('import', '--plan', 'FILE')} lifts the"
            " guards for it."
        )
    elif made.has_changes and not made.failures:
        call.out.say(f"{call.kimo('import')} does it.")
