"""Segments: the pieces in which a stream of rows travels to staging."""

from dataclasses import dataclass, field

SEGMENT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot even be handed to PostgreSQL.

    values: as the source gave them, readable, one for each of the selection's columns. detail: what was expected in
    particular, or went wrong.
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
