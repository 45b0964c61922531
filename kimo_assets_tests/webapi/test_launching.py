"""What the endpoints launch, on a real webserver. Its daemon does not run, so whatever is launched
stays in the queue.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from kimo_assets.catalog.menu import MENU, WORK_OF_JOB, title_of
from kimo_assets.config import load_config
from kimo_assets.webapi.app import build_app
from kimo_assets.webapi.endpoints import ENDPOINTS
from kimo_assets_tests.cli.conftest import Company
from kimo_assets_tests.webapi.conftest import (
    BASE,
    TOKEN,
    ask,
    dagster_database,
    graphql,
    runs,
    serving,
)

WHOLE = ("Account", "SalesAgentPerAccount")
QUERIES = {"ImportFromErp": "?tables=salesagent,ACCOUNT,Account"}


@pytest.fixture(scope="module")
def base(company: Company, webserver: str) -> Iterator[str]:
    config = load_config(company.config)
    with serving(
        build_app(config, lambda: company.database, token=TOKEN, graphql_url=f"{webserver}/graphql")
    ) as base:
        yield base


@pytest.fixture(autouse=True)
def _an_empty_queue(webserver: str) -> Iterator[None]:
    yield
    _cancel_all(webserver)


@pytest.fixture
def with_settings(company: Company, webserver: str, tmp_path: Path) -> Callable[..., Any]:
    """The web API of the same company with other settings."""

    def start(**settings: Any) -> Any:
        document = yaml.safe_load(company.config.read_text(encoding="utf-8"))
        (tmp_path / "kimo.yaml").write_text(
            yaml.safe_dump({**document, **settings}), encoding="utf-8"
        )
        config = load_config(tmp_path / "kimo.yaml")
        return serving(
            build_app(
                config, lambda: company.database, token=TOKEN, graphql_url=f"{webserver}/graphql"
            )
        )

    return start


@pytest.mark.parametrize("name", ENDPOINTS)
def test_each_endpoint_launches_the_job_of_its_menu_entry_as_one_run(
    base: str, webserver: str, name: str
) -> None:
    answer = ask(base, f"{name}{QUERIES.get(name, '')}")
    document = answer.json()
    assert (answer.status_code, document["accepted"], document["job"]) == (
        200,
        True,
        ENDPOINTS[name].job,
    )
    run = runs(webserver)[0]
    assert (run["runId"], run["jobName"], run["status"]) == (
        document["run_id"],
        ENDPOINTS[name].job,
        "QUEUED",
    )
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert tags["kimo/launched_by"] == "web API"
    of_range = tuple(
        value for key, value in sorted(tags.items(), reverse=True) if "partition_range" in key
    )
    assert of_range == (WHOLE if ENDPOINTS[name].is_partitioned else ())
    assert document["url"] == f"{webserver}/runs/{run['runId']}"
    assert f"'{title_of(run['jobName'])}'" in document["message"]
    assert run["runId"] in document["message"]
    assert requests.get(document["url"], timeout=30).status_code == 200


def test_the_mask_gets_the_names_as_they_are_mapped(base: str, webserver: str) -> None:
    run_id = ask(base, "importfromerp?TABLES=salesagent,%20ACCOUNT,Account&ONLYLISTED=True").json()[
        "run_id"
    ]
    found = graphql(
        webserver,
        "query($id: ID!) {runOrError(runId: $id) {... on Run {runConfigYaml}}}",
        id=run_id,
    )
    config = yaml.safe_load(found["runOrError"]["runConfigYaml"])["ops"]["import_named_entities"][
        "config"
    ]
    assert (config["entities"], config["only_listed"]) == ("SalesAgent,Account", True)


def test_an_entity_that_is_not_mapped_is_400_with_the_nearest(base: str, webserver: str) -> None:
    before = runs(webserver)
    answer = ask(base, "ImportFromErp?tables=SalesAgent,Acount")
    assert answer.status_code == 400
    assert (
        "'Acount' is not an entity of this mapping (kimo.yaml, entities). Did you mean Account"
        in answer.text
    )
    assert runs(webserver) == before


@pytest.mark.parametrize(
    "second", ["ExportToErp", "FullImportFromErp", "ImportFiles", "ImportFromErp?tables=account"]
)
def test_a_request_is_discarded_while_one_waits_and_the_answer_names_it(
    base: str, webserver: str, second: str
) -> None:
    run_id = ask(base, "FullImportFromErp").json()["run_id"]
    answer = ask(base, second)
    document = answer.json()
    assert (answer.status_code, document["accepted"], document["error"]) == (
        409,
        False,
        "Discarded",
    )
    assert f"'Import completo' (run {run_id}) waits in the queue since " in document["message"]
    assert document["because_of"]["run_id"] == run_id
    assert runs(webserver)[0]["runId"] == run_id  # there is none after it


def test_of_requests_at_the_same_moment_one_is_accepted(base: str, webserver: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda name: ask(base, name).status_code, ["FullImportFromErp", "ExportToErp"] * 4
            )
        )
    assert sorted(answers) == [200] + [409] * 7
    assert [run["status"] for run in runs(webserver)].count("QUEUED") == 1


def test_what_the_ui_has_launched_discards_too_but_only_entries_of_the_menu(
    base: str, webserver: str
) -> None:
    launch = """mutation($job: String!) {launchRun(executionParams: {runConfigData: {}, selector: {
        repositoryLocationName: "kimo_assets.definitions", repositoryName: "__repository__",
        jobName: $job}})
        {... on LaunchRunSuccess {run {runId}}}}"""
    graphql(webserver, launch, job="plan_import")
    assert ask(base, "ExportToErp").status_code == 200
    _cancel_all(webserver)
    graphql(webserver, launch, job="undo_load")
    assert "'Annullamento di un caricamento'" in ask(base, "ExportToErp").json()["message"]


def _cancel_all(webserver: str) -> None:
    for run in runs(webserver):
        if run["status"] == "QUEUED":
            graphql(
                webserver,
                "mutation($id: String!) {terminateRun(runId: $id) {__typename}}",
                id=run["runId"],
            )


def test_side_jobs_go_beside_an_import_when_kimo_yaml_says_so(
    with_settings: Callable[..., Any],
) -> None:
    with with_settings(api={"side_jobs_apart": True}) as base:
        asked = (
            "GeocodeAddresses",
            "FullImportFromErp",
            "ImportFiles",
            "ExportToErp",
            "DownloadItemsImages",
        )
        assert [ask(base, name).status_code for name in (*asked, asked[0])] == [
            200,
            200,
            200,
            409,
            409,
            409,
        ]


def test_a_run_that_was_killed_discards_nothing(
    base: str, webserver: str, company: Company
) -> None:
    """Dagster calls it started until the daemon's sensor looks."""
    run_id = ask(base, "FullImportFromErp").json()["run_id"]
    with dagster_database(company) as connection:
        connection.execute(
            "UPDATE runs SET status = 'STARTED', run_body = replace(run_body, 'QUEUED', 'STARTED') "
            "WHERE run_id = %s",
            [run_id],
        )
    assert f"(run {run_id}) is going on" in ask(base, "ExportToErp").json()["message"]
    with company.database.connect() as connection:
        connection.execute(
            "INSERT INTO ops.load (title, run_id) VALUES ('Import completo', %s)", [run_id]
        )
    assert ask(base, "ExportToErp").status_code == 200
    with dagster_database(company) as connection:
        connection.execute("DELETE FROM runs WHERE run_id = %s", [run_id])


