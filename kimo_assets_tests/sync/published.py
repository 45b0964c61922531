"""The payload of an entity by the oracle, and the content of tablets, in comparable values."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from kimo_assets.catalog import load_catalog
from kimo_assets_tests.support.company import World
from kimo_assets_tests.sync.oracle import Oracle, Tables, Viewer

View = dict[str, dict[str, Any]]
LIFECYCLE = {"EntityStatus", "SyncReference"}


def live_rows(world: World, entities: Sequence[str]) -> Tables:
    """entity -> Id -> row of schema kimo, archived ones left out."""
    catalog = load_catalog()
    tables: dict[str, dict[str, Any]] = {}
    with world.database.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        for name in entities:
            columns = ", ".join(f'"{column}"' for column in catalog[name].fields)
            rows = cursor.execute(
                f'SELECT {columns} FROM kimo."{name}" WHERE _archived_load IS NULL'
            )
            tables[name] = {row["Id"]: row for row in rows}
    return tables


def payload_columns(world: World) -> dict[str, list[str]]:
    """entity -> its payload's columns: those read from the ERP, the Id, the life cycle of edits."""
    catalog = load_catalog()
    staged: dict[str, set[str]] = {}
    for name, column in world.rows(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'integrator' AND table_name <> 'outbox'"
    ):
        staged.setdefault(name, {"Id"}).add(column)
    for name, columns in staged.items():
        columns |= LIFECYCLE if catalog[name].is_held_while_pending else set()
    return {
        name: [field for field in catalog[name].fields if field in columns]
        for name, columns in staged.items()
    }


@dataclass(frozen=True)
class Published:
    """An entity at the time of its step 3: the company's rows, and the payload's columns."""

    entity: str
    oracle: Oracle
    columns: list[str]
    _views: dict[Viewer, View] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def kinds(self) -> dict[str, str]:
        fields = load_catalog()[self.entity].fields
        return {
            name: "text" if fields[name].is_open_enum else fields[name].type
            for name in self.columns
        }

    def view(self, viewer: Viewer) -> View:
        """Id -> the row as a tablet has it, its values comparable."""
        if viewer not in self._views:
            rows = self.oracle.view(viewer, self.entity, self.columns)
            self._views[viewer] = {
                key: {name: comparable(value, self.kinds[name]) for name, value in row.items()}
                for key, row in rows.items()
            }
        return self._views[viewer]

    def of_a_newcomer(self, viewer: Viewer) -> View:
        """The rows that an agent would get who did not exist then."""
        agents = {**self.oracle.rows("SalesAgent"), viewer.agent: {"Id": viewer.agent}}
        return Published(
            self.entity, Oracle({**self.oracle.tables, "SalesAgent": agents}), self.columns
        ).view(viewer)

    def seers(self, key: str) -> frozenset[Viewer]:
        return self.oracle.seers(self.entity, key)


def comparable(value: Any, kind: str) -> Any:
    """The same for a value of PostgreSQL's, a payload's and a tablet's."""
    if value is None:
        return None
    match kind:
        case "dec":
            return Decimal(str(value)).normalize()
        case "int" | "enum" | "bool":
            return int(value)
        case _ if isinstance(value, date | datetime):
            return str(value)
    return value


def tablet_content(file: Path, columns: Mapping[str, Sequence[str]]) -> dict[str, View]:
    with closing(sqlite3.connect(file)) as tablet:
        tablet.row_factory = sqlite3.Row
        names = {
            name
            for (name,) in tablet.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        assert {
            name for name in names if not name.startswith(("_", "sqlite_", "settings_"))
        } == columns.keys()
        rows = {name: tablet.execute(f'SELECT * FROM "{name}"').fetchall() for name in columns}
    assert all(
        len({row["Id"] for row in entity_rows}) == len(entity_rows) for entity_rows in rows.values()
    ), "a tablet has a row twice"
    return {
        name: {row["Id"]: {column: row[column] for column in columns[name]} for row in entity_rows}
        for name, entity_rows in rows.items()
    }


def difference(actual: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    def pairs() -> Iterator[str]:
        for key in sorted(actual.keys() & expected.keys()):
            for column in {**actual[key], **expected[key]}:
                mine, right = (
                    actual[key].get(column, "no such column"),
                    expected[key].get(column, "no such column"),
                )
                if mine != right:
                    yield f"{key}.{column} is {mine!r} instead of {right!r}"

    differences = {
        "too many": sorted(actual.keys() - expected.keys()),
        "missing": sorted(expected.keys() - actual.keys()),
        "wrong": list(pairs()),
    }
    return "; ".join(f"{kind}: {', '.join(which)}" for kind, which in differences.items() if which)
