"""A letter and how it looks: the same content as text and as HTML.

What it says is in morning.py and runs.py.
"""

import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from jinja2 import Environment

Tone = Literal["good", "bad", "neutral"]

# Plain text is read at 80 columns, and mail programs quote it with two more.
_WIDTH = 78
# Values of the ERP may be of any length, and would push the other columns out of sight.
_CELL_CHARS = 200
_TEXT_CHARS = 2000
_COLOURS: dict[Tone, str] = {"good": "#1a7f37", "bad": "#b42318", "neutral": "#344054"}


# Unicode's categories: control, format, surrogate, line and paragraph separators.
_UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")


@dataclass(frozen=True)
class Paragraph:
    text: str
    is_command: bool = False


@dataclass(frozen=True)
class Items:
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """A table: the columns named in `left` hold words, the others figures."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[str, ...] = ()


Block = Paragraph | Items | Figures


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]
    is_bad: bool = False


@dataclass(frozen=True)
class Letter:
    """A mail's content.

    facts: names and values that stand first. link: text and address. foot: why one gets this mail.
    """

    subject: str
    headline: str
    tone: Tone
    language: str
    facts: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = ()
    link: tuple[str, str] | None = None
    foot: str = ""


def harmless(value: object, limit: int | None = None) -> str:
    """One line of a value, cut at the limit.

    Control characters, line breaks and marks that turn the direction of writing become blanks.
    """
    blanked = (" " if unicodedata.category(c) in _UNSAFE else c for c in str(value))
    text = " ".join("".join(blanked).split())
    if limit is None or len(text) <= limit:
        return text
    return f"{text[: limit - 1]}…"


# --- text
# --------------------------------------------------------------------------------------------------


def as_text(letter: Letter) -> str:
    """The letter's plain part."""
    return "\n".join(_text_lines(letter)).rstrip() + "\n"


def _text_lines(letter: Letter) -> Iterator[str]:
    """Headline, facts, sections, link and foot, set apart by empty lines."""
    headline = harmless(letter.headline)
    yield from textwrap.wrap(headline, _WIDTH)
    yield "=" * min(len(headline), _WIDTH)
    width = max((len(name) for name, _ in letter.facts), default=0)
    yield from (f"{harmless(name):<{width}}  {harmless(value)}" for name, value in letter.facts)
    for section in letter.sections:
        yield from ("", harmless(section.title), "-" * len(harmless(section.title)))
        for block in section.blocks:
            yield from _text_block(block)
    if letter.link:
        yield from ("", f"{letter.link[0]}: {letter.link[1]}")
    if letter.foot:
        # Two hyphens and a blank: mail programs know what follows as a signature (RFC 3676).
        yield from ("", "-- ", *textwrap.wrap(harmless(letter.foot), _WIDTH))


def _text_block(block: Block) -> Iterator[str]:
    match block:
        # Not wrapped: a command is copied as a whole.
        case Paragraph(text, True):
            yield f"    {harmless(text)}"
        case Paragraph(text):
            yield from _wrapped(text)
        case Items(lines):
            for line in lines:
                yield from _wrapped(line, "* ", "  ")
        case Figures():
            yield from _text_table(block)


