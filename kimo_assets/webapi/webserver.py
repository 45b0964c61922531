"""Dagster's webserver, asked by GraphQL over HTTP: what runs, what may be launched, and the launch
itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from kimo_assets.catalog import menu
from kimo_assets.errors import WebserverError

_TIMEOUT_S = 20
# Of a code location that is not named otherwise.
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
    ... on PipelineNotFoundError { message } ... on InvalidSubsetError { message } ... on PythonError { message } } }
"""
_LAUNCH = """
mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PipelineNotFoundError { message } ... on InvalidSubsetError { message } ... on ConflictingExecutionParamsError { message }
    ... on PresetNotFoundError { message } ... on RunConflict { message } ... on UnauthorizedError { message }
    ... on PythonError { message } } }
"""  # noqa: E501


@dataclass(frozen=True)
class GoingOn:
    """A run that waits in the queue, or runs."""

    run_id: str
    job: str
    status: str
    since: datetime

    @property
    def is_queued(self) -> bool:
        return self.status in ("QUEUED", "NOT_STARTED")


class Webserver:
    """code_location: which one of the webserver's is this company's; None: the only one that has
    the menu's jobs.

    Every method raises WebserverError, with a sentence, when the webserver does not answer, or not
    as it should.
    """

    def __init__(self, graphql_url: str, *, code_location: str | None = None) -> None:
        self.graphql_url = graphql_url
        self._wanted = code_location

    def going_on(self) -> list[GoingOn]:
        """This company's runs that wait or run, the oldest first, whoever launched them."""
        statuses = ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"]
        selector = self._selector()
        label = f"{selector['repositoryName']}@{selector['repositoryLocationName']}"
        of_us = {"statuses": statuses, "tags": [{"key": ".dagster/repository", "value": label}]}
        found = self._ask(_GOING_ON, {"filter": of_us})["runsOrError"]
        runs = [
            GoingOn(
                run["runId"],
                run["jobName"],
                run["status"],
                datetime.fromtimestamp(run["creationTime"], UTC),
            )
            for run in _part(found, "results")
        ]
        return sorted(runs, key=lambda run: run.since)

    def partitions(self, job: str) -> list[str]:
        """The entities that an asset job is about, in their order."""
        answer = self._ask(_PARTITIONS, {"params": {**self._selector(), "pipelineName": job}})[
            "pipelineOrError"
        ]
        keys: list[str] = _part(_part(answer, "partitionKeysOrError"), "partitionKeys")
        return keys

    def launch(
        self, job: str, run_config: Mapping[str, Any], *, partitions: Sequence[str] = ()
    ) -> str:
        """Puts a run of the job into the queue; its id. partitions: the run is about all from the
        first to the last.
        """
        tags = (
            []
            if not partitions
            else [
                {"key": _RANGE_START, "value": partitions[0]},
                {"key": _RANGE_END, "value": partitions[-1]},
            ]
        )
        params = {
            "selector": {**self._selector(), "jobName": job},
            "runConfigData": dict(run_config),
            "executionMetadata": {"tags": [*tags, {"key": "kimo/launched_by", "value": "web API"}]},
        }
        run_id: str = _part(
            _part(self._ask(_LAUNCH, {"params": params})["launchRun"], "run"), "runId"
        )
        return run_id

    def _selector(self) -> dict[str, str]:
        if self._wanted:
            return {"repositoryLocationName": self._wanted, "repositoryName": _REPOSITORY}
        nodes = _part(self._ask(_LOCATIONS, {})["repositoriesOrError"], "nodes")
        ours = [
            node
            for node in nodes
            if any(job["name"] == menu.FULL_IMPORT.job for job in node["jobs"])
        ]
        if len(ours) == 1:
            return {
                "repositoryLocationName": ours[0]["location"]["name"],
                "repositoryName": ours[0]["name"],
            }
        if not ours:
            raise WebserverError(
                f"the webserver at {self._place} has loaded no code location of kimo_assets with"
                " mapped entities; look at its page Deployment"
            )
        names = ", ".join(sorted(node["location"]["name"] for node in ours))
        raise WebserverError(
            f"several companies are loaded ({names}): say in kimo.yaml, api.code_location, which is"
            " meant"
        )

    def _ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy of the environment's is for addresses outside
                asked = {"query": query, "variables": dict(variables)}
                document = session.post(self.graphql_url, json=asked, timeout=_TIMEOUT_S).json()
        except requests.JSONDecodeError:
            raise WebserverError(
                f"{self._place} (api.graphql_url of kimo.yaml) is no GraphQL of Dagster's"
            ) from None
        except requests.RequestException as error:
            kind = (
                "takes too long to answer"
                if isinstance(error, requests.Timeout)
                else "does not answer"
            )
            raise WebserverError(
                f"Dagster's webserver at {self._place} {kind}. Start it (kimo dev, or its service),"
                " then ask again"
            ) from None
        if not isinstance(document, dict) or not document.get("data"):
            raise WebserverError(
                f"Dagster's webserver at {self._place} does not understand: {_complaint(document)}"
            )
        data: dict[str, Any] = document["data"]
        return data

    @property
    def _place(self) -> str:
        """The address without a user and password, should there be one."""
        scheme, _, rest = self.graphql_url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"


def _part(answer: Any, key: str) -> Any:
    """What is asked for, of an answer that may be an error instead."""
    if isinstance(answer, dict) and key in answer:
        return answer[key]
    raise WebserverError(f"Dagster's webserver refuses: {_complaint(answer)}")


def _complaint(answer: Any) -> str:
    if not isinstance(answer, dict):
        return "an answer that is none of GraphQL's"
    errors = answer.get("errors") or []
    said = (
        [answer["message"]]
        if "message" in answer
        else [error.get("message", "") for error in errors]
    )
    return " ".join("; ".join(said).split())[:500] or "an answer of another form than expected"