def test_a_code_location_that_is_not_there_is_told(with_settings: Callable[..., Any]) -> None:
    with with_settings(api={"code_location": "elsewhere"}) as base:
        answer = ask(base, "FullImportFromErp")
    assert (answer.status_code, answer.json()["error"]) == (503, "WebserverDown")
    assert "elsewhere" in answer.json()["message"]


def test_links_begin_with_the_uis_address_where_kimo_yaml_has_one(
    with_settings: Callable[..., Any],
) -> None:
    with with_settings(notifications={"ui_url": "https://kimo.example.it/"}) as base:
        document = ask(base, "ExportToErp").json()
    assert document["url"] == f"https://kimo.example.it/runs/{document['run_id']}"


def test_status_says_what_waits_and_how_the_last_load_ended(base: str) -> None:
    run_id = ask(base, "SyncDataCreation").json()["run_id"]
    document = ask(base, "STATUS").json()
    assert (
        document["message"] == "Running or waiting: 'Step 3: Preparazione dati di Sync' (QUEUED)."
    )
    assert [run["run_id"] for run in document["running"]] == [run_id]
    assert document["webserver"] == "answers"
    assert set(document["entities"]) == {"SalesAgent", "Account", "SalesAgentPerAccount"}
    assert "last_load" in document


def test_every_job_of_the_menu_is_known_to_the_web_api(webserver: str) -> None:
    """A job that does an import's work and is not among them would not discard anything."""
    without_work = {"plan_import", "clean_up", "morning_report"}
    assert set(WORK_OF_JOB) == {entry.job for entry in MENU} - without_work
    assert BASE == "/server/Integration"