def _wrapped(text: str, first: str = "", others: str = "") -> list[str]:
    return textwrap.wrap(
        harmless(text, _TEXT_CHARS),
        _WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        # Codes, paths and keys of the ERP stay whole, so that they can be searched for.
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text_table(table: Figures) -> Iterator[str]:
    """Columns of equal width, words to the left and figures to the right."""
    rows = [
        table.columns,
        *(tuple(harmless(cell, _CELL_CHARS) for cell in row) for row in table.rows),
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    for row in rows:
        cells = (
            cell.ljust(width) if name in table.left else cell.rjust(width)
            for cell, width, name in zip(row, widths, table.columns, strict=True)
        )
        yield "  ".join(cells).rstrip()


# --- HTML
# --------------------------------------------------------------------------------------------------

# Styles stand with the elements, because mail programs drop style sheets. Nothing is fetched from
# another server.
_TEMPLATE = """\
<!DOCTYPE html>
<html lang="{{ letter.language }}"><head><meta charset="utf-8">\
<title>{{ letter.subject | harmless }}</title></head>
<body style="margin:0;padding:16px;background:#f2f4f7">
<div style="max-width:720px;margin:0 auto;background:#fff;border:1px solid #d0d5dd;\
border-top:5px solid {{ colour }};padding:20px 24px;\
font:14px/1.45 Arial,Helvetica,sans-serif;color:#101828">
<h1 style="font-size:20px;margin:0 0 12px;color:{{ colour }}">{{ letter.headline | harmless }}</h1>
<table style="border-collapse:collapse;font-size:14px">
{% for name, value in letter.facts %}
<tr><td style="padding:1px 16px 1px 0;color:#667085;vertical-align:top">{{ name | harmless }}</td>\
<td style="padding:1px 0">{{ value | harmless }}</td></tr>
{% endfor %}
</table>
{% for section in letter.sections %}
<h2 style="font-size:15px;margin:20px 0 6px;color:{{ bad if section.is_bad else '#101828' }}">\
{{ section.title | harmless }}</h2>
{% for block in section.blocks %}
{% if block.columns %}
<table style="border-collapse:collapse;font-size:13px;width:100%">
<tr>{% for column in block.columns %}\
<th style="padding:3px 8px;border-bottom:1px solid #98a2b3;color:#667085;font-weight:normal;\
text-align:{{ 'left' if column in block.left else 'right' }}">{{ column }}</th>\
{% endfor %}</tr>
{% for row in block.rows %}
<tr>{% for cell in row %}\
<td style="padding:3px 8px;border-bottom:1px solid #eaecf0;vertical-align:top;\
text-align:{{ 'left' if block.columns[loop.index0] in block.left else 'right' }}">\
{{ cell | harmless }}</td>\
{% endfor %}</tr>
{% endfor %}
</table>
{% elif block.lines %}
<ul style="margin:4px 0;padding-left:20px">{% for line in block.lines %}
<li style="margin:2px 0">{{ line | harmless(2000) }}</li>{% endfor %}
</ul>
{% elif block.is_command %}
<p style="margin:6px 0"><code style="background:#f2f4f7;padding:3px 6px">\
{{ block.text | harmless }}</code></p>
{% else %}
<p style="margin:6px 0">{{ block.text | harmless(2000) }}</p>
{% endif %}
{% endfor %}
{% endfor %}
{% if letter.link %}
<p style="margin:20px 0 0"><a href="{{ letter.link[1] }}" \
style="background:{{ colour }};color:#fff;padding:8px 14px;text-decoration:none;\
border-radius:4px">{{ letter.link[0] }}</a></p>
{% endif %}
{% if letter.foot %}
<p style="margin:20px 0 0;font-size:12px;color:#667085">{{ letter.foot | harmless }}</p>
{% endif %}
</div></body></html>
"""

# Values of the ERP may hold HTML. Nothing of it may act in a mail.
_ENVIRONMENT = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
_ENVIRONMENT.filters["harmless"] = harmless
_PAGE = _ENVIRONMENT.from_string(_TEMPLATE)


def as_html(letter: Letter) -> str:
    """A page of its own. Everything in it is escaped, so no content of the letter acts as HTML."""
    return _PAGE.render(
        letter=_with_safe_link(letter), colour=_COLOURS[letter.tone], bad=_COLOURS["bad"]
    )


_WEB = re.compile(r"https?://\S+")


def _with_safe_link(letter: Letter) -> Letter:
    """Only an address of the web is made a link."""
    # The address comes from settings. Escaping does not stop javascript: in a link.
    if letter.link is None or _WEB.fullmatch(letter.link[1]):
        return letter
    return replace(letter, link=None)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[str]) -> Figures:
    """A table of a letter. left: the columns that are set to the left."""
    return Figures(tuple(columns), tuple(tuple(row) for row in rows), tuple(left))
