"""kimo geocode: coordinates of customers and ship-to sites, what they would cost, and what is to be
corrected.
"""

from pathlib import Path

import click

from kimo_assets.catalog import menu
from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import Terminal, number, plain, plural, table
from kimo_assets.cli.tasks import run_task
from kimo_assets.errors import ConfigError
from kimo_assets.geocoding.plot import positions_svg, read_positions
from kimo_assets.geocoding.report import Correction, Province, corrections, provinces
from kimo_assets.geocoding.run import Preview, preview

_SHOWN = 50
_CELL_CHARS = 90


@click.command()
@click.option(
    "--preview",
    "only_preview",
    is_flag=True,
    help="How many calls a run would make and what they cost; asks nothing.",
)
@click.option(
    "--list",
    "only_list",
    is_flag=True,
    help="The addresses to correct, and the provinces; asks nothing.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=(
        "Where the customers are, coloured by how well that is known, as SVG in a file; asks"
        " nothing."
    ),
)
@common_options
@click.pass_obj
def geocode(call: Call, only_preview: bool, only_list: bool, plot: Path | None) -> None:
    """Ask Google where customers and ship-to sites are (Geocodifica Account).

    Each distinct address is asked once: when it is new, has changed, or was answered nearly as long
    ago as Google's terms allow to keep it. Every answer is kept at once; a run that ends early goes
    on with the next one. Positions that a person has set are left alone. The key is in the
    environment (geocoding: key_variable).
    """
    if sum((only_preview, only_list, plot is not None)) > 1:
        raise click.UsageError("Choose one of --preview, --list and --plot.")
    if only_preview:
        _preview(call)
    elif only_list:
        _list(call)
    elif plot:
        _plot(call, plot)
    else:
        run_task(call, menu.GEOCODE.job)


def _preview(call: Call) -> None:
    with call.database.connect() as connection:
        found = preview(connection, call.config.geocoding)
    if call.as_json:
        print_json(found.as_json())
        return
    for sentence in _in_words(found, call.config.geocoding.price_per_1000):
        call.out.say(sentence)


def _in_words(found: Preview, price: float) -> list[str]:
    if not found.calls:
        return ["Nothing to ask: every address has an answer that may still be kept."]
    kinds = f"{found.new:,} new or changed, {found.expiring:,} answered too long ago"
    lines = [
        f"A run would make {plural(found.calls, 'call')} ({kinds}), for {found.cost:,.2f} at"
        f" {price:g} per 1,000 calls, before what Google grants free of charge. Calls that are"
        " repeated after an error come on top."
    ]
    if found.fits < found.calls:
        lines.append(
            f"{found.fits:,} of them fit today's budget (daily_budget:"
            f" {plural(found.today, 'call')} left); all of them take {plural(found.days, 'day')}."
        )
    return lines


def _list(call: Call) -> None:
    with call.database.connect() as connection:
        found, by_province = corrections(connection), provinces(connection)
    if call.as_json:
        print_json(
            {
                "corrections": [one.as_json() for one in found],
                "provinces": [one.as_json() for one in by_province],
            }
        )
        return
    _print_provinces(call.out, by_province)
    _print_corrections(call.out, found)


def _print_provinces(out: Terminal, found: list[Province]) -> None:
    columns = (
        "Province",
        "Accounts",
        "Found",
        "Coarse",
        "Partial",
        "Nothing found",
        "Not askable",
        "Waiting",
        "By person",
    )
    shown = table("Customers and ship-to sites by province", columns, left=("Province",))
    for one in found:
        figures = (
            one.accounts,
            one.found,
            one.coarse,
            one.partial,
            one.zero,
            one.not_askable,
            one.waiting,
            one.by_person,
        )
        shown.add_row(f"{one.code} {one.name}" if one.code else "unknown", *map(number, figures))
    out.print(shown)


def _print_corrections(out: Terminal, found: list[Correction]) -> None:
    if not found:
        out.say("No address to correct.", style="green")
        return
    shown = table(
        f"{plural(len(found), 'address', 'addresses')} to correct",
        ("Whose", "Why"),
        left=("Whose", "Why"),
    )
    for one in found[:_SHOWN]:
        shown.add_row(plain(one.what, _CELL_CHARS), plain(one.why))
    out.print(shown)
    if len(found) > _SHOWN:
        out.say(f"... and {plural(len(found) - _SHOWN, 'more')}: --json has all of them.")


def _plot(call: Call, file: Path) -> None:
    with call.database.connect() as connection:
        positions = read_positions(connection)
    try:
        file.write_text(positions_svg(positions), encoding="utf-8")
    except OSError as error:
        where = f"--plot: {file} cannot be written ({error.strerror})"
        raise ConfigError(f"{where}: name a file in a folder that is there.") from error
    if call.as_json:
        print_json({"file": str(file), "positions": len(positions)})
    else:
        call.out.say(f"{plural(len(positions), 'position')} drawn in {plain(file)}.")
