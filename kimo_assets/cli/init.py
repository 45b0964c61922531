"""kimo init and kimo mapping pull: the first kimo.yaml, from what is there already."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import number, plain, plural, print_commands, some
from kimo_assets.config import CONFIG_VARIABLE, DEFAULT_CONFIG, SourceConfig
from kimo_assets.config.schema import write_schema
from kimo_assets.errors import ConfigError
from kimo_assets.setup.address import Address, read_address
from kimo_assets.setup.draft import Draft, DraftSource
from kimo_assets.setup.proposal import Proposal, propose
from kimo_assets.setup.vendor import Pulled, draft_from, formats_in_words
from kimo_assets.sources.connection import open_source
from kimo_assets.sources.vendor_mapping import VendorTables, read_vendor_tables
from kimo_assets.texts import say

# The file has all of it as comments. The screen shows what kind of work is left.
_SHOWN = 8
_MAPPING_FILE = "mapping.yaml"


@click.command()
@click.argument("url")
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file to write. Default: where the other commands look for the configuration.",
)
@click.option(
    "--schema", metavar="S", help="The schema to look into. Default: the database's own default."
)
@click.option("--force", is_flag=True, help="Write over a file that is there already.")
@common_options
@click.pass_obj
def init(call: Call, url: str, to: Path | None, schema: str | None, force: bool) -> None:
    """Look at an integration database and write a kimo.yaml for it.

    Every table and view that carries an entity's name is mapped, ignoring case and underscores,
    with a prefix or suffix such as KIMO_ or _VIEW too. What is not certain is written as a comment.
    URL is SQLAlchemy's, e.g. 'mssql+pyodbc://kimo:${ERP_PASSWORD}@erp01/INTEGRATION?driver=...'.
    Quoted so, the password stays out of the shell's history too. No password is written into the
    file.
    """
    file = to or _configured(call)
    # Before the database is asked, which can take minutes. And an edited mapping is days of work.
    _require_free(file, force)
    # Relative to the file's folder, because kimo.yaml is read so (SQLite).
    address = read_address(url, "erp", file.parent)
    # The live address has the password, the written one its variable.
    engine = open_source("erp", SourceConfig(url=address.live))
    try:
        with call.err.status(say("cli.looking")) as shown:

            def on_table(name: str) -> None:
                shown.update(say("cli.init.counting", table=plain(name)))

            proposal = propose(engine, "erp", address.written, schema, on_table=on_table)
    finally:
        engine.dispose()
    _write(file, proposal.draft.text())
    write_schema(file.parent)
    if call.as_json:
        print_json(_proposal_as_json(file, proposal, address))
    else:
        _print_proposal(call, file, proposal)
    _print_next_steps(call, file, [address])


def _configured(call: Call) -> Path:
    """Where every other command will look for kimo.yaml."""
    return call.config_path or Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)


def _require_free(file: Path, force: bool) -> None:
    if file.exists() and not force:
        raise ConfigError(say("cli.file_exists", file=file))


def _print_proposal(call: Call, file: Path, proposal: Proposal) -> None:
    """How much is mapped, what was left out and why, and keys that point to nothing."""
    entities = plural(len(proposal.draft.mapped), "entity")
    tables = plural(proposal.tables, "table_or_view")
    key = "cli.init.mapped_of_schema" if proposal.schema else "cli.init.mapped"
    call.out.say(say(key, file=file, entities=entities, tables=tables, schema=proposal.schema))
    _print_left_out(call, proposal.draft)
    pointed = [
        say("cli.init.pointed_to", entity=target, fields=some(fields))
        for target, fields in proposal.dangling.items()
    ]
    _print_some(call, say("cli.init.dangling"), pointed)


def _print_left_out(call: Call, draft: Draft) -> None:
    lines = [f"{entity.name}: {entity.doubt}" for entity in draft.doubtful]
    _print_some(call, say("cli.init.left_out"), lines)


def _print_some(call: Call, title: str, lines: list[str]) -> None:
    if not lines:
        return
    call.out.say(title)
    for line in lines[:_SHOWN]:
        call.out.say(f"  {plain(line)}")
    if len(lines) > _SHOWN:
        more = say("cli.init.more_in_file", more=len(lines) - _SHOWN)
        call.out.say(f"  {more}")


def _print_next_steps(call: Call, file: Path, addresses: Iterable[Address]) -> None:
    """The commands that follow on a new kimo.yaml, after the variables of its passwords.

    They name the file, unless the commands look for it there anyway. With --json on stderr.
    """
    if file != _configured(call):
        call.config_path = file
    out = call.sentences
    for address in addresses:
        if address.unset:
            out.say(say("cli.init.set_variable", variable=address.unset))
    lines = {
        call.kimo("check"): say("cli.init.next.check"),
        call.kimo("plan"): say("cli.init.next.plan"),
        call.kimo("import"): say("cli.init.next.import"),
    }
    out.print(say("cli.what_next"))
    print_commands(out, lines)


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    # Atomic in one folder, which is why the unfinished file is beside it.
    os.replace(unfinished, file)


def _proposal_as_json(file: Path, proposal: Proposal, address: Address) -> dict[str, Any]:
    return {
        "file": str(file),
        "tables": proposal.tables,
        "schema": proposal.schema,
        "mapped": [entity.name for entity in proposal.draft.mapped],
        "left_out": {entity.name: entity.doubt for entity in proposal.draft.doubtful},
        "dangling": proposal.dangling,
        "set": address.unset,
    }


# --- mapping pull
# -------------------------------------------------------------------------------------------


@click.group()
@common_options
def mapping() -> None:
    """The mapping of an installation that runs already."""


@mapping.command()
@click.argument("url")
@click.option(
    "--erp-url", metavar="URL", help="The ERP's integration database: writes a whole kimo.yaml."
)
@click.option("--crm-url", metavar="URL", help="The CRM's, where a second system feeds Kimo.")
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=(
        "The file to write. Default: kimo.yaml when --erp-url is given and there is none, else"
        " mapping.yaml beside it."
    ),
)
@click.option("--force", is_flag=True, help="Write over a file that is there already.")
@common_options
@click.pass_obj
def pull(
    call: Call, url: str, erp_url: str | None, crm_url: str | None, to: Path | None, force: bool
) -> None:
    """Write the mapping that the vendor's KimoIntegrator database holds.

    URL is the database with IntegratorMapping, IntegratorImportFilter and IntegratorSystemSetting.
    Their mappings of import and export become the mapping. What does not fit into it stays as
    comments, and is counted.
    """
    config = _configured(call)
    has_sources = bool(erp_url or crm_url)
    # With sources and no kimo.yaml in the way it is a whole configuration, else only its mapping.
    is_whole = has_sources and (to is not None or force or not config.exists())
    default = config if is_whole else config.with_name(_MAPPING_FILE)
    file = to or default
    _require_free(file, force)
    urls = {name: text for name, text in (("erp", erp_url), ("crm", crm_url)) if text}
    addresses = {name: read_address(text, name, file.parent) for name, text in urls.items()}
    sources: dict[str, DraftSource] = {}
    if is_whole:
        sources = {name: DraftSource(address.written) for name, address in addresses.items()}
    pulled = draft_from(_vendor_tables(call, url), sources)
    _write(file, pulled.draft.text())
    if is_whole:
        write_schema(file.parent)
    if call.as_json:
        print_json(_pulled_as_json(file, pulled, is_whole))
    else:
        _print_pulled(call, file, pulled, is_whole)
    if is_whole:
        _print_next_steps(call, file, addresses.values())


def _vendor_tables(call: Call, url: str) -> VendorTables:
    address = read_address(url, "integrator", Path())
    engine = open_source("integrator", SourceConfig(url=address.live))
    try:
        with call.err.status(say("cli.init.reading")):
            return read_vendor_tables(engine)
    finally:
        engine.dispose()


def _print_pulled(call: Call, file: Path, pulled: Pulled, is_whole: bool) -> None:
    """What became a mapping, what did not, and how a kimo.yaml takes a file of mappings alone."""
    entities = plural(len(pulled.draft.mapped), "entity")
    exported = len(pulled.draft.export.entities)
    key = "cli.init.pulled_both_ways" if exported else "cli.init.pulled"
    call.out.say(say(key, file=file, entities=entities, exported=exported))
    for remark in pulled.remarks:
        call.out.say(f"  {plain(remark)}.")
    _print_left_out(call, pulled.draft)
    if pulled.kept:
        counts = ", ".join(f"{number(count)} {kind}" for kind, count in pulled.kept.items())
        call.out.say(say("cli.init.kept_as_comments", counts=counts))
    if is_whole:
        return
    call.out.say(say("cli.init.how_to_take", file=file))
    for system, formats in pulled.formats.items():
        if formats:
            line = plain(formats_in_words(formats))
            call.out.say(say("cli.init.and_under_source", system=system, line=line))


def _pulled_as_json(file: Path, pulled: Pulled, is_whole: bool) -> dict[str, Any]:
    return {
        "file": str(file),
        "whole": is_whole,
        "mapped": [entity.name for entity in pulled.draft.mapped],
        "exported": list(pulled.draft.export.entities),
        "left_out": {entity.name: entity.doubt for entity in pulled.draft.doubtful},
        "formats": pulled.formats,
        "kept_as_comments": pulled.kept,
        "remarks": list(pulled.remarks),
    }
