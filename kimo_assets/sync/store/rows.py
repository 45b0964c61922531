"""The rows of an object: zstd, then CSV as docs/sync-format.md describes it.

Nothing here knows what the rows mean.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO, TextIO

import zstandard

from kimo_assets.errors import StoreError
from kimo_assets.texts import say

_BLOCK_CHARS = 1 << 16
# So much of a wrong record a message shows.
_ERROR_CHARS = 80

# A note of megabytes is a value like any other.
csv.field_size_limit(2**31 - 1)


def read_rows(data: bytes) -> Iterator[list[str | None]]:
    """The rows of an object, header first. An unquoted empty field is None, a quoted one "".

    Raises: StoreError, like stream_rows.
    """
    return stream_rows(io.BytesIO(data))


def stream_rows(stream: BinaryIO) -> Iterator[list[str | None]]:
    """The rows of a file, block by block. Raises: StoreError whose subject, the object, is "it"."""
    try:
        with zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True) as raw:
            # By `newline` a carriage return within a text stays what it is.
            for block in _blocks(io.TextIOWrapper(raw, encoding="utf-8", newline="\n")):
                yield from _records(block)
    except zstandard.ZstdError as error:
        raise StoreError(say("sync.object_not_zstd", error=error)) from None
    except UnicodeDecodeError as error:
        raise StoreError(say("sync.object_not_utf8", error=error)) from None
    except csv.Error as error:
        raise StoreError(say("sync.object_not_csv", error=error)) from None


def _blocks(text: TextIO) -> Iterator[str]:
    """The text in blocks that end where a record ends."""
    rest = ""
    # Reading as much again as is left keeps a record of megabytes from costing its square.
    while piece := text.read(max(_BLOCK_CHARS, len(rest))):
        rest += piece
        end = _end_of_last_record(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        raise StoreError(say("sync.object_cut"))


def _end_of_last_record(text: str) -> int:
    """The position after the last line end outside quotes, 0 without any."""
    end = text.rfind("\n") + 1
    quotes = text.count('"', 0, end)
    while quotes % 2:
        earlier = text.rfind("\n", 0, end - 1) + 1
        quotes -= text.count('"', earlier, end)
        end = earlier
    return end


def _records(block: str) -> Iterator[list[str | None]]:
    """The records of a block of whole records, by the fastest parser that reads them rightly."""
    # Most objects hold no quote at all, and nothing is as fast as split().
    if '"' not in block:
        return ([value or None for value in line.split(",")] for line in block[:-1].split("\n"))
    # csv.reader reads a quoted empty field as an unquoted one. Only a doubled quote can hide it.
    if '""' not in block:
        records = csv.reader(io.StringIO(block, newline="\n"), strict=True)
        return ([value or None for value in record] or [None] for record in records)
    return map(_parse_exactly, _split_records(block))


def _split_records(block: str) -> Iterator[str]:
    """A line with an odd number of quotes begins a record of several lines, another ends it."""
    lines = iter(block[:-1].split("\n"))
    for line in lines:
        if not line.count('"') % 2:
            yield line
            continue
        pieces = [line, next(lines)]
        while not pieces[-1].count('"') % 2:
            pieces.append(next(lines))
        yield "\n".join(pieces)


# Possessive (++ and *+), so that a broken record fails at once and not after many tries.
_FIELD = re.compile(r'(?:"((?:[^"]++|"")*+)"|([^,"]*))(,|\Z)')


def _parse_exactly(record: str) -> list[str | None]:
    """Slower than csv.reader, and right about \"\" at either end of a field."""
    values: list[str | None] = []
    position = 0
    has_more = True
    while has_more:
        match = _FIELD.match(record, position)
        if match is None:
            raise StoreError(say("sync.object_not_csv", error=repr(record[:_ERROR_CHARS])))
        quoted, plain, separator = match.groups()
        if quoted is not None:
            values.append(quoted.replace('""', '"'))
        else:
            values.append(plain or None)
        position = match.end()
        has_more = separator == ","
    return values
