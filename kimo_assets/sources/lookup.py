"""Finding single rows of a source by their key: conditions in its dialect, quoted by SQLAlchemy.

Which rows are looked for is the caller's business.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Dialect, String, Unicode, cast, func, literal_column

from kimo_assets.sources.selection import Selection

# Field -> value as text, for the parts of a key that have one.
Key = Mapping[str, str]

# Longer than any key, and no more than every dialect takes in a cast.
_KEY_CHARS = 1000

# Eighteen digits always fit into SQLite's 64 bits. A leading zero makes a text.
_WHOLE_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})$")


def text_literal(dialect: Dialect) -> Callable[[str], str]:
    """A function that writes a text as a literal of the dialect, for a statement run as it is."""
    compiler = dialect.statement_compiler(dialect, None)
    plain, national = String(), Unicode()

    def render(text: str) -> str:
        # N'...' keeps SQL Server from using an index on a varchar column, so only where it has to.
        type_ = plain if text.isascii() else national
        return str(compiler.render_literal_value(text, type_))

    if render("%") == "'%'":
        return render
    # SQLAlchemy doubles percent signs for drivers that read parameters from them. A statement that
    # is run as it is has no parameters.
    return lambda text: render(text).replace("%%", "%")


def restricted(
    dialect: Dialect,
    selection: Selection,
    exactly: Sequence[Key],
    as_text: Sequence[Key] = (),
) -> Selection | None:
    """The selection of only the rows with any of these keys; None when it has none of their fields.

    exactly: compared as the column is, so that an index serves. as_text: compared as text without
    trailing blanks. That finds padded keys, and is safe when the column has another type.
    """
    conditions = _conditions(dialect, selection, exactly, _as_it_is(dialect))
    conditions += _conditions(dialect, selection, as_text, _as_text(dialect))
    if not conditions:
        return None
    condition = " OR ".join(conditions)
    # A comment may end the statement, so the bracket is on a line of its own.
    statement = f"SELECT * FROM ({selection.statement}\n) kimo_wanted WHERE {condition}"
    return replace(selection, statement=statement)


# From a column and values to the condition that the column has one of them.
_Test = Callable[[str, Sequence[str]], str]


def _conditions(
    dialect: Dialect, selection: Selection, keys: Sequence[Key], test: _Test
) -> list[str]:
    """One condition for all keys of one column (`IN`), and one for each key of several."""
    quote = dialect.identifier_preparer.quote
    column_of = selection.column_of
    values_of: dict[str, list[str]] = {}
    conditions = []
    for key in keys:
        parts = [(quote(column_of[name]), key[name]) for name in key if name in column_of]
        if len(parts) == 1:
            ((column, value),) = parts
            values_of.setdefault(column, []).append(value)
        elif parts:
            tests = " AND ".join(test(column, [value]) for column, value in parts)
            conditions.append(f"({tests})")
    return [test(column, values) for column, values in values_of.items()] + conditions


def _as_it_is(dialect: Dialect) -> _Test:
    literal = text_literal(dialect)

    def test(column: str, values: Sequence[str]) -> str:
        literals = [literal(value) for value in values]
        if dialect.name == "sqlite":
            # A column without a type holds numbers as numbers, and no text equals those.
            literals += [value for value in values if _WHOLE_NUMBER.match(value)]
        if len(literals) == 1:
            return f"{column} = {literals[0]}"
        return f"{column} IN ({', '.join(literals)})"

    return test


def _as_text(dialect: Dialect) -> _Test:
    literal = text_literal(dialect)

    def test(column: str, values: Sequence[str]) -> str:
        trimmed = func.rtrim(cast(literal_column(column), Unicode(_KEY_CHARS)))
        text = trimmed.compile(dialect=dialect)
        return f"{text} IN ({', '.join(map(literal, values))})"

    return test
