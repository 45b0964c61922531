"""An operator's first hour in the UI, in a real browser: look, import all, one, two apart, the mask, the results."""

import json
import re
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from kimo_assets.defs.payloads import AGENT_PAYLOADS
from kimo_assets_tests.ui.conftest import Ui

pytestmark = pytest.mark.ui

ASSETS = ("erp_staging", "kimo_tables", "sync_payloads")
LOCATION = "kimo_assets.definitions"
MASK = {"ops": {"import_named_entities": {"config": {"entities": "Zone, ItemUrl", "only_listed": True}}}}


def test_a_tour_of_the_ui(ui: Ui, page: Any, screenshot: Callable[[str], None]) -> None:
    started = time.monotonic()
    page.goto(f"{ui.url}/asset-groups")
    for asset in (*ASSETS, AGENT_PAYLOADS):
        page.get_by_text(asset, exact=True).last.wait_for()
    assert ui.started_s + time.monotonic() - started < 40
    assert _lineage(ui) == {
        "erp_staging": [], "kimo_tables": ["erp_staging"], "sync_payloads": ["kimo_tables"],
        AGENT_PAYLOADS: ["sync_payloads"],
    }  # fmt: skip
    screenshot("lineage-empty")

    # Asked for at once, the runs wait for each other in the queue: the daemon looks for backfills every 30 seconds.
    _launch_mask(page, ui)
    screenshot("mask")
    _materialize(page, f"{ui.url}/asset-groups", ["All"])
    _materialize(page, f"{ui.url}/assets/erp_staging", ["Account"])
    _materialize(page, f"{ui.url}/assets/erp_staging", ["CustomerGroup", "PromotionLine"], screenshot)
    ui.wait(lambda: len(ui.runs()) == 5 and not _going_on(ui), "the five runs", timeout_s=150)
    runs = ui.runs()
    assert {run["status"] for run in runs} == {"SUCCESS"}, ui.why_failed()
    assert sorted(map(_partitions, runs)) == [
        "", "Account", "CustomerGroup...CustomerGroup", "CustomerGroup...PromotionLine",
        "PromotionLine...PromotionLine",
    ]  # fmt: skip
    assert _never_two_at_once(runs)

    page.set_viewport_size({"width": 1400, "height": 1180})
    for asset in ASSETS:
        page.goto(f"{ui.url}/assets/{asset}?view=partitions&partition=Account")
        page.get_by_text("Materialized (48)").wait_for()
        page.get_by_text("Missing (0)").wait_for()
        page.get_by_text("dagster/row_count").wait_for()
        screenshot(asset)
    page.goto(f"{ui.url}/assets/erp_staging?view=partitions&partition=Account")
    _cell(page, "text_too_long")
    _cell(page, "RAGSOC → Name")
    page.goto(f"{ui.url}/assets/kimo_tables?view=partitions&partition=ErpDocumentLine")
    _cell(page, "missing_owner")
    screenshot("refused")
    page.goto(f"{ui.url}/assets/erp_staging")
    page.get_by_text("Step 1: Import da Erp a KimoIntegrator").first.wait_for()
    screenshot("overview")

    _look_at_the_payloads(page, ui, screenshot)

    full = next(run for run in runs if _partitions(run) == "CustomerGroup...PromotionLine")
    page.set_viewport_size({"width": 1400, "height": 800})
    page.goto(f"{ui.url}/runs/{full['runId']}")
    page.get_by_placeholder("Filter…").fill("entities")
    page.get_by_text("Step 3: Preparazione dati di Sync").first.wait_for()
    page.get_by_text("ErpDocumentLine: 2 refused").first.wait_for()
    screenshot("run")
    page.goto(f"{ui.url}/jobs")
    page.get_by_text("step_2_3_load_and_sync_data_creation").wait_for()
    screenshot("jobs")
    page.set_viewport_size({"width": 1900, "height": 600})  # on fewer pixels the boxes hold their names alone
    page.goto(f"{ui.url}/asset-groups")
    page.get_by_text("48 partitions").last.wait_for()
    screenshot("lineage")


def _look_at_the_payloads(page: Any, ui: Ui, screenshot: Callable[[str], None]) -> None:
    """The biggest agents, how their bytes went as Dagster's plots and as our picture, and the check."""
    page.goto(f"{ui.url}/assets/{AGENT_PAYLOADS}")
    page.get_by_text("bytes of the biggest agent").first.wait_for()
    screenshot("agents")
    page.get_by_role("row", name="bytes over loads").get_by_text("[Show Markdown]").click()
    picture = page.get_by_alt_text("bytes of the biggest agents")
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 800
    screenshot("agents-picture")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Plots").click()
    page.locator("canvas").first.wait_for()
    screenshot("agents-plots")
    page.goto(f"{ui.url}/assets/sync_payloads?view=checks")
    page.get_by_text("objects are whole.").first.wait_for()
    screenshot("check")


def _materialize(page: Any, url: str, partitions: list[str], screenshot: Callable[[str], None] | None = None) -> None:
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


def _launch_mask(page: Any, ui: Ui) -> None:
    """Through the launchpad of the job import_entities."""
    page.goto(f"{ui.url}/locations/{LOCATION}/jobs/import_entities/playground")
    page.get_by_text("only_listed").first.wait_for()
    page.locator(".CodeMirror").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(json.dumps(MASK))
    page.get_by_text("No errors").wait_for()
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/*")


def _lineage(ui: Ui) -> dict[str, list[str]]:
    nodes = ui.ask("{assetNodes {assetKey {path} dependencyKeys {path}}}")["assetNodes"]
    return {node["assetKey"]["path"][-1]: [key["path"][-1] for key in node["dependencyKeys"]] for node in nodes}


def _going_on(ui: Ui) -> bool:
    return any(run["status"] not in ("SUCCESS", "FAILURE", "CANCELED") for run in ui.runs())


def _partitions(run: dict[str, Any]) -> str:
    tags = {tag["key"].removeprefix("dagster/asset_partition_range_"): tag["value"] for tag in run["tags"]}
    return f"{tags['start']}...{tags['end']}" if "start" in tags else tags.get("dagster/partition", "")


def _never_two_at_once(runs: list[dict[str, Any]]) -> bool:
    times = sorted((run["startTime"], run["endTime"]) for run in runs)
    return all(before[1] <= after[0] for before, after in pairwise(times))


def _cell(page: Any, text: str) -> None:
    page.get_by_role("cell", name=text).first.wait_for()
