"""Which addresses a picture may be fetched from: nothing inside the company's network, unless
kimo.yaml says so.

Whoever writes a URL into the ERP must not make this machine ask its neighbours. What counts is the
address that is connected to: `Guard.addresses` is called when a connection is opened (fetch.py),
and what it gives is connected to. So another spelling of a host, a redirect, or a name that means
something else a moment later changes nothing.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address

# host, port -> its addresses, as text. Raises: OSError.
Resolver = Callable[[str, int], list[str]]

_SCHEMES = {"http": 80, "https": 443}
_LONGEST_SHOWN = 300
_NO_URL = "this is no URL: expected https://host/path. Correct it in the ERP"
_ODD_IN_HOST = re.compile(r"[\s\\%]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# Where ipaddress knows no word, or one that differs between versions of Python.
_NAMED: tuple[tuple[str, IPv4Network | IPv6Network], ...] = (
    ("a shared address of a provider's network", IPv4Network("100.64.0.0/10")),
    ("an address of a retired relay service", IPv4Network("192.88.99.0/24")),
    ("an address reserved for protocols", IPv4Network("192.0.0.0/24")),
    ("a site-local address", IPv6Network("fec0::/10")),
    ("an address for documentation", IPv6Network("3fff::/20")),
)
# IPv6 addresses that only wrap an IPv4 address: that one is judged.
_NAT64 = IPv6Network("64:ff9b::/96")
_PUBLIC_IPV6 = IPv6Network("2000::/3")


class RefusedError(Exception):
    """A URL that is not asked, in one sentence. Another try changes nothing."""


class Guard:
    """allowed_hosts: `host` or `host:port`, as in kimo.yaml; of these every address is good."""

    def __init__(self, allowed_hosts: Iterable[str] = (), resolve: Resolver | None = None) -> None:
        self._allowed = frozenset(_plain(host) for host in allowed_hosts)
        self._resolve = resolve or resolve_host

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses to connect to, in the resolver's order; asked for once.

        All of them have to be public: of several, nobody knows which one a second look would give.
        Raises: RefusedError; OSError when the name cannot be resolved.
        """
        found = self._resolve(host, port)
        if not self._is_allowed(host, port):
            for text in found:
                if kind := inside(ipaddress.ip_address(text)):
                    raise RefusedError(_private(host, port, text, kind))
        return found

    def _is_allowed(self, host: str, port: int) -> bool:
        name = _plain(host)
        return name in self._allowed or f"{name}:{port}" in self._allowed


def resolve_host(host: str, port: int) -> list[str]:
    """The system's answer. It also reads 2130706433, 0x7f.1 and 017700000001 as the address that
    they mean.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def inside(address: Address) -> str | None:
    """What kind of address it is when it is none of the public internet's, else None."""
    if isinstance(address, IPv6Address):
        if wrapped := _wrapped(address):
            return inside(wrapped)
        if not (kind := _kind(address)) and address not in _PUBLIC_IPV6:
            return "a reserved address"
        return kind
    return _kind(address)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped, by 6to4, or by NAT64. Those of Teredo
    count as private.
    """
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _kind(address: Address) -> str | None:
    for kind, network in _NAMED:
        if address in network:
            return kind
    kinds = {
        "an unspecified address": address.is_unspecified,
        "a loopback address": address.is_loopback,
        "a link-local address": address.is_link_local,
        "a multicast address": address.is_multicast,
        "a private address": address.is_private,
        "a reserved address": address.is_reserved or not address.is_global,
    }
    return next((kind for kind, holds in kinds.items() if holds), None)


def check_url(url: str) -> SplitResult:
    """The URL in its parts. Every port is good: on public hosts pictures are served on many, and
    nothing but a GET is sent.

    Raises: RefusedError.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise RefusedError(_NO_URL) from None
    if parts.scheme not in _SCHEMES:
        scheme = f"'{parts.scheme}:' is" if parts.scheme else "without http:// or https:// it is"
        raise RefusedError(
            f"{scheme} not asked: expected https:// or http://. Correct the URL in the ERP"
        )
    if parts.username is not None or parts.password is not None:
        raise RefusedError(
            "the URL holds a user name or a password, which every reader of the ERP sees: take it"
            " out of the URL there, and let the server give the picture without it"
        )
    if not host or _ODD_IN_HOST.search(host) or _CONTROL.search(url):
        raise RefusedError(_NO_URL)
    return parts


def place_of(parts: SplitResult) -> tuple[str, int]:
    """The host and the port of a URL that check_url has passed."""
    return _plain(parts.hostname or ""), parts.port or _SCHEMES[parts.scheme]


def shown(url: str) -> str:
    """The URL for a message: short, and without what may be secret, credentials and the query."""
    rest, mark, _ = url.partition("?")
    before, slashes, after = rest.partition("#")[0].rpartition("//")
    host, slash, path = after.partition("/")
    text = f"{before}{slashes}{host.rpartition('@')[2]}{slash}{path}"
    plain = "".join(character if character.isprintable() else "�" for character in text)
    return f"{plain[:_LONGEST_SHOWN]}{'…' if len(plain) > _LONGEST_SHOWN else ''}{'?…' if mark else ''}"


def _private(host: str, port: int, address: str, kind: str) -> str:
    name = host.strip("[]")
    is_itself = name == address
    what = f"{name} is {kind}" if is_itself else f"{name} is {kind} ({address})"
    entry = f"{host}:{port}" if port not in _SCHEMES.values() else host
    return (
        f"{what}, so it is not asked. If this server is yours, add {entry} to images: download:"
        " allowed_hosts: in kimo.yaml"
    )


def _plain(host: str) -> str:
    """A host, with its port if it has one, as it is compared: in small letters, IDNA, without the
    trailing dot.
    """
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or not port.isdecimal() or (":" in name and not name.endswith("]")):
        name, colon, port = host.strip().lower(), "", ""
    name = name.strip("[]").rstrip(".")
    if not name.isascii():
        name = _idna(name)
    return f"{name}{colon}{port}"


def _idna(name: str) -> str:
    """As `requests` writes it (it brings the library along)."""
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        return name
