"""A real HTTP server on loopback that behaves as it is told, path by path, and remembers what it
was asked.

with MisbehavingServer() as server:
    server.on("/a.jpg", picture(data))
    fetch(server.url("/a.jpg"))
    assert server.asked == ["/a.jpg"]
"""

import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from PIL import Image

# A handler of one path. Within a list, each request takes the next; the last one stays.
Behaviour = Callable[["Conversation"], None]


@dataclass
class Conversation:
    """One request, and the line to answer it on. held: set when the server closes, for those who
    wait.
    """

    headers: Mapping[str, str]
    line: socket.socket
    server: "MisbehavingServer"
    close: bool = False

    def send(self, data: bytes) -> None:
        self.line.sendall(data)

    def answer(
        self, status: int, body: bytes = b"", *, length: int | None = None, **headers: str
    ) -> None:
        """Header names with _ for -. length: said, whatever the body's is; -1 for not a word about
        it.
        """
        if length != -1:
            headers = {"Content-Length": str(len(body) if length is None else length), **headers}
        self.close = self.close or length is not None
        lines = [
            f"HTTP/1.1 {status} So",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        self.send("\r\n".join([*lines, "", ""]).encode("utf-8") + body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        self.server.behaving.connected()

    def do_GET(self) -> None:
        behaving = self.server.behaving
        conversation = Conversation(self.headers, self.connection, behaving)
        with suppress(OSError), behaving.under_way(self.path, self.headers):
            behaving.behaviour(self.path)(conversation)
        self.close_connection = conversation.close or self.close_connection

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    behaving: "MisbehavingServer"

    def handle_error(self, *_: Any) -> None:
        """Lines that break are what this server is for."""


@dataclass
class MisbehavingServer:
    """asked: the paths, in their order. seen: the headers of each. connections: how many were
    opened.

    peak: the most requests that were under way at once.
    """

    tls: ssl.SSLContext | None = None
    asked: list[str] = field(default_factory=list)
    seen: list[Mapping[str, str]] = field(default_factory=list)
    connections: int = 0
    peak: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._behaviours: dict[str, list[Behaviour]] = {}
        self.changed = threading.Condition()
        self.now = 0

    def __enter__(self) -> "MisbehavingServer":
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.behaving = self
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    def on(self, path: str, *behaviours: Behaviour) -> str:
        """Its URL."""
        self._behaviours[path] = list(behaviours)
        return self.url(path)

    def asked_for(self, path: str) -> int:
        return self.asked.count(path)

    # --- for the handler
    # --------------------------------------------------------------------------------------------

    def behaviour(self, path: str) -> Behaviour:
        with self.changed:
            behaviours = (
                self._behaviours.get(path)
                or self._behaviours.get(path.partition("?")[0])
                or [status(404)]
            )
            return behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]

    def connected(self) -> None:
        with self.changed:
            self.connections += 1

    def under_way(self, path: str, headers: Mapping[str, str]) -> "_UnderWay":
        with self.changed:
            self.asked.append(path)
            self.seen.append(headers)
        return _UnderWay(self)


class _UnderWay:
    def __init__(self, server: MisbehavingServer) -> None:
        self._server = server

    def __enter__(self) -> None:
        self._count(1)

    def __exit__(self, *_: object) -> None:
        self._count(-1)

    def _count(self, change: int) -> None:
        with self._server.changed:
            self._server.now += change
            self._server.peak = max(self._server.peak, self._server.now)
            self._server.changed.notify_all()


# --- behaviours
# --------------------------------------------------------------------------------------------------


def picture(data: bytes, **headers: str) -> Behaviour:
    """A good server: it knows an ETag or a date again that it was given."""

    def behave(talk: Conversation) -> None:
        etag, modified = headers.get("ETag"), headers.get("Last_Modified")
        is_same = etag and talk.headers.get("If-None-Match") == etag
        is_as_old = modified and talk.headers.get("If-Modified-Since") == modified
        if is_same or is_as_old:
            talk.answer(
                304, **{name: value for name, value in headers.items() if name != "Content_Type"}
            )
        else:
            talk.answer(200, data, **{"Content_Type": "image/jpeg", **headers})

    return behave


def status(code: int, body: bytes = b"", **headers: str) -> Behaviour:
    return lambda talk: talk.answer(code, body, **headers)


def redirect(to: str, code: int = 302, body: bytes = b"") -> Behaviour:
    return lambda talk: talk.answer(code, body, Location=to)


def lying_length(data: bytes, length: int) -> Behaviour:
    return lambda talk: talk.answer(200, data, length=length)


def slow_drip(*, headers: bool = False, length: bool = True) -> Behaviour:
    """A byte every now and then: no silence is ever long. headers: these drip, and never end.
    length: whether it is said.
    """

    def behave(talk: Conversation) -> None:
        talk.close = True
        header = b"Content-Length: 1000000\r\n" if length else b"Connection: close\r\n"
        talk.send(b"HTTP/1.1 200 OK\r\n" + (b"" if headers else header + b"\r\n"))
        while not talk.server.closing.wait(0.02):
            talk.send(b"X-Drip: 1\r\n" if headers else b"x")

    return behave


def endless(*, redirecting: bool = False, chunked: bool = False) -> Behaviour:
    """A body without a length, or end."""

    def behave(talk: Conversation) -> None:
        talk.close = True
        kind = b"Transfer-Encoding: chunked\r\n" if chunked else b"Connection: close\r\n"
        start = (
            b"HTTP/1.1 302 Found\r\nLocation: /next.jpg\r\n"
            if redirecting
            else b"HTTP/1.1 200 OK\r\n"
        )
        talk.send(start + kind + b"\r\n")
        block = b"x" * 65536
        while not talk.server.closing.is_set():
            talk.send(b"10000\r\n" + block + b"\r\n" if chunked else block)

    return behave


def bomb(megabytes: int = 64) -> Behaviour:
    """Little that unpacks to very much."""
    packed = gzip.compress(b"\0" * (megabytes * 1_000_000))
    return lambda talk: talk.answer(200, packed, Content_Encoding="gzip")


def packed(data: bytes) -> Behaviour:
    return lambda talk: talk.answer(200, gzip.compress(data), Content_Encoding="gzip")


def reset(after: bytes = b"") -> Behaviour:
    """The line breaks, with a reset."""

    def behave(talk: Conversation) -> None:
        talk.close = True
        if after:
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + after)
        talk.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talk.line.close()

    return behave


