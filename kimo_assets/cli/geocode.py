"""kimo geocode: coordinates of customers and ship-to sites, what they cost, what to correct."""

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
from kimo_assets.texts import say

# The columns after the province: the figures of Province.
_FIGURES = (
    "accounts",
    "found",
    "coarse",
    "partial",
    "zero",
    "not_askable",
    "waiting",
    "by_person",
)

# One screen of work. The whole list is for a program.
_SHOWN = 50
_CELL_CHARS = 90


@click.command()
@click.option(
    "--preview",
    "only_preview",
    is_flag=True,
    help="How many calls a run would make and what they cost. Asks nothing.",
)
@click.option(
    "--list",
    "only_list",
    is_flag=True,
    help="The addresses to correct, and the provinces. Asks nothing.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=(
        "Where the customers are, coloured by how well that is known, as SVG in a file. Asks"
        " nothing."
    ),
)
@common_options
@click.pass_obj
def geocode(call: Call, only_preview: bool, only_list: bool, plot: Path | None) -> None:
    """Ask Google where customers and ship-to sites are (Geocodifica Account).

    Each distinct address is asked once: when it is new, has changed, or was answered nearly as long
    ago as Google's terms allow to keep it. Every answer is kept at once. A run that ends early goes
    on with the next one. Positions that a person has set are left alone. The key is in the
    environment (geocoding: key_variable).
    """
    # Three questions with different answers. Together they would be no one document.
    if sum((only_preview, only_list, plot is not None)) > 1:
        raise click.UsageError(say("cli.geocode.choose_one"))
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
        calls = preview(connection, call.config.geocoding)
    if call.as_json:
        print_json(calls.as_json())
        return
    for sentence in _in_words(calls, call.config.geocoding.price_per_1000):
        call.out.say(sentence)


def _in_words(preview: Preview, price: float) -> list[str]:
    """How many calls a run makes and what they cost, and the days when a day's budget is short."""
    if not preview.calls:
        return [say("cli.geocode.nothing_to_ask")]
    calls = say(
        "cli.geocode.calls",
        calls=plural(preview.calls, "call"),
        new=preview.new,
        expiring=preview.expiring,
        cost=preview.cost,
        price=price,
    )
    # Days only matter where a budget of calls spreads the run over several.
    if preview.fits >= preview.calls:
        return [calls]
    left, days = plural(preview.today, "call"), plural(preview.days, "day")
    return [calls, say("cli.geocode.budget", fits=preview.fits, left=left, days=days)]


def _list(call: Call) -> None:
    """The provinces with their figures, and the addresses to correct."""
    with call.database.connect() as connection:
        to_correct, by_province = corrections(connection), provinces(connection)
    if call.as_json:
        document = {
            "corrections": [correction.as_json() for correction in to_correct],
            "provinces": [province.as_json() for province in by_province],
        }
        print_json(document)
        return
    _print_provinces(call.out, by_province)
    _print_corrections(call.out, to_correct)


def _print_provinces(out: Terminal, by_province: list[Province]) -> None:
    columns = ("province", *(f"geocode.{figure}" for figure in _FIGURES))
    shown = table(say("cli.geocode.by_province"), columns, left=("province",))
    for province in by_province:
        name = say("cli.geocode.unknown_province")
        if province.code:
            name = f"{province.code} {province.name}"
        figures = [number(getattr(province, figure)) for figure in _FIGURES]
        shown.add_row(name, *figures)
    out.print(shown)


def _print_corrections(out: Terminal, to_correct: list[Correction]) -> None:
    """The addresses that Google did not find well enough, with the reason."""
    if not to_correct:
        out.say(say("cli.geocode.nothing_to_correct"), style="green")
        return
    title = say("cli.geocode.to_correct", addresses=plural(len(to_correct), "address"))
    shown = table(title, ("whose", "why"), left=("whose", "why"))
    for correction in to_correct[:_SHOWN]:
        shown.add_row(plain(correction.what, _CELL_CHARS), plain(correction.why))
    out.print(shown)
    if len(to_correct) > _SHOWN:
        out.say(say("cli.and_more_in_json", more=len(to_correct) - _SHOWN))


def _plot(call: Call, file: Path) -> None:
    """Draws the positions into a file. Raises: ConfigError when it cannot be written."""
    with call.database.connect() as connection:
        positions = read_positions(connection)
    try:
        file.write_text(positions_svg(positions), encoding="utf-8")
    # The path comes from the command line, so it is a mistake of usage (exit code 2).
    except OSError as error:
        message = say("cli.geocode.plot_not_written", file=file, reason=error.strerror)
        raise ConfigError(message) from error
    if call.as_json:
        print_json({"file": str(file), "positions": len(positions)})
    else:
        call.out.say(say("cli.geocode.plotted", count=len(positions), file=plain(file)))
