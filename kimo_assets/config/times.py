"""Whether an expression of cron and a time zone mean something, and if not, what is wrong in words.
No I/O.
"""

import re
from typing import Any
from zoneinfo import ZoneInfo

from kimo_assets.errors import nearest
from kimo_assets.texts import say

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

# What a field is called, its smallest and its biggest number, the names that may stand for numbers.
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    # To cron both 0 and 7 are Sunday.
    ("day of the week", 0, 7, _DAYS),
)
_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<every>\d+))?")
# Months that have fewer than 31 days. February has 29 in some years.
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


def check_cron(expression: str) -> None:
    """Raises: ValueError that says what is wrong, and what was expected.

    A day that no month of the expression has, such as 31 of February, is a mistake as well: it
    would never run.
    """
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise _wrong("config.cron_fields", expression=expression, number=len(fields))
    _, _, days, months, _ = (
        _numbers(written, *field) for written, field in zip(fields, _FIELDS, strict=True)
    )
    # With a day of the week as well, cron runs on either of the two, so that it does run.
    if fields[4] == "*" and min(days) > max(_LONGEST.get(month, 31) for month in months):
        raise _wrong("config.cron_no_such_day", expression=expression)


def _wrong(key: str, **values: Any) -> ValueError:
    return ValueError(say(key, expected=say("config.cron_expected"), **values))


def _numbers(
    written: str, name: str, smallest: int, biggest: int, names: tuple[str, ...]
) -> set[int]:
    """The numbers that a field means."""
    numbers: set[int] = set()
    for part in written.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise _wrong("config.cron_part", part=part, field=name)
        first, last, every = match["first"], match["last"], int(match["every"] or 1)
        low = high = _number(first, name, smallest, names) if first else smallest
        if last:
            high = _number(last, name, smallest, names)
        elif first is None or match["every"]:
            # `*` goes to the end, and so does `5/10`: from 5 on, every 10th.
            high = biggest
        if not smallest <= low <= high <= biggest or every < 1:
            raise _wrong(
                "config.cron_range", part=part, field=name, smallest=smallest, biggest=biggest
            )
        numbers |= set(range(low, high + 1, every))
    return numbers


def _number(text: str, name: str, smallest: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + smallest
    if not text.isdecimal():
        raise _wrong("config.cron_part", part=text, field=name)
    return int(text)


def check_zone(name: str) -> None:
    """Raises: ValueError."""
    try:
        ZoneInfo(name)
    except Exception:  # a folder, a path, a name with a blank: each raises something else
        # Only here, because it reads the names of all zones from the disk.
        from zoneinfo import available_timezones

        close = nearest(name, available_timezones())
        hint = say("config.zone_example")
        if close:
            hint = say("config.did_you_mean", names=say("errors.or").join(close))
        raise ValueError(say("config.no_such_zone", name=name, hint=hint)) from None
