"""The reference client: exact, and its file stays as it was when anything is wrong with the store."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from kimo_assets.database.server import Database
from kimo_assets.errors import StoreError
from kimo_assets.sync.client import read_rows, sync_agent
from kimo_assets_tests.sync.test_format import manifest_of
from kimo_assets_tests.worlds import World, agents, ids, links


@pytest.fixture
def company(world: World) -> World:
    """An agent who has synced once, and news for it in the store."""
    world.erp(
        SalesAgent=agents("1", "2"),
        Account=ids("A"),
        SalesAgentPerAccount=links("AccountId", "SalesAgentId", "A 1"),
        Zone=[{"Id": "N", "Description": "old"}],
    )
    world.done()
    world.sync("1").close()
    world.erp(Zone=[{"Id": "N", "Description": "new"}], Account=[*ids("A", Name="new")])
    world.done()
    return world


def content(world: World) -> list[tuple[Any, ...]]:
    """What the first agent's file holds of the zones."""
    with closing(sqlite3.connect(world.client_file("1"))) as file:
        return file.execute("SELECT Description FROM Zone").fetchall()


def object_file(world: World, entity: str) -> Path:
    (listed,) = manifest_of(world.store, "1")["entities"][entity]["objects"]
    return world.store / "objects" / listed["sha256"][:2] / f"{listed['sha256']}.csv.zst"


def refused(world: World, agent: str = "1") -> str:
    """Why a sync fails; the agent's file must not have changed."""
    file = world.client_file("1")
    before = content(world)
    with pytest.raises(StoreError) as raised:
        sync_agent(str(world.store), agent, file)
    assert content(world) == before == [("old",)]
    return str(raised.value)


def test_a_later_sync_brings_the_difference_only(company: World) -> None:
    result = sync_agent(str(company.store), "1", company.client_file("1"))
    assert (result.entities, result.entities_changed, result.objects_downloaded) == (4, 2, 2)
    again = sync_agent(str(company.store), "1", company.client_file("1"))
    assert (again.entities_changed, again.objects_downloaded, again.rows) == (0, 0, result.rows)


def test_a_missing_object_is_named_and_nothing_changes(company: World) -> None:
    object_file(company, "Zone").unlink()
    message = refused(company)
    assert object_file(company, "Zone").name.removesuffix(".csv.zst") in message
    assert "step 3" in message


def test_a_damaged_object_is_named_and_nothing_changes(company: World) -> None:
    path = object_file(company, "Zone")
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    assert "is damaged" in refused(company)
    assert path.name in refused(company)


def test_an_object_with_other_rows_than_its_manifest_says_is_refused(company: World) -> None:
    path = company.store / "agents" / "1.json"
    manifest = manifest_of(company.store, "1")
    manifest["entities"]["Zone"]["objects"][0]["rows"] = 2
    path.write_text(json.dumps(manifest))
    assert "has 1 rows, its manifest says 2" in refused(company)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"agent": "2"}, "belongs to agent '2'"),
        ({"format": "another"}, "another version 1"),
        ({"version": 2}, "kimo-sync version 2; this client reads kimo-sync version 1"),
    ],
)
def test_a_foreign_manifest_is_refused(company: World, change: dict[str, Any], said: str) -> None:
    path = company.store / "agents" / "1.json"
    path.write_text(json.dumps(manifest_of(company.store, "1") | change))
    assert said in refused(company)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_manifest_that_is_none_is_refused(company: World, text: str) -> None:
    (company.store / "agents" / "1.json").write_text(text)
    assert "the manifest of agent '1'" in refused(company)


def test_an_unknown_agent_is_told_so(company: World) -> None:
    assert "holds no payload for agent '9'" in refused(company, "9")


def test_a_file_belongs_to_one_agent(company: World) -> None:
    assert "holds the data of agent '1'" in refused(company, "2")


def test_a_file_that_is_something_else_is_left_alone(company: World, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not a database, but somebody's notes " * 100)
    with pytest.raises(StoreError, match="is not a SQLite file of this client"):
        sync_agent(str(company.store), "1", other)
    assert other.read_text().startswith("not a database")


def test_an_entity_that_is_no_longer_published_leaves_the_file(company: World) -> None:
    manifest = manifest_of(company.store, "1")
    del manifest["entities"]["Zone"]
    (company.store / "agents" / "1.json").write_text(json.dumps(manifest))
    assert company.received("1", "SELECT name FROM sqlite_master WHERE name = 'Zone'") == []


def test_texts_of_all_kinds_arrive_as_they_left(world: World) -> None:
    texts = [
        "plain", 'say "hi"', '"', '""', '","', "a,b", ",", "two\nlines", "\n", "windows\r\nline", "old\rline",
        ' " ', '"\n"', '\n"', "\\.", "è 🚚", "tab\t", " spaces ", "NULL", '""\n""', '"a","b"', "x" * 200_000,
    ]  # fmt: skip
    world.erp(
        SalesAgent=agents("1"),
        Account=[{"Id": f"{n:02}", "ContactInfo": text, "SalesAgentId": "1"} for n, text in enumerate(texts)],
    )
    world.done()
    rows = world.received("1", "SELECT Id, ContactInfo FROM Account ORDER BY Id")
    assert rows == [(f"{n:02}", text) for n, text in enumerate(texts)]


def test_values_have_the_types_of_their_fields(world: World) -> None:
    world.erp(
        SalesAgent=agents("1"),
        Account=[
            {"Id": "007", "SalesAgentId": "1", "Discount1": "10.25", "FreeBoolean1": 1, "AccountTypeId": 1,
             "Name": "42", "ProcurementLeadTime": "7", "PriceListsReferenceDate": "2026-01-31"},
        ],
    )  # fmt: skip
    world.done()
    columns = "Id, Discount1, FreeBoolean1, AccountTypeId, Name, ProcurementLeadTime, PriceListsReferenceDate"
    assert world.received("1", f"SELECT {columns} FROM Account") == [("007", 10.25, 1, 1, "42", 7, "2026-01-31")]


# Characters that CSV, zstandard's blocks or a terminal might trip over, and any others that PostgreSQL takes.
_TEXT = st.text(
    st.one_of(st.sampled_from("\",\n\r\\. \t;'0"), st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
)
_ROWS = st.lists(st.tuples(st.uuids().map(str), *[st.none() | _TEXT] * 3), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_ROWS)
def test_whatever_postgresql_writes_as_csv_is_read_back_exactly(database: Database, rows: list[tuple[Any, ...]]) -> None:
    values = sql.SQL(", ").join(sql.SQL("({}, {}::text, {}::text, {}::text)").format(*map(sql.Literal, row)) for row in rows)
    statement = sql.SQL("COPY (SELECT * FROM (VALUES {}) AS v) TO STDOUT (FORMAT csv)").format(values)
    with database.connect() as connection, connection.cursor().copy(statement) as copy:
        data = b"".join(bytes(block) for block in copy)
    header, *read = read_rows(zstandard.compress(b"a,b,c,d\n" + data))
    assert header == ["a", "b", "c", "d"]
    assert [tuple(row) for row in read] == rows
