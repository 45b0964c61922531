"""What is ready goes to the ERP once, heads and parts together, in each dialect."""

from collections.abc import Callable, Iterator

import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url

from kimo_assets.errors import SourceError
from kimo_assets_tests.export.cut_proxy import CommitCut, Cut
from kimo_assets_tests.support.export_company import ExportWorld
from kimo_assets_tests.support.integrations import Integration

Make = Callable[..., ExportWorld]
DIALECTS = pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mariadb"])


@DIALECTS
def test_customers_documents_and_their_lines_arrive_once(export_world: Make, dialect: str) -> None:
    world = export_world(dialect)
    world.settings = {"export": {"batch": 2}}
    world.account("A")
    world.documents(5, lines=3)
    report = world.export()
    document = report.entities["Document"]
    assert (document.ready, document.sent, document.held, document.waiting, document.rows) == (
        5,
        5,
        0,
        0,
        20,
    )
    assert report.entities["Account"].sent == 1
    assert report.held == ()
    world.assert_all_is_there_once([f"D{n}" for n in range(1, 6)], 3, ["A"])
    assert world.export().entities["Document"].ready == 0
    world.assert_all_is_there_once([f"D{n}" for n in range(1, 6)], 3, ["A"])


# --- the connection cut in the commit
# ---------------------------------------------------------------------------------


@pytest.fixture
def cut_world(
    export_world: Make, postgresql: Integration
) -> Iterator[tuple[ExportWorld, CommitCut]]:
    """An ERP that is reached by a line that can be cut."""
    world = export_world("postgresql")
    world.settings = {"export": {"batch": 2}}
    query = make_url(postgresql.url).query
    dsn = make_conninfo(
        host=str(query["host"]),
        dbname=make_url(postgresql.url).database,
        port=str(query.get("port", 5432)),
    )
    line = CommitCut(dsn)
    world.url = line.url()
    yield world, line
    line.close()


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize("with_marker", [True, False])
def test_a_connection_cut_in_the_commit_doubles_and_loses_nothing(
    cut_world: tuple[ExportWorld, CommitCut], cut: Cut, with_marker: bool
) -> None:
    world, line = cut_world
    if not with_marker:
        world.at_erp('CREATE TABLE "KimoExportBatch" ("Id" int)')
    world.documents(5, lines=2)
    names: list[str] = []

    def reached(point: str) -> None:
        names.append(point)
        if point == "commit.before" and names.count(point) == 2:
            line.cuts.append(cut)

    report = world.export(reached)
    assert line.cuts == []
    assert report.entities["Document"].sent == 5
    assert any("Looking whether it has arrived" in said for said in world.listener.lines)
    world.assert_all_is_there_once([f"D{n}" for n in range(1, 6)], 2)
    assert ("taken back" in world.batches()) == (cut == "before")


def test_a_line_that_is_cut_in_every_commit_ends_the_run_and_the_next_one_sends_the_rest(
    cut_world: tuple[ExportWorld, CommitCut],
) -> None:
    world, line = cut_world
    world.documents(5, lines=2)

    def reached(point: str) -> None:
        if point == "commit.before":
            line.cuts.append("before")

    with pytest.raises(SourceError, match="lost in every commit"):
        world.export(reached)
    assert set(world.statuses().values()) == {6}
    assert world.export().entities["Document"].sent == 5
    world.assert_all_is_there_once([f"D{n}" for n in range(1, 6)], 2)
