"""Segments: the pieces in which a stream of rows travels to staging, and what all readers share."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimo_assets.catalog import Field
from kimo_assets.sources.readers.cleaning import is_day

SEGMENT_BYTES = 4 * 1024 * 1024

# Stands before a text that is no date, because PostgreSQL would take some for one ('today').
NO_DATE_MARK = "no date: "

# Rows fetched at first, while their size is unknown: a text may have ten megabytes.
_FIRST_BATCH = 20
# More at once are slower by a third: their copies no longer fit in the processor's cache.
_MAX_BATCH = 500


@dataclass(frozen=True)
class RejectedRow:
    """A row that cannot even be handed to PostgreSQL. rule: the one that its field breaks.

    values: as the source gave them, readable, one for each of the selection's columns. detail: what
    was expected in particular, or what failed.
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
    rejected: list[RejectedRow] = field(default_factory=list)

    @property
    def weight(self) -> int:
        """About how many bytes it holds. Rejected rows count too: there may be nothing else."""
        rejected = (len(value or "") for row in self.rejected for value in row.values)
        return len(self.data) + sum(rejected)

    @property
    def rows_read(self) -> int:
        """Rows of the source: those of the CSV and the rejected ones."""
        return self.rows + len(self.rejected)


def gathered(
    fetch: Callable[[int], Sequence[Any]], piece_of: Callable[[Sequence[Any]], Segment]
) -> Generator[Segment, None, None]:
    """Fetches rows in batches and joins their pieces to segments of about SEGMENT_BYTES.

    The batches shrink where rows are large, so that a table of long notes takes no more memory than
    one of prices. fetch: at most so many rows, none at the end. piece_of: a segment of one batch.
    """
    size, weight = _FIRST_BATCH, 0
    pieces: list[Segment] = []
    while rows := fetch(size):
        pieces.append(piece_of(rows))
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
        [row for piece in pieces for row in piece.rejected],
    )


def as_given(target: Field, text: str) -> str:
    """A cell of a segment as the source gave it."""
    return text.removeprefix(NO_DATE_MARK) if is_day(target) else text


def readable(text: str) -> str:
    """The text with escapes for the characters that a database cannot store."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
