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
from kimo_assets.texts import say

_MODULE = "kimo_assets.definitions"
# Beside Dagster's own 3000.
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
    are jobs there. A run that is going on when this ends, ends too. What it had not finished stays
    as it was before.
    """
    config = call.config
    # Before the database is opened and Dagster starts, which takes seconds.
    require_free(host, port, "kimo dev --port")
    if read_only_port:
        require_free(host, read_only_port, "kimo dev --read-only-port")
    api_port = _api_port(call, host, api_port)
    # Dagster takes seconds to import, too long for an answer about a port.
    from kimo_assets.defs.instance import dagster_home

    environment = {
        **os.environ,
        # Dagster and its children learn their instance and the company from variables alone.
        "DAGSTER_HOME": str(dagster_home(config, call.database)),
        CONFIG_VARIABLE: str(config.path),
        # Otherwise lines of the children come late, and the last ones of a crash never.
        "PYTHONUNBUFFERED": "1",
    }
    named_ports = (("url", port), ("api", api_port), ("read_only", read_only_port))
    ports = {name: number for name, number in named_ports if number}
    urls = {name: f"http://{in_url(host)}:{number}" for name, number in ports.items()}
    # Dagster's webserver has no login, and a plain GET can start a run (dagster issue 2219).
    if not is_loopback(host):
        call.err.say(say("cli.dev.open_to_others", url=urls["url"]), style="yellow")
    call.err.print(say("cli.dev.starting"))
    exited = run_together(
        _commands(host, port, api_port, read_only_port),
        environment,
        on_line=lambda name, line: call.err.say(f"{name} | {plain(line)}", style="dim"),
        # The address is announced once it answers: a browser that comes too early shows an error.
        is_ready=lambda: all(answers(host, number) for number in ports.values()),
        on_ready=_announce(call, urls),
    )
    if exited:
        _explain(call, exited)
        click.get_current_context().exit(EXIT_FAILED)
    call.err.print(say("cli.stopped"))


def _api_port(call: Call, host: str, port: int) -> int:
    """Where the web API will listen, 0 for nowhere.

    An operator who did not ask for the web API gets the UI all the same when its port is taken.
    """
    if not port:
        return 0
    source = click.get_current_context().get_parameter_source("api_port")
    if source is not click.core.ParameterSource.DEFAULT:
        require_free(host, port, "kimo dev --api-port")
    elif why_taken(host, port):
        call.err.say(say("cli.dev.api_port_taken", port=port), style="yellow")
        return 0
    return port


def _announce(call: Call, urls: Mapping[str, str]) -> Callable[[], None]:
    if call.as_json:
        return lambda: print_json(urls)
    lines = [say("cli.dev.ui", url=urls["url"])]
    if "api" in urls:
        lines.append(say("cli.web_api", url=urls["api"]))
    if "read_only" in urls:
        lines.append(say("cli.dev.read_only_ui", url=urls["read_only"]))
    return lambda: call.out.say("\n".join(lines), style="bold green")


def _commands(host: str, port: int, api_port: int, read_only_port: int) -> dict[str, list[str]]:
    """The command line of each process, by the name under which its lines are shown."""
    webserver = [*_program("dagster-webserver", "dagster_webserver"), "-m", _MODULE, "-h", host]
    daemon = _program("dagster-daemon", "dagster._daemon")
    commands = {
        "webserver": [*webserver, "-p", str(port)],
        "daemon": [*daemon, "run", "-m", _MODULE],
    }
    if api_port:
        # By loopback: 0.0.0.0 is an address to listen at, not one to call.
        graphql_url = f"http://{in_url(reached_at(host))}:{port}/graphql"
        listening = ["--host", host, "--port", str(api_port)]
        commands["api"] = [*_kimo(), "serve", *listening, "--graphql-url", graphql_url]
    if read_only_port:
        commands["viewers"] = [*webserver, "-p", str(read_only_port), "--read-only"]
    return commands


def _kimo() -> list[str]:
    # By this interpreter, because the script `kimo` may lie in no folder of PATH.
    return [sys.executable, "-c", "from kimo_assets.cli import main; main()"]


def _program(script: str, module: str) -> list[str]:
    """The script beside this interpreter, else its module."""
    suffix = ".exe" if sys.platform == "win32" else ""
    beside = Path(sys.executable).parent / f"{script}{suffix}"
    # Dagster documents its scripts. The modules behind them are private (dagster._daemon).
    if beside.exists():
        return [str(beside)]
    return [sys.executable, "-m", module]


def _explain(call: Call, exited: ChildExit) -> None:
    """Which process ended by itself, with its last lines: they usually hold the reason."""
    sentence = say("cli.dev.child_ended", name=exited.name, exit_code=exited.exit_code)
    call.err.say(say("cli.error", message=sentence), style="red")
    for line in exited.last_lines:
        call.err.say(f"  {plain(line)}")
    if call.as_json:
        last_lines = " / ".join(exited.last_lines)
        message = say("cli.dev.child_ended_with", name=exited.name, lines=last_lines)
        print_json({"error": {"type": "ChildDied", "message": message}})
