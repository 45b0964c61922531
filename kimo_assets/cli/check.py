"""kimo check: everything an import needs, looked at beforehand."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import click
from rich.table import Table
from rich.text import Text

from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import Terminal, number, plain, plural, some, table
from kimo_assets.cli.import_ import names_of
from kimo_assets.diagnostics.preflight import TIMEOUT_S, EntityFinding, has_error
from kimo_assets.diagnostics.preflight import check as find
from kimo_assets.reports import Finding

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}
_LEVELS = ("error", "warning", "ok")
_LINES_PER_ENTITY = 5


@click.command()
@click.option(
    "--entities",
    metavar="A,B",
    help="Only the mappings of these, and all that is to be said of them.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long the source may take to measure one entity's rows.",
)
@common_options
@click.pass_obj
def check(call: Call, entities: str | None, timeout: float) -> None:
    """Look at configuration, connections, mapping and folders, before an import does.

    Each entity's mapping is held against the live source: the table, its columns, and what is in
    the rows: values that would be refused, keys that are missing or not unique, statuses without an
    entry. Nothing is written. Exit code 1 when something would make an import fail or keep a column
    out; a kimo.yaml that cannot be read is exit code 2, as everywhere.
    """
    config = call.config
    names = [] if entities is None else names_of(entities, "--entities")
    with call.err.status("Looking ...") as shown:
        findings = list(
            find(
                config,
                names,
                timeout_s=timeout,
                on_entity=lambda entity, nth, total: shown.update(
                    f"Looking at {entity} ({nth} of {total}) ..."
                ),
            )
        )
    if call.as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        _print(call, findings, per_entity=_LINES_PER_ENTITY if entities is None else len(findings))
    if has_error(findings):
        click.get_current_context().exit(EXIT_FAILED)


def _print(call: Call, findings: list[Finding], per_entity: int) -> None:
    out = call.out
    entities = [finding for finding in findings if isinstance(finding, EntityFinding)]
    rest = [finding for finding in findings if not isinstance(finding, EntityFinding)]
    if entities:
        out.print(_entity_table(entities, rest))
    for what, group in groupby(rest, key=lambda finding: finding.subject):
        found = sorted(group, key=lambda finding: _LEVELS.index(finding.level))
        # What is said of the export cannot be asked for by itself.
        shown = len(found) if what.startswith("export ") else per_entity
        for finding in found[:shown]:
            _print_line(out, finding)
        if len(found) > shown:
            name = what.partition(" ")[0]
            more = f"{len(found) - shown} more: {call.kimo('check', '--entities', name)}"
            out.say(Text.assemble((f"{'':<8}", ""), f"{what}: {more}"))
    counts = {
        level: sum(finding.level == level for finding in findings) for level in ("error", "warning")
    }
    verdict = "not ready to import" if counts["error"] else "ready to import"
    out.print(
        f"{plural(counts['error'], 'error')}, {plural(counts['warning'], 'warning')}: {verdict}.",
        style=_STYLES["error" if counts["error"] else "ok"],
    )


def _print_line(out: Terminal, finding: Finding) -> None:
    out.say(
        Text.assemble(
            (f"{finding.level:<8}", _STYLES[finding.level]),
            f"{finding.subject}: {plain(finding.message)}",
        )
    )


def _entity_table(entities: Sequence[EntityFinding], rest: Iterable[Finding]) -> Table:
    words = ("", "Entity", "From", "Notes")
    shown = table(None, ("", "Entity", "From", "Rows", "Fields", "Notes"), left=words)
    said = {(finding.subject, finding.level) for finding in rest}
    for entity in entities:
        level = next((level for level in _LEVELS if (entity.subject, level) in said), entity.level)
        shown.add_row(
            Text(level, style=_STYLES[level]),
            entity.subject,
            plain(entity.origin.removeprefix("table ")),
            "?" if entity.rows is None else number(entity.rows),
            f"{len(entity.fields)}/{entity.fields_total}",
            _notes(entity),
        )
    return shown


def _notes(entity: EntityFinding) -> str:
    notes = []
    if entity.derived_id_from:
        notes.append(f"Id derived from {some(entity.derived_id_from)}")
    if entity.unused:
        notes.append(f"not taken: {some(entity.unused)}")
    if entity.wider:
        notes.append(f"wider than the field: {some(entity.wider)}")
    return "; ".join(notes)
