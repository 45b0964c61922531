"""COPY as the bulk path and as the validator: PostgreSQL itself names the rows it rejects."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from select import select

from psycopg import Connection, sql
from psycopg.errors import Diagnostic
from psycopg.pq.abc import PGconn

from kimo_assets.errors import ContractError
from kimo_assets.texts import say

_SKIPPED = re.compile(r'skipping row .* at line (\d+) for column "(.+?)": ', re.DOTALL)

_PIECE_BYTES = 64 * 1024

# COPY learns from the first line how lines end. Before that it would not count a line break within
# quotes, and the numbers of rejected lines would be wrong.
_HEADER = b"header\n"


@dataclass(frozen=True)
class SkippedLine:
    """A line that COPY rejected.

    line: its number in the data, from 1. A row that spans lines has the number of its last one.
    column: the one whose value does not fit.
    """

    line: int
    column: str


def copy_rows(
    connection: Connection, target: sql.Composable, columns: sql.Composable, data: bytes
) -> list[SkippedLine]:
    """Copies CSV rows into the target and returns the rejected lines.

    An empty value, quoted or not, is NULL. The target has to be new in the caller's transaction.
    """
    # FREEZE needs that. Otherwise the first reader would have to mark every page, which costs more
    # than all of COPY where pages have checksums (the default of PostgreSQL 18).
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
    """Sends COPY data and reads the server's messages meanwhile.

    psycopg's own write only waits until it can send. A server whose report of rejected rows does
    not fit into the socket waits until its client reads, and both would wait for ever.
    """
    for start in range(0, len(data), _PIECE_BYTES):
        pgconn.put_copy_data(data[start : start + _PIECE_BYTES])
        while pgconn.flush():
            _listen_until_writable(pgconn)
    # psycopg sends the end of the data, and needs room for it.
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
    """The lines that COPY reports while the block runs.

    Raises: ContractError when a report cannot be read, so that no row is lost in silence.
    """
    skipped: list[SkippedLine] = []
    unread: list[str] = []

    def on_notice(diagnostic: Diagnostic) -> None:
        message = diagnostic.message_primary or ""
        if match := _SKIPPED.match(message):
            # PostgreSQL counts the header too.
            skipped.append(SkippedLine(int(match[1]) - 1, match[2]))
        elif diagnostic.context and diagnostic.context.startswith("COPY"):
            unread.append(message)

    connection.add_notice_handler(on_notice)
    try:
        yield skipped
    finally:
        connection.remove_notice_handler(on_notice)
    if unread:
        raise ContractError(say("database.unreadable_copy_report", message=unread[0]))
