"""kimo geocode, and the job behind it: the key from the environment, the positions that agents get
at its end.
"""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from kimo_assets.cli import main
from kimo_assets.config import load_config
from kimo_assets.database.server import Database
from kimo_assets.errors import GeocodingError
from kimo_assets.pipeline import tasks
from kimo_assets.reports import TaskReport
from kimo_assets_tests.geocoding.conftest import KEY, Customers, Listener
from kimo_assets_tests.support.company import url_of


@pytest.fixture
def config(customers: Customers, tmp_path: Path) -> Path:
    """Two customers of one address, one whose address nobody knows, one without."""
    url = url_of(customers.database)
    document = {
        "sources": {"erp": {"url": "sqlite:///erp.sqlite"}},
        "database": {"url": url, "dagster_url": url},
        "geocoding": {"base_url": customers.google.url, "daily_budget": 1},
    }
    file = tmp_path / "kimo.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    customers.add("C1", "V. ROMA 3", "60121", "ANCONA", "AN", name="Bar Uno")
    customers.add("C2", "Via Roma, 3", "60121", "Ancona", "AN", name="Bar Due")
    customers.add("C3", "Via Zeta 1", "60121", "Ancona", "AN", name="Bar Tre\x1b[2J")
    customers.add("C4", name="Bar Quattro")
    customers.google.always_answer("Zeta", "ZERO_RESULTS")
    return file


def kimo(config: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(main, ["--config", str(config), "geocode", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run(config: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> TaskReport:
    """As the job runs it, without Dagster around it."""
    monkeypatch.setenv("GOOGLE_MAPS_API_KEY", KEY)
    return tasks.geocode_addresses(load_config(config), database, Listener())


def test_a_preview_tells_calls_cost_and_days(config: Path, customers: Customers) -> None:
    said = kimo(config, "--preview").stdout
    assert (
        "2 calls (2 new or changed, 0 answered too long ago), for 0.01 at 5 per 1,000 calls" in said
    )
    assert (
        "1 of them fit today's budget (daily_budget: 1 call left). All of them take 2 days." in said
    )
    document = json.loads(kimo(config, "--preview", "--json").stdout)
    assert (document["calls"], document["fits"], document["days"], document["cost"]) == (
        2,
        1,
        2,
        0.01,
    )
    assert customers.google.calls == 0


def test_the_job_asks_within_the_budget_and_hands_the_positions_over(
    config: Path, customers: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run(config, customers.database, monkeypatch)
    assert (report.counts["asked"], report.counts["waiting"], customers.google.calls) == (1, 1, 1)
    sent = customers.rows('SELECT "EntityId", "Status" FROM kimo."EntityGeoposition" ORDER BY 1')
    assert sent == [("C1", "OK"), ("C2", "OK")]
    assert kimo(config, "--preview").stdout.startswith("A run would make 1 call ")


def test_what_was_answered_before_a_refusal_is_handed_over(
    config: Path, customers: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(
        config.read_text(encoding="utf-8").replace("daily_budget: 1", "daily_budget: 9"),
        encoding="utf-8",
    )
    customers.google.always_answer("Zeta", "REQUEST_DENIED")
    with pytest.raises(
        GeocodingError, match=r"REQUEST_DENIED.*What was answered in this run \(1\) is kept"
    ):
        run(config, customers.database, monkeypatch)
    assert customers.rows('SELECT count(*) FROM kimo."EntityGeoposition"') == [(2,)]


def test_the_list_names_what_to_correct_and_the_provinces(
    config: Path, customers: Customers
) -> None:
    customers.settings["daily_budget"] = 100
    customers.run()
    said = kimo(config, "--list").stdout
    assert "AN Ancona" in said
    assert "2 addresses to correct" in said
    assert "C4 Bar Quattro" in said
    assert "ZERO_RESULTS" in said
    assert "\x1b[2J" not in said
    document = json.loads(kimo(config, "--list", "--json").stdout)
    assert [one["kind"] for one in document["corrections"]] == ["not askable", "ZERO_RESULTS"]
    assert document["provinces"][0]["code"] == "AN"


def test_a_plot_is_a_file(
    config: Path, customers: Customers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(config, customers.database, monkeypatch)
    file = tmp_path / "customers.svg"
    assert "2 positions drawn" in kimo(config, "--plot", str(file)).stdout
    assert file.read_text(encoding="utf-8").startswith("<svg")
    failed = kimo(config, "--plot", str(tmp_path / "nowhere" / "x.svg"))
    assert failed.exit_code == 2
    assert "cannot be written" in failed.stderr


def test_one_thing_at_a_time(config: Path) -> None:
    failed = kimo(config, "--list", "--preview")
    assert failed.exit_code == 2
    assert "Choose one of" in failed.stderr
