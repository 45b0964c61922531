"""For the tests of the reference client: sync into a SQLite file, and read it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kimo_assets.errors import StoreError
from kimo_assets.sync.client.client import SyncReport, sync_agent
from kimo_assets_tests.sync.store_builder import StoreBuilder

A, B, C = ({"Id": key, "Name": f"name {key}"} for key in "ABC")


def sync(store: StoreBuilder, file: Path, agent: str = "1", **options: Any) -> SyncReport:
    return sync_agent(str(store.folder), agent, file, **options)


def query(file: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


def received(store: StoreBuilder, file: Path, entity: str) -> list[tuple[Any, ...]]:
    columns = ", ".join(f'"{column}"' for column in store.entities[entity].columns)
    return sorted(query(file, f'SELECT {columns} FROM "{entity}"'))


def refused(store: StoreBuilder, file: Path, agent: str = "1", **options: Any) -> str:
    """The message of a sync that fails. The file must stay what it is, byte for byte."""
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(StoreError) as raised:
        sync(store, file, agent, **options)
    assert (file.read_bytes() if file.exists() else None) == before
    assert "\n" not in str(raised.value)
    return str(raised.value)
