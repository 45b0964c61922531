"""Fetching from a server that misbehaves in each way: what is fetched, what is refused, what is
tried again.
"""

import datetime
import email.utils
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from kimo_assets.images import fetch
from kimo_assets.images.addresses import Guard
from kimo_assets.images.fetch import Fetched, Fetcher, FetchError, Limits, Validators
from kimo_assets_tests.images.misbehaving_server import (
    Behaviour,
    MisbehavingServer,
    Names,
    bomb,
    crowded,
    endless,
    jpeg,
    lying_length,
    packed,
    picture,
    redirect,
    reset,
    silent,
    slow_drip,
    status,
    together,
)
from kimo_assets_tests.support.certificates import self_signed

DATA = jpeg()


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server


@pytest.fixture
def waits() -> list[float]:
    """The seconds that were waited between tries; nobody waits them."""
    return []


Make = Callable[..., Fetcher]


@pytest.fixture
def make(waits: list[float]) -> Iterator[Make]:
    """A fetcher with short limits that may go to loopback."""
    made: list[Fetcher] = []

    def make(
        allowed: tuple[str, ...] = ("127.0.0.1", "shop.test"),
        resolve: Names | None = None,
        verify: str | None = None,
        **limits: float,
    ) -> Fetcher:
        given = {"max_bytes": 1_000_000, "timeout_s": 20, "attempts": 3, **limits}
        guard = Guard(allowed, resolve)
        bounds = Limits(**given)  # type: ignore[arg-type]
        made.append(Fetcher(bounds, guard, sleep=waits.append, verify=verify))
        return made[-1]

    yield make
    for fetcher in made:
        fetcher.close()


def failure(fetcher: Fetcher, url: str) -> FetchError:
    with pytest.raises(FetchError) as failed:
        fetcher.fetch(url)
    return failed.value


# --- good servers
# --------------------------------------------------------------------------------------------------


