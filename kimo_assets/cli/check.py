"""kimo check: everything that an import needs, checked beforehand."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import click
from rich.table import Table
from rich.text import Text

from kimo_assets.catalog import load_catalog
from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import Terminal, number, plain, plural, some, table
from kimo_assets.cli.import_ import names_of
from kimo_assets.diagnostics.preflight import TIMEOUT_S, EntityFinding, has_error
from kimo_assets.diagnostics.preflight import check as find
from kimo_assets.reports import Finding
from kimo_assets.texts import say

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}
_LEVELS = ("error", "warning", "ok")
# A mapping that is wrong at its root has a finding for each column.
_LINES_PER_ENTITY = 5


@click.command()
@click.option(
    "--entities",
    metavar="A,B",
    help="Only the mappings of these entities, with all findings about them.",
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

    Each entity's mapping is compared with the live source: the table, its columns, and what is in
    the rows: values that would be rejected, keys that are missing or not unique, statuses without
    an entry. Nothing is written. Exit code 1 when something would make an import fail or keep a
    column out. A kimo.yaml that cannot be read is exit code 2, as everywhere.
    """
    names = names_of(entities, "--entities")
    with call.err.status(say("cli.looking")) as shown:

        def on_entity(entity: str, nth: int, total: int) -> None:
            shown.update(say("cli.check.looking_at", entity=entity, nth=nth, total=total))

        # A list, because the table of entities comes first and needs the findings about them.
        findings = list(find(call.config, names, timeout_s=timeout, on_entity=on_entity))
    if call.as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        per_entity = _LINES_PER_ENTITY if entities is None else len(findings)
        _print(call, findings, per_entity)
    # For scripts: an import that is bound to fail need not be started.
    if has_error(findings):
        click.get_current_context().exit(EXIT_FAILED)


def _print(call: Call, findings: list[Finding], per_entity: int) -> None:
    """A table of the entities, then the other findings by subject, then the verdict."""
    entities = [finding for finding in findings if isinstance(finding, EntityFinding)]
    rest = [finding for finding in findings if not isinstance(finding, EntityFinding)]
    if entities:
        call.out.print(_entity_table(entities, rest))
    # Findings about a subject follow each other already, so there is no sorting.
    for subject, group in groupby(rest, key=lambda finding: finding.subject):
        _print_subject(call, subject, list(group), per_entity)
    errors = sum(finding.level == "error" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    key, style = "cli.check.ready", _STYLES["ok"]
    if errors:
        key, style = "cli.check.not_ready", _STYLES["error"]
    verdict = say(key, errors=plural(errors, "error"), warnings=plural(warnings, "warning"))
    call.out.print(verdict, style=style)


def _print_subject(call: Call, subject: str, findings: list[Finding], per_entity: int) -> None:
    """The worst findings first. What is left out can be asked for by the entity's name."""
    ordered = sorted(findings, key=lambda finding: _LEVELS.index(finding.level))
    entity = subject.partition(" ")[0]
    # Findings about a source or the export cannot be asked for by themselves.
    shown = per_entity if entity in load_catalog().entities else len(ordered)
    for finding in ordered[:shown]:
        _print_line(call.out, finding)
    if len(ordered) > shown:
        command = call.kimo("check", "--entities", entity)
        more = say("cli.check.more", subject=subject, more=len(ordered) - shown, command=command)
        call.out.say(Text.assemble((f"{'':<8}", ""), more))


def _print_line(out: Terminal, finding: Finding) -> None:
    out.say(
        Text.assemble(
            (f"{finding.level:<8}", _STYLES[finding.level]),
            f"{finding.subject}: {plain(finding.message)}",
        )
    )


def _entity_table(entities: Sequence[EntityFinding], rest: Iterable[Finding]) -> Table:
    """A line per entity. Its level is the worst of its own findings and of those about it."""
    words = ("", "entity", "from", "notes")
    shown = table(None, ("", "entity", "from", "rows", "fields", "notes"), left=words)
    levels = {(finding.subject, finding.level) for finding in rest}
    for entity in entities:
        of_entity = (level for level in _LEVELS if (entity.subject, level) in levels)
        level = next(of_entity, entity.level)
        shown.add_row(
            Text(level, style=_STYLES[level]),
            entity.subject,
            plain(entity.table or entity.origin),
            "?" if entity.rows is None else number(entity.rows),
            f"{len(entity.fields)}/{entity.fields_total}",
            _notes(entity),
        )
    return shown


def _notes(entity: EntityFinding) -> str:
    notes = []
    if entity.derived_id_from:
        notes.append(say("cli.check.derived_id", columns=some(entity.derived_id_from)))
    if entity.unused:
        notes.append(say("cli.check.unused", columns=some(entity.unused)))
    if entity.wider:
        notes.append(say("cli.check.wider", columns=some(entity.wider)))
    return "; ".join(notes)
