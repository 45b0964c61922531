"""kimo export: to the ERP, what became of it, and the one case that a person has to settle."""

from collections.abc import Iterator
from typing import Any

import click

from kimo_assets.catalog import load_catalog, menu
from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import alarming, moment, number, plain, plural, table
from kimo_assets.cli.import_ import stopped_in_words
from kimo_assets.cli.progress import shown_progress
from kimo_assets.errors import ConfigError
from kimo_assets.export import status as lives
from kimo_assets.export.ready import Waiting
from kimo_assets.pipeline.steps import settle_batch
from kimo_assets.reports import ExportReport, HeldRecord

_HELD_SHOWN = 20
_CELL_CHARS = 90


@click.group(invoke_without_command=True)
@common_options
@click.pass_context
def export(context: click.Context) -> None:
    """Send what agents created or edited to the ERP (Export verso Erp), each record exactly once.

    Everything that is ready and that `export: entities:` of kimo.yaml lists. What the ERP cannot
    take is held back with its reason, everything else goes. Runs the same job as the menu entry in
    the UI; a second import or export at the same time is refused with exit code 3.
    """
    if context.invoked_subcommand is None:
        _export(context.obj)


def _export(call: Call) -> None:
    config, database = call.config, call.database
    # Dagster takes seconds to import: not before the configuration was found to be right.
    with call.err.status("Starting ..."):
        from kimo_assets.defs.in_process import launch_export
    with shown_progress(call.err) as progress, stopped_in_words():
        report = launch_export(config, database, progress=progress)
    if call.as_json:
        print_json(report.as_json())
    else:
        print_export(call, report)


def print_export(call: Call, report: ExportReport) -> None:
    """A table of the entities that had something to send, then what is held, then the notes."""
    busy = [entity for entity in report.entities.values() if entity.ready or entity.recovered]
    if busy:
        columns = ("Ready", "Sent", "Held", "Waiting", "Recovered", "Rows")
        shown = table(menu.EXPORT.title, ("Entity", *columns), left=("Entity",))
        for entity in busy:
            held = (
                alarming(number(entity.held), entity.held),
                number(entity.waiting),
                number(entity.recovered),
            )
            shown.add_row(
                entity.entity, number(entity.ready), number(entity.sent), *held, number(entity.rows)
            )
        call.out.print(shown)
    if report.held:
        _print_held(call, report.held)
    for note in report.notes:
        call.out.say(note)
    sent = sum(entity.sent for entity in report.entities.values())
    call.out.say(
        f"{plural(sent, 'record')} sent in {report.seconds:.1f} s.", style="green" if sent else ""
    )


def _print_held(call: Call, held: tuple[HeldRecord, ...]) -> None:
    shown = table("Held back, or waiting", ("Entity", "Id", "Why"), left=("Entity", "Id", "Why"))
    for record in held[:_HELD_SHOWN]:
        shown.add_row(record.entity, plain(record.id, _CELL_CHARS), plain(record.why))
    call.out.print(shown)
    if len(held) > _HELD_SHOWN:
        call.out.say(f"... and {len(held) - _HELD_SHOWN:,} more: --json has all of them.")


@export.command()
@click.argument("reference", required=False, metavar="[SYNC_REFERENCE]")
@common_options
@click.pass_obj
def status(call: Call, reference: str | None) -> None:
    """What is ready, held back, under way and not answered yet; with a SyncReference (or an Id),
    the life of that record.
    """
    catalog = load_catalog()
    with call.database.connect() as connection:
        if reference is None:
            found = lives.status(connection, call.config, catalog)
        else:
            life = lives.trace(connection, catalog, reference)
    if reference is None:
        _show_status(call, found)
    else:
        _show_life(call, reference, life)


