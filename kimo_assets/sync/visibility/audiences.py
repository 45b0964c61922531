"""Audiences: numbers for sets of profiles, small enough to stand beside every row. 0 is nobody."""

from psycopg import Connection

from kimo_assets.sync.visibility.profiles import NOBODY

NOBODY_NUMBER = 0


class Audiences:
    """A number per set, the same for ever when they are kept in the ledger; else for one
    connection's questions only.
    """

    def __init__(self, connection: Connection, *, kept: bool) -> None:
        self._connection = connection
        self._kept = kept
        self.forget()

    def forget(self) -> None:
        """Reads the ledger again: what was added in a transaction that was taken back is not there
        any more.
        """
        rows = (
            self._connection.execute("SELECT number, mask FROM ops.audience").fetchall()
            if self._kept
            else []
        )
        self._mask_of: dict[int, int] = {number: int(mask, 16) for number, mask in rows} | {
            NOBODY_NUMBER: NOBODY
        }
        self._number_of = {mask: number for number, mask in self._mask_of.items()}
        self._next = max(self._mask_of) + 1
        self._new: list[tuple[int, str]] = []

    def mask(self, number: int) -> int:
        return self._mask_of[number]

    def number(self, mask: int) -> int:
        if mask not in self._number_of:
            self._number_of[mask] = self._next
            self._mask_of[self._next] = mask
            self._new.append((self._next, as_text(mask)))
            self._next += 1
        return self._number_of[mask]

    def save(self) -> None:
        """Writes the new ones into the ledger: before anything that names them is committed."""
        with self._connection.cursor() as cursor:
            cursor.executemany("INSERT INTO ops.audience (number, mask) VALUES (%s, %s)", self._new)
        self._new.clear()


def as_text(mask: int) -> str:
    """How masks stand in the ledger: hexadecimal, with a minus sign where they are cofinite."""
    return f"{mask:x}"
