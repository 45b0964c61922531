"""Segments: the pieces in which a stream of rows travels to staging, and what the readers that make
them share.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

SEGMENT_BYTES = 4 * 1024 * 1024

# Before a text that is no date but that PostgreSQL might take for one ('today'): a word it knows no
# date by.
NO_DATE_MARK = "no date: "

# Rows fetched at first, when nothing is known of their size: a text may have ten megabytes.
_FIRST_BATCH = 20
# More at once are slower by a third: what is made of them no longer fits in the processor's cache.
_MAX_BATCH = 500


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot even be handed to PostgreSQL.

    values: as the source gave them, readable, one for each of the selection's columns. detail: what
    was expected in particular, or went wrong.
    """

    values: tuple[str | None, ...]
    field: str
    rule: str
    detail: str | None = None


@dataclass(frozen=True)
class Segment:
    """A piece of the stream: CSV rows without a header, `\\n` after each, '' for no value.

    A row holds the selection's fields, then its carried columns.
    """

    data: bytes
    rows: int
    refused: list[RefusedRow] = field(default_factory=list)

    @property
    def weight(self) -> int:
        """Bytes, about: rows that are refused weigh as well, and there may be nothing else."""
        refused = (len(value or "") for row in self.refused for value in row.values)
        return len(self.data) + sum(refused)

    @property
    def rows_read(self) -> int:
        return self.rows + len(self.refused)


def gathered(
    fetch: Callable[[int], Sequence[Any]], made_of: Callable[[Sequence[Any]], Segment]
) -> Generator[Segment, None, None]:
    """Fetches rows in batches, sized by what they weigh: a table of long notes takes no more memory
    than one of prices.

    fetch: at most so many rows; none at the end. made_of: a piece of a segment, of one batch.
    """
    size, weight = _FIRST_BATCH, 0
    pieces: list[Segment] = []
    while rows := fetch(size):
        pieces.append(made_of(rows))
        weight += pieces[-1].weight
        per_row = max(1, pieces[-1].weight // len(rows))
        size = max(1, min(_MAX_BATCH, SEGMENT_BYTES // per_row, size * 8))
        if weight >= SEGMENT_BYTES:
            yield _joined(pieces)
            pieces, weight = [], 0
    if pieces:
        yield _joined(pieces)


def _joined(pieces: Sequence[Segment]) -> Segment:
    return Segment(
        b"".join(piece.data for piece in pieces),
        sum(piece.rows for piece in pieces),
        [row for piece in pieces for row in piece.refused],
    )


def readable(text: str) -> str:
    """A text that a database can keep: what cannot be written appears as an escape."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
