"""How figures and names look: consoles, tables, numbers, and data made harmless for a terminal."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kimo_assets.texts import say

# rich takes a pipe for 80 columns wide and would cut names in logs and mails.
_PIPE_WIDTH = 160

NONE = "-"

# Columns of names that are not broken while other words can give way.
_WHOLE = ("entity", "field")


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
    # Somebody who sets COLUMNS wants that width. rich reads it by itself.
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _PIPE_WIDTH
    return made


# A value of the ERP with an escape sequence could recolour or rewrite the operator's screen.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def plain(value: Any, limit: int | None = None) -> str:
    """A value of the ERP's as one harmless line: control characters as escapes, cut at `limit`
    characters.
    """
    if value is None:
        return ""
    text = _CONTROLS.sub(lambda match: repr(match[0])[1:-1], str(value))
    if limit is None or len(text) <= limit:
        return text
    return f"{text[: limit - 1]}…"


def number(value: int | None) -> str:
    """With separators. Zero shows as a dash, so that other figures stand out."""
    return say("cli.number", value=value) if value else NONE


def size(count: float) -> str:
    """Bytes in the unit that leaves up to three digits before the point."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB"):
        # By thousands, as network speeds and clouds' bills count.
        count /= 1000
        if count < 1000:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:.1f} GB"


def seconds(value: float) -> str:
    if value < 100:
        return f"{value:.1f}"
    return f"{value:,.0f}"


def moment(value: datetime | None) -> str:
    """In the machine's own time zone."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M") if value else NONE


def plural(count: int, noun: str) -> str:
    """A number with its noun. noun: of the keys cli.count.<noun>."""
    return say(f"cli.count.{noun}", count=count)


def some(names: Sequence[str], shown: int = 3) -> str:
    """The first names, and how many more there are."""
    listed = ", ".join(map(plain, names[:shown]))
    if len(names) <= shown:
        return listed
    return say("cli.and_more", names=listed, more=len(names) - shown)


def alarming(text: str, count: int | None = 1) -> Text:
    """In red, unless the count is zero or not known."""
    return Text(text, style="bold red" if count else "")


def table(title: str | None, columns: Sequence[str], *, left: Iterable[str] = ()) -> Table:
    """A table without frames. Columns are right-aligned figures unless named in `left`.

    columns: keys of their heads, cli.column.<key>. An empty key is a column without a head.
    """
    made = _empty_table(title)
    words = set(left)
    for key in columns:
        head = say(f"cli.column.{key}") if key else ""
        if key in words:
            # When it is the only column of words, nothing else could give way.
            is_whole = key in _WHOLE and len(words) > 1
            # Folded, not cut: half an error message helps nobody.
            made.add_column(head, overflow="fold", no_wrap=is_whole)
        else:
            # A figure that is broken over two lines reads as two figures.
            made.add_column(head, justify="right", no_wrap=True)
    return made


def data_table(title: str, names: Iterable[str]) -> Table:
    """A table of values whose heads are the names of Kimo's columns."""
    made = _empty_table(title)
    for name in names:
        made.add_column(name, overflow="fold")
    return made


def _empty_table(title: str | None) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def print_commands(out: Terminal, lines: Mapping[str, str]) -> None:
    """Command lines for the operator to type, each with what it does. They are not cut."""
    width = max(map(len, lines))
    for command, purpose in lines.items():
        # A command that is wrapped cannot be copied.
        out.print(f"  {command:<{width}}  {purpose}", soft_wrap=True)


def category_title(category: str) -> str:
    """A category of the catalogue as a heading."""
    return category.replace("_", " ").capitalize()
