"""kimo serve: the vendor's web API, for scripts that use it already."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import click

from kimo_assets.cli.context import Call, common_options, print_json
from kimo_assets.cli.formatting import Terminal, plain
from kimo_assets.cli.ports import in_url, is_loopback, require_free
from kimo_assets.texts import say


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=3001,
    show_default=True,
    help="The port it listens on.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help=(
        "The address it listens on. Without TLS a token can be read on its way: keep it here,"
        " behind a proxy."
    ),
)
@click.option(
    "--graphql-url",
    metavar="URL",
    help="Dagster's webserver that carries the runs out. Default: api.graphql_url of kimo.yaml.",
)
@common_options
@click.pass_obj
def serve(call: Call, port: int, host: str, graphql_url: str | None) -> None:
    """Answer the vendor's web API, GET /server/Integration/FullImportFromErp and the other nine,
    until Ctrl-C.

    Each launches the job of its entry in the menu through Dagster's webserver, which has to run
    (`kimo dev` starts both). A request needs the token that the environment variable of
    api.token_variable holds.
    """
    config = call.config
    # Before uvicorn, whose error names no option and no free port.
    require_free(host, port, "kimo serve --port")
    # Only here, so that no other command pays for loading it.
    import uvicorn

    from kimo_assets.webapi.app import build_app

    # A line break at its end comes from files and would match no request.
    token = os.environ.get(config.api.token_variable, "").strip()
    _warn(call, host, token)
    _log_to(call.err)
    # Opened by the first request that needs it: /health answers without a database.
    app = build_app(config, cache(lambda: call.database), token=token, graphql_url=graphql_url)
    server_config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        # uvicorn's own log writes the whole URL, with the token in it.
        access_log=False,
        server_header=False,
        # The app has nothing to start or end, and speaks no websockets.
        lifespan="off",
        ws="none",
        # A request may hang at Dagster's webserver. Its run is queued there or not, whatever we do.
        timeout_graceful_shutdown=5,
    )
    server = _server(server_config, _announce(call, f"http://{in_url(host)}:{port}"))
    if sys.platform != "win32":
        # Uvicorn closes first. Then the signal ends us, as Ctrl-C does, and the embedded PostgreSQL
        # is given back.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        server.run()
    call.err.print(say("cli.stopped"))


def _server(config: Any, on_ready: Callable[[], None]) -> Any:
    """Says where it is as soon as it answers."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            # uvicorn returns from a failed startup without raising.
            if not self.should_exit:
                on_ready()

    return Server(config)


def _announce(call: Call, url: str) -> Callable[[], None]:
    if call.as_json:
        return lambda: print_json({"url": url})
    return lambda: call.out.say(say("cli.web_api", url=url), style="bold green")


def _warn(call: Call, host: str, token: str) -> None:
    if not token:
        variable = call.config.api.token_variable
        call.err.say(say("cli.serve.no_token", variable=variable), style="yellow")
    if not is_loopback(host):
        call.err.say(say("cli.serve.no_tls"), style="yellow")


def _log_to(terminal: Terminal) -> None:
    """A line a request, on stderr."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # A request holds what anybody sends, control characters too.
            terminal.say(plain(record.getMessage()))

    log = logging.getLogger("kimo_assets.webapi")
    log.setLevel(logging.INFO)
    log.addHandler(Handler())
