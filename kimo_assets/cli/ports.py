"""Ports on which the commands listen: whether they are free, whether a server answers there."""

import socket
import sys

from kimo_assets.errors import ConfigError
from kimo_assets.texts import say

_LAST_PORT = 65535
_DEFAULT_PORT = 3000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(host: str) -> bool:
    return host in _LOOPBACK


def in_url(host: str) -> str:
    """An address as it stands in a URL: one of IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def require_free(host: str, port: int, option: str) -> None:
    """option: the command with its option, for the message.

    Raises: ConfigError when another program listens there, or this machine has no such address.
    """
    reason = why_taken(host, port)
    if reason is None:
        return
    command = option.partition(" --")[0]
    other = port + 1 if port < _LAST_PORT else _DEFAULT_PORT
    message = say(
        "cli.port_taken",
        port=port,
        host=host,
        reason=reason,
        command=command,
        choice=f"{option} {other}",
    )
    raise ConfigError(message)


def why_taken(host: str, port: int) -> str | None:
    """Why no server can listen there. None: one can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if sys.platform != "win32":
                # Connections of a server that was just closed linger. They do not take the port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # By trial: a list of listeners needs rights, and tells nothing about reserved ports.
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return None


def reached_at(host: str) -> str:
    """The address by which a program of this machine reaches a server that listens at `host`."""
    # Addresses to translate, not to bind.
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def answers(host: str, port: int) -> bool:
    try:
        # Short, because it is asked ten times a second while servers start.
        with socket.create_connection((reached_at(host), port), timeout=0.5):
            return True
    except OSError:
        return False
