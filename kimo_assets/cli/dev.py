"""kimo dev: the Dagster UI, its daemon and the embedded PostgreSQL in one command."""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import click

from kimo_assets.cli.children import Death, run_together
from kimo_assets.cli.command import EXIT_FAILED, Call, common_options, print_json
from kimo_assets.cli.tables import plain
from kimo_assets.config import CONFIG_VARIABLE
from kimo_assets.errors import ConfigError

_MODULE = "kimo_assets.definitions"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
@common_options
@click.pass_obj
def dev(call: Call, port: int, host: str) -> None:
    """Open the UI: Dagster's webserver and daemon, with the embedded PostgreSQL, until Ctrl-C.

    The entries of the menu (Import completo, Step 1, Step 2, Step 3, Step 2+3, entità specifiche) are jobs
    there. A run that is going on when this ends, ends too; what it had not finished stays as it was before.
    """
    config = call.config
    _require_free(host, port)
    from kimo_assets.defs.instance import dagster_home

    environment = {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home(config, call.database)),
        CONFIG_VARIABLE: str(config.path),
        "PYTHONUNBUFFERED": "1",
    }
    url = f"http://{_in_url(host)}:{port}"
    if host not in _LOOPBACK:
        call.err.say(f"Warning: whoever reaches {url} can start imports; it asks for no password.", style="yellow")
    call.err.print("Starting ... Ctrl-C ends it.")
    death = run_together(
        _commands(host, port),
        environment,
        on_line=lambda name, line: call.err.say(f"{name} | {plain(line)}", style="dim"),
        is_ready=lambda: _answers(host, port),
        on_ready=_announce(call, url),
    )
    if death:
        _explain(call, death)
        click.get_current_context().exit(EXIT_FAILED)
    call.err.print("Stopped.")


def _announce(call: Call, url: str) -> Callable[[], None]:
    if call.as_json:
        return lambda: print_json({"url": url})
    return lambda: call.out.say(f"The UI is at {url}", style="bold green")


def _commands(host: str, port: int) -> dict[str, list[str]]:
    return {
        "webserver": [
            *_program("dagster-webserver", "dagster_webserver"),
            "-m",
            _MODULE,
            "-h",
            host,
            "-p",
            str(port),
        ],
        "daemon": [*_program("dagster-daemon", "dagster._daemon"), "run", "-m", _MODULE],
    }


def _program(script: str, module: str) -> list[str]:
    """The script beside this interpreter, else its module."""
    suffix = ".exe" if sys.platform == "win32" else ""
    beside = Path(sys.executable).parent / f"{script}{suffix}"
    return [str(beside)] if beside.exists() else [sys.executable, "-m", module]


def _require_free(host: str, port: int) -> None:
    """Raises: ConfigError when another program listens there, or the address is none of this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if sys.platform != "win32":
                # Connections of a UI that was just closed linger; they do not take the port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        other = port + 1 if port < 65535 else 3000
        raise ConfigError(
            f"Port {port} on {host} cannot be used: {error.strerror or error}. Perhaps another `kimo dev` is "
            f"running. Stop the program that has it, or choose another port: kimo dev --port {other}"
        ) from None


def _answers(host: str, port: int) -> bool:
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (an address to translate, not to bind)
    try:
        with socket.create_connection((anywhere.get(host, host), port), timeout=0.5):
            return True
    except OSError:
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _explain(call: Call, death: Death) -> None:
    call.err.say(
        f"Error: the {death.name} ended by itself with exit code {death.exit_code}; the rest was stopped. "
        "Its last lines:",
        style="red",
    )
    for line in death.last_lines:
        call.err.say(f"  {plain(line)}")
    if call.as_json:
        print_json({"error": {"type": "ChildDied", "message": f"{death.name} ended: {' / '.join(death.last_lines)}"}})
