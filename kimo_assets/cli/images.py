"""kimo images: pictures from files and from URLs into the public folder, and what is wrong with
them.
"""

import click

from kimo_assets.catalog import menu
from kimo_assets.cli.context import Call, common_options
from kimo_assets.cli.images_audit import audit
from kimo_assets.cli.tasks import run_task


@click.group()
@common_options
def images() -> None:
    """Pictures of items, manufacturers, trademarks and promotions: from files (Importazione file
    immagini articoli), from addresses (Download immagini da url), and what is wrong with them.
    """


@images.command("import")
@common_options
@click.pass_obj
def import_(call: Call) -> None:
    """Import the picture files that rows name (Importazione file immagini articoli).

    New and changed files of `images: source:` become public pictures with a thumbnail. Originals
    are only read. What cannot be used is listed, and everything else goes on.
    """
    run_task(call, menu.IMPORT_FILES.job)


@images.command()
@common_options
@click.pass_obj
def download(call: Call) -> None:
    """Download the pictures at the addresses of ItemUrl (Download immagini da url).

    What has not changed since the last time costs one small answer. Private addresses are refused
    unless `images: download: allowed_hosts:` names them.
    """
    run_task(call, menu.DOWNLOAD_IMAGES.job)


images.add_command(audit)
