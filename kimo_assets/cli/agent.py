"""kimo agent: the reference client, as a tablet would sync."""

from dataclasses import asdict
from pathlib import Path

import click

from kimo_assets.cli.command import Call, common_options, print_json
from kimo_assets.cli.progress import bars
from kimo_assets.cli.tables import plural, size
from kimo_assets.sync.client import SyncResult, read_manifest, sync_agent
from kimo_assets.sync.store import Store


@click.command()
@click.argument("agent", metavar="AGENT")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The SQLite file, a table per entity. Made at the first sync; brought up to date by the next ones.",
)
@common_options
@click.pass_obj
def agent(call: Call, agent: str, target: Path) -> None:
    """Sync an agent's data into a SQLite file, as a tablet would.

    Downloads what Step 3: Preparazione dati di Sync has prepared. AGENT is the agent's code: the Id of
    SalesAgent. Every object is verified by its SHA-256.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    result = _sync(call, agent, target)
    if call.as_json:
        print_json({**asdict(result), "file": str(target)})
        return
    call.out.say(
        f"Agent {result.agent}, load {result.load}: {plural(result.entities, 'entity', 'entities')} "
        f"({result.entities_changed:,} changed), {plural(result.rows, 'row')} in {target}"
    )
    downloaded = plural(result.objects_downloaded, "object")
    call.out.print(f"Downloaded {downloaded}, {size(result.bytes_downloaded)}.")


def _sync(call: Call, agent: str, target: Path) -> SyncResult:
    store = call.config.sync_store
    if not call.err.is_terminal:
        return sync_agent(store, agent, target)
    total = len(read_manifest(Store(store), agent)["entities"])
    with bars(call.err) as shown:
        task = shown.add_task(f"Agent {agent}", total=total, detail="")

        def entity_done(entity: str, rows: int) -> None:
            shown.update(task, advance=1, detail=f"{entity}: {rows:,} rows")

        return sync_agent(store, agent, target, on_entity=entity_done)
