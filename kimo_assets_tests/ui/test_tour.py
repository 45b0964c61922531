"""An operator's first hour in the UI, in a real browser: look, import all, one, two apart, the
mask, a failure, results.
"""

import json
import re
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from kimo_assets.config import load_config
from kimo_assets.database.locks import exclusive
from kimo_assets.database.server import open_database
from kimo_assets.defs.assets.agent_payloads import AGENT_PAYLOADS
from kimo_assets.demo.orders import make_orders
from kimo_assets.settings import load_settings, read_settings
from kimo_assets_tests.ui.conftest import Ui

pytestmark = pytest.mark.ui

ASSETS = ("erp_staging", "kimo_tables", "sync_payloads")
LINEAGE = {
    "erp": [],
    "erp_staging": ["erp"],
    "kimo_tables": ["erp_staging"],
    "erp_outbox": ["kimo_tables"],
    "geopositions": ["kimo_tables"],
    "public_images": ["kimo_tables"],
    "settings": ["kimo_tables"],
    "sync_payloads": ["geopositions", "kimo_tables", "public_images"],
    AGENT_PAYLOADS: ["sync_payloads"],
}
LOCATION = "kimo_assets.definitions"

Take = Callable[..., None]


def test_a_tour_of_the_ui(ui: Ui, page: Any, screenshot: Take) -> None:
    entities = load_config(ui.config_path).entity_names
    everything = f"{entities[0]}...{entities[-1]}"
    started = time.monotonic()
    page.goto(f"{ui.url}/asset-groups")
    for asset in LINEAGE:
        page.get_by_text(asset, exact=True).last.wait_for()
    assert ui.started_s + time.monotonic() - started < 40
    assert _lineage(ui) == LINEAGE

    # Asked for at once, the runs wait for each other in the queue: the daemon looks for backfills
    # every 30 seconds.
    wrong = _launch(page, ui, "import_entities", _mask("Zne, ItemUrl"), lambda: screenshot("mask"))
    _launch(page, ui, "import_entities", _mask("Zone, ItemUrl"))
    _materialize(page, f"{ui.url}/asset-groups", ["All"])
    _materialize(page, f"{ui.url}/assets/erp_staging", ["Account"])
    _materialize(
        page, f"{ui.url}/assets/erp_staging", ["CustomerGroup", "PromotionLine"], screenshot
    )
    _look_at_the_failure(page, ui, wrong, screenshot)
    ui.wait(lambda: len(ui.runs()) == 6 and not _going_on(ui), "the six runs", timeout_s=150)
    runs = ui.runs()
    assert [run["runId"] for run in runs if run["status"] != "SUCCESS"] == [wrong], ui.why_failed()
    assert sorted(map(_partitions, runs)) == sorted(
        [
            "",
            "",
            "Account",
            "CustomerGroup...CustomerGroup",
            everything,
            "PromotionLine...PromotionLine",
        ]
    )
    assert _never_two_at_once(runs)
    # Pictures and coordinates that nobody has made yet make nothing look out of date.
    assert _stale(ui) == dict.fromkeys(ASSETS, "FRESH")

    # Pictures are made beside an export.
    _agents_make_orders(ui)
    side = [_launch(page, ui, job) for job in ("import_files", "export_to_erp")]
    full = next(run["runId"] for run in runs if _partitions(run) == everything)
    _watch_the_run(page, ui, full, screenshot)
    _read_the_metadata(page, ui, screenshot, len(entities))
    _look_at_the_payloads(page, ui, screenshot)
    ui.wait(lambda: not _going_on(ui), "the pictures and the export")
    assert {run["status"] for run in ui.runs() if run["runId"] in side} == {"SUCCESS"}, (
        ui.why_failed()
    )
    _look_at_pictures_and_orders(page, ui, screenshot)

    page.set_viewport_size(
        {"width": 2250, "height": 860}
    )  # on fewer pixels the boxes hold their names alone
    page.goto(f"{ui.url}/asset-groups")
    page.get_by_text(f"{len(entities)} partitions").last.wait_for()
    screenshot("lineage")


