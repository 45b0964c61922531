"""kimo images audit: what is wrong with the pictures that rows name, in tables, as JSON, or as a
sheet of pictures.
"""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table

from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import number, plain, some, table
from kimo_assets.images.audit import KINDS, Audit, Duplicate, Flaw, Kind
from kimo_assets.images.audit import audit as audit_pictures
from kimo_assets.images.contact_sheet import contact_sheet
from kimo_assets.images.settings import image_settings
from kimo_assets.texts import say

# Of each kind of flaw, so that a long one does not push the others off the screen.
_ROWS_SHOWN = 20


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

    Looks at the folders' listings and at what the last `kimo images import` found. Decodes nothing
    and changes nothing.
    """
    with call.database.connect() as connection:
        settings = image_settings(connection, call.config)
        report = audit_pictures(connection, settings, smaller_than)
    if sheet:
        sheet.write_bytes(contact_sheet(settings.public, report.pictures))
    if call.as_json:
        document = report.as_json()
        if sheet:
            document["sheet"] = str(sheet)
        print_json(document)
        return
    _print_audit(call, report)
    if sheet:
        call.out.say(say("cli.images.sheet_written", file=sheet))


def _print_audit(call: Call, report: Audit) -> None:
    """A table for each kind of flaw, then duplicates and files without a row, then the totals."""
    for kind in KINDS:
        if flaws := report.of(kind):
            _print_some(call, _flaws_table(kind, flaws), len(flaws))
    if report.duplicates:
        _print_some(call, _duplicates_table(report.duplicates), len(report.duplicates))
    if report.unnamed:
        _print_some(call, _files_table(list(report.unnamed)), len(report.unnamed))
    for note in report.notes:
        call.out.say(note)
    if report.waiting:
        command = call.kimo("images", "import")
        call.out.say(say("cli.images.waiting", count=len(report.waiting), command=command))
    # A picture may have several flaws, so the tables' lines do not add up to this.
    wrong = sum(bool(picture.marks) for picture in report.pictures)
    call.out.say(say("cli.images.total", count=len(report.pictures), wrong=wrong))


def _print_some(call: Call, shown: Table, total: int) -> None:
    call.out.print(shown)
    if total > _ROWS_SHOWN:
        call.out.say(say("cli.and_more_listed_in_json", more=total - _ROWS_SHOWN))
    call.out.print()


def _flaws_table(kind: Kind, flaws: Sequence[Flaw]) -> Table:
    columns = ("entity", "of", "file", "why")
    title = say(f"cli.images.flaw.{kind}")
    shown = table(f"{title}: {number(len(flaws))}", columns, left=columns)
    for flaw in flaws[:_ROWS_SHOWN]:
        shown.add_row(flaw.entity, some(flaw.owners), plain(flaw.written), plain(flaw.reason))
    return shown


def _duplicates_table(duplicates: Sequence[Duplicate]) -> Table:
    title = say("cli.images.duplicates")
    shown = table(f"{title}: {number(len(duplicates))}", ("files", "of"), left=("files", "of"))
    for duplicate in duplicates[:_ROWS_SHOWN]:
        shown.add_row(some(duplicate.sources), some(duplicate.rows))
    return shown


def _files_table(files: Sequence[str]) -> Table:
    title = say("cli.images.unnamed")
    shown = table(f"{title}: {number(len(files))}", ("file",), left=("file",))
    for file in files[:_ROWS_SHOWN]:
        shown.add_row(plain(file))
    return shown
