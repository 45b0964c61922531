"""Finding single rows of a source by their key: conditions in its own dialect, quoted as SQLAlchemy
quotes them.

Which rows are looked for is the caller's business.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Dialect, String, Unicode, cast, func, literal_column

from kimo_assets.sources.selection import Selection

# Field -> value as text, of the parts of a key that have one.
Key = Mapping[str, str]

# Longer than any key; as much as every dialect takes in a cast.
_KEY_CHARS = 1000

_WHOLE_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})$")


def text_literal(dialect: Dialect) -> Callable[[str], str]:
    """What writes a text as a literal of the dialect, for a statement that is run as it is."""
    compiler = dialect.statement_compiler(dialect, None)
    plain, national = String(), Unicode()

    def render(text: str) -> str:
        # N'...' of SQL Server keeps an index on a varchar column from being used: only where it is
        # needed.
        return str(compiler.render_literal_value(text, plain if text.isascii() else national))

    # For drivers that read parameters from a percent sign it is doubled, which a statement run as
    # it is must not have.
    doubles = render("%") != "'%'"
    return lambda text: render(text).replace("%%", "%") if doubles else render(text)


def restricted(
    dialect: Dialect,
    selection: Selection,
    exactly: Sequence[Key],
    as_text: Sequence[Key] = (),
) -> Selection | None:
    """The selection of the rows with any of these keys only; None when it holds none of their
    fields.

    exactly: compared as the column is, which an index serves. as_text: compared as text
    without trailing blanks, which finds padded keys and is safe when the column is of another type.
    """
    conditions = _conditions(dialect, selection, exactly, _as_it_is(dialect))
    conditions += _conditions(dialect, selection, as_text, _as_text(dialect))
    if not conditions:
        return None
    # A comment may end the statement: what follows starts on a line of its own.
    statement = (
        f"SELECT * FROM ({selection.statement}\n) kimo_wanted WHERE {' OR '.join(conditions)}"
    )
    return replace(selection, statement=statement)


_Test = Callable[[str, Sequence[str]], str]


def _conditions(
    dialect: Dialect, selection: Selection, keys: Sequence[Key], test: _Test
) -> list[str]:
    quote = dialect.identifier_preparer.quote
    column_of = selection.column_of
    singles: dict[str, list[str]] = {}
    conditions = []
    for key in keys:
        parts = [
            (quote(column_of[field]), value) for field, value in key.items() if field in column_of
        ]
        if len(parts) == 1:
            singles.setdefault(parts[0][0], []).append(parts[0][1])
        elif parts:
            conditions.append(f"({' AND '.join(test(column, [value]) for column, value in parts)})")
    return [test(column, values) for column, values in singles.items()] + conditions


def _as_it_is(dialect: Dialect) -> _Test:
    literal = text_literal(dialect)

    def test(column: str, values: Sequence[str]) -> str:
        literals = [literal(value) for value in values]
        if dialect.name == "sqlite":
            # A column without a type holds numbers as numbers, which no text is equal to.
            literals += [value for value in values if _WHOLE_NUMBER.match(value)]
        return (
            f"{column} IN ({', '.join(literals)})"
            if len(literals) > 1
            else f"{column} = {literals[0]}"
        )

    return test


def _as_text(dialect: Dialect) -> _Test:
    literal = text_literal(dialect)

    def test(column: str, values: Sequence[str]) -> str:
        text = func.rtrim(cast(literal_column(column), Unicode(_KEY_CHARS))).compile(
            dialect=dialect
        )
        return f"{text} IN ({', '.join(map(literal, values))})"

    return test
