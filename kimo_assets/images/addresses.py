"""Which addresses a picture may be fetched from: none of the company's network by default.

kimo.yaml may allow hosts of that network. An author of URLs in the ERP must not make this machine
ask its neighbours. What counts is the address that is connected to: fetch.py calls
`Guard.addresses` when it opens a connection, and connects to what that returns. So another spelling
of a host, a redirect, or a name that means something else a moment later changes nothing.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

from kimo_assets.texts import say

Address = IPv4Address | IPv6Address

# host, port -> its addresses, as text. Raises: OSError.
Resolver = Callable[[str, int], list[str]]

_SCHEMES = {"http": 80, "https": 443}
# A problem is a line of a table: longer URLs would hide the reason.
_LONGEST_SHOWN = 300
# Programs differ in how they read a host with these.
_ODD_IN_HOST = re.compile(r"[\s\\%]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# Networks for which ipaddress has no property, or one that differs between versions of Python.
# The names are those of the sentences `images.address.…`.
_NETWORKS: tuple[tuple[str, IPv4Network | IPv6Network], ...] = (
    ("shared", IPv4Network("100.64.0.0/10")),
    ("relay", IPv4Network("192.88.99.0/24")),
    ("protocols", IPv4Network("192.0.0.0/24")),
    ("site_local", IPv6Network("fec0::/10")),
    ("documentation", IPv6Network("3fff::/20")),
)
# IPv6 addresses that only wrap an IPv4 address: that one is judged.
_NAT64 = IPv6Network("64:ff9b::/96")
# IANA gives public addresses from this block only. What it opens one day is refused until then.
_PUBLIC_IPV6 = IPv6Network("2000::/3")


class RefusedError(Exception):
    """A URL that is not asked, in one sentence. Another try changes nothing."""


class Guard:
    """Which addresses may be connected to.

    allowed_hosts: `host` or `host:port`, as in kimo.yaml. Every address of these is good.
    """

    def __init__(self, allowed_hosts: Iterable[str] = (), resolve: Resolver | None = None) -> None:
        self._allowed = frozenset(_plain(host) for host in allowed_hosts)
        self._resolve = resolve or resolve_host

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses to connect to, in the resolver's order. The name is resolved once.

        All of them have to be public, as a second look could return any of them.
        Raises: RefusedError; OSError when the name cannot be resolved.
        """
        addresses = self._resolve(host, port)
        if self._is_allowed(host, port):
            return addresses
        for address in addresses:
            if kind := inside(ipaddress.ip_address(address)):
                raise RefusedError(_refusal(host, port, address, kind))
        return addresses

    def _is_allowed(self, host: str, port: int) -> bool:
        name = _plain(host)
        return name in self._allowed or f"{name}:{port}" in self._allowed


def resolve_host(host: str, port: int) -> list[str]:
    """The system's answer.

    It also reads 2130706433, 0x7f.1 and 017700000001 as the address that they mean.
    """
    answers = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


def inside(address: Address) -> str | None:
    """What kind of address it is, in words. None for an address of the public internet."""
    kind = _kind(address)
    if kind is None:
        return None
    return say(f"images.address.{kind}")


def _kind(address: Address) -> str | None:
    """The kind of an address that is not public, named as in texts/images.py."""
    if not isinstance(address, IPv6Address):
        return _own_kind(address)
    if wrapped := _wrapped(address):
        return _own_kind(wrapped)
    kind = _own_kind(address)
    if kind is None and address not in _PUBLIC_IPV6:
        return "reserved"
    return kind


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped, by 6to4, or by NAT64.

    Those of Teredo count as private.
    """
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _own_kind(address: Address) -> str | None:
    """The kind of an address, whatever it may wrap. None when it is public."""
    for kind, network in _NETWORKS:
        if address in network:
            return kind
    kinds = {
        "unspecified": address.is_unspecified,
        "loopback": address.is_loopback,
        "link_local": address.is_link_local,
        "multicast": address.is_multicast,
        "private": address.is_private,
        # Last, as it is also true of most others.
        "reserved": address.is_reserved or not address.is_global,
    }
    return next((kind for kind, applies in kinds.items() if applies), None)


def check_url(url: str) -> SplitResult:
    """The URL in its parts.

    Every port is good: public hosts serve pictures on many, and nothing but a GET is sent.
    Raises: RefusedError.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise RefusedError(say("images.url.invalid")) from None
    if not parts.scheme:
        raise RefusedError(say("images.url.no_scheme"))
    if parts.scheme not in _SCHEMES:
        raise RefusedError(say("images.url.scheme", scheme=parts.scheme))
    # Also an empty name: "https://@host" hides which host is meant.
    if parts.username is not None or parts.password is not None:
        raise RefusedError(say("images.url.credentials"))
    if not host or _ODD_IN_HOST.search(host) or _CONTROL.search(url):
        raise RefusedError(say("images.url.invalid"))
    return parts


def host_and_port(parts: SplitResult) -> tuple[str, int]:
    """The host and the port of a URL that check_url has passed."""
    return _plain(parts.hostname or ""), parts.port or _SCHEMES[parts.scheme]


def shown(url: str) -> str:
    """The URL for a message: short, and without what may be secret, credentials and the query."""
    rest, question_mark, _ = url.partition("?")
    before, slashes, after = rest.partition("#")[0].rpartition("//")
    authority, slash, path = after.partition("/")
    host = authority.rpartition("@")[2]
    text = f"{before}{slashes}{host}{slash}{path}"
    plain = "".join(character if character.isprintable() else "�" for character in text)
    if len(plain) > _LONGEST_SHOWN:
        plain = f"{plain[:_LONGEST_SHOWN]}…"
    if question_mark:
        plain += "?…"
    return plain


def _refusal(host: str, port: int, address: str, kind: str) -> str:
    """Why a host is not asked, with the entry of kimo.yaml that would allow it."""
    name = host.strip("[]")
    entry = host
    # With its unusual port, so that the entry allows no more than it must.
    if port not in _SCHEMES.values():
        entry = f"{host}:{port}"
    if name == address:
        return say("images.url.private", name=name, kind=kind, entry=entry)
    return say("images.url.private_address", name=name, kind=kind, address=address, entry=entry)


def _plain(host: str) -> str:
    """A host, with its port if it has one, in the form that is compared.

    That is in small letters, in IDNA, and without the trailing dot.
    """
    name, colon, port = host.strip().lower().rpartition(":")
    # The last colon of a bare IPv6 address sets no port apart. Only brackets tell.
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
