"""The makers' web site that some pictures of the demo come from, played on this machine: real HTTP,
drawn on demand.

It answers conditional requests, so that a second download shows what an unchanged picture costs;
one picture is missing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from threading import Thread

from kimo_assets.demo.names import MAKERS_SITE
from kimo_assets.demo.pictures import drawn_for
from kimo_assets.errors import ConfigError
from kimo_assets.texts import say

_PICTURES = "/img/"
# Items whose code's hash begins so have no picture there any more.
_MISSING = "0"


class _Site(BaseHTTPRequestHandler):
    # A client may then ask for many pictures over one connection.
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """A picture made from the item's code, with an ETag, so that 304 can be tried."""
        code = PurePosixPath(self.path).stem
        is_missing = sha256(code.encode()).hexdigest().startswith(_MISSING)
        if not self.path.startswith(_PICTURES) or is_missing:
            self._answer(404, b"not here\n", "text/plain")
            return
        picture = drawn_for(code)
        mark = f'"{sha256(picture).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == mark:
            self._answer(304, b"", "image/jpeg", mark)
        else:
            self._answer(200, picture, "image/jpeg", mark)

    def _answer(self, status: int, body: bytes, kind: str, mark: str | None = None) -> None:
        self.send_response(status)
        if mark:
            self.send_header("ETag", mark)
        # A 304 has no body, and a length would make a client wait for one.
        if status != 304:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the run says what it fetched."""


@contextmanager
def makers_site() -> Iterator[str]:
    """Serves the site while the block runs; its address. Raises: ConfigError when its port is
    taken.
    """
    host, _, port = MAKERS_SITE.partition(":")
    try:
        server = ThreadingHTTPServer((host, int(port)), _Site)
    except OSError as error:
        message = say("demo.port_in_use", address=MAKERS_SITE, error=error.strerror)
        raise ConfigError(message) from None
    # A connection that is left open must not keep the demo from ending.
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://{MAKERS_SITE}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
