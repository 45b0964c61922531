"""The rows of an object: zstd, then CSV as docs/sync-format.md has it. Nothing here knows what the
rows mean.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO, TextIO

import zstandard

from kimo_assets.errors import StoreError

_BLOCK_CHARS = 1 << 16

# A note of megabytes is a value like any other.
csv.field_size_limit(2**31 - 1)


def read_rows(data: bytes) -> Iterator[list[str | None]]:
    """The rows of an object, the header first: an unquoted empty field is None, a quoted one the
    empty string.
    """
    return stream_rows(io.BytesIO(data))


def stream_rows(stream: BinaryIO) -> Iterator[list[str | None]]:
    """The same of a file, block by block. Raises: StoreError saying what is wrong with "it", the
    object.
    """
    try:
        with zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True) as raw:
            for block in _blocks(io.TextIOWrapper(raw, encoding="utf-8", newline="\n")):
                yield from _records(block)
    except zstandard.ZstdError as error:
        raise StoreError(f"it is not zstd: {error}") from None
    except UnicodeDecodeError as error:
        raise StoreError(f"it is not UTF-8: {error}") from None
    except csv.Error as error:
        raise StoreError(f"it is not CSV: {error}") from None


def _blocks(text: TextIO) -> Iterator[str]:
    """The text in pieces that end where a record ends."""
    rest = ""
    while piece := text.read(max(_BLOCK_CHARS, len(rest))):
        rest += piece
        end = _end_of_last_record(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        raise StoreError("it ends within a record")


def _end_of_last_record(text: str) -> int:
    """Behind the last line end that is outside quotes."""
    end = text.rfind("\n") + 1
    quotes = text.count('"', 0, end)
    while quotes % 2:
        earlier = text.rfind("\n", 0, end - 1) + 1
        quotes -= text.count('"', earlier, end)
        end = earlier
    return end


def _records(block: str) -> Iterator[list[str | None]]:
    if '"' not in block:
        return ([value or None for value in line.split(",")] for line in block[:-1].split("\n"))
    # Only a doubled quote can hide an empty string from csv.reader, which takes it for nothing.
    if '""' not in block:
        lines = io.StringIO(block, newline="\n")
        return (
            [value or None for value in row] or [None] for row in csv.reader(lines, strict=True)
        )
    return map(_parse_exactly, _split(block))


def _split(block: str) -> Iterator[str]:
    lines = iter(block[:-1].split("\n"))
    for line in lines:
        if not line.count('"') % 2:
            yield line
            continue
        pieces = [line, next(lines)]
        while not pieces[-1].count('"') % 2:
            pieces.append(next(lines))
        yield "\n".join(pieces)


_FIELD = re.compile(r'(?:"((?:[^"]++|"")*+)"|([^,"]*))(,|\Z)')


def _parse_exactly(record: str) -> list[str | None]:
    """Slower than csv.reader, and right about \"\" at either end of a field."""
    values: list[str | None] = []
    position, more = 0, True
    while more:
        match = _FIELD.match(record, position)
        if match is None:
            raise StoreError(f"it is not CSV: {record[:80]!r}")
        quoted, plain, separator = match.groups()
        values.append(quoted.replace('""', '"') if quoted is not None else plain or None)
        position, more = match.end(), separator == ","
    return values
