"""kimo settings and kimo sync-settings: the console's tables, from a file, to the screen or a file,
and to the tablets.
"""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from kimo_assets.catalog import ConsoleTable, load_console
from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import number, plain, plural, size, table
from kimo_assets.cli.import_ import launched
from kimo_assets.errors import ConfigError, nearest
from kimo_assets.pipeline.steps import open_run
from kimo_assets.reports import ImportReport, PublishedEntity
from kimo_assets.settings import Rows, as_yaml, load_settings, read_settings, stored_tables
from kimo_assets.settings.load import LoadedSettings
from kimo_assets.settings.values import text_of

_CELL_CHARS = 60
_COLUMNS = {
    "inserted": "New",
    "changed": "Changed",
    "archived": "Archived",
    "removed": "Removed",
    "unchanged": "Unchanged",
}


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
    """Put the settings of a file in place of those that are there: whole tables, of its sections
    alone.

    All is checked first; if anything is wrong, nothing is changed. Users that are left out are
    archived.
    """
    found = read_settings(file)
    with open_run(call.config, call.database, title=f"Impostazioni da {file.name}") as run:
        loaded = load_settings(run.connection, found)
    if call.as_json:
        tables = {name: vars(changes) for name, changes in loaded.tables.items()}
        print_json({"load": run.load, "tables": tables, "warnings": loaded.warnings})
    else:
        call.out.print(_changes(loaded))
    for warning in loaded.warnings:
        call.err.say(f"Warning: {plain(warning)}", style="yellow")
    if not call.as_json:
        call.out.say(
            f"{call.kimo('sync-settings')} hands them to the tablets. Users, and rules that decide"
            f" who sees what, count from the next step 3: {call.kimo('import', '--step', '3')}."
        )


def _changes(loaded: LoadedSettings) -> Table:
    shown = table(None, ("Section", *_COLUMNS.values()), left=("Section",))
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
        call.err.say(
            f"{yaml_file}: {plural(sum(map(len, tables.values())), 'row')} of"
            f" {plural(len(tables), 'section')}."
        )
    if call.as_json:
        print_json({name: list(rows.values()) for name, rows in tables.items()})
    elif not yaml_file:
        _print(call, tables)


def _section(name: str) -> str:
    by_fold = {known.casefold(): known for known in load_console()}
    if name.casefold() not in by_fold:
        hint = nearest(name, by_fold.values())
        known = (
            f"Did you mean {' or '.join(hint)}?"
            if hint
            else f"There are: {', '.join(by_fold.values())}."
        )
        raise ConfigError(f"there is no section '{name}'. {known}")
    return by_fold[name.casefold()]


def _print(call: Call, tables: dict[str, Rows]) -> None:
    empty = [name for name, rows in tables.items() if not rows]
    for name, rows in tables.items():
        if rows:
            call.out.print(_rows(load_console()[name], rows))
            call.out.print()
    if empty:
        call.out.say(f"Empty: {', '.join(empty)}.")


def _rows(described: ConsoleTable, rows: Rows) -> Table:
    """The columns of which any has a value; the flags that are set in one column."""
    flags = [name for name, field in described.fields.items() if field.type == "bool"]
    used = [
        name
        for name in described.fields
        if name not in flags and any(row[name] is not None for row in rows.values())
    ]
    columns = (
        [*used, "Flags"] if any(row[flag] for row in rows.values() for flag in flags) else used
    )
    shown = table(f"{described.name}: {plural(len(rows), 'row')}", columns, left=columns)
    for row in rows.values():
        cells = [plain(text_of(described.fields[name], row[name]), _CELL_CHARS) for name in used]
        cells += (
            [", ".join(flag for flag in flags if row[flag])] if len(columns) > len(used) else []
        )
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
    tables: list[Any] = [
        found for found in report.steps[3].entities.values() if isinstance(found, PublishedEntity)
    ]
    written = [found for found in tables if found.objects_written]
    rows = plural(sum(found.rows for found in tables), "row")
    if not written:
        return f"The settings on the tablets are up to date: {rows}, nothing was written."
    names = ", ".join(found.entity for found in written)
    return (
        f"{rows} of settings prepared; written: {names}"
        f" ({size(sum(found.bytes_written for found in written))})."
    )
