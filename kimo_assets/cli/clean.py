"""kimo clean: deletes what is kept of the past and is no longer needed."""

import click

from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.import_ import stopped_in_words
from kimo_assets.cli.progress import shown_progress
from kimo_assets.cli.tasks import print_task
from kimo_assets.texts import say


@click.command()
@click.option("--dry-run", is_flag=True, help="Only count what would go.")
@common_options
@click.pass_obj
def clean(call: Call, dry_run: bool) -> None:
    """Delete what is kept of the past for longer than `retention:` of kimo.yaml says (Pulizia).

    These are Dagster's runs with their events and logs, and the ledger's loads, results, answered
    exports and the rejected rows of entities that are no longer mapped. What status, undo, why and
    the state of partitions need stays. Runs the job clean_up.
    """
    config, database = call.config, call.database
    # Dagster takes seconds to import: only once the configuration is known to be right.
    with call.err.status(say("cli.starting")):
        from kimo_assets.defs.in_process import launch_cleaning
    with shown_progress(call.err) as progress, stopped_in_words():
        report = launch_cleaning(config, database, dry_run=dry_run, progress=progress)
    if call.as_json:
        print_json(report.as_json())
    else:
        print_task(call, report)
