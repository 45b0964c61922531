"""kimo settings and kimo sync-settings: the console's tables, from a file, to the screen or a file,
and to the tablets.
"""

from pathlib import Path

import click
from rich.table import Table

from kimo_assets.catalog import ConsoleTable, load_console
from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import data_table, number, plain, plural, size, table
from kimo_assets.cli.import_ import launched
from kimo_assets.errors import ConfigError, nearest
from kimo_assets.pipeline.steps import open_run
from kimo_assets.reports import ImportReport, PublishedEntity
from kimo_assets.settings import Rows, as_yaml, load_settings, read_settings, stored_tables
from kimo_assets.settings.load import LoadedSettings
from kimo_assets.settings.values import text_of
from kimo_assets.texts import say

_CELL_CHARS = 60
# What happens to the rows of a section, by the names of TableChanges, as heads of the table.
_COLUMNS = ("inserted", "changed", "archived", "removed", "unchanged")


@click.group()
@common_options
def settings() -> None:
    """Kimo's settings: users, roles, business rules, document types and the console's other
    tables.
    """


@settings.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@common_options
@click.pass_obj
def load(call: Call, file: Path) -> None:
    """Replace settings by those of a file: the whole tables of its sections, and no others.

    Everything is checked first. If anything is wrong, nothing is changed. Users that are left out
    are archived.
    """
    # Before the lock and a load's number: a mistake in the file leaves no failed load.
    tables = read_settings(file)
    # As a load, because settings decide what tablets get and the ledger should say since when.
    with open_run(call.config, call.database, title=f"Impostazioni da {file.name}") as run:
        loaded = load_settings(run.connection, tables)
    if call.as_json:
        changes = {name: vars(changes) for name, changes in loaded.tables.items()}
        print_json({"load": run.load, "tables": changes, "warnings": loaded.warnings})
    else:
        call.out.print(_changes(loaded))
    # On stderr also without --json: they are about the result, not part of it.
    for warning in loaded.warnings:
        call.err.say(say("cli.warning", message=plain(warning)), style="yellow")
    if not call.as_json:
        sync, step_3 = call.kimo("sync-settings"), call.kimo("import", "--step", "3")
        call.out.say(say("cli.settings.how_to_sync", command=sync, step_3=step_3))


def _changes(loaded: LoadedSettings) -> Table:
    shown = table(None, ("section", *_COLUMNS), left=("section",))
    for name, changes in loaded.tables.items():
        shown.add_row(name, *(number(getattr(changes, kind)) for kind in _COLUMNS))
    return shown


@settings.command()
@click.argument("section", required=False)
@click.option(
    "--yaml",
    "yaml_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write them to a file that `kimo settings load` takes.",
)
@common_options
@click.pass_obj
def show(call: Call, section: str | None, yaml_file: Path | None) -> None:
    """Show the settings as they are, or those of one section (table)."""
    names = [_section(section)] if section else list(load_console())
    with call.database.connect() as connection:
        tables = stored_tables(connection, names)
    if yaml_file:
        yaml_file.write_text(as_yaml(tables), encoding="utf-8")
        rows = plural(sum(map(len, tables.values())), "row")
        sections = plural(len(tables), "section")
        call.err.say(say("cli.settings.written", file=yaml_file, rows=rows, sections=sections))
    if call.as_json:
        print_json({name: list(rows.values()) for name, rows in tables.items()})
    elif not yaml_file:
        _print(call, tables)


def _section(name: str) -> str:
    """By name, ignoring case. Raises: ConfigError with the nearest names, or else with all."""
    by_fold = {section.casefold(): section for section in load_console()}
    if name.casefold() in by_fold:
        return by_fold[name.casefold()]
    near = nearest(name, by_fold.values())
    if near:
        names = say("cli.settings.or").join(near)
        raise ConfigError(say("cli.settings.no_section_but", name=name, names=names))
    names = ", ".join(by_fold.values())
    raise ConfigError(say("cli.settings.no_section", name=name, names=names))


def _print(call: Call, tables: dict[str, Rows]) -> None:
    empty = [name for name, rows in tables.items() if not rows]
    for name, rows in tables.items():
        if rows:
            call.out.print(_rows(load_console()[name], rows))
            call.out.print()
    if empty:
        call.out.say(say("cli.settings.empty", names=", ".join(empty)))


def _rows(described: ConsoleTable, rows: Rows) -> Table:
    """The columns in which any row has a value, and the flags that are set in one last column."""
    fields = described.fields
    # Some tables have many flags. A column for each would fit on no screen.
    flags = [name for name, field in fields.items() if field.type == "bool"]
    used = [
        name
        for name in fields
        if name not in flags and any(row[name] is not None for row in rows.values())
    ]
    columns = list(used)
    has_flags = any(row[flag] for row in rows.values() for flag in flags)
    if has_flags:
        columns.append(say("cli.settings.flags"))
    count = plural(len(rows), "row")
    shown = data_table(f"{described.name}: {count}", columns)
    for row in rows.values():
        cells = [plain(text_of(fields[name], row[name]), _CELL_CHARS) for name in used]
        if has_flags:
            cells.append(", ".join(flag for flag in flags if row[flag]))
        shown.add_row(*cells)
    return shown


@click.command("sync-settings")
@common_options
@click.pass_obj
def sync_settings(call: Call) -> None:
    """Prepare the settings alone for the tablets (Preparazione dati di Sync delle sole
    impostazioni).

    Runs the same job as the menu entry in the UI. A full import and step 3 do it too.
    """
    report = launched(call, "launch_settings")
    if call.as_json:
        print_json(report.as_json())
    else:
        call.out.say(_published(report), style="green")
    if not report.success:
        click.get_current_context().exit(EXIT_FAILED)


def _published(report: ImportReport) -> str:
    """How many rows the tablets get, and the tables of which anything was written."""
    entities = report.steps[3].entities.values()
    tables = [entity for entity in entities if isinstance(entity, PublishedEntity)]
    written = [table for table in tables if table.objects_written]
    rows = plural(sum(table.rows for table in tables), "row")
    if not written:
        return say("cli.settings.up_to_date", rows=rows)
    names = ", ".join(table.entity for table in written)
    bytes_written = size(sum(table.bytes_written for table in written))
    return say("cli.settings.prepared", rows=rows, names=names, size=bytes_written)
