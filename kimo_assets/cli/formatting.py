"""How figures and names look: consoles, tables, numbers, and data made harmless for a terminal."""

import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 160

NONE = "-"

# Columns of names that are not broken while other words can give way.
_WHOLE = ("Entity", "Field")


class Terminal(Console):
    """A console that speaks in sentences too."""

    def say(self, text: str | Text, style: str = "") -> None:
        """One sentence: wrapped at words on a terminal, one line in a pipe."""
        self.print(text, style=style, soft_wrap=not self.is_terminal)


def console(file: IO[str]) -> Terminal:
    """Nothing that is printed is read as markup: data may hold brackets. Pipes are not cut at 80
    columns.
    """
    made = Terminal(file=file, markup=False, emoji=False, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _PIPE_WIDTH
    return made


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def plain(value: Any, limit: int | None = None) -> str:
    """A value of the ERP's as one harmless line: control characters as escapes, cut at `limit`
    characters.
    """
    text = "" if value is None else _CONTROLS.sub(lambda match: repr(match[0])[1:-1], str(value))
    return text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…"


def number(value: int | None) -> str:
    """With separators; nothing to see for zero."""
    return f"{value:,}" if value else NONE


def size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def seconds(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def moment(value: datetime | None) -> str:
    return value.astimezone().strftime("%Y-%m-%d %H:%M") if value else NONE


def plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def some(names: Sequence[str], shown: int = 3) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(map(plain, names[:shown])) + more


def alarming(text: str, count: int | None = 1) -> Text:
    return Text(text, style="bold red" if count else "")


def table(title: str | None, columns: Sequence[str], *, left: Iterable[str] = ()) -> Table:
    """A table without frames; columns are right-aligned figures unless named in `left`."""
    made = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    words = set(left)
    for name in columns:
        if name in words:
            made.add_column(name, overflow="fold", no_wrap=name in _WHOLE and len(words) > 1)
        else:
            made.add_column(name, justify="right", no_wrap=True)
    return made


def category_title(category: str) -> str:
    """A category of the catalogue as a heading."""
    return category.replace("_", " ").capitalize()
