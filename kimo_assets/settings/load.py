"""Putting a settings file in place: its sections become the tables, all of them or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from psycopg import Connection, sql

from kimo_assets.catalog import ConsoleTable, load_console
from kimo_assets.database.names import KIMO, columns, table
from kimo_assets.settings.document import Settings, raise_all
from kimo_assets.settings.tables import Key, Rows, stored_tables
from kimo_assets.settings.validation import warnings, wrong_references


@dataclass(frozen=True)
class TableChanges:
    """What became of the rows of a table. archived: left out of the file, and kept as archived."""

    inserted: int = 0
    changed: int = 0
    archived: int = 0
    removed: int = 0
    unchanged: int = 0


@dataclass(frozen=True)
class LoadedSettings:
    """tables: of the sections of the file, by name. warnings: of what is probably not meant."""

    tables: dict[str, TableChanges]
    warnings: list[str]


def load_settings(connection: Connection, settings: Settings) -> LoadedSettings:
    """Replaces the tables of the file's sections, in one transaction. The caller holds the lock.

    Raises: ConfigError with a sentence for each value that points nowhere; then nothing has
    changed.
    """
    with connection.transaction():
        before = stored_tables(connection, load_console())
        to_be = {
            name: _with_archived(load_console()[name], rows, before[name])
            for name, rows in settings.tables.items()
        }
        after = before | to_be
        # Against the tables as they will be, because sections of one file name each other.
        raise_all(list(wrong_references(connection, settings, after)))
        changes = {
            name: _replace(connection, load_console()[name], before[name], rows)
            for name, rows in to_be.items()
        }
    return LoadedSettings(changes, warnings(settings, after))


def _with_archived(described: ConsoleTable, rows: Rows, before: Rows) -> Rows:
    """Those that are archived rather than removed stay, marked so."""
    if described.archived_by is None:
        return rows
    # Deleted users are archived, not removed: their tablets work on until a sync (fact sheet,
    # section 11).
    left_out = {
        key: row | {described.archived_by: True} for key, row in before.items() if key not in rows
    }
    return rows | left_out


def _replace(
    connection: Connection[Any], described: ConsoleTable, before: Rows, after: Rows
) -> TableChanges:
    """Writes the rows that differ and removes those that are gone."""
    inserted = [key for key in after if key not in before]
    differing = [key for key in after if key in before and after[key] != before[key]]
    removed = [key for key in before if key not in after]
    _write(connection, described, [after[key] for key in (*inserted, *differing)])
    _remove(connection, described, removed)
    flag = described.archived_by
    archived = sum(bool(flag and after[key][flag] and not before[key][flag]) for key in differing)
    unchanged = len(after) - len(inserted) - len(differing)
    return TableChanges(len(inserted), len(differing) - archived, archived, len(removed), unchanged)


def _write(
    connection: Connection[Any], described: ConsoleTable, rows: Sequence[dict[str, Any]]
) -> None:
    """Inserts rows, or replaces those with the same key. They travel as one JSON text."""
    target = table(KIMO, described.name)
    own = [*described.key, *described.values]
    # DO UPDATE needs something to set, even in a table that is all key.
    update = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name))
        for name in described.values or described.key
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO {target} ({own}) SELECT {own} FROM"
            " jsonb_populate_recordset(NULL::{target}, %s::jsonb) ON CONFLICT ({key}) DO UPDATE SET"
            " {update}"
        ).format(target=target, own=columns(own), key=columns(described.key), update=update),
        # As text: psycopg sends bytes as bytea, which is no jsonb.
        [orjson.dumps(rows).decode()],
    )


def _remove(connection: Connection[Any], described: ConsoleTable, keys: Sequence[Key]) -> None:
    """Deletes rows by their keys, whose parts are whole numbers or texts."""
    target = table(KIMO, described.name)
    rows = [dict(zip(described.key, key, strict=True)) for key in keys]
    types = {
        name: "integer" if described.fields[name].type == "int" else "text"
        for name in described.key
    }
    connection.execute(
        sql.SQL(
            "DELETE FROM {target} WHERE ({key}) IN (SELECT {key} FROM jsonb_to_recordset(%s::jsonb)"
            " AS x({typed}))"
        ).format(
            target=target,
            key=columns(described.key),
            typed=sql.SQL(", ").join(
                sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
                for name, kind in types.items()
            ),
        ),
        [orjson.dumps(rows).decode()],
    )
