"""A way to PostgreSQL that is cut in the middle of a COMMIT: before it gets to the server, or
before its answer is back.
"""

import socket
import threading
from contextlib import suppress
from typing import Literal
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

Cut = Literal["before", "after"]

# A simple query: its kind, its length, its text.
_COMMIT = b"COMMIT\0"


class CommitCut:
    """Forwards a port of this machine to the server's socket, and cuts the connection in the
    commits that it is told to.
    """

    def __init__(self, dsn: str) -> None:
        parts = conninfo_to_dict(dsn)
        self._server = f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}"
        self._name = str(parts["dbname"])
        self.cuts: list[Cut | None] = []
        self.seen = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{quote(self._name)}?gssencmode=disable&sslmode=disable"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                silenced = threading.Event()
                threading.Thread(
                    target=self._up, args=(client, server, silenced), daemon=True
                ).start()
                threading.Thread(
                    target=self._down, args=(server, client, silenced), daemon=True
                ).start()

    def _up(self, client: socket.socket, server: socket.socket, silenced: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                cut = self._next_cut() if _COMMIT in data else None
                if cut == "before":
                    break
                if cut == "after":
                    silenced.set()
                server.sendall(data)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _next_cut(self) -> Cut | None:
        self.seen += 1
        return self.cuts.pop(0) if self.cuts else None

    def _down(
        self, server: socket.socket, client: socket.socket, silenced: threading.Event
    ) -> None:
        """What the server answers; to a commit whose answer is to be lost, nothing but the end of
        the connection.
        """
        with suppress(OSError):
            while data := server.recv(65536):
                if silenced.is_set():
                    break
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