def silent() -> Behaviour:
    def behave(talk: Conversation) -> None:
        talk.close = True
        talk.server.closing.wait(30)

    return behave


def crowded(data: bytes, limit: int) -> Behaviour:
    """Answers when more than `limit` are there at once, or, since that should not come, after a
    moment.
    """

    def behave(talk: Conversation) -> None:
        with talk.server.changed:
            talk.server.changed.wait_for(lambda: talk.server.now > limit, timeout=0.15)
        talk.answer(200, data)

    return behave


def together(data: bytes, number: int) -> Behaviour:
    """Answers when so many are there at once; refuses when they never are."""

    def behave(talk: Conversation) -> None:
        with talk.server.changed:
            has_come = talk.server.changed.wait_for(lambda: talk.server.peak >= number, timeout=10)
        talk.answer(200 if has_come else 418, data)

    return behave


# --- what goes with them
# --------------------------------------------------------------------------------------------------


def jpeg(colour: str = "red", size: tuple[int, int] = (60, 40), kind: str = "JPEG") -> bytes:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


class Names:
    """A DNS of one's own: each name's answers in turn, the last one stays. asked: the names, in
    their order.
    """

    def __init__(self, **answers: Iterable[list[str]]) -> None:
        self._answers = {name.replace("__", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answers = self._answers.get(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return answers.pop(0) if len(answers) > 1 else answers[0]
