"""The points between two statements that matter. Tests kill an export at each of them.

A run reports `mark.before`, `mark.committed` and so on to its callback `reached`, which does
nothing outside of tests.
"""

from enum import StrEnum


class CrashPoint(StrEnum):
    """A step of an export that a crash may interrupt."""

    MARK = "mark"
    HOLD = "hold"
    WRITE = "write"
    # The batch is noted as committing, before the ERP is asked to commit it.
    ANNOUNCE = "announce"
    COMMIT = "commit"
    SETTLE = "settle"
    REFUSED = "refused"
    TAKE_BACK = "take_back"
    LOOK = "look"
