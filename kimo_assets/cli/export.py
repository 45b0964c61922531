"""kimo export: to the ERP, what became of it, and the one case that a person has to settle."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click
from rich.table import Table

from kimo_assets.catalog import load_catalog, menu
from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import alarming, moment, number, plain, plural, table
from kimo_assets.cli.import_ import stopped_in_words
from kimo_assets.cli.progress import shown_progress
from kimo_assets.errors import ConfigError
from kimo_assets.export import status as lives
from kimo_assets.export.ready import Waiting
from kimo_assets.pipeline.steps import settle_batch
from kimo_assets.reports import ExportedEntity, ExportReport, HeldRecord
from kimo_assets.texts import say

# One wrong customer can hold back hundreds of orders for the same reason.
_HELD_SHOWN = 20
_CELL_CHARS = 90
_FIGURES = tuple(name for name in Waiting.__dataclass_fields__ if name != "entity")


@click.group(invoke_without_command=True)
@common_options
@click.pass_context
def export(context: click.Context) -> None:
    """Send what agents created or edited to the ERP (Export verso Erp), each record exactly once.

    Everything that is ready and that `export: entities:` of kimo.yaml lists. What the ERP cannot
    take is held back with its reason, everything else goes. Runs the same job as the menu entry in
    the UI. A second import or export at the same time is refused with exit code 3.
    """
    # `kimo export` is the menu's entry itself. Its subcommands only look or settle.
    if context.invoked_subcommand is None:
        _export(context.obj)


def _export(call: Call) -> None:
    config, database = call.config, call.database
    # Dagster takes seconds to import: only once the configuration is known to be right.
    with call.err.status(say("cli.starting")):
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
        call.out.print(_sent_table(busy))
    if report.held:
        _print_held(call, report.held)
    for note in report.notes:
        call.out.say(note)
    sent = sum(entity.sent for entity in report.entities.values())
    sentence = say("cli.export.sent", records=plural(sent, "record"), seconds=report.seconds)
    call.out.say(sentence, style="green" if sent else "")


def _sent_table(entities: list[ExportedEntity]) -> Table:
    """What became of the records that were to be sent. rows: of all tables of the ERP."""
    columns = ("entity", "ready", "sent", "held", "waiting", "recovered", "rows")
    shown = table(menu.EXPORT.title, columns, left=("entity",))
    for entity in entities:
        shown.add_row(
            entity.entity,
            number(entity.ready),
            number(entity.sent),
            alarming(number(entity.held), entity.held),
            number(entity.waiting),
            number(entity.recovered),
            number(entity.rows),
        )
    return shown


def _print_held(call: Call, held: tuple[HeldRecord, ...]) -> None:
    columns = ("entity", "id", "why")
    shown = table(say("cli.export.held_title"), columns, left=columns)
    for record in held[:_HELD_SHOWN]:
        shown.add_row(record.entity, plain(record.id, _CELL_CHARS), plain(record.why))
    call.out.print(shown)
    if len(held) > _HELD_SHOWN:
        call.out.say(say("cli.and_more_in_json", more=len(held) - _HELD_SHOWN))


@export.command()
@click.argument("reference", required=False, metavar="[SYNC_REFERENCE]")
@common_options
@click.pass_obj
def status(call: Call, reference: str | None) -> None:
    """What is ready, held back, under way and not answered yet. With a SyncReference (or an Id),
    the life of that record.
    """
    catalog = load_catalog()
    with call.database.connect() as connection:
        if reference is None:
            state = lives.status(connection, call.config, catalog)
        else:
            records = lives.trace(connection, catalog, reference)
    if reference is None:
        _show_status(call, state)
    else:
        _show_lives(call, reference, records)


def _show_status(call: Call, state: lives.ExportStatus) -> None:
    """A table by entity, then what is held, then the batches that a person has to settle."""
    if call.as_json:
        print_json(_as_json(state))
        return
    columns = ("entity", *_FIGURES, "sent", "refused_by_erp")
    shown = table(say("cli.export.status_title"), columns, left=("entity",))
    for name, waiting in state.entities.items():
        figures = [number(getattr(waiting, figure)) for figure in _FIGURES]
        sent = number(state.sent.get(name, 0))
        refused = state.refused.get(name, 0)
        shown.add_row(name, *figures, sent, alarming(number(refused), refused))
    call.out.print(shown)
    if state.held:
        _print_held(call, state.held)
    for batch in state.in_doubt:
        sentence = say(
            "cli.export.in_doubt",
            batch=batch.batch,
            entity=batch.entity,
            records=plural(batch.records, "record"),
            began=moment(batch.began_at),
            command=call.kimo("export", "resolve", str(batch.batch), "--arrived"),
        )
        call.out.say(sentence, style="bold red")


def _as_json(state: lives.ExportStatus) -> dict[str, Any]:
    # JSON keys are a contract, so the old word stays here and in `trips`.
    batches = [{**vars(batch), "is_unsettled": batch.is_in_doubt} for batch in state.batches]
    return {
        "entities": {name: vars(waiting) for name, waiting in state.entities.items()},
        "sent": state.sent,
        "refused": state.refused,
        "batches": batches,
        "held": [vars(record) for record in state.held],
    }


def _show_lives(call: Call, reference: str, records: tuple[lives.RecordLife, ...]) -> None:
    """The life of each record with this SyncReference or Id.

    Raises: ConfigError when there is no such record.
    """
    if call.as_json:
        print_json(
            [{**vars(life), "trips": [vars(trip) for trip in life.trips]} for life in records]
        )
        return
    if not records:
        raise ConfigError(say("cli.export.no_such_record", reference=reference))
    for life in records:
        key = "cli.export.archived_record" if life.is_archived else "cli.export.record"
        sync_reference = plain(life.sync_reference)
        head = say(key, entity=life.entity, id=plain(life.id), sync_reference=sync_reference)
        call.out.say(head, style="bold")
        for line in _life_lines(life):
            call.out.say(f"  {line}")


def _life_lines(life: lives.RecordLife) -> Iterator[str]:
    """From the upload to now, oldest first."""
    if life.uploaded_at:
        yield _dated(life.uploaded_at, say("cli.export.uploaded"))
    for trip in life.trips:
        yield from _delivery_lines(trip)
    if life.held:
        yield _dated(life.held_since, say("cli.export.held_back", reason=plain(life.held)))
    if life.status:
        yield say("cli.export.now", status=life.status)
    else:
        yield say("cli.export.now_gone")


def _delivery_lines(trip: lives.Delivery) -> Iterator[str]:
    """One way to the ERP: with which batch, whether it arrived, what the ERP answered."""
    parts, tables = plural(trip.parts, "part"), ", ".join(trip.tables)
    taken = say("cli.export.taken", batch=trip.batch, load=trip.load, parts=parts, tables=tables)
    yield _dated(trip.marked_at, taken)
    if trip.sent_at:
        yield _dated(trip.sent_at, say("cli.export.arrived", source=trip.source))
    elif trip.outcome and trip.problem:
        yield _dated(None, f"{trip.outcome}: {plain(trip.problem)}")
    elif trip.outcome:
        yield _dated(None, trip.outcome)
    if trip.answered_at and trip.erp_id:
        yield _dated(trip.answered_at, say("cli.export.accepted", id=trip.erp_id))
    elif trip.answered_at:
        yield _dated(trip.answered_at, say("cli.export.refused", reason=plain(trip.problem)))


def _dated(at: datetime | None, event: str) -> str:
    """An event of a record's life behind its time, or behind as much room."""
    time = moment(at) if at else ""
    # As wide as a moment, so that events without a time stand in the same column.
    return f"{time:16}  {event}"


@export.command()
@click.argument("batch", type=int)
# No default: the wrong one would lose orders or send them twice.
@click.option(
    "--arrived/--again", default=None, help="It is at the ERP: done. Or it is not: send it again."
)
@common_options
@click.pass_obj
def resolve(call: Call, batch: int, arrived: bool | None) -> None:
    """Settle a batch that is in doubt. Look first into the ERP's tables whether it has arrived."""
    if arrived is None:
        raise click.UsageError(say("cli.export.which_way"))
    records = settle_batch(call.config, call.database, batch, arrived=arrived)
    if call.as_json:
        print_json({"batch": batch, "arrived": arrived, "records": records})
    else:
        key = "cli.export.settled_as_arrived" if arrived else "cli.export.settled_as_not_arrived"
        call.out.say(say(key, batch=batch, count=records), style="green")
