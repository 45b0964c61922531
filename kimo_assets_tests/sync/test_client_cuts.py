"""A sync that is cut anywhere leaves the old state. The next one fetches only what is missing."""

import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kimo_assets.errors import StoreError
from kimo_assets.sync.client.client import sync_agent
from kimo_assets_tests.support.crash_semaphore import forkserver
from kimo_assets_tests.sync.crash_process import sync_and_crash
from kimo_assets_tests.sync.store_builder import StoreBuilder, served

BUCKETS = range(1, 9)


def rows_of(bucket: int, kind: str) -> list[dict[str, Any]]:
    """Enough of them for pages of SQLite's to be written before the commit."""
    noise = Random(f"{bucket} {kind}")
    return [{"Id": f"{bucket}-{n}", "Name": f"{kind} {noise.random()}"} for n in range(400)]


@pytest.fixture
def store(tmp_path: Path) -> StoreBuilder:
    """A store with the second load. The tablet has the first one already."""
    made = StoreBuilder(tmp_path / "store").entity("Account", Name="text")
    for bucket in BUCKETS:
        made.base("Account", bucket, rows_of(bucket, "old"))
    made.publish()
    sync_agent(str(made.folder), "1", tmp_path / "tablet.sqlite")
    for bucket in BUCKETS:
        if bucket % 2:
            made.base("Account", bucket, rows_of(bucket, "new"))
        else:
            made.change("Account", bucket, rows_of(bucket, "new")[:-1], removed=[f"{bucket}-399"])
    return made.publish()


def content(file: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT Id, Name FROM Account ORDER BY 1").fetchall()


def objects_of(asked: list[str]) -> list[str]:
    return sorted(Path(path).name.partition(".")[0] for path in asked if "/objects/" in path)


POINTS = [(step, count) for step in ("fetch", "write") for count in (1, 5, 8)]


@pytest.mark.parametrize(("step", "count"), POINTS)
def test_a_killed_sync_leaves_the_old_state_and_what_it_fetched(
    store: StoreBuilder, tmp_path: Path, step: str, count: int
) -> None:
    file = tmp_path / "tablet.sqlite"
    before = content(file)
    with served(store.folder) as (url, asked):
        process = forkserver().Process(target=sync_and_crash, args=(url, str(file), step, count))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert content(file) == before
        kept = {
            path.name
            for path in (tmp_path / "tablet.sqlite.part").iterdir()
            if "." not in path.name
        }
        assert len(kept) >= (count if step == "fetch" else len(BUCKETS))

        asked.clear()
        result = sync_agent(url, "1", file)
        assert kept.isdisjoint(objects_of(asked))
        # What the dead one had asked for last the server may note only now: some are asked for
        # twice.
        assert result.objects_downloaded == len(BUCKETS) - len(kept) == len(set(objects_of(asked)))
    assert content(file) == store.rows("Account")
    assert not (tmp_path / "tablet.sqlite.part").exists()


def test_what_was_damaged_meanwhile_is_fetched_again(store: StoreBuilder, tmp_path: Path) -> None:
    file, parts = tmp_path / "tablet.sqlite", tmp_path / "tablet.sqlite.part"
    missing = store.entities["Account"].buckets[8].changes[-1]["sha256"]
    path = next(path for path in store.objects() if missing in path.name)
    path.rename(tmp_path / "aside")
    with pytest.raises(StoreError, match=missing):
        sync_agent(str(store.folder), "1", file)
    damaged, *whole = parts.iterdir()
    damaged.write_bytes(b"half")
    (tmp_path / "aside").rename(path)
    expected = len(BUCKETS) - len(whole)
    assert sync_agent(str(store.folder), "1", file).objects_downloaded == expected
    assert content(file) == store.rows("Account")


def test_parts_of_a_sync_that_nobody_needs_any_more_go_with_the_next(
    store: StoreBuilder, tmp_path: Path
) -> None:
    parts = tmp_path / "tablet.sqlite.part"
    parts.mkdir()
    (parts / ("a" * 64)).write_bytes(b"of a load that is gone")
    sync_agent(str(store.folder), "1", tmp_path / "tablet.sqlite")
    assert not parts.exists()


@contextmanager
def room_for(file_bytes: int) -> Iterator[None]:
    """No file may get longer than this: to a program that is a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_while_fetching_is_told_and_changes_nothing(
    store: StoreBuilder, tmp_path: Path
) -> None:
    file = tmp_path / "tablet.sqlite"
    before = file.read_bytes()
    with (
        room_for(1_000),
        pytest.raises(
            StoreError, match=r"could not be fetched into .*tablet.sqlite.part.*too large"
        ),
    ):
        sync_agent(str(store.folder), "1", file)
    assert file.read_bytes() == before


def test_a_full_disk_while_writing_is_told_and_changes_nothing(
    store: StoreBuilder, tmp_path: Path
) -> None:
    file = tmp_path / "new.sqlite"
    with room_for(30_000), pytest.raises(StoreError, match=r"cannot be written .*is the disk full"):
        sync_agent(str(store.folder), "1", file)
    assert not file.exists()
    result = sync_agent(str(store.folder), "1", file)
    assert result.objects_downloaded == 0
    assert content(file) == store.rows("Account")
