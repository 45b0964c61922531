"""A way to an embedded PostgreSQL by TCP that can be cut and opened again: an ERP that is down, and
comes back.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from kimo_assets.database.server import Database


class Line:
    """Forwards a port of this machine to the server's socket while it is open; refuses connections
    while it is not.
    """

    def __init__(self, database: Database) -> None:
        parts = conninfo_to_dict(database.dsn)
        self._server = f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}"
        self._name = str(parts["dbname"])
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    def url(self, user: str = "postgres", password: str = "") -> str:
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{self._name}"

    def open(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Nobody gets through any more, and who was connected no longer is."""
        listener, self._listener = self._listener, None
        ends, self._ends = self._ends, []
        for end in [*([listener] if listener else []), *ends]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._ends += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=(one, other), daemon=True).start()

    @staticmethod
    def _forward(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)


@contextmanager
def asking_for_password(database: Database, password: str) -> Iterator[Line]:
    """An open line to a server that asks the user `asked`, and nobody else, for a password."""
    line = Line(database)
    with database.connect() as connection:
        (file,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'asked'").fetchone():
            connection.execute("CREATE ROLE asked LOGIN SUPERUSER")
        connection.execute(sql.SQL("ALTER ROLE asked PASSWORD {}").format(sql.Literal(password)))
        before = Path(file).read_text(encoding="utf-8")
        Path(file).write_text(f"local all asked scram-sha-256\n{before}", encoding="utf-8")
        connection.execute("SELECT pg_reload_conf()")
        line.open()
        try:
            yield line
        finally:
            line.close()
            Path(file).write_text(before, encoding="utf-8")
            connection.execute("SELECT pg_reload_conf()")
