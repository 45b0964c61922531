"""kimo demo: a company to look at. Its ERP, Google and a web site of pictures are played here."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from kimo_assets.catalog import menu
from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import number, plural, print_commands
from kimo_assets.cli.import_ import launched
from kimo_assets.cli.progress import bars
from kimo_assets.cli.summary import print_report
from kimo_assets.cli.tasks import do_task, print_task
from kimo_assets.database.locks import exclusive
from kimo_assets.demo import SCALES, DemoCompany, generate_company
from kimo_assets.demo.company import CONFIG_FILE, ERP_FILE
from kimo_assets.demo.fake_erp import PickedUp
from kimo_assets.demo.fake_erp import pick_up as pick_up_at_the_erp
from kimo_assets.demo.fake_google import DEMO_KEY, FakeGoogle
from kimo_assets.demo.fake_image_site import makers_site
from kimo_assets.demo.orders import MadeOrders, make_orders
from kimo_assets.pipeline.steps import STEPS, Run
from kimo_assets.reports import TaskReport
from kimo_assets.settings import load_settings, read_settings
from kimo_assets.sync.queries import agents_with_payload
from kimo_assets.texts import say

_COMPANY = Path("demo-company")


@click.command()
@click.option(
    "--scale",
    type=click.Choice(list(SCALES)),
    default="small",
    show_default=True,
    help="How big: 600, 8,000 or 50,000 customers. It takes seconds, for large some minutes.",
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=_COMPANY,
    show_default=True,
    metavar="DIR",
    help="Where the company is made: its ERP (SQLite), pictures, kimo.yaml and data.",
)
@click.option(
    "--download",
    is_flag=True,
    help="Play the web site of the makers, and download pictures from it.",
)
@click.option(
    "--geocode",
    is_flag=True,
    help="Play Google on this machine, and ask it where the customers are.",
)
@click.option(
    "--orders",
    type=click.IntRange(1),
    metavar="N",
    help="Let the agents take so many orders, and visit and cash: for `kimo export`.",
)
@click.option(
    "--pick-up",
    is_flag=True,
    help="Play the ERP: it takes what `kimo export` has given it, and answers.",
)
@common_options
@click.pass_obj
def demo(
    call: Call,
    scale: str,
    directory: Path,
    download: bool,
    geocode: bool,
    orders: int | None,
    pick_up: bool,
) -> None:
    """Make a demo company with an ERP of its own and import it (Import completo).

    The company is an invented Italian distributor. Some of its rows and pictures are wrong on
    purpose, so that there is something to see in `kimo rejected` and `kimo images audit`. Again in
    the same folder: the ERP is made anew and imported over it. With any of the last four options, a
    company that is there is taken as it is.
    """
    is_there = (directory / CONFIG_FILE).exists()
    call.config_path = directory / CONFIG_FILE
    document: dict[str, Any] = {}
    # A company that exists keeps its orders and coordinates: these options add to them.
    if not (is_there and (download or geocode or orders or pick_up)):
        document = _make(call, directory, scale)
    if download:
        with makers_site():
            document["download"] = _shown(call, do_task(call, menu.DOWNLOAD_IMAGES.job))
    if geocode:
        with _played_google(call):
            document["geocode"] = _shown(call, do_task(call, menu.GEOCODE.job))
    if orders:
        document["orders"] = _take_orders(call, orders)
    if pick_up:
        document["picked_up"] = _pick_up(call, directory / ERP_FILE)
    if call.as_json:
        print_json(document)


def _take_orders(call: Call, count: int) -> dict[str, Any]:
    # Orders are rows of Kimo's tables. An import that runs meanwhile would meet half of them.
    with exclusive(call.database) as connection:
        made = make_orders(connection, count)
    if not call.as_json:
        sentence = say("cli.demo.made", records=_in_words(made), command=call.kimo("export"))
        call.out.say(sentence, style="green")
    return vars(made)


def _pick_up(call: Call, erp: Path) -> dict[str, Any]:
    taken = pick_up_at_the_erp(erp)
    if not call.as_json:
        sentence = say("cli.demo.taken", records=_in_words(taken), command=call.kimo("import"))
        call.out.say(sentence, style="green")
    return vars(taken)


def _in_words(counts: MadeOrders | PickedUp) -> str:
    """The counts that are not zero, each with the name of its kind of record."""
    figures = []
    for name, count in vars(counts).items():
        if name != "load" and count:
            kind = name.replace("_", " ")
            figures.append(f"{number(count)} {kind}")
    return ", ".join(figures) or say("cli.demo.nothing")


def _make(call: Call, directory: Path, scale: str) -> dict[str, Any]:
    """Makes the company and imports it, with its settings in time for step 3."""
    company = _generate(call, directory, scale)
    # A company that is made anew may be smaller than the one before. Its guards would stop it.
    report = launched(
        call, "launch_import", allow_shrink=True, before_step={3: company_settings(company)}
    )
    document = {**report.as_json(), "company": _company_as_json(company)}
    print_report(call, report, STEPS)
    if not report.success:
        if call.as_json:
            print_json(document)
        click.get_current_context().exit(EXIT_FAILED)
    _print_next_steps(call, company)
    return document


def _shown(call: Call, report: TaskReport) -> dict[str, Any]:
    if not call.as_json:
        print_task(call, report)
    return report.as_json()


@contextmanager
def _played_google(call: Call) -> Iterator[None]:
    """The company asks the stand-in, with a key that only this process knows."""
    section = call.config.geocoding
    with FakeGoogle(key=DEMO_KEY) as google:
        # Only in this process. The company's kimo.yaml still names the real Google.
        played = section.model_copy(update={"base_url": google.url})
        call.config = call.config.model_copy(update={"geocoding": played})
        # An operator may have a real key there. It must never be sent to the demo, nor be lost.
        before = os.environ.get(section.key_variable)
        os.environ[section.key_variable] = DEMO_KEY
        try:
            yield
        finally:
            os.environ.pop(section.key_variable)
            if before is not None:
                os.environ[section.key_variable] = before


def company_settings(company: DemoCompany) -> Callable[[Run], None]:
    """Loads the company's settings, which name agents: after these are there, and before anything
    is published.
    """

    def load(run: Run) -> None:
        loaded = load_settings(run.connection, read_settings(company.settings_path))
        sections = plural(len(loaded.tables), "section")
        run.progress.log(
            say("cli.demo.settings", file=company.settings_path.name, sections=sections)
        )

    return load


def _generate(call: Call, directory: Path, scale: str) -> DemoCompany:
    """Makes the company, on a terminal with the table that is being filled."""
    if not call.err.is_terminal:
        call.err.say(say("cli.demo.making_in", scale=scale, folder=directory))
        return generate_company(directory, scale)
    with bars(call.err) as shown:
        task = shown.add_task(say("cli.demo.making", scale=scale), total=None, detail="")

        def on_progress(table: str, rows: int) -> None:
            shown.update(task, detail=f"{table}: {plural(rows, 'row')}")

        return generate_company(directory, scale, on_progress=on_progress)


def _company_as_json(company: DemoCompany) -> dict[str, Any]:
    """wrong_rows: those that are wrong on purpose, by the rule that rejects them."""
    return {
        "directory": str(company.directory),
        "config": str(company.config_path),
        "erp": str(company.erp_path),
        "settings": str(company.settings_path),
        "scale": company.scale,
        "rows": company.rows,
        "wrong_rows": [
            {"entity": entity, "rule": rule, "rows": rows}
            for (entity, rule), rows in company.wrong_rows.items()
        ],
    }


def _print_next_steps(call: Call, company: DemoCompany) -> None:
    """Commands worth trying on the new company. With --json on stderr."""
    with call.database.connect() as connection:
        agents = agents_with_payload(connection)
    agent = agents[0] if agents else "AGENT"
    dev = call.kimo("dev")
    # The Makefile of a clone of this project starts the UI on this very folder.
    if company.directory == _COMPANY and Path("Makefile").exists():
        dev = say("cli.demo.or_make_dev", command=dev)
    images = call.kimo("images", "import")
    users = call.kimo("settings", "show", "User")
    tablet = call.kimo("agent", agent, "--to", f"{agent.lower()}.sqlite")
    lines = {
        dev: say("cli.demo.next.dev"),
        call.kimo("rejected"): say("cli.demo.next.rejected"),
        images: say("cli.demo.next.images"),
        call.kimo("status"): say("cli.demo.next.status"),
        users: say("cli.demo.next.users"),
        tablet: say("cli.demo.next.agent", agent=agent),
    }
    out = call.sentences
    ready = plural(len(agents), "agent")
    out.print("\n" + say("cli.demo.done", folder=company.directory, agents=ready))
    print_commands(out, lines)
