"""The `kimo` command. Thin: each command parses, runs what other packages do, and prints the
result.
"""

import click

from kimo_assets.cli.agent import agent
from kimo_assets.cli.check import check
from kimo_assets.cli.clean import clean
from kimo_assets.cli.context import Call, KimoGroup, config_option
from kimo_assets.cli.demo import demo
from kimo_assets.cli.dev import dev
from kimo_assets.cli.entities import entities
from kimo_assets.cli.export import export
from kimo_assets.cli.geocode import geocode
from kimo_assets.cli.images import images
from kimo_assets.cli.import_ import import_
from kimo_assets.cli.init import init, mapping
from kimo_assets.cli.plan import plan
from kimo_assets.cli.rejected import rejected, retry
from kimo_assets.cli.report import report
from kimo_assets.cli.schema import schema
from kimo_assets.cli.selftest import selftest
from kimo_assets.cli.semaphore import semaphore
from kimo_assets.cli.serve import serve
from kimo_assets.cli.settings import settings, sync_settings
from kimo_assets.cli.status import status
from kimo_assets.cli.sync import sync
from kimo_assets.cli.undo import undo
from kimo_assets.cli.why import why

# click cuts help at 80 columns, in which long options leave no room for sentences.
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=KimoGroup, context_settings=_SETTINGS)
@config_option
@click.version_option(package_name="kimo_assets", message="kimo_assets %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """From the ERP to the agents' tablets: import, look, check.

    The vendor's menu "Import" is `kimo import`: Import completo without options, its steps with
    --step, and the mask "entità specifiche" with --entities.

    Exit codes: 0 done, 1 the run failed, 2 usage or configuration, 3 refused because another run is
    going on.
    """
    context.ensure_object(Call)


# In the order in which a new company needs them. Help lists them so.
for _command in (
    demo,
    init,
    mapping,
    schema,
    plan,
    import_,
    undo,
    settings,
    sync_settings,
    images,
    geocode,
    export,
    status,
    report,
    rejected,
    retry,
    entities,
    check,
    why,
    semaphore,
    agent,
    sync,
    dev,
    serve,
    clean,
    selftest,
):
    main.add_command(_command)
