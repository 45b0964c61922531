"""The tables of the admin console, as data (data/console.yaml): Kimo's settings. No I/O beyond
reading that file.

What their rows mean to whom is settings', loading's and sync's business.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from kimo_assets.catalog.load import data_file
from kimo_assets.catalog.model import Field
from kimo_assets.catalog.notation import parse_field


@dataclass(frozen=True)
class ConsoleTable:
    """key: the columns that tell rows apart; blank_key: those of them that may hold an empty text.

    archived_by: the flag that takes the place of removing a row.
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
    """The console's tables, those that others point to not necessarily first."""
    document = data_file("console.yaml")
    enums = {**data_file("enums.yaml"), **document["enums"]}
    return {
        name: ConsoleTable(
            name,
            {field: parse_field(field, line, enums) for field, line in raw["fields"].items()},
            tuple(raw["key"]),
            tuple(raw.get("blank_key", ())),
            tuple(raw.get("required", ())),
            raw.get("published") != "false",
            raw.get("archived_by"),
        )
        for name, raw in document["tables"].items()
    }


# Of the vendor's rules and settings: passwords, Google's and others' keys, Firebase's service
# accounts.
_SECRET = re.compile(
    r"passw|pwd|secret|token|credential|adminsdk|^api\\|(?:api|access|private|license|map)\W?keys?$",
    re.IGNORECASE,
)


def is_secret(key: str) -> bool:
    """Whether a business rule or server setting of this key holds what nobody but the server should
    know.
    """
    return _SECRET.search(key) is not None
