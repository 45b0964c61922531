"""COPY as the bulk path and as the validator: typed rows in, the refused ones named by PostgreSQL
itself.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from select import select

from psycopg import Connection, sql
from psycopg.errors import Diagnostic
from psycopg.pq.abc import PGconn

from kimo_assets.errors import ContractError

_SKIPPED = re.compile(r'skipping row .* at line (\d+) for column "(.+?)": ', re.DOTALL)

_PIECE_BYTES = 64 * 1024

# COPY learns from the end of the first line that lines end so; before it, a line break within
# quotes is not counted.
_HEADER = b"header\n"


@dataclass(frozen=True)
class SkippedLine:
    """A line that COPY refused: its number in the data (from 1; a row that spans lines counts by
    its last).
    """

    line: int
    column: str


def copy_rows(
    connection: Connection, target: sql.Composable, columns: sql.Composable, data: bytes
) -> list[SkippedLine]:
    """Copies CSV rows into the target; an empty value, quoted or not, is no value. Returns the
    refused lines.

    The target has to be new in the caller's transaction: its rows are frozen, as otherwise the
    first to read them would have to mark every page, which costs more than all of COPY where pages
    have checksums (PostgreSQL 18's default).
    """
    statement = sql.SQL(
        "COPY {} ({}) FROM STDIN (FORMAT csv, HEADER, FREEZE, FORCE_NULL *, ON_ERROR ignore,"
        " LOG_VERBOSITY verbose)"
    ).format(target, columns)
    with (
        _skipped_lines(connection) as skipped,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        copy.write(_HEADER)
        _send(connection.pgconn, data)
    return skipped


def _send(pgconn: PGconn, data: bytes) -> None:
    """Sends COPY data and takes in what the server says meanwhile.

    psycopg's own write only waits until it can send: a server that has more to report of refused
    rows than the socket holds waits until somebody listens, and both would wait for ever.
    """
    for start in range(0, len(data), _PIECE_BYTES):
        pgconn.put_copy_data(data[start : start + _PIECE_BYTES])
        while pgconn.flush():
            _listen_until_writable(pgconn)
    # The end of the data is psycopg's to send: it has to find room for it.
    _listen_until_writable(pgconn)


def _listen_until_writable(pgconn: PGconn) -> None:
    writable = False
    while not writable:
        readable, sockets, _ = select([pgconn.socket], [pgconn.socket], [])
        writable = bool(sockets)
        if readable:
            pgconn.consume_input()


@contextmanager
def _skipped_lines(connection: Connection) -> Iterator[list[SkippedLine]]:
    skipped: list[SkippedLine] = []
    unread: list[str] = []

    def on_notice(diagnostic: Diagnostic) -> None:
        message = diagnostic.message_primary or ""
        if match := _SKIPPED.match(message):
            skipped.append(SkippedLine(int(match[1]) - 1, match[2]))
        elif diagnostic.context and diagnostic.context.startswith("COPY"):
            unread.append(message)

    connection.add_notice_handler(on_notice)
    try:
        yield skipped
    finally:
        connection.remove_notice_handler(on_notice)
    if unread:
        raise ContractError(
            f"PostgreSQL's report of refused rows could not be read: '{unread[0]}'. "
            "Set lc_messages = 'C' on the Kimo database: the report is only understood in English."
        )