def test_a_picture_comes_with_what_the_server_knows_it_by(
    server: MisbehavingServer, make: Make
) -> None:
    server.on("/a.jpg", picture(DATA, ETag='"1"', Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT"))
    got = make().fetch(server.url("/a.jpg?size=l"))
    assert got == Fetched(DATA, Validators('"1"', "Mon, 01 Jan 2024 00:00:00 GMT"))
    assert server.asked == ["/a.jpg?size=l"]
    assert server.seen[0]["Host"] == server.place
    assert server.seen[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "previous", [Validators('"1"', None), Validators(None, "Mon, 01 Jan 2024 00:00:00 GMT")]
)
def test_an_unchanged_picture_is_not_sent_again(
    server: MisbehavingServer, make: Make, previous: Validators
) -> None:
    url = server.on(
        "/a.jpg", picture(DATA, ETag='"1"', Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")
    )
    assert make().fetch(url, previous) == Fetched(None, previous)


def test_a_changed_picture_is_sent(server: MisbehavingServer, make: Make) -> None:
    url = server.on("/a.jpg", picture(DATA, ETag='"2"'))
    assert make().fetch(url, Validators('"1"')) == Fetched(DATA, Validators('"2"'))


def test_a_304_that_nobody_asked_for_is_no_picture(server: MisbehavingServer, make: Make) -> None:
    assert "the server answers 304" in str(failure(make(), server.on("/a.jpg", status(304))))


def test_connections_are_used_again_whatever_was_answered(
    server: MisbehavingServer, make: Make
) -> None:
    server.on("/a.jpg", picture(DATA, ETag='"1"'))
    server.on("/ill.jpg", status(500, b"x" * 1000))
    server.on("/moved.jpg", redirect("/a.jpg", body=b"moved"))
    fetcher = make()
    for path, etag in [
        ("/a.jpg", ""),
        ("/a.jpg", '"1"'),
        ("/gone.jpg", ""),
        ("/ill.jpg", ""),
        ("/moved.jpg", ""),
    ]:
        with suppress(FetchError):
            fetcher.fetch(server.url(path), Validators(etag))
    assert len(server.asked) == 8
    assert server.connections == 1


def test_a_host_gets_no_more_requests_at_once_than_it_may(
    server: MisbehavingServer, make: Make
) -> None:
    fetcher = make(per_host=2)
    url = server.on("/a.jpg", crowded(DATA, limit=2))
    with ThreadPoolExecutor(6) as pool:
        assert {got.data for got in pool.map(fetcher.fetch, [url] * 6)} == {DATA}
    assert (server.peak, server.connections) == (2, 2)


def test_a_host_gets_as_many_requests_at_once_as_it_may(
    server: MisbehavingServer, make: Make
) -> None:
    fetcher = make(per_host=3)
    url = server.on("/a.jpg", together(DATA, 3))
    with ThreadPoolExecutor(6) as pool:
        assert {got.data for got in pool.map(fetcher.fetch, [url] * 6)} == {DATA}
    assert server.peak == 3


# --- bytes
# --------------------------------------------------------------------------------------------------


def test_a_picture_that_says_it_is_too_large_is_not_read(
    server: MisbehavingServer, make: Make
) -> None:
    error = failure(make(), server.on("/a.jpg", lying_length(DATA, 1_000_001)))
    assert (
        str(error)
        == "the picture has 1,000,001 bytes; more than 1,000,000 bytes are not fetched. Make the"
        " picture smaller, or raise images: max_file_mb: in kimo.yaml"
    )
    assert server.asked_for("/a.jpg") == 1


@pytest.mark.parametrize("behaviour", [endless(), endless(chunked=True), bomb()])
def test_a_body_without_end_is_cut(
    server: MisbehavingServer, make: Make, behaviour: Behaviour
) -> None:
    error = failure(make(), server.on("/a.jpg", behaviour))
    assert "the server does not stop sending; more than 1,000,000 bytes are not fetched" in str(
        error
    )
    assert server.asked_for("/a.jpg") == 1


def test_a_redirect_with_a_body_without_end_is_followed_and_its_body_left(
    server: MisbehavingServer, make: Make
) -> None:
    server.on("/next.jpg", picture(DATA))
    assert make().fetch(server.on("/a.jpg", endless(redirecting=True))).data == DATA


def test_a_packed_picture_is_unpacked(server: MisbehavingServer, make: Make) -> None:
    assert make().fetch(server.on("/a.jpg", packed(DATA))).data == DATA


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip"])
def test_what_is_packed_several_times_or_not_at_all_is_no_picture(
    server: MisbehavingServer, make: Make, encoding: str
) -> None:
    error = failure(make(), server.on("/a.jpg", status(200, DATA, Content_Encoding=encoding)))
    assert "packed" in str(error)
    assert server.asked_for("/a.jpg") == 1


def test_fewer_bytes_than_said_are_no_picture(
    server: MisbehavingServer, make: Make, waits: list[float]
) -> None:
    error = failure(make(), server.on("/a.jpg", lying_length(DATA, len(DATA) + 1)))
    assert (
        str(error)
        == "the server broke off before the whole picture was there (0 bytes had come). Try later"
    )
    assert (server.asked_for("/a.jpg"), len(waits)) == (3, 2)


def test_more_bytes_than_said_do_not_get_into_the_next_answer(
    server: MisbehavingServer, make: Make
) -> None:
    fetcher = make()
    other = server.on("/b.jpg", picture(jpeg("blue")))
    assert fetcher.fetch(server.on("/a.jpg", lying_length(DATA, 100))).data == DATA[:100]
    assert fetcher.fetch(other).data == jpeg("blue")


# --- time
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour", [slow_drip(), slow_drip(length=False), slow_drip(headers=True), silent()]
)
def test_each_try_ends_at_its_deadline_however_the_bytes_drip(
    server: MisbehavingServer, make: Make, behaviour: Behaviour
) -> None:
    error = failure(make(timeout_s=0.2, attempts=2), server.on("/a.jpg", behaviour))
    assert "the server took longer than 0.2 seconds (" in str(error)
    assert "raise images: download: timeout_s: in kimo.yaml" in str(error)
    assert server.asked_for("/a.jpg") == 2


def test_a_drip_on_a_connection_that_was_good_is_cut_as_well(
    server: MisbehavingServer, make: Make
) -> None:
    fetcher = make(timeout_s=0.3, attempts=1)
    assert fetcher.fetch(server.on("/a.jpg", picture(DATA))).data == DATA
    assert "longer than 0.3 seconds" in str(failure(fetcher, server.on("/b.jpg", slow_drip())))
    assert server.connections == 1


def test_the_deadline_is_that_of_all_hops_together(server: MisbehavingServer, make: Make) -> None:
    server.on("/b.jpg", slow_drip())
    error = failure(make(timeout_s=0.2, attempts=1), server.on("/a.jpg", redirect("/b.jpg")))
    assert "longer than 0.2 seconds" in str(error)


def test_a_handshake_that_never_ends_is_cut(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = failure(
            make(timeout_s=0.2, attempts=1), f"https://127.0.0.1:{listener.getsockname()[1]}/a.jpg"
        )
    assert "longer than 0.2 seconds" in str(error)
    assert error.is_unreachable


def test_stopping_ends_what_is_under_way_and_what_waits_and_what_comes(
    server: MisbehavingServer, make: Make
) -> None:
    fetcher = make(timeout_s=60)
    url = server.on("/a.jpg", silent())
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(failure, fetcher, url)
        with server.changed:
            assert server.changed.wait_for(lambda: server.now == 1, timeout=10)
        started = time.monotonic()
        fetcher.stop()
        assert under_way.result().kind == "stopped"
    assert time.monotonic() - started < 10
    assert failure(fetcher, url).kind == "stopped"
    assert server.asked_for("/a.jpg") == 1


def test_stopping_ends_the_wait_for_another_try(server: MisbehavingServer) -> None:
    fetcher = Fetcher(Limits(1_000_000), Guard(["127.0.0.1"]))
    url = server.on("/a.jpg", status(429, Retry_After="100"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(failure, fetcher, url)
        with server.changed:
            assert server.changed.wait_for(lambda: server.asked and not server.now, timeout=10)
        fetcher.stop()
        assert waiting.result(timeout=20).kind == "stopped"
    fetcher.close()


# --- tries
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        status(500),
        status(502),
        status(503),
        status(504),
        status(429),
        reset(),
        reset(b"half"),
        lying_length(b"x", 9),
    ],
)
def test_what_may_pass_is_tried_again(
    server: MisbehavingServer, make: Make, waits: list[float], first: Behaviour
) -> None:
    assert make().fetch(server.on("/a.jpg", first, first, picture(DATA))).data == DATA
    assert server.asked_for("/a.jpg") == 3
    assert 1 <= waits[0] <= 2 <= waits[1] <= 3


@pytest.mark.parametrize(
    ("code", "kind"),
    [(404, "missing"), (410, "missing"), (403, "failed"), (401, "failed"), (400, "failed")],
)
def test_what_does_not_pass_is_asked_once(
    server: MisbehavingServer, make: Make, code: int, kind: str
) -> None:
    error = failure(make(), server.on("/a.jpg", status(code)))
    assert error.kind == kind
    assert f"{code}" in str(error)
    assert server.asked_for("/a.jpg") == 1


def test_the_last_try_says_how_it_went(server: MisbehavingServer, make: Make) -> None:
    error = failure(make(), server.on("/a.jpg", status(503)))
    assert (
        str(error)
        == "the server says that it is not well (503), each time it was asked. Try later, or with a"
        " lower per_host"
    )


def test_a_server_says_how_long_to_wait(
    server: MisbehavingServer, make: Make, waits: list[float]
) -> None:
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)
    in_a_minute = email.utils.format_datetime(then, usegmt=True)
    answers = [status(429, Retry_After="7"), status(503, Retry_After=in_a_minute), picture(DATA)]
    assert make().fetch(server.on("/a.jpg", *answers)).data == DATA
    assert waits[0] == 7
    assert 50 < waits[1] <= 60


@pytest.mark.parametrize("nonsense", ["soon", "-5", "1e9", "", "Mon, 99 Foo 2024"])
def test_a_wait_that_is_none_is_our_own(
    server: MisbehavingServer, make: Make, waits: list[float], nonsense: str
) -> None:
    assert (
        make().fetch(server.on("/a.jpg", status(429, Retry_After=nonsense), picture(DATA))).data
        == DATA
    )
    assert 1 <= waits[0] <= 2


def test_a_server_that_wants_to_be_left_alone_for_long_is(
    server: MisbehavingServer, make: Make, waits: list[float]
) -> None:
    error = failure(make(), server.on("/a.jpg", status(429, Retry_After="3600")))
    assert (
        "too many pictures at a time are asked for (429) and asks to be left alone for 3,600"
        " seconds" in str(error)
    )
    assert error.wants_long_pause
    assert (server.asked_for("/a.jpg"), waits) == (1, [])


def test_a_port_that_nobody_listens_at_is_unreachable(make: Make, waits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(make(), f"http://127.0.0.1:{port}/a.jpg")
    assert str(error) == "the server cannot be reached: connection refused"
    assert error.is_unreachable
    assert len(waits) == 2


def test_a_name_that_nobody_knows_is_unreachable(make: Make) -> None:
    error = failure(make(resolve=Names()), "http://shop.test/a.jpg?token=secret")
    assert (
        str(error)
        == "the server cannot be reached: its name is not known (DNS); correct the URL in the ERP,"
        " or this machine's DNS"
    )
    assert error.is_unreachable


@pytest.mark.parametrize(
    "host",
    [
        "a..b",
        "...",
        "xn--",
        "xn--a-ä",
        "-a-.test",
        "*.test",
        "ä" * 70 + ".test",
        "a" * 70 + ".test",
        "[::1",
        "a_b.test",
    ],
)
def test_a_host_that_is_none_is_no_reason_to_stop(make: Make, host: str) -> None:
    error = failure(make(resolve=Names()), f"http://{host}/a.jpg")
    assert "this is no URL" in str(error) or "its name is not known" in str(error)


@pytest.mark.parametrize("etag", ["a\0b", "x" * 501, "\t", "a\x1bb"])
def test_an_etag_that_could_not_be_sent_back_is_not_kept(
    server: MisbehavingServer, make: Make, etag: str
) -> None:
    assert make().fetch(server.on("/a.jpg", picture(DATA, ETag=etag))).validators == Validators()


# --- redirects
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: MisbehavingServer, make: Make, code: int) -> None:
    server.on("/new/b.jpg", picture(DATA))
    assert make().fetch(server.on("/old/a.jpg", redirect("../new/b.jpg#top", code))).data == DATA


def test_a_place_in_utf8_is_understood(server: MisbehavingServer, make: Make) -> None:
    server.on("/caff%C3%A8.jpg", picture(DATA))
    assert make().fetch(server.on("/a.jpg", redirect("/caffè.jpg"))).data == DATA


def test_redirects_in_a_circle_end(server: MisbehavingServer, make: Make) -> None:
    server.on("/b.jpg", redirect("/a.jpg?again=1"))
    error = failure(make(), server.on("/a.jpg", redirect("/b.jpg")))
    assert "the server redirects in a circle, back to" in str(error)
    assert "again" not in str(error)
    assert len(server.asked) == 3
    assert failure(make(), server.on("/c.jpg", redirect("/c.jpg"))).kind == "failed"


@pytest.mark.parametrize(
    ("allowed", "hops", "works"), [(5, 5, True), (5, 6, False), (0, 0, True), (0, 1, False)]
)
def test_so_many_redirects_and_no_more(
    server: MisbehavingServer, make: Make, allowed: int, hops: int, works: bool
) -> None:
    for number in range(hops):
        server.on(f"/{number}", redirect(f"/{number + 1}"))
    server.on(f"/{hops}", picture(DATA))
    if works:
        assert make(max_redirects=allowed).fetch(server.url("/0")).data == DATA
    else:
        assert f"redirects more than {allowed} times" in str(
            failure(make(max_redirects=allowed), server.url("/0"))
        )
        assert len(server.asked) == allowed + 1


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("file:///etc/passwd", "'file:' is not asked"),
        ("ftp://shop.test/a.jpg", "'ftp:' is not asked"),
        ("http://user:secret@shop.test/a.jpg", "a user name or a password"),
        (
            "http://169.254.169.254/latest/meta-data",
            "169.254.169.254 is a link-local address, so it is not asked",
        ),
        ("http://2130706433/a.jpg", r"2130706433 is a loopback address \(127.0.0.1\)"),
        ("http://[::ffff:10.0.0.1]/a.jpg", "is a private address"),
        ("//10.0.0.1/a.jpg", "10.0.0.1 is a private address"),
        ("/a\0b.jpg", "this is no URL"),
        ("http://[::1/a.jpg", "no URL"),
    ],
)
def test_a_redirect_to_where_we_do_not_go_is_refused(
    server: MisbehavingServer, make: Make, to: str, reason: str
) -> None:
    error = failure(make(), server.on("/a.jpg", redirect(to)))
    assert error.kind == "refused", error
    with pytest.raises(FetchError, match=reason):
        raise error
    assert server.asked == ["/a.jpg"]


