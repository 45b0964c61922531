"""kimo dev: the Dagster UI, its daemon and the embedded PostgreSQL in one command."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from kimo_assets.cli.context import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.formatting import plain
from kimo_assets.cli.ports import answers, in_url, is_loopback, reached_at, require_free, why_taken
from kimo_assets.cli.processes import ChildExit, run_together
from kimo_assets.config import CONFIG_VARIABLE

_MODULE = "kimo_assets.definitions"
_API_PORT = 3001


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=3000,
    show_default=True,
    help="The port the UI listens on.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address it listens on. The UI asks for no password: keep it here, or behind a proxy.",
)
@click.option(
    "--api-port",
    type=click.IntRange(0, 65535),
    default=_API_PORT,
    show_default=True,
    help="The port of the vendor's web API (kimo serve), which starts too. 0: it does not.",
)
@click.option(
    "--read-only-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help=(
        "The port of a second UI for viewers, which launches and changes nothing. 0: there is none."
    ),
)
@common_options
@click.pass_obj
def dev(call: Call, port: int, host: str, api_port: int, read_only_port: int) -> None:
    """Open the UI: Dagster's webserver and daemon, with the embedded PostgreSQL, until Ctrl-C.

    The entries of the menu (Import completo, Step 1, Step 2, Step 3, Step 2+3, entità specifiche)
    are jobs there. A run that is going on when this ends, ends too; what it had not finished stays
    as it was before.
    """
    config = call.config
    require_free(host, port, "kimo dev --port")
    if read_only_port:
        require_free(host, read_only_port, "kimo dev --read-only-port")
    api_port = _api_port(call, host, api_port)
    from kimo_assets.defs.instance import dagster_home

    environment = {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home(config, call.database)),
        CONFIG_VARIABLE: str(config.path),
        "PYTHONUNBUFFERED": "1",
    }
    urls = {
        name: f"http://{in_url(host)}:{number}"
        for name, number in (("url", port), ("api", api_port), ("read_only", read_only_port))
        if number
    }
    if not is_loopback(host):
        call.err.say(
            f"Warning: whoever reaches {urls['url']} can start imports; it asks for no password.",
            style="yellow",
        )
    call.err.print("Starting ... Ctrl-C ends it.")
    death = run_together(
        _commands(host, port, api_port, read_only_port),
        environment,
        on_line=lambda name, line: call.err.say(f"{name} | {plain(line)}", style="dim"),
        is_ready=lambda: all(
            answers(host, number) for number in (port, api_port, read_only_port) if number
        ),
        on_ready=_announce(call, urls),
    )
    if death:
        _explain(call, death)
        click.get_current_context().exit(EXIT_FAILED)
    call.err.print("Stopped.")


def _api_port(call: Call, host: str, port: int) -> int:
    """Where the web API will listen, 0 for nowhere. Nobody who did not ask for it is stopped
    because its port is taken.
    """
    if not port:
        return 0
    asked = (
        click.get_current_context().get_parameter_source("api_port")
        is not click.core.ParameterSource.DEFAULT
    )
    if asked:
        require_free(host, port, "kimo dev --api-port")
    elif why_taken(host, port):
        call.err.say(
            f"Port {port} is taken, so the web API is not started. Choose another: --api-port",
            style="yellow",
        )
        return 0
    return port


def _announce(call: Call, urls: Mapping[str, str]) -> Callable[[], None]:
    if call.as_json:
        return lambda: print_json(urls)
    lines = [f"The UI is at {urls['url']}"]
    if "api" in urls:
        lines.append(f"The web API is at {urls['api']}/server/Integration")
    if "read_only" in urls:
        lines.append(f"The UI for viewers is at {urls['read_only']}")
    return lambda: call.out.say("\n".join(lines), style="bold green")


def _commands(host: str, port: int, api_port: int, read_only_port: int) -> dict[str, list[str]]:
    webserver = [*_program("dagster-webserver", "dagster_webserver"), "-m", _MODULE, "-h", host]
    commands = {
        "webserver": [*webserver, "-p", str(port)],
        "daemon": [*_program("dagster-daemon", "dagster._daemon"), "run", "-m", _MODULE],
    }
    if api_port:
        asked = [
            "--host",
            host,
            "--port",
            str(api_port),
            "--graphql-url",
            f"http://{in_url(reached_at(host))}:{port}/graphql",
        ]
        commands["api"] = [*_kimo(), "serve", *asked]
    if read_only_port:
        commands["viewers"] = [*webserver, "-p", str(read_only_port), "--read-only"]
    return commands


def _kimo() -> list[str]:
    return [sys.executable, "-c", "from kimo_assets.cli import main; main()"]


def _program(script: str, module: str) -> list[str]:
    """The script beside this interpreter, else its module."""
    suffix = ".exe" if sys.platform == "win32" else ""
    beside = Path(sys.executable).parent / f"{script}{suffix}"
    return [str(beside)] if beside.exists() else [sys.executable, "-m", module]


def _explain(call: Call, death: ChildExit) -> None:
    call.err.say(
        f"Error: the {death.name} ended by itself with exit code {death.exit_code}; the rest was"
        " stopped. Its last lines:",
        style="red",
    )
    for line in death.last_lines:
        call.err.say(f"  {plain(line)}")
    if call.as_json:
        print_json(
            {
                "error": {
                    "type": "ChildDied",
                    "message": f"{death.name} ended: {' / '.join(death.last_lines)}",
                }
            }
        )
