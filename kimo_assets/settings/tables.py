"""The console's tables as they stand in schema kimo, and as the text of a settings file."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from psycopg import Connection, sql

from kimo_assets.catalog import ConsoleTable, load_console
from kimo_assets.database.names import KIMO, columns, table
from kimo_assets.settings.values import text_of

Key = tuple[Any, ...]
Rows = dict[Key, dict[str, Any]]
"""A table: the values of the key's columns -> all columns by name, in the order of the key."""


def stored_tables(connection: Connection, names: Iterable[str]) -> dict[str, Rows]:
    """The named tables, as they are now."""
    return {name: _stored(connection, load_console()[name]) for name in names}


def _stored(connection: Connection, described: ConsoleTable) -> Rows:
    names = list(described.fields)
    # In a fixed order, so that version control shows only what has changed in a written file.
    rows = connection.execute(
        sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
            columns(names), table(KIMO, described.name), columns(described.key)
        )
    )
    by_name = (dict(zip(names, row, strict=True)) for row in rows)
    return {tuple(row[name] for name in described.key): row for row in by_name}


def as_yaml(tables: Mapping[str, Rows]) -> str:
    """A settings file of these tables, which reads back as exactly them."""
    document = {name: _nested(load_console()[name], rows) for name, rows in tables.items()}
    # For a person's eyes: accents as they are, columns in the catalogue's order.
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)


def _nested(described: ConsoleTable, rows: Rows) -> dict[Any, Any]:
    """Rows nested by the parts of their key. Without other columns the last part is in a list."""
    section: dict[Any, Any] = {}
    for key, row in rows.items():
        node = section
        for part in key[:-2]:
            node = node.setdefault(part, {})
        if not described.values:
            node.setdefault(key[-2], []).append(key[-1])
            continue
        for part in key[-2:-1]:
            node = node.setdefault(part, {})
        node[key[-1]] = _leaf(described, row)
    return section


def _leaf(described: ConsoleTable, row: Mapping[str, Any]) -> Any:
    values = {name: text_of(described.fields[name], row[name]) for name in described.values}
    if len(described.values) == 1:
        return values[described.values[0]]
    # What is absent reads back as None or False, so it need not stand in the file. A zero must.
    return {
        name: value for name, value in values.items() if value is not None and value is not False
    }