def _show_status(call: Call, found: lives.ExportStatus) -> None:
    if call.as_json:
        print_json(_as_json(found))
        return
    columns = tuple(name.replace("_", " ").capitalize() for name in _FIGURES)
    shown = table("Waiting for the ERP", ("Entity", *columns, "Sent", "Refused"), left=("Entity",))
    for name, waiting in found.entities.items():
        figures = (number(getattr(waiting, figure)) for figure in _FIGURES)
        refused = found.refused.get(name, 0)
        shown.add_row(
            name, *figures, number(found.sent.get(name, 0)), alarming(number(refused), refused)
        )
    call.out.print(shown)
    if found.held:
        _print_held(call, found.held)
    for batch in found.in_doubt:
        what = (
            f"Batch {batch.batch} ({plural(batch.records, batch.entity)}, {moment(batch.began_at)})"
        )
        settle = call.kimo("export", "resolve", str(batch.batch), "--arrived")
        call.out.say(
            f"{what}: nobody knows whether it has arrived. Look in the ERP, then: {settle} (or"
            " --again).",
            style="bold red",
        )


_FIGURES = tuple(name for name in Waiting.__dataclass_fields__ if name != "entity")


def _as_json(found: lives.ExportStatus) -> dict[str, Any]:
    return {
        "entities": {name: vars(waiting) for name, waiting in found.entities.items()},
        "sent": found.sent,
        "refused": found.refused,
        "batches": [{**vars(batch), "is_unsettled": batch.is_in_doubt} for batch in found.batches],
        "held": [vars(record) for record in found.held],
    }


def _show_life(call: Call, reference: str, found: tuple[lives.RecordLife, ...]) -> None:
    if call.as_json:
        print_json([{**vars(life), "trips": [vars(trip) for trip in life.trips]} for life in found])
        return
    if not found:
        raise ConfigError(f"nobody knows of a record with the SyncReference or Id '{reference}'.")
    for life in found:
        gone = ", archived" if life.is_archived else ""
        call.out.say(
            f"{life.entity} {plain(life.id)}, SyncReference {plain(life.sync_reference)}{gone}",
            style="bold",
        )
        for line in _in_lines(life):
            call.out.say(f"  {line}")


def _in_lines(life: lives.RecordLife) -> Iterator[str]:
    if life.uploaded_at:
        yield f"{moment(life.uploaded_at)}  uploaded to Kimo's server"
    for trip in life.trips:
        what = f"{plural(trip.parts, 'part')}: {', '.join(trip.tables)}"
        yield (
            f"{moment(trip.marked_at)}  taken into batch {trip.batch} (load {trip.load}) with"
            f" {what}"
        )
        if trip.sent_at:
            yield f"{moment(trip.sent_at)}  at the ERP (source '{trip.source}')"
        elif trip.outcome:
            yield f"{'':16}  {trip.outcome}{f': {plain(trip.problem)}' if trip.problem else ''}"
        if trip.answered_at:
            answer = (
                f"the ERP knows it as {trip.erp_id}"
                if trip.erp_id
                else f"refused: {plain(trip.problem)}"
            )
            yield f"{moment(trip.answered_at)}  answered: {answer}"
    if life.held:
        yield f"{moment(life.held_since)}  held back: {plain(life.held)}"
    yield f"now: EntityStatus {life.status}" if life.status else "now: it is not in Kimo any more"


@export.command()
@click.argument("batch", type=int)
@click.option(
    "--arrived/--again", default=None, help="It is at the ERP: done. Or it is not: send it again."
)
@common_options
@click.pass_obj
def resolve(call: Call, batch: int, arrived: bool | None) -> None:
    """Settle a batch of which nobody knows whether it has arrived, after looking into the ERP's
    tables.
    """
    if arrived is None:
        raise click.UsageError(
            "Say --arrived or --again: look in the ERP for one of the batch's SyncReferences."
        )
    records = settle_batch(call.config, call.database, batch, arrived=arrived)
    if call.as_json:
        print_json({"batch": batch, "arrived": arrived, "records": records})
    else:
        done = "are taken for sent" if arrived else "will be sent again with the next export"
        call.out.say(f"Batch {batch}: {plural(records, 'record')} {done}.", style="green")
