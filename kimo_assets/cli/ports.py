"""Ports that the commands listen on: whether they are free, whether somebody answers there."""

import socket
import sys

from kimo_assets.errors import ConfigError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(host: str) -> bool:
    return host in _LOOPBACK


def in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def require_free(host: str, port: int, option: str) -> None:
    """option: of which command, for the sentence. Raises: ConfigError when another program listens
    there, or the address is none of this machine's.
    """
    if why := why_taken(host, port):
        other = port + 1 if port < 65535 else 3000
        raise ConfigError(
            f"Port {port} on {host} cannot be used: {why}. Perhaps another"
            f" `{option.partition(' --')[0]}` is running. Stop the program that has it, or choose"
            f" another port: {option} {other}"
        )


def why_taken(host: str, port: int) -> str | None:
    """What hinders listening there; None when nothing does."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if sys.platform != "win32":
                # Connections of a server that was just closed linger; they do not take the port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return None


def reached_at(host: str) -> str:
    """Where somebody on this machine reaches what listens there."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (an address to translate, not to bind)


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((reached_at(host), port), timeout=0.5):
            return True
    except OSError:
        return False
