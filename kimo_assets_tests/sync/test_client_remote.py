"""The same client at an S3 server and at a plain web server."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs
from moto.server import ThreadedMotoServer

from kimo_assets.errors import StoreError
from kimo_assets.sync.client.client import sync_agent
from kimo_assets.sync.store.store import Store
from kimo_assets_tests.support.company import World, agents, ids, links
from kimo_assets_tests.sync.client_support import received
from kimo_assets_tests.sync.store_builder import StoreBuilder, served


@pytest.fixture
def store(tmp_path: Path) -> StoreBuilder:
    made = StoreBuilder(tmp_path / "store").entity("Account", Name="text")
    for bucket in range(20):
        made.base("Account", bucket, [{"Id": f"{bucket}-{n}", "Name": f"{n}"} for n in range(50)])
    return made.publish("m.rossi è qui")


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty bucket, and the environment in which it is found."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "tester",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("kimo")
    yield "s3://kimo/sync"
    s3fs.S3FileSystem().rm("kimo", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


def uploaded(made: StoreBuilder, url: str) -> None:
    """By what the engine writes stores with."""
    there = Store(url)
    for path in sorted(made.folder.rglob("*.*")):
        if path.name.endswith(".csv.zst"):
            there.add_bytes(path.read_bytes(), path.name.partition(".")[0])
        else:
            there.replace(str(path.relative_to(made.folder)), path.read_bytes())


def test_a_store_at_an_s3_server(store: StoreBuilder, s3: str, tmp_path: Path) -> None:
    file, agent = tmp_path / "tablet.sqlite", "m.rossi è qui"
    with pytest.raises(
        StoreError, match=r"There is no sync store at s3://kimo/sync: store\.json is not there"
    ):
        sync_agent(s3, agent, file)
    uploaded(store, s3)
    assert sync_agent(s3, agent, file).objects_downloaded == 20
    assert received(store, file, "Account") == store.rows("Account")

    store.change("Account", 3, removed=["3-1"]).publish(agent)
    uploaded(store, s3)
    assert sync_agent(s3, agent, file).objects_downloaded == 1
    assert received(store, file, "Account") == store.rows("Account")

    Store(s3).remove(f"objects/{store.objects()[0].parent.name}/{store.objects()[0].name}")
    with pytest.raises(StoreError, match="is not there"):
        sync_agent(s3, agent, tmp_path / "other.sqlite")


def test_a_bucket_that_is_not_there_and_a_server_that_is_not(s3: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no sync store at s3://nowhere/sync"):
        sync_agent("s3://nowhere/sync", "1", tmp_path / "tablet.sqlite")
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        elsewhere.setenv("AWS_MAX_ATTEMPTS", "1")
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(StoreError, match="The sync store s3://kimo/sync cannot be read: "):
            sync_agent(s3, "1", tmp_path / "tablet.sqlite")
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_store_behind_a_web_server(store: StoreBuilder, tmp_path: Path) -> None:
    file, agent = tmp_path / "tablet.sqlite", "m.rossi è qui"
    with served(store.folder) as (url, asked):
        assert sync_agent(f"{url}/", agent, file).rows == 1000
        assert received(store, file, "Account") == store.rows("Account")
        assert len(asked) == len(set(asked)) == 23
        store.objects()[0].unlink()
        with pytest.raises(StoreError, match=r"is not there\. Prepare the payloads again"):
            sync_agent(url, agent, tmp_path / "other.sqlite")
        with pytest.raises(StoreError, match=r"There is no sync store at .*/nowhere"):
            sync_agent(f"{url}/nowhere", agent, file)
    with pytest.raises(
        StoreError, match=r"The sync store http://127.0.0.1:\d+ cannot be read: Client"
    ):
        sync_agent(url, agent, file)


def test_step_3_prepares_at_an_s3_server_what_the_client_fetches_there(
    world: World, s3: str
) -> None:
    world.settings = {"sync": {"store": s3, "keep_unlisted_hours": 0}}
    zones = [{"Id": f"Z{n:03}", "Description": f"zone {n}"} for n in range(200)]
    world.erp(
        SalesAgent=agents("1", "2"),
        Account=ids("A", "B"),
        Zone=zones,
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1", "B 2"),
    )
    world.done()
    assert world.seen("Account") == {"1": "A", "2": "B"}
    assert {entity.status for entity in world.done().steps[3].entities.values()} == {"unchanged"}
    world.erp(SalesAgent=agents("1"), Zone=[*zones[1:], {"Id": "new", "Description": "new"}])
    world.done(allow_shrink=True)
    assert world.seen("Account") == {"1": "A"}
    assert len(world.received("1", 'SELECT Id FROM "Zone"')) == 200
    with pytest.raises(StoreError, match="holds no payload for agent '2'"):
        world.received("2", 'SELECT Id FROM "Zone"')
    s3fs.S3FileSystem().rm("kimo/sync/objects", recursive=True)
    world.done()
    assert len(world.received("1", 'SELECT Id FROM "Zone"')) == 200
