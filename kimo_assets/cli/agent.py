"""kimo agent: the reference client, as a tablet would sync."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import TaskID

from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import plural, size
from kimo_assets.cli.progress import bars
from kimo_assets.sync.client.client import SyncReport, sync_agent

_DOING = {"fetch": "Downloading", "write": "Writing"}


@click.command()
@click.argument("agent", metavar="AGENT")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=(
        "The SQLite file, a table per entity. Made at the first sync; brought up to date by the"
        " next ones."
    ),
)
@click.option(
    "--user",
    metavar="USER",
    help=(
        "What this user of the agent's gets (the Id of User), by the user's own settings. Default:"
        " what the agent gets."
    ),
)
@common_options
@click.pass_obj
def agent(call: Call, agent: str, target: Path, user: str | None) -> None:
    """Sync an agent's data into a SQLite file, as a tablet would.

    Downloads what Step 3: Preparazione dati di Sync has prepared. AGENT is the agent's code: the Id
    of SalesAgent. Every object is verified by its SHA-256. A sync that was cut goes on where it
    was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    result = _sync(call, agent, target, user)
    if call.as_json:
        print_json({**asdict(result), "file": str(target)})
        return
    who = f"Agent {result.agent}" + (f", user {result.user}" if result.user else "")
    call.out.say(
        f"{who}, load {result.load}: {plural(result.entities, 'entity', 'entities')} "
        f"({result.entities_changed:,} changed), {plural(result.rows, 'row')} in {target}"
    )
    downloaded = plural(result.objects_downloaded, "object")
    call.out.print(
        f"Downloaded {downloaded}, {size(result.bytes_downloaded)};"
        f" {plural(result.rows_put, 'row')} put, {result.rows_removed:,} removed."
    )


def _sync(call: Call, agent: str, target: Path, user: str | None) -> SyncReport:
    store = call.config.sync_store
    if not call.err.is_terminal:
        return sync_agent(store, agent, target, user=user)
    with bars(call.err) as shown:
        tasks: dict[str, TaskID] = {}

        def on_progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(_DOING[what], detail="")
            shown.update(
                tasks[what], completed=done, total=total, detail=f"{size(done)} of {size(total)}"
            )

        return sync_agent(store, agent, target, user=user, on_progress=on_progress)
