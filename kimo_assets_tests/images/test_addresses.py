"""Which URLs and addresses are refused, in every spelling, and in which words."""

import socket
from ipaddress import ip_address

import pytest
from pydantic import ValidationError

from kimo_assets.config.models import DownloadConfig
from kimo_assets.images.addresses import (
    Guard,
    RefusedError,
    check_url,
    host_and_port,
    inside,
    resolve_host,
    shown,
)
from kimo_assets_tests.images.misbehaving_server import Names

_INSIDE = {
    "a loopback address": [
        "127.0.0.1",
        "127.255.0.3",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
    "a private address": [
        "10.0.0.5",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "198.18.0.1",
        "192.0.2.1",
        "0.1.2.3",
        "fc00::1",
        "fd12::1",
        "::ffff:10.0.0.1",
        "::ffff:192.168.0.1",
        "64:ff9b::a00:1",
        "2002:c0a8:101::",
        "2001:db8::1",
        "2001:0:4136:e378::1",
    ],
    "a link-local address": [
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
    ],
    "an unspecified address": ["0.0.0.0", "::"],
    "a multicast address": ["224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1"],
    "a shared address of a provider's network": [
        "100.64.0.1",
        "100.127.255.254",
        "::ffff:100.64.0.1",
    ],
    "a site-local address": ["fec0::1"],
    "an address for documentation": ["3fff::1"],
    "an address reserved for protocols": ["192.0.0.9"],
    "an address of a retired relay service": ["192.88.99.1"],
}


@pytest.mark.parametrize(
    ("kind", "address"), [(kind, address) for kind, some in _INSIDE.items() for address in some]
)
def test_an_address_inside_is_known_as_what_it_is(kind: str, address: str) -> None:
    assert inside(ip_address(address)) == kind


@pytest.mark.parametrize(
    "address", ["240.0.0.1", "255.255.255.255", "::127.0.0.1", "64:ff9b:1::1", "5f00::1", "4000::1"]
)
def test_addresses_of_nobody_are_refused(address: str) -> None:
    assert inside(ip_address(address)) in ("a reserved address", "a private address")


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public_addresses_are_good(address: str) -> None:
    assert inside(ip_address(address)) is None


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "0x7f000001", "017700000001", "127.1", "0"],
)
def test_every_spelling_of_loopback_is_refused_by_what_it_means(host: str) -> None:
    with pytest.raises(RefusedError, match=r"a loopback address|an unspecified address"):
        Guard().addresses(host, 80)


def test_the_system_is_asked_for_names() -> None:
    assert set(resolve_host("localhost", 80)) <= {"127.0.0.1", "::1"}
    with pytest.raises(RefusedError, match=r"localhost is a loopback address \("):
        Guard().addresses("localhost", 80)


def test_one_private_address_among_public_ones_is_enough() -> None:
    guard = Guard(resolve=Names(shop__test=[["93.184.216.34", "2606:2800:220:1::1", "10.0.0.5"]]))
    with pytest.raises(RefusedError) as refused:
        guard.addresses("shop.test", 443)
    assert (
        str(refused.value)
        == "shop.test is a private address (10.0.0.5), so it is not asked. If this server is yours,"
        " add shop.test to images: download: allowed_hosts: in kimo.yaml"
    )


def test_the_name_is_asked_for_once_and_all_it_gives_is_given() -> None:
    names = Names(shop__test=[["93.184.216.34", "2606:2800:220:1::1"], ["127.0.0.1"]])
    assert Guard(resolve=names).addresses("shop.test", 443) == [
        "93.184.216.34",
        "2606:2800:220:1::1",
    ]
    assert names.asked == ["shop.test"]


