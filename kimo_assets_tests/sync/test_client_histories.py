"""After any history of a store, a sync brings the client's file to the model's content."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kimo_assets.sync.client.client import sync_agent
from kimo_assets_tests.sync.store_builder import Row, StoreBuilder

BUCKETS = (1, 2, 3)
# (bucket or None for nowhere, value): what a load says of some keys; few of each, so that rows go
# away and come back.
_PLACES = st.tuples(st.sampled_from((None, *BUCKETS)), st.sampled_from((None, "", "x")))
_NEWS = st.dictionaries(st.sampled_from("ABCD"), _PLACES, max_size=3)


@dataclass(frozen=True)
class Load:
    """One load. written: a change, a base, or both for a changed bucket. kept: old changes."""

    news: dict[str, tuple[int | None, str | None]]
    written: dict[int, str]
    kept: dict[int, int]
    drops_empty: bool
    adds_column: bool
    synced: bool


_LOADS = st.lists(
    st.builds(
        Load,
        news=_NEWS,
        written=st.fixed_dictionaries(
            {bucket: st.sampled_from(("change", "change", "base", "both")) for bucket in BUCKETS}
        ),
        kept=st.dictionaries(st.sampled_from(BUCKETS), st.integers(0, 2), max_size=1),
        drops_empty=st.booleans(),
        adds_column=st.sampled_from((False,) * 9 + (True,)),
        synced=st.booleans(),
    ),
    min_size=2,
    max_size=7,
)


class World:
    """A store of an entity, and of its private columns, both with the same history."""

    def __init__(self, folder: Path) -> None:
        self.store = StoreBuilder(folder / "store")
        self.folder = folder
        self.columns = {"V": "text", "P": "text"}
        self.places: dict[str, tuple[int, Row]] = {}
        self._declare()

    def _declare(self) -> None:
        self.store.entity("E", private=["P"], **self.columns)

    def run(self, load: Load) -> None:
        if load.adds_column:
            self.columns[f"W{self.store.load}"] = "text"
            self._declare()
        for key, (bucket, value) in load.news.items():
            if bucket is None:
                self.places.pop(key, None)
            else:
                self.places[key] = bucket, {"Id": key, "V": value, "P": value and value * 2}
        for bucket in BUCKETS:
            for private in (False, True):
                self._write(bucket, load, private)
        self.store.publish()

    def _write(self, bucket: int, load: Load, private: bool) -> None:
        store, columns = self.store, ("Id", "P") if private else ("Id", "V")
        number = bucket + 10 if private else bucket  # no two buckets of a store have one number
        rows = {
            key: {c: row[c] for c in columns}
            for key, (bucket_of_row, row) in self.places.items()
            if bucket_of_row == bucket
        }
        held = store.buckets("E", private).get(number)
        if rows and (held is None or (load.written[bucket] == "base" and held.rows != rows)):
            store.base("E", number, rows.values(), private=private, objects=2)
            return
        if held is None:
            return
        if not rows and load.drops_empty:
            store.drop("E", number, private=private)
            return
        put = [row for key, row in rows.items() if held.rows.get(key) != row]
        removed = held.rows.keys() - rows.keys()
        if put or removed:
            store.change("E", number, put, removed, private=private)
        if load.written[bucket] == "both":
            store.rewrite("E", number, private=private)
        if bucket in load.kept:
            store.forget("E", number, load.kept[bucket], private=private)

    def require_synced(self, file: Path) -> None:
        sync_agent(str(self.store.folder), "1", file)
        columns = ", ".join(self.store.entities["E"].columns)
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute(f"SELECT {columns} FROM E ORDER BY Id").fetchall()
            buckets = dict(connection.execute("SELECT Id, _bucket FROM E"))
        assert rows == self.expected()
        assert buckets == {key: bucket for key, (bucket, _) in self.places.items()}

    def expected(self) -> list[tuple[Any, ...]]:
        return [
            tuple(row.get(column) for column in self.store.entities["E"].columns)
            for _, (_, row) in sorted(self.places.items())
        ]


@settings(max_examples=80, deadline=None)
@given(loads=_LOADS)
def test_a_client_has_what_the_store_has_however_many_loads_it_skipped(loads: list[Load]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        world = World(folder)
        for load in loads:
            world.run(load)
            world.require_synced(folder / "diligent.sqlite")
            if load.synced:
                world.require_synced(folder / "away.sqlite")
        world.require_synced(folder / "away.sqlite")
        world.require_synced(folder / "new.sqlite")
    finally:
        shutil.rmtree(folder)
