"""A demo company, `kimo dev` on it as an operator starts it, and a real Chromium that looks
at it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from kimo_assets.demo import generate_company

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SCREENSHOTS = "KIMO_UI_SCREENSHOTS"


@dataclass(frozen=True)
class Ui:
    """A running UI. started: how long the command took until it said where it is."""

    url: str
    config_path: Path
    process: "subprocess.Popen[str]"
    started_s: float

    def ask(self, query: str) -> Any:
        """The answer of Dagster's GraphQL."""
        answer = requests.post(f"{self.url}/graphql", json={"query": query}, timeout=30)
        answer.raise_for_status()
        return answer.json()["data"]

    def runs(self) -> list[dict[str, Any]]:
        """Newest first."""
        query = (
            "{runsOrError {... on Runs {results {runId status jobName startTime endTime tags {key"
            " value}}}}}"
        )
        found: list[dict[str, Any]] = self.ask(query)["runsOrError"]["results"]
        return found

    def why_failed(self) -> list[str]:
        """What the failed steps say, the first cause last."""
        query = """{runsOrError(filter: {statuses: [FAILURE]}) {... on Runs {results {
            eventConnection {events {
            ... on ExecutionStepFailureEvent {error {message errorChain {error {message}}}}}}}}}}"""
        runs = self.ask(query)["runsOrError"]["results"]
        errors = [
            event["error"]
            for run in runs
            for event in run["eventConnection"]["events"]
            if event.get("error")
        ]
        return [
            link["message"]
            for error in errors
            for link in (error, *(e["error"] for e in error["errorChain"]))
        ]

    def wait(self, done: Callable[[], bool], what: str, *, timeout_s: float = 90) -> None:
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, (
                f"{what}: not within {timeout_s} s; runs: {self.runs()}"
            )
            time.sleep(0.3)


@pytest.fixture(scope="session")
def chromium() -> str:
    pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install kimo_assets[ui]"
    )
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(_BROWSERS)})")
    return found


@pytest.fixture(scope="module")
def ui(chromium: str, server_folder: Path) -> Iterator[Ui]:
    """`kimo dev` on a demo company that was never imported; ended by Ctrl-C, and nothing of it may
    stay.
    """
    config = generate_company(server_folder / "demo").config_path
    command = [
        str(Path(sys.executable).parent / "kimo"),
        "dev",
        "--json",
        "--port",
        str(_free_port()),
        "--api-port",
        "0",
    ]
    log = server_folder / "dev.log"
    started = time.monotonic()
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            [*command, "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            # It says where it is, in one JSON document, when it answers.
            document = "".join(iter(process.stdout.readline, "}\n")) + "}"
            yield Ui(json.loads(document)["url"], config, process, time.monotonic() - started)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
    assert process.returncode in (0, 130), log.read_text(encoding="utf-8")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nobody of its process group is left


@pytest.fixture
def page(chromium: str) -> Iterator[Any]:
    """A browser's only page. Closed with its test: as long as it is open, no other event loop can
    run here.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=list(_ARGUMENTS), headless=True
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


@pytest.fixture
def screenshot(page: Any, tmp_path: Path) -> Callable[..., None]:
    """Saves what the browser shows, for people to look at: docs/pictures holds what these are."""
    folder = Path(os.environ.get(SCREENSHOTS) or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(name: str, height: int | None = None) -> None:
        page.wait_for_timeout(500)  # pictures move into place
        # A page has few colours; with these alone the file is a third.
        shown = Image.open(BytesIO(page.screenshot())).convert("RGB")
        shown = shown.crop((0, 0, shown.width, height or shown.height))
        shown.quantize(64, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)

    return take


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
