"""Agents as bits: a set of agents is one integer, so that thousands of set operations cost nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from psycopg import Connection

# Between agents' codes in texts that PostgreSQL aggregates; no code holds it.
SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Agents:
    """The agents who get payloads, in a fixed order; bit i of a mask is codes[i]."""

    codes: tuple[str, ...]
    _masks: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def read(cls, connection: Connection) -> "Agents":
        rows = connection.execute('SELECT "Id" FROM kimo."SalesAgent" WHERE _archived_load IS NULL ORDER BY "Id"')
        return cls(tuple(code for (code,) in rows))

    @cached_property
    def everyone(self) -> int:
        return (1 << len(self.codes)) - 1

    @cached_property
    def _bits(self) -> dict[str, int]:
        return {code: 1 << position for position, code in enumerate(self.codes)}

    def mask(self, codes: Iterable[str]) -> int:
        """The set of the codes; a code that is no agent's adds nothing."""
        result = 0
        for code in codes:
            result |= self._bits.get(code, 0)
        return result

    def mask_of_text(self, text: str) -> int:
        if text not in self._masks:
            self._masks[text] = self.mask(text.split(SEPARATOR)) if text else 0
        return self._masks[text]

    def names(self, mask: int) -> Sequence[str]:
        return [code for position, code in enumerate(self.codes) if mask >> position & 1]

    def text(self, mask: int) -> str:
        return SEPARATOR.join(self.names(mask))