def _look_at_the_failure(page: Any, ui: Ui, run: str, screenshot: Take) -> None:
    """A name that is none: the sentence stands first, and says what was meant."""
    page.goto(f"{ui.url}/runs/{run}")
    page.get_by_placeholder("Filter…").fill("type:STEP_FAILURE")
    said = page.get_by_text("'Zne' is not an entity of this mapping").first
    said.wait_for(timeout=60_000)
    assert "Did you mean Zone?" in said.inner_text()
    screenshot("failure", 480)  # what is below are the folders of this machine


def _watch_the_run(page: Any, ui: Ui, run: str, screenshot: Take) -> None:
    page.set_viewport_size({"width": 1400, "height": 800})
    page.goto(f"{ui.url}/runs/{run}")
    page.get_by_placeholder("Filter…").fill("entities")
    page.get_by_text("Step 3: Preparazione dati di Sync").first.wait_for()
    page.get_by_text("ErpDocumentLine: 2 refused").first.wait_for()
    screenshot("run")


def _read_the_metadata(page: Any, ui: Ui, screenshot: Take, entities: int) -> None:
    page.set_viewport_size({"width": 1400, "height": 1180})
    for asset in ASSETS:
        page.goto(f"{ui.url}/assets/{asset}?view=partitions&partition=Account")
        page.get_by_text(f"Materialized ({entities})").wait_for()
        page.get_by_text("Missing (0)").wait_for()
        page.get_by_text("dagster/row_count").wait_for()
        assert _too_wide(page) == []
    page.goto(f"{ui.url}/assets/erp_staging?view=partitions&partition=Account")
    _cell(page, "text_too_long")
    _cell(page, "RAGSOC → Name")
    screenshot("partition")
    page.goto(f"{ui.url}/assets/kimo_tables?view=partitions&partition=ErpDocumentLine")
    _cell(page, "missing_owner")
    page.goto(f"{ui.url}/assets/erp_staging")
    page.get_by_text("Step 1: Import da Erp a KimoIntegrator").first.wait_for()
    page.goto(f"{ui.url}/jobs")
    page.get_by_text("step_2_3_load_and_sync_data_creation").wait_for()


def _look_at_the_payloads(page: Any, ui: Ui, screenshot: Take) -> None:
    """The biggest agents, how their bytes went as Dagster's plots and as our picture, the settings,
    and the check.
    """
    page.goto(f"{ui.url}/assets/{AGENT_PAYLOADS}")
    page.get_by_text("bytes of the biggest agent").first.wait_for()
    _see_picture(page, "bytes over loads", "bytes of the biggest agents", 800)
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Plots").click()
    page.locator("canvas").first.wait_for()
    screenshot("plots")
    page.goto(f"{ui.url}/assets/settings")
    page.get_by_text("Preparazione dati di Sync delle sole impostazioni").first.wait_for()
    page.get_by_text("settings.json").first.wait_for()
    page.goto(f"{ui.url}/assets/sync_payloads?view=checks")
    page.get_by_text("objects are whole.").first.wait_for()


def _look_at_pictures_and_orders(page: Any, ui: Ui, screenshot: Take) -> None:
    page.goto(f"{ui.url}/assets/public_images")
    page.get_by_text("what could not be done").first.wait_for()
    assert _too_wide(page) == []
    _see_picture(page, "contact sheet", "contact sheet", 400)
    screenshot("contact-sheet")
    page.goto(f"{ui.url}/assets/erp_outbox")
    page.get_by_text("held back").first.wait_for()
    _cell(page, "ReceivableInstallment")
    assert _too_wide(page) == []
    screenshot("export")


def _see_picture(page: Any, key: str, title: str, width: int) -> None:
    page.get_by_role("row", name=key).get_by_text("[Show Markdown]").click()
    picture = page.get_by_alt_text(title)
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > width