@pytest.mark.parametrize(
    ("allowed", "host", "port"),
    [
        ("intra.test", "intra.test", 80),
        ("INTRA.test.", "intra.test", 8080),
        ("intra.test", "Intra.Test.", 80),
        ("intra.test:8080", "intra.test", 8080),
        ("127.0.0.1", "127.0.0.1", 99),
        ("[::1]:8080", "::1", 8080),
        ("::1", "::1", 8080),
        ("bücher.test", "xn--bcher-kva.test", 80),
    ],
)
def test_an_allowed_host_may_be_inside(allowed: str, host: str, port: int) -> None:
    assert Guard([allowed], lambda *_: ["127.0.0.1"]).addresses(host, port) == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("allowed", "host", "port"),
    [
        ("intra.test:8080", "intra.test", 80),
        ("intra.test", "other.intra.test", 80),
        ("test", "intra.test", 80),
    ],
)
def test_only_that_host_is_allowed(allowed: str, host: str, port: int) -> None:
    with pytest.raises(RefusedError, match="allowed_hosts"):
        Guard([allowed], lambda *_: ["127.0.0.1"]).addresses(host, port)


def test_the_entry_to_add_names_the_port_where_it_is_not_the_usual_one() -> None:
    with pytest.raises(
        RefusedError,
        match=r"10\.0\.0\.5 is a private address, so .* add 10\.0\.0\.5:8080 to images",
    ):
        Guard().addresses("10.0.0.5", 8080)


@pytest.mark.parametrize(
    "entry",
    ["https://intra.test", "intra.test/pictures", "*.intra.test", "me@intra.test", "a b", ""],
)
def test_an_entry_that_would_never_allow_anything_is_refused(entry: str) -> None:
    with pytest.raises(
        ValidationError, match=r"expected a host, or host:port, such as pictures\.local"
    ):
        DownloadConfig(allowed_hosts=(entry,))


def test_a_name_that_nobody_knows_is_no_refusal() -> None:
    with pytest.raises(socket.gaierror):
        Guard(resolve=Names()).addresses("nowhere.test", 80)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://shop.test/a.jpg", "'ftp:' is not asked: expected https:// or http://"),
        ("file:///etc/passwd", "'file:' is not asked"),
        ("data:image/png;base64,AAAA", "'data:' is not asked"),
        ("javascript:alert(1)", "'javascript:' is not asked"),
        ("www.shop.test/a.jpg", "without http:// or https:// it is not asked"),
        ("//shop.test/a.jpg", "without http:// or https:// it is not asked"),
        ("https://user:secret@shop.test/a.jpg", "a user name or a password"),
        ("https://@shop.test/a.jpg", "a user name or a password"),
        ("https://", "this is no URL"),
        ("https:///a.jpg", "this is no URL"),
        ("https://shop.test:http/a.jpg", "this is no URL"),
        ("https://shop.test:99999/a.jpg", "this is no URL"),
        ("https://[::1/a.jpg", "this is no URL"),
        ("https://shop.test\\@127.0.0.1/a.jpg", "a user name or a password|this is no URL"),
        ("https://shop test/a.jpg", "this is no URL"),
        ("https://shop.test/a\r\nHost: x", "this is no URL"),
    ],
)
def test_what_is_no_good_url_is_refused(url: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason) as refused:
        check_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://Shop.test./foto 1.jpg", ("shop.test", 443)),
        ("http://shop.test:8080/a.jpg?sig=1", ("shop.test", 8080)),
        ("HTTPS://bücher.test/ä.jpg", ("xn--bcher-kva.test", 443)),
        ("http://[2001:4860:4860::8888]/a.jpg", ("2001:4860:4860::8888", 80)),
    ],
)
def test_a_good_url_has_a_host_and_a_port(url: str, endpoint: tuple[str, int]) -> None:
    assert host_and_port(check_url(url)) == endpoint


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://shop.test/a.jpg", "https://shop.test/a.jpg"),
        ("https://shop.test/a.jpg?token=secret", "https://shop.test/a.jpg?…"),
        ("https://shop.test/a.jpg#secret", "https://shop.test/a.jpg"),
        ("https://user:secret@shop.test/@x/a.jpg", "https://shop.test/@x/a.jpg"),
        ("https://user:sec@ret@shop.test/a.jpg", "https://shop.test/a.jpg"),
        ("user:secret@shop.test/a.jpg", "shop.test/a.jpg"),
        ("https://user:secret@shop.test:port/a.jpg", "https://shop.test:port/a.jpg"),
        ("https://shop.test/a\x00\r\n.jpg", "https://shop.test/a���.jpg"),
        (f"https://shop.test/{'a' * 1000}?b", f"https://shop.test/{'a' * 282}…?…"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, text: str) -> None:
    assert shown(url) == text
