"""Segments: the pieces in which a stream of rows travels to staging."""

from dataclasses import dataclass, field

SEGMENT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot even be handed to PostgreSQL. values: as the source gave them, readable."""

    values: tuple[str | None, ...]
    field: str
    rule: str


@dataclass(frozen=True)
class Segment:
    """A piece of the stream: CSV rows without a header, `\\n` after each, '' for no value."""

    data: bytes
    rows: int
    refused: list[RefusedRow] = field(default_factory=list)

    @property
    def rows_read(self) -> int:
        return self.rows + len(self.refused)
