"""The tables of the admin console as data (data/console.yaml): they hold Kimo's settings.

What their rows mean is the business of settings, loading and sync. The only I/O here is reading
that file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from kimo_assets.catalog.load import data_file
from kimo_assets.catalog.model import Field
from kimo_assets.catalog.notation import parse_field


@dataclass(frozen=True)
class ConsoleTable:
    """A table of the console.

    key: the columns that tell rows apart. blank_key: the part of the key that may be an empty text.
    archived_by: the flag that is set instead of removing a row.
    """

    name: str
    fields: Mapping[str, Field]
    key: tuple[str, ...]
    blank_key: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    is_published: bool = True
    archived_by: str | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """The columns beside the key."""
        return tuple(name for name in self.fields if name not in self.key)


@cache
def load_console() -> Mapping[str, ConsoleTable]:
    """The console's tables by name, in the order of the file. References may point forwards."""
    document = data_file("console.yaml")
    enums = {**data_file("enums.yaml"), **document["enums"]}
    return {name: _table(name, raw, enums) for name, raw in document["tables"].items()}


def _table(
    name: str, raw: Mapping[str, Any], enums: Mapping[str, Mapping[str, str]]
) -> ConsoleTable:
    """A table as the file describes it. Every scalar of the file is a text, `false` too."""
    return ConsoleTable(
        name=name,
        fields={field: parse_field(field, line, enums) for field, line in raw["fields"].items()},
        key=tuple(raw["key"]),
        blank_key=tuple(raw.get("blank_key", ())),
        required=tuple(raw.get("required", ())),
        is_published=raw.get("published") != "false",
        archived_by=raw.get("archived_by"),
    )


# Names of the vendor's rules and settings that hold passwords, API keys (Google's and others') and
# Firebase's service accounts.
_SECRET = re.compile(
    r"passw|pwd|secret|token|credential|adminsdk|^api\\"
    r"|(?:api|access|private|license|map)\W?keys?$",
    re.IGNORECASE,
)


def is_secret(key: str) -> bool:
    """Whether a business rule or server setting of this key is for the server's eyes only."""
    return _SECRET.search(key) is not None
