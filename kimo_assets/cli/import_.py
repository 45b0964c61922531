"""kimo import: the steps, run as the same Dagster job that the UI runs."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import click

from kimo_assets.catalog import menu
from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.progress import shown_progress
from kimo_assets.cli.summary import print_report
from kimo_assets.errors import KimoError
from kimo_assets.pipeline.saved_plan import id_in_file
from kimo_assets.pipeline.steps import STEPS
from kimo_assets.reports import ImportReport
from kimo_assets.texts import say

_STEPS: dict[str, tuple[int, ...]] = {"1": (1,), "2": (2,), "3": (3,), "2+3": (2, 3)}


def names_of(text: str | None, option: str) -> list[str]:
    """The names between the commas. text: None when the option was not given, which is no names.

    Raises: click.UsageError for a text without a name. It is a mistake, not a wish for everything.
    """
    if text is None:
        return []
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise click.UsageError(say("cli.no_names", option=option))
    return names


@click.command("import")
@click.option(
    "--step",
    type=click.Choice(list(_STEPS)),
    help=(
        "Only this: 1 Import da Erp a KimoIntegrator, 2 Caricamento da KimoIntegrator, 3"
        " Preparazione dati di Sync, 2+3 Caricamento + Preparazione Sync. Default: all three"
        f" ({menu.FULL_IMPORT.title})."
    ),
)
@click.option(
    "--entities",
    metavar="A,B",
    help=(
        "Only these and what they are linked to (entità specifiche). `kimo entities --linked A,B`"
        " shows it."
    ),
)
@click.option(
    "--only-listed",
    is_flag=True,
    help=(
        "Only the named entities, not the linked ones. With caution: what they point to may be"
        " missing."
    ),
)
@click.option(
    "--allow-shrink",
    is_flag=True,
    help=(
        "Take snapshots that lost more rows than `guards` in kimo.yaml allows: the ERP was cleaned"
        " out."
    ),
)
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help=(
        "Apply exactly the plan that `kimo plan --save FILE` has kept. Its guards are lifted"
        " for it."
    ),
)
@common_options
@click.pass_obj
def import_(
    call: Call,
    step: str | None,
    entities: str | None,
    only_listed: bool,
    allow_shrink: bool,
    plan_file: Path | None,
) -> None:
    """Import from the ERP and prepare what the tablets download (Import completo).

    Runs the same job as the menu entry in the UI. The run, its events and its assets show there.
    Only one import or export runs at a time: a second one is refused with exit code 3.
    """
    if only_listed and entities is None:
        raise click.UsageError(say("cli.only_listed_alone"))
    # A plan has fixed entities and steps when it was made. Other wishes would contradict it.
    if plan_file and (step or entities is not None or allow_shrink):
        raise click.UsageError(say("cli.import.plan_alone"))
    plan = ""
    if plan_file:
        # Read before Dagster is loaded: a wrong file is answered at once.
        plan = id_in_file(plan_file.read_bytes(), str(plan_file))
    steps = _STEPS[step] if step else STEPS
    report = launched(
        call,
        "launch_import",
        steps=steps,
        entities=names_of(entities, "--entities"),
        only_listed=only_listed,
        allow_shrink=allow_shrink,
        plan=plan,
    )
    if call.as_json:
        print_json(report.as_json())
    print_report(call, report, steps)
    if not report.success:
        click.get_current_context().exit(EXIT_FAILED)


Launcher = Literal["launch_import", "launch_retry", "launch_settings", "launch_undo"]


def launched(call: Call, launcher: Launcher, **options: Any) -> ImportReport:
    """Runs a job here, with its progress on stderr, and returns its report.

    Raises: KimoError with a sentence when the run was stopped from outside.
    """
    config, database = call.config, call.database
    # Dagster takes seconds to import: only once the configuration is known to be right.
    with call.err.status(say("cli.starting")):
        from kimo_assets.defs import in_process
    # By name, because the module must not be imported before the configuration is known to be
    # right.
    launch = getattr(in_process, launcher)
    with shown_progress(call.err) as progress, stopped_in_words():
        report: ImportReport = launch(config, database, progress=progress, **options)
    return report


@contextmanager
def stopped_in_words() -> Iterator[None]:
    """A `kill` or a closed terminal ends a run as Ctrl-C does: recorded as ended, so that it blocks
    no queue.
    """
    stopped: list[int] = []

    def interrupt(number: int, _: object) -> None:
        stopped.append(number)
        # Dagster ends a run in order for Ctrl-C, so every signal becomes one.
        raise KeyboardInterrupt

    # Windows has no SIGHUP.
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    except (KimoError, KeyboardInterrupt) as error:
        # Dagster turns Ctrl-C into an error of its own.
        if not stopped and "InterruptedError" not in str(error):
            raise
        raise KimoError(say("cli.import.stopped")) from None
    finally:
        # Tests call commands in their own process, which needs its handlers back.
        for number, handler in before.items():
            signal.signal(number, handler)
