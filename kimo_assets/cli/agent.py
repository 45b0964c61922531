"""kimo agent: the reference client, as a tablet would sync."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import TaskID

from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import plain, plural, size
from kimo_assets.cli.progress import bars
from kimo_assets.sync.client.client import SyncReport, sync_agent
from kimo_assets.texts import say

# What goes on, by the client's own word for it, as the keys of sentences.
_ACTIVITIES = {"fetch": "cli.agent.downloading", "write": "cli.agent.writing"}


@click.command()
@click.argument("agent", metavar="AGENT")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=(
        "The SQLite file, a table per entity. Made at the first sync and brought up to date by"
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
    # SQLite makes a file, but no folder.
    target.parent.mkdir(parents=True, exist_ok=True)
    report = _sync(call, agent, target, user)
    if call.as_json:
        print_json({**asdict(report), "file": str(target)})
        return
    call.out.say(
        say(
            "cli.agent.synced",
            whose=agent_in_words(report.agent, report.user),
            load=report.load,
            entities=plural(report.entities, "entity"),
            changed=report.entities_changed,
            rows=plural(report.rows, "row"),
            file=target,
        )
    )
    call.out.print(
        say(
            "cli.agent.downloaded",
            objects=plural(report.objects_downloaded, "object"),
            size=size(report.bytes_downloaded),
            rows=plural(report.rows_put, "row"),
            removed=report.rows_removed,
        )
    )


def agent_in_words(agent: str, user: str | None) -> str:
    """Whose data they are: an agent's, or those of one of the agent's users."""
    if user is None:
        return say("cli.agent_named", agent=plain(agent))
    return say("cli.agent_and_user", agent=plain(agent), user=plain(user))


def _sync(call: Call, agent: str, target: Path, user: str | None) -> SyncReport:
    """Syncs, on a terminal with a bar for what is downloaded and one for what is written."""
    store = call.config.sync_store
    # Bars in a log are thousands of lines of control characters.
    if not call.err.is_terminal:
        return sync_agent(store, agent, target, user=user)
    with bars(call.err) as shown:
        tasks: dict[str, TaskID] = {}

        def on_progress(activity: str, done: int, total: int) -> None:
            # Only what really happens gets a bar: an unchanged sync writes nothing.
            if activity not in tasks:
                tasks[activity] = shown.add_task(say(_ACTIVITIES[activity]), detail="")
            detail = say("cli.progress.done_of", done=size(done), total=size(total))
            shown.update(tasks[activity], completed=done, total=total, detail=detail)

        return sync_agent(store, agent, target, user=user, on_progress=on_progress)
