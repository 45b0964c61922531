"""Values arrive in the client's file as they left."""

from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from kimo_assets.database.server import Database
from kimo_assets.sync.client.client import read_rows
from kimo_assets_tests.support.company import World, agents
from kimo_assets_tests.sync.client_support import received, sync
from kimo_assets_tests.sync.store_builder import StoreBuilder

TEXTS = [
    "plain",
    'say "hi"',
    '"',
    '""',
    '","',
    "a,b",
    ",",
    "two\nlines",
    "\n",
    "windows\r\nline",
    "old\rline",
    "",
    None,
    ' " ',
    '"\n"',
    '\n"',
    "\\.",
    "è 🚚",
    "tab\t",
    " spaces ",
    "NULL",
    '""\n""',
    '"a","b"',
    "x" * 200_000,
    "a \u2028 line",
    "\x0b\x1c",
    '"' * 5,
    "note\n" * 1_000_000,
]


@pytest.mark.parametrize(
    "texts", [TEXTS, [*filter(None, TEXTS)], ["plain", None, "NULL"], ["a,b", None, "\n"]]
)
def test_texts_of_all_kinds_are_read_as_they_were_written(
    store: StoreBuilder, tablet: Path, texts: list[str | None]
) -> None:
    store.base(
        "Account", 1, [{"Id": f"{n:02}", "Name": text} for n, text in enumerate(texts)]
    ).publish()
    sync(store, tablet)
    assert received(store, tablet, "Account")[:-1] == [
        (f"{n:02}", text) for n, text in enumerate(texts)
    ]


def test_texts_of_all_kinds_arrive_as_they_left(world: World) -> None:
    texts = [
        "plain",
        'say "hi"',
        '"',
        '""',
        '","',
        "a,b",
        ",",
        "two\nlines",
        "\n",
        "windows\r\nline",
        "old\rline",
        ' " ',
        '"\n"',
        '\n"',
        "\\.",
        "è 🚚",
        "tab\t",
        " spaces ",
        "NULL",
        '""\n""',
        '"a","b"',
        "x" * 200_000,
    ]
    world.erp(
        SalesAgent=agents("1"),
        Account=[
            {"Id": f"{n:02}", "ContactInfo": text, "SalesAgentId": "1"}
            for n, text in enumerate(texts)
        ],
    )
    world.done()
    rows = world.received("1", "SELECT Id, ContactInfo FROM Account ORDER BY Id")
    assert rows == [(f"{n:02}", text) for n, text in enumerate(texts)]


def test_values_have_the_types_of_their_fields(world: World) -> None:
    world.erp(
        SalesAgent=agents("1"),
        Account=[
            {
                "Id": "007",
                "SalesAgentId": "1",
                "Discount1": "10.25",
                "FreeBoolean1": 1,
                "AccountTypeId": 1,
                "Name": "42",
                "ProcurementLeadTime": "7",
                "PriceListsReferenceDate": "2026-01-31",
            },
        ],
    )
    world.done()
    columns = (
        "Id, Discount1, FreeBoolean1, AccountTypeId, Name, ProcurementLeadTime,"
        " PriceListsReferenceDate"
    )
    assert world.received("1", f"SELECT {columns} FROM Account") == [
        ("007", 10.25, 1, 1, "42", 7, "2026-01-31")
    ]


# Characters that CSV, zstandard's blocks or a terminal might trip over, and any others that
# PostgreSQL takes.
_TEXT = st.text(
    st.one_of(
        st.sampled_from("\",\n\r\\. \t;'0"),
        st.characters(exclude_categories=("Cs",), exclude_characters="\0"),
    )
)
_ROWS = st.lists(st.tuples(st.uuids().map(str), *[st.none() | _TEXT] * 3), min_size=1, max_size=8)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=_ROWS)
def test_whatever_postgresql_writes_as_csv_is_read_back_exactly(
    database: Database, rows: list[tuple[Any, ...]]
) -> None:
    values = sql.SQL(", ").join(
        sql.SQL("({}, {}::text, {}::text, {}::text)").format(*map(sql.Literal, row)) for row in rows
    )
    statement = sql.SQL("COPY (SELECT * FROM (VALUES {}) AS v) TO STDOUT (FORMAT csv)").format(
        values
    )
    with database.connect() as connection, connection.cursor().copy(statement) as copy:
        data = b"".join(bytes(block) for block in copy)
    header, *read = read_rows(zstandard.compress(b"a,b,c,d\n" + data))
    assert header == ["a", "b", "c", "d"]
    assert [tuple(row) for row in read] == rows
