"""kimo init and kimo mapping pull: the first kimo.yaml, from what is there already."""

import os
from pathlib import Path
from typing import Any

import click

from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import plain, plural, some
from kimo_assets.config import CONFIG_VARIABLE, DEFAULT_CONFIG, SourceConfig
from kimo_assets.config.schema import write_schema
from kimo_assets.errors import ConfigError
from kimo_assets.setup.address import Address, read_address
from kimo_assets.setup.draft import Draft, DraftSource
from kimo_assets.setup.proposal import Proposal, propose
from kimo_assets.setup.vendor import Pulled, draft_from, formats_in_words
from kimo_assets.sources.connection import open_source
from kimo_assets.sources.vendor_mapping import VendorTables, read_vendor_tables

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
    with a prefix or suffix such as KIMO_ or _VIEW too; what is not certain is written as a comment.
    URL is SQLAlchemy's, e.g. 'mssql+pyodbc://kimo:${ERP_PASSWORD}@erp01/INTEGRATION?driver=...';
    quoted so, the password stays out of the shell's history too. No password is written into the
    file.
    """
    file = to or _configured(call)
    _require_free(file, force)
    address = read_address(url, "erp", file.parent)
    engine = open_source("erp", SourceConfig(url=address.live))
    try:
        with call.err.status("Looking ...") as shown:
            proposal = propose(
                engine,
                "erp",
                address.written,
                schema,
                on_table=lambda name: shown.update(f"Counting {plain(name)} ..."),
            )
    finally:
        engine.dispose()
    text = proposal.draft.text()
    _write(file, text)
    write_schema(file.parent)
    call.config_path = call.config_path if file == _configured(call) else file
    if call.as_json:
        print_json(_proposal_as_json(file, proposal, address))
    else:
        _say_proposal(call, file, proposal)
    _say_next(call, [address.unset] if address.unset else [])


def _configured(call: Call) -> Path:
    """Where every other command will look for kimo.yaml."""
    return call.config_path or Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)


def _require_free(file: Path, force: bool) -> None:
    if file.exists() and not force:
        raise ConfigError(
            f"{file} is there already. --force writes over it; --to names another file."
        )


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
    _say_some(
        call,
        "Not there, though keys point to it; rows whose key has a value will point nowhere:",
        pointed,
    )


def _say_left_out(call: Call, draft: Draft) -> None:
    _say_some(
        call,
        "Left out, as comments in the file:",
        [f"{entity.name}: {entity.doubt}" for entity in draft.doubtful],
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
        say.say(
            f"Set {variable} first: the file names it in place of the password, written as the"
            " password was in the URL."
        )
    lines = {
        call.kimo("check"): "hold the mapping against the live source",
        call.kimo("plan"): "see what an import would change, without changing anything",
        call.kimo("import"): "import",
    }
    say.print("What next:")
    width = max(map(len, lines))
    for command, what in lines.items():
        say.print(f"  {command:<{width}}  {what}", soft_wrap=True)


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
    What they say of import and export becomes the mapping; what has no place in it stays as
    comments, and is counted.
    """
    config = _configured(call)
    has_sources = bool(erp_url or crm_url)
    is_whole = has_sources and (to is not None or force or not config.exists())
    file = to or (config if is_whole else config.with_name(_MAPPING_FILE))
    _require_free(file, force)
    given = {name: text for name, text in (("erp", erp_url), ("crm", crm_url)) if text}
    addresses = {name: read_address(text, name, file.parent) for name, text in given.items()}
    tables = _vendor_tables(call, url)
    sources = (
        {name: DraftSource(address.written) for name, address in addresses.items()}
        if is_whole
        else {}
    )
    pulled = draft_from(tables, sources)
    _write(file, pulled.draft.text())
    if is_whole:
        write_schema(file.parent)
    if call.as_json:
        print_json(_pulled_as_json(file, pulled, is_whole))
    else:
        _say_pulled(call, file, pulled, is_whole)
    if is_whole:
        call.config_path = call.config_path if file == config else file
        _say_next(call, [address.unset for address in addresses.values() if address.unset])


def _vendor_tables(call: Call, url: str) -> VendorTables:
    engine = open_source(
        "integrator", SourceConfig(url=read_address(url, "integrator", Path()).live)
    )
    try:
        with call.err.status("Reading ..."):
            return read_vendor_tables(engine)
    finally:
        engine.dispose()


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


def _say_pulled(call: Call, file: Path, pulled: Pulled, is_whole: bool) -> None:
    exported = f", {len(exports)} exported" if (exports := pulled.draft.export.entities) else ""
    call.out.say(
        f"{file}: {plural(len(pulled.draft.mapped), 'entity', 'entities')} mapped{exported}."
    )
    for remark in pulled.remarks:
        call.out.say(f"  {plain(remark)}.")
    _say_left_out(call, pulled.draft)
    if pulled.kept:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in pulled.kept.items())
        call.out.say(f"Kept as comments, without effect here: {counts}.")
    if not is_whole:
        call.out.say(
            f"kimo.yaml takes it with the line  mapping: {file}  in the place of `entities`."
        )
        for system, formats in pulled.formats.items():
            if formats:
                call.out.say(f"... and under sources.{system}:  {plain(formats_in_words(formats))}")
