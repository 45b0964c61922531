"""Dagster's webserver over GraphQL: which runs are active, which jobs exist, and launches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from kimo_assets.catalog import menu
from kimo_assets.errors import WebserverError
from kimo_assets.texts import say

# The webserver may have to load the code location first, which takes Dagster seconds.
_TIMEOUT_S = 20
_COMPLAINT_CHARS = 500
# Dagster's name for the repository of a code location.
_REPOSITORY = "__repository__"
_RANGE_START, _RANGE_END = (
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)

_LOCATIONS = """
query Locations { repositoriesOrError {
    ... on RepositoryConnection { nodes { name location { name } jobs { name } } }
    ... on PythonError { message } } }
"""
_GOING_ON = """
query GoingOn($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 200) {
    ... on Runs { results { runId jobName status creationTime } }
    ... on InvalidPipelineRunsFilterError { message } ... on PythonError { message } } }
"""
_PARTITIONS = """
query Partitions($params: PipelineSelector!) { pipelineOrError(params: $params) {
    ... on Pipeline { partitionKeysOrError { ... on PartitionKeys { partitionKeys } } }
    ... on PipelineNotFoundError { message } ... on InvalidSubsetError { message }
    ... on PythonError { message } } }
"""
_LAUNCH = """
mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PipelineNotFoundError { message } ... on InvalidSubsetError { message }
    ... on ConflictingExecutionParamsError { message } ... on PresetNotFoundError { message }
    ... on RunConflict { message } ... on UnauthorizedError { message }
    ... on PythonError { message } } }
"""


@dataclass(frozen=True)
class ActiveRun:
    """A run that waits in the queue, or runs."""

    run_id: str
    job: str
    status: str
    since: datetime

    @property
    def is_queued(self) -> bool:
        return self.status in ("QUEUED", "NOT_STARTED")


class Webserver:
    """A client of one company's code location.

    code_location: its name. None: the only one that has the menu's jobs.
    Every method raises WebserverError where the webserver does not answer as it should.
    """

    def __init__(self, graphql_url: str, *, code_location: str | None = None) -> None:
        self.graphql_url = graphql_url
        self._location = code_location

    def active_runs(self) -> list[ActiveRun]:
        """This company's runs that wait or run, the oldest first."""
        statuses = ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"]
        # One webserver may serve several companies. Only this one's runs count.
        selector = self._selector()
        label = f"{selector['repositoryName']}@{selector['repositoryLocationName']}"
        own_runs = {"statuses": statuses, "tags": [{"key": ".dagster/repository", "value": label}]}
        answer = self._ask(_GOING_ON, {"filter": own_runs})["runsOrError"]
        runs = [
            ActiveRun(
                run["runId"],
                run["jobName"],
                run["status"],
                datetime.fromtimestamp(run["creationTime"], UTC),
            )
            for run in _part(answer, "results")
        ]
        return sorted(runs, key=lambda run: run.since)

    def partitions(self, job: str) -> list[str]:
        """The entities of an asset job, in their order."""
        params = {**self._selector(), "pipelineName": job}
        answer = self._ask(_PARTITIONS, {"params": params})["pipelineOrError"]
        keys: list[str] = _part(_part(answer, "partitionKeysOrError"), "partitionKeys")
        return keys

    def launch(
        self, job: str, run_config: Mapping[str, Any], *, partitions: Sequence[str] = ()
    ) -> str:
        """Puts a run of the job into the queue, and returns its id.

        partitions: the run is about all from the first to the last.
        """
        # Shown in the list of runs, so that one sees what a script has started.
        tags = {"kimo/launched_by": "web API"}
        if partitions:
            # A range, because Dagster makes one run of it. Single partitions would be a run each.
            tags |= {_RANGE_START: partitions[0], _RANGE_END: partitions[-1]}
        params = {
            "selector": {**self._selector(), "jobName": job},
            "runConfigData": dict(run_config),
            "executionMetadata": {
                "tags": [{"key": key, "value": value} for key, value in tags.items()]
            },
        }
        answer = self._ask(_LAUNCH, {"params": params})["launchRun"]
        run_id: str = _part(_part(answer, "run"), "runId")
        return run_id

    def _selector(self) -> dict[str, str]:
        """The code location, as GraphQL names one. It is looked up where kimo.yaml names none."""
        if self._location:
            return {"repositoryLocationName": self._location, "repositoryName": _REPOSITORY}
        nodes = _part(self._ask(_LOCATIONS, {})["repositoriesOrError"], "nodes")
        ours = [node for node in nodes if _has_job(node, menu.FULL_IMPORT.job)]
        if not ours:
            raise WebserverError(say("webapi.webserver.not_loaded", address=self._address))
        # To guess would start another company's import.
        if len(ours) > 1:
            names = ", ".join(sorted(node["location"]["name"] for node in ours))
            raise WebserverError(say("webapi.webserver.several", names=names))
        location, repository = ours[0]["location"]["name"], ours[0]["name"]
        return {"repositoryLocationName": location, "repositoryName": repository}

    def _ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of the answer to a query."""
        request = {"query": query, "variables": dict(variables)}
        address = self._address
        try:
            with requests.Session() as session:
                # A proxy of the environment is for addresses outside.
                session.trust_env = False
                document = session.post(self.graphql_url, json=request, timeout=_TIMEOUT_S).json()
        # Before the next ones: it derives from RequestException. Some other program listens there.
        except requests.JSONDecodeError:
            raise WebserverError(say("webapi.webserver.no_graphql", address=address)) from None
        except requests.Timeout:
            raise WebserverError(say("webapi.webserver.slow", address=address)) from None
        except requests.RequestException:
            raise WebserverError(say("webapi.webserver.down", address=address)) from None
        # GraphQL answers 200 to errors too. They stand where the data should.
        if not isinstance(document, dict) or not document.get("data"):
            complaint = _complaint(document)
            message = say("webapi.webserver.not_understood", address=address, complaint=complaint)
            raise WebserverError(message)
        data: dict[str, Any] = document["data"]
        return data

    @property
    def _address(self) -> str:
        """The address without user and password."""
        scheme, _, rest = self.graphql_url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"


def _has_job(node: dict[str, Any], name: str) -> bool:
    return any(job["name"] == name for job in node["jobs"])


def _part(answer: Any, key: str) -> Any:
    """A part of an answer. Raises: WebserverError where the answer is an error instead."""
    if isinstance(answer, dict) and key in answer:
        return answer[key]
    raise WebserverError(say("webapi.webserver.refuses", complaint=_complaint(answer)))


def _complaint(answer: Any) -> str:
    """What an answer says about itself, in one line."""
    if not isinstance(answer, dict):
        return say("webapi.webserver.foreign_answer")
    messages = [error.get("message", "") for error in answer.get("errors") or []]
    if "message" in answer:
        messages = [answer["message"]]
    line = " ".join("; ".join(messages).split())
    return line[:_COMPLAINT_CHARS] or say("webapi.webserver.other_form")
