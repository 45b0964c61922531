"""kimo demo: a company to look at, and those who are around it, played on this machine."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from kimo_assets.catalog import menu
from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import plural
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

_COMPANY = Path("demo-company")


@click.command()
@click.option(
    "--scale",
    type=click.Choice(list(SCALES)),
    default="small",
    show_default=True,
    help="How big: 600, 8,000 or 50,000 customers; seconds, or some minutes for large.",
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
    the same folder: the ERP is made anew and imported over it; with any of the last four options, a
    company that is there is taken as it is.
    """
    is_there = (directory / CONFIG_FILE).exists()
    call.config_path = directory / CONFIG_FILE
    said: dict[str, Any] = {}
    if not (is_there and (download or geocode or orders or pick_up)):
        said = _make(call, directory, scale)
    if download:
        with makers_site():
            said["download"] = _shown(call, do_task(call, menu.DOWNLOAD_IMAGES.job))
    if geocode:
        with _played_google(call):
            said["geocode"] = _shown(call, do_task(call, menu.GEOCODE.job))
    if orders:
        said["orders"] = _take_orders(call, orders)
    if pick_up:
        said["picked_up"] = _pick_up(call, directory / ERP_FILE)
    if call.as_json:
        print_json(said)


def _take_orders(call: Call, count: int) -> dict[str, Any]:
    with exclusive(call.database) as connection:
        made = make_orders(connection, count)
    if not call.as_json:
        call.out.say(
            f"The agents have made {_in_words(made)}. To send what is ready: {call.kimo('export')}",
            style="green",
        )
    return vars(made)


def _pick_up(call: Call, erp: Path) -> dict[str, Any]:
    taken = pick_up_at_the_erp(erp)
    if not call.as_json:
        call.out.say(
            f"The ERP has taken over {_in_words(taken)}. For its answers: {call.kimo('import')}",
            style="green",
        )
    return vars(taken)


def _in_words(counts: MadeOrders | PickedUp) -> str:
    named = {
        name.replace("_", " "): count
        for name, count in vars(counts).items()
        if name != "load" and count
    }
    return ", ".join(f"{count:,} {name}" for name, count in named.items()) or "nothing"


def _make(call: Call, directory: Path, scale: str) -> dict[str, Any]:
    company = _generate(call, directory, scale)
    report = launched(
        call, "launch_import", allow_shrink=True, before_step={3: company_settings(company)}
    )
    said = {**report.as_json(), "company": _company_as_json(company)}
    print_report(call, report, STEPS)
    if not report.success:
        if call.as_json:
            print_json(said)
        click.get_current_context().exit(EXIT_FAILED)
    _say_what_next(call, company)
    return said


def _shown(call: Call, report: TaskReport) -> dict[str, Any]:
    if not call.as_json:
        print_task(call, report)
    return report.as_json()


@contextmanager
def _played_google(call: Call) -> Iterator[None]:
    """The company asks the stand-in, with a key that only this process knows."""
    section = call.config.geocoding
    with FakeGoogle(key=DEMO_KEY) as google:
        played = section.model_copy(update={"base_url": google.url})
        call.config = call.config.model_copy(update={"geocoding": played})
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
        run.progress.log(
            f"{company.settings_path.name}: {plural(len(loaded.tables), 'section')} of settings"
        )

    return load


def _generate(call: Call, directory: Path, scale: str) -> DemoCompany:
    if not call.err.is_terminal:
        call.err.say(f"Making a {scale} company in {directory} ...")
        return generate_company(directory, scale)
    with bars(call.err) as shown:
        task = shown.add_task(f"Making a {scale} company", total=None, detail="")
        return generate_company(
            directory,
            scale,
            on_progress=lambda table, rows: shown.update(task, detail=f"{table}: {rows:,} rows"),
        )


def _company_as_json(company: DemoCompany) -> dict[str, Any]:
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


def _say_what_next(call: Call, company: DemoCompany) -> None:
    with call.database.connect() as connection:
        agents = agents_with_payload(connection)
    agent = agents[0] if agents else "AGENT"
    shortcut = company.directory == _COMPANY and Path("Makefile").exists()
    lines = {
        call.kimo("dev")
        + (" (or: make dev)" if shortcut else ""): "the UI, at http://127.0.0.1:3000",
        call.kimo("rejected"): "the refused rows, and why",
        call.kimo("images", "import"): "its pictures, made small; some are wrong on purpose",
        call.kimo("status"): "what Kimo holds, and how fresh it is",
        call.kimo(
            "settings", "show", "User"
        ): "the users; settings.yaml is the file they came from",
        call.kimo(
            "agent", agent, "--to", f"{agent.lower()}.sqlite"
        ): f"what agent {agent} has on the tablet",
    }
    say = call.err if call.as_json else call.out
    say.print(
        f"\n{company.directory} holds the company; {plural(len(agents), 'agent')} can sync. What"
        " next:"
    )
    width = max(map(len, lines))
    for command, what in lines.items():
        say.print(f"  {command:<{width}}  {what}", soft_wrap=True)
