"""What is ready goes to the ERP once, heads and parts together, in each dialect."""

from collections.abc import Callable

import pytest

from kimo_assets_tests.export.worlds_of_export import ExportWorld

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
    assert (document.ready, document.sent, document.held, document.waiting, document.rows) == (5, 5, 0, 0, 20)
    assert report.entities["Account"].sent == 1
    assert report.held == ()
    world.assert_all_is_there_once([f"D{n}" for n in range(1, 6)], 3, ["A"])
    assert world.export().entities["Document"].ready == 0
    world.assert_all_is_there_once([f"D{n}" for n in range(1, 6)], 3, ["A"])
