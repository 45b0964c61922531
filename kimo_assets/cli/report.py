"""kimo report: what the morning report says, on the screen, as a file, or by mail."""

from datetime import UTC, datetime
from pathlib import Path

import click

from kimo_assets.catalog import menu
from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.diagnostics.morning_report import read_morning
from kimo_assets.notifications.compose import as_html, as_text
from kimo_assets.notifications.morning import morning_letter
from kimo_assets.notifications.settings import notification_settings
from kimo_assets.pipeline.tasks import send_morning_report
from kimo_assets.texts import say


@click.command()
@click.option(
    "--send",
    is_flag=True,
    help=(
        f"Mail it to everybody who gets notifications, as the job {menu.MORNING_REPORT.job} does."
    ),
)
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to this file, as it looks in a mail.",
)
@common_options
@click.pass_obj
def report(call: Call, send: bool, html_file: Path | None) -> None:
    """The morning report: how fresh the data are, what failed or was rejected, what waits, and what
    to correct.

    Since the last one that was mailed, or of the last day. With --send, exit code 1 says that it
    did not reach the mail server. It is kept then, and the daemon (kimo dev) tries again.
    """
    with call.database.connect() as connection:
        settings = notification_settings(connection, call.config)
        morning = read_morning(connection, call.config, settings)
        sent = None
        if send:
            # A key of its own each time: a person may send the report as often as they like.
            key = datetime.now(UTC).isoformat()
            sent = send_morning_report(connection, call.config, key, read_morning)
    letter = morning_letter(morning, settings)
    if html_file:
        html_file.write_text(as_html(letter), encoding="utf-8")
    if call.as_json:
        print_json({**morning.as_json(), "sent": vars(sent) if sent else None})
    elif sent:
        call.out.say(sent.in_words(), style="green" if sent.mails else "bold red")
    elif html_file:
        call.out.say(say("cli.report.written", file=html_file), style="green")
    else:
        click.echo(as_text(letter), nl=False)
    # A script must learn that nobody got it. The mail itself waits in the outbox.
    if sent and not sent.mails:
        click.get_current_context().exit(EXIT_FAILED)
