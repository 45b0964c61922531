"""Random wrong rows, random repairs, a retry: the next import gives what an import into an empty
database would give.

A stream travels row by row here, so that a retry touches some pieces of it and leaves others.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kimo_assets.database.server import Database
from kimo_assets.sources.readers import segments
from kimo_assets.staging import retry
from kimo_assets_tests.conftest import EMPTY_AGAIN
from kimo_assets_tests.support.company import Row, World

ENTITIES = ("ErpDocument", "ErpDocumentLine", "ItemListPrice")

# Good, good, good, and wrong in three ways.
VALUES = st.sampled_from([1, 2, 3, "n.d.", "1,5", "a\0b"])
KEYS = st.sampled_from([*"ABCDEF", "A ", None, "", 7])


def rows(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Row]]:
    return st.lists(st.fixed_dictionaries(fields), min_size=4, max_size=10)


ERPS: st.SearchStrategy[dict[str, list[Row]]] = st.fixed_dictionaries(
    {
        "ErpDocument": rows(Id=KEYS, FreeDecimal1=VALUES),
        "ErpDocumentLine": rows(
            Id=KEYS, ErpDocumentId=st.sampled_from("ABCX"), FreeDecimal1=VALUES
        ),
        "ItemListPrice": rows(
            ItemId=st.sampled_from(["I", "J", None]),
            AccountId=st.sampled_from(["A", 0, ""]),
            StartDate=st.sampled_from([None, "2026-01-01", "2026-02-30"]),
            FreeDecimal1=VALUES,
        ),
    }
)


@st.composite
def repairs(draw: st.DrawFn) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """An ERP, and the same after somebody worked on it: rows mended, spoilt, taken out, put in."""
    before = draw(ERPS)
    after: dict[str, list[Row]] = {}
    for name, found in before.items():
        kept = [row for row in found if draw(st.integers(0, 9)) > 0]
        after[name] = [
            row | {"FreeDecimal1": draw(VALUES)} if draw(st.booleans()) else row for row in kept
        ]
        if draw(st.integers(0, 4)) == 0:
            extra = draw(ERPS)[name][:2]
            position = draw(st.integers(0, len(after[name])))
            after[name][position:position] = extra
    return before, after


@pytest.fixture(scope="module")
def databases(new_database: Callable[[], Database]) -> tuple[Database, Database]:
    return new_database(), new_database()


@pytest.fixture(scope="module", autouse=True)
def _small_pieces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "_FIRST_BATCH", 1)
        patch.setattr(segments, "SEGMENT_BYTES", 1)
        patch.setattr(retry, "_BATCH", 2)
        yield


COLUMNS = {
    "ErpDocument": ("Id", "FreeDecimal1"),
    "ErpDocumentLine": ("Id", "ErpDocumentId", "FreeDecimal1"),
    "ItemListPrice": ("Id", "ItemId", "AccountId", "StartDate", "FreeDecimal1"),
}


def content(world: World) -> dict[str, Any]:
    """All that an import left, without when and by which load."""
    found: dict[str, Any] = {}
    for name, columns in COLUMNS.items():
        chosen = ", ".join(f'"{column}"' for column in columns)
        found[f"integrator {name}"] = world.rows(
            f'SELECT {chosen}, _hash, _segment FROM integrator."{name}" ORDER BY 1'
        )
        live = f'SELECT {chosen}, _hash FROM kimo."{name}" WHERE _archived_load IS NULL ORDER BY 1'
        found[f"kimo {name}"] = world.rows(live)
    found["staged"] = world.rows(
        "SELECT entity, definition, segments, rows_read, rows_staged, rows_rejected, checksum FROM"
        " ops.staged ORDER BY 1"
    )
    found["refused"] = world.rows(
        "SELECT entity, step, rule, field, source_key, value, source_row::text, segment FROM"
        " ops.rejected_row ORDER BY 1, 2, 3, 4, 5, 6, 7, 8"
    )
    return found


def assert_ledger_is_true(world: World) -> None:
    for name in ENTITIES:
        staged = world.value(f'SELECT count(*) FROM integrator."{name}"')
        kept = world.rows(
            "SELECT rows_staged, rows_rejected FROM ops.staged WHERE entity = %s", name
        )
        refused = world.value(
            "SELECT count(*) FROM ops.rejected_row WHERE entity = %s AND step = 1", name
        )
        assert kept == [(staged, refused)]
        keys = world.value(f'SELECT count(DISTINCT "Id") FROM integrator."{name}"')
        assert keys == staged


SETTINGS = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


def worlds(folder: Any, databases: tuple[Database, Database]) -> tuple[World, World]:
    """Two companies with one ERP between them, nothing imported."""
    for database in databases:
        with database.connect() as connection:
            connection.execute(EMPTY_AGAIN)
    entities = {name: {"fields": {}} for name in ENTITIES}
    return tuple(World(folder, database, entities) for database in databases)  # type: ignore[return-value]


def write(world: World, tables: dict[str, list[Row]]) -> None:
    """Also tables without rows have their columns."""
    world.erp(**tables)
    for name, found in tables.items():
        if not found:
            fields = ", ".join(
                f'"{column}"'
                for column in COLUMNS[name]
                if (name, column) != ("ItemListPrice", "Id")
            )
            world.erp_file.execute(f'DROP TABLE "{name}"; CREATE TABLE "{name}" ({fields})')


@SETTINGS
@given(states=repairs(), is_taken_back=st.booleans())
def test_an_import_after_a_retry_gives_what_one_into_an_empty_database_gives(
    tmp_path: Any,
    databases: tuple[Database, Database],
    states: tuple[dict[str, list[Row]], dict[str, list[Row]]],
    is_taken_back: bool,
) -> None:
    """Also when all that was mended has been spoilt again before the import."""
    before, after = states
    retried, anew = worlds(tmp_path, databases)
    write(retried, before)
    retried.done(1, 2)
    write(retried, after)
    assert retried.retry().success
    assert_ledger_is_true(retried)
    write(retried, before if is_taken_back else after)
    retried.done(1, 2, allow_shrink=True)
    anew.done(1, 2)
    assert content(retried) == content(anew)


@SETTINGS
@given(before=ERPS, data=st.data())
def test_where_only_rejected_rows_were_mended_the_retry_alone_gives_what_an_import_would(
    tmp_path: Any,
    databases: tuple[Database, Database],
    before: dict[str, list[Row]],
    data: st.DataObject,
) -> None:
    """Every document has its own key here: of doubles a retry keeps the one that is staged."""
    before = {
        "ErpDocument": [row | {"Id": f"D{n}"} for n, row in enumerate(before["ErpDocument"])]
    } | {name: [] for name in ENTITIES[1:]}
    retried, anew = worlds(tmp_path, databases)
    write(retried, before)
    retried.done(1, 2)
    after = [
        row | {"FreeDecimal1": data.draw(VALUES)} if isinstance(row["FreeDecimal1"], str) else row
        for row in before["ErpDocument"]
    ]
    write(retried, before | {"ErpDocument": after})
    assert retried.retry().success
    anew.done(1, 2)
    mine, theirs = content(retried), content(anew)
    for found in (mine, theirs):
        for name in ENTITIES:
            found[f"integrator {name}"] = [row[:-1] for row in found[f"integrator {name}"]]
        found["staged"] = [(entity, *counts) for entity, _, _, *counts in found["staged"]]
        found["refused"] = [row[:-1] for row in found["refused"]]
    assert mine == theirs


@SETTINGS
@given(states=repairs())
@example(
    (
        {
            "ErpDocument": [{"Id": "A", "FreeDecimal1": "n.d."}],
            "ErpDocumentLine": [],
            "ItemListPrice": [],
        },
    )
    * 2
)
def test_a_second_retry_of_the_same_erp_changes_nothing(
    tmp_path: Any,
    databases: tuple[Database, Database],
    states: tuple[dict[str, list[Row]], dict[str, list[Row]]],
) -> None:
    before, after = states
    world, _ = worlds(tmp_path, databases)
    write(world, before)
    world.done(1, 2)
    write(world, after)
    assert world.retry().success
    once = content(world)
    report = world.retry()
    assert {entity.status for entity in report.steps[1].entities.values()} <= {"unchanged"}
    assert content(world) == once
