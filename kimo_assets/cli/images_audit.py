"""kimo images audit: what is wrong with the pictures that rows name, in tables, as JSON and to look
at.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.table import Table

from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import plain, plural, some, table
from kimo_assets.images.audit import KINDS, Audit, Duplicate, Flaw, Kind
from kimo_assets.images.audit import audit as audit_pictures
from kimo_assets.images.contact_sheet import contact_sheet
from kimo_assets.images.settings import image_settings

_ROWS_SHOWN = 20

_TITLES: dict[Kind, str] = {
    "missing": "There is no such file",
    "refused": "No name of a file in the folder",
    "failed": "Could not be read",
    "ambiguous": "Several files fit the name",
    "misnamed": "Of another type than the name says",
    "small": "Too small",
}


@click.command()
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="Write a contact sheet to this file: the thumbnails, those with something wrong first.",
)
@click.option(
    "--smaller-than",
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="What is too small, by the longer side. Default: half of `max_size_px`.",
)
@common_options
@click.pass_obj
def audit(call: Call, sheet: Path | None, smaller_than: int | None) -> None:
    """What is wrong with the pictures that rows name, and which files no row names.

    Looks at the folders' listings and at what the last `kimo images import` found; decodes nothing
    and changes nothing.
    """
    with call.database.connect() as connection:
        settings = image_settings(connection, call.config)
        found = audit_pictures(connection, settings, smaller_than)
    if sheet:
        sheet.write_bytes(contact_sheet(settings.public, found.pictures))
    if call.as_json:
        print_json(found.as_json() | ({"sheet": str(sheet)} if sheet else {}))
        return
    _print_audit(call, found)
    if sheet:
        call.out.say(f"Contact sheet written to {sheet}.")


def _print_audit(call: Call, found: Audit) -> None:
    for kind in KINDS:
        if flaws := found.of(kind):
            _print_some(call, _flaws_table(_TITLES[kind], flaws), len(flaws))
    if found.duplicates:
        _print_some(call, _duplicates_table(found.duplicates), len(found.duplicates))
    if found.unnamed:
        _print_some(
            call, _files_table("Files that no row names", found.unnamed), len(found.unnamed)
        )
    for note in found.notes:
        call.out.say(note)
    if found.waiting:
        call.out.say(
            f"{plural(len(found.waiting), 'file')} not imported yet:"
            f" {call.kimo('images', 'import')}."
        )
    wrong = sum(bool(picture.marks) for picture in found.pictures)
    call.out.say(
        f"{plural(len(found.pictures), 'picture')} named by rows, something wrong with {wrong:,}."
    )


def _print_some(call: Call, shown: Table, total: int) -> None:
    call.out.print(shown)
    if total > _ROWS_SHOWN:
        call.out.say(f"{total - _ROWS_SHOWN:,} more; --json lists all.")
    call.out.print()


def _flaws_table(title: str, flaws: Sequence[Flaw]) -> Table:
    columns = ("Entity", "Of", "File", "Why")
    shown = table(f"{title}: {len(flaws):,}", columns, left=columns)
    for flaw in flaws[:_ROWS_SHOWN]:
        shown.add_row(flaw.entity, some(flaw.owners), plain(flaw.written), plain(flaw.reason))
    return shown


def _duplicates_table(duplicates: Sequence[Duplicate]) -> Table:
    shown = table(
        f"The same picture twice: {len(duplicates):,}", ("Files", "Of"), left=("Files", "Of")
    )
    for duplicate in duplicates[:_ROWS_SHOWN]:
        shown.add_row(some(duplicate.sources), some(duplicate.rows))
    return shown


def _files_table(title: str, files: Iterable[str]) -> Table:
    files = list(files)
    shown = table(f"{title}: {len(files):,}", ("File",), left=("File",))
    for file in files[:_ROWS_SHOWN]:
        shown.add_row(plain(file))
    return shown