def _too_wide(page: Any) -> list[str]:
    """The tables of metadata whose last column is cut off by the page."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('table table')].filter(table => {
            const cell = table.closest('td'), right = table.getBoundingClientRect().right;
            for (let box = cell; box; box = box.parentElement)
                if (getComputedStyle(box).overflowX !== 'visible'
                    && right > box.getBoundingClientRect().right + 1)
                    return true;
            return false;
        }).map(table => table.innerText.slice(0, 80))"""
    )
    return found


def _agents_make_orders(ui: Ui) -> None:
    """What there is to export."""
    database = open_database(load_config(ui.config_path))
    with exclusive(database) as connection:
        load_settings(connection, read_settings(ui.config_path.parent / "settings.yaml"))
        make_orders(connection, 10)


def _materialize(
    page: Any, url: str, partitions: list[str], screenshot: Take | None = None
) -> None:
    """Through the dialog; ["All"] presses its button of that name."""
    page.goto(url)
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog").first
    if partitions == ["All"]:
        dialog.get_by_role("button", name="All", exact=True).click()
    else:
        dialog.get_by_text("Select a partition").click()
        for name in partitions:
            page.keyboard.press("Control+A")
            page.keyboard.type(name)
            page.get_by_role("menuitem").filter(has=page.get_by_text(name, exact=True)).click()
        page.keyboard.press("Escape")
        dialog.get_by_text(f"{len(partitions)} partition").wait_for()
    if screenshot:
        screenshot("dialog")
    dialog.get_by_role("button", name="Launch").click()
    # One partition is a run at once; more are a backfill, whose runs the daemon makes.
    page.get_by_text(re.compile("Created backfill|Launched run")).first.wait_for()


def _mask(entities: str) -> dict[str, Any]:
    return {
        "ops": {"import_named_entities": {"config": {"entities": entities, "only_listed": True}}}
    }


def _launch(
    page: Any,
    ui: Ui,
    job: str,
    config: dict[str, Any] | None = None,
    before: Callable[[], None] = lambda: None,
) -> str:
    """Through the launchpad of a job; its run's id. config: in place of the defaults that stand
    there.
    """
    page.goto(f"{ui.url}/locations/{LOCATION}/jobs/{job}/playground")
    page.get_by_text("No errors").wait_for()
    if config:
        page.get_by_text("only_listed").first.wait_for()
        before()
        page.locator(".CodeMirror").first.click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(json.dumps(config))
        page.get_by_text("No errors").wait_for()
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/*")
    return str(page.url).rsplit("/", 1)[1]


def _lineage(ui: Ui) -> dict[str, list[str]]:
    nodes = ui.ask("{assetNodes {assetKey {path} dependencyKeys {path}}}")["assetNodes"]
    return {
        node["assetKey"]["path"][-1]: sorted(key["path"][-1] for key in node["dependencyKeys"])
        for node in nodes
    }


def _stale(ui: Ui) -> dict[str, str]:
    nodes = ui.ask("{assetNodes {assetKey {path} staleStatus}}")["assetNodes"]
    found = {node["assetKey"]["path"][-1]: node["staleStatus"] for node in nodes}
    return {name: found[name] for name in ASSETS}


def _going_on(ui: Ui) -> bool:
    return any(run["status"] not in ("SUCCESS", "FAILURE", "CANCELED") for run in ui.runs())


def _partitions(run: dict[str, Any]) -> str:
    tags = {
        tag["key"].removeprefix("dagster/asset_partition_range_"): tag["value"]
        for tag in run["tags"]
    }
    return (
        f"{tags['start']}...{tags['end']}" if "start" in tags else tags.get("dagster/partition", "")
    )


def _never_two_at_once(runs: list[dict[str, Any]]) -> bool:
    times = sorted((run["startTime"], run["endTime"]) for run in runs)
    return all(before[1] <= after[0] for before, after in pairwise(times))


def _cell(page: Any, text: str) -> None:
    page.get_by_role("cell", name=text).first.wait_for()
