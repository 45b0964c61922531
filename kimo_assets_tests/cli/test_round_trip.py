"""The demo's options and the commands around the ERP: a company's pictures, positions and orders,
there and back.
"""

from pathlib import Path

import pytest
from click.testing import CliRunner

from kimo_assets.cli import main
from kimo_assets.database.server import Database
from kimo_assets_tests.cli.conftest import Company


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """The small demo, with a server of its own under its folder, imported once."""
    folder = tmp_path_factory.mktemp("demo") / "company"
    result = CliRunner().invoke(main, ["demo", "--dir", str(folder)])
    assert result.exit_code == 0, result.output
    return Company(folder, Database("", ""))


def of_demo(company: Company, *options: str) -> str:
    result = CliRunner().invoke(main, ["demo", "--dir", str(company.directory), *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_pictures_and_positions_of_the_demo(demo: Company, tmp_path: Path) -> None:
    made = demo.json("images", "import")
    assert {name: made["counts"][name] for name in ("made", "failed", "missing")} == {
        "made": 60,
        "failed": 1,
        "missing": 1,
    }
    assert "11 made" in of_demo(demo, "--download")
    assert "11 unchanged" in of_demo(demo, "--download")
    sheet = tmp_path / "sheet.png"
    audited = demo.kimo("images", "audit", "--sheet", str(sheet))
    assert "scansione_0412.jpg" in audited.stdout
    assert "vecchio_logo.jpg" in audited.stdout
    assert sheet.read_bytes().startswith(b"\x89PNG")
    preview = demo.json("geocode", "--preview")
    assert preview["calls"] > 500
    assert "Geocodifica Account" in of_demo(demo, "--geocode")
    assert demo.json("geocode", "--preview")["calls"] == 0


def test_orders_go_to_the_erp_once_and_its_answers_come_back(demo: Company) -> None:
    assert "The agents have made 20 orders" in of_demo(demo, "--orders", "20")
    first = demo.json("export")
    assert first["entities"]["Document"]["sent"] == 20
    assert demo.json("export")["entities"]["Document"]["sent"] == 0
    assert (
        demo.json("export", "status")["entities"]["Account"]["unacknowledged"]
        == first["entities"]["Account"]["sent"]
    )
    assert "The ERP has taken over" in of_demo(demo, "--pick-up")
    references = demo.sql(
        "SELECT SyncReference, EntityId FROM EntitySyncReferenceForAccount WHERE EntityId IS NOT"
        " NULL"
    )
    assert demo.kimo("import").exit_code == 0
    reference, code = references[0]
    life = demo.kimo("export", "status", reference).stdout
    assert f"answered: the ERP knows it as {code}" in life
    assert "at the ERP (source 'erp')" in life
    assert demo.json("export", "status")["entities"]["Account"]["unacknowledged"] == 0


def test_a_reference_that_nobody_knows_and_a_batch_that_needs_nobody_are_told(
    demo: Company,
) -> None:
    unknown = demo.kimo("export", "status", "nonesuch")
    assert unknown.exit_code == 2
    assert "there is no record with the SyncReference or Id 'nonesuch'" in unknown.output
    assert "Say --arrived or --again" in demo.kimo("export", "resolve", "1").output
    settled = demo.kimo("export", "resolve", "1", "--again")
    assert settled.exit_code == 1
    assert "batch 1 is not in doubt" in settled.output
