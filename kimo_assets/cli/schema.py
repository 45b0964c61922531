"""kimo schema: what kimo.yaml may hold, for editors and for people."""

import click

from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.config.reference import reference_text
from kimo_assets.config.schema import schema_text


@click.command()
@click.option(
    "--markdown",
    is_flag=True,
    help="Print the reference of all keys as a page of Markdown (docs/kimo-yaml.md).",
)
@common_options
@click.pass_obj
def schema(call: Call, markdown: bool) -> None:
    """Print the JSON Schema of kimo.yaml, by which editors explain and check the file.

    Save it beside kimo.yaml as kimo.schema.json, and anew after an upgrade. The first line of
    kimo.yaml leads editors to it: '# yaml-language-server: $schema=kimo.schema.json'. `kimo init`
    and `kimo demo` write both.
    """
    if not markdown:
        # The schema is one JSON document, with and without --json.
        click.echo(schema_text(), nl=False)
    elif call.as_json:
        print_json({"markdown": reference_text()})
    else:
        click.echo(reference_text(), nl=False)
