"""Audiences: numbers for sets of profiles, small enough to be stored with every row.

The empty set, nobody, is 0.
"""

from typing import Any

from psycopg import Connection

from kimo_assets.sync.visibility.profiles import NOBODY

NOBODY_NUMBER = 0


class Audiences:
    """A number per set. kept: the numbers are in the ledger and never change.

    Otherwise they hold for one connection's questions only.
    """

    def __init__(self, connection: Connection[Any], *, kept: bool) -> None:
        self._connection = connection
        self._kept = kept
        self.forget()

    def forget(self) -> None:
        """Reads the ledger again: numbers of a transaction that was rolled back are gone."""
        self._mask_of: dict[int, int] = {}
        if self._kept:
            rows = self._connection.execute("SELECT number, mask FROM ops.audience").fetchall()
            self._mask_of = {number: int(mask, 16) for number, mask in rows}
        self._mask_of[NOBODY_NUMBER] = NOBODY
        self._number_of = {mask: number for number, mask in self._mask_of.items()}
        self._next = max(self._mask_of) + 1
        self._new: list[tuple[int, str]] = []

    def mask(self, number: int) -> int:
        """The set of profiles that a number stands for."""
        return self._mask_of[number]

    def number(self, mask: int) -> int:
        """The number of a set of profiles, a new one if it was not seen before."""
        if mask not in self._number_of:
            self._number_of[mask] = self._next
            self._mask_of[self._next] = mask
            self._new.append((self._next, as_text(mask)))
            self._next += 1
        return self._number_of[mask]

    def save(self) -> None:
        """Writes new numbers into the ledger, before a row that holds one is committed."""
        with self._connection.cursor() as cursor:
            cursor.executemany("INSERT INTO ops.audience (number, mask) VALUES (%s, %s)", self._new)
        self._new.clear()


def as_text(mask: int) -> str:
    """A mask as the ledger holds it: hexadecimal, with a minus sign if it is cofinite."""
    # One bit for each profile is more than any integer type of PostgreSQL holds.
    return f"{mask:x}"