def test_a_public_server_cannot_send_us_to_this_machine(
    server: MisbehavingServer, make: Make
) -> None:
    server.on("/secret.jpg", picture(DATA))
    fetcher = make(
        allowed=("shop.test",),
        resolve=Names(shop__test=[["127.0.0.1"]], **{"127__0__0__1": [["127.0.0.1"]]}),
    )
    server.on("/a.jpg", redirect(server.url("/secret.jpg")))
    error = failure(fetcher, server.url("/a.jpg", "shop.test"))
    assert error.kind == "refused"
    assert f"add 127.0.0.1:{server.port} to images: download: allowed_hosts" in str(error)
    assert server.asked == ["/a.jpg"]


# --- the address that is checked is the one connected to
# ------------------------------------------------------------------


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were connected to; what stands for the public ones is this machine."""
    addresses: list[str] = []
    real = fetch.dial

    def dial(address: str, port: int, timeout_s: float) -> socket.socket:
        addresses.append(address)
        return real("127.0.0.1", port, timeout_s)

    monkeypatch.setattr(fetch, "dial", dial)
    return addresses


def test_a_name_that_means_this_machine_a_moment_later_does_not_get_there(
    server: MisbehavingServer, make: Make, dialled: list[str]
) -> None:
    """DNS rebinding: whoever asked twice would check the first answer and connect to the second."""
    names = Names(evil__test=[["93.184.216.34"], ["127.0.0.1"]])
    fetcher = make(allowed=(), resolve=names)
    server.on("/a.jpg", lambda talk: talk.answer(200, DATA, length=len(DATA)))
    assert fetcher.fetch(server.url("/a.jpg", "evil.test")).data == DATA
    assert (names.asked, dialled) == (["evil.test"], ["93.184.216.34"])
    assert server.seen[0]["Host"] == f"evil.test:{server.port}"
    error = failure(fetcher, server.url("/a.jpg", "evil.test"))
    assert "evil.test is a loopback address (127.0.0.1)" in str(error)
    assert dialled == ["93.184.216.34"]


def test_a_name_is_checked_again_when_another_hop_goes_there(
    server: MisbehavingServer, make: Make, dialled: list[str]
) -> None:
    names = Names(evil__test=[["93.184.216.34"]], inside__test=[["10.0.0.5"]])
    server.on("/a.jpg", redirect(server.url("/b.jpg", "inside.test")))
    error = failure(make(allowed=(), resolve=names), server.url("/a.jpg", "evil.test"))
    assert "inside.test is a private address (10.0.0.5)" in str(error)
    assert dialled == ["93.184.216.34"]


def test_the_next_address_is_taken_when_the_first_does_not_answer(
    server: MisbehavingServer, make: Make, dialled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = fetch.dial

    def dial(address: str, port: int, timeout_s: float) -> socket.socket:
        if address == "93.184.216.34":
            dialled.append(address)
            raise TimeoutError("timed out")
        return reached(address, port, timeout_s)

    monkeypatch.setattr(fetch, "dial", dial)
    url = server.on("/a.jpg", picture(DATA)).replace("127.0.0.1", "shop.test")
    names = Names(shop__test=[["93.184.216.34", "93.184.216.35"]])
    assert make(allowed=(), resolve=names).fetch(url).data == DATA
    assert dialled == ["93.184.216.34", "93.184.216.35"]
    error = failure(make(allowed=(), resolve=Names(shop__test=[["93.184.216.34"]])), url)
    assert str(error) == "the server cannot be reached: it does not answer"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_not_asked(
    server: MisbehavingServer, make: Make, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    url = server.on("/a.jpg", picture(DATA))
    with MisbehavingServer() as proxy:
        monkeypatch.setenv(variable, proxy.url(""))
        assert make().fetch(url).data == DATA
    assert proxy.asked == []


def test_no_cookie_and_no_password_of_this_machine_is_sent(
    server: MisbehavingServer, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    url = server.on("/a.jpg", picture(DATA, Set_Cookie="track=me"))
    fetcher = make()
    fetcher.fetch(url)
    fetcher.fetch(url)
    assert {header.lower() for headers in server.seen for header in headers} == {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
    }


# --- TLS
# --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed("shop.test", tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[MisbehavingServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with MisbehavingServer(context) as server:
        names: list[str] = []
        server.sni = names  # type: ignore[attr-defined]
        context.sni_callback = lambda _, name, __: names.append(name)  # type: ignore[assignment]
        server.on("/a.jpg", picture(DATA))
        server.on("/slow.jpg", slow_drip())
        yield server


NAMES = {"shop__test": [["127.0.0.1"]], "other__test": [["127.0.0.1"]]}


def test_the_certificate_is_that_of_the_name_whatever_address_it_has(
    tls_server: MisbehavingServer, make: Make, certificate: Path
) -> None:
    fetcher = make(
        allowed=("shop.test", "other.test"), resolve=Names(**NAMES), verify=str(certificate)
    )
    assert fetcher.fetch(tls_server.url("/a.jpg", "shop.test")).data == DATA
    assert fetcher.fetch(tls_server.url("/a.jpg", "shop.test")).data == DATA
    assert tls_server.sni == ["shop.test"]  # type: ignore[attr-defined]
    assert tls_server.connections == 1
    error = failure(fetcher, tls_server.url("/a.jpg", "other.test"))
    assert "is not good (Hostname mismatch, certificate is not valid for 'other.test')" in str(
        error
    )


def test_a_certificate_that_nobody_knows_is_not_good(
    tls_server: MisbehavingServer, make: Make, waits: list[float]
) -> None:
    error = failure(make(resolve=Names(**NAMES)), tls_server.url("/a.jpg", "shop.test"))
    assert "the server's certificate is not good (self" in str(error)
    assert "REQUESTS_CA_BUNDLE" in str(error)
    assert waits == []


def test_an_authority_of_ones_own_is_named_in_the_environment(
    tls_server: MisbehavingServer, make: Make, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert make(resolve=Names(**NAMES)).fetch(tls_server.url("/a.jpg", "shop.test")).data == DATA


def test_a_drip_through_tls_is_cut_as_well(
    tls_server: MisbehavingServer, make: Make, certificate: Path
) -> None:
    fetcher = make(resolve=Names(**NAMES), verify=str(certificate), timeout_s=0.3, attempts=1)
    assert "longer than 0.3 seconds" in str(
        failure(fetcher, tls_server.url("/slow.jpg", "shop.test"))
    )


def test_a_server_without_tls_is_not_reached_by_https(
    server: MisbehavingServer, make: Make
) -> None:
    error = failure(make(), server.on("/a.jpg", picture(DATA)).replace("http:", "https:"))
    assert str(error) == "no encrypted connection (TLS) to the server is possible"


def test_nothing_is_left_open(server: MisbehavingServer, make: Make) -> None:
    fetcher = make(timeout_s=0.2, attempts=1)
    before = threading.active_count()
    for behaviour in (picture(DATA), slow_drip(), reset(), endless()):
        with suppress(FetchError):
            fetcher.fetch(server.on("/a.jpg", behaviour))
    assert not fetcher._tries
    assert threading.active_count() <= before + len(server.asked)
