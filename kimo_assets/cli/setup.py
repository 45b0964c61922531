"""kimo init and kimo mapping pull: the first kimo.yaml, from what is there already."""

import os
from pathlib import Path
from typing import Any

import click

from kimo_assets.cli.command import Call, common_options, print_json
from kimo_assets.cli.tables import plain, plural, some
from kimo_assets.config import DEFAULT_CONFIG, SourceConfig
from kimo_assets.errors import ConfigError
from kimo_assets.setup.address import Address, read_address
from kimo_assets.setup.draft import Draft
from kimo_assets.setup.proposal import Proposal, propose
from kimo_assets.sources.connection import open_source

_SHOWN = 8


@click.command()
@click.argument("url")
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"The file to write. Default: what --config names, else ./{DEFAULT_CONFIG}.",
)
@click.option("--schema", metavar="S", help="The schema to look into. Default: the database's own default.")
@click.option("--force", is_flag=True, help="Write over a file that is there already.")
@common_options
@click.pass_obj
def init(call: Call, url: str, to: Path | None, schema: str | None, force: bool) -> None:
    """Look at an integration database and write a kimo.yaml for it.

    Every table and view that carries an entity's name is mapped, ignoring case and underscores, with a prefix
    or suffix such as KIMO_ or _VIEW too; what is not certain is written as a comment. URL is SQLAlchemy's,
    e.g. 'mssql+pyodbc://kimo:${ERP_PASSWORD}@erp01/INTEGRATION?driver=...'; quoted so, the password stays out
    of the shell's history too. No password is written into the file.
    """
    file = to or call.config_path or Path(DEFAULT_CONFIG)
    _require_free(file, force)
    address = read_address(url, "erp", file.parent)
    engine = open_source("erp", SourceConfig(url=address.live))
    try:
        with call.err.status("Looking ...") as shown:
            proposal = propose(
                engine, "erp", address.written, schema, on_table=lambda name: shown.update(f"Counting {plain(name)} ...")
            )
    finally:
        engine.dispose()
    text = proposal.draft.text()
    _write(file, text)
    call.config_path = None if file == Path(DEFAULT_CONFIG) else file
    if call.as_json:
        print_json(_proposal_as_json(file, proposal, address))
    else:
        _say_proposal(call, file, proposal)
    _say_next(call, [address.unset] if address.unset else [])


def _require_free(file: Path, force: bool) -> None:
    if file.exists() and not force:
        raise ConfigError(f"{file} is there already. --force writes over it; --to names another file.")


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
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


def _say_proposal(call: Call, file: Path, proposal: Proposal) -> None:
    draft = proposal.draft
    schema = f" of schema {proposal.schema}" if proposal.schema else ""
    call.out.say(
        f"{file}: {plural(len(draft.mapped), 'entity', 'entities')} mapped, from "
        f"{plural(proposal.tables, 'table and view', 'tables and views')}{schema}."
    )
    _say_left_out(call, draft)
    pointed = [f"{target} (by {some(names)})" for target, names in proposal.dangling.items()]
    _say_some(call, "Not there, though keys point to it; rows whose key has a value will point nowhere:", pointed)


def _say_left_out(call: Call, draft: Draft) -> None:
    _say_some(
        call, "Left out, as comments in the file:", [f"{entity.name}: {entity.doubt}" for entity in draft.doubtful]
    )


def _say_some(call: Call, title: str, lines: list[str]) -> None:
    if not lines:
        return
    call.out.say(title)
    for line in lines[:_SHOWN]:
        call.out.say(f"  {plain(line)}")
    if len(lines) > _SHOWN:
        call.out.say(f"  and {len(lines) - _SHOWN} more; the file says which.")


def _say_next(call: Call, unset: list[str]) -> None:
    say = call.err if call.as_json else call.out
    for variable in unset:
        say.say(f"Set {variable} first: the file names it in place of the password, written as the password was in the URL.")
    lines = {
        call.kimo("check"): "hold the mapping against the live source",
        call.kimo("plan"): "see what an import would change, without changing anything",
        call.kimo("import"): "import",
    }
    say.print("What next:")
    width = max(map(len, lines))
    for command, what in lines.items():
        say.print(f"  {command:<{width}}  {what}", soft_wrap=True)
