"""kimo check: everything an import needs, looked at beforehand."""

from collections.abc import Sequence

import click
from rich.table import Table
from rich.text import Text

from kimo_assets.check import EntityFinding, Finding, has_error
from kimo_assets.check import check as find
from kimo_assets.cli.command import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.tables import Terminal, number, plain, plural, table

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}
_NAMES_SHOWN = 3


@click.command()
@common_options
@click.pass_obj
def check(call: Call) -> None:
    """Look at configuration, connections, mapping and folders, before an import does.

    Each entity's mapping is held against the live source: the table, its columns, its rows. Exit code 1 when
    something would make an import fail; a kimo.yaml that cannot be read is exit code 2, as everywhere.
    """
    config = call.config
    with call.err.status("Looking ...") as shown:
        findings = list(find(config, on_entity=lambda entity: shown.update(f"Looking at {entity} ...")))
    if call.as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        _print(call.out, findings)
    if has_error(findings):
        click.get_current_context().exit(EXIT_FAILED)


def _print(out: Terminal, findings: list[Finding]) -> None:
    entities = [finding for finding in findings if isinstance(finding, EntityFinding)]
    if entities:
        out.print(_entity_table(entities))
    for finding in findings:
        if not isinstance(finding, EntityFinding):
            line = Text.assemble(
                (f"{finding.level:<8}", _STYLES[finding.level]), f"{finding.what}: {plain(finding.message)}"
            )
            out.say(line)
    counts = {level: sum(finding.level == level for finding in findings) for level in ("error", "warning")}
    verdict = "an import would fail" if counts["error"] else "ready to import"
    out.print(
        f"{plural(counts['error'], 'error')}, {plural(counts['warning'], 'warning')}: {verdict}.",
        style=_STYLES["error" if counts["error"] else "ok"],
    )


def _entity_table(entities: Sequence[EntityFinding]) -> Table:
    words = ("", "Entity", "From", "Notes")
    shown = table(None, ("", "Entity", "From", "Rows", "Fields", "Notes"), left=words)
    for entity in entities:
        shown.add_row(
            Text(entity.level, style=_STYLES[entity.level]),
            entity.what,
            plain(entity.origin.removeprefix("table ")),
            "?" if entity.rows is None else number(entity.rows),
            f"{len(entity.fields)}/{entity.fields_total}",
            _notes(entity),
        )
    return shown


def _notes(entity: EntityFinding) -> str:
    notes = []
    if entity.derived_id_from:
        notes.append(f"Id derived from {_some(entity.derived_id_from)}")
    if entity.unused:
        notes.append(f"not taken: {_some(entity.unused)}")
    return "; ".join(notes)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(map(plain, names[:_NAMES_SHOWN])) + more
